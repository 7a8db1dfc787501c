"""`gen-emerge calibrate`: thresholds from what you kept and discarded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import PATH, App, Whole, json_option
from gen_emerge.errors import BadInput


@click.command("calibrate")
@click.argument("series")
@click.option("--preview", is_flag=True, help="Show what would change; nothing does. Default.")
@click.option("--apply", is_flag=True, help="Use it, from a coming cycle on.")
@click.option("--rollback", "version", type=Whole(1), metavar="VERSION", help="Use an earlier version again.")
@click.option("--from-folder", "folder", type=PATH, metavar="FOLDER", help="By images you approve, not by answers.")
@click.option("--gate", "gates", multiple=True, metavar="NAME", help="Only this gate; may be repeated.")
@click.option("--png", type=PATH, metavar="FILE", help="Draw the curves of --preview.")
@click.option("--anyway", is_flag=True, help="Apply it though more images would wait for you than most_review.")
@json_option
@click.pass_obj
def command(
    app: App,
    series: str,
    preview: bool,
    apply: bool,
    version: int | None,
    folder: Path | None,
    gates: tuple[str, ...],
    png: Path | None,
    anyway: bool,
) -> None:
    """Move the gates by your judgements, or back.

    From every keep and discard (check-ins, review band) follows, gate by gate, how likely an image of some signal is
    one you would keep, with its band; and from the costs in [calibration] what to accept, to reject, and to ask about.
    --preview says so in a sentence a gate, then in detail, with the past images that would change sides. With
    --from-folder it shows the bounds that images you approve would set. A preview changes nothing.

    --apply makes it the next calibration version. It counts from a coming cycle on, in a running series too; past
    verdicts stay. Where more than most_review of past images would wait for you, and more than do now, it is refused
    without --anyway. --rollback VERSION brings an earlier version back; a change that still waits for its cycle is
    taken back.

    \b
    Example:
        gen-emerge calibrate night --preview --png curves.png
        gen-emerge calibrate night --apply --gate quality
        gen-emerge calibrate night --rollback 1
        gen-emerge calibrate night --from-folder approved
        gen-emerge calibrate night --from-folder approved --apply
    """  # noqa: D301
    from gen_emerge import recalibration
    from gen_emerge.cli import calibrating
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.cli.targets import PICTURE, check_file

    _refuse_mixtures(preview, apply, version, folder, gates, png, anyway)
    root, archive = known_series(app, series)
    if png is not None:
        check_file(app, png, "--png", PICTURE)
    result: dict[str, Any]
    if version is not None:
        result = recalibration.roll_back(root, archive, series, version)
        app.give(result, lambda: calibrating.asked_text(result))
    elif folder is not None:
        result = recalibration.from_folder(root, archive, series, folder, use=apply, anyway=anyway)
        app.give(result, lambda: calibrating.folder_text(result))
    elif apply:
        result = recalibration.apply(root, archive, series, gates, anyway=anyway)
        app.give(result, lambda: calibrating.preview_text(result))
    else:
        result = recalibration.preview(root, archive, series, gates)
        if png is not None:
            from gen_emerge.reports.curves import write_curves

            result["png"] = str(write_curves(result, png))
        app.give(result, lambda: calibrating.preview_text(result))


def _refuse_mixtures(
    preview: bool,
    apply: bool,
    version: int | None,
    folder: Path | None,
    gates: tuple[str, ...],
    png: Path | None,
    anyway: bool,
) -> None:
    did = {"--preview": preview, "--apply": apply, "--rollback": version is not None}
    wanted = [word for word, given in did.items() if given]
    if len(wanted) > 1:
        raise BadInput(f"{' and '.join(wanted)} are different things.", hint="Do one after the other.")
    if folder is not None and version is not None:
        raise BadInput("--rollback and --from-folder are different things.", hint="Do one after the other.")
    # By what thresholds move, or that they go back: a folder's are of all gates and have no curve.
    source = "--from-folder" if folder is not None else "--rollback" if version is not None else ""
    if gates and source:
        raise BadInput(f"--gate belongs to --preview and --apply, not to {source}.", hint="Leave it out.")
    if png is not None and (apply or source):
        raise BadInput(f"--png belongs to --preview, not to {source or '--apply'}.", hint="Leave it out.")
    if anyway and not apply:
        raise BadInput("--anyway belongs to --apply.", hint="Leave it out: nothing else asks for it.")
