"""Takes the object of a calibration's preview and a path; draws P(good | signal) of every gate there, as one PNG.

Reads no file. A curve has its band, the bounds in force and those that are proposed, and how many answers it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from gen_emerge.reports.charts import ticks
from gen_emerge.reports.files import drawing, write_bytes
from gen_emerge.reports.lettering import Colour, write

WIDTH, PANEL = 1200, 520
"""Pixels: of the picture, and the height of one curve."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 110, 60, 110, 80
_TEXT = 22
GROUND: Colour = (248, 246, 242)
INK: Colour = (29, 27, 24)
SOFT: Colour = (110, 104, 96)
LINE: Colour = (214, 208, 199)
BAND: Colour = (203, 216, 222)
CURVE: Colour = (38, 92, 120)
NOW: Colour = (150, 142, 132)
NEXT: Colour = (176, 78, 38)


def write_curves(preview: Mapping[str, Any], path: Path) -> Path:
    """Write the picture and return its path.

    Raises:
        BadInput: the file cannot be written.
        DiskFull: there is no room for it.
    """
    panels = [
        (gate, end, each, side)
        for gate, each in preview["gates"].items()
        for end, side in each["sides"].items()
        if "curve" in side
    ]
    picture = Image.new("RGB", (WIDTH, max(PANEL * len(panels), 200)), GROUND)
    if not panels:
        write(picture, (_LEFT, 80), "Too few answers for a curve yet.", _TEXT, SOFT)
    for place, (gate, end, each, side) in enumerate(panels):
        _panel(picture, place * PANEL, gate, end, each, side)
    return write_bytes(path, drawing(picture, "curves"))


def _panel(
    picture: Image.Image, top: int, gate: str, end: str, each: Mapping[str, Any], side: Mapping[str, Any]
) -> None:
    curve, draw = side["curve"], ImageDraw.Draw(picture)
    low, high = curve["signal"][0], curve["signal"][-1]
    head, base = top + _TOP, top + PANEL - _BOTTOM

    def x(value: float) -> float:
        inside = min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * inside

    def y(share: float) -> float:
        return base - (base - head) * share

    write(picture, (_LEFT, top + 48), f"{gate}, {end} bound: P(good) by signal", 30, INK)
    told = f"{side['answers']} images judged; the band holds nine tenths of the belief"
    write(picture, (_LEFT, top + 82), told, _TEXT, SOFT)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        draw.line([(_LEFT, y(share)), (WIDTH - _RIGHT, y(share))], fill=LINE, width=1)
        write(picture, (_LEFT - 70, y(share) + 8), f"{share:.0%}", _TEXT, SOFT)
    for value in ticks(low, high, 6):
        write(picture, (x(value) - 20, base + 34), f"{value:g}", _TEXT, SOFT)
    rim = [(x(v), y(p)) for v, p in zip(curve["signal"], curve["low"], strict=True)]
    rim += [(x(v), y(p)) for v, p in reversed(list(zip(curve["signal"], curve["high"], strict=True)))]
    draw.polygon(rim, fill=BAND)
    points = [(x(v), y(p)) for v, p in zip(curve["signal"], curve["good"], strict=True)]
    draw.line(points, fill=CURVE, width=4, joint="curve")
    _marks(picture, each["bounds"], end, x, (head, base))


def _marks(picture: Image.Image, bounds: Mapping[str, Any], end: str, x: Any, reach: Sequence[float]) -> None:
    """The bounds: in force grey, proposed red, the review band as a bar at the foot."""
    head, base = reach
    draw = ImageDraw.Draw(picture)
    for place, (key, colour, word) in enumerate((("was", NOW, "in force"), ("is", NEXT, "proposed"))):
        value, above = bounds[key][end], bounds[key]["review_upper"]
        if value is None:
            continue
        half = (above if end == "upper" and above is not None else bounds[key]["review"]) / 2
        draw.line([(x(value), head), (x(value), base)], fill=colour, width=3)
        foot = base - 14 - 14 * place
        draw.rectangle([(x(value - half), foot), (x(value + half), foot + 8)], fill=colour)
        write(picture, (WIDTH - _RIGHT - 170, head - 40 + 28 * place), word, _TEXT, colour)
