"""Takes (h, w, 3) uint8 pixels; gives what can be seen of them without a network: a few ratios and words for places.

Measured in OKLab (Ottosson 2020) on a copy of at most 128 (speckle and stripes: 256) pixels a side, so that an image
looks alike at every size. Every value is finite for every image. These are no scores: they say how something is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from gen_emerge.types import Pixels

_SMALL, _LARGE, _TILES = 128, 256, 8
_EPSILON = 1e-6
_FLAT = 0.012
"""Lightness spread of a tile (0..1) below which nothing is to be seen in it: about three 8-bit steps."""
_FINE = 24
"""Cycles a picture from which stripes are dense."""
_LEVELS = np.arange(256) / 255
_TO_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
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
_HUES = (
    (12, "crimson"), (42, "red"), (75, "orange"), (118, "yellow"), (160, "green"), (210, "teal"), (275, "blue"),
    (320, "violet"), (360, "pink"),
)  # fmt: skip
"""Upper end of each hue in degrees of OKLab, and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What was seen.

    Args:
        values: name -> ratio. `offset`: distance of the visual weight from the middle, in half pictures. `pull`: how
            much busier the busiest twelfth of the picture is than the whole. `emptiness`: share of tiles without
            structure. `clash`: how far strong hues lie apart, 0 for one hue or for greys. `stripes`: share of the
            lightness variance in the strongest dense wave. `specks`: share of it by which single pixels stand out
            (absent below 256 pixels a side).
        colours: the two most frequent colour names.
        busiest: where the busiest tiles are, such as "upper left".
        emptiest: where the emptiest tiles are.
        heavier: towards where the weight lies.
    """

    values: dict[str, float]
    colours: tuple[str, str]
    busiest: str
    emptiest: str
    heavier: str


def look(pixels: Pixels) -> Looks:
    """Look at one image."""
    large = _shrunk(pixels, _LARGE)
    lab = _oklab(_shrunk(large, _SMALL))
    light = lab[..., 0]
    spread = _tile_spread(light)
    x, y = _weight(light)
    values = {
        "offset": float(np.hypot(x, y)),
        "pull": _pull(spread),
        "emptiness": float((spread < _FLAT).mean()),
    }
    fine = _oklab(large)[..., 0]
    values["stripes"] = _stripes(fine)
    values["clash"] = _clash(lab)
    if max(pixels.shape[:2]) >= _LARGE and min(fine.shape) >= 8:
        values["specks"] = _specks(fine)
    return Looks(
        values=values,
        colours=_colours(lab),
        busiest=_place(spread),
        emptiest=_place(-spread),
        heavier=_direction(x, y),
    )


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Pictures.fromarray(pixels).resize(size, Pictures.Resampling.BOX))


def _oklab(pixels: Pixels) -> NDArray[np.float32]:
    return np.cbrt(_TO_LINEAR[pixels] @ _TO_LMS.T) @ _TO_LAB.T


def _tile_spread(light: NDArray[np.float32]) -> NDArray[np.float64]:
    """(rows, columns) standard deviation of lightness in at most 8 x 8 tiles."""
    exact = light.astype(np.float64)
    rows, columns = (np.arange(k) * n // k for n, k in ((n, min(_TILES, n)) for n in light.shape))

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)

    count = total(np.ones_like(exact))
    mean = total(exact) / count
    return np.sqrt(np.maximum(total(exact * exact) / count - mean * mean, 0.0))


def _weight(light: NDArray[np.float32]) -> tuple[float, float]:
    """Centre of what differs from the usual lightness: (right, down), each -1 .. 1."""
    mass = np.abs(light - np.median(light)) + _EPSILON
    rows = np.linspace(-1, 1, light.shape[0]) if light.shape[0] > 1 else np.zeros(1)
    columns = np.linspace(-1, 1, light.shape[1]) if light.shape[1] > 1 else np.zeros(1)
    total = float(mass.sum())
    return float((mass.sum(axis=0) * columns).sum() / total), float((mass.sum(axis=1) * rows).sum() / total)


def _pull(spread: NDArray[np.float64]) -> float:
    ordered = np.sort(spread.ravel())
    top = max(1, len(ordered) // 12)
    return float((ordered[-top:].mean() + _EPSILON) / (ordered.mean() + _EPSILON))


def _stripes(light: NDArray[np.float32]) -> float:
    centred = light - light.mean()
    variance = float((centred * centred).mean())
    if min(light.shape) < 8 or variance < 1e-4:
        return 0.0
    window = np.outer(np.hanning(light.shape[0]), np.hanning(light.shape[1])).astype(np.float32)
    power = np.abs(np.fft.rfft2(centred * window)) ** 2
    down = np.abs(np.fft.fftfreq(light.shape[0]) * light.shape[0])
    across = np.fft.rfftfreq(light.shape[1]) * light.shape[1]
    dense = np.hypot(down[:, None], across[None, :]) >= _FINE
    if not dense.any():
        return 0.0
    # A pure wave's power lies in a few neighbouring bins of the windowed spectrum.
    band = np.where(dense, power, 0.0)
    band = band + np.roll(band, 1, 0) + np.roll(band, -1, 0)
    band = band + np.roll(band, 1, 1) + np.roll(band, -1, 1)
    return float(band.max() / (power.sum() + _EPSILON))


def _specks(light: NDArray[np.float32]) -> float:
    """Share of the variance in differences from the median of each pixel's four neighbours."""
    inner = light[1:-1, 1:-1]
    around = np.stack([light[:-2, 1:-1], light[2:, 1:-1], light[1:-1, :-2], light[1:-1, 2:]])
    apart = np.maximum(inner - around.max(axis=0), 0) + np.maximum(around.min(axis=0) - inner, 0)
    return float((apart * apart).mean() / (light.var() + 1e-4))


def _clash(lab: NDArray[np.float32]) -> float:
    """Circular variance of hue, weighted by chroma; fades out where there is hardly any chroma (below 0.06)."""
    a, b = lab[..., 1], lab[..., 2]
    chroma = float(np.hypot(a, b).mean())
    spread = 1.0 - (float(np.hypot(a.mean(), b.mean())) + 1e-3) / (chroma + 1e-3)
    return max(spread, 0.0) * min(1.0, chroma / 0.06)


def _colours(lab: NDArray[np.float32]) -> tuple[str, str]:
    flat = lab.reshape(-1, 3)
    names: dict[str, int] = {}
    hue = np.degrees(np.arctan2(flat[:, 2], flat[:, 1])) % 360
    chroma = np.hypot(flat[:, 1], flat[:, 2])
    bins = np.searchsorted([end for end, _ in _HUES], hue, side="left")
    tone = np.digitize(flat[:, 0], [0.35, 0.75])
    grey = chroma < 0.03
    codes, counts = np.unique(np.where(grey, 100, bins * 3) + tone, return_counts=True)
    for code, many in zip(codes, counts, strict=True):
        name = _colour_name(int(code))
        names[name] = names.get(name, 0) + int(many)
    ranked = sorted(names, key=lambda name: (-names[name], name))
    return ranked[0], ranked[1] if len(ranked) > 1 and names[ranked[1]] > 0.05 * len(flat) else ranked[0]


def _colour_name(code: int) -> str:
    if code >= 100:
        return ("near-black", "grey", "near-white")[code - 100]
    name = _HUES[min(code // 3, len(_HUES) - 1)][1]
    tone = code % 3
    if tone == 0 and name in ("orange", "yellow"):
        return "brown"
    return (f"dark {name}", name, f"pale {name}")[tone]


def _place(weights: NDArray[np.float64]) -> str:
    """Words for the strongest tile's place."""
    row, column = np.unravel_index(int(np.argmax(weights)), weights.shape)
    y = (row + 0.5) / weights.shape[0]
    x = (column + 0.5) / weights.shape[1]
    vertical = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    horizontal = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    if vertical and horizontal:
        return f"{vertical} {horizontal}"
    if vertical:
        return f"{vertical} middle"
    return f"{horizontal} side" if horizontal else "middle"


def _direction(x: float, y: float) -> str:
    if abs(x) >= abs(y):
        return "left" if x < 0 else "right"
    return "top" if y < 0 else "bottom"
