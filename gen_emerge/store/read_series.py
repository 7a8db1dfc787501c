"""Reading what a series as a whole came to: cycles, their figures and events, thresholds, axes, inputs, rounds.

Takes cycles, gives the words of the project; never writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, bindparam, func, select

from gen_emerge.errors import Damaged
from gen_emerge.store import history as past
from gen_emerge.store import tables as t
from gen_emerge.store.answers import Answers, answers_from
from gen_emerge.store.rows import RESTORE, from_json, round_from_payload
from gen_emerge.store.snapshots import Snapshots
from gen_emerge.store.write import last_committed
from gen_emerge.types import Axes, Calibration, CycleOutcome, Event, Input, Round
from gen_emerge.types.history import INPUT_KEYS, wrong_input

_ALWAYS = (0, 1 << 62)
_INPUT = (t.InputRow.id, t.InputRow.kind, t.InputRow.first_cycle, t.InputRow.payload)
# What is asked in every cycle is built once.
STARTS_OF = select(func.count()).select_from(t.AttemptRow).where(t.AttemptRow.cycle == bindparam("cycle"))
_INPUTS_OF_CYCLES = (
    select(*_INPUT)
    .where(t.InputRow.first_cycle >= bindparam("first"), t.InputRow.first_cycle <= bindparam("last"))
    .order_by(t.InputRow.id)
)


ANSWERS_KEPT = 4
"""As of so many cycles what stands is remembered."""


class Cycle(NamedTuple):
    """One committed cycle, for display. `committed_at`: seconds since 1970; `best`: candidate id."""

    cycle: int
    committed_at: float
    best: int | None
    render_seconds: float
    cycle_seconds: float


def _input(row: Any) -> Input:
    payload = from_json(row[3])
    if wrong := wrong_input(row[1], payload):
        raise Damaged(f"Input {row[0]} {wrong}.", hint=RESTORE)
    return Input(id=row[0], kind=row[1], first_cycle=row[2], payload=payload)


class SeriesReader(Snapshots):
    """The half of a store that reads the series as a whole."""

    takes = 1
    """So many neighbouring slots hold takes of one genome: a fact of the series."""

    def __init__(self, engine: Engine, path: Path) -> None:
        super().__init__(engine, path)
        self._told: tuple[Input, ...] = ()
        self._answers: dict[int | None, Answers] = {}

    def committed(self) -> int:
        """The last committed cycle, 0 if there is none."""
        with self._reading() as connection:
            return last_committed(connection)

    def starts(self, cycle: int) -> int:
        """How often a cycle was started."""
        with self._reading() as connection:
            return int(connection.execute(STARTS_OF, {"cycle": cycle}).scalar_one())

    def attempted(self) -> int:
        """The last cycle that was started, 0 if there is none.

        Raises:
            Damaged: a row names no cycle.
        """
        newest = self._all(select(func.coalesce(func.max(t.AttemptRow.cycle), 0)))[0][0]
        if not isinstance(newest, int):  # SQLite keeps whatever it is given
            raise Damaged(f"A row of attempts has {newest!r} for its cycle.", hint=RESTORE)
        return newest

    def history(self, after: int = 0) -> Iterator[CycleOutcome]:
        """Outcomes of the cycles > `after` in order, read in chunks as they are wanted."""
        return past.history(self._engine, self._path, after, takes=self.takes)

    def cycles(self, after: int = 0) -> list[Cycle]:
        """Committed cycles > `after`, for display."""
        c = t.CycleRow
        columns = (c.cycle, c.committed_at, c.best, c.render_seconds, c.cycle_seconds)
        return [Cycle(*row) for row in self._all(select(*columns).where(c.cycle > after).order_by(c.cycle))]

    def measures(self, first: int = 1) -> list[tuple[int, dict[str, float]]]:
        """Whole-series figures of the cycles from `first` on: (cycle, name -> value), in order."""
        c = t.CycleRow
        statement = select(c.cycle, c.measures).where(c.cycle >= first).order_by(c.cycle)
        return [(cycle, from_json(text)) for cycle, text in self._all(statement)]

    def events(self, after: int = 0) -> list[tuple[int, Event]]:
        """(cycle, event) of the cycles > `after`, in order."""
        e = t.EventRow
        statement = select(e.cycle, e.kind, e.message, e.payload).where(e.cycle > after).order_by(e.id)
        return [
            (cycle, Event(kind=kind, message=message, payload=from_json(payload)))
            for cycle, kind, message, payload in self._all(statement)
        ]

    def calibrations(self) -> list[Calibration]:
        """All versions, oldest first."""
        with self._reading() as connection:
            return list(past.calibrations_between(connection, *_ALWAYS).values())

    def axes(self) -> list[Axes]:
        """All versions, oldest first."""
        with self._reading() as connection:
            return list(past.axes_between(connection, *_ALWAYS).values())

    def inputs(self, first: int, last: int) -> list[Input]:
        """Inputs with first <= first_cycle <= last, in order of arrival."""
        with self._reading() as connection:
            return [_input(row) for row in connection.execute(_INPUTS_OF_CYCLES, {"first": first, "last": last})]

    def check_kinds(self) -> None:
        """Refuse a history with an input of a kind nobody writes: whoever asks for a kind would pass it over.

        Raises:
            Damaged: naming it.
        """
        strange = select(*_INPUT).where(t.InputRow.kind.not_in(list(INPUT_KEYS))).limit(1)
        self._inputs(strange)

    def inputs_of(self, kind: str) -> list[Input]:
        """All inputs of one kind, in order of arrival."""
        return self._inputs(select(*_INPUT).where(t.InputRow.kind == kind))

    def _inputs(self, statement: Select[*tuple[Any, ...]]) -> list[Input]:
        return [_input(row) for row in self._all(statement.order_by(t.InputRow.id))]

    def rounds(self) -> list[Round]:
        """Every round, opened by the loop or on request, in order of their numbers."""
        with self._reading() as connection:
            found = list(past.rounds_between(connection, *_ALWAYS).values())
        found += [round_from_payload(each.payload) for each in self.inputs_of("round")]
        return sorted(found, key=lambda asked: (asked.cycle, int(asked.id[1:]) if asked.id[1:].isdigit() else 0))

    def answers(self, last: int | None = None) -> Answers:
        """What humans answered: what stands, and everything in order of arrival.

        Args:
            last: only what the cycles up to this one may use; None for everything.
        """
        newest = self._told[-1].id if self._told else 0
        # What was said stays said: only what is new is read, a boundary asks for the same answers several times.
        new = self._inputs(select(*_INPUT).where(t.InputRow.kind.in_(("answer", "undo")), t.InputRow.id > newest))
        if new:
            self._told, self._answers = (*self._told, *new), {}
        if last not in self._answers:
            if len(self._answers) >= ANSWERS_KEPT:
                del self._answers[next(iter(self._answers))]
            self._answers[last] = answers_from(i for i in self._told if last is None or i.first_cycle <= last)
        return self._answers[last]
