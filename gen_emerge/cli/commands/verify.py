"""`gen-emerge verify`: do files and history agree?"""

from __future__ import annotations

from typing import Any

import click

from gen_emerge.cli.app import App, json_option

_SHOWN = 20
_MEANINGS = {
    "missing": "the file is not there",
    "hash": "the file was changed or damaged",
    "orphan": "no image of this series",
    "replay": "the history contradicts itself",
}


@click.command("verify")
@click.argument("series")
@json_option
@click.pass_context
def command(context: click.Context, series: str) -> None:
    """Check every stored image against its hash, look for files nobody knows, and replay the whole history.

    Changes nothing, and works beside a running series. Exits with 1 when it finds a problem.

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
        return f"{series}: every file is there and unchanged, and the history replays{flying}"
    lines = [f"{series}: {len(problems)} problems{flying}"]
    lines += [f"  {p['kind']:<8} {p['path']}  ({_MEANINGS.get(p['kind'], '')})" for p in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  ... and {len(problems) - _SHOWN} more: gen-emerge --json verify {series}")
    return "\n".join(lines)
