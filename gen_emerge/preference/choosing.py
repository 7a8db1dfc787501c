"""Takes a fit; gives the pairs whose answers are worth most to the order of its items. Asks nobody, touches nothing.

Two criteria over the Gaussian (Laplace) posterior of the utilities:

- *mutual information* between a pair's answer and the utilities (Houlsby et al. 2011, "Bayesian active learning for
  classification and preference learning", eq. 3, the logistic taken as a probit);
- *expected discordance*: how many pairs of items are expected to stand in the wrong order once the answer is in (what
  Kendall's tau counts), the posterior moved by moment matching (Opper & Winther 1999).

The first is cheap and names candidates; the second is what rounds are for, and chooses among them. Within a round each
chosen pair lowers the covariance by what an answer brings on average, so that no two pairs ask the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.preference.bradley_terry import Fit
from gen_emerge.preference.comparisons import Floats, Ints

Singles = NDArray[np.float32]

CANDIDATES = 40
"""So many pairs, the first by mutual information, are looked at for discordance."""
WORK = 30_000
"""Candidates times pairs of items that are looked at for one choice: fewer candidates where there are many items."""
ITEMS = 100
"""Of more items than this only so many are looked at in one round ..."""
FEWER = 4_000_000
"""... and fewer where many items were compared: this over their number, but at least 20 (each costs a linear solve)."""
_NOISE = 8.0 / math.pi
"""A logistic is close to a probit whose noise has this variance (MacKay 1992)."""
_HOULSBY = math.pi * math.log(2.0) / 2.0
"""C^2 of Houlsby et al.'s equation 3."""


def choose_pairs(
    fit: Fit,
    k: int,
    *,
    rng: np.random.Generator,
    among: Sequence[int] | None = None,
    without: Collection[tuple[int, int]] = (),
) -> list[tuple[int, int]]:
    """The k different pairs to ask next, as (left, right); the sides are drawn by chance.

    Args:
        fit: what is known so far.
        k: how many pairs, 0 .. n (n - 1) / 2; of more than 100 items, at most the pairs
            of those that are looked at (190 or more).
        rng: draws the sides, who comes first of equals, and, of more than 100 items, those that are looked at.
        among: different items to choose from; None for all.
        without: pairs (i < j) not to choose; where `among` or `without` leaves fewer than k pairs, those are all.

    Raises:
        BadInput: k is below 0, or more than there are pairs of all items.
    """
    items = _looked_at(fit, among, rng)
    i, j = (side.astype(np.int64) for side in np.triu_indices(len(items), 1))
    if k < 0 or (k > len(i) and among is None and not without):
        raise BadInput(
            f"{k} pairs of {len(fit.utilities)} items; wanted 0 .. {len(i)}.", hint="Ask for fewer, or give more items."
        )
    gap = fit.utilities[items[i]] - fit.utilities[items[j]]
    covariance = fit.covariance(items) if k else np.zeros((len(items), len(items)))
    free = _free(items, without)[i, j]
    chosen: list[tuple[int, int]] = []
    for _ in range(min(k, int(free.sum()))):
        variance = _of_differences(covariance, i, j)
        best = _best(covariance, i, j, gap, variance, free)
        free[best] = False
        chosen.append((int(items[i[best]]), int(items[j[best]])))
        covariance = _after(covariance, int(i[best]), int(j[best]), float(gap[best]), float(variance[best]))
    turned = rng.random(len(chosen)) < 0.5
    return [(b, a) if turn else (a, b) for (a, b), turn in zip(chosen, turned, strict=True)]


def choose_groups(
    fit: Fit,
    k: int,
    *,
    size: int = 4,
    rng: np.random.Generator,
    among: Sequence[int] | None = None,
    without: Collection[tuple[int, int]] = (),
) -> list[tuple[int, ...]]:
    """The k groups of `size` different items to have ranked next, each in an order drawn by chance.

    A group begins with the pair of most information and takes in, one by one, the item whose pairs with those in it
    bring most; then the covariance falls by all its pairs, and the next group is chosen.

    Args:
        fit: what is known so far.
        k: how many groups.
        size: items a group, 2 .. n.
        rng: draws the orders, who comes first of equals, and, of more than 100 items, those looked at.
        among: different items to choose from; None for all.
        without: pairs (i < j) that bring nothing new; where there are no others, no group is chosen.

    Raises:
        BadInput: k is below 0, or a group larger than there are items.
    """
    items = _looked_at(fit, among, rng)
    if k < 0 or not 2 <= size <= len(items):
        raise BadInput(f"{k} groups of {size} of {len(fit.utilities)} items; wanted k >= 0, size 2 .. {len(items)}.")
    mean = fit.utilities[items]
    gap = mean[:, None] - mean
    covariance = fit.covariance(items) if k else np.zeros_like(gap)
    found: list[tuple[int, ...]] = []
    free = _free(items, without)
    for _ in range(k if free.any() else 0):
        own = np.diag(covariance)
        variance = np.maximum(own[:, None] + own - 2.0 * covariance, 1e-12)
        group = _grown(np.where(free, mutual_information(gap, variance), 0.0), size)
        covariance = _after_all(covariance, group, gap)
        found.append(tuple(int(items[place]) for place in rng.permutation(group)))
    return found


def mutual_information(gap: Floats, variance: Floats) -> Floats:
    """(p,) bits, to 0.03, that an answer is expected to bring.

    Args:
        gap: (p,) means of the differences of the utilities, in log-odds.
        variance: (p,) their variances.
    """
    mean, spread = gap / math.sqrt(_NOISE), variance / _NOISE
    surprise = _entropy(_normal_cdf(np.abs(mean) / np.sqrt(1.0 + spread)))
    # What a rater who knew the utilities would still leave to chance (Houlsby et al. 2011, eq. 3).
    wide = spread + _HOULSBY
    return surprise - math.sqrt(_HOULSBY) / np.sqrt(wide) * np.exp(-mean * mean / (2.0 * wide))


def expected_discordance(moves: Singles, gap: Floats, variance: Floats, asked: Ints) -> Floats:
    """(c,) how many of the p pairs are expected in the wrong order after the answer to each of c of them.

    Args:
        moves: (c, p) covariance of the asked pairs' differences with all pairs' differences.
        gap: (p,) means of the differences.
        variance: (p,) their variances.
        asked: (c,) which pairs are asked about.
    """
    # Single precision: it is counted what is expected, to a few parts in ten thousand.
    width = _NOISE + variance[asked]
    z = gap[asked] / np.sqrt(width)
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    total = np.zeros(len(asked))
    means, variances = gap.astype(np.float32), variance.astype(np.float32)
    squares = moves * moves
    for answer in (1.0, -1.0):
        chance = np.maximum(_normal_cdf(answer * z), 1e-300)
        pull = density / chance
        # Mean and variance of a Gaussian times a probit (Rasmussen & Williams 2006, eq. 3.85, 3.87), carried over.
        mean = moves * (answer * pull / np.sqrt(width)).astype(np.float32)[:, None]
        mean += means
        rest = squares * (pull * (pull + answer * z) / -width).astype(np.float32)[:, None]
        rest += variances
        total += chance * _wrong(mean, np.maximum(rest, np.float32(1e-9), out=rest)).sum(axis=1)
    return total


def _best(covariance: Floats, i: Ints, j: Ints, gap: Floats, variance: Floats, free: NDArray[np.bool_]) -> int:
    information = np.where(free, mutual_information(gap, variance), -np.inf)
    count = min(max(WORK // len(i), 1), CANDIDATES, int(free.sum()))
    first = np.argpartition(-information, count - 1)[:count]
    columns = (covariance[i[first]] - covariance[j[first]]).astype(np.float32)
    moves = np.take(columns, i, axis=1) - np.take(columns, j, axis=1)
    return int(first[np.argmin(expected_discordance(moves, gap, variance, first))])


def _after(covariance: Floats, i: int, j: int, gap: float, variance: float) -> Floats:
    """The covariance once this pair is answered, as it is on average over the answers."""
    column = covariance[:, i] - covariance[:, j]
    # E[p (1 - p)] under the posterior: the slope of the expected answer, again as a probit's.
    wide = _NOISE + variance
    weight = math.exp(-gap * gap / (2.0 * wide)) / math.sqrt(2.0 * math.pi * wide)
    return covariance - np.outer(column, column) / (1.0 / max(weight, 1e-300) + variance)


def _grown(bits: Floats, size: int) -> list[int]:
    """The places of a group: the pair of most bits, then one by one whoever brings most with those that are in it."""
    np.fill_diagonal(bits, -np.inf)
    group = [int(place) for place in np.unravel_index(int(np.argmax(bits)), bits.shape)]
    while len(group) < size:
        group.append(int(np.argmax(bits[group].sum(axis=0))))
    return group


def _after_all(covariance: Floats, group: Sequence[int], gap: Floats) -> Floats:
    """The covariance once every pair of a group is answered."""
    for a, i in enumerate(group):
        for j in group[:a]:
            spread = float(max(covariance[i, i] + covariance[j, j] - 2.0 * covariance[i, j], 1e-12))
            covariance = _after(covariance, i, j, float(gap[i, j]), spread)
    return covariance


def _free(items: Ints, without: Collection[tuple[int, int]]) -> NDArray[np.bool_]:
    """(k, k) which pairs of (k,) items may be chosen: two different ones, and none of those left out."""
    place = {int(item): at for at, item in enumerate(items)}
    free = ~np.eye(len(items), dtype=bool)
    for i, j in without:
        if i in place and j in place:
            free[place[i], place[j]] = free[place[j], place[i]] = False
    return free


def _looked_at(fit: Fit, among: Sequence[int] | None, rng: np.random.Generator) -> Ints:
    """The items in an order drawn by chance; of many, half drawn, and to each the one that stands next to it.

    Neighbours in the order are where an answer can change it; who is drawn must not depend on what is known already,
    or an image once rated low would never be asked about again.
    """
    able = np.arange(len(fit.utilities)) if among is None else np.asarray(among, dtype=np.int64)
    return able[_drawn(fit.utilities[able], int(fit.compared.sum()), rng)]


def _drawn(utilities: Floats, compared: int, rng: np.random.Generator) -> Ints:
    n = len(utilities)
    order = rng.permutation(n)
    if n <= ITEMS:
        return order
    ranked = order[np.argsort(utilities[order], kind="stable")]
    wanted = max(min(ITEMS, FEWER // max(compared, 1)), 20)
    drawn = rng.choice(n - 1, wanted // 2, replace=False)
    places = np.unique(np.concatenate([drawn, drawn + 1]))
    # A run of neighbours shares some; others by chance fill up.
    spare = np.setdiff1d(rng.choice(n, wanted, replace=False), places)
    return rng.permutation(ranked[np.concatenate([places, spare[: wanted - len(places)]])])


def _wrong(mean: Singles, variance: Singles) -> Singles:
    """P(a Gaussian has the other sign than its mean), to 2e-4: Page 1977, "Approximations to the cumulative normal"."""
    x = np.minimum(np.abs(mean, out=mean) / np.sqrt(variance, out=variance), np.float32(8.0))
    power = x * x
    power *= np.float32(0.07056)
    power += np.float32(1.5976)
    power *= x
    np.exp(power, out=power)
    power += np.float32(1.0)
    return np.reciprocal(power, out=power)


def _of_differences(covariance: Floats, i: Ints, j: Ints) -> Floats:
    own = np.diag(covariance)
    return np.maximum(own[i] + own[j] - 2.0 * covariance[i, j], 1e-12)


def _entropy(chance: Floats) -> Floats:
    chance = np.minimum(chance, 1.0 - 1e-15)
    other = 1.0 - chance
    return (chance * np.log(chance) + other * np.log(other)) * (-1.0 / math.log(2.0))


def _normal_cdf(x: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(x), dtype=np.float64)
