"""How soon a moved signal is named, and how often a still one is; two other tests beside it, at the same false alarms.

    python experiments/bench/bench_drift.py [--runs 200] [--out experiments/results/2026-11-28-thresholds]

A run is 5,000 images, looked at every 8. Intervals are 95%: bootstrap over runs, or Clopper-Pearson for shares.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import beta

from gen_emerge.calibration.drift import EVERY, LEAST_REFERENCE, THRESHOLD, find_shifts

IMAGES = 5000
SIGNALS = 8
WANTED = 200


def still(rng: np.random.Generator, *, correlation: float = 0.0, batch: float = 0.0) -> np.ndarray:
    """(signals, images) standard normal; `batch`: share of the variance that a batch of 8 has in common."""
    shared = rng.normal(size=IMAGES)
    own = rng.normal(size=(SIGNALS, IMAGES))
    mixed = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    common = np.repeat(rng.normal(size=(SIGNALS, IMAGES // EVERY)), EVERY, axis=1)
    return np.sqrt(batch) * common + np.sqrt(1 - batch) * mixed


def share(hits: int, of: int) -> dict[str, object]:
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return {"share": hits / of, "interval": [round(low, 4), round(high, 4)], "runs": of}


def mean(values: list[float], rng: np.random.Generator) -> dict[str, object]:
    drawn = rng.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"mean": float(np.mean(values)), "interval": [float(low), float(high)], "runs": len(values)}


def false_alarms(runs: int, seed: int, threshold: float = THRESHOLD, **kind: float) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    counts = [sum(len(find_shifts(row, threshold=threshold)) for row in still(rng, **kind)) for _ in range(runs)]
    return {
        "alarms_in_5000_images_over_8_signals": mean([float(c) for c in counts], rng),
        "runs_with_more_than_one": share(sum(c > 1 for c in counts), runs),
    }


# ---- two others, for comparison ----------------------------------------------------------------------------------


def cusum(values: np.ndarray, reference: int = LEAST_REFERENCE, slack: float = 0.25) -> np.ndarray:
    """The greater of both one-sided sums (Page 1954) after every image, by the first images' mean and sd."""
    first = values[:reference]
    z = (values - first.mean()) / first.std(ddof=1)
    found = np.zeros(len(values))
    high = low = 0.0
    for place in range(reference, len(values)):
        high, low = max(0.0, high + z[place] - slack), max(0.0, low - z[place] - slack)
        found[place] = max(high, low)
    return found


def windows(values: np.ndarray, reference: int = LEAST_REFERENCE, length: int = 100) -> np.ndarray:
    """Kolmogorov-Smirnov distance of the newest 100 images from the first 200, at every look."""
    found = np.zeros(len(values))
    first = np.sort(values[:reference])
    for n in range(reference + length, len(values) + 1, EVERY):
        window = np.sort(values[n - length : n])
        both = np.concatenate([first, window])
        gap = (
            np.searchsorted(first, both, side="right") / reference
            - np.searchsorted(window, both, side="right") / length
        )
        found[n - 1] = np.abs(gap).max()
    return found


def beside(
    test: Callable[[np.ndarray], np.ndarray], runs: int, per_signal: float, at: int, size: float
) -> dict[str, object]:
    """Delays of another test whose threshold gives the same false alarms a signal."""
    rng = np.random.default_rng(77)
    most = [test(rng.normal(size=IMAGES)).max() for _ in range(max(4 * runs, 200))]
    limit = float(np.quantile(most, 1 - per_signal))
    delays = []
    for _ in range(runs):
        values = rng.normal(size=at + 800)
        values[at:] += size
        over = np.flatnonzero(test(values)[at:] >= limit)
        delays.append(int(over[0]) + 1 if len(over) else 10_000)
    return {"threshold": limit, **delay(delays)}


def delay(delays: list[int]) -> dict[str, object]:
    values = np.array(delays)
    return {
        "median": float(np.median(values)),
        "percentile_95": float(np.percentile(values, 95)),
        "within_200": share(int((values <= WANTED).sum()), len(values)),
    }


def delays_of(runs: int, at: int, size: float, seed: int, *, spread: float = 1.0) -> dict[str, object]:
    """A shift of one signal after `at` images: when it is named, and how far off the moment is that is told."""
    rng = np.random.default_rng(seed)
    delays, off = [], []
    for _ in range(runs):
        values = rng.normal(size=at + 800)
        values[at:] = values[at:] * spread + size
        shift = next((s for s in find_shifts(values) if s.named > at), None)
        delays.append(shift.named - at if shift else 10_000)
        if shift is not None:
            off.append(shift.since - at)
    return {**delay(delays), "moment_off_by": [float(v) for v in np.percentile(off, [5, 50, 95])] if off else None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    runs, began = arguments.runs, time.process_time()
    alarms = {
        "independent": false_alarms(runs, 1),
        "correlated 0.5": false_alarms(runs, 2, correlation=0.5),
        "batches share a tenth of the variance": false_alarms(runs // 2, 3, batch=0.1),
        "independent, threshold 4.2": false_alarms(runs // 2, 4, threshold=4.2),
    }
    print(json.dumps(alarms, indent=1), flush=True)
    named = {
        f"{size} sd after {at} images": delays_of(2 * runs, at, size, 10 + at)
        for at, size in ((400, 0.5), (600, 0.5), (1000, 0.5), (2500, 0.5), (1000, 0.8), (1000, 0.3))
    }
    named["spread x 1.5 after 1000 images"] = delays_of(2 * runs, 1000, 0.0, 99, spread=1.5)
    print(json.dumps(named, indent=1), flush=True)
    one = alarms["independent"]["alarms_in_5000_images_over_8_signals"]["mean"] / SIGNALS  # type: ignore[index]
    result = {
        "what": "rank GLR of calibration/drift.py",
        "threshold": THRESHOLD,
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "false_alarms": alarms,
        "named": named,
        "beside, at the same false alarms, 0.5 sd after 1000 images": {
            "CUSUM, mean and sd of the first 200 images": beside(cusum, runs // 2, one, 1000, 0.5),
            "Kolmogorov-Smirnov, 100 newest against the first 200": beside(windows, runs // 2, one, 1000, 0.5),
        },
        "processor_seconds": round(time.process_time() - began),
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "drift.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
