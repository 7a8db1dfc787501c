"""Files of pictures made elsewhere. Takes pixels and originals, gives what was kept; touches only `imports/`.

Every picture lies there twice: its pixels as a PNG without any text, `imports/ab/<pixels hash>.png`, and the file it
came from, byte for byte, `imports/ab/<file hash>.original.<suffix>`. Both are durable when `keep` returns, before any
row names them. Names say what is inside: the same picture kept twice writes the same bytes over the same names.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from gen_emerge.errors import Damaged, HeldByAnother
from gen_emerge.store.database import sync_folder
from gen_emerge.store.images import pixels_hash, read_pixels, write_error
from gen_emerge.store.lock import hold
from gen_emerge.store.png import encode_png
from gen_emerge.types import Pixels

FOLDER = "imports"
_DRAFT = ".draft"
SWEPT = 40
"""Tries, two seconds of them: a run that begins sweeps what was cut off, and that is no import to be told of."""
_OURS = re.compile(r"([0-9a-f]{64})\.(?:png|original\.[a-z]{3,4})")


def picture_path(pixels: str) -> str:
    """Where the pixels of this hash lie, relative to the series' folder."""
    return f"{FOLDER}/{pixels[:2]}/{pixels}.png"


@contextmanager
def importing(folder: Path, *, tries: int = SWEPT) -> Generator[None, None, None]:
    """Let no other process import into this series while the block runs; a running series is not disturbed.

    Args:
        folder: the series' folder.
        tries: as in `hold`.

    Raises:
        HeldByAnother: another process imports into it, or still sweeps after an import that was cut off.
        BadInput: the folder cannot be written.
        DiskFull: not even the lock file fits.
    """
    with ExitStack() as held:
        try:
            held.enter_context(hold(folder / FOLDER, tries=tries))
        except HeldByAnother as error:
            raise HeldByAnother(
                f'Another process is importing pictures into the series "{folder.name}", or clears up after an import.',
                hint="Wait until it is done.",
            ) from error
        yield


def keep(folder: Path, pixels: Pixels, original: IO[bytes], suffix: str) -> dict[str, str]:
    """Keep one picture and the file it was read from; durable when it returns.

    Args:
        folder: the series' folder.
        pixels: (h, w, 3) uint8 sRGB.
        original: the bytes the pixels were decoded from, in a file of this process's own.
        suffix: of the file they were read from, such as ".JPG"; kept in lower case.

    Returns:
        `picture` and `original`, paths relative to the folder; `picture_file` and `original_file`, the SHA-256 of each.

    Raises:
        DiskFull: no draft is left behind.
        BadInput: the folder cannot be written.
    """
    content = encode_png(pixels, {})
    picture = picture_path(pixels_hash(pixels))
    digest = _digest_of(original)
    copy = f"{FOLDER}/{digest[:2]}/{digest}.original{suffix.lower()}"
    try:
        _place(folder / picture, lambda draft: draft.write_bytes(content))
        _place(folder / copy, lambda draft: _copy(original, draft))
    except OSError as error:
        raise write_error(error, folder) from error
    return {
        "picture": picture,
        "picture_file": hashlib.sha256(content).hexdigest(),
        "original": copy,
        "original_file": digest,
    }


def put_back(folder: Path, payload: Mapping[str, Any], pixels: Pixels, original: IO[bytes]) -> bool:
    """Put back what was lost or changed of an imported picture; nothing is written that its input does not name.

    Args:
        folder: the series' folder.
        payload: of its input.
        pixels: (h, w, 3) uint8 sRGB, the ones that were imported.
        original: the bytes they were decoded from now: perhaps other ones than at that time, in another encoding.

    Returns:
        Whether both files are whole again: False where these are other bytes, and those of that time are lost.

    Raises:
        DiskFull: no draft is left behind.
        BadInput: the folder cannot be written.
    """
    try:
        _place(folder / payload["picture"], lambda draft: draft.write_bytes(encode_png(pixels, {})))
        if _digest_of(original) == payload["original_file"]:
            _place(folder / payload["original"], lambda draft: _copy(original, draft))
    except OSError as error:
        raise write_error(error, folder) from error
    return whole(folder, payload)


def read_import(folder: Path, pixels: str) -> Pixels:
    """The kept pixels of this hash: (h, w, 3) uint8, read-only.

    Raises:
        Damaged: the file is missing, is no picture, or holds other pixels.
    """
    path = folder / picture_path(pixels)
    found = read_pixels(path)
    if pixels_hash(found) != pixels:
        raise Damaged(f"{path} does not hold the pixels that were imported.", hint="Import the picture again.")
    return found


def whole(folder: Path, payload: Mapping[str, Any]) -> bool:
    """Whether both files of an imported picture are there, unchanged."""
    try:
        return all(_digest(folder / path) == digest for path, digest in files_of(payload).items())
    except OSError:
        return False


def files_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """Path -> SHA-256 of the files that the input of one imported picture names."""
    return {payload[name]: payload[f"{name}_file"] for name in ("picture", "original")}


def walk_imports(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Every file under `imports/` but the lock, and whether its name is one of ours (drafts are)."""
    root = folder / FOLDER
    for base, inner, names in os.walk(root):
        inner.sort()
        for name in sorted(names):
            if (path := Path(base) / name) != root / ".lock":
                match = _OURS.fullmatch(name.removesuffix(_DRAFT))
                yield path, match is not None and Path(base).name == match[1][:2]


def sweep_imports(folder: Path, known: Collection[str]) -> int:
    """Delete files that an import wrote and no row names: it was cut off. Only for the process that may import.

    Args:
        folder: the series' folder.
        known: paths that rows name, relative to the folder.

    Returns:
        How many files were deleted.
    """
    deleted = 0
    for path, ours in walk_imports(folder):
        if ours and path.relative_to(folder).as_posix() not in known:
            with suppress(FileNotFoundError):
                path.unlink()
                deleted += 1
    return deleted


def _copy(original: IO[bytes], draft: Path) -> None:
    original.seek(0)
    with draft.open("wb") as file:
        shutil.copyfileobj(original, file)


def _place(path: Path, write: Callable[[Path], object]) -> None:
    """One file under its draft's name, synced, renamed, and its folder synced."""
    draft = path.with_name(path.name + _DRAFT)
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent.parent)
    try:
        write(draft)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return _digest_of(file)


def _digest_of(file: IO[bytes]) -> str:
    """SHA-256 of all of an opened file."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # pyright: ignore[reportArgumentType]
