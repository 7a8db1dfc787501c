"""Takes a plain function of numbers and arrays; gives the compiled kernel, cached on disk.

No fast maths and no parallel loops: the same arguments give the same bytes whatever the number of threads.
It must never be imported before the first picture is painted (it imports numba).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def _sources_digest() -> str:
    """Return a digest of every source file of the painter."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


_DIGEST = _sources_digest()


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first use, release the interpreter lock while it runs, keep the result on disk.

    numba's cache looks only at the file of the kernel itself, so a change in a helper of another file would leave a
    stale kernel behind; the digest of all the sources is added to its stamp.
    """
    compiled = cast(Any, njit(cache=True, nogil=True)(function))
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if cache_file is not None and hasattr(cache_file, "_source_stamp"):
        cache_file._source_stamp = (cache_file._source_stamp, _DIGEST)
    return cast("Callable[P, R]", compiled)
