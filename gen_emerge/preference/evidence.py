"""Takes the comparisons; gives the prior's scale that explains them best: empirical Bayes. Deterministic.

Laplace's approximation of the evidence (MacKay 1992, "Bayesian interpolation"; Caron & Doucet 2012 put priors on
Bradley-Terry utilities), with a = 1 / sd^2, H = X' W X + a I at the mode u:

    log ev(a) = log lik(u) - a u'u / 2 + n log(a) / 2 - log|H| / 2

and its slope, W's dependence on u included (position and tau held). Traces of H^-1 are exact for few items, above
that estimated with fixed probes (Hutchinson 1990), so the same comparisons always give the same scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gen_emerge.preference.comparisons import Floats
from gen_emerge.preference.davidson import third
from gen_emerge.preference.solver import Estimate, Graph, Laplacian, maximise

EXACT_ITEMS = 200
"""Up to here the traces are exact."""
PROBES = 12
"""Random vectors for a trace ..."""
PROBED = 24_000
"""... and fewer, 2 at least, where there are so many items that each says as much: this over their number."""
PSEUDO_ITEMS = 2.0
"""Strength of the hyperprior on sd: as if so many items had been seen whose utilities spread by ..."""
PSEUDO_SD = 1.0
"""... this much, in log-odds (people's aesthetic utilities spread by 0.6 to 1.3)."""
_LOW, _HIGH = math.log(0.02), math.log(50.0)
_STEP, _EVALUATIONS = 0.7, 30
_GAIN = 0.01


def best_scale(graph: Graph) -> tuple[float, Estimate]:
    """The prior sd with the greatest evidence, to within 0.01 nats of evidence, and the estimate under it.

    Args:
        graph: at least one comparison; every item compared.
    """
    probes = _probes(graph.edges.n_items)
    estimate: Estimate | None = None

    def slope(log_sd: float) -> float:
        nonlocal estimate
        estimate = maximise(graph, math.exp(log_sd), start=estimate, precision=1e-3)
        return evidence_slope(graph, estimate, math.exp(log_sd), probes)

    log_sd = _root(slope, graph.edges.n_items)
    return math.exp(log_sd), maximise(graph, math.exp(log_sd), start=estimate)


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
        inverse = np.linalg.inv(_dense(estimate.curvature))
        trace = float(np.trace(inverse))
        drift = float(np.sum(inverse * _dense(moved)))
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
    return np.where(rng.random((n, min(PROBES, max(PROBED // n, 2)))) < 0.5, -1.0, 1.0)


def _dense(matrix: Laplacian) -> Floats:
    return matrix.times(np.eye(len(matrix.diagonal)))


def _root(slope: Callable[[float], float], items: int) -> float:
    """Log sd where the slope falls through zero: bracketed by steps of 0.7, then the secant of the last two points.

    Stops when less than `_GAIN` nats of evidence are left to gain.
    """
    here, at_here = 0.0, slope(0.0)
    step = math.copysign(_STEP, at_here)
    while True:
        there = min(max(here + step, _LOW), _HIGH)
        at_there = slope(there)
        if at_there * at_here <= 0:
            break
        if there in (_LOW, _HIGH):
            return there
        here, at_here = there, at_there
    low, high = min(here, there), max(here, there)
    for _ in range(_EVALUATIONS):
        middle = there - at_there * (there - here) / (at_there - at_here) if at_there != at_here else there
        if not low < middle < high:
            middle = 0.5 * (low + high)
        if abs(middle - there) * abs(at_there) * items < _GAIN:
            return middle
        here, at_here = there, at_there
        there, at_there = middle, slope(middle)
        low, high = (there, high) if at_there > 0 else (low, there)
    return there
