"""Takes lines of answers; gives checked answers. Touches no store and no file.

A line is one JSON object: `{"question": "r3-1", "answer": "left", "confidence": "sure", "seconds": 2.5}`, of a question
that ranks `{"question": "r3-2", "order": ["b", "a", "d", "c"]}`; `{"undo": "r3-1"}`; or
`{"favourite": 41, "level": "interesting"}`. One bad line refuses all of them, so half a file is never taken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from gen_emerge.errors import BadInput, nearest
from gen_emerge.types import RANKED, Favourite, HumanAnswer, Question, Round

_FITTING: Mapping[str, tuple[str, ...]] = {
    "pair": ("left", "right", "tie", "skip"),
    "keep": ("keep", "discard", "unsure", "skip"),
    "review": ("keep", "discard", "unsure", "skip"),
    "triplet": ("a", "b", "unsure", "skip"),
    "rank4": ("skip",),
    "ranking": ("skip",),
}
_KEYS = ("question", "answer", "order", "confidence", "seconds")
_CONFIDENCE = ("sure", "unsure")
_LEVELS = ("interesting", "breakthrough")
_FAVOURITE = ("favourite", "level", "move")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The rater takes back their last answer to one question."""

    question: str
    rater: str


Entry = HumanAnswer | Undo | Favourite


def parse_answers(lines: Iterable[str], questions: Mapping[str, Question], *, rater: str) -> list[Entry]:
    """Check every line and give the answers in order. Blank lines are skipped; no lines give no answers.

    Args:
        lines: JSON objects, one a line.
        questions: id -> question, all that may be answered.
        rater: who answers.

    Raises:
        BadInput: naming the line, what came, what was wanted; nothing of the file is to be used.
    """
    if not rater.strip():
        raise BadInput("The rater has no name.", hint="Give one, such as --rater anna.")
    answers: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            answers.append(_parse_line(number, line, questions, rater))
    return answers


def is_complete(asked: Round, answered: Mapping[str, HumanAnswer]) -> bool:
    """True when every question of the round has a standing answer (a skip is one)."""
    return all(question.id in answered for question in asked.questions)


def _parse_line(number: int, line: str, questions: Mapping[str, Question], rater: str) -> Entry:
    entry = _object(number, line)
    if "favourite" in entry:
        return _favourite(number, entry, rater)
    if "undo" in entry:
        if len(entry) > 1:
            _refuse(number, "an undo stands alone", hint='Write {"undo": "r1-1"} on a line of its own.')
        return Undo(question=_question(number, "undo", entry["undo"], questions).id, rater=rater)
    for key in entry:
        if key not in _KEYS:
            _refuse(number, f'unknown key "{key}"', hint=nearest(key, [*_KEYS, "undo", "favourite"]))
    question = _question(number, "question", _given(number, entry, "question"), questions)
    word, order = _said(number, entry, question)
    return HumanAnswer(
        question=question.id,
        answer=cast(Any, word),
        rater=rater,
        confidence=cast(Any, _word(number, "confidence", entry.get("confidence", "sure"), _CONFIDENCE, "")),
        seconds=_seconds(number, entry.get("seconds")),
        order=order,
    )


def _favourite(number: int, entry: Mapping[str, Any], rater: str) -> Favourite:
    """A mark; whether there is such an image, and whether the breakthrough may move, only the store knows."""
    for key in entry:
        if key not in _FAVOURITE:
            _refuse(number, f'unknown key "{key}"', hint=nearest(key, _FAVOURITE))
    candidate, move = entry["favourite"], entry.get("move", False)
    if isinstance(candidate, bool) or not isinstance(candidate, int) or not 1 <= candidate < 2**63:
        _refuse(number, f'"favourite" is {_shown(candidate)}; wanted the id of a candidate, a whole number')
    if "level" not in entry:
        _refuse(number, '"level" is missing', hint=f"Wanted {', '.join(_LEVELS)}, or null to take it away.")
    level = entry["level"] if entry["level"] is None else _word(number, "level", entry["level"], _LEVELS, "null or")
    if not isinstance(move, bool) or (move and level != "breakthrough"):
        _refuse(number, f'"move" is {_shown(move)}; wanted true, beside "level": "breakthrough"')
    return Favourite(candidate=candidate, level=cast(Any, level), rater=rater, move=move)


def _given(number: int, entry: Mapping[str, Any], key: str) -> Any:
    if key not in entry:
        said = "answer" if key != "order" else "order"
        rest = "confidence, seconds (the last two may be left out)"
        _refuse(number, f'"{key}" is missing', hint=f"Wanted question, {said}, {rest}.")
    return entry[key]


def _said(number: int, entry: Mapping[str, Any], question: Question) -> tuple[str, tuple[str, ...]]:
    """The word of an answer, and of a ranking its order."""
    known = _FITTING[question.kind]
    if question.kind not in RANKED:
        if "order" in entry:
            _refuse(number, f"an order for a {question.kind}", hint=f'Wanted "answer": one of {", ".join(known)}.')
        return _word(number, "answer", _given(number, entry, "answer"), known, f"for a {question.kind}"), ()
    names = list(question.images)
    if "answer" in entry:
        if "order" in entry:
            _refuse(number, '"order" and "answer" both came', hint='Give the order, or "answer": "skip".')
        if entry["answer"] not in known:
            _refuse(number, f'"answer" is {_shown(entry["answer"])} for a {question.kind}', hint=_full_order(names))
        return "skip", ()
    order = _given(number, entry, "order")
    if not isinstance(order, list) or not all(isinstance(name, str) for name in cast("list[Any]", order)):
        _refuse(number, f'"order" is {_shown(order)}; wanted a list of names', hint=_full_order(names))
    given = cast("list[str]", order)
    for name in given:
        if name not in names:
            _refuse(number, f'"order" names {_shown(name)}, which was not shown', hint=_full_order(names))
        if given.count(name) > 1:
            _refuse(number, f'"order" names {_shown(name)} twice', hint=_full_order(names))
    if left := [name for name in names if name not in given]:
        _refuse(number, f'"order" leaves out {", ".join(left)}', hint=_full_order(names))
    return "ranked", tuple(given)


def _full_order(names: list[str]) -> str:
    return f'Wanted all of {", ".join(names)} once, the best first: "order": {json.dumps(names)}; or "answer": "skip".'


def _object(number: int, line: str) -> dict[str, Any]:
    def not_a_number(word: str) -> NoReturn:
        _refuse(number, f"{word} is no number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            _refuse(number, "a key came twice")
        return entry

    try:
        entry = json.loads(line, parse_constant=not_a_number, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        _refuse(number, f"not JSON ({error})", hint='Wanted {"question": "r1-1", "answer": "left"}.')
    if not isinstance(entry, dict):
        _refuse(number, "not a JSON object", hint='Wanted {"question": "r1-1", "answer": "left"}.')
    return cast("dict[str, Any]", entry)


def _question(number: int, key: str, value: Any, questions: Mapping[str, Question]) -> Question:
    if not isinstance(value, str):
        _refuse(number, f'"{key}" is {_shown(value)}; wanted the id of a question')
    if value not in questions:
        _refuse(number, f'no question "{value}"', hint=nearest(value, questions) or "No question is open.")
    return questions[value]


def _word(number: int, key: str, value: Any, known: tuple[str, ...], where: str) -> str:
    if value not in known or not isinstance(value, str):
        wanted = ", ".join(known)
        _refuse(
            number,
            f'"{key}" is {_shown(value)}; wanted {" ".join(filter(None, [where, "one of"]))} {wanted}',
            hint=nearest(value, known) if isinstance(value, str) else None,
        )
    return value


def _seconds(number: int, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(number, f'"seconds" is {_shown(value)}; wanted a number >= 0')
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not (math.isfinite(seconds) and seconds >= 0):
        _refuse(number, f'"seconds" is {_shown(value)}; wanted a finite number >= 0')
    return seconds


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse(number: int, what: str, *, hint: str | None = None) -> NoReturn:
    raise BadInput(f"Line {number}: {what}.", hint=hint)
