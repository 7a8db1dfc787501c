"""`gen-emerge calibrate`: thresholds from what you kept and discarded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import PATH, App, Whole, json_option
from gen_emerge.errors import BadInput


@click.command("calibrate")
@click.argument("series")
@click.option("--preview", "action", flag_value="preview", default=True, help="Show what your answers say. Default.")
@click.option("--apply", "action", flag_value="apply", help="Use it, from a coming cycle on.")
@click.option("--rollback", "version", type=Whole(1), metavar="VERSION", help="Use an earlier version again.")
@click.option("--from-folder", "folder", type=PATH, metavar="FOLDER", help="Set thresholds that these images pass.")
@click.option("--gate", "gates", multiple=True, metavar="NAME", help="Only this gate; may be repeated.")
@click.option("--png", type=PATH, metavar="FILE", help="Draw the curves of --preview.")
@json_option
@click.pass_obj
def command(
    app: App,
    series: str,
    action: str,
    version: int | None,
    folder: Path | None,
    gates: tuple[str, ...],
    png: Path | None,
) -> None:
    """Move the gates by your judgements, or back.

    From every keep and discard (check-ins, review band) follows, gate by gate, how likely an image of some signal is
    one you would keep, with its band; and from the costs in [calibration] what to accept, to reject, and to ask about.
    --preview shows it, with the past images that would change sides and how few answers stand behind it.

    --apply makes it the next calibration version. It counts from a coming cycle on, in a running series too; past
    verdicts stay. --rollback VERSION brings an earlier one back. --from-folder sets the bounds by images you approve.

    \b
    Example:
        gen-emerge calibrate night --preview --png curves.png
        gen-emerge calibrate night --apply --gate quality
        gen-emerge calibrate night --rollback 1
        gen-emerge calibrate night --from-folder approved
    """  # noqa: D301
    from gen_emerge import recalibration
    from gen_emerge.cli import calibrating
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.cli.targets import PICTURE, check_file

    _refuse_mixtures(action, version, folder, gates, png)
    root, archive = known_series(app, series)
    if png is not None:
        check_file(app, png, "--png", PICTURE)
    result: dict[str, Any]
    if version is not None:
        result = recalibration.roll_back(root, archive, series, version)
        app.give(result, lambda: calibrating.asked_text(result))
    elif folder is not None:
        result = recalibration.from_folder(root, archive, series, folder)
        app.give(result, lambda: calibrating.folder_text(result))
    elif action == "apply":
        result = recalibration.apply(root, archive, series, gates)
        app.give(result, lambda: calibrating.preview_text(result))
    else:
        result = recalibration.preview(root, archive, series, gates)
        if png is not None:
            from gen_emerge.reports.curves import write_curves

            result["png"] = str(write_curves(result, png))
        app.give(result, lambda: calibrating.preview_text(result))


def _refuse_mixtures(
    action: str, version: int | None, folder: Path | None, gates: tuple[str, ...], png: Path | None
) -> None:
    wanted = [
        word
        for word, given in (
            ("--apply", action == "apply"),
            ("--rollback", version is not None),
            ("--from-folder", folder is not None),
        )
        if given
    ]
    if len(wanted) > 1:
        raise BadInput(f"{' and '.join(wanted)} are different things.", hint="Do one after the other.")
    if gates and wanted and wanted != ["--apply"]:
        raise BadInput(f"--gate belongs to --preview and --apply, not to {wanted[0]}.", hint="Leave it out.")
    if png is not None and wanted:
        raise BadInput(f"--png belongs to --preview, not to {wanted[0]}.", hint="Leave it out.")
