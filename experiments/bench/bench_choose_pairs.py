"""How many judgements `choose_pairs` needs for a Kendall tau of 0.8, beside Swiss and random pairs.

    python experiments/bench/bench_choose_pairs.py [--jobs 2] [--quick] [--out FOLDER]

A cell is a number of items N, the sd of their true utilities, and a rater: plain, with 5% lapses (a coin instead of an
answer), or with 0.5 log-odds for whatever is shown left (then every strategy's estimator fits a position term). All
strategies share seeds (the truth is the same), the estimator, and its schedule. Figures are judgements as multiples of
N, by two readings:
`mean curve`, where the mean of tau over seeds reaches 0.8, and `first reached`, the mean over seeds of where each
seed's own tau first does. Intervals: 95%, seeds drawn again in pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from bench_bradley_terry import processor
from simulated_raters import Judgements, Rater, Swiss, by_chance, crossing, first_reached, kendall, paired, smooth

from gen_emerge.preference import choose_pairs

GOAL = 0.8
BATCH = 5
SEEDS = {(10, 1): 200, (10, 2): 600, (10, 4): 300}
"""100 in all other cells."""
MOST = {
    (30, 2): 9.5, (10, 2): 11, (100, 2): 9, (30, 4): 5, (10, 4): 7, (100, 4): 5, (30, 1): 34, (10, 1): 34, (100, 1): 30,
}  # fmt: skip
RATERS = {"plain": (0.0, 0.0), "lapses": (0.05, 0.0), "position": (0.0, 0.5)}
PUBLISHED = {
    (10, 2): {"ASAP batch": 5.4},
    (30, 1): {"ASAP batch": 18},
    (30, 2): {"ASAP batch": 6.7},
    (30, 4): {"ASAP batch": 3.6},
}


def one_seed(n: int, sd: float, strategy: str, rater: str, most: float, seed: int) -> list[float]:
    """Tau after every so many judgements."""
    truth = np.random.default_rng([seed, n]).normal(scale=sd, size=n)
    rng = np.random.default_rng([seed, n, round(sd), len(strategy)])
    lapses, bias = RATERS[rater]
    answers = Rater(truth, rng, lapses, bias)
    known = Judgements(n, position=bias != 0)
    swiss = Swiss(n, rng)
    fit = known.fit()
    waiting: list[tuple[int, int]] = []
    curve = []
    step = max(BATCH, n // 10)
    while len(known.left) < most * n:
        if strategy == "swiss":
            waiting = waiting or swiss.next_round(fit.utilities)
            pairs, waiting = waiting[:BATCH], waiting[BATCH:]
        else:
            pairs = choose_pairs(fit, BATCH, rng=rng) if strategy == "chosen" else by_chance(n, BATCH, rng)
        known.ask(answers, pairs)
        measured = len(known.left) % step == 0
        if measured or strategy == "chosen" or not waiting:
            fit = known.fit()
        if measured:
            curve.append(kendall(fit.utilities, truth))
    return curve


def mean_curve(x: np.ndarray, curves: np.ndarray, goal: float) -> float:
    return crossing(x, curves.mean(0), goal)


def mean_first(x: np.ndarray, curves: np.ndarray, goal: float) -> float:
    return float(first_reached(x, curves, goal).mean())


def cell(pool: ProcessPoolExecutor, n: int, sd: int, rater: str, quick: bool) -> dict[str, object]:
    seeds = SEEDS.get((n, sd), 100) // (10 if quick else 1)
    names = ["chosen", "swiss"] + (["random"] if rater == "plain" and n < 100 else [])
    curves = {}
    for name in names:
        work = partial(one_seed, n, sd, name, rater, MOST[n, sd])
        curves[name] = np.array(list(pool.map(work, range(seeds), chunksize=max(1, seeds // 40))))
    steps = max(BATCH, n // 10)
    x = np.arange(1, curves["chosen"].shape[1] + 1) * steps / n
    even = {name: smooth(c, 5 if n < 100 else 3) for name, c in curves.items()}
    row: dict[str, object] = {"items": n, "sd": sd, "rater": rater, "seeds": seeds}
    row["mean_curve"] = paired(x, even["chosen"], even["swiss"], GOAL, mean_curve)
    row["first_reached"] = paired(x, curves["chosen"], curves["swiss"], GOAL, mean_first)
    if "random" in curves:
        row["random_mean_curve"] = round(mean_curve(x, even["random"], GOAL), 3)
        row["random_first_reached"] = round(mean_first(x, curves["random"], GOAL), 3)
    if rater == "plain":
        row["elsewhere"] = PUBLISHED.get((n, sd), {})
    return row


def seconds_to_choose(n: int, judgements: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    known = Judgements(n)
    if judgements:
        known.ask(Rater(rng.normal(scale=2.0, size=n), rng), by_chance(n, judgements, rng))
    fit = known.fit()
    choose_pairs(fit, BATCH, rng=rng)
    seconds = []
    for _ in range(15):
        started = time.process_time()
        choose_pairs(fit, BATCH, rng=rng)
        seconds.append(time.process_time() - started)
    return {
        "items": n,
        "judgements": judgements,
        "median": round(float(np.median(seconds)), 5),
        "most": round(max(seconds), 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a tenth of the seeds")
    parser.add_argument("--only", default="", help='cells such as "100,1,lapses 30,1,plain"; without, all')
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    times = [seconds_to_choose(*size) for size in ((10, 50), (30, 200), (100, 0), (100, 700), (100_000, 5_000))]
    print(times, flush=True)
    result = {
        "machine": f"{processor()}, {os.cpu_count()} cores, one thread a process",
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "goal": GOAL,
        "five_pairs_processor_seconds": times,
        "cells": [],
    }
    started = time.time()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for rater in RATERS:
            for n, sd in MOST:
                if arguments.only and f"{n},{sd},{rater}" not in arguments.only.split():
                    continue
                row = cell(pool, n, sd, rater, arguments.quick)
                print(f"{time.time() - started:6.0f} s", json.dumps(row), flush=True)
                result["cells"].append(row)
                if arguments.out:
                    arguments.out.mkdir(parents=True, exist_ok=True)
                    (arguments.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
