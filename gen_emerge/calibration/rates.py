"""Has a share moved? A sequential test of yes / no against the first ones: how much, and since when.

Takes flags in the order in which they came: images that had to wait for a human, images with a defect, answers in which
human and machine agreed. Pure functions, no chance, no clock; what is named depends on nothing that came later.

A likelihood ratio of two binomials (Wilks 1938) over windows of many lengths, divided by the flags' likeness to their
neighbours. Ranks would do for common things; of rare ones a short window soon holds more than any normal law allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.drift import BLOCK, PRIOR_BLOCKS, REFERENCE, THRESHOLD

Flags = NDArray[np.bool_]
Counts = NDArray[np.intp]

RATE_LENGTHS = (8, 12, 16, 24, 32, 48, 64, 100, 150, 200, 300, 400)
"""Windows of the newest flags that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateShift:
    """A share of yes moved.

    Args:
        named: how many flags had come when it was noticed.
        since: place of the first that is thought to have moved, from 0.
        before: the share until then.
        after: the share since.
        score: standard errors (signed root of the likelihood ratio).
    """

    named: int
    since: int
    before: float
    after: float
    score: float


class RateWatch:
    """One kind of flag, watched one by one. It holds the first of its regime and the newest.

    Args:
        flags: (n,) a regime that is known already, oldest first: nothing is looked for among them.
        start: place of the first of them.
        least: flags without which nothing is said.
        every: flags between two looks.
        threshold: standard errors.
    """

    def __init__(
        self,
        flags: Flags | None = None,
        *,
        start: int = 0,
        least: int = 200,
        every: int = 8,
        threshold: float = THRESHOLD,
    ) -> None:
        self._least, self._every, self._threshold = least, every, threshold
        self._begin(start, np.empty(0, np.bool_) if flags is None else np.asarray(flags, dtype=np.bool_))

    def _begin(self, start: int, flags: Flags) -> None:
        self.start = start
        """Place of the regime's first flag."""
        self.count = len(flags)
        """How many the regime has."""
        self._head, self._tail = flags[:REFERENCE], flags[-RATE_LENGTHS[-1] :]

    def extend(self, flags: Flags) -> list[RateShift]:
        """More flags, oldest first; gives the shifts they tell of. Each begins a regime of its own."""
        found: list[RateShift] = []
        rest = np.asarray(flags, dtype=np.bool_)
        while len(rest):
            upto = self._every - self.count % self._every
            taken, rest = rest[:upto], rest[upto:]
            self.count += len(taken)
            self._head = np.concatenate([self._head, taken[: REFERENCE - len(self._head)]])
            self._tail = np.concatenate([self._tail, taken])[-RATE_LENGTHS[-1] :]
            shift = self._look() if self.count % self._every == 0 else None
            if shift is not None:
                found.append(shift)
                self._begin(shift.since, self._tail[len(self._tail) - (shift.named - shift.since) :])
        return found

    def _look(self) -> RateShift | None:
        best, window = 0.0, 0
        if self.count < self._least + RATE_LENGTHS[0]:
            return None
        first, newest = (np.cumsum(flags, dtype=np.intp) for flags in (self._head, self._tail[::-1]))
        for m in RATE_LENGTHS:
            size = min(self.count - m, REFERENCE)
            if size < self._least:
                break
            yes, all_yes = int(newest[m - 1]), int(first[size - 1])
            score = _apart(all_yes, size, yes, m)
            if abs(score) < self._threshold:
                continue
            score /= np.sqrt(_alike(self._head[:size]))
            if abs(score) >= self._threshold and abs(score) > abs(best):
                best, window = float(score), m
        return self._named(best, window, first, newest) if window else None

    def _named(self, score: float, m: int, first: Counts, newest: Counts) -> RateShift:
        """The moment is the one that fits best, looked for near the window that told of it."""
        lengths = range(max(4, m // 2), min(2 * m, len(newest), self.count - self._least) + 1)

        def fit(length: int) -> float:
            size = min(self.count - length, REFERENCE)
            return abs(_apart(int(first[size - 1]), size, int(newest[length - 1]), length))

        length = max(lengths, key=fit)
        size, named = min(self.count - length, REFERENCE), self.start + self.count
        return RateShift(
            named=named,
            since=named - length,
            before=int(first[size - 1]) / size,
            after=int(newest[length - 1]) / length,
            score=score,
        )


def _apart(yes: int, of: int, other_yes: int, other_of: int) -> float:
    pooled = (yes + other_yes) / (of + other_of)

    def likelihood(k: int, n: int, p: float) -> float:
        return (k * np.log(p) if k else 0.0) + ((n - k) * np.log1p(-p) if n > k else 0.0)

    ratio = sum(likelihood(k, n, k / n) - likelihood(k, n, pooled) for k, n in ((yes, of), (other_yes, other_of)))
    return float(np.sign(other_yes / other_of - yes / of) * np.sqrt(max(2 * ratio, 0.0)))


def _alike(flags: Flags) -> float:
    """How many times more a share varies than among strangers, at least 1: by blocks, as a signal's likeness is."""
    share, blocks = float(flags.mean()), len(flags) // BLOCK
    variance = share * (1 - share)
    if variance == 0 or not blocks:
        return 1.0
    means = flags[: blocks * BLOCK].reshape(blocks, BLOCK).mean(axis=1)
    ratio = float(((means - share) ** 2).sum()) * BLOCK / variance
    return max(1.0, (PRIOR_BLOCKS + ratio) / (PRIOR_BLOCKS + max(blocks - 1, 1)))
