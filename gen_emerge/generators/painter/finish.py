"""Takes the painted canvas and its height; gives the print: light, shadow, quiet area, mood, texture, tone, bytes.

`canvas` is (h, w, 3) float32 OKLab, `height` (h, w) float32. `look` is a (LOOK_SIZE,) float64 array, indexed below.
"""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.generators.painter import fields as f
from gen_emerge.generators.painter.fields import focal, noise, ramp, step
from gen_emerge.generators.painter.jit import kernel

HALF_X, HALF_Y, OFF_X, OFF_Y, RELIEF, GROUND = f.HALF_X, f.HALF_Y, f.OFF_X, f.OFF_Y, f.RELIEF, f.GROUND
# Places in the look: tone curve of the mood, texture.
LIFT, GAIN, CHROMA, TINT_A, TINT_B, QUIET, GLOW, SPREAD, TEXTURE, VIGNETTE = range(10)
LOOK_SIZE = 10
# Bytes stay inside [4, 251] so that nothing is clipped.
LOW, HIGH = 0.0012, 0.965


@kernel
def blur(source: np.ndarray, target: np.ndarray, scratch: np.ndarray, radius: int) -> None:
    """Write the mean over a square of 2 radius + 1 pixels (running sums; edges are repeated)."""
    h, w = source.shape
    scale = 1.0 / (2 * radius + 1)
    for i in range(h):
        total = source[i, 0] * float(radius)
        for j in range(radius):
            total += source[i, min(j, w - 1)]
        for j in range(w):
            total += source[i, min(j + radius, w - 1)]
            scratch[i, j] = total * scale
            total -= source[i, max(j - radius, 0)]
    sums = np.zeros(w)
    for j in range(w):
        sums[j] = scratch[0, j] * radius
    for i in range(radius):
        for j in range(w):
            sums[j] += scratch[min(i, h - 1), j]
    for i in range(h):
        low, high = max(i - radius, 0), min(i + radius, h - 1)
        for j in range(w):
            sums[j] += scratch[high, j]
            target[i, j] = sums[j] * scale
            sums[j] -= scratch[low, j]


@kernel
def _texture(kind: int, x: float, y: float, px: float, light: float) -> float:
    """Return the change of lightness by the surface; details finer than two pixels fade out."""
    if kind == 1:  # paper: fibres and mottle
        fine = 1.0 - step(0.2, 0.5, 120.0 * px)
        fibre = noise(31.0 * x + 2.0 * noise(9.0 * x, 9.0 * y), 19.0 * y)
        return 0.035 * noise(8.0 * x, 8.0 * y) + 0.045 * fibre + 0.05 * fine * noise(120.0 * x, 75.0 * y)
    if kind == 2:  # canvas: threads over and under
        fade = 1.0 - step(0.3, 0.55, 42.0 * px)
        u, v = 42.0 * 2.0 * math.pi * (x + 0.002 * noise(5.0 * y, 3.0)), 42.0 * 2.0 * math.pi * y
        a, b = math.sin(u), math.sin(v)
        return fade * 0.042 * (a * (0.6 + 0.4 * b) + b * (0.6 - 0.4 * a)) + 0.02 * noise(3.0 * x, 26.0 * y)
    if kind == 3:  # brushed: long hairs
        bend = 0.15 * noise(1.7 * x, 1.7 * y)
        fine = 1.0 - step(0.2, 0.5, 130.0 * px)
        return 0.06 * noise(1.5 * x, 36.0 * (y + bend)) + 0.06 * fine * noise(4.0 * x, 130.0 * (y + bend))
    if kind == 4:  # etched: two sets of lines, the second only in the dark
        fade = 1.0 - step(0.35, 0.65, 57.0 * px)
        bend = 0.010 * noise(3.0 * x, 3.0 * y)
        a = math.sin(2.0 * math.pi * 40.0 * (x + y + bend))
        b = math.sin(2.0 * math.pi * 40.0 * (x - y + bend))
        dark = min(max((0.95 - light) / 0.7, 0.0), 1.0)
        return fade * (0.055 * a * (0.4 + 0.6 * dark) + 0.05 * b * dark * dark) - 0.02 * dark
    if kind == 5:  # grain: soft crayon grain
        fine = 1.0 - step(0.2, 0.5, 150.0 * px)
        rough = 0.05 * (1.0 - step(0.2, 0.6, 75.0 * px)) * noise(75.0 * x, 75.0 * y)
        return rough + 0.06 * fine * noise(150.0 * x, 150.0 * y) + 0.045 * noise(26.0 * x, 26.0 * y)
    return 0.0


@kernel
def _along(layer: np.ndarray, i: int, j: int, pixels: float) -> float:
    """Return a layer's value so many pixels down the diagonal, between two pixels if need be."""
    h, w = layer.shape
    whole = math.floor(pixels)
    f = pixels - whole
    a = layer[min(max(i + whole, 0), h - 1), min(max(j + whole, 0), w - 1)]
    b = layer[min(max(i + whole + 1, 0), h - 1), min(max(j + whole + 1, 0), w - 1)]
    return a + f * (b - a)


@kernel
def surface(
    p: np.ndarray,
    pal: np.ndarray,
    look: np.ndarray,
    canvas: np.ndarray,
    height: np.ndarray,
    soft: np.ndarray,
    wide: np.ndarray,
    histogram: np.ndarray,
) -> None:
    """Change `canvas` in place: relief light, cast shadow, quiet area, mood, texture; count lightness in 512 bins."""
    h, w = height.shape
    px = 2.0 * p[HALF_Y] / h
    drop, near = 0.010 / px, max(0.004 / px, 1.0)
    for i in range(h):
        y = (i + 0.5) * px - p[HALF_Y]
        calm = 0.20 + 0.14 * y / p[HALF_Y]
        calm0, calm1, calm2 = ramp(pal, calm, 0), ramp(pal, calm, 1), ramp(pal, calm, 2)
        for j in range(w):
            x = (j + 0.5) * px - p[HALF_X]
            m = focal(p, x, y)
            lit = _along(soft, i, j, near) - _along(soft, i, j, -near)
            lit = min(max(lit, -0.5), 0.5)
            cast = _along(wide, i, j, -drop) - height[i, j]
            cast = min(max(cast, 0.0), 0.6)
            quiet = look[QUIET] * (1.0 - m)
            lab0 = canvas[i, j, 0] + p[RELIEF] * (0.30 * lit - 0.42 * cast)
            lab0 += quiet * (calm0 - lab0)
            lab1 = canvas[i, j, 1] + quiet * (calm1 - canvas[i, j, 1])
            lab2 = canvas[i, j, 2] + quiet * (calm2 - canvas[i, j, 2])
            lab0 += look[GLOW] * (m - 0.4)
            rx, ry = x / p[HALF_X], y / p[HALF_Y]
            lab0 -= look[VIGNETTE] * step(0.5, 1.6, rx * rx + ry * ry)
            lab0 = 0.55 + (lab0 - 0.55) * look[GAIN] + look[LIFT]
            lab0 += _texture(int(look[TEXTURE]), x + 11.0, y + 7.0, px, lab0)
            canvas[i, j, 0] = lab0
            canvas[i, j, 1] = lab1 * look[CHROMA] + look[TINT_A]
            canvas[i, j, 2] = lab2 * look[CHROMA] + look[TINT_B]
            histogram[int(min(max(lab0 * 256.0 + 128.0, 0.0), 511.0))] += 1.0


@kernel
def percentile(histogram: np.ndarray, share: float) -> float:
    """Return the lightness below which `share` of the pixels lie."""
    total, wanted = 0.0, share * histogram.sum()
    for k in range(histogram.shape[0]):
        if total + histogram[k] >= wanted:
            return (k + (wanted - total) / (histogram[k] + 1e-9) - 128.0) / 256.0
        total += histogram[k]
    return 1.0


@kernel
def _fits(lab0: float, a: float, b: float) -> bool:
    """Tell whether an OKLab colour lies inside the printable part of sRGB (Ottosson 2020)."""
    l3 = lab0 + 0.3963377774 * a + 0.2158037573 * b
    m3 = lab0 - 0.1055613458 * a - 0.0638541728 * b
    s3 = lab0 - 0.0894841775 * a - 1.2914855480 * b
    lc, mc, sc = l3 * l3 * l3, m3 * m3 * m3, s3 * s3 * s3
    r = 4.0767416621 * lc - 3.3077115913 * mc + 0.2309699292 * sc
    g = -1.2684380046 * lc + 2.6097574011 * mc - 0.3413193965 * sc
    u = -0.0041960863 * lc - 0.7034186147 * mc + 1.7076147010 * sc
    return LOW <= r <= HIGH and LOW <= g <= HIGH and LOW <= u <= HIGH


@kernel
def develop(canvas: np.ndarray, look: np.ndarray, histogram: np.ndarray, curve: np.ndarray, out: np.ndarray) -> None:
    """Fit the tone, bring colours into gamut by chroma, write bytes. `curve`: (4097,) uint8, linear -> sRGB byte."""
    h, w = canvas.shape[0], canvas.shape[1]
    p5, p50, p95 = percentile(histogram, 0.05), percentile(histogram, 0.5), percentile(histogram, 0.95)
    spread = max(p95 - p5, 0.02)
    gain = min(max(look[SPREAD] / spread, 0.8), 3.0)
    middle = min(max(p50, 0.30), 0.78)
    low, high = middle + (p5 - p50) * gain, middle + (p95 - p50) * gain
    middle += max(0.13 - low, 0.0) - max(high - 0.93, 0.0)
    for i in range(h):
        for j in range(w):
            v = middle + (canvas[i, j, 0] - p50) * gain
            if v > 0.88:  # shoulder and toe: never quite white, never quite black
                v = 0.88 + 0.095 * (1.0 - math.exp(-(v - 0.88) / 0.095))
            elif v < 0.20:
                v = 0.20 - 0.10 * (1.0 - math.exp(-(0.20 - v) / 0.10))
            a, b = float(canvas[i, j, 1]), float(canvas[i, j, 2])
            if not _fits(v, a, b):
                inside, outside = 0.0, 1.0
                for _ in range(7):
                    half = 0.5 * (inside + outside)
                    if _fits(v, a * half, b * half):
                        inside = half
                    else:
                        outside = half
                a *= inside
                b *= inside
            l3 = v + 0.3963377774 * a + 0.2158037573 * b
            m3 = v - 0.1055613458 * a - 0.0638541728 * b
            s3 = v - 0.0894841775 * a - 1.2914855480 * b
            lc, mc, sc = l3 * l3 * l3, m3 * m3 * m3, s3 * s3 * s3
            r = 4.0767416621 * lc - 3.3077115913 * mc + 0.2309699292 * sc
            g = -1.2684380046 * lc + 2.6097574011 * mc - 0.3413193965 * sc
            u = -0.0041960863 * lc - 0.7034186147 * mc + 1.7076147010 * sc
            out[i, j, 0] = curve[int(min(max(r, LOW), HIGH) * 4096.0 + 0.5)]
            out[i, j, 1] = curve[int(min(max(g, LOW), HIGH) * 4096.0 + 0.5)]
            out[i, j, 2] = curve[int(min(max(u, LOW), HIGH) * 4096.0 + 0.5)]
