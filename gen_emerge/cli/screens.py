"""Takes a question and its picture files, from left to right; gives one picture to be judged by: large, and named.

What can be named by a key is named by that letter, below it. Pictures of one row are of one height, so that none looks
larger than another for its shape alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gen_emerge.cli.inline import side_by_side
from gen_emerge.cli.judging import shown_names
from gen_emerge.types import Question

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

BROAD = 3
"""From so many pictures on, a screen is shown as broad as the terminal."""
_IN_A_ROW = 5
_MARGIN, _GAP, _TALL, _SMALLER = 40, 32, 560, 440
_LETTER, _BELOW = 44, 92
_MIDDLE = "which is more like this one?"


def screen(question: Question, pictures: Sequence[Path]) -> Picture:
    """What a rater looks at: one picture, two side by side, or several with their letters.

    Args:
        question: what is asked.
        pictures: files, as `shown_names` names them.
    """
    if question.kind not in ("rank4", "ranking", "triplet"):
        return side_by_side(pictures)
    names = shown_names(question)
    labels = [_MIDDLE if name == "reference" else name for name in names]
    rows = -(-len(pictures) // _IN_A_ROW)
    across = -(-len(pictures) // rows)
    starts = range(0, len(pictures), across)
    parts = [(pictures[at : at + across], labels[at : at + across]) for at in starts]
    return _sheet(parts, _TALL if rows == 1 else _SMALLER)


def _sheet(rows: Sequence[tuple[Sequence[Path], Sequence[str]]], height: int) -> Picture:
    from PIL import Image

    from gen_emerge.reports.lettering import write
    from gen_emerge.reports.poster import GROUND, INK, SOFT

    shown = [[_of_height(path, height) for path in paths] for paths, _ in rows]
    wide = max(sum(picture.width for picture in row) + _GAP * (len(row) - 1) for row in shown)
    sheet = Image.new("RGB", (wide + 2 * _MARGIN, 2 * _MARGIN + len(rows) * (height + _BELOW) - 16), GROUND)
    for number, (row, (_, labels)) in enumerate(zip(shown, rows, strict=True)):
        top = _MARGIN + number * (height + _BELOW)
        left = _MARGIN + (wide - sum(picture.width for picture in row) - _GAP * (len(row) - 1)) // 2
        for picture, label in zip(row, labels, strict=True):
            sheet.paste(picture, (left, top))
            named = len(label) == 1
            at = (left + picture.width / 2, top + height + 56)
            write(sheet, at, label, _LETTER if named else 30, INK if named else SOFT, anchor="ms", weight=int(named))
            left += picture.width + _GAP
    return sheet


def _of_height(path: Path, height: int) -> Picture:
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    return picture.resize((max(1, round(picture.width * height / picture.height)), height), Image.Resampling.LANCZOS)
