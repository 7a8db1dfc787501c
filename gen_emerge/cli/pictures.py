"""Takes paths of pictures and sizes as typed; gives pixels, or an error that names the file. Writes nothing."""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gen_emerge.errors import BadInput, NotFound, nearest
from gen_emerge.reports.files import check_target

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from gen_emerge.types import Pixels

SMALLEST, LARGEST, MAX_PIXELS = 16, 8192, 33_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""What is opened; Pillow knows more, some of which start other programs."""
_SMALLER = "Make it smaller."


def parse_size(text: str) -> tuple[int, int]:
    """Read N or WxH: pixels, 16 to 8192 a side and at most 33 megapixels."""
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:[xX×]\s*([0-9]{1,9}))?\s*", text)
    if not match:
        raise BadInput(f'--size "{text}" is no size: wanted N or WxH.', hint="Such as --size 512 or --size 640x480")
    width = int(match[1])
    height = int(match[2] or width)
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise BadInput(
            f"--size {width}x{height}: wanted {SMALLEST} to {LARGEST} pixels a side.", hint="Such as --size 512"
        )
    if width * height > MAX_PIXELS:
        raise BadInput(
            f"--size {width}x{height} is {width * height:,} pixels: wanted at most {MAX_PIXELS:,}.", hint=_SMALLER
        )
    return width, height


def check_pictures(paths: Sequence[Path]) -> None:
    """Refuse the first path that is no picture, or is too large or small, before anything slow is done."""
    for path in paths:
        with _opened(path):
            pass


def read_picture(path: Path) -> Pixels:
    """Read a picture: (h, w, 3) uint8 sRGB, upright, transparency on white.

    Raises:
        NotFound: there is no such file; the nearest one beside it is named.
        BadInput: it is no picture, is damaged, or is too large or too small.
    """
    from gen_emerge.importing.reading import decode

    with _opened(path) as opened:
        opened.seek(0)
        return decode(opened)


@contextmanager
def _opened(path: Path) -> Generator[Picture]:
    """A picture whose size is right; whatever is wrong with the file while it is used becomes `BadInput`."""
    from PIL import Image, UnidentifiedImageError

    if path.is_dir():
        raise BadInput(f"{path} is a folder: wanted a picture.", hint="Name the pictures in it, such as DIR/*.png")
    if path.exists() and not path.is_file():
        raise BadInput(
            f"{path} is a device, a pipe or a socket: wanted a picture.", hint="Save the picture to a file first."
        )
    if not path.is_file():
        folder = path.parent
        there = sorted(p.name for p in folder.iterdir() if p.is_file())[:2000] if folder.is_dir() else []
        hint = nearest(path.name, there)
        raise NotFound(
            f"There is no picture {path}.", hint=hint if hint.startswith("Did") else "Name a file that is there."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=FORMATS) as opened:
                _refuse_size(path, *opened.size)
                yield opened
        except Image.DecompressionBombError:
            raise BadInput(f"{path} is too large: wanted at most {MAX_PIXELS:,} pixels.", hint=_SMALLER) from None
        except UnidentifiedImageError:
            raise BadInput(
                f"{path} is no picture that can be read.", hint="Wanted PNG, JPEG, WebP, TIFF, BMP or GIF."
            ) from None
        except (BadInput, PermissionError, MemoryError):
            raise
        except Exception as error:  # Pillow meets what is torn with whatever comes: TypeError, KeyError, IndexError ...
            if isinstance(error, OSError) and error.errno is not None:  # it is the system that speaks, not Pillow
                raise
            said = str(error) or type(error).__name__
            raise BadInput(f"{path} is damaged: {said}.", hint="Save it again, or leave it out.") from None


def _refuse_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadInput(f"{path} is too large: {width} x {height}, wanted at most {MAX_PIXELS:,} pixels.", hint=_SMALLER)
    if min(width, height) < SMALLEST:
        raise BadInput(
            f"{path} is too small: {width} x {height}, wanted at least {SMALLEST} pixels a side.",
            hint="Give the picture itself, not a thumbnail of it.",
        )


def check_png_target(path: Path) -> None:
    """Refuse a target that cannot become a PNG, before any work is done."""
    if path.is_dir():
        raise BadInput(f"-o {path} is a folder: wanted a file.", hint=f"Try {path / 'picture.png'}")
    if path.exists():
        check_target(path)
    if path.suffix.lower() != ".png":
        raise BadInput(f"-o {path}: wanted a name that ends in .png.", hint=f"Try {path.with_suffix('.png')}")
    if not path.parent.is_dir():
        raise NotFound(f"-o {path}: there is no folder {path.parent}.", hint="Make it first, or name another.")
    check_target(path)


def slug(text: str, *, longest: int = 48) -> str:
    """A text as part of a file name: lower-case letters, digits and hyphens, never empty; cut after a whole word."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    kept = words[:longest]
    if words[longest : longest + 1] not in ("", "-"):
        kept = kept.rpartition("-")[0] or kept
    return kept.strip("-") or "picture"
