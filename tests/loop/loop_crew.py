"""Series for the loop's tests: crews assembled by hand, pictures kept in memory, worlds in which a test decides all.

Takes fakes; gives a `Series` that can be run, killed and opened again. A `World` numbers pictures in the order in which
they are rendered (which is candidate order) and lets a function of that number say what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.calibration.first import GateSetting
from gen_emerge.critics.scripted import ScriptedCritic
from gen_emerge.emitters import all_emitters
from gen_emerge.engines.local import LocalEngine
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.generators.imported import Imported
from gen_emerge.live import Live
from gen_emerge.loop import run
from gen_emerge.protocols import CriticDown
from gen_emerge.roles import Crew, Rhythm
from gen_emerge.scorers.measures import LIMITS, PixelMeasures
from gen_emerge.state import replay
from gen_emerge.store import Store, round_payload
from gen_emerge.store.images import pixels_hash
from gen_emerge.types import (
    BankQuestion,
    CycleRecord,
    Embedding,
    Genome,
    Image,
    Pattern,
    PromptBank,
    Question,
    QuestionBank,
    Reading,
    Round,
    Signal,
)

PROMPTS = PromptBank(
    id="test-1",
    hash="0" * 64,
    template="{school} in {palette}, {mood}",
    negative="",
    slots={
        "school": ("marbled", "strokes", "glass", "tiles"),
        "palette": ("ember", "ochre", "plum", "jade", "sand", "slate"),
        "mood": ("serene", "stormy", "joyful"),
    },
    patterns=(
        Pattern(text="stained glass, __palette__, quiet", slots={"school": "glass", "mood": "serene"}),
        Pattern(text="__school__ at noon", slots={}),
    ),
)
QUESTIONS = QuestionBank(
    id="test-1",
    hash="1" * 64,
    questions=tuple(BankQuestion(id=f"q{n}", dimension="d", text=f"Question {n}?", good="yes") for n in range(12)),
)
OFF = GateSetting(lower="off", upper="off", review=0.0, duplicate="off")
NO_GATES = dict.fromkeys(("quality", "prompt", "novelty", "style"), OFF)
DIMENSION = 32


def rhythm(**changes: Any) -> Rhythm:
    """A short rhythm of small pictures."""
    usual = Rhythm(
        seed=7,
        batch=4,
        warmup_cycles=2,
        pipeline_depth=1,
        max_attempts=3,
        checkin_every=0,
        wait_at_checkin=False,
        width=40,
        height=32,
        archive_kind="grid",
        axes=("lightness", "contrast"),
        dims=(6, 6),
        cells=36,
    )
    return replace(usual, **changes)


def crew(**changes: Any) -> Crew:
    """A crew of fakes and an immediate critic, every gate on "auto"."""
    usual = Crew(
        rhythm=rhythm(),
        brief="quiet prints",
        generator=FakeGenerator(),
        measures=PixelMeasures(),
        scorers=(FakeScorer(),),
        limits={**LIMITS, "style": (0.0, 1.0)},
        rules=(),
        gates={"style": GateSetting(upper="auto")},
        prompts=PROMPTS,
        emitters=all_emitters(),
        critic=RankCritic(lambda candidate: candidate * 7 % 5, immediate=True),
        questions=QUESTIONS,
        probe=lambda genomes: {},
    )
    return replace(usual, **changes)


# ---- a critic whose mind is known --------------------------------------------------------------------------------


class _Ranked(Mapping[int, Mapping[str, Any]]):
    """Candidate -> answers of which the first `strength` are good: more strength wins every duel."""

    def __init__(self, strength: Callable[[int], int]) -> None:
        self._strength = strength

    def __getitem__(self, candidate: int) -> Mapping[str, Any]:
        good = self._strength(candidate)
        return {question.id: "yes" if n < good else "no" for n, question in enumerate(QUESTIONS.questions)}

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 1


class RankCritic(ScriptedCritic):
    """The scripted critic with a ranking for a script; it remembers what it was shown.

    `mute` holds what it cannot answer now: candidate ids for reviews, (left, right) for duels.
    """

    def __init__(
        self,
        strength: Callable[[int], int] = lambda candidate: 0,
        *,
        immediate: bool = False,
        mute: Collection[Any] = (),
    ) -> None:
        super().__init__(_Ranked(strength), immediate=immediate)
        self.mute = set(mute)
        self.reviewed: list[int] = []
        self.dueled: list[tuple[int, int]] = []
        self.blind: list[int] = []

    def review(self, exhibit: Any, *, brief: str, bank: QuestionBank) -> Any:
        self._hear(exhibit.candidate)
        self._look(exhibit)
        self.reviewed.append(exhibit.candidate)
        return super().review(exhibit, brief=brief, bank=bank)

    def duel(self, left: Any, right: Any, *, brief: str, bank: QuestionBank) -> Any:
        self._hear((left.candidate, right.candidate))
        self._look(left)
        self._look(right)
        self.dueled.append((left.candidate, right.candidate))
        return super().duel(left, right, brief=brief, bank=bank)

    def _hear(self, what: Any) -> None:
        if what in self.mute or "all" in self.mute:
            raise CriticDown(f"mute about {what}")

    def _look(self, exhibit: Any) -> None:
        if exhibit.pixels is None:
            self.blind.append(exhibit.candidate)


def genome(*, slots: Mapping[str, str], prompt: str) -> Genome:
    """One of the fake generator, where only its words matter."""
    return Genome(
        slots=slots, prompt=prompt, seed=1, generator="fake", generator_version="1", parameters={}, width=8, height=8
    )


# ---- a world in which a test decides everything ------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Traits:
    """What is measured of one picture. `vector` None: a direction of its own, at distance 1 from all others."""

    x: float = 0.0
    quality: float = 0.5
    vector: np.ndarray | None = None
    broken: bool = False


@dataclass(slots=True)
class World:
    """Numbers pictures in the order they are first rendered; `traits` says what is measured of each."""

    traits: Callable[[int], Traits]
    numbers: dict[str, int] = field(default_factory=dict)
    space: str = "world-1"

    name = "world"
    version = "world-1"
    parameters: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"tilt": (0.0, 1.0)})
    roles = frozenset({"quality", "prompt", "novelty", "style"})

    @property
    def versions(self) -> Mapping[str, str]:
        return {**dict.fromkeys(("quality", "prompt", "style"), "world-1"), "novelty": self.space}

    def render(self, genomes: Any) -> list[np.ndarray]:
        for genome in genomes:
            self.numbers.setdefault(genome.hash, len(self.numbers) + 1)
        return [self._paint(genome) for genome in genomes]

    def _paint(self, genome: Genome) -> np.ndarray:
        number = self.numbers[genome.hash]
        if self.traits(number).broken:
            raise RuntimeError("a broken genome")
        pixels = np.random.default_rng(number).integers(20, 230, (genome.height, genome.width, 3), dtype=np.uint8)
        pixels[0, 0] = number // 256, number % 256, 7
        return pixels

    def read(self, pixels: np.ndarray) -> tuple[int, Traits]:
        number = int(pixels[0, 0, 0]) * 256 + int(pixels[0, 0, 1])
        return number, self.traits(number)

    def score(self, images: Any, prompts: Any) -> list[Reading]:
        readings = []
        for number, traits in map(self.read, images):
            values = {"quality": traits.quality, "prompt": 0.5, "style": 0.5}
            vector = own_direction(number) if traits.vector is None else np.asarray(traits.vector, dtype=np.float32)
            readings.append(
                Reading(
                    signals=tuple(Signal(scorer=n, scorer_version="world-1", value=v) for n, v in values.items()),
                    embedding=Embedding(space=self.space, vector=vector),
                )
            )
        return readings


def own_direction(number: int, dimension: int = 256) -> np.ndarray:
    """A unit vector at right angles to those of other numbers."""
    vector = np.zeros(dimension, dtype=np.float32)
    vector[number % dimension] = 1.0
    return vector


def near(number: int, distance: float, lean: int = 255) -> np.ndarray:
    """A unit vector at `distance` (1 - cosine) from `own_direction(number)`, leaning towards the direction `lean`."""
    vector = own_direction(number) * np.float32(1.0 - distance)
    vector[lean] = np.sqrt(1.0 - (1.0 - distance) ** 2)
    return vector


@dataclass(slots=True)
class WorldMeasures:
    """The axis `x` of a world."""

    world: World
    roles = frozenset({"measures"})
    versions: Mapping[str, str] = field(default_factory=lambda: {"x": "world-1"})

    def score(self, images: Any, prompts: Any) -> list[Reading]:
        return [
            Reading(signals=(Signal(scorer="x", scorer_version="world-1", value=self.world.read(i)[1].x),))
            for i in images
        ]


def world_crew(traits: Callable[[int], Traits], **changes: Any) -> Crew:
    """A crew in a world: three cells on one axis (x = 0, 0.5, 1 lie in cells 0, 1, 2), no gates.

    The warm-up is one cycle of four; half of it should lie at x = 0, half at x = 1.
    """
    world = World(traits)
    beat = {"warmup_cycles": 1, "axes": ("x",), "dims": (3,), "cells": 3, **changes.pop("rhythm", {})}
    return crew(
        **{
            "rhythm": rhythm(**beat),
            "generator": world,
            "measures": WorldMeasures(world),
            "scorers": (world,),
            "limits": {},
            "gates": NO_GATES,
            **changes,
        }
    )


def edges(number: int) -> float:
    """The x of a warm-up of four that lays out `world_crew`'s three cells."""
    return 0.0 if number <= 2 else 1.0


# ---- a series ----------------------------------------------------------------------------------------------------


class Series:
    """One series of a test: a store in a folder, pictures in memory, a crew. `open` begins again as after a kill."""

    def __init__(self, folder: Path, crew: Crew) -> None:
        self.folder = folder
        self.crew = crew
        self.pictures: dict[str, np.ndarray] = {}
        self.records: list[CycleRecord] = []
        self.loads: list[str] = []
        self.store = Store.create(folder, {"seed": crew.rhythm.seed, "takes": crew.rhythm.best_of})
        self._start()

    def _start(self) -> None:
        self.state = replay(self.store.history())
        attempts, imports = self.crew.rhythm.max_attempts, self.crew.imports
        self.engine = LocalEngine(self.crew.generator, self._save, max_attempts=attempts, imports=imports)
        self.live = Live(self.crew, self.store, self.state, load=self._load, paint=self.engine.paint, cache=None)

    def _save(self, items: Sequence[tuple[Genome, np.ndarray]]) -> list[Image]:
        return [self._keep(genome, pixels) for genome, pixels in items]

    def _keep(self, genome: Genome, pixels: np.ndarray) -> Image:
        self.pictures[genome.hash] = pixels
        height, width = pixels.shape[:2]
        return Image(
            pixels=pixels_hash(pixels),
            file="f" * 64,
            path=genome.hash,
            thumbnail=genome.hash,
            width=width,
            height=height,
            size=1,
        )

    def _load(self, image: Image) -> np.ndarray:
        self.loads.append(image.path)
        return self.pictures[image.path]

    def run(self, cycles: int, **options: Any) -> Series:
        """Run until so many cycles are committed in all."""
        run(self.live, self.engine, cycles=cycles, tell=self.records.append, **options)
        return self

    def reopen(self, **changes: Any) -> Series:
        """Everything but the store is forgotten; the crew may be another."""
        self.stop()
        self.crew = replace(self.crew, **changes)
        self.store = Store.open(self.folder)
        self._start()
        return self

    def stop(self) -> None:
        self.live.sitting.close()
        self.engine.close()
        self.store.close()

    def record(self, cycle: int) -> CycleRecord:
        """The record of one cycle of this run."""
        return next(record for record in self.records if record.cycle == cycle)

    def placements(self, candidate: int) -> list[tuple[int, str, int | None, str]]:
        """(cycle, outcome, incumbent, reason) of one candidate's placements."""
        return [
            (record.cycle, p.outcome, p.incumbent, p.reason)
            for record in self.records
            for p in record.placements
            if p.candidate == candidate
        ]

    def genomes_of(self, cycle: int) -> list[str]:
        """Genome hashes of one committed cycle, in slot order."""
        return [candidate.genome.hash for candidate in self.store.candidates(cycle=cycle)]

    def status(self, candidate: int) -> tuple[str, str]:
        """(status, cause) now."""
        (found,) = self.store.candidates([candidate], current=True)
        return found.status, found.cause

    def holder(self, cell: int) -> int | None:
        elite = self.state.archive.holder(cell)
        return elite.candidate if elite else None

    def ask_pair(self, number: int, left: int, right: int) -> str:
        """Put a pair question into a requested round; gives its id."""
        return self._ask(number, Question(id=f"r{number}-1", kind="pair", ask="quality", prompt="p",
                                          images={"left": left, "right": right}))  # fmt: skip

    def ask_review(self, number: int, candidate: int) -> str:
        """Put a review question into a requested round; gives its id."""
        return self._ask(
            number, Question(id=f"r{number}-1", kind="review", ask="keep", prompt="p", images={"only": candidate})
        )

    def _ask(self, number: int, question: Question) -> str:
        asked = Round(id=f"r{number}", cycle=self.state.cycle, reason="request", questions=(question,))
        self.store.add_input("round", round_payload(asked))
        return question.id

    def answer(self, question: str, answer: str, *, cycle: int | None = None, rater: str = "anna") -> None:
        """A human's answer, which cycles from `cycle` on may use (None: as the command line files it)."""
        payload = {"question": question, "answer": answer, "rater": rater, "confidence": "sure", "seconds": 1.0}
        self.store.add_input("answer", payload, first_cycle=cycle)


def bring(series: Series, numbers: Iterable[int]) -> None:
    """Queue pictures from elsewhere as the command does; a world reads these numbers in them."""
    brought: dict[str, np.ndarray] = {}
    for number in numbers:
        pixels = np.random.default_rng(number).integers(20, 230, (36, 50, 3), dtype=np.uint8)
        pixels[0, 0] = number // 256, number % 256, 7
        brought[pixels_hash(pixels)] = pixels
        unused = dict.fromkeys(("source", "picture", "picture_file", "original", "original_file"), "unused")
        words = {"prompt": f"p {number}", "negative": "", "pixels": pixels_hash(pixels), "width": 50, "height": 36}
        assert series.store.add_import({**words, **unused}) is not None
    series.reopen(imports=Imported(brought.__getitem__))
