"""`gen-emerge new`: the file of a new series."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import App, Whole, json_option, plain_text
from gen_emerge.errors import BadInput

DEFAULT_BRIEF = (
    "Abstract prints for the wall of a quiet room: each one finished, with a clear subject of form and colour, and no "
    "two of them alike."
)
"""As in `gen_emerge.config.tables`, which is not imported for the help."""
DEFAULT_SEED = 7
SEED = f"All chance comes from it.  [default: {DEFAULT_SEED}]"
BRIEF = (
    "What the images are for: it is shown to people when they judge. The painter and the measured critic do not read "
    f'it.  [default: "{DEFAULT_BRIEF}"]'
)


@click.command("new")
@click.argument("name")
@click.option("--profile", metavar="PROFILE", help='"embedded" (the default: no downloads, no GPU) or "diffusion".')
@click.option("--brief", metavar="TEXT", help=BRIEF)
@click.option("--seed", type=Whole(0, 2**63 - 1), metavar="N", help=SEED)
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
    config = parse(given, where="gen-emerge new")
    alike = [other for other in series_names(root) if _chance_of(root, other) == (config.profile, config.seed)]
    path = new_series_file(root, name, write_series(config))
    made = {"series": name, "path": str(path), "brief": config.brief, "seed": config.seed, "same_seed": alike}
    app.give(made, lambda: _text(made, own_brief=brief is not None, own_seed=seed is not None))


def _chance_of(root: Path, name: str) -> tuple[str, int] | None:
    """The profile and the seed that a series file names: who shares both may repeat pictures. None if unreadable."""
    import tomllib

    try:
        text = (root / "experiments" / "series" / f"{name}.toml").read_text(encoding="utf-8")
        table = tomllib.loads(text)
        return table.get("profile", "embedded"), table.get("seed", DEFAULT_SEED)
    except (OSError, ValueError):
        return None


def _text(made: Mapping[str, Any], *, own_brief: bool, own_seed: bool) -> str:
    """Where the file is, what it says of brief and seed, and what comes next."""
    brief = "".join(letter if letter.isprintable() else " " for letter in made["brief"])
    said = "" if own_brief else '  (the default; your own: --brief "...")'
    lines = [made["path"], *textwrap.wrap(f"{brief}{said}", 96, initial_indent="  brief  ", subsequent_indent=" " * 9)]
    lines.append(f"  seed   {made['seed']}" + ("" if own_seed else "  (the default; your own: --seed N)"))
    if alike := made["same_seed"]:
        names = ", ".join(alike[:3]) + (f" and {len(alike) - 3} more" if len(alike) > 3 else "")
        have = "has" if len(alike) == 1 else "have"
        repeat = f"{names} {have} the same seed: with the same settings pictures will repeat. Change it in the file."
        lines += textwrap.wrap(repeat, 96, initial_indent=" " * 9, subsequent_indent=" " * 9)
    return "\n".join([*lines, f"Next: gen-emerge run {made['series']}"])
