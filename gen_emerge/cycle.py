"""One cycle being derived: inputs and shots in, one `CycleRecord` out.

Every method is one step of the walk, in the order in which `loop.py` calls them. The state is only read: what this
cycle changes is kept in the draft until its record is folded in, by the same lines that replay it.

The first half, up to `ask`, may be derived while earlier cycles still wait for a slow critic. It reads only what cannot
change any more: inputs, the first halves of earlier cycles, and what stood when the cycle's proposals were made.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Literal

import numpy as np

from gen_emerge import filters, gates, sieve
from gen_emerge.archive import Archive
from gen_emerge.chance import draw
from gen_emerge.conversation import SHOWN_AT_ONCE, Agenda, Heard, converse, to_review
from gen_emerge.engines.local import Rendering, Shot
from gen_emerge.live import Live
from gen_emerge.recall import measure_again, recall
from gen_emerge.state import WARMUP
from gen_emerge.subject import Subject
from gen_emerge.telling import clipping_alarm, figures
from gen_emerge.types import (
    Calibration,
    Critique,
    CycleRecord,
    Duel,
    Event,
    Exhibit,
    HumanAnswer,
    Outcome,
    Placement,
    Question,
    Resolution,
    Round,
    Side,
    Status,
    candidate_id,
)
from gen_emerge.warmup import LEAST_WARMUP, first_axes, first_thresholds

NewAnswer = tuple[Question, Sequence[tuple[HumanAnswer | None, HumanAnswer | None]], int | str | None]
"""A question that humans answered anew, what each of them said before and says now, and what that comes to."""
PlacementOutcome = Literal["new", "won", "lost", "tie", "pending"]
OUTCOME_STATUS: Mapping[Outcome, Status] = {"pass": "passed", "review": "review", "fail": "rejected"}
SIDE_PLACEMENT: Mapping[Side, PlacementOutcome] = {"left": "won", "right": "lost", "tie": "tie"}


class Draft:
    """The cycle now being derived."""

    def __init__(self, cycle: int, live: Live) -> None:
        self.cycle = cycle
        self.live = live
        self.batch: list[Subject] = []
        self.returning: list[Subject] = []
        self.calibration: Calibration | None = live.calibration_before(cycle)
        self.archive: Archive | None = live.state.archive
        self.duels: list[Duel] = []
        self.resolutions: list[Resolution] = []
        self.placements: list[Placement] = []
        self.events: list[Event] = []
        self.round: Round | None = None
        self.render_seconds = 0.0
        self.pixels: set[str] = set()
        self.answers: Sequence[NewAnswer] = ()
        self.told: list[Duel] = []
        self.reviewed = threading.Event()
        self._to_review: set[int] = set()
        self._talk: Future[Heard] | None = None
        self._heard = Heard()
        self._sure_of: dict[tuple[int, int], Side] = {}
        self._holders: dict[int, int] = {}
        self._critiques: dict[int, Critique] = {}

    # ---- 2-4: image, hard filters, signals -----------------------------------------------------------------------

    def develop(self, rendering: Rendering) -> None:
        """The rendered batch becomes candidates; a genome that could not be rendered fails, alone."""
        self.render_seconds = rendering.seconds
        for slot, shot in enumerate(rendering.shots):
            number = candidate_id(self.cycle, slot, self.live.crew.rhythm.slots)
            self.batch.append(self._subject(number, slot, shot))
        self._filter()

    def _subject(self, number: int, slot: int, shot: Shot) -> Subject:
        subject = Subject(
            id=number, cycle=self.cycle, slot=slot, genome=shot.genome, image=shot.image, pixels=shot.pixels
        )
        if shot.error:
            subject.end("failed", shot.error)
            self.events.append(Event(kind="failed", message=f"Candidate {number}: {shot.error}"))
        elif not shot.finite:
            subject.reject(filters.not_finite())
        elif shot.unsafe:
            subject.reject(filters.unsafe(shot.unsafe))
        return subject

    def _filter(self) -> None:
        for subject in self.batch:
            if subject.open and subject.image is not None and subject.pixels is not None:
                own = subject.image.pixels
                earlier = {own} if own in self.pixels or self.live.seen(own, self.cycle) else frozenset[str]()
                subject.reject(filters.inspect_pixels(subject.pixels, pixels_hash=own, seen=earlier))
            if subject.image is not None:
                self.pixels.add(subject.image.pixels)

    def measure(self) -> None:
        """Raw signals and embeddings of what is left; of several takes of a genome one is left after it."""
        self.events += sieve.measure(self.live.crew, self.batch)

    # ---- 5: gates ------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Gate the batch in slot order; at the warm-up's end fix thresholds and axes, and gate all of the warm-up."""
        subjects = [subject for subject in self.batch if subject.open]
        if self.calibration is None:
            for subject in subjects:
                subject.end("pending", WARMUP)
            if self.cycle < self.live.crew.rhythm.warmup_cycles:
                return
            subjects = self._end_warmup(subjects)
        if self.calibration is None or self.archive is None or not subjects:
            return
        for subject in subjects:
            self.locate(subject)
        self._gate(subjects, self.calibration)

    def _end_warmup(self, subjects: list[Subject]) -> list[Subject]:
        earlier = [c for c, (_, cause) in self.live.state.waiting.items() if cause == WARMUP]
        returning = self.recall(sorted(earlier))
        for number, trouble in measure_again(self.live, returning).items():
            self.settle(next(s for s in returning if s.id == number), "failed", trouble)
        everybody = [s for s in returning if s.status == "pending"] + subjects
        if len(everybody) < LEAST_WARMUP:
            self.events.append(Event(kind="warm-up", message="Too few images to set thresholds: the warm-up goes on."))
            return []
        self.calibration = first_thresholds(self.live.crew, everybody, self.cycle)
        self.archive = Archive(first_axes(self.live.crew, everybody, self.cycle))
        return everybody

    def _gate(self, subjects: Sequence[Subject], calibration: Calibration) -> None:
        assert self.archive is not None
        vectors = np.stack([subject.vector for subject in subjects])
        index = self.live.index
        rows = index.distances(vectors) if index is not None else np.empty((len(subjects), 0), dtype=np.float32)
        beside = 1.0 - vectors @ vectors.T
        joined: list[tuple[int, Subject]] = []
        for place, subject in enumerate(subjects):
            own_cell = self.live.neighbours_allowed(subject.cell, self.cycle)
            anybody = [float(rows[place].min())] if rows.shape[1] else []
            others = (
                [d for d, who in [index.nearest(rows[place], without=own_cell)] if who is not None] if index else []
            )
            for other_place, other in joined:
                distance = max(float(beside[place, other_place]), 0.0)
                anybody.append(distance)
                # An image accepted a moment ago into the same cell is what this one would challenge.
                others += [] if other.cell == subject.cell else [distance]
            nearest = min(others, default=None)
            if nearest is not None:
                subject.note("novelty", nearest)
            verdicts = gates.judge_all(
                subject.values, distance=nearest, nearest_any=min(anybody, default=None), calibration=calibration
            )
            subject.verdicts.extend(verdicts)
            outcome, cause = gates.overall(verdicts)
            self.settle(subject, OUTCOME_STATUS[outcome], cause)
            if outcome == "pass":
                joined.append((place, subject))
        for _, subject in joined:
            self.live.accept(self.cycle, subject)

    def settle(self, subject: Subject, status: Status, cause: str) -> None:
        """The batch's own candidates change before they are recorded; older ones by a resolution."""
        subject.end(status, cause)
        if subject.cycle != self.cycle:
            self.resolutions.append(Resolution(candidate=subject.id, status=subject.status, cause=cause))

    # ---- 6: the critic -------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Only gate survivors are shown to the critic: at once, or in a conversation beside the loop."""
        if not self.live.sitting.immediate:
            show, agenda = self.live.with_picture, self._agenda()
            self._talk = self.live.sitting.converse(lambda: converse(self.live.sitting, agenda, show))

    def _agenda(self) -> Agenda:
        """What is asked: chosen from the commit `pipeline_depth + 1` cycles ago."""
        survivors, live = self._survivors(), self.live
        humans = live.told_since(self.since, self.cycle)
        rivals: dict[int, Exhibit] = {}
        for subject in survivors:
            holder = live.state.archive.holder_as_of(subject.cell, self.since) if live.state.archive else None
            if holder is None or holder == subject.id:
                continue
            if frozenset((subject.id, holder)) in humans:
                continue  # humans spoke of the two since that commit: what they say decides
            sure = live.lagged.sure(self.cycle, subject.id, holder)
            if sure is None:
                rivals[subject.id] = live.known(holder)
            else:
                self._sure_of[subject.id, holder] = sure
        number = self._best_before()
        best = None if number is None else live.known(number)
        shown = [subject.exhibit(pixels=True) for subject in survivors]
        self._to_review = {exhibit.candidate for exhibit in to_review(live.sitting, shown, rivals, best)}
        others = [draft for draft in live.ahead.values() if draft.cycle < self.cycle]
        return Agenda(
            cycle=self.cycle,
            seed=live.crew.rhythm.seed,
            survivors=shown,
            rivals=rivals,
            best=best,
            after=[draft.reviewed for draft in others if draft.reviews_any(self._to_review)],
            reviewed=self.reviewed,
        )

    def reviews_any(self, candidates: Collection[int]) -> bool:
        """Whether it has one of these candidates answer the bank."""
        return not self._to_review.isdisjoint(candidates)

    @property
    def talk(self) -> Future[Heard] | None:
        """The conversation with a slow critic, to be waited for; None with one that answers at once."""
        return self._talk

    def listen(self) -> None:
        """What the critic says of the survivors. Who cannot be answered about stays pending."""
        if self._talk is not None:
            self._heard = self._talk.result()
            self._critiques = self._heard.renewed
        # Who came back a while ago and waits no longer, because a human has placed it since, challenges nobody.
        waiting = self.live.state.waiting
        self.returning = [s for s in self.returning if not s.returning or s.id in waiting]
        for subject in self.returning:
            if subject.returning:
                subject.status, subject.cause = waiting[subject.id]
        survivors = self._survivors()
        unseen = [subject for subject in survivors if subject.critique is None]
        for start in range(0, len(unseen), SHOWN_AT_ONCE):
            self._review(unseen[start : start + SHOWN_AT_ONCE])

    def _review(self, subjects: Sequence[Subject]) -> None:
        found = self._heard.critiques
        if self._talk is None:
            recalled = [subject for subject in subjects if subject.pixels is None and subject.image is not None]
            for subject in recalled:
                subject.pixels = self.live.picture(subject)
            found = self.live.sitting.review([s.exhibit(pixels=True) for s in subjects], cycle=self.cycle)
            for subject in recalled:
                subject.pixels = None
        for subject in subjects:
            subject.critique = found.get(subject.id)
            if self._talk is not None:  # another cycle may have been the first to use this reply, and has recorded it
                asked = {"ask": "review", "candidate": subject.id}
                subject.critique_known = self.live.sitting.first_used(asked) != self.cycle
            if subject.critique is None and subject.status in ("passed", "pending"):
                self.settle(subject, "pending", "critic")

    # ---- 7: cells are won by duels -------------------------------------------------------------------------------

    def challenge(self) -> None:
        """Place every survivor: an empty cell takes it, a holder is met."""
        for subject in self._survivors():
            if subject.critique is not None:
                self._place(subject)
        self._meet_the_best()
        self.live.remember(s.exhibit() for s in self._survivors() if s.critique is not None)
        troubles = self.live.sitting.troubles(self.cycle)
        self.events.extend(Event(kind="critic", message=trouble) for trouble in troubles)

    def _place(self, subject: Subject) -> None:
        incumbent = self.holder(subject.cell)
        if incumbent == subject.id:
            return
        if incumbent is None:
            self.put(subject, "new", None, "empty")
            return
        side, reason = self._winner(subject, incumbent)
        if side is None:
            self.put(subject, "pending", incumbent, "critic")
            if (subject.status, subject.cause) != ("pending", "duel"):
                self.settle(subject, "pending", "duel")
            return
        self.put(subject, SIDE_PLACEMENT[side], incumbent, reason)

    def _winner(self, subject: Subject, incumbent: int) -> tuple[Side | None, str]:
        duel = self._heard.duels.get((subject.id, incumbent))
        if duel is None:
            sure = self._sure(subject, incumbent)
            if sure is not None:
                return sure, "preference"
            if self.live.sitting.immediate:
                pair = (self._shown(subject), self._exhibit(incumbent))
                (duel,) = self.live.sitting.duel([pair], purpose="cell", cycle=self.cycle)
        if duel is None:
            return None, "critic"
        self.duels.append(duel)
        return duel.outcome, "critic"

    def _sure(self, subject: Subject, incumbent: int) -> Side | None:
        """What the preference model says; as of the commit that duels are chosen from, unless the holder is newer."""
        if (subject.id, incumbent) in self._sure_of:
            return self._sure_of[subject.id, incumbent]
        archive = self.live.state.archive
        if self._talk is None and archive is not None and archive.holder_as_of(subject.cell, self.since) == incumbent:
            return self.live.lagged.sure(self.cycle, subject.id, incumbent)
        return self.live.preference.sure(subject.id, incumbent)

    def put(self, subject: Subject, outcome: PlacementOutcome, incumbent: int | None, reason: str) -> None:
        """Record what became of a subject in its cell."""
        assert self.archive is not None
        self.placements.append(
            Placement(
                candidate=subject.id,
                cell=subject.cell,
                descriptor=subject.descriptor,
                descriptor_version=self.archive.axes.version,
                outcome=outcome,
                incumbent=incumbent,
                clipped=subject.clipped,
                reason=reason,
            )
        )
        if outcome in ("new", "won"):
            self._holders[subject.cell] = subject.id
        if outcome != "pending" and subject.status == "pending":
            self.settle(subject, "passed", "")

    def _meet_the_best(self) -> None:
        """One duel a cycle against the series' current best: it ties the cells' comparisons together."""
        if self._talk is not None:
            self.duels.extend([self._heard.best] if self._heard.best is not None else [])
            return
        best = self._best_before()
        met = {(duel.left, duel.right) for duel in self.duels}
        able = [s for s in self._survivors() if s.critique and s.id != best and (s.id, best) not in met]
        if best is None or not able:
            return
        rng = draw(self.live.crew.rhythm.seed, self.cycle, 0, "best")
        chosen = able[int(rng.integers(len(able)))]
        found = self.live.sitting.duel([(self._shown(chosen), self._exhibit(best))], purpose="best", cycle=self.cycle)
        self.duels.extend(duel for duel in found if duel is not None)

    @property
    def since(self) -> int:
        """The commit that this cycle's proposals were made from, and its duels are chosen from."""
        return self.cycle - 1 - self.live.crew.rhythm.pipeline_depth

    def _best_before(self) -> int | None:
        """The current best as of that commit. Before any comparison there is none: the first elite stands in for it."""
        best = self.live.best_as_of(self.since)
        if best is None and self.live.state.archive is not None:
            return self.live.state.archive.first_as_of(self.since)
        return best

    def holder(self, cell: int) -> int | None:
        """Who holds a cell, this cycle's changes included."""
        if cell in self._holders:
            return self._holders[cell]
        elite = self.archive.holder(cell) if self.archive else None
        return elite.candidate if elite else None

    # ---- the record ----------------------------------------------------------------------------------------------

    def record(self, *, seconds: float) -> CycleRecord:
        """Everything this cycle derived. `seconds` since the last one ended, for display."""
        everybody = self.returning + self.batch
        state = self.live.state
        new_calibration = self.calibration if self.calibration is not state.calibration else None
        new_axes = self.archive.axes if self.archive is not None and self.archive is not state.archive else None
        alarm = clipping_alarm(state, self.cycle)
        opened = sum(1 for placement in self.placements if placement.outcome == "new")
        return CycleRecord(
            cycle=self.cycle,
            candidates=tuple(subject.candidate() for subject in self.batch),
            signals={s.id: s.fresh_signals for s in everybody if s.fresh_signals},
            embeddings={s.id: s.embedding for s in everybody if s.embedding is not None and s.newly_embedded},
            verdicts={s.id: tuple(s.verdicts) for s in everybody if s.verdicts},
            critiques={s.id: s.critique for s in everybody if s.critique and s.newly_reviewed} | self._critiques,
            duels=tuple(self.duels),
            resolutions=tuple(self.resolutions),
            placements=tuple(self.placements),
            calibration=new_calibration,
            axes=new_axes,
            round=self.round,
            events=(*self.events, *((alarm,) if alarm else ())),
            measures=figures(self.live, self.cycle, self.batch, opened),
            render_seconds=self.render_seconds,
            cycle_seconds=seconds,
            takes=self.live.crew.rhythm.best_of,
        )

    # ---- small things --------------------------------------------------------------------------------------------

    def _survivors(self) -> list[Subject]:
        """Whoever may be placed in this cycle: kept by a human, returning, of the warm-up, of the batch; in order."""
        return [s for s in self.returning + self.batch if s.status == "passed" or s.returning]

    def recall(self, ids: Sequence[int]) -> list[Subject]:
        """Candidates of earlier cycles, with what was measured then; they take part in this cycle."""
        subjects = recall(self.live, ids)
        self.returning.extend(subjects)
        return subjects

    def locate(self, subject: Subject) -> None:
        """Its descriptor and cell."""
        assert self.archive is not None
        subject.descriptor = tuple(subject.values[name] for name in self.archive.axes.names)
        subject.cell, subject.clipped = self.archive.locate(subject.descriptor)

    def _exhibit(self, candidate: int) -> Exhibit:
        for subject in self.returning + self.batch:
            if subject.id == candidate:
                return self._shown(subject)
        exhibit = self.live.exhibit(candidate)
        return exhibit if self.live.sitting.current(exhibit.critique) else self._renewed(exhibit)

    def _renewed(self, exhibit: Exhibit) -> Exhibit:
        """An elite that answered another bank, or another critic, is asked again before it is compared."""
        asked = self.live.with_picture(exhibit)
        critique = self.live.sitting.review([asked], cycle=self.cycle).get(exhibit.candidate)
        if critique is not None:
            self._critiques[exhibit.candidate] = critique
            self.live.remember([replace(exhibit, pixels=None, critique=critique)])
        return replace(exhibit, critique=critique)

    def _shown(self, subject: Subject) -> Exhibit:
        return self.live.shown(subject.exhibit(pixels=not self.live.sitting.immediate))
