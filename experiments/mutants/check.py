"""Breaks the code on purpose, fault by fault, and demands that the tests notice: a test nobody saw fail shows nothing.

    python experiments/mutants/check.py                    # every fault of every file beside this one
    python experiments/mutants/check.py store.toml -k lock # one file's, those with "lock" in their names

A fault is a TOML table: `name` (what is broken, in words), `file`, `old` (text that stands there exactly once), `new`,
and `tests` (pytest ids that must fail, every one of them). The faults go into a copy of the committed tree; yours is
not touched. A fault that a listed test lives through, or that only breaks the import, is reported, and the exit
code is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


def copy_to(folder: Path) -> None:
    """What is committed, not what lies about."""
    tree = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=tree, check=True)
    shared = ROOT.parent / "shared"
    if shared.is_dir():
        (folder.parent / "shared").symlink_to(shared)


def outcome(tree: Path, fault: dict[str, Any]) -> str:
    """What the tests made of one fault: "caught", or why that cannot be said."""
    path = tree / fault["file"]
    whole = path.read_text(encoding="utf-8")
    if whole.count(fault["old"]) != 1:
        return f"STALE: the old text stands {whole.count(fault['old'])} times in {fault['file']}"
    path.write_text(whole.replace(fault["old"], fault["new"]), encoding="utf-8")
    try:
        failed = failures(tree, fault["tests"])
    finally:
        path.write_text(whole, encoding="utf-8")
    # A parametrised test counts once any of its cases fails.
    survivors = [test for test in fault["tests"] if not any(f == test or f.startswith(f"{test}[") for f in failed)]
    return f"SURVIVED {', '.join(survivors)}" if survivors else "caught"


def failures(tree: Path, tests: list[str]) -> list[str]:
    """Ids of the tests that ran, and failed: one that is not found, skipped or broken in its set-up does not count."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return FAILED.findall(done.stdout)


def main() -> int:
    """Check the chosen faults; 1 if one was not caught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="TOML files beside this one; without any, all of them")
    parser.add_argument("-k", default="", metavar="TEXT", help="only faults with this in their names")
    options = parser.parse_args()
    here = Path(__file__).parent
    files = [here / name for name in options.files] or sorted(here.glob("*.toml"))
    missed = 0
    with tempfile.TemporaryDirectory() as base:
        tree = Path(base) / "tree"
        tree.mkdir()
        copy_to(tree)
        for path in files:
            for fault in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]:
                if options.k not in fault["name"]:
                    continue
                said = outcome(tree, fault)
                missed += said != "caught"
                print(f"{path.stem}: {fault['name']}: {said}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
