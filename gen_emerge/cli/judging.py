"""Takes open questions and one key an answer; gives stored answers, each durable before the next question is shown.

Nothing here knows a terminal: keys come from a function, words and pictures go to another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gen_emerge.types import HumanAnswer, Question

if TYPE_CHECKING:
    from gen_emerge.preference.answers import Undo

LEFT = ("\x1b[D", "\x1bOD", "\xe0K", "\x00K")
RIGHT = ("\x1b[C", "\x1bOC", "\xe0M", "\x00M")
QUIT = ("q", "Q", "\x04", "\x1b")
ASKS: Mapping[str, str] = {
    "quality": "Which one is better for the brief?",
    "adherence": "Which one fits its prompt better?",
    "keep": "Keep it?",
    "review": "It lies near a threshold. Let it in?",
}
PAIR_KEYS = "l/left arrow  r/right arrow  t tie  s skip  u undo  q quit   (capital letter: not sure)"
KEEP_KEYS = "k keep  d discard  t cannot say  s skip  u undo  q quit   (capital letter: not sure)"


class Book(Protocol):
    """Where answers are written: the store."""

    def add_inputs(self, items: Sequence[tuple[str, Mapping[str, Any]]]) -> Any:
        """Store all of them or none."""
        ...


@dataclass(slots=True)
class Tally:
    """What one sitting came to."""

    answered: int = 0
    undone: int = 0
    left: int = 0
    quit: bool = False


def as_input(entry: HumanAnswer | Undo) -> tuple[str, dict[str, Any]]:
    """One answer or undo as the store keeps it."""
    if not isinstance(entry, HumanAnswer):
        return "undo", {"question": entry.question, "rater": entry.rater}
    return "answer", {
        "question": entry.question,
        "answer": entry.answer,
        "rater": entry.rater,
        "confidence": entry.confidence,
        "seconds": entry.seconds,
    }


def meaning(key: str, kind: str) -> tuple[str, bool] | None:
    """What a key says: (answer, or "undo" or "quit"; sure), None for a key without meaning here.

    Args:
        key: what the terminal sent.
        kind: the question's kind.
    """
    if key in QUIT:
        return "quit", True
    if kind == "pair" and key in LEFT:
        return "left", True
    if kind == "pair" and key in RIGHT:
        return "right", True
    pair = {"l": "left", "1": "left", "r": "right", "2": "right", "t": "tie", "=": "tie"}
    single = {"k": "keep", "d": "discard", "t": "unsure", "?": "unsure"}
    words = {"s": "skip", "u": "undo", **(pair if kind == "pair" else single)}
    word = words.get(key.lower())
    return None if word is None else (word, not key.isupper())


class Sitting:
    """One rater at the terminal.

    Args:
        book: where answers are written.
        questions: in the order in which they are asked.
        pictures: candidate id -> file.
        rater: who answers.
        key: waits for one key.
        say: prints a text.
        show: pictures, from left to right -> what to print (an escape sequence, or a path).
        clock: seconds, for how long an answer took.
    """

    def __init__(
        self,
        book: Book,
        questions: Iterable[Question],
        pictures: Mapping[int, Path],
        *,
        rater: str,
        key: Callable[[], str],
        say: Callable[[str], None],
        show: Callable[[str, Sequence[Path]], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._questions = list(questions)
        self._pictures = pictures
        self._rater = rater
        self._key = key
        self._say = say
        self._show = show
        self._clock = clock

    def run(self) -> Tally:
        """Ask until all is answered or the rater leaves."""
        tally = Tally(left=len(self._questions))
        place, answered = 0, list[int]()
        while place < len(self._questions):
            question = self._questions[place]
            word, sure, seconds = self._ask(question, place + 1)
            if word == "quit":
                tally.quit = True
                break
            if word == "undo":
                if not answered:
                    self._say("Nothing to undo yet.")
                    continue
                place = answered.pop()
                undone = self._questions[place].id
                self._book.add_inputs([("undo", {"question": undone, "rater": self._rater})])
                tally.undone += 1
                tally.answered -= 1
                tally.left += 1
                self._say(f"Took back the answer to {undone}.")
                continue
            payload = {
                "question": question.id,
                "answer": word,
                "rater": self._rater,
                "confidence": "sure" if sure else "unsure",
                "seconds": round(seconds, 1),
            }
            self._book.add_inputs([("answer", payload)])
            self._say(f"  {word}{'' if sure else ' (not sure)'}")
            tally.answered += 1
            tally.left -= 1
            answered.append(place)
            place += 1
        return tally

    def _ask(self, question: Question, number: int) -> tuple[str, bool, float]:
        pair = question.kind == "pair"
        ask = ASKS["review" if question.kind == "review" else question.ask]
        self._say(f"\n{number} of {len(self._questions)}  {ask}")
        if question.ask == "adherence" or not pair:
            self._say("\n".join(f"  {part}" for part in question.prompt.split(" | ")))
        sides = ("left", "right") if pair else ("only",)
        self._say(self._show(question.id, [self._pictures[question.images[side]] for side in sides]))
        self._say(PAIR_KEYS if pair else KEEP_KEYS)
        began = self._clock()
        while True:
            said = meaning(self._key(), question.kind)
            if said is not None:
                return said[0], said[1], self._clock() - began
