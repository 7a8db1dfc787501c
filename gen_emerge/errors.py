"""The tree of errors. Every one says what came, what was wanted and what to do.

::

    GenEmergeError            code, exit_code, hint
    ├── BadInput              2   an argument, a file or a value the user can correct
    │   ├── BadConfig         2   a series file: names the key's path
    │   ├── NotFound          2   a series, a bank, a file: names the nearest that exists
    │   ├── NotASeries        2   a file where a series' database is looked for is none, or not one of ours
    │   ├── FixedKeyChanged   2   a key that may not change once a series has cycles
    │   └── WrongSchema       2   a database older (upgrade it) or newer (upgrade gen-emerge)
    ├── HeldByAnother         3   the series folder is locked by a living process
    ├── WaitingForHuman       4   an open round, and on_checkin = "wait"
    ├── OutOfBudget           5   a budget is spent
    │   ├── DiskFull          5   what was committed is still there
    │   └── SystemLimit       5   memory, threads or open files: the system gives no more
    ├── MissingExtra          2   an optional library: names the install command
    ├── MissingModel          2   weights that are not here: names the command that fetches them
    ├── GeneratorFailed       1   a generator broke its contract for one genome
    ├── ScorerFailed          1   a scorer could not measure a picture: says which and why
    └── Damaged               1   stored history contradicts itself; `gen-emerge verify` names where
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

NEAR = 0.6
"""How alike two words are, from 0 to 1 (Ratcliff and Obershelp's), before one is taken for the other misspelt."""
IN_THE_FILE = "Correct the series file; nothing was changed."
"""The hint about a value of a series file; where the value came another way, whoever took it says otherwise."""

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""What the system says of a file that may not grow: a full disk, a quota that is used up, a limit of file sizes."""


class GenEmergeError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what came and what was wanted, one or two sentences.
        hint: what to do next, or None.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class BadInput(GenEmergeError):
    """Something the user gave cannot be used as it is; nothing was changed."""

    code = "bad-input"
    exit_code = 2


class BadConfig(BadInput):
    """A series file holds a wrong key, type or value."""

    code = "bad-config"


class NotFound(BadInput):
    """A series, bank, folder or file does not exist."""

    code = "not-found"


class NotASeries(BadInput):
    """What lies where a series' database is looked for is no database, or another program's."""


class FixedKeyChanged(BadInput):
    """A key that is fixed once a series has cycles was changed."""

    code = "fixed-key-changed"


class WrongSchema(BadInput):
    """The database has an older or a newer schema than this program."""

    code = "wrong-schema"


class MissingExtra(BadInput):
    """An optional library is not installed."""

    code = "missing-extra"


class MissingModel(GenEmergeError):
    """A model's weights are not on this disk.

    Args:
        message: what is missing, and what needs it.
        hint: the command that fetches it.
    """

    code = "missing-model"
    exit_code = 2


class HeldByAnother(GenEmergeError):
    """Another living process holds the series."""

    code = "held"
    exit_code = 3


class WaitingForHuman(GenEmergeError):
    """A round is open and the series waits for its answers."""

    code = "waiting"
    exit_code = 4


class OutOfBudget(GenEmergeError):
    """A budget (time, images, money, disk) is spent."""

    code = "budget"
    exit_code = 5


class DiskFull(OutOfBudget):
    """The disk is full; everything committed is still there."""

    code = "disk-full"


class SystemLimit(OutOfBudget):
    """The system gives no more memory, threads or open files; everything committed is still there."""

    code = "system-limit"


class GeneratorFailed(GenEmergeError):
    """A generator raised, or gave something else than one image per genome."""

    code = "generator"


class ScorerFailed(GenEmergeError):
    """A scorer could not measure a picture: it gave NaN, or the picture cannot be read. That picture fails alone."""

    code = "scorer"


class Damaged(GenEmergeError):
    """Stored history contradicts itself."""

    code = "damaged"


KEPT = "Everything committed is kept."


def system_limit(error: BaseException) -> SystemLimit | None:
    """What an error says of the system's limits: files open, threads and processes, memory; None where of none.

    Whoever catches errors of the system to say what is wrong with a file asks this first: the file is not to blame.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.EMFILE, errno.ENFILE):
        return SystemLimit(
            "Too many files are open: the system lets this process open no more.",
            hint=f"Allow more of them, such as: ulimit -n 1024. {KEPT}",
        )
    if code == errno.EAGAIN or (isinstance(error, RuntimeError) and "can't start new thread" in str(error)):
        return SystemLimit(
            "The system starts no further thread or process for this user.",
            hint=f"Allow more of them or more memory (see ulimit -u, ulimit -v), or end other programs. {KEPT}",
        )
    if code == errno.ENOMEM or isinstance(error, MemoryError):
        return SystemLimit(
            "There is not enough memory.",
            hint="End other programs or allow more (see ulimit -v); smaller images and a smaller [loop] batch need "
            f"less. {KEPT}",
        )
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence naming the known word nearest to `word`, or the known ones when none is near.

    Example:
        >>> nearest("warmht", ["warmth", "contrast"])
        'Did you mean "warmth"?'
    """
    options = list(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=NEAR)
    if close:
        return f'Did you mean "{close[0]}"?'
    return "Known: " + ", ".join(options[:40]) + "." if options else ""
