"""What a head can learn from: a series' stored answers, and what people did with its images -> comparisons.

Takes the store and the replayed state; gives plain values. It only reads. Answers about quality count, pairs and
rankings; which of two takes of one genome should have gone on only says how well the selector chooses.

What somebody *did* is weaker: an image that was opened, exported or marked as a favourite is set against one elite of
that moment, drawn by counted chance, with which nobody did that. Each kind of deed is a judge of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.chance import draw
from gen_emerge.errors import GenEmergeError
from gen_emerge.favourites import KIND as FAVOURITE
from gen_emerge.favourites import favourites
from gen_emerge.heads import PERSONAL
from gen_emerge.judged import UNSURE_WEIGHT
from gen_emerge.preference.comparisons import CODES, RANKING_WEIGHT
from gen_emerge.preference.head import Looks
from gen_emerge.preference.head_fit import IMPLICIT, Judgements
from gen_emerge.preference.verdicts import as_duels
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.types import Critique, take_group

OPENED, EXPORT = "opened", "export"
"""Kinds of inputs: an image that was looked at by itself (`{"candidate"}`), images that were taken out of a series
(`{"candidates"}`)."""
DEEDS = 500
"""So many deeds at most, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What there is.

    Args:
        ids: (n,) candidates, ascending; `looks`, `signals` and all places are in this order.
        looks: what a head may know of them.
        signals: general signal -> (n,) raw value, NaN where it was not measured.
        said: what people answered.
        did: what people did, as comparisons.
        critic: whose answers `looks` holds, "" for nobody's.
        bank_hash: the bank they answer.
        left_out: answered comparisons of images that today's novelty scorer has not embedded.
    """

    ids: tuple[int, ...]
    looks: Looks
    signals: Mapping[str, NDArray[np.float64]]
    said: Judgements
    did: Judgements
    critic: str
    bank_hash: str
    left_out: int


@dataclass(frozen=True, slots=True)
class _Row:
    left: int
    right: int
    outcome: int
    rater: str
    screen: int
    weight: float


def evidence(store: Store, state: State, *, seed: int, space: str, beside: frozenset[str]) -> Evidence:
    """All that a head could be trained on now, answers that no cycle has heard yet included.

    Args:
        store: the series.
        state: replayed from it.
        seed: the series seed.
        space: the embedding space in force.
        beside: signals that are no general ones: pixel statistics and what detectors count.
    """
    said, did = list(_said(store)), list(_did(store, state, seed))
    wanted = sorted({c for row in [*said, *did] for c in (row.left, row.right)})
    numbers, vectors = store.embeddings(wanted, space) if wanted else (np.zeros(0, np.int64), np.zeros((0, 1)))
    place = {int(number): n for n, number in enumerate(numbers)}
    critic, bank_hash, answers = _answers(store, list(place))
    measured = store.signals(list(place)) if place else {}
    names = sorted({name for each in measured.values() for name in each} - beside - {PERSONAL, "novelty"})
    signals = {
        name: np.array([measured[c][name].value if name in measured.get(c, {}) else np.nan for c in place])
        for name in names
    }
    known = [row for row in said if row.left in place and row.right in place]
    return Evidence(
        ids=tuple(place),
        looks=Looks(vectors=vectors, answers=answers),
        signals=signals,
        said=_arrays(known, place),
        did=_arrays([row for row in did if row.left in place and row.right in place], place),
        critic=critic,
        bank_hash=bank_hash,
        left_out=len(said) - len(known),
    )


def note(folder: Path, kind: str, payload: Mapping[str, Any]) -> bool:
    """Store what somebody did with a series' images: see `OPENED`, `EXPORT`.

    It is only a hint, and what they wanted is done: a series that cannot be written now goes without it.

    Returns:
        Whether it was stored.
    """
    try:
        with closing(Store.open(folder)) as store:
            store.add_input(kind, payload)
    except (GenEmergeError, OSError):
        return False
    return True


def _said(store: Store) -> Iterator[_Row]:
    """Every answer that stands about which of several images is better, by pairs; oldest first."""
    questions = {q.id: q for asked in store.rounds() for q in asked.questions}
    screens = {name: number for number, name in enumerate(questions)}
    for answer in store.answers().standing:
        question = questions.get(answer.question)
        if question is None or question.ask != "quality" or question.attention:
            continue
        sure = 1.0 if answer.confidence == "sure" else UNSURE_WEIGHT
        for duel in as_duels(question, answer):
            if take_group(duel.left, store.takes) != take_group(duel.right, store.takes):
                weight = sure * (RANKING_WEIGHT if duel.order == "ranking" else 1.0)
                code, screen = CODES[duel.outcome], screens[question.id]
                yield _Row(duel.left, duel.right, code, answer.rater, screen, weight)


def _did(store: Store, state: State, seed: int) -> Iterator[_Row]:
    """Every deed as a comparison with an elite of its moment; the first time somebody did that with an image counts."""
    if state.archive is None:
        return
    deeds: list[tuple[int, int, str, int]] = []
    for item in store.inputs_of(OPENED):
        deeds.append((item.id, item.first_cycle, OPENED, int(item.payload["candidate"])))
    for item in store.inputs_of(EXPORT):
        deeds += [(item.id, item.first_cycle, EXPORT, int(number)) for number in item.payload["candidates"]]
    marked = favourites(store.inputs_of(FAVOURITE))
    for item in store.inputs_of(FAVOURITE):
        if item.payload["candidate"] in marked:
            deeds.append((item.id, item.first_cycle, FAVOURITE, int(item.payload["candidate"])))
    known = {candidate for _, _, _, candidate in deeds}
    there = store.cycles_of(known) if known else {}
    first = {(kind, c): (number, cycle) for number, cycle, kind, c in sorted(deeds, reverse=True) if c in there}
    newest = sorted(first.items(), key=lambda e: e[1])[-DEEDS:]
    elites = elites_at(store, {min(cycle - 1, state.cycle) for _, (_, cycle) in newest})
    for screen, ((kind, candidate), (number, cycle)) in enumerate(newest):
        others = [c for c in elites[min(cycle - 1, state.cycle)] if (kind, c) not in first]
        if others:
            # The screen is the input: what was exported together hangs together.
            other = others[int(draw(seed, cycle, candidate, f"deed {kind} {number}").integers(len(others)))]
            one, two, code = (candidate, other, 1) if screen % 2 == 0 else (other, candidate, -1)
            yield _Row(one, two, code, f"{IMPLICIT}{kind}", number, 1.0)


def elites_at(store: Store, cycles: Collection[int]) -> dict[int, list[int]]:
    """Cycle -> the elites when it was committed, in cell order, under whatever axes were in force then."""
    found: dict[int, list[int]] = {cycle: [] for cycle in cycles}
    state = State()
    for outcome in store.history() if cycles else ():
        state.apply(outcome)
        if outcome.cycle in found and state.archive is not None:
            found[outcome.cycle] = [elite.candidate for elite in state.archive]
        if outcome.cycle == max(found):
            break
    return found


def _answers(store: Store, ids: list[int]) -> tuple[str, str, list[Mapping[str, str]]]:
    """Who answered last, to which bank, and what that critic said of each image to it; nothing of the others."""
    asked = store.last_critic(ids) if ids else None
    if asked is None:
        return "", "", [{} for _ in ids]
    critiques: Mapping[int, Critique] = store.critiques(ids)
    answers: list[Mapping[str, str]] = []
    for number in ids:
        found = critiques.get(number)
        answers.append(dict(found.answers) if found and (found.critic, found.bank_hash) == asked else {})
    return (*asked, answers)


def _arrays(rows: list[_Row], place: Mapping[int, int]) -> Judgements:
    return Judgements(
        left=np.array([place[row.left] for row in rows], dtype=np.int64),
        right=np.array([place[row.right] for row in rows], dtype=np.int64),
        outcome=np.array([row.outcome for row in rows], dtype=np.int64),
        rater=np.array([row.rater for row in rows], dtype=np.str_),
        screen=np.array([row.screen for row in rows], dtype=np.int64),
        weight=np.array([row.weight for row in rows], dtype=np.float64),
    )
