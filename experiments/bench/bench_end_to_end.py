"""What answers bring: the share of new elites that a rater of known taste would keep, and what it costs in coverage.

    python experiments/bench/bench_end_to_end.py [--seeds 100] [--first 0] [--jobs 2] [--out FOLDER]

The real loop, store and rounds; a simulated world instead of pictures and networks. Every image has a *taste*, sd 1:
3/4 of its variance comes from the words of its prompt, the rest is its own. The quality signal correlates 0.6 with it,
the other gates' numbers not at all; the critic's own taste correlates 0.3 with it. The rater keeps what lies above 0.3
plus an error of sd 0.5, and prefers by twice the difference, in log-odds. A check-in every 10 cycles of 8, 20 in all.

Arms, on the same seeds: `silent` (no answer is given); `gates` (answers move the thresholds, `[calibration] auto`);
`words` (they tilt the draws, `[compass] tilt = 0.25`); `both`. Human verdicts on pairs decide cells in the last three.
A new elite is an image that opened or won a cell in the last five check-ins' cycles; whether the rater would keep it
is looked up without the error. Intervals: 95%, paired differences, seeds drawn again 2,000 times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from bench_bradley_terry import processor
from bench_loop import ROOT, Coins, Stock, signals

from gen_emerge import chance
from gen_emerge.config import parse
from gen_emerge.crew import assemble
from gen_emerge.engines.local import LocalEngine
from gen_emerge.fakes import FakeScorer
from gen_emerge.live import Live
from gen_emerge.loop import run
from gen_emerge.roles import Crew
from gen_emerge.scorers.measures import LIMITS
from gen_emerge.state import State, replay
from gen_emerge.store import Store
from gen_emerge.store import images as image_files
from gen_emerge.types import (
    Answer,
    Critique,
    CycleRecord,
    Embedding,
    Exhibit,
    Pixels,
    Question,
    QuestionBank,
    Reading,
)

ARMS: Mapping[str, Mapping[str, Any]] = {
    "silent": {},
    "gates": {"calibration": {"auto": True}},
    "words": {"compass": {"tilt": 0.25}},
    "both": {"calibration": {"auto": True}, "compass": {"tilt": 0.25}},
}
CHECKINS, EVERY, WARMUP, LATE = 20, 10, 4, 5
KEPT_ABOVE, KEEP_ERROR, DISCRIMINATION = 0.3, 0.5, 2.0
FROM_WORDS, QUALITY, CRITIC = 0.75, 0.6, 0.3
DIMENSION, SIDE = 32, 32


class World:
    """What is true of an image, by its prompt's words and three bytes of its genome's hash."""

    def __init__(self, seed: int, slots: Mapping[str, Sequence[str]]) -> None:
        self._seed = seed
        words = sorted({word for each in slots.values() for word in each})
        rng = chance.draw(seed, 0, 0, "world")
        # Of every slot the words' worths have mean 0 and sd 1: the same share of fresh draws is kept in every world.
        self._worth: dict[str, float] = {}
        for each in slots.values():
            worth = rng.standard_normal(len(each))
            self._worth |= dict(zip(each, ((worth - worth.mean()) / worth.std()).tolist(), strict=True))
        self._place = dict(zip(words, rng.standard_normal((len(words), 2)), strict=True))
        self._vector = dict(zip(words, rng.standard_normal((len(words), DIMENSION)), strict=True))
        self._named = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in sorted(words, key=len, reverse=True)))
        self._of = cache(self._drawn)

    def of(self, prompt: str, key: bytes) -> tuple[float, dict[str, float], np.ndarray, float]:
        """(taste, signals, embedding, the critic's taste)."""
        return self._of(prompt, key)

    def _drawn(self, prompt: str, key: bytes) -> tuple[float, dict[str, float], np.ndarray, float]:
        words = self._named.findall(prompt) or sorted(self._worth)[:1]
        digest = hashlib.sha256(prompt.encode() + key).digest()
        rng = chance.draw(self._seed, int.from_bytes(digest[:6], "big"), 0, "image")
        z = rng.standard_normal(8)
        scale = 1.0 / math.sqrt(len(words))
        worth = scale * sum(self._worth[word] for word in words)
        taste = math.sqrt(FROM_WORDS) * worth + math.sqrt(1.0 - FROM_WORDS) * z[0]
        x, y = scale * sum(self._place[word] for word in words)
        found = {name: (low + high) / 2 for name, (low, high) in LIMITS.items()}
        found["warmth"] = math.tanh(0.5 * x + 0.3 * z[1])
        found["edge_density"] = 0.5 + 0.5 * math.tanh(0.5 * y + 0.3 * z[2])
        found["quality"] = 0.5 + 0.1 * (QUALITY * taste + math.sqrt(1.0 - QUALITY**2) * z[3])
        found["prompt"] = found["prompt_cosine"] = 0.1 * z[4]
        found["style"] = 1.0 / (1.0 + math.exp(-z[5]))
        vector = scale * sum(self._vector[word] for word in words) + 0.7 * rng.standard_normal(DIMENSION)
        critic = CRITIC * taste + math.sqrt(1.0 - CRITIC**2) * z[6]
        return float(taste), found, (vector / np.linalg.norm(vector)).astype(np.float32), float(critic)


def key_of(pixels: Pixels) -> bytes:
    return pixels[0, 0].tobytes()


class WorldScorer:
    def __init__(self, world: World, roles: frozenset[str]) -> None:
        self._world, self.roles = world, roles
        self._names = tuple(LIMITS) if "measures" in roles else ("quality", "prompt", "prompt_cosine", "style")
        self.versions: Mapping[str, str] = {**dict.fromkeys(self._names, "n"), "novelty": "world"}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        read = []
        for image, prompt in zip(images, prompts, strict=True):
            _, found, vector, _ = self._world.of(prompt, key_of(image))
            embedding = None if "measures" in self.roles else Embedding(space="world", vector=vector)
            values = signals(self._names, [found[name] for name in self._names])
            read.append(Reading(signals=values, embedding=embedding))
        return read


class WorldCritic(Coins):
    """Answers each question by its own taste of the image and a counted error; duels by answers."""

    name = "world-1"

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._seed = world, seed

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        assert exhibit.pixels is not None
        taste = self._world.of(exhibit.prompt, key_of(exhibit.pixels))[3]
        errors = chance.draw(self._seed, exhibit.candidate, 0, "critic").standard_normal(len(bank.questions))
        answers: dict[str, Answer] = {
            q.id: "yes" if (taste + e > 0.0) == (q.good == "yes") else "no"
            for q, e in zip(bank.questions, errors, strict=True)
        }
        return Critique(
            critic=self.name,
            bank=bank.id,
            bank_hash=bank.hash,
            answers=answers,
            summary="Of this world.",
            weaknesses=("a",) * 3,
        )


class Rater:
    """Answers every question of a round at once, as of its taste."""

    def __init__(self, world: World, seed: int, store: Store) -> None:
        self._world, self._seed, self._store = world, seed, store

    def tastes(self, ids: Sequence[int]) -> dict[int, float]:
        found = self._store.candidates(sorted(set(ids)))
        return {c.id: self._world.of(c.genome.prompt, bytes.fromhex(c.genome.hash[8:14]))[0] for c in found}

    def answer(self, record: CycleRecord) -> None:
        if record.round is None:
            return
        told = []
        for number, question in enumerate(record.round.questions):
            rng = chance.draw(self._seed, record.cycle, number, "rater")
            said = self._say(question, rng)
            answer = {"question": question.id, "rater": "r", "confidence": "sure", "seconds": 5.0}
            told.append(("answer", {**answer, **said}))
        self._store.add_inputs(told)

    def _say(self, question: Question, rng: np.random.Generator) -> dict[str, Any]:
        taste = self.tastes(list(question.images.values()))
        if question.kind in ("keep", "review"):
            (only,) = question.images.values()
            kept = taste[only] + KEEP_ERROR * rng.standard_normal() > KEPT_ABOVE
            return {"answer": "keep" if kept else "discard"}
        gap = DISCRIMINATION * (taste[question.images["left"]] - taste[question.images["right"]])
        if question.ask == "adherence":  # of which this world knows nothing
            gap = 0.0
        return {"answer": "left" if rng.random() < 1.0 / (1.0 + math.exp(-gap)) else "right"}


def crew_of(seed: int, arm: str) -> tuple[Crew, World]:
    loop = {"warmup_cycles": WARMUP, "checkin_every": EVERY}
    table = {"schema": 1, "name": "bench", "seed": seed, "loop": loop, "image": {"width": SIDE, "height": SIDE}}
    config = parse({**table, **ARMS[arm]})
    with mock.patch("gen_emerge.crew.load_scorers", lambda config, references: (FakeScorer(),)):
        crew = assemble(config, root=ROOT, references=[])
    world = World(seed, crew.prompts.slots)
    return (
        replace(
            crew,
            generator=Stock(SIDE),
            critic=WorldCritic(world, seed),
            measures=WorldScorer(world, frozenset({"measures"})),
            scorers=(WorldScorer(world, frozenset({"quality", "prompt", "novelty", "style"})),),
        ),
        world,
    )


def series(seed: int, arm: str) -> dict[str, Any]:
    crew, world = crew_of(seed, arm)
    with tempfile.TemporaryDirectory(dir=ROOT / "archive") as folder:
        base = Path(folder) / "bench"
        store = Store.create(base, {"fixed": {}, "reference_prompts": []})
        rater = Rater(world, seed, store)
        new: list[tuple[int, int]] = []

        def tell(record: CycleRecord) -> None:
            new.extend((record.cycle, p.candidate) for p in record.placements if p.outcome in ("new", "won"))
            if arm != "silent":
                rater.answer(record)

        blank = np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)
        writer = image_files.PictureWriter(base, series="bench")
        engine = LocalEngine(crew.generator, writer.write, max_attempts=3)
        live = Live(crew, store, replay([]), load=lambda image: blank, paint=engine.paint, cache=base)
        with mock.patch.object(image_files, "encode_png", lambda *a, **k: b"no picture"):
            run(live, engine, cycles=CHECKINS * EVERY, tell=tell)
        engine.close()
        writer.close()
        found = summary(live.state, rater, new)
        store.close()
        return {"seed": seed, "arm": arm, **found}


def summary(state: State, rater: Rater, new: list[tuple[int, int]]) -> dict[str, Any]:
    late = [candidate for cycle, candidate in new if cycle > (CHECKINS - LATE) * EVERY]
    held = [elite.candidate for elite in state.archive or ()]
    taste = rater.tastes([*late, *held])
    return {
        "new": len(late),
        "kept": sum(taste[candidate] > KEPT_ABOVE for candidate in late),
        "elites_kept": sum(taste[candidate] > KEPT_ABOVE for candidate in held),
        "cells": len(held),
        "accepted": len(state.accepted),
        "review": state.statuses["review"],
    }


def compare(rows: Sequence[Mapping[str, Any]], arm: str) -> dict[str, Any]:
    """An arm beside `silent`, seed by seed."""
    by = {(row["seed"], row["arm"]): row for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    drawn = np.random.default_rng(0).integers(0, len(seeds), (2_000, len(seeds)))

    def column(name: str, which: str) -> np.ndarray:
        return np.array([float(by[seed, which][name]) for seed in seeds])

    def interval(values: np.ndarray) -> list[float]:
        return [round(float(v), 4) for v in (np.median(values), *np.quantile(values, [0.025, 0.975]))]

    def share(which: str, part: str, whole: str) -> np.ndarray:
        return column(part, which)[drawn].sum(axis=1) / column(whole, which)[drawn].sum(axis=1)

    cells = column("cells", arm)[drawn].sum(axis=1) / column("cells", "silent")[drawn].sum(axis=1)
    return {
        "arm": arm,
        "seeds": len(seeds),
        "new_elites_kept": interval(share(arm, "kept", "new")),
        "gain": interval(share(arm, "kept", "new") - share("silent", "kept", "new")),
        "elites_kept": interval(share(arm, "elites_kept", "cells")),
        "elites_gain": interval(share(arm, "elites_kept", "cells") - share("silent", "elites_kept", "cells")),
        "cells": round(float(column("cells", arm).mean()), 1),
        "cells_ratio": interval(cells),
        "review": round(float(column("review", arm).mean()), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    started = time.time()
    todo = list(product(range(options.first, options.first + options.seeds), ARMS))
    with ProcessPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(series, *zip(*todo, strict=True)))
    compared = [compare(rows, arm) for arm in ARMS]
    for each in compared:
        print(json.dumps(each))
    result = {
        "arms": compared,
        "series": rows,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "minutes": round((time.time() - started) / 60, 1),
    }
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "end-to-end.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
