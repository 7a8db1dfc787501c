"""Takes a picture's file; gives its pixels and recipe. Every limit is checked before anything is decoded.

The file is read once, into a copy of this process's own: what is decoded, hashed and kept are the same bytes, whatever
happens to the file meanwhile.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gen_emerge.errors import BadInput
from gen_emerge.importing.chunks import MAX_TEXT, TooManyChunks, bounded
from gen_emerge.importing.recipes import Recipe, recipe_of
from gen_emerge.types import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""What is opened; Pillow knows more, some of which start other programs."""
SMALLEST, LARGEST, MAX_PIXELS = 16, 8192, 33_000_000
MAX_FILE = 300_000_000
"""Bytes of a file."""
IN_MEMORY = 8_000_000
"""Bytes of a copy that stay in memory; a larger one lies in a temporary file without a name."""
_BLOCK = 1 << 20
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


def scratch() -> IO[bytes]:
    """An empty file of this process's own, for the copy of one picture; it is gone when it is closed."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)


def read(path: Path, copy: IO[bytes] | None = None) -> Found:
    """Read one picture.

    Args:
        path: of its file, which is read once.
        copy: an empty file that then holds the bytes the pixels were decoded from; None when nobody wants them.

    Raises:
        BadInput: it is gone, may not be read, was changed meanwhile, is no picture, is damaged, or is too large or too
            small; names the file and the limit.
        OSError: the copy cannot be written.
    """
    if copy is None:
        with scratch() as own:
            return read(path, own)
    for block in _blocks(path):
        copy.write(block)
    notes: list[str] = []
    pixels, texts = _opened(path, copy, notes)
    recipe = recipe_of(texts)
    if recipe is not None and recipe.cut:
        notes.append("its prompt was cut off")
    return Found(path=path, pixels=pixels, recipe=recipe, notes=tuple(notes))


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes, all of them as they were at one time."""
    taken = 0
    try:
        if not path.is_file():
            gone = "a link that leads nowhere" if path.is_symlink() else "gone"
            raise BadInput(f"{path} is {'no file' if path.exists() else gone}.", hint="Name a picture.")
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            _check_bytes(path, before.st_size)
            while taken <= MAX_FILE and (block := file.read(_BLOCK)):
                taken += len(block)
                yield block
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        raise BadInput(f"{path} is gone.", hint="Name a picture.") from None
    except PermissionError:
        raise BadInput(f"{path} may not be read.", hint="Make it readable, or leave it out.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.", hint="Copy it to another place.") from None
    _check_bytes(path, max(taken, after.st_size))
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or taken != after.st_size:
        raise BadInput(f"{path} was changed while it was read.", hint="Import it again.")


# ---- its pixels ------------------------------------------------------------------------------------------------------


def _opened(path: Path, copy: IO[bytes], notes: list[str]) -> tuple[Pixels, dict[str, str]]:
    """Pixels and texts."""
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(bounded(copy, notes), formats=FORMATS) as opened:
                _check_size(path, *opened.size)
                _tell_frames(opened, notes)
                texts = _texts(opened)
                return decode(opened), texts
        except BadInput:
            raise
        except UnidentifiedImageError:
            raise BadInput(
                f"{path} is no picture that can be read.", hint="Wanted PNG, JPEG, WebP, TIFF, BMP or GIF."
            ) from None
        except Image.DecompressionBombError:
            raise BadInput(
                f"{path} is too large, wanted at most {MAX_PIXELS:,} pixels.", hint="Make it smaller."
            ) from None
        except TooManyChunks as error:
            raise BadInput(f"{path} has {error}.", hint="Save it again with another program.") from None
        except Exception as error:  # Pillow meets what is torn with whatever comes: TypeError, KeyError, IndexError ...
            said = str(error).rstrip(".") or type(error).__name__
            said = said.lower() if said.istitle() else said
            raise BadInput(f"{path} is damaged: {said}.", hint="Save it again, or leave it out.") from None


def _check_bytes(path: Path, size: int) -> None:
    if size > MAX_FILE:
        raise BadInput(f"{path} has {size:,} bytes, wanted at most {MAX_FILE:,}.", hint="Save it smaller.")


def _check_size(path: Path, width: int, height: int) -> None:
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST) or width * height > MAX_PIXELS:
        raise BadInput(
            f"{path} has {width} x {height} pixels: wanted {SMALLEST} to {LARGEST} a side and {MAX_PIXELS:,} in all.",
            hint="Save it in another size.",
        )


def _tell_frames(opened: Picture, notes: list[str]) -> None:
    """Whether there is a second frame; how many there are is not asked: to count millions of them takes minutes."""
    if getattr(opened, "is_animated", False):
        notes.append("it has several frames or pages: the first was taken")
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
