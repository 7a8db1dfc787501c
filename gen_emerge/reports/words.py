"""Takes names and numbers; gives the words and figures people read. Touches nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from gen_emerge.reports.sheet import MapAxis, ReportData
from gen_emerge.spoken import ALMOST, spoken

AXIS_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "warmth": ("cooler", "warmer"),
        "edge_density": ("calm", "busy"),
        "lightness": ("darker", "lighter"),
        "contrast": ("soft contrast", "strong contrast"),
        "colourfulness": ("muted", "colourful"),
        "saturation": ("greyer", "more saturated"),
        "entropy": ("few tones", "many tones"),
        "symmetry": ("asymmetric", "symmetric"),
        "detail": ("broad shapes", "fine detail"),
        "hue_spread": ("one hue", "many hues"),
    }
)
"""Axis -> what its low and its high end look like."""

STATES: Mapping[str, str] = MappingProxyType(
    {
        "new": "not started",
        "running": "running",
        "waiting": "waiting for your answers",
        "paused": "paused",
        "stopped": "stopped",
        "done": "finished",
        "failed": "failed",
    }
)
"""State -> the words of a report."""


def plain(name: str) -> str:
    """A signal's or emitter's name as words: "edge_density" -> "edge density"."""
    return name.replace("_", " ").replace("-", " ")


def ends(axis: MapAxis) -> tuple[str, str]:
    """What the low and the high end of an axis look like."""
    name = plain(axis.name)
    return axis.words or AXIS_WORDS.get(axis.name) or (f"less {name}", f"more {name}")


def count(number: float) -> str:
    """A whole number with thin thousands: 12345 -> "12,345"."""
    return f"{round(number):,}"


def figure(number: float | None, digits: int = 3) -> str:
    """A measured number with about `digits` significant figures; an en dash when there is none."""
    if number is None or not math.isfinite(number):
        return "–"
    if number == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    text = spoken(number) if abs(number) < 2 * ALMOST else f"{number:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−", 1) if number < 0 else text


def extent(axis: MapAxis) -> str:
    """An axis's name and range: "warmth, −0.25 to 0.35"."""
    return f"{plain(axis.name)}, {figure(axis.low, 2)} to {figure(axis.high, 2)}"


def percent(share: float) -> str:
    """A share 0..1 as a percentage: 0.0312 -> "3.1%"."""
    value = 100 * share
    return f"{value:.1f}%" if 0 < value < 10 else f"{value:.0f}%"


def shape(data: ReportData) -> float:
    """Width / height in which a cell is drawn: that of the series' pictures, unless it is extreme."""
    return min(max(data.shape, 0.5), 2.0)


def coverage(data: ReportData) -> str:
    """The share of cells that are filled, as `status` has it: "27.5%"."""
    return f"{100 * len(data.cells) / data.cells_total:.1f}%"


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 image", "2 images"."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def headline(data: ReportData) -> list[tuple[str, str]]:
    """The few figures that open a report: (number, what it counts), none of them a score."""
    status = data.status
    rows: list[tuple[str, str]] = []
    if data.cells_total:
        cells = f"{count(len(data.cells))} of {plural(data.cells_total, 'cell')}"
        rows.append((coverage(data), f"of the map filled: {cells}"))
    candidates = status.get("candidates")
    accepted = status.get("accepted")
    if candidates is not None:
        rows.append((count(candidates), "images tried"))
    if accepted is not None and data.cells:
        rows.append((count(accepted), "accepted"))
    distance = status.get("mean_pairwise_distance")
    if distance is not None:
        rows.append((figure(distance), "mean distance between two elites"))
    vendi = status.get("vendi")
    if vendi is not None:
        rows.append((figure(vendi), "effectively different images (Vendi score)"))
    return rows
