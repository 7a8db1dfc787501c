"""Takes open questions and one key an answer; gives stored answers, each durable before the next question is shown.

Nothing here knows a terminal: keys come from a function, words and pictures go to another.
"""

from __future__ import annotations

import textwrap
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from gen_emerge.cli import keys
from gen_emerge.types import RANKED, SINGLE, Favourite, HumanAnswer, Question

if TYPE_CHECKING:
    from gen_emerge.preference.answers import Entry

ASKS: Mapping[str, str] = {
    "quality": "Which one is better for the brief?",
    "adherence": "Which one fits its prompt better?",
    "keep": "Keep it?",
    "review": "It lies near a threshold. Let it in?",
    "rank": "Rank them for the brief: the best first.",
    "similarity": "Which one is more like the one in the middle?",
}
SAID: Mapping[str, str] = {"unsure": "cannot say"}
TAKES = "Two takes of one genome: they differ by their seeds alone."


def asks(question: Question) -> str:
    """What is asked, as a sentence."""
    if question.kind in RANKED:
        return ASKS["rank"]
    return ASKS["review" if question.kind == "review" else question.ask]


def shown_names(question: Question) -> list[str]:
    """The names of its images from left to right: of a triplet the reference stands in the middle."""
    return ["a", "reference", "b"] if question.kind == "triplet" else list(question.images)


def prompts(question: Question) -> list[str]:
    """The prompt it is about, named; where the two sides differ, one for each."""
    left, sign, right = question.prompt.partition(" | right: ")
    return [left, f"right: {right}"] if sign and left.startswith("left: ") else [f"prompt: {question.prompt}"]


class Said(NamedTuple):
    """What a rater did with a question: an answer or "undo" or "quit"; of a ranking its order."""

    word: str
    sure: bool
    seconds: float
    order: tuple[str, ...] = ()


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


def as_input(entry: Entry) -> tuple[str, dict[str, Any]]:
    """One line, or one answer, as the store keeps it."""
    if isinstance(entry, Favourite):
        return "favourite", {"candidate": entry.candidate, "level": entry.level, "rater": entry.rater}
    if not isinstance(entry, HumanAnswer):
        return "undo", {"question": entry.question, "rater": entry.rater}
    return "answer", {
        "question": entry.question,
        "answer": entry.answer,
        "rater": entry.rater,
        "confidence": entry.confidence,
        "seconds": entry.seconds,
        **({"order": list(entry.order)} if entry.order else {}),
    }


class Sitting:
    """One rater at the terminal. `tally` says at any moment what it came to so far.

    Args:
        book: where answers are written.
        questions: in the order in which they are asked.
        pictures: candidate id -> file.
        rater: who answers.
        key: waits, and gives what the terminal sent: one key or more; "" when it is gone.
        say: prints a text.
        show: pictures, from left to right -> what to print (an escape sequence, or a path).
        brief: what the series is for, said at the beginning, and again with the first question that is judged by it
            after one that is not; "" when nobody knows.
        takes: ids of the questions that set two takes of one genome side by side.
        columns: how broad a line of text may be.
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
        brief: str = "",
        takes: Collection[str] = (),
        columns: int = 80,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._questions = list(questions)
        self._pictures = pictures
        self._rater = rater
        self._key = key
        self._say = say
        self._show = show
        self._brief = brief
        self._takes = takes
        self._columns = columns
        self._clock = clock
        self._typed = deque[str]()
        self._answered: list[int] = []
        self._by_brief = True
        self.tally = Tally(left=len(self._questions))

    def run(self) -> Tally:
        """Ask until all is answered or the rater leaves.

        Raises:
            KeyboardInterrupt: by Ctrl-C; what was answered is stored.
        """
        if self._brief and self._questions:
            self._text(f"brief: {self._brief}")
        place = 0
        while place < len(self._questions):
            said = self._ask(self._questions[place], place + 1)
            if said.word == "quit":
                self.tally.quit = True
                break
            if said.word == "undo":
                place = self._undo(place)
                continue
            self._keep(self._questions[place], said)
            self._answered.append(place)
            place += 1
        return self.tally

    def _keep(self, question: Question, said: Said) -> None:
        answer = HumanAnswer(
            question=question.id,
            answer=cast(Any, said.word),
            rater=self._rater,
            confidence="sure" if said.sure else "unsure",
            seconds=round(said.seconds, 1),
            order=said.order,
        )
        self._book.add_inputs([as_input(answer)])
        self.tally.answered += 1
        self.tally.left -= 1
        self._say(f"  {SAID.get(answer.words, answer.words)}{'' if said.sure else ' (not sure)'}")

    def _undo(self, place: int) -> int:
        """Take back the answer before; gives the question to ask next."""
        if not self._answered:
            self._say("Nothing to undo yet.")
            return place
        place = self._answered.pop()
        undone = self._questions[place].id
        self._book.add_inputs([("undo", {"question": undone, "rater": self._rater})])
        self.tally.undone += 1
        self.tally.answered -= 1
        self.tally.left += 1
        self._say(f"Took back the answer to question {place + 1} of {len(self._questions)}.")
        return place

    def _ask(self, question: Question, number: int) -> Said:
        self._text(f"\n{number} of {len(self._questions)}  {asks(question)}")
        by_brief = question.ask not in ("adherence", "similarity")
        if by_brief and not self._by_brief and self._brief:
            self._text(f"brief: {self._brief}", indent=2)
        self._by_brief = by_brief
        if question.ask == "adherence" or question.kind in SINGLE:
            for prompt in prompts(question):
                self._text(prompt, indent=2)
        if question.id in self._takes:
            self._text(TAKES, indent=2)
        names = shown_names(question)
        self._say(self._show(question.id, [self._pictures[question.images[name]] for name in names]))
        letters = names if question.kind in RANKED else []
        self._text(keys.short(question.kind, letters))
        began = self._clock()
        if letters:
            word, sure, order = self._ranked(question, letters)
        else:
            (word, sure), order = self._key_of(question, ()), ()
        return Said(word, sure, self._clock() - began, order)

    def _ranked(self, question: Question, letters: Sequence[str]) -> tuple[str, bool, tuple[str, ...]]:
        """A key a place, the best first; the last place follows by itself."""
        chosen: list[tuple[str, bool]] = []
        while len(chosen) < len(letters) - 1:
            left = [letter for letter in letters if letter not in dict(chosen)]
            word, sure = self._key_of(question, letters)
            if word in left:
                chosen.append((word, sure))
            elif word in letters:
                self._text(f'"{word}" has its place already: u takes back the last one.')
            elif word == "undo" and chosen:
                chosen.pop()
            else:
                return word, sure, ()
            self._say("  " + " > ".join([letter for letter, _ in chosen] + ["..."]))
        (last,) = set(letters) - set(dict(chosen))
        order = (*dict(chosen), last)
        return "ranked", all(sure for _, sure in chosen), order

    def _key_of(self, question: Question, letters: Sequence[str]) -> tuple[str, bool]:
        """The next key that means something here, help given on the way."""
        while True:
            key = self._next_key()
            said = keys.meaning(key, question.kind, letters)
            if said is None:
                self._text(keys.strange(key))
            elif said[0] == "help":
                for line in keys.lines(question.kind, letters):
                    self._text(line, indent=2)
                if self._by_brief and self._brief:
                    self._text(f"brief: {self._brief}", indent=2)
            else:
                return said

    def _next_key(self) -> str:
        if not self._typed:
            self._typed.extend(keys.split(self._key()))
        if (key := self._typed.popleft()) == keys.INTERRUPT:
            raise KeyboardInterrupt
        return key

    def _text(self, text: str, *, indent: int = 0) -> None:
        self._say(wrapped(text, self._columns, indent=indent))


def wrapped(text: str, columns: int, *, indent: int = 0) -> str:
    """A text in lines of at most so many letters, words left whole, all but a first empty line indented."""
    empty = "\n" * (len(text) - len(text.lstrip("\n")))
    margin = " " * indent
    room = max(columns, indent + 20)
    return empty + textwrap.fill(
        text.lstrip("\n"), room, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )
