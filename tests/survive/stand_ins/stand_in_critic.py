"""In the place of the critic `measured`: one that takes its time, as a model behind a network does.

`STAND_IN_CRITIC` is the longest that a call takes, seconds; `STAND_IN_CRITIC_LOG` names a file that gets a line a call,
before it is answered. What it says depends on who is shown alone; about some it can never be reached.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from gen_emerge.chance import draw
from gen_emerge.critics.duels import better_answers
from gen_emerge.protocols import CriticDown
from gen_emerge.types import Critique, DuelReply, Exhibit, QuestionBank

UNREACHABLE = 13
"""Nothing can be learned about every thirteenth candidate."""


class MeasuredCritic:
    name = "patient-1"
    immediate = False

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._seconds = float(os.environ["STAND_IN_CRITIC"])

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        self._take_time("review", exhibit.candidate)
        if exhibit.candidate % UNREACHABLE == 0:
            raise CriticDown("nobody answers")
        throws = draw(0, 0, exhibit.candidate, "answers").random(len(bank.questions))
        return Critique(
            critic=self.name,
            bank=bank.id,
            bank_hash=bank.hash,
            answers={q.id: "yes" if throw < 0.5 else "no" for q, throw in zip(bank.questions, throws, strict=True)},
            summary="Seen at leisure.",
            weaknesses=("slow",) * 3,
        )

    def duel(self, left: Exhibit, right: Exhibit, *, brief: str, bank: QuestionBank) -> DuelReply:
        self._take_time("duel", left.candidate, right.candidate)
        assert left.critique is not None and right.critique is not None
        side = better_answers(left.critique.answers, right.critique.answers, bank)
        return DuelReply(as_given=side, swapped=side)

    def _take_time(self, *asked: str | int) -> None:
        line = " ".join(str(word) for word in asked)
        handle = os.open(os.environ["STAND_IN_CRITIC_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)
        time.sleep(self._seconds * float(draw(0, 0, 0, line).random()))
