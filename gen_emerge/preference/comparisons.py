"""Takes judgements "left or right or a tie"; gives checked arrays, duplicates of one pair merged. Touches nothing else.

Items are numbered 0 .. n_items - 1. A weight counts judgements: 2.0 is the same as giving the comparison twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, nearest
from gen_emerge.types import Side

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RANKING_WEIGHT = 1.0
"""What one pair of a ranking counts for beside a pair that was asked alone: measured (experiments/LOG.md)."""

CODES: Mapping[str, int] = MappingProxyType({"left": 1, "tie": 0, "right": -1})
"""An outcome as a number, as seen by the left."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One judgement between two different items.

    Args:
        left: the item shown on the left, 0 .. n_items - 1.
        right: the item shown on the right.
        outcome: "left", "right" or "tie".
        rater: who judged, None when it does not matter.
        weight: how many judgements it counts for, >= 0.
        age: how old it is, >= 0, in the half-life's unit.
    """

    left: int
    right: int
    outcome: Side
    rater: str | None = None
    weight: float = 1.0
    age: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """Many judgements as arrays, for size.

    Args:
        left: (m,) items shown on the left.
        right: (m,) items shown on the right.
        outcome: (m,) 1 where the left won, -1 where the right won, 0 for a tie.
        weight: (m,) >= 0, None for 1.
        age: (m,) >= 0, in the half-life's unit, None for 0.
        rater: (m,) who judged, names or numbers; None where it does not matter.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    outcome: NDArray[Any]
    weight: NDArray[Any] | None = None
    age: NDArray[Any] | None = None
    rater: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Judgements merged by pair: (m,) arrays. `wins`, `losses`, `ties` are summed weights as seen by `left`.

    `rater` (m,): the place in `names` of who judged, -1 for nobody in particular; only where raters are told apart.
    """

    n_items: int
    left: Ints
    right: Ints
    wins: Floats
    losses: Floats
    ties: Floats
    rater: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    names: tuple[Any, ...] = ()
    totals: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "totals", self.wins + self.losses + self.ties)


def from_ranking(
    order: Sequence[int], *, rater: str | None = None, weight: float = 1.0, age: float = 0.0
) -> list[Comparison]:
    """A ranking as every pair it implies: k items give k (k - 1) / 2 comparisons, each with RANKING_WEIGHT.

    Who ranks by Plackett-Luce (Luce 1959) prefers in any pair by Bradley-Terry, so the pairs lead to the same utilities
    ("full rank-breaking": Azari Soufiani et al. 2013); neighbours in the order alone would not. No side was left or
    right: every other pair is turned round, so that a position term is not fed by it.

    Args:
        order: different items, the best first.
        rater: who ranked.
        weight: how many rankings it counts for.
        age: in the half-life's unit.

    Raises:
        BadInput: fewer than two items, or one twice.
    """
    if len(order) < 2 or len(set(order)) < len(order):
        raise BadInput(f"A ranking of {list(order)}; wanted two different items or more, each once.")
    pairs = [(order[a], order[b]) for a in range(len(order)) for b in range(a + 1, len(order))]
    found: list[Comparison] = []
    for place, (better, worse) in enumerate(pairs):
        left, right, outcome = (better, worse, "left") if place % 2 == 0 else (worse, better, "right")
        found.append(Comparison(left, right, outcome, rater, weight * RANKING_WEIGHT, age))
    return found


def merge(
    comparisons: Sequence[Comparison] | Comparisons,
    n_items: int,
    half_life: float | None,
    *,
    sides: bool,
    raters: bool = False,
) -> Edges:
    """Check the judgements, fade them by age and merge those of one pair.

    Args:
        comparisons: the judgements.
        n_items: how many items there are.
        half_life: age at which a judgement counts half; None for no fading.
        sides: keep (i, j) and (j, i) apart, as a position term needs.
        raters: keep raters apart.

    Raises:
        BadInput: an item out of range, an item against itself, an unknown outcome, a weight or age that is none.
    """
    if n_items < 1:
        raise BadInput(f"n_items is {n_items}; wanted at least 1.")
    if half_life is not None and not (math.isfinite(half_life) and half_life > 0):
        raise BadInput(f"half_life is {half_life}; wanted a number above 0, or None.")
    many = comparisons if isinstance(comparisons, Comparisons) else _as_arrays(comparisons)
    left, right, outcome, weight, age = _checked(many, n_items)
    if half_life is not None:
        weight = weight * np.exp2(-age / half_life)
    seen = weight > 0
    names, rater = _raters(many, len(left)) if raters else ((), np.zeros(len(left), dtype=np.int64))
    if not seen.all():
        rater = rater[seen]
        left, right, outcome, weight = left[seen], right[seen], outcome[seen], weight[seen]
    if not sides:
        swap = left > right
        left, right = np.where(swap, right, left), np.where(swap, left, right)
        outcome = np.where(swap, -outcome, outcome)
    first = -1 if raters else 0
    keys, place = np.unique(((rater - first) * n_items + left) * n_items + right, return_inverse=True)
    counts = tally(place * 3 + (outcome + 1), weight, 3 * len(keys)).reshape(-1, 3)
    return Edges(
        n_items=n_items,
        left=keys // n_items % n_items,
        right=keys % n_items,
        losses=np.ascontiguousarray(counts[:, 0]),
        ties=np.ascontiguousarray(counts[:, 1]),
        wins=np.ascontiguousarray(counts[:, 2]),
        rater=keys // (n_items * n_items) + first if raters else np.zeros(0, dtype=np.int64),
        names=names,
    )


def _raters(many: Comparisons, size: int) -> tuple[tuple[Any, ...], Ints]:
    """Names in order, and each judgement's place among them; -1 for None."""
    if many.rater is None:
        return (), np.full(size, -1)
    said = np.asarray(many.rater, dtype=object)
    if said.shape != (size,):
        raise BadInput(f"rater has shape {said.shape}; wanted ({size},) like left.")
    names = tuple(sorted({name for name in said.tolist() if name is not None}))
    place = {name: k for k, name in enumerate(names)}
    return names, np.array([place.get(name, -1) for name in said.tolist()], dtype=np.int64)


def tally(places: Ints, weights: Floats, size: int) -> Floats:
    """(size,) sum of the weights that fall on each place."""
    return np.asarray(np.bincount(places, weights, size), dtype=np.float64)


def _as_arrays(comparisons: Sequence[Comparison]) -> Comparisons:
    rows = list(map(attrgetter("left", "right", "outcome", "weight", "age", "rater"), comparisons))
    left, right, outcome, weight, age, rater = zip(*rows, strict=True) if rows else ((),) * 6
    try:
        codes = [CODES[word] for word in outcome]
    except KeyError as unknown:
        word = str(unknown.args[0])
        raise BadInput(f'Outcome "{word}"; wanted left, right or tie.', hint=nearest(word, CODES)) from None
    return Comparisons(
        left=np.array(left),
        right=np.array(right),
        outcome=np.array(codes, dtype=np.int64),
        weight=np.array(weight, dtype=np.float64),
        age=np.array(age, dtype=np.float64),
        rater=np.array(rater, dtype=object),
    )


def _checked(many: Comparisons, n_items: int) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    left, right, outcome = _whole("left", many.left), _whole("right", many.right), _whole("outcome", many.outcome)
    size = len(left)
    weight = np.ones(size) if many.weight is None else np.asarray(many.weight, dtype=np.float64)
    age = np.zeros(size) if many.age is None else np.asarray(many.age, dtype=np.float64)
    for name, values in (("right", right), ("outcome", outcome), ("weight", weight), ("age", age)):
        if values.shape != (size,):
            raise BadInput(f"{name} has shape {values.shape}; wanted ({size},) like left.")
    if size == 0:
        return left, right, outcome, weight, age
    for name, items in (("left", left), ("right", right)):
        if items.min() < 0 or items.max() >= n_items:
            bad = int(items[(items < 0) | (items >= n_items)][0])
            raise BadInput(f"Item {bad} on the {name}; wanted 0 .. {n_items - 1}.")
    if (left == right).any():
        raise BadInput(f"Item {int(left[left == right][0])} was compared with itself; wanted two different items.")
    if np.abs(outcome).max() > 1:
        raise BadInput("An outcome is none of 1 (left), -1 (right), 0 (tie).")
    for name, values in (("weight", weight), ("age", age)):
        if not (np.isfinite(values).all() and values.min() >= 0):
            raise BadInput(f"A comparison's {name} is negative or not finite; wanted a number >= 0.")
    return left, right, outcome, weight, age


def _whole(name: str, values: NDArray[Any]) -> Ints:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise BadInput(f"{name} holds {array.dtype} of shape {array.shape}; wanted (m,) whole numbers.")
    return array.astype(np.int64)
