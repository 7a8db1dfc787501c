"""Takes status objects (plain dicts); gives aligned text with small bars, in Unicode or in ASCII. Prints nothing."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from gen_emerge.spoken import spoken

WIDTH = 72
"""Columns; sentences are folded."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STATES = {"running": "green", "done": "green", "waiting": "yellow", "failed": "red", "paused": "yellow"}


def bar(share: float, width: int, *, unicode: bool) -> str:
    """A bar of `width` columns, `share` (0 to 1) of it full; anything above zero shows."""
    share = min(max(share, 0.0), 1.0)
    if not unicode:
        full = math.ceil(share * width) if share < 0.5 else math.floor(share * width)
        return "#" * full + "." * (width - full)
    eighths = round(share * width * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def number(value: Any, form: str = "") -> str:
    """A number for people; a dash for None."""
    return "-" if value is None else format(value, form)


def state_word(state: str, *, colour: bool) -> str:
    """A state, coloured where the terminal can."""
    if not colour:
        return state
    import click

    return click.style(state, fg=_STATES.get(state), bold=True)


def status_text(
    status: Mapping[str, Any],
    *,
    after: Sequence[str] | None = None,
    unicode: bool = True,
    colour: bool = False,
) -> str:
    """One series on one small screen.

    Args:
        status: the object `status --json` prints.
        after: lines that end it, open questions among them; None for those alone.
        unicode: bars and dots beyond ASCII.
        colour: the terminal takes colours.
    """
    dot = " · " if unicode else ", "
    lines = [f"{status['series']}  {state_word(status['state'], colour=colour)}  cycle {status['cycle']}"]
    if status["cells_total"]:
        share = status["coverage"] or 0.0
        cells = f"{status['cells_filled']} of {status['cells_total']} cells"
        lines += ["", f"  {'map':<10} {bar(share, 30, unicode=unicode)} {share:6.1%}  {cells}"]
    lines += _funnel(status, unicode=unicode)
    spread = dot.join(
        [
            f"mean distance {number(status['mean_pairwise_distance'], '.3f')}",
            f"Vendi {number(status['vendi'], '.1f')} (effectively different)",
        ]
    )
    lines += [
        "",
        f"  {'elites':<10} {spread}",
        f"  {'pace':<10} {number(status['images_per_minute'], '.0f')} images/min",
    ]
    if axes := status.get("learned_axes"):
        from gen_emerge.foretold import sentence

        lines += ["", *textwrap.wrap(sentence(axes), WIDTH, initial_indent="  ", subsequent_indent="    ")]
    if status.get("reward"):
        from gen_emerge.cli.rewarding import stands_text

        lines.append(f"  {'head':<10} {stands_text(status['reward'])}")
    for alarm in status.get("alarms", ()):
        did = "; ".join(response["said"] for response in alarm["responses"])
        told = f"alarm: {alarm['message']}" + (f" So {did}." if did else "")
        lines += ["", *textwrap.wrap(told, WIDTH, initial_indent="  ", subsequent_indent="    ")]
    if waiting := status.get("imports_waiting"):
        many = "1 imported picture waits" if waiting == 1 else f"{waiting} imported pictures wait"
        lines += ["", f"  {many} for a slot: run the series further, or import the folder again"]
    if after is not None:
        lines += after
    else:
        name, many, unasked = status["series"], status["open_questions"], status["review_unasked"]
        own = [f"  {questions_open(many)}: gen-emerge judge {name}"] if many else []
        lines += ["", *own, *([f"  {reviews_wait(name, unasked)}"] if unasked else [])] if own or unasked else []
    return "\n".join(lines)


def review_within(bounds: Mapping[str, Any]) -> str:
    """How near to a bound a human is asked: one number where both ends have the same."""
    below, above = bounds["review"], bounds.get("review_upper")
    if above is None or bounds["upper"] is None:
        return f"review within {spoken(below / 2, 2)}"
    if bounds["lower"] is None:
        return f"review within {spoken(above / 2, 2)}"
    return f"review within {spoken(below / 2, 2)} of the lower, {spoken(above / 2, 2)} of the upper end"


def takes_up(result: Mapping[str, Any]) -> str:
    """What lets something count that waits for a cycle: the series itself where it runs, else the command."""
    return "the series takes it up by itself" if result["running"] else result["run"]


def moved_table(table: Mapping[str, Mapping[str, int]], *, indent: int) -> list[str]:
    """What verdicts were down, what they would be across."""
    words = {"pass": "let in", "review": "waits", "fail": "turned away"}
    pad = " " * indent
    head = f"{pad}{'now':<14}then" + "".join(f"{words[word]:>13}" for word in table)
    rows = [f"{pad}{words[old]:<18}" + "".join(f"{table[old][new]:>13}" for new in table) for old in table]
    return [head, *rows]


def questions_open(number: int) -> str:
    """How many questions nobody has answered: everywhere in these words."""
    if number == 1:
        return "1 question is open"
    return f"{number or 'no'} {'questions are' if number else 'question is'} open"


def reviews_wait(series: str, number: int) -> str:
    """How many images of a review band nobody was asked about, and what asks about them."""
    many = "1 image waits" if number == 1 else f"{number} images wait"
    return f"{many} in review, with no question open: gen-emerge rounds {series} --open review"


def nothing_open(series: str, unasked: int) -> str:
    """No question is open, and what would open some."""
    more = f"{reviews_wait(series, unasked)}" if unasked else f"Ask for some: gen-emerge rounds {series} --open pairs"
    return f"{series}: {questions_open(0)}. {more}"


def passed_over(rejected: Mapping[str, Any]) -> int:
    """How many takes the selector passed over. They are counted among the rejected, but nothing turned them away."""
    from gen_emerge.fates import SELECTOR

    return rejected.get("filters", {}).get(SELECTOR, 0)


def _funnel(status: Mapping[str, Any], *, unicode: bool) -> list[str]:
    from gen_emerge.fates import SELECTOR

    whole = status["candidates"]
    if not whole:
        return ["", "  no images yet"]

    def row(name: str, count: int, *, inside: bool = False) -> str:
        label = f"  {name}" if inside else name
        return f"  {label:<12}{count:>7}  {bar(count / whole, 30, unicode=unicode)}".rstrip()

    rejected = status["rejected"]
    lines = ["", row("images", whole), row("passed", status["passed"])]
    for name in ("review", "pending", "failed"):
        if status[name]:
            lines.append(row(name, status[name]))
    if over := passed_over(rejected):
        lines.append(row("passed over", over))
    lines.append(row("rejected", rejected["total"] - over))
    filters = {name: count for name, count in rejected["filters"].items() if name != SELECTOR}
    for counts in (filters, rejected["gates"]):
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            if count:
                lines.append(row(name, count, inside=True))
    if status["accepted"] != status["passed"]:
        lines.append(f"  {'accepted':<12}{status['accepted']:>7}")
    return lines


def series_table(rows: Sequence[Mapping[str, Any]], *, unicode: bool = True, colour: bool = False) -> str:
    """All series, one a line; those of which only the file is there stand apart."""
    if not rows:
        return "No series yet. Make one: gen-emerge new NAME"
    longest = max(len(row["series"]) for row in rows)
    lines: list[str] = []
    ready = [row["series"] for row in rows if row["state"] == "new" and not row.get("imports_waiting")]
    for row in rows:
        if row["series"] in ready:
            continue
        if "error" in row:
            lines.append(f"{row['series']:<{longest}}  cannot be read: {row['error']['message']}")
            continue
        share = row["coverage"] or 0.0
        state = state_word(f"{row['state']:<8}", colour=colour)
        rounds = f"  {row['open_questions']} open" if row["open_questions"] else ""
        if alarms := [alarm["alarm"] for alarm in row.get("alarms", ())]:
            rounds += f"  alarm: {', '.join(alarms)}"
        cells = f"{bar(share, 16, unicode=unicode)} {share:4.0%}"
        accepted = f"{row['accepted']:>6} accepted"
        imports = f"  {row['imports_waiting']} imported wait" if row.get("imports_waiting") else ""
        lines.append(
            f"{row['series']:<{longest}}  {state} cycle {row['cycle']:>5}  {cells} {accepted}{rounds}{imports}"
        )
    if ready:
        lines += [*([""] if lines else []), "Ready to run, nothing made yet:"]
        lacks = {row["series"]: row["needs"] for row in rows if row.get("needs")}
        able = [name for name in ready if name not in lacks]
        lines += [f"  {name:<{longest}}  gen-emerge run {name}" for name in able]
        lines += [f"  {name:<{longest}}  needs {lacks[name]}: gen-emerge doctor" for name in ready if name in lacks]
    return "\n".join(lines)


def matrix_text(names: Sequence[str], matrix: Sequence[Sequence[float]]) -> str:
    """A square table of distances, columns numbered like the rows."""
    longest = max(len(name) for name in names)
    head = " " * (longest + 5) + "".join(f"{i + 1:>8}" for i in range(len(names)))
    rows = [
        f"{i + 1:>3}  {name:<{longest}}" + "".join(f"{value:8.4f}" for value in row)
        for i, (name, row) in enumerate(zip(names, matrix, strict=True))
    ]
    return "\n".join([head, *rows])
