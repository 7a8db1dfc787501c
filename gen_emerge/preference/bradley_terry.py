"""Takes pairwise judgements; gives each item's utility in log-odds with its uncertainty. Touches nothing.

One penalised Bradley-Terry model (Bradley & Terry 1952) with ties after Davidson (1970), fading by age, an optional
position term, a Gaussian prior whose scale is given, learned from the evidence, or absent, features of the items that
speak as loudly as the evidence says, and raters who differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.preference.comparisons import Comparison, Comparisons, Edges, Floats, Ints, merge
from gen_emerge.preference.evidence import PSEUDO_SD, best_scale
from gen_emerge.preference.features import columns_of
from gen_emerge.preference.learned import PSEUDO_COLUMNS, best_scales
from gen_emerge.preference.posterior import Posterior
from gen_emerge.preference.raters import Nodes, own_nodes, position_columns, reliabilities
from gen_emerge.preference.solver import Diverged, Estimate, Graph, Scales, maximise

RELIABILITY_ROUNDS = 2
"""So often reliabilities are estimated anew from the common utilities."""


_A = TypeVar("_A", bound="NDArray[Any]")


class NotIdentified(BadInput):
    """Plain maximum likelihood has no finite, single answer. `items` are those it fails for."""

    code = "not-identified"

    def __init__(self, message: str, items: Sequence[int]) -> None:
        super().__init__(message, hint='Give a prior (a number, or "evidence"), or compare these items more.')
        self.items = tuple(items)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solved:
    """What a fit is made of: see the modules that made each."""

    edges: Edges
    active: Ints
    estimate: Estimate | None = None
    graph: Graph | None = None
    scales: Scales | None = None
    columns: Floats
    nodes: Nodes | None = None
    positions: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    reliability: Floats | None = None


class Fit:
    """A fitted model. Items are numbered 0 .. n - 1; arrays are read-only.

    Attributes:
        utilities: (n,) natural log-odds, mean 0; with raters, those they have in common.
        components: (n,) int: items with the same number are linked by comparisons.
        compared: (n,) bool: took part in a comparison.
        position: log-odds added to the image shown left; 0.0 unless fitted.
        tie: Davidson's nu: odds of a tie between equals are nu : 2; 0.0 when no tie was seen.
        prior_sd: sd of the Gaussian prior in log-odds, None without one; with features, of what they do not explain.
        feature_sd: spread of the utilities, in log-odds, that the features were found to explain; None without any.
        rater_sd: spread of raters' own utilities around the common ones; None without raters.
        reliability: rater -> what their answers weigh the common differences by, 1 on average; empty without raters.
    """

    def __init__(self, solved: _Solved) -> None:
        edges, estimate, active = solved.edges, solved.estimate, solved.active
        n = self._n = edges.n_items
        self._solved, self._edges = solved, edges
        place = np.full(n, -1)
        place[active] = np.arange(len(active))
        width, scales = solved.columns.shape[1], solved.scales
        utilities = np.zeros(n)
        if estimate is not None:
            own = estimate.utilities[: len(active)]
            utilities[active] = own - own.mean()
            if width:
                utilities += solved.columns @ estimate.weights[:width]
                utilities -= utilities.mean()
        self.utilities = _frozen(utilities)
        compared = np.zeros(n, dtype=bool)
        compared[edges.left] = compared[edges.right] = True
        self.compared = _frozen(compared)
        self.position = 0.0 if estimate is None else estimate.position
        self.tie = 0.0 if estimate is None else math.exp(estimate.tau)
        self.prior_sd = None if scales is None else scales.items
        self.feature_sd = scales.columns[0] if scales is not None and width else None
        self.rater_sd = scales.raters if scales is not None and solved.nodes is not None else None
        self.reliability: dict[Any, float] = {}
        if solved.reliability is not None:
            self.reliability = dict(zip(edges.names, solved.reliability.tolist(), strict=True))
        self._posterior = Posterior(
            estimate=estimate,
            graph=solved.graph,
            place=place,
            sd=self.prior_sd or 0.0,
            columns=solved.columns,
            column_sd=self.feature_sd or 0.0,
        )

    @cached_property
    def components(self) -> Ints:
        """(n,) int: items with the same number are linked by comparisons."""
        return _frozen(_components(self._edges, strong=False))

    @cached_property
    def standard_errors(self) -> Floats:
        """(n,) posterior sd of each utility, by the curvature at the mode (Laplace).

        With a prior it is that of the utility itself, against the prior's zero: the prior's sd where an item was never
        compared. The mode's mean is 0 without anything being subtracted, and what all of them together may be off by is
        part of every error. Without a prior only differences are known, and it is the sd of u_i minus the mean of all.
        For how far two items are apart take `difference_error`, for other contrasts `covariance`.

        The curvature is inverted without error up to 2,000 compared items (see `standard_error_accuracy`).
        """
        return _frozen(np.sqrt(self._variances[0]))

    @property
    def standard_error_accuracy(self) -> float:
        """Typical relative error of `standard_errors` by sampling the inverse: 0.0 up to 2,000 compared items."""
        return self._variances[1]

    @cached_property
    def _variances(self) -> tuple[Floats, float]:
        return self._posterior.variances()

    def difference_error(self, i: int, j: int) -> float:
        """Posterior sd of utility i minus utility j."""
        self._check(i)
        self._check(j)
        if i == j:
            return 0.0
        both = self._posterior.covariance(np.array([i, j]), 1e-9)
        return math.sqrt(max(float(both[0, 0] + both[1, 1] - 2.0 * both[0, 1]), 0.0))

    def covariance(self, items: Ints) -> Floats:
        """(k, k) posterior covariance of the utilities of (k,) different items, before they are centred.

        Exact up to 400 compared items; above that solved to 1%. Without a prior only its contrasts mean anything.
        """
        return self._posterior.covariance(items)

    def probability(self, i: int, j: int, rater: Any = None, neutral: bool = True) -> float:
        """P(i beats j, given no tie).

        Args:
            i: an item.
            j: another.
            rater: in whose opinion; None, or somebody unknown, for what raters have in common.
            neutral: False takes i as shown on the left.
        """
        self._check(i)
        self._check(j)
        odds = float(self.utilities[i] - self.utilities[j])
        position = self.position
        if rater is not None and rater in self._own:
            offsets, reliability, extra = self._own[rater]
            odds = reliability * (odds + offsets.get(i, 0.0) - offsets.get(j, 0.0))
            position += extra
        odds += 0.0 if neutral else position
        return 1.0 / (1.0 + math.exp(-odds)) if odds > -700 else 0.0

    @cached_property
    def _own(self) -> dict[Any, tuple[dict[int, float], float, float]]:
        """Rater -> (item -> offset, reliability, position beyond the common one)."""
        solved, estimate = self._solved, self._solved.estimate
        if solved.nodes is None or estimate is None or solved.graph is None or solved.reliability is None:
            return {}
        width, count = solved.columns.shape[1], len(solved.active)
        extra = dict(zip(solved.positions.tolist(), estimate.weights[width:].tolist(), strict=True))
        found: dict[Any, tuple[dict[int, float], float, float]] = {
            name: ({}, float(solved.reliability[k]), extra.get(k, 0.0)) for k, name in enumerate(self._edges.names)
        }
        for key, offset in zip(solved.nodes.keys.tolist(), solved.graph.springs(estimate.utilities), strict=True):
            found[self._edges.names[key // count]][0][int(solved.active[key % count])] = float(offset)
        return found

    def expected_probability(self, i: int, j: int) -> float:
        """P(i beats j, given no tie) averaged over what the comparisons leave open (MacKay 1992, eq. 4.10)."""
        odds = float(self.utilities[i] - self.utilities[j])
        odds /= math.sqrt(1.0 + math.pi / 8.0 * self.difference_error(i, j) ** 2)
        return 1.0 / (1.0 + math.exp(-odds)) if odds > -700 else 0.0

    def _check(self, item: int) -> None:
        if not 0 <= item < self._n:
            raise BadInput(f"Item {item}; wanted 0 .. {self._n - 1}.")


def fit_bradley_terry(
    comparisons: Sequence[Comparison] | Comparisons,
    n_items: int,
    *,
    prior: float | Literal["evidence"] | None = "evidence",
    half_life: float | None = None,
    position: bool = False,
    raters: bool = False,
    features: NDArray[Any] | None = None,
) -> Fit:
    """Fit one Bradley-Terry model to all judgements.

    Args:
        comparisons: the judgements; may be empty when there is a prior.
        n_items: how many items there are.
        prior: sd of the Gaussian prior of a utility, in log-odds; "evidence" learns it; None is plain maximum
            likelihood.
        half_life: age at which a judgement counts half; None for no fading.
        position: also fit how much being shown on the left helps.
        raters: also fit how far each rater's own utilities lie from the common ones, and each one's reliability; with
            `position`, a position term for each besides.
        features: (n, d) of any scale, such as embeddings and signals; how much they say of utilities is learned.

    Raises:
        NotIdentified: without a prior, an estimate is infinite or undetermined.
        BadInput: a judgement or an argument that cannot be used.
    """
    _refuse_prior(prior, learned=raters or features is not None)
    edges = merge(comparisons, n_items, half_life, sides=position, raters=raters)
    if prior is None:
        return _plain(edges, position)
    columns = np.zeros((n_items, 0)) if features is None else columns_of(features, n_items)
    active = np.flatnonzero(np.bincount(np.concatenate([edges.left, edges.right]), minlength=n_items))
    given = None if prior == "evidence" else float(prior)
    if not len(active):
        scales = Scales(items=given or PSEUDO_SD, columns=(PSEUDO_COLUMNS[1],) if columns.shape[1] else ())
        return Fit(_Solved(edges=edges, active=active, scales=scales, columns=columns))
    # Somebody alone has nobody to differ from.
    if raters and len(np.unique(edges.rater)) > 1:
        return _of_raters(edges, active, columns, given, position)
    graph = _graph(_only(edges, active), columns[active], position)
    scales, estimate = _maximum(graph, given)
    return Fit(_Solved(edges=edges, active=active, estimate=estimate, graph=graph, scales=scales, columns=columns))


def _refuse_prior(prior: float | str | None, *, learned: bool) -> None:
    """What is no prior, and none where one is needed."""
    if isinstance(prior, str) and prior != "evidence":
        raise BadInput(f'prior is "{prior}"; wanted a number above 0, "evidence" or None.')
    if isinstance(prior, (int, float)) and not (math.isfinite(prior) and prior > 0):
        raise BadInput(f'prior is {prior}; wanted a number above 0, "evidence" or None.')
    if prior is None and learned:
        raise BadInput("Raters and features are learned under a prior.", hint='Give a number, or "evidence".')


def _maximum(graph: Graph, given: float | None) -> tuple[Scales, Estimate]:
    if len(graph.groups) or len(graph.parents):
        return best_scales(graph, given)
    if given is None:
        sd, estimate = best_scale(graph)
        return Scales(items=sd), estimate
    return Scales(items=given), maximise(graph, given)


def _graph(edges: Edges, columns: Floats, position: bool) -> Graph:
    """Without raters; `columns` of the compared items."""
    width = columns.shape[1]
    if not width:
        return Graph(edges=edges, position=position)
    shown = columns[edges.left] - columns[edges.right]
    return Graph(edges=edges, position=position, columns=shown, groups=np.zeros(width, dtype=np.int64))


def _of_raters(edges: Edges, active: Ints, columns: Floats, given: float | None, position: bool) -> Fit:
    """Fit common and raters' own utilities; between fits, each rater's reliability from the common ones."""
    compact = _only(edges, active)
    nodes = own_nodes(compact)
    shown = columns[edges.left] - columns[edges.right]
    marks, who = position_columns(edges) if position else (np.zeros((len(edges.left), 0)), np.zeros(0, dtype=np.int64))
    groups = np.concatenate([np.zeros(shown.shape[1]), np.full(len(who), float(shown.shape[1] > 0))]).astype(np.int64)
    width = shown.shape[1]

    def fitted(reliability: Floats) -> _Solved:
        factor = np.where(edges.rater >= 0, reliability[edges.rater], 1.0)
        graph = Graph(
            edges=nodes.edges,
            position=position,
            parents=nodes.parents,
            columns=np.column_stack([shown * factor[:, None], marks]) if len(groups) else None,
            groups=groups,
            reliability=factor,
        )
        scales, estimate = best_scales(graph, given)
        return _Solved(
            edges=edges,
            active=active,
            estimate=estimate,
            graph=graph,
            scales=scales,
            columns=columns,
            nodes=nodes,
            positions=who,
            reliability=reliability,
        )

    solved = fitted(np.ones(len(edges.names)))
    for _ in range(RELIABILITY_ROUNDS):
        assert solved.estimate is not None
        common, weights = solved.estimate.utilities[: len(active)], solved.estimate.weights
        difference = common[compact.left] - common[compact.right] + shown @ weights[:width]
        solved = fitted(reliabilities(edges, difference, solved.estimate.position + marks @ weights[width:]))
    return Fit(solved)


def _plain(edges: Edges, position: bool) -> Fit:
    n = edges.n_items
    everybody = np.arange(n)
    if n == 1:
        return Fit(_Solved(edges=edges, active=everybody[:0], columns=np.zeros((1, 0))))
    compared = np.zeros(n, dtype=bool)
    compared[edges.left] = compared[edges.right] = True
    if not compared.all():
        missing = np.flatnonzero(~compared)
        raise NotIdentified(f"{_named(missing)} never compared: undetermined without a prior.", missing.tolist())
    # Ford (1957): finite exactly when nobody can be split off who only won, or only lost, against the rest.
    linked = _components(edges, strong=True)
    largest = int(np.bincount(linked).argmax())
    if (linked != largest).any():
        apart = np.flatnonzero(linked != largest)
        raise NotIdentified(
            f"{_named(apart)} never linked to the others by both wins and losses: infinite without a prior.",
            apart.tolist(),
        )
    try:
        graph = Graph(edges=edges, position=position)
        estimate = maximise(graph, None, precision=1e-11)
        return Fit(_Solved(edges=edges, active=everybody, estimate=estimate, graph=graph, columns=np.zeros((n, 0))))
    except Diverged:
        what = "the ties or the position term leave" if position else "the ties leave"
        raise NotIdentified(f"{_named(everybody)} have no single estimate: {what} it open.", range(n)) from None


def _only(edges: Edges, active: Ints) -> Edges:
    if len(active) == edges.n_items:
        return edges
    place = np.zeros(edges.n_items, dtype=np.int64)
    place[active] = np.arange(len(active))
    return replace(edges, n_items=len(active), left=place[edges.left], right=place[edges.right])


def _components(edges: Edges, *, strong: bool) -> Ints:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    beats = (edges.wins > 0) | (edges.ties > 0)
    beaten = (edges.losses > 0) | (edges.ties > 0)
    rows = np.concatenate([edges.left[beats], edges.right[beaten]])
    columns = np.concatenate([edges.right[beats], edges.left[beaten]])
    graph = csr_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(edges.n_items, edges.n_items))
    labels = connected_components(graph, directed=True, connection="strong" if strong else "weak")[1]
    return np.asarray(labels, dtype=np.int64)


def _named(items: NDArray[np.int64]) -> str:
    shown = ", ".join(str(i) for i in items[:8])
    more = f" and {len(items) - 8} more" if len(items) > 8 else ""
    return f"Item {shown}" if len(items) == 1 else f"Items {shown}{more}"


def _frozen(array: _A) -> _A:
    array.setflags(write=False)
    return array
