"""Takes vectors and their classes; gives a multinomial logistic regression and honest figures of it. Numbers only.

A temperature (C. Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2) moves no decision and
makes the shares honest. What is called left out was predicted by a model that had not seen it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.chance import draw

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Factors of the squared weights, beside the mean log loss; the weights are for vectors of length 1."""
FOLDS = 4


def split(labels: NDArray[np.int64], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and to hold out, the share taken from every class (at least one of each)."""
    held: list[int] = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        order = draw(seed, 0, int(label), "style-split").permutation(len(own))
        held += [int(own[place]) for place in order[: max(1, round(share * len(own)))]]
    out = np.asarray(sorted(held))
    return np.setdiff1d(np.arange(len(labels)), out), out


def regress(
    vectors: NDArray[np.float64], labels: NDArray[np.int64], classes: int, strength: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multinomial logistic regression: weight (c, d) and bias (c,), by L-BFGS in float64. It has one best answer.

    Minimises the mean log loss, every class weighing the same, plus `strength` times the squared weights.
    """
    from scipy.optimize import minimize

    width = vectors.shape[1]
    counts = np.bincount(labels, minlength=classes)
    each = 1.0 / (classes * counts[labels])
    right = np.eye(classes)[labels]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight, bias = flat[: classes * width].reshape(classes, width), flat[classes * width :]
        logits = vectors @ weight.T + bias
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = -float((each * logs[np.arange(len(labels)), labels]).sum()) + strength * float((weight**2).sum())
        slope = (np.exp(logs) - right) * each[:, None]
        return value, np.concatenate([(slope.T @ vectors + 2 * strength * weight).ravel(), slope.sum(axis=0)])

    found: Any = minimize(loss, np.zeros(classes * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    flat: NDArray[np.float64] = found.x
    return flat[: classes * width].reshape(classes, width), flat[classes * width :]


def log_loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean negative log share of the right class, nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(labels)), labels].mean())


def calibrate(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature, 0.05..20, that makes the log loss least."""
    from scipy.optimize import minimize_scalar

    bounds = (math.log(0.05), math.log(20.0))

    def loss(log: float) -> float:
        return log_loss(logits / math.exp(log), labels)

    found: Any = minimize_scalar(loss, bounds=bounds, method="bounded")
    return math.exp(float(found.x))


def choose(vectors: NDArray[np.float64], labels: NDArray[np.int64], classes: int, seed: int) -> float:
    """The strength with the least log loss on pictures left out in turn, at its own best temperature."""
    losses: list[float] = []
    for strength in STRENGTHS:
        logits = left_out(vectors, labels, classes, strength, seed)
        losses.append(log_loss(logits / calibrate(logits, labels), labels))
    return STRENGTHS[int(np.argmin(losses))]


def left_out(
    vectors: NDArray[np.float64], labels: NDArray[np.int64], classes: int, strength: float, seed: int
) -> NDArray[np.float64]:
    """Logits of every picture by a model that was not trained on it, (n, c)."""
    fold = np.zeros(len(labels), np.int64)
    for label in range(classes):
        own = np.flatnonzero(labels == label)
        fold[own[draw(seed, 1, label, "style-folds").permutation(len(own))]] = np.arange(len(own)) % FOLDS
    logits = np.zeros((len(labels), classes))
    for place in np.unique(fold):
        out = fold == place
        weight, bias = regress(vectors[~out], labels[~out], classes, strength)
        logits[out] = vectors[out] @ weight.T + bias
    return logits
