"""What else can go wrong slowly: rates, taste, variety. Sequences of plain numbers -> what moved and since when.

Takes flags and figures in the order in which they came; pure functions, no chance, no clock. What is done about an
alarm is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.drift import THRESHOLD

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

RATE_LENGTHS = (8, 12, 16, 24, 32, 48, 64, 100, 150, 200, 300, 400)
RATE_REFERENCE = 1000
TASTE_ALPHA = 0.001
"""A shift of taste is told when as much by chance alone would be seen once in a thousand looks."""
RECENT = 25
"""Cycles that are compared, with twice as many before them, when variety is looked at."""
FALL = -3.3
"""Standard errors (Mann-Whitney) by which a figure must have fallen."""
VENDI_FALL = 0.9
"""Share of its highest value below which a Vendi score has fallen: it cannot fall by adding images that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateShift:
    """A share of yes moved.

    Args:
        named: how many flags had come when it was noticed.
        since: place of the first that is thought to have moved, from 0.
        before: the share until then.
        after: the share since.
        score: standard errors (signed root of the likelihood ratio).
    """

    named: int
    since: int
    before: float
    after: float
    score: float


def rate_shift(flags: Flags, *, least: int = 200, every: int = 8, threshold: float = THRESHOLD) -> RateShift | None:
    """The first moment at which the newest flags say yes at another rate than the first ones did.

    For the share of images in review; with a `least` of about 40, for answers in which human and gates agreed. A
    likelihood ratio of two binomials (Wilks 1938) over windows of many lengths.

    Args:
        flags: (n,) bool, in order.
        least: flags without which nothing is said.
        every: flags between two looks.
        threshold: standard errors.
    """
    sums = np.concatenate([[0], np.cumsum(flags)])
    for n in range(every, len(flags) + 1, every):
        best: RateShift | None = None
        for m in RATE_LENGTHS:
            size = min(n - m, RATE_REFERENCE)
            if size < least:
                break
            yes, all_yes = int(sums[n] - sums[n - m]), int(sums[size])
            score = _rates_apart(all_yes, size, yes, m)
            if abs(score) >= threshold and (best is None or abs(score) > abs(best.score)):
                best = RateShift(named=n, since=n - m, before=all_yes / size, after=yes / m, score=score)
        if best is not None:
            return best
    return None


def _rates_apart(yes: int, of: int, other_yes: int, other_of: int) -> float:
    pooled = (yes + other_yes) / (of + other_of)

    def likelihood(k: int, n: int, p: float) -> float:
        return (k * np.log(p) if k else 0.0) + ((n - k) * np.log1p(-p) if n > k else 0.0)

    ratio = sum(likelihood(k, n, k / n) - likelihood(k, n, pooled) for k, n in ((yes, of), (other_yes, other_of)))
    return float(np.sign(other_yes / other_of - yes / of) * np.sqrt(max(2 * ratio, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TasteShift:
    """How probable as large a difference is by chance, and which items moved most (places, by how much)."""

    p: float
    moved: tuple[tuple[int, float], ...]


def taste_shift(before: Values, before_errors: Values, after: Values, after_errors: Values) -> TasteShift | None:
    """Utilities of the same items from two fits, early and late answers: None where they agree within their errors.

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
    if p >= TASTE_ALPHA:
        return None
    order = np.argsort(-np.abs(apart) / np.sqrt(variance), kind="stable")[:3]
    return TasteShift(p=p, moved=tuple((int(place), float(apart[place])) for place in order))


def probe_shift(early: Flags, late: Flags) -> float | None:
    """The frozen baseline images, judged early and again late: the exact p of McNemar's test, None above `TASTE_ALPHA`.

    Args:
        early: (n,) bool, kept when they were frozen.
        late: (n,) bool, kept lately, the same images in the same order.
    """
    from scipy.stats import binomtest

    lost, won = int((early & ~late).sum()), int((~early & late).sum())
    if lost + won == 0:
        return None
    p = float(binomtest(min(lost, won), lost + won, 0.5).pvalue)
    return p if p < TASTE_ALPHA else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """A series makes less and less that differs. `since` is a place among the figures; `signs` say what fell."""

    since: int
    signs: tuple[str, ...]


def narrowing(distances: Sequence[float], new_cells: Sequence[float], vendi: Sequence[float]) -> Narrowing | None:
    """Two of three signs at least, None otherwise: cells become rare in any series that goes on for long.

    Args:
        distances: mean pairwise distance of every cycle's batch, oldest first.
        new_cells: cells opened in every cycle, as many.
        vendi: Vendi scores of all elites, as they were taken.
    """
    signs = [
        name
        for name, figures in (("self-similarity is up", distances), ("fewer new cells", new_cells))
        if _fallen(np.asarray(figures, dtype=np.float64))
    ]
    if len(vendi) >= 3 and vendi[-1] < VENDI_FALL * max(vendi):
        signs.append("the Vendi score is down")
    return Narrowing(since=max(len(distances) - RECENT, 0), signs=tuple(signs)) if len(signs) >= 2 else None


def _fallen(figures: Values) -> bool:
    """Mann-Whitney, with its correction for ties: the last cycles against twice as many before."""
    if len(figures) < 3 * RECENT:
        return False
    from scipy.stats import rankdata

    both = figures[-3 * RECENT :]
    ranks = np.asarray(rankdata(both), dtype=np.float64)
    variance = float(ranks.var(ddof=1)) * (1 / RECENT + 1 / (2 * RECENT))
    if variance == 0:
        return False
    return bool((ranks[-RECENT:].mean() - ranks[:-RECENT].mean()) / np.sqrt(variance) <= FALL)
