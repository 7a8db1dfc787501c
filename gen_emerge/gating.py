"""Signals + calibration -> pass, fail or review: one cycle's batch through the gates, in slot order.

Takes the draft of a cycle whose signals are measured; settles its subjects, and makes neighbours of those that pass. At
the warm-up's end it fixes the first thresholds and the axes, and gates all of the warm-up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gen_emerge import gates
from gen_emerge.archive import Archive
from gen_emerge.cycle import Draft
from gen_emerge.fates import WARMUP
from gen_emerge.novelty import NoveltyIndex
from gen_emerge.recalibrate import KIND, approved
from gen_emerge.recall import measure_again
from gen_emerge.subject import Subject
from gen_emerge.types import Calibration, Event, Outcome, Status
from gen_emerge.warmup import LEAST_WARMUP, first_axes, first_thresholds

OUTCOME_STATUS: Mapping[Outcome, Status] = {"pass": "passed", "review": "review", "fail": "rejected"}


def judge(draft: Draft) -> None:
    """Gate the batch in slot order; at the warm-up's end fix thresholds and axes, and gate all of the warm-up."""
    subjects = [subject for subject in draft.batch if subject.open]
    if draft.calibration is None:
        for subject in subjects:
            subject.end("pending", WARMUP)
        if draft.cycle < draft.live.crew.rhythm.warmup_cycles:
            return
        subjects = _end_warmup(draft, subjects)
    if draft.calibration is None or draft.archive is None or not subjects:
        return
    for subject in subjects:
        draft.locate(subject)
    _gate(draft, subjects, draft.calibration)


def _end_warmup(draft: Draft, subjects: list[Subject]) -> list[Subject]:
    crew = draft.live.crew
    earlier = [c for c, (_, cause) in draft.live.state.waiting.items() if cause == WARMUP]
    returning = draft.recall(sorted(earlier))
    for number, trouble in measure_again(draft.live, returning).items():
        draft.settle(next(s for s in returning if s.id == number), "failed", trouble)
    everybody = [s for s in returning if s.status == "pending"] + subjects
    if len(everybody) < LEAST_WARMUP:
        draft.events.append(Event(kind="warm-up", message="Too few images to set thresholds: the warm-up goes on."))
        return []
    given = approved(draft.live.store.inputs_of(KIND), crew.versions, draft.cycle)
    draft.calibration = first_thresholds(crew, everybody, draft.cycle, given=given)
    draft.archive = Archive(first_axes(crew, everybody, draft.cycle), since=draft.cycle)
    return everybody


def _gate(draft: Draft, subjects: Sequence[Subject], calibration: Calibration) -> None:
    assert draft.archive is not None
    neighbours = Neighbours(draft.live.index, subjects)
    for place, subject in enumerate(subjects):
        own_cell = draft.live.neighbours_allowed(draft.archive, subject.cell, draft.cycle)
        nearest, anybody = neighbours.distances(place, own_cell)
        if nearest is not None:
            subject.note("novelty", nearest)
        verdicts = gates.judge_all(subject.values, distance=nearest, nearest_any=anybody, calibration=calibration)
        subject.verdicts.extend(verdicts)
        outcome, cause = gates.overall(verdicts)
        draft.settle(subject, OUTCOME_STATUS[outcome], cause)
        if outcome == "pass":
            neighbours.join(place)
    for subject in neighbours.joined:
        draft.live.accept(draft.cycle, subject)


class Neighbours:
    """Who is near the subjects of one batch: the images accepted before it, and those of the batch that passed already.

    Args:
        index: the images accepted before; None when there are none.
        subjects: the batch, each with its embedding and its cell.
    """

    def __init__(self, index: NoveltyIndex | None, subjects: Sequence[Subject]) -> None:
        vectors = np.stack([subject.vector for subject in subjects])
        self._earlier = index.look(vectors) if index is not None else None
        self._beside = np.maximum(1.0 - vectors @ vectors.T, 0.0)
        self._subjects = subjects
        self._places: list[int] = []

    @property
    def joined(self) -> list[Subject]:
        """Those of the batch that passed, in slot order."""
        return [self._subjects[place] for place in self._places]

    def join(self, place: int) -> None:
        """It passed: from now on it is a neighbour to the rest of the batch."""
        self._places.append(place)

    def distances(self, place: int, own_cell: Collection[int]) -> tuple[float | None, float | None]:
        """Distances in [0, 2] to the nearest that counts, and to the nearest of all; None where there is nobody.

        Args:
            place: whose.
            own_cell: candidates it may be near. Of the batch nobody of its own cell counts: an image accepted a moment
                ago into the same cell is what this one would challenge.
        """
        subject = self._subjects[place]
        beside = [(float(self._beside[place, p]), self._subjects[p].cell == subject.cell) for p in self._places]
        anybody = [distance for distance, _ in beside]
        others = [distance for distance, same_cell in beside if not same_cell]
        if self._earlier is not None:
            for found, without in ((anybody, ()), (others, own_cell)):
                distance, who = self._earlier.nearest(place, without=without)
                found += [distance] if who is not None else []
        return min(others, default=None), min(anybody, default=None)
