"""Takes picture files; writes them as one PNG contact sheet. A file that cannot be read is drawn as a placeholder."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from gen_emerge.errors import BadInput
from gen_emerge.reports.files import write_bytes
from gen_emerge.reports.lettering import wrap, write
from gen_emerge.reports.poster import GROUND, INK, SOFT
from gen_emerge.reports.thumbnails import load, placeholder

_MARGIN, _GAP, _WIDTH = 90, 28, 2000
_TEXT, _LINE, _LINES = 22, 30, 3


def contact_sheet(
    images: Sequence[Path],
    path: Path,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
) -> Path:
    """Write a contact sheet, whole pictures in rows, and return its path.

    Args:
        images: files, in reading order; at least one.
        path: the PNG to write.
        captions: one for each image, three lines at most are drawn.
        columns: pictures in a row; None chooses.
        title: a heading, "" for none.

    Raises:
        BadInput: no image, a wrong number of captions or columns, or the file cannot be written.
        DiskFull: there is no room for it.
    """
    if not images:
        raise BadInput("A contact sheet of no images was asked for.", hint="Choose at least one image.")
    if captions is not None and len(captions) != len(images):
        raise BadInput(f"{len(captions)} captions came for {len(images)} images.", hint="Give one for each image.")
    if columns is not None and columns < 1:
        raise BadInput(f"A contact sheet of {columns} columns was asked for.", hint="Ask for 1 or more.")
    across = min(len(images), columns or max(3, math.ceil(math.sqrt(len(images) * 1.3))))
    side = max(48, min(560, (_WIDTH - 2 * _MARGIN - _GAP * (across - 1)) // across))
    words_height = _LINE * _LINES + 14 if captions else 0
    rows = math.ceil(len(images) / across)
    top = _MARGIN + (110 if title else 0)
    wide = 2 * _MARGIN + across * side + (across - 1) * _GAP
    high = top + rows * (side + words_height) + (rows - 1) * _GAP + _MARGIN
    sheet = Image.new("RGB", (wide, high), GROUND)
    if title:
        write(sheet, (_MARGIN, _MARGIN + 44), wrap(title, 58, wide - 2 * _MARGIN, 1)[0], 58, INK)
    for i, file in enumerate(images):
        x = _MARGIN + (i % across) * (side + _GAP)
        y = top + (i // across) * (side + words_height + _GAP)
        picture = load(file, side) or placeholder(side)
        sheet.paste(picture, (x + (side - picture.width) // 2, y + side - picture.height))
        for j, row in enumerate(wrap(captions[i], _TEXT, side, _LINES) if captions else []):
            write(sheet, (x, y + side + 32 + j * _LINE), row, _TEXT, SOFT)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=4)
    return write_bytes(path, buffer.getvalue())
