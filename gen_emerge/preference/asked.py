"""Takes earlier rounds and human duels; gives how often each image and each pair was shown. Touches nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np

from gen_emerge.types import RANKED, SINGLE, Duel, Question, Round

_T = TypeVar("_T")


class Asked:
    """What people were shown so far.

    Attributes:
        pairs: that were compared, alone or in a ranking.
        groups: that were ranked.
        triplets: that were asked about, in whatever roles.
        singles: image -> how often it was asked about alone.
        baselines: baseline image -> how often it was compared as one.
        likened: image -> in how many triplets it was.
    """

    def __init__(self, duels: Iterable[Duel], earlier: Iterable[Round]) -> None:
        self.pairs: set[frozenset[int]] = set()
        self.groups: set[frozenset[int]] = set()
        self.triplets: set[frozenset[int]] = set()
        self.singles: Counter[int] = Counter()
        self.baselines: Counter[int] = Counter()
        self.likened: Counter[int] = Counter()
        self.pairs.update(frozenset((d.left, d.right)) for d in duels if d.by_human)
        for asked in earlier:
            for question in asked.questions:
                self._note(question)

    def _note(self, question: Question) -> None:
        images = frozenset(question.images.values())
        if question.kind in SINGLE:
            self.singles.update(images)
        elif question.kind == "triplet":
            self.triplets.add(images)
            self.likened.update(images)
        else:
            self.pairs.update(frozenset(pair) for pair in combinations(images, 2))
            if question.kind in RANKED:
                self.groups.add(images)
            if question.stream == "baseline":
                self.baselines.update(images)


def least(ids: Sequence[int], asked: Counter[int]) -> list[int]:
    """The ids, those asked least first; equals stay in their order."""
    return sorted(ids, key=lambda i: asked[i])


def shuffled(ids: Sequence[_T], rng: np.random.Generator) -> list[_T]:
    """The same in an order drawn by chance."""
    return [ids[int(k)] for k in rng.permutation(len(ids))]
