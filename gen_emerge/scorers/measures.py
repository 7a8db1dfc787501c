"""Takes (h, w, 3) uint8 images; gives ten plain pixel statistics of each: the axes a map can be laid on.

Everything is measured on a copy whose longer side is at most 128 pixels (area average), in OKLab (Ottosson 2020,
https://bottosson.github.io/posts/oklab/), so a picture measures nearly the same at every size. Every value is finite
and within its natural limits for every image: black, constant, or one pixel. NumPy and Pillow only; no state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gen_emerge.types import Pixels, Reading, Signal

VERSION = "measures-1"
SIDE = 128
"""Longer side of the copy that is measured, pixels. Smaller images are measured as they are."""

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "warmth": (-1.0, 1.0),
        "edge_density": (0.0, 1.0),
        "lightness": (0.0, 1.0),
        "contrast": (0.0, 1.0),
        "colourfulness": (0.0, 1.0),
        "saturation": (0.0, 1.0),
        "entropy": (0.0, 1.0),
        "symmetry": (0.0, 1.0),
        "detail": (0.0, 1.0),
        "hue_spread": (0.0, 1.0),
    }
)
"""Signal name -> its natural limits; no image can give a value outside."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "warmth": "mean colour from cold blue (-1) over neutral (0) to warm orange (1)",
        "edge_density": "share of the picture that lies on edges of lightness",
        "lightness": "mean perceived lightness, black 0, white 1",
        "contrast": "lightness of the lightest 5% less that of the darkest 5%",
        "colourfulness": "spread and strength of colour, greys 0, a carnival 1",
        "saturation": "mean chroma, greys 0, pure magenta 1",
        "entropy": "how evenly all levels of lightness are used, one level 0, all alike 1",
        "symmetry": "likeness with the left-right mirror image: opposite 0, unrelated 0.5, equal 1",
        "detail": "share of the lightness variation that is finer than a thirty-second of the picture",
        "hue_spread": "how many hues share the picture: one 0, all around the circle 1",
    }
)
"""Signal name -> one line for people."""

_TO_LINEAR = np.where(
    np.arange(256) <= 10, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_WARM = (math.cos(math.radians(60.0)), math.sin(math.radians(60.0)))
"""Direction of orange in the (a, b) plane of OKLab: hue 60 degrees."""
_MOST_WARMTH = 0.25
_MOST_CHROMA = 0.3225
"""Chroma of pure magenta, the largest of all sRGB colours."""
_MOST_COLOURFUL = 150.0
_EDGE = 0.06
"""Change of lightness per pixel that counts as half an edge."""
_LEVELS = 64
_EPSILON = 1e-6


class PixelMeasures:
    """A scorer of role `measures`: every name in `LIMITS`, at about 2 ms a 512 px image."""

    @property
    def roles(self) -> frozenset[str]:
        """Only `measures`: nothing here gates."""
        return frozenset({"measures"})

    @property
    def versions(self) -> Mapping[str, str]:
        """Every signal has the version of the formulas."""
        return dict.fromkeys(LIMITS, VERSION)

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch; prompts are not looked at.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) ignored.

        Returns:
            (n,) readings with one signal for each name in `LIMITS`, no embedding.
        """
        return [_reading(measure(image)) for image in images]


def measure(image: Pixels) -> dict[str, float]:
    """Measure one (h, w, 3) uint8 image: every name in `LIMITS`, in that order, within its limits."""
    small = shrink(image)
    lab = oklab(small)
    light, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    chroma = np.sqrt(a * a + b * b)
    mean_a, mean_b, mean_chroma = float(a.mean()), float(b.mean()), float(chroma.mean())
    values = {
        "warmth": (mean_a * _WARM[0] + mean_b * _WARM[1]) / _MOST_WARMTH,
        "edge_density": _edge_density(light),
        "lightness": float(light.mean()),
        "contrast": _contrast(light),
        "colourfulness": _colourfulness(small),
        "saturation": mean_chroma / _MOST_CHROMA,
        "entropy": _entropy(light),
        "symmetry": _symmetry(light),
        "detail": _detail(light),
        "hue_spread": 1.0 - (math.hypot(mean_a, mean_b) + 1e-3) / (mean_chroma + 1e-3),
    }
    return {name: min(max(float(values[name]), low), high) for name, (low, high) in LIMITS.items()}


def shrink(image: Pixels, side: int = SIDE) -> Pixels:
    """Return a copy with the longer side at most `side` (area average, at least one pixel), or the image itself."""
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def oklab(image: Pixels) -> NDArray[np.float32]:
    """Turn (..., 3) uint8 sRGB into (..., 3) float32 OKLab: lightness 0..1, a and b about -0.32..0.32."""
    return np.cbrt(_TO_LINEAR[image] @ _TO_LMS.T) @ _TO_LAB.T


def _reading(values: Mapping[str, float]) -> Reading:
    return Reading(
        signals=tuple(Signal(scorer=name, scorer_version=VERSION, value=value) for name, value in values.items())
    )


def _edge_density(light: NDArray[np.float32]) -> float:
    """Mean of g^2 / (g^2 + t^2) for the gradient g: a soft count, so that jitter moves it little."""
    if min(light.shape) < 2:
        return 0.0
    down = light[1:, :-1] - light[:-1, :-1]
    across = light[:-1, 1:] - light[:-1, :-1]
    squared = down * down + across * across
    return float((squared / (squared + _EDGE * _EDGE)).mean())


def _contrast(light: NDArray[np.float32]) -> float:
    low, high = np.percentile(light, (5, 95))
    return float(high - low)


def _colourfulness(image: Pixels) -> float:
    """Hasler & Suesstrunk 2003, "Measuring colourfulness in natural images", equation for M(3), divided by 150."""
    red, green, blue = (image[..., channel].astype(np.float32) for channel in range(3))
    first, second = red - green, 0.5 * (red + green) - blue
    spread = math.hypot(float(first.std()), float(second.std()))
    strength = math.hypot(float(first.mean()), float(second.mean()))
    return (spread + 0.3 * strength) / _MOST_COLOURFUL


def _entropy(light: NDArray[np.float32]) -> float:
    levels = np.clip((light * _LEVELS).astype(np.int64), 0, _LEVELS - 1)
    share = np.bincount(levels.ravel(), minlength=_LEVELS) / levels.size
    share = share[share > 0]
    return float(-(share * np.log(share)).sum()) / math.log(_LEVELS)


def _symmetry(light: NDArray[np.float32]) -> float:
    """(1 + r) / 2 with r the correlation of the picture and its mirror image; a flat picture is symmetric."""
    centred = light - light.mean()
    both = float((centred * centred[:, ::-1]).mean())
    return 0.5 + 0.5 * (both + _EPSILON) / (float((centred * centred).mean()) + _EPSILON)


def _detail(light: NDArray[np.float32]) -> float:
    """One less the share of the variance that 4 x 4 block means keep."""
    height, width = (length - length % 4 for length in light.shape)
    if height < 4 or width < 4:
        return 0.0
    part = light[:height, :width]
    blocks = part.reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))
    return 1.0 - (float(blocks.var()) + _EPSILON) / (float(part.var()) + _EPSILON)
