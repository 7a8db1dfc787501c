"""Takes a `ReportData`; gives the map as panels of slots in rows and columns, for HTML, PNG and text alike.

Rows count from the top, columns from the left, both from 0. The second axis grows upwards, so its low end is the last
row. A slot without an elite is an empty cell of the archive.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from gen_emerge.reports.sheet import MapAxis, MapCell, ReportData
from gen_emerge.reports.words import ends


@dataclass(frozen=True, slots=True)
class Slot:
    """One cell of the archive at its place on the sheet; `elite` is None when the cell is empty."""

    row: int
    column: int
    elite: MapCell | None


@dataclass(frozen=True, slots=True)
class Panel:
    """One matrix. `title` names the slice it shows, "" when there is only one."""

    title: str
    rows: int
    columns: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class MapSheet:
    """The whole map.

    Args:
        panels: one matrix for two axes or less, small multiples for more.
        across: the axis that runs left to right, None when the order carries no axis.
        up: the axis that runs upwards, likewise.
        note: one sentence on how places are drawn, "" when cells stand exactly where they are.
    """

    panels: tuple[Panel, ...]
    across: MapAxis | None
    up: MapAxis | None
    note: str = ""

    @property
    def filled(self) -> int:
        """How many slots hold an elite."""
        return sum(slot.elite is not None for panel in self.panels for slot in panel.slots)


def map_sheet(data: ReportData) -> MapSheet:
    """Lay the archive out; no panel when there is no archive yet."""
    if not data.axes or not data.cells_total:
        return MapSheet((), None, None)
    if data.kind == "cvt":
        return _scattered(data)
    if len(data.axes) == 1:
        return _strip(data)
    return _grid(data)


def _grid(data: ReportData) -> MapSheet:
    across, up, *others = data.axes
    by_place = {tuple(round(p) for p in cell.place): cell for cell in data.cells}
    panels: list[Panel] = []
    for rest in itertools.product(*(range(axis.cells) for axis in others)):
        slots = tuple(
            Slot(up.cells - 1 - y, x, by_place.get((x, y, *rest)))
            for y in reversed(range(up.cells))
            for x in range(across.cells)
        )
        panels.append(Panel(_slice_title(others, rest), up.cells, across.cells, slots))
    return MapSheet(tuple(panels), across, up)


def _slice_title(axes: list[MapAxis], rest: tuple[int, ...]) -> str:
    parts: list[str] = []
    for axis, position in zip(axes, rest, strict=True):
        low, high = ends(axis)
        word = f"{low} to {high}, {position + 1} of {axis.cells}"
        if position == 0:
            word = low
        elif position == axis.cells - 1:
            word = high
        parts.append(word)
    return " · ".join(parts)


def _strip(data: ReportData) -> MapSheet:
    axis = data.axes[0]
    by_place = {round(cell.place[0]): cell for cell in data.cells}
    columns = min(axis.cells, 10)
    slots = tuple(Slot(i // columns, i % columns, by_place.get(i)) for i in range(axis.cells))
    low, high = ends(axis)
    note = f"One axis, read like text: from {low} at the top left to {high} at the bottom right."
    return MapSheet((Panel("", math.ceil(axis.cells / columns), columns, slots),), None, None, note)


def _scattered(data: ReportData) -> MapSheet:
    """Irregular cells put into rows: sorted by the second axis, cut into rows, each row sorted by the first."""
    elites = {cell.cell: cell for cell in data.cells}
    places = dict(enumerate(data.centroids)) or {cell.cell: cell.place for cell in data.cells}
    rows = max(1, round(math.sqrt(len(places))))
    across, up = data.axes[0], next(iter(data.axes[1:]), None)
    flat = up is None
    order = sorted(places, key=lambda c: (0.0 if flat else -places[c][1], places[c][0], c))
    slots: list[Slot] = []
    edges = [round(i * len(order) / rows) for i in range(rows + 1)]
    for row, (start, end) in enumerate(itertools.pairwise(edges)):
        line = sorted(order[start:end], key=lambda c: (places[c][0], c))
        slots += [Slot(row, column, elites.get(cell)) for column, cell in enumerate(line)]
    columns = max(end - start for start, end in itertools.pairwise(edges))
    note = "Cells of this archive are irregular; each is drawn at about its place."
    if len(data.axes) > 2:
        note += f" Of its {len(data.axes)} axes the first two are shown."
    panel = Panel("", rows, columns, tuple(slots))
    return MapSheet((panel,), None if flat else across, up, note)
