"""Takes a person's ranks and a metric's distances for several sets; gives how far they agree, and a paired interval.

Spearman's coefficient is pooled over all sets as the CLPIPS paper does: the person's rank within its set against the
raw distance. ICC(2,k) is over ranks within the sets: every image an item, the person and the metric its two raters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.concordance import icc_2k, ranks, spearman
from gen_emerge.errors import BadInput

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a metric agrees with a person on several sets: pooled Spearman, ICC(2,k), and Spearman within sets (mean)."""

    spearman: float
    icc_2k: float
    spearman_within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Two metrics on the same sets: after - before, and the paired bootstrap's interval over sets.

    Args:
        before: agreement of the first metric.
        after: of the second.
        spearman: gain of the pooled Spearman.
        spearman_interval: (low, high).
        icc_2k: gain of ICC(2,k).
        icc_2k_interval: (low, high).
        level: coverage of the intervals.
        sets: how many sets.
    """

    before: Agreement
    after: Agreement
    spearman: float
    spearman_interval: tuple[float, float]
    icc_2k: float
    icc_2k_interval: tuple[float, float]
    level: float
    sets: int


def agreement(human: Sequence[Values], metric: Sequence[Values]) -> Agreement:
    """Agreement on several sets.

    Args:
        human: a set's (n,) ranks, 1 = most similar, ties share their mean.
        metric: the same sets' (n,) distances.
    """
    within = [spearman(one, other) for one, other in zip(human, metric, strict=True)]
    known = [value for value in within if np.isfinite(value)]
    pooled, consistent = _pooled([_columns(one, other) for one, other in zip(human, metric, strict=True)])
    return Agreement(
        spearman=pooled,
        icc_2k=consistent,
        spearman_within=float(np.mean(known)) if known else float("nan"),
    )


def _columns(human: Values, metric: Values) -> Values:
    """One set as (n, 4): the person's ranks, the distances, and the ranks of both within the set."""
    return np.stack([human, metric, ranks(human), ranks(metric)], axis=1)


def _pooled(sets: Sequence[Values]) -> tuple[float, float]:
    """Pooled Spearman and ICC(2,k) of several sets as `_columns` gives them."""
    rows = np.concatenate(list(sets))
    return spearman(rows[:, 0], rows[:, 1]), icc_2k(rows[:, 2:])


def gain(
    human: Sequence[Values],
    before: Sequence[Values],
    after: Sequence[Values],
    *,
    rng: np.random.Generator,
    resamples: int = 2_000,
    level: float = 0.95,
) -> Gain:
    """Compare two metrics on the same sets; whole sets are drawn again, the same ones for both.

    Args:
        human: a set's (n,) ranks.
        before: the first metric's distances.
        after: the second's.
        rng: draws the sets.
        resamples: how often.
        level: coverage of the percentile interval.

    Raises:
        BadInput: fewer than two sets: nothing could be drawn again.
    """
    count = len(human)
    if count < 2:
        raise BadInput(f"{count} held-out set: an interval over sets wants two at least.", hint="Rank more sets.")
    first, second = agreement(human, before), agreement(human, after)
    # Ranks within a set stay the same however often the set is drawn.
    old, new = ([_columns(a, b) for a, b in zip(human, metric, strict=True)] for metric in (before, after))
    found = np.empty((resamples, 2))
    for row in range(resamples):
        drawn = rng.integers(0, count, count)
        found[row] = np.subtract(_pooled([new[i] for i in drawn]), _pooled([old[i] for i in drawn]))
    ends = np.stack([_ends(column, level) for column in found.T], axis=1)
    return Gain(
        before=first,
        after=second,
        spearman=second.spearman - first.spearman,
        spearman_interval=(float(ends[0, 0]), float(ends[1, 0])),
        icc_2k=second.icc_2k - first.icc_2k,
        icc_2k_interval=(float(ends[0, 1]), float(ends[1, 1])),
        level=level,
        sets=count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Two metrics on triplets: how often each calls the picture nearer that a person called more alike.

    Args:
        before: share of the triplets, in [0, 1], of the first metric; a coin has 0.5.
        before_interval: (low, high), by a bootstrap over references.
        after: of the second.
        after_interval: (low, high).
        gain: after - before.
        gain_interval: (low, high), paired.
        level: coverage of the intervals.
        triplets: how many.
        references: of so many pictures that others were compared with.
    """

    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    gain: float
    gain_interval: tuple[float, float]
    level: float
    triplets: int
    references: int


def choices(
    before: Values,
    after: Values,
    references: Sequence[int],
    *,
    rng: np.random.Generator,
    resamples: int = 2_000,
    level: float = 0.95,
) -> Choices:
    """Compare two metrics on the same triplets; whole references are drawn again, the same ones for both.

    Args:
        before: (n,) the first metric's distance of the picture called less alike, minus that of the other.
        after: (n,) the second's.
        references: (n,) whose triplet each is.
        rng: draws the references.
        resamples: how often.
        level: coverage of the percentile intervals.

    Raises:
        BadInput: fewer than two references: nothing could be drawn again.
    """
    names, place = np.unique(np.asarray(references), return_inverse=True)
    if len(names) < 2:
        raise BadInput(f"{len(names)} held-out reference: an interval wants two.", hint="Answer more triplets.")
    # Equal distances are half right, as a coin would be.
    right = [(np.sign(gap) + 1) / 2 for gap in (before, after)]
    sums = np.stack([np.bincount(place, each, len(names)) for each in (*right, np.ones(len(place)))], axis=1)
    drawn = sums[rng.integers(0, len(names), (resamples, len(names)))].sum(axis=1)
    shares = drawn[:, :2] / drawn[:, 2:]
    first, second = (float(each.mean()) for each in right)
    return Choices(
        before=first,
        before_interval=_ends(shares[:, 0], level),
        after=second,
        after_interval=_ends(shares[:, 1], level),
        gain=second - first,
        gain_interval=_ends(shares[:, 1] - shares[:, 0], level),
        level=level,
        triplets=len(place),
        references=len(names),
    )


def _ends(found: Values, level: float) -> tuple[float, float]:
    """Of the draws in which a figure is defined; NaN where it never is."""
    known = found[np.isfinite(found)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
