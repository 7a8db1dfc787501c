"""What a report shows, as plain frozen values. Takes nothing, gives nothing, reads no file and no store.

Whoever fills a `ReportData` decides what happened; the drawing modules only draw it. Nothing here is a score: cells
hold images that passed every gate, and no field ranks one elite above another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Curve = tuple[tuple[int, float], ...]
"""(cycle, value) in cycle order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAxis:
    """One axis of the archive.

    Args:
        name: the signal's name, such as "warmth".
        low: lower end of the range, in the signal's raw units.
        high: upper end.
        cells: cells along this axis (grid only, else 0).
        clipped: how many candidates lay outside the range.
        words: what the low and the high end look like ("cooler", "warmer"); None takes the known words.
    """

    name: str
    low: float
    high: float
    cells: int = 0
    clipped: int = 0
    words: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCell:
    """One elite and its place.

    Args:
        cell: the cell's index.
        candidate: the elite's candidate id.
        place: grid: (axes,) integer positions, from 0 at the low end; cvt: (axes,) centroid coordinates.
        thumbnail: file to draw; it may be missing.
        image: path of the PNG relative to the series folder.
        prompt: the text it was made from.
        cycle: the cycle it was rendered in.
        descriptor: (axes,) its own coordinates, in the axes' raw units.
        emitter: the emitter that proposed it ("" when unknown).
        picture: the whole picture's file, for a larger copy; None takes the thumbnail.
        wins: successive wins in its cell. Bookkeeping only: no report draws it, because it is not quality.
        favourite: "interesting", "breakthrough", or "" where nobody marked it.
    """

    cell: int
    candidate: int
    place: tuple[float, ...]
    thumbnail: Path
    image: str
    prompt: str
    cycle: int
    descriptor: tuple[float, ...] = ()
    emitter: str = ""
    picture: Path | None = None
    wins: int = 0
    favourite: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """How many candidates were left after one step; `step` in words, such as "after the quality gate".

    `choice` marks one that turned nobody away: of several takes one goes on, and what follows is a share of those.
    """

    step: str
    count: int
    choice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """How often one hard filter or gate fired.

    Args:
        kind: "filter" or "gate".
        name: its name.
        seen: candidates it looked at.
        failed: of those, how many it stopped.
        review: of those, how many it set aside for a human.
    """

    kind: Literal["filter", "gate"]
    name: str
    seen: int
    failed: int
    review: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """All values of one signal, and the thresholds in force.

    Args:
        name: the signal's name.
        values: (n,) raw values; not finite ones are left out of the drawing and counted.
        unit: what the number means, in words.
        lower: the lower bound, None when off.
        upper: the upper bound, None when off.
        review: width of the review band; it reaches half of that to each side of a bound.
        review_upper: of the upper bound's; None for as wide.
    """

    name: str
    values: Sequence[float]
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    review: float = 0.0
    review_upper: float | None = None

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Every bound with the width of its review band."""
        above = self.review if self.review_upper is None else self.review_upper
        return tuple((b, width) for b, width in ((self.lower, self.review), (self.upper, above)) if b is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What one emitter brought: images tried, cells opened (they were empty) and cells won from an incumbent."""

    emitter: str
    tries: int
    opened: int
    won: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestions:
    """What waits for answers.

    Args:
        questions: how many are open, in all rounds together.
        command: what asks them.
        unasked: images that wait in review while no question about them is open.
        asks: what opens a round about some of these.
    """

    questions: int
    command: str
    unasked: int = 0
    asks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened. `alarm` marks what wants a human's eye."""

    cycle: int
    kind: str
    message: str
    alarm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationNote:
    """One version of the thresholds: the cycle from which it holds, and why it was made."""

    version: int
    cycle: int
    reason: str
    judgements: int = 0


def _no_status() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything a report draws. Only the first block is required; what is empty is not drawn.

    Args:
        series: its name.
        brief: what it is for.
        profile: "embedded", "diffusion" or a mix.
        cycle: committed cycles.
        state: new, running, waiting, paused, stopped, done or failed.
        axes: the archive's axes; empty during the warm-up.
        kind: "grid" or "cvt".
        cells_total: how many cells there are (0 during the warm-up).
        cells: the elites, at most one a cell.
        cycles_planned: the series' length in cycles, None when open.
        warmup_cycles: how many cycles the warm-up takes.
        seed: the series' seed, None to leave it out.
        status: the object that `status` prints.
        shape: width / height of the series' pictures; cells are drawn in that shape.
        centroids: (cells, axes) all centroids in cell order (cvt only): makes empty cells visible.
        coverage: filled cells after each cycle.
        mean_distance: mean pairwise perceptual distance over the elites after a cycle (low = all alike).
        vendi: Vendi score of the elites after a cycle (the effective number of different images).
        funnel: from rendered to elites, in order.
        learned_axes: how well learned axes foretell what people call alike, in a sentence or two; "" where none are.
        selector: how takes of a genome were chosen, and how well, in a sentence; "" where there is one each.
        firing: hard filters and gates.
        histograms: one per signal.
        shares: emitter -> (cycle, share 0..1) of the budget given to it.
        credit: one per emitter.
        newest: the latest elites, newest first; the first 24 are drawn.
        open_questions: None when nothing is asked.
        notices: events and alarms, oldest first.
        calibrations: versions, oldest first.
    """

    series: str
    brief: str
    profile: str
    cycle: int
    state: str
    axes: tuple[MapAxis, ...]
    kind: Literal["grid", "cvt"]
    cells_total: int
    cells: tuple[MapCell, ...]

    cycles_planned: int | None = None
    warmup_cycles: int = 0
    seed: int | None = None
    status: Mapping[str, Any] = field(default_factory=_no_status)
    shape: float = 1.0
    centroids: tuple[tuple[float, ...], ...] = ()
    coverage: Curve = ()
    mean_distance: Curve = ()
    vendi: Curve = ()
    funnel: tuple[FunnelStep, ...] = ()
    selector: str = ""
    learned_axes: str = ""
    firing: tuple[Firing, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    shares: Mapping[str, Curve] = field(default_factory=dict[str, Curve])
    credit: tuple[Credit, ...] = ()
    newest: tuple[MapCell, ...] = ()
    open_questions: OpenQuestions | None = None
    notices: tuple[Notice, ...] = ()
    calibrations: tuple[CalibrationNote, ...] = ()
