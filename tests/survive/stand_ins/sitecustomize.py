"""Imported by every Python process of these tests at its start: what is to be different there, as its environment says.

`STAND_IN_SCORERS`: `gen_emerge.scorers.embedded` is `stand_in_scorers.py` beside this file: quick, and no networks.
`STAND_IN_CRITIC=SECONDS`: the critic `measured` is `stand_in_critic.py` beside this file: it takes its time.
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

STAND_INS = {
    "gen_emerge.scorers.embedded": ("STAND_IN_SCORERS", "stand_in_scorers.py"),
    "gen_emerge.critics.measured": ("STAND_IN_CRITIC", "stand_in_critic.py"),
    "gen_emerge.scorers.loading": ("STAND_IN_MODELS", "stand_in_loading.py"),
}
"""Module -> the variable that asks for the stand-in, and its file."""
_true_time = time.time


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torch" and os.environ.get("STAND_IN_MODELS"):
            return ModuleSpec("torch", None)  # looked for by those who only ask whether it is there
        wanted, file = STAND_INS.get(fullname, ("", ""))
        if not os.environ.get(wanted):
            return None
        return importlib.util.spec_from_file_location(fullname, Path(__file__).with_name(file))


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
