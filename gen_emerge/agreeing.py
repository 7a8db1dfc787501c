"""What humans say against what the machine said, and against what they said before: stored answers -> flags, utilities.

Takes the store up to a cycle; gives plain values in the order in which answers came. Of an image the machine's word is
what became of it at the gates, of a pair its critic's first duel; where it said nothing, an answer is no evidence. It
only reads, and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gen_emerge.calibration.alarms import TasteShift, taste_shift
from gen_emerge.preference.bradley_terry import fit_bradley_terry
from gen_emerge.preference.comparisons import Comparison
from gen_emerge.state import WARMUP
from gen_emerge.store import Store
from gen_emerge.types import GATES, Candidate, Duel, HumanAnswer, Question

LEAST_PAIRS = 40
"""Answers about pairs without which early and late ones are not compared."""
LEAST_COMMON = 3
"""Images without which in both of them, likewise."""


def agreements(store: Store, duels: Iterable[Duel], last: int) -> list[tuple[int, bool]]:
    """(cycle that heard it, whether human and machine agreed) of every answer that stands, in the order of hearing.

    Args:
        store: the series.
        duels: every stored duel, oldest first.
        last: only answers that the cycles up to this one may use.
    """
    said = _said(store, last, ("keep", "pair"))
    ids = sorted({question.images["only"] for _, question, _ in said if question.kind == "keep"})
    candidates = {c.id: c for c in store.candidates(ids)} if ids else {}
    winners: dict[frozenset[int], int] = {}
    for duel in duels:
        if not duel.by_human and duel.question == "quality" and duel.outcome != "tie":
            winner = duel.left if duel.outcome == "left" else duel.right
            winners.setdefault(frozenset((duel.left, duel.right)), winner)
    found: list[tuple[int, bool]] = []
    for cycle, question, answer in said:
        if question.kind == "keep":
            machine: int | bool | None = _accepted(candidates[question.images["only"]])
            human: int | bool | None = {"keep": True, "discard": False}.get(answer.answer)
        else:
            machine = winners.get(frozenset(question.images.values()))
            human = question.images.get(answer.answer)
        if machine is not None and human is not None:
            found.append((cycle, machine == human))
    return found


def _accepted(candidate: Candidate) -> bool | None:
    """What the gates said of an image in its own cycle; None where they left it to a human, or had not spoken yet."""
    if candidate.status in ("passed", "pending") and candidate.cause != WARMUP:
        return True
    return False if candidate.status == "rejected" and candidate.cause in GATES else None


def taste(store: Store, last: int) -> tuple[TasteShift, list[int], int] | None:
    """Whether humans prefer something else in the later half of their pairs: the shift, its images, since which cycle.

    Images that were compared in both halves alone can tell. None where there are too few, or both halves agree.
    """
    pairs = [each for each in _said(store, last, ("pair",)) if each[1].ask == "quality" and each[2].answer != "skip"]
    if len(pairs) < LEAST_PAIRS:
        return None
    half = len(pairs) // 2
    early, late = (_items(part) for part in (pairs[:half], pairs[half:]))
    common = sorted(early & late)
    if len(common) < LEAST_COMMON:
        return None
    items = {number: place for place, number in enumerate(sorted(early | late))}
    places = [items[number] for number in common]
    figures: list[np.ndarray] = []
    for part in (pairs[:half], pairs[half:]):
        fit = fit_bradley_terry([_comparison(q, a, items) for _, q, a in part], len(items))
        figures += [np.asarray(fit.utilities)[places], np.asarray(fit.standard_errors)[places]]
    found = taste_shift(*figures)
    return None if found is None else (found, common, pairs[half][0])


def _said(store: Store, last: int, kinds: tuple[str, ...]) -> list[tuple[int, Question, HumanAnswer]]:
    """(cycle that heard it, question, answer) of what stands on questions of some kinds, in the order it was heard."""
    questions = {q.id: q for asked in store.rounds() for q in asked.questions if q.kind in kinds}
    answers = store.answers(last)
    found = [
        (since, questions[answer.question], answer)
        for answer, since in zip(answers.standing, answers.since, strict=True)
        if answer.question in questions
    ]
    return sorted(found, key=lambda each: each[0])


def _items(part: Iterable[tuple[int, Question, HumanAnswer]]) -> set[int]:
    return {number for _, question, _ in part for number in question.images.values()}


def _comparison(question: Question, answer: HumanAnswer, items: dict[int, int]) -> Comparison:
    left, right = items[question.images["left"]], items[question.images["right"]]
    outcome = answer.answer if answer.answer in ("left", "right") else "tie"
    return Comparison(left, right, outcome)
