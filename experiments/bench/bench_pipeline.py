"""How much of the slowest stage's pace the whole loop keeps, with fixed simulated durations; and the loop that waits.

    python experiments/bench/bench_pipeline.py [--cycles 60] [--json FILE]

A renderer of 200 ms an image on one device, batches of 8; a critic whose every call takes 4 s, up to 64 at a time, both
orders of a duel at once; two contested cells a cycle. The bound is the renderer's: 1.6 s a cycle. `pipeline_depth` 6 is
measured from the commit of cycle 10 to that of the last one; depth 0, where each cycle waits for all before it, over a
few cycles beside it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from gen_emerge.calibration.first import GateSetting
from gen_emerge.config import parse
from gen_emerge.crew import assemble
from gen_emerge.engines.local import LocalEngine
from gen_emerge.fakes import FakeScorer
from gen_emerge.live import Live
from gen_emerge.loop import run
from gen_emerge.roles import Crew
from gen_emerge.state import replay
from gen_emerge.store import Store
from gen_emerge.store.images import PictureWriter
from gen_emerge.types import (
    GATES,
    Answer,
    Critique,
    CycleRecord,
    DuelReply,
    Embedding,
    Exhibit,
    Genome,
    Pixels,
    QuestionBank,
    Reading,
    Signal,
)

ROOT = Path(__file__).resolve().parents[2]
RENDER, CALL, CONCURRENCY = 0.2, 4.0, 64
BATCH, WARMUP, CELLS = 8, 2, 1000
CONTESTED = 2
LONG_AGO = 9
"""Cycles after which a cell is challenged: its holder is then known to the commit that duels are chosen from."""


class Renderer:
    """200 ms an image. Pictures are numbered in the order they are rendered."""

    name = "simulated"
    version = "simulated-1"
    parameters: Mapping[str, tuple[float, float]] = {"a": (0.0, 1.0), "b": (0.0, 1.0)}

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._numbers: dict[str, int] = {}

    def render(self, genomes: Sequence[Genome]) -> list[Pixels]:
        time.sleep(self._seconds * len(genomes))
        return [self._numbered(genome) for genome in genomes]

    def _numbered(self, genome: Genome) -> Pixels:
        number = self._numbers.setdefault(genome.hash, len(self._numbers))
        pixels = np.random.default_rng(number).integers(20, 230, (genome.height, genome.width, 3), dtype=np.uint8)
        pixels[0, 0] = number // 65536, number // 256 % 256, number % 256
        return pixels


def place_of(number: int) -> float:
    """Where a picture lies on the axis: most open a cell, two of every batch challenge one opened long ago."""
    cycle, slot = divmod(number, BATCH)
    if cycle < WARMUP:
        return number / (WARMUP * BATCH - 1)
    first = (cycle - WARMUP) * BATCH + slot
    challenged = first - LONG_AGO * BATCH - CONTESTED
    own = challenged if slot < CONTESTED and challenged >= 0 and cycle >= WARMUP + LONG_AGO else first
    return ((own * 617) % CELLS + 0.5) / CELLS


class Numbers:
    """Signals and embeddings that follow from a picture's number."""

    def __init__(self, roles: frozenset[str]) -> None:
        self.roles = roles
        names = ("x",) if "measures" in roles else ("quality", "prompt", "style")
        self.versions: Mapping[str, str] = {**dict.fromkeys(names, "n"), "novelty": "numbers"}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        return [self._read(int(image[0, 0] @ (65536, 256, 1))) for image in images]

    def _read(self, number: int) -> Reading:
        if "measures" in self.roles:
            return Reading(signals=(Signal(scorer="x", scorer_version="n", value=place_of(number)),))
        vector = np.random.default_rng((5, number)).standard_normal(192).astype(np.float32)
        signals = tuple(Signal(scorer=n, scorer_version="n", value=0.5) for n in ("quality", "prompt", "style"))
        return Reading(signals=signals, embedding=Embedding(space="numbers", vector=vector / np.linalg.norm(vector)))


class SlowCritic:
    """Every call takes its time; no duel is won."""

    name = "simulated-1"
    immediate = False

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.calls = {"review": 0, "duel": 0}

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        self.calls["review"] += 1
        time.sleep(self._seconds)
        answers: dict[str, Answer] = {question.id: "unsure" for question in bank.questions}
        return Critique(
            critic=self.name,
            bank=bank.id,
            bank_hash=bank.hash,
            answers=answers,
            summary="Simulated.",
            weaknesses=("one", "two", "three"),
        )

    def duel(self, left: Exhibit, right: Exhibit, *, brief: str, bank: QuestionBank) -> DuelReply:
        self.calls["duel"] += 1
        time.sleep(self._seconds)
        return DuelReply(as_given="left", swapped="right")


def crew_of(depth: int, critic: SlowCritic) -> Crew:
    loop = {"pipeline_depth": depth, "batch": BATCH, "warmup_cycles": WARMUP, "checkin_every": 0}
    config = parse({"schema": 1, "name": "bench", "image": {"width": 64, "height": 64}, "loop": loop})
    with mock.patch("gen_emerge.crew.load_scorers", lambda config, references: (FakeScorer(),)):
        crew = assemble(config, root=ROOT, references=[])
    return replace(
        crew,
        rhythm=replace(crew.rhythm, axes=("x",), dims=(CELLS,), cells=CELLS),
        generator=Renderer(RENDER),
        critic=critic,
        measures=Numbers(frozenset({"measures"})),
        scorers=(Numbers(frozenset({"quality", "prompt", "novelty", "style"})),),
        limits={"x": (0.0, 1.0)},
        gates={gate: GateSetting(lower="off", upper="off", duplicate="off") for gate in GATES},
        concurrency=CONCURRENCY,
    )


def bench(depth: int, first: int, last: int) -> dict[str, Any]:
    """Seconds a cycle from the commit of cycle `first` to that of cycle `last`."""
    critic = SlowCritic(CALL)
    crew = crew_of(depth, critic)
    commits: dict[int, float] = {}
    duels: list[int] = []

    def tell(record: CycleRecord) -> None:
        commits[record.cycle] = time.perf_counter()
        if record.cycle > first:
            duels.append(sum(duel.purpose == "cell" for duel in record.duels))

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "bench"
        store = Store.create(base, {"fixed": {}, "reference_prompts": []})
        writer = PictureWriter(base, series="bench")
        engine = LocalEngine(crew.generator, writer.write, max_attempts=3)
        blank = np.full((64, 64, 3), 128, dtype=np.uint8)
        live = Live(crew, store, replay([]), load=lambda image: blank, paint=engine.paint, cache=base)
        run(live, engine, cycles=last, tell=tell)
        engine.close()
        writer.close()
        live.sitting.close()
        store.close()
    seconds = (commits[last] - commits[first]) / (last - first)
    return {
        "pipeline_depth": depth,
        "cycles": [first, last],
        "seconds_a_cycle": round(seconds, 3),
        "share_of_the_bound": round(RENDER * BATCH / seconds, 4),
        "contested_cells_a_cycle": round(float(np.mean(duels)), 2),
        "calls": critic.calls,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--sequential", type=int, default=6, help="cycles of the loop that waits")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down")
    options = parser.parse_args()
    figures = {
        "bound_seconds_a_cycle": RENDER * BATCH,
        "overlapped": bench(6, 10, options.cycles),
        "sequential": bench(0, LONG_AGO + WARMUP + 3, LONG_AGO + WARMUP + 3 + options.sequential),
    }
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
