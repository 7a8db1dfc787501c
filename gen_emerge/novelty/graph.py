"""A finished stretch of accepted vectors -> a navigable graph that names a query's neighbours at a few looks.

Hierarchical navigable small worlds (Malkov & Yashunin 2018, arXiv:1603.09320), by usearch. A graph is made in one go,
by one thread, from vectors in their order, so it is a function of them alone: killed and made again, it is the same.
Its file is derived; a missing, damaged or foreign one is made anew. Never touches the store.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen_emerge.novelty.halves import as_disk_full

if TYPE_CHECKING:
    from usearch.index import Index

CONNECTIVITY = 16
"""Links of a vector in each layer (M in the paper)."""
BREADTH_MADE = 128
"""Vectors kept in view while one is linked in (efConstruction)."""
BREADTH_ASKED = 128
"""Vectors kept in view while one is looked for (ef): at 131,072 vectors it finds what the results page says."""
FOUND = 32
"""So many neighbours are asked for: the nearest may be left out by the novelty rule."""


class Graph:
    """The neighbours of one finished stretch.

    Args:
        vectors: (n, d) float16 unit vectors, in the order of acceptance.
        path: where its file lies, None to keep it in memory.

    Raises:
        DiskFull: no room for the file.
    """

    def __init__(self, vectors: NDArray[np.float16], path: Path | None) -> None:
        self._size = len(vectors)
        self._index = _stored(vectors, path) if path is not None else _made(vectors)

    def neighbours(self, query: NDArray[np.float32]) -> NDArray[np.int64]:
        """(at most `FOUND`,) int64: the rows nearest to one (d,) float32 unit vector, nearly always all of them."""
        found = self._index.search(query.astype(np.float16), min(FOUND, self._size), threads=1)
        return np.asarray(found.keys, dtype=np.int64)


def _made(vectors: NDArray[np.float16]) -> Index:
    index = _empty(vectors.shape[1])
    # One thread: with several, who is linked first would depend on the machine's load.
    index.add(np.arange(len(vectors), dtype=np.uint64), np.ascontiguousarray(vectors), threads=1)
    return index


def _empty(dimension: int) -> Index:
    from usearch.index import Index

    return Index(
        ndim=dimension,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=BREADTH_MADE,
        expansion_search=BREADTH_ASKED,
    )


def _stored(vectors: NDArray[np.float16], path: Path) -> Index:
    """From its file, memory-mapped; the file is made where there is none that is whole and of these very vectors."""
    origin = path.with_suffix(".origin")
    if not _whole(path, origin, vectors):
        made = bytes(_made(vectors).save() or b"")
        _write(path, made)
        # Last, so that a graph without it counts as unfinished. usearch maps a damaged file without a word.
        _write(origin, _origin(vectors, hashlib.sha256(made).hexdigest()).encode())
    index = _empty(vectors.shape[1])
    index.view(str(path))
    return index


def _whole(path: Path, origin: Path, vectors: NDArray[np.float16]) -> bool:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return origin.read_text() == _origin(vectors, digest)
    except (OSError, UnicodeDecodeError):
        return False


def _origin(vectors: NDArray[np.float16], file: str) -> str:
    """What a graph was made from, and its file's own hash."""
    import usearch

    content = hashlib.sha256(vectors.tobytes()).hexdigest()
    made_with = f"usearch {usearch.__version__} M {CONNECTIVITY} ef {BREADTH_MADE}"
    return f"{made_with}\nvectors {vectors.shape} {content}\nfile {file}\n"


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise as_disk_full(error, path) from error
