"""Takes a `ReportData` and a path; writes the map there as one PNG poster. Reads only the thumbnails.

`place_on_poster` says where each cell lands, in pixels from the top left, so that a poster can be checked and clicked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from gen_emerge.reports import words
from gen_emerge.reports.files import drawing, write_bytes
from gen_emerge.reports.layout import MapSheet, Panel, map_sheet
from gen_emerge.reports.lettering import Colour, balanced, width_of, write, write_upwards
from gen_emerge.reports.sheet import MapAxis, ReportData
from gen_emerge.reports.thumbnails import fill, placeholder

WIDTH = 2000
"""Pixels; the height follows from the map."""
_MARGIN, _AXIS, _GUTTER = 130, 58, 56
_TITLE_SIZE, _TEXT_SIZE, _SMALL = 92, 32, 27
_LONGEST_MAP = 2600

GROUND: Colour = (248, 246, 242)
EMPTY: Colour = (236, 232, 225)
INK: Colour = (29, 27, 24)
SOFT: Colour = (110, 104, 96)
LINE: Colour = (214, 208, 199)


@dataclass(frozen=True, slots=True)
class _Frame:
    """One panel on the poster: its matrix of cells, `wide` by `high` with gaps between, starts at (left, top)."""

    panel: Panel
    left: int
    top: int
    wide: int
    high: int
    gap: int

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        left, top = self.left + column * (self.wide + self.gap), self.top + row * (self.high + self.gap)
        return left, top, left + self.wide, top + self.high

    @property
    def bottom(self) -> int:
        return self.box(self.panel.rows - 1, 0)[3]


def write_png(data: ReportData, path: Path) -> Path:
    """Write the poster and return its path.

    Raises:
        BadInput: the file cannot be written.
        DiskFull: there is no room for it.
    """
    return write_bytes(path, drawing(poster(data), "map"))


def place_on_poster(data: ReportData) -> dict[int, tuple[int, int, int, int]]:
    """Cell index of every elite -> (left, top, right, bottom) on the poster, pixels."""
    frames = _frames(data, map_sheet(data))
    return {
        slot.elite.cell: frame.box(slot.row, slot.column)
        for frame in frames
        for slot in frame.panel.slots
        if slot.elite
    }


def poster(data: ReportData) -> Image.Image:
    """Draw the poster."""
    sheet = map_sheet(data)
    top = _head_height(data)
    frames = _frames(data, sheet)
    bottom = max((frame.bottom for frame in frames), default=top + 900)
    picture = Image.new("RGB", (WIDTH, bottom + (_AXIS if sheet.across else 0) + 190), GROUND)
    _head(picture, data)
    for frame in frames:
        _matrix(picture, frame)
    if frames:
        _axes(picture, sheet, frames)
    else:
        _nothing_yet(picture, data, top)
    _foot(picture, data, sheet)
    return picture


def _brief(data: ReportData) -> list[str]:
    return balanced(data.brief, _TEXT_SIZE, (WIDTH - 2 * _MARGIN) * 0.72, 3)


def _head_height(data: ReportData) -> int:
    return _MARGIN + 110 + len(_brief(data)) * 48 + (40 if data.brief else 0) + 50


def _head(picture: Image.Image, data: ReportData) -> None:
    write(picture, (_MARGIN - 4, _MARGIN + 70), data.series, _TITLE_SIZE, INK, weight=1)
    for i, row in enumerate(_brief(data)):
        write(picture, (_MARGIN, _MARGIN + 150 + i * 48), row, _TEXT_SIZE, SOFT)


def _frames(data: ReportData, sheet: MapSheet) -> list[_Frame]:
    """Where each panel goes: one as wide as the sheet, several in rows of two to four."""
    if not sheet.panels:
        return []
    left = _MARGIN + (_AXIS if sheet.up else 0)
    room = WIDTH - _MARGIN - left
    count = len(sheet.panels)
    across = min(count, 3) if count < 4 else 2 if count == 4 else 3 if count < 10 else 4
    wide = (room - _GUTTER * (across - 1)) // across
    heading = 60 if count > 1 else 0
    frames: list[_Frame] = []
    y = _head_height(data)
    for start in range(0, count, across):
        line = sheet.panels[start : start + across]
        placed = [
            _frame(panel, (left + i * (wide + _GUTTER), y + heading), wide, words.shape(data), alone=count == 1)
            for i, panel in enumerate(line)
        ]
        frames += placed
        y = max(frame.bottom for frame in placed) + _AXIS + _GUTTER // 2
    return frames


def _frame(panel: Panel, at: tuple[int, int], room: int, shape: float, *, alone: bool) -> _Frame:
    """One panel in a room. What whole pixels leave over lies left of an only one, so that it ends at the margin."""
    pitch = max(3, min(room // panel.columns, round(_LONGEST_MAP * shape / panel.rows)))
    gap = max(1, round(pitch * 0.045))
    pitch += pitch * panel.columns + panel.columns - gap <= room
    spare = max(0, room + gap - pitch * panel.columns) if alone else 0
    left = at[0] + (spare if spare <= panel.columns + gap else spare // 2)
    return _Frame(panel, left, at[1], pitch - gap, max(1, round((pitch - gap) / shape)), gap)


def _matrix(picture: Image.Image, frame: _Frame) -> None:
    pen = ImageDraw.Draw(picture)
    if frame.panel.title:
        write(picture, (frame.left, frame.top - 18), frame.panel.title, _SMALL, INK)
    for slot in frame.panel.slots:
        left, top, right, bottom = frame.box(slot.row, slot.column)
        if slot.elite is None:
            pen.rectangle((left, top, right - 1, bottom - 1), EMPTY)
            continue
        size = frame.wide, frame.high
        tile = fill(slot.elite.thumbnail, size) or placeholder(size)
        picture.paste(tile, (left, top))


def _axes(picture: Image.Image, sheet: MapSheet, frames: list[_Frame]) -> None:
    """Name the ends of the axes below every panel and beside the first panel of every row of panels."""
    size = _TEXT_SIZE if len(frames) == 1 else _SMALL
    for frame in frames:
        left, top, _, _ = frame.box(0, 0)
        _, _, right, bottom = frame.box(frame.panel.rows - 1, frame.panel.columns - 1)
        if sheet.across:
            _across(picture, sheet.across, (left, right), bottom + 20 + size, size)
        if sheet.up and left == frames[0].left:
            # Flush with the title above, unless the map is so narrow that it stands in the middle.
            flush = _MARGIN + round(0.74 * size)
            _upwards(picture, sheet.up, (top, bottom), flush if left - flush < 64 else left - 26, size)


def _gaps(start: float, first: float, middle: float, last: float, end: float) -> tuple[list[tuple[float, float]], bool]:
    """Where the lines of an axis run between its three texts (of these widths), and whether the middle one fits."""
    half, air = middle / 2, 28
    centre = (start + end) / 2
    if start + first + 2 * air < centre - half and centre + half < end - last - 2 * air:
        return [(start + first + air, centre - half - air), (centre + half + air, end - last - air)], True
    return [(start + first + air, end - last - air)], False


def _across(picture: Image.Image, axis: MapAxis, span: tuple[int, int], y: int, size: int) -> None:
    low, high = words.ends(axis)
    name = words.extent(axis)
    lines, fits = _gaps(span[0], width_of(low, size), width_of(name, _SMALL), width_of(high, size), span[1])
    write(picture, (span[0], y), low, size, INK)
    write(picture, (span[1], y), high, size, INK, anchor="rs")
    if fits:
        write(picture, ((span[0] + span[1]) / 2, y), name, _SMALL, SOFT, anchor="ms")
    for a, b in lines:
        if b > a:
            ImageDraw.Draw(picture).line((a, y - 10, b, y - 10), LINE, 2)


def _upwards(picture: Image.Image, axis: MapAxis, span: tuple[int, int], x: int, size: int) -> None:
    low, high = words.ends(axis)
    name = words.extent(axis)
    lines, fits = _gaps(span[0], width_of(high, size), width_of(name, _SMALL), width_of(low, size), span[1])
    write_upwards(picture, (x, span[1]), low, size, INK, anchor="l")
    write_upwards(picture, (x, span[0]), high, size, INK, anchor="r")
    if fits:
        write_upwards(picture, (x, (span[0] + span[1]) / 2), name, _SMALL, SOFT, anchor="m")
    for a, b in lines:
        if b > a:
            ImageDraw.Draw(picture).line((x - 10, a, x - 10, b), LINE, 2)


def _nothing_yet(picture: Image.Image, data: ReportData, top: int) -> None:
    """The warm-up: a map of empty cells that fades, and what is going on."""
    pen = ImageDraw.Draw(picture)
    columns, rows, side = 12, 6, 138
    pitch = (WIDTH - 2 * _MARGIN + 8) / columns
    for row in range(rows):
        fade = row / rows
        colour = (
            round(EMPTY[0] + (GROUND[0] - EMPTY[0]) * fade),
            round(EMPTY[1] + (GROUND[1] - EMPTY[1]) * fade),
            round(EMPTY[2] + (GROUND[2] - EMPTY[2]) * fade),
        )
        for column in range(columns):
            x, y = round(_MARGIN + column * pitch), round(top + row * pitch)
            pen.rectangle((x, y, x + side, y + side), colour)
    text = "The map begins after the warm-up"
    if data.warmup_cycles:
        text += f": {min(data.cycle, data.warmup_cycles)} of {words.plural(data.warmup_cycles, 'cycle')} done"
    half = width_of(text, 40) / 2 + 40
    middle = top + round(2.5 * pitch) - 4
    pen.rectangle((WIDTH / 2 - half, middle - 56, WIDTH / 2 + half, middle + 44), GROUND)
    write(picture, (WIDTH / 2, middle + 10), text, 40, INK, anchor="ms")


def _foot(picture: Image.Image, data: ReportData, sheet: MapSheet) -> None:
    y = picture.height - 84
    facts = [f"cycle {words.count(data.cycle)}"]
    if data.cells_total:
        cells = words.plural(data.cells_total, "cell")
        facts.append(f"{words.count(len(data.cells))} of {cells} filled, {words.coverage(data)}")
    candidates = data.status.get("candidates")
    if candidates:
        facts.append(f"{words.plural(int(candidates), 'image')} tried")
    distance = data.status.get("mean_pairwise_distance")
    if isinstance(distance, float) and math.isfinite(distance):
        facts.append(f"mean distance between two elites {words.figure(distance)}")
    pen = ImageDraw.Draw(picture)
    pen.line((_MARGIN, y - 52, WIDTH - _MARGIN, y - 52), LINE, 2)
    x = float(_MARGIN)
    for fact in facts:
        write(picture, (x, y), fact, _SMALL, SOFT)
        x += width_of(fact, _SMALL) + 64
    write(picture, (WIDTH - _MARGIN, y), "gen-emerge", _SMALL, SOFT, anchor="rs")
