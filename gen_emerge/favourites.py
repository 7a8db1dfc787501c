"""What people marked as favourites: stored inputs -> candidate -> level. A fold; asks nobody, changes nothing.

A favourite belongs to the series: the last word on an image stands, whoever said it. "interesting" is free; there is at
most one "breakthrough", and whatever held that before stays "interesting".
"""

from __future__ import annotations

from collections.abc import Iterable

from gen_emerge.types import Favourite, Input

KIND = "favourite"
"""Inputs: `{"candidate", "level", "rater"}`; a level of None takes the mark away."""


def favourites(inputs: Iterable[Input]) -> dict[int, Favourite]:
    """Candidate id -> its mark, in the order in which they were given."""
    found: dict[int, Favourite] = {}
    for each in inputs:
        payload = each.payload
        mark(found, Favourite(candidate=payload["candidate"], level=payload["level"], rater=payload["rater"]))
    return found


def mark(found: dict[int, Favourite], given: Favourite) -> None:
    """Let one word take effect."""
    if given.level == "breakthrough" and (held := breakthrough(found)) is not None:
        found[held.candidate] = Favourite(candidate=held.candidate, level="interesting", rater=held.rater)
    if given.level is None:
        found.pop(given.candidate, None)
    else:
        found[given.candidate] = given


def breakthrough(found: dict[int, Favourite]) -> Favourite | None:
    """The one breakthrough, or None."""
    return next((each for each in found.values() if each.level == "breakthrough"), None)
