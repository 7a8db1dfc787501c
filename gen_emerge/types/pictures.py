"""What an image is and what was measured of it. Plain frozen values; arrays are read-only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWING = "gen-emerge-drawing"
"""Key of a PNG's text: what bears it was drawn of other pictures (a contact sheet, a map) and is none itself."""

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 sRGB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A stored picture.

    Args:
        pixels: SHA-256 of "WxH:" and the 8-bit RGB bytes: identity, used by the duplicate filter.
        file: SHA-256 of the PNG's bytes, used by `verify`.
        path: of the PNG, relative to the series folder, with forward slashes.
        thumbnail: of the WebP, likewise.
        width: pixels.
        height: pixels.
        size: bytes of the PNG.
    """

    pixels: str
    file: str
    path: str
    thumbnail: str
    width: int
    height: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A point in one model's space: (d,) float32, L2-normalised, read-only. Other spaces refuse comparison."""

    space: str
    vector: NDArray[np.float32]

    def __post_init__(self) -> None:
        vector = np.ascontiguousarray(self.vector, dtype=np.float32)
        if vector.flags.writeable:
            vector = vector.copy()
            vector.setflags(write=False)
        object.__setattr__(self, "vector", vector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One measured number, raw: never rescaled in the store. `scorer` is the signal's name, such as "quality"."""

    scorer: str
    scorer_version: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One thing that is broken in one picture.

    Args:
        kind: a word such as "seam", "hand", "face" or "text".
        box: (left, top, right, bottom), each a share 0..1 of the width or height, left < right and top < bottom.
        reason: one sentence with the figures behind it.
    """

    kind: str
    box: tuple[float, float, float, float]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one scorer measured on one image: signals by name, and an embedding if it has a space."""

    signals: tuple[Signal, ...]
    embedding: Embedding | None = None
