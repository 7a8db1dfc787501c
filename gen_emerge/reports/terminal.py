"""Takes a `ReportData`; gives the map as lines of text for a terminal. Touches nothing."""

from __future__ import annotations

from gen_emerge.reports import words
from gen_emerge.reports.layout import Panel, map_sheet
from gen_emerge.reports.sheet import ReportData

FULL, EMPTY = "██", "░░"


def terminal_map(data: ReportData) -> str:
    """Filled places as blocks, empty ones as shade, with the ends of the axes in words."""
    sheet = map_sheet(data)
    if not sheet.panels:
        return f"{data.series}: the map begins after the warm-up ({words.plural(data.cycle, 'cycle')} done)."
    lines = [f"{data.series}: {words.count(len(data.cells))} of {words.plural(data.cells_total, 'place')} filled"]
    for panel in sheet.panels:
        rows = _rows(panel)
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


def _rows(panel: Panel) -> list[str]:
    grid = [["  "] * panel.columns for _ in range(panel.rows)]
    for slot in panel.slots:
        grid[slot.row][slot.column] = FULL if slot.elite else EMPTY
    return ["".join(row).rstrip() for row in grid]
