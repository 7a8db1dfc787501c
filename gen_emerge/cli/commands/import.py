"""`gen-emerge import`: pictures made elsewhere become candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gen_emerge.cli.app import PATH, App, json_option, plain_text, unicode_stdout
from gen_emerge.errors import BadInput, WaitingForHuman

LONGEST_PROMPT = 20_000
_SHOWN = 200
_FEW = 12
"""So many pictures are all shown; of more, those alone that somebody has to look at."""
_SHOWN_OF_MANY = ("placed", "review", "pending", "unreadable")
_OFTEN = 3
"""What is to be told of more pictures than these is told once."""
_NAME = 36
"""Letters of a file's name in the table."""
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
@click.argument("folder", type=PATH, required=False)
@click.option("--prompt", metavar="TEXT", help="The prompt of pictures whose files name none.  [the series' brief]")
@click.option("--queue", is_flag=True, help="Only queue them; the next run takes them up.")
@click.option("--list", "listing", is_flag=True, help="Say what became of every picture imported so far.")
@json_option
@click.pass_context
def command(
    context: click.Context, series: str, folder: Path | None, prompt: str | None, queue: bool, listing: bool
) -> None:
    """Bring pictures made elsewhere into a series: scored, gated and placed as its own are.

    Prompts are read from what gen-emerge, A1111, ComfyUI and InvokeAI write into their files. The pictures take slots
    of later cycles, and these cycles are run at once, with those that were already proposed before them; emitters fill
    the slots that are left over. All of them count: a series of 50 cycles may have 53 afterwards, and `run --cycles 60`
    then runs 7. Where another process runs the series, or before the warm-up is over, pictures are only queued.

    A picture whose pixels are in the series already is left out; a file that cannot be read does not stop the others.
    Stop it at any moment: import the same folder again, or run the series, and it goes on.

    --list brings nothing in: it says of every picture imported so far where it is, and which value stood against which
    bound when it was turned away. `gen-emerge inspect SERIES --candidate ID` says all that is known of one.

    \b
    Example:
        gen-emerge import first-light ~/pictures/2025
        gen-emerge import first-light scans --prompt "ink on wet paper" --queue
        gen-emerge import first-light --list
    """  # noqa: D301
    from gen_emerge.cli.live import Live
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.intake import bring_in

    app = context.ensure_object(App)
    if listing:
        _list(app, series, given=folder is not None or prompt is not None or queue)
        return
    if folder is None:
        raise click.UsageError(
            "Missing argument 'FOLDER': the pictures to import. --list shows those that were.", context
        )
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


def _list(app: App, series: str, *, given: bool) -> None:
    from gen_emerge.arrivals import list_imports
    from gen_emerge.cli.series_folder import known_series

    if given:
        raise BadInput(
            "--list imports nothing: it takes no folder, no --prompt and no --queue.", hint="Leave them out."
        )
    found = list_imports(*known_series(app, series), series)
    app.give(found, lambda: listed(found))


def report(found: Mapping[str, Any]) -> str:
    """What became of the pictures, as a table, and what comes next; of many the rest are counted alone."""
    name, pictures = found["series"], found["pictures"]
    shown = pictures if len(pictures) <= _FEW else [row for row in pictures if row["outcome"] in _SHOWN_OF_MANY]
    lines = _table(shown, _NAME)
    if rest := len(pictures) - len(shown):
        lines.append(f"and {rest} more, counted here; each of them: gen-emerge import {name} --list")
    ran = found["cycles_run"]
    cycles = f"; {ran} cycle{'s' * (ran != 1)} run, {found['cycle']} in all" if ran else ""
    others = found["others"]
    no_picture = "1 file is no picture" if others == 1 else f"{others} files are no pictures" if others else ""
    lines += ["", f"{name}: {', '.join(part for part in (_counts(found), no_picture) if part)}{cycles}"]
    if found["why_queued"]:
        lines.append(found["why_queued"])
    lines += _who_asks(name, pictures)
    if any("candidate" in row for row in pictures):
        lines.append(f"All that is known of one: gen-emerge inspect {name} --candidate ID")
    return "\n".join(lines)


def listed(found: Mapping[str, Any]) -> str:
    """What became of every picture that was ever imported."""
    name = found["series"]
    if not found["imports"]:
        return f"{name}: no picture was imported yet. Bring some in: gen-emerge import {name} FOLDER"
    lines = _table(found["imports"], 2 * _NAME)
    lines += ["", f"{name}: {_counts(found)}, after {found['cycle']} cycles"]
    lines += _who_asks(name, found["imports"])
    if found["queued_until"]:
        lines.append(f"Run it to cycle {found['queued_until']}: gen-emerge run {name} --cycles {found['queued_until']}")
    return "\n".join([*lines, f"All that is known of one: gen-emerge inspect {name} --candidate ID"])


def _table(pictures: Sequence[Mapping[str, Any]], longest: int) -> list[str]:
    """One line a picture; what many of them have to be told is told once, below.

    Args:
        pictures: rows.
        longest: letters of a name; of a longer one its middle is left out.
    """
    notes = Counter(note for row in pictures for note in row.get("notes", ()))
    often = {note: count for note, count in notes.items() if count > _OFTEN}
    rows = [(_short(_plain(row["file"]), longest), _WORDS[row["outcome"]], _detail(row, often)) for row in pictures]
    shown = rows[:_SHOWN]
    wide = [max((len(row[column]) for row in shown), default=0) for column in (0, 1)]
    lines = [f"{file:<{wide[0]}}  {word:<{wide[1]}}  {detail}".rstrip() for file, word, detail in shown]
    if len(rows) > len(shown):
        lines.append(f"... and {len(rows) - len(shown)} more: --json shows all")
    return lines + [f"{count} of these: {_plain(note)}" for note, count in often.items()]


def _short(name: str, longest: int) -> str:
    """A name whose middle is left out where it is long: its end tells files apart."""
    if len(name) <= longest:
        return name
    tail = (longest - 3) // 2
    return f"{name[: longest - 3 - tail]}...{name[-tail:]}"


def _who_asks(series: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of those that wait for a human's word: which questions ask, or what would."""
    from gen_emerge.cli.text import reviews_wait

    asked = [row["question"] for row in rows if row["outcome"] == "review"]
    unasked, open_now = asked.count(None), sum(question["open"] for question in asked if question is not None)
    are = "is" if open_now == 1 else "are"
    lines = [f"{open_now} of those that wait for you {are} asked about: gen-emerge judge {series}"] if open_now else []
    return lines + ([reviews_wait(series, unasked)] if unasked else [])


def _counts(found: Mapping[str, Any]) -> str:
    def said(outcome: str, count: int) -> str:
        words = _WORDS[outcome].partition(",")[0]
        return f"{count} {words.replace('waits', 'wait', 1) if count > 1 else words}"

    return ", ".join(said(outcome, count) for outcome, count in found["counts"].items())


def _detail(row: Mapping[str, Any], told: Collection[str] = ()) -> str:
    outcome, why, number = row["outcome"], str(row.get("why", "")), f"candidate {row.get('candidate')}"
    # A gate's reason begins with the gate, which is named before it.
    reason = f"{why}: {str(row['reason']).removeprefix(f'{why} ')}" if row.get("reason") else why
    said = {
        "placed": f"cell {row.get('cell')}, {number}",
        "accepted": f"cell {row.get('cell')} of candidate {row.get('holder')}, {number}",
        "rejected": f"by {reason}, {number}",
        "review": f"by {reason}, {number}",
        "pending": f"{row.get('said')} {number}",
        "failed": f"{reason}, {number}",
        "queued": f"for cycle {row.get('cycle')}",
    }.get(outcome, why)
    return "; ".join(
        _plain(part) for part in (said, *(note for note in row.get("notes", ()) if note not in told)) if part
    )


def _plain(text: str) -> str:
    """Without signs that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
