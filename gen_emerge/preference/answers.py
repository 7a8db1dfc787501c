"""Takes lines of answers; gives checked answers, and what they say together. Touches no store and no file.

A line is one JSON object: `{"question": "r3-1", "answer": "left", "confidence": "sure", "seconds": 2.5}` or
`{"undo": "r3-1"}`. One bad line refuses all of them, so half a file is never taken.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, cast

from gen_emerge.errors import BadInput, nearest
from gen_emerge.types import Duel, HumanAnswer, Question, Round

_FITTING: Mapping[str, tuple[str, ...]] = {
    "pair": ("left", "right", "tie", "skip"),
    "keep": ("keep", "discard", "unsure", "skip"),
    "review": ("keep", "discard", "unsure", "skip"),
}
_KEYS = ("question", "answer", "confidence", "seconds")
_CONFIDENCE = ("sure", "unsure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The rater takes back their last answer to one question."""

    question: str
    rater: str


def parse_answers(lines: Iterable[str], questions: Mapping[str, Question], *, rater: str) -> list[HumanAnswer | Undo]:
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
    answers: list[HumanAnswer | Undo] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            answers.append(_parse_line(number, line, questions, rater))
    return answers


def is_complete(asked: Round, answered: Mapping[str, HumanAnswer]) -> bool:
    """True when every question of the round has a standing answer (a skip is one)."""
    return all(question.id in answered for question in asked.questions)


def as_duel(question: Question, answer: HumanAnswer, *, takes: bool = False) -> Duel | None:
    """The duel an answer to a pair is; None for a skip and for questions about one image.

    Args:
        question: what was asked.
        answer: what was said.
        takes: whether one of the pair is a take that the selector passed over.
    """
    if question.kind != "pair" or answer.answer not in ("left", "right", "tie"):
        return None
    return Duel(
        left=question.images["left"],
        right=question.images["right"],
        question=question.ask,
        outcome=answer.answer,
        judge=f"human:{answer.rater}",
        order="single",
        purpose="take" if takes else "round",
        seconds=answer.seconds,
        attention=question.attention,
    )


def majority(
    question: Question, standing: Iterable[HumanAnswer], questions: Mapping[str, Question]
) -> int | str | None:
    """What more raters say than the contrary: the candidate they prefer, or "keep" or "discard"; None for a draw.

    A rater counts once, by their last answer about these images, in whatever round it was asked. Tie and unsure speak
    for neither side, and a skip says nothing.

    Args:
        question: what is to be decided.
        standing: the answers that stand, in order of arrival.
        questions: id -> question, of all of them.
    """
    said: dict[str, int | str] = {}
    for answer in standing:
        other = questions.get(answer.question)
        if other is not None and answer.answer != "skip" and _matter(other) == _matter(question):
            said[answer.rater] = other.images.get(answer.answer, answer.answer)
    one, two = question.images.values() if question.kind == "pair" else ("keep", "discard")
    votes = Counter(said.values())
    if votes[one] == votes[two]:
        return None
    return one if votes[one] > votes[two] else two


def withdrawal(duel: Duel) -> Duel:
    """The record that a verdict counts no longer: its rater took it back, or now says something else."""
    return replace(duel, purpose="withdrawn")


def withdraw(duels: list[Duel], gone: Duel) -> bool:
    """Strike out the last verdict that a withdrawal speaks of; False when there is none."""
    for place in range(len(duels) - 1, -1, -1):
        if withdrawal(replace(duels[place], seconds=gone.seconds)) == gone:
            del duels[place]
            return True
    return False


def _matter(question: Question) -> tuple[str, str, frozenset[int]]:
    return question.kind, question.ask, frozenset(question.images.values())


def _parse_line(number: int, line: str, questions: Mapping[str, Question], rater: str) -> HumanAnswer | Undo:
    entry = _object(number, line)
    if "undo" in entry:
        if len(entry) > 1:
            _refuse(number, "an undo stands alone", hint='Write {"undo": "r1-1"} on a line of its own.')
        return Undo(question=_question(number, "undo", entry["undo"], questions).id, rater=rater)
    for key in entry:
        if key not in _KEYS:
            _refuse(number, f'unknown key "{key}"', hint=nearest(key, [*_KEYS, "undo"]))
    for key in ("question", "answer"):
        if key not in entry:
            _refuse(number, f'"{key}" is missing', hint=f"Wanted {', '.join(_KEYS)} (the last two may be left out).")
    question = _question(number, "question", entry["question"], questions)
    return HumanAnswer(
        question=question.id,
        answer=cast(Any, _word(number, "answer", entry["answer"], _FITTING[question.kind], f"for a {question.kind}")),
        rater=rater,
        confidence=cast(Any, _word(number, "confidence", entry.get("confidence", "sure"), _CONFIDENCE, "")),
        seconds=_seconds(number, entry.get("seconds")),
    )


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
