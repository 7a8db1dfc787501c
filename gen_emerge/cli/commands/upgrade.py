"""`gen-emerge upgrade`: an old series' database, to this version's schema."""

from __future__ import annotations

import click

from gen_emerge.cli.app import App, json_option


@click.command("upgrade")
@click.argument("series")
@json_option
@click.pass_obj
def command(app: App, series: str) -> None:
    """Bring a series' database to the schema of this version: all of it or nothing.

    Other commands never do it by themselves; they name this one. Copy archive/SERIES first if you want a way back.

    \b
    Example:
        gen-emerge upgrade first-light
    """  # noqa: D301
    from gen_emerge.cli.series_folder import series_folder
    from gen_emerge.store.migrate import upgrade

    folder, _ = series_folder(app, series)
    before, after = upgrade(folder)
    text = f"{series}: schema {before}, nothing to do" if before == after else f"{series}: schema {before} -> {after}"
    app.give({"series": series, "from": before, "to": after}, text)
