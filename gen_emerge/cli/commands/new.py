"""`gen-emerge new`: the file of a new series."""

from __future__ import annotations

import re
from typing import Any

import click

from gen_emerge.cli.app import App, json_option, plain_text
from gen_emerge.errors import BadInput


@click.command("new")
@click.argument("name")
@click.option("--profile", metavar="PROFILE", help='"embedded" (the default: no downloads, no GPU) or "diffusion".')
@click.option("--brief", metavar="TEXT", help="What the images are for; every judge reads it.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="All chance comes from it (default: 7).")
@json_option
@click.pass_obj
def command(app: App, name: str, profile: str | None, brief: str | None, seed: int | None) -> None:
    """Make a series: experiments/series/NAME.toml, every key written out with a comment.

    NAME: lower-case letters, digits and hyphens. Nothing runs yet; edit the file as you like, then run it. Two series
    with the same seed and settings make the same pictures: give each its own seed.

    \b
    Example:
        gen-emerge new quiet-rooms --seed 41 \\
            --brief "Prints for a hotel: calm, no two alike."
        gen-emerge run quiet-rooms --cycles 20
    """  # noqa: D301
    from gen_emerge.cli.series_folder import refuse_orphan
    from gen_emerge.config import parse, write_series
    from gen_emerge.config.tables import NAME_PATTERN
    from gen_emerge.studio_folder import new_series_file, series_names

    root, archive = app.folders()
    if not re.fullmatch(NAME_PATTERN, name) or "\n" in name:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]
        raise BadInput(
            f'"{name}" cannot name a series: wanted lower-case letters, digits and hyphens, 64 at most.',
            hint=f'Try "{near}".' if near else "Such as quiet-rooms.",
        )
    if name not in series_names(root):
        refuse_orphan(root, archive, name)
    given: dict[str, Any] = {"name": name}
    if profile is not None:
        given["profile"] = profile
    if seed is not None:
        given["seed"] = seed
    if brief is not None:
        given["brief"] = plain_text(brief, "--brief", longest=4000, lines=True)
    path = new_series_file(root, name, write_series(parse(given, where="gen-emerge new")))
    app.give({"series": name, "path": str(path)}, f"{path}\nNext: gen-emerge run {name}")
