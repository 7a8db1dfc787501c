"""Takes a plan, a palette and a seed; paints the schools that are drawn mark by mark.

Schools: strokes, attractor, circles, branches. Arrays as in `schools_fields`. The number of marks depends on the plan
only, never on the number of pixels (the attractor's sample count does: more samples, the same density, less noise).
"""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.generators.painter import fields as f
from gen_emerge.generators.painter.fields import chance, focal, lay, noise, ramp, step
from gen_emerge.generators.painter.jit import kernel

ACCENT, INK, LIGHT, GROUND = f.ACCENT, f.INK, f.LIGHT, f.GROUND
SCALE, DENSITY, WARP, MOTION, COS, SIN = f.SCALE, f.DENSITY, f.WARP, f.MOTION, f.COS, f.SIN
FOCUS_X, FOCUS_Y, HALF_X, HALF_Y, OFF_X, OFF_Y = f.FOCUS_X, f.FOCUS_Y, f.HALF_X, f.HALF_Y, f.OFF_X, f.OFF_Y


@kernel
def wash(p: np.ndarray, pal: np.ndarray, canvas: np.ndarray, height: np.ndarray) -> None:
    """Lay the ground: a slow, uneven wash of the first plateau of the ramp."""
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            a = noise(1.1 * x + p[OFF_X], 1.6 * y + p[OFF_Y])
            b = noise(4.1 * x + 0.8 * a + p[OFF_Y], 4.9 * y + p[OFF_X])
            t = 0.24 + 0.20 * a + 0.07 * b + 0.12 * y / p[HALF_Y]
            for k in range(3):
                canvas[i, j, k] = ramp(pal, min(max(t, 0.0), 0.54), k)
            height[i, j] = 0.06 + 0.03 * b


@kernel
def mark(
    canvas: np.ndarray,
    height: np.ndarray,
    p: np.ndarray,
    geometry: tuple[float, float, float, float, float, float],
    colour: tuple[float, float, float],
    cover: float,
    lift: float,
    bristle: float,
) -> None:
    """Draw one tapered segment with round ends: geometry = x0, y0, r0, x1, y1, r1 in unit coordinates."""
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    x0, y0, r0, x1, y1, r1 = geometry
    reach = max(r0, r1) + 1.5 * px
    i0 = max(int((min(y0, y1) - reach + p[HALF_Y]) / px), 0)
    i1 = min(int((max(y0, y1) + reach + p[HALF_Y]) / px) + 2, h)
    j0 = max(int((min(x0, x1) - reach + p[HALF_X]) / px), 0)
    j1 = min(int((max(x0, x1) + reach + p[HALF_X]) / px) + 2, w)
    dx, dy = x1 - x0, y1 - y0
    length2 = dx * dx + dy * dy + 1e-12
    inverse = 1.0 / math.sqrt(length2)
    for i in range(i0, i1):
        y = (i + 0.5) * px - p[HALF_Y] - y0
        for j in range(j0, j1):
            x = (j + 0.5) * px - p[HALF_X] - x0
            t = min(max((x * dx + y * dy) / length2, 0.0), 1.0)
            ex, ey = x - t * dx, y - t * dy
            d = math.sqrt(ex * ex + ey * ey)
            r = r0 + t * (r1 - r0)
            a = (r - d) / px + 0.5
            if a <= 0.0:
                continue
            a = min(a, 1.0)
            if r < 0.5 * px:
                a *= 2.0 * r / px
            a *= cover
            side = (x * dy - y * dx) * inverse / (r + 1e-9)
            hair = 0.0
            if bristle > 0.0:
                hair = noise(4.0 * side + 37.0 * bristle, 91.0 * bristle)
            lay(canvas, i, j, a, colour[0] + 0.07 * hair, colour[1], colour[2])
            top = lift * (0.45 + 0.45 * math.sqrt(max(1.0 - side * side, 0.0)) + 0.35 * hair)
            height[i, j] += a * (top - height[i, j])


@kernel
def strokes(p: np.ndarray, pal: np.ndarray, seed: int, canvas: np.ndarray, height: np.ndarray) -> None:
    """Lay brush strokes of three sizes along a flow field; large and quiet first, small at the focus last."""
    wash(p, pal, canvas, height)
    hx, hy = p[HALF_X] + 0.05, p[HALF_Y] + 0.05
    area = 4.0 * hx * hy
    turns = (0.5 + 1.5 * p[WARP]) * p[MOTION]
    base = math.atan2(p[SIN], p[COS])
    for layer in range(3):
        wide = (0.030, 0.016, 0.0075)[layer] / p[SCALE] ** 0.8
        count = int(area * (0.26, 0.24, 0.22)[layer] / (wide * 0.2) * (0.6 + 0.8 * p[DENSITY]))
        for n in range(count):
            x = ((n * 0.7548776662466927 + chance(seed, layer, 1)) % 1.0 * 2.0 - 1.0) * hx
            y = ((n * 0.5698402909980532 + chance(seed, layer, 2)) % 1.0 * 2.0 - 1.0) * hy
            m = focal(p, x, y)
            kept = 0.5 + 0.5 * m if layer == 0 else (0.15 + 0.85 * m if layer == 1 else 0.03 + 0.97 * m)
            if chance(seed, n, 10 + layer) > kept:
                continue
            t = 0.44 + 0.75 * noise(1.5 * x + p[OFF_X], 1.5 * y + p[OFF_Y]) + 0.16 * (chance(seed, n, 20 + layer) - 0.5)
            t += 0.16 * (m - 0.4) * layer
            light = 0.09 * (chance(seed, n, 30 + layer) - 0.5)
            colour = (ramp(pal, t, 0) + light, ramp(pal, t, 1), ramp(pal, t, 2))
            if layer == 2 and chance(seed, n, 40) < 0.07:
                colour = (pal[ACCENT, 0] + light, pal[ACCENT, 1], pal[ACCENT, 2])
            pieces = 7
            reach = wide * (7.0 + 7.0 * chance(seed, n, 50 + layer)) / pieces
            bristle = 0.05 + chance(seed, n, 60 + layer)
            for k in range(pieces):
                angle = base + 3.1 * turns * noise(0.9 * x + p[OFF_Y], 0.9 * y + p[OFF_X])
                nx, ny = x + reach * math.cos(angle), y + reach * math.sin(angle)
                r0 = wide * (1.0 - 0.75 * step(0.55, 1.05, k / pieces))
                r1 = wide * (1.0 - 0.75 * step(0.55, 1.05, (k + 1) / pieces))
                mark(canvas, height, p, (x, y, r0, nx, ny, r1), colour, 0.93, 0.55 + 0.2 * layer, bristle)
                x, y = nx, ny


@kernel
def _wave(x: float) -> float:
    """Return a smooth stand-in for sin(x): period 2 pi, parabola arcs, error below 0.06."""
    t = x * 0.15915494309189535
    t -= math.floor(t + 0.5)
    s = t * (8.0 - 16.0 * abs(t))
    return s * (0.775 + 0.225 * abs(s))


@kernel
def attractor_density(p: np.ndarray, seed: int, samples: int, density: np.ndarray, tint: np.ndarray) -> None:
    """Carry an even sheet of points a few times through a folding map (after de Jong): silk, not dust."""
    h, w = density.shape
    px = 2.0 * p[HALF_Y] / h
    a = 1.2 + 1.3 * chance(seed, 1, 1)
    b = (1.1 + 1.2 * chance(seed, 2, 1)) * (1.0 if chance(seed, 2, 2) < 0.5 else -1.0)
    c = 1.2 + 1.3 * chance(seed, 3, 1)
    d = (1.1 + 1.2 * chance(seed, 4, 1)) * (1.0 if chance(seed, 4, 2) < 0.5 else -1.0)
    e = 0.75 + 0.5 * p[MOTION] * (0.3 + p[WARP])
    size = 0.27 / p[SCALE] ** 0.45
    ox, oy = 0.25 * p[FOCUS_X] + 0.8 * p[f.CENTRE_X], 0.25 * p[FOCUS_Y] + 0.8 * p[f.CENTRE_Y]
    s0, s1 = 2.4 * chance(seed, 5, 1), 2.4 * chance(seed, 6, 1)
    spread = 0.7 + 0.8 * p[DENSITY]
    jitter = 1.5 / math.sqrt(samples)
    for n in range(samples):
        shake = chance(seed, n, 9)
        u = (n * 0.7548776662466927 + jitter * shake) % 1.0
        v = (n * 0.5698402909980532 + jitter * ((64.0 * shake) % 1.0)) % 1.0
        x, y = 3.2 * spread * (u - 0.5) + s0, 3.2 * spread * (v - 0.5) + s1
        x, y = _wave(a * y) - _wave(b * x + 1.57), _wave(c * x) - _wave(d * y + 1.57)
        z = x
        x, y = _wave(a * e * y + 0.4) - _wave(b * x + 1.57), _wave(c * e * x) - _wave(d * y + 1.57)
        x, y = _wave(a * y) - _wave(b * e * x + 1.57), _wave(c * x + 0.7) - _wave(d * y + 1.57)
        gx = (ox + size * (p[COS] * x - p[SIN] * y) + p[HALF_X]) / px - 0.5
        gy = (oy + size * (p[SIN] * x + p[COS] * y) + p[HALF_Y]) / px - 0.5
        j, i = math.floor(gx), math.floor(gy)
        if i < 0 or j < 0 or i >= h - 1 or j >= w - 1:
            continue
        gx -= j
        gy -= i
        density[i, j] += (1.0 - gx) * (1.0 - gy)
        density[i, j + 1] += gx * (1.0 - gy)
        density[i + 1, j] += (1.0 - gx) * gy
        density[i + 1, j + 1] += gx * gy
        tint[i, j] += (1.0 - gx) * (1.0 - gy) * z
        tint[i, j + 1] += gx * (1.0 - gy) * z
        tint[i + 1, j] += (1.0 - gx) * gy * z
        tint[i + 1, j + 1] += gx * gy * z


@kernel
def attractor(
    p: np.ndarray,
    pal: np.ndarray,
    samples: int,
    density: np.ndarray,
    tint: np.ndarray,
    canvas: np.ndarray,
    height: np.ndarray,
) -> None:
    """Colour the density: thin cloth shows the ground, folds go through the ramp to the accent."""
    wash(p, pal, canvas, height)
    h, w = density.shape
    px = 2.0 * p[HALF_Y] / h
    unit = 1.0 / (samples * px * px)
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            m = focal(p, x, y)
            mass = density[i, j] * unit
            turn = tint[i, j] / (density[i, j] + 1e-6)
            cloth = math.log1p(2.2 * mass) * 0.42
            t = 0.60 + 0.20 * turn + 0.22 * (cloth - 0.5)
            cover = step(0.0, 0.75, cloth) * (0.25 + 0.75 * m)
            lay(canvas, i, j, 0.95 * cover, ramp(pal, t, 0), ramp(pal, t, 1), ramp(pal, t, 2))
            hot = step(1.0, 1.7, cloth) * (0.2 + 0.8 * m)
            lay(canvas, i, j, 0.85 * hot, pal[ACCENT, 0], pal[ACCENT, 1], pal[ACCENT, 2])
            height[i, j] += 0.5 * cover * min(cloth, 1.6)


@kernel
def pack(p: np.ndarray, seed: int, discs: np.ndarray) -> int:
    """Fill `discs` (n, 3) float64 with x, y, radius that do not touch, large first; return how many."""
    hx, hy = p[HALF_X] + 0.06, p[HALF_Y] + 0.06
    area = 4.0 * hx * hy
    found = 0
    sizes = 7
    for size in range(sizes):
        r = 0.21 * 0.62**size / p[SCALE] ** 0.7
        tries = int(area * (0.30 + 0.45 * p[DENSITY]) / (3.14 * r * r) * 1.6) + 4
        for n in range(min(tries, 1500)):
            x = (chance(seed, n, 100 + size) * 2.0 - 1.0) * hx
            y = (chance(seed, n, 200 + size) * 2.0 - 1.0) * hy
            m = focal(p, x, y)
            if chance(seed, n, 300 + size) > (0.02 + 0.98 * m if size > 0 else 0.3 + 0.7 * m):
                continue
            radius = r * (0.8 + 0.45 * chance(seed, n, 400 + size))
            free = True
            for k in range(found):
                dx, dy, gap = discs[k, 0] - x, discs[k, 1] - y, discs[k, 2] + radius * 1.05 + 0.002
                if dx * dx + dy * dy < gap * gap:
                    free = False
                    break
            if free and found < discs.shape[0]:
                discs[found, 0], discs[found, 1], discs[found, 2] = x, y, radius
                found += 1
    return found


@kernel
def circles(
    p: np.ndarray, pal: np.ndarray, seed: int, discs: np.ndarray, canvas: np.ndarray, height: np.ndarray
) -> None:
    """Draw packed discs: plain, ringed, split or shaded (after the concentric studies of Kandinsky)."""
    wash(p, pal, canvas, height)
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    bend = 0.10 * p[WARP] * p[MOTION]
    for n in range(pack(p, seed, discs)):
        cx, cy, radius = discs[n, 0], discs[n, 1], discs[n, 2]
        kind = int(chance(seed, n, 5) * 4.0)
        rings = 2.0 + math.floor(3.0 * chance(seed, n, 6))
        t0, t1 = 0.25 + 0.75 * chance(seed, n, 7), chance(seed, n, 8)
        if abs(t0 - t1) < 0.25:
            t1 = (t0 + 0.4) % 1.0
        bright = chance(seed, n, 9) < 0.09
        turn = math.atan2(p[SIN], p[COS]) + 0.8 * noise(2.0 * cx + p[OFF_X], 2.0 * cy + p[OFF_Y])
        co, si = math.cos(turn), math.sin(turn)
        reach = radius * (1.0 + bend) + 2.0 * px
        for i in range(max(int((cy - reach + p[HALF_Y]) / px), 0), min(int((cy + reach + p[HALF_Y]) / px) + 1, h)):
            y = (i + 0.5) * px - p[HALF_Y] - cy
            for j in range(max(int((cx - reach + p[HALF_X]) / px), 0), min(int((cx + reach + p[HALF_X]) / px) + 1, w)):
                x = (j + 0.5) * px - p[HALF_X] - cx
                d = math.sqrt(x * x + y * y)
                d -= bend * radius * noise(1.1 * x / radius + 3.7 * n, 1.1 * y / radius)
                a = min(max((radius - d) / px + 0.5, 0.0), 1.0)
                if a <= 0.0:
                    continue
                q = min(max(d / radius, 0.0), 1.0)
                other = 0.0
                if kind == 0:
                    z = q * rings - math.floor(q * rings)
                    soft = px * rings / radius
                    other = step(0.5 - soft, 0.5 + soft, z) * (1.0 - step(1.0 - 2.0 * soft, 1.0, z))
                elif kind == 1:
                    other = step(-px, px, co * x + si * y)
                elif kind == 2:
                    other = 0.5 + 0.5 * (co * x + si * y) / radius
                else:
                    other = 1.0 - step(0.45 * radius - px, 0.45 * radius + px, d)
                lab0 = ramp(pal, t0, 0) + other * (ramp(pal, t1, 0) - ramp(pal, t0, 0))
                lab1 = ramp(pal, t0, 1) + other * (ramp(pal, t1, 1) - ramp(pal, t0, 1))
                lab2 = ramp(pal, t0, 2) + other * (ramp(pal, t1, 2) - ramp(pal, t0, 2))
                if bright:
                    lab0, lab1, lab2 = (
                        lab0 + (1.0 - other) * (pal[ACCENT, 0] - lab0),
                        lab1 + (1.0 - other) * (pal[ACCENT, 1] - lab1),
                        lab2 + (1.0 - other) * (pal[ACCENT, 2] - lab2),
                    )
                lay(canvas, i, j, a, lab0 + 0.04 * (1.0 - q), lab1, lab2)
                height[i, j] += a * (0.45 + 0.4 * math.sqrt(1.0 - 0.8 * q * q) + 0.1 * other - height[i, j])
