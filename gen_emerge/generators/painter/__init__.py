"""Takes words, a seed and parameters; gives a picture: procedural art in eight schools, no weights, no network.

`paint` returns (height, width, 3) uint8 sRGB. The same arguments give the same bytes, whatever the threads or
the order; any size shows the same picture, finer. This module must stay light: numba is imported by the first `paint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gen_emerge.generators.painter.words import PARAMETERS, SLOTS, check_parameters, check_slots, understand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PARAMETERS", "SLOTS", "VERSION", "paint", "understand"]

VERSION = "painter-1"
"""Changes whenever the same genome would give other bytes."""

SMALLEST, LARGEST = 16, 8192


def paint(
    slots: Mapping[str, str], seed: int, parameters: Mapping[str, float], width: int, height: int
) -> NDArray[np.uint8]:
    """Paint one picture.

    Args:
        slots: Slot -> word, both from SLOTS; a missing slot gets a neutral default.
        seed: Any integer >= 0.
        parameters: Name -> value, within the ranges of PARAMETERS; a missing one takes the middle of its range.
        width: Pixels, 16..8192.
        height: Pixels, 16..8192.

    Returns:
        (height, width, 3) uint8 sRGB, C-contiguous.

    Raises:
        ValueError: If a word, a parameter or a size is unknown or out of range; the nearest known one is named.
    """
    chosen, values = check_slots(slots), check_parameters(parameters)
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ValueError(f"size is {width}x{height}; both sides must lie in {SMALLEST}..{LARGEST}")
    from gen_emerge.generators.painter.easel import render

    return render(chosen, seed, values, width, height)
