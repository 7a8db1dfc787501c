"""Takes pictures; gives seams: straight lines from edge to edge where two halves that should be one do not meet.

They come from tiled decoding and tiled upscaling, and from pictures pasted together. The measure is this project's own:
at a seam the step between two neighbouring columns exceeds the usual one nearby, in nearly every strip of the height,
the first and the last among them, and at one and the same column. It looks at nothing else, so it needs no model.

**What it cannot tell.** A straight edge that somebody drew from side to side (tiles, stripes, a horizon without a
ripple, a frame) is the same thing to it. Figures on synthetic pictures: `tests/models/test_defects.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.scorers.defects import Defect
from gen_emerge.scorers.single import check_options
from gen_emerge.types import Pixels

OPTIONS = {"least_share": float, "wraps": bool}
SHARES = (0.01, 1.0)
"""What `least_share` may be: along 0 of it every line is a seam."""
VERSION = "seams-1"
FAINTEST = 1.5
"""Steps that stand out by less than this many of 255 levels are not seen by anybody."""
STRIPS = 12
"""Into how many strips the line is cut; each is asked on its own."""
NEARBY = 10
"""Columns to each side that say what is usual."""
CLEAR = 3.0
"""Robust deviations beyond the usual."""
LEAST_SIDE = 48
"""Pictures with a shorter side are not looked at, pixels."""
MARGIN = 3
"""Columns at each border that are not looked at: frames and dark edges are no seams."""


class Seams:
    """Finds vertical and horizontal seams, and (where asked) borders that do not meet when the picture is tiled.

    Args:
        options: least_share (0.01..1, default 0.8): along how much of a line the step must stand out; wraps (default
            false): the picture is meant to be tiled, so opposite borders are looked at too.
        device: not used: it is a little arithmetic.

    Raises:
        BadInput: an unknown option, a wrong type, or a share that no line can have or every line has.
    """

    name = "seams"

    def __init__(self, options: Mapping[str, Any], *, device: str = "cpu") -> None:
        check_options("detectors.seams", options, OPTIONS, ranges={"least_share": SHARES})
        self._share = float(options.get("least_share", 0.8))
        self._wraps = bool(options.get("wraps", False))
        self.version = f"{VERSION}:share-{self._share}:wraps-{self._wraps}"

    def find(self, images: Sequence[Pixels]) -> Sequence[Sequence[Defect]]:
        """Seams of each picture, vertical ones first, from left to right; then horizontal, from the top."""
        return [self._of(image) for image in images]

    def _of(self, image: Pixels) -> tuple[Defect, ...]:
        grey = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        return (*self._across(grey, "vertical"), *self._across(np.ascontiguousarray(grey.T), "horizontal"))

    def _across(self, grey: NDArray[np.float32], way: str) -> list[Defect]:
        height, width = grey.shape
        if height < LEAST_SIDE or width < LEAST_SIDE:
            return []
        places, excess, shares = measured(grey)
        lines = np.flatnonzero(shares >= self._share)
        # One seam can make two neighbouring columns stand out: the larger step is it.
        lines = np.array([i for i in lines if not any(abs(i - j) <= 2 and excess[j] > excess[i] for j in lines)], int)
        spacing = _spacing(places[lines])
        found: list[Defect] = []
        for line in lines:
            at = float(places[line]) / width
            repeated = f", one of {len(lines)} every {spacing} pixels" if spacing else ""
            reason = (
                f"A {way} seam at {at:.0%}{repeated}: the step stands out along {shares[line]:.0%} of the line, "
                f"by {excess[line]:.1f} levels."
            )
            found.append(Defect(kind="seam", box=_box(at, 1 / width, way), reason=reason))
        return [*found, *(self._border(grey, way) if self._wraps else [])]

    def _border(self, grey: NDArray[np.float32], way: str) -> list[Defect]:
        """The two borders, put side by side as a tiling would."""
        half = LEAST_SIDE // 2
        places, excess, shares = measured(np.concatenate([grey[:, -half:], grey[:, :half]], axis=1))
        line = int(np.flatnonzero(places == half)[0])
        if shares[line] < self._share:
            return []
        reason = (
            f"Tiled, the borders make a {way} seam: the step stands out along {shares[line]:.0%} of the line, "
            f"by {excess[line]:.1f} levels."
        )
        return [Defect(kind="seam", box=_box(1.0, 1 / grey.shape[1], way), reason=reason)]


def measured(
    grey: NDArray[np.float32], *, margin: int = MARGIN
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """How much the step at each column stands out.

    The rows are cut into `STRIPS` strips. In a strip, a step stands out when its mean size, or its mean with its sign
    (less its neighbours', so that a slope is none), is `CLEAR` robust deviations beyond what the columns nearby have.

    Args:
        grey: (h, w) float32, 0..255.
        margin: columns at each border that are left out.

    Returns:
        Places (m,): the seam would lie between columns p - 1 and p; excess (m,): the median over the strips of how
        far the step goes beyond the usual one nearby, levels; shares (m,): the share of strips in which it stands out,
        0 where it does not in the first or the last: what ends before the border was drawn.
    """
    steps = np.diff(grey, axis=1)
    strips = np.array_split(np.arange(len(grey)), STRIPS)
    sizes = np.stack([np.abs(steps[rows]).mean(0) for rows in strips])
    signed = np.stack([steps[rows].mean(0) for rows in strips])
    bent = np.zeros_like(signed)
    bent[:, 1:-1] = np.abs(signed[:, 1:-1] - (signed[:, :-2] + signed[:, 2:]) / 2)
    beyond, clear = _beyond(sizes)
    bent_beyond, bent_clear = _beyond(bent)
    out = (clear >= CLEAR) & (beyond >= FAINTEST) | (bent_clear >= CLEAR) & (bent_beyond >= FAINTEST)
    shares = np.where(out[0] & out[-1], out.mean(0), 0.0)
    places = np.arange(1, grey.shape[1])
    kept = (places > margin) & (places < grey.shape[1] - margin)
    excess = np.median(np.maximum(beyond, bent_beyond), axis=0)
    return places[kept], excess[kept].astype(np.float64), shares[kept].astype(np.float64)


def _beyond(values: NDArray[np.float32]) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """How far each column's value is beyond the median of those nearby: in levels, and in robust deviations."""
    padded = np.pad(values, ((0, 0), (NEARBY, NEARBY)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEARBY + 1, axis=1)
    around = np.delete(windows, (NEARBY - 1, NEARBY, NEARBY + 1), axis=2)
    middle = np.median(around, axis=2)
    spread = 1.4826 * np.median(np.abs(around - middle[..., None]), axis=2)
    beyond = values - middle
    return beyond, beyond / np.maximum(spread, 0.2)


def _spacing(places: NDArray[np.int64]) -> int | None:
    """The distance between lines, when three or more have one and the same within a pixel."""
    if len(places) < 3:
        return None
    gaps = np.diff(places)
    return int(np.median(gaps)) if np.ptp(gaps) <= 2 else None


def _box(at: float, thin: float, way: str) -> tuple[float, float, float, float]:
    low, high = max(0.0, at - 2 * thin), min(1.0, at + 2 * thin)
    return (low, 0.0, high, 1.0) if way == "vertical" else (0.0, low, 1.0, high)
