"""Takes merged judgements and a prior; gives the MAP parameters and solves with the curvature there. Deterministic.

Newton's method with a cold start at zero. Each step solves a sparse, graph-Laplacian-like system by conjugate gradients
with a diagonal preconditioner (Hestenes & Stiefel 1952), or directly where it is small; the global parameters
(position, tau, weights of columns) are eliminated by their Schur complement. Nothing dense of size (n, n) is made for
many items.

A rater's own utility of an item is a node of its own, tied to the item's by a spring: a Gaussian on the difference.
That too is an edge of the graph, so raters change nothing in the shape of the problem.
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


DIRECT = 120
"""Up to so many nodes a system is solved directly, which is then faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Standard deviations of the Gaussian priors, in log-odds.

    Args:
        items: of an item's utility, beyond what its features say.
        raters: of a rater's utility of an item around the common one.
        columns: (groups,) of the weights of each group of columns.
    """

    items: float
    raters: float = 1.0
    columns: tuple[float, ...] = ()


class Diverged(Exception):
    """The estimate runs away: the maximum is at infinity or is no single point."""


@dataclass(slots=True)
class Graph:
    """The sparse structure of the comparisons, made once; its weights change with every step.

    Args:
        edges: merged judgements between nodes.
        position: whether a position term is fitted.
        parents: (q,) the last q nodes are raters' own; the node of the item each is about.
        columns: (m, r) of covariates that add to the difference, weighted by fitted weights; None for none.
        groups: (r,) which prior of `Scales.columns` a weight has.
        reliability: (m,) what the difference of the utilities is multiplied by; None for 1.
    """

    edges: Edges
    position: bool
    parents: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    columns: Floats | None = None
    groups: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    reliability: Floats | None = None
    ties: bool = field(init=False)
    items: int = field(init=False)
    _matrix: Any = field(init=False)
    _order: Ints = field(init=False)

    def __post_init__(self) -> None:
        from scipy.sparse import csr_array

        edges, n = self.edges, self.edges.n_items
        self.ties = bool(edges.ties.any())
        self.items = n - len(self.parents)
        left = np.concatenate([edges.left, self.children])
        right = np.concatenate([edges.right, self.parents])
        rows = np.concatenate([left, right])
        order = np.argsort(rows, kind="stable")
        columns = np.concatenate([right, left])[order].astype(np.int32)
        starts = np.zeros(n + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=n), out=starts[1:])
        self._order = order % max(len(left), 1)
        self._matrix = csr_array((np.zeros(len(columns)), columns, starts), shape=(n, n))

    @property
    def children(self) -> Ints:
        """(q,) the raters' own nodes."""
        return np.arange(self.items, self.edges.n_items)

    def difference(self, utilities: Floats, position: float = 0.0, weights: Floats | None = None) -> Floats:
        """(m,) log-odds that the left wins. Of (n, k) and (r, k) it gives (m, k), without a position."""
        difference: Floats = utilities[self.edges.left] - utilities[self.edges.right]
        if self.reliability is not None:
            difference = difference * (self.reliability if utilities.ndim == 1 else self.reliability[:, None])
        if self.columns is not None and weights is not None:
            difference = difference + self.columns @ weights
        return difference + position

    def gather(self, values: Floats) -> Floats:
        """X' values: (m,) per pair -> (n,) per node, plus for the left, minus for the right."""
        n = self.edges.n_items
        if self.reliability is not None:
            values = values * self.reliability
        return tally(self.edges.left, values, n) - tally(self.edges.right, values, n)

    def springs(self, utilities: Floats) -> Floats:
        """(q,) how far each rater's own utility is from the common one; (q, k) of (n, k)."""
        return utilities[self.items :] - utilities[self.parents]

    def pulled(self, springs: Floats) -> Floats:
        """The transpose of `springs`: (q,) -> (n,)."""
        pulled = np.zeros(self.edges.n_items)
        pulled[self.items :] = springs
        pulled[: self.items] = -tally(self.parents, springs, self.items)
        return pulled

    def laplacian(self, weights: Floats, ridge: float = 0.0, spring: float = 0.0) -> Laplacian:
        """X' diag(weights) X + spring S'S + ridge on the items' nodes, for (m,) weights."""
        n = self.edges.n_items
        if self.reliability is not None:
            weights = weights * self.reliability**2
        diagonal = tally(self.edges.left, weights, n) + tally(self.edges.right, weights, n)
        if len(self.parents):
            weights = np.concatenate([weights, np.full(len(self.parents), spring)])
            diagonal += spring * np.bincount(self.parents, minlength=n)
            diagonal[self.items :] += spring
        diagonal[: self.items] += ridge
        rest = copy(self._matrix)
        rest.data = -weights[self._order]
        return Laplacian(diagonal=diagonal, rest=rest, ridge=ridge, spring=spring)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laplacian:
    """A symmetric (n, n) matrix as its diagonal, `ridge` and `spring` included, and the sparse rest."""

    diagonal: Floats
    rest: Any
    ridge: float
    spring: float = 0.0

    def times(self, x: Floats) -> Floats:
        """Multiply (n,) or (n, k)."""
        return (self.diagonal if x.ndim == 1 else self.diagonal[:, None]) * x + self.rest @ x

    def dense(self) -> Floats:
        """(n, n)."""
        dense: Floats = self.rest.toarray()
        dense[np.diag_indices(len(dense))] += self.diagonal
        return dense

    def solve(self, b: Floats, tolerance: float) -> Floats:
        """Solve for (n,) or (n, k) right-hand sides by preconditioned conjugate gradients.

        With no ridge the matrix is singular along the constants: `b` must sum to 0, and so does the answer.
        """
        if self.ridge > 0.0 and len(b) <= DIRECT:
            return np.asarray(np.linalg.solve(self.dense(), b), dtype=np.float64)
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
        utilities: (n,) log-odds of every node.
        position: log-odds added to whatever is shown left.
        tau: log of Davidson's nu, -inf when no tie was seen.
        weights: (r,) of the columns.
        at: the likelihood's derivatives there.
        curvature: (n, n) of the utilities, prior included.
        cross: (n, g) curvature between utilities and the g fitted globals (position, tau, weights).
        globals_: (g, g) curvature of the globals.
    """

    utilities: Floats
    position: float
    tau: float
    weights: Floats
    at: Moments
    curvature: Laplacian
    cross: Floats
    globals_: Floats


def maximise(
    graph: Graph, sd: float | Scales | None, *, start: Estimate | None = None, precision: float = 1e-10
) -> Estimate:
    """The MAP estimate under utilities ~ N(0, sd^2), or plain maximum likelihood for None.

    Args:
        graph: the comparisons.
        sd: the priors' scales; a number is that of the items.
        start: where to start; None for zero.
        precision: greatest slope left over, in judgements, relative to the most judgements of one pair.

    Raises:
        Diverged: the maximum is infinite or no single point.
    """
    prior = _Prior(graph, Scales(items=sd) if isinstance(sd, (int, float)) else sd)
    utilities = np.zeros(graph.edges.n_items) if start is None else start.utilities
    shared = prior.cold()
    if start is not None:
        shared = np.concatenate([[start.position, start.tau], start.weights])
    at = _moments(graph, utilities, shared)
    precision *= max(1.0, float(graph.edges.totals.max(initial=0.0)))
    first = 0.0
    for _ in range(_STEPS):
        slope, slope_shared = _slopes(graph, at, utilities, shared, prior)
        size = max(float(np.abs(slope).max()), float(np.abs(slope_shared).max(initial=0.0)))
        if size <= precision:
            break
        first = first or size
        estimate = _curvature(graph, at, utilities, shared, prior)
        step, step_shared = _newton(estimate, slope, slope_shared, max(min(1e-2, 0.1 * size / first), 1e-9))
        at, utilities, shared = _stepped(graph, prior, at, (utilities, shared), (step, step_shared))
        if sd is None and (np.ptp(utilities) > _RUNAWAY or np.abs(shared[prior.free]).max(initial=0.0) > _RUNAWAY / 2):
            raise Diverged
    else:
        if sd is None:
            raise Diverged
    estimate = _curvature(graph, at, utilities, shared, prior)
    if sd is None:
        _schur(estimate, estimate.curvature.solve(estimate.cross, 1e-6))
    return estimate


def _stepped(
    graph: Graph, prior: _Prior, at: Moments, start: tuple[Floats, Floats], step: tuple[Floats, Floats]
) -> tuple[Moments, Floats, Floats]:
    """Go along a Newton step, halved until the posterior does not fall: derivatives there, utilities, globals."""
    (utilities, shared), scale = start, 1.0
    before = prior.objective(at, utilities, shared)
    while True:
        trial, trial_shared = utilities + scale * step[0], shared.copy()
        trial_shared[prior.free] += scale * step[1]
        at = _moments(graph, trial, trial_shared)
        if prior.objective(at, trial, trial_shared) >= before - 1e-12 * max(1.0, abs(before)) or scale < 1e-6:
            return at, trial, trial_shared
        scale *= 0.5


class _Prior:
    """The Gaussian priors as precisions; all 0 for plain maximum likelihood. Globals are (position, tau, weights)."""

    def __init__(self, graph: Graph, scales: Scales | None) -> None:
        self.graph = graph
        weights = 0 if graph.columns is None else graph.columns.shape[1]
        self.free = np.concatenate([[graph.position, graph.ties], np.ones(weights, dtype=bool)])
        self.items = self.raters = 0.0
        self.shared = np.zeros(2 + weights)
        if scales is not None:
            self.items = 1.0 / scales.items**2
            self.raters = 1.0 / scales.raters**2
            own = np.array(scales.columns)[graph.groups] ** -2.0 if weights else np.zeros(0)
            self.shared = np.concatenate([[POSITION_SD**-2.0, TIE_SD**-2.0], own])

    def cold(self) -> Floats:
        """Where the globals start."""
        start = np.zeros(len(self.shared))
        if not self.graph.ties:
            start[1] = -np.inf
        return start

    def slope(self, utilities: Floats) -> Floats:
        """(n,) minus the derivative of the utilities' log prior."""
        slope = np.zeros(len(utilities))
        slope[: self.graph.items] = self.items * utilities[: self.graph.items]
        if len(self.graph.parents):
            slope += self.graph.pulled(self.raters * self.graph.springs(utilities))
        return slope

    def objective(self, at: Moments, utilities: Floats, shared: Floats) -> float:
        """Log posterior, up to a constant."""
        own, held = utilities[: self.graph.items], _finite(shared)
        prior = self.items * float(own @ own) + float(self.shared @ held**2)
        if len(self.graph.parents):
            prior += self.raters * float(np.sum(self.graph.springs(utilities) ** 2))
        return at.log_likelihood - 0.5 * prior


def _finite(shared: Floats) -> Floats:
    return np.where(np.isfinite(shared), shared, 0.0)


def _moments(graph: Graph, utilities: Floats, shared: Floats) -> Moments:
    return moments(graph.edges, graph.difference(utilities, float(shared[0]), shared[2:]), float(shared[1]))


def _curvature(graph: Graph, at: Moments, utilities: Floats, shared: Floats, prior: _Prior) -> Estimate:
    _, mixed, curve_tt = tie_moments(graph.edges, at)
    columns: list[Floats] = []
    if graph.position:
        columns.append(graph.gather(at.curve_dd))
    if graph.ties:
        columns.append(graph.gather(mixed))
    crossed = float(mixed.sum())
    full = np.diag(prior.shared)
    full[:2, :2] += np.array([[float(at.curve_dd.sum()), crossed], [crossed, curve_tt]])
    if graph.columns is not None:
        weighted = at.curve_dd[:, None] * graph.columns
        columns += [graph.gather(column) for column in weighted.T]
        full[2:, 2:] += graph.columns.T @ weighted
        full[2:, 0] = full[0, 2:] = weighted.sum(axis=0)
        full[2:, 1] = full[1, 2:] = mixed @ graph.columns
    return Estimate(
        utilities=utilities,
        position=float(shared[0]),
        tau=float(shared[1]),
        weights=shared[2:],
        at=at,
        curvature=graph.laplacian(at.curve_dd, prior.items, prior.raters),
        cross=np.stack(columns, axis=1) if columns else np.zeros((len(utilities), 0)),
        globals_=full[np.ix_(prior.free, prior.free)],
    )


def _slopes(graph: Graph, at: Moments, utilities: Floats, shared: Floats, prior: _Prior) -> tuple[Floats, Floats]:
    slope = graph.gather(at.slope_d) - prior.slope(utilities)
    both = np.array([float(at.slope_d.sum()), tie_moments(graph.edges, at)[0]])
    if graph.columns is not None:
        both = np.concatenate([both, graph.columns.T @ at.slope_d])
    both -= prior.shared * _finite(shared)
    return slope, both[prior.free]


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
