"""What a running series remembers of what it watches: the newest numbers of every signal, and figures cycle by cycle.

Takes the store and the replayed state, then one cycle after another; gives what moved. All of it follows from committed
rows: where a regime begins is said by the alarm that was raised then, the rest is what was measured since. So a
process that was killed, and one with another pipeline depth, remember the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from gen_emerge.calibration.alarms import RECENT, Narrowing, narrow_still, narrowing
from gen_emerge.calibration.drift import KEPT, Shift, Watch
from gen_emerge.calibration.rates import RateShift, RateWatch
from gen_emerge.fates import ends_at_the_gates
from gen_emerge.roles import Crew
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.tried import novelty_since
from gen_emerge.types import candidate_id

NARROWING, REVIEW_RATE, REVIEW_QUEUE, CLIPPING = "narrowing", "review-rate", "review-queue", "clipping"
AGREEMENT, TASTE = "agreement", "taste"
"""Names of alarms."""
SIGNALS = ("quality", "prompt", "style")
"""Novelty is not watched: it falls by design."""

_Watch = TypeVar("_Watch", Watch, RateWatch)
_Found = TypeVar("_Found", Shift, RateShift)


def drift_of(signal: str) -> str:
    """The name of the alarm about one signal or detector."""
    return f"drift:{signal}"


class Since(NamedTuple):
    """A shift, and the first candidate that is thought to have moved."""

    shift: Shift | RateShift
    candidate: int


class Followed(Generic[_Watch]):
    """One signal with the candidates that its newest numbers are of.

    Args:
        watch: of its regime so far.
        ids: (n,) candidates of that regime, oldest first.
    """

    def __init__(self, watch: _Watch, ids: Sequence[int]) -> None:
        self.watch = watch
        self._ids = list(ids[-KEPT:])

    @property
    def count(self) -> int:
        """Images of the regime."""
        return self.watch.count

    def extend(self, numbers: Sequence[tuple[int, float]]) -> list[Since]:
        """(candidate, value) of one cycle, in slot order; gives what they tell of."""
        self._ids += [number for number, _ in numbers]
        found: Sequence[Shift | RateShift]
        if isinstance(self.watch, Watch):
            found = self.watch.extend(np.array([value for _, value in numbers], dtype=np.float64))
        else:
            found = self.watch.extend(np.array([value > 0 for _, value in numbers], dtype=np.bool_))
        newest = self.watch.start + self.watch.count
        told = [Since(shift, self._ids[shift.since - newest]) for shift in found]
        del self._ids[:-KEPT]
        return told


class Watches:
    """What is remembered between two cycles.

    Args:
        crew: says what is watched, by which versions.
        store: committed cycles.
        state: replayed to the last of them.
    """

    def __init__(self, crew: Crew, store: Store, state: State) -> None:
        self._slots = crew.rhythm.slots
        self._detectors = frozenset(detector.name for detector in crew.detectors)
        begun = store.calibrated()
        first = candidate_id(begun[0] + 1, 0, self._slots) if begun else 1
        self.signals = self._signals(crew, store, state, first) if crew.alarms.drift else {}
        self.reviews: Followed[RateWatch] | None = None
        if crew.alarms.review_rate:
            judged = candidate_id(begun[1], 0, self._slots) if begun else 1
            self.reviews = self._reviews(store, max(first, judged, _regime(state, REVIEW_RATE)))
        self.figures = Figures()
        if begun and crew.alarms.narrowing:
            relaid = state.archive.since if state.archive is not None and state.archive.axes.learned else 0
            since = max(begun[0] + 1, novelty_since(store, crew.versions["novelty"]), relaid + 1)
            found = store.opened_since(since)
            for cycle, figures in store.measures(since - 1)[1:]:
                self.figures.add(cycle, figures, self.opened_a_cycle(*found.get(cycle, (0, 0))))

    def opened_a_cycle(self, own: int, opened: int) -> float | None:
        """Cells that a whole cycle of own images would have opened as those did; None where there were none.

        Args:
            own: candidates of the cycle that are no imported pictures.
            opened: cells that were opened in it by the series' own images.
        """
        return opened * self._slots / own if own else None

    def cycle_of(self, candidate: int) -> int:
        """The cycle of a candidate."""
        return (candidate - 1) // self._slots + 1

    def _signals(
        self, crew: Crew, store: Store, state: State, first: int
    ) -> dict[str, Followed[Watch] | Followed[RateWatch]]:
        """Every signal's numbers by the version in force, since its regime began or another version measured last."""
        versions = crew.versions
        names = [name for name in (*SIGNALS, *sorted(self._detectors)) if name in versions]
        starts = {name: max(first, _regime(state, drift_of(name))) for name in names}
        rows = store.measured_since(min(starts.values(), default=first), names) if names and state.cycle else {}
        found: dict[str, Followed[Watch] | Followed[RateWatch]] = {}
        for name in names:
            own: list[tuple[int, float]] = []
            for number, version, value in rows.get(name, ()):
                if version != versions[name]:
                    own = []
                elif number >= starts[name]:
                    own.append((number, value))
            values, ids = np.array([value for _, value in own], dtype=np.float64), [number for number, _ in own]
            found[name] = (
                Followed(RateWatch(values > 0), ids) if name in self._detectors else Followed(Watch(values), ids)
            )
        return found

    def _reviews(self, store: Store, first: int) -> Followed[RateWatch]:
        own = [(n, status) for n, status, cause in store.ends_since(first) if ends_at_the_gates(status, cause)]
        flags = np.array([status == "review" for _, status in own], dtype=np.bool_)
        return Followed(RateWatch(flags), [number for number, _ in own])

    def other_thresholds(self) -> None:
        """Other thresholds came into force: how many images wait under them is another question."""
        if self.reviews is not None:
            self.reviews = Followed(RateWatch(), ())

    def other_axes(self) -> None:
        """The map was re-laid: how many cells are opened in it from now on is another question."""
        self.figures = Figures()


def _regime(state: State, alarm: str) -> int:
    """The first candidate of the regime that the last alarm of a name began; 0 without any."""
    last = state.alarms.get(alarm)
    return int(last.payload["candidate"]) if last is not None else 0


class Figures:
    """Variety, cycle by cycle, since the map began or novelty is measured as it is now."""

    def __init__(self) -> None:
        self._cycles: list[int] = []
        self._filled = 0
        self.distances: list[float] = []
        self.new_cells: list[float] = []
        self.vendi: list[tuple[int, float]] = []

    def add(self, cycle: int, figures: Mapping[str, float], opened: float | None) -> None:
        """One cycle's figures; of a cycle with fewer than two images of its own nothing can be said of variety.

        Args:
            cycle: which.
            figures: see `telling.figures`.
            opened: see `Watches.opened_a_cycle`.
        """
        # A Vendi score is of the elites that there were before the cycle.
        before, self._filled = self._filled, int(figures["cells_filled"])
        if "elites_vendi" in figures:
            self.vendi.append((before or self._filled, figures["elites_vendi"]))
        if opened is not None and "batch_mean_pairwise_distance" in figures:
            self._cycles.append(cycle)
            self.distances.append(figures["batch_mean_pairwise_distance"])
            self.new_cells.append(opened)

    def narrowing(self) -> tuple[Narrowing, int] | None:
        """Whether the series narrows, and the first cycle of those that tell of it."""
        found = narrowing(self.distances, self.new_cells, self.vendi)
        return None if found is None else (found, self._cycles[found.since])

    def narrow_still(self, since: int) -> tuple[str, ...]:
        """The signs that still hold of a narrowing since a cycle; none where novelty is measured anew."""
        if since not in self._cycles:
            return ()
        return narrow_still(self.distances, self.new_cells, self.vendi, since=self._cycles.index(since))

    def means(self, since: int) -> Iterable[tuple[str, float, float, float]]:
        """(name, mean before, mean since, sd before) of both figures, around a cycle."""
        at = self._cycles.index(since)
        for name, figures in (("distance", self.distances), ("new_cells", self.new_cells)):
            old, new = np.array(figures[max(at - 2 * RECENT, 0) : at]), np.array(figures[at:])
            yield name, float(old.mean()), float(new.mean()), float(old.std())
