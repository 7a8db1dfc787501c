"""Install uv into a virtual environment of its own. Takes the folder, needs nothing but Python 3.11's own library.

The Python that runs this is never changed. Two ways are tried in turn:

1. `venv` with its own pip;
2. where pip's wheel was split off (Debian without python3-venv): `venv` without pip, filled by the pip that is there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENT = "uv>=0.9,<1"


def main(folder: Path) -> int:
    """Leave folder/bin/uv, or say why not."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "setup.lock"):
        if (folder / "bin" / "uv").exists():
            return 0
        reasons: list[str] = []
        for way in (with_own_pip, with_pip_that_is_there):
            try:
                way(folder)
            except (OSError, subprocess.CalledProcessError, ValueError, SystemExit) as error:
                reasons.append(f"  {way.__name__.replace('_', ' ')}: {explain(error)}")
            else:
                if (folder / "bin" / "uv").exists():
                    return 0
                reasons.append(f"  {way.__name__.replace('_', ' ')}: pip ended without leaving uv")
    print("uv could not be installed:", *reasons, sep="\n", file=sys.stderr)
    print(
        "What helps: a network that reaches the Python Package Index; on Debian and Ubuntu `apt install python3-venv`; "
        "or uv on PATH.",
        file=sys.stderr,
    )
    return 1


@contextlib.contextmanager
def locked(path: Path):
    """One set-up at a time (two targets may start together)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def with_own_pip(folder: Path) -> None:
    """`venv` and the pip that comes with it."""
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
    pip([str(python(folder)), "-m", "pip"])


def with_pip_that_is_there(folder: Path) -> None:
    """`venv` without pip, filled from outside; `--python` makes pip work in that environment only."""
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(folder)
    pip([sys.executable, "-m", "pip", "--python", str(python(folder))])


def pip(command: list[str]) -> None:
    """Install uv with one pip."""
    subprocess.run(
        [*command, "install", "--quiet", "--disable-pip-version-check", REQUIREMENT],
        check=True,
        capture_output=True,
        text=True,
    )


def python(folder: Path) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def explain(error: BaseException) -> str:
    """The last line of what a process said, or the error itself."""
    if isinstance(error, subprocess.CalledProcessError):
        said = "\n".join(str(part).strip() for part in (error.stdout, error.stderr) if part).strip()
        return said.splitlines()[-1] if said else f"exit code {error.returncode}"
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
