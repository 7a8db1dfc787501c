"""Whether files and history agree. Takes a store, gives what is wrong; changes nothing.

Works beside a running series: files of cycles that are not committed yet are counted, not reported.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image as Pillow

from gen_emerge.store.images import is_draft, walk
from gen_emerge.store.imports import files_of, walk_imports
from gen_emerge.store.lock import holder
from gen_emerge.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One disagreement. `path` is relative to the series folder.

    `missing`: a stored picture has no file; `hash`: its bytes are not the ones that were written; `orphan`: a file
    under `images/` or `imports/` that nothing knows; `replay`: (found by the loop) replaying gives another state.
    """

    kind: Literal["missing", "hash", "orphan", "replay"]
    path: str


def verify_files(store: Store) -> list[Problem]:
    """Every picture against its stored hash, every thumbnail's presence, and every file nobody knows."""
    folder, known, problems = store.folder, set[str](), list[Problem]()
    for _, image in store.images():
        known.update((image.path, image.thumbnail))
        digest = _digest(folder / image.path)
        if digest is None:
            problems.append(Problem(kind="missing", path=image.path))
        elif digest != image.file:
            problems.append(Problem(kind="hash", path=image.path))
        problems.extend(_thumbnail(folder, image.thumbnail))
    flying = _in_flight(store)
    for path, genome in walk(folder):
        name = path.relative_to(folder).as_posix()
        if name not in known and not (flying and (genome or is_draft(path))):
            problems.append(Problem(kind="orphan", path=name))
    return [*problems, *_imports(store)]


def _imports(store: Store) -> list[Problem]:
    """Every imported picture's two files against their hashes, and every file there that nobody knows.

    A file with a name of ours is an import's that is under way, or was cut off: it is swept at the next start.
    """
    folder, known = store.folder, _imported_files(store)
    found = {path: _digest(folder / path) for path in known}
    problems = [Problem(kind="missing", path=path) for path, digest in found.items() if digest is None]
    problems += [Problem(kind="hash", path=path) for path, digest in found.items() if digest not in (None, known[path])]
    strays = [path.relative_to(folder).as_posix() for path, ours in walk_imports(folder) if not ours]
    return [*problems, *(Problem(kind="orphan", path=path) for path in strays)]


def _imported_files(store: Store) -> dict[str, str]:
    """Path -> SHA-256 of every file of an imported picture."""
    return {path: digest for each in store.inputs_of("import") for path, digest in files_of(each.payload).items()}


def uncommitted(store: Store) -> int:
    """How many files belong to cycles that were started and are not committed, or to an import that was cut off."""
    imported = _imported_files(store)
    names = [path.relative_to(store.folder).as_posix() for path, ours in walk_imports(store.folder) if ours]
    begun = sum(name not in imported for name in names)
    if not _in_flight(store):
        return begun
    known = {name for _, image in store.images() for name in (image.path, image.thumbnail)}
    files = [path for path, genome in walk(store.folder) if genome or is_draft(path)]
    return begun + sum(path.relative_to(store.folder).as_posix() not in known for path in files)


def _in_flight(store: Store) -> bool:
    """Whether a cycle may be under way, or was cut off: its files are swept at the next start."""
    return holder(store.folder) is not None or store.attempted() > store.committed()


def _thumbnail(folder: Path, name: str) -> list[Problem]:
    """A thumbnail is made anew from its picture by anybody; it must be there and be a picture."""
    try:
        with Pillow.open(folder / name) as picture:
            picture.load()
    except FileNotFoundError:
        return [Problem(kind="missing", path=name)]
    except (OSError, SyntaxError, ValueError):
        return [Problem(kind="hash", path=name)]
    return []


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError:
        return ""  # something else lies where the picture was: not its bytes
