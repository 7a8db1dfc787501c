"""Takes a folder; gives the pictures below it, and what of it could not be looked into. Reads no picture."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gen_emerge.errors import BadInput
from gen_emerge.types import DRAWING

_SHEET = re.compile(r"contact-sheet(-\d+)?\.png")
"""As `export` names them; the oldest of them say nothing of themselves."""
_HEAD = 512
"""Bytes in which a drawing's text stands, which comes before its pixels."""
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder holds.

    Args:
        pictures: every file whose name ends as a picture's, in order; whether it is one is not known yet.
        unreadable: folder below it -> why nobody knows what it holds.
        others: how many files there are besides, whose names end otherwise.
        drawings: what this program drew of pictures, such as a contact sheet of them: no picture of its own.
    """

    pictures: tuple[Path, ...]
    unreadable: Mapping[Path, str] = field(default_factory=dict[Path, str])
    others: int = 0
    drawings: tuple[Path, ...] = ()


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
    drawings = tuple(sorted(path for path in pictures if is_drawing(path)))
    found = tuple(sorted(frozenset(pictures) - frozenset(drawings)))
    if not found:
        only = " but a contact sheet or a map" if drawings else ""
        raise BadInput(f"{folder} holds no pictures{only}.", hint=_hint(unreadable))
    unreadable = dict(sorted(unreadable.items()))
    return Listing(pictures=found, unreadable=unreadable, others=others, drawings=drawings)


def is_drawing(path: Path) -> bool:
    """Whether a file is a contact sheet or a map, by its name or by what it says of itself; its pixels are not read."""
    if _SHEET.fullmatch(path.name):
        return True
    try:
        if path.suffix.lower() != ".png" or not path.is_file():
            return False
        with path.open("rb") as file:
            return b"tEXt" + DRAWING.encode() + b"\0" in file.read(_HEAD)
    except OSError:  # what is wrong with it is said where it is read
        return False


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
