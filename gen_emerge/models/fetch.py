"""Takes an address and a place; leaves the file there whole, or not at all.

What was fetched before a kill or a lost connection is kept in `NAME.part` and gone on with (HTTP Range, and If-Range so
that a file that was replaced in between is begun anew). The file gets its name only when its hash is right. Two
processes never fetch the same file at once. Pictures of a proxy's login page are told from weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gen_emerge import __version__
from gen_emerge.errors import NO_ROOM, BadInput, DiskFull, GenEmergeError, HeldByAnother
from gen_emerge.models.catalogue import Original
from gen_emerge.models.checkpoints import git_blob, hash_file

CHUNK = 1 << 18
ATTEMPTS = 6
"""How often a connection may end without having brought anything."""
SECONDS = 30.0
"""How long a server may be silent."""
_LASTING = {400, 401, 403, 404, 405, 410, 451}

Tell = Callable[[int, int | None], None]
"""Called with the bytes that are here and, when the server says so, how many there are."""


class Unreachable(GenEmergeError):
    """The place a model lies at does not answer, or not with the model. Trying again later may help."""

    code = "unreachable"


def fetch(original: Original, target: Path, *, tell: Tell | None = None, pause: float = 1.0) -> str:
    """Fetch one file.

    Args:
        original: where from, and what its hash must be.
        target: where to; its folder is made.
        tell: told of progress.
        pause: seconds before the second attempt; doubled each time.

    Returns:
        The file's SHA-256, hex.

    Raises:
        Unreachable: the server does not answer, or says that there is no such file.
        BadInput: what came is not the file that was wanted; it is not kept.
        DiskFull: there is no room; what came is kept and gone on with.
        HeldByAnother: another process fetches it at this moment.
    """
    url = address(original.url)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with alone(target):
        try:
            _complete(url, part, tell, pause)
            found = _checked(original, part)
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise _full(part) from error
            raise
        _facts(part).unlink(missing_ok=True)
    return found


def address(url: str) -> str:
    """Where a public file is fetched from: its own address, or below `GEN_EMERGE_MIRROR` as MIRROR/host/path.

    Raises:
        BadInput: it is neither https nor on this machine.
    """
    mirror = os.environ.get("GEN_EMERGE_MIRROR", "").rstrip("/")
    if mirror:
        parts = urllib.parse.urlsplit(url)
        url = f"{mirror}/{parts.netloc}{parts.path}"
    _check_address(url)
    return url


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    near = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and near):
        raise BadInput(f"{url} is not fetched: wanted an https address.", hint="Fetch it yourself and name the file.")


def _complete(url: str, part: Path, tell: Tell | None, pause: float) -> None:
    """Go on until the whole file is in `part`."""
    fruitless = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _some_more(url, part, tell):
                return
            trouble: Exception | str = "the connection ended early"
        except urllib.error.HTTPError as error:
            error.close()
            trouble = f"HTTP {error.code} {error.reason}"
            if error.code in _LASTING:
                raise _unreachable(url, trouble) from None
        except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as error:
            trouble = getattr(error, "reason", None) or error
        after = part.stat().st_size if part.exists() else 0
        fruitless = 0 if after > before else fruitless + 1
        if fruitless >= ATTEMPTS:
            raise _unreachable(url, trouble)
        time.sleep(pause * 2**fruitless if fruitless else 0.0)


def _unreachable(url: str, trouble: object) -> Unreachable:
    return Unreachable(
        f"{url} could not be fetched: {str(trouble) or type(trouble).__name__}.",
        hint="Run the command again later: it goes on where it stopped. Or fetch the file elsewhere and name its path.",
    )


def _some_more(url: str, part: Path, tell: Tell | None) -> bool:
    """One request. Says whether the file is whole now."""
    here, mark = _begun(url, part)
    headers = {"User-Agent": f"gen-emerge/{__version__}", "Accept-Encoding": "identity"}
    if here:
        headers |= {"Range": f"bytes={here}-", **({"If-Range": mark} if mark else {})}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        whole = _after_slash(error.headers.get("Content-Range"))
        error.close()
        if whole == here:
            return True
        part.unlink(missing_ok=True)
        return False
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise _unreachable(url, "it answers with a web page, not with a file")
        goes_on = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {here}-")
        begin = here if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = begin + int(length) if length is not None else None
        _note(url, part, answer.headers.get("ETag") or answer.headers.get("Last-Modified"))
        _room_for(part, 0 if length is None else int(length))
        with part.open("ab" if goes_on else "wb") as file:
            came = _pour(answer, file, begin, total, tell)
    return came == total if total is not None else True


def _pour(answer: http.client.HTTPResponse, file: IO[bytes], begin: int, total: int | None, tell: Tell | None) -> int:
    came = begin
    while block := answer.read1(CHUNK):
        file.write(block)
        came += len(block)
        if tell is not None:
            tell(came, total)
    return came


def _begun(url: str, part: Path) -> tuple[int, str]:
    """How much is here, and the mark the server gave that state of the file ("" for none)."""
    if not part.exists():
        return 0, ""
    try:
        facts: dict[str, Any] = json.loads(_facts(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = {}
    if facts.get("url") != url:
        part.unlink()
        return 0, ""
    mark = str(facts.get("mark") or "")
    return part.stat().st_size, "" if mark.startswith("W/") else mark


def _note(url: str, part: Path, mark: str | None) -> None:
    _facts(part).write_text(json.dumps({"url": url, "mark": mark}), encoding="utf-8")


def _facts(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _after_slash(content_range: str | None) -> int | None:
    tail = (content_range or "").rpartition("/")[2]
    return int(tail) if tail.isdigit() else None


def _room_for(part: Path, coming: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if coming > free:
        raise DiskFull(
            f"{part.parent} has room for {free:,} bytes, and {coming:,} are still to come.",
            hint="Free some space, or set GEN_EMERGE_MODELS to a folder elsewhere, and run the command again.",
        )


def _full(part: Path) -> DiskFull:
    here = part.stat().st_size if part.exists() else 0
    return DiskFull(
        f"There is no room left in {part.parent}: {here:,} bytes of {part.stem} are here and kept.",
        hint="Free some space and run the command again: it goes on where it stopped.",
    )


def _checked(original: Original, part: Path) -> str:
    """Hold the whole file against its known hash; what is wrong is not kept."""
    found = hash_file(part, hashlib.sha256())
    blob = git_blob(part) if original.git_blob else ""
    wanted: list[tuple[str, str, str]] = [
        ("SHA-256", original.sha256, found),
        ("SHA-256", original.sha256_prefix, found[: len(original.sha256_prefix)]),
        ("git blob id", original.git_blob, blob),
    ]
    for kind, known, came in wanted:
        if known and known != came:
            size = part.stat().st_size
            part.unlink()
            _facts(part).unlink(missing_ok=True)
            raise BadInput(
                f"{original.url} gave another file: its {kind} is {came}, wanted {known} ({size:,} bytes came).",
                hint="It is not kept. The original was replaced, or something between it and you changes files.",
            )
    return found


@contextmanager
def alone(target: Path) -> Generator[None, None, None]:
    """Keep other processes away from one target; the operating system lets go when this one ends, however it ends.

    Raises:
        HeldByAnother: another process is at it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _try_lock(handle):
            raise HeldByAnother(
                f"Another process is fetching {target.name}.", hint="Wait until it is done, or stop that process."
            )
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    import msvcrt  # Windows

    locking: Any = msvcrt
    try:
        locking.locking(handle, locking.LK_NBLCK, 1)
    except OSError:
        return False
    return True
