"""Milliseconds of one exact novelty query: 100,000 accepted vectors of 256, a batch of 8, memory-mapped float16.

    python experiments/bench/bench_novelty.py [--json FILE]

Beside it, in the same run: NumPy's own float16 -> float32 conversion, and float32 vectors in memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.novelty import CHUNK, NoveltyIndex

ROOT = Path(__file__).resolve().parents[2]


def median_ms(work: Callable[[], Any], runs: int = 15) -> float:
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 2)


def bench(count: int = 100_000, dimension: int = 256, batch: int = 8) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:batch]
    half = vectors.astype(np.float16)

    def plain() -> np.ndarray[Any, Any]:
        out = np.empty((batch, count), dtype=np.float32)
        for start in range(0, count, CHUNK):
            out[:, start : start + CHUNK] = queries @ half[start : start + CHUNK].astype(np.float32).T
        return out

    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        index = NoveltyIndex(Path(folder) / "novelty.f16", dimension)
        for number in range(count):
            index.add(number, vectors[number])
        worst = float(np.abs(index.distances(queries) - (1 - queries @ vectors.T)).max())
        return {
            "vectors": count,
            "dimension": dimension,
            "batch": batch,
            "query_ms": median_ms(lambda: index.distances(queries)),
            "numpy_conversion_ms": median_ms(plain),
            "float32_in_memory_ms": median_ms(lambda: queries @ vectors.T),
            "largest_difference_to_float32": worst,
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down")
    options = parser.parse_args()
    figures = json.dumps(bench(), indent=1)
    print(figures)
    if options.json:
        options.json.write_text(figures + "\n", encoding="utf-8")
