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
    ends = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
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
