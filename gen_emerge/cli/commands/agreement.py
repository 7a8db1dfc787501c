"""`gen-emerge agreement`: how far people and the machine agree."""

from __future__ import annotations

import shutil

import click

from gen_emerge.cli.app import App, json_option


@click.command("agreement")
@click.argument("series")
@click.option("--from", "was", type=float, default=0.6, show_default=True, metavar="RHO", help="A Spearman, and ...")
@click.option(
    "--to", "now", type=float, default=0.3, show_default=True, metavar="RHO", help="... the lower one to see."
)
@json_option
@click.pass_obj
def command(app: App, series: str, was: float, now: float) -> None:
    """Say how far people agree with the machine, and with one another.

    What people ranked is held against four automated orders: the quality and the prompt signal, the preference model as
    it stood before the ranking, and the critic's duels alone. Keep and discard are held against the gates. Where people
    answered the same, they are held against each other; easy pairs that were asked twice, against the first time.

    Every figure has its 95% interval; where there are too few answers for one, it says so, and what asks for more.
    --from and --to name two values of Spearman's rho: it says how many more rankings it takes to tell them apart.

    Changes nothing, works beside a running series, and nothing acts on what it says.

    \b
    Example:
        gen-emerge agreement night
        gen-emerge --json agreement night --from 0.6 --to 0.4
    """  # noqa: D301
    from gen_emerge.agreement import agreement
    from gen_emerge.cli.agreeing import agreement_text
    from gen_emerge.cli.series_folder import series_folder
    from gen_emerge.store import Store

    folder, _ = series_folder(app, series)
    with Store.open(folder, readonly=True) as store:
        found = {"series": series, **agreement(store, seed=int(store.facts["fixed"]["seed"]), was=was, now=now)}
    app.give(found, lambda: agreement_text(found, columns=shutil.get_terminal_size().columns))
