"""Takes a `ReportData` and a path; writes one self-contained HTML page there. Reads only pictures.

The page holds no script and no address outside itself, and its content security policy forbids both; every text is
escaped by Jinja2. Equal data and pictures give equal bytes: there is no clock in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gen_emerge.reports import charts, words
from gen_emerge.reports.files import write_bytes
from gen_emerge.reports.layout import MapSheet, map_sheet
from gen_emerge.reports.sheet import Firing, Histogram, ReportData
from gen_emerge.reports.thumbnails import inline
from gen_emerge.spoken import OPERATORS

PICTURE_BUDGET = 7_000_000
"""Most characters spent on inlined pictures; the newest elites are drawn twice."""
NEWEST = 24
_FIRST, _MADE, _TAIL = b"<!doctype html>", b"<footer><p>Made by gen-emerge", 2_000
"""How every page begins, and what stands in its last bytes."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawing with its heading and what it says in plain words."""

    title: str
    drawing: Markup
    caption: str
    key: Sequence[tuple[int, str]] = ()


def write_html(data: ReportData, path: Path) -> Path:
    """Write the report and return its path.

    Raises:
        BadInput: the file cannot be written.
        DiskFull: there is no room for it.
    """
    return write_bytes(path, render_html(data).encode("utf-8"))


def is_page(path: Path) -> bool:
    """Whether a file is a page that `write_html` wrote: nobody's work is lost with it."""
    with path.open("rb") as file:
        head = file.read(len(_FIRST))
        file.seek(max(0, path.stat().st_size - _TAIL))
        return head == _FIRST and _MADE in file.read()


def render_html(data: ReportData) -> str:
    """The whole page as text."""
    sheet = map_sheet(data)
    newest = data.newest[:NEWEST]
    # The newest are inlined a second time, so they take their part of the budget.
    share = len(data.cells) / max(1, len(data.cells) + len(newest))
    whole = {cell.thumbnail: cell.picture for cell in data.cells if cell.picture is not None}
    pictures = inline([cell.thumbnail for cell in data.cells], round(PICTURE_BUDGET * share), whole)
    pictures |= inline([c.thumbnail for c in newest if c.thumbnail not in pictures], PICTURE_BUDGET // 10)
    walk = [slot.elite for panel in sheet.panels for slot in panel.slots if slot.elite]
    neighbours = {
        cell.cell: (walk[i - 1].cell, walk[(i + 1) % len(walk)].cell) for i, cell in enumerate(walk) if len(walk) > 1
    }
    environment = Environment(
        loader=PackageLoader("gen_emerge.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        words=words,
        operators=OPERATORS,
        data=data,
        sheet=sheet,
        shape=words.shape(data),
        pictures=pictures,
        neighbours=neighbours,
        newest=newest,
        headline=words.headline(data),
        map_caption=map_caption(data, sheet),
        progress=progress(data),
        walk_figures=[*funnel_figure(data), *firing_figures(data)],
        signals=[histogram_figure(h) for h in data.histograms if len(h.values)],
        emitters=emitter_figures(data),
        alarms=[n for n in data.notices if n.alarm],
    )


def map_caption(data: ReportData, sheet: MapSheet) -> str:
    """What the map says, in two or three sentences."""
    empty = data.cells_total - len(data.cells)
    text = [
        "Each picture holds one cell of the map: the gates let it in, or a person did, and none of them has a score.",
        f"{words.plural(empty, 'cell is', 'cells are')} still empty." if empty else "Every cell is filled.",
    ]
    outside = sum(axis.clipped for axis in data.axes)
    if outside:
        stand = "stands" if outside == 1 else "stand"
        text.append(f"{words.plural(outside, 'image')} lay beyond the ends of an axis and {stand} at the edge.")
    if sheet.note:
        text.append(sheet.note)
    if data.learned_axes:
        text.append(data.learned_axes)
    return " ".join(text)


def progress(data: ReportData) -> list[Figure]:
    """How the map grew and whether it stayed diverse."""
    figures: list[Figure] = []
    if data.coverage:
        label = "Cells filled"
        figures.append(Figure(label, charts.line(data.coverage, label, ceiling=data.cells_total), _growth(data)))
    if data.mean_distance:
        label = "Mean distance between two elites"
        figures.append(Figure(label, charts.line(data.mean_distance, label), _narrowing(data)))
    if data.vendi:
        label = "Effectively different images"
        caption = (
            f"The Vendi score: {len(data.cells)} elites are as varied as "
            f"{words.figure(data.vendi[-1][1])} images that share nothing at all. It should rise as cells fill."
        )
        figures.append(Figure(label, charts.line(data.vendi, label), caption))
    return figures


def _growth(data: ReportData) -> str:
    last, now = data.coverage[-1]
    span = max(1, min(10, len(data.coverage) - 1))
    gained = now - data.coverage[-1 - span][1] if len(data.coverage) > span else now
    if gained <= 0:
        return f"No new cell in the last {words.plural(span, 'cycle')}: wider prompts or other axes would open more."
    per_cycle = words.figure(gained / span, 2)
    return f"{per_cycle} new cells per cycle over the last {words.plural(span, 'cycle')}, up to cycle {last}."


def _narrowing(data: ReportData) -> str:
    values = [v for _, v in data.mean_distance if math.isfinite(v)]
    plain = "0: all elites look the same; 1: they have nothing in common; 2 is the most there could be."
    if len(values) < 8:
        return plain
    quarter = max(2, len(values) // 4)
    early, late = float(np.mean(values[:quarter])), float(np.mean(values[-quarter:]))
    if late < 0.85 * early:
        return f"{plain} It has fallen since the first cycles: the series is narrowing; look at the newest elites."
    return f"{plain} It holds: the series is not narrowing."


def funnel_figure(data: ReportData) -> list[Figure]:
    """From rendered images to elites."""
    if not data.funnel:
        return []
    rows: list[tuple[str, float, str]] = []
    whole = 1
    for i, step in enumerate(data.funnel):
        whole = max(1, step.count) if i == 0 or step.choice else whole
        share = step.count / whole
        rows.append((step.step, share, f"{words.count(step.count)} · {words.percent(share)}"))
    caption = "What was left after each step, and as a share of all that was rendered."
    steps = list(zip(data.funnel, data.funnel[1:-1], strict=False))
    over = sum(before.count - step.count for before, step in steps if step.choice)
    if over:
        left = words.plural(over, "take was", "takes were")
        caption = (
            f"What was left after each step. {left} passed over, which turns none of them away: shares are of all that "
            "was rendered, and from the choice on of the takes that went on."
        )
    # The last step, from accepted to elites, is a contest for cells and no loss.
    drops = [(before.count - step.count, step.step) for before, step in steps if not step.choice]
    if drops and max(drops)[0] > 0:
        lost, step = max(drops, key=lambda d: d[0])
        caption += f" The largest step down, {words.plural(lost, 'image')}, is “{step}”."
    return [Figure("From rendered to elite", charts.bars(rows, "From rendered to elite", full=1.0), caption)]


def firing_figures(data: ReportData) -> list[Figure]:
    """How often each gate and each filter fires, where any did."""
    figures: list[Figure] = []
    for kind, title in (("gate", "What each gate stops"), ("filter", "What each hard filter stops")):
        rows = [f for f in data.firing if f.kind == kind]
        if rows:
            figures.append(_firing(title, kind, rows))
    return figures


def _firing(title: str, kind: str, rows: Sequence[Firing]) -> Figure:
    def rate(part: int, row: Firing) -> float:
        return part / row.seen if row.seen else 0.0

    drawn = [
        (
            words.plain(row.name),
            rate(row.failed, row),
            f"{words.percent(rate(row.failed, row))}"
            + (f" + {words.percent(rate(row.review, row))} review" if row.review else ""),
        )
        for row in rows
    ]
    reviews = [rate(row.review, row) for row in rows]
    caption = f"Share of the images each {kind} looked at that it turned away, by the thresholds of their time."
    if any(reviews):
        caption += " The amber part lay near a threshold and was left to a person."
    silent = [words.plain(row.name) for row in rows if not row.failed and not row.review]
    if silent and kind == "gate":
        caption += f" Never stopped one: {', '.join(silent)}."
    longest = max(length + more for (_, length, _), more in zip(drawn, reviews, strict=True))
    full = next(step for step in (0.1, 0.25, 0.5, 1.0) if longest <= step or step == 1.0)
    caption += f" The whole length of a bar stands for {words.percent(full)} of them."
    return Figure(title, charts.bars(drawn, title, full=full, second=reviews), caption)


def histogram_figure(data: Histogram) -> Figure:
    """One signal's values and thresholds."""
    values = np.asarray(data.values, dtype=np.float64)
    known = values[np.isfinite(values)]
    name = words.plain(data.name).capitalize()
    label = f"{name} of {words.plural(len(known), 'image')}"
    sentence = [f"{data.unit[:1].upper()}{data.unit[1:]}." if data.unit else "", f"{words.count(len(known))} images."]
    if len(known):
        outside = np.zeros(len(known), dtype=bool)
        near = np.zeros(len(known), dtype=bool)
        for bound, below in ((data.lower, True), (data.upper, False)):
            if bound is not None:
                outside |= known < bound if below else known > bound
        for bound, width in data.bands:
            near |= np.abs(known - bound) <= width / 2
        if data.lower is None and data.upper is None:
            sentence.append("No bound is set.")
        else:
            share = words.percent(float((outside & ~near).mean()))
            asked = words.percent(float(near.mean()))
            sentence.append(f"By the bounds now in force {share} of all these are turned away, {asked} wait for you.")
    if len(known) < len(values):
        sentence.append(f"{len(values) - len(known)} could not be measured.")
    return Figure(name, charts.histogram(data, label), " ".join(s for s in sentence if s))


def emitter_figures(data: ReportData) -> list[Figure]:
    """How the budget was shared between emitters."""
    named = {name: curve for name, curve in data.shares.items() if curve}
    if not named:
        return []
    key = [(i % 8 + 1, words.plain(name)) for i, name in enumerate(named)]
    caption = "Who proposed the images of each cycle. An emitter earns a larger share by opening or winning cells."
    title = "Share of the proposals"
    return [Figure(title, charts.shares(named, title), caption, key)]
