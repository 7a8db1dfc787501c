"""One process a series. Takes a series folder, gives a lock held while the block runs; touches only `.lock` in it.

The operating system holds the lock, so it ends with its process, also after `kill -9`. The text in the file (who,
where, since when) is for display alone and decides nothing.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import sys
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gen_emerge.errors import NO_ROOM, BadInput, DiskFull, HeldByAnother, system_limit

_NAME = ".lock"
_TRIES = 6
_PAUSE_SECONDS = 0.05
_open: weakref.WeakSet[Held] = weakref.WeakSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds a series. `since` and `beat` are seconds since 1970, of the owner's clock."""

    pid: int
    host: str
    since: float
    beat: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {datetime.fromtimestamp(self.since):%Y-%m-%d %H:%M:%S}"


class Held:
    """A lock that is held. `beat` says that the process is still busy; it is for display only."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self._since = time.time()
        _open.add(self)
        self.beat()

    def beat(self) -> None:
        """Write who we are and the time. A disk that is full is no reason to stop."""
        if self._handle is None:
            return
        now = time.time()
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": self._since, "beat": now})
        try:
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, text.encode().ljust(256))
        except OSError:
            return

    def release(self) -> None:
        """Let the next process in."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)

    def forget(self) -> None:
        """In a forked child: the lock stays the parent's alone, and ends with the parent."""
        self.release()


def _forget_all() -> None:
    for held in list(_open):
        held.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@contextmanager
def hold(folder: Path, *, tries: int = _TRIES) -> Generator[Held, None, None]:
    """Hold a series for as long as the block runs. The folder is made if it is not there.

    Args:
        folder: the series' folder.
        tries: how often the lock is asked for, a twentieth of a second apart, before it counts as somebody's.

    Raises:
        HeldByAnother: a living process holds it (named).
        BadInput: the folder cannot be written.
        DiskFull: not even the lock file fits.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_another(folder / _NAME)
        handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if limit := system_limit(error):
            raise limit from error
        if error.errno in NO_ROOM:
            raise DiskFull(f"The disk of {folder} is full.", hint="Free some space and run again.") from error
        raise BadInput(f"{folder} cannot be written: {error.strerror}.", hint="Make the folder writable.") from error
    for attempt in range(tries):
        if _try_lock(handle, shared=False):
            break
        # A `status` looks at the lock for a moment; only a lock that stays is somebody's.
        if attempt + 1 < tries:
            time.sleep(_PAUSE_SECONDS)
    else:
        owner = _read(handle)
        os.close(handle)
        raise HeldByAnother(
            f'The series "{folder.name}" is held by {owner or "another process"}.',
            hint="Wait until it is done, or stop that process.",
        )
    held = Held(handle)
    try:
        yield held
    finally:
        held.release()


def _refuse_another(path: Path) -> None:
    """A folder or a pipe in the lock's place holds nothing; only a file can be locked."""
    if path.exists() and not path.is_file():
        raise BadInput(
            f"{path} is no regular file: wanted the file that says who holds the series.",
            hint="Move it away; it is made again by itself.",
        )


def holder(folder: Path) -> Owner | None:
    """Who holds a series at this moment; None when nobody does. Works on a read-only folder."""
    try:
        if not stat.S_ISREG((folder / _NAME).stat().st_mode):  # opening a pipe would wait for ever
            return None
        handle = os.open(folder / _NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _try_lock(handle, shared=True):
            return None
        return _read(handle) or Owner(pid=0, host="an unknown host", since=0.0, beat=0.0)
    finally:
        os.close(handle)


def _read(handle: int) -> Owner | None:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        found = json.loads(os.read(handle, 4096).decode())
        return Owner(
            pid=int(found["pid"]), host=str(found["host"]), since=float(found["since"]), beat=float(found["beat"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30

    def _try_lock(handle: int, *, shared: bool) -> bool:
        """Windows: one byte far behind the text, so that the text stays readable."""
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        if shared:
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        return True

else:
    import fcntl

    def _try_lock(handle: int, *, shared: bool) -> bool:
        """POSIX: `flock`, which ends with the last copy of the handle (see `forget`)."""
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True
