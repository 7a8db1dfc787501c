"""`gen-emerge inspect`: the map of a series."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gen_emerge.cli.app import PATH, App, colours, json_option, unicode_stdout
from gen_emerge.errors import BadInput

if TYPE_CHECKING:
    from gen_emerge.reports.sheet import ReportData


@click.command("inspect")
@click.argument("series")
@click.option("--html", type=PATH, metavar="FILE", help="Write the report, one self-contained page.")
@click.option("--png", type=PATH, metavar="FILE", help="Write the map as one picture.")
@click.option("--candidate", type=PATH, metavar="ID", help="Show one image: id, hash (6 digits or more) or PNG.")
@json_option
@click.pass_obj
def command(app: App, series: str, html: Path | None, png: Path | None, candidate: Path | None) -> None:
    """Show the map of a series: in the terminal, as a page, as a picture, as JSON; or one candidate.

    In the terminal a cell has the colours of its picture, where the terminal has any. With --html a page that can be
    sent to somebody: the map with thumbnails, coverage over cycles, how often each gate fired, signal histograms, the
    newest elites. Works beside a running series.

    With --candidate everything that is known of one image: its recipe, what was measured, every verdict with its
    bounds, what the critic said, whom it met, and in one sentence why it is on the map or why it is not. Ids stand in
    the report and in what `import`, `rescore`, `export --json` and `inspect --json` print. In an id's place: the first
    6 digits or more of a hash, as file names carry it, or a PNG that the series stored or `export` wrote.

    \b
    Example:
        gen-emerge inspect first-light
        gen-emerge inspect first-light --html map.html --png map.png
        gen-emerge inspect first-light --candidate 41
        gen-emerge inspect first-light --candidate chosen/01-a-serene-print-3fa9c1d2.png
        gen-emerge --json inspect first-light
    """  # noqa: D301
    from gen_emerge import inspection
    from gen_emerge.cli.series_folder import known_series

    root, archive = known_series(app, series)
    if candidate is not None:
        if html is not None or png is not None:
            raise BadInput("--candidate shows one image; --html and --png draw the map.", hint="Ask for one of them.")
        _one(app, root, archive, series, candidate)
        return
    _check_targets(app, html, png)
    if app.json and html is None and png is None:
        app.give(inspection.inspect(root, archive, series), "")
        return
    found, data = inspection.survey(root, archive, series)
    if written := _written(data, html, png):
        app.give({**found, "written": written}, "\n".join(written))
        return
    from gen_emerge.cli.text import WIDTH
    from gen_emerge.reports.terminal import palette, terminal_map

    shown = palette(os.environ, terminal=sys.stdout.isatty()) if colours() is None else None
    hint = f"Its pictures: gen-emerge inspect {series} --html map.html"
    said = f"{textwrap.fill(data.learned_axes, WIDTH)}\n\n" if data.learned_axes else ""
    app.give(found, lambda: f"{terminal_map(data, unicode=unicode_stdout(), colours=shown)}\n\n{said}{hint}")


def _one(app: App, root: Path, archive: Path, series: str, candidate: Path) -> None:
    """All that is known of one candidate."""
    from gen_emerge import account
    from gen_emerge.cli.accounts import account_text

    found = account.inspect_candidate(root, archive, series, candidate)
    if not app.json:  # a person looks, not a program
        from gen_emerge.taste import OPENED, note

        note(archive / series, OPENED, {"candidate": found["candidate"]})
    app.give(found, lambda: account_text(found, archive / series))


def _check_targets(app: App, html: Path | None, png: Path | None) -> None:
    """Refuse files that must not be written, before anything is read."""
    from gen_emerge.cli.targets import PAGE, PICTURE, check_file

    wanted = ((html, "--html", PAGE), (png, "--png", PICTURE))
    targets = [check_file(app, path, option, kind) for path, option, kind in wanted if path is not None]
    if len(set(targets)) < len(targets):
        raise BadInput(f"--html and --png both name {html}.", hint="Name two files.")
    if png is not None and png.suffix.lower() != ".png":
        raise BadInput(
            f"--png {png}: the map is written as a PNG, wanted a name that ends in .png.",
            hint=f"Write --png {png.with_suffix('.png')}",
        )


def _written(data: ReportData, html: Path | None, png: Path | None) -> list[str]:
    """The files that were asked for, written."""
    written: list[str] = []
    if html is not None:
        from gen_emerge.reports.page import write_html

        written.append(str(write_html(data, html)))
    if png is not None:
        from gen_emerge.reports.poster import write_png

        written.append(str(write_png(data, png)))
    return written
