"""`gen-emerge rounds`: what is asked of you."""

from __future__ import annotations

import shutil
from typing import Any, cast

import click

from gen_emerge.cli.app import App, OneOf, json_option


@click.command("rounds")
@click.argument("series")
@click.option(
    "--open",
    "kind",
    type=OneOf(["pairs", "rank4", "ranking", "triplets", "keep", "review"]),
    help="Ask for a round now.",
)
@json_option
@click.pass_obj
def command(app: App, series: str, kind: str | None) -> None:
    """Show the oldest open round of a series, with its pictures' files, and how many questions are open in all.

    The loop opens a round every checkin_every cycles. With --open you get one now, which works beside a running series:

    \b
        pairs     two elites: which is better?
        rank4     four elites: rank them, the best first
        ranking   a calibration round: ten elites, ranked
        triplets  which of two is more like a third?
        keep      single images to keep or discard
        review    images that wait in a gate's review band

    As JSON, pictures are named relative to the series' folder.

    \b
    Example:
        gen-emerge rounds first-light
        gen-emerge --json rounds first-light --open pairs
    """  # noqa: D301
    from gen_emerge.cli.rounds import request_round, round_object, round_text
    from gen_emerge.cli.series_folder import series_folder
    from gen_emerge.standing import open_rounds, unasked
    from gen_emerge.state import replay
    from gen_emerge.store import Store

    folder, brief = series_folder(app, series)
    with Store.open(folder, readonly=kind is None) as store:
        if kind is None:
            asked = next(iter(open_rounds(store)), None)
        else:
            asked = request_round(store, cast(Any, kind), seed=int(store.facts["fixed"]["seed"]))
        found = round_object(store, asked)
        left = unasked(store, replay(store.history())) if asked is None else 0
    if asked is None:
        app.give(found, _nothing(series, kind, left))
        return
    columns = shutil.get_terminal_size().columns
    app.give(found, lambda: round_text(series, brief, folder, asked, found, columns=columns))


def _nothing(series: str, kind: str | None, unasked: int) -> str:
    if kind is not None:
        return f"{series}: nothing of that kind to ask yet"
    from gen_emerge.cli.text import nothing_open

    return nothing_open(series, unasked)
