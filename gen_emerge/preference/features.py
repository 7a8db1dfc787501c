"""Takes items' features; gives the few columns through which they speak of utilities. Pure functions.

A Gaussian process with a linear kernel, in its weight space (Rasmussen & Williams 2006, section 2.1):
utility = own part + columns @ w, w ~ N(0, sd^2). The columns are the principal components of the standardised features,
all of them up to `RANK`, with a mean squared length of 1 over the items: then sd is the spread, in log-odds, that the
features explain, and its evidence says whether they explain any. A linear kernel, because embeddings are made to be
read linearly, it stays a low-rank term for 100,000 items, and it has one scale to learn and no length to guess from few
answers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.preference.comparisons import Floats

RANK = 64
"""So many principal components at most."""


def columns_of(features: NDArray[np.floating], n_items: int) -> Floats:
    """(n, r) columns, mean 0 and mean squared length 1; r is 0 where the features do not differ.

    Args:
        features: (n, d) of any scale.
        n_items: how many items there are.

    Raises:
        BadInput: another shape, or a value that is not finite.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != n_items:
        raise BadInput(f"features has shape {values.shape}; wanted ({n_items}, d), a row for each item.")
    if not np.isfinite(values).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(values))[0])
        raise BadInput(f"Feature {column} of item {row} is {values[row, column]}; wanted a finite number.")
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    values = values[:, spread > 1e-12] / spread[spread > 1e-12]
    if not values.size:
        return np.zeros((n_items, 0))
    # Of the smaller Gram matrix: d is a few hundred, n may be 100,000, or the other way round.
    if values.shape[1] <= n_items:
        size, axes = np.linalg.eigh(values.T @ values)
        scores = values @ axes
    else:
        size, axes = np.linalg.eigh(values @ values.T)
        scores = axes * np.sqrt(np.maximum(size, 0.0))
    kept = np.flatnonzero(size > 1e-9 * size[-1])[::-1][:RANK]
    columns = scores[:, kept]
    return np.asarray(columns / np.sqrt(np.mean(np.sum(columns**2, axis=1))), dtype=np.float64)
