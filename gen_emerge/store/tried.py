"""What other scorers said of stored pictures, tried beside the numbers that stand.

Takes trials, gives rows of `inputs` (kind "tried"), and back: signals as JSON numbers, exact to the last bit,
vectors as base64 of little-endian float32. Such a row belongs to no cycle (`first_cycle` 0): it counts for a change of
settings that arrived after it. So what a cycle reads of it is fixed when the change is noted, however often the cycle
is begun.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import Select, func, select

from gen_emerge.errors import Damaged
from gen_emerge.store import tables as t
from gen_emerge.store.read_candidates import CandidateReader
from gen_emerge.store.read_series import SeriesReader
from gen_emerge.store.read_signals import SignalReader
from gen_emerge.store.read_watched import WatchReader
from gen_emerge.store.rows import RESTORE, from_json
from gen_emerge.types import Embedding, Reading, Signal, Trial
from gen_emerge.types.history import wrong_input

TRIED = "tried"
"""The kind of such an input."""
_PAGE = 16
"""Rows that are read at a time."""


class TrialReader(SeriesReader, CandidateReader, SignalReader, WatchReader):
    """All of a store that reads, and what knows several versions of one number."""

    def tried(
        self, gate: str, version: str, *, before: int | None = None, ids: Collection[int] | None = None
    ) -> Trial | None:
        """Everything that was tried of one version, as one trial; None when nothing was.

        Args:
            gate: quality, prompt, novelty or style.
            version: the scorer's.
            before: only what arrived before this input (its id).
            ids: only these candidates; None for all.
        """
        statement = trials_of(gate, version)
        if before is not None:
            statement = statement.where(t.InputRow.id < before)
        rows = self._payloads(statement)
        first = next(rows, None)
        return merged(chain((first,), rows), ids) if first is not None else None

    def _payloads(self, statement: Select[int, str]) -> Iterator[dict[str, Any]]:
        """Trials one after another: a large one would not fit into memory as text, and seldom is all of it wanted."""
        last = 0
        while rows := self._all(statement.where(t.InputRow.id > last).limit(_PAGE)):
            yield from (_checked(number, text) for number, text in rows)
            last = rows[-1][0]

    def newest_trial(self, gate: str, version: str) -> int:
        """The id of the newest row of one version, 0 when there is none."""
        newest = trials_of(gate, version).order_by(None).with_only_columns(func.max(t.InputRow.id))
        return int(self._all(newest)[0][0] or 0)

    def last_tried(self, gate: str) -> Trial | None:
        """The scorer that was tried last for a gate, without its numbers."""
        rows = self._all(newest_of(gate))
        return merged([{**_checked(*rows[0]), "readings": {}, "failed": {}}], None) if rows else None

    def numbers(self, name: str, version: str) -> dict[int, float]:
        """Candidate id -> the raw number that one version of a scorer gave in the series itself."""
        s, w = t.SignalRow, t.ScorerRow
        statement = select(s.candidate, s.value).join(w, w.id == s.scorer)
        found = self._all(statement.where(w.name == name, w.version == version).order_by(s.candidate))
        return {number: value for number, value in found}


def _of_gate(gate: str) -> Select[int, str]:
    number = func.json_extract(t.InputRow.payload, "$.gate")
    return select(t.InputRow.id, t.InputRow.payload).where(t.InputRow.kind == TRIED, number == gate)


def newest_of(gate: str) -> Select[int, str]:
    """(id, payload) of what was tried last for a gate."""
    return _of_gate(gate).order_by(t.InputRow.id.desc()).limit(1)


def trials_of(gate: str, version: str) -> Select[int, str]:
    """(id, payload) of everything that was tried of one version, in order of arrival."""
    made = func.json_extract(t.InputRow.payload, "$.version")
    return _of_gate(gate).where(made == version).order_by(t.InputRow.id)


def _checked(number: int, text: str) -> dict[str, Any]:
    payload: dict[str, Any] = from_json(text)
    if wrong := wrong_input(TRIED, payload):
        raise Damaged(f"Input {number} {wrong}.", hint=RESTORE)
    return payload


def trial_payload(trial: Trial) -> dict[str, Any]:
    """A trial as plain JSON."""
    return {
        "gate": trial.gate,
        "version": trial.version,
        "table": dict(trial.table),
        "readings": {str(number): _plain(reading) for number, reading in trial.readings.items()},
        "failed": {str(number): reason for number, reason in trial.failed.items()},
    }


def merged(payloads: Iterable[dict[str, Any]], ids: Collection[int] | None) -> Trial:
    """Several rows of one version as one trial: what was measured first stands, whatever failed before or after."""
    wanted = None if ids is None else frozenset(ids)
    readings, failed, last = dict[int, Reading](), dict[int, str](), dict[str, Any]()
    for last in payloads:
        for number, plain in last["readings"].items():
            if int(number) not in readings and (wanted is None or int(number) in wanted):
                readings[int(number)] = _reading(plain, last["version"])
        failed |= {int(number): reason for number, reason in last["failed"].items()}
    return Trial(
        gate=last["gate"],
        version=last["version"],
        table=last["table"],
        readings=readings,
        failed={
            number: reason
            for number, reason in failed.items()
            if number not in readings and (wanted is None or number in wanted)
        },
    )


def _plain(reading: Reading) -> dict[str, Any]:
    plain: dict[str, Any] = {"signals": [[s.scorer, s.scorer_version, float(s.value)] for s in reading.signals]}
    if reading.embedding is not None:
        vector = np.ascontiguousarray(reading.embedding.vector, dtype="<f4")
        plain["vector"] = base64.b64encode(vector.tobytes()).decode("ascii")
    return plain


def _reading(plain: dict[str, Any], space: str) -> Reading:
    signals = tuple(
        Signal(scorer=name, scorer_version=version, value=value) for name, version, value in plain["signals"]
    )
    embedding = None
    if "vector" in plain:
        vector = np.frombuffer(base64.b64decode(plain["vector"]), "<f4").astype(np.float32)
        embedding = Embedding(space=space, vector=vector)
    return Reading(signals=signals, embedding=embedding)
