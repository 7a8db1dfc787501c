"""What else can go wrong slowly: taste, variety. Sequences of plain numbers -> what moved and since when.

Takes figures in the order in which they came; pure functions, no chance, no clock. What is done about an
alarm is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.drift import THRESHOLD
from gen_emerge.concordance import ranks

Values = NDArray[np.float64]

TASTE_ALPHA = 0.001
"""A shift of taste is told when as much by chance alone would be seen once in a thousand looks ..."""
TASTE_ENDS = 0.05
"""... and has ended when as much would be seen once in twenty, the odds at which narrowing has ended (`RECOVERED`): the
probability goes up and down with every answer, and one bound would raise the alarm and end it again and again."""
RECENT = 25
"""Cycles that are compared, with twice as many before them, when variety is looked at."""
LEAST_MOMENT = 4
"""Cycles without which no moment of change is told."""
FALL = -3.3
"""Standard errors (Mann-Whitney) by which a figure must have fallen."""
FALL_ALONE = -THRESHOLD
"""Standard errors by which self-similarity says enough by itself: the bound at which a signal's shift is named."""
RECOVERED = -1.65
"""Standard errors above which one that had fallen has come back."""
VENDI_FALL = 0.9
"""Share of what adding images can have left of a Vendi score (`least_vendi`) below which it has fallen."""
VENDI_RECOVERED = 0.95
"""Share of it above which it has come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteShift:
    """How probable as large a difference is by chance, and which items moved most (places, by how much)."""

    p: float
    moved: tuple[tuple[int, float], ...]


def taste_shift(before: Values, before_errors: Values, after: Values, after_errors: Values) -> TasteShift:
    """Utilities of the same items from two fits, of early and of late answers.

    Args:
        before: (n,) utilities, natural log-odds, n >= 3.
        before_errors: (n,) their standard errors.
        after: (n,) of the later fit.
        after_errors: (n,) likewise.
    """
    from scipy.stats import chi2

    variance = before_errors**2 + after_errors**2
    apart = after - before
    # Utilities know no zero: the two fits may differ by a constant.
    apart = apart - float((apart / variance).sum() / (1 / variance).sum())
    p = float(chi2.sf(float((apart**2 / variance).sum()), len(apart) - 1))
    order = np.argsort(-np.abs(apart) / np.sqrt(variance), kind="stable")[:3]
    return TasteShift(p=p, moved=tuple((int(place), float(apart[place])) for place in order))


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """A series makes less and less that differs. `since` is a place among the figures; `signs` say what fell."""

    since: int
    signs: tuple[str, ...]


SELF_SIMILARITY, FEWER_CELLS, LOWER_VENDI = "self-similarity is up", "fewer new cells", "the Vendi score is down"


def narrowing(
    distances: Sequence[float], new_cells: Sequence[float], vendi: Sequence[tuple[int, float]]
) -> Narrowing | None:
    """Two of three signs, or self-similarity alone where it is far up; None otherwise.

    Cells become rare in any series that goes on for long, so that alone says nothing; and once they are rare they
    cannot become rarer, so that a second sign would never come to a late narrowing.

    Args:
        distances: mean pairwise distance of every cycle's batch, oldest first.
        new_cells: cells opened in every cycle, as many.
        vendi: (elites, Vendi score of all of them), as they were taken.
    """
    since = len(distances) - RECENT
    if since < 2 * RECENT:
        return None
    signs = _signs(distances, new_cells, vendi, since=since, fall=FALL, share=VENDI_FALL)
    alone = lower(distances[-3 * RECENT : since], distances[since:]) <= FALL_ALONE
    if len(signs) < 2 and not alone:
        return None
    return Narrowing(since=_moment(distances if SELF_SIMILARITY in signs else new_cells), signs=signs)


def _moment(figures: Sequence[float]) -> int:
    """Since when figures are lower: among the last, where what was lost is most for its length."""
    before, after = (np.array(part, dtype=np.float64) for part in (figures[-3 * RECENT : -RECENT], figures[-RECENT:]))
    lengths = np.arange(1, RECENT + 1)
    lost = np.cumsum(float(before.mean()) - after[::-1]) / np.sqrt(lengths)
    return len(figures) - int(lengths[LEAST_MOMENT - 1 :][lost[LEAST_MOMENT - 1 :].argmax()])


def narrow_still(
    distances: Sequence[float], new_cells: Sequence[float], vendi: Sequence[tuple[int, float]], *, since: int
) -> tuple[str, ...]:
    """The signs that still hold of a narrowing that began at `since`; it has ended when fewer do than name one.

    The last cycles against those before it, by looser bounds than those that named it: what hovers at a bound shall not
    come and go.
    """
    return _signs(distances, new_cells, vendi, since=since, fall=RECOVERED, share=VENDI_RECOVERED)


def _signs(
    distances: Sequence[float],
    new_cells: Sequence[float],
    vendi: Sequence[tuple[int, float]],
    *,
    since: int,
    fall: float,
    share: float,
) -> tuple[str, ...]:
    """What has fallen: the last cycles against twice as many before `since`."""
    found = [
        name
        for name, figures in ((SELF_SIMILARITY, distances), (FEWER_CELLS, new_cells))
        if lower(figures[max(since - 2 * RECENT, 0) : since], figures[-RECENT:]) <= fall
    ]
    if len(vendi) >= 3 and vendi[-1][1] < share * least_vendi(vendi):
        found.append(LOWER_VENDI)
    return tuple(found)


def least_vendi(vendi: Sequence[tuple[int, float]]) -> float:
    """What the newest Vendi score is at least if images were only added to those of before.

    It may fall by adding: two images at right angles score 2, and 1.89 with a third between them. But not far: it is
    exp of the entropy of K / n (Friedman and Dieng 2023, eq. 2), which is concave and never negative, so n images of
    score V have at least V^(n / m) when they are m. Below that, some were lost to others that are more alike.

    Args:
        vendi: (images, score), oldest first, n >= 1.
    """
    now = vendi[-1][0]
    return max(score ** min(count / now, 1.0) for count, score in vendi)


def lower(before: Sequence[float], after: Sequence[float]) -> float:
    """Standard errors by which `after` lies above `before`, negative below: Mann-Whitney, corrected for ties."""
    both = np.array([*before, *after], dtype=np.float64)
    order = ranks(both)
    variance = float(order.var(ddof=1)) * (1 / len(before) + 1 / len(after)) if len(before) and len(after) else 0.0
    if variance == 0:
        return 0.0
    return float((order[len(before) :].mean() - order[: len(before)].mean()) / np.sqrt(variance))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """What is watched, and what an alarm may do by itself: `[alarms]` of a series file.

    Args:
        drift: signals and detectors.
        review_rate: the share of images that wait for a human.
        agreement: human and automated verdicts.
        taste: what humans prefer, early and late.
        narrowing: self-similarity, new cells and the Vendi score.
        clipping: images beyond the ends of the axes.
        rounds: an alarm opens a round.
        explore_on_narrowing: share of the genomes, 0 to 1, that goes to emitters which begin from no elite.
        review_queue: images waiting from which on a round of reviews is opened; 0 for never.
    """

    drift: bool = True
    review_rate: bool = True
    agreement: bool = True
    taste: bool = True
    narrowing: bool = True
    clipping: bool = True
    rounds: bool = True
    explore_on_narrowing: float = 0.3
    review_queue: int = 100


ALARMS = Alarms()
"""What a series watches that says nothing of it."""
