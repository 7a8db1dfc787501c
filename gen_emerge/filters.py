"""Hard filters: rule-based rejection before any model runs.

Takes one rendered array and what is already known (pixel hashes seen, measured signals); gives verdicts. Every limit is
written down here. Nothing here calls a model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.spoken import spoken
from gen_emerge.types import Bounds, Pixels, Verdict

NAMES = ("nan", "safety", "too-small", "black", "blank", "clipped", "duplicate")
"""What the built-in hard filters are called."""
MIN_SIDE = 32
"""Pixels: an image with a shorter side than this is too small to be judged."""
SAMPLE_SIDE = 64
"""Pixels a side of the regular sample on which tone is judged."""
BLACK_LEVEL = 8
"""0..255: an image whose 99.5th percentile is below this is black (a decoder that overflowed)."""
BLANK_SPREAD = 3.0
"""0..255: an image whose largest channel spread (1st-99th percentile) is below this is blank."""
CLIPPED_SHARE = 0.6
"""Share of pixels at pure black or pure white above which exposure is clipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A user's rule: reject when the signal is below or above a number. A comparison, never an expression."""

    signal: str
    below: float | None = None
    above: float | None = None
    name: str = ""


def not_finite() -> Verdict:
    """The `nan` verdict, for an image in which the generator gave NaN or infinite values."""
    return _fail("nan", None, "the generator gave NaN or infinite values")


def unsafe(reason: str) -> Verdict:
    """The `safety` verdict, for an image that the generator's own safety checker turned away."""
    return _fail("safety", None, reason)


def inspect_pixels(pixels: Pixels, *, pixels_hash: str, seen: Collection[str]) -> Verdict | None:
    """The first hard filter that an image fails, None when it passes all.

    Args:
        pixels: (h, w, 3) uint8.
        pixels_hash: its identity.
        seen: hashes of all pictures of the series so far.
    """
    side = min(pixels.shape[:2])
    if side < MIN_SIDE:
        reason = f"the shorter side is {side} px, at least {MIN_SIDE} are needed"
        return _fail("too-small", float(side), reason, Bounds(lower=MIN_SIDE))
    height, width = pixels.shape[:2]
    # Whole rows first: memory gives neighbours cheaply, and what is picked out of them is picked in the cache.
    rows = np.ascontiguousarray(pixels[:: max(1, height // SAMPLE_SIDE)])
    channels = np.ascontiguousarray(rows[:, :: max(1, width // SAMPLE_SIDE)].reshape(-1, 3).T)
    low, high, top = _levels(channels, (0.01, 0.99, 0.995))
    brightest = int(top.max())
    if brightest < BLACK_LEVEL:
        return _fail("black", float(brightest), "the image is black", Bounds(lower=BLACK_LEVEL))
    spread = float((high - low).max())
    if spread < BLANK_SPREAD:
        return _fail("blank", spread, "the image is one flat colour", Bounds(lower=BLANK_SPREAD))
    clipped = float(np.mean((channels.max(axis=0) <= 1) | (channels.min(axis=0) >= 254)))
    if clipped > CLIPPED_SHARE:
        reason = f"{clipped:.0%} of the pixels are pure black or white"
        return _fail("clipped", clipped, reason, Bounds(upper=CLIPPED_SHARE))
    if pixels_hash in seen:
        return _fail("duplicate", None, "exactly these pixels are already in the series")
    return None


def _levels(channels: NDArray[np.uint8], shares: Sequence[float]) -> NDArray[np.int64]:
    """Levels 0..255 of each of (3, n) channels below which these shares of its values lie: (len(shares), 3).

    The lower of two levels where a share falls between.
    """
    ordered = np.sort(channels, axis=1, kind="stable")  # of bytes: a radix sort
    return ordered[:, [int(share * (channels.shape[1] - 1)) for share in shares]].T.astype(np.int64)


def apply_rules(rules: Sequence[Rule], signals: Mapping[str, float]) -> Verdict | None:
    """The first of the user's rules that rejects, None when none does. A rule whose signal was not measured is skipped.

    Args:
        rules: in the series file's order.
        signals: name -> raw value.
    """
    for rule in rules:
        value = signals.get(rule.signal)
        if value is None:
            continue
        side = ""
        if rule.below is not None and value < rule.below:
            side = f"below {spoken(rule.below)}"
        elif rule.above is not None and value > rule.above:
            side = f"above {spoken(rule.above)}"
        if side:
            bounds = Bounds(lower=rule.below, upper=rule.above)
            return _fail(f"rule: {rule.name or rule.signal}", value, f"{rule.signal} {spoken(value)} is {side}", bounds)
    return None


def _fail(name: str, value: float | None, reason: str, bounds: Bounds | None = None) -> Verdict:
    return Verdict(gate=name, kind="filter", outcome="fail", value=value, bounds=bounds, reason=reason)
