"""Takes a series' name; gives its folder in the archive and its brief. Changes nothing."""

from __future__ import annotations

from pathlib import Path

from gen_emerge.cli.app import App
from gen_emerge.errors import BadInput, NotFound, nearest

DATABASE = "series.db"


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
