"""`gen-emerge models`: what a series needs, fetched, verified, found."""

from __future__ import annotations

import click

from gen_emerge.cli.app import App, json_option


@click.group("models")
def command() -> None:
    """List, fetch, verify and find models: role, size, licence, where they are.

    Fetched models lie in one folder for all series (GEN_EMERGE_MODELS, or gen-emerge/models in the user's cache);
    the hub's own files stay in the hub's cache. Nothing is fetched but by `pull`.

    \b
    Example:
        gen-emerge models list night
        gen-emerge models pull --series night
        gen-emerge --json models verify
    """  # noqa: D301


@command.command("list")
@click.argument("series", required=False)
@json_option
@click.pass_obj
def list_(app: App, series: str | None) -> None:
    """List what a series needs, or every model that is known by name, and whether it is here.

    \b
    Example:
        gen-emerge models list
        gen-emerge models list night
    """  # noqa: D301
    from gen_emerge.cli.modelling import known_models, list_text, needed_models

    rows = known_models() if series is None else needed_models(app, series)
    app.give({"series": series, "models": rows}, lambda: list_text(rows))


@command.command("pull")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--series", metavar="SERIES", help="Everything this series needs.")
@click.option("--offline", is_flag=True, help="Fetch nothing: only say whether all is here.")
@json_option
@click.pass_context
def pull(context: click.Context, names: tuple[str, ...], series: str | None, offline: bool) -> None:
    """Fetch models. What is here already is not fetched again; what was interrupted goes on where it stopped.

    A file is recognised by its published hash where there is one. Otherwise the hash of what came is written down,
    and compared ever after: the output says which.

    \b
    Example:
        gen-emerge models pull --series night
        gen-emerge models pull nima-aesthetic

    \b
    Exit codes:
        0 all is here     2 bad input, or missing while offline
        1 unreachable     3 another process fetches it
                          5 no room on the disk
    """  # noqa: D301
    from gen_emerge.cli.modelling import pull_models, pull_text
    from gen_emerge.errors import BadInput

    app = context.ensure_object(App)
    if bool(names) == (series is not None):
        raise BadInput("Wanted names, or --series SERIES.", hint="gen-emerge models list shows the names.")
    rows = pull_models(app, names, series, offline=offline)
    app.give({"models": rows}, lambda: pull_text(rows))


@command.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...]) -> None:
    """Hash every fetched file again, and compare. Exits with 1 when one is gone or was changed.

    \b
    Example:
        gen-emerge models verify
    """  # noqa: D301
    from gen_emerge.cli.modelling import verify_models, verify_text

    app = context.ensure_object(App)
    rows = verify_models(names)
    app.give({"models": rows, "ok": all(row["ok"] for row in rows)}, lambda: verify_text(rows))
    context.exit(0 if all(row["ok"] for row in rows) else 1)


@command.command("where")
@click.argument("name", required=False)
@json_option
@click.pass_obj
def where(app: App, name: str | None) -> None:
    """Print the folder of all fetched models, or what a scorer is given of one.

    \b
    Example:
        gen-emerge models where
        gen-emerge models where nima-aesthetic
    """  # noqa: D301
    from gen_emerge.errors import MissingModel
    from gen_emerge.models import home
    from gen_emerge.models.catalogue import model

    path = home.home() if name is None else home.where(model(name))
    if path is None:
        raise MissingModel(f"{name} is not here.", hint=f"gen-emerge models pull {name}")
    app.give({"name": name, "path": str(path)}, str(path))
