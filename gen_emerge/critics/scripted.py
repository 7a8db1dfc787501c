"""A critic that says what it was told to say: for tests and for rehearsing a slow or failing critic."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import count

from gen_emerge.critics.duels import better_answers
from gen_emerge.protocols import CriticDown
from gen_emerge.types import Answer, Critique, DuelReply, Exhibit, QuestionBank


class ScriptedCritic:
    """Answers from a script; a question it has no line for is "unanswered".

    Args:
        replies: candidate id -> question id -> answer.
        immediate: False makes the loop treat it as one that must be waited for.
        down_on: numbers of the calls (from 1, reviews and duels together) that raise `CriticDown`.
    """

    name = "scripted-1"

    def __init__(
        self,
        replies: Mapping[int, Mapping[str, Answer]] | None = None,
        *,
        immediate: bool = False,
        down_on: Collection[int] = (),
    ) -> None:
        self.immediate = immediate
        self._replies = replies or {}
        self._down_on = frozenset(down_on)
        self._calls = count(1)

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        """Give the scripted answers."""
        self._call()
        lines = self._replies.get(exhibit.candidate, {})
        answers: dict[str, Answer] = {q.id: lines.get(q.id, "unanswered") for q in bank.questions}
        return Critique(
            critic=self.name,
            bank=bank.id,
            bank_hash=bank.hash,
            answers=answers,
            summary="A scripted reply. Nothing was looked at.",
            weaknesses=("scripted, first", "scripted, second", "scripted, third"),
        )

    def duel(self, left: Exhibit, right: Exhibit, *, brief: str, bank: QuestionBank) -> DuelReply:
        """By the critiques' answers: better on more questions."""
        self._call()
        if left.critique is None or right.critique is None:
            return DuelReply(as_given="tie", swapped="tie")
        side = better_answers(left.critique.answers, right.critique.answers, bank)
        return DuelReply(as_given=side, swapped=side)

    def _call(self) -> None:
        number = next(self._calls)
        if number in self._down_on:
            raise CriticDown(f"scripted: call {number} is down")
