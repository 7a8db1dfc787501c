"""Takes a plan, a palette and a seed; paints the schools that are a function of the point.

Schools: marbled, moire, glass, tiles. `canvas` is (h, w, 3) float32 OKLab, `height` (h, w) float32 in about [0, 1]
(how far the paint stands out; it later makes light and shadow). Both are overwritten. Lengths are in unit
coordinates, so a larger picture is the same one, finer; edges are softened over one pixel.
"""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.generators.painter import fields as f
from gen_emerge.generators.painter.fields import chance, focal, fractal, lay, noise, ramp, step
from gen_emerge.generators.painter.jit import kernel

ACCENT, INK, LIGHT, GROUND = f.ACCENT, f.INK, f.LIGHT, f.GROUND
SCALE, DENSITY, WARP, MOTION, COS, SIN = f.SCALE, f.DENSITY, f.WARP, f.MOTION, f.COS, f.SIN
FOCUS_X, FOCUS_Y, HALF_X, HALF_Y, OFF_X, OFF_Y = f.FOCUS_X, f.FOCUS_Y, f.HALF_X, f.HALF_Y, f.OFF_X, f.OFF_Y


@kernel
def marbled_phase(p: np.ndarray, phase: np.ndarray, shade: np.ndarray) -> None:
    """Write the doubly warped noise (Quilez 2002, "domain warping") and the warp's own height."""
    h, w = phase.shape
    px = 2.0 * p[HALF_Y] / h
    size = 1.35 * p[SCALE]
    pull = (0.35 + 1.5 * p[WARP]) * p[MOTION]
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            m = focal(p, x, y)
            u = size * (p[COS] * x - p[SIN] * y) + p[OFF_X]
            v = size * (p[SIN] * x + p[COS] * y) + p[OFF_Y]
            a = fractal(u, v, 2)
            b = fractal(u + 5.2, v + 1.3, 2)
            c = fractal(u + pull * a + 1.7, v + pull * b + 9.2, 2)
            d = noise(u + pull * b + 8.3, v + pull * a + 2.8)
            s = pull * (0.5 + 0.9 * m)
            phase[i, j] = fractal(u + s * c, v + s * d, 3)
            shade[i, j] = 0.5 + 0.5 * (c * 0.7 + d * 0.3)


@kernel
def marbled(
    p: np.ndarray, pal: np.ndarray, phase: np.ndarray, shade: np.ndarray, canvas: np.ndarray, height: np.ndarray
) -> None:
    """Colour the warped noise: plateaus of the ramp, combed lines where it is dense, a thin vein of accent."""
    h, w = phase.shape
    px = 2.0 * p[HALF_Y] / h
    lines = 5.0 + 13.0 * p[DENSITY]
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            m = focal(p, x, y)
            v = phase[i, j]
            gx = phase[i, min(j + 1, w - 1)] - phase[i, max(j - 1, 0)]
            gy = phase[min(i + 1, h - 1), j] - phase[max(i - 1, 0), j]
            slope = 0.5 * math.sqrt(gx * gx + gy * gy) + 1e-6
            t = 0.50 + 0.78 * v + 0.30 * (shade[i, j] - 0.5) + 0.12 * (m - 0.5)
            comb = v * lines
            nearest = abs(comb - math.floor(comb + 0.5)) / lines
            wide = 0.006 + 0.012 * m
            line = (1.0 - step(wide - slope, wide + slope, nearest)) * min(1.0, wide / (0.6 * slope))
            band = math.floor(comb)
            t += 0.10 * (comb - band - 0.5) * m
            for k in range(3):
                canvas[i, j, k] = ramp(pal, t, k)
            canvas[i, j, 0] += 0.10 * (shade[i, j] - 0.5)
            strength = line * (0.12 + 0.5 * m)
            lay(canvas, i, j, strength, pal[INK, 0] * 0.5 + 0.5 * canvas[i, j, 0], canvas[i, j, 1], canvas[i, j, 2])
            vein = abs(v - 0.36)
            gold = (1.0 - step(0.014 - slope, 0.014 + slope, vein)) * step(0.25, 0.6, m)
            lay(canvas, i, j, gold, pal[ACCENT, 0], pal[ACCENT, 1], pal[ACCENT, 2])
            height[i, j] = 0.35 * shade[i, j] + 0.25 * (comb - band) * m + 0.25 * gold


@kernel
def moire_phase(p: np.ndarray, seed: int, rings: np.ndarray, spokes: np.ndarray) -> None:
    """Write the phases (in lines) of the two gratings; both are bent and swell at the focus."""
    h, w = rings.shape
    px = 2.0 * p[HALF_Y] / h
    count = (9.0 + 10.0 * p[DENSITY]) * p[SCALE]
    swell = 0.5 + 1.1 * p[WARP] * p[MOTION]
    bend = 0.10 * p[WARP] * p[MOTION]
    ax, ay = p[FOCUS_X] + 0.9 * (chance(seed, 1, 1) - 0.5), p[FOCUS_Y] + 0.9 * (chance(seed, 2, 1) - 0.5)
    radial = chance(seed, 3, 1) < 0.5
    blades = math.floor(3.0 + 6.0 * chance(seed, 4, 1) + 0.4 * count)
    for i in range(h):
        dy = (i + 0.5) * px - p[HALF_Y] - p[FOCUS_Y]
        for j in range(w):
            dx = (j + 0.5) * px - p[HALF_X] - p[FOCUS_X]
            r2 = dx * dx + dy * dy
            bulge = 1.0 - swell * 0.62 * math.exp(-r2 * 9.0)
            u = p[COS] * dx - p[SIN] * dy
            v = p[SIN] * dx + p[COS] * dy
            u, v = u * bulge + bend * math.sin(5.0 * v + p[OFF_X]), v * bulge + bend * math.sin(5.0 * u + p[OFF_Y])
            bx, by = dx + p[FOCUS_X] - ax, dy + p[FOCUS_Y] - ay
            q = math.sqrt(bx * bx + by * by + 1e-4)
            if radial:
                rings[i, j] = count * q * 1.2
                spokes[i, j] = blades * math.atan2(v, u) / (2.0 * math.pi) + 2.2 * math.sqrt(r2) * swell
            else:
                rings[i, j] = count * u
                spokes[i, j] = 0.5 * count * v + 0.35 * count * q * p[WARP]


@kernel
def _grating(phase: np.ndarray, i: int, j: int) -> tuple[float, float]:
    """Return a grating's softened wave in [-1, 1] and its change per pixel, in lines; whole steps are seams."""
    h, w = phase.shape
    n = phase[i, j]
    ex = phase[i, j + 1] - n if j + 1 < w else n - phase[i, j - 1]
    ey = phase[i + 1, j] - n if i + 1 < h else n - phase[i - 1, j]
    if abs(ex) > 1.5:
        ex -= math.floor(ex + 0.5)
    if abs(ey) > 1.5:
        ey -= math.floor(ey + 0.5)
    change = abs(ex) + abs(ey)
    wave = math.sin(2.0 * math.pi * n) / (2.0 * math.pi * change + 1e-6)
    return min(max(wave, -1.0), 1.0), change


@kernel
def moire(
    p: np.ndarray,
    pal: np.ndarray,
    seed: int,
    rings: np.ndarray,
    spokes: np.ndarray,
    canvas: np.ndarray,
    height: np.ndarray,
) -> None:
    """Cross two bent gratings of lines: a curved board (after Vasarely)."""
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            m = focal(p, x, y)
            k1, e1 = _grating(rings, i, j)
            k2, e2 = _grating(spokes, i, j)
            on = 0.5 + 0.5 * k1 * k2 * min(1.0, 0.5 / (e1 + e2 + 1e-6))
            slow = 0.5 + 0.7 * noise(2.4 * x + p[OFF_X], 2.4 * y + p[OFF_Y])
            t0 = 0.08 + 0.4 * slow * (0.3 + 0.7 * m)
            t1 = 0.60 + 0.25 * slow + 0.22 * m * step(0.35, 0.7, m)
            fade = (0.18 + 0.82 * m) * on
            for k in range(3):
                low, high = ramp(pal, t0, k), ramp(pal, t1, k)
                canvas[i, j, k] = low + fade * (high - low)
            ring = math.floor(rings[i, j] * 2.0)
            if chance(seed, ring, 7) < 0.10:
                lay(canvas, i, j, on * step(0.3, 0.7, m), pal[ACCENT, 0], pal[ACCENT, 1], pal[ACCENT, 2])
            dx, dy = x - p[FOCUS_X], y - p[FOCUS_Y]
            height[i, j] = 0.5 * on * (0.3 + 0.7 * m) + 0.5 * math.exp(-9.0 * (dx * dx + dy * dy))


@kernel
def _sites(u: float, v: float, seed: int, level: int) -> tuple[float, float, int, float, float]:
    """Return distance to the border and to the nearest site, the site's number, its place; all in cells.

    The border between the two nearest sites a, b lies at (|b|^2 - |a|^2) / (2 |b - a|).
    """
    iu, iv = math.floor(u), math.floor(v)
    best, next_best = 9.0, 9.0
    bu, bv, nu, nv, number = 0.0, 0.0, 1.0, 1.0, 0
    for dj in range(-1, 2):
        for di in range(-1, 2):
            n = (iu + di) * 7919 + (iv + dj) * 104729
            both = chance(seed, n, 20 + level) * 1024.0
            whole = math.floor(both)
            su = iu + di + 0.5 + 0.82 * (whole / 1024.0 - 0.5)
            sv = iv + dj + 0.5 + 0.82 * (both - whole - 0.5)
            d = (su - u) * (su - u) + (sv - v) * (sv - v)
            if d < best:
                next_best, nu, nv = best, bu, bv
                best, bu, bv, number = d, su, sv, n
            elif d < next_best:
                next_best, nu, nv = d, su, sv
    apart = math.sqrt((nu - bu) * (nu - bu) + (nv - bv) * (nv - bv)) + 1e-9
    return (next_best - best) / (2.0 * apart), math.sqrt(best), number, bu, bv


@kernel
def glass(p: np.ndarray, pal: np.ndarray, seed: int, canvas: np.ndarray, height: np.ndarray) -> None:
    """Stained glass: Voronoi panes between leads; panes near the focus are cut again into small ones."""
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    size = (2.2 + 2.4 * p[DENSITY]) * p[SCALE]
    bend = (0.02 + 0.20 * p[WARP]) * p[MOTION]
    lead = 0.009 / math.sqrt(p[SCALE])
    soft = px * (0.7 + 1.5 * bend)
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            wave = noise(2.3 * x + p[OFF_X], 2.3 * y + p[OFF_Y])
            a = x + bend * wave
            b = y + bend * noise(2.3 * x + p[OFF_Y] + 7.0, 2.3 * y + p[OFF_X])
            u = size * (p[COS] * a - p[SIN] * b) + 100.0
            v = size * (p[SIN] * a + p[COS] * b) + 100.0
            edge, near, pane, bu, bv = _sites(u, v, seed, 0)
            edge /= size
            bu, bv = (bu - 100.0) / size, (bv - 100.0) / size
            m = focal(p, p[COS] * bu + p[SIN] * bv, -p[SIN] * bu + p[COS] * bv)
            cut = chance(seed, pane, 3) < 0.04 + 0.96 * step(0.15, 0.75, m)
            reach, wide = 1.0 / size, lead
            if cut:
                edge2, near, small, bu, bv = _sites(2.7 * u + 40.0, 2.7 * v, seed, 1)
                pane = pane * 31 + small
                reach /= 2.7
                if edge2 * reach + 0.4 * lead < edge:
                    edge, wide = edge2 * reach, 0.6 * lead
                bu, bv = ((bu - 40.0) / 2.7 - 100.0) / size, (bv / 2.7 - 100.0) / size
            t = chance(seed, pane, 5)
            t = 0.10 + 0.90 * t if cut else 0.72 * t
            turn = 6.2831853 * chance(seed, pane, 8)
            tilt = math.cos(turn) * (p[COS] * a - p[SIN] * b - bu) + math.sin(turn) * (p[SIN] * a + p[COS] * b - bv)
            tilt = min(max(tilt / reach, -0.7), 0.7)
            ripple = noise(17.0 * x + 31.0 * chance(seed, pane, 6) + 2.0 * wave, 6.0 * y + p[OFF_Y])
            glow = 0.035 * ripple + 0.14 * tilt + 0.10 * (m - 0.4) - 0.09 * (near - 0.35)
            for k in range(3):
                canvas[i, j, k] = ramp(pal, t + 0.04 * tilt, k)
            canvas[i, j, 0] += glow + 0.05 * (chance(seed, pane, 9) - 0.5)
            if cut and chance(seed, pane, 10) < 0.06:
                lay(canvas, i, j, 1.0, pal[ACCENT, 0] + glow, pal[ACCENT, 1], pal[ACCENT, 2])
            cover = 1.0 - step(wide - soft, wide + soft, edge)
            if soft > wide:  # thinner than a pixel: as much ink, spread out
                cover *= 4.0 * soft * wide / ((wide + soft) * (wide + soft))
            lay(canvas, i, j, cover, pal[INK, 0], pal[INK, 1], pal[INK, 2])
            dome = 1.0 - min(edge / wide, 1.0)
            height[i, j] = 0.25 * cover + 0.3 * math.sqrt(dome) + 0.06 * ripple


@kernel
def _motif(kind: int, a: float, b: float) -> float:
    """Return the signed distance (in tiles, negative inside) of a tile's figure; a, b in [0, 1]."""
    if kind == 0:  # quarter disc
        return math.sqrt(a * a + b * b) - 0.98
    if kind == 1:  # two quarter discs, the leaf
        return max(math.sqrt(a * a + b * b), math.sqrt((1.0 - a) * (1.0 - a) + (1.0 - b) * (1.0 - b))) - 0.98
    if kind == 2:  # triangle
        return (a + b - 1.0) * 0.7071
    if kind == 3:  # ribbon of the Truchet tile, two arcs
        near = abs(math.sqrt(a * a + b * b) - 0.5)
        far = abs(math.sqrt((1.0 - a) * (1.0 - a) + (1.0 - b) * (1.0 - b)) - 0.5)
        return min(near, far) - 0.17
    if kind == 4:  # rainbow of quarter rings
        r = math.sqrt(a * a + b * b)
        return max(abs(r * 3.0 - math.floor(r * 3.0) - 0.5) / 3.0 - 0.083, r - 1.0)
    return math.sqrt((a - 0.5) * (a - 0.5) + (b - 0.5) * (b - 0.5)) - 0.33  # disc


@kernel
def tiles(p: np.ndarray, pal: np.ndarray, seed: int, canvas: np.ndarray, height: np.ndarray) -> None:
    """Tiles of three sizes (Truchet 1704; Carlson 2018 for the nesting), small where the picture is dense."""
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    size = 3.0 * p[SCALE] * (0.8 + 0.5 * p[DENSITY])
    bend = 0.16 * p[WARP] * p[MOTION]
    grout0, grout1, grout2 = 0.75 * ramp(pal, 0.3, 0), 0.8 * ramp(pal, 0.3, 1), 0.8 * ramp(pal, 0.3, 2)
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            a = x + bend * math.sin(3.1 * y + p[OFF_X])
            b = y + bend * math.sin(3.1 * x + p[OFF_Y])
            u = size * (p[COS] * a - p[SIN] * b) + 64.0
            v = size * (p[SIN] * a + p[COS] * b) + 64.0
            side, m = 1.0, 0.0
            n = 0
            for level in range(3):
                iu, iv = math.floor(u / side), math.floor(v / side)
                n = int(iu * 7919 + iv * 104729) * 4 + level
                cu, cv = (iu + 0.5) * side - 64.0, (iv + 0.5) * side - 64.0
                cx, cy = (p[COS] * cu + p[SIN] * cv) / size, (-p[SIN] * cu + p[COS] * cv) / size
                m = focal(p, cx, cy)
                if level == 2 or chance(seed, n, 2) > 0.08 + 0.80 * m:
                    break
                side *= 0.5
            iu, iv = math.floor(u / side), math.floor(v / side)
            lu, lv = u / side - iu, v / side - iv
            turn = int(chance(seed, n, 3) * 4.0)
            if turn == 1 or turn == 2:
                lu = 1.0 - lu
            if turn >= 2:
                lv = 1.0 - lv
            width = px * size / side
            kind = int(chance(seed, n, 4) * 5.999)
            d = _motif(kind, lu, lv)
            cover = 1.0 - step(-0.8 * width, 0.8 * width, d)
            if side > 0.9 and chance(seed, n, 9) > 0.35 + m:
                cover = 0.0
            t0 = 0.55 * chance(seed, n, 5)
            t1 = 0.58 + 0.42 * chance(seed, n, 6)
            if chance(seed, n, 7) < 0.28:
                t0, t1 = t1, t0
            for k in range(3):
                canvas[i, j, k] = ramp(pal, t0, k)
            if chance(seed, n, 8) < 0.07:
                lay(canvas, i, j, cover, pal[ACCENT, 0], pal[ACCENT, 1], pal[ACCENT, 2])
            else:
                lay(canvas, i, j, cover, ramp(pal, t1, 0), ramp(pal, t1, 1), ramp(pal, t1, 2))
            canvas[i, j, 0] += 0.05 * (lu + lv - 1.0)
            joint = min(min(lu, 1.0 - lu), min(lv, 1.0 - lv)) * side / size
            groove = 1.0 - step(0.0008, 0.0008 + 1.6 * px, joint)
            lay(canvas, i, j, groove * min(1.0, 0.35 + 0.0012 / px), grout0, grout1, grout2)
            height[i, j] = 0.45 * cover + 0.25 - 0.2 * groove + 0.08 * chance(seed, n, 11)
