"""`gen-emerge import`: pictures made elsewhere become candidates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import PATH, App, json_option, plain_text, unicode_stdout
from gen_emerge.errors import WaitingForHuman

LONGEST_PROMPT = 20_000
_SHOWN = 200
_WORDS = {
    "placed": "placed",
    "accepted": "accepted, another holds its cell",
    "review": "waits for you",
    "pending": "waits for the critic",
    "rejected": "turned away",
    "failed": "failed",
    "queued": "queued",
    "already": "already there",
    "unreadable": "unreadable",
}


@click.command("import")
@click.argument("series")
@click.argument("folder", type=PATH)
@click.option("--prompt", metavar="TEXT", help="The prompt of pictures whose files name none.  [the series' brief]")
@click.option("--queue", is_flag=True, help="Only queue them; the next run takes them up.")
@json_option
@click.pass_context
def command(context: click.Context, series: str, folder: Path, prompt: str | None, queue: bool) -> None:
    """Bring pictures made elsewhere into a series: scored, gated and placed as its own are.

    Prompts are read from what A1111, ComfyUI and InvokeAI write into their files. The pictures take slots of
    later cycles, and these cycles are run at once, with those that were already proposed before them; emitters fill the
    slots that are left over. All of them count: a series of 50 cycles may have 53 afterwards, and `run --cycles 60`
    then runs 7. Where another process runs the series, or before the warm-up is over, pictures are only queued.

    A picture whose pixels are in the series already is left out; a file that cannot be read does not stop the others.
    Stop it at any moment: import the same folder again, or run the series, and it goes on.

    \b
    Example:
        gen-emerge import first-light ~/pictures/2025
        gen-emerge import first-light scans --prompt "ink on wet paper" --queue
    """  # noqa: D301
    from gen_emerge.cli.live import Live
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.errors import BadInput
    from gen_emerge.intake import bring_in

    app = context.ensure_object(App)
    if prompt is not None and not plain_text(prompt, "--prompt", longest=LONGEST_PROMPT, printable=True).strip():
        raise BadInput("--prompt is empty.", hint="Write what the pictures show, or leave it out.")
    root, archive = known_series(app, series, writable=True)
    live = Live(series, unicode=unicode_stdout())
    try:
        found = bring_in(root, archive, series, folder, prompt=prompt, queue=queue, progress=live, say=app.note)
    finally:
        live.close()
    app.give(found, lambda: report(found))
    if found["why_queued"].startswith("The series waits"):
        context.exit(WaitingForHuman.exit_code)


def report(found: Mapping[str, Any]) -> str:
    """What became of every picture, as a table, and what comes next."""
    rows = [(_plain(row["file"]), _WORDS[row["outcome"]], _detail(row)) for row in found["pictures"]]
    shown = rows[:_SHOWN]
    wide = [min(max(len(row[column]) for row in shown), 60) for column in (0, 1)]
    lines = [f"{file:<{wide[0]}}  {word:<{wide[1]}}  {detail}".rstrip() for file, word, detail in shown]
    if len(rows) > len(shown):
        lines.append(f"... and {len(rows) - len(shown)} more: gen-emerge --json import shows all")
    counts = ", ".join(f"{count} {_WORDS[outcome].partition(',')[0]}" for outcome, count in found["counts"].items())
    ran = found["cycles_run"]
    cycles = f"; {ran} cycle{'s' * (ran != 1)} run, {found['cycle']} in all" if ran else ""
    lines += ["", f"{found['series']}: {counts}{cycles}"]
    if found["why_queued"]:
        lines.append(found["why_queued"])
    return "\n".join(lines)


def _detail(row: Mapping[str, Any]) -> str:
    outcome, why = row["outcome"], _plain(str(row.get("why", "")))
    said = {
        "placed": f"cell {row.get('cell')}, candidate {row.get('candidate')}",
        "accepted": f"cell {row.get('cell')}, candidate {row.get('candidate')}",
        "rejected": f"by {why}, candidate {row.get('candidate')}",
        "queued": f"for cycle {row.get('cycle')}",
    }.get(outcome, why)
    return "; ".join(filter(None, [said, *(_plain(note) for note in row.get("notes", ()))]))


def _plain(text: str) -> str:
    """Without signs that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
