"""`gen-emerge rounds`: what is asked of you."""

from __future__ import annotations

from typing import Any, cast

import click

from gen_emerge.cli.app import App, json_option


@click.command("rounds")
@click.argument("series")
@click.option("--open", "kind", type=click.Choice(["pairs", "keep", "review"]), help="Ask for a round now.")
@json_option
@click.pass_obj
def command(app: App, series: str, kind: str | None) -> None:
    """Show the oldest open round of a series, or open one.

    The loop opens a round every checkin_every cycles. With --open you get one now: pairs of elites to compare, single
    images to keep or discard, or images that wait in a gate's review band. Works beside a running series.

    \b
    Example:
        gen-emerge rounds first-light
        gen-emerge --json rounds first-light --open pairs
    """  # noqa: D301
    from gen_emerge.cli.rounds import request_round, round_object
    from gen_emerge.cli.series_folder import series_folder
    from gen_emerge.standing import open_rounds
    from gen_emerge.store import Store

    folder, _ = series_folder(app, series)
    with Store.open(folder, readonly=kind is None) as store:
        if kind is None:
            waiting = open_rounds(store)
            asked = waiting[0] if waiting else None
        else:
            asked = request_round(store, cast(Any, kind), seed=int(store.facts["fixed"]["seed"]))
        found = round_object(store, asked)
    app.give(found, lambda: _text(series, found, kind))


def _text(series: str, found: dict[str, Any], kind: str | None) -> str:
    if found["round"] is None:
        if kind is not None:
            return f"{series}: nothing of that kind to ask yet"
        return f"{series}: no open round. Ask for one: gen-emerge rounds {series} --open pairs"
    lines = [f"{series}: round {found['round']}, {len(found['questions'])} questions"]
    for question in found["questions"]:
        state = f"answered: {question['answered']}" if question["answered"] else "open"
        lines.append(f"  {question['id']:<8} {question['kind']:<7} {question['ask']:<10} {state}")
        lines += [f"      {side:<6} {path}" for side, path in question["images"].items()]
    return "\n".join([*lines, f"Answer them: gen-emerge judge {series}"])
