"""Takes ratings of the same things by several people or metrics; gives how far they agree, with intervals.

Pure formulas, imported by whatever room compares judges. Items are rows. SciPy is imported when first needed.

Ten items say little: a Spearman of 0.6 over ten is anything from -0.1 to 0.9. So rank correlations and ICC have
intervals for small samples, and `bootstrap` serves those that have none. Nothing should act on a single round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, nearest

Values = NDArray[np.float64]
Places = NDArray[np.intp]
Level = Literal["nominal", "ordinal", "interval", "ratio"]
_LEVELS = ("nominal", "ordinal", "interval", "ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A coefficient with its interval. NaN where the ratings do not vary."""

    value: float
    low: float
    high: float


def places(values: Values) -> Places:
    """(n,) where each of (n,) values stands among the different ones, from 0."""
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def ranks(values: Values) -> Values:
    """(n,) ranks from 1, ties sharing their mean."""
    return _ranks(places(values), np.ones(len(values)))


def _ranks(place: Places, times: Values) -> Values:
    taken = np.bincount(place, weights=times)
    return (np.cumsum(taken) - (taken - 1) / 2)[place]


def spearman(one: Values, other: Values) -> float:
    """Spearman's rank correlation of (n,) and (n,) values: Pearson's of their ranks; NaN when one does not vary."""
    return spearman_drawn(places(one), places(other), np.ones(len(one)))


def spearman_drawn(one: Places, other: Places, times: Values) -> float:
    """The same of items of which the n-th was drawn `times[n]` times: a bootstrap needs no sorting.

    Args:
        one: (n,) `places` of the items' values.
        other: (n,) of their other values.
        times: (n,) how often each was drawn.
    """
    middle = (times.sum() + 1) / 2
    a, b = _ranks(one, times) - middle, _ranks(other, times) - middle
    scale = float(np.sqrt((a @ (times * a)) * (b @ (times * b))))
    return float(a @ (times * b)) / scale if scale > 0 else float("nan")


def kendall(one: Values, other: Values) -> float:
    """Kendall's tau-b of (n,) and (n,) values; NaN when one does not vary."""
    from scipy.stats import kendalltau

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    found: Any = kendalltau(one, other)
    return float(found.statistic)


def rank_interval(
    value: float, n: int, *, of: Literal["spearman", "kendall"] = "spearman", level: float = 0.95
) -> Coefficient:
    """Interval of a rank correlation of n items, by Fisher's z.

    Variance of z: (1 + r^2 / 2) / (n - 3) for Spearman (Bonett & Wright 2000, eq. 3, which keeps its coverage where
    Fieller's 1.06 / (n - 3) is too narrow), 0.437 / (n - 4) for Kendall (Fieller, Hartley & Pearson 1957). A perfect
    order counts as half a swap of neighbours away from perfect, or its interval would have no width. Too few items:
    (-1, 1).
    """
    from scipy.special import ndtri

    spare = n - (3 if of == "spearman" else 4)
    if math.isnan(value):
        return Coefficient(value=value, low=value, high=value)
    if spare < 1:
        return Coefficient(value=value, low=-1.0, high=1.0)
    half_a_swap = 6.0 / (n * (n * n - 1)) if of == "spearman" else 2.0 / (n * (n - 1))
    z = math.atanh(max(min(value, 1.0 - half_a_swap), half_a_swap - 1.0))
    variance = (1.0 + value * value / 2.0) / spare if of == "spearman" else 0.437 / spare
    reach = float(ndtri(0.5 + level / 2)) * math.sqrt(variance)
    high = 1.0 if value >= 1.0 else math.tanh(z + reach)
    low = -1.0 if value <= -1.0 else math.tanh(z - reach)
    return Coefficient(value=value, low=low, high=high)


def power_to_tell(was: float, now: float, n: int, rounds: int, *, level: float = 0.95) -> float:
    """How likely so many rounds are to show that a Spearman of n items is `now`, less than `was`.

    One-sided test of the mean z against `was` by Bonett & Wright's variances. Simulated with n = 10, 0.6 and 0.3: one
    round has 0.27, eight have 0.88, where this gives 0.23 and 0.86.

    Args:
        was: what is to be refuted, in (-1, 1).
        now: what holds, below `was`.
        n: items a round, 4 or more.
        rounds: how many, 1 or more.
        level: 1 - the chance of a false alarm.
    """
    from scipy.special import ndtr, ndtri

    spread = [math.sqrt((1.0 + value * value / 2.0) / ((n - 3) * rounds)) for value in (was, now)]
    apart = math.atanh(was) - math.atanh(now)
    return float(ndtr((apart - float(ndtri(level)) * spread[0]) / spread[1]))


def rounds_to_tell(was: float, now: float, n: int, *, power: float = 0.85, level: float = 0.95) -> int:
    """How many rounds of n items it takes to see that a Spearman is `now` and not `was`: see `power_to_tell`.

    Raises:
        BadInput: nothing to see: `now` is not below `was`, one of them is no correlation, or there are too few items.
    """
    from scipy.special import ndtri

    if not -1.0 < now < was < 1.0:
        raise BadInput(f"A Spearman that falls from {was} to {now}: wanted two numbers between -1 and 1, falling.")
    if n < 4:
        raise BadInput(f"A ranking of {n}: wanted four or more, or it says nothing of how sure it is.")
    own = float(ndtri(level)) * math.sqrt(1.0 + was * was / 2.0)
    other = float(ndtri(power)) * math.sqrt(1.0 + now * now / 2.0)
    return math.ceil(((own + other) / (math.atanh(was) - math.atanh(now))) ** 2 / (n - 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquares:
    """Of a two-way table: between items, between raters, and the rest."""

    items: float
    raters: float
    rest: float


def mean_squares(ratings: Values) -> MeanSquares:
    """Of (items, raters) ratings without gaps.

    Raises:
        BadInput: fewer than two items or raters, or a rating that is not finite.
    """
    if ratings.ndim != 2 or min(ratings.shape) < 2:
        raise BadInput(f"ICC of ratings of shape {ratings.shape}: wanted (items, raters), two of each at least.")
    if not np.isfinite(ratings).all():
        raise BadInput("A rating is missing or not finite.", hint="Krippendorff's alpha takes gaps; ICC does not.")
    items, raters = ratings.shape
    total = ratings.mean()
    rest = ratings - ratings.mean(1, keepdims=True) - ratings.mean(0, keepdims=True) + total
    return MeanSquares(
        items=float(raters * ((ratings.mean(1) - total) ** 2).sum() / (items - 1)),
        raters=float(items * ((ratings.mean(0) - total) ** 2).sum() / (raters - 1)),
        rest=float((rest**2).sum() / ((items - 1) * (raters - 1))),
    )


def icc_2k(ratings: Values) -> float:
    """ICC(2,k) of (items, raters) ratings: two-way random effects, absolute agreement, mean of the k raters.

    Shrout & Fleiss 1979, their case 2 for averages: (BMS - EMS) / (BMS + (JMS - EMS) / n). NaN where raters contradict
    each other so much that the whole variance is estimated as nothing or less: the quotient would turn positive.
    """
    at = mean_squares(ratings)
    whole = at.items + (at.raters - at.rest) / len(ratings)
    return (at.items - at.rest) / whole if whole > 0 else float("nan")


def icc_of_ranks(alike: float, n: int) -> float:
    """ICC(2,2) of two columns of n centred ranks, from how far they are alike.

    Shrout & Fleiss's equation with JMS = 0, because both columns have the same mean, and BMS : EMS = 1 + r : 1 - r.
    It grows with r, so an interval of r's is carried over by it. Their own, of the F distribution, takes ratings to be
    normal: of 95% it kept 74 to 93% on one screen of ranks (experiments/results/2026-11-28-agreement).

    Args:
        alike: r = 2 sum(a b) / (sum(a^2) + sum(b^2)) of the columns; Spearman's where neither has ties.
        n: rows.
    """
    whole = 1 + alike - (1 - alike) / n
    return 2 * alike / whole if whole > 0 else float("nan")


def cohen_kappa(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Cohen's kappa (1960) of two raters' (n,) labels; NaN when both only ever used one label.

    Raises:
        BadInput: different lengths, or none.
    """
    if len(one) != len(other) or not len(one):
        raise BadInput(f"{len(one)} and {len(other)} labels: wanted as many of both, one at least.")
    labels, place = np.unique(np.concatenate([one, other]), return_inverse=True)
    a, b = place[: len(one)], place[len(one) :]
    share = [np.bincount(side, minlength=len(labels)) / len(one) for side in (a, b)]
    expected = float(share[0] @ share[1])
    return (float(np.mean(a == b)) - expected) / (1 - expected) if expected < 1 else float("nan")


def krippendorff_alpha(ratings: Values, level: Level = "nominal") -> float:
    """Krippendorff's alpha of (items, raters) ratings; NaN is a gap. NaN when no item has two, or none differ.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section D: 1 - observed / expected disagreement
    of the coincidence matrix.

    Args:
        ratings: numbers; for labels their codes.
        level: what the numbers are.

    Raises:
        BadInput: an unknown level.
    """
    if level not in _LEVELS:
        raise BadInput(f'Level "{level}"; wanted {", ".join(_LEVELS)}.', hint=nearest(level, _LEVELS))
    values = np.unique(ratings[np.isfinite(ratings)])
    counts = (ratings[:, :, None] == values).sum(axis=1).astype(np.float64)
    rated = counts.sum(axis=1)
    counts, rated = counts[rated > 1], rated[rated > 1]
    if not len(counts):
        return float("nan")
    coincidence = (counts / (rated - 1)[:, None]).T @ counts
    coincidence -= np.diag((counts / (rated - 1)[:, None]).sum(axis=0))
    margin = coincidence.sum(axis=0)
    distance = _distance(values, margin, level)
    expected = float(margin @ distance @ margin) / (margin.sum() - 1)
    return 1.0 - float((coincidence * distance).sum()) / expected if expected > 0 else float("nan")


def _distance(values: Values, margin: Values, level: Level) -> Values:
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "ordinal":
        # All that lies between, both ends by half.
        reached = np.cumsum(margin) - margin / 2
        return (reached[:, None] - reached) ** 2
    difference = values[:, None] - values
    if level == "interval":
        return difference**2
    total = values[:, None] + values
    return np.divide(difference, total, out=np.zeros_like(total), where=total != 0) ** 2


def bootstrap(
    statistic: Callable[[Values], float],
    rows: Values,
    *,
    rng: np.random.Generator,
    resamples: int = 2_000,
    level: float = 0.95,
) -> Coefficient:
    """A statistic of (items, raters) rows with its percentile interval, whole items drawn again (Efron 1979).

    Draws in which the statistic is undefined are left out. With ten items or so it is too narrow: prefer the interval
    for small samples where there is one.

    Args:
        statistic: of rows drawn again.
        rows: (items, ...) one row an item.
        rng: draws the items.
        resamples: how often.
        level: coverage.
    """
    value = statistic(rows)
    drawn = rng.integers(0, len(rows), (resamples, len(rows)))
    found = np.array([statistic(rows[places]) for places in drawn])
    known = found[np.isfinite(found)]
    if math.isnan(value) or not len(known):
        return Coefficient(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Coefficient(value=value, low=float(low), high=float(high))
