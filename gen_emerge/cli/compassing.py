"""Takes the object of `gen_emerge.compass`; gives text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen_emerge.cli.text import takes_up


def compass_text(result: Mapping[str, Any]) -> str:
    """What may be said, each with its interval; where nothing may be said, that, and what to answer."""
    name, given = result["series"], result["answers"]
    told = [_counted(given["duels"], "comparison"), _counted(given["keeps"], "keep or discard", "keeps and discards")]
    lines = [f"{name}: by {' and '.join(told)} of {_counted(given['images'], 'image')}"]
    for word in ("more", "less"):
        for place, each in enumerate(result[word]):
            lines.append(f"  {word if not place else '':<12} {_leaning(each)}")
    if result["more"] or result["less"]:
        lines.append(f"  In log-odds; {result['coverage']:.0%} sure of all these intervals together.")
    else:
        lines += _nothing(result)
    for place, word in enumerate(result["never"]):
        lines.append(f"  {'never again' if not place else '':<12} {word}")
    if result["from_cycle"] is not None:
        for key, said in (("forbidden", "Never again"), ("allowed", "Allowed again")):
            if result[key]:
                lines.append(f"  {said}: {', '.join(result[key])}.")
        lines.append(f"  Counts from cycle {result['from_cycle']} on: {takes_up(result)}")
    return "\n".join(lines)


def _leaning(each: Mapping[str, Any]) -> str:
    of = f"{each['word']} ({each['slot']})" if "word" in each else f"{each['parameter']}, the larger"
    interval = f"{each['value']:+.1f} ({each['low']:+.1f} to {each['high']:+.1f})"
    return f"{of:<28} {interval}, {_counted(each['answers'], 'answer')}"


def _nothing(result: Mapping[str, Any]) -> list[str]:
    given = result["answers"]
    if not given["duels"] and not given["keeps"]:
        lines = ["  Nobody has compared or kept any image yet, so nothing can be said."]
    else:
        lines = ["  No word stands out from what chance alone would give, so nothing is said."]
        if result["unsaid"]:
            least = result["unsaid"][0]
            lines.append(f"  Nearest to it: {_leaning(least)}")
    return [*lines, f"  Compare more images: gen-emerge rounds {result['series']} --open rank4"]


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
