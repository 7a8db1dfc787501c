"""What telling raters apart brings on the light-field judgements (26,580, 29 raters, MIT): held-out log-loss in nats.

    python experiments/bench/bench_raters.py --data ../shared/data/lightfield_pairwise.csv [--out FOLDER]

Five folds of judgements drawn by chance. `as shown`: predictions know sides and rater; `neutral`: not the sides.
Then, a rater at a time: all judgements of the others and ten of theirs are known, the rest are predicted, by the pooled
fit and by the one with raters. Intervals: 95%, raters (there) or judgements (folds) drawn again.
Without the file it says so and exits with 2.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
from bench_bradley_terry import processor
from simulated_raters import interval

from gen_emerge.preference import Comparisons, Fit, fit_bradley_terry

FOLDS, FEW, LEAST = 5, 10, 300


def read(path: Path) -> tuple[Comparisons, int]:
    items: dict[tuple[str, str, str], int] = {}
    columns: list[tuple[int, int, int, str]] = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            sides = [
                items.setdefault((row["scene"], row[f"dist_type{k}"], row[f"dist_level{k}"]), len(items))
                for k in (1, 2)
            ]
            columns.append((*sides, 1 if row["selected"] == "1" else -1, row["observer"]))
    left, right, outcome, rater = (np.array(column) for column in zip(*columns, strict=True))
    return Comparisons(left=left, right=right, outcome=outcome, rater=rater), len(items)


def some(many: Comparisons, rows: np.ndarray) -> Comparisons:
    return Comparisons(left=many.left[rows], right=many.right[rows], outcome=many.outcome[rows], rater=many.rater[rows])


def losses(fit: Fit, asked: Comparisons, *, raters: bool, neutral: bool) -> np.ndarray:
    rows = zip(asked.left.tolist(), asked.right.tolist(), asked.outcome.tolist(), asked.rater.tolist(), strict=True)
    found = [(fit.probability(a, b, rater if raters else None, neutral), outcome) for a, b, outcome, rater in rows]
    return np.array([-np.log(p if outcome == 1 else 1.0 - p) for p, outcome in found])


def in_folds(many: Comparisons, n: int) -> dict[str, object]:
    fold = np.random.default_rng(0).permutation(len(many.left)) % FOLDS
    rng = np.random.default_rng(1)
    found: dict[str, object] = {}
    for raters in (False, True):
        shown, neutral, seconds = [], [], []
        for k in range(FOLDS):
            started = time.process_time()
            fit = fit_bradley_terry(some(many, fold != k), n, position=True, raters=raters)
            seconds.append(time.process_time() - started)
            held_out = some(many, fold == k)
            shown.append(losses(fit, held_out, raters=raters, neutral=False))
            neutral.append(losses(fit, held_out, raters=raters, neutral=True))
        row: dict[str, object] = {"fit_seconds": round(float(np.median(seconds)), 2)}
        for name, parts in (("as shown", shown), ("neutral", neutral)):
            values = np.concatenate(parts)
            drawn = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(500)]
            row[name] = {"log_loss": round(float(values.mean()), 4), "interval": interval(drawn)}
        found["with raters" if raters else "pooled"] = row
        print(row, flush=True)
    return found


def with_few(many: Comparisons, n: int) -> dict[str, object]:
    names, counts = np.unique(many.rater, return_counts=True)
    gains, weights = [], []
    for name in names[counts >= LEAST]:
        theirs = np.flatnonzero(many.rater == name)
        known = np.random.default_rng([2, len(theirs)]).choice(theirs, FEW, replace=False)
        seen = many.rater != name
        seen[known] = True
        rest = some(many, np.setdiff1d(theirs, known))
        pooled = losses(fit_bradley_terry(some(many, seen), n, position=True), rest, raters=False, neutral=False)
        fit = fit_bradley_terry(some(many, seen), n, position=True, raters=True)
        own = losses(fit, rest, raters=True, neutral=False)
        gains.append(float(pooled.mean() - own.mean()))
        weights.append((float(pooled.mean()), float(own.mean())))
        print(name, weights[-1], flush=True)
    drawn = np.random.default_rng(3).integers(0, len(gains), (2_000, len(gains)))
    return {
        "judgements known": FEW,
        "raters": len(gains),
        "pooled": round(float(np.mean([pooled for pooled, _ in weights])), 4),
        "with raters": round(float(np.mean([own for _, own in weights])), 4),
        "gain": round(float(np.mean(gains)), 4),
        "gain_95": interval(np.array(gains)[drawn].mean(axis=1)),
        "raters predicted worse": int(np.sum(np.array(gains) < 0)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/lightfield_pairwise.csv"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not arguments.data.exists():
        print(f"{arguments.data} is not here; give the file with --data.", file=sys.stderr)
        sys.exit(2)
    many, n = read(arguments.data)
    result = {
        "machine": f"{processor()}, {os.cpu_count()} cores, one thread",
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "judgements": len(many.left),
        "items": n,
        "five_folds": in_folds(many, n),
        "ten_judgements_of_a_rater": with_few(many, n),
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
