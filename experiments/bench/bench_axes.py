"""Axes learned from triplets, in a world where a person judges by two hidden directions of the embedding.

    python experiments/bench/bench_axes.py [--seeds 120] [--out FOLDER]

Genomes of 20 numbers; an embedding of 160 unit vectors' coordinates, part of it curved; a person who sees two
directions of it (`loud`: drawn over the whole embedding; `quiet`: over its first 20 principal directions, each counting
alike, so that the widest say little) and says which of two images is more like a third, right less often the nearer
it is: two of the person's own answers to the same triplet agree in about 8 of 10 cases. Seeds are paired: every kind of
axes sees the same images, triplets and draws. Accuracy is that of fresh triplets which the same person answers.
Coverage: 200 images begin a map of 20 x 20 along the axes in question, then 2,000 children of elites challenge; counted
is how many cells of a 20 x 20 map along the hidden directions the elites hold in the end. Nothing is gated and the
first image keeps its cell. Intervals: 95% of the mean over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_bradley_terry import processor

from gen_emerge.archive import ranges
from gen_emerge.preference.axes import basis_of, fit_axes, held_out, right

TRIPLETS = (60, 120, 250, 500, 1000)
FRESH, BEGIN, CHILDREN, BATCH, SIDE = 2000, 200, 2000, 50, 20
NOISE = 0.35
POOL = 600
LOOKS, PER_LOOK = 10, 50
"""A series that is fitted ten times, 50 triplets more each time: how often random clicks are believed once."""
Map = Callable[[np.ndarray], np.ndarray]


class World:
    """One seed's images and person."""

    def __init__(self, seed: int, kind: str) -> None:
        rng = np.random.default_rng((seed, 1))
        spread = np.arange(1, 21.0) ** -0.5
        self._linear = rng.normal(size=(20, 160)) * spread[:, None]
        self._curved = rng.normal(size=(20, 160)) * spread[:, None]
        vectors = self.embed(self.draw(rng, 4000))
        centre = vectors.mean(axis=0)
        if kind == "loud":
            hidden = rng.normal(size=(2, 160))
        else:
            _, sd, directions = np.linalg.svd(vectors - centre, full_matrices=False)
            hidden = (rng.normal(size=(2, 20)) / sd[:20]) @ directions[:20]
        seen = (vectors - centre) @ hidden.T
        self.centre, self.hidden = centre, hidden / seen.std(axis=0)[:, None]

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.normal(size=(count, 20))

    def embed(self, genomes: np.ndarray) -> np.ndarray:
        raw = genomes @ self._linear + 2.0 * np.tanh(genomes @ self._curved)
        return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)

    def see(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors - self.centre) @ self.hidden.T

    def answer(self, rng: np.random.Generator, vectors: np.ndarray, count: int) -> np.ndarray:
        """(count, 3) places: reference, the one named nearer, the other."""
        seen = self.see(vectors)
        threes = np.argsort(rng.random((count, len(vectors))), axis=1)[:, :3]
        near, far = (np.linalg.norm(seen[threes[:, 0]] - seen[threes[:, k]], axis=1) for k in (1, 2))
        swap = rng.random(count) > 1.0 / (1.0 + np.exp(-(far - near) / NOISE))
        return np.where(swap[:, None], threes[:, [0, 2, 1]], threes)


def cells(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    place = np.clip(((values - low) / (high - low) * SIDE).astype(int), 0, SIDE - 1)
    return place[:, 0] * SIDE + place[:, 1]


def coverage(world: World, start: np.ndarray, axes: Map, seed: int) -> int:
    """Hidden cells that the elites of a map along some axes hold in the end."""
    rng = np.random.default_rng((seed, 4))
    low, high = (np.array(end) for end in ranges(axes(world.embed(start)), [(-np.inf, np.inf)] * 2))
    elites: dict[int, np.ndarray] = {}
    genomes = start
    for _ in range(CHILDREN // BATCH + 1):
        for cell, genome in zip(cells(axes(world.embed(genomes)), low, high), genomes, strict=True):
            elites.setdefault(int(cell), genome)
        parents = np.stack(list(elites.values()))
        # The same numbers for every kind of axes: which parent, and where from there.
        chosen = parents[(rng.random(BATCH) * len(parents)).astype(int)]
        genomes = chosen + 0.5 * rng.normal(size=(BATCH, 20))
    seen = world.see(world.embed(np.stack(list(elites.values()))))
    return len(set(cells(seen, np.full(2, -5.0), np.full(2, 5.0)).tolist()))


def one_seed(seed: int, kind: str, maps: bool) -> dict[str, float]:
    """What is found in one world; without `maps` all but coverage, which takes most of the time."""
    world, rng = World(seed, kind), np.random.default_rng((seed, 2))
    start = world.draw(rng, BEGIN)
    pool = np.concatenate([start, world.draw(rng, POOL - BEGIN)])
    vectors = world.embed(pool)
    fresh_images = world.embed(world.draw(rng, 1000))
    fresh, asked = world.answer(rng, fresh_images, FRESH), world.answer(rng, vectors, max(TRIPLETS))
    basis = basis_of(vectors, 2)
    random = rng.normal(size=(2, 160))
    _, _, principal = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    found: dict[str, float] = {"accuracy embedding": float(right(fresh_images, fresh).mean())}
    fixed: dict[str, np.ndarray] = {"random": random, "pca": principal[:2], "hidden": world.hidden}

    def measure(name: str, weights: np.ndarray) -> None:
        found[f"accuracy {name}"] = float(right(fresh_images @ weights.T, fresh).mean())
        if maps:
            found[f"coverage {name}"] = coverage(world, start, lambda v: v @ weights.T, seed)

    for name, weights in fixed.items():
        measure(name, weights)
    for count in TRIPLETS:
        weights = fit_axes(basis, asked[:count], 2)
        measure(f"learned {count}", weights)
        told = held_out(basis, vectors, asked[:count], 2, rng=np.random.default_rng((seed, 3, count)))
        truth = found[f"accuracy learned {count}"]
        found[f"told {count}"] = told.accuracy
        found[f"believed {count}"] = float(told.believed)
        found[f"inside {count}"] = float(told.low <= truth <= told.high)
    if kind != "loud":  # random clicks look at nothing: one world says it for both
        return found
    clicks = np.argsort(rng.random((LOOKS * PER_LOOK + 35, POOL)), axis=1)[:, :3]
    looks = [60 + PER_LOOK * look for look in range(LOOKS)]
    believed = [
        held_out(basis, vectors, clicks[:count], 2, rng=np.random.default_rng((seed, 5, count)), look=look).believed
        for look, count in enumerate(looks, start=1)
    ]
    return {**found, "clicks believed first": float(believed[0]), "clicks believed ever": float(any(believed))}


def summary(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    told: dict[str, dict[str, float]] = {}
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    for count in TRIPLETS:
        for against in ("random", "pca"):
            for what in ("accuracy", "coverage") if "coverage pca" in columns else ("accuracy",):
                gain = columns[f"{what} learned {count}"] - columns[f"{what} {against}"]
                columns[f"{what} learned {count} - {against}"] = gain
        columns[f"accuracy learned {count} - embedding"] = (
            columns[f"accuracy learned {count}"] - columns["accuracy embedding"]
        )
        columns[f"told {count} - accuracy"] = columns[f"told {count}"] - columns[f"accuracy learned {count}"]
    for name, values in columns.items():
        reach = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
        told[name] = {
            "mean": round(float(values.mean()), 4),
            "low": round(float(values.mean() - reach), 4),
            "high": round(float(values.mean() + reach), 4),
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=120)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worlds", nargs="+", choices=("loud", "quiet"), default=("loud", "quiet"))
    parser.add_argument("--without-maps", action="store_true", help="leave coverage as it stands in the file of --out")
    arguments = parser.parse_args()
    result: dict[str, object] = {
        "machine": f"{processor()}, {os.cpu_count()} cores, one thread",
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "seeds": arguments.seeds,
    }
    for kind in arguments.worlds:
        rows = []
        for seed in range(arguments.seeds):
            rows.append(one_seed(seed, kind, not arguments.without_maps))
            if seed % 10 == 0:
                print(kind, seed, flush=True)
        result[kind] = summary(rows)
    file = arguments.out / "result.json" if arguments.out else None
    if file is not None and file.exists():  # of other worlds, and of maps that were left out, what stands there stays
        known = json.loads(file.read_text())
        for kind in {*known, *result} & {"loud", "quiet"}:
            left = known.get(kind, {}) if arguments.without_maps or kind not in result else {}
            result[kind] = {**left, **result.get(kind, {})}
    print(json.dumps(result, indent=1))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
