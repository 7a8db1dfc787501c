"""Takes an open store; gives its rounds as plain values, and opens one on request.

A requested round is an input like any other: it is written on arrival and never changes the series by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.protocols import RoundKind
from gen_emerge.types import SINGLE, Question, Round

if TYPE_CHECKING:
    from gen_emerge.store import Store

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def pictures_of(store: Store, questions: Iterable[Question]) -> dict[int, Path]:
    """Candidate id -> the PNG, relative to the series folder."""
    ids = sorted({candidate for question in questions for candidate in question.images.values()})
    return {c.id: Path(c.image.path) for c in store.candidates(ids) if c.image is not None}


def takes_among(store: Store, questions: Iterable[Question]) -> set[str]:
    """Ids of the questions that set two takes of one genome side by side."""
    from gen_emerge.choices import of_one_genome

    return {question.id for question in questions if of_one_genome(question, store.takes)}


def round_object(store: Store, asked: Round | None) -> dict[str, Any]:
    """The object `gen-emerge rounds` prints; pictures are relative to the series folder.

    A question has `takes` only where it sets two takes of one genome side by side. `raters`: how many easy pairs each
    was asked twice, and how many of them were answered the same.
    """
    from gen_emerge.preference.attention import consistency
    from gen_emerge.standing import open_questions, open_rounds

    questions = asked.questions if asked else ()
    standing = store.answers().standing
    known = {question.id: question for each in store.rounds() for question in each.questions}
    given = {answer.question: list(answer.order) or answer.answer for answer in standing}
    pictures, takes = pictures_of(store, questions), takes_among(store, questions)
    return {
        "round": asked.id if asked else None,
        "questions": [
            {
                "id": question.id,
                "kind": question.kind,
                "ask": question.ask,
                "prompt": question.prompt,
                "images": {side: pictures[candidate].as_posix() for side, candidate in question.images.items()},
                "answered": given.get(question.id),
                **({"takes": True} if question.id in takes else {}),
            }
            for question in questions
        ],
        "open_rounds": len(open_rounds(store)),
        "open_questions": len(open_questions(store)),
        "raters": [
            {"rater": each.rater, "repeats": each.repeats, "same": each.same} for each in consistency(known, standing)
        ],
    }


def round_text(series: str, brief: str, folder: Path, asked: Round, found: Mapping[str, Any], *, columns: int) -> str:
    """A round for people: every question as it is asked, with pictures that can be opened.

    Args:
        series: its name.
        brief: what it is for; "" when nobody knows.
        folder: the series' folder.
        asked: the round that `found` shows.
        found: see `round_object`.
        columns: how broad a line may be; a path stays on one.
    """
    from gen_emerge.cli.judging import TAKES, asks, prompts, shown_names, wrapped
    from gen_emerge.cli.text import questions_open

    rows = [f"{series}: {questions_open(found['open_questions'])}"]
    if brief:
        rows.append(wrapped(f"brief: {brief}", columns))
    rows.append(f"\nround {asked.id}, opened in cycle {asked.cycle}")
    for question, shown in zip(asked.questions, found["questions"], strict=True):
        answered = shown["answered"]
        words = " > ".join(answered) if isinstance(answered, list) else answered
        said = f"  (answered: {words})" if words else ""
        rows += ["", f"  {question.id:<8}{asks(question)}{said}"]
        if question.kind in SINGLE or question.ask == "adherence":
            rows += [wrapped(prompt, columns, indent=10) for prompt in prompts(question)]
        if shown.get("takes"):
            rows.append(wrapped(TAKES, columns, indent=10))
        sides = shown_names(question)
        named = ["middle" if side == "reference" else side for side in sides]
        wide = max(map(len, named)) + 2
        rows += [
            " " * 10 + ("" if side == "only" else f"{name + ':':<{wide}}") + str(folder / shown["images"][side])
            for side, name in zip(sides, named, strict=True)
        ]
    own = sum(shown["answered"] is None for shown in found["questions"])
    if rest := found["open_questions"] - own:
        others = found["open_rounds"] - (own > 0)
        rows.append(f"\n{rest} more in {'another round' if others == 1 else f'{others} other rounds'}.")
    for each in found["raters"]:
        asked_again = "1 easy pair" if each["repeats"] == 1 else f"{each['repeats']} easy pairs"
        rows.append(f"\n{each['rater']} was asked {asked_again} twice, and answered {each['same']} the same.")
    return "\n".join([*rows, f"\nAnswer: gen-emerge judge {series}"])


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
            answers=store.answers().standing,
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
