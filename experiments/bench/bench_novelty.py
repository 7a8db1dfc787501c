"""The search for the nearest accepted image: its time, and how often graphs name the right one.

    python experiments/bench/bench_novelty.py [--json FILE] [--many N]

Exact: milliseconds of a query of 8 against 100,000 vectors of 256 in a memory-mapped float16 file, beside NumPy's own
conversion and float32 vectors in memory. By graphs: N vectors (1,048,576 unless told) of three kinds, the same queries
exactly and by graphs in one run. Kinds: `even`, independent directions (the worst case: nearly everybody is as near as
the nearest); `clustered`, directions of 24 dimensions and noise, about as spread as the embeddings of images are;
`painted`, the shipped trunk's embeddings of painted pictures, as many as --painted says, in stretches of a quarter.
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
from numpy.typing import NDArray

from gen_emerge.novelty import EXACT, NoveltyIndex
from gen_emerge.novelty.halves import CHUNK

ROOT = Path(__file__).resolve().parents[2]
Vectors = NDArray[np.float32]


def median_ms(work: Callable[[], Any], runs: int = 15) -> float:
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(times), 2)


def units(vectors: NDArray[Any]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def even(count: int, rng: np.random.Generator, dimension: int = 256) -> Vectors:
    return units(rng.standard_normal((count, dimension), dtype=np.float32))


def clustered(count: int, rng: np.random.Generator, dimension: int = 256) -> Vectors:
    directions = np.random.default_rng(5).standard_normal((24, dimension), dtype=np.float32)
    inner = rng.standard_normal((count, 24), dtype=np.float32) * np.linspace(2.0, 0.3, 24, dtype=np.float32)
    return units(inner @ directions + 0.3 * rng.standard_normal((count, dimension), dtype=np.float32))


def painted(count: int, folder: Path) -> Vectors:
    """Embeddings of a series' warm-up that never ends: fresh draws, at 64 px."""
    from gen_emerge.series import Studio
    from gen_emerge.store import Store
    from gen_emerge.studio_folder import make_studio_folder

    make_studio_folder(folder)
    studio = Studio(folder)
    batch = 64
    studio.new(
        "many",
        seed=3,
        image={"width": 64, "height": 64},
        loop={"batch": batch, "cycles": count // batch, "warmup_cycles": count // batch + 1, "checkin_every": 0},
    )
    studio.run("many")
    store = Store.open(folder / "archive" / "many")
    (space,) = store.spaces()
    _, vectors = store.embeddings(None, space)
    store.close()
    return np.asarray(vectors, dtype=np.float32)


def exactly(count: int = 100_000, dimension: int = 256, batch: int = 8) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    vectors = even(count, rng, dimension)
    queries = vectors[:batch]
    half = vectors.astype(np.float16)

    def plain() -> Vectors:
        out = np.empty((batch, count), dtype=np.float32)
        for start in range(0, count, CHUNK):
            out[:, start : start + CHUNK] = queries @ half[start : start + CHUNK].astype(np.float32).T
        return out

    with tempfile.TemporaryDirectory(dir=ROOT / "archive") as folder:
        index = filled(vectors, Path(folder), EXACT)
        worst = float(np.abs(index.distances(queries) - (1 - queries @ vectors.T)).max())
        return {
            "vectors": count,
            "dimension": dimension,
            "batch": batch,
            "query_ms": median_ms(lambda: nearest_of(index, queries)),
            "numpy_conversion_ms": median_ms(plain),
            "float32_in_memory_ms": median_ms(lambda: queries @ vectors.T),
            "largest_difference_to_float32": worst,
        }


def filled(vectors: Vectors, folder: Path, exact: int) -> NoveltyIndex:
    index = NoveltyIndex(folder / "novelty.f16", vectors.shape[1], exact=exact)
    for number, vector in enumerate(vectors):
        index.add(number, vector)
    return index


def nearest_of(index: NoveltyIndex, queries: Vectors) -> list[tuple[float, int | None]]:
    sight = index.look(queries)
    return [sight.nearest(place) for place in range(len(queries))]


def by_graphs(vectors: Vectors, queries: Vectors, *, exact: int, batch: int = 8) -> dict[str, Any]:
    """`vectors` (n, d) are accepted, `queries` (q, d) are looked for."""
    with tempfile.TemporaryDirectory(dir=ROOT / "archive") as folder:
        started = time.perf_counter()
        index = filled(vectors, Path(folder), exact)
        filling = time.perf_counter() - started
        graphs = sum(path.stat().st_size for path in Path(folder).glob("*.graph"))
        found = [f for at in range(0, len(queries), batch) for f in nearest_of(index, queries[at : at + batch])]
        true = [row for at in range(0, len(queries), batch) for row in index.distances(queries[at : at + batch])]
        excess = np.array([f[0] for f in found]) - np.array([float(row.min()) for row in true])
        # A gate at the 10th percentile of these distances, as the first novelty bound is: whose verdict changes?
        bound = float(np.percentile([row.min() for row in true], 10))
        changed = [(f[0] < bound) != (float(row.min()) < bound) for f, row in zip(found, true, strict=True)]
        return {
            "vectors": len(vectors),
            "stretches": len(vectors) // exact,
            "queries": len(queries),
            "nearest_named": float(np.mean(excess <= 1e-6)),
            "largest_excess_distance": float(excess.max()),
            "verdicts_changed": float(np.mean(changed)),
            "query_ms": median_ms(lambda: nearest_of(index, queries[:batch])),
            "exact_query_ms": median_ms(lambda: index.distances(queries[:batch])),
            "filling_seconds": round(filling, 1),
            "graph_bytes_per_vector": round(graphs / max(len(vectors) // exact * exact, 1)),
        }


def bench(many: int, paint: int) -> dict[str, Any]:
    figures: dict[str, Any] = {"exact": exactly()}
    for name, kind in (("clustered", clustered), ("even", even)):
        rng = np.random.default_rng(11)
        figures[name] = by_graphs(kind(many + 1, rng), kind(512, rng), exact=EXACT)
        print(name, figures[name], flush=True)
    if paint:
        with tempfile.TemporaryDirectory() as folder:
            vectors = painted(paint + 512, Path(folder) / "studio")
        order = np.random.default_rng(13).permutation(len(vectors))
        queries, accepted = vectors[order[:512]], vectors[order[512:]]
        figures["painted"] = by_graphs(accepted, queries, exact=(len(accepted) - 1) // 4)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down")
    parser.add_argument("--many", type=int, default=8 * EXACT, help="vectors searched by graphs")
    parser.add_argument("--painted", type=int, default=16_384, help="painted pictures; 0 for none")
    options = parser.parse_args()
    figures = json.dumps(bench(options.many, options.painted), indent=1)
    print(figures)
    if options.json:
        options.json.write_text(figures + "\n", encoding="utf-8")
