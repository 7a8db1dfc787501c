"""`gen-emerge doctor`: what works on this machine."""

from __future__ import annotations

import click

from gen_emerge.cli.app import App, json_option


@click.command("doctor")
@click.option("--models", is_flag=True, help="Open every fetched model and measure one picture with it.")
@json_option
@click.pass_context
def command(context: click.Context, models: bool) -> None:
    """Say what works on this machine: versions, disk, archive, extras, painter, scorers, detectors, terminal.

    Exits with 1 when something that the `embedded` profile needs does not work, 0 otherwise. With --models, instead,
    when a fetched model cannot be opened or gives no finite number.

    \b
    Example:
        gen-emerge doctor
        gen-emerge doctor --models
    """  # noqa: D301
    if models:
        _models(context)
        return
    from gen_emerge.cli.checkup import checkup, checkup_text

    app = context.ensure_object(App)
    found = checkup(app.root, app.archive)
    app.give(found, lambda: checkup_text(found))
    context.exit(0 if found["ok"] else 1)


def _models(context: click.Context) -> None:
    from gen_emerge.cli.modelcheck import check_models, check_text

    rows = check_models()
    ok = all(row["ok"] for row in rows)
    context.ensure_object(App).give({"ok": ok, "models": rows}, lambda: check_text(rows))
    context.exit(0 if ok else 1)
