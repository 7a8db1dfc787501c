"""Takes `--with KEY=VALUE` and the objects of `gen_emerge.rescore`; gives a scorer's table, and text for people."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from gen_emerge.cli.app import plain_text
from gen_emerge.cli.text import moved_table, review_within, takes_up
from gen_emerge.errors import BadInput
from gen_emerge.spoken import spoken


def table_of(words: Sequence[str]) -> dict[str, Any] | None:
    """A scorer's table from `KEY=VALUE` words; None when there are none. A value is TOML, or else a text.

    Raises:
        BadInput: a word has no "=", or a key comes twice.
    """
    table: dict[str, Any] = {}
    for word in words:
        key, sign, text = plain_text(word, "--with", longest=10_000, printable=True).partition("=")
        if not sign or not key.strip():
            raise BadInput(f'--with "{word}": wanted KEY=VALUE.', hint="Such as --with use=nima --with weights=FILE")
        if key.strip() in table:
            raise BadInput(f"--with {key.strip()} comes twice.", hint="Give every key once.")
        table[key.strip()] = _value(text.strip())
    return table or None


def _value(text: str) -> Any:
    """`1`, `true`, `[1, 2]`, `"text"` as TOML reads them; anything else is a text as it stands."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def trial_text(result: Mapping[str, Any]) -> str:
    """A trial for people."""
    name, gate = result["series"], result["scorer"]
    lines = [
        f"{name}: {gate} by {_table(result['table'])}",
        f"  {result['pictures']} pictures: {result['measured']} measured now, {result['known']} known before, "
        f"{len(result['left_out'])} left out",
    ]
    lines += [f"    left out: {left['path']}: {left['reason']}" for left in result["left_out"][:5]]
    for changed, side in result["changed"].items():
        lines += ["", *_side(changed, side)]
    if result["overall"] is not None:
        lines += [
            "",
            "  all four gates together, the others' verdicts as they stand",
            *moved_table(result["overall"], indent=4),
        ]
    lines += [
        "",
        "  Nothing has changed: these numbers lie beside the old ones.",
        f"  To use it from the next cycle on: gen-emerge rescore {name} --scorer {gate} --switch",
    ]
    return "\n".join(lines)


def switch_text(result: Mapping[str, Any]) -> str:
    """A switch, or a way back, for people."""
    name, gate = result["series"], result["scorer"]
    lines = [f"{result['file']}: [scorers.{gate}] is {_table(result['table'])} now."]
    if result["running"]:
        lines.append(f"  {name} is running with the file as it was: stop and start it, and the change counts.")
    else:
        lines.append(f"  It counts from cycle {result['from_cycle']} on: {takes_up(result)}")
    calibration = result["calibration"]
    if calibration is None:
        lines.append("  The warm-up is not over: at its end all of it is measured by the new scorer.")
    for changed, side in result["changed"].items():
        lines += ["", *_side(changed, side)]
    if calibration is not None and result["changed"]:
        lines += ["", f"  Calibration version {calibration['version']} will say so. Past verdicts stay as they were."]
    lines.append(f"  To go back: gen-emerge rescore {name} --scorer {gate} --back")
    return "\n".join(lines)


def _table(table: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in table.items() if value != "")


def _side(gate: str, side: Mapping[str, Any]) -> list[str]:
    lines = [f"  {gate}", f"    in force  {side['was']}", f"    new       {side['is']}"]
    if side["bounds"] is not None:
        lines.append(f"    bounds    {_bounds(side['bounds']['was'])}  ->  {_bounds(side['bounds']['is'])}")
        lines.append(f"              the same rule on the same {side['evidence']['images']} pictures of the warm-up")
    else:
        lines.append("    bounds    none yet: they come at the warm-up's end")
    fixed = ", ".join(f"{key} = {value:.4g}" for key, value in side["fixed"].items())
    if fixed:
        lines.append(f"              the series file's own numbers would be: {fixed}")
    lines.append(f"    ranks     {_agreement(side['agreement'])}")
    if side["not_compared"]:
        lines.append(f"    {side['not_compared']} pictures lack a number of one of the two and are not compared")
    if side["verdicts"] is not None:
        lines += moved_table(side["verdicts"], indent=4)
    if side["flips"]:
        lines.append("    would change, the most telling first")
    for flip in side["flips"]:
        old, new = flip["was"], flip["is"]
        lines.append(
            f"      {old['verdict']:>6} {spoken(old['value'])}  ->  "
            f"{new['verdict']:>6} {spoken(new['value'])}  {flip['path']}"
        )
    return lines


def _bounds(bounds: Mapping[str, Any]) -> str:
    words = (("lower", "from"), ("upper", "to"))
    ends = [f"{word} {spoken(bounds[key])}" for key, word in words if bounds[key] is not None]
    return f"{' '.join(ends) or 'off'} ({review_within(bounds)})"


def _agreement(found: Mapping[str, Any]) -> str:
    if found["spearman"] is None:
        return f"{found['images']} pictures: too few, or all alike, to say how far the two agree"
    low, high = found["interval"]
    return (
        f"Spearman {found['spearman']:+.2f} ({found['level']:.0%} between {low:+.2f} and {high:+.2f}), "
        f"Kendall {found['kendall']:+.2f}, {found['images']} pictures"
    )
