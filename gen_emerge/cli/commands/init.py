"""`gen-emerge init`: a folder becomes a studio folder."""

from __future__ import annotations

from pathlib import Path

import click

from gen_emerge.cli.app import PATH, App, json_option


@click.command("init")
@click.argument("folder", metavar="[DIR]", type=PATH, required=False)
@json_option
@click.pass_obj
def command(app: App, folder: Path | None) -> None:
    """Make a studio folder: prompts/, experiments/series/ and archive/.

    The packaged prompt banks and ready-made series are copied into DIR (the working directory by default). Files that
    are there already are kept as they are.

    \b
    Example:
        gen-emerge init studio
        cd studio && gen-emerge run first-light
    """  # noqa: D301
    from gen_emerge.cli.targets import refuse_owned
    from gen_emerge.studio_folder import make_studio_folder, series_names

    app.optional_root()
    refuse_owned(app, folder or app.root or Path())
    made = make_studio_folder(folder or app.root or Path(), archive=app.archive)
    series = series_names(made.folder)
    result = {"root": str(made.folder), "made": list(made.made), "kept": list(made.kept), "series": series}
    kept = f" ({len(made.kept)} kept as they were)" if made.kept else ""
    first = "first-light" if "first-light" in series else "NAME"
    here = "" if made.folder == Path.cwd() else f"cd {made.folder} && "
    app.give(result, f"{made.folder}: {len(made.made)} files{kept}\nNext: {here}gen-emerge run {first}")
