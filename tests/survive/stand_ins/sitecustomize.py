"""Imported by every Python process of these tests at its start: what is to be different there, as its environment says.

`STAND_IN_SCORERS`: `gen_emerge.scorers.embedded` is `stand_in_scorers.py` beside this file: quick, and no networks.
`STAND_IN_MODELS`: `gen_emerge.scorers.loading` is `stand_in_loading.py`, and torch seems to be installed.
`STAND_IN_CLOCK=OFFSET,STEP`: `time.time()` is OFFSET seconds off, and every call takes it STEP seconds further back.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

SCORERS = "gen_emerge.scorers.embedded"
LOADING = "gen_emerge.scorers.loading"
_true_time = time.time


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == SCORERS and os.environ.get("STAND_IN_SCORERS"):
            return importlib.util.spec_from_file_location(fullname, Path(__file__).with_name("stand_in_scorers.py"))
        if fullname == LOADING and os.environ.get("STAND_IN_MODELS"):
            return importlib.util.spec_from_file_location(fullname, Path(__file__).with_name("stand_in_loading.py"))
        if fullname == "torch" and os.environ.get("STAND_IN_MODELS"):
            return ModuleSpec("torch", None)  # looked for by those who only ask whether it is there
        return None


def set_clock() -> None:
    """Let `time.time` say what the environment wants."""
    wanted = os.environ.get("STAND_IN_CLOCK")
    if not wanted:
        return
    offset, step = (float(word) for word in wanted.split(","))
    calls = 0

    def wrong() -> float:
        nonlocal calls
        calls += 1
        return _true_time() + offset - calls * step

    time.time = wrong


sys.meta_path.insert(0, _Finder())
set_clock()
