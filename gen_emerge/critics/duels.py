"""Takes a way of asking which of two is better; gives one verdict that does not depend on which was shown first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from gen_emerge.types import Answer, DuelReply, QuestionBank, Side

Standing = Literal["good", "bad", "open"]


def both_orders(ask: Callable[[bool], Side]) -> DuelReply:
    """Ask twice, the second time with the sides swapped; a split answer is a tie.

    Args:
        ask: swapped -> the side that won, as shown.
    """
    turned: dict[Side, Side] = {"left": "right", "right": "left", "tie": "tie"}
    return DuelReply(as_given=ask(False), swapped=turned[ask(True)])


def standings(answers: Mapping[str, Answer], bank: QuestionBank) -> dict[str, Standing]:
    """Question id -> whether the answer speaks for the image, against it, or leaves it open."""
    result: dict[str, Standing] = {}
    for question in bank.questions:
        answer = answers.get(question.id, "unanswered")
        if answer not in ("yes", "no"):
            result[question.id] = "open"
        else:
            result[question.id] = "good" if answer == question.good else "bad"
    return result


def better_answers(left: Mapping[str, Answer], right: Mapping[str, Answer], bank: QuestionBank) -> Side:
    """The side that is better on more questions: its answer good, the other's bad. An open answer counts for nobody."""
    ours, theirs = standings(left, bank), standings(right, bank)
    ahead = sum(ours[i] == "good" and theirs[i] == "bad" for i in ours)
    behind = sum(ours[i] == "bad" and theirs[i] == "good" for i in ours)
    return "left" if ahead > behind else "right" if behind > ahead else "tie"
