"""Has a signal moved? A sequential test of every signal against a reference window: what moved, and since when.

Takes the raw numbers of one signal in the order in which images came; gives the shifts found. Pure functions: no
chance, no clock. What is named at one image depends on nothing that came later, and on no portions in which they came.

The newest images are compared by ranks with the images a regime began with (at most `REFERENCE`), in windows of many
lengths at once: a generalised likelihood ratio over the unknown moment of change (Lai 1995; Siegmund & Venkatraman
1995), with Wilcoxon's score for the level (Mann & Whitney 1947) and Mood's for the spread (Mood 1954). Ranks need no
assumption about the distribution. Only the error of the finite reference and the images' likeness to their neighbours
(a batch shares emitters and parents) have to be counted in, and are. `THRESHOLD` was set by simulation for eight
signals together; see experiments/bench/bench_drift.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

REFERENCE = 1000
"""Images of a regime that later ones are compared with: its first."""
LEAST_REFERENCE = 200
"""Without so many nothing is named."""
STEP = 100
"""A reference that still grows does so by so many images."""
LENGTHS = (12, 16, 24, 32, 48, 64, 80, 100, 125, 150, 175, 200, 250, 300, 400)
"""Windows of the newest images that are compared."""
KEPT = 2 * LENGTHS[-1]
"""The newest images of a regime that are remembered, beside its first: a moment of change is looked for among them."""
THRESHOLD = 4.4
"""Standard errors at which a shift is named."""
EVERY = 8
"""Images between two looks."""
BLOCK = 8
"""Images whose mean tells how alike neighbours are: a batch, most often."""
PRIOR_BLOCKS = 10
"""Blocks' worth of belief that neighbours are no more alike than others."""
LEAST_VARIANCE = 0.1
"""Share of a score's variance without ties that is assumed at least: a constant that jumps has moved too."""
_AT_ONCE = 4096
"""Images whose looks are taken together, once the reference stands."""

_LONGEST = LENGTHS[-1]
_LENGTHS = np.array(LENGTHS)
What = Literal["level", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One signal moved.

    Args:
        what: its level, or its spread.
        named: how many images had come when it was named.
        since: place of the first image thought to have moved, from 0.
        score: standard errors, negative for downwards.
        before: (mean, sd) of the reference, in the signal's unit.
        after: (mean, sd) of the images since.
    """

    what: What
    named: int
    since: int
    score: float
    before: tuple[float, float] = (0.0, 0.0)
    after: tuple[float, float] = (0.0, 0.0)


class Watch:
    """One signal, watched image by image. It holds its regime's first images and its newest: 1,800 numbers at most.

    Args:
        values: (n,) a regime that is known already, oldest first: nothing is looked for among them.
        start: place of the first of them.
        threshold: standard errors at which a shift is named.
        every: images between two looks.
    """

    def __init__(
        self, values: Values | None = None, *, start: int = 0, threshold: float = THRESHOLD, every: int = EVERY
    ) -> None:
        self._threshold, self._every = threshold, every
        self._begin(start, np.empty(0) if values is None else np.asarray(values, dtype=np.float64))

    def _begin(self, start: int, values: Values) -> None:
        self.start = start
        """Place of the regime's first image."""
        self.count = len(values)
        """How many images the regime has."""
        self._head, self._tail = values[:REFERENCE], values[-KEPT:]
        self._references: dict[int, _Reference] = {}

    def extend(self, values: Values) -> list[Shift]:
        """More images, oldest first; gives the shifts they tell of. Each begins a regime with a reference of its own.

        Args:
            values: (n,) raw numbers, finite.
        """
        found: list[Shift] = []
        rest = np.asarray(values, dtype=np.float64)
        while len(rest):
            upto = self._every - self.count % self._every  # the next look
            if self.count >= REFERENCE + _LONGEST and len(rest) >= upto:
                upto += (min(len(rest), _AT_ONCE) - upto) // self._every * self._every
            taken, rest = rest[:upto], rest[upto:]
            shift, unused = self._advance(taken)
            rest = np.concatenate([unused, rest]) if len(unused) else rest
            if shift is not None:
                found.append(shift)
                self._begin(shift.since, self._tail[len(self._tail) - (shift.named - shift.since) :])
        return found

    def _advance(self, taken: Values) -> tuple[Shift | None, Values]:
        """Take some in, up to a look or, once the reference stands, several; what comes after a shift is given back."""
        before, self.count = self.count, self.count + len(taken)
        self._head = np.concatenate([self._head, taken[: REFERENCE - len(self._head)]])
        self._tail = np.concatenate([self._tail, taken])
        ends = [n for n in range(before + 1, self.count + 1) if n % self._every == 0]
        hit = self._look(ends) if ends and ends[-1] > LEAST_REFERENCE + LENGTHS[0] else None
        if hit is None:
            self._tail = self._tail[-KEPT:]
            return None, taken[:0]
        end, what, m, score = hit
        unused = self.count - end
        self._tail, self.count = self._tail[: len(self._tail) - unused][-KEPT:], end
        return self._named(what, m, score), taken[len(taken) - unused :]

    def _look(self, ends: Sequence[int]) -> tuple[int, What, int, float] | None:
        """The first of some looks at which a window differs: its end, what moved, the window, standard errors."""
        sizes = [min((self.count - m) // STEP * STEP, REFERENCE) for m in LENGTHS]
        best: list[tuple[Values, What, int]] = []
        for size in sorted({size for size in sizes if size >= LEAST_REFERENCE}):
            own = np.flatnonzero(np.array(sizes) == size)
            for what, scores in self._reference(size).scores(self._tail, self.count, ends, _LENGTHS[own]):
                for column, place in enumerate(own):
                    best.append((scores[:, column], what, LENGTHS[place]))
        if not best:
            return None
        table = np.abs(np.stack([column for column, _, _ in best], axis=1))
        over = np.flatnonzero(table.max(axis=1) >= self._threshold)
        if not len(over):
            return None
        column, what, m = best[int(table[over[0]].argmax())]
        return ends[over[0]], what, m, float(column[over[0]])

    def _reference(self, size: int) -> _Reference:
        if size not in self._references:
            newest = self.count - _LONGEST
            self._references = {s: r for s, r in self._references.items() if s >= newest - STEP}
            self._references[size] = _Reference(self._head[:size])
        return self._references[size]

    def _named(self, what: What, m: int, score: float) -> Shift:
        """The moment of change is the one that fits best, looked for near the window that told of it."""
        size = min(max(self.count - 2 * m, LEAST_REFERENCE), REFERENCE)
        reference = np.sort(self._head[:size])
        level = _places(self._tail[-min(2 * m, self.count - size) :], reference) - 0.5
        scores = level if what == "level" else level**2 - 1 / 12
        sums = np.cumsum(scores[::-1])
        lengths = np.arange(1, len(sums) + 1)
        near = (lengths >= max(4, m // 2)) & (lengths <= 2 * m)
        fits = np.where(near, np.abs(sums) / np.sqrt(lengths * (1 + lengths / size)), -1.0)
        length = int(lengths[int(fits.argmax())])
        named = self.start + self.count
        old, new = self._head[: min(self.count - length, REFERENCE)], self._tail[-length:]
        return Shift(
            what=what,
            named=named,
            since=named - length,
            score=score,
            before=(float(old.mean()), float(old.std())),
            after=(float(new.mean()), float(new.std())),
        )


class _Scale(NamedTuple):
    """What one image's score varies by, and how many times more a mean varies than among strangers."""

    variance: float
    alike: float


class _Reference:
    """The first images of a regime, sorted, and the scores of the newest against them.

    Args:
        values: (size,) raw numbers.
    """

    def __init__(self, values: Values) -> None:
        self._size, self._sorted = len(values), np.sort(values)
        own = _places(self._sorted, self._sorted) - 0.5
        self._middle = float((own**2).mean())
        alike = _alike(values)
        # Ties make both variances smaller: the reference tells.
        self._level = _Scale(max(self._middle, LEAST_VARIANCE / 12), alike[0])
        self._spread = _Scale(max(float((own**2).var()), LEAST_VARIANCE / 180), alike[1])
        self._upto, self._known = 0, np.empty(0)

    def scores(
        self, tail: Values, count: int, ends: Sequence[int], lengths: NDArray[np.intp]
    ) -> list[tuple[What, Values]]:
        """(ends, lengths) windows of the newest images against the reference, in standard errors.

        Args:
            tail: the newest images.
            count: how many there have been, them included.
            ends: where the windows end.
            lengths: (k,) of the windows, ascending.
        """
        fresh = min(count - self._upto, len(tail))
        self._known = np.concatenate([self._known, _places(tail[len(tail) - fresh :], self._sorted) - 0.5])
        self._upto, longest = count, int(lengths[-1])
        last = len(self._known) - (count - np.array(ends))
        windows = np.lib.stride_tricks.sliding_window_view(self._known, longest)[last - longest][:, ::-1]
        # Always summed from the newest on: the same sums whatever portions the images came in.
        level = windows.cumsum(axis=1)[:, lengths - 1] / lengths
        spread = (windows**2).cumsum(axis=1)[:, lengths - 1] / lengths - self._middle
        self._known = self._known[-_LONGEST:]
        size = self._size
        error = np.sqrt(1 / lengths + 1 / size + 1 / (lengths * size))
        return [
            ("level", level / (error * np.sqrt(self._level.variance * self._level.alike))),
            ("spread", spread / (error * np.sqrt(self._spread.variance * self._spread.alike))),
        ]


def find_shifts(values: Values, *, threshold: float = THRESHOLD, every: int = EVERY) -> list[Shift]:
    """Every shift of one signal, oldest first; each begins a regime with a reference of its own.

    Args:
        values: (n,) raw numbers in the order in which images came, finite.
        threshold: standard errors at which a shift is named.
        every: images between two looks.
    """
    return Watch(threshold=threshold, every=every).extend(values)


def sizes(values: Values, places: Sequence[int]) -> list[float]:
    """How far the mean moved at each of the level's shifts, in the signal's units, by all images of the two regimes.

    Args:
        values: (n,) raw numbers in the order in which images came.
        places: of the first image of every shift, ascending, within 1 .. n - 1.
    """
    ends = [0, *places, len(values)]
    means = [float(values[a:b].mean()) for a, b in pairwise(ends)]
    return [after - before for before, after in pairwise(means)]


def _places(values: Values, reference: Values) -> Values:
    """(n,) mid-rank of every value among the sorted reference, 0 to 1."""
    below = np.searchsorted(reference, values, side="left")
    upto = np.searchsorted(reference, values, side="right")
    return (below + upto + 1) / (2 * (len(reference) + 1))


def _alike(reference: Values) -> tuple[float, float]:
    """How many times larger the variance of a mean is than among strangers, for both scores; at least 1.

    By the means of blocks (batch means; Flegal & Jones 2010), drawn towards 1 where there are few.
    """
    places = (np.argsort(np.argsort(reference, kind="stable"), kind="stable") + 0.5) / len(reference) - 0.5
    blocks = len(reference) // BLOCK
    found: list[float] = []
    for scores, variance in ((places, 1 / 12), (places**2 - 1 / 12, 1 / 180)):
        means = scores[: blocks * BLOCK].reshape(blocks, BLOCK).mean(axis=1)
        ratio = float((means**2).sum()) * BLOCK / variance
        # One block's worth is lost to the mean of all.
        found.append(max(1.0, (PRIOR_BLOCKS + ratio) / (PRIOR_BLOCKS + max(blocks - 1, 1))))
    return found[0], found[1]
