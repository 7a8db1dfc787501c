"""Takes a folder; gives the pictures below it, and what of it could not be looked into. Reads no picture."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gen_emerge.errors import BadInput

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder holds.

    Args:
        pictures: every file whose name ends as a picture's, in order; whether it is one is not known yet.
        unreadable: folder below it -> why nobody knows what it holds.
        others: how many files there are besides, whose names end otherwise.
    """

    pictures: tuple[Path, ...]
    unreadable: Mapping[Path, str] = field(default_factory=dict[Path, str])
    others: int = 0


def find_pictures(folder: Path, *, without: Path | None = None) -> Listing:
    """Everything below a folder whose name ends as a picture's; hidden names do not count, linked folders are no part.

    Args:
        folder: where to look.
        without: a folder below it that is left out.

    Raises:
        BadInput: there is no such folder, it may not be read, or no picture is in it.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", hint="Name one with pictures in it.")
    pictures, unreadable, waiting, others = list[Path](), dict[Path, str](), [folder], 0
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                inside = [(here / entry.name, _is_folder(entry)) for entry in entries if entry.name[0] != "."]
        except OSError as error:
            unreadable[here] = _why(error)
            continue
        waiting += [path for path, is_folder in inside if is_folder and path != without]
        files = [path for path, is_folder in inside if not is_folder]
        pictures += [path for path in files if path.suffix.lower() in SUFFIXES]
        others += sum(path.suffix.lower() not in SUFFIXES for path in files)
    if folder in unreadable:
        raise BadInput(f"{folder} cannot be looked into: {unreadable[folder]}.", hint="Make it readable.")
    if not pictures:
        raise BadInput(f"{folder} holds no pictures.", hint=_hint(unreadable))
    return Listing(pictures=tuple(sorted(pictures)), unreadable=dict(sorted(unreadable.items())), others=others)


def _hint(unreadable: Mapping[Path, str]) -> str:
    if unreadable:
        first, why = next(iter(sorted(unreadable.items())))
        return f"{first} cannot be looked into: {why}."
    return "Wanted PNG, JPEG, WebP, TIFF, BMP or GIF."


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # then it is looked at as a file, and what is wrong with it is said there
        return False


def _why(error: OSError) -> str:
    """What is wrong with a folder, as the end of a sentence."""
    words = {
        errno.EACCES: "it may not be read",
        errno.EPERM: "it may not be read",
        errno.ENOENT: "it is gone",
        errno.ENOTDIR: "it is a folder no more",
    }
    return words.get(error.errno or 0) or (error.strerror or str(error)).lower()
