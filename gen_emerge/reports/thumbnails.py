"""Takes picture files; gives small square or whole copies of them, or a placeholder where a file cannot be read.

Pictures are (h, w) RGB; nothing of a file but its pixels is passed on. Never raises because of a picture.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

SIDES = (256, 192, 128, 96, 64, 48, 32)
"""Longer sides tried for inlined pictures, pixels, largest first."""
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
_PLACEHOLDER = ((196, 190, 182), (120, 112, 104))


def load(path: Path, side: int, *, square: bool = False) -> Image.Image | None:
    """Read a picture and shrink it (never enlarge) to `side` pixels; None when it cannot be read.

    Args:
        path: any picture Pillow reads.
        side: longer side, pixels; with `square` both sides, and then smaller pictures are enlarged.
        square: cut the middle square out.
    """
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * side, 2 * side))
            picture = opened.convert("RGB")
    except _UNREADABLE:
        return None
    if square:
        return ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS)
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def placeholder(side: int) -> Image.Image:
    """What is drawn for a picture that cannot be read: a grey square, crossed out."""
    ground, ink = _PLACEHOLDER
    picture = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(picture)
    inset, width = round(side * 0.3), max(1, side // 40)
    pen.line((inset, inset, side - inset, side - inset), ink, width)
    pen.line((inset, side - inset, side - inset, inset), ink, width)
    pen.rectangle((0, 0, side - 1, side - 1), outline=ink, width=width)
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


def inline(paths: Sequence[Path], budget: int) -> dict[Path, str | None]:
    """Pictures as data URIs, as large as fits.

    Args:
        paths: files, repeats allowed.
        budget: most characters for all of them together.

    Returns:
        path -> data URI, None where the file cannot be read.
    """
    unique = list(dict.fromkeys(paths))
    sample = unique[:: max(1, len(unique) // 16)][:16]
    uris: dict[Path, str | None] = {}
    for side in SIDES:
        if side != SIDES[-1] and _size(_encode(sample, side)) * len(unique) > budget * max(1, len(sample)):
            continue
        uris = _encode(unique, side)
        if _size(uris) <= budget:
            break
    return uris
