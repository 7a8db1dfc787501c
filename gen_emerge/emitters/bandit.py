"""The bandit: what each emitter opened or won -> who may propose next.

Thompson sampling with Beta posteriors (Thompson 1933), discounted so that early luck fades (Raj and Kalyani
2017, "Taming non-stationary bandits"). The reward is a cell opened or won, never a score. Takes and gives plain counts;
the draw comes from the caller's counted generator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

DISCOUNT = 0.98
"""Per cycle: what was learned 34 cycles ago counts half."""
FLOOR = 0.05
"""Every emitter keeps at least this chance of a slot, so that no look on the world is ever lost."""


@dataclass(slots=True)
class Credit:
    """One emitter's record. `tries` and `wins` are discounted; the totals are not."""

    tries: float = 0.0
    wins: float = 0.0
    total_tries: int = 0
    total_opened: int = 0
    total_won: int = 0

    def count(self, outcome: str | None) -> None:
        """A cell opened or won."""
        if outcome in ("new", "won"):
            self.wins += 1
            self.total_opened += outcome == "new"
            self.total_won += outcome == "won"


@dataclass(slots=True)
class Bandit:
    """Credits by emitter name."""

    credits: dict[str, Credit] = field(default_factory=dict[str, Credit])

    def learn(
        self, results: Iterable[tuple[str, str | None]], late: Iterable[tuple[str, str]] = (), *, fade: bool = True
    ) -> None:
        """Count one cycle.

        Args:
            results: for every candidate its emitter and what it did: "new", "won", or None.
            late: emitter and outcome of candidates that were counted as tries in an earlier cycle.
            fade: False for a cycle in which nobody had a slot: what was learned before counts as much as it did.
        """
        for credit in self.credits.values() if fade else ():
            credit.tries *= DISCOUNT
            credit.wins *= DISCOUNT
        for name, outcome in results:
            credit = self.credits.setdefault(name, Credit())
            credit.tries += 1
            credit.total_tries += 1
            credit.count(outcome)
        for name, outcome in late:
            self.credits.setdefault(name, Credit()).count(outcome)

    def choose(
        self, names: Sequence[str], rng: np.random.Generator, *, explore: float = 0.0, explorers: Sequence[str] = ()
    ) -> str:
        """Who proposes next: usually the highest of one draw from every posterior, sometimes anybody.

        Args:
            names: the emitters to choose among, in a fixed order.
            rng: a generator of this draw alone.
            explore: a share of the slots, 0 to 1, that goes to the explorers whatever they brought so far.
            explorers: those of the emitters that begin from no elite.
        """
        if explore > 0 and explorers and rng.random() < explore:
            return explorers[int(rng.integers(len(explorers)))]
        if rng.random() < FLOOR * len(names):
            return names[int(rng.integers(len(names)))]
        draws: list[float] = []
        for name in names:
            credit = self.credits.get(name, Credit())
            draws.append(float(rng.beta(1 + credit.wins, 1 + max(credit.tries - credit.wins, 0.0))))
        return names[int(np.argmax(draws))]
