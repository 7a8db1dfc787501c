"""`gen-emerge distance`: how far pictures are from each other."""

from __future__ import annotations

from pathlib import Path

import click

from gen_emerge.cli.app import PATH, App, json_option


@click.command("distance")
@click.argument("images", metavar="IMAGE IMAGE...", type=PATH, nargs=-1, required=True)
@click.option("--profile", metavar="PROFILE", help="Whose scorers: embedded or diffusion.  [embedded]")
@click.option("--series", metavar="SERIES", help="The scorers of this series, as its file names them.")
@json_option
@click.pass_obj
def command(app: App, images: tuple[Path, ...], profile: str | None, series: str | None) -> None:
    """Measure how far pictures are from each other, as the novelty gate sees them: 0 the same, 2 opposite.

    \b
    Example:
        gen-emerge distance storm.png calm.png other.jpg
    """  # noqa: D301
    from gen_emerge.errors import BadInput

    app.optional_root()
    if len(images) < 2:
        raise BadInput("One picture has no distance: wanted two or more.", hint="gen-emerge distance A.png B.png")
    from gen_emerge.cli.measuring import chosen, distances
    from gen_emerge.cli.text import matrix_text

    result = distances(images, chosen(app, profile, series))
    app.give(result, lambda: matrix_text(result["paths"], result["matrix"]))
