"""Takes bytes and a path; leaves either the whole file or nothing. Touches only that file and a temporary sibling."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gen_emerge.errors import NO_ROOM, BadInput, DiskFull, GenEmergeError, system_limit
from gen_emerge.types import DRAWING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_ELSEWHERE = "Name a file in a folder that can be written to."


def check_target(path: Path) -> Path:
    """Refuse a path that cannot become a file, before any work is done. Changes nothing.

    Returns:
        The file that will be written: a link is followed to its target.

    Raises:
        BadInput: something is there that is no regular file, or its folder is missing or cannot be written to.
        DiskFull: there is no room in that folder.
    """
    try:
        target = Path(os.path.realpath(path))
        _refuse_what_is_no_file(path, target)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error
    return target


def drawing(picture: Picture, what: str) -> bytes:
    """The bytes of a PNG that says of itself that it was drawn of pictures: nobody takes it for one of them.

    Args:
        picture: the drawing.
        what: such as "contact sheet".
    """
    from PIL.PngImagePlugin import PngInfo

    texts, buffer = PngInfo(), io.BytesIO()
    texts.add_text(DRAWING, what)
    picture.save(buffer, "PNG", compress_level=4, pnginfo=texts)
    return buffer.getvalue()


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, and return its path. An older regular file is replaced; a link stays a link.

    Raises:
        BadInput: something is there that is no regular file, or the folder does not exist or cannot be written to.
        DiskFull: there is no room for it.
    """
    draft: Path | None = None
    try:
        target = Path(os.path.realpath(path))
        _refuse_what_is_no_file(path, target)
        draft = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(target)
    except (OSError, ValueError) as error:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        raise _refused(path, error) from error
    return path


def _refuse_what_is_no_file(path: Path, target: Path) -> None:
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise BadInput(f"Cannot write {path}: it is a link that leads in a circle.", hint="Name another file.")
    if stat.S_ISDIR(mode):
        raise BadInput(f"Cannot write {path}: it is a folder, wanted a file.", hint="Name a file inside it.")
    if not stat.S_ISREG(mode):
        raise BadInput(
            f"Cannot write {path}: it is a device, a pipe or a socket, wanted a regular file.",
            hint="Name a file that may be made or replaced.",
        )
    if not os.access(target, os.W_OK):
        raise BadInput(
            f"Cannot write {path}: the file there is write-protected.", hint="Name another, or make it writable."
        )


def _refused(path: Path, error: OSError | ValueError) -> GenEmergeError:
    if isinstance(error, ValueError):
        return BadInput(f"Cannot write {str(path)!r}: {error}.", hint=_ELSEWHERE)
    if limit := system_limit(error):
        return limit
    if error.errno in NO_ROOM:
        return DiskFull(f"No room to write {path}.", hint="Free some space and ask for it again.")
    shown = str(path) if len(str(path)) <= 120 else f"{str(path)[:117]}..."
    reason = (error.strerror or "it cannot be written").lower()
    return BadInput(f"Cannot write {shown}: {reason}.", hint=_ELSEWHERE)
