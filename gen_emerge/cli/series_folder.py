"""Takes a series' name; gives its folder in the archive and its brief. Changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

from gen_emerge.cli.app import App
from gen_emerge.errors import BadInput, NotFound, nearest

DATABASE = "series.db"


def known_series(app: App, name: str, *, writable: bool = False) -> tuple[Path, Path]:
    """The studio folder and the archive, for a command that reads the series' file.

    Raises:
        NotFound: the file is gone, but the archive still holds the series: says so, and what to do.
    """
    from gen_emerge.studio_folder import find_root, series_names

    root = find_root(app.root)
    if name not in series_names(root):
        refuse_orphan(root, app.folders()[1], name)
    return app.folders(writable=writable)


def refuse_orphan(root: Path, archive: Path, name: str) -> None:
    """Refuse a name whose images are there while its file is not.

    Raises:
        NotFound: naming both places and what to do.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name) or not (archive / name / DATABASE).is_file():
        return
    file = root / "experiments" / "series" / f"{name}.toml"
    raise NotFound(
        f"{archive / name} holds a series, but its file {file} is gone.",
        hint="Restore that file, or write one with the same seed, profile, archive, batch, warmup_cycles and "
        f"pipeline_depth. To begin anew, move {archive / name} away first: gen-emerge new {name}",
    )


def series_folder(app: App, name: str) -> tuple[Path, str]:
    """The folder of a series that has been run, and what it is for ("" when its file is gone).

    Raises:
        NotFound: there is no such series; the nearest name is given.
        BadInput: it has not been run yet.
    """
    from gen_emerge.config import load
    from gen_emerge.studio_folder import series_names

    root, archive = app.folders()
    files = series_names(root)
    run = sorted(path.parent.name for path in archive.glob(f"*/{DATABASE}"))
    if name in run:
        # Whether its generator is installed does not matter here.
        path = root / "experiments" / "series" / f"{name}.toml"
        return archive / name, load(path, known=None).brief if name in files else ""
    if name in files:
        raise BadInput(f'The series "{name}" has not been run yet.', hint=f"gen-emerge run {name}")
    known = sorted({*files, *run})
    hint = nearest(name, known) if known else "Make one: gen-emerge new NAME"
    raise NotFound(f'There is no series "{name}" in {root}.', hint=hint)
