"""Takes (h, w, 3) uint8 images of any size; gives the fixed-size planes that the networks look at.

The training script uses the same functions, so a network never sees anything prepared in another way. Planes are
(3, side, side) float32 in [-1, 1], C-contiguous. Pillow and NumPy only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gen_emerge.types import Pixels

TRUNK_SIDE = 96
"""Side of the whole view that prompt, distance and style look at, pixels."""
CROP_SIDE = 64
"""Side of the quality network's native-size crops and of its whole view, pixels."""
PLACES = (0.2, 0.5, 0.8)
"""Centres of the nine possible crops in each direction, as shares of the length, moved inwards if they stick out."""
RANKS = (0, 1, 2, 4, 8)
"""Which of the nine are taken, from the liveliest on: blur shows at edges, noise and blocks on plain ground."""


def whole(image: Pixels, side: int) -> Pixels:
    """Return the whole picture at (side, side, 3) uint8, averaged when it shrinks; its proportions are not kept."""
    if image.shape[:2] == (side, side):
        return image
    shrinks = min(image.shape[:2]) > side
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((side, side), how))


def crops(image: Pixels, side: int = CROP_SIDE) -> NDArray[np.uint8]:
    """Return five native-size crops, the liveliest first, and the whole view: (6, side, side, 3) uint8.

    An image smaller than `side` in one direction is first enlarged (nearest pixel) so that the crops fit.
    """
    height, width = image.shape[:2]
    if min(height, width) < side:
        size = (max(width, side), max(height, side))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.NEAREST))
        height, width = image.shape[:2]
    views: list[Pixels] = []
    for down in PLACES:
        for across in PLACES:
            top = min(max(round(down * height) - side // 2, 0), height - side)
            left = min(max(round(across * width) - side // 2, 0), width - side)
            views.append(image[top : top + side, left : left + side])
    order = np.argsort([-_liveliness(view) for view in views], kind="stable")
    return np.stack([*(views[order[rank]] for rank in RANKS), whole(image, side)])


def _liveliness(view: Pixels) -> float:
    """Mean step between neighbouring pixels of the green channel."""
    green = view[..., 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())


def planes(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn (n, side, side, 3) uint8 into (n, 3, side, side) float32 in [-1, 1]."""
    turned = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    turned *= np.float32(1 / 127.5)
    turned -= np.float32(1.0)
    return turned
