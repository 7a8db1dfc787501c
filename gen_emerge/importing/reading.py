"""Takes a picture's file; gives its pixels and recipe. Every limit is checked before anything is decoded."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gen_emerge.errors import BadInput
from gen_emerge.importing.recipes import Recipe, recipe_of
from gen_emerge.types import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""What is opened; Pillow knows more, some of which start other programs."""
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"))
SMALLEST, LARGEST, MAX_PIXELS = 16, 8192, 33_000_000
MAX_FILE = 300_000_000
"""Bytes of a file."""
MAX_TEXT = 1_000_000
"""Bytes of one text chunk, packed or not; a longer one is left out, and said."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_COMMENT = 0x9286
"""EXIF's UserComment, where JPEG and WebP carry A1111's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One picture that was read.

    Args:
        path: of its file.
        pixels: (h, w, 3) uint8 sRGB, upright, transparency on white, the first frame.
        recipe: what the file says of how it was made, or None.
        notes: what was done to it or left out, in sentences.
    """

    path: Path
    pixels: Pixels
    recipe: Recipe | None
    notes: tuple[str, ...] = ()


def find_pictures(folder: Path) -> list[Path]:
    """Every file below a folder whose name ends as a picture's, in order; hidden ones do not count.

    Raises:
        BadInput: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", hint="Name one with pictures in it.")
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise BadInput(f"{folder} holds no pictures.", hint="Wanted PNG, JPEG, WebP, TIFF, BMP or GIF.")
    return found


def read(path: Path) -> Found:
    """Read one picture.

    Raises:
        BadInput: it is no picture, is damaged, or is too large or too small; names the file and the limit.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise BadInput(f"{path} is no file.", hint="Name a picture.")
    if path.stat().st_size > MAX_FILE:
        raise BadInput(
            f"{path} has {path.stat().st_size:,} bytes, wanted at most {MAX_FILE:,}.", hint="Save it smaller."
        )
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with path.open("rb") as file, Image.open(_bounded(file, notes), formats=FORMATS) as opened:
                _check_size(path, *opened.size)
                _tell_frames(opened, notes)
                texts = _texts(opened)
                pixels = decode(opened)
        except UnidentifiedImageError:
            raise BadInput(
                f"{path} is no picture that can be read.", hint="Wanted PNG, JPEG, WebP, TIFF, BMP or GIF."
            ) from None
        except Image.DecompressionBombError:
            raise BadInput(
                f"{path} is too large, wanted at most {MAX_PIXELS:,} pixels.", hint="Make it smaller."
            ) from None
        except PermissionError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
            raise BadInput(f"{path} is damaged: {error}.", hint="Save it again, or leave it out.") from None
    recipe = recipe_of(texts)
    if recipe is not None and recipe.cut:
        notes.append("its prompt was cut off")
    return Found(path=path, pixels=pixels, recipe=recipe, notes=tuple(notes))


def _check_size(path: Path, width: int, height: int) -> None:
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST) or width * height > MAX_PIXELS:
        raise BadInput(
            f"{path} has {width} x {height} pixels: wanted {SMALLEST} to {LARGEST} a side and {MAX_PIXELS:,} in all.",
            hint="Save it in another size.",
        )


def _tell_frames(opened: Picture, notes: list[str]) -> None:
    frames: int = getattr(opened, "n_frames", 1)
    if frames > 1:
        notes.append(f"it is animated: the first of {frames} frames was taken")
        opened.seek(0)


def decode(opened: Picture) -> Pixels:
    """Decode an opened picture: upright, transparency on white, 16 bits to 8, whatever its colours to sRGB."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith(("I", "F")):
        return _from_deep(np.asarray(upright))
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"), dtype=np.uint8))


def _from_deep(values: Any) -> Pixels:
    """16-bit and float greys to 8 bits: whole numbers by 257, floats from 0 to 1."""
    scaled = values * 255.0 if values.dtype.kind == "f" else values / 257.0
    grey = np.clip(np.nan_to_num(np.rint(scaled)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


def _bounded(file: IO[bytes], notes: list[str]) -> IO[bytes]:
    """The file, or a copy of a PNG without its oversized text chunks, which nothing then reads."""
    if file.read(8) != _SIGNATURE:
        file.seek(0)
        return file
    chunks = list(_chunks(file))
    long = [(begin, size) for begin, size, kind in chunks if kind in _TEXTS and _too_long(file, begin, size, kind)]
    if not long:
        file.seek(0)
        return file
    notes.append(f"{len(long)} text of more than {MAX_TEXT:,} bytes in it was left out")
    kept = io.BytesIO()
    kept.write(_SIGNATURE)
    for begin, size, _ in chunks:
        if (begin, size) not in long:
            file.seek(begin)
            kept.write(file.read(size + 12))
    kept.seek(0)
    return kept


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


def _chunks(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Where each chunk of a PNG begins, how many bytes it holds, and its kind; nothing of it is read."""
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        yield file.tell() - 8, size, kind
        file.seek(size + 4, io.SEEK_CUR)


def _texts(opened: Picture) -> dict[str, str]:
    """Keyword -> text. A packed text that grows beyond the limit is Pillow's error, and the picture's."""
    found = {str(key): value for key, value in opened.info.items() if isinstance(value, str)}
    comment: Any = opened.getexif().get_ifd(0x8769).get(_COMMENT)
    if isinstance(comment, bytes) and 8 < len(comment) <= MAX_TEXT:
        found.setdefault("parameters", _comment(comment))
    return found


def _comment(raw: bytes) -> str:
    """EXIF's UserComment: eight bytes name the encoding."""
    name, body = raw[:8], raw[8:]
    if name.startswith(b"UNICODE"):
        # Written big-endian by most, and without a mark: letters of Latin have their zero first.
        big = body[:2] == b"\xfe\xff" or body[:1] == b"\x00"
        return body.decode("utf-16-be" if big else "utf-16-le", "replace").lstrip("\ufeff").rstrip("\x00")
    return body.decode("utf-8", "replace").rstrip("\x00")
