"""What became of imported pictures, queued ones included: inputs of kind "import" -> one plain row each.

Reads beside a running series; changes nothing but `unreadable.json`, in which stand the files that could not be read.
It is only for display: a file that gave no pixels is no input of the series, and deleting the list loses nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from gen_emerge.account import Account, accounts
from gen_emerge.config import SeriesConfig, load
from gen_emerge.crew import known_names
from gen_emerge.imported import KIND, Imports, genome_of, planned, room
from gen_emerge.state import State
from gen_emerge.store import DATABASE, Store
from gen_emerge.studio_folder import series_file

Row = dict[str, Any]
OUTCOMES = ("placed", "accepted", "review", "pending", "rejected", "failed", "queued", "already", "unreadable")
"""What may become of a picture; `accepted`: it passed, and another image holds its cell."""


_NOTED = "unreadable.json"


def list_imports(root: Path, archive: Path, name: str) -> dict[str, Any]:
    """Every picture that was ever imported into a series, in order of arrival; then files that could not be read.

    Returns:
        The object that `gen-emerge --json import NAME --list` prints.

    Raises:
        NotFound: there is no such series.
    """
    config, folder = load(series_file(root, name), known=known_names()), archive / name
    if not (folder / DATABASE).exists():
        return {"series": name, "cycle": 0, "imports": [], "counts": {}, "queued_until": None}
    with closing(Store.open(folder, readonly=True)) as store:
        payloads = {genome_of(item.payload).hash: item.payload for item in store.inputs_of(KIND)}
        state, rows = became(store, config, list(payloads))
    for genome, payload in payloads.items():
        rows[genome] = {"file": payload["source"], **rows[genome], "prompt": payload["prompt"]}
    every = [*rows.values(), *_noted(folder).values()]
    return {
        "series": name,
        "cycle": state.cycle,
        "imports": every,
        "counts": counted(every),
        "queued_until": last_turn(every),
    }


def note_unreadable(folder: Path, pictures: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keep which files of an imported folder could not be read; what was said of that folder before is forgotten.

    Args:
        folder: the series'.
        pictures: the folder that was imported.
        rows: one a file.
    """
    own = pictures.resolve()
    before = _noted(folder)
    kept = {path: row for path, row in before.items() if not Path(path).is_relative_to(own)}
    now = {str(own / row["file"]): dict(row) for row in rows if row.get("outcome") == "unreadable"}
    if kept | now == before:
        return
    with contextlib.suppress(OSError):  # only for display: a disk that is full stops nothing here
        draft = folder / f"{_NOTED}.draft"
        draft.write_text(json.dumps(kept | now), encoding="utf-8")
        draft.replace(folder / _NOTED)


def _noted(folder: Path) -> dict[str, Row]:
    """Path -> row of a file that could not be read; nothing of a list that is missing, torn, or not as we write it."""
    with contextlib.suppress(OSError, ValueError):
        found: Any = json.loads((folder / _NOTED).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            rows = cast("dict[str, Any]", found).items()
            return {path: row for path, row in rows if _as_written(row)}
    return {}


def _as_written(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    known = cast("Row", row)
    return known.get("outcome") == "unreadable" and isinstance(known.get("file"), str)


def became(store: Store, config: SeriesConfig, genomes: Sequence[str]) -> tuple[State, dict[str, Row]]:
    """The state of a series, and what became of imported pictures, by their genomes' hashes and in their order."""
    made = store.candidates_of(genomes)
    state, found = accounts(store, made.values())
    # A running series may have committed between the two readings: whoever came in then is looked up too.
    while any(genome not in made and state.rendered(genome) for genome in genomes):
        made = store.candidates_of(genomes)
        state, found = accounts(store, made.values())
    waits = turns(store, state, config)
    return state, {genome: _row(found.get(made.get(genome, 0)), waits.get(genome), config) for genome in genomes}


def _row(account: Account | None, turn: int | None, config: SeriesConfig) -> Row:
    if account is not None:
        return account.row()
    when = f"in cycle {turn}" if turn is not None else f"once the warm-up of {config.loop.warmup_cycles} cycles is over"
    return {"outcome": "queued", "cycle": turn, "said": f"It is queued, and takes its slot {when}."}


def turns(store: Store, state: State, config: SeriesConfig) -> dict[str, int]:
    """Genome -> the cycle in which it takes its slot, for every import that was not measured yet."""
    loop = config.loop
    # As of the state's commit: a running series may have committed since, and proposed for one cycle more.
    last = state.cycle + 1 + loop.pipeline_depth
    proposals = {c: those for c, those in store.pending_proposals(state.cycle).items() if c <= last}
    proposed = {p.genome.hash for those in proposals.values() for p in those}
    waits = Imports(store.inputs_of(KIND), known=lambda genome: genome in proposed or state.rendered(genome)).waiting()
    return planned(
        waits,
        proposals,
        committed=state.cycle,
        depth=loop.pipeline_depth,
        batch=loop.batch,
        pixels=room(loop.batch, config.image.width, config.image.height),
        warmup=loop.warmup_cycles,
    )


def counted(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Outcome -> how many rows have it, in the order of `OUTCOMES`; those nobody has are left out."""
    counts = Counter(row["outcome"] for row in rows)
    return {outcome: counts[outcome] for outcome in OUTCOMES if outcome in counts}


def last_turn(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """The last cycle that one of these pictures is queued for."""
    return max((row["cycle"] for row in rows if row["outcome"] == "queued" and row["cycle"]), default=None)
