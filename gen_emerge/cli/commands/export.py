"""`gen-emerge export`: images out of a series."""

from __future__ import annotations

from pathlib import Path

import click

from gen_emerge.cli.app import PATH, App, Whole, json_option

SHOWN = 24
"""Files that are named, with their candidates."""


@click.command("export")
@click.argument("series")
@click.argument("dest", type=PATH)
@click.option("--top", type=Whole(1), metavar="N", help="The N elites that win most comparisons.")
@click.option("--all-elites", is_flag=True, help="Every elite of the map (the default).")
@click.option("--contact-sheet", is_flag=True, help="Also write contact-sheet.png.")
@json_option
@click.pass_obj
def command(app: App, series: str, dest: Path, top: int | None, all_elites: bool, contact_sheet: bool) -> None:
    """Copy elites into the folder DEST, named by their rank and prompt; each PNG carries its recipe.

    The order is that of comparisons between images, yours and the critic's; images nobody compared come last, oldest
    first. It says who wins duels, not how good an image is. A file that is in DEST already is never overwritten.

    \b
    Example:
        gen-emerge export first-light chosen --top 12 --contact-sheet
    """  # noqa: D301
    if top is not None and all_elites:
        raise click.UsageError("Either --top N or --all-elites, not both.")
    from gen_emerge.cli.exporting import SHEET, export_elites
    from gen_emerge.cli.series_folder import series_folder
    from gen_emerge.cli.targets import check_folder

    folder, brief = series_folder(app, series)
    dest = check_folder(app, dest)
    result = export_elites(folder, dest, top=top, sheet=contact_sheet, brief=brief)
    from gen_emerge.taste import EXPORT, note

    note(folder, EXPORT, {"candidates": [each["candidate"] for each in result["files"]], "top": top})
    if result["contact_sheet"] and Path(result["contact_sheet"]).name != SHEET:
        app.note(f"{SHEET} is there already and is another picture: the new one is {result['contact_sheet']}")
    sheet = f", {result['contact_sheet']}" if result["contact_sheet"] else ""
    files = result["files"]
    lines = [f"{each['file']}  candidate {each['candidate']}" for each in files[:SHOWN]]
    if len(files) > SHOWN:
        lines.append(f"... and {len(files) - SHOWN} more: --json names every candidate")
    already = f", {len(result['already'])} of them there before, under the names they had" if result["already"] else ""
    app.give(result, "\n".join([*lines, f"{len(files)} images in {dest}{already}{sheet}"]))
