"""Takes names of models or of a series; gives rows of plain values for `gen-emerge models`, and text for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gen_emerge.cli.app import App
from gen_emerge.errors import MissingModel
from gen_emerge.models import home
from gen_emerge.models.catalogue import Model, catalogue, model
from gen_emerge.models.pull import Progress, cached, pull


def known_models() -> list[dict[str, Any]]:
    """Every model of the catalogue."""
    return [_row(entry.role, entry.name, entry, home.where(entry)) for entry in catalogue().values()]


def needed_models(app: App, series: str) -> list[dict[str, Any]]:
    """What a series needs, in the order of its file.

    Raises:
        NotFound: there is no such series.
        BadConfig: its checkpoint is not named.
    """
    from gen_emerge.needs import needs

    root, config = _series(app, series)
    return [_row(need.key, need.name, need.model, need.path) for need in needs(config, root)]


def _series(app: App, series: str) -> tuple[Path, Any]:
    from gen_emerge.cli.series_folder import known_series
    from gen_emerge.config import load
    from gen_emerge.crew import known_names
    from gen_emerge.studio_folder import series_file

    root, _ = known_series(app, series)
    return root, load(series_file(root, series), known=known_names())


def _row(role: str, name: str, entry: Model | None, path: Path | None) -> dict[str, Any]:
    return {
        "role": role,
        "name": name,
        "what": entry.what if entry else None,
        "megabytes": entry.megabytes if entry else None,
        "licence": entry.licence if entry else None,
        "commercial": entry.commercial if entry else "unknown",
        "present": path is not None,
        "path": str(path) if path else None,
    }


def list_text(rows: Sequence[dict[str, Any]]) -> str:
    """One model a line."""
    if not rows:
        return "It needs no models."
    widths = {key: max(len(str(row[key])) for row in rows) for key in ("role", "name")}
    lines: list[str] = []
    for row in rows:
        size = f"{row['megabytes']:>7,} MB" if row["megabytes"] else " " * 10
        licence = row["licence"] or "its own licence"
        noted = {"no": " (not for commercial use)", "unknown": ""}.get(row["commercial"], "")
        here = row["path"] if row["present"] else "missing"
        role, name = f"{row['role']:<{widths['role']}}", f"{row['name']:<{widths['name']}}"
        lines.append(f"{role}  {name}  {size}  {licence}{noted}  {here}")
    return "\n".join(lines)


def pull_models(app: App, names: Sequence[str], series: str | None, *, offline: bool) -> list[dict[str, Any]]:
    """Fetch models by name, or all a series needs.

    Raises:
        NotFound, BadInput, BadConfig: a name or a series file is wrong.
        MissingModel: offline, and something is not here.
        Unreachable, DiskFull, HeldByAnother: see `fetch`.
    """
    wanted = [model(name) for name in names] if series is None else _fetchable(app, series)
    missing = [entry for entry in wanted if _there(entry) is None]
    if missing and (offline or home.offline()):
        listed = ", ".join(entry.name for entry in missing)
        raise MissingModel(
            f"Not here: {listed}; and nothing may be fetched.",
            hint="Leave out --offline, unset GEN_EMERGE_OFFLINE and HF_HUB_OFFLINE.",
        )
    rows: list[dict[str, Any]] = []
    for entry in wanted:
        if entry in missing:
            for line in _terms(entry):
                app.note(line)
        path = pull(entry, progress=_progress(app))
        record = home.record_of(entry.name)
        row = _row(entry.role, entry.name, entry, path)
        trusted = record.trusted if record else "pinned"
        rows.append(
            {**row, "fetched": entry in missing, "trusted": trusted, "revision": record.revision if record else ""}
        )
    return rows


def _fetchable(app: App, series: str) -> list[Model]:
    from gen_emerge.needs import fetchable

    root, config = _series(app, series)
    return fetchable(config, root)


def _there(entry: Model) -> Path | None:
    return home.where(entry) or (cached(entry.hub, entry.revision, entry.patterns) if entry.hub else None)


def _terms(entry: Model) -> list[str]:
    size = f"about {entry.megabytes:,} MB" if entry.megabytes else "size not known"
    lines = [f"{entry.name}: {size}, licence: {entry.licence} ({entry.source})"]
    if entry.commercial == "no":
        lines.append(f"{entry.name}: its licence does not allow commercial use.")
    elif entry.commercial == "unknown":
        lines.append(f"{entry.name}: whether commercial use is allowed is not known; see its page.")
    return lines


def _progress(app: App) -> Progress | None:
    """A line that is written over, on a terminal only."""
    if app.json or not sys.stderr.isatty():
        return None
    last = 0.0

    def tell(name: str, here: int, total: int | None) -> None:
        nonlocal last
        whole = total is not None and here >= total
        if whole or time.monotonic() - last > 0.2:
            last = time.monotonic()
            share = f" of {total / 1e6:,.1f}" if total else ""
            sys.stderr.write(f"\r  {name}: {here / 1e6:,.1f}{share} MB\x1b[K" + ("\n" if whole else ""))
            sys.stderr.flush()

    return tell


def pull_text(rows: Sequence[dict[str, Any]]) -> str:
    """What is here now, and by what it is known to be right."""
    lines: list[str] = []
    for row in rows:
        how = "" if not row["fetched"] else "  (recognised by its published hash)"
        if row["fetched"] and row["trusted"] != "pinned":
            how = "  (no hash is published: what came is trusted, and written down)"
        lines.append(f"{row['name']}  {row['path']}{how}")
        if row["revision"] and row["role"] == "generator":
            lines.append(f'  in a series file: revision = "{row["revision"]}"')
    return "\n".join(lines) or "It needs no models."


def verify_models(names: Sequence[str]) -> list[dict[str, Any]]:
    """Hash fetched models again: those named, or all that are here.

    Raises:
        NotFound: no model has that name.
        MissingModel: it was never fetched.
    """
    fetched = [model(name) for name in names] if names else _fetched()
    rows: list[dict[str, Any]] = []
    for entry in fetched:
        record, problems = home.record_of(entry.name), home.problems(entry)
        files = len(record.files) if record else 0
        trusted = record.trusted if record else ""
        rows.append({"name": entry.name, "ok": not problems, "files": files, "trusted": trusted, "problems": problems})
    return rows


def _fetched() -> list[Model]:
    """Models with a record; one that is not of the catalogue came from the hub by a series file."""
    names = home.recorded()
    return [catalogue().get(name) or _of_hub(name) for name in names]


def _of_hub(name: str) -> Model:
    return Model(
        name=name, role="generator", what=name, licence="", megabytes=0, accuracy="", bias="", source="", hub=name
    )


def verify_text(rows: Sequence[dict[str, Any]]) -> str:
    """One model a line, and its problems."""
    if not rows:
        return "No model was fetched yet."
    lines: list[str] = []
    for row in rows:
        many = f"{row['files']} file{'' if row['files'] == 1 else 's'}"
        lines.append(f"{'ok' if row['ok'] else 'NO':<4}{row['name']}  {many}, {row['trusted']}")
        lines += [f"      {problem}" for problem in row["problems"]]
    if not all(row["ok"] for row in rows):
        lines.append("Delete what was changed and fetch it again: gen-emerge models pull NAME")
    return "\n".join(lines)
