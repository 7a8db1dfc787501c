"""Takes a palette's name and a few shifts; gives its colours in OKLab, ready for the kernels.

Every palette is designed in OKLCH with area proportions: a ground (60%), a second (30%) and a third colour (10%), and
an accent used sparingly. Matrices: Ottosson 2020, "A perceptual color space for image processing"
(https://bottosson.github.io/posts/oklab/). Numbers are (lightness 0..1, chroma 0..0.3, hue in degrees).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Triple = tuple[float, float, float]


class Palette(NamedTuple):
    """Four colours in OKLCH, by the share of the picture that they take."""

    ground: Triple
    second: Triple
    third: Triple
    accent: Triple


PALETTES: Mapping[str, Palette] = MappingProxyType(
    {
        "ember": Palette((0.25, 0.06, 25), (0.55, 0.18, 36), (0.83, 0.13, 80), (0.78, 0.10, 200)),
        "ochre": Palette((0.84, 0.08, 85), (0.66, 0.13, 65), (0.38, 0.07, 30), (0.46, 0.12, 255)),
        "terracotta": Palette((0.64, 0.12, 43), (0.90, 0.045, 80), (0.36, 0.06, 230), (0.72, 0.10, 190)),
        "coral": Palette((0.92, 0.03, 60), (0.71, 0.16, 28), (0.38, 0.08, 300), (0.70, 0.11, 185)),
        "saffron": Palette((0.82, 0.155, 82), (0.95, 0.04, 95), (0.45, 0.15, 28), (0.42, 0.15, 290)),
        "rose": Palette((0.88, 0.045, 5), (0.66, 0.15, 8), (0.36, 0.07, 280), (0.74, 0.12, 150)),
        "plum": Palette((0.28, 0.09, 328), (0.54, 0.15, 355), (0.85, 0.07, 55), (0.86, 0.15, 98)),
        "wine": Palette((0.29, 0.10, 15), (0.52, 0.18, 24), (0.86, 0.06, 75), (0.70, 0.09, 225)),
        "carnival": Palette((0.94, 0.035, 95), (0.62, 0.16, 250), (0.64, 0.21, 27), (0.84, 0.17, 92)),
        "orchid": Palette((0.80, 0.08, 315), (0.60, 0.17, 300), (0.88, 0.11, 95), (0.40, 0.14, 270)),
        "lagoon": Palette((0.50, 0.09, 205), (0.82, 0.08, 185), (0.27, 0.07, 255), (0.75, 0.16, 45)),
        "arctic": Palette((0.93, 0.022, 230), (0.74, 0.08, 232), (0.36, 0.09, 265), (0.67, 0.18, 36)),
        "indigo": Palette((0.27, 0.11, 272), (0.50, 0.15, 262), (0.86, 0.07, 65), (0.80, 0.15, 70)),
        "midnight": Palette((0.17, 0.04, 262), (0.37, 0.09, 245), (0.78, 0.09, 200), (0.76, 0.15, 55)),
        "forest": Palette((0.29, 0.06, 155), (0.52, 0.10, 135), (0.86, 0.07, 95), (0.67, 0.17, 42)),
        "moss": Palette((0.87, 0.055, 115), (0.63, 0.12, 132), (0.34, 0.07, 180), (0.60, 0.18, 25)),
        "jade": Palette((0.72, 0.10, 168), (0.93, 0.035, 140), (0.31, 0.07, 210), (0.66, 0.19, 15)),
        "sand": Palette((0.90, 0.03, 80), (0.74, 0.065, 60), (0.42, 0.06, 235), (0.60, 0.15, 32)),
        "slate": Palette((0.38, 0.03, 252), (0.64, 0.04, 230), (0.90, 0.02, 85), (0.74, 0.16, 65)),
        "sumi": Palette((0.94, 0.014, 90), (0.66, 0.012, 80), (0.22, 0.015, 270), (0.55, 0.19, 28)),
    }
)
"""Name -> palette; warm and cool, dark and light."""


def oklab(colour: Triple, hue_shift: float = 0.0, chroma: float = 1.0) -> Triple:
    """Turn OKLCH into OKLab, with the hue turned by `hue_shift` degrees and the chroma multiplied."""
    angle = math.radians(colour[2] + hue_shift)
    return colour[0], colour[1] * chroma * math.cos(angle), colour[1] * chroma * math.sin(angle)


def linear_rgb(lab: Triple) -> Triple:
    """Turn OKLab into linear sRGB, unclipped (Ottosson 2020)."""
    lms = (
        (lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2]) ** 3,
        (lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2]) ** 3,
        (lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2]) ** 3,
    )
    return (
        4.0767416621 * lms[0] - 3.3077115913 * lms[1] + 0.2309699292 * lms[2],
        -1.2684380046 * lms[0] + 2.6097574011 * lms[1] - 0.3413193965 * lms[2],
        -0.0041960863 * lms[0] - 0.7034186147 * lms[1] + 1.7076147010 * lms[2],
    )


def into_gamut(lab: Triple) -> Triple:
    """Keep lightness and hue, take chroma away until the colour fits into sRGB."""
    low, high = 0.0, 1.0
    if all(0.0 <= c <= 1.0 for c in linear_rgb(lab)):
        return lab
    for _ in range(16):
        middle = 0.5 * (low + high)
        if all(0.0 <= c <= 1.0 for c in linear_rgb((lab[0], lab[1] * middle, lab[2] * middle))):
            low = middle
        else:
            high = middle
    return lab[0], lab[1] * low, lab[2] * low


def _mix(a: Triple, b: Triple, t: float) -> Triple:
    return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])


def _smooth(low: float, high: float, value: float) -> float:
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def _stops(palette: Palette, hue_shift: float, chroma: float) -> tuple[list[Triple], list[Triple]]:
    """Return the two ends (near, far) of each of the three plateaus, in OKLab."""
    near: list[Triple] = []
    far: list[Triple] = []
    for light, strength, hue in (palette.ground, palette.second, palette.third):
        away = -1.0 if light > 0.55 else 1.0
        near.append(into_gamut(oklab((light + 0.015 * away, strength, hue - 7.0), hue_shift, chroma)))
        far.append(into_gamut(oklab((light + 0.075 * away, strength * 1.12, hue + 9.0), hue_shift, chroma)))
    return near, far


def rows(name: str, hue_shift: float, chroma: float) -> list[Triple]:
    """Return the 260 rows of the palette: the ramp (three plateaus of 60 / 30 / 10 per cent), then the extras.

    Args:
        name: A key of PALETTES.
        hue_shift: Turn of every hue, degrees.
        chroma: Factor of every chroma.

    Returns:
        OKLab rows: 0..255 the ramp, 256 accent, 257 ink (the darkest), 258 light (the lightest), 259 ground.
    """
    palette = PALETTES[name]
    near, far = _stops(palette, hue_shift, chroma)
    table: list[Triple] = []
    for index in range(256):
        t = index / 255.0
        ground = _mix(near[0], far[0], min(t / 0.54, 1.0))
        second = _mix(far[1], near[1], min(max((t - 0.56) / 0.26, 0.0), 1.0))
        third = _mix(far[2], near[2], min(max((t - 0.87) / 0.13, 0.0), 1.0))
        table.append(_mix(_mix(ground, second, _smooth(0.52, 0.60, t)), third, _smooth(0.81, 0.88, t)))
    by_light = sorted((palette.ground, palette.second, palette.third), key=lambda colour: colour[0])
    dark, light = by_light[0], by_light[-1]
    table.append(into_gamut(oklab(palette.accent, hue_shift, chroma)))
    table.append(into_gamut(oklab((min(0.16, dark[0] * 0.62), min(dark[1], 0.05), dark[2]), hue_shift, chroma)))
    table.append(into_gamut(oklab((max(0.95, light[0]), min(light[1], 0.04), light[2]), hue_shift, chroma)))
    table.append(into_gamut(oklab(palette.ground, hue_shift, chroma)))
    return table
