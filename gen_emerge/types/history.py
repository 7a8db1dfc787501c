"""What a cycle derived, and what came from outside: the rows of the history. Plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from gen_emerge.types.genomes import Genome, Proposal
from gen_emerge.types.judgements import Calibration, Critique, Duel, Round, Status, Verdict
from gen_emerge.types.pictures import Embedding, Image, Reading, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What became of one accepted candidate in the archive.

    Args:
        candidate: candidate id.
        cell: cell index, 0 .. cells - 1.
        descriptor: (axes,) coordinates, in the axes' units.
        descriptor_version: version of the axes.
        outcome: new (the cell was empty), won, lost, tie (the incumbent stays) or pending.
        incumbent: candidate id of the holder met, None when the cell was empty.
        clipped: one or more coordinates lay outside the axis ranges.
        reason: who decided: "empty", "critic", "preference", "reward" or "human"; "re-laid" where the map got other
            axes, and what was on record gave the cell.
    """

    candidate: int
    cell: int
    descriptor: tuple[float, ...]
    descriptor_version: int
    outcome: Literal["new", "won", "lost", "tie", "pending"]
    incumbent: int | None = None
    clipped: bool = False
    reason: str = "empty"


LEARNED = "learned "
"""How the names of learned axes begin; no signal's does."""
RELAID = "re-laid"
"""The reason of a placement that follows from other axes alone: nobody came and nobody was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """A version of the archive's geometry, in raw signal units.

    Args:
        version: 1 for the axes fixed after the warm-up.
        kind: "grid" or "cvt".
        names: (axes,) signal names; of learned axes "learned 1", "learned 2", ...
        low: (axes,) lower ends of the ranges.
        high: (axes,) upper ends.
        dims: (axes,) cells along each axis (grid only, else empty).
        centroids: (cells, axes) centroid coordinates (cvt only, else empty).
        space: of learned axes, the embedding that they are a projection of; "" for measured ones.
        weights: (axes, d) that projection; empty for measured axes.
    """

    version: int
    kind: Literal["grid", "cvt"]
    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    dims: tuple[int, ...] = ()
    centroids: tuple[tuple[float, ...], ...] = ()
    space: str = ""
    weights: tuple[tuple[float, ...], ...] = ()

    @property
    def learned(self) -> bool:
        """Whether they are a projection of an embedding, and not signals."""
        return bool(self.space)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.dims)) if self.kind == "grid" else len(self.centroids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One genome, its image, and what became of it in its own cycle.

    Args:
        id: see `candidate_id`.
        cycle: from 1.
        slot: 0 .. slots - 1; takes of one genome are neighbours.
        genome: the genome.
        image: the stored picture; None when rendering failed.
        status: passed, review, pending, failed or rejected.
        cause: for rejected: the filter's or gate's name; for failed: the error; for pending: what it waits for.
    """

    id: int
    cycle: int
    slot: int
    genome: Genome
    image: Image | None
    status: Status
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A later change of a candidate's status: after the warm-up, by a human's keep / discard, or by a late duel."""

    candidate: int
    status: Status
    cause: str = ""


InputKind = Literal[
    "config",
    "answer",
    "undo",
    "round",
    "quarantine",
    "critic",
    "critic-down",
    "micro-batch",
    "request",
    "import",
    "tried",
    "calibration",
    "favourite",
    "compass",
    "axes",
    "reward",
    "opened",
    "export",
]

_ASKED = frozenset({"ask", "critic", "bank_hash"})
INPUT_KEYS: Mapping[InputKind, frozenset[str]] = MappingProxyType(
    {
        "config": frozenset({"settings", "banks"}),
        "answer": frozenset({"question", "answer", "rater"}),
        "undo": frozenset({"question"}),
        "round": frozenset({"id", "cycle", "questions"}),
        "quarantine": frozenset({"genome", "error"}),
        "critic": _ASKED,
        "critic-down": _ASKED,
        "micro-batch": frozenset({"images"}),
        "request": frozenset(),
        "import": frozenset(
            {"prompt", "negative", "pixels", "width", "height", "source", "picture", "picture_file", "original"}
            | {"original_file"}
        ),
        "tried": frozenset({"gate", "version", "table", "readings", "failed"}),
        "calibration": frozenset({"did", "parent", "evidence", "reason"}),
        "favourite": frozenset({"candidate", "level", "rater"}),
        "compass": frozenset({"word", "never"}),
        "axes": frozenset({"at", "space", "weights", "low", "high", "source", "evidence", "held_out"}),
        "reward": frozenset({"did", "version", "hash", "active", "reason"}),
        "opened": frozenset({"candidate"}),
        "export": frozenset({"candidates"}),
    }
)
"""Every kind of input, and what the payload of each has at least, in whichever version it was written."""


def wrong_input(kind: str, payload: object) -> str:
    """What keeps a payload from being one of its kind, in words; "" for nothing."""
    keys = INPUT_KEYS.get(kind)  # pyright: ignore[reportArgumentType]
    if keys is None:
        return f'is of the kind "{kind}", which nobody writes'
    if not isinstance(payload, dict):
        return f"of the kind {kind} holds no object"
    lacks = sorted(keys - payload.keys())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return f"of the kind {kind} lacks {', '.join(lacks)}" if lacks else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Something that came from outside. `first_cycle` is the first cycle that may use it; fixed on arrival."""

    id: int
    kind: InputKind
    first_cycle: int
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What another scorer of one gate said of stored pictures, beside the numbers that stand.

    Args:
        gate: quality, prompt, novelty or style.
        version: the scorer's version for this gate; for novelty the space.
        table: its table in the series file, plain JSON.
        readings: candidate id -> what was measured.
        failed: candidate id -> why nothing was.
    """

    gate: str
    version: str
    table: Mapping[str, Any]
    readings: Mapping[int, Reading] = field(default_factory=dict[int, Reading])
    failed: Mapping[int, str] = field(default_factory=dict[int, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something worth telling: an alarm, a change, a notice. `payload` is plain JSON.

    An alarm that stands until it ends (kind "alarm") names itself in `payload["alarm"]`, and says in `payload["state"]`
    whether it was "raised" or "ended".
    """

    kind: str
    message: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def stands_or_ends(self) -> bool:
        """Whether it is an alarm that is said once, and once more when it ends."""
        return self.kind == "alarm" and "alarm" in self.payload


JUDGES = "judges"
"""The kind of an event that says what a duel of each judge counts for from the next cycle on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """The light half of a candidate: what the derived state needs of it.

    `genome` is the genome's hash, `pixels` the image's (None when rendering failed), `operator` the emitter's name.
    """

    id: int
    slot: int
    genome: str
    pixels: str | None
    operator: str
    parents: tuple[str, ...]
    status: Status
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleOutcome:
    """The light half of a cycle: everything the archive, the accepted set, bandit and thresholds are a function of.

    `takes`: so many neighbouring slots hold takes of one genome (see `[loop] best_of`). `alarms`: raised and ended.
    `weights`: judge -> what one of its duels counts for from now on, None where nothing changed.
    """

    cycle: int
    fates: tuple[Fate, ...]
    duels: tuple[Duel, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    placements: tuple[Placement, ...] = ()
    calibration: Calibration | None = None
    axes: Axes | None = None
    round: Round | None = None
    best: int | None = None
    takes: int = 1
    alarms: tuple[Event, ...] = ()
    weights: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRecord:
    """All that one cycle derived: committed at once. `outcome` is the half that the state is a function of.

    `best` is the elite that the preference model ranks first as of this commit, None before any comparison.
    `measures` holds the whole-series figures kept per cycle (such as self-similarity): alarms are raised by them.
    """

    cycle: int
    candidates: tuple[Candidate, ...]
    signals: Mapping[int, tuple[Signal, ...]]
    embeddings: Mapping[int, Embedding]
    verdicts: Mapping[int, tuple[Verdict, ...]]
    critiques: Mapping[int, Critique]
    duels: tuple[Duel, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    placements: tuple[Placement, ...] = ()
    calibration: Calibration | None = None
    axes: Axes | None = None
    round: Round | None = None
    proposals: tuple[Proposal, ...] = ()
    events: tuple[Event, ...] = ()
    best: int | None = None
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    render_seconds: float = 0.0
    cycle_seconds: float = 0.0
    takes: int = 1

    @property
    def outcome(self) -> CycleOutcome:
        """The light half."""
        fates = tuple(
            Fate(
                id=c.id,
                slot=c.slot,
                genome=c.genome.hash,
                pixels=c.image.pixels if c.image else None,
                operator=c.genome.operator,
                parents=c.genome.parents,
                status=c.status,
                cause=c.cause,
            )
            for c in self.candidates
        )
        return CycleOutcome(
            cycle=self.cycle,
            fates=fates,
            duels=self.duels,
            resolutions=self.resolutions,
            placements=self.placements,
            calibration=self.calibration,
            axes=self.axes,
            round=self.round,
            best=self.best,
            takes=self.takes,
            alarms=tuple(event for event in self.events if event.stands_or_ends),
            weights=next((event.payload["weights"] for event in self.events if event.kind == JUDGES), None),
        )
