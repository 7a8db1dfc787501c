"""`gen-emerge rescore`: another scorer, tried before it decides anything."""

from __future__ import annotations

from typing import Any

import click

from gen_emerge.cli.app import App, Whole, json_option
from gen_emerge.errors import BadInput


@click.command("rescore")
@click.argument("series")
@click.option("--scorer", "gate", required=True, metavar="NAME", help="quality, prompt, novelty or style.")
@click.option("--with", "words", multiple=True, metavar="KEY=VALUE", help="A key of [scorers.NAME]; may be repeated.")
@click.option(
    "--last",
    type=Whole(1),
    metavar="N",
    help="Only the newest N images and the warm-up's (novelty: the accepted too).",
)
@click.option(
    "--switch", "switching", is_flag=True, help="Write the scorer tried last, or --with's, into the series file."
)
@click.option("--back", "back", is_flag=True, help="Write the one before the one in force again.")
@json_option
@click.pass_obj
def command(
    app: App, series: str, gate: str, words: tuple[str, ...], last: int | None, switching: bool, back: bool
) -> None:
    """Try another scorer on past images; switch to it, or go back.

    A trial measures stored images with another scorer, beside the old numbers, and shows what bounds it would get,
    whose verdicts would change, and how far the two rank alike. It changes nothing: run it beside a running series,
    stop it and run it again. Without --with it tries what the series file says now. A VALUE is TOML, or else a text.

    --switch writes the scorer that was tried last into the series file (with --with, that one), and says which it was;
    it counts from the next cycle after the series is started again. --back does the same with the one before. Either
    takes numbers that are there; past verdicts stay as they were.

    \b
    Example:
        gen-emerge rescore night --scorer quality --with use=nima --with weights=models/nima-b.hdf5
        gen-emerge rescore night --scorer quality --switch
        gen-emerge rescore night --scorer quality --back
    """  # noqa: D301
    from gen_emerge.cli.rescoring import switch_text, table_of, trial_text
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.rescore import switch, try_scorer

    given = table_of(words)
    if switching and back:
        raise BadInput("--switch and --back are two ways: one scorer can be written.", hint="Leave one of the two out.")
    if (switching or back) and last is not None:
        action = "--switch" if switching else "--back"
        raise BadInput(f"--last belongs to a trial, not to {action}.", hint="Leave it out.")
    if back and given is not None:
        raise BadInput("--back takes the scorer before; --with names another.", hint="Leave one of the two out.")
    root, archive = known_series(app, series)
    if not (switching or back):
        result = try_scorer(root, archive, series, gate, given=given, last=last, tell=_teller(app))
        app.give(result, lambda: trial_text(result))
        return
    result = switch(root, archive, series, gate, given=given, back=back)
    app.give(result, lambda: switch_text(result))


def _teller(app: App) -> Any:
    """Say every tenth of the way how far it is."""
    said = 0

    def tell(done: int, total: int) -> None:
        nonlocal said
        if 10 * done // total > said or done == total:
            said = 10 * done // total
            app.note(f"measured {done} of {total}")

    return tell
