"""Whether files and history agree. Takes a store, gives what is wrong; changes nothing.

Works beside a running series: files of cycles that are not committed yet are counted, not reported. Where rows of a
damaged database cannot be read, the files of all others are still looked at; which files nobody knows is not said then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from PIL import Image as Pillow

from gen_emerge.errors import Damaged, system_limit
from gen_emerge.store.images import is_draft, walk
from gen_emerge.store.imports import files_of, walk_imports
from gen_emerge.store.integrity import Problem
from gen_emerge.store.lock import holder
from gen_emerge.store.store import DATABASE, Store
from gen_emerge.types import Image

_STRETCH = 20
"""Candidates whose pictures are listed at a time: so many are lost to the check with one unreadable page."""


_ILLEGIBLE = (Damaged, LookupError, TypeError, ValueError, AttributeError)
"""What rows that nobody can have written lead to: they are named elsewhere."""


def verify_files(store: Store, *, damaged: Collection[str] = ()) -> list[Problem]:
    """Every picture against its stored hash, every thumbnail's presence, and every file nobody knows.

    Args:
        store: of the series.
        damaged: tables that may lack rows.
    """
    folder, known, problems, lost = store.folder, set[str](), list[Problem](), list[str]()
    # Asked before anything is hashed, which takes minutes: who runs it now may have ended by then.
    flying = _in_flight(store)
    for image in _images(store, lost):
        known.update((image.path, image.thumbnail))
        digest = _digest(folder / image.path)
        if digest is None:
            problems.append(Problem(kind="missing", path=image.path))
        elif digest != image.file:
            problems.append(Problem(kind="hash", path=image.path))
        problems.extend(_thumbnail(folder, image.thumbnail))
    found = list(walk(folder))
    flying = flying or _in_flight(store)
    # Listed before these are read: a file of a cycle that was committed meanwhile is known, not an orphan.
    if not lost:
        known.update(name for image in _images(store, lost) for name in (image.path, image.thumbnail))
    if lost or "images" in damaged:
        return [*problems, _unlisted("images", lost), *_imports(store)]
    for path, genome in found:
        name = path.relative_to(folder).as_posix()
        if name not in known and path.exists() and not (flying and (genome or is_draft(path))):
            problems.append(Problem(kind="orphan", path=name))
    return [*problems, *_imports(store)]


def _images(store: Store, lost: list[str]) -> Iterator[Image]:
    """Every stored picture whose row can be read; candidates of which it cannot are added to `lost`."""
    try:
        newest = store.last_candidate()
    except _ILLEGIBLE:
        lost.append("1 and later")
        return
    for first in range(1, newest + 1, _STRETCH):
        last = min(first + _STRETCH - 1, newest)
        try:
            some = [image for _, image in store.images(first, last)]
        except _ILLEGIBLE:
            lost.append(f"{first} to {last}")
        else:
            yield from some


def _unlisted(table: str, lost: Sequence[str]) -> Problem:
    """With `lost` candidates, or without."""
    of = f"the files of candidates {', '.join(lost[:8])}{', ...' if len(lost) > 8 else ''} were not checked, and "
    detail = f"{of if lost else ''}files that nobody knows are not named: they may be somebody's"
    return Problem(kind="hash", path=DATABASE, table=table, detail=detail)


def _imports(store: Store) -> list[Problem]:
    """Every imported picture's two files against their hashes, and every file there that nobody knows.

    A file with a name of ours is an import's that is under way, or was cut off: it is swept at the next start.
    """
    folder = store.folder
    try:
        known = _imported_files(store)
    except _ILLEGIBLE:
        return [_unlisted("inputs", [])]
    found = {path: _digest(folder / path) for path in known}
    problems = [Problem(kind="missing", path=path) for path, digest in found.items() if digest is None]
    problems += [Problem(kind="hash", path=path) for path, digest in found.items() if digest not in (None, known[path])]
    strays = [path.relative_to(folder).as_posix() for path, ours in walk_imports(folder) if not ours]
    return [*problems, *(Problem(kind="orphan", path=path) for path in strays)]


def _imported_files(store: Store) -> dict[str, str]:
    """Path -> SHA-256 of every file of an imported picture."""
    return {path: digest for each in store.inputs_of("import") for path, digest in files_of(each.payload).items()}


def uncommitted(store: Store) -> int | None:
    """How many files belong to cycles that were started and are not committed, or to an import that was cut off.

    None where the database is too damaged to say which files are committed.
    """
    try:
        names = [path.relative_to(store.folder).as_posix() for path, ours in walk_imports(store.folder) if ours]
        files = [path for path, genome in walk(store.folder) if genome or is_draft(path)]
        # Files first, then what is committed: a cycle that is committed in between leaves none behind.
        imported = _imported_files(store)
        begun = sum(name not in imported for name in names)
        if not _in_flight(store):
            return begun
        known = {name for _, image in store.images() for name in (image.path, image.thumbnail)}
    except _ILLEGIBLE:
        return None
    return begun + sum(path.relative_to(store.folder).as_posix() not in known for path in files)


def _in_flight(store: Store) -> bool:
    """Whether a cycle may be under way, or was cut off: its files are swept at the next start."""
    try:
        return holder(store.folder) is not None or store.attempted() > store.committed()
    except _ILLEGIBLE:
        return True  # nobody knows: no file is called an orphan for it


def _thumbnail(folder: Path, name: str) -> list[Problem]:
    """A thumbnail is made anew from its picture by anybody; it must be there and be a picture."""
    try:
        with Pillow.open(folder / name) as picture:
            picture.load()
    except FileNotFoundError:
        return [Problem(kind="missing", path=name)]
    except (OSError, SyntaxError, ValueError) as error:
        if limit := system_limit(error):  # nothing is wrong with the file
            raise limit from None
        return [Problem(kind="hash", path=name)]
    return []


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if limit := system_limit(error):
            raise limit from None
        return ""  # something else lies where the picture was, or its path is none: not its bytes
