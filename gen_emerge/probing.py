"""Genomes that may kill a process: each is rendered and scored in one that may die (`probe.py` is what runs there).

Takes genomes and the configuration they are made under; gives who killed its process, and how. Starts processes, and
writes nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from gen_emerge.config import SeriesConfig, as_table
from gen_emerge.errors import GenEmergeError
from gen_emerge.types import Genome

PROBE_SECONDS = 600.0
"""How long one probed genome may take before its process is counted as dead."""


def probe(
    genomes: Sequence[Genome], config: SeriesConfig, root: Path, references: Sequence[str], folder: Path | None = None
) -> dict[str, str]:
    """Render and score genomes one by one in a process of its own; whoever kills it is named, the rest goes on.

    Only a death seen by this living parent counts. A genome that merely raises is not a death: the engine handles it.

    Returns:
        Genome hash -> how its process ended.
    """
    deaths: dict[str, str] = {}
    waiting = list(genomes)
    while waiting:
        survived, ending = _probe_some(waiting, config, root, references, folder)
        if ending is None:
            break
        if survived == len(waiting):  # it hung once all was done: none of them is to blame
            break
        deaths[waiting[survived].hash] = ending
        waiting = waiting[survived + 1 :]
    return deaths


def _probe_some(
    genomes: Sequence[Genome], config: SeriesConfig, root: Path, references: Sequence[str], folder: Path | None
) -> tuple[int, str | None]:
    """Start one probing process: how many genomes it got through, and how it died (None when it did not)."""
    asked = {
        "settings": as_table(config),  # with the paths of models in
        "root": str(root),
        "references": list(references),
        "folder": str(folder) if folder is not None else "",
        "genomes": [{**g.recipe(), "parents": g.parents, "operator": g.operator} for g in genomes],
    }
    command = [sys.executable, "-m", "gen_emerge.probe"]
    try:
        ended = subprocess.run(
            command,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS * len(genomes),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        printed = cast("str | bytes", late.stdout or b"")
        # Bytes, whatever `text` asked for, on all systems but one.
        lines = str(printed, errors="replace").splitlines() if isinstance(printed, bytes) else printed.splitlines()
        return lines.count("done"), f"no answer within {PROBE_SECONDS:.0f} s"
    lines = ended.stdout.splitlines()
    if "ready" not in lines:
        raise GenEmergeError(f"The probing process did not start: {ended.stderr.strip()[-300:]}")
    survived, code = lines.count("done"), ended.returncode
    if survived == len(genomes):
        return survived, None
    return survived, f"killed its process (signal {-code})" if code < 0 else f"ended its process (exit code {code})"
