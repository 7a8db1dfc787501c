"""Words that shall never come again: inputs and a prompt bank -> the bank that emitters may draw from in a cycle.

Only humans say which (`gen-emerge compass NAME --never WORD`); each is an input of its own with the first cycle that it
holds for. A forbidden word is taken out of every slot that has it, and patterns that write it are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import replace

from gen_emerge.errors import BadInput
from gen_emerge.types import Input, PromptBank

KIND = "compass"
"""Inputs: `{"word", "never"}`; `never` is False where a word is allowed again."""


def forbidden(inputs: Iterable[Input], last: int | None = None) -> frozenset[str]:
    """The words that shall never come again.

    Args:
        inputs: all of kind "compass", oldest first.
        last: only what the cycles up to this one may use; None for all.
    """
    found: dict[str, bool] = {}
    for each in inputs:
        if last is None or each.first_cycle <= last:
            found[each.payload["word"]] = each.payload["never"]
    return frozenset(word for word, never in found.items() if never)


def empty_slots(bank: PromptBank, never: Set[str]) -> list[str]:
    """Slots of which no word would be left."""
    return [slot for slot, words in bank.slots.items() if never >= set(words)]


def without(bank: PromptBank, never: Set[str], *, series: str = "SERIES") -> PromptBank:
    """The bank that is left.

    Args:
        bank: whole.
        never: words that shall not come.
        series: the hint names it, where it is known.

    Raises:
        BadInput: a slot would have no word left.
    """
    if not never:
        return bank
    slots = {slot: tuple(word for word in words if word not in never) for slot, words in bank.slots.items()}
    if empty := empty_slots(bank, never):
        gone = ", ".join(f'"{word}"' for word in bank.slots[empty[0]])
        raise BadInput(
            f"The slot {empty[0]} of {bank.id} would have no word left: {gone} would never come again.",
            hint=f'Allow one again: gen-emerge compass {series} --allow "{bank.slots[empty[0]][0]}"',
        )
    patterns = tuple(
        pattern
        for pattern in bank.patterns
        if not never & set(pattern.slots.values()) and not written(pattern.text, never)
    )
    return replace(bank, slots=slots, patterns=patterns)


def written(text: str, never: Iterable[str]) -> bool:
    """Whether a text has one of some words, whole and in whichever case."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in never)
