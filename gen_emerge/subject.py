"""A candidate while a cycle is being derived: filled in step by step, then frozen into the record.

Takes what each step of the walk finds out; gives the `Candidate`, the exhibit for the critic, and the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import Damaged
from gen_emerge.types import (
    Candidate,
    Critique,
    Embedding,
    Exhibit,
    Genome,
    Image,
    Pixels,
    Reading,
    Signal,
    Status,
    Verdict,
)

DERIVED = "archive"
"""The version of signals that the archive itself measures (novelty's distance)."""


@dataclass(slots=True, kw_only=True)
class Subject:
    """One candidate in the making. `cycle` is its own; it may differ from the one being derived."""

    id: int
    cycle: int
    slot: int
    genome: Genome
    image: Image | None
    pixels: Pixels | None
    status: Status = "passed"
    cause: str = ""
    open: bool = True
    returning: bool = False
    signals: dict[str, Signal] = field(default_factory=dict[str, Signal])
    measured: list[str] = field(default_factory=list[str])
    embedding: Embedding | None = None
    newly_embedded: bool = False
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    critique: Critique | None = None
    critique_known: bool = False
    descriptor: tuple[float, ...] = ()
    cell: int = -1
    clipped: bool = False

    @staticmethod
    def of_earlier(
        candidate: Candidate,
        *,
        signals: Mapping[str, Signal],
        vector: NDArray[np.float32] | None,
        space: str,
        critique: Critique | None,
    ) -> Subject:
        """A candidate of an earlier cycle, as stored."""
        return Subject(
            id=candidate.id,
            cycle=candidate.cycle,
            slot=candidate.slot,
            genome=candidate.genome,
            image=candidate.image,
            pixels=None,
            status=candidate.status,
            cause=candidate.cause,
            open=False,
            signals=dict(signals),
            embedding=Embedding(space=space, vector=vector) if vector is not None else None,
            critique=critique,
            critique_known=critique is not None,
        )

    def end(self, status: Status, cause: str) -> None:
        """What became of it."""
        self.status, self.cause, self.open = status, cause, False

    def reject(self, verdict: Verdict | None) -> None:
        """A hard filter's verdict; None when it passed."""
        if verdict is not None:
            self.verdicts.append(verdict)
            self.end("rejected", verdict.gate)

    def read(self, reading: Reading) -> None:
        """What one scorer measured."""
        for signal in reading.signals:
            self.signals[signal.scorer] = signal
            self.measured.append(signal.scorer)
        if reading.embedding is not None:
            self.embedding = reading.embedding
            self.newly_embedded = True

    def read_again(self, reading: Reading) -> None:
        """What another version of a scorer measured: only what differs is new."""
        for signal in reading.signals:
            known = self.signals.get(signal.scorer)
            if known is None or known.scorer_version != signal.scorer_version:
                self.signals[signal.scorer] = signal
                self.measured.append(signal.scorer)
        if reading.embedding is not None and self.embedding is None:
            self.embedding = reading.embedding
            self.newly_embedded = True

    def note(self, name: str, value: float) -> None:
        """A signal that the archive measured."""
        self.signals[name] = Signal(scorer=name, scorer_version=DERIVED, value=value)
        self.measured.append(name)

    @property
    def values(self) -> Mapping[str, float]:
        """Signal name -> raw value."""
        return {name: signal.value for name, signal in self.signals.items()}

    @property
    def fresh_signals(self) -> tuple[Signal, ...]:
        """What was measured in the cycle being derived."""
        return tuple(self.signals[name] for name in dict.fromkeys(self.measured))

    @property
    def newly_reviewed(self) -> bool:
        """Whether its critique was made in the cycle being derived."""
        return self.critique is not None and not self.critique_known

    @property
    def shown(self) -> Pixels:
        """Its pixels.

        Raises:
            Damaged: they are not in memory.
        """
        if self.pixels is None:
            raise Damaged(f"Candidate {self.id} has no pixels in memory.")
        return self.pixels

    @property
    def vector(self) -> NDArray[np.float32]:
        """(d,) float32, L2-normalised.

        Raises:
            Damaged: it has no embedding.
        """
        if self.embedding is None:
            raise Damaged(f"Candidate {self.id} has no embedding.", hint="Does a scorer fill the role novelty?")
        return self.embedding.vector

    def exhibit(self, *, pixels: bool = False) -> Exhibit:
        """What the critic is shown of it."""
        return Exhibit(
            candidate=self.id,
            prompt=self.genome.prompt,
            pixels=self.pixels if pixels else None,
            signals=self.values,
            critique=self.critique,
        )

    def candidate(self) -> Candidate:
        """The stored half."""
        return Candidate(
            id=self.id,
            cycle=self.cycle,
            slot=self.slot,
            genome=self.genome,
            image=self.image,
            status=self.status,
            cause=self.cause,
        )
