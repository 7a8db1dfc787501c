"""Breaks the code on purpose, fault by fault, and demands that the tests notice: a test nobody saw fail shows nothing.

    python experiments/mutants/check.py                    # every fault of every file beside this one
    python experiments/mutants/check.py store.toml -k lock # one file's, those with "lock" in their names
    python experiments/mutants/check.py --jobs 2           # two at a time

A fault is a TOML table: `name` (what is broken, in words), `file`, `old` (text that stands there exactly once), `new`,
and `tests` (pytest ids that must fail, every one of them). Each fault goes into a copy of the committed tree of its
own; yours is not touched. A fault that a listed test lives through, or that only breaks the import, is reported, and
the exit code is 1.

Faults that only `tests/models` notices need its environment: `.venv-models/bin/python`, of `make test-models`.

The tests of a fault run in a fork of this process, which has the libraries: importing them anew for every fault would
take most of the time.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
LIBRARIES = "numpy scipy.sparse scipy.spatial scipy.optimize sqlalchemy alembic pydantic ribs.archives numba PIL.Image"
"""Imported once. None of them has threads of its own before it is used: those would not survive a fork."""


def main() -> int:
    """Check the chosen faults; 1 if one was not caught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="TOML files beside this one; without any, all of them")
    parser.add_argument("-k", default="", metavar="TEXT", help="only faults with this in their names")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="faults looked at at a time (default: 1)")
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    for name in LIBRARIES.split():
        importlib.import_module(name)
    gc.freeze()  # what a fork does not collect at its end it need not copy
    files = [HERE / name for name in options.files] or sorted(HERE.glob("*.toml"))
    faults = [
        {**fault, "topic": path.stem}
        for path in files
        for fault in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]
        if options.k in fault["name"]
    ]
    if not importlib.util.find_spec("torch"):
        here = [fault for fault in faults if not all(test.startswith("tests/models/") for test in fault["tests"])]
        if len(here) < len(faults):
            print(f"{len(faults) - len(here)} left out: they need the model libraries (.venv-models/bin/python)")
        faults = here
    missed = 0
    with tempfile.TemporaryDirectory() as base:
        for fault, came_of_it in checked(faults, Path(base), options.jobs):
            missed += came_of_it != "caught"
            print(f"{fault['topic']}: {fault['name']}: {came_of_it}", flush=True)
    print(f"{len(faults) - missed} of {len(faults)} caught")
    return 1 if missed else 0


def checked(faults: Sequence[dict[str, Any]], base: Path, jobs: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Every fault and what came of it, as they come."""
    packed = packed_tree()
    running: dict[int, tuple[dict[str, Any], Path]] = {}
    waiting = list(enumerate(faults))[::-1]
    while waiting or running:
        if waiting and len(running) < jobs:
            number, fault = waiting.pop()
            room = base / str(number)
            unpack(room, packed)
            if trouble := put_in(room / "tree", fault):
                yield fault, trouble
                continue
            running[start_tests(room, fault["tests"])] = (fault, room)
            continue
        pid, _ = os.wait()
        if pid in running:
            fault, room = running.pop(pid)
            yield fault, outcome(fault, (room / "said").read_text(encoding="utf-8", errors="replace"))
            shutil.rmtree(room)


def packed_tree() -> bytes:
    """What is committed, not what lies about."""
    return subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def unpack(room: Path, packed: bytes) -> None:
    """A copy of the committed tree in `room/tree`, with `shared/` beside it where there is one."""
    (room / "tree").mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(room / "tree")], input=packed, check=True)
    shared = ROOT.parent / "shared"
    if shared.is_dir():
        (room / "shared").symlink_to(shared)


def put_in(tree: Path, fault: dict[str, Any]) -> str:
    """Break the code of a tree; what is wrong with the fault itself, "" for nothing."""
    path = tree / fault["file"]
    whole = path.read_text(encoding="utf-8")
    if whole.count(fault["old"]) != 1:
        return f"STALE: the old text stands {whole.count(fault['old'])} times in {fault['file']}"
    path.write_text(whole.replace(fault["old"], fault["new"]), encoding="utf-8")
    return ""


def start_tests(room: Path, tests: Sequence[str]) -> int:
    """Start tests in `room/tree`, what they say goes to `room/said`; the process's number."""
    pid = os.fork()
    return pid if pid else _run_tests(room, tests)


def _run_tests(room: Path, tests: Sequence[str]) -> NoReturn:
    try:
        handle = os.open(room / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for standard in (1, 2):
            os.dup2(handle, standard)
        tree = room / "tree"
        os.chdir(tree)
        os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1")
        sys.dont_write_bytecode = True
        sys.path[:] = [str(tree), *(entry for entry in sys.path if entry and Path(entry).resolve() != HERE)]
        import pytest

        pytest.main(["-q", "-rf", "-p", "no:cacheprovider", *tests])
        sys.stdout.flush()
    finally:
        os._exit(0)


def outcome(fault: dict[str, Any], said: str) -> str:
    """What the tests made of a fault. A test that is not found, skipped or broken in its set-up does not count."""
    failed = FAILED.findall(said)
    # A parametrised test counts once any of its cases fails.
    survivors = [test for test in fault["tests"] if not any(f == test or f.startswith(f"{test}[") for f in failed)]
    return f"SURVIVED {', '.join(survivors)}" if survivors else "caught"


if __name__ == "__main__":
    sys.exit(main())
