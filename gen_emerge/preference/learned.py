"""Takes the comparisons, with features or raters; gives all the priors' scales that explain them best. Deterministic.

The same Laplace evidence as in `evidence.py`, of several variances at once: an item's own utility, the weights of each
group of columns (features), and how far a rater's own utilities lie from the common ones. With H the curvature of all
of them at the mode z, D_k the part of the prior that a_k = 1 / sd_k^2 multiplies, and n_k its rank, the slope by
log sd_k is

    a_k z'D_k z - n_k + a_k tr(H^-1 D_k) - a_k tr(H^-1 dH_k)

where dH_k is how the likelihood's curvature moves with the mode. Steps are Fisher's: divided by the information that a
Gaussian likelihood would have, 2 tr((I - a_k H^-1 D_k)^2), taken at its least, (n_k - a_k tr(H^-1 D_k))^2 / n_k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gen_emerge.preference.comparisons import Floats
from gen_emerge.preference.davidson import third
from gen_emerge.preference.evidence import EXACT_ITEMS, PROBES, PSEUDO_ITEMS, PSEUDO_SD
from gen_emerge.preference.solver import Estimate, Graph, Scales, maximise

PSEUDO_COLUMNS = 1.0, 0.5
"""Hyperprior of a group of columns: as strong as so many weights, which would explain a spread of so much log-odds."""
PSEUDO_RATERS = 2.0, 0.5
"""The same of raters' own utilities around the common ones."""
_LOW, _HIGH = math.log(0.05), math.log(50.0)
_EVALUATIONS, _STEP, _CLOSE = 30, 0.7, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One variance: which of the joint unknowns, (n + r) nodes and weights, it speaks of, and its hyperprior."""

    kind: str
    group: int
    strength: float
    spread: float


def best_scales(graph: Graph, items: float | None) -> tuple[Scales, Estimate]:
    """The scales with the greatest evidence, each to within 1%, and the estimate under them.

    Args:
        graph: at least one comparison.
        items: sd of an item's utility where it is given, None to learn it too.
    """
    parts = _parts(graph, learn_items=items is None)
    log_sd = np.log([part.spread for part in parts])
    size = graph.edges.n_items + len(graph.groups)
    probes = np.eye(size) if size <= EXACT_ITEMS else _signs(size)
    estimate: Estimate | None = None
    before = np.zeros(len(parts))
    for _ in range(_EVALUATIONS):
        scales = _scales(graph, parts, log_sd, items)
        estimate = maximise(graph, scales, start=estimate, precision=1e-3)
        slope, information = scale_slopes(graph, estimate, scales, parts, probes, mean=size > EXACT_ITEMS)
        step = np.clip(slope / information, -_STEP, _STEP)
        step = np.where(step * before < 0, 0.5 * step, step)
        moved = np.clip(log_sd + step, _LOW, _HIGH)
        done = float(np.abs(moved - log_sd).max()) < _CLOSE
        before, log_sd = moved - log_sd, moved
        if done:
            break
    scales = _scales(graph, parts, log_sd, items)
    return scales, maximise(graph, scales, start=estimate)


def scale_slopes(
    graph: Graph, estimate: Estimate, scales: Scales, parts: list[_Part], probes: Floats, *, mean: bool
) -> tuple[Floats, Floats]:
    """(parts,) slopes of the log evidence by each log sd, hyperprior included, and the information for a step.

    Args:
        graph: the comparisons.
        estimate: the mode under `scales`.
        scales: where.
        parts: the variances.
        probes: (n + r, k): all unit vectors for exact traces, or random signs (Hutchinson 1990).
        mean: whether traces are the probes' mean and not their sum.
    """
    n = graph.edges.n_items
    joint = np.concatenate([estimate.utilities, estimate.weights])
    pulls = np.column_stack([_times(graph, part, joint[:, None])[:, 0] for part in parts])
    solved = _solve(graph, estimate, np.column_stack([pulls, probes]), 1e-3 if mean else 1e-8)
    moves, answers = solved[:, : len(parts)], solved[:, len(parts) :]
    along, across = _differences(graph, moves, n), _differences(graph, answers, n)
    product = np.sum(across * _differences(graph, probes, n), axis=1)
    count = probes.shape[1] if mean else 1
    slopes, informations = np.zeros(len(parts)), np.zeros(len(parts))
    for k, part in enumerate(parts):
        a = _sd_of(part, scales) ** -2.0
        rank = _rank(graph, part)
        trace = float(np.sum(_times(graph, part, probes) * answers)) / count
        drift = float((third(graph.edges, estimate.at) * along[:, k]) @ product) / count
        known = max(rank - a * trace, 1e-3 * rank)
        slopes[k] = a * float(joint @ pulls[:, k]) - rank + a * trace - a * drift
        slopes[k] += part.strength * (part.spread**2 * a - 1.0)
        informations[k] = 2.0 * known**2 / rank + 2.0 * part.strength * part.spread**2 * a
    return slopes, informations


def _parts(graph: Graph, *, learn_items: bool) -> list[_Part]:
    parts = [_Part(kind="items", group=0, strength=PSEUDO_ITEMS, spread=PSEUDO_SD)] if learn_items else []
    for group in range(int(graph.groups.max(initial=-1)) + 1):
        strength, spread = PSEUDO_COLUMNS
        parts.append(_Part(kind="columns", group=group, strength=strength, spread=spread))
    if len(graph.parents):
        strength, spread = PSEUDO_RATERS
        parts.append(_Part(kind="raters", group=0, strength=strength, spread=spread))
    return parts


def _scales(graph: Graph, parts: list[_Part], log_sd: Floats, items: float | None) -> Scales:
    found = {(part.kind, part.group): math.exp(value) for part, value in zip(parts, log_sd, strict=True)}
    columns = tuple(found["columns", group] for group in range(int(graph.groups.max(initial=-1)) + 1))
    return Scales(
        items=found.get(("items", 0), items or PSEUDO_SD), raters=found.get(("raters", 0), 1.0), columns=columns
    )


def _sd_of(part: _Part, scales: Scales) -> float:
    return {"items": scales.items, "raters": scales.raters}.get(part.kind) or scales.columns[part.group]


def _rank(graph: Graph, part: _Part) -> int:
    if part.kind == "columns":
        return int(np.sum(graph.groups == part.group))
    return graph.items if part.kind == "items" else len(graph.parents)


def _times(graph: Graph, part: _Part, joint: Floats) -> Floats:
    """D_k times (n + r, k)."""
    n = graph.edges.n_items
    out = np.zeros_like(joint)
    if part.kind == "items":
        out[: graph.items] = joint[: graph.items]
    elif part.kind == "columns":
        out[n:][graph.groups == part.group] = joint[n:][graph.groups == part.group]
    else:
        springs = joint[graph.items : n] - joint[graph.parents]
        out[graph.items : n] = springs
        np.subtract.at(out, graph.parents, springs)
    return out


def _differences(graph: Graph, joint: Floats, n: int) -> Floats:
    return graph.difference(joint[:n], 0.0, joint[n:])


def _solve(graph: Graph, estimate: Estimate, b: Floats, tolerance: float) -> Floats:
    """The inverse of the joint curvature of nodes and columns' weights, position and ties held, times (n + r, k)."""
    n, r = graph.edges.n_items, len(graph.groups)
    first = estimate.cross.shape[1] - r
    cross, own = estimate.cross[:, first:], estimate.globals_[first:, first:]
    if n + r <= EXACT_ITEMS:
        whole = np.block([[estimate.curvature.dense(), cross], [cross.T, own]])
        return np.asarray(np.linalg.solve(whole, b), dtype=np.float64)
    if not r:
        return estimate.curvature.solve(b, tolerance)
    solved = estimate.curvature.solve(np.column_stack([cross, b[:n]]), tolerance)
    inner, rest = solved[:, :r], solved[:, r:]
    weights = np.linalg.solve(own - cross.T @ inner, b[n:] - inner.T @ b[:n])
    return np.asarray(np.concatenate([rest - inner @ weights, weights]), dtype=np.float64)


def _signs(size: int) -> Floats:
    rng = np.random.Generator(np.random.Philox(key=size))
    return np.where(rng.random((size, PROBES)) < 0.5, -1.0, 1.0)
