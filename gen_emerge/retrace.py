"""Novelty's distances again, in any space: the history walked, every picture held against those accepted before it.

Takes a store and vectors; gives for every gated picture the distances its novelty verdict rested on. Who was accepted,
and when, is as it happened: only the space is another. In the space the series ran with it gives the stored distances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen_emerge.archive import Archive
from gen_emerge.novelty import NoveltyIndex
from gen_emerge.places import own_of_cell, stored_descriptors
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.types import CycleOutcome

Vector = NDArray[np.float32]


class Distances(NamedTuple):
    """See `gates.judge_novelty`: to the nearest that counts, and to the nearest of all; None where there is nobody."""

    nearest: float | None
    anybody: float | None


def retrace(store: Store, vectors: Mapping[int, Vector], gated: Iterable[int], *, depth: int) -> dict[int, Distances]:
    """Candidate id -> its distances when it was gated.

    Args:
        store: the series.
        vectors: candidate id -> (d,) float32 unit vector; who has none is no neighbour and gets no distance.
        gated: whose distances are wanted: candidates that came as far as the novelty gate.
        depth: `pipeline_depth`.
    """
    if not vectors:
        return {}
    walk = _Walk(store, vectors, depth)
    wanted, waiting, found = frozenset(gated), list[int](), dict[int, Distances]()
    for outcome in store.history():
        waiting += [fate.id for fate in outcome.fates if fate.id in wanted]
        archive = walk.state.archive
        if outcome.axes is not None:  # by these its own images were located
            archive = Archive(outcome.axes, since=outcome.cycle)
        if archive is not None:
            # Those of the warm-up are gated at its end, all others in their own cycle.
            found |= walk.gate(outcome, archive, sorted(waiting))
            waiting = []
        walk.take(outcome, archive)
    return found


class _Walk:
    """Who is accepted, and where everybody lies, at one moment of the history."""

    def __init__(self, store: Store, vectors: Mapping[int, Vector], depth: int) -> None:
        self.state = State()
        self._store = store
        self._vectors = vectors
        self._depth = depth
        self._index = NoveltyIndex(None, len(next(iter(vectors.values()))))
        self._joined: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._moved_by = 0
        self._moved_until = -1
        self._moved_to: dict[int, int] = {}

    def take(self, outcome: CycleOutcome, archive: Archive | None) -> None:
        """The cycle happened: whoever it accepted is a neighbour from now on."""
        self.state.apply(outcome)
        joined = self.state.lately[outcome.cycle].joined
        if archive is not None and joined:
            cells = self._cells(archive, joined)
            self._joined[outcome.cycle] = [(candidate, cells[candidate]) for candidate in joined]
            self._joined.pop(outcome.cycle - self._depth - 1, None)
        self._add(joined)

    def _add(self, candidates: Iterable[int]) -> None:
        for candidate in candidates:
            if candidate in self._vectors and candidate not in self._index:
                self._index.add(candidate, self._vectors[candidate])

    def _cells(self, archive: Archive, candidates: list[int]) -> dict[int, int]:
        points = stored_descriptors(self._store, archive.axes, candidates)
        return {candidate: cell for candidate, (cell, _) in archive.locate_all(points).items()}

    def gate(self, outcome: CycleOutcome, archive: Archive, candidates: list[int]) -> dict[int, Distances]:
        """The distances of those that were gated in one cycle, in slot order."""
        # Humans let others in at the boundary, before anybody of the batch is gated.
        self._add(r.candidate for r in outcome.resolutions if (r.status, r.cause) == ("passed", "human"))
        known = [candidate for candidate in candidates if candidate in self._vectors]
        if not known:
            return {}
        cells, accepted = self._cells(archive, known), _let_in(outcome)
        vectors = np.stack([self._vectors[candidate] for candidate in known])
        earlier, beside = self._index.look(vectors), 1.0 - vectors @ vectors.T
        found: dict[int, Distances] = {}
        for place, candidate in enumerate(known):
            own = self._allowed(archive, cells[candidate], outcome.cycle)
            others, anybody = (
                [distance for distance, who in [earlier.nearest(place, without=left_out)] if who is not None]
                for left_out in (own, ())
            )
            for before, other in enumerate(known[:place]):
                if other in accepted:
                    near = max(float(beside[place, before]), 0.0)
                    anybody.append(near)
                    others += [] if cells[other] == cells[candidate] else [near]
            found[candidate] = Distances(min(others, default=None), min(anybody, default=None))
        return found

    def _allowed(self, archive: Archive, cell: int, cycle: int) -> frozenset[int]:
        """As `Live.neighbours_allowed`."""
        since = cycle - 1 - self._depth
        joined = {when: those for when, those in self._joined.items() if since < when < cycle}
        standing = self.state.archive
        return own_of_cell(archive, standing, cell, since=since, joined=joined, cells=lambda: self._moved(archive))

    def _moved(self, archive: Archive) -> dict[int, int]:
        """As `Live._moved`."""
        if self._moved_by != archive.axes.version:
            self._moved_by, self._moved_to, self._moved_until = archive.axes.version, {}, -1
        found = {c for cycle, those in self._joined.items() if cycle < archive.since for c, _ in those}
        until = min(self.state.cycle, archive.since - 1)
        if self._moved_until != until and self.state.archive is not None:
            found |= self.state.archive.as_of(until).held_ever()
            self._moved_until = until
        if wanted := sorted(found - self._moved_to.keys()):
            self._moved_to |= {**dict.fromkeys(wanted, -1), **self._cells(archive, wanted)}
        return self._moved_to


def _let_in(outcome: CycleOutcome) -> frozenset[int]:
    """Whom the gates let in during one cycle."""
    fates = {fate.id for fate in outcome.fates if fate.status in ("passed", "pending")}
    return frozenset(fates | {r.candidate for r in outcome.resolutions if r.status in ("passed", "pending")})
