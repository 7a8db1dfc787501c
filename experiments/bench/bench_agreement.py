"""How often the 95% intervals of `gen-emerge agreement` hold the truth, for so many screens, raters and images.

    python experiments/bench/bench_agreement.py [--runs 600] [--out experiments/results/2026-11-28-agreement]

An image has a hidden Gaussian worth; the order and every rater see it with noise of their own, so that each correlates
`r` with each (and two raters of one screen with one another, as the order does with them). Truth is what so many images
of such a sample are expected to show: Moran 1948 for Spearman, 2 asin(r) / pi for Kendall, 2 s / (1 + s) for ICC(2,k).
Widths are medians, null where there is no bound.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np
from bench_drift import share

from gen_emerge.agreement import pooled
from gen_emerge.ranked import Ranking

SHAPES = ((1, 1, 4), (1, 1, 10), (5, 1, 4), (7, 1, 4), (3, 1, 10), (7, 1, 10))
SEVERAL = ((1, 3, 10), (2, 3, 10), (3, 5, 10), (1, 5, 10), (3, 5, 4))
REDRAWN = ((8, 1, 10), (8, 3, 10), (16, 1, 10), (16, 3, 4))
CORRELATIONS = (0.3, 0.6, 0.8)


def drawn(rng: np.random.Generator, screens: int, raters: int, images: int, r: float) -> list[Ranking]:
    found: list[Ranking] = []
    for screen in range(screens):
        order, *people = np.sqrt(r) * rng.normal(size=images) + np.sqrt(1 - r) * rng.normal(size=(1 + raters, images))
        found += [
            Ranking(
                question=f"r{screen}-1",
                rater=f"rater {k}",
                before=1,
                human=dict(enumerate(np.argsort(np.argsort(own)).tolist())),
                orders={"quality": dict(enumerate(order.tolist()))},
            )
            for k, own in enumerate(people)
        ]
    return found


def held(rng: np.random.Generator, runs: int, screens: int, raters: int, images: int, r: float) -> dict[str, object]:
    spearman = 6 / np.pi * (np.arcsin(r) + (images - 2) * np.arcsin(r / 2)) / (images + 1)
    truth = {"spearman": spearman, "kendall": 2 / np.pi * np.arcsin(r), "icc_2k": 2 * spearman / (1 + spearman)}
    inside, widths = dict.fromkeys(truth, 0), {key: list[float]() for key in truth}
    for _ in range(runs):
        found = pooled("quality", drawn(rng, screens, raters, images, r), rng)
        assert found is not None
        for key, value in truth.items():
            low, high = (found[key][end] for end in ("low", "high"))
            low, high = -np.inf if low is None else low, np.inf if high is None else high
            inside[key] += low <= value <= high
            widths[key].append(high - low)
    wide = {key: float(np.median(widths[key])) for key in truth}
    return {
        key: {"held": share(inside[key], runs), "width": round(wide[key], 2) if np.isfinite(wide[key]) else None}
        for key in truth
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    result: dict[str, object] = {"versions": f"Python {platform.python_version()}, NumPy {np.__version__}"}
    for shapes, runs in ((SHAPES + SEVERAL, arguments.runs), (REDRAWN, arguments.runs // 6)):
        for shape in shapes:
            rng = np.random.default_rng(shape)
            row = {f"r = {r}": held(rng, runs, *shape, r) for r in CORRELATIONS}
            result["{} screens, {} raters, {} images".format(*shape)] = {"runs": runs, **row}
            print(shape, json.dumps(row), flush=True)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "coverage.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
