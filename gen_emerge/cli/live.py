"""Takes a cycle's figures as a series runs; gives one live line on a terminal, or a plain line now and then.

All of it goes to stderr: stdout stays the result. Only display: nothing here decides anything.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from gen_emerge.cli.text import bar, passed_over

PLAIN_SECONDS = 30.0
PLAIN_CYCLES = 10


class Live:
    """One line a cycle.

    Args:
        series: its name.
        unicode: bars beyond ASCII.
        quiet: say nothing.
    """

    def __init__(self, series: str, *, unicode: bool, quiet: bool = False) -> None:
        self._series = series
        self._target = 0
        self._unicode = unicode
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._times: deque[tuple[int, float, int]] = deque(maxlen=21)
        self._said_at = -PLAIN_SECONDS
        self._said_cycle = -PLAIN_CYCLES
        self._open = False

    def __call__(self, figures: Mapping[str, Any]) -> None:
        """Show one committed cycle.

        Args:
            figures: keys of status's object that are cheap to know, and `cycles`: how many are wanted in all.
        """
        if self._quiet:
            return
        cycle, now = int(figures["cycle"]), time.monotonic()
        self._target = int(figures.get("cycles") or 0)
        self._times.append((cycle, now, int(figures.get("candidates") or 0)))
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            _write(f"\r\x1b[2K{self._line(figures, cycle, width)}")
            self._open = True
        elif now - self._said_at >= PLAIN_SECONDS or cycle - self._said_cycle >= PLAIN_CYCLES or cycle == self._target:
            _write(self._line(figures, cycle) + "\n")
            self._said_at, self._said_cycle = now, cycle

    def close(self) -> None:
        """End the live line."""
        if self._open:
            _write("\n")
            self._open = False

    def _line(self, figures: Mapping[str, Any], cycle: int, width: int | None = None) -> str:
        """One line; where it has no room, whole fields are left out, those that say least first."""
        dot = " · " if self._unicode else ", "
        share = cycle / self._target if self._target else 1.0
        head = f"{self._series}  {bar(share, 12, unicode=self._unicode)} cycle {cycle}/{self._target}"
        fields = self._fields(figures, cycle)
        line = dot.join([head, *fields.values()])
        for name in ("review", "passed", "over", "rejected", "pace", "cells", "left"):
            if width is None or len(line) <= width:
                break
            fields.pop(name, None)
            line = dot.join([head, *fields.values()])
        return line[:width]

    def _fields(self, figures: Mapping[str, Any], cycle: int) -> dict[str, str]:
        """What is said after the cycle: name -> words, in order."""
        fields: dict[str, str] = {}
        left, pace = self._seconds_left(cycle), self._pace(figures)
        if left is not None:
            fields["left"] = f"{duration(left)} left"
        if figures.get("cells_total"):
            fields["cells"] = f"{figures['cells_filled']}/{figures['cells_total']} cells"
        if pace:
            fields["pace"] = f"{pace:.0f} images/min"
        for key in ("passed", "review"):
            if figures.get(key):
                fields[key] = f"{figures[key]} {key}"
        if rejected := figures.get("rejected"):
            if over := passed_over(rejected):
                fields["over"] = f"{over} passed over"
            if turned_away := rejected["total"] - over:
                fields["rejected"] = f"{turned_away} rejected"
        return fields

    def _pace(self, figures: Mapping[str, Any]) -> float | None:
        """Images a minute over the last twenty cycles; in the first cycle, what that cycle says."""
        (_, then, before), (_, now, after) = self._times[0], self._times[-1]
        return 60 * (after - before) / (now - then) if now > then else figures.get("images_per_minute")

    def _seconds_left(self, cycle: int) -> float | None:
        if len(self._times) < 2 or cycle >= self._target:
            return None
        (first, then, _), (last, now, _) = self._times[0], self._times[-1]
        return (now - then) / max(last - first, 1) * (self._target - cycle)


def _write(text: str) -> None:
    """The line is only for people: where it cannot be written, the series goes on."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Seconds for people: 48 s, 12 min, 3 h 05."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"
