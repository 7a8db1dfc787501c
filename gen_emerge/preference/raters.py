"""Takes judgements that name their raters; gives each rater's own nodes, positions and reliability. Pure functions.

Hierarchical Bradley-Terry: a rater's utility of an item is the common one plus an offset, N(0, sd^2), whose sd is
learned from all raters. Somebody with ten judgements is therefore drawn to the common opinion by as much as raters are
found to share it. Being shown on the left may help with one rater more than with another: the same for the position
term.

A judge's *reliability* is what the common differences are multiplied by before that judge answers: 1 on average,
near 0 for somebody who clicks at random, whose answers then hardly count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gen_emerge.preference.comparisons import Edges, Floats, Ints

RELIABILITY_SD = 0.7
"""Prior sd of the log of a reliability around 0."""
_POSITIONS = 100
"""So many raters, those who judged most, have a position term of their own."""
_CELLS = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The graph with raters' own nodes.

    Args:
        edges: between nodes; the items' come first.
        parents: (q,) the item's node of each rater's own node.
        keys: (q,) rater * items + item, ascending.
    """

    edges: Edges
    parents: Ints
    keys: Ints


def own_nodes(edges: Edges) -> Nodes:
    """Give every rater a node for every item they judged. Judgements of nobody in particular stay between items."""
    n, named = edges.n_items, edges.rater >= 0
    ends = [np.where(named, edges.rater * n + side, -1) for side in (edges.left, edges.right)]
    keys = np.unique(np.concatenate([end[named] for end in ends]))
    left, right = (
        np.where(named, n + np.searchsorted(keys, end), side)
        for end, side in zip(ends, (edges.left, edges.right), strict=True)
    )
    return Nodes(edges=replace(edges, n_items=n + len(keys), left=left, right=right), parents=keys % n, keys=keys)


def position_columns(edges: Edges) -> tuple[Floats, Ints]:
    """(m, k) of 0 and 1, a column a rater with a position term of their own, and (k,) who."""
    named = edges.rater >= 0
    counts = np.bincount(edges.rater[named], edges.totals[named], len(edges.names))
    most = min(_POSITIONS, max(_CELLS // max(len(edges.rater), 1), 1))
    who = np.sort(np.argsort(-counts, kind="stable")[:most])
    return (edges.rater[:, None] == who).astype(np.float64), who


def reliabilities(edges: Edges, difference: Floats, rest: Floats) -> Floats:
    """(raters,) MAP of each judge's reliability s, where a judge's log-odds are s * difference + rest.

    Newton's method on log s from 0, ties counting as half a win each. Their geometric mean over judgements is 1.

    Args:
        edges: the judgements, by rater.
        difference: (m,) of the common utilities.
        rest: (m,) what does not depend on them: position.
    """
    count = len(edges.names)
    named = edges.rater >= 0
    who, d, b = edges.rater[named], difference[named], rest[named]
    wins, totals = (edges.wins + 0.5 * edges.ties)[named], edges.totals[named]
    log_s = np.zeros(count)
    for _ in range(20):
        part = np.exp(log_s)[who] * d
        chance = 1.0 / (1.0 + np.exp(-(part + b)))
        slope = np.bincount(who, (wins - totals * chance) * part, count) - log_s / RELIABILITY_SD**2
        curve = np.bincount(who, totals * chance * (1.0 - chance) * part**2, count) + RELIABILITY_SD**-2
        step = np.clip(slope / curve, -0.5, 0.5)
        log_s = np.clip(log_s + step, -4.0, 2.0)
        if np.abs(step).max(initial=0.0) < 1e-3:
            break
    mean = float(np.average(log_s[who], weights=totals)) if len(who) else 0.0
    return np.asarray(np.exp(log_s - mean), dtype=np.float64)
