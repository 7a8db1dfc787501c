"""How long a Bradley-Terry fit takes, and whether it gives the published figures; choix beside it in the same run.

    python experiments/bench/bench_bradley_terry.py [--large] [--out experiments/results/2026-11-20-bradley-terry]

Processor seconds (other programs on the machine disturb these least): median, least and most of several runs.
`--large` adds 100,000 items x 1,000,000 comparisons.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import choix
import numpy as np

from gen_emerge.preference import Comparison, Comparisons, DuelPreference, fit_bradley_terry
from gen_emerge.types import Duel

CITED = [[714, 730, 498, 221], [33, 425, 68, 17], [320, 813, 1072, 142], [284, 276, 325, 188]]


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def simulated(n: int, m: int, *, ties: float, seed: int = 0) -> Comparisons:
    """Random pairs of items whose utilities have sd 1."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    left = rng.integers(0, n, m)
    right = (left + 1 + rng.integers(0, n - 1, m)) % n
    outcome = np.where(rng.random(m) < 1 / (1 + np.exp(truth[right] - truth[left])), 1, -1)
    outcome[rng.random(m) < ties] = 0
    return Comparisons(left=left, right=right, outcome=outcome)


def timed(work, times: int) -> dict[str, float]:
    """Processor seconds of several runs, after one that is not counted."""
    seconds = []
    for _ in range(times + (times > 1)):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return spread(seconds[times > 1 :])


def spread(seconds: list[float]) -> dict[str, float]:
    found = {"median": np.median(seconds), "least": min(seconds), "most": max(seconds)}
    return {name: float(f"{value:.3g}") for name, value in found.items()} | {"runs": len(seconds)}


def listed(many: Comparisons) -> list[Comparison]:
    words = {1: "left", 0: "tie", -1: "right"}
    rows = zip(many.left.tolist(), many.right.tolist(), many.outcome.tolist(), strict=True)
    return [Comparison(a, b, words[o]) for a, b, o in rows]


def a_cycle(n: int, m: int) -> dict[str, float]:
    """What the loop pays a cycle: six more duels among n candidates and m duels, then who is best."""
    many = listed(simulated(n, m, ties=0.3))
    duels = [Duel(left=c.left, right=c.right, question="quality", outcome=c.outcome, judge="measured-1") for c in many]
    model = DuelPreference()
    for duel in duels[:-60]:
        model.add(duel)
    model.best()
    seconds = []
    for start in range(m - 60, m, 6):
        started = time.process_time()
        for duel in duels[start : start + 6]:
            model.add(duel)
        model.best()
        seconds.append(time.process_time() - started)
    return spread(seconds)


def published() -> dict[str, list[float]]:
    cited = [Comparison(i, j, "left", weight=CITED[i][j]) for i in range(4) for j in range(4) if i != j]
    fit = fit_bradley_terry(cited, 4, prior=None)
    return {
        "utilities": np.round(fit.utilities - fit.utilities[0], 4).tolist(),
        "standard_errors": [round(fit.difference_error(i, 0), 4) for i in (1, 2, 3)],
    }


def beside_choix(n: int, m: int) -> dict[str, object]:
    many = simulated(n, m, ties=0.0)
    rows = zip(many.left.tolist(), many.right.tolist(), many.outcome.tolist(), strict=True)
    pairs = [(a, b) if o == 1 else (b, a) for a, b, o in rows]
    theirs = choix.opt_pairwise(n, pairs, alpha=0.5)
    ours = fit_bradley_terry(many, n, prior=1.0)
    return {
        "items": n,
        "comparisons": m,
        "ours_seconds": timed(lambda: fit_bradley_terry(many, n, prior=1.0), 5),
        "choix_opt_pairwise_seconds": timed(lambda: choix.opt_pairwise(n, pairs, alpha=0.5), 3),
        "choix_ilsr_pairwise_seconds": timed(lambda: choix.ilsr_pairwise(n, pairs, alpha=0.5), 3),
        "greatest_difference": float(np.abs(ours.utilities - (theirs - theirs.mean())).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    sizes = [(1_500, 3_000), (1_000, 10_000), (10_000, 100_000)]
    sizes += [(100_000, 1_000_000)] if arguments.large else []
    fits = []
    for n, m in sizes:
        for ties in (0.0, 0.3):
            many = simulated(n, m, ties=ties)
            times = 15 if m < 50_000 else 5 if m < 500_000 else 1
            row = {"items": n, "comparisons": m, "ties": ties}
            for prior in (1.0, "evidence"):
                row[f"prior_{prior}_seconds"] = timed(
                    lambda p=prior, c=many, k=n: fit_bradley_terry(c, k, prior=p), times
                )
            if m == 3_000:
                words = listed(many)
                row["from_a_list_seconds"] = timed(lambda c=words, k=n: fit_bradley_terry(c, k, prior=1.0), times)
            fits.append(row)
            print(row, flush=True)
    result = {
        "machine": f"{processor()}, {os.cpu_count()} cores, one thread",
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "fits": fits,
        "a_cycle_of_the_loop_seconds": {"items": 1_500, "duels": 3_000, "seconds": a_cycle(1_500, 3_000)},
        "beside_choix": [beside_choix(200, 2_000), beside_choix(1_000, 10_000)],
        "published_table": published(),
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
