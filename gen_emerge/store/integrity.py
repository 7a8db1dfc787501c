"""Whether the database itself is whole. Takes its path, gives what is wrong; changes nothing.

Three looks, each deeper than the one before. SQLite's own check walks every page of every table and index, but takes
what stands in a row on trust: it holds no checksums. So every value is read as what its column says it is, recipes are
hashed again and vectors measured. And every row that another one names must be there. Works beside a running series:
each table is a short snapshot.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import Column, Engine, Table

from gen_emerge.errors import Damaged
from gen_emerge.store.database import readable, reading
from gen_emerge.store.rows import genome_from
from gen_emerge.store.tables import JSON_TEXT, Base
from gen_emerge.types.history import wrong_input

_AT_A_TIME = 500
_TYPES: dict[type, tuple[type, ...]] = {int: (int,), bool: (int,), float: (float, int), str: (str,), bytes: (bytes,)}
_NOTHING = "\0" * 4
"""Nobody writes this into a text; a page of zeros gives it."""
_LENGTH_ERROR = 0.01
"""How far a unit vector's length may be from 1: half precision is nearer than that, a lost page is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One disagreement.

    `missing`: a stored picture has no file; `hash`: a file's bytes are not the ones that were written, the database's
    too; `orphan`: a file under `images/` or `imports/` that nothing knows; `replay`: the history contradicts itself, or
    replaying it gives another state.

    Args:
        kind: what is wrong.
        path: of a file, relative to the series' folder; of `replay`, the place in the history.
        table: the table of the database that is meant; "" where none is.
        detail: more words, "" where kind and path say all.
    """

    kind: Literal["missing", "hash", "orphan", "replay"]
    path: str
    table: str = ""
    detail: str = ""


def verify_pages(path: Path) -> list[Problem]:
    """What SQLite's own check says, one problem a table; it needs no schema of ours.

    Raises:
        BadInput: the file may not be read.
        GenEmergeError: another process keeps it locked.
    """
    with _opened(path) as source:
        whole = _check(source, path, "1")
        if not whole:
            return []
        try:
            with reading(source, path) as connection:
                names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
                tables = [str(row[0]) for row in names]
        except Damaged:  # not even what tables there are can be read
            tables = []
        said = {table: _check(source, path, f"'{table}'") for table in tables}
    hit = [table for table, lines in said.items() if lines]
    if len(hit) <= 1:
        return [_damaged(path, "".join(hit), whole)]
    return [_damaged(path, table, said[table]) for table in hit]


def verify_rows(path: Path, *, besides: Collection[str] = ()) -> list[Problem]:
    """Every value of every table of this program's schema, and every row that another one names.

    Args:
        path: the database.
        besides: tables known to be damaged, which are left out; with any, missing rows prove nothing and are not told.
    """
    with _opened(path) as source:
        found = [_values(source, path, table) for table in Base.metadata.sorted_tables if table.name not in besides]
        references = [] if besides else _references(source, path)
    return [*(problem for problem in found if problem is not None), *references]


@contextmanager
def _opened(path: Path) -> Generator[Engine, None, None]:
    source = readable(path)
    try:
        yield source
    finally:
        source.dispose()


def _check(source: Engine, path: Path, of: str) -> list[str]:
    """What `PRAGMA integrity_check` complains of.

    Args:
        source: of the database.
        path: the database.
        of: "1" for the whole file up to the first complaint; a table's name in quotes for all about it and its indexes:
            that often ends with an error, and Python's sqlite3 loses what was said just before one.
    """
    lines: list[str] = []
    try:
        with reading(source, path) as connection:
            rows = connection.exec_driver_sql(f"PRAGMA integrity_check({of})")
            while row := rows.fetchone():
                lines += [line for line in str(row[0]).splitlines() if line and not line.startswith("***")]
    except Damaged as error:
        lines.append(error.message)
    return [] if lines == ["ok"] else lines


def _damaged(path: Path, table: str, said: list[str]) -> Problem:
    more = f", and {len(said) - 1} more" if len(said) > 1 else ""
    return Problem(kind="hash", path=path.name, table=table, detail=said[0].replace(str(path), path.name) + more)


def _references(source: Engine, path: Path) -> list[Problem]:
    try:
        with reading(source, path) as connection:
            rows = connection.exec_driver_sql("PRAGMA foreign_key_check")
            missing = Counter((str(row[0]), str(row[2])) for row in rows)
    except Damaged as error:
        return [_damaged(path, "", [error.message])]
    return [
        Problem(kind="replay", path=f"{table}: {count} rows name {parent} that are not there", table=table)
        for (table, parent), count in sorted(missing.items())
    ]


def _values(source: Engine, path: Path, table: Table) -> Problem | None:
    """The first value of a table that nobody can have written, and how many rows have one."""
    columns, keys = list(table.columns), [column.name for column in table.primary_key]
    names = ", ".join(f'"{column.name}"' for column in columns)
    said: list[str] = []
    try:
        with reading(source, path) as connection:
            for some in connection.exec_driver_sql(f'SELECT {names} FROM "{table.name}"').partitions(_AT_A_TIME):
                for values in some:
                    row = dict(zip((column.name for column in columns), values, strict=True))
                    if wrong := _wrong(table, columns, row):
                        said.append(f"{', '.join(f'{key} {row[key]}' for key in keys)}: {wrong}")
    except Damaged as error:
        said.append(error.message)
    return _damaged(path, table.name, said) if said else None


def _wrong(table: Table, columns: list[Column[Any]], row: Mapping[str, Any]) -> str:
    for column in columns:
        if wrong := _wrong_value(column, row[column.name]):
            return f"{column.name} {wrong}"
    return _DEEPER[table.name](row) if table.name in _DEEPER else ""


def _wrong_value(column: Column[Any], value: Any) -> str:
    if value is None:
        return "" if column.nullable else "is empty"
    if not isinstance(value, _TYPES[column.type.python_type]):
        return f"is of type {type(value).__name__}"
    if column.info.get(JSON_TEXT):
        try:
            json.loads(value)
        except ValueError as error:
            return f"is no JSON: {error}"
    return "holds zeros" if isinstance(value, str) and _NOTHING in value else ""


def _wrong_recipe(row: Mapping[str, Any]) -> str:
    try:
        found = genome_from(row["recipe"], "", "").hash
    except (Damaged, AttributeError) as error:
        return f"recipe: {error}"
    return "" if found == row["hash"] else f"recipe has another hash than {row['hash']}"


def _wrong_vector(row: Mapping[str, Any]) -> str:
    if not row["vector"] or len(row["vector"]) % 4:
        return f"vector has {len(row['vector'])} bytes"
    length = float(np.linalg.norm(np.frombuffer(row["vector"], "<f4").astype(np.float64)))
    return "" if abs(length - 1) <= _LENGTH_ERROR else f"vector has the length {length:g}, not 1"


def _wrong_payload(row: Mapping[str, Any]) -> str:
    return wrong_input(row["kind"], json.loads(row["payload"]))


_DEEPER: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "genomes": _wrong_recipe,
    "embeddings": _wrong_vector,
    "inputs": _wrong_payload,
}
"""Tables whose rows carry more by which they can be checked."""
