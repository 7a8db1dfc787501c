"""What else can go wrong slowly: taste, variety. Sequences of plain numbers -> what moved and since when.

Takes flags and figures in the order in which they came; pure functions, no chance, no clock. What is done about an
alarm is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

TASTE_ALPHA = 0.001
"""A shift of taste is told when as much by chance alone would be seen once in a thousand looks."""
RECENT = 25
"""Cycles that are compared, with twice as many before them, when variety is looked at."""
FALL = -3.3
"""Standard errors (Mann-Whitney) by which a figure must have fallen."""
VENDI_FALL = 0.9
"""Share of its highest value below which a Vendi score has fallen: it cannot fall by adding images that differ."""


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
