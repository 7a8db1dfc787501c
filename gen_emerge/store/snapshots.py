"""One read of a series' database. Takes a statement, gives its rows; never writes, never holds a snapshot long.

The halves of a store that read are built on it. All of them work beside a running writer, from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select

from gen_emerge.store.database import reading

MANY = 10_000
"""Ids that are asked for at a time, rows that are read at a time."""


def rows_of(
    connection: Connection, statement: Select[*tuple[Any, ...]], column: Any, ids: Iterable[int] | None
) -> Iterator[Any]:
    """Rows of a statement, of all candidates or of the named ones."""
    if ids is None:
        yield from connection.execute(statement)
        return
    for chunk in _chunks(ids):
        yield from connection.execute(statement.where(column.in_(chunk)))


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    wanted = [int(i) for i in ids]
    for first in range(0, len(wanted), MANY):
        yield wanted[first : first + MANY]


class Snapshots:
    """Every read sees the database at one moment.

    Args:
        engine: of the series' database.
        path: the database file, for messages.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def _reading(self) -> AbstractContextManager[Connection]:
        return reading(self._engine, self._path)

    def _all(
        self, statement: Select[*tuple[Any, ...]], column: Any = None, ids: Iterable[int] | None = None
    ) -> list[Any]:
        with self._reading() as connection:
            return list(rows_of(connection, statement, column, ids))
