"""`gen-emerge compass`: which words the answers ask for."""

from __future__ import annotations

import click

from gen_emerge.cli.app import App, json_option


@click.command("compass")
@click.argument("series")
@json_option
@click.pass_obj
def command(app: App, series: str) -> None:
    """Say which words of the prompts you like, and which you do not, by what you answered.

    Comparisons and rankings count fully, keeps and discards by half. A word is named only where its interval leaves no
    doubt of the direction: all intervals together hold with 80%, and of ten raters who answer at random nine at least
    are told of no word.

    \b
    Example:
        gen-emerge compass night
    """  # noqa: D301
    from gen_emerge import compass
    from gen_emerge.cli.compassing import compass_text
    from gen_emerge.cli.series_folder import known_series

    root, archive = known_series(app, series)
    result = compass.show(root, archive, series)
    app.give(result, lambda: compass_text(result))
