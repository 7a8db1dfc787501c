"""The words of the project as frozen dataclasses. Takes nothing, gives nothing, touches nothing: plain values.

Arrays are set read-only, mappings are read-only views, sequences are tuples: a value that was stored cannot change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

_V = TypeVar("_V")

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 sRGB."""

Gate = Literal["quality", "prompt", "novelty", "style"]
GATES: tuple[Gate, ...] = ("quality", "prompt", "novelty", "style")
"""The four gates, in the order in which a first failure is counted."""

Outcome = Literal["pass", "fail", "review"]
Status = Literal["passed", "review", "pending", "failed", "rejected"]
Answer = Literal["yes", "no", "unsure", "unanswered"]
Side = Literal["left", "right", "tie"]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and exact floats: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _frozen_map(value: Mapping[str, _V]) -> Mapping[str, _V]:
    return value if isinstance(value, MappingProxyType) else MappingProxyType(dict(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Genome:
    """Everything needed to render an image again.

    `hash` is its identity: SHA-256 of all that acts on the pixels (so neither parents nor operator).

    Args:
        slots: prompt slot -> word, in the bank's order.
        prompt: the text made from the slots.
        negative: the negative prompt ("" for none).
        seed: 0 .. 2**32 - 1.
        generator: the generator's name.
        generator_version: changes whenever the same genome could give other pixels.
        parameters: continuous parameters, in the generator's own units.
        width: pixels.
        height: pixels.
        parents: hashes of the genomes it was made from.
        operator: the emitter that made it.
    """

    slots: Mapping[str, str]
    prompt: str
    negative: str = ""
    seed: int
    generator: str
    generator_version: str
    parameters: Mapping[str, float]
    width: int
    height: int
    parents: tuple[str, ...] = ()
    operator: str = "fresh"
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", _frozen_map(self.slots))
        object.__setattr__(self, "parameters", _frozen_map(self.parameters))
        object.__setattr__(self, "hash", content_hash(self.recipe()))

    def recipe(self) -> dict[str, Any]:
        """What acts on the pixels, as plain JSON values."""
        return {
            "slots": dict(self.slots),
            "prompt": self.prompt,
            "negative": self.negative,
            "seed": self.seed,
            "generator": self.generator,
            "generator_version": self.generator_version,
            "parameters": dict(self.parameters),
            "width": self.width,
            "height": self.height,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _genome_from, ({**self.recipe(), "parents": self.parents, "operator": self.operator},)


def _genome_from(values: dict[str, Any]) -> Genome:
    return Genome(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A stored picture.

    Args:
        pixels: SHA-256 of "WxH:" and the 8-bit RGB bytes: identity, used by the duplicate filter.
        file: SHA-256 of the PNG's bytes, used by `verify`.
        path: of the PNG, relative to the series folder, with forward slashes.
        thumbnail: of the WebP, likewise.
        width: pixels.
        height: pixels.
        size: bytes of the PNG.
    """

    pixels: str
    file: str
    path: str
    thumbnail: str
    width: int
    height: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A point in one model's space: (d,) float32, L2-normalised, read-only. Other spaces refuse comparison."""

    space: str
    vector: NDArray[np.float32]

    def __post_init__(self) -> None:
        vector = np.ascontiguousarray(self.vector, dtype=np.float32)
        if vector.flags.writeable:
            vector = vector.copy()
            vector.setflags(write=False)
        object.__setattr__(self, "vector", vector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One measured number, raw: never rescaled in the store. `scorer` is the signal's name, such as "quality"."""

    scorer: str
    scorer_version: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one scorer measured on one image: signals by name, and an embedding if it has a space."""

    signals: tuple[Signal, ...]
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One gate's thresholds in the signal's raw units. None switches a bound off.

    The review band reaches `review / 2` to each side of every bound. `duplicate` is novelty's second, smaller bound.
    """

    lower: float | None = None
    upper: float | None = None
    review: float = 0.0
    duplicate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one hard filter or gate said of one candidate.

    Args:
        gate: a gate's name, or a hard filter's.
        kind: "filter" or "gate".
        outcome: pass, fail or review.
        value: the signal it looked at (NaN is never stored: None).
        bounds: the bounds it applied (None for filters).
        calibration: version of the calibration (0 for filters).
        reason: one short sentence for people, "" when passed.
    """

    gate: str
    kind: Literal["filter", "gate"]
    outcome: Outcome
    value: float | None
    bounds: Bounds | None = None
    calibration: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a critic's call cost: tokens and US dollars (zero for critics that run here)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique:
    """A critic's answers to one bank about one image. `answers`: question id -> answer. Never a score."""

    critic: str
    bank: str
    bank_hash: str
    answers: Mapping[str, Answer]
    summary: str
    weaknesses: tuple[str, ...]
    usage: Usage = Usage()

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", _frozen_map(self.answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Which of two candidates is better? `left` and `right` are candidate ids, as shown.

    Args:
        left: candidate id.
        right: candidate id.
        question: "quality" or "adherence".
        outcome: left, right or tie.
        judge: the critic's name and version, or "human:RATER".
        order: "both" when asked in both orders (a split is a tie), "single" when shown once.
        purpose: "cell" (for a place), "best" (against the current best) or "round" (a human's pair).
        seconds: how long the judge took; None when not measured.
        attention: True for a repeated control pair.
    """

    left: int
    right: int
    question: str
    outcome: Side
    judge: str
    order: Literal["both", "single"] = "both"
    purpose: Literal["cell", "best", "round"] = "cell"
    seconds: float | None = None
    attention: bool = False


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
        reason: who decided: "empty", "critic", "preference" or "human".
    """

    candidate: int
    cell: int
    descriptor: tuple[float, ...]
    descriptor_version: int
    outcome: Literal["new", "won", "lost", "tie", "pending"]
    incumbent: int | None = None
    clipped: bool = False
    reason: str = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A version of all thresholds, with the evidence that moved them. `hash` covers the bounds alone."""

    version: int
    parent: int | None
    bounds: Mapping[str, Bounds]
    evidence: Mapping[str, Any]
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", _frozen_map(self.bounds))
        object.__setattr__(self, "evidence", _frozen_map(self.evidence))

    @property
    def hash(self) -> str:
        """Content hash of the bounds: equal thresholds, equal hash."""
        return content_hash(
            {name: [b.lower, b.upper, b.review, b.duplicate] for name, b in self.bounds.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """A version of the archive's geometry, in raw signal units.

    Args:
        version: 1 for the axes fixed after the warm-up.
        kind: "grid" or "cvt".
        names: (axes,) signal names.
        low: (axes,) lower ends of the ranges.
        high: (axes,) upper ends.
        dims: (axes,) cells along each axis (grid only, else empty).
        centroids: (cells, axes) centroid coordinates (cvt only, else empty).
    """

    version: int
    kind: Literal["grid", "cvt"]
    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    dims: tuple[int, ...] = ()
    centroids: tuple[tuple[float, ...], ...] = ()

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return int(np.prod(self.dims)) if self.kind == "grid" else len(self.centroids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A genome waiting for its turn: rendered as candidate `candidate_id(cycle, slot, batch)`."""

    cycle: int
    slot: int
    genome: Genome


def candidate_id(cycle: int, slot: int, batch: int) -> int:
    """Candidate ids count from 1 in cycle and slot order (cycles count from 1, slots from 0)."""
    return (cycle - 1) * batch + slot + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One genome, its image, and what became of it in its own cycle.

    Args:
        id: see `candidate_id`.
        cycle: from 1.
        slot: 0 .. batch - 1.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing asked of a human. `images` maps "left" / "right" or "only" to candidate ids."""

    id: str
    kind: Literal["pair", "keep", "review"]
    ask: Literal["quality", "adherence", "keep"]
    prompt: str
    images: Mapping[str, int]
    attention: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", _frozen_map(self.images))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A human check-in: a few questions. `id` is "r" and a number; question ids are "r3-1", "r3-2", ..."""

    id: str
    cycle: int
    reason: Literal["scheduled", "request"]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanAnswer:
    """One recorded answer. Answering twice appends; the last that was not undone stands."""

    question: str
    answer: Literal["left", "right", "tie", "skip", "keep", "discard", "unsure"]
    rater: str
    confidence: Literal["sure", "unsure"] = "sure"
    seconds: float | None = None


InputKind = Literal[
    "config", "answer", "undo", "round", "quarantine", "critic", "critic-down", "micro-batch", "request"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Something that came from outside. `first_cycle` is the first cycle that may use it; fixed on arrival."""

    id: int
    kind: InputKind
    first_cycle: int
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something worth telling: an alarm, a change, a notice. `payload` is plain JSON."""

    kind: str
    message: str
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])


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
    """The light half of a cycle: everything the archive, the accepted set, bandit and thresholds are a function of."""

    cycle: int
    fates: tuple[Fate, ...]
    duels: tuple[Duel, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    placements: tuple[Placement, ...] = ()
    calibration: Calibration | None = None
    axes: Axes | None = None
    round: Round | None = None
    best: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRecord:
    """All that one cycle derived: committed at once. `outcome` is the half that the state is a function of.

    `best` is the elite that the preference model ranks first as of this commit, None before any comparison.
    `measures` holds the whole-series figures kept per cycle (such as self-similarity), for display only.
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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BankQuestion:
    """One yes/no question of a bank. `good` is the answer that speaks for the image."""

    id: str
    dimension: str
    text: str
    good: Literal["yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionBank:
    """A versioned set of questions; never edited once used. `hash` is of the file's content."""

    id: str
    hash: str
    questions: tuple[BankQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A prompt with `__slot__` wildcards and the slots it fixes."""

    text: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBank:
    """The vocabulary prompts are made from: slot -> words, in order; a template using each slot once."""

    id: str
    hash: str
    template: str
    negative: str
    slots: Mapping[str, tuple[str, ...]]
    patterns: tuple[Pattern, ...] = ()

    def prompt(self, slots: Mapping[str, str]) -> str:
        """The text of one combination of words."""
        return self.template.format_map(dict(slots))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """What a critic is shown of one candidate.

    Args:
        candidate: candidate id.
        prompt: the text it was made from.
        pixels: (h, w, 3) uint8, read-only; None where only the answers are needed.
        signals: name -> raw value; only critics that measure use them, a vision model never sees them.
        critique: its earlier answers, if any.
    """

    candidate: int
    prompt: str
    pixels: Pixels | None
    signals: Mapping[str, float]
    critique: Critique | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What an emitter chose; the loop makes a genome of it.

    Args:
        slots: slot -> word, every slot of the bank.
        seed: 0 .. 2**32 - 1.
        parameters: every parameter of the generator, within its range.
        parents: hashes of the genomes it came from.
        text: the prompt where it is not the bank's template (wildcard patterns), else None.
    """

    slots: Mapping[str, str]
    seed: int
    parameters: Mapping[str, float]
    parents: tuple[str, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What emitters draw from.

    Args:
        bank: the vocabulary.
        parameters: the generator's continuous parameters: name -> (low, high).
        parents: the elites' genomes, in cell order; empty during the warm-up.
        weights: (parents,) float64, >= 0, sum 1: how likely each is to be chosen as a parent.
    """

    bank: PromptBank
    parameters: Mapping[str, tuple[float, float]]
    parents: tuple[Genome, ...] = ()
    weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
