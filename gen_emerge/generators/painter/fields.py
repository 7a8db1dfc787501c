"""Takes points in unit coordinates; gives chance, noise, palette colours and the focal mask. Shared by every school.

Unit coordinates: the origin is the middle of the picture, the short side is 1, x to the right, y down.
A plan `p` is a float64 array: PLAN_SIZE numbers, indexed by the names below, then the focal mask on a lattice that
reaches 0.1 beyond the picture. A palette `pal` is a (260, 3) float32 array in OKLab: rows 0..255 are the ramp, then
ACCENT, INK, LIGHT and GROUND.
"""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.generators.painter.jit import kernel

# Places in the plan.
SCALE, DENSITY, WARP, MOTION, COS, SIN, FOCUS_X, FOCUS_Y = range(8)
COMPOSITION, HALF_X, HALF_Y, RELIEF, OFF_X, OFF_Y, MASK_COLUMNS, CENTRE_X, CENTRE_Y = range(8, 17)
PLAN_SIZE = 17
MASK_FINENESS = 64.0  # lattice points of the focal mask per unit
# Rows of a palette after its ramp.
ACCENT, INK, LIGHT, GROUND = 256, 257, 258, 259

_RNG = np.random.Generator(np.random.PCG64(20261120))
_PERM = np.tile(_RNG.permutation(256), 2).astype(np.uint32)
_ANGLES = np.tile(_RNG.permutation(256), 3)[:513] * (2.0 * np.pi / 256.0)
_GX, _GY = np.cos(_ANGLES), np.sin(_ANGLES)


@kernel
def chance(seed: int, index: int, purpose: int) -> float:
    """Return a number in [0, 1) that depends on the three integers only (a counter-based generator)."""
    x = (seed * 73856093) ^ (index * 19349663) ^ (purpose * 83492791)
    x = (x ^ (x >> 32)) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    x = x ^ (x >> 16)
    return x * 2.3283064365386963e-10


@kernel
def step(low: float, high: float, value: float) -> float:
    """Return 0 below `low`, 1 above `high`, smooth between."""
    t = (value - low) / (high - low)
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@kernel
def noise(x: float, y: float) -> float:
    """Return gradient noise, about in [-1, 1], period 256 (Perlin 2002: quintic fade)."""
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx) & 255, int(fy) & 255
    x -= fx
    y -= fy
    u = x * x * x * (x * (x * 6.0 - 15.0) + 10.0)
    v = y * y * y * (y * (y * 6.0 - 15.0) + 10.0)
    a, b = _PERM[i] + j, _PERM[i + 1] + j
    p = _GX[a] * x + _GY[a] * y
    q = _GX[b] * (x - 1.0) + _GY[b] * y
    r = _GX[a + 1] * x + _GY[a + 1] * (y - 1.0)
    s = _GX[b + 1] * (x - 1.0) + _GY[b + 1] * (y - 1.0)
    top = p + u * (q - p)
    return float(1.5 * (top + v * (r + u * (s - r) - top)))


@kernel
def fractal(x: float, y: float, octaves: int) -> float:
    """Return summed noise of `octaves` octaves, about in [-1, 1]; each octave is turned to hide the lattice."""
    total, amplitude, size = 0.0, 1.0, 0.0
    for _ in range(octaves):
        total += amplitude * noise(x, y)
        size += amplitude
        amplitude *= 0.5
        x, y = 1.62 * x - 1.17 * y + 17.3, 1.17 * x + 1.62 * y + 31.7
    return 1.3 * total / size


@kernel
def focal(p: np.ndarray, x: float, y: float) -> float:
    """Return the focal mask in [0, 1] at a point: 1 where the picture is dense, 0 where it is quiet."""
    columns = int(p[MASK_COLUMNS])
    rows = (p.shape[0] - PLAN_SIZE) // columns
    u = min(max((x + p[HALF_X] + 0.1) * MASK_FINENESS, 0.0), columns - 1.001)
    v = min(max((y + p[HALF_Y] + 0.1) * MASK_FINENESS, 0.0), rows - 1.001)
    j, i = int(u), int(v)
    u -= j
    v -= i
    k = PLAN_SIZE + i * columns + j
    top = p[k] + u * (p[k + 1] - p[k])
    return top + v * (p[k + columns] + u * (p[k + columns + 1] - p[k + columns]) - top)


@kernel
def write_mask(p: np.ndarray) -> None:
    """Fill the mask's lattice in the plan, from the composition and the focus; find where it is heaviest on average."""
    columns = int(p[MASK_COLUMNS])
    total, sum_x, sum_y = 1e-9, 0.0, 0.0
    for k in range(p.shape[0] - PLAN_SIZE):
        x = (k % columns) / MASK_FINENESS - p[HALF_X] - 0.1
        y = (k // columns) / MASK_FINENESS - p[HALF_Y] - 0.1
        m = _mask(p, x, y)
        p[PLAN_SIZE + k] = m
        total += m * m
        sum_x += m * m * x
        sum_y += m * m * y
    p[CENTRE_X], p[CENTRE_Y] = sum_x / total, sum_y / total


@kernel
def _mask(p: np.ndarray, x: float, y: float) -> float:
    """Return the focal mask of a composition at a point."""
    word = int(p[COMPOSITION])
    hx, hy = p[HALF_X], p[HALF_Y]
    dx, dy = x - p[FOCUS_X], y - p[FOCUS_Y]
    wobble = 0.07 * noise(3.0 * x + p[OFF_Y], 3.0 * y + p[OFF_X])
    if word == 0:  # centred
        return 1.0 - step(0.16, 0.52, math.sqrt(dx * dx + dy * dy) + wobble)
    if word == 1:  # off-centre
        sx = -1.0 if p[FOCUS_X] <= 0.0 else 1.0
        sy = -1.0 if p[FOCUS_Y] <= 0.0 else 1.0
        dx, dy = x - sx * 0.62 * hx - 0.3 * p[FOCUS_X], y - sy * 0.6 * hy - 0.3 * p[FOCUS_Y]
        return 1.0 - step(0.10, 0.62, math.sqrt(dx * dx + dy * dy) + wobble)
    if word == 2:  # diagonal
        side = (dx * hy - dy * hx) / math.sqrt(hx * hx + hy * hy)
        return 1.0 - step(0.07, 0.32, abs(side) + wobble)
    if word == 3:  # banded
        return step(-0.25, 0.45, math.sin(2.0 * math.pi * 2.1 * (dy + 0.6 * wobble) + 1.2))
    if word == 4:  # scattered
        return step(0.0, 0.4, noise(3.4 * x + p[OFF_X] + 3.0 * p[FOCUS_X], 3.4 * y + p[OFF_Y] + 3.0 * p[FOCUS_Y]))
    if word == 5:  # framed
        edge = min(hx - abs(x - 0.25 * p[FOCUS_X]), hy - abs(y - 0.25 * p[FOCUS_Y]))
        return 1.0 - step(0.10, 0.27, edge + 0.5 * wobble)
    if word == 6:  # horizon
        return step(-0.12, 0.16, dy - 0.04 + wobble + 0.06 * math.sin(4.0 * dx))
    return 0.7


@kernel
def ramp(pal: np.ndarray, t: float, channel: int) -> float:
    """Return one OKLab channel of the palette's ramp at t in [0, 1]."""
    s = min(max(t, 0.0), 1.0) * 254.999
    i = int(s)
    f = s - i
    return pal[i, channel] * (1.0 - f) + pal[i + 1, channel] * f


@kernel
def lay(canvas: np.ndarray, i: int, j: int, a: float, lab0: float, lab1: float, lab2: float) -> None:
    """Lay one OKLab colour over a pixel with cover `a` in [0, 1]."""
    canvas[i, j, 0] += a * (lab0 - canvas[i, j, 0])
    canvas[i, j, 1] += a * (lab1 - canvas[i, j, 1])
    canvas[i, j, 2] += a * (lab2 - canvas[i, j, 2])
