"""Takes merged judgements and a prior; gives the MAP parameters and solves with the curvature there. Deterministic.

Newton's method with a cold start at zero. Each step solves a sparse, graph-Laplacian-like system by conjugate gradients
with a diagonal preconditioner (Hestenes & Stiefel 1952); the two global parameters (position, tau) are eliminated by
their Schur complement. Nothing dense of size (n, n) is made.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gen_emerge.preference.comparisons import Edges, Floats, Ints, tally
from gen_emerge.preference.davidson import Moments, moments, tie_moments

POSITION_SD = 1.0
"""Prior sd of the position term, in log-odds, when the utilities have a prior."""
TIE_SD = 2.0
"""Prior sd of tau around 0, when the utilities have a prior; keeps a data set of nothing but ties finite."""
_STEPS = 60
_RUNAWAY = 36.0
"""Without a prior: a spread of utilities, in log-odds, that no finite data set of any use has."""


class Diverged(Exception):
    """The estimate runs away: the maximum is at infinity or is no single point."""


@dataclass(slots=True)
class Graph:
    """The sparse structure of the comparisons, made once; its weights change with every step.

    Args:
        edges: merged judgements.
        position: whether a position term is fitted.
    """

    edges: Edges
    position: bool
    ties: bool = field(init=False)
    _matrix: Any = field(init=False)
    _order: Ints = field(init=False)

    def __post_init__(self) -> None:
        from scipy.sparse import csr_array

        edges, n = self.edges, self.edges.n_items
        self.ties = bool(edges.ties.any())
        rows = np.concatenate([edges.left, edges.right])
        order = np.argsort(rows, kind="stable")
        columns = np.concatenate([edges.right, edges.left])[order].astype(np.int32)
        starts = np.zeros(n + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=n), out=starts[1:])
        self._order = order % max(len(edges.left), 1)
        self._matrix = csr_array((np.zeros(len(columns)), columns, starts), shape=(n, n))

    def difference(self, utilities: Floats, position: float) -> Floats:
        """(m,) log-odds that the left wins."""
        difference: Floats = utilities[self.edges.left] - utilities[self.edges.right]
        return difference + position

    def gather(self, values: Floats) -> Floats:
        """X' values: (m,) per pair -> (n,) per item, plus for the left, minus for the right."""
        n = self.edges.n_items
        return tally(self.edges.left, values, n) - tally(self.edges.right, values, n)

    def laplacian(self, weights: Floats, ridge: float = 0.0) -> Laplacian:
        """X' diag(weights) X + ridge I, for (m,) weights."""
        n = self.edges.n_items
        diagonal = tally(self.edges.left, weights, n) + tally(self.edges.right, weights, n)
        rest = copy(self._matrix)
        rest.data = -weights[self._order]
        return Laplacian(diagonal=diagonal + ridge, rest=rest, ridge=ridge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laplacian:
    """A symmetric (n, n) matrix as its diagonal, `ridge` included, and the sparse rest."""

    diagonal: Floats
    rest: Any
    ridge: float

    def times(self, x: Floats) -> Floats:
        """Multiply (n,) or (n, k)."""
        return (self.diagonal if x.ndim == 1 else self.diagonal[:, None]) * x + self.rest @ x

    def solve(self, b: Floats, tolerance: float) -> Floats:
        """Solve for (n,) or (n, k) right-hand sides by preconditioned conjugate gradients.

        With no ridge the matrix is singular along the constants: `b` must sum to 0, and so does the answer.
        """
        diagonal = np.maximum(self.diagonal, 1e-300)
        if b.ndim == 2:
            diagonal = diagonal[:, None]
        x = np.zeros_like(b)
        residual = b.copy()
        z = residual / diagonal
        direction = z
        rho = _dots(residual, z)
        goal = tolerance * tolerance * rho
        for _ in range(10 * len(b) + 10):
            if not np.any(rho > goal):
                break
            image = self.times(direction)
            step = _ratio(rho, _dots(direction, image)) * (rho > goal)
            x += step * direction
            residual -= step * image
            z = residual / diagonal
            fresh = _dots(residual, z)
            direction = z + _ratio(fresh, rho) * direction
            rho = fresh
        if self.ridge == 0.0:
            x -= x.mean(axis=0)
        return x


def _dots(a: Floats, b: Floats) -> Any:
    """Inner product of two (n,), or of the columns of two (n, k)."""
    return np.dot(a, b) if a.ndim == 1 else np.einsum("ij,ij->j", a, b)


def _ratio(above: Any, below: Any) -> Any:
    """A number, or (k,) of them; 0 where the divisor is not above 0."""
    if np.ndim(below) == 0:
        return above / below if below > 0 else 0.0
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The maximum and the curvature there.

    Args:
        utilities: (n,) log-odds.
        position: log-odds added to whatever is shown left.
        tau: log of Davidson's nu, -inf when no tie was seen.
        at: the likelihood's derivatives there.
        curvature: (n, n) of the utilities, prior included.
        cross: (n, g) curvature between utilities and the g fitted globals (position, tau).
        globals_: (g, g) curvature of the globals.
    """

    utilities: Floats
    position: float
    tau: float
    at: Moments
    curvature: Laplacian
    cross: Floats
    globals_: Floats


def maximise(graph: Graph, sd: float | None, *, start: Estimate | None = None, precision: float = 1e-10) -> Estimate:
    """The MAP estimate under utilities ~ N(0, sd^2), or plain maximum likelihood for None.

    Args:
        graph: the comparisons.
        sd: the prior's sd in log-odds.
        start: where to start; None for zero.
        precision: greatest slope left over, in judgements, relative to the most judgements of one pair.

    Raises:
        Diverged: the maximum is infinite or no single point.
    """
    utilities = np.zeros(graph.edges.n_items) if start is None else start.utilities
    shared = np.zeros(2) if start is None else np.array([start.position, start.tau])
    if not graph.ties:
        shared[1] = -np.inf
    free = np.array([graph.position, graph.ties])
    at = _moments(graph, utilities, shared)
    precision *= max(1.0, float(graph.edges.totals.max(initial=0.0)))
    first = 0.0
    for _ in range(_STEPS):
        slope, slope_shared = _slopes(graph, at, utilities, shared, sd)
        size = max(float(np.abs(slope).max()), float(np.abs(slope_shared).max(initial=0.0)))
        if size <= precision:
            break
        first = first or size
        estimate = _curvature(graph, at, utilities, shared, sd)
        step, step_shared = _newton(estimate, slope, slope_shared, max(min(1e-2, 0.1 * size / first), 1e-9))
        before, scale = _objective(at, utilities, shared, sd), 1.0
        while True:
            trial, trial_shared = utilities + scale * step, shared.copy()
            trial_shared[free] += scale * step_shared
            at = _moments(graph, trial, trial_shared)
            if _objective(at, trial, trial_shared, sd) >= before - 1e-12 * max(1.0, abs(before)) or scale < 1e-6:
                break
            scale *= 0.5
        utilities, shared = trial, trial_shared
        if sd is None and (np.ptp(utilities) > _RUNAWAY or np.abs(shared[free]).max(initial=0.0) > _RUNAWAY / 2):
            raise Diverged
    else:
        if sd is None:
            raise Diverged
    estimate = _curvature(graph, at, utilities, shared, sd)
    if sd is None:
        _schur(estimate, estimate.curvature.solve(estimate.cross, 1e-6))
    return estimate


def solve(estimate: Estimate, b: Floats, tolerance: float = 1e-9) -> Floats:
    """The posterior covariance of the utilities (the globals integrated out) times (n,) or (n, k)."""
    answer = estimate.curvature.solve(b, tolerance)
    if estimate.cross.shape[1]:
        inner = estimate.curvature.solve(estimate.cross, tolerance)
        schur = estimate.globals_ - estimate.cross.T @ inner
        answer = answer + inner @ np.linalg.solve(schur, inner.T @ b)
    return answer


def _moments(graph: Graph, utilities: Floats, shared: Floats) -> Moments:
    return moments(graph.edges, graph.difference(utilities, float(shared[0])), float(shared[1]))


def _curvature(graph: Graph, at: Moments, utilities: Floats, shared: Floats, sd: float | None) -> Estimate:
    ridge = 0.0 if sd is None else 1.0 / (sd * sd)
    _, mixed, curve_tt = tie_moments(graph.edges, at)
    columns: list[Floats] = []
    if graph.position:
        columns.append(graph.gather(at.curve_dd))
    if graph.ties:
        columns.append(graph.gather(mixed))
    crossed = float(mixed.sum())
    full = np.array([[float(at.curve_dd.sum()), crossed], [crossed, curve_tt]])
    if sd is not None:
        full += np.diag([1 / POSITION_SD**2, 1 / TIE_SD**2])
    free = np.array([graph.position, graph.ties])
    return Estimate(
        utilities=utilities,
        position=float(shared[0]),
        tau=float(shared[1]),
        at=at,
        curvature=graph.laplacian(at.curve_dd, ridge),
        cross=np.stack(columns, axis=1) if columns else np.zeros((len(utilities), 0)),
        globals_=full[np.ix_(free, free)],
    )


def _slopes(graph: Graph, at: Moments, utilities: Floats, shared: Floats, sd: float | None) -> tuple[Floats, Floats]:
    slope = graph.gather(at.slope_d)
    both = np.array([float(at.slope_d.sum()), tie_moments(graph.edges, at)[0]])
    if sd is not None:
        slope -= utilities / (sd * sd)
        both -= np.where(np.isfinite(shared), shared, 0.0) / np.array([POSITION_SD**2, TIE_SD**2])
    return slope, both[np.array([graph.position, graph.ties])]


def _newton(estimate: Estimate, slope: Floats, slope_shared: Floats, tolerance: float) -> tuple[Floats, Floats]:
    if not len(slope_shared):
        return estimate.curvature.solve(slope, tolerance), slope_shared
    solved = estimate.curvature.solve(np.column_stack([slope, estimate.cross]), min(tolerance, 1e-3))
    own: Floats = solved[:, 0]
    inner: Floats = solved[:, 1:]
    schur = _schur(estimate, inner)
    shared: Floats = np.asarray(np.linalg.solve(schur, slope_shared - estimate.cross.T @ own), dtype=np.float64)
    step: Floats = own - inner @ shared
    return step, shared


def _schur(estimate: Estimate, inner: Floats) -> Floats:
    """Curvature of the globals with the utilities free; none in some direction means that nothing fixes it."""
    schur = estimate.globals_ - estimate.cross.T @ inner
    if len(schur) and np.linalg.eigvalsh(schur)[0] <= 1e-9 * np.trace(estimate.globals_):
        raise Diverged
    return schur


def _objective(at: Moments, utilities: Floats, shared: Floats, sd: float | None) -> float:
    if sd is None:
        return at.log_likelihood
    tau = shared[1] if np.isfinite(shared[1]) else 0.0
    prior = utilities @ utilities / sd**2 + shared[0] ** 2 / POSITION_SD**2 + tau**2 / TIE_SD**2
    return at.log_likelihood - 0.5 * float(prior)
