"""Takes an open store; gives its rounds as plain values, and opens one on request.

A requested round is an input like any other: it is written on arrival and never changes the series by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.protocols import RoundKind
from gen_emerge.types import Question, Round

if TYPE_CHECKING:
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
    from gen_emerge.hearing import ask
    from gen_emerge.state import replay

    state = replay(store.history())
    while True:
        earlier = store.rounds()
        requested = [asked for asked in earlier if asked.reason == "request" and asked.cycle == state.cycle]
        asked = ask(
            kind,
            state,
            store,
            number=max(state.cycle, 1),
            cycle=state.cycle,
            reason="request",
            rng=draw(seed, state.cycle, len(requested), "request"),
            earlier=earlier,
        )
        if asked is None:
            return None
        taken = {each.id for each in earlier}
        name = next(name for n in count(len(requested)) if (name := f"r{state.cycle}{_suffix(n)}") not in taken)
        questions = tuple(replace(q, id=f"{name}-{i}") for i, q in enumerate(asked.questions, start=1))
        named = replace(asked, id=name, questions=questions)
        if store.add_round(named):
            return named
        # Another request was faster; this one asks what that one did not.


def _suffix(number: int) -> str:
    """A, b, ... z, za, zb, ...: sorted as counted."""
    return "z" * (number // 26) + _LETTERS[number % 26]
