"""Takes bytes and a path; leaves either the whole file or nothing. Touches only that path and a temporary sibling."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from gen_emerge.errors import BadInput, DiskFull


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, and return its path.

    Raises:
        BadInput: the folder does not exist or cannot be written to.
        DiskFull: there is no room for it.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True) if draft.parent.is_dir() else None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"No room to write {path}.", hint="Free some space and ask for it again.") from error
        reason = (error.strerror or "it cannot be written").lower()
        raise BadInput(
            f"Cannot write {path}: {reason}.", hint="Name a file in a folder that can be written to."
        ) from error
    return path
