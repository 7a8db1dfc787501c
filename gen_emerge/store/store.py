"""The store of one series: `archive/NAME/series.db`. Takes records and inputs, gives history; touches that file alone.

Truth is append-only and a cycle is a transaction: `commit` writes everything a cycle derived at once. Only `begin`
(table `attempts`) and `add_input` (table `inputs`) write outside it. Any thread may read; writes wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from sqlalchemy import Engine, Select, func, insert, select

from gen_emerge.errors import NO_ROOM, BadInput, Damaged, DiskFull, NotASeries, NotFound, nearest, system_limit
from gen_emerge.store import tables as t
from gen_emerge.store.database import check_schema, engine, readable, reading, still_there, sync_folder, writing
from gen_emerge.store.read_series import STARTS_OF
from gen_emerge.store.rows import from_json, round_payload, to_json
from gen_emerge.store.sqlite_errors import ELSEWHERE, unreadable, unwritable
from gen_emerge.store.tried import TRIED, TrialReader, merged, newest_of, trial_payload, trials_of
from gen_emerge.store.write import Words, last_committed, write_cycle
from gen_emerge.types import CycleRecord, Input, Round, Trial

DATABASE = "series.db"
_DRAFT = "series.db.draft"
_START = insert(t.AttemptRow)


class Store(TrialReader):
    """All that happened in one series. Use `Store.create` or `Store.open`.

    Args:
        folder: the series' folder.
        source: engine of its database.
        readonly: nothing is ever written.
    """

    def __init__(self, folder: Path, source: Engine, *, readonly: bool) -> None:
        super().__init__(source, folder / DATABASE)
        self.folder = folder
        file = (folder / DATABASE).stat()
        self._file = (file.st_dev, file.st_ino)
        self.readonly = readonly
        self._words = Words()
        with reading(source, self._path) as connection:
            row = connection.execute(select(t.SeriesRow.facts, t.SeriesRow.created_at)).one()
            self.facts: Mapping[str, Any] = MappingProxyType(from_json(row[0]))
        self.created_at: float = row[1]
        self.takes = int(self.facts.get("takes", 1))

    @staticmethod
    def create(folder: Path, facts: Mapping[str, Any]) -> Store:
        """Make a series: its folder, `images/`, `models/` and the database with its fixed facts.

        The database is built under another name and renamed: there is a whole series or none.

        Raises:
            BadInput: it is there already, or the folder cannot be written.
        """
        path, draft = folder / DATABASE, folder / _DRAFT
        if path.exists():
            raise BadInput(f'The series "{folder.name}" exists already.', hint="Choose another name, or run that one.")
        try:
            for made in (folder, folder / "images", folder / "models"):
                made.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(_DRAFT + "*"):
                left.unlink()
        except OSError as error:
            if limit := system_limit(error):
                raise limit from error
            if error.errno in NO_ROOM:
                raise DiskFull(f"The disk of {folder} is full.", hint="Free some space and run again.") from error
            raise BadInput(f"{folder} cannot be written: {error.strerror}.", hint="Make it writable.") from error
        source = engine(draft)
        try:
            with writing(source, draft) as connection:
                connection.exec_driver_sql(f"PRAGMA application_id={t.APPLICATION_ID}")
                t.Base.metadata.create_all(connection)
                connection.exec_driver_sql(
                    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
                )
                connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (t.SCHEMA,))
                row = {"id": 1, "created_at": time.time(), "facts": to_json(facts)}
                connection.execute(insert(t.SeriesRow), [row])
        finally:
            source.dispose()
        log = folder / (_DRAFT + "-wal")
        if log.exists() and log.stat().st_size:
            # Closing could not fold the log into the file, and the file alone is not whole.
            raise DiskFull(f"The disk of {folder} is full.", hint="Free some space and run again.")
        draft.rename(path)
        sync_folder(folder)
        return Store.open(folder)

    @staticmethod
    def open(folder: Path, *, readonly: bool = False) -> Store:
        """Open a series.

        Args:
            folder: the series' folder.
            readonly: works beside a running writer, and on read-only media.

        Raises:
            NotFound: there is no such series (the nearest name is given).
            WrongSchema: its schema is older or newer.
            NotASeries: the file is none of ours.
            Damaged: SQLite cannot read it.
            BadInput: it may not be read, or not be written.
        """
        path = folder / DATABASE
        if path.is_dir():
            raise NotASeries(f"{path} is not a gen-emerge series: it is a folder.", hint=ELSEWHERE)
        if path.exists() and not path.is_file():  # nobody waits for a pipe
            raise NotASeries(f"{path} is not a gen-emerge series: it is a device, a pipe or a socket.", hint=ELSEWHERE)
        if not path.is_file():
            known = sorted(p.parent.name for p in folder.parent.glob(f"*/{DATABASE}")) if folder.parent.is_dir() else []
            raise NotFound(f'There is no series "{folder.name}" in {folder.parent}.', hint=nearest(folder.name, known))
        refusal = unreadable(path) or (None if readonly else unwritable(path))
        if refusal is not None:
            raise refusal
        source = readable(path)
        try:
            check_schema(path, source)
            if not readonly:
                source.dispose()
                source = engine(path)
            return Store(folder, source, readonly=readonly)
        except BaseException:
            source.dispose()
            raise

    def close(self) -> None:
        """Give the file back. The last one to close folds the write-ahead log into it."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _check_there(self) -> None:
        still_there(self._path, self._file)

    def begin(self, cycle: int, started: float) -> int:
        """Note a start of a cycle, durable before it returns.

        Args:
            cycle: the cycle about to be rendered; not committed yet.
            started: seconds since 1970, for display.

        Returns:
            How many unfinished starts the cycle has now, this one included.
        """
        self._check_there()
        with writing(self._engine, self._path) as connection:
            if cycle <= last_committed(connection):
                raise Damaged(f"Cycle {cycle} is committed and cannot be started again.")
            connection.execute(_START, [{"cycle": int(cycle), "started": float(started)}])
            return int(connection.execute(STARTS_OF, {"cycle": int(cycle)}).scalar_one())

    def add_input(self, kind: str, payload: Mapping[str, Any], *, first_cycle: int | None = None) -> Input:
        """Store something that came from outside, durable before it returns.

        Args:
            kind: see `types.InputKind`.
            payload: plain JSON.
            first_cycle: the first cycle that may use it; None for the one after the last started or committed.
        """
        return self._add_inputs([(kind, payload)], first_cycle)[0]

    def add_inputs(
        self, items: Sequence[tuple[str, Mapping[str, Any]]], *, unless: tuple[str, int] | None = None
    ) -> list[Input]:
        """Store several inputs: all of them or none.

        Args:
            items: (kind, payload), in order.
            unless: (kind, id): none are stored, and [] is given, where an input of this kind has come after that one.
        """
        i = t.InputRow
        newer = None if unless is None else select(i.id).where(i.kind == unless[0], i.id > unless[1])
        return self._add_inputs(items, None, unless=newer)

    def add_round(self, asked: Round) -> bool:
        """Store a requested round, unless there is one of its id; False then."""
        number = func.json_extract(t.InputRow.payload, "$.id")
        taken = select(t.InputRow.id).where(t.InputRow.kind == "round", number == asked.id)
        return bool(self._add_inputs([("round", round_payload(asked))], None, unless=taken))

    def add_import(self, payload: Mapping[str, Any]) -> Input | None:
        """Store that a picture was imported, unless one of its pixels was before; None then."""
        pixels = func.json_extract(t.InputRow.payload, "$.pixels")
        taken = select(t.InputRow.id).where(t.InputRow.kind == "import", pixels == payload["pixels"])
        return next(iter(self._add_inputs([("import", payload)], None, unless=taken)), None)

    def _add_inputs(
        self,
        items: Sequence[tuple[str, Mapping[str, Any]]],
        first_cycle: int | None,
        *,
        unless: Select[int] | None = None,
    ) -> list[Input]:
        texts = [to_json(payload) for _, payload in items]
        added: list[Input] = []
        self._check_there()
        with writing(self._engine, self._path) as connection:
            if unless is not None and connection.execute(unless).first() is not None:
                return []
            if first_cycle is None:
                attempted = connection.execute(select(func.coalesce(func.max(t.AttemptRow.cycle), 0))).scalar_one()
                first_cycle = 1 + max(attempted, last_committed(connection))
            for (kind, _), text in zip(items, texts, strict=True):
                row = {"kind": kind, "first_cycle": first_cycle, "arrived_at": time.time(), "payload": text}
                number = connection.execute(insert(t.InputRow), row).inserted_primary_key
                assert number is not None
                added.append(
                    Input(id=number[0], kind=kind, first_cycle=first_cycle, payload=from_json(text))  # pyright: ignore[reportArgumentType]
                )
        return added

    def add_trial(self, trial: Trial, *, after: int) -> tuple[int, Trial | None]:
        """Store what was tried, without what another process stored of that version since.

        Args:
            trial: one batch.
            after: the newest row of that version that is known here (its id), 0 for none.

        Returns:
            The newest row now, and what others stored since (None for nothing).
        """
        self._check_there()
        with writing(self._engine, self._path) as connection:
            since = trials_of(trial.gate, trial.version).where(t.InputRow.id > after)
            rows = [(row[0], row[1]) for row in connection.execute(since)]
            others = merged([from_json(text) for _, text in rows], None) if rows else None
            known = others.readings if others else {}
            fresh = {number: reading for number, reading in trial.readings.items() if number not in known}
            newest = rows[-1][0] if rows else after
            if fresh or trial.failed:
                text = to_json(trial_payload(replace(trial, readings=fresh)))
                row = {"kind": TRIED, "first_cycle": 0, "arrived_at": time.time(), "payload": text}
                number = connection.execute(insert(t.InputRow), row).inserted_primary_key
                assert number is not None
                newest = number[0]
        return newest, others

    def note_trial(self, trial: Trial) -> None:
        """Store that a version was tried, where its gate's newest row does not say so already: it is now the last one.

        Args:
            trial: which version, by which table; its numbers are not looked at.
        """
        self._check_there()
        text = to_json(trial_payload(replace(trial, readings={}, failed={})))
        with writing(self._engine, self._path) as connection:
            newest = connection.execute(newest_of(trial.gate)).first()
            known, new = from_json(newest[1]) if newest is not None else {}, from_json(text)
            if any(known.get(key) != new[key] for key in ("version", "table")):
                row = {"kind": TRIED, "first_cycle": 0, "arrived_at": time.time(), "payload": text}
                connection.execute(insert(t.InputRow), row)

    def commit(self, record: CycleRecord) -> None:
        """Store everything one cycle derived, in one transaction, durable before it returns.

        Raises:
            Damaged: it is not the next cycle, or contradicts what is stored; nothing was written.
            DiskFull: nothing was written, everything committed is still there.
        """
        self._check_there()
        try:
            with writing(self._engine, self._path) as connection:
                last = last_committed(connection)
                if record.cycle != last + 1:
                    raise Damaged(f"Cycle {record.cycle} cannot be committed after cycle {last}.")
                write_cycle(connection, record, self._words)
        except BaseException:
            self._words.forget()
            raise
