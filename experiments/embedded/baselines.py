"""The stated hand-made descriptors that every network has to beat, and the linear fits that make them comparable."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from gen_emerge.scorers.measures import oklab


def histogram(image: np.ndarray) -> np.ndarray:
    """Colour and edges of a 96 px view: lightness (8), a x b (8 x 8), gradient strength (8) and direction (8).

    Of the whole picture and of its four quarters, as square roots of shares (Hellinger), length 1: (440,) float32.
    """
    lab = oklab(image)
    light = lab[..., 0]
    down, across = np.gradient(light)
    strength = np.hypot(down, across)
    direction = ((np.arctan2(down, across) % np.pi) / np.pi * 8).astype(int) % 8
    plane = np.clip(((lab[..., 1:] + 0.24) / 0.06).astype(int), 0, 7)
    codes = [
        (np.clip((light * 8).astype(int), 0, 7), 8, None),
        (plane[..., 0] * 8 + plane[..., 1], 64, None),
        (np.clip((np.sqrt(strength) * 16).astype(int), 0, 7), 8, None),
        (direction, 8, strength),
    ]
    half = image.shape[0] // 2
    fields = [np.s_[:, :], np.s_[:half, :half], np.s_[:half, half:], np.s_[half:, :half], np.s_[half:, half:]]
    parts = []
    for field in fields:
        for code, count, weight in codes:
            weights = None if weight is None else weight[field].ravel()
            shares = np.bincount(code[field].ravel(), weights, count)
            parts.append(np.sqrt(shares / max(shares.sum(), 1e-9)))
    joined = np.concatenate(parts)
    return (joined / np.linalg.norm(joined)).astype(np.float32)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """The picture at 16 x 16 pixels: (768,) float32."""
    small = Image.fromarray(image).resize((16, 16), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / 255


def damage_features(views: np.ndarray) -> np.ndarray:
    """Classic signs of damage in five native crops and the whole view (6, s, s, 3): (17,) float64.

    Sharpness (Laplacian and gradient energy and their ratio, at two sizes), noise (Immerkaer 1996), blockiness at
    multiples of 8, clipped shares, count of levels, spread of lightness, chroma, row-to-row against column-to-column.
    """
    gathered = []
    for view in views[:-1]:
        light = oklab(view)[..., 0]
        laplace = ndimage.laplace(light)
        down, across = np.diff(light, axis=0), np.diff(light, axis=1)
        noise = ndimage.convolve(light, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32))
        steps = np.abs(across)
        coarse = light.reshape(32, 2, 32, 2).mean(axis=(1, 3))
        energy, fine = (laplace**2).mean(), (down**2).mean() + (across**2).mean()
        gathered.append(
            [
                np.log(energy + 1e-7),
                np.log(fine + 1e-7),
                np.log((energy + 1e-7) / (fine + 1e-7)),
                np.log((ndimage.laplace(coarse) ** 2).mean() + 1e-7),
                np.log(np.abs(noise).mean() + 1e-5),
                np.log(np.median(np.abs(noise)) + 1e-5),
                np.log((steps[:, 7::8].mean() + 1e-5) / (steps.mean() + 1e-5)),
                np.log(((down**2).mean() + 1e-7) / ((across**2).mean() + 1e-7)),
                np.log((laplace**4).mean() / (energy**2 + 1e-12) + 1e-3),
                len(np.unique(view)) / 256,
            ]
        )
    whole = views[-1]
    lab = oklab(whole)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    far = [
        (whole >= 254).mean(),
        (whole <= 1).mean(),
        np.percentile(lab[..., 0], 95) - np.percentile(lab[..., 0], 5),
        lab[..., 0].mean(),
        chroma.mean(),
        np.log((np.diff(chroma, axis=1) ** 2).mean() + 1e-7),
        np.log((np.diff(lab[..., 0], axis=1) ** 2).mean() + 1e-7),
    ]
    return np.concatenate([np.mean(gathered, axis=0), far])


class Ridge:
    """Least squares with a penalty, on standardised features and (when asked) their squares."""

    def __init__(
        self, features: np.ndarray, wanted: np.ndarray, *, penalty: float = 3.0, squares: bool = False
    ) -> None:
        self.squares = squares
        expanded = self._expand(features)
        self.mean, self.scale = expanded.mean(0), expanded.std(0) + 1e-6
        x = (expanded - self.mean) / self.scale
        self.base = wanted.mean(0)
        gram = x.T @ x + penalty * np.eye(x.shape[1])
        self.weights = np.linalg.solve(gram, x.T @ (wanted - self.base))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return (self._expand(features) - self.mean) / self.scale @ self.weights + self.base

    def _expand(self, features: np.ndarray) -> np.ndarray:
        features = np.asarray(features, np.float64)
        return np.concatenate([features, features**2], axis=1) if self.squares else features
