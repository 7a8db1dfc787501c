"""Takes what the operating system gives: streams that may be closed or full, and errors of files.

Gives streams that can be used, and errors that a user can correct.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any

from gen_emerge.errors import NO_ROOM, BadInput, DiskFull, GenEmergeError, SystemLimit, system_limit

_NO_PLACE: dict[int, str] = {
    errno.ENOENT: "There is no such file or folder",
    errno.ENOTDIR: "A part of this path is no folder",
    errno.EISDIR: "This is a folder, wanted a file",
    errno.ENAMETOOLONG: "This name is too long for a file",
    errno.ELOOP: "This is a link that leads in a circle",
    errno.EACCES: "This may not be read or written",
    errno.EPERM: "This may not be read or written",
    errno.EROFS: "This lies where nothing can be written",
    errno.EEXIST: "Something else is there already",
    errno.EIO: "The disk or the device fails at this",
}
_HINTS: dict[int, str] = {
    errno.EACCES: "Change its permissions, or name another.",
    errno.EPERM: "Change its permissions, or name another.",
    errno.EROFS: "Name a place that can be written to.",
    errno.EIO: "Try again; copy what is still readable to another disk, and name that.",
}
_MEMORY = ("cannot allocate memory", "failed to map segment", "cannot create shared memory", "unable to allocate")
"""What libraries that cannot be loaded, or arrays that do not fit, say of memory."""


def open_streams() -> bool:
    """Make all three streams usable; False, after saying so, where there is no stdout for the result.

    A closed stream also leaves its number free: the next file that is opened would get what is meant for a terminal.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        with contextlib.suppress(OSError, AttributeError):
            sys.stderr.write("Error: Standard output is closed: send the result somewhere, such as >/dev/null\n")
        return False
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A file name or prompt that the terminal cannot show must not end a run.
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    return True


def settle() -> None:
    """What a full or closed stream still holds is dropped, so that the interpreter's own end stays quiet."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _to_nowhere(stream)


def closed_pipe() -> int:
    """Whoever read our output has left; say nothing more."""
    for stream in (sys.stdout, sys.stderr):
        _to_nowhere(stream)
    return 0


def _to_nowhere(stream: Any) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(null, stream.fileno())
    os.close(null)


def from_system(error: Exception) -> GenEmergeError | None:
    """A full disk, too little memory, a path that leads nowhere, a folder that may not be written to: no bugs."""
    if (limit := _limit(error)) is not None:
        return limit
    if not isinstance(error, OSError):
        return None
    if error.errno in NO_ROOM:
        return DiskFull(f"There is no room left: {error}.", hint="Free some space and run the command again.")
    if error.errno not in _NO_PLACE:
        return None
    if error.errno == errno.ENOENT and _lost():
        return BadInput("The working directory is gone: it was deleted or moved.", hint="Go to one that exists: cd DIR")
    name = str(error.filename) if error.filename is not None else str(error)
    shown = name if len(name) <= 120 else f"{name[:117]}..."
    return BadInput(f"{_NO_PLACE[error.errno]}: {shown}", hint=_HINTS.get(error.errno, "Name another."))


def _limit(error: BaseException) -> SystemLimit | None:
    """A limit of the system that an error, or what it came of, speaks of."""
    seen: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in seen:
        seen.append(here)
        said = str(here).lower()
        if (limit := system_limit(here)) is not None:
            return limit
        # A library that cannot be loaded has only words for it.
        if isinstance(here, ImportError) and "too many open files" in said:
            return system_limit(OSError(errno.EMFILE, ""))
        if isinstance(here, ImportError | RuntimeError | OSError) and any(words in said for words in _MEMORY):
            return system_limit(MemoryError())
        here = here.__cause__ or here.__context__
    return None


def _lost() -> bool:
    try:
        return not Path.cwd().is_dir()
    except OSError:
        return True
