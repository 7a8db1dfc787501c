"""Takes an image, its signals and a bank; answers what can be measured, and says "unsure" to all the rest.

Offline, at once, the same every time. `measured.toml` says which condition on which signal answers which question, and
where its thresholds come from: quantiles of a reference set, never taste. It knows nothing of people, meaning or harm.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from gen_emerge.critics.duels import better_answers, both_orders
from gen_emerge.critics.looks import Looks, look
from gen_emerge.errors import BadInput
from gen_emerge.types import Answer, Critique, DuelReply, Exhibit, QuestionBank


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One signal's two thresholds. `yes` above `no` means: high values say yes; below: low values do.

    Args:
        signal: name, in `Exhibit.signals` or in `Looks.values`.
        yes: from here on the answer is yes.
        no: from here on, the other way, it is no; between the two it is unsure.
    """

    signal: str
    yes: float
    no: float

    def along(self, values: Mapping[str, float]) -> float | None:
        """Where the value lies from `no` (0) to `yes` (1), beyond included; None when it was not measured."""
        value = values.get(self.signal)
        if value is None or not math.isfinite(value):
            return None
        return (value - self.no) / (self.yes - self.no)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one question is answered.

    Args:
        question: its id.
        conditions: yes when all say yes, no when one says no, else unsure.
        weakness: what is wrong when the answer speaks against the image.
        lesser: what is weakest about it when it does not.
    """

    question: str
    conditions: tuple[Condition, ...]
    weakness: str
    lesser: str

    def along(self, values: Mapping[str, float]) -> float | None:
        """The least of the conditions' places from no (0) to yes (1); None when one was not measured."""
        places = [condition.along(values) for condition in self.conditions]
        known = [place for place in places if place is not None]
        return min(known) if known and len(known) == len(places) else None

    def answer(self, values: Mapping[str, float]) -> Answer:
        """Yes, no or unsure."""
        along = self.along(values)
        if along is None:
            return "unsure"
        return "yes" if along >= 1 else "no" if along <= 0 else "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Words for the low and the high end of a signal; nothing is said between `low` and `high`."""

    signal: str
    low: float
    high: float
    below: str
    above: str
    between: str

    def of(self, values: Mapping[str, float]) -> str:
        """The word for a value, "" when it was not measured."""
        value = values.get(self.signal)
        if value is None or not math.isfinite(value):
            return ""
        return self.below if value <= self.low else self.above if value >= self.high else self.between


class MeasuredCritic:
    """Answers by measurement. Implements `Critic`; safe to share between threads.

    Args:
        ignore: signals to leave out, because another scorer than the reference's measures them: their questions are
            then unsure. The thresholds of `quality` and `prompt` hold for the embedded scorers only.
    """

    name = "measured-1"
    immediate = True

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._rules, self._words = _load_rules()
        self._ignore = frozenset(ignore)

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        """Answer every question of the bank; the brief is not understood, so it is not used.

        Raises:
            BadInput: the exhibit has no pixels.
        """
        if exhibit.pixels is None:
            raise BadInput(f"Candidate {exhibit.candidate} was shown to the critic without its image.")
        looks = look(exhibit.pixels)
        known = {name: value for name, value in exhibit.signals.items() if name not in self._ignore}
        values = {**known, **looks.values}
        answers: dict[str, Answer] = {
            q.id: self._rules[q.id].answer(values) if q.id in self._rules else "unsure" for q in bank.questions
        }
        return Critique(
            critic=self.name,
            bank=bank.id,
            bank_hash=bank.hash,
            answers=answers,
            summary=self._summary(values, looks),
            weaknesses=self._weaknesses(values, looks, bank),
        )

    def duel(self, left: Exhibit, right: Exhibit, *, brief: str, bank: QuestionBank) -> DuelReply:
        """The side that is better on more questions; otherwise a tie. Signals are never compared.

        Raises:
            BadInput: a side was not reviewed.
        """
        for exhibit in (left, right):
            if exhibit.critique is None:
                raise BadInput(f"Candidate {exhibit.candidate} came to a duel without a review.")
        assert left.critique is not None and right.critique is not None
        ours, theirs = left.critique.answers, right.critique.answers
        return both_orders(lambda swapped: better_answers(*((theirs, ours) if swapped else (ours, theirs)), bank))

    def _summary(self, values: Mapping[str, float], looks: Looks) -> str:
        said = {name: word.of(values) for name, word in self._words.items()}
        kind = ", ".join(filter(None, (said["lightness"], said["warmth"], said["saturation"])))
        first, second = looks.colours
        colours = f"mostly {first}" if first == second else f"mostly {first} and {second}"
        opening = f"{_article(kind)} image, {colours}." if kind else f"An image, {colours}."
        parts = list(filter(None, (said["edge_density"], said["symmetry"], said["contrast"])))
        parts.append(f"the liveliest place is the {looks.busiest}")
        second_sentence = "; ".join(parts)
        return f"{opening} {second_sentence[0].upper()}{second_sentence[1:]}."

    def _weaknesses(self, values: Mapping[str, float], looks: Looks, bank: QuestionBank) -> tuple[str, ...]:
        """The three conditions furthest on the bad side: faults first, then what is nearest to one."""
        good = {question.id: question.good for question in bank.questions}
        found: list[tuple[float, str]] = []
        for rule in self._rules.values():
            along = rule.along(values)
            if along is None:
                continue
            # The usual good answer is the rule's own where the bank does not ask.
            merit = along if good.get(rule.question, "yes") == "yes" else 1 - along
            text = rule.weakness if merit <= 0 else rule.lesser
            found.append((merit, text.format(busiest=looks.busiest, emptiest=looks.emptiest, heavier=looks.heavier)))
        found.sort(key=lambda pair: pair[0])
        return tuple(text for _, text in found[:3])


@lru_cache(maxsize=1)
def _load_rules() -> tuple[dict[str, Rule], dict[str, Word]]:
    table: dict[str, Any] = tomllib.loads(files("gen_emerge.critics").joinpath("measured.toml").read_text("utf-8"))
    rules = {
        entry["question"]: Rule(
            question=entry["question"],
            conditions=tuple(
                Condition(signal=when["signal"], yes=when["yes"], no=when["no"])
                for when in entry["when"]
                if "yes" in when
            ),
            weakness=entry["weakness"],
            lesser=entry["lesser"],
        )
        for entry in table["rules"]
    }
    words = {
        entry["signal"]: Word(
            signal=entry["signal"],
            low=entry["low"],
            high=entry["high"],
            below=entry["below"],
            above=entry["above"],
            between=entry["between"],
        )
        for entry in table["words"]
    }
    return {name: rule for name, rule in rules.items() if rule.conditions}, words


def _article(words: str) -> str:
    return f"{'An' if words[0] in 'aeiou' else 'A'} {words}"
