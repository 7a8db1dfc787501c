"""What a running series keeps in memory beside its state: who does the work, and indices too heavy to fold.

Takes the crew, the store and the replayed state; gives the novelty index, the preference model, the critic's sitting
and what is kept of the elites. All of it is derived: killed and rebuilt, it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.album import Album
from gen_emerge.archive import Archive
from gen_emerge.asking import Sitting
from gen_emerge.elites import Elites
from gen_emerge.heads import KIND as REWARD
from gen_emerge.heads import Heads
from gen_emerge.imported import KIND, Imports, room
from gen_emerge.lagged import LaggedPreference
from gen_emerge.novelty import NoveltyIndex
from gen_emerge.places import descriptor_of, own_of_cell, stored_descriptors
from gen_emerge.propose import Proposer
from gen_emerge.roles import Crew
from gen_emerge.state import State
from gen_emerge.steering import Liked
from gen_emerge.store import Store
from gen_emerge.subject import Subject
from gen_emerge.tried import tried
from gen_emerge.types import (
    Calibration,
    Candidate,
    CycleRecord,
    Embedding,
    Genome,
    Image,
    Pixels,
    Proposal,
    Status,
)
from gen_emerge.vocabulary import KIND as FORBIDDEN
from gen_emerge.vocabulary import forbidden
from gen_emerge.watches import NARROWING, Watches

if TYPE_CHECKING:
    from gen_emerge.cycle import Draft


BEST_EVERY = 5
"""Cycles between two rankings of all elites: a fit of every stored duel each."""

LoadPixels = Callable[[Image], Pixels]


class Live:
    """The derived things of one running series.

    Args:
        crew: who does the work.
        store: the history; read here, written by the loop.
        state: replayed to the last commit.
        load: reads a stored picture.
        paint: paints one genome again, safely beside the renderer.
        cache: folder for the memory-mapped vectors, None to keep them in memory.
    """

    def __init__(
        self,
        crew: Crew,
        store: Store,
        state: State,
        *,
        load: LoadPixels,
        paint: Callable[[Genome], Pixels],
        cache: Path | None,
    ) -> None:
        self.crew = crew
        self.store = store
        self.state = state
        self._album = Album(load, paint, crew.generator)
        self.lagged = LaggedPreference(state, crew.rhythm.pipeline_depth)
        self.preference = self.lagged.whole()
        self.watches = Watches(crew, store, state)
        self.liked = Liked(store)
        self.forbidden = store.inputs_of(FORBIDDEN)
        self.heads = Heads(store.inputs_of(REWARD))
        self.ahead: dict[int, Draft] = {}
        self.sitting = Sitting(
            crew.critic, bank=crew.questions, brief=crew.brief, store=store, concurrency=crew.concurrency
        )
        rhythm = crew.rhythm
        self.proposer = Proposer(
            seed=rhythm.seed,
            batch=rhythm.batch,
            takes=rhythm.best_of,
            warmup_cycles=rhythm.warmup_cycles,
            size=(rhythm.width, rhythm.height),
            generator=crew.generator,
            bank=crew.prompts,
            emitters=crew.emitters,
            genomes=store.genomes,
        )
        self.banned: dict[str, str] = {
            item.payload["genome"]: item.payload["error"] for item in store.inputs_of("quarantine")
        }
        self.index: NoveltyIndex | None = None
        self.space = crew.versions["novelty"]
        self.elites = Elites(store, self._album, space=self.space, looks=not self.sitting.immediate)
        self.carried: dict[int, Embedding] = {}
        self._tried: dict[int, Embedding] | None = None
        self._moved_by = 0
        self._moved_until = -1
        self._moved_to: dict[int, int] = {}
        self._cache = cache
        self.proposals: dict[int, tuple[Proposal, ...]] = dict(store.pending_proposals(state.cycle))
        self.imports = Imports(store.inputs_of(KIND), known=self._proposed_before)
        self.unsaved: list[Proposal] = []
        if state.cycle == 0:
            for cycle in range(1, rhythm.pipeline_depth + 2):
                self._queue(cycle)
        self._fill_index()
        self.joined = self._joined_lately()

    # ---- proposals -----------------------------------------------------------------------------------------------

    def proposed(self, cycle: int) -> tuple[Proposal, ...]:
        """The proposals of one cycle, under the settings now in force, without the words that are forbidden by then."""
        taken: set[str] = set()
        # Read once a cycle: nothing that comes later is for a cycle that was begun by now.
        self.forbidden = self.store.inputs_of(FORBIDDEN)
        for earlier in sorted(c for c in self.proposals if c <= cycle):
            self.proposals[earlier] = self.proposer.adapt_all(
                self.proposals[earlier], self.state.rendered, taken, never=forbidden(self.forbidden, earlier)
            )
        return self.proposals[cycle]

    def _queue(self, cycle: int) -> None:
        waiting = {p.genome.hash for batch in self.proposals.values() for p in batch}
        imports: list[Genome] = []
        if self.state.archive is not None:
            rhythm = self.crew.rhythm
            pixels = room(rhythm.batch, rhythm.width, rhythm.height)
            imports = self.imports.due(self.state.cycle, rhythm.batch, pixels=pixels, known=self._proposed_before)
        explore = self.crew.alarms.explore_on_narrowing if self.state.alarm(NARROWING) else 0.0
        self.proposals[cycle] = self.proposer.propose(
            cycle,
            self.state,
            waiting=waiting,
            imports=imports,
            explore=explore,
            never=forbidden(self.forbidden, self.state.cycle),
            liked=self.liked.as_of(self.state.cycle) if self.crew.tilt else {},
            tilt=self.crew.tilt,
        )
        self.unsaved.extend(self.proposals[cycle])

    def _proposed_before(self, genome: str) -> bool:
        """Whether a genome (by hash) was rendered in this series, or waits to be."""
        return self.state.rendered(genome) or any(
            genome == p.genome.hash for batch in self.proposals.values() for p in batch
        )

    # ---- after a cycle -------------------------------------------------------------------------------------------

    def advance(self, record: CycleRecord) -> CycleRecord:
        """Fold a derived cycle into the state and everything beside it; complete its record with what follows from it.

        Returns:
            The record with the current best as of this commit, and the proposals made from it.
        """
        self.ahead.pop(record.cycle, None)
        self.state.apply(record.outcome)
        self.lagged.later(record.cycle, record.duels)
        self.joined.pop(record.cycle - self.crew.rhythm.pipeline_depth - 1, None)
        elites = {elite.candidate for elite in self.state.archive} if self.state.archive else set[int]()
        self.elites.follow(elites, record)
        self.proposer.remember(c.genome for c in record.candidates if c.id in elites)
        for duel in record.duels:
            self.preference.add(duel)
        best = self._current_best(record.cycle, elites)
        self.state.bests[record.cycle] = best
        del self.proposals[record.cycle]
        self._queue(record.cycle + 1 + self.crew.rhythm.pipeline_depth)
        proposals, self.unsaved = tuple(self.unsaved), []
        carried, self.carried = self.carried, {}
        return _replaced(record, best=best, proposals=proposals, embeddings={**record.embeddings, **carried})

    def _current_best(self, cycle: int, elites: set[int]) -> int | None:
        """Ranked anew every `BEST_EVERY` cycles, and when the last one lost its place."""
        last = self.state.bests.get(cycle - 1)
        if cycle % BEST_EVERY and last in elites:
            return last
        return self.preference.best(sorted(elites))

    def best_as_of(self, cycle: int) -> int | None:
        """The current best when a cycle was committed, None before any comparison."""
        return self.state.bests.get(cycle)

    # ---- novelty -------------------------------------------------------------------------------------------------

    def _fill_index(self) -> None:
        accepted = list(self.state.accepted)
        if not accepted:
            return
        # Always the space of today's scorer: what another version embedded is embedded again.
        ids, vectors = self.store.embeddings(accepted, self.space)
        found = {int(candidate): vector for candidate, vector in zip(ids, vectors, strict=True)}
        missing = [candidate for candidate in accepted if candidate not in found]
        if missing:
            self.carried = self.embed_again(missing)
            found |= {candidate: embedding.vector for candidate, embedding in self.carried.items()}
        for candidate in accepted:
            self._append(candidate, found[candidate])
        holders = {elite.candidate for elite in self.state.archive} if self.state.archive else set[int]()
        self.elites.begin({candidate: found[candidate] for candidate in accepted if candidate in holders})

    def embed_again(self, candidates: Sequence[int]) -> dict[int, Embedding]:
        """Embeddings in the space of today's novelty scorer, for pictures that were embedded by another one."""
        (scorer,) = (s for s in self.crew.scorers if "novelty" in s.roles)
        embeddings = self._tried_of(candidates)
        missing = [number for number in candidates if number not in embeddings]
        batch = self.crew.rhythm.batch
        for start in range(0, len(missing), batch):
            chunk = self.store.candidates(missing[start : start + batch])
            images = [self.picture(c) for c in chunk if c.image]
            readings = scorer.score(images, [c.genome.prompt for c in chunk if c.image])
            for candidate, reading in zip((c for c in chunk if c.image), readings, strict=True):
                if reading.embedding is not None:
                    embeddings[candidate.id] = reading.embedding
        return embeddings

    def _tried_of(self, candidates: Sequence[int]) -> dict[int, Embedding]:
        """What was tried of today's space before it came into force; looked up once, for all that wait too.

        Whoever waits may be let in by a human later, one by one; whoever comes later is measured when it comes.
        """
        if self._tried is not None:
            return {number: self._tried[number] for number in candidates if number in self._tried}
        waiting, wanted = frozenset(self.state.waiting), frozenset(candidates)
        readings = tried(self.store, "novelty", self.space, ids=waiting | wanted).readings
        found = {number: r.embedding for number, r in readings.items() if r.embedding is not None}
        self._tried = {number: embedding for number, embedding in found.items() if number in waiting}
        return {number: embedding for number, embedding in found.items() if number in wanted}

    def picture(self, candidate: Candidate | Subject) -> Pixels:
        """Its stored picture; where the file is lost, the same picture painted again, if its generator is at hand."""
        return self._album.picture(candidate)

    def accept(self, cycle: int, subject: Subject) -> None:
        """An image is accepted in a cycle that may not be committed yet: from now on it is a neighbour to others."""
        if self.index is not None and subject.id in self.index:
            return
        if subject.embedding is None:
            subject.embedding = self.embed_again([subject.id]).get(subject.id)
            subject.newly_embedded = True
        self._append(subject.id, subject.vector)
        self.joined.setdefault(cycle, []).append((subject.id, subject.cell))

    def _joined_lately(self) -> dict[int, list[tuple[int, int]]]:
        """Cycle -> (candidate, cell) of whoever was accepted in it, for the last `pipeline_depth` cycles."""
        found: dict[int, list[tuple[int, int]]] = {}
        archive, last = self.state.archive, self.state.cycle
        for cycle in range(last - self.crew.rhythm.pipeline_depth, last + 1):
            joined = self.state.lately[cycle].joined if cycle in self.state.lately else []
            if archive is None or not joined:
                continue
            then = archive.as_of(cycle)
            cells = then.locate_all(stored_descriptors(self.store, then.axes, joined))
            found[cycle] = [(candidate, cell) for candidate, (cell, _) in cells.items()]
        return found

    def neighbours_allowed(self, archive: Archive, cell: int, cycle: int) -> frozenset[int]:
        """Whom an image of a cell may be near: see `places.own_of_cell`.

        An image that was accepted for the same cell a moment ago is what this one would challenge.
        """
        since = cycle - 1 - self.crew.rhythm.pipeline_depth
        joined = {when: those for when, those in self.joined.items() if since < when < cycle}
        return own_of_cell(
            archive, self.state.archive, cell, since=since, joined=joined, cells=lambda: self._moved(archive)
        )

    def _moved(self, archive: Archive) -> Mapping[int, int]:
        """Candidate id -> cell under new axes, of everybody who held a cell or was accepted under the ones before."""
        if self._moved_by != archive.axes.version:
            self._moved_by, self._moved_to, self._moved_until = archive.axes.version, {}, -1
        found = {c for cycle, those in self.joined.items() if cycle < archive.since for c, _ in those}
        until = min(self.state.cycle, archive.since - 1)
        if self._moved_until != until and self.state.archive is not None:  # only a commit of before adds holders
            found |= self.state.archive.as_of(until).held_ever()
            self._moved_until = until
        wanted = sorted(found - self._moved_to.keys())
        if wanted:
            begun = [subject for draft in self.ahead.values() for subject in (*draft.returning, *draft.batch)]
            own = {s.id: s for s in begun if s.embedding is not None}
            mine = [own[c] for c in wanted if c in own]
            points = {s.id: descriptor_of(archive.axes, s.values, s.embedding, candidate=s.id) for s in mine}
            points |= stored_descriptors(self.store, archive.axes, [c for c in wanted if c not in own])
            cells = archive.locate_all(points)
            self._moved_to |= {c: cells[c][0] if c in cells else -1 for c in wanted}
        return self._moved_to

    # ---- cycles begun and not committed --------------------------------------------------------------------------

    def seen(self, pixels: str, cycle: int) -> bool:
        """Whether an earlier cycle has exactly these pixels, committed or only begun."""
        begun = (draft for number, draft in self.ahead.items() if number < cycle)
        return bytes.fromhex(pixels) in self.state.pixels or any(pixels in draft.pixels for draft in begun)

    def calibration_before(self, cycle: int) -> Calibration | None:
        """The thresholds in force when a cycle begins."""
        begun = [number for number in self.ahead if number < cycle]
        return self.ahead[max(begun)].calibration if begun else self.state.calibration

    def archive_before(self, cycle: int) -> Archive | None:
        """The map when a cycle begins. One of axes that are not committed yet knows nobody: it only locates."""
        begun = [number for number in self.ahead if number < cycle]
        return self.ahead[max(begun)].archive if begun else self.state.archive

    def told_since(self, since: int, cycle: int) -> frozenset[frozenset[int]]:
        """The pairs humans spoke about, or took back what they said, in the cycles > `since` up to `cycle` itself."""
        begun = {number: draft.told for number, draft in self.ahead.items()}
        lately = [duels for number, duels in {**self.lagged.waiting, **begun}.items() if since < number <= cycle]
        return frozenset(frozenset((duel.left, duel.right)) for duels in lately for duel in duels if duel.by_human)

    def status_before(self, candidate: int, cycle: int) -> tuple[Status, str]:
        """Status and cause of a candidate when a cycle begins; ("passed", "") of one that waits for nothing."""
        for number in sorted((n for n in self.ahead if n < cycle), reverse=True):
            for resolution in self.ahead[number].resolutions:
                if resolution.candidate == candidate:
                    return resolution.status, resolution.cause
        return self.state.waiting.get(candidate, ("passed", ""))

    def _append(self, candidate: int, vector: NDArray[np.float32]) -> None:
        if self.index is None:
            path = self._cache / "novelty.f16" if self._cache is not None else None
            self.index = NoveltyIndex(path, len(vector))
        self.index.add(candidate, vector)


def _replaced(record: CycleRecord, **values: Any) -> CycleRecord:
    return replace(record, **values)
