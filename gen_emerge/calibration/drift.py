"""Has a signal moved? A sequential test of every signal against a reference window: what moved, and since when.

Takes the raw numbers of one signal in the order in which images came; gives the shifts found. Pure functions: no
chance, no clock. What is named at one image depends on nothing that came later.

The newest images are compared by ranks with the images a regime began with (at most `REFERENCE`), in windows of many
lengths at once: a generalised likelihood ratio over the unknown moment of change (Lai 1995; Siegmund & Venkatraman
1995), with Wilcoxon's score for the level (Mann & Whitney 1947) and Mood's for the spread (Mood 1954). Ranks need no
assumption about the distribution. Only the error of the finite reference and the images' likeness to their neighbours
(a batch shares emitters and parents) have to be counted in, and are. `THRESHOLD` was set by simulation for eight
signals together; see experiments/bench/bench_drift.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

REFERENCE = 1000
"""Images of a regime that later ones are compared with: its first."""
LEAST_REFERENCE = 200
"""Without so many nothing is named."""
LENGTHS = (12, 16, 24, 32, 48, 64, 80, 100, 125, 150, 175, 200, 250, 300, 400)
"""Windows of the newest images that are compared."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One signal moved.

    Args:
        what: its level, or its spread.
        named: how many images had come when it was named.
        since: place of the first image thought to have moved, from 0.
        score: standard errors, negative for downwards.
    """

    what: Literal["level", "spread"]
    named: int
    since: int
    score: float


def find_shifts(values: Values, *, threshold: float = THRESHOLD, every: int = EVERY) -> list[Shift]:
    """Every shift of one signal, oldest first; each begins a regime with a reference of its own.

    Args:
        values: (n,) raw numbers in the order in which images came, finite.
        threshold: standard errors at which a shift is named.
        every: images between two looks.
    """
    found: list[Shift] = []
    start = 0
    while (shift := _next_shift(values, start, threshold, every)) is not None:
        found.append(shift)
        start = shift.since
    return found


def find_all(signals: Mapping[str, Values], **settings: float) -> dict[str, list[Shift]]:
    """Shifts of several signals, each in its own order of images. Novelty is left out: it falls as an archive fills."""
    return {name: find_shifts(values, **settings) for name, values in signals.items() if name != "novelty"}  # type: ignore[arg-type]


def sizes(values: Values, shifts: Sequence[Shift]) -> list[float]:
    """How far the mean moved at each of the level's shifts, in the signal's units, by all images of the two regimes."""
    level = [shift for shift in shifts if shift.what == "level"]
    ends = [0, *(shift.since for shift in level), len(values)]
    means = [float(values[a:b].mean()) for a, b in pairwise(ends)]
    return [after - before for before, after in pairwise(means)]


def _next_shift(values: Values, start: int, threshold: float, every: int) -> Shift | None:
    """The first shift of the regime that began at `start`."""
    own = values[start:]
    count = len(own)
    looks = [n for n in range(every, count + 1, every) if n > LEAST_REFERENCE + min(LENGTHS)]
    growing = [n for n in looks if n <= REFERENCE + max(LENGTHS)]
    for n in growing:
        what, m, score = max(_scores(own[:n], LENGTHS), key=lambda item: abs(item[2]))
        if abs(score) >= threshold:
            return _named(own, start, n, what, m, score)
    place = _first_frozen(own, [n for n in looks if n > REFERENCE + max(LENGTHS)], threshold)
    if place is None:
        return None
    what, m, score = max(_scores(own[:place], LENGTHS), key=lambda item: abs(item[2]))
    return _named(own, start, place, what, m, score)


Found = tuple[Literal["level", "spread"], int, float]


def _scores(own: Values, lengths: Sequence[int]) -> list[Found]:
    """Every window of the newest images against what came before it, in standard errors."""
    found: list[Found] = []
    alike_all = _alike(own[: min(len(own) - lengths[0], REFERENCE)])
    for m in lengths:
        size = min(len(own) - m, REFERENCE)
        if size < LEAST_REFERENCE:
            break
        for what, scores, variance, alike in _scored(own[len(own) - m :], np.sort(own[:size]), alike_all):
            error = np.sqrt(variance * alike * (1 / m + 1 / size + 1 / (m * size)))
            found.append((what, m, float(scores.mean() / error)))
    return found or [("level", lengths[0], 0.0)]


def _scored(
    window: Values, reference: Values, alike: tuple[float, float]
) -> list[tuple[Literal["level", "spread"], Values, float, float]]:
    """Both scores of a window, with what one image's varies by. Ties make both smaller: the reference tells."""
    own, level = _places(reference, reference) - 0.5, _places(window, reference) - 0.5
    middle, least = float((own**2).mean()), LEAST_VARIANCE
    return [
        ("level", level, max(middle, least / 12), alike[0]),
        ("spread", level**2 - middle, max(float((own**2).var()), least / 180), alike[1]),
    ]


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


def _first_frozen(own: Values, looks: Sequence[int], threshold: float) -> int | None:
    """The first look at which a window differs, where the reference stands: all looks and windows at once."""
    if not looks:
        return None
    reference = np.sort(own[:REFERENCE])
    ends = np.array(looks)
    worst = np.zeros(len(ends))
    for _, scores, variance, alike in _scored(own, reference, _alike(own[:REFERENCE])):
        sums = np.concatenate([[0.0], np.cumsum(scores)])
        for m in LENGTHS:
            error = np.sqrt(variance * alike * (1 / m + 1 / REFERENCE + 1 / (m * REFERENCE)))
            worst = np.maximum(worst, np.abs(sums[ends] - sums[ends - m]) / m / error)
    over = np.flatnonzero(worst >= threshold)
    return int(ends[over[0]]) if len(over) else None


def _named(own: Values, start: int, n: int, what: Literal["level", "spread"], m: int, score: float) -> Shift:
    """The moment of change is the one that fits best, looked for near the window that told of it."""
    size = min(max(n - 2 * m, LEAST_REFERENCE), REFERENCE)
    reference = np.sort(own[:size])
    level = _places(own[size:n], reference) - 0.5
    scores = level if what == "level" else level**2 - 1 / 12
    sums = np.cumsum(scores[::-1])
    lengths = np.arange(1, len(sums) + 1)
    near = (lengths >= max(4, m // 2)) & (lengths <= 2 * m)
    fits = np.where(near, np.abs(sums) / np.sqrt(lengths * (1 + lengths / size)), -1.0)
    return Shift(what=what, named=start + n, since=start + n - int(lengths[int(fits.argmax())]), score=score)
