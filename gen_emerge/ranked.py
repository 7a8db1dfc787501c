"""What people ranked, beside the orders the machine had for the same images: store -> rankings with automated orders.

Reads beside a running series; changes nothing. An order that comes from comparisons is the one that stood before any
answer to the question could count: no ranking is held against a model that has learned from it. A signal's order is
that of the scorer in force; numbers of two versions are never put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gen_emerge.gate_numbers import gate_numbers
from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.state import State, replay
from gen_emerge.store import Store
from gen_emerge.types import RANKED, CycleOutcome, Duel, Gate, HumanAnswer, Question

SIGNALS: tuple[Gate, ...] = ("quality", "prompt")
"""Signals that order images from worse to better."""
ORDERS = (*SIGNALS, "preference", "critic")
"""The automated orders: two signals, the preference model, and a critic's duels taken alone."""
LEAST_RANKED = 4
"""An order of fewer images has no interval, and is left out."""

Numbers = Mapping[int, float]
"""Candidate id -> a number, more is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """One person's ranking of one screen.

    Args:
        question: its id.
        rater: who.
        before: the first cycle that may have used an answer to it.
        human: the place of every image, the worst 0.
        orders: name -> numbers of the images that it puts in order, four at least; those that say less are missing.
    """

    question: str
    rater: str
    before: int
    human: Numbers
    orders: Mapping[str, Numbers]


def replayed(store: Store) -> tuple[State, dict[int, tuple[Duel, ...]]]:
    """The state of a series, and cycle -> its duels."""
    told: dict[int, tuple[Duel, ...]] = {}

    def noting(history: Iterable[CycleOutcome]) -> Iterator[CycleOutcome]:
        for outcome in history:
            told[outcome.cycle] = outcome.duels
            yield outcome

    return replay(noting(store.history())), told


def rankings(
    store: Store, state: State, told: Mapping[int, Sequence[Duel]], standing: Iterable[HumanAnswer]
) -> list[Ranking]:
    """Every ranking by quality that stands, in the order in which the screens were first answered.

    Args:
        store: the series.
        state: replayed.
        told: cycle -> its duels.
        standing: the answers that stand.
    """
    questions = {q.id: q for asked in store.rounds() for q in asked.questions if _ranks(q)}
    answers = [answer for answer in standing if answer.order and answer.question in questions]
    wanted = {answer.question for answer in answers}
    before: dict[str, int] = {}
    for item in store.inputs_of("answer"):
        question = item.payload["question"]
        if question in wanted:
            before[question] = min(item.first_cycle, before.get(question, item.first_cycle))
    orders = {question: dict[str, Numbers]() for question in before}
    shown = sorted({candidate for question in before for candidate in questions[question].images.values()})
    for name in SIGNALS:
        numbers = _signal(store, state, name, shown)
        for question, own in orders.items():
            own[name] = {c: numbers[c] for c in questions[question].images.values() if c in numbers}
    for question, models in _as_of(told, before):
        for name, model in models.items():
            orders[question][name] = model.linked(questions[question].images.values())
    found = [
        Ranking(
            question=answer.question,
            rater=answer.rater,
            before=before[answer.question],
            human={questions[answer.question].images[name]: k for k, name in enumerate(reversed(answer.order))},
            orders={n: each for n, each in orders[answer.question].items() if len(each) >= LEAST_RANKED},
        )
        for answer in answers
    ]
    return sorted(found, key=lambda ranking: (ranking.before, ranking.question, ranking.rater))


def _ranks(question: Question) -> bool:
    return question.kind in RANKED and question.ask == "quality" and len(question.images) >= LEAST_RANKED


def _signal(store: Store, state: State, name: Gate, shown: Sequence[int]) -> dict[int, float]:
    if state.calibration is None or not shown:
        return {}
    version = str(state.calibration.evidence.get(name, {}).get("version", ""))
    return gate_numbers(store, name, version, shown)


def _as_of(
    told: Mapping[int, Sequence[Duel]], before: Mapping[str, int]
) -> Iterator[tuple[str, Mapping[str, DuelPreference]]]:
    """Question by question the models as they stood at the commit before its answers could count."""
    models = {"preference": DuelPreference(), "critic": DuelPreference()}
    cycles = iter(sorted(told.items()))
    coming = next(cycles, None)
    for question, first in sorted(before.items(), key=lambda each: (each[1], each[0])):
        while coming is not None and coming[0] < first:
            for duel in coming[1]:
                models["preference"].add(duel)
                if not (duel.by_human or duel.by_head):
                    models["critic"].add(duel)
            coming = next(cycles, None)
        yield question, models
