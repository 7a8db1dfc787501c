"""Takes duels in order; gives fits of the first so many of them, under what each judge's word weighs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from gen_emerge.preference.bradley_terry import Fit, fit_bradley_terry
from gen_emerge.preference.comparisons import CODES, Comparisons
from gen_emerge.preference.judges import weight_of
from gen_emerge.types import HUMAN, Duel

SCALE_FIRST = 8
"""From so many duels on, how far utilities spread is learned."""


class DuelTable:
    """Duels as columns. `ids`: every candidate in them, in the order in which they came; `place`: where in it."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.place: dict[int, int] = {}
        self.judges: list[str] = []
        self._left: list[int] = []
        self._right: list[int] = []
        self._outcome: list[int] = []
        self._known: list[int] = []

    def __len__(self) -> int:
        return len(self._left)

    def append(self, duel: Duel) -> None:
        """One more."""
        for candidate in (duel.left, duel.right):
            if candidate not in self.place:
                self.place[candidate] = len(self.ids)
                self.ids.append(candidate)
        self._left.append(self.place[duel.left])
        self._right.append(self.place[duel.right])
        self._outcome.append(CODES[duel.outcome])
        self.judges.append(duel.judge)
        self._known.append(len(self.ids))

    def truncate(self, count: int) -> None:
        """Only the first so many are left, as if the others had never come."""
        for gone in self.ids[self.known(count) :]:
            del self.place[gone]
        del self.ids[self.known(count) :]
        for column in (self._left, self._right, self._outcome, self.judges, self._known):
            del column[count:]

    def known(self, count: int) -> int:
        """How many candidates the first `count` duels speak of."""
        return self._known[count - 1] if count else 0

    def fit(self, count: int, weights: Mapping[str, float], prior: float | Literal["evidence"]) -> Fit:
        """The model of the first `count` duels, over the candidates they speak of."""
        judges = self.judges[:count]
        each = {judge: weight_of(judge, weights) for judge in set(judges)}
        comparisons = Comparisons(
            left=np.array(self._left[:count], dtype=np.int64),
            right=np.array(self._right[:count], dtype=np.int64),
            outcome=np.array(self._outcome[:count], dtype=np.int64),
            weight=np.array([each[judge] for judge in judges], dtype=np.float64),
        )
        return fit_bradley_terry(comparisons, self.known(count), prior=prior)

    def of_people(self, count: int) -> Comparisons:
        """What people said among the first `count`, with who said it."""
        rows = [row for row in range(count) if self.judges[row].startswith(HUMAN)]
        return Comparisons(
            left=np.array([self._left[row] for row in rows], dtype=np.int64),
            right=np.array([self._right[row] for row in rows], dtype=np.int64),
            outcome=np.array([self._outcome[row] for row in rows], dtype=np.int64),
            rater=np.array([self.judges[row] for row in rows], dtype=object),
        )
