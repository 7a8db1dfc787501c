"""Takes an opened PNG; gives it without the texts that are longer than they may be. Counts chunks before it reads any.

A PNG is a row of chunks, and every one of them costs time, whatever it holds: a file of millions of empty ones is
refused before a decoder sees it (PNG specification, third edition, 5.3).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 1_000_000
"""Bytes of one text chunk, packed or not; a longer one is left out, and said."""
MAX_CHUNKS = 100_000
"""Chunks in all: the largest file that is read has no more when each holds three kilobytes."""
MAX_BESIDE = 1_000
"""Chunks that hold no pixels. Some may be unpacked to `MAX_TEXT` bytes each."""
_PIXELS = (b"IDAT", b"fdAT", b"fcTL")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


class TooManyChunks(ValueError):
    """A PNG has more chunks than are looked at."""


def bounded(file: IO[bytes], notes: list[str]) -> IO[bytes]:
    """The file, or a copy of a PNG without its oversized text chunks, which nothing then reads.

    Args:
        file: any file; one that is no PNG comes back as it is.
        notes: what was left out is added.

    Raises:
        TooManyChunks: says how many are looked at.
    """
    file.seek(0)
    if file.read(8) != SIGNATURE:
        file.seek(0)
        return file
    chunks = list(_counted(file))
    long = [(begin, size) for begin, size, kind in chunks if kind in _TEXTS and _too_long(file, begin, size, kind)]
    if not long:
        file.seek(0)
        return file
    notes.append(f"{len(long)} text of more than {MAX_TEXT:,} bytes in it was left out")
    left_out, kept = frozenset(long), io.BytesIO()
    kept.write(SIGNATURE)
    for begin, size, _ in chunks:
        if (begin, size) not in left_out:
            file.seek(begin)
            kept.write(file.read(size + 12))
    kept.seek(0)
    return kept


def _counted(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    beside = 0
    for number, chunk in enumerate(_chunks(file), start=1):
        beside += chunk[2] not in _PIXELS
        if number > MAX_CHUNKS or beside > MAX_BESIDE:
            raise TooManyChunks(
                f"more chunks than are looked at ({MAX_CHUNKS:,} in all, {MAX_BESIDE:,} of them without pixels)"
            )
        yield chunk


def _chunks(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Where each chunk of a PNG begins, how many bytes it holds, and its kind; nothing of it is read."""
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        yield file.tell() - 8, size, kind
        file.seek(size + 4, io.SEEK_CUR)


def _too_long(file: IO[bytes], begin: int, size: int, kind: bytes) -> bool:
    """Whether a text is longer than it may be, as it lies there or unpacked; no more than that is unpacked."""
    if size > MAX_TEXT:
        return True
    if kind == b"tEXt":
        return False
    file.seek(begin + 8)
    _, _, body = file.read(size).partition(b"\0")
    if kind == b"zTXt":
        packed = body[1:]
    elif body[:1] == b"\x01":
        packed = body[2:].split(b"\0", 2)[-1]
    else:
        return False
    try:
        return len(zlib.decompressobj().decompress(packed, MAX_TEXT + 1)) > MAX_TEXT
    except zlib.error:
        return True  # nobody can read it
