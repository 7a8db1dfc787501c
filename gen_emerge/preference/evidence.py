"""Takes the comparisons; gives the prior's scale that explains them best: empirical Bayes. Deterministic.

Laplace's approximation of the evidence (MacKay 1992, "Bayesian interpolation"; Caron & Doucet 2012 put priors on
Bradley-Terry utilities), with a = 1 / sd^2, H = X' W X + a I at the mode u:

    log ev(a) = log lik(u) - a u'u / 2 + n log(a) / 2 - log|H| / 2

and its exact slope, W's dependence on u included. Traces of H^-1 are exact for few items, above that estimated with
fixed probes (Hutchinson 1990), so the same comparisons always give the same scale.
"""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.preference.comparisons import Floats
from gen_emerge.preference.davidson import third
from gen_emerge.preference.solver import Estimate, Graph, maximise

EXACT_ITEMS = 200
"""Up to here the traces are exact."""
PROBES = 12
PSEUDO_ITEMS = 2.0
"""Strength of the hyperprior on sd: as if so many items had been seen whose utilities spread by ..."""
PSEUDO_SD = 1.0
"""... this much, in log-odds (people's aesthetic utilities spread by 0.6 to 1.3)."""
_LOW, _HIGH = math.log(0.02), math.log(50.0)
_TOLERANCE = 0.01


def best_scale(graph: Graph) -> tuple[float, Estimate]:
    """The prior sd with the greatest evidence, to 1%, and the estimate under it.

    Args:
        graph: at least one comparison; every item compared.
    """
    probes = _probes(graph.edges.n_items)
    estimate: Estimate | None = None

    def slope(log_sd: float) -> float:
        nonlocal estimate
        estimate = maximise(graph, math.exp(log_sd), start=estimate, precision=1e-3)
        return evidence_slope(graph, estimate, math.exp(log_sd), probes)

    log_sd = _root(slope)
    return math.exp(log_sd), maximise(graph, math.exp(log_sd))


def evidence_slope(graph: Graph, estimate: Estimate, sd: float, probes: Floats | None) -> float:
    """Derivative of the log evidence (hyperprior included) by log sd, per item.

    Args:
        graph: the comparisons.
        estimate: the mode under `sd`.
        sd: the prior's sd.
        probes: (n, k) of +1 / -1 to estimate traces, None for exact traces.
    """
    n, a, u = graph.edges.n_items, 1.0 / (sd * sd), estimate.utilities
    # The mode moves with a: du/da = -H^-1 u. Each pair's weight moves along: dW = W' x'du.
    columns = u[:, None] if probes is None else np.column_stack([u, probes])
    solved = estimate.curvature.solve(columns, 1e-3 if probes is not None else 1e-8)
    moved = graph.laplacian(third(graph.edges, estimate.at) * graph.difference(solved[:, 0], 0.0))
    if probes is None:
        inverse = np.linalg.inv(_dense(estimate, n))
        trace = float(np.trace(inverse))
        drift = float(np.sum(inverse * _dense_of(moved.times, n)))
    else:
        trace = float(np.mean(np.sum(probes * solved[:, 1:], axis=0)))
        drift = float(np.mean(np.sum(moved.times(probes) * solved[:, 1:], axis=0)))
    slope = a * float(u @ u) - n + a * trace - a * drift
    slope += PSEUDO_ITEMS * (PSEUDO_SD**2 * a - 1)
    return slope / n


def _probes(n: int) -> Floats | None:
    if n <= EXACT_ITEMS:
        return None
    rng = np.random.Generator(np.random.Philox(key=n))
    return rng.integers(0, 2, size=(n, PROBES)) * 2.0 - 1.0


def _dense(estimate: Estimate, n: int) -> Floats:
    return _dense_of(estimate.curvature.times, n)


def _dense_of(times: object, n: int) -> Floats:
    assert callable(times)
    return np.asarray(times(np.eye(n)), dtype=np.float64)


def _root(slope: object) -> float:
    """Where the slope falls through zero: bracketed by factors of 2, then regula falsi (Illinois)."""
    assert callable(slope)
    low = high = 0.0
    at_low = at_high = float(slope(0.0))
    while at_low > 0 and high < _HIGH and at_high > 0:
        low, at_low = high, at_high
        high = min(high + 0.7, _HIGH)
        at_high = float(slope(high))
    while at_high < 0 and low > _LOW and at_low < 0:
        high, at_high = low, at_low
        low = max(low - 0.7, _LOW)
        at_low = float(slope(low))
    if at_low <= 0:
        return low
    if at_high >= 0:
        return high
    while high - low > _TOLERANCE:
        middle = low + (high - low) * at_low / (at_low - at_high)
        value = float(slope(middle))
        if abs(value) < 1e-9:
            return middle
        if value > 0:
            if middle - low < _TOLERANCE / 2:
                return middle
            low, at_low, at_high = middle, value, at_high / 2
        else:
            if high - middle < _TOLERANCE / 2:
                return middle
            high, at_high, at_low = middle, value, at_low / 2
    return 0.5 * (low + high)
