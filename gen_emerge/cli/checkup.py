"""Takes the folders that were named; gives what works on this machine, as plain values. Changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gen_emerge import __version__
from gen_emerge.errors import GenEmergeError

CORE = ("numpy", "numba", "onnxruntime", "pillow", "pydantic", "ribs", "scipy", "sqlalchemy", "alembic", "click")
EXTRAS = ("torch", "diffusers", "transformers", "anthropic", "fastapi", "ray")


def checkup(root: Path | None, archive: Path | None) -> dict[str, Any]:
    """Look at everything a run needs.

    Args:
        root: the studio folder that was named, or None.
        archive: the archive that was named, or None.

    Returns:
        Plain values; `ok` says whether the `embedded` profile can run here.
    """
    folders = _folders(root, archive)
    versions = {name: _version(name) for name in CORE}
    painter = _tried(_paint_one)
    scorers = _tried(_score_one)
    return {
        "ok": None not in versions.values()
        and painter["ok"]
        and scorers["ok"]
        and folders["archive_writable"] is not False,
        "gen_emerge": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": _cores(),
        "disk_free_gb": round(shutil.disk_usage(_existing(Path(folders["archive"] or "."))).free / 1e9, 1),
        **folders,
        "versions": versions,
        "extras": {name: importlib.util.find_spec(name) is not None for name in EXTRAS},
        "painter": painter,
        "scorers": scorers,
        "detectors": _detectors(),
        "terminal": _terminal(),
    }


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _folders(root: Path | None, archive: Path | None) -> dict[str, Any]:
    """Where a run would read and write. A folder that was named must be a studio folder."""
    from gen_emerge.studio_folder import find_root

    try:
        found: Path | None = find_root(root)
    except GenEmergeError:
        if root is not None:
            raise
        found = None
    place = archive or (found / "archive" if found else None)
    writable = None if place is None else _can_write(_existing(place))
    return {
        "root": str(found) if found else None,
        "archive": str(place) if place else None,
        "archive_writable": writable,
    }


def _can_write(folder: Path) -> bool:
    """Whether a file can be made there; it has no name and is gone at once."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that is there."""
    absolute = path.absolute()
    return next((p for p in (absolute, *absolute.parents) if p.exists()), Path.cwd())


def _tried(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        facts = work()
    except Exception as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"ok": True, "seconds": round(time.perf_counter() - started, 2), **facts}


def _paint_one() -> dict[str, Any]:
    from gen_emerge.cli.painting import paint_prompt

    painted = paint_prompt("a serene marbled print", 1, 64, 64)
    return {"version": painted.genome.generator_version}


def _score_one() -> dict[str, Any]:
    import numpy as np

    from gen_emerge.cli.measuring import of_profile

    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    versions: dict[str, str] = {}
    for scorer in of_profile("embedded").scorers(("quality", "prompt", "style")):
        scorer.score([picture], ["a serene marbled print"])
        versions.update(scorer.versions)
    return {"versions": versions}


def _detectors() -> dict[str, str]:
    """Every detector a series file may name -> why it cannot be used here, "" when it can."""
    from gen_emerge.scorers import defects

    return {name: defects.trouble(name) for name in defects.names()}


def _terminal() -> dict[str, Any]:
    from gen_emerge.cli.app import unicode_stdout
    from gen_emerge.cli.inline import protocol, viewer

    inside = sys.stdout.isatty()
    return {
        "terminal": inside,
        "unicode": unicode_stdout(),
        "inline_pictures": protocol(os.environ, terminal=inside),
        "viewer": viewer(os.environ) is not None,
    }


def checkup_text(found: dict[str, Any]) -> str:
    """The checkup for people."""
    lines = [f"gen-emerge {found['gen_emerge']} on Python {found['python']}, {found['platform']}", ""]

    def row(good: bool | None, name: str, text: str) -> None:
        sign = {True: "ok", False: "NO", None: "-"}[good]
        lines.append(f"  {sign:<4}{name:<12}{text}")

    row(None, "machine", f"{found['cores']} cores, {found['disk_free_gb']:g} GB of disk free")
    row(
        found["root"] is not None or None,
        "studio",
        found["root"] or "not in a studio folder (gen-emerge init DIR makes one)",
    )
    if found["archive"]:
        row(found["archive_writable"], "archive", found["archive"])
    missing = [name for name, version in found["versions"].items() if version is None]
    row(not missing, "libraries", f"missing: {', '.join(missing)}" if missing else "all there")
    for part in ("painter", "scorers"):
        fact = found[part]
        row(fact["ok"], part, fact.get("error") or f"works ({fact['seconds']:.2f} s)")
    extras = [name for name, there in found["extras"].items() if there]
    row(bool(extras) or None, "extras", ", ".join(extras) if extras else "none (not needed for the embedded profile)")
    for name, trouble in found["detectors"].items():
        row(None if trouble else True, "detector", f"{name}: {trouble or 'can be used'}")
    terminal = found["terminal"]
    way = terminal["inline_pictures"] or ("a viewer" if terminal["viewer"] else "files whose path is printed")
    row(None, "pictures", f"shown by {way}")
    if not found["ok"]:
        lines += ["", "Something that the embedded profile needs does not work: see the lines with NO."]
    return "\n".join(lines)
