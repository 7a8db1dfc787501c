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
from functools import cached_property

from gen_emerge import filters, sieve
from gen_emerge.archive import Archive
from gen_emerge.conversation import SHOWN_AT_ONCE, Agenda, Decide, Heard, converse, to_review
from gen_emerge.engines.local import Rendering, Shot
from gen_emerge.heads import Known, Version
from gen_emerge.live import Live
from gen_emerge.places import descriptor_of
from gen_emerge.recall import embed_again, recall
from gen_emerge.subject import Subject
from gen_emerge.telling import figures
from gen_emerge.types import (
    RELAID,
    Calibration,
    Critique,
    CycleRecord,
    Duel,
    Event,
    Exhibit,
    HumanAnswer,
    Placement,
    Question,
    Resolution,
    Round,
    Side,
    Status,
    candidate_id,
)

NewAnswer = tuple[Question, Sequence[tuple[HumanAnswer | None, HumanAnswer | None]], Mapping[frozenset[int], int | str]]
"""A question that humans answered anew, what each of them said before and says now, and what most say (`decisions`)."""


class Draft:
    """The cycle now being derived."""

    def __init__(self, cycle: int, live: Live) -> None:
        self.cycle = cycle
        self.live = live
        self.batch: list[Subject] = []
        self.returning: list[Subject] = []
        self.calibration: Calibration | None = live.calibration_before(cycle)
        self.archive: Archive | None = live.archive_before(cycle)
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
        self.heard = Heard()
        self.sure_of: dict[tuple[int, int], Side] = {}
        self.head: Version | None = None
        self.renewed: dict[int, Critique] = {}

    # ---- image, hard filters, signals -----------------------------------------------------------------------

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
        self.events += sieve.measure(self.live.crew, self.batch, self.head)

    # ---- what the steps between (gating.py, hearing.py, placing.py) do to a candidate ----------------------------

    def settle(self, subject: Subject, status: Status, cause: str) -> None:
        """The batch's own candidates change before they are recorded; older ones by a resolution."""
        subject.end(status, cause)
        if subject.cycle != self.cycle:
            self.resolutions.append(Resolution(candidate=subject.id, status=subject.status, cause=cause))

    def survivors(self) -> list[Subject]:
        """Whoever may be placed in this cycle: kept by a human, returning, of the warm-up, of the batch; in order."""
        return [s for s in self.returning + self.batch if s.status == "passed" or s.returning]

    def recall(self, ids: Sequence[int]) -> list[Subject]:
        """Candidates of earlier cycles, with what was measured then; they take part in this cycle."""
        subjects = recall(self.live, ids)
        self.returning.extend(subjects)
        return subjects

    def locate(self, subject: Subject) -> None:
        """Its descriptor and cell. Whoever waited while another space came into force is embedded again first."""
        assert self.archive is not None
        axes = self.archive.axes
        if axes.learned and subject.embedding is None and subject.cycle != self.cycle:
            embed_again(self.live, subject)
        subject.descriptor = descriptor_of(axes, subject.values, subject.embedding, candidate=subject.id)
        subject.cell, subject.clipped = self.archive.locate(subject.descriptor)

    # ---- the critic -------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Only gate survivors are shown to the critic: at once, or in a conversation beside the loop."""
        if not self.live.sitting.immediate:
            show, agenda = self.live.elites.with_picture, self._agenda()
            self._talk = self.live.sitting.converse(lambda: converse(self.live.sitting, agenda, show))

    def _agenda(self) -> Agenda:
        """What is asked: chosen from the commit `pipeline_depth + 1` cycles ago."""
        survivors, live = self.survivors(), self.live
        humans = live.told_since(self.since, self.cycle)
        rivals: dict[int, Exhibit] = {}
        for subject in survivors:
            holder = self.held_before(subject.cell)
            if holder is None or holder == subject.id:
                continue
            if frozenset((subject.id, holder)) in humans:
                continue  # humans spoke of the two since that commit: what they say decides
            sure = live.lagged.sure(self.cycle, subject.id, holder)
            if sure is None:
                rivals[subject.id] = live.elites.known(holder)
            else:
                self.sure_of[subject.id, holder] = sure
        number = self.best_before()
        best = None if number is None else live.elites.known(number)
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
            decide=self._deciding(survivors, rivals),
        )

    def look(self, candidate: int) -> Known | None:
        """What a head can know of a candidate, this cycle's included; None where it has no embedding of today."""
        for subject in self.returning + self.batch:
            if subject.id == candidate:
                known = subject.embedding
                fits = known is not None and known.space == self.live.space
                return Known(vector=known.vector, critique=subject.critique) if known is not None and fits else None
        return self.live.elites.look(candidate)

    def decide(self, challenger: tuple[int, Known | None], holder: tuple[int, Known | None]) -> Duel | None:
        """The duel of two for a cell, where a head is in force that is sure about them."""
        (one, left), (other, right) = challenger, holder
        reward = self.live.crew.reward
        if self.head is None or not reward.use or left is None or right is None:
            return None
        return self.head.duel((one, left), (other, right), sure=reward.sure)

    def _deciding(self, survivors: Sequence[Subject], rivals: Mapping[int, Exhibit]) -> Decide:
        """The same beside the loop: all that it reads but the critic's answers is looked up now."""
        if self.head is None or not rivals:
            return lambda challenger, holder: None
        ids = {s.id for s in survivors if s.id in rivals} | {rival.candidate for rival in rivals.values()}
        looks = {number: self.look(number) for number in ids}

        def decide(challenger: Exhibit, holder: Exhibit) -> Duel | None:
            one, other = (
                (
                    e.candidate,
                    Known(vector=known.vector, critique=e.critique) if (known := looks[e.candidate]) else None,
                )
                for e in (challenger, holder)
            )
            return self.decide(one, other)

        return decide

    def reviews_any(self, candidates: Collection[int]) -> bool:
        """Whether it has one of these candidates answer the bank."""
        return not self._to_review.isdisjoint(candidates)

    @property
    def talk(self) -> Future[Heard] | None:
        """The conversation with a slow critic, to be waited for; None with one that answers at once."""
        return self._talk

    def listen(self) -> None:
        """What the critic says of the survivors. Who cannot be answered about stays pending."""
        self._follow_the_map()
        if self._talk is not None:
            self.heard = self._talk.result()
            self.renewed = self.heard.renewed
        # Who came back a while ago and waits no longer, because a human has placed it since, challenges nobody.
        waiting = self.live.state.waiting
        self.returning = [s for s in self.returning if not s.returning or s.id in waiting]
        for subject in self.returning:
            if subject.returning:
                subject.status, subject.cause = waiting[subject.id]
        survivors = self.survivors()
        unseen = [subject for subject in survivors if subject.critique is None]
        for start in range(0, len(unseen), SHOWN_AT_ONCE):
            self._review(unseen[start : start + SHOWN_AT_ONCE])

    def _review(self, subjects: Sequence[Subject]) -> None:
        found = self.heard.critiques
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

    def _follow_the_map(self) -> None:
        """Axes that came into force in a cycle that was not committed yet have their holders by now."""
        committed = self.live.state.archive
        if self.archive is not None and committed is not None and committed.axes.version == self.archive.axes.version:
            self.archive = committed

    def held_before(self, cell: int) -> int | None:
        """Who held a cell at the commit that duels are chosen from; None where the map was re-laid since."""
        if self.live.state.archive is None or self.archive is None:
            return None
        then = self.live.state.archive.as_of(self.since)
        return then.holder_as_of(cell, self.since) if then.axes.version == self.archive.axes.version else None

    @property
    def relaid(self) -> bool:
        """Whether everybody got another place in this very cycle."""
        return any(placement.reason == RELAID for placement in self.placements)

    @property
    def since(self) -> int:
        """The commit that this cycle's proposals were made from, and its duels are chosen from."""
        return self.cycle - 1 - self.live.crew.rhythm.pipeline_depth

    def best_before(self) -> int | None:
        """The current best as of that commit. Before any comparison there is none: the first elite stands in for it."""
        best = self.live.best_as_of(self.since)
        if best is None and self.live.state.archive is not None:
            return self.live.state.archive.as_of(self.since).first_as_of(self.since)
        return best

    @cached_property
    def figures(self) -> Mapping[str, float]:
        """Of the series as a whole, once its places are given."""
        before = len(self.live.state.archive) if self.live.state.archive and not self.relaid else 0
        filled = before + sum(1 for placement in self.placements if placement.outcome == "new")
        return figures(self.live, self.cycle, self.batch, filled)

    # ---- the record ----------------------------------------------------------------------------------------------

    def record(self, *, seconds: float) -> CycleRecord:
        """Everything this cycle derived. `seconds` since the last one ended, for display."""
        everybody = self.returning + self.batch
        state = self.live.state
        new_calibration = self.calibration if self.calibration is not state.calibration else None
        new_axes = self.archive.axes if self.archive is not None and self.archive is not state.archive else None
        return CycleRecord(
            cycle=self.cycle,
            candidates=tuple(subject.candidate() for subject in self.batch),
            signals={s.id: s.fresh_signals for s in everybody if s.fresh_signals},
            embeddings={s.id: s.embedding for s in everybody if s.embedding is not None and s.newly_embedded},
            verdicts={s.id: tuple(s.verdicts) for s in everybody if s.verdicts},
            critiques={s.id: s.critique for s in everybody if s.critique and s.newly_reviewed} | self.renewed,
            duels=tuple(self.duels),
            resolutions=tuple(self.resolutions),
            placements=tuple(self.placements),
            calibration=new_calibration,
            axes=new_axes,
            round=self.round,
            events=tuple(self.events),
            measures=self.figures,
            render_seconds=self.render_seconds,
            cycle_seconds=seconds,
            takes=self.live.crew.rhythm.best_of,
        )
