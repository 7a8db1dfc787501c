"""Takes picture files; gives small square or whole copies of them, or a placeholder where a file cannot be read.

Pictures are (h, w) RGB; nothing of a file but its pixels is passed on. Never raises because of a picture.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from PIL import Image, ImageDraw, ImageOps

Tone = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
SIDES = (256, 192, 128, 96, 64, 48, 32)
"""Longer sides tried for inlined pictures, pixels, largest first."""
LARGE = (400, 320)
"""The same from whole pictures: as broad as a report shows one by itself, and a little less."""
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
_PLACEHOLDER = ((196, 190, 182), (120, 112, 104))


def load(path: Path, side: int) -> Image.Image | None:
    """Read a picture and shrink it (never enlarge) to `side` pixels; None when it cannot be read.

    Args:
        path: any picture Pillow reads.
        side: longer side, pixels.
    """
    picture = _opened(path, side)
    if picture is not None and max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def fill(path: Path, size: tuple[int, int]) -> Image.Image | None:
    """Read a picture and make it fill a place, enlarged where it is smaller; None when it cannot be read.

    Args:
        path: any picture Pillow reads.
        size: (width, height) of the place, pixels; what does not fit its shape is cut off evenly.
    """
    picture = _opened(path, max(size))
    return None if picture is None else ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def mosaic(path: Path) -> tuple[Tone, Tone, Tone, Tone] | None:
    """The mean colours of a picture's quarters, row by row from the upper left; None when it cannot be read."""
    picture = _opened(path, 64)
    if picture is None:
        return None
    small = picture.resize((2, 2), Image.Resampling.BOX)
    tones = [small.getpixel((x, y)) for y in (0, 1) for x in (0, 1)]
    return tuple(cast("list[Tone]", tones))  # pyright: ignore[reportReturnType]


def size_of(path: Path) -> tuple[int, int] | None:
    """(width, height) of a picture, pixels; None when it cannot be read."""
    try:
        with Image.open(path) as opened:
            return opened.size
    except _UNREADABLE:
        return None


def _opened(path: Path, side: int) -> Image.Image | None:
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * side, 2 * side))
            return opened.convert("RGB")
    except _UNREADABLE:
        return None


def placeholder(size: tuple[int, int]) -> Image.Image:
    """What is drawn for a picture that cannot be read: a grey place, crossed out."""
    ground, ink = _PLACEHOLDER
    picture = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    wide, high = size
    arm, width = round(min(size) * 0.2), max(1, min(size) // 40)
    x, y = wide // 2, high // 2
    pen.line((x - arm, y - arm, x + arm, y + arm), ink, width)
    pen.line((x - arm, y + arm, x + arm, y - arm), ink, width)
    pen.rectangle((0, 0, wide - 1, high - 1), outline=ink, width=width)
    return picture


def _encode(paths: Iterable[Path], side: int) -> dict[Path, str | None]:
    uris: dict[Path, str | None] = {}
    for path in paths:
        content = _small_enough(path, side) or _shrunk(path, side)
        uris[path] = "data:image/webp;base64," + base64.b64encode(content).decode("ascii") if content else None
    return uris


def _small_enough(path: Path, side: int) -> bytes | None:
    """The file as it is, when it is a still WebP of that size that decodes and carries nothing but its pixels."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as opened:
            if max(opened.size) > side or opened.info.get("exif") or opened.info.get("xmp"):
                return None
            opened.load()
            return None if getattr(opened, "is_animated", False) else content
    except _UNREADABLE:
        return None


def _shrunk(path: Path, side: int) -> bytes | None:
    picture = load(path, side)
    if picture is None:
        return None
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=78, method=4)
    return buffer.getvalue()


def _size(uris: dict[Path, str | None]) -> int:
    return sum(len(uri) for uri in uris.values() if uri)


def inline(paths: Sequence[Path], budget: int, whole: Mapping[Path, Path] | None = None) -> dict[Path, str | None]:
    """Pictures as data URIs, as large as fits.

    Args:
        paths: files, repeats allowed.
        budget: most characters for all of them together.
        whole: thumbnail -> its whole picture, which is shrunk in its place where the budget allows larger ones.

    Returns:
        path -> data URI, None where the file cannot be read.
    """
    unique = list(dict.fromkeys(paths))
    return _from_whole(unique, budget, whole or {}) or _from_thumbnails(unique, budget)


def _from_whole(paths: Sequence[Path], budget: int, whole: Mapping[Path, Path]) -> dict[Path, str | None]:
    """All of them from the whole pictures; empty where these are too large together, or not known."""
    known = [path for path in paths if path in whole]
    if not known or len(known) < len(paths):
        return {}
    sample = [whole[path] for path in known[:: max(1, len(known) // 8)][:8]]
    for side in LARGE:
        if _size(_encode(sample, side)) * len(known) > budget * len(sample):
            continue
        found = _encode([whole[path] for path in known], side)
        uris = {path: found[whole[path]] for path in known}
        lost = [path for path, uri in uris.items() if uri is None]
        uris |= _encode(lost, side)  # a lost picture's thumbnail may be there
        if _size(uris) <= budget:
            return uris
    return {}


def _from_thumbnails(unique: Sequence[Path], budget: int) -> dict[Path, str | None]:
    sample = unique[:: max(1, len(unique) // 16)][:16]
    uris: dict[Path, str | None] = {}
    for side in SIDES:
        if side != SIDES[-1] and _size(_encode(sample, side)) * len(unique) > budget * max(1, len(sample)):
            continue
        uris = _encode(unique, side)
        if _size(uris) <= budget:
            break
    return uris
