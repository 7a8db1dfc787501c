"""Takes words, a size and a place; writes them on a Pillow drawing. Opens no file but fonts.

The face is the one Pillow brings along, so a poster looks alike everywhere. Pillow's copy of it holds basic Latin only:
of a line that has a few other letters these alone come from a system font, as tall as their neighbours; a line of
another script comes from it whole. What no font knows is drawn as "?".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import groupby

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Ink = Colour | int
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_OTHERS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "Arial.ttf", "segoeui.ttf")
_PLAIN = str.maketrans({"–": "-", "—": "-", "×": "x", "…": "...", "→": "->", "\u00a0": " ", "\u2009": " "})

_MINUS = "−"
"""Drawn by hand, as broad as a plus: few faces have it, and a hyphen is too short."""


@cache
def _own(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _other(size: int) -> Font | None:
    for name in _OTHERS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


@cache
def _shape(font: Font, character: str) -> bytes:
    # A glyph the font lacks is drawn as a box; it is recognised by its pixels.
    left, top, right, bottom = (round(v) for v in font.getbbox(character))
    picture = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(picture).text((-left, -top), character, 255, font)
    return str(picture.size).encode() + picture.tobytes()


def _knows(font: Font, character: str) -> bool:
    return character.isspace() or _shape(font, character) != _shape(font, "\U0010fffd")


@cache
def _guest(size: int) -> Font | None:
    """The system font at the size at which its small letters are as tall as our own face's."""
    heights = [_ink(font, "x") for font in (_own(100), _other(100)) if font is not None]
    if len(heights) < 2:
        return None
    own, other = (bottom - top for _, top, _, bottom in heights)
    return _other(max(1, round(size * own / other)))


Run = tuple[str, Font]
"""Letters that one font writes."""


def prepare(text: str, size: int) -> list[Run]:
    """The text as it can be written, on one line, in runs of one font each."""
    text = " ".join(text.translate(_PLAIN).split())
    own = _own(size)
    unknown = {c for c in set(text) - {_MINUS} if not _knows(own, c)}
    if not unknown:
        return [(text, own)]
    few = sum(c in unknown for c in text) < 0.5 * sum(not c.isspace() for c in text)
    other = _guest(size) if few else _other(size)
    if other is None:
        return [("".join("?" if c in unknown else c for c in text), own)]
    if not few:
        return [("".join(c if c == _MINUS or _knows(other, c) else "?" for c in text), other)]
    runs: list[Run] = []
    for strange, letters in groupby(text, key=lambda c: c in unknown):
        known = "".join(c if not strange or _knows(other, c) else "?" for c in letters)
        runs.append((known, other if strange else own))
    return runs


def width_of(text: str, size: int) -> float:
    """How wide one line of text is, pixels."""
    return _length(prepare(text, size))


def _length(runs: Iterable[Run]) -> float:
    parts = ((part, font) for written, font in runs for part in written.replace(_MINUS, "\0+\0").split("\0"))
    return sum(font.getlength(part) for part, font in parts)


@cache
def _ink(font: Font, character: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is drawn, seen from where the base line begins."""
    room = 4 * round(font.getlength("M"))
    picture = Image.new("1", (2 * room, 2 * room))
    ImageDraw.Draw(picture).text((room, room), character, 1, font, anchor="ls")
    left, top, right, bottom = picture.getbbox() or (room, room, room, room)
    return left - room, top - room, right - room, bottom - room


def _draw(pen: ImageDraw.ImageDraw, at: tuple[float, float], runs: Iterable[Run], ink: Ink, weight: int) -> None:
    """Draw what `prepare` gave, its base line beginning at a place."""
    x, y = at
    for run in runs:
        _draw_run(pen, (x, y), run, ink, weight)
        x += _length([run])


def _draw_run(pen: ImageDraw.ImageDraw, at: tuple[float, float], run: Run, ink: Ink, weight: int) -> None:
    (x, y), (written, font) = at, run
    plus, hyphen = _ink(font, "+"), _ink(font, "-")
    thick = hyphen[3] - hyphen[1] + 2 * weight
    for number, part in enumerate(written.split(_MINUS)):
        if number:
            bar = round(y + (plus[1] + plus[3] - thick) / 2)
            pen.rectangle((round(x + plus[0]), bar, round(x + plus[2]) - 1, bar + thick - 1), ink)
            x += font.getlength("+")
        pen.text((x, y), part, ink, font, anchor="ls", stroke_width=weight)
        x += font.getlength(part)


def fit(text: str, size: int, room: float) -> str:
    """The text, cut with dots where it is wider than `room` pixels: after a word, if that keeps most of it."""
    if width_of(text, size) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if width_of(text[:middle].rstrip() + "...", size) <= room else (low, middle - 1)
    if not low:
        return ""
    whole = text[:low].rpartition(" ")[0] if text[low : low + 1].strip() else text[:low]
    kept = whole if len(whole) >= 0.6 * low else text[:low]
    return kept.rstrip(" ,;:") + "..."


def wrap(text: str, size: int, room: float, lines: int) -> list[str]:
    """The text in at most `lines` lines of `room` pixels, cut with dots at the end of the last."""
    rows: list[str] = []
    rest = text.split()
    while rest and len(rows) < lines:
        if len(rows) == lines - 1:
            rows.append(fit(" ".join(rest), size, room))
            break
        taken = 1
        while taken < len(rest) and width_of(" ".join(rest[: taken + 1]), size) <= room:
            taken += 1
        rows.append(fit(" ".join(rest[:taken]), size, room))
        rest = rest[taken:]
    return rows


def balanced(text: str, size: int, room: float, lines: int) -> list[str]:
    """As `wrap`, in lines of about one length: no word stands alone in the last."""
    rows = wrap(text, size, room, lines)
    if len(rows) < 2 or rows[-1].endswith("..."):
        return rows
    for share in range(99, 49, -1):
        narrower = wrap(text, size, room * share / 100, len(rows) + 1)
        if len(narrower) > len(rows):
            break
        rows = narrower
    return rows


def write(
    sheet: Image.Image,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour,
    *,
    anchor: str = "ls",
    weight: int = 0,
) -> None:
    """Write one line; `anchor` as in Pillow (l/m/r, then s for the base line); `weight` thickens by so many pixels."""
    runs = prepare(text, size)
    pen = ImageDraw.Draw(sheet)
    if len(runs) == 1 and _MINUS not in runs[0][0]:
        pen.text(at, runs[0][0], colour, runs[0][1], anchor=anchor, stroke_width=weight)
        return
    before = {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * _length(runs)
    _draw(pen, (at[0] - before, at[1]), runs, colour, weight)


def write_upwards(
    sheet: Image.Image, at: tuple[float, float], text: str, size: int, colour: Colour, *, anchor: str
) -> None:
    """Write one line turned to read upwards, its base line at x; `anchor` l, m or r says which end is at y."""
    runs = prepare(text, size)
    wide = int(_length(runs)) + 4
    mask = Image.new("L", (wide, size * 2), 0)
    _draw(ImageDraw.Draw(mask), (2, round(size * 1.4)), runs, 255, 0)
    mask = mask.rotate(90, expand=True)
    start = {"l": at[1] - wide, "m": at[1] - wide / 2, "r": at[1]}[anchor]
    sheet.paste(Image.new("RGB", mask.size, colour), (round(at[0] - size * 1.4), round(start)), mask)
