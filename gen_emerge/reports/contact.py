"""Takes picture files; writes them as one PNG contact sheet. A file that cannot be read is drawn as a placeholder.

Pictures stand whole and fill their places. Of one shape, they stand in columns; of several, in rows that are equally
broad. Small ones are enlarged, so that what is written below them can be read; large ones by half, to fill a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from PIL import Image

from gen_emerge.errors import BadInput
from gen_emerge.reports.files import drawing, write_bytes
from gen_emerge.reports.lettering import balanced, wrap, write
from gen_emerge.reports.poster import GROUND, INK, SOFT
from gen_emerge.reports.thumbnails import fill, placeholder, size_of

_MARGIN, _GAP, _WIDTH = 90, 28, 2000
_TEXT, _LINE = 22, 30
_LARGEST, _SMALLEST, _ENLARGED = 560, 48, 256
"""Longer sides: of any picture, of one among very many, and up to which a small one is enlarged."""
_ALIKE = 1.02
"""Pictures whose shapes differ by no more stand in columns."""
_NARROW = 240
"""Below pictures of such breadth stand two lines, else three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one picture stands, pixels from the left and from the top of the first row; `row` counts from 0."""

    row: int
    left: int
    top: int
    width: int
    height: int


def contact_sheet(
    images: Sequence[Path],
    path: Path,
    *,
    captions: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    title: str = "",
    subtitle: str = "",
) -> Path:
    """Write a contact sheet, whole pictures in rows, and return its path.

    Args:
        images: files, in reading order; at least one.
        path: the PNG to write.
        captions: one for each image, two or three lines are drawn.
        labels: a short name for each image, set before its caption, such as "01".
        columns: pictures in a row; None chooses.
        title: a heading, "" for none.
        subtitle: two lines below it at most, "" for none.

    Raises:
        BadInput: no image, a wrong number of captions, labels or columns, or the file cannot be written.
        DiskFull: there is no room for it.
    """
    _check(images, captions, labels, columns)
    places = arrange([size_of(image) for image in images], columns)
    named, told = labels or [""] * len(images), captions or [""] * len(images)
    texts = [f"{label} {caption}".strip() for label, caption in zip(named, told, strict=True)]
    lines = 0 if not any(texts) else 2 if min(place.width for place in places) < _NARROW else 3
    words = _LINE * lines + 14 if lines else 0
    wide = 2 * _MARGIN + max(place.left + place.width for place in places)
    head = balanced(subtitle, _TEXT + 4, (wide - 2 * _MARGIN) * 0.8, 2)
    top = _MARGIN + (110 if title else 0) + 36 * len(head)
    high = top + max(place.top + place.height + (place.row + 1) * words for place in places) + _MARGIN - words // 3
    sheet = Image.new("RGB", (wide, high), GROUND)
    if title:
        write(sheet, (_MARGIN - 2, _MARGIN + 44), wrap(title, 58, wide - 2 * _MARGIN, 1)[0], 58, INK, weight=1)
    for i, row in enumerate(head):
        write(sheet, (_MARGIN, _MARGIN + 92 + 36 * i), row, _TEXT + 4, SOFT)
    for i, (image, place) in enumerate(zip(images, places, strict=True)):
        x, y = _MARGIN + place.left, top + place.top + place.row * words
        picture = fill(image, (place.width, place.height)) or placeholder((place.width, place.height))
        sheet.paste(picture, (x, y))
        for j, row in enumerate(wrap(texts[i], _TEXT, place.width, lines)):
            write(sheet, (x, y + place.height + 32 + j * _LINE), row, _TEXT, SOFT)
        if labels and lines:
            write(sheet, (x, y + place.height + 32), labels[i], _TEXT, INK)
    return write_bytes(path, drawing(sheet, "contact sheet"))


def _check(
    images: Sequence[Path], captions: Sequence[str] | None, labels: Sequence[str] | None, columns: int | None
) -> None:
    if not images:
        raise BadInput("A contact sheet of no images was asked for.", hint="Choose at least one image.")
    for name, texts in (("captions", captions), ("labels", labels)):
        if texts is not None and len(texts) != len(images):
            raise BadInput(f"{len(texts)} {name} came for {len(images)} images.", hint="Give one for each image.")
    if columns is not None and columns < 1:
        raise BadInput(f"A contact sheet of {columns} columns was asked for.", hint="Ask for 1 or more.")


def arrange(sizes: Sequence[tuple[int, int] | None], columns: int | None = None) -> list[Place]:
    """Where pictures stand, in reading order.

    Args:
        sizes: (width, height) of each, pixels; None where it is not known.
        columns: pictures in a row; None chooses.
    """
    known = [size for size in sizes if size is not None] or [(1, 1)]
    shapes = [width / height for width, height in known]
    typical = sum(shapes) / len(shapes)
    across = columns or max(3, math.ceil(math.sqrt(len(sizes) * 1.3 / min(max(typical, 0.5), 2.0))))
    across = min(across, len(sizes))
    longest = min(_LARGEST, max(_ENLARGED, *(max(size) for size in known)))
    if max(shapes) / min(shapes) <= _ALIKE:
        return _in_columns(len(sizes), across, typical, longest)
    every = [size[0] / size[1] if size else typical for size in sizes]
    starts = range(0, len(sizes), across)
    rows = [every[start : start + across] for start in starts] if columns else _balanced(every, len(starts))
    return _in_rows(rows, longest)


def _in_columns(count: int, across: int, shape: float, longest: int) -> list[Place]:
    room = max(_SMALLEST, (_WIDTH - 2 * _MARGIN - _GAP * (across - 1)) // across)
    width = max(1, round(min(room, longest * min(1.0, shape))))
    height = max(1, round(width / shape))
    return [
        Place(
            row=i // across,
            left=(i % across) * (width + _GAP),
            top=(i // across) * (height + _GAP),
            width=width,
            height=height,
        )
        for i in range(count)
    ]


def _balanced(shapes: Sequence[float], rows: int) -> list[Sequence[float]]:
    """The shapes in so many rows, or fewer, that are about equally broad at equal height."""
    ends = list(accumulate(shapes))
    row_of = [min(rows - 1, int((end - shape / 2) / ends[-1] * rows)) for shape, end in zip(shapes, ends, strict=True)]
    parts = [[shape for shape, at in zip(shapes, row_of, strict=True) if at == row] for row in range(rows)]
    return [part for part in parts if part]


def _in_rows(rows: Sequence[Sequence[float]], longest: int) -> list[Place]:
    """Every row as broad as the sheet, unless its pictures would be half as large again as `longest`."""
    room = _WIDTH - 2 * _MARGIN

    def height_of(row: Sequence[float]) -> float:
        return min((room - _GAP * (len(row) - 1)) / sum(row), 1.5 * longest / max(1.0, *row))

    places: list[Place] = []
    top = 0
    for number, row in enumerate(rows):
        height, left = max(1, round(height_of(row))), 0
        for shape in row:
            width = max(1, round(height * shape))
            places.append(Place(row=number, left=left, top=top, width=width, height=height))
            left += width + _GAP
        top += height + _GAP
    return places
