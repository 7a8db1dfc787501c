"""Takes pairwise judgements; gives each item's utility in log-odds with its uncertainty. Touches nothing.

One penalised Bradley-Terry model (Bradley & Terry 1952) with ties after Davidson (1970), fading by age, an optional
position term, and a Gaussian prior whose scale is given, learned from the evidence, or absent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.preference.comparisons import Comparison, Comparisons, Edges, Floats, Ints, merge
from gen_emerge.preference.evidence import PSEUDO_SD, best_scale
from gen_emerge.preference.solver import Diverged, Estimate, Graph, maximise, solve

EXACT_ERRORS = 2000
"""Up to so many compared items standard errors are exact."""
INVERTED = 400
"""Up to so many compared items their covariance is inverted as a whole."""
_DRAWS = 64


_A = TypeVar("_A", bound="NDArray[Any]")


class NotIdentified(BadInput):
    """Plain maximum likelihood has no finite, single answer. `items` are those it fails for."""

    code = "not-identified"

    def __init__(self, message: str, items: Sequence[int]) -> None:
        super().__init__(message, hint='Give a prior (a number, or "evidence"), or compare these items more.')
        self.items = tuple(items)


class Fit:
    """A fitted model. Items are numbered 0 .. n - 1; arrays are read-only.

    Attributes:
        utilities: (n,) natural log-odds, mean 0.
        components: (n,) int: items with the same number are linked by comparisons.
        compared: (n,) bool: took part in a comparison.
        position: log-odds added to the image shown left; 0.0 unless fitted.
        tie: Davidson's nu: odds of a tie between equals are nu : 2; 0.0 when no tie was seen.
        prior_sd: sd of the Gaussian prior in log-odds, None without one.
    """

    def __init__(self, estimate: Estimate | None, active: Ints, edges: Edges, prior_sd: float | None) -> None:
        n = edges.n_items
        self._estimate, self._active, self._n = estimate, active, n
        self._place = np.full(n, -1)
        self._place[active] = np.arange(len(active))
        utilities = np.zeros(n)
        if estimate is not None:
            utilities[active] = estimate.utilities - estimate.utilities.mean()
        self.utilities = _frozen(utilities)
        compared = np.zeros(n, dtype=bool)
        compared[edges.left] = compared[edges.right] = True
        self.compared = _frozen(compared)
        self._edges = edges
        self.position = 0.0 if estimate is None else estimate.position
        self.tie = 0.0 if estimate is None else math.exp(estimate.tau)
        self.prior_sd = prior_sd

    @cached_property
    def components(self) -> Ints:
        """(n,) int: items with the same number are linked by comparisons."""
        return _frozen(_components(self._edges, strong=False))

    @cached_property
    def standard_errors(self) -> Floats:
        """(n,) posterior sd of each utility; exact up to 2,000 compared items (see `standard_error_accuracy`)."""
        return _frozen(self._errors[0])

    @property
    def standard_error_accuracy(self) -> float:
        """Typical relative error of `standard_errors`: 0.0 when they are exact."""
        return self._errors[1]

    @cached_property
    def _errors(self) -> tuple[Floats, float]:
        errors = np.full(self._n, self.prior_sd or 0.0)
        if self._estimate is None or not len(self._active):
            return errors, 0.0
        if len(self._active) <= EXACT_ERRORS:
            errors[self._active], accuracy = np.sqrt(_exact_variances(self._estimate)), 0.0
        else:
            variances, accuracy = _sampled_variances(self._estimate, self._edges_of_active())
            errors[self._active] = np.sqrt(variances)
        return errors, accuracy

    def _edges_of_active(self) -> tuple[Ints, Ints]:
        return self._place[self._edges.left], self._place[self._edges.right]

    def difference_error(self, i: int, j: int) -> float:
        """Posterior sd of utility i minus utility j."""
        self._check(i)
        self._check(j)
        if i == j:
            return 0.0
        contrast = np.zeros(len(self._active))
        variance = 0.0
        for item, sign in ((i, 1.0), (j, -1.0)):
            place = int(self._place[item])
            if place < 0:
                variance += (self.prior_sd or 0.0) ** 2
            else:
                contrast[place] = sign
        if self._estimate is not None and contrast.any():
            variance += float(contrast @ solve(self._estimate, contrast))
        return math.sqrt(max(variance, 0.0))

    def covariance(self, items: Ints) -> Floats:
        """(k, k) posterior covariance of the utilities of (k,) different items, before they are centred.

        Exact up to 400 compared items; above that solved to 1%. Without a prior only its contrasts mean anything.
        """
        place = self._place[items]
        known = np.flatnonzero(place >= 0)
        covariance = np.diag(np.full(len(items), (self.prior_sd or 0.0) ** 2))
        if self._estimate is not None and len(known):
            covariance[np.ix_(known, known)] = _covariance(self._estimate, place[known])
        return covariance

    def probability(self, i: int, j: int, *, neutral: bool = True) -> float:
        """P(i beats j, given no tie). `neutral=False` takes i as shown on the left."""
        self._check(i)
        self._check(j)
        odds = float(self.utilities[i] - self.utilities[j]) + (0.0 if neutral else self.position)
        return 1.0 / (1.0 + math.exp(-odds)) if odds > -700 else 0.0

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
) -> Fit:
    """Fit one Bradley-Terry model to all judgements.

    Args:
        comparisons: the judgements; may be empty when there is a prior.
        n_items: how many items there are.
        prior: sd of the Gaussian prior of a utility, in log-odds; "evidence" learns it; None is plain maximum
            likelihood.
        half_life: age at which a judgement counts half; None for no fading.
        position: also fit how much being shown on the left helps.

    Raises:
        NotIdentified: without a prior, an estimate is infinite or undetermined.
        BadInput: a judgement or an argument that cannot be used.
    """
    if isinstance(prior, str) and prior != "evidence":
        raise BadInput(f'prior is "{prior}"; wanted a number above 0, "evidence" or None.')
    if isinstance(prior, (int, float)) and not (math.isfinite(prior) and prior > 0):
        raise BadInput(f'prior is {prior}; wanted a number above 0, "evidence" or None.')
    edges = merge(comparisons, n_items, half_life, sides=position)
    if prior is None:
        return _plain(edges, position)
    active = np.flatnonzero(np.bincount(np.concatenate([edges.left, edges.right]), minlength=n_items))
    if not len(active):
        return Fit(None, active, edges, PSEUDO_SD if prior == "evidence" else float(prior))
    graph = Graph(edges=_only(edges, active), position=position)
    if prior == "evidence":
        sd, estimate = best_scale(graph)
    else:
        sd, estimate = float(prior), maximise(graph, float(prior))
    return Fit(estimate, active, edges, sd)


def _plain(edges: Edges, position: bool) -> Fit:
    n = edges.n_items
    everybody = np.arange(n)
    if n == 1:
        return Fit(None, everybody[:0], edges, None)
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
        estimate = maximise(Graph(edges=edges, position=position), None, precision=1e-11)
        return Fit(estimate, everybody, edges, None)
    except Diverged:
        what = "the ties or the position term leave" if position else "the ties leave"
        raise NotIdentified(f"{_named(everybody)} have no single estimate: {what} it open.", range(n)) from None


def _only(edges: Edges, active: Ints) -> Edges:
    if len(active) == edges.n_items:
        return edges
    place = np.zeros(edges.n_items, dtype=np.int64)
    place[active] = np.arange(len(active))
    return Edges(
        n_items=len(active),
        left=place[edges.left],
        right=place[edges.right],
        wins=edges.wins,
        losses=edges.losses,
        ties=edges.ties,
    )


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


def _exact_variances(estimate: Estimate) -> Floats:
    return np.maximum(np.diag(_inverse(estimate)), 0.0)


def _inverse(estimate: Estimate) -> Floats:
    """(n, n) posterior covariance of the utilities, the globals integrated out."""
    n = len(estimate.utilities)
    dense = estimate.curvature.times(np.eye(n))
    # Without a ridge the pseudo-inverse: lift the constants, invert, take them out again.
    lift = 1.0 / n if estimate.curvature.ridge == 0.0 else 0.0
    inverse = np.linalg.inv(dense + lift) - lift
    if estimate.cross.shape[1]:
        inner = inverse @ estimate.cross
        schur = estimate.globals_ - estimate.cross.T @ inner
        inverse = inverse + inner @ np.linalg.solve(schur, inner.T)
    return inverse


def _covariance(estimate: Estimate, places: Ints) -> Floats:
    n = len(estimate.utilities)
    if n <= INVERTED:
        return _inverse(estimate)[np.ix_(places, places)]
    units = np.zeros((n, len(places)))
    units[places, np.arange(len(places))] = 1.0
    if estimate.curvature.ridge == 0.0:
        units -= 1.0 / n
    found = solve(estimate, units, 1e-2)[places]
    return 0.5 * (found + found.T)


def _sampled_variances(estimate: Estimate, ends: tuple[Ints, Ints]) -> tuple[Floats, float]:
    """Variances from posterior draws, and their relative error.

    Rao-Blackwellised (Siden et al. 2018): var = 1/H_ii + var of the conditional mean. A draw is
    H^-1 (X' W^1/2 e + a^1/2 f) with standard normal e, f; its generator is fixed.
    """
    left, right = ends
    n, curvature = len(estimate.utilities), estimate.curvature
    rng = np.random.Generator(np.random.Philox(key=n))
    noise = np.sqrt(curvature.ridge) * rng.standard_normal((n, _DRAWS))
    pull = np.sqrt(estimate.at.curve_dd)
    for k in range(_DRAWS):
        e = pull * rng.standard_normal(len(pull))
        noise[:, k] += np.bincount(left, e, n) - np.bincount(right, e, n)
    if curvature.ridge == 0.0:
        noise -= noise.mean(axis=0)
    draws = curvature.solve(noise, 1e-4)
    diagonal = curvature.diagonal
    means = draws - curvature.times(draws) / diagonal[:, None]
    spread = np.mean(means**2, axis=1)
    variances = 1.0 / diagonal + spread
    if estimate.cross.shape[1]:
        inner = curvature.solve(estimate.cross, 1e-6)
        schur = estimate.globals_ - estimate.cross.T @ inner
        variances = variances + np.einsum("ij,ji->i", inner, np.linalg.solve(schur, inner.T))
    # Relative error of the sd: half of that of the variance, of which only `spread` was sampled.
    return variances, float(np.median(0.5 * math.sqrt(2.0 / _DRAWS) * spread / variances))


def _named(items: NDArray[np.int64]) -> str:
    shown = ", ".join(str(i) for i in items[:8])
    more = f" and {len(items) - 8} more" if len(items) > 8 else ""
    return f"Item {shown}" if len(items) == 1 else f"Items {shown}{more}"


def _frozen(array: _A) -> _A:
    array.setflags(write=False)
    return array
