"""What a weight for unsure answers to pairs brings: Kendall's tau with the truth, paired over the same answers.

    python experiments/bench/bench_unsure.py [--runs 300] [--out experiments/results/2026-11-28-unsure]

Thirty images, 60 or 160 pairs by chance. A rater perceives the difference of two utilities with logistic noise and
prefers what seems better. `perceived`: unsure where what they perceive is small; `by mood`: unsure by a coin; each in
about 15% or 40% of answers. The fit is that of the loop (evidence prior); what differs is how much an unsure answer
counts, or that it is taken for a tie.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau
from simulated_raters import interval

from gen_emerge.preference import Comparisons, fit_bradley_terry

IMAGES = 30
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def gains(rng: np.random.Generator, sd: float, pairs: int, share: float, *, perceived: bool) -> list[float]:
    """Tau with each weight, and with unsure answers as ties, less tau with all of them counted in full."""
    truth = rng.normal(0, sd, IMAGES)
    left, right = np.array([rng.choice(IMAGES, 2, replace=False) for _ in range(pairs)]).T
    seen = truth[left] - truth[right] + rng.logistic(size=pairs)
    doubt = np.abs(seen) if perceived else rng.random(pairs)
    unsure = doubt <= np.quantile(doubt, share)
    taus: list[float] = []
    for weight in (*WEIGHTS, None):
        outcome = np.where(seen > 0, 1, -1)
        counts = np.ones(pairs)
        if weight is None:
            outcome = np.where(unsure, 0, outcome)
        else:
            counts[unsure] = weight
        fit = fit_bradley_terry(Comparisons(left=left, right=right, outcome=outcome, weight=counts), IMAGES)
        found = kendalltau(fit.utilities, truth).statistic
        taus.append(0.0 if np.isnan(found) else float(found))
    full = taus[len(WEIGHTS) - 1]
    return [*(tau - full for tau in taus), full]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    result: dict[str, object] = {"versions": f"Python {platform.python_version()}, NumPy {np.__version__}"}
    names = [*(f"weight {weight:g}" for weight in WEIGHTS), "tie"]
    for perceived in (True, False):
        for sd in (1.0, 2.0):
            for pairs in (60, 160):
                for share in (0.15, 0.4):
                    rng = np.random.default_rng([int(sd), pairs, int(100 * share)])
                    runs = arguments.runs
                    rows = np.array([gains(rng, sd, pairs, share, perceived=perceived) for _ in range(runs)])
                    drawn = rows[rng.integers(0, len(rows), (1_000, len(rows)))].mean(axis=1)
                    key = f"{'perceived' if perceived else 'by mood'}, sd {sd:g}, {pairs} pairs, {share:.0%} unsure"
                    found = {
                        name: {"gain": round(float(rows[:, k].mean()), 4), "interval": interval(drawn[:, k])}
                        for k, name in enumerate(names)
                    }
                    result[key] = {"tau": round(float(rows[:, -1].mean()), 3), **found}
                    print(key, result[key], flush=True)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "unsure.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
