"""Takes (h, w, 3) uint8 images of any size; gives what models look at, and remembers it while the image lives.

Several models look at one batch, one after another, and often at the same small picture of it. What was worked out for
an image (its decoded form, a resize, a network's features) is kept for as long as that very array is alive and cannot
change, so the second model finds it there. Nothing is kept for an array that somebody may still write to.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gen_emerge.types import Pixels

T = TypeVar("T")
WIDEST = 100
"""Of a strip more than so many times as long as wide, only the middle is scaled."""
LIMIT_BYTES = 256 << 20
"""How much is remembered before what was used longest ago is forgotten."""

Resample = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Fit = Literal["squash", "shortest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a model wants to see a picture.

    Args:
        height: pixels.
        width: pixels.
        fit: "squash" ignores the proportions; "shortest" scales the shorter side and takes the middle (square only).
        resample: the filter, as Pillow names it.
    """

    height: int
    width: int
    fit: Fit
    resample: Resample

    @property
    def tag(self) -> str:
        """For a scorer's version."""
        return f"{self.fit}-{self.resample}-{self.height}x{self.width}"


class ByPicture(Generic[T]):
    """What was worked out for pictures. Used by one thread at a time.

    Args:
        limit: bytes kept before the least recently used picture is forgotten.
    """

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        # By identity, with a weak reference that clears the entry: arrays do not hash, and an id can be given again.
        self._kept: OrderedDict[int, tuple[weakref.ref[Pixels], dict[Hashable, tuple[T, int]]]] = OrderedDict()

    def __len__(self) -> int:
        """How many pictures something is remembered of."""
        return len(self._kept)

    def get(self, image: Pixels, key: Hashable) -> T | None:
        """What was kept under a key for this very array, or None."""
        entry = self._kept.get(id(image))
        if entry is None or entry[0]() is not image or not _is_settled(image):
            return None
        self._kept.move_to_end(id(image))
        found = entry[1].get(key)
        return found[0] if found else None

    def put(self, image: Pixels, key: Hashable, value: T, *, size: int) -> T:
        """Keep a value of `size` bytes for an array that cannot change; gives the value back."""
        if not _is_settled(image) or size > self._limit:
            return value
        place = id(image)
        entry = self._kept.get(place)
        if entry is None or entry[0]() is not image:
            self._forget(place)
            entry = (weakref.ref(image, lambda _: self._forget(place)), cast(dict[Hashable, tuple[T, int]], {}))
            self._kept[place] = entry
        _, before = entry[1].get(key, (None, 0))
        entry[1][key] = (value, size)
        self._bytes += size - before
        self._kept.move_to_end(place)
        while self._bytes > self._limit and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        return value

    def _forget(self, place: int) -> None:
        entry = self._kept.pop(place, None)
        if entry is not None:
            self._bytes -= sum(size for _, size in entry[1].values())


class Views:
    """Decodes and resizes pictures, each once for all the scorers that share these views."""

    def __init__(self) -> None:
        self._decoded: ByPicture[Image.Image] = ByPicture()
        self._seen: ByPicture[Pixels] = ByPicture()
        self.decodes = 0
        """Pictures decoded so far."""
        self.resizes = 0
        """Resizes made so far."""

    def picture(self, image: Pixels) -> Image.Image:
        """The picture as Pillow's RGB image. Not to be changed: it is shared."""
        found = self._decoded.get(image, "picture")
        if found is not None:
            return found
        self.decodes += 1
        # Pillow keeps four bytes a pixel.
        return self._decoded.put(image, "picture", Image.fromarray(image), size=image.shape[0] * image.shape[1] * 4)

    def see(self, image: Pixels, look: Look) -> Pixels:
        """The picture as a model wants to see it: (look.height, look.width, 3) uint8, read-only."""
        height, width = image.shape[:2]
        if (height, width) == (look.height, look.width):
            return image
        # A square picture is squashed and fitted by its shorter side alike: one resize serves both.
        fit = "squash" if height == width else look.fit
        key = (look.height, look.width, look.resample, fit)
        found = self._seen.get(image, key)
        if found is not None:
            return found
        self.resizes += 1
        picture, how = self.picture(image), Image.Resampling[look.resample.upper()]
        if fit == "squash":
            made = np.asarray(picture.resize((look.width, look.height), how))
        else:
            made = _middle(picture, look.width, how)
        made.setflags(write=False)
        return self._seen.put(image, key, made, size=made.nbytes)


def scaled_planes(view: Pixels, mean: NDArray[np.float32], std: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 3) uint8 -> (3, h, w) float32: value / 255, less the mean, over the deviation, as torchvision does it."""
    planes = np.ascontiguousarray(view.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
    return (planes - mean[:, None, None]) / std[:, None, None]


def _middle(picture: Image.Image, side: int, how: Image.Resampling) -> Pixels:
    """The shorter side scaled to `side`, the longer one in proportion (rounded down), and the middle cut out."""
    width, height = picture.size
    if max(width, height) > WIDEST * min(width, height):
        # Scaled as a whole, such a strip would take more memory than anything else here. Its middle alone is cut first.
        keep = WIDEST * min(width, height)
        left, top = max(0, (width - keep) // 2), max(0, (height - keep) // 2)
        picture = picture.crop((left, top, min(width, left + keep), min(height, top + keep)))
        width, height = picture.size
    wide = side if width <= height else int(side * width / height)
    high = side if height <= width else int(side * height / width)
    left, top = round((wide - side) / 2.0), round((high - side) / 2.0)
    return np.asarray(picture.resize((wide, high), how))[top : top + side, left : left + side].copy()


def _is_settled(image: Pixels) -> bool:
    """Nobody can write to it, nor to the array it is a window of."""
    here: Any = image
    while isinstance(here, np.ndarray):
        if here.flags.writeable:
            return False
        here = here.base
    return True
