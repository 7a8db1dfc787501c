"""SQLite's errors as ours. Takes an error and the file it is about, gives what is wrong with it and what to do.

Looks at permissions, sizes and free space to tell apart what SQLite calls by one name; changes nothing.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound, StatementError

from gen_emerge.errors import BadInput, Damaged, DiskFull, GenEmergeError, NotASeries, system_limit
from gen_emerge.store.rows import RESTORE

BUSY_SECONDS = 30.0
"""How long a statement waits for another process's transaction."""

ELSEWHERE = "A series folder holds the `series.db` that gen-emerge made. If it was one, restore it from a copy."
_ERROR, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 1, 5, 6, 8, 10, 11, 13, 14, 26
UNOPENED = (_CANTOPEN, _READONLY)
"""Codes of a file that is there, and that SQLite cannot open as it means to."""


@contextmanager
def translated(path: Path) -> Generator[None, None, None]:
    """SQLAlchemy's and SQLite's errors, and those of reading what they gave, as ours."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise ours(error, path) from error
    except StatementError as error:
        raise Damaged(f"A row for {path} could not be written: {error.orig}.") from error
    except (NoResultFound, UnicodeDecodeError) as error:
        raise Damaged(f"{path} holds what was never written to it: {error}.", hint=RESTORE) from error


def code_of(error: Exception) -> int:
    """SQLite's primary result code, 0 when unknown."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(origin, "sqlite_errorcode", 0) or 0) & 0xFF


def ours(error: Exception, path: Path) -> GenEmergeError:
    """The project's error for one of SQLite's."""
    origin, code = error.orig if isinstance(error, DBAPIError) else error, code_of(error)
    if code == _FULL or (code == _IOERR and _no_space(path)):
        return DiskFull(
            f"The disk of {path} is full.", hint="Free some space and run again: nothing committed is lost."
        )
    if code == _READONLY:
        return unwritable(path) or BadInput(f"{path} was opened read-only: {origin}.")
    if code == _CANTOPEN and path.exists():
        return _unopened(path, origin)
    if code in (_BUSY, _LOCKED):
        return GenEmergeError(
            f"{path} was locked by another process for {BUSY_SECONDS:.0f} seconds.", hint="Close it and try again."
        )
    if code in (_CORRUPT, _NOTADB):
        return Damaged(
            f"{path} is damaged: {origin}.", hint=f"gen-emerge verify {path.parent.name} says where. {RESTORE}"
        )
    if code == _IOERR:
        return Damaged(
            f"The disk does not give back what was written to {path}: {origin}.",
            hint=f"Copy the series' folder to another disk as far as that goes. {RESTORE}",
        )
    if code == _ERROR:
        return Damaged(f"{path} lacks a table or column that belongs to its schema: {origin}.", hint=RESTORE)
    if isinstance(error, IntegrityError):
        return Damaged(f"What was to be stored in {path} contradicts what is there: {origin}.")
    if str(origin).startswith("Could not decode"):  # the sqlite3 module's own: text that is not UTF-8
        return Damaged(f"{path} holds what was never written to it: {origin}.", hint=RESTORE)
    return GenEmergeError(f"{path}: {origin}.")


def not_ours(error: Exception, path: Path) -> GenEmergeError:
    """The same, of a file of which nothing is known yet: something else may lie where a series is looked for."""
    if code_of(error) == _NOTADB:
        return NotASeries(
            f"{path} is not a gen-emerge series: it is no SQLite database, or its first page is destroyed.",
            hint=ELSEWHERE,
        )
    if code_of(error) == _ERROR:
        return NotASeries(f"{path} is not a gen-emerge series: it does not say which schema it has.", hint=ELSEWHERE)
    return ours(error, path)


def unreadable(path: Path) -> BadInput | None:
    """Why a file may not be read; None when it may."""
    if os.access(path, os.R_OK):
        return None
    return BadInput(
        f"{path} may not be read: you have no permission.",
        hint="Give yourself the right to read it and its folder (chmod u+rwX), or work as its owner.",
    )


def unwritable(path: Path) -> BadInput | None:
    """Why a database may not be written; None when it may. SQLite keeps its log beside it, so the folder counts too."""
    locked = [place for place in (path, path.parent) if not os.access(place, os.W_OK)]
    if not locked:
        return None
    if _on_read_only_media(path.parent):
        return BadInput(
            f"{path} cannot be written: it lies on a file system that is read-only.",
            hint="Copy the series' folder to a disk that can be written, and name that archive: --archive DIR.",
        )
    which = "the file" if locked[0] == path else "its folder"
    return BadInput(
        f"{path} cannot be written: {which} is read-only for you.",
        hint=f"Make it writable: chmod u+w {locked[0]}",
    )


def _unopened(path: Path, origin: BaseException | None) -> GenEmergeError:
    """SQLite says only that it cannot open it."""
    log = path.with_name(path.name + "-wal")
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        if limit := system_limit(error):
            return limit
    refusal = unreadable(path) or (unreadable(log) if log.exists() else None)
    if refusal is not None:
        return refusal
    locked = unwritable(path)
    if locked is not None and log.exists() and log.stat().st_size:
        return BadInput(
            f"{path} cannot be read where it lies: its newest cycles are in {log.name}, and SQLite can read them only "
            "where it may write.",
            hint=f"Make {path.parent} writable, or copy that folder to where it is, and read it there: --archive DIR.",
        )
    return locked or GenEmergeError(
        f"{path} cannot be opened: {origin}.", hint="Has the process too many files open? Try again."
    )


def _on_read_only_media(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):  # Windows has no statvfs
        return False


def _no_space(path: Path) -> bool:
    """Whether an I/O error came of a full disk: some file systems and file size limits do not say so."""
    try:
        if shutil.disk_usage(path.parent).free < 1 << 20:
            return True
        import resource

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        sizes = [p.stat().st_size for p in path.parent.glob(path.name + "*")]
        return limit != resource.RLIM_INFINITY and max(sizes, default=0) + (1 << 16) >= limit
    except (OSError, ImportError):
        return False
