"""`gen-emerge doctor`: what works on this machine."""

from __future__ import annotations

import click

from gen_emerge.cli.app import App, json_option


@click.command("doctor")
@json_option
@click.pass_context
def command(context: click.Context) -> None:
    """Say what works on this machine: versions, cores, disk, archive, extras, painter, scorers, terminal.

    Exits with 1 when something that the `embedded` profile needs does not work, 0 otherwise.

    \b
    Example:
        gen-emerge doctor
        gen-emerge doctor --json
    """  # noqa: D301
    from gen_emerge.cli.checkup import checkup, checkup_text

    app = context.ensure_object(App)
    found = checkup(app.root, app.archive)
    app.give(found, lambda: checkup_text(found))
    context.exit(0 if found["ok"] else 1)
