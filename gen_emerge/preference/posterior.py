"""Takes an estimate with its curvature; gives the covariance of the items' utilities. Pure functions of arrays.

With L the curvature of the nodes and S that of the globals with the nodes free (Schur), B = L^-1 cross, and F the
features' columns at the globals that weigh them, the covariance of the utilities v + F w is

    L^-1 + (B - F) S^-1 (B - F)'

An item that was never compared has no node: its L^-1 is the prior's variance, its B is 0. Nothing is centred: a prior
fixes the level, and its mode has mean 0. Without one L^-1 is the pseudo-inverse, that of utilities with mean 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gen_emerge.preference.comparisons import Floats, Ints
from gen_emerge.preference.solver import Estimate, Graph

EXACT_ERRORS = 2000
"""Up to so many compared items standard errors are exact."""
INVERTED = 400
"""Up to so many nodes their curvature is inverted as a whole."""
_DRAWS = 64
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """What is known of the items.

    Args:
        estimate: the mode and its curvature; None when nothing was compared.
        graph: what it was fitted to; None as well.
        place: (n,) node of each item, -1 without one.
        sd: prior sd of an item's own utility; 0.0 without a prior.
        columns: (n, r) the features' columns.
        column_sd: prior sd of their weights.
    """

    estimate: Estimate | None
    graph: Graph | None
    place: Ints
    sd: float
    columns: Floats
    column_sd: float

    def covariance(self, items: Ints, tolerance: float = 1e-2) -> Floats:
        """(k, k) of the utilities of (k,) different items; exact up to 400 nodes, above that solved to `tolerance`."""
        return self._base(items, tolerance) + self._shared(items, tolerance)

    def variances(self) -> tuple[Floats, float]:
        """(n,) of all utilities, and the typical relative error of their square roots: 0.0 when they are exact."""
        n = len(self.place)
        base, error = np.full(n, self.sd**2), np.zeros(n)
        known = np.flatnonzero(self.place >= 0)
        if self.estimate is not None and self.graph is not None and len(known):
            if len(self.estimate.utilities) <= EXACT_ERRORS:
                base[known] = np.diag(_inverse(self.estimate))[self.place[known]]
            elif len(known) <= EXACT_ERRORS:
                for start in range(0, len(known), _CHUNK):
                    some = known[start : start + _CHUNK]
                    base[some] = np.diag(_solved(self.estimate, self.place[some], 1e-8))
            else:
                sampled, spread = _sampled(self.estimate, self.graph)
                base[known], error[known] = sampled[self.place[known]], spread[self.place[known]]
        left, inner = self._effects(np.arange(n), 1e-6)
        variances = np.maximum(base + np.einsum("ij,ij->i", left @ inner, left), 0.0)
        # Relative error of the sd: half of that of the variance, of which only the spread of the means was sampled.
        relative = 0.5 * math.sqrt(2.0 / _DRAWS) * error / np.maximum(variances, 1e-300)
        return variances, float(np.median(relative[known])) if error.any() else 0.0

    def _base(self, items: Ints, tolerance: float) -> Floats:
        place = self.place[items]
        known = np.flatnonzero(place >= 0)
        base = np.diag(np.full(len(items), self.sd**2))
        if self.estimate is not None and len(known):
            small = len(self.estimate.utilities) <= INVERTED
            places = place[known]
            found = self._whole[np.ix_(places, places)] if small else None
            base[np.ix_(known, known)] = _solved(self.estimate, places, tolerance) if found is None else found
        return base

    @cached_property
    def _whole(self) -> Floats:
        """Kept: a cell's duels, and verdicts to be foretold, ask one fit for many differences."""
        assert self.estimate is not None
        return _inverse(self.estimate)

    def _shared(self, items: Ints, tolerance: float) -> Floats:
        left, inner = self._effects(items, min(tolerance, 1e-4))
        return left @ inner @ left.T

    def _effects(self, items: Ints, tolerance: float) -> tuple[Floats, Floats]:
        """B - F of some items, (k, g), and the inverse of S, (g, g)."""
        width = self.columns.shape[1]
        if self.estimate is None:
            return self.columns[items], np.eye(width) * self.column_sd**2
        cross = self.estimate.cross
        effects = np.zeros((len(items), cross.shape[1]))
        if not cross.shape[1]:
            return effects, np.zeros((0, 0))
        inner = self.estimate.curvature.solve(cross, tolerance)
        place = self.place[items]
        effects[place >= 0] = inner[place[place >= 0]]
        # The features' weights come first among the columns', and those are the last of the globals.
        first = cross.shape[1] - len(self.estimate.weights)
        effects[:, first : first + width] -= self.columns[items]
        return effects, np.asarray(np.linalg.inv(self.estimate.globals_ - cross.T @ inner), dtype=np.float64)


def _inverse(estimate: Estimate) -> Floats:
    """(n, n) inverse of the nodes' curvature."""
    n = len(estimate.utilities)
    # Without a ridge the pseudo-inverse: lift the constants, invert, take them out again.
    lift = 1.0 / n if estimate.curvature.ridge == 0.0 else 0.0
    return np.asarray(np.linalg.inv(estimate.curvature.dense() + lift) - lift, dtype=np.float64)


def _solved(estimate: Estimate, places: Ints, tolerance: float) -> Floats:
    """(k, k) of the same inverse, by solving for unit vectors."""
    n = len(estimate.utilities)
    units = np.zeros((n, len(places)))
    units[places, np.arange(len(places))] = 1.0
    if estimate.curvature.ridge == 0.0:
        units -= 1.0 / n
    found = estimate.curvature.solve(units, tolerance)[places]
    return 0.5 * (found + found.T)


def _sampled(estimate: Estimate, graph: Graph) -> tuple[Floats, Floats]:
    """(n,) diagonal of the same inverse from draws, and the part of it that was sampled.

    Rao-Blackwellised (Siden et al. 2018): var = 1/L_ii + var of the conditional mean. A draw is L^-1 times the sum of
    one standard normal for each edge, spring and node, each times the root of its weight; its generator is fixed.
    """
    n, curvature = len(estimate.utilities), estimate.curvature
    rng = np.random.Generator(np.random.Philox(key=n))
    noise = np.zeros((n, _DRAWS))
    noise[: graph.items] = np.sqrt(curvature.ridge) * rng.standard_normal((graph.items, _DRAWS))
    pull = np.sqrt(estimate.at.curve_dd)
    springs = math.sqrt(curvature.spring) * np.ones(len(graph.parents))
    for k in range(_DRAWS):
        noise[:, k] += graph.gather(pull * rng.standard_normal(len(pull)))
        if len(springs):
            noise[:, k] += graph.pulled(springs * rng.standard_normal(len(springs)))
    if curvature.ridge == 0.0:
        noise -= noise.mean(axis=0)
    draws = curvature.solve(noise, 1e-4)
    means = draws - curvature.times(draws) / curvature.diagonal[:, None]
    spread = np.mean(means**2, axis=1)
    return 1.0 / curvature.diagonal + spread, spread
