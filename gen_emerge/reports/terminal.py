"""Takes a `ReportData`; gives the map as lines of text for a terminal. Reads the thumbnails where it has colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gen_emerge.reports import words
from gen_emerge.reports.layout import Panel, map_sheet
from gen_emerge.reports.sheet import MapCell, ReportData
from gen_emerge.reports.thumbnails import Tone, mosaic

FULL, EMPTY = "██", "░░"
PLAIN_FULL, PLAIN_EMPTY = "##", " ."
MOST = 2000
"""Pictures that are looked at for their colours: about two milliseconds each."""
_LEVELS = (0, 95, 135, 175, 215, 255)
"""Of each colour in the cube that terminals of 256 colours have (xterm)."""
Colours = Literal["24bit", "256"]


def palette(environment: Mapping[str, str], *, terminal: bool) -> Colours | None:
    """The colours that a terminal says it has, None for none.

    Args:
        environment: the process's environment.
        terminal: stdout is a terminal.
    """
    if not terminal:
        return None
    if environment.get("COLORTERM") in ("truecolor", "24bit"):
        return "24bit"
    return "256" if "256color" in environment.get("TERM", "") else None


def terminal_map(data: ReportData, *, unicode: bool = True, colours: Colours | None = None) -> str:
    """Filled cells as blocks, empty ones as shade, with the ends of the axes in words.

    Args:
        data: the series.
        unicode: blocks beyond ASCII.
        colours: a filled cell shows the colours of its picture's four quarters; None: all look alike.
    """
    sheet = map_sheet(data)
    if not sheet.panels:
        return f"{data.series}: the map begins after the warm-up ({words.plural(data.cycle, 'cycle')} done)."
    if not unicode or sheet.filled > MOST:
        colours = None
    lines = [f"{data.series}: {words.count(len(data.cells))} of {words.plural(data.cells_total, 'cell')} filled"]
    for panel in sheet.panels:
        rows = _rows(panel, unicode=unicode, colours=colours)
        if panel.title:
            lines.append(panel.title)
        margin = 0
        if sheet.up:
            low, high = words.ends(sheet.up)
            margin = max(len(low), len(high)) + 1
            marks = [high, *[""] * (len(rows) - 2), low] if len(rows) > 1 else [f"{low}-{high}"]
            rows = [f"{mark:>{margin - 1}} {row}" for mark, row in zip(marks, rows, strict=True)]
        lines += rows
        if sheet.across:
            low, high = words.ends(sheet.across)
            lines.append(" " * margin + low + high.rjust(max(len(high) + 1, 2 * panel.columns - len(low))))
    return "\n".join(lines)


def _rows(panel: Panel, *, unicode: bool, colours: Colours | None) -> list[str]:
    full, empty = (FULL, EMPTY) if unicode else (PLAIN_FULL, PLAIN_EMPTY)
    if colours:
        empty = f"\x1b[90m{empty}\x1b[0m"
    grid = [["  "] * panel.columns for _ in range(panel.rows)]
    for slot in panel.slots:
        if slot.elite is None:
            grid[slot.row][slot.column] = empty
        else:
            grid[slot.row][slot.column] = _painted(slot.elite, colours) if colours else full
    return ["".join(row).rstrip() for row in grid]


def _painted(cell: MapCell, colours: Colours) -> str:
    """Two half blocks: their upper halves in the colours of the picture's upper quarters, the ground in the lower."""
    quarters = mosaic(cell.thumbnail)
    if quarters is None:
        return "??"
    upper, lower = quarters[:2], quarters[2:]
    halves = [
        f"\x1b[38;{_code(above, colours)};48;{_code(below, colours)}m▀"
        for above, below in zip(upper, lower, strict=True)
    ]
    return "".join(halves) + "\x1b[0m"


def _code(tone: Tone, colours: Colours) -> str:
    if colours == "24bit":
        return "2;" + ";".join(map(str, tone))
    red, green, blue = (min(range(6), key=lambda i: abs(_LEVELS[i] - part)) for part in tone)
    return f"5;{16 + 36 * red + 6 * green + blue}"
