"""`gen-emerge status`: how series stand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import App, json_option, unicode_stdout


@click.command("status")
@click.argument("series", required=False)
@json_option
@click.pass_obj
def command(app: App, series: str | None) -> None:
    """Say how a series stands; without SERIES, one line for each, and which are ready to run.

    Works beside a running series. "Mean distance" is the mean perceptual distance between elites and "Vendi" how many
    truly different images they amount to: both fall when a series narrows to one look. Alarms that stand are
    listed with what moved, since when, and what followed.

    \b
    Example:
        gen-emerge status
        gen-emerge status first-light
        gen-emerge --json status first-light
    """  # noqa: D301
    from gen_emerge import standing
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.cli.text import series_table

    root, archive = app.folders() if series is None else known_series(app, series)
    unicode, colour = unicode_stdout(), sys.stdout.isatty()
    if series is not None:
        status = standing.status(root, archive, series)
        app.give(status, lambda: _text(root, archive, status, unicode=unicode, colour=colour))
        return
    found = standing.all_series(root, archive)
    app.give(found, lambda: series_table(found["series"], unicode=unicode, colour=colour))


def _text(root: Path, archive: Path, status: dict[str, Any], *, unicode: bool, colour: bool) -> str:
    from gen_emerge import standing
    from gen_emerge.cli.next_steps import going_on
    from gen_emerge.cli.text import status_text

    more = going_on(status, standing.plan(root, archive, status["series"]))
    return "\n".join([status_text(status, unicode=unicode, colour=colour), *(["", *more] if more else [])])
