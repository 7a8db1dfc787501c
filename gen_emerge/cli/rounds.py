"""Takes an open store; gives its rounds as plain values, and opens one on request.

A requested round is an input like any other: it is written on arrival and never changes the series by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.protocols import RoundKind
from gen_emerge.types import Question, Round

if TYPE_CHECKING:
    from gen_emerge.state import State
    from gen_emerge.store import Store

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def pictures_of(store: Store, questions: Iterable[Question]) -> dict[int, Path]:
    """Candidate id -> the PNG, relative to the series folder."""
    ids = sorted({candidate for question in questions for candidate in question.images.values()})
    return {c.id: Path(c.image.path) for c in store.candidates(ids) if c.image is not None}


def round_object(store: Store, asked: Round | None) -> dict[str, Any]:
    """The object `gen-emerge rounds` prints; pictures are relative to the series folder."""
    if asked is None:
        return {"round": None, "questions": []}
    given = {answer.question: answer.answer for answer in store.answers().standing}
    pictures = pictures_of(store, asked.questions)
    return {
        "round": asked.id,
        "questions": [
            {
                "id": question.id,
                "kind": question.kind,
                "ask": question.ask,
                "prompt": question.prompt,
                "images": {side: pictures[candidate].as_posix() for side, candidate in question.images.items()},
                "answered": given.get(question.id),
            }
            for question in asked.questions
        ],
    }


def request_round(store: Store, kind: RoundKind, *, seed: int) -> Round | None:
    """Open a round now, beside a running series; None when there is nothing of that kind to ask.

    Its id is "r", the committed cycle and a letter ("r30a"), so that it never meets a scheduled round's.
    """
    from gen_emerge.chance import draw
    from gen_emerge.preference.rounds import open_round
    from gen_emerge.state import replay
    from gen_emerge.store import round_payload

    state = replay(store.history())
    earlier = store.rounds()
    requested = [asked for asked in earlier if asked.reason == "request" and asked.cycle == state.cycle]
    elites = _places(state)
    review = [candidate for candidate, (status, _) in state.waiting.items() if status == "review"]
    asked = open_round(
        kind,
        number=max(state.cycle, 1),
        cycle=state.cycle,
        reason="request",
        elites=elites,
        review=review,
        duels=state.duels,
        prompts={c.id: c.genome.prompt for c in store.candidates([*elites, *review])},
        rng=draw(seed, state.cycle, len(requested), "request"),
        earlier=earlier,
    )
    if asked is None:
        return None
    name = f"r{state.cycle}{_suffix(len(requested))}"
    questions = tuple(replace(q, id=f"{name}-{i}") for i, q in enumerate(asked.questions, start=1))
    named = replace(asked, id=name, questions=questions)
    store.add_input("round", round_payload(named))
    return named


def _places(state: State) -> dict[int, list[float]]:
    """Elite -> where it lies on the map, in units of the axes' ranges."""
    if state.archive is None:
        return {}
    axes = state.archive.axes
    spread = [max(high - low, 1e-12) for low, high in zip(axes.low, axes.high, strict=True)]
    return {e.candidate: [v / s for v, s in zip(e.descriptor, spread, strict=True)] for e in state.archive}


def _suffix(count: int) -> str:
    """A, b, ... z, za, zb, ...: sorted as counted."""
    return "z" * (count // 26) + _LETTERS[count % 26]
