"""What to look at and what to type next. Takes a status object and how far the series is meant to go; gives lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen_emerge.cli.text import questions_open
from gen_emerge.standing import Plan

_PAUSED = ": the disk was full, or a budget was spent"


def looking(status: Mapping[str, Any], folder: Path) -> list[str]:
    """Where a run's pictures lie, and the commands that show them; nothing before there are any.

    Args:
        status: the object that `status --json` prints.
        folder: the series' folder in the archive.
    """
    if not status["candidates"]:
        return []
    name = status["series"]
    lines = ["", f"  {'pictures':<10} {_short(folder / 'images')}"]
    lines.append(f"  {'map':<10} gen-emerge inspect {name} --html map.html")
    if many := status["open_questions"]:
        lines.append(f"  {'your turn':<10} gen-emerge judge {name}  ({questions_open(many)})")
    if many := status["review_unasked"]:
        asks = f"gen-emerge rounds {name} --open review"
        lines.append(f"  {'in review':<10} {asks}  ({many} with no question open)")
    return lines


def going_on(status: Mapping[str, Any], plan: Plan) -> list[str]:
    """Sentences: why a series does not run now, and what makes it go on; nothing while it runs or waits."""
    name, cycle, state = status["series"], status["cycle"], status["state"]
    command = f"gen-emerge run {name}"
    if state == "new" and status.get("needs"):
        return [f"It needs {status['needs']}: gen-emerge doctor"]
    if state == "new":
        return [f"To begin: {command}"]
    if state not in ("done", "stopped", "paused", "failed"):
        return []
    lines: list[str] = []
    if cycle < plan.warmup:
        lines.append(f"The map is empty: nothing is placed before the warm-up's end, which is cycle {plan.warmup}.")
        if plan.file < plan.warmup:
            return [*lines, f"To get there: {command} --cycles {plan.warmup}"]
    if state == "done":
        lines.append(_reached(cycle, plan))
        command += f" --cycles {cycle * 2}" if cycle >= plan.file else ""
    else:
        lines.append(f"It {state} after cycle {cycle} of {plan.asked}{_PAUSED if state == 'paused' else ''}.")
        command += f" --cycles {plan.asked}" if plan.asked != plan.file else ""
    return [*lines, f"To go on: {command}"]


def _reached(cycle: int, plan: Plan) -> str:
    """How many cycles it has, beside how many were wanted."""
    if cycle > plan.asked:
        imports = f", {plan.imports} more for imports" if plan.imports else ""
        has = f"It has {cycle} cycles already ({plan.asked} asked for{imports})"
    else:
        has = f"It has the {cycle} cycles it was asked for" if cycle < plan.file else f"It has its {cycle} cycles"
    return f"{has}; its file asks for {plan.file}." if cycle < plan.file else f"{has}."


def _short(path: Path) -> Path:
    """From the working directory where it lies in there."""
    try:
        return path.relative_to(Path.cwd())
    except (ValueError, OSError):
        return path
