"""Takes a plan, a palette and a seed; paints the school of branches. Arrays as in `schools_fields`."""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.generators.painter import fields as f
from gen_emerge.generators.painter.fields import chance, focal, lay, noise, ramp, step
from gen_emerge.generators.painter.jit import kernel
from gen_emerge.generators.painter.schools_drawn import mark, wash

ACCENT, INK, LIGHT, GROUND = f.ACCENT, f.INK, f.LIGHT, f.GROUND
SCALE, DENSITY, WARP, MOTION, COS, SIN = f.SCALE, f.DENSITY, f.WARP, f.MOTION, f.COS, f.SIN
FOCUS_X, FOCUS_Y, HALF_X, HALF_Y, OFF_X, OFF_Y = f.FOCUS_X, f.FOCUS_Y, f.HALF_X, f.HALF_Y, f.OFF_X, f.OFF_Y


@kernel
def _scene(p: np.ndarray, pal: np.ndarray, seed: int, canvas: np.ndarray, height: np.ndarray) -> None:
    """Lay the far things: a large disc (sun or moon) and two veiled ridges."""
    wash(p, pal, canvas, height)
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    radius = 0.15 + 0.10 * chance(seed, 1, 2)
    sx, sy = p[FOCUS_X] + 0.3 * (chance(seed, 2, 2) - 0.5), p[FOCUS_Y] - 0.12
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            d = math.sqrt((x - sx) * (x - sx) + (y - sy) * (y - sy))
            a = 0.9 * (1.0 - step(radius - px, radius + px, d))
            lay(canvas, i, j, a, ramp(pal, 0.70, 0), ramp(pal, 0.70, 1), ramp(pal, 0.70, 2))
            for k in range(2):
                top = 0.22 + 0.13 * k + 0.12 * noise(1.6 * x + p[OFF_X] + 9.0 * k, p[OFF_Y] + 3.0 * k)
                top += 0.02 * noise(9.0 * x + p[OFF_Y], 5.0 * k)
                veil = step(top - px, top + px, y) * (0.75 - 0.6 * step(0.0, 0.35, y - top))
                t = 0.42 + 0.24 * k
                lay(canvas, i, j, veil, ramp(pal, t, 0), ramp(pal, t, 1), ramp(pal, t, 2))


@kernel
def _blossom(
    p: np.ndarray, pal: np.ndarray, seed: int, number: int, x: float, y: float, canvas: np.ndarray, height: np.ndarray
) -> None:
    """Lay one blossom beside the end of a twig; two in five have the accent colour."""
    bloom = (0.007 + 0.010 * chance(seed, number, 60)) / p[SCALE] ** 0.4
    bx, by = x + 0.03 * (chance(seed, number, 61) - 0.5), y + 0.03 * (chance(seed, number, 62) - 0.5)
    rest = chance(seed, number, 63)
    petal = (ramp(pal, 0.72 + 0.2 * rest, 0) + 0.1 * rest, ramp(pal, 0.72, 1), ramp(pal, 0.72, 2))
    if rest < 0.4:
        petal = (pal[ACCENT, 0], pal[ACCENT, 1], pal[ACCENT, 2])
    mark(canvas, height, p, (bx, by, bloom, bx + 0.004, by, bloom * 0.8), petal, 0.95, 0.75, 0.0)


@kernel
def branches(
    p: np.ndarray, pal: np.ndarray, seed: int, stack: np.ndarray, canvas: np.ndarray, height: np.ndarray
) -> None:
    """Grow trees from below: far ones pale, near ones in ink, blossom at the tips where the picture is dense."""
    _scene(p, pal, seed, canvas, height)
    thick = 0.030 / p[SCALE] ** 0.6
    lean = math.atan2(p[SIN], p[COS])
    for plant in range(5):
        near = plant >= 2
        x0 = p[HALF_X] * 1.7 * (chance(seed, plant, 3) - 0.5)
        for k in range(3):  # the densest of a few places
            other = p[HALF_X] * 1.7 * (chance(seed, plant, 90 + k) - 0.5)
            if focal(p, other, 0.1) > focal(p, x0, 0.1):
                x0 = other
        if plant == 4:
            x0 = 0.5 * p[f.CENTRE_X] + 0.6 * p[FOCUS_X] + 0.5 * p[HALF_X] * (chance(seed, 9, 3) - 0.5)
        t = 0.66 if not near else 0.95
        dark = (pal[INK, 0], pal[INK, 1], pal[INK, 2])
        share = (0.25, 0.4, 0.75, 0.85, 1.0)[plant]
        colour = (
            ramp(pal, t, 0) + share * share * (dark[0] - ramp(pal, t, 0)),
            ramp(pal, t, 1) + share * share * (dark[1] - ramp(pal, t, 1)),
            ramp(pal, t, 2) + share * share * (dark[2] - ramp(pal, t, 2)),
        )
        size = (0.7 + 0.3 * share) * (0.85 + 0.3 * chance(seed, plant, 4))
        stack[0, 0], stack[0, 1], stack[0, 2] = x0, p[HALF_Y] + 0.03, -1.5708 + 0.5 * lean
        stack[0, 3], stack[0, 4] = thick * size * (0.5 + 0.5 * share), 0.0
        left, number = 1, 0
        while left > 0:
            left -= 1
            x, y, angle, r, depth = stack[left, 0], stack[left, 1], stack[left, 2], stack[left, 3], stack[left, 4]
            pieces = 3
            reach = size * 0.30 * 0.80**depth * (0.7 + 0.6 * chance(seed, number, 20 + plant)) / pieces
            for _ in range(pieces):
                number += 1
                bent = (0.25 + 0.9 * p[WARP]) * p[MOTION]
                angle += bent * 0.55 * noise(5.0 * x + p[OFF_X] + plant, 5.0 * y + p[OFF_Y]) + 0.05 * (
                    chance(seed, number, 30) - 0.5
                )
                nx, ny = x + reach * math.cos(angle), y + reach * math.sin(angle)
                thin = r * (0.93 if depth > 0 else 0.88)
                mark(canvas, height, p, (x, y, r, nx, ny, thin), colour, 1.0, 0.3 + 0.5 * share, 0.0)
                x, y, r = nx, ny, thin
            m = focal(p, x, y)
            if near and depth > 3 and chance(seed, number, 40 + plant) < 0.12 + (0.25 + 0.75 * p[DENSITY]) * m:
                _blossom(p, pal, seed, number, x, y, canvas, height)
            limit = 5.0 + 2.0 * p[DENSITY] + 1.5 * m
            if m < 0.2 and depth > 3.0 and chance(seed, number, 95) < 0.55:
                continue
            if depth + 1.0 > limit or r < 0.0004 or number > 2400:
                continue
            fork = 2 if chance(seed, number, 50 + plant) < 0.86 else 3
            for k in range(fork):
                if left >= stack.shape[0]:
                    break
                spread = (0.30 + 0.35 * chance(seed, number + k, 70)) * (1.0 + 0.35 * p[WARP])
                stack[left, 0], stack[left, 1] = x, y
                stack[left, 2] = angle + spread * (k - 0.5 * (fork - 1)) * 2.0 - 0.06 * math.cos(angle)
                stack[left, 3] = r * (0.62 + 0.16 * chance(seed, number + k, 80))
                stack[left, 4] = depth + 1.0
                left += 1
