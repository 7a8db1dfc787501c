"""What learning each judge's weight brings to the order of the elites: Kendall's tau with the taste of the good raters.

    python experiments/bench/bench_judges.py [--seeds 100] [--out FOLDER]

60 images, utilities sd 2. A critic duels 300 pairs by a taste that correlates `rho` with people's. In between people
judge pairs drawn by chance: one person, or three of whom one answers at random. `stated`: a critic's duel counts for a
fourth of a verdict and everybody's verdicts alike, for ever; `learned`: as the loop learns it. Both see the same duels.
Intervals: 95%, of the mean paired difference, seeds drawn again 2,000 times.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bench_bradley_terry import processor
from scipy.stats import kendalltau
from simulated_raters import interval

from gen_emerge.preference import DuelPreference
from gen_emerge.preference import ranking as module
from gen_emerge.types import Duel

IMAGES, DUELS, SD = 60, 300, 2.0
CRITICS = (-0.5, 0.0, 0.3, 0.6, 0.9, 1.0)
VERDICTS = (40, 120)


class Stated(DuelPreference):
    """The same model, which learns no weight."""

    def _weigh(self, at: int, verdicts: int) -> module._Weighing:
        return module._Weighing(at=at, verdicts=verdicts)


def duels(seed: int, rho: float, people: int, verdicts: int) -> tuple[np.ndarray, Iterator[Duel]]:
    """The good raters' utilities, and the duels in order."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=SD, size=IMAGES)
    critic = rho * truth + math.sqrt(1.0 - rho * rho) * rng.normal(scale=SD, size=IMAGES)
    judges = ["critic"] * DUELS + [f"human:{k % people}" for k in range(verdicts)]
    order = rng.permutation(len(judges))

    def each() -> Iterator[Duel]:
        for place in order.tolist():
            judge = judges[place]
            taste = critic if judge == "critic" else truth
            a, b = (int(i) for i in rng.choice(IMAGES, 2, replace=False))
            gap = 0.0 if judge == "human:2" else taste[a] - taste[b]
            won = rng.random() < 1.0 / (1.0 + math.exp(-gap))
            yield Duel(left=a, right=b, question="quality", outcome="left" if won else "right", judge=judge)

    return truth, each()


def tau(model: DuelPreference, truth: np.ndarray) -> float:
    utilities = model.linked(range(IMAGES))
    known = sorted(utilities)
    return float(kendalltau([utilities[i] for i in known], truth[known]).statistic)


def compare(rho: float, people: int, verdicts: int, seeds: int) -> dict[str, object]:
    rows, weights = [], []
    for seed in range(seeds):
        truth, given = duels(seed, rho, people, verdicts)
        pair = (Stated(), DuelPreference())
        for duel in given:
            for model in pair:
                model.add(duel)
        rows.append([tau(model, truth) for model in pair])
        weights.append(dict(pair[1].weights).get("critic", 0.25))
    found = np.array(rows)
    gain = found[:, 1] - found[:, 0]
    drawn = np.random.default_rng(0).integers(0, seeds, (2_000, seeds))
    return {
        "critic": rho,
        "people": people,
        "verdicts": verdicts,
        "stated": round(float(found[:, 0].mean()), 3),
        "learned": round(float(found[:, 1].mean()), 3),
        "gain": [round(float(gain.mean()), 3), *interval(gain[drawn].mean(axis=1))],
        "critic_weight_median": float(np.median(weights)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    started = time.time()
    cells = []
    for people in (1, 3):
        for rho in CRITICS:
            for verdicts in VERDICTS:
                cells.append(compare(rho, people, verdicts, options.seeds))
                print(json.dumps(cells[-1]), flush=True)
    result = {
        "seeds": options.seeds,
        "cells": cells,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "minutes": round((time.time() - started) / 60, 1),
    }
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "judges.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
