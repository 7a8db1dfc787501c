"""Human answers out of their inputs. Takes inputs in order of arrival, gives what stands; touches nothing.

Payloads: "answer" is `{"question", "answer", "rater", "confidence", "seconds"}`, of a ranking with `"order"` besides;
"undo" is `{"question", "rater"}` (without a rater: whoever answered that question last).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gen_emerge.types import HumanAnswer, Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What humans answered.

    Args:
        standing: per question and rater the last answer that was not undone, in order of arrival.
        history: every answer in order of arrival, the undone ones included.
        since: (standing,) first cycle that may use each standing answer.
    """

    standing: tuple[HumanAnswer, ...]
    history: tuple[HumanAnswer, ...]
    since: tuple[int, ...]

    def of(self, question: str) -> tuple[HumanAnswer, ...]:
        """What stands on one question, one answer a rater."""
        return tuple(answer for answer in self.standing if answer.question == question)


def answers_from(inputs: Iterable[Input]) -> Answers:
    """Replay answers and undos. An undo of nothing changes nothing."""
    given: list[tuple[HumanAnswer, int, int]] = []
    everything: list[HumanAnswer] = []
    for each in sorted(inputs, key=lambda i: i.id):
        payload = each.payload
        if each.kind == "answer":
            answer = HumanAnswer(
                question=payload["question"],
                answer=payload["answer"],
                rater=payload["rater"],
                confidence=payload.get("confidence", "sure"),
                seconds=payload.get("seconds"),
                order=tuple(payload.get("order", ())),
            )
            everything.append(answer)
            given.append((answer, each.id, each.first_cycle))
        elif each.kind == "undo":
            question, rater = payload["question"], payload.get("rater")
            for place in range(len(given) - 1, -1, -1):
                answer = given[place][0]
                if answer.question == question and rater in (None, answer.rater):
                    del given[place]
                    break
    last = {(answer.question, answer.rater): (number, answer, since) for answer, number, since in given}
    standing = sorted(last.values(), key=lambda entry: entry[0])
    return Answers(
        standing=tuple(answer for _, answer, _ in standing),
        history=tuple(everything),
        since=tuple(since for _, _, since in standing),
    )
