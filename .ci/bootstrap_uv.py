"""Install uv into a virtual environment of its own. Takes the folder, needs nothing but Python 3.11's own library.

The Python that runs this is never changed. Three ways are tried in turn:

1. `venv` with its own pip;
2. where pip's wheel was split off (Debian without python3-venv): `venv` without pip, filled by the pip that is there;
3. where there is no pip at all: pip's wheel from PyPI, checked against PyPI's own SHA-256, run from the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

REQUIREMENT = "uv>=0.9,<1"
PYPI = "https://pypi.org/pypi/pip/json"


def main(folder: Path) -> int:
    """Leave folder/bin/uv, or say why not."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "setup.lock"):
        if (folder / "bin" / "uv").exists():
            return 0
        reasons: list[str] = []
        for way in (with_own_pip, with_pip_that_is_there, with_pip_from_pypi):
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
        "What helps: a network that reaches pypi.org; on Debian and Ubuntu `apt install python3-venv`; "
        "or uv on PATH (see docs.astral.sh/uv).",
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


def with_pip_from_pypi(folder: Path) -> None:
    """`venv` without pip, filled by pip's own wheel, which runs from the file."""
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(folder)
    bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT")
    context = ssl.create_default_context(cafile=bundle)
    with urllib.request.urlopen(PYPI, timeout=60, context=context) as reply:
        files = json.load(reply)["urls"]
    wheel = next(file for file in files if file["packagetype"] == "bdist_wheel")
    url = urllib.parse.urljoin(PYPI, wheel["url"])  # mirrors give relative ones
    with urllib.request.urlopen(url, timeout=120, context=context) as reply:
        content = reply.read()
    if hashlib.sha256(content).hexdigest() != wheel["digests"]["sha256"]:
        raise ValueError(f"{wheel['filename']} is not the file that PyPI describes")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / wheel["filename"]
        path.write_bytes(content)
        pip([str(python(folder)), str(path / "pip")])


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
