"""Takes the object of `gen_emerge.account.inspect_candidate`; gives text for people: one candidate on one screen."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen_emerge.cli.text import review_within
from gen_emerge.spoken import OPERATORS, spoken

WIDTH = 96
"""Columns; texts are folded."""
_WORDS = {
    "placed": "on the map",
    "accepted": "accepted, not on the map",
    "review": "waits for you",
    "pending": "waits",
    "rejected": "turned away",
    "failed": "failed",
}


def account_text(found: Mapping[str, Any], folder: Path) -> str:
    """One candidate: why it is where it is first, then what is known of it.

    Args:
        found: the object.
        folder: of the series, where its picture lies.
    """
    head = f"{found['series']}  candidate {found['candidate']}  {_WORDS[found['outcome']]}"
    if found["favourite"]:
        head += f", {found['favourite']}"
    lines = [f"{head}  cycle {found['cycle']}, slot {found['slot']}", "", *_folded(found["said"])]
    if found["outcome"] == "review":
        lines += _folded(_asked(found))
    lines += ["", *_recipe(found, folder)]
    if found["verdicts"]:
        lines += ["", "  verdicts", *(f"    {_verdict(verdict)}" for verdict in found["verdicts"])]
    if found["signals"]:
        signals = [f"{name} {spoken(signal['value'])}" for name, signal in found["signals"].items()]
        lines += ["", "  measured", *_folded(", ".join(signals), indent=4)]
    if found["critique"] is not None:
        lines += ["", *_critique(found["critique"])]
    if found["placements"] or found["changes"]:
        lines += ["", "  what happened", *(f"    {line}" for line in _happened(found))]
    return "\n".join(_plain(line) for line in lines)


def _asked(found: Mapping[str, Any]) -> str:
    """Who asks about an image in a review band."""
    question = found["question"]
    if question is None:
        return f"No question about it is open: gen-emerge rounds {found['series']} --open review"
    if question["open"]:
        return f"gen-emerge judge {found['series']} asks about it: question {question['question']}."
    return f"Question {question['question']} about it is answered: that counts from the next cycle that is run."


def _recipe(found: Mapping[str, Any], folder: Path) -> list[str]:
    recipe, imported = found["recipe"], found["imported"]
    rows = {"image": str(folder / found["image"]) if found["image"] else "none", "prompt": found["prompt"]}
    if found["negative"]:
        rows["negative"] = found["negative"]
    if imported is not None:
        made = imported["recipe"]
        by = f", made with {made['tool']}, seed {made['seed']}" if made is not None else ""
        rows |= {"imported": f"{imported['file']}{by}", "kept as": str(folder / imported["original"])}
    else:
        parents = [str(p["candidate"]) for p in found["parents"] if p["candidate"] is not None]
        did = f": {OPERATORS[found['operator']]}" if found["operator"] in OPERATORS else ""
        rows["made by"] = found["operator"] + (f" from candidate {', '.join(parents)}" if parents else "") + did
        parameters = ", ".join(f"{name} {spoken(value)}" for name, value in recipe["parameters"].items())
        rows["recipe"] = f"{recipe['generator']}, seed {recipe['seed']}" + (f", {parameters}" if parameters else "")
    rows["genome"] = found["genome"]
    return [line for name, value in rows.items() for line in _row(name, value)]


def _row(name: str, value: str) -> list[str]:
    """Words are folded; a path or a hash is left in one piece, to be copied."""
    first, *rest = textwrap.wrap(value, WIDTH - 13, break_on_hyphens=False, break_long_words=False) or [""]
    return [f"  {name:<10} {first}", *(f"{'':<13}{line}" for line in rest)]


def _verdict(verdict: Mapping[str, Any]) -> str:
    value = "-" if verdict["value"] is None else spoken(verdict["value"])
    first = verdict["gate"] == "novelty" and verdict["kind"] == "gate" and verdict["value"] is None
    bounds = "none before it" if first else _bounds(verdict)
    said = f"{verdict['gate']:<12} {verdict['outcome']:<6} {value:>9}  {bounds}".rstrip()
    known = verdict["kind"] == "gate" and any(verdict[key] is not None for key in ("lower", "upper"))
    return said if known or not verdict["reason"] else f"{said}  {verdict['reason']}"


def _bounds(verdict: Mapping[str, Any]) -> str:
    words = (("lower", "from"), ("upper", "to"), ("duplicate", "duplicate below"))
    ends = [f"{word} {spoken(verdict[key])}" for key, word in words if verdict[key] is not None]
    band = f" ({review_within(verdict)})" if ends and (verdict["review"] or verdict["review_upper"]) else ""
    return f"{', '.join(ends)}{band}"


def _critique(critique: Mapping[str, Any]) -> list[str]:
    counts = Counter(critique["answers"].values())
    told = ", ".join(f"{counts[word]} {word}" for word in ("yes", "no", "unsure", "unanswered") if counts[word])
    lines = [f"  the critic ({critique['critic']}) on {critique['bank']}: {told}"]
    lines += _folded(critique["summary"], indent=4)
    return [*lines, *(line for weak in critique["weaknesses"] for line in _folded(f"- {weak}", indent=4))]


def _happened(found: Mapping[str, Any]) -> list[str]:
    """Changes of its status and placements, in order; in one cycle the former come first."""
    lines = [(c["cycle"], 0, f"{c['status']} ({c['cause']})" if c["cause"] else c["status"]) for c in found["changes"]]
    lines += [(p["cycle"], 1, f"cell {p['cell']}: {p['outcome']}{_against(p)}") for p in found["placements"]]
    return [f"cycle {cycle:<5} {what}" for cycle, _, what in sorted(lines)]


def _against(place: Mapping[str, Any]) -> str:
    return f" against candidate {place['incumbent']}, by {place['reason']}" if place["incumbent"] is not None else ""


def _folded(text: str, *, indent: int = 2) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent)


def _plain(text: str) -> str:
    """Without signs that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
