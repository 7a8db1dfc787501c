"""Takes answers that stand; gives what they come to: duels for the preference model, and what most raters decide.

A ranking says of every two of its images which is better, and counts as if each pair had been asked. A repeated easy
pair (`attention`) says how consistent its rater is, and a triplet how images resemble each other: neither decides here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from gen_emerge.preference.comparisons import from_ranking
from gen_emerge.types import HUMAN, RANKED, SINGLE, Duel, HumanAnswer, Question


class Matter(NamedTuple):
    """Something to be decided: which of two images, or whether to keep one.

    `kind`: "pair", "keep" or "review"; `ask`: by what; `images`: candidate ids.
    """

    kind: str
    ask: str
    images: frozenset[int]


def matters(question: Question) -> list[Matter]:
    """What an answer to a question can decide: of a ranking every pair of its images; nothing of a triplet."""
    if question.attention or question.kind == "triplet":
        return []
    if question.kind in RANKED:
        return [Matter("pair", question.ask, frozenset(pair)) for pair in combinations(question.images.values(), 2)]
    return [Matter(question.kind, question.ask, frozenset(question.images.values()))]


def says(question: Question, answer: HumanAnswer) -> dict[Matter, int | str]:
    """What one answer says of each matter: the candidate preferred, or "tie", "keep", "discard", "unsure".

    A skip says nothing.
    """
    if answer.answer == "skip":
        return {}
    if question.kind in RANKED:
        best_first = [question.images[name] for name in answer.order]
        return {Matter("pair", question.ask, frozenset(two)): two[0] for two in combinations(best_first, 2)}
    return {matter: question.images.get(answer.answer, answer.answer) for matter in matters(question)}


def decisions(
    question: Question, standing: Iterable[HumanAnswer], questions: Mapping[str, Question]
) -> dict[frozenset[int], int | str]:
    """What more raters say than the contrary, of everything the question can decide; draws are left out.

    A rater counts once, by their last answer about these images, in whatever round and kind of question it was asked.
    Tie and unsure speak for neither side.

    Args:
        question: what is to be decided.
        standing: the answers that stand, in order of arrival.
        questions: id -> question, of all of them.

    Returns:
        The images -> the candidate preferred, or "keep" or "discard".
    """
    wanted = set(matters(question))
    shown = frozenset(question.images.values())
    said: dict[Matter, dict[str, int | str]] = defaultdict(dict)
    for answer in standing:
        other = questions.get(answer.question)
        if other is None or len(shown.intersection(other.images.values())) < min(2, len(shown)):
            continue
        for matter, word in says(other, answer).items():
            if matter in wanted:
                said[matter][answer.rater] = word
    found = ((matter, _most(matter, said[matter].values())) for matter in matters(question) if matter in said)
    return {matter.images: word for matter, word in found if word is not None}


def _most(matter: Matter, said: Iterable[int | str]) -> int | str | None:
    one, two = sorted(matter.images) if matter.kind == "pair" else ("keep", "discard")
    votes = Counter(said)
    if votes[one] == votes[two]:
        return None
    return one if votes[one] > votes[two] else two


def as_duels(question: Question, answer: HumanAnswer, *, takes: bool = False) -> list[Duel]:
    """The duels an answer is: one for a pair, every pair of a ranking's images; none for the rest and for a skip.

    Args:
        question: what was asked.
        answer: what was said.
        takes: whether one of a pair is a take that the selector passed over.
    """
    if answer.answer == "skip" or question.kind not in ("pair", *RANKED):
        return []
    one = Duel(
        left=question.images.get("left", 0),
        right=question.images.get("right", 0),
        question=question.ask,
        outcome="tie",
        judge=f"{HUMAN}{answer.rater}",
        order="single",
        purpose="take" if takes else "round",
        seconds=answer.seconds,
        attention=question.attention,
    )
    if question.kind == "pair":
        assert answer.answer in ("left", "right", "tie")
        return [replace(one, outcome=answer.answer)]
    # How long a ranking took is in its answer; no one pair of it took that long.
    pairs = from_ranking([question.images[name] for name in answer.order])
    return [replace(one, left=p.left, right=p.right, outcome=p.outcome, order="ranking", seconds=None) for p in pairs]


def on_single_images(
    questions: Mapping[str, Question], standing: Iterable[HumanAnswer]
) -> list[tuple[Question, HumanAnswer]]:
    """Every keep and discard, oldest first. Of one rater's answers about an image the last one counts.

    Args:
        questions: id -> question, of all of them.
        standing: the answers that stand, in order of arrival.
    """
    said: dict[tuple[int, str], tuple[Question, HumanAnswer]] = {}
    for answer in standing:
        question = questions.get(answer.question)
        if question is not None and question.kind in SINGLE and answer.answer in ("keep", "discard"):
            who = (question.images["only"], answer.rater)
            said.pop(who, None)
            said[who] = (question, answer)
    return list(said.values())


def withdrawal(duel: Duel) -> Duel:
    """The record that a verdict counts no longer: its rater took it back, or now says something else."""
    return replace(duel, purpose="withdrawn")


def withdraw(duels: list[Duel], gone: Duel) -> int | None:
    """Strike out the last verdict that a withdrawal speaks of; gives its place, None when there is none."""
    for place in range(len(duels) - 1, -1, -1):
        if withdrawal(replace(duels[place], seconds=gone.seconds)) == gone:
            del duels[place]
            return place
    return None
