"""What is on the map and how it got there: store -> the `inspect` object, and the values a report is drawn from.

Reads beside a running series; changes nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge import choices, foretold, heads, standing
from gen_emerge.archive import Elite
from gen_emerge.config import SeriesConfig, load
from gen_emerge.crew import known_names
from gen_emerge.errors import NotFound
from gen_emerge.fates import SELECTOR
from gen_emerge.favourites import KIND, favourites
from gen_emerge.reports.sheet import (
    CalibrationNote,
    Credit,
    Curve,
    Firing,
    FunnelStep,
    Histogram,
    MapAxis,
    MapCell,
    Notice,
    OpenQuestions,
    ReportData,
)
from gen_emerge.state import State, replay
from gen_emerge.store import DATABASE, Store
from gen_emerge.studio_folder import series_file
from gen_emerge.types import GATES, Axes, Candidate, CycleOutcome, Event, Favourite, Signal
from gen_emerge.watching import in_words

NEWEST = 24
SHARE_WINDOW = 25
"""Cycles over which the shares of the emitters are averaged."""
UNITS = {
    "quality": "mean of a distribution from 1 to 10, of which the gate asks for a least",
    "prompt": "how much nearer a picture is to its own prompt than to others; 0: no nearer",
    "novelty": "how far the nearest accepted picture is; 0: it looks the same, 1: nothing in common",
    "style": "0: one style recognised without doubt; 1: none rather than another",
}


def inspect(root: Path, archive: Path, name: str) -> dict[str, Any]:
    """The object that `gen-emerge --json inspect NAME` prints.

    Raises:
        NotFound: there is no such series.
    """
    config, folder = load(series_file(root, name), known=known_names()), archive / name
    if not (folder / DATABASE).exists():
        return _inspection(config, State(), None, standing.status(root, archive, name)["state"], {})
    with closing(Store.open(folder, readonly=True)) as store:
        placed: dict[int, tuple[float, ...]] = {}
        state = replay(_noting_places(store.history(), placed))
        return _inspection(config, state, store, standing.state_word(store, state, config, folder), placed)


def _noting_places(history: Iterable[CycleOutcome], placed: dict[int, tuple[float, ...]]) -> Iterator[CycleOutcome]:
    """The history as it is; candidate -> descriptor goes to `placed`, so that it is walked once."""
    for outcome in history:
        if outcome.axes is not None:  # coordinates along other axes say nothing of these
            placed.clear()
        for placement in outcome.placements:
            placed.setdefault(placement.candidate, placement.descriptor)
        yield outcome


def _inspection(
    config: SeriesConfig, state: State, store: Store | None, word: str, placed: Mapping[int, Sequence[float]]
) -> dict[str, Any]:
    elites = list(state.archive) if state.archive else []
    known = {c.id: c for c in store.candidates([e.candidate for e in elites])} if store and elites else {}
    signals = store.signals(list(known)) if store and known else {}
    axes = state.archive.axes if state.archive else None
    clipped = _clipped_per_axis(placed, axes) if axes else []
    marks = favourites(store.inputs_of(KIND)) if store else {}
    return {
        "series": config.name,
        "state": word,
        "cycle": state.cycle,
        "elites": [
            _elite(elite, known[elite.candidate], signals.get(elite.candidate, {}), marks.get(elite.candidate))
            for elite in elites
        ],
        "reward": heads.told(store, state.duels, state.cycle, use=config.reward.use) if store else None,
        "favourites": [{"candidate": f.candidate, "level": f.level, "rater": f.rater} for f in marks.values()],
        "axes": [
            {"name": n, "low": low, "high": high, "clipped": count}
            for n, low, high, count in zip(axes.names, axes.low, axes.high, clipped, strict=True)
        ]
        if axes
        else [],
        "gates": _gates(state, store),
        "calibration": state.calibration.version if state.calibration else None,
        "learned_axes": foretold.learned_axes(config, state, store),
        "selector": choices.selector(config, store),
        "emitters": [
            {"name": n, "tries": c.total_tries, "opened": c.total_opened, "won": c.total_won}
            for n, c in sorted(state.bandit.credits.items())
        ],
        "digest": state.digest(),
    }


def _gates(state: State, store: Store | None) -> list[dict[str, Any]]:
    """Each gate's bounds in force, and how often it said what."""
    counts = store.gate_counts() if store else {}
    found: list[dict[str, Any]] = []
    for gate in GATES:
        bounds = state.calibration.bounds.get(gate) if state.calibration else None
        fired = counts.get(gate, {})
        found.append(
            {
                "name": gate,
                "lower": bounds.lower if bounds else None,
                "upper": bounds.upper if bounds else None,
                "review": bounds.review if bounds else None,
                "review_upper": bounds.review_upper if bounds else None,
                "duplicate": bounds.duplicate if bounds else None,
                "fired": fired.get("fail", 0),
                "reviewed": fired.get("review", 0),
                "seen": sum(fired.values()),
            }
        )
    return found


def _elite(elite: Elite, candidate: Candidate, signals: Mapping[str, Signal], mark: Favourite | None) -> dict[str, Any]:
    return {
        "cell": elite.cell,
        "candidate": elite.candidate,
        "genome": candidate.genome.hash,
        "prompt": candidate.genome.prompt,
        "recipe": candidate.genome.recipe(),
        "parents": list(candidate.genome.parents),
        "operator": candidate.genome.operator,
        "image": candidate.image.path if candidate.image else None,
        "thumbnail": candidate.image.thumbnail if candidate.image else None,
        "descriptor": list(elite.descriptor),
        "signals": {name: signal.value for name, signal in signals.items()},
        "cycle": candidate.cycle,
        "favourite": mark.level if mark else None,
    }


def _clipped_per_axis(placed: Mapping[int, Sequence[float]], axes: Axes) -> list[int]:
    """How many of those that were placed lie beyond the ends of each axis."""
    counts = [0] * len(axes.names)
    for descriptor in placed.values():
        for axis, value in enumerate(descriptor):
            counts[axis] += not axes.low[axis] <= value <= axes.high[axis]
    return counts


# ---- the report --------------------------------------------------------------------------------------------------


def survey(root: Path, archive: Path, name: str) -> tuple[dict[str, Any], ReportData]:
    """The object of `inspect`, and everything a report draws of the series; its history is replayed once for both.

    Raises:
        NotFound: there is no such series, or it has not been run.
    """
    config, folder = load(series_file(root, name), known=known_names()), archive / name
    if not (folder / DATABASE).exists():
        raise NotFound(f'The series "{name}" has nothing to show yet.', hint=f"Run it: gen-emerge run {name}")
    with closing(Store.open(folder, readonly=True)) as store:
        placed: dict[int, tuple[float, ...]] = {}
        history = list(store.history())
        state = replay(_noting_places(history, placed))
        status = standing.status_of(config, folder, store, state)
        found = _inspection(config, state, store, status["state"], placed)
        return found, _report(config, folder, store, history, state, placed, status)


def _report(
    config: SeriesConfig,
    folder: Path,
    store: Store,
    history: Sequence[CycleOutcome],
    state: State,
    placed: Mapping[int, Sequence[float]],
    status: Mapping[str, Any],
) -> ReportData:
    axes = state.archive.axes if state.archive else None
    elites = list(state.archive) if state.archive else []
    marks = favourites(store.inputs_of(KIND))
    cells = _map_cells(store, folder, elites, axes, marks) if axes else ()
    measures = store.measures()
    clipped = _clipped_per_axis(placed, axes) if axes else []
    return ReportData(
        series=config.name,
        brief=config.brief,
        profile=config.profile,
        cycle=state.cycle,
        state=status["state"],
        axes=_map_axes(axes, clipped) if axes else (),
        kind=axes.kind if axes else "grid",
        cells_total=axes.cells if axes else 0,
        cells=cells,
        cycles_planned=standing.noted_cycles(folder, config),
        warmup_cycles=config.loop.warmup_cycles,
        seed=config.seed,
        status=status,
        shape=config.image.width / config.image.height,
        centroids=axes.centroids if axes else (),
        coverage=_curve(measures, "cells_filled"),
        mean_distance=_up_to_now(measures, status, "mean_pairwise_distance"),
        vendi=_up_to_now(measures, status, "vendi"),
        funnel=_funnel(state, config),
        learned_axes=foretold.sentence(foretold.learned_axes(config, state, store)),
        selector=choices.sentence(choices.selector(config, store)),
        firing=_firing(store, state),
        histograms=_histograms(store, state, history),
        shares=_shares(history),
        credit=tuple(
            Credit(emitter=n, tries=c.total_tries, opened=c.total_opened, won=c.total_won)
            for n, c in sorted(state.bandit.credits.items())
        ),
        newest=tuple(sorted(cells, key=lambda cell: -cell.candidate)[:NEWEST]),
        open_questions=_open(config.name, len(standing.open_questions(store)), status["review_unasked"]),
        notices=tuple(_notice(cycle, event, state) for cycle, event in store.events()),
        calibrations=tuple(
            CalibrationNote(version=c.version, cycle=_made_in(history, c.version), reason=c.reason)
            for c in store.calibrations()
        ),
    )


def _open(name: str, questions: int, unasked: int) -> OpenQuestions | None:
    if not questions and not unasked:
        return None
    return OpenQuestions(
        questions=questions,
        command=f"gen-emerge judge {name}",
        unasked=unasked,
        asks=f"gen-emerge rounds {name} --open review",
    )


def _notice(cycle: int, event: Event, state: State) -> Notice:
    """An alarm wants an eye while it stands; those that never end always do."""
    standing = state.alarm(event.payload["alarm"]) if event.stands_or_ends else None
    wanted = standing is not None and standing.raised == cycle and event.payload["state"] == "raised"
    if not event.stands_or_ends:
        wanted = event.kind in ("alarm", "quarantine")
    did = "; ".join(in_words(response) for response in event.payload.get("responses", ())) if wanted else ""
    return Notice(
        cycle=cycle, kind=event.kind, message=f"{event.message} So {did}." if did else event.message, alarm=wanted
    )


def _map_axes(axes: Axes, clipped: Sequence[int]) -> tuple[MapAxis, ...]:
    sizes = axes.dims or (0,) * len(axes.names)
    return tuple(
        MapAxis(name=name, low=low, high=high, cells=size, clipped=count)
        for name, low, high, size, count in zip(axes.names, axes.low, axes.high, sizes, clipped, strict=True)
    )


def _map_cells(
    store: Store, folder: Path, elites: Sequence[Elite], axes: Axes, marks: Mapping[int, Favourite]
) -> tuple[MapCell, ...]:
    known = {c.id: c for c in store.candidates([elite.candidate for elite in elites])} if elites else {}
    cells: list[MapCell] = []
    for elite in elites:
        candidate = known[elite.candidate]
        if candidate.image is None:
            continue
        place = np.unravel_index(elite.cell, axes.dims) if axes.kind == "grid" else axes.centroids[elite.cell]
        cells.append(
            MapCell(
                cell=elite.cell,
                candidate=elite.candidate,
                place=tuple(float(p) for p in place),
                thumbnail=folder / candidate.image.thumbnail,
                picture=folder / candidate.image.path,
                image=candidate.image.path,
                prompt=candidate.genome.prompt,
                cycle=candidate.cycle,
                descriptor=elite.descriptor,
                emitter=candidate.genome.operator,
                wins=elite.wins,
                favourite=str(marks[elite.candidate].level) if elite.candidate in marks else "",
            )
        )
    return tuple(cells)


def _curve(measures: Sequence[tuple[int, Mapping[str, float]]], name: str) -> Curve:
    return tuple((cycle, values[name]) for cycle, values in measures if name in values)


def _up_to_now(measures: Sequence[tuple[int, Mapping[str, float]]], status: Mapping[str, Any], name: str) -> Curve:
    """A figure of the elites over cycles, which ends in the figure that `status` has now.

    A cycle measures the elites before it places its own images: what it wrote down is of the cycle before.
    """
    curve = _curve(measures, f"elites_{name}")
    past = tuple((cycle - 1, value) for cycle, value in curve if cycle - 1 < status["cycle"])
    return past if status[name] is None else (*past, (status["cycle"], status[name]))


def _funnel(state: State, config: SeriesConfig) -> tuple[FunnelStep, ...]:
    counts = state.statuses
    left = state.candidates - counts["failed"]
    steps = [FunnelStep(step="rendered", count=left)]
    left -= sum(n for cause, n in state.rejections.items() if cause not in (*GATES, SELECTOR))
    filters = "after the hard filters and detectors" if config.detectors.use else "after the hard filters"
    steps.append(FunnelStep(step=filters, count=left))
    if config.loop.best_of > 1:
        left -= state.rejections[SELECTOR]
        steps.append(FunnelStep(step=f"chosen, one of {config.loop.best_of} takes", count=left, choice=True))
    for gate in GATES:
        left -= state.rejections[gate]
        steps.append(FunnelStep(step=f"after the {gate} gate", count=left))
    steps.append(FunnelStep(step="accepted (the rest waits for a human)", count=len(state.accepted)))
    steps.append(FunnelStep(step="on the map", count=len(state.archive) if state.archive else 0))
    return tuple(steps)


def _firing(store: Store, state: State) -> tuple[Firing, ...]:
    rendered = state.candidates - state.statuses["failed"]
    filters = {name: counts for name, counts in store.gate_counts("filter").items() if name != SELECTOR}
    gates = store.gate_counts("gate")
    found = [Firing(kind="filter", name=name, seen=rendered, failed=counts["fail"]) for name, counts in filters.items()]
    for gate in GATES:
        counts = gates.get(gate, {"pass": 0, "fail": 0, "review": 0})
        seen = sum(counts.values())
        found.append(Firing(kind="gate", name=gate, seen=seen, failed=counts["fail"], review=counts["review"]))
    return tuple(found)


def _histograms(store: Store, state: State, history: Sequence[CycleOutcome]) -> tuple[Histogram, ...]:
    """Of whoever came as far as the gates: a take that was passed over may have been measured too."""
    columns = store.signal_columns(GATES)
    passed_over = [fate.id for outcome in history for fate in outcome.fates if fate.cause == SELECTOR]
    found: list[Histogram] = []
    for gate in GATES:
        if gate not in columns:
            continue
        bounds = state.calibration.bounds.get(gate) if state.calibration else None
        found.append(
            Histogram(
                name=gate,
                values=columns[gate][1][~np.isin(columns[gate][0], passed_over)].tolist(),
                unit=UNITS[gate],
                lower=bounds.lower if bounds else None,
                upper=bounds.upper if bounds else None,
                review=bounds.review if bounds else 0.0,
                review_upper=bounds.review_upper if bounds else None,
            )
        )
    return tuple(found)


def _shares(history: Sequence[CycleOutcome]) -> dict[str, Curve]:
    """Emitter -> its share of the slots of the last `SHARE_WINDOW` cycles."""
    names = sorted({fate.operator for outcome in history for fate in outcome.fates})
    window: deque[Counter[str]] = deque(maxlen=SHARE_WINDOW)
    curves: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    for outcome in history:
        window.append(Counter(fate.operator for fate in outcome.fates))
        total = sum(counts.total() for counts in window) or 1
        for name in names:
            curves[name].append((outcome.cycle, sum(counts[name] for counts in window) / total))
    return {name: tuple(points) for name, points in curves.items()}


def _made_in(history: Sequence[CycleOutcome], version: int) -> int:
    return next((o.cycle for o in history if o.calibration and o.calibration.version == version), 0)
