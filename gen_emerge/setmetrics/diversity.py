"""Diversity of one set: (n, d) unit vectors -> mean pairwise distance and Vendi score.

Takes L2-normalised float32 embeddings of one space and touches nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_pairwise_distance(vectors: NDArray[np.float32]) -> float | None:
    """Mean of 1 - cosine over all pairs, in [0, 2]; None below two vectors.

    The sum over pairs is (|sum v|^2 - sum |v|^2) / 2, so it costs O(n d).
    """
    count = len(vectors)
    if count < 2:
        return None
    points = vectors.astype(np.float64)
    total = points.sum(axis=0)
    own = float(np.einsum("ij,ij->", points, points))
    return float(1.0 - (total @ total - own) / (count * (count - 1)))


def vendi_score(vectors: NDArray[np.float32]) -> float | None:
    """The effective number of different images, 1 .. n; None below two vectors.

    exp of the entropy of the eigenvalues of K / n with the cosine kernel K (Friedman and Dieng 2023, "The Vendi
    Score", eq. 2). The non-zero eigenvalues of X X^T / n and X^T X / n are the same: the smaller matrix is used.
    """
    count, dimension = vectors.shape
    if count < 2:
        return None
    points = vectors.astype(np.float64)
    gram = points.T @ points if dimension < count else points @ points.T
    values = np.linalg.eigvalsh(gram / count)
    values = values[values > 1e-12]
    values = values / values.sum()
    return float(np.exp(-np.sum(values * np.log(values))))
