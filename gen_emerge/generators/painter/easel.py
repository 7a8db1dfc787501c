"""Takes checked words and numbers; gives the finished picture. The one place where the kernels are put together.

It must never be imported before the first picture is painted (it imports numba).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen_emerge.generators.painter import fields, finish, growth, palettes, schools_drawn, schools_fields
from gen_emerge.generators.painter.words import SLOTS

Floats = NDArray[np.float32]


class Mood(NamedTuple):
    """How a mood acts in every school: on the tone curve, on colour, on motion."""

    lift: float
    gain: float
    chroma: float
    tint: tuple[float, float]
    quiet: float
    glow: float
    spread: float
    vignette: float
    motion: float


NEUTRAL = Mood(0.0, 1.0, 1.0, (0.0, 0.0), 0.28, 0.04, 0.46, 0.04, 1.0)
MOODS: Mapping[str, Mood] = {
    "serene": Mood(0.05, 0.80, 0.80, (-0.004, -0.004), 0.45, 0.02, 0.34, 0.0, 0.45),
    "stormy": Mood(-0.13, 1.25, 0.75, (-0.006, -0.016), 0.20, 0.07, 0.60, 0.16, 1.75),
    "luminous": Mood(0.10, 1.05, 1.12, (0.0, 0.012), 0.25, 0.08, 0.48, 0.0, 0.95),
    "sombre": Mood(-0.22, 0.95, 0.55, (0.004, 0.002), 0.36, 0.05, 0.42, 0.14, 0.75),
    "dreamy": Mood(0.11, 0.62, 0.72, (0.014, -0.010), 0.42, 0.06, 0.30, -0.06, 0.85),
    "electric": Mood(-0.03, 1.35, 1.45, (0.0, -0.012), 0.14, 0.05, 0.64, 0.08, 1.45),
    "melancholic": Mood(-0.07, 0.85, 0.62, (-0.014, -0.030), 0.40, 0.03, 0.40, 0.08, 0.65),
    "joyful": Mood(0.05, 1.10, 1.28, (0.008, 0.022), 0.16, 0.04, 0.52, 0.0, 1.25),
}
SCALES: Mapping[str, float] = {"fine": 2.1, "medium": 1.25, "bold": 0.8, "monumental": 0.48}


@cache
def _curve() -> NDArray[np.uint8]:
    """Return the table linear light (4097 steps over [0, 1]) -> sRGB byte (IEC 61966-2-1)."""
    linear = np.arange(4097) / 4096.0
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255.0 * encoded).astype(np.uint8)


@cache
def _palette(name: str, hue_shift: float) -> Floats:
    table = np.array(palettes.rows(name, hue_shift, 1.0), dtype=np.float32)
    table.setflags(write=False)
    return table


def _plan(
    slots: Mapping[str, str], values: Mapping[str, float], seed: int, mood: Mood, width: int, height: int
) -> NDArray[np.float64]:
    """Return the numbers that the kernels read (see `fields`)."""
    short = min(width, height)
    columns = math.ceil((width / short + 0.2) * fields.MASK_FINENESS) + 2
    rows = math.ceil((height / short + 0.2) * fields.MASK_FINENESS) + 2
    plan = np.zeros(fields.PLAN_SIZE + rows * columns)
    plan[fields.HALF_X], plan[fields.HALF_Y] = 0.5 * width / short, 0.5 * height / short
    plan[fields.MASK_COLUMNS] = columns
    plan[fields.SCALE] = SCALES.get(slots.get("scale", ""), 1.0)
    plan[fields.DENSITY], plan[fields.WARP] = values["density"], values["warp"]
    plan[fields.MOTION] = mood.motion
    angle = 2.0 * math.pi * values["rotation"]
    plan[fields.COS], plan[fields.SIN] = math.cos(angle), math.sin(angle)
    plan[fields.FOCUS_X] = (values["focus_x"] - 0.5) * plan[fields.HALF_X]
    plan[fields.FOCUS_Y] = (values["focus_y"] - 0.5) * plan[fields.HALF_Y]
    word = slots.get("composition")
    plan[fields.COMPOSITION] = SLOTS["composition"].index(word) if word else 99
    plan[fields.RELIEF] = 0.25 + 1.25 * values["relief"]
    plan[fields.OFF_X] = 250.0 * fields.chance(seed, 1, 9001)
    plan[fields.OFF_Y] = 250.0 * fields.chance(seed, 2, 9001)
    fields.write_mask(plan)
    return plan


def _look(slots: Mapping[str, str], values: Mapping[str, float], mood: Mood) -> NDArray[np.float64]:
    """Return the numbers of the finish (see `finish`)."""
    look = np.zeros(finish.LOOK_SIZE)
    contrast = 0.75 + 0.5 * values["contrast"]
    look[finish.LIFT], look[finish.GAIN], look[finish.CHROMA] = mood.lift, mood.gain * contrast, mood.chroma
    look[finish.TINT_A], look[finish.TINT_B] = mood.tint
    look[finish.QUIET], look[finish.GLOW] = mood.quiet, mood.glow
    look[finish.SPREAD], look[finish.VIGNETTE] = mood.spread * contrast, mood.vignette
    look[finish.TEXTURE] = SLOTS["texture"].index(slots["texture"]) if "texture" in slots else 0
    return look


def _draw(school: str, plan: NDArray[np.float64], pal: Floats, seed: int, canvas: Floats, height: Floats) -> None:
    """Paint one school onto the canvas and its height."""
    if school == "marbled":
        phase, shade = np.empty_like(height), np.empty_like(height)
        schools_fields.marbled_phase(plan, phase, shade)
        schools_fields.marbled(plan, pal, phase, shade, canvas, height)
    elif school == "moire":
        rings, spokes = np.empty_like(height), np.empty_like(height)
        schools_fields.moire_phase(plan, seed, rings, spokes)
        schools_fields.moire(plan, pal, seed, rings, spokes, canvas, height)
    elif school == "glass":
        schools_fields.glass(plan, pal, seed, canvas, height)
    elif school == "tiles":
        schools_fields.tiles(plan, pal, seed, canvas, height)
    elif school == "strokes":
        schools_drawn.strokes(plan, pal, seed, canvas, height)
    elif school == "circles":
        schools_drawn.circles(plan, pal, seed, np.zeros((4000, 3)), canvas, height)
    elif school == "branches":
        growth.branches(plan, pal, seed, np.zeros((64, 5)), canvas, height)
    else:
        _attractor(plan, pal, seed, canvas, height)


def _attractor(plan: NDArray[np.float64], pal: Floats, seed: int, canvas: Floats, height: Floats) -> None:
    """Paint the attractor: gather density, smooth it by a set width, colour it."""
    density, tint, scratch = np.zeros_like(height), np.zeros_like(height), np.empty_like(height)
    samples = int(min(max(2.2 * height.size, 90_000), 6_000_000))
    schools_drawn.attractor_density(plan, seed, samples, density, tint)
    width = 0.0028 * min(height.shape)  # standard deviation, pixels; one box of radius r has sqrt((4 r r + 4 r) / 12)
    radius = max(round(0.5 * math.sqrt(6.0 * width * width + 1.0) - 0.5), 1)
    for layer in (density, tint):
        for _ in range(2 if width > 1.0 else 1):
            finish.blur(layer, layer, scratch, radius)
    schools_drawn.attractor(plan, pal, samples, density, tint, canvas, height)


def render(
    slots: Mapping[str, str], seed: int, values: Mapping[str, float], width: int, height: int
) -> NDArray[np.uint8]:
    """Paint one picture from checked words and parameters; returns (height, width, 3) uint8 sRGB."""
    fine = 2 if min(width, height) < 160 else 1  # small pictures are painted twice as large, then averaged
    w, h = width * fine, height * fine
    seed = (seed ^ (seed >> 31)) & 0x7FFFFFFF
    mood = MOODS.get(slots.get("mood", ""), NEUTRAL)
    plan = _plan(slots, values, seed, mood, w, h)
    look = _look(slots, values, mood)
    pal = _palette(slots["palette"], round(values["hue_shift"], 3))
    canvas, relief = np.empty((h, w, 3), np.float32), np.empty((h, w), np.float32)
    _draw(slots["school"], plan, pal, seed, canvas, relief)
    soft, wide, scratch = np.empty_like(relief), np.empty_like(relief), np.empty_like(relief)
    short = min(w, h)
    finish.blur(relief, soft, scratch, max(round(0.0025 * short), 1))
    finish.blur(relief, wide, scratch, max(round(0.008 * short), 1))
    finish.blur(wide, wide, scratch, max(round(0.008 * short), 1))
    histogram = np.zeros(512)
    finish.surface(plan, pal, look, canvas, relief, soft, wide, histogram)
    out = np.empty((h, w, 3), np.uint8)
    finish.develop(canvas, look, histogram, _curve(), out)
    if fine == 2:
        blocks = out.reshape(height, 2, width, 2, 3).astype(np.uint16).sum(axis=(1, 3))
        return ((blocks + 2) // 4).astype(np.uint8)
    return out
