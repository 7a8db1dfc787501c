"""Axes of the map learned from "which is more like this one?": triplets and embeddings -> a linear projection.

Quality Diversity through Human Feedback (QDHF: Ding, Zhang, Clune, Spector & Lehman, ICML 2024, arXiv 2310.12103): a
projection of a frozen embedding to a few axes in which the images that people call alike lie near each other. It is
believed only where it names the picture that people named, among triplets it was not fitted to, more often than chance
by its own interval. Triplets that share all three images are kept together when some are held out.

Takes vectors and triplets by place; touches no store and draws nothing except what `rng` gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.05
"""The margin of the loss, in squared units of axes whose values spread by about 1: QDHF's own."""
PULL = 6.0
"""Triplets that the pull of the weights towards 0 outweighs: it counts as much as so many, however many there are."""
DIRECTIONS = 64
"""Principal directions of the embedding that axes are looked for in, at most."""
FOLDS = 5
LEAST = 60
"""Triplets without which no axes are fitted: of fewer, 5 folds tell chance from nothing."""
STEPS = 200
_SOFT = MARGIN / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Learn:
    """Whether and when axes are learned: see `[axes]` of a series file.

    Args:
        source: "off"; "triplets", which people answered; or "distance", the embedding's own, where nobody is asked.
        every: cycles between two fits.
    """

    source: Literal["off", "triplets", "distance"] = "off"
    every: int = 100


NO_AXES = Learn()
"""The measured axes stay."""

Vectors = NDArray[np.float32]
Weights = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """How often the right picture is named, of triplets that took no part in the fit.

    Args:
        accuracy: 0 to 1, by the learned axes; chance is 0.5.
        low: lower end of its 95% interval.
        high: upper end.
        embedding: the same triplets by the distance in the whole embedding, which nothing was fitted to.
        triplets: how many.
        images: different sets of three images among them: what the interval is reckoned from.
        floor: what the accuracy must leave above chance: its lower end at the level of this look.
        look: which fit of the series this is, from 1.
    """

    accuracy: float
    low: float
    high: float
    embedding: float
    triplets: int
    images: int
    floor: float
    look: int

    @property
    def believed(self) -> bool:
        """Better than chance by its own interval, however often it was looked before."""
        return self.floor > 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The principal directions that axes are looked for in.

    Args:
        points: (n, r) float64 coordinates of the images along them, mean 0.
        directions: (r, d) float64, such that a row of weights times it is a direction of the embedding.
    """

    points: Weights
    directions: Weights


def basis_of(vectors: Vectors, least: int = 1) -> Basis:
    """Of the images given, in a scale of their own; `DIRECTIONS` at most, and `least` at least where there are so many.

    Args:
        vectors: (n, d) float32; a few hundred images say as much as all.
        least: how many axes are wanted.
    """
    points = vectors.astype(np.float64)
    points = points - points.mean(axis=0)
    _, spread, directions = np.linalg.svd(points, full_matrices=False)
    kept = max(min(DIRECTIONS, int(np.sum(spread > 1e-6 * spread[0]))), least)
    flat = points @ directions[:kept].T
    scale = math.sqrt(float((flat**2).sum(axis=1).mean()) / 2) or 1.0
    return Basis(points=flat / scale, directions=directions[:kept] / scale)


def fit_axes(basis: Basis, triplets: Places, axes: int, *, like: Weights | None = None) -> Weights:
    """A linear projection of the embedding to a few axes, by the margin loss of QDHF.

    With z = W x the loss of a triplet (r, n, f) is max(0, m - (|z_r - z_f|^2 - |z_r - z_n|^2)): QDHF's triplet loss
    with squared Euclidean distances and m = 0.05. Its corner is rounded (softplus) so that L-BFGS can follow it, and
    the squared weights pull to 0 like `PULL` triplets (a Gaussian prior). Directions of the embedding keep their own
    scale: what hardly varies needs large weights, and much evidence. It begins from the eigenvectors of the loss's
    slope at W = 0, so nothing is drawn by chance.

    Args:
        basis: of n images.
        triplets: (t, 3) places among them: reference, nearer, farther; t >= 1.
        axes: how many, 1 to d.
        like: (axes, d) axes whose directions these are turned to as far as a rotation can; None turns the widest first.

    Returns:
        (axes, d) float64 weights, to six digits; the values of the images given vary by 1 on average over the axes.
    """
    from scipy.optimize import minimize

    flat = basis.points
    near = flat[triplets[:, 0]] - flat[triplets[:, 1]]
    far = flat[triplets[:, 0]] - flat[triplets[:, 2]]
    pull = PULL / len(triplets)

    def loss(given: Weights) -> tuple[float, Weights]:
        weights = given.reshape(axes, -1)
        lack = MARGIN - (((far @ weights.T) ** 2).sum(axis=1) - ((near @ weights.T) ** 2).sum(axis=1))
        hinge = np.logaddexp(0.0, lack / _SOFT) * _SOFT
        share = 1.0 / (1.0 + np.exp(-np.clip(lack / _SOFT, -50.0, 50.0)))
        slope = ((near @ weights.T) * share[:, None]).T @ near - ((far @ weights.T) * share[:, None]).T @ far
        slope = 2.0 * slope / len(triplets) + 2.0 * pull * weights
        return float(hinge.mean() + pull * (weights**2).sum()), slope.ravel()

    values, slopes = np.linalg.eigh((far.T @ far - near.T @ near) / len(triplets))
    start = slopes[:, ::-1][:, :axes].T * np.sqrt(np.maximum(values[::-1][:axes], 1e-3))[:, None]
    start *= 0.5 / (math.sqrt(float(((flat @ start.T) ** 2).sum(axis=1).mean())) or 1.0)
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return _turned(basis, np.asarray(found.x).reshape(axes, -1), like)


def _turned(basis: Basis, weights: Weights, like: Weights | None) -> Weights:
    """Distances do not change when axes turn: the widest comes first, or all lie as the last ones did.

    Orthogonal Procrustes (Schönemann 1966): the rotation that brings the new values nearest to the old ones.
    """
    values = basis.points @ weights.T
    size = math.sqrt(float((values**2).mean())) or 1.0
    weights, values = weights @ basis.directions / size, values / size
    if like is not None and like.shape == weights.shape:
        # The images themselves, as far as the basis holds them: its directions are orthogonal, in one scale.
        unit = basis.directions / float((basis.directions[0] ** 2).sum())
        left, _, turned = np.linalg.svd(values.T @ (basis.points @ unit @ like.T))
        weights = (left @ turned).T @ weights
    else:
        _, turns = np.linalg.eigh(values.T @ values)
        weights = turns[:, ::-1].T @ weights
        heaviest = np.abs(weights).argmax(axis=1)
        weights = weights * np.where(weights[np.arange(len(weights)), heaviest] < 0, -1.0, 1.0)[:, None]
    return np.array([[float(f"{value:.6g}") for value in row] for row in weights])


def right(values: NDArray[np.floating], triplets: Places) -> NDArray[np.float64]:
    """(t,) 1 where the picture named is the nearer one in `values` (n, k), 0 where the other is, 0.5 at a tie."""
    reference, nearer, farther = (values[triplets[:, place]].astype(np.float64) for place in range(3))
    gap = ((reference - farther) ** 2).sum(axis=1) - ((reference - nearer) ** 2).sum(axis=1)
    return (np.sign(gap) + 1.0) / 2.0


def held_out(
    basis: Basis, vectors: Vectors, triplets: Places, axes: int, *, rng: np.random.Generator, look: int = 1
) -> HeldOut:
    """How well axes fitted to four fifths of the triplets foretell the rest, five times over.

    Interval: Wilson (1927), with half as many trials as there are different sets of three images. Raters who answered
    one question twice over are no more than one; and halved, because each of two triplets foretells the other: two
    random answers that happen to agree are right twice. Without the half random clicks were believed in one first fit
    of seventeen (simulated; nominally one of forty). A series that is fitted again and again would believe random
    clicks sooner or later: the k-th look may be wrong with 0.05 / (k (k + 1)), one-sided, which is 5% over all looks
    there can be. Of the first look that is the lower end of the 95% interval.

    Args:
        basis: of n images.
        vectors: (n, d) float32 of the same.
        triplets: (t, 3) places among them: reference, nearer, farther; of 5 sets of images at least.
        axes: how many.
        rng: a generator of these folds alone.
        look: which fit of the series this is, from 1.
    """
    from scipy.special import ndtri

    _, group = np.unique(np.sort(triplets, axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    sets = int(group.max()) + 1
    fold = (np.arange(sets) % FOLDS)[rng.permutation(sets)][group]
    named = np.empty(len(triplets))
    for number in range(FOLDS):
        test = fold == number
        weights = fit_axes(basis, triplets[~test], axes)
        named[test] = right(vectors.astype(np.float64) @ weights.T, triplets[test])
    share = _by_set(named, group)
    trials = max(sets / 2, 1.0)
    low, high = wilson(share, trials)
    floor, _ = wilson(share, trials, z=float(ndtri(1.0 - 0.05 / (look * (look + 1)))))
    return HeldOut(
        accuracy=share,
        low=low,
        high=high,
        embedding=_by_set(right(vectors, triplets), group),
        triplets=len(triplets),
        images=sets,
        floor=floor,
        look=look,
    )


def sets_of(triplets: Places) -> int:
    """How many different sets of three images (t, 3) triplets are about."""
    return len(np.unique(np.sort(triplets, axis=1), axis=0))


def _by_set(named: NDArray[np.float64], group: NDArray[np.int64]) -> float:
    return float((np.bincount(group, named) / np.bincount(group)).mean())


def wilson(share: float, trials: float, z: float = 1.959964) -> tuple[float, float]:
    """Score interval of a share of so many trials (Wilson 1927, eq. 4), 95% unless `z` says otherwise."""
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return middle - reach, middle + reach


def places_of(ids: Sequence[int] | Places, threes: Sequence[tuple[int, int, int]]) -> Places:
    """(t, 3) places in `ids` of triplets given by candidate; those with an image that is not there are left out."""
    place = {int(number): index for index, number in enumerate(ids)}
    found = [[place[number] for number in three] for three in threes if all(number in place for number in three)]
    return np.array(found, dtype=np.int64).reshape(-1, 3)
