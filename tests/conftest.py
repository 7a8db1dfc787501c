"""What several test modules share: one thread a process, places, and the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Before anything imports numpy: with several workers on a busy machine, more threads are slower.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent
"""The repository root, itself a studio folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.out)


def run_cli(
    *arguments: str | Path,
    root: Path | None = None,
    archive: Path | None = None,
    as_json: bool = False,
    code: int | None = 0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 300.0,
) -> Said:
    """Call `gen-emerge` in a process of its own.

    Args:
        arguments: the command and what follows it.
        root: the studio folder (`--root`); None leaves it to be found from `cwd`.
        archive: `--archive`.
        as_json: put `--json` before the command.
        code: the exit code it must have; None accepts any.
        cwd: where it runs.
        env: variables beside those of this process.
        stdin: what it is given to read.
        timeout: seconds.
    """
    options: list[str] = []
    if root is not None:
        options += ["--root", str(root)]
    if archive is not None:
        options += ["--archive", str(archive)]
    if as_json:
        options += ["--json"]
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from gen_emerge.cli.main import main; sys.exit(main())"]
        + options
        + [str(argument) for argument in arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
    if code is not None and said.code != code:
        words = " ".join(str(argument) for argument in arguments)
        raise AssertionError(f"gen-emerge {words}: exit {said.code}, not {code}\n{said.out}\n{said.err}")
    return said


@pytest.fixture
def cli() -> Callable[..., Said]:
    """`run_cli`, as a fixture."""
    return run_cli


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository root."""
    return ROOT


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A studio folder of this test's own: the repository's prompts, no series, an empty archive."""
    folder = tmp_path / "studio"
    shutil.copytree(ROOT / "prompts", folder / "prompts")
    (folder / "experiments" / "series").mkdir(parents=True)
    (folder / "archive").mkdir()
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference data that is not part of the repository; a test that needs it is skipped where it is not there."""
    given = os.environ.get("GEN_EMERGE_SHARED")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the reference data: set GEN_EMERGE_SHARED to its folder")
    return folder
