"""What humans say against what the machine said, and against what they said before: stored answers -> flags, utilities.

Takes the store up to a cycle; gives plain values in the order in which answers came. Of an image the machine's word is
what the gates said when they first saw it, of a pair its critic's first duel; where it said nothing, an answer is no
evidence. Repeated easy pairs and pairs of takes take no part, as in the preference model. It only reads, and nothing is
decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gen_emerge.calibration.alarms import taste_shift
from gen_emerge.fates import SELECTOR
from gen_emerge.gates import let_in
from gen_emerge.preference.bradley_terry import fit_bradley_terry
from gen_emerge.preference.comparisons import Comparison
from gen_emerge.store import Store
from gen_emerge.types import Duel, HumanAnswer, Question

LEAST_PAIRS = 40
"""One rater's answers about pairs without which early and late ones are not compared."""
LEAST_COMMON = 3
"""Images without which in both of them, likewise."""

Said = tuple[int, Question, HumanAnswer]
"""The cycle that heard an answer, what was asked, and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """How far one rater's later answers about pairs are apart from the earlier ones.

    Args:
        rater: whose halves differ most, of those who answered enough.
        raters: how many did.
        p: how probable it is that chance alone sets any of their halves as far apart (Bonferroni).
        moved: the images whose utilities moved most, and by how much, in log-odds.
        images: how many were compared in both halves.
        since: the cycle that heard the first answer of the later half.
    """

    rater: str
    raters: int
    p: float
    moved: tuple[tuple[int, float], ...]
    images: int
    since: int


def agreements(store: Store, duels: Iterable[Duel], last: int) -> list[tuple[int, bool]]:
    """(cycle that heard it, whether human and machine agreed) of every answer that stands, in the order of hearing.

    Args:
        store: the series.
        duels: every stored duel, oldest first.
        last: only answers that the cycles up to this one may use.
    """
    said = [each for each in _said(store, last, ("keep", "pair")) if each[1].ask != "adherence"]
    verdicts = store.verdicts({question.images["only"] for _, question, _ in said if question.kind == "keep"})
    winners: dict[frozenset[int], int] = {}
    for duel in duels:
        if not duel.by_human and duel.question == "quality" and duel.outcome != "tie":
            winner = duel.left if duel.outcome == "left" else duel.right
            winners.setdefault(frozenset((duel.left, duel.right)), winner)
    found: list[tuple[int, bool]] = []
    for cycle, question, answer in said:
        if question.kind == "keep":
            machine: int | bool | None = let_in(verdicts.get(question.images["only"], ()))
            human: int | bool | None = {"keep": True, "discard": False}.get(answer.answer)
        else:
            machine = winners.get(frozenset(question.images.values()))
            human = question.images.get(answer.answer)
        if machine is not None and human is not None:
            found.append((cycle, machine == human))
    return found


def taste(store: Store, last: int) -> Taste | None:
    """Whether a rater prefers something else in the later half of their pairs; None where nobody answered enough.

    Each rater is held against themselves: two who judge one after the other differ without having changed. Images that
    were compared in both halves alone can tell.
    """
    own: dict[str, list[Said]] = defaultdict(list)
    for each in _said(store, last, ("pair",)):
        if each[1].ask == "quality" and each[2].answer != "skip":
            own[each[2].rater].append(each)
    found = [tested for rater in sorted(own) if (tested := _halves(rater, own[rater])) is not None]
    if not found:
        return None
    most = min(found, key=lambda each: each.p)
    return replace(most, raters=len(found), p=min(most.p * len(found), 1.0))


def _halves(rater: str, pairs: Sequence[Said]) -> Taste | None:
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
    shift = taste_shift(*figures)
    moved = tuple((common[place], by) for place, by in shift.moved)
    return Taste(rater=rater, raters=1, p=shift.p, moved=moved, images=len(common), since=pairs[half][0])


def _said(store: Store, last: int, kinds: tuple[str, ...]) -> list[Said]:
    """What stands on questions of some kinds, in the order it was heard; no repeated pair, no pair of takes."""
    questions = {q.id: q for asked in store.rounds() for q in asked.questions if q.kind in kinds and not q.attention}
    answers = store.answers(last)
    found = [
        (since, questions[answer.question], answer)
        for answer, since in zip(answers.standing, answers.since, strict=True)
        if answer.question in questions
    ]
    paired = sorted({number for _, q, _ in found if q.kind == "pair" for number in q.images.values()})
    candidates = store.candidates(paired) if paired else ()
    passed_over = {c.id for c in candidates if (c.status, c.cause) == ("rejected", SELECTOR)}
    kept = [each for each in found if each[1].kind != "pair" or passed_over.isdisjoint(each[1].images.values())]
    return sorted(kept, key=lambda each: each[0])


def _items(part: Iterable[Said]) -> set[int]:
    return {number for _, question, _ in part for number in question.images.values()}


def _comparison(question: Question, answer: HumanAnswer, items: dict[int, int]) -> Comparison:
    left, right = items[question.images["left"]], items[question.images["right"]]
    outcome = answer.answer if answer.answer in ("left", "right") else "tie"
    return Comparison(left, right, outcome)
