"""`gen-emerge compass`: which words the answers ask for, and words that shall never come again."""

from __future__ import annotations

import click

from gen_emerge.cli.app import App, json_option


@click.command("compass")
@click.argument("series")
@click.option("--never", "never", multiple=True, metavar="WORD", help="Never again this word; may be repeated.")
@click.option("--allow", "allow", multiple=True, metavar="WORD", help="Allow it again; may be repeated.")
@json_option
@click.pass_obj
def command(app: App, series: str, never: tuple[str, ...], allow: tuple[str, ...]) -> None:
    """Say which words of the prompts you like, and which you do not, by what you answered; forbid words.

    Comparisons and rankings count fully, keeps and discards by half. A word is named only where its interval leaves no
    doubt of the direction: all intervals together hold with 80%, and of ten raters who answer at random nine at least
    are told of no word.

    With --never no prompt has that word any more, from a coming cycle on, in a running series too; --allow takes it
    back. Images that are there already stay. Nobody but you forbids a word.

    \b
    Example:
        gen-emerge compass night
        gen-emerge compass night --never sumi --never stormy
        gen-emerge compass night --allow sumi
    """  # noqa: D301
    from gen_emerge import compass
    from gen_emerge.cli.compassing import compass_text
    from gen_emerge.cli.series_folder import known_series

    root, archive = known_series(app, series)
    if never or allow:
        result = compass.tell(root, archive, series, never=never, allow=allow)
    else:
        result = compass.show(root, archive, series)
    app.give(result, lambda: compass_text(result))
