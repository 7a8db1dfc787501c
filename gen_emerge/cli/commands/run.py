"""`gen-emerge run`: a series goes on."""

from __future__ import annotations

import datetime
import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import App, Whole, json_option, unicode_stdout
from gen_emerge.errors import BadInput, WaitingForHuman

MOST_CYCLES = 10_000_000
"""As in the series file."""


@click.command("run")
@click.argument("series")
@click.option("--cycles", type=Whole(1, MOST_CYCLES), metavar="N", help="Cycles in all, not further ones.")
@click.option("--until", metavar="HH:MM", help="Stop after the cycle in which this local time passes.")
@json_option
@click.pass_context
def command(context: click.Context, series: str, cycles: int | None, until: str | None) -> None:
    """Start a series, or continue it where it stopped.

    N counts from the beginning and overrides the file: running again continues, or does nothing when it is there. Stop
    it at any moment with Ctrl-C, or kill it; every committed cycle is kept, and the result is the same.

    \b
    Exit codes:
        0 done               2 bad input             3 held by another process
        4 your turn          5 budget or disk      130 interrupted

    \b
    Example:
        gen-emerge run first-light
        gen-emerge run first-light --cycles 200 --until 07:30
    """  # noqa: D301
    app = context.ensure_object(App)
    deadline = None if until is None else next_time(until, datetime.datetime.now())
    from gen_emerge.cli.series_folder import known_series

    root, archive = known_series(app, series, writable=True)
    status = _run(app, root, archive, series, cycles, deadline)
    app.give(status, lambda: _text(root, archive, status))
    if status["state"] == "waiting":
        app.note(f"Waiting for your answers: gen-emerge judge {series}")
        context.exit(WaitingForHuman.exit_code)


def _text(root: Path, archive: Path, status: dict[str, Any]) -> str:
    """How it stands, where to look, and how to go on."""
    from gen_emerge import standing
    from gen_emerge.cli.next_steps import going_on, looking
    from gen_emerge.cli.text import status_text

    name = status["series"]
    after, more = looking(status, archive / name), going_on(status, standing.plan(root, archive, name))
    text = status_text(status, after=after, unicode=unicode_stdout(), colour=sys.stdout.isatty())
    return "\n".join([text, *(["", *more] if more else [])])


def _run(
    app: App, root: Path, archive: Path, series: str, cycles: int | None, deadline: datetime.datetime | None
) -> dict[str, Any]:
    from gen_emerge import series as house
    from gen_emerge.cli.live import Live

    def stop() -> bool:
        return deadline is not None and time.time() >= deadline.timestamp()

    live = Live(series, unicode=unicode_stdout())
    try:
        return house.run(root, archive, series, cycles=cycles, stop=stop, progress=live, say=app.note)
    finally:
        live.close()


def next_time(text: str, now: datetime.datetime) -> datetime.datetime:
    """The next moment at which a clock on the wall shows HH:MM, in local time.

    Raises:
        BadInput: it is no time of day.
    """
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text.strip())
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise BadInput(f'--until "{text}" is no time of day: wanted HH:MM.', hint="Such as --until 07:30")
    moment = now.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    return moment if moment > now else moment + datetime.timedelta(days=1)
