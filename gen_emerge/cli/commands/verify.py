"""`gen-emerge verify`: do files and history agree?"""

from __future__ import annotations

from typing import Any

import click

from gen_emerge.cli.app import App, json_option
from gen_emerge.cli.series_folder import DATABASE

_SHOWN = 20
_MEANINGS = {
    "missing": "the file is not there",
    "hash": "the file was changed or damaged",
    "orphan": "no image of this series",
    "replay": "the history contradicts itself",
}
_RESTORE = (
    f"{DATABASE} is damaged. Copy the series' folder as it is, to be safe; then put {DATABASE} back from an older copy",
    f"and remove the {DATABASE}-wal and {DATABASE}-shm that lie there now. Cycles it lacks are rendered again when the",
    "series runs; answers given since are lost. Until then leave the pictures alone: each carries its recipe.",
)


@click.command("verify")
@click.argument("series")
@json_option
@click.pass_context
def command(context: click.Context, series: str) -> None:
    """Check the database and every stored image, look for files nobody knows, and replay the whole history.

    Every page and value of series.db is read, every image compared with its hash. Changes nothing, and works beside a
    running series. Exits with 1 when it finds a problem. A damaged database is one: it is named with its table, and as
    far as it can be read at all, everything else is still checked.

    \b
    Example:
        gen-emerge verify first-light
    """  # noqa: D301
    from gen_emerge import audit
    from gen_emerge.cli.series_folder import known_series

    app = context.ensure_object(App)
    root, archive = known_series(app, series)
    found = audit.verify(root, archive, series)
    app.give(found, lambda: _text(series, found))
    context.exit(0 if found["ok"] else 1)


def _text(series: str, found: dict[str, Any]) -> str:
    files = found["uncommitted"]
    flying = f" ({files} files of a cycle that is not committed)" if files else ""
    problems = found["problems"]
    if not problems:
        return f"{series}: the database is whole, every file is there and unchanged, and the history replays{flying}"
    lines = [f"{series}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}{flying}"]
    lines += [f"  {p['kind']:<8} {_line(p)}" for p in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  ... and {len(problems) - _SHOWN} more: gen-emerge --json verify {series}")
    if any(p["path"] == DATABASE for p in problems):
        lines += ["", *_RESTORE]
    return "\n".join(lines)


def _line(problem: dict[str, Any]) -> str:
    table = f", table {problem['table']}" if problem["path"] == DATABASE and "table" in problem else ""
    said = f": {problem['detail']}" if "detail" in problem else f"  ({_MEANINGS[problem['kind']]})"
    return f"{problem['path']}{table}{said}"
