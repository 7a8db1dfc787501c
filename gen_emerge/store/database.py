"""Opening the SQLite file of a series. Takes a path, gives engines set up alike; reads no row but the schema's version.

Every statement of the store runs inside `reading` or `writing`, which translate errors (`sqlite_errors.py`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError, NoResultFound

from gen_emerge.errors import Damaged, NotASeries, WrongSchema
from gen_emerge.store.rows import RESTORE
from gen_emerge.store.sqlite_errors import BUSY_SECONDS, ELSEWHERE, UNOPENED, code_of, not_ours, translated
from gen_emerge.store.tables import APPLICATION_ID, SCHEMA

KEPT_OPEN = 8
"""Connections kept for the next read; what more threads need at once is opened for them, and closed after."""


def engine(path: Path, *, readonly: bool = False, immutable: bool = False) -> Engine:
    """An engine on one file: WAL, `synchronous=FULL`, foreign keys on, a 30 s busy timeout.

    Args:
        path: the database file.
        readonly: nothing is ever written, nor is the file created.
        immutable: for read-only media: SQLite then ignores locks and WAL files, so nobody may be writing.
    """
    mode = "ro" if readonly else "rwc"
    uri = f"file:{quote(str(path.resolve()))}?mode={mode}{'&immutable=1' if immutable else ''}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    # Nobody waits for a connection: as many threads read as a critic has conversations, and SQLite lets them.
    made = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=KEPT_OPEN, max_overflow=-1)

    @event.listens_for(made, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        if not readonly:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return made


@contextmanager
def reading(source: Engine, path: Path) -> Generator[Connection, None, None]:
    """A read transaction: one consistent snapshot."""
    with translated(path), source.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(source: Engine, path: Path) -> Generator[Connection, None, None]:
    """A write transaction, locked from its first statement; durable when the block is left."""
    with translated(path), source.connect().execution_options(immediate=True) as connection, connection.begin():
        yield connection


def still_there(path: Path, opened: tuple[int, int]) -> None:
    """Refuse to write into a file that was deleted or replaced: SQLite would go on, and nobody would find it again.

    Args:
        path: the database.
        opened: device and inode of the file that was opened under this name.

    Raises:
        Damaged: the file under this name is not the one that was opened.
    """
    try:
        now = path.stat()
    except OSError:
        now = None
    if now is None or (now.st_dev, now.st_ino) != opened:
        raise Damaged(f"{path} was removed or replaced while the series ran.", hint=RESTORE)


def schema_version(path: Path, source: Engine) -> str:
    """The schema of a file, read without Alembic.

    Raises:
        NotASeries: it is no database, or not one of ours.
        Damaged: SQLite cannot read it.
        BadInput: it may not be read.
    """
    try:
        with source.connect() as connection:
            identity = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            if identity != APPLICATION_ID:
                content = "it is a database of another program" if path.stat().st_size else "it is empty"
                raise NotASeries(f"{path} is not a gen-emerge series: {content}.", hint=ELSEWHERE)
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
    except (NoResultFound, UnicodeDecodeError) as error:
        raise Damaged(f"{path} does not say which schema it has.", hint=RESTORE) from error
    except (DBAPIError, sqlite3.Error) as error:
        raise not_ours(error, path) from error


def readable(path: Path) -> Engine:
    """A read-only engine that works here, also on read-only media, where SQLite cannot make the files WAL wants."""
    source = engine(path, readonly=True)
    try:
        with source.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        return source
    except UnicodeDecodeError:  # of a damaged schema: whoever reads it next says so
        return source
    except (DBAPIError, sqlite3.Error) as error:
        log = path.with_name(path.name + "-wal")
        if code_of(error) not in UNOPENED or (log.exists() and log.stat().st_size):
            return source
    source.dispose()
    return engine(path, readonly=True, immutable=True)


def check_schema(path: Path, source: Engine) -> None:
    """Refuse a file of another schema.

    Raises:
        WrongSchema: older (the hint names the command that upgrades it) or newer.
    """
    found = schema_version(path, source)
    if found == SCHEMA:
        return
    if found < SCHEMA:
        raise WrongSchema(
            f'The series "{path.parent.name}" has the older schema {found}; this gen-emerge works with {SCHEMA}.',
            hint=f"gen-emerge upgrade {path.parent.name}",
        )
    raise WrongSchema(
        f'The series "{path.parent.name}" has schema {found}, newer than {SCHEMA}, which this gen-emerge knows.',
        hint="Upgrade gen-emerge.",
    )


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable (where folders can be synced)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
