"""Takes the text of a series file; gives it with one scorer's table replaced, comments and order kept.

Lines are replaced, not the file written anew: every other line keeps its bytes, its own ending too. What comes of it is
read again and compared: a text whose form is not understood (dotted keys, an inline table) is refused, never spoiled.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from gen_emerge.config.toml import toml_value
from gen_emerge.errors import BadInput

_HEADER = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")


def with_scorer(text: str, gate: str, table: Mapping[str, Any]) -> str:
    """The text in which `[scorers.GATE]` holds just this table.

    Args:
        text: a series file, valid TOML.
        gate: quality, prompt, novelty or style.
        table: `use` and the options, plain values.

    Raises:
        BadInput: the table is written in a form that cannot be replaced line by line; says what to write by hand.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text.removeprefix(mark))
    usual = _end(lines[0]) if lines else "\n"
    bare = bool(lines) and not _end(lines[-1])
    if bare:
        lines[-1] += usual  # something may come behind it
    wanted = tomllib.loads("".join(lines))
    wanted.setdefault("scorers", {})[gate] = dict(table)
    made = _replaced(lines, gate, table, usual)
    edited = "".join([*made[:-1], _bare(made[-1])] if bare else made)
    try:
        if tomllib.loads(edited) == wanted:
            return mark + edited
    except tomllib.TOMLDecodeError:
        pass
    written = "; ".join(f"{key} = {toml_value(value)}" for key, value in table.items())
    raise BadInput(
        f"[scorers.{gate}] is written in a form that cannot be changed line by line; the file stays as it is.",
        hint=f"Write it by hand: [scorers.{gate}] {written}",
    )


def _end(line: str) -> str:
    """How a line ends: as on Windows, as elsewhere, or (the last one) not at all."""
    return "\r\n" if line.endswith("\r\n") else "\n" if line.endswith("\n") else ""


def _bare(line: str) -> str:
    return line.removesuffix(_end(line))


def _replaced(lines: list[str], gate: str, table: Mapping[str, Any], usual: str) -> list[str]:
    sections = _sections(lines)
    own = f"scorers.{gate}"
    place = next((number for number, (name, _) in enumerate(sections) if name == own), None)
    kept = [(name, rows) for name, rows in sections if not name.startswith(f"{own}.")]
    if place is None:
        return [*_joined(_with_new(kept, own, table, usual))]
    return [*_joined([(name, _edited(rows, table) if name == own else rows) for name, rows in kept])]


def _sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """(name of its table, lines, header first): a header inside a value of several lines is none."""
    found: list[tuple[str, list[str]]] = [("", [])]
    number = 0
    while number < len(lines):
        header = _HEADER.match(_bare(lines[number]))
        if header or lines[number].lstrip().startswith("[["):
            name = re.sub(r"\s*\.\s*", ".", header[1]).replace('"', "") if header else "[["
            found.append((name, [lines[number]]))
            number += 1
            continue
        length = _length(lines, number)
        found[-1][1].extend(lines[number : number + length])
        number += length
    return found


def _length(lines: list[str], start: int) -> int:
    """How many lines the value that begins on one line takes; 1 for anything else."""
    if not _KEY.match(lines[start]):
        return 1
    for length in range(1, len(lines) - start + 1):
        try:
            tomllib.loads("".join(lines[start : start + length]))
            return length
        except tomllib.TOMLDecodeError:
            continue
    return 1


def _edited(rows: list[str], table: Mapping[str, Any]) -> list[str]:
    """One section: known keys replaced where they stand, keys that are gone left out, new ones after the last."""
    made, left, number, last = [rows[0]], dict(table), 1, 1
    while number < len(rows):
        length = _length(rows, number)
        value = rows[number : number + length]
        key = _KEY.match(rows[number])
        if key is None:
            made.extend(value)
        elif key[1] in left:
            new = left.pop(key[1])
            line = f"{key[1]} = {toml_value(new)}{_comment(value)}{_end(value[-1])}"
            made.extend(value if _same(value, new) else [line])
            last = len(made)
        number += length
    made[last:last] = [f"{key} = {toml_value(value)}{_end(made[last - 1])}" for key, value in left.items()]
    return made


def _same(value: list[str], new: Any) -> bool:
    (old,) = tomllib.loads("".join(value)).values()
    return bool(type(old) is type(new) and old == new)


def _comment(value: list[str]) -> str:
    """What stands behind a value of one line."""
    line = _bare(value[0])
    if len(value) > 1:
        return ""
    for place, letter in enumerate(line):
        if letter == "#":
            try:
                if tomllib.loads(line[:place]) == tomllib.loads(line):
                    return "  " + line[place:]
            except tomllib.TOMLDecodeError:
                continue
    return ""


def _with_new(
    sections: list[tuple[str, list[str]]], own: str, table: Mapping[str, Any], usual: str
) -> list[tuple[str, list[str]]]:
    """A new section behind the other scorers', or at the end, with empty lines around it."""
    others = [number for number, (name, _) in enumerate(sections) if name.startswith("scorers.")]
    after = others[-1] if others else len(sections) - 1
    name, before = sections[after]
    end = _end(before[-1]) if before else usual
    rows = [f"{line}{end}" for line in (f"[{own}]", *(f"{key} = {toml_value(value)}" for key, value in table.items()))]
    if before and before[-1].strip():
        before = [*before, end]
    if after < len(sections) - 1:
        rows.append(end)
    return [*sections[:after], (name, before), (own, rows), *sections[after + 1 :]]


def _joined(sections: list[tuple[str, list[str]]]) -> list[str]:
    return [line for _, rows in sections for line in rows]
