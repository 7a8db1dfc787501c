"""Takes plain numbers; gives small inline SVG drawings as markup, coloured by the page's style sheet.

Every drawing is 360 units wide, its texts are escaped, and it is decoration for the eye: the caption beside it says the
same in words, so each carries one short label for those who cannot see it. No script, no address, no state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from gen_emerge.reports.sheet import Curve, Histogram
from gen_emerge.reports.words import count, figure

WIDTH, HEIGHT = 360, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 56, 12, 26
_BINS = 32


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _svg(label: str, parts: Sequence[str], height: float = HEIGHT) -> Markup:
    head = f'<svg viewBox="0 0 {WIDTH} {_n(height)}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str = "rule") -> str:
    return f'<line class="{kind}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers that cover low..high, at most `most` steps apart; steps are 1, 2 or 5 times a power of ten."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _scale(low: float, high: float, start: float, end: float, value: float) -> float:
    return start + (end - start) * (value - low) / ((high - low) or 1.0)


def _frame(first: int, last: int, top: float, y_ticks: Sequence[float]) -> list[str]:
    """Horizontal rules with numbers, and the first and last cycle below."""
    parts: list[str] = []
    base = HEIGHT - _BOTTOM
    for value in y_ticks:
        y = _scale(0, top, base, _TOP, value)
        parts += [_rule(_LEFT, y, WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, figure(value), "end")]
    parts.append(_text(_LEFT, HEIGHT - 8, f"cycle {count(first)}"))
    if last > first:
        parts.append(_text(WIDTH - _RIGHT, HEIGHT - 8, count(last), "end"))
    return parts


def line(points: Curve, label: str, *, ceiling: float | None = None, floor_at: float = 0.0) -> Markup:
    """A curve over cycles from zero, its last value written beside its end.

    Args:
        points: (cycle, value), values at least 0.
        label: what it shows, for those who cannot see it.
        ceiling: the largest value that makes sense, drawn as the top when the curve comes near to it.
        floor_at: the smallest top of the scale.
    """
    known = [(c, v) for c, v in points if math.isfinite(v)]
    if not known:
        return Markup("")
    peak = max(v for _, v in known)
    top = ceiling if ceiling and peak > 0.6 * ceiling else max(peak * 1.12, floor_at, 1e-9)
    first, last = known[0][0], known[-1][0]
    base = HEIGHT - _BOTTOM
    at = [(_scale(first, last, _LEFT, WIDTH - _RIGHT, c), _scale(0, top, base, _TOP, v)) for c, v in _thinned(known)]
    path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in at)
    area = f"{path}L{_n(at[-1][0])} {base}L{_n(at[0][0])} {base}Z"
    x, y = at[-1]
    parts = _frame(first, last, top, ticks(0, top))
    parts += [f'<path class="area" d="{area}"/>', f'<path class="curve" d="{path}"/>']
    parts.append(f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="3.5"/>')
    parts.append(_text(x + 8, y + 4.5, figure(known[-1][1]), kind="value"))
    return _svg(f"{label}: {figure(known[-1][1])} at cycle {last}", parts)


def _thinned(points: Sequence[tuple[int, float]], most: int = 300) -> list[tuple[int, float]]:
    step = max(1, math.ceil(len(points) / most))
    kept = list(points[::step])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def bars(
    rows: Sequence[tuple[str, float, str]], label: str, *, full: float | None = None, second: Sequence[float] = ()
) -> Markup:
    """Horizontal bars, the name above each, the value in words at its right.

    Args:
        rows: (name, length, value in words); lengths at least 0.
        label: what they show.
        full: the length of a full bar; None takes the longest row.
        second: a second length for each row, stacked behind the first and drawn lighter.
    """
    if not rows:
        return Markup("")
    seconds = list(second) or [0.0] * len(rows)
    longest = full or max(max(length + more for (_, length, _), more in zip(rows, seconds, strict=True)), 1e-9)
    pitch, parts = 34, list[str]()
    for i, ((name, length, words), more) in enumerate(zip(rows, seconds, strict=True)):
        y = i * pitch + 14
        parts += [_text(0, y, name, kind="name"), _text(WIDTH, y, words, "end", "name strong")]
        parts.append(f'<rect class="track" x="0" y="{y + 6}" width="{WIDTH}" height="7" rx="3.5"/>')
        if length + more > 0:
            parts.append(_bar(y + 6, (length + more) / longest, "more" if more else "bar"))
        if more and length > 0:
            parts.append(_bar(y + 6, length / longest, "bar"))
    return _svg(f"{label}: " + ", ".join(f"{n} {w}" for n, _, w in rows), parts, len(rows) * pitch)


def _bar(y: float, share: float, kind: str) -> str:
    return f'<rect class="{kind}" x="0" y="{_n(y)}" width="{_n(max(2.0, WIDTH * share))}" height="7" rx="3.5"/>'


def histogram(data: Histogram, label: str) -> Markup:
    """All values of a signal, with its bounds as lines and its review bands shaded."""
    values = np.asarray(data.values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return Markup("")
    bounds = [b for b in (data.lower, data.upper) if b is not None]
    low, high = _span(values, bounds)
    edges = np.linspace(low, high, _BINS + 1)
    beyond = np.zeros(len(values), dtype=bool)
    for bound, outside in ((data.lower, np.less), (data.upper, np.greater)):
        beyond |= outside(values, bound) if bound is not None else False
    inner, outer = (np.histogram(np.clip(part, low, high), bins=edges)[0] for part in (values[~beyond], values[beyond]))
    base, top = HEIGHT - _BOTTOM, 24.0

    def x(value: float) -> float:
        return _scale(low, high, 4, WIDTH - 4, value)

    parts: list[str] = []
    for bound, width in data.bands:
        a, b = (min(WIDTH - 4.0, max(4.0, x(bound + side * width / 2))) for side in (-1, 1))
        parts.append(f'<rect class="band" x="{_n(a)}" y="{top}" width="{_n(max(0.0, b - a))}" height="{base - top}"/>')
    tallest, wide = max(1, int((inner + outer).max())), (WIDTH - 8) / _BINS
    for i, (within, out) in enumerate(zip(inner.tolist(), outer.tolist(), strict=True)):
        # A bar in which a bound lies has two parts: what is within stands below, what is beyond above it.
        for kind, first, last in (("bin", 0, within), ("out", within, within + out)):
            y, foot = (_scale(0, tallest, base, top + 4, float(number)) for number in (last, first))
            if last > first:
                parts.append(
                    f'<rect class="{kind}" x="{_n(4 + i * wide + 0.6)}" y="{_n(y)}" '
                    f'width="{_n(wide - 1.2)}" height="{_n(foot - y)}"/>'
                )
    parts.append(_rule(4, base, WIDTH - 4, base))
    parts += [_text(max(12.0, min(WIDTH - 12.0, x(t))), HEIGHT - 8, figure(t), "middle") for t in ticks(low, high, 5)]
    parts += [p for bound in bounds for p in _bound(x(bound), base, bound, bound == data.upper)]
    return _svg(label, parts)


def _span(values: np.ndarray, bounds: Sequence[float]) -> tuple[float, float]:
    low, high = float(min(values.min(), *bounds, math.inf)), float(max(values.max(), *bounds, -math.inf))
    pad = (high - low) * 0.02 or max(abs(low), 1.0) * 0.05
    return low - pad, high + pad


def _bound(x: float, base: float, value: float, upper: bool) -> list[str]:
    left = x > WIDTH * 0.6 if not upper else x > WIDTH * 0.25
    words = f"{'at most' if upper else 'at least'} {figure(value)}"
    return [
        _rule(x, 14, x, base, "bound"),
        _text(x - 5 if left else x + 5, 20, words, "end" if left else "start", "mark"),
    ]


def shares(curves: Mapping[str, Curve], label: str) -> Markup:
    """Shares over cycles, stacked to one; colours c1, c2, ... in the order of the mapping."""
    names = [name for name, curve in curves.items() if curve]
    cycles = sorted({cycle for name in names for cycle, _ in curves[name]})
    if not cycles:
        return Markup("")
    step = max(1, math.ceil(len(cycles) / 200))
    kept = [*cycles[::step], *([cycles[-1]] if (len(cycles) - 1) % step else [])]
    table = np.array([[dict(curves[name]).get(c, 0.0) for c in kept] for name in names], dtype=np.float64)
    table = np.clip(np.nan_to_num(table), 0.0, None)
    total = table.sum(axis=0)
    table = table / np.where(total > 0, total, 1.0)
    edges = np.vstack([np.zeros(len(kept)), np.cumsum(table, axis=0)])
    base = HEIGHT - _BOTTOM
    if len(kept) == 1:
        kept, edges = [kept[0], kept[0] + 1], np.repeat(edges, 2, axis=1)
    xs = [_scale(kept[0], kept[-1], _LEFT, WIDTH - _RIGHT, c) for c in kept]
    parts: list[str] = []
    for i in range(len(names)):
        upper = [f"{_n(x)} {_n(_scale(0, 1, base, _TOP, v))}" for x, v in zip(xs, edges[i + 1], strict=True)]
        lower = [f"{_n(x)} {_n(_scale(0, 1, base, _TOP, v))}" for x, v in zip(xs, edges[i], strict=True)]
        parts.append(f'<path class="c{i % 8 + 1}" d="M{"L".join(upper + lower[::-1])}Z"/>')
    for value, words in ((0.0, "0%"), (0.5, "50%"), (1.0, "100%")):
        y = _scale(0, 1, base, _TOP, value)
        parts += [_rule(_LEFT, y, WIDTH - _RIGHT, y, "rule over"), _text(_LEFT - 6, y + 4, words, "end")]
    parts += [_text(_LEFT, HEIGHT - 8, f"cycle {cycles[0]}"), _text(WIDTH - _RIGHT, HEIGHT - 8, str(cycles[-1]), "end")]
    return _svg(label, parts)
