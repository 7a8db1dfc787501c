"""Takes what was asked and answered; gives an easy pair to ask again, and how consistent each rater is. Pure.

Who looks answers an easy pair the same again, who clicks at random half of the time. Repeats of any pairs would tell
less: of two images that are close, everybody says now this and now that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gen_emerge.preference.fitted import Fitted
from gen_emerge.types import HumanAnswer, Question, Round

ATTENTION_EVERY = 3
"""One round in so many, of those that ask pairs, repeats one."""
EASY = math.log(4.0)
"""A pair is easy from this difference of utilities on, in log-odds: four to one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How one rater answered easy pairs that were repeated: `same` of `repeats` as before."""

    rater: str
    repeats: int
    same: int


def easy_pair(
    earlier: Sequence[Round], answers: Iterable[HumanAnswer], fitted: Fitted, rng: np.random.Generator
) -> Question | None:
    """A pair to be asked again, if it is time for one and there is one.

    Easy is what somebody decided without doubt, by quality, and what all comparisons together are as clear about. No
    pair is repeated twice.

    Args:
        earlier: every earlier round, in order.
        answers: those that stand.
        fitted: what is known of the order.
        rng: draws one of them.
    """
    asking = [asked for asked in earlier if any(question.kind == "pair" for question in asked.questions)]
    lately = asking[-(ATTENTION_EVERY - 1) :]
    if len(lately) < ATTENTION_EVERY - 1 or any(q.attention for asked in lately for q in asked.questions):
        return None
    questions = [question for asked in asking for question in asked.questions if _is_quality_pair(question)]
    repeated = {_pair(question) for question in questions if question.attention}
    sure = {
        (answer.question, answer.answer)
        for answer in answers
        if answer.answer in ("left", "right") and answer.confidence == "sure"
    }
    able: list[Question] = []
    for question in questions:
        gap = None if _pair(question) in repeated else fitted.gap(question.images["left"], question.images["right"])
        if gap is not None and abs(gap) >= EASY and (question.id, "left" if gap > 0 else "right") in sure:
            able.append(question)
    return able[int(rng.integers(len(able)))] if able else None


def consistency(questions: Mapping[str, Question], standing: Iterable[HumanAnswer]) -> list[Consistency]:
    """Of every rater who answered a repeated pair and its first asking: how often alike. By name.

    A first answer that was no decision, or was given in doubt, and a skip say nothing; a tie instead of a decision is
    another answer.

    Args:
        questions: id -> question, of all of them.
        standing: the answers that stand.
    """
    first: dict[tuple[str, frozenset[int]], int] = {}
    again: dict[tuple[str, frozenset[int]], int | None] = {}
    for answer in standing:
        question = questions.get(answer.question)
        if question is None or not _is_quality_pair(question) or answer.answer == "skip":
            continue
        key, preferred = (answer.rater, _pair(question)), question.images.get(answer.answer)
        if question.attention:
            again[key] = preferred
        elif preferred is not None and answer.confidence == "sure":
            first[key] = preferred
    repeats, same = Counter[str](), Counter[str]()
    for (rater, pair), preferred in again.items():
        if (rater, pair) in first:
            repeats[rater] += 1
            same[rater] += preferred == first[rater, pair]
    return [Consistency(rater=rater, repeats=repeats[rater], same=same[rater]) for rater in sorted(repeats)]


def _is_quality_pair(question: Question) -> bool:
    return question.kind == "pair" and question.ask == "quality"


def _pair(question: Question) -> frozenset[int]:
    return frozenset(question.images.values())
