"""Takes stored duels and the elites; gives what is known of their order, by candidate ids. Pure.

Only comparisons between images that could be asked about, or that people compared, take part: the rest of a long
history says little of their order and would make a round slow to open.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from gen_emerge.preference.bradley_terry import Fit, fit_bradley_terry
from gen_emerge.preference.choosing import choose_groups, choose_pairs
from gen_emerge.preference.comparisons import CODES, Comparisons, Floats
from gen_emerge.preference.duel_table import SCALE_FIRST
from gen_emerge.preference.evidence import PSEUDO_SD
from gen_emerge.preference.judges import weight_of
from gen_emerge.preference.verdicts import withdraw
from gen_emerge.types import Duel


class Fitted:
    """The preference model over some images; fitted when it is first asked.

    Args:
        ids: candidates that may be asked about, ascending.
        duels: every stored duel, in order.
        weights: judge -> what one of its duels counts for, where that was learned.
    """

    def __init__(self, ids: Sequence[int], duels: Iterable[Duel], weights: Mapping[str, float] | None = None) -> None:
        self.ids = list(ids)
        self._duels = duels
        self._weights = weights or {}

    def pairs(self, k: int, met: Collection[frozenset[int]], *, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Up to k pairs nobody was asked about, those first whose answers are worth most; sides by chance."""
        if k < 1 or len(self.ids) < 2:
            return []
        chosen = choose_pairs(self.fit, k, rng=rng, among=range(len(self.ids)), without=self._places(met))
        return [(self.ids[left], self.ids[right]) for left, right in chosen]

    def groups(
        self, k: int, size: int, met: Collection[frozenset[int]], *, rng: np.random.Generator
    ) -> list[tuple[int, ...]]:
        """Up to k different groups of `size` whose ranking is worth most, in an order drawn by chance."""
        if k < 1 or len(self.ids) < size:
            return []
        among, without = range(len(self.ids)), self._places(met)
        chosen = choose_groups(self.fit, k, size=size, rng=rng, among=among, without=without)
        different = {frozenset(group): group for group in chosen}.values()
        return [tuple(self.ids[place] for place in group) for group in different]

    def gap(self, one: int, other: int) -> float | None:
        """By how much one is preferred to the other, in log-odds; None where one of them was never compared."""
        places = [self._place.get(one), self._place.get(other)]
        if None in places or not all(self.fit.compared[place] for place in places):
            return None
        return float(self.fit.utilities[places[0]] - self.fit.utilities[places[1]])

    def gap_errors(self, pairs: Sequence[tuple[int, int]]) -> Floats:
        """(k,) posterior sd, in log-odds, of the gap of each of k pairs whose images were compared."""
        places = sorted({self._place[candidate] for pair in pairs for candidate in pair})
        covariance = self.fit.covariance(np.array(places, dtype=np.int64))
        one, other = (np.searchsorted(places, [self._place[pair[k]] for pair in pairs]) for k in (0, 1))
        own = np.diag(covariance)
        return np.sqrt(np.maximum(own[one] + own[other] - 2.0 * covariance[one, other], 0.0))

    def alike(self, one: int, other: int) -> float | None:
        """P(whoever is asked prefers the first to the second, and calls it no tie), averaged over what is left open.

        None where one of them was never compared.
        """
        gap = self.gap(one, other)
        if gap is None:
            return None
        no_tie = 1.0 - self.fit.tie / (self.fit.tie + 2.0 * math.cosh(gap / 2.0))
        return no_tie * self.fit.expected_probability(self._place[one], self._place[other])

    @cached_property
    def fit(self) -> Fit:
        """Items are `ids` first, then other images that people compared."""
        place, standing = self._place, self._standing
        fit = Comparisons(
            left=np.array([place[d.left] for d in standing], dtype=np.int64),
            right=np.array([place[d.right] for d in standing], dtype=np.int64),
            outcome=np.array([CODES[d.outcome] for d in standing], dtype=np.int64),
            weight=np.array([weight_of(d.judge, self._weights) for d in standing], dtype=np.float64),
        )
        return fit_bradley_terry(fit, len(place), prior="evidence" if len(standing) >= SCALE_FIRST else PSEUDO_SD)

    @cached_property
    def _place(self) -> dict[int, int]:
        people = sorted({c for d in self._evidence if d.by_human for c in (d.left, d.right)} - set(self.ids))
        return {candidate: place for place, candidate in enumerate([*self.ids, *people])}

    @cached_property
    def _evidence(self) -> list[Duel]:
        """What `DuelPreference` counts, what was withdrawn struck out."""
        found: list[Duel] = []
        for duel in self._duels:
            if duel.question != "quality" or duel.purpose == "take" or duel.attention or duel.by_head:
                continue
            if duel.purpose == "withdrawn":
                withdraw(found, duel)
            else:
                found.append(duel)
        return found

    @cached_property
    def _standing(self) -> list[Duel]:
        known = self._place
        return [duel for duel in self._evidence if duel.left in known and duel.right in known]

    def _places(self, met: Collection[frozenset[int]]) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        for pair in met:
            places = sorted(self._place[c] for c in pair if c in self._place)
            if len(places) == 2:
                found.add((places[0], places[1]))
        return found
