"""Takes of one genome: which goes on, and how much of what was to be gained the choice captured, by human answers.

Takes signals' values and answered pairs, as plain numbers; gives a place among the takes, and a share with its
interval. A choice among takes never decides what enters the archive: whoever goes on still meets every gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gen_emerge.preference.selection import Efficiency, choose, selector_efficiency

LEAST_PAIRS = 10
"""Answered pairs, ties left out, below which no share is given: an interval would reach nearly from end to end."""
_WORTH: Mapping[str, tuple[float, float]] = {"left": (1.0, 0.0), "right": (0.0, 1.0), "tie": (0.5, 0.5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which of several takes goes on.

    Args:
        rule: "best", of the first signal, or "pareto": see `selection.choose`.
        signals: names; their scorers look at every take, all others at those that go on.
        less: those among them of which less is better, such as a distance to a picture.
    """

    rule: Literal["best", "pareto"]
    signals: tuple[str, ...]
    less: frozenset[str] = frozenset()

    def choose(self, takes: Sequence[Mapping[str, float]]) -> int:
        """The place of the take that goes on; the first of equals.

        Args:
            takes: (n,) signal -> raw value, finite, of every signal that is read; n >= 1.

        Raises:
            BadInput: nothing to choose from, or a value that is not finite.
        """
        table = [[-take[name] if name in self.less else take[name] for name in self.signals] for take in takes]
        place = choose(self.rule, np.array(table, np.float64))
        assert place is not None  # neither rule refuses all
        return place


BY_PROMPT = Selector(rule="best", signals=("prompt",))
"""The take that fits its prompt best, as the prompt gate's scorer has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What humans said of the chosen take against another one of its genome: one answer a rater.

    `answers`: "left" for the chosen take, "right" for the other, or "tie".
    """

    answers: tuple[str, ...]


def captured(pairs: Sequence[Compared], *, rng: np.random.Generator, least: int = LEAST_PAIRS) -> Efficiency | None:
    """How much of what those pairs had to give the selector captured, with an interval by drawing pairs again.

    1: it always chose what people preferred; 0: no more often than lots would; below 0: less often. Each pair is a
    group of two takes, so with more than two takes a genome this is the share within such pairs.

    Args:
        pairs: one a genome; those without an answer are left out.
        rng: a generator of this figure alone.
        least: pairs in which people preferred one, below which None is given.
    """
    worth = [np.mean([_WORTH[answer] for answer in pair.answers], axis=0) for pair in pairs if pair.answers]
    decided = sum(1 for chosen, other in worth if chosen != other)
    if decided < least:
        return None
    found = selector_efficiency([0] * len(worth), worth, rng=rng)
    if found.low != found.high or found.value is None:
        return found
    # All alike: drawn again they are alike again, and the interval would have no width. By the binomial distribution
    # an outcome never seen in n has at most this chance (Clopper and Pearson 1934).
    unseen = 1.0 - ((1.0 - found.level) / 2) ** (1 / decided)
    return replace(found, low=max(-1.0, found.value - 2 * unseen), high=min(1.0, found.value + 2 * unseen))
