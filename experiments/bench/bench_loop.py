"""Milliseconds an image of the loop itself: no painting, no scoring, no PNG; thumbnails, fsync and SQLite included.

    python experiments/bench/bench_loop.py [--cycles 500] [--json FILE]

Pictures are drawn from a small stock, signals and embeddings from a counted generator, so that what is left is ours:
proposals, hard filters, gates, duels, the archive, thumbnails, `synchronous=FULL` commits.
`resident_mib` is the memory after 200 cycles and at the end: run `--cycles 2000 --side 64` to compare the two.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from gen_emerge import chance
from gen_emerge.config import parse
from gen_emerge.crew import assemble
from gen_emerge.critics.duels import better_answers
from gen_emerge.engines.local import LocalEngine
from gen_emerge.fakes import FakeScorer
from gen_emerge.live import Live
from gen_emerge.loop import run
from gen_emerge.roles import Crew
from gen_emerge.scorers.measures import LIMITS
from gen_emerge.state import replay
from gen_emerge.store import Store
from gen_emerge.store import images as image_files
from gen_emerge.types import (
    Answer,
    Critique,
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
STOCK = 64
DRAWN = 16_384
"""Readings drawn beforehand: what stands in for the scorers must not cost what they would."""


class Stock:
    """Pictures that are already there: copies of a few, each with one pixel of its own."""

    name = "stock"
    version = "stock-1"
    parameters: Mapping[str, tuple[float, float]] = {"a": (0.0, 1.0), "b": (0.0, 1.0)}

    def __init__(self, side: int) -> None:
        from gen_emerge.generators.painter import PARAMETERS, SLOTS, paint

        self._pictures = []
        for number in range(STOCK):
            rng = chance.draw(1, 0, number, "stock")
            slots = {slot: words[int(rng.integers(len(words)))] for slot, words in SLOTS.items()}
            values = {name: float(rng.uniform(*limits)) for name, limits in PARAMETERS.items()}
            self._pictures.append(paint(slots, number, values, side, side))

    def render(self, genomes: Sequence[Genome]) -> list[Pixels]:
        arrays = []
        for genome in genomes:
            picture = self._pictures[int(genome.hash[:8], 16) % STOCK].copy()
            picture[0, 0] = np.frombuffer(bytes.fromhex(genome.hash[8:14]), dtype=np.uint8)
            arrays.append(picture)
        return arrays


class Numbers:
    """Signals and embeddings drawn beforehand, chosen by a picture's own pixel and its prompt: no network is run."""

    def __init__(self, roles: frozenset[str]) -> None:
        self.roles = roles
        names = LIMITS if "measures" in roles else ("quality", "prompt", "prompt_cosine", "style")
        self.versions: Mapping[str, str] = {**dict.fromkeys(names, "n"), "novelty": "numbers"}

        rng = np.random.default_rng(1)
        self._vectors = rng.standard_normal((DRAWN, 192)).astype(np.float32)
        self._vectors /= np.linalg.norm(self._vectors, axis=1, keepdims=True)
        middle = np.array([sum(limits) / 2 for limits in LIMITS.values()])
        self._measures = [signals(LIMITS, row) for row in rng.normal(middle, 0.2, (DRAWN, len(LIMITS))).tolist()]
        gates = ("quality", "prompt", "prompt_cosine", "style")
        self._signals = [signals(gates, row) for row in rng.random((DRAWN, len(gates))).tolist()]

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        drawn = [
            zlib.crc32(image[0, 0].tobytes() + prompt.encode()) % DRAWN
            for image, prompt in zip(images, prompts, strict=True)
        ]
        if "measures" in self.roles:
            return [Reading(signals=self._measures[number]) for number in drawn]
        return [
            Reading(signals=self._signals[number], embedding=Embedding(space="numbers", vector=self._vectors[number]))
            for number in drawn
        ]


def signals(names: Iterable[str], values: Sequence[float]) -> tuple[Signal, ...]:
    return tuple(Signal(scorer=n, scorer_version="n", value=v) for n, v in zip(names, values, strict=True))


class Coins:
    """Answers every question by a counted coin and duels by answers: what looking at pixels costs is not the loop's."""

    name = "coins-1"
    immediate = True

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        throws = chance.draw(1, exhibit.candidate, 0, "coin").random(len(bank.questions))
        answers: dict[str, Answer] = {
            q.id: "yes" if t < 0.5 else "no" for q, t in zip(bank.questions, throws, strict=True)
        }
        return Critique(
            critic=self.name,
            bank=bank.id,
            bank_hash=bank.hash,
            answers=answers,
            summary="A coin.",
            weaknesses=("a",) * 3,
        )

    def duel(self, left: Exhibit, right: Exhibit, *, brief: str, bank: QuestionBank) -> DuelReply:
        assert left.critique is not None and right.critique is not None
        side = better_answers(left.critique.answers, right.critique.answers, bank)
        return DuelReply(as_given=side, swapped=side)


def crew_of(side: int) -> Crew:
    config = parse({"schema": 1, "name": "bench", "image": {"width": side, "height": side}})
    with mock.patch("gen_emerge.crew.load_scorers", lambda config, references: (FakeScorer(),)):
        crew = assemble(config, root=ROOT, references=[])
    return replace(
        crew,
        generator=Stock(side),
        critic=Coins(),
        measures=Numbers(frozenset({"measures"})),
        scorers=(Numbers(frozenset({"quality", "prompt", "novelty", "style"})),),
    )


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def bench(cycles: int, side: int, *, png: bool) -> dict[str, Any]:
    crew = crew_of(side)
    memory: dict[int, float] = {}
    with tempfile.TemporaryDirectory(dir=ROOT / "archive") as folder:
        base = Path(folder) / "bench"
        store = Store.create(base, {"fixed": {}, "reference_prompts": []})

        def tell(record: Any) -> None:
            if record.cycle in (200, cycles):
                memory[record.cycle] = resident_mib()

        blank = np.full((side, side, 3), 128, dtype=np.uint8)
        writer = image_files.PictureWriter(base, series="bench")
        engine = LocalEngine(crew.generator, writer.write, max_attempts=3)
        live = Live(crew, store, replay([]), load=lambda image: blank, paint=engine.paint, cache=base)
        patch = mock.patch.object(image_files, "encode_png", lambda *a, **k: b"no picture")
        with patch if not png else mock.MagicMock():
            run(live, engine, cycles=crew.rhythm.warmup_cycles + 2, tell=tell)
            done = live.state.cycle
            started, worked = time.perf_counter(), time.process_time()
            run(live, engine, cycles=cycles, tell=tell)
            seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        engine.close()
        writer.close()
        images = (cycles - done) * crew.rhythm.batch
        return {
            "cycles": cycles,
            "ms_per_image": round(1000 * seconds / images, 3),
            "cpu_ms_per_image": round(1000 * cpu / images, 3),
            "elites": len(live.state.archive or []),
            "accepted": len(live.state.accepted),
            "resident_mib": {str(cycle): round(mib, 1) for cycle, mib in memory.items()},
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--png", action="store_true", help="write real PNGs too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down")
    options = parser.parse_args()
    figures = json.dumps(bench(options.cycles, options.side, png=options.png), indent=1)
    print(figures)
    if options.json:
        options.json.write_text(figures + "\n", encoding="utf-8")
