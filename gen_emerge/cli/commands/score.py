"""`gen-emerge score`: the gates' signals of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import PATH, App, json_option, plain_text


@click.command("score")
@click.argument("images", metavar="IMAGE...", type=PATH, nargs=-1, required=True)
@click.option("--prompt", metavar="TEXT", help="Also measure how well the pictures fit this text.")
@click.option("--profile", metavar="PROFILE", help="Whose scorers: embedded or diffusion.  [embedded]")
@click.option("--series", metavar="SERIES", help="The scorers of this series, as its file names them.")
@json_option
@click.pass_obj
def command(app: App, images: tuple[Path, ...], prompt: str | None, profile: str | None, series: str | None) -> None:
    """Measure the gates' signals of pictures: quality, style and, with --prompt, prompt.

    Higher quality and prompt values are better; style is 0 where one school is recognised and 1 where none is. The
    numbers are raw: they only mean something against the thresholds of a series. The embedded scorers are trained on
    the embedded painter's own pictures, not on people's taste; those of the diffusion profile (NIMA, CLIP) need models
    that `gen-emerge models pull` fetches. With --series, its extra signals are measured too.

    \b
    Example:
        gen-emerge score storm.png calm.png
        gen-emerge score storm.png --prompt "a stormy marbled print"
    """  # noqa: D301
    from gen_emerge.cli.measuring import chosen, score_pictures

    app.optional_root()
    if prompt is not None:
        plain_text(prompt, "--prompt", longest=100_000)
    result = score_pictures(images, prompt, chosen(app, profile, series))
    app.give(result, lambda: _text(result["images"]))


def _text(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0]["signals"])
    longest = max(len(row["path"]) for row in rows)
    lines = [" " * longest + "".join(f"{name:>10}" for name in names)]
    for row in rows:
        values = "".join(f"{row['signals'][name]['value']:>10.4f}" for name in names)
        lines.append(f"{row['path']:<{longest}}{values}")
    return "\n".join(lines)
