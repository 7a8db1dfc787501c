"""How likely an image is good, given one signal: judgements -> a posterior over one gate's threshold and sharpness.

Takes arrays of labelled raw numbers and where the gate stands; gives P(good | signal) with its band and the bounds
that stated costs ask for. Pure functions of their arguments: no chance, no clock, nothing stored.

The curve is a psychometric function with lapses (Wichmann & Hill 2001, eq. 1):

    P(keep | s) = lapse / 2 + (1 - lapse) * F,    F = logistic(k * (s - t) / scale + logit(p*) + offset)

F is P(good | s). `t` is the threshold itself, the place where accepting and rejecting cost the same (F = p*): so "where
the gate stands" can be said in the prior without knowing how many images are good. `k` says how sharply the signal
tells good from bad. Every stream, every way an image came to be shown, has an offset of its own (raw draws have none):
an elite was chosen for more than its signal, and without the offset the bar would be taken to lie far too low. A
detected shift of the signal is taken in two ways at once, each with half the belief: the scale moved and the bar with
it, or the images did and the bar stayed. Labels given since decide between them.

All of it on a grid: few numbers, no optimiser that could fail, and exact where a label contradicts all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.costs import Costs, Edges

Values = NDArray[np.float64]
Stream = Literal["raw", "survivor", "elite", "review"]

LAPSE = 0.05
"""Share of answers that are taken to be given by chance."""
SHARPNESS = (0.8, 0.3, 4.0)
"""Median of k in logits per scale; scale and degrees of freedom of the Student t prior of its logarithm. A signal that
correlates r with taste has about 1.7 r / sqrt(1 - r^2): 0.5 at r = 0.3, 1.0 at 0.5, 3.5 at 0.9."""
THRESHOLD = (0.5, 30.0)
"""Scale, in `scale`s, and degrees of freedom of the Student t prior of the threshold around the gate."""
OFFSETS: Mapping[Stream, tuple[float, float]] = {
    "raw": (0.0, 0.0),
    "survivor": (0.0, 0.5),
    "elite": (2.5, 1.5),
    "review": (0.0, 0.5),
}
"""Mean and sd, in logits, of a stream's offset: elites won duels, the others passed or nearly passed other gates."""
MOST_SHIFTS = 2
"""Shifts that are told apart. Labels from before an earlier one are not used: nobody knows where they would lie."""
_SHARPNESSES = np.linspace(-1.6, 1.6, 13)
"""Logarithms, around that of the median."""
REACH, STEP, MOST_THRESHOLDS = 4.0, 0.1, 321
"""The grid of thresholds, in `scale`s: how far beyond the gate, how fine, and how many at most."""
NEGLIGIBLE = 1e-9
"""Belief below which a point of the grid is left out of the curve."""
_OFFSETS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What humans said of images, as one gate sees it: one place an answer.

    Args:
        values: (n,) raw signal, one version's.
        good: (n,) bool, kept rather than discarded.
        streams: (n,) how each came to be shown.
        weights: (n,) 0 to 1, what is left of it after fading; None for all of it.
        ages: (n,) int, how many of the detected shifts came after it was measured; None for none.
    """

    values: Values
    good: NDArray[np.bool_]
    streams: Sequence[Stream]
    weights: Values | None = None
    ages: NDArray[np.intp] | None = None


def faded(ages: Values, half_life: float) -> Values:
    """(n,) weights of labels of these ages, in the half-life's unit: 1 at 0, a half at the half-life."""
    return 0.5 ** (ages / half_life)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """P(good | signal) of raw, ungated images: a mixture over the grid.

    Args:
        thresholds: (m,) in the signal's units.
        sharpness: (m,) logits per unit.
        weights: (m,) posterior, sums to 1.
        level: p*, what P(good) is at a threshold.
        labels: how many answers stand behind it, faded ones as parts.
        followed: (shifts,) the belief that the bar moved with the signal, one a shift, oldest first.
    """

    thresholds: Values
    sharpness: Values
    weights: Values
    level: float
    labels: float
    followed: tuple[float, ...] = ()

    def probability(self, values: Values) -> Values:
        """(n,) posterior mean of P(good) at (n,) signals."""
        return self._each(values) @ self.weights

    def band(self, values: Values, coverage: float = 0.9) -> tuple[Values, Values]:
        """(n,) and (n,): the central interval of P(good) at (n,) signals."""
        each = self._each(values)
        order = np.argsort(each, axis=1)
        shares = np.cumsum(self.weights[order], axis=1)
        found: list[Values] = []
        for share in ((1 - coverage) / 2, (1 + coverage) / 2):
            place = np.minimum((shares < share).sum(axis=1), each.shape[1] - 1)
            found.append(np.take_along_axis(each, np.take_along_axis(order, place[:, None], 1), 1)[:, 0])
        return found[0], found[1]

    def where(self, probability: float, *, low: float, high: float) -> float:
        """The least signal with at least this P(good): the curve never falls. -inf or inf beyond [low, high]."""
        if float(self.probability(np.array([low]))[0]) >= probability:
            return -np.inf
        if float(self.probability(np.array([high]))[0]) < probability:
            return np.inf
        for _ in range(60):
            middle = (low + high) / 2
            if float(self.probability(np.array([middle]))[0]) >= probability:
                high = middle
            else:
                low = middle
        return high

    def edges(self, costs: Costs, *, low: float, high: float) -> Edges:
        """Below which signal the costs say reject, and from which accept."""
        rejecting, accepting = costs.probabilities
        return Edges(reject=self.where(rejecting, low=low, high=high), accept=self.where(accepting, low=low, high=high))

    @property
    def sharpness_interval(self) -> tuple[float, float, float]:
        """5th, 50th and 95th percentile of the logits per unit."""
        order = np.argsort(self.sharpness)
        shares = np.cumsum(self.weights[order])
        low, middle, high = (float(self.sharpness[order][np.searchsorted(shares, q)]) for q in (0.05, 0.5, 0.95))
        return low, middle, high

    def _each(self, values: Values) -> Values:
        z = self.sharpness * (np.asarray(values, dtype=np.float64)[:, None] - self.thresholds) + _logit(self.level)
        return _logistic(z)


def fit_curve(
    labels: Labels,
    *,
    bound: float,
    scale: float,
    costs: Costs,
    shifts: Sequence[float] = (),
    bound_age: int = 0,
    lapse: float = LAPSE,
) -> Curve:
    """The posterior after some labels.

    Args:
        labels: what humans said.
        bound: where the gate stands, raw units: the prior's centre. The same labels should not have moved it before.
        scale: spread (sd) of the signal over raw draws, > 0.
        costs: what a mistake and a question cost.
        shifts: sizes of the signal's detected shifts, raw units, oldest first. Only the last `MOST_SHIFTS` are told
            apart; labels of before the others are left out.
        bound_age: how many of the shifts came after the gate was put where it stands.
        lapse: share of answers given by chance.
    """
    values, good, streams, weights, ages = _usable(labels, len(shifts))
    sharpness: Values = SHARPNESS[0] * np.exp(_SHARPNESSES) / scale
    recent = tuple(shifts)[-MOST_SHIFTS:]
    hypotheses = list(product((0.0, 1.0), repeat=len(recent)))
    moved = [_moved(follows, recent) for follows in hypotheses]
    centres = [bound + by[min(bound_age, len(recent))] for by in moved]
    thresholds = _grid(centres, scale)
    logs = np.stack(
        [
            _prior(thresholds, centre, sharpness, scale, costs.level)
            + _likelihood(values + by[ages], good, streams, weights, thresholds, sharpness, costs.level, lapse)
            for centre, by in zip(centres, moved, strict=True)
        ]
    )
    belief: Values = np.exp(logs - logs.max())
    belief /= belief.sum()
    each = belief.sum(axis=(1, 2))
    followed = tuple(
        float(sum(p for p, follows in zip(each, hypotheses, strict=True) if follows[place]))
        for place in range(len(recent))
    )
    return _curve(belief.sum(axis=0), thresholds, sharpness, costs.level, float(weights.sum()), followed)


def _curve(
    belief: Values, thresholds: Values, sharpness: Values, level: float, labels: float, followed: tuple[float, ...]
) -> Curve:
    """The mixture of a (k, t) belief, without what is negligible."""
    together = belief.ravel()
    kept = together > NEGLIGIBLE
    return Curve(
        thresholds=np.tile(thresholds, len(sharpness))[kept],
        sharpness=np.repeat(sharpness, len(thresholds))[kept],
        weights=together[kept] / together[kept].sum(),
        level=level,
        labels=labels,
        followed=followed,
    )


def _moved(follows: Sequence[float], shifts: Sequence[float]) -> Values:
    """(shifts + 1,) how far the bar has moved since, by how many shifts there were since."""
    steps = [followed * size for followed, size in zip(follows, shifts, strict=True)]
    return np.array([sum(steps[len(steps) - since :]) for since in range(len(steps) + 1)], dtype=np.float64)


def _grid(centres: Sequence[float], scale: float) -> Values:
    """(t,) thresholds that reach `REACH` scales beyond every place where the gate may be."""
    low, high = min(centres) - REACH * scale, max(centres) + REACH * scale
    count = min(round((high - low) / (STEP * scale)) + 1, MOST_THRESHOLDS)
    return np.linspace(low, high, count)


def _usable(
    labels: Labels, shifts: int
) -> tuple[Values, NDArray[np.bool_], NDArray[np.str_], Values, NDArray[np.intp]]:
    count = len(labels.values)
    weights = np.ones(count) if labels.weights is None else labels.weights
    ages = np.zeros(count, dtype=np.intp) if labels.ages is None else labels.ages
    kept = (ages <= MOST_SHIFTS) if shifts > MOST_SHIFTS else np.ones(count, dtype=np.bool_)
    return (
        np.asarray(labels.values, dtype=np.float64)[kept],
        np.asarray(labels.good)[kept],
        np.asarray(labels.streams, dtype=np.str_)[kept],
        np.asarray(weights, dtype=np.float64)[kept],
        np.asarray(ages)[kept],
    )


def _sharpness_prior() -> Values:
    """(k,) log prior of the sharpness."""
    _, width, freedom = SHARPNESS
    return _student(_SHARPNESSES / width, freedom)


def _prior(thresholds: Values, centre: float, sharpness: Values, scale: float, level: float) -> NDArray[np.float64]:
    """(k, t) log prior: Student t around the gate, so placed that without labels the bar is the gate itself.

    A mean of logistic curves is flatter than each: it meets p* elsewhere than at their common middle.
    """
    width, freedom = THRESHOLD

    def density(middle: float) -> Values:
        return _student((thresholds - middle) / (width * scale), freedom)

    weights = np.exp(_sharpness_prior())
    weights /= weights.sum()
    curves = weights @ _logistic(sharpness[:, None] * (centre - thresholds) + _logit(level))

    def bias(by: float) -> float:
        masses = np.exp(density(centre - by * scale))
        return float(curves @ masses / masses.sum()) - level

    low, high = -2.0, 2.0
    for _ in range(40):
        by = (low + high) / 2
        low, high = (by, high) if bias(by) < 0 else (low, by)
    logs = density(centre - low * scale)
    return logs - np.log(np.exp(logs).sum()) + _sharpness_prior()[:, None]


def _likelihood(
    values: Values,
    good: NDArray[np.bool_],
    streams: NDArray[np.str_],
    weights: Values,
    thresholds: Values,
    sharpness: Values,
    level: float,
    lapse: float,
) -> Values:
    """(k, t) log likelihood, every stream's offset integrated out."""
    total = np.zeros((len(sharpness), len(thresholds)))
    for stream, (mean, sd) in OFFSETS.items():
        own = streams == stream
        if not own.any():
            continue
        steps = np.linspace(-2.5, 2.5, _OFFSETS) if sd else np.zeros(1)
        logs = np.empty((len(steps), *total.shape))
        signs = np.where(good[own], 1.0, -1.0)
        for place, step in enumerate(steps):
            shift = _logit(level) + mean + sd * step
            z = sharpness[:, None, None] * (values[own] - thresholds[:, None]) + shift
            said = lapse / 2 + (1 - lapse) * _logistic(signs * z)
            logs[place] = np.log(said) @ weights[own] - 0.5 * step**2
        total += _log_mean(logs)
    return total


def _student(steps: Values, freedom: float) -> Values:
    """Log density of Student's t, up to a constant."""
    return -(freedom + 1) / 2 * np.log1p(steps**2 / freedom)


def _log_mean(logs: Values) -> Values:
    most = logs.max(axis=0)
    return most + np.log(np.exp(logs - most).mean(axis=0))


def _logistic(z: Values) -> Values:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def _logit(p: float) -> float:
    return float(np.log(p) - np.log1p(-p))
