"""Two versions of one scorer on the same pictures: what bounds the new one would get, and whose verdicts would change.

Takes raw numbers of both versions, each with its own bounds; gives counts, agreement of ranks, and the pictures that
tell most. Numbers of two versions are never compared with one another: only their verdicts and their ranks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.first import GateSetting
from gen_emerge.concordance import kendall, places, ranks, spearman, spearman_drawn
from gen_emerge.types import Bounds, Outcome

Values = NDArray[np.float64]
OUTCOMES: tuple[Outcome, ...] = ("pass", "review", "fail")
RESAMPLES = 1000
LEVEL = 0.95
LEAST = 3
"""Pictures without which no agreement of ranks is worth saying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two versions rank pictures alike.

    Args:
        images: how many were compared.
        spearman: rank correlation, -1 to 1; None where one version gave everybody the same, or there are too few.
        interval: (low, high) of a percentile bootstrap over pictures, None likewise.
        kendall: tau-b, None likewise.
        level: coverage of the interval.
    """

    images: int
    spearman: float | None = None
    interval: tuple[float, float] | None = None
    kendall: float | None = None
    level: float = LEVEL


def agreement(old: Values, new: Values, rng: np.random.Generator) -> Agreement:
    """Agreement of (n,) and (n,) raw numbers of the same pictures; `rng` draws them again."""
    count = len(old)
    if count < LEAST or np.ptp(old) == 0 or np.ptp(new) == 0:
        return Agreement(images=count)
    one, other = places(old), places(new)

    def drawn() -> Values:
        return np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)

    found = np.array([spearman_drawn(one, other, drawn()) for _ in range(RESAMPLES)])
    low, high = (float(v) for v in np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    return Agreement(
        images=count,
        spearman=spearman(old, new),
        interval=(low, high),
        kendall=kendall(old, new),
        level=LEVEL,
    )


def counts(old: Sequence[Outcome], new: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Old verdict -> new verdict -> how many pictures."""
    table = {before: dict.fromkeys(OUTCOMES, 0) for before in OUTCOMES}
    for before, after in zip(old, new, strict=True):
        table[before][after] += 1
    return {before: {str(after): number for after, number in row.items()} for before, row in table.items()}


def telling(old: Values, new: Values, before: Sequence[Outcome], after: Sequence[Outcome]) -> list[int]:
    """Places of the pictures whose verdict would change, the ones that tell most first.

    From pass to fail or back comes before what begins or ends in review; then by how far the picture's rank moves.
    """
    moved = np.abs(ranks(old) - ranks(new))
    flipped = [place for place, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    return sorted(flipped, key=lambda place: ("review" in (before[place], after[place]), -float(moved[place]), place))


def translated(setting: GateSetting, old: Values, new: Values) -> GateSetting:
    """A gate's setting with every number of the old version's replaced by the one with the same share below it.

    Args:
        setting: what the series file says.
        old: (n,) the old version's numbers on the pictures that thresholds come from, n >= 1.
        new: (m,) the new version's, m >= 1.
    """

    def same_share(value: float) -> float:
        share = float(np.mean(old < value) + np.mean(old <= value)) / 2
        return float(np.quantile(new, share))

    changes: dict[str, Any] = {}
    for end in ("lower", "upper"):
        value = getattr(setting, end)
        if isinstance(value, float):
            changes[end] = same_share(value)
    if isinstance(setting.review, float) and setting.review > 0:
        centre = next((v for v in (setting.lower, setting.upper) if isinstance(v, float)), float(np.median(old)))
        half = setting.review / 2
        changes["review"] = max(same_share(centre + half) - same_share(centre - half), 0.0)
    if isinstance(setting.duplicate, float):
        scale = float(np.median(old))
        changes["duplicate"] = setting.duplicate * (float(np.median(new)) / scale if scale > 0 else 1.0)
    return replace(setting, **changes)


def fixed_numbers(setting: GateSetting) -> dict[str, float]:
    """What a series file says of a gate in the units of one scorer: key -> number.

    No band and no distance are the same in every unit; a bound of 0 is not.
    """
    every = {key: getattr(setting, key) for key in ("lower", "upper", "review", "duplicate")}
    unitless = {key for key in ("review", "duplicate") if every[key] == 0.0}
    return {key: value for key, value in every.items() if isinstance(value, float) and key not in unitless}


def as_plain(bounds: Bounds) -> dict[str, float | None]:
    """Bounds as JSON."""
    return {
        "lower": bounds.lower,
        "upper": bounds.upper,
        "review": bounds.review,
        "review_upper": bounds.review_upper,
        "duplicate": bounds.duplicate,
    }
