"""Takes merged judgements and parameters; gives log-likelihood, its slopes and curvatures. Pure functions of arrays.

Davidson (1970), "On extending the Bradley-Terry model to accommodate ties", with utilities u = log pi and
d = u_left - u_right + position:

    P(left) = e^(d/2) / z,   P(right) = e^(-d/2) / z,   P(tie) = nu / z,   z = e^(d/2) + e^(-d/2) + nu

Without ties nu = 0 and this is Bradley & Terry (1952). With tau = log nu it is an exponential family in (d, tau) whose
statistics are s = +1/2, -1/2, 0 and t = 1 for a tie: so the log-likelihood is concave, and slopes and curvatures are
observed minus expected statistics, and their covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gen_emerge.preference.comparisons import Edges, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Per pair, weighted by its judgements; (m,) arrays, unless said otherwise.

    Args:
        log_likelihood: the sum over all pairs.
        slope_d: derivative of the log-likelihood by d.
        curve_dd: minus the second derivative by d, >= 0.
        mean: expected statistic s of one judgement.
        second: expected s^2 of one judgement.
        tie: probability of a tie; None when no tie was seen.
    """

    log_likelihood: float
    slope_d: Floats
    curve_dd: Floats
    mean: Floats
    second: Floats
    tie: Floats | None


def moments(edges: Edges, difference: Floats, tau: float) -> Moments:
    """Log-likelihood and derivatives at `difference` (m,) and `tau` (-inf when no tie was seen)."""
    half = 0.5 * difference
    top = np.abs(half)
    tie = None
    if tau > -np.inf:
        top = np.maximum(top, tau)
        tie = np.exp(tau - top)
    left, right = np.exp(half - top), np.exp(-half - top)
    z = left + right
    if tie is not None:
        z += tie
        tie /= z
    mean = (left - right) * 0.5 / z
    second = (left + right) * 0.25 / z
    margins, totals = edges.wins - edges.losses, edges.totals
    value = float(margins @ half - totals @ (top + np.log(z)))
    if tie is not None:
        value += tau * float(edges.ties.sum())
    return Moments(
        log_likelihood=value,
        slope_d=0.5 * margins - totals * mean,
        curve_dd=totals * (second - mean * mean),
        mean=mean,
        second=second,
        tie=tie,
    )


def tie_moments(edges: Edges, at: Moments) -> tuple[float, Floats, float]:
    """By tau: the slope (summed), minus the mixed curvature with d (m,), minus the curvature (summed)."""
    if at.tie is None:
        return 0.0, np.zeros_like(at.mean), 0.0
    expected = edges.totals * at.tie
    return float(edges.ties.sum() - expected.sum()), -at.mean * expected, float(expected @ (1.0 - at.tie))


def third(edges: Edges, at: Moments) -> Floats:
    """Derivative of `curve_dd` by d: the third central moment of s, from its raw moments (s^3 = s / 4)."""
    return edges.totals * (at.mean * (0.25 - 3.0 * at.second + 2.0 * at.mean * at.mean))
