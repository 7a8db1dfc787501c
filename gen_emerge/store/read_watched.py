"""Reading what a series watches of itself: numbers and fates of what it made, oldest first.

Takes a first candidate, gives columns; never writes. Imported pictures are left out: they say nothing of the series.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from gen_emerge.store import tables as t
from gen_emerge.store.snapshots import Snapshots
from gen_emerge.types.genomes import IMPORT


class WatchReader(Snapshots):
    """The part of a store that reads what is watched."""

    def calibrated(self) -> tuple[int, int] | None:
        """The first and the last cycle at which thresholds came into force, None before any did."""
        first, last = self._all(select(func.min(t.CalibrationRow.cycle), func.max(t.CalibrationRow.cycle)))[0]
        return None if first is None else (first, last)

    def first_candidate(self, *, after: int) -> int | None:
        """The first candidate of the cycles > `after`, None where there is none."""
        c = t.CandidateRow
        return self._all(select(func.min(c.id)).where(c.cycle > after))[0][0]

    def measured_since(self, first: int, names: Collection[str]) -> dict[str, list[tuple[int, str, float]]]:
        """Signal -> (candidate id, the scorer's version, raw value) of the candidates >= `first`, by id."""
        s, w, c = t.SignalRow, t.ScorerRow, t.CandidateRow
        scorers = {row[0]: row[1:] for row in self._all(select(w.id, w.name, w.version).where(w.name.in_(list(names))))}
        foreign = {row[0] for row in self._all(select(c.id).where(c.id >= first, c.operator == IMPORT))}
        rows = select(s.candidate, s.scorer, s.value).where(s.candidate >= first, s.scorer.in_(list(scorers)))
        found: dict[str, list[tuple[int, str, float]]] = {name: [] for name in names}
        for number, scorer, value in self._all(rows.order_by(s.candidate, s.scorer)):
            if number not in foreign:
                name, version = scorers[scorer]
                found[name].append((number, version, value))
        return found

    def opened_since(self, first: int) -> dict[int, tuple[int, int]]:
        """Cycle -> (its own candidates, cells that were opened in it by the series' own), of the cycles >= `first`."""
        c, p = t.CandidateRow, t.PlacementRow
        own = select(c.cycle, func.count()).where(c.cycle >= first, c.operator != IMPORT).group_by(c.cycle)
        opened = select(p.cycle, func.count()).join(c, c.id == p.candidate)
        opened = opened.where(p.cycle >= first, p.outcome == "new", c.operator != IMPORT).group_by(p.cycle)
        counts, cells = dict(self._all(own)), dict(self._all(opened))
        return {cycle: (counts.get(cycle, 0), cells.get(cycle, 0)) for cycle in sorted(counts.keys() | cells.keys())}

    def ends_since(self, first: int) -> list[tuple[int, str, str]]:
        """(candidate id, status, cause) of the candidates >= `first`, as of their own cycle, by id."""
        c = t.CandidateRow
        statement = select(c.id, c.status, c.cause).where(c.id >= first, c.operator != IMPORT).order_by(c.id)
        return [(number, status, cause) for number, status, cause in self._all(statement)]
