"""The preference model with the delay of the pipeline. Takes the replayed state and, after it, duels cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence

from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.state import State
from gen_emerge.types import Duel, Side


class LaggedPreference:
    """The preference model as of the commit from which a cycle chooses its duels: `pipeline_depth + 1` cycles ago.

    Args:
        state: replayed to the last commit.
        depth: `pipeline_depth`.
    """

    def __init__(self, state: State, depth: int) -> None:
        self._depth = depth
        self._model = DuelPreference()
        self.waiting: dict[int, Sequence[Duel]] = {}
        rest = list(state.duels)
        for cycle in range(state.cycle, max(state.cycle - depth, 0), -1):
            count = state.lately[cycle].duels
            rest, self.waiting[cycle] = rest[: len(rest) - count], rest[len(rest) - count :]
        for duel in rest:
            self._model.add(duel)

    def whole(self) -> DuelPreference:
        """The model of every duel so far, one of its own."""
        model = self._model.copy()
        for cycle in sorted(self.waiting):
            for duel in self.waiting[cycle]:
                model.add(duel)
        return model

    def later(self, cycle: int, duels: Sequence[Duel]) -> None:
        """The duels of a cycle now committed."""
        self.waiting[cycle] = duels

    def sure(self, cycle: int, challenger: int, incumbent: int) -> Side | None:
        """See `DuelPreference.sure`, for a cycle not earlier than any asked about before."""
        for known in sorted(c for c in self.waiting if c <= cycle - 1 - self._depth):
            for duel in self.waiting.pop(known):
                self._model.add(duel)
        return self._model.sure(challenger, incumbent)
