"""Takes a library's own preprocessing; gives the same numbers from shared views, so that no resize is made twice.

The library stays the authority: on two trial pictures its own numbers are compared with those of the shared view, byte
for byte. Where they differ, or its way is none that is known here, the library's own function does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gen_emerge.scorers.views import Look, Views, scaled_planes
from gen_emerge.types import Pixels


class Preparation:
    """Image -> the planes that a network takes.

    Args:
        views: shared with the other scorers.
        own: the library's preprocessing: a picture -> (3, h, w) tensor.
        look: what it is believed to do to the size; None for what has no name here.
        mean: subtracted from each channel in [0, 1].
        std: divides it then.
    """

    def __init__(
        self,
        views: Views,
        own: Callable[[Image.Image], Any],
        *,
        look: Look | None,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self._views = views
        self._own = own
        self._mean = np.asarray(mean, np.float32)
        self._std = np.asarray(std, np.float32)
        self.look = look if look is not None and self._agrees(look) else None
        """The shared view, or None where the library's own function is called for every picture."""

    @property
    def tag(self) -> str:
        """For a scorer's version."""
        return self.look.tag if self.look else "own-view"

    def __call__(self, image: Pixels) -> NDArray[np.float32]:
        """(h, w, 3) uint8 -> (3, h, w) float32, as the network takes it."""
        if self.look is None:
            return self._whole(self._views.picture(image))
        return scaled_planes(self._views.see(image, self.look), self._mean, self._std)

    def _whole(self, picture: Image.Image) -> NDArray[np.float32]:
        return np.asarray(self._own(picture), dtype=np.float32)

    def _agrees(self, look: Look) -> bool:
        rng = np.random.default_rng(11)
        for height, width in ((57, 83), (look.height + 61, look.width - 19)):
            trial = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            ours = scaled_planes(Views().see(trial, look), self._mean, self._std)
            if not np.array_equal(ours, self._whole(Image.fromarray(trial))):
                return False
        return True
