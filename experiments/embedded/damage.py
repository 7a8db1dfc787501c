"""Ways to damage a picture, and how much damage there is: measured against the pristine picture, never the knob.

Twelve kinds are trained on and tested; four more are only tested. `severity` runs from 0 (barely) to 1 (ruined).
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from gen_emerge.scorers.measures import oklab

Rng = np.random.Generator
Damage = Callable[[np.ndarray, float, Rng], np.ndarray]


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).round().astype(np.uint8)


def blur(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    sd = (0.6 + 4.4 * severity) * min(image.shape[:2]) / 384
    return _bytes(ndimage.gaussian_filter(image.astype(np.float32), (sd, sd, 0)))


def motion(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    reach = max(int((3 + 26 * severity) * min(image.shape[:2]) / 384), 2)
    angle = rng.uniform(0, np.pi)
    out = np.zeros(image.shape, np.float32)
    for step in np.linspace(-reach / 2, reach / 2, reach):
        shift = (round(step * np.sin(angle)), round(step * np.cos(angle)))
        out += np.roll(image, shift, (0, 1))
    return _bytes(out / reach)


def jpeg(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=round(40 - 37 * severity))
    return np.asarray(Image.open(buffer))


def noise(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    return _bytes(image + rng.normal(0, 5 + 40 * severity, image.shape))


def impulses(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    out = image.copy()
    hit = rng.random(image.shape[:2]) < 0.003 + 0.08 * severity
    out[hit] = np.where(rng.random(int(hit.sum())) < 0.5, 0, 255)[:, None]
    return out


def posterise(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    levels = max(round(10 - 8 * severity), 2)
    return _bytes(np.round(image / 255 * (levels - 1)) * (255 / (levels - 1)))


def overexpose(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    return _bytes(image * (1.15 + 1.6 * severity))


def underexpose(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    return _bytes((image - (15 + 130 * severity)) * 1.05)


def oversharpen(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    values = image.astype(np.float32)
    soft = ndimage.gaussian_filter(values, (1.2, 1.2, 0))
    return _bytes(values + (1 + 7 * severity) * (values - soft))


def enlarge(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    height, width = image.shape[:2]
    factor = 1.5 + 6.5 * severity
    small = Image.fromarray(image).resize((int(width / factor), int(height / factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def lines(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Rows of dead or displaced scan lines."""
    out = image.copy()
    hit = np.flatnonzero(rng.random(len(image)) < 0.03 + 0.25 * severity)
    for row in hit:
        out[row] = np.roll(out[row], int(rng.integers(-60, 61)), axis=0) if rng.random() < 0.7 else rng.integers(0, 256)
    return out


def banding(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Chroma at a fraction of the size and coarsely counted: blocks of wrong colour."""
    picture = Image.fromarray(image).convert("YCbCr")
    luma, *chroma = picture.split()
    factor = int(6 + 26 * severity)
    step = 6 + 40 * severity
    coarse = []
    for plane in chroma:
        small = plane.resize((max(plane.width // factor, 1), max(plane.height // factor, 1)), Image.Resampling.BOX)
        counted = _bytes(np.round((np.asarray(small, np.float32) - 128) / step) * step + 128)
        coarse.append(Image.fromarray(counted).resize(plane.size, Image.Resampling.NEAREST))
    return np.asarray(Image.merge("YCbCr", (luma, *coarse)).convert("RGB"))


def mosaic(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    height, width = image.shape[:2]
    cell = 2 + 14 * severity
    small = Image.fromarray(image).resize((int(width / cell), int(height / cell)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST))


def speckle(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """Multiplied noise, coarser than a pixel."""
    grain = ndimage.gaussian_filter(rng.normal(0, 1, image.shape[:2]), 0.8)
    return _bytes(image * (1 + (0.15 + 1.0 * severity) * grain / grain.std() * 0.6)[..., None])


def misregistration(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    """The three inks printed beside each other."""
    reach = 1 + 11 * severity
    out = image.copy()
    for channel in (0, 2):
        angle = rng.uniform(0, 2 * np.pi)
        shift = (round(reach * np.sin(angle)), round(reach * np.cos(angle)))
        out[..., channel] = np.roll(image[..., channel], shift, (0, 1))
    return out


def haze(image: np.ndarray, severity: float, rng: Rng) -> np.ndarray:
    cover = 0.15 + 0.7 * severity
    return _bytes(image * (1 - cover) + 205 * cover)


TRAINED: dict[str, Damage] = {
    "blur": blur,
    "motion": motion,
    "jpeg": jpeg,
    "noise": noise,
    "impulses": impulses,
    "posterise": posterise,
    "overexpose": overexpose,
    "underexpose": underexpose,
    "oversharpen": oversharpen,
    "enlarge": enlarge,
    "lines": lines,
    "banding": banding,
}
UNSEEN: dict[str, Damage] = {
    "mosaic": mosaic,
    "speckle": speckle,
    "misregistration": misregistration,
    "haze": haze,
}


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Mean SSIM of two (h, w) lightness planes in 0..1 (Wang et al. 2004, eq. 13, 7 x 7 box window)."""
    c1, c2 = 0.01**2, 0.03**2

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(x, 7)

    a, b = mean(first), mean(second)
    aa, bb, ab = mean(first * first) - a * a, mean(second * second) - b * b, mean(first * second) - a * b
    local = ((2 * a * b + c1) * (2 * ab + c2)) / ((a * a + b * b + c1) * (aa + bb + c2))
    return float(local.mean())


def measured(pristine: np.ndarray, damaged: np.ndarray) -> float:
    """Damage: (1 - SSIM), averaged over full, half and quarter size, plus twice the mean OKLab colour difference."""
    before, after = oklab(pristine), oklab(damaged)
    first, second = before[..., 0], after[..., 0]
    losses = []
    for _ in range(3):
        losses.append(1 - similarity(first, second))
        first, second = halved(first), halved(second)
    return float(np.mean(losses) + 2.0 * np.sqrt(((before - after) ** 2).sum(-1)).mean())


def halved(plane: np.ndarray) -> np.ndarray:
    height, width = (length - length % 2 for length in plane.shape)
    return plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def grade(damage: float) -> float:
    """Measured damage -> grade from 10 (none) to 1 (all of 1 or more); the square root spreads small damages."""
    return 10.0 - 9.0 * min(damage / 1.0, 1.0) ** 0.5
