"""Takes what was asked and answered; gives an easy pair to ask again, and how consistent each rater is. Pure.

Who clicks at random answers a repeated pair the same half of the time. Who looks does so more often, but how much more
depends on how clear the pair is: an honest Bradley-Terry rater of utilities with sd 1 repeats 79% of pairs that are
*estimated* at four to one or more. So a pair is easy where it is as clear at the lower end of what is known of it, and
beside what a rater repeated stands how much the fit expects of anybody.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gen_emerge.preference.asked import shuffled
from gen_emerge.preference.comparisons import Floats
from gen_emerge.preference.fitted import Fitted
from gen_emerge.types import HumanAnswer, Question, Round

ATTENTION_EVERY = 3
"""One round in so many, of those that ask pairs, repeats one."""
EASY = math.log(4.0)
"""A pair is easy from this difference of utilities on, in log-odds: four to one ..."""
SURELY = 0.9
"""... with this probability: as sure as the preference model has to be before it settles a duel. Simulated honest
raters repeat 90% (utilities of sd 1) and 98% (sd 2) of such pairs; the fit expects 92% and 94% (experiments/LOG.md)."""
LOOKED_AT = 50
"""Of more pairs that may be easy so many are looked at, by chance: each costs a linear solve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How one rater answered easy pairs that were repeated.

    Args:
        rater: who.
        repeats: how many.
        same: how many of them as before.
        expected: how many the preference model, which saw no repeat, expects of whoever is asked; None without one.
    """

    rater: str
    repeats: int
    same: int
    expected: float | None = None


def easy_pair(
    earlier: Sequence[Round], answers: Iterable[HumanAnswer], fitted: Fitted, rng: np.random.Generator
) -> Question | None:
    """A pair to be asked again, if it is time for one and there is one.

    Easy is what somebody decided without doubt, by quality, and what all comparisons together are surely as clear
    about. No pair is repeated twice.

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
    drawn = shuffled(able, rng)[:LOOKED_AT]
    surely = _lower_ends(drawn, fitted) >= EASY
    return next((question for question, easy in zip(drawn, surely, strict=True) if easy), None)


def _lower_ends(questions: Sequence[Question], fitted: Fitted) -> Floats:
    """(k,) what the gap of each pair's utilities surpasses with the probability `SURELY`, in log-odds."""
    if not questions:
        return np.zeros(0)
    pairs = [(question.images["left"], question.images["right"]) for question in questions]
    gaps = np.array([abs(fitted.gap(*pair) or 0.0) for pair in pairs])
    return gaps - NormalDist().inv_cdf(SURELY) * fitted.gap_errors(pairs)


def consistency(
    questions: Mapping[str, Question], standing: Iterable[HumanAnswer], fitted: Fitted | None = None
) -> list[Consistency]:
    """Of every rater who answered a repeated pair and its first asking: how often alike. By name.

    A first answer that was no decision, or was given in doubt, and a skip say nothing; a tie instead of a decision is
    another answer.

    Args:
        questions: id -> question, of all of them.
        standing: the answers that stand.
        fitted: the preference model, for how many alike it expects.
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
    repeats, same, expected = Counter[str](), Counter[str](), defaultdict[str, float](float)
    for (rater, pair), preferred in again.items():
        if (rater, pair) in first:
            before = first[rater, pair]
            repeats[rater] += 1
            same[rater] += preferred == before
            (other,) = pair - {before}
            # Of images that it never saw compared the model knows nothing.
            expected[rater] += (fitted.alike(before, other) if fitted is not None else None) or 0.5
    return [
        Consistency(
            rater=rater,
            repeats=repeats[rater],
            same=same[rater],
            expected=expected[rater] if fitted is not None else None,
        )
        for rater in sorted(repeats)
    ]


def _is_quality_pair(question: Question) -> bool:
    return question.kind == "pair" and question.ask == "quality"


def _pair(question: Question) -> frozenset[int]:
    return frozenset(question.images.values())
