"""How long the store takes: a commit, an input, a PNG, a replay, an opening.

    OMP_NUM_THREADS=1 python experiments/bench/bench_store.py [--cycles 500] [--folder DIR] [--json FILE]

A cycle has 8 candidates, each with 12 signals, an embedding of 192 numbers, 6 verdicts, a critique of 15 answers, a
placement and a proposal. The folder should be on the disk that matters: fsync is included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import sqlalchemy
from PIL import Image as Pillow

from gen_emerge.store import Store
from gen_emerge.store.images import PictureWriter, encode
from gen_emerge.store.png import encode_png
from gen_emerge.types import (
    Bounds,
    Candidate,
    Critique,
    CycleRecord,
    Duel,
    Embedding,
    Genome,
    Image,
    Pixels,
    Placement,
    Proposal,
    Signal,
    Verdict,
    candidate_id,
)

BATCH = 8


def genome(rng: np.random.Generator, seed: int) -> Genome:
    return Genome(
        slots={"subject": "river", "school": "woodcut", "palette": "ember", "mood": "calm"},
        prompt="a river of glass, woodcut, ember and ash, calm",
        seed=seed,
        generator="painter",
        generator_version="1",
        parameters={name: float(rng.random()) for name in ("density", "scale", "warp", "grain")},
        width=512,
        height=512,
        parents=("ab" * 32,),
        operator="mutate",
    )


def record(cycle: int, rng: np.random.Generator, upcoming: list[Genome]) -> tuple[CycleRecord, list[Genome]]:
    """One cycle of the genomes proposed before; gives the proposals of the next too."""
    ids = [candidate_id(cycle, slot, BATCH) for slot in range(BATCH)]
    after = [genome(rng, number + BATCH) for number in ids]
    hashes = [g.hash for g in upcoming]
    pictures = [
        Image(
            pixels=h,
            file=h[::-1],
            path=f"images/{h[:2]}/{h}.png",
            thumbnail=f"images/{h[:2]}/{h}.webp",
            width=512,
            height=512,
            size=400_000,
        )
        for h in hashes
    ]
    bounds = Bounds(lower=0.1, review=0.01)
    whole = CycleRecord(
        cycle=cycle,
        candidates=tuple(
            Candidate(id=i, cycle=cycle, slot=slot, genome=upcoming[slot], image=pictures[slot], status="passed")
            for slot, i in enumerate(ids)
        ),
        signals={
            i: tuple(
                Signal(scorer=f"s{k}", scorer_version="embedded-1-0123456789", value=float(rng.random()))
                for k in range(12)
            )
            for i in ids
        },
        embeddings={i: Embedding(space="novelty@1", vector=rng.random(192, dtype=np.float32)) for i in ids},
        verdicts={
            i: tuple(
                Verdict(
                    gate=f"g{k}", kind="gate", outcome="pass", value=float(rng.random()), bounds=bounds, calibration=1
                )
                for k in range(6)
            )
            for i in ids
        },
        critiques={
            i: Critique(
                critic="measured-1",
                bank="default",
                bank_hash="c" * 64,
                answers={f"q{k}": "yes" for k in range(15)},
                summary="Two sentences of what is to be seen. " * 4,
                weaknesses=("flat light", "no focus", "dull edges"),
            )
            for i in ids
        },
        duels=(Duel(left=ids[0], right=ids[1], question="quality", outcome="tie", judge="measured-1"),),
        placements=tuple(
            Placement(
                candidate=i,
                cell=int(rng.integers(400)),
                descriptor=(float(rng.random()), float(rng.random())),
                descriptor_version=1,
                outcome="new",
            )
            for i in ids
        ),
        proposals=tuple(Proposal(cycle=cycle + 1, slot=slot, genome=g) for slot, g in enumerate(after)),
        measures={"self_similarity": 0.5},
    )
    return whole, after


def times(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Median, 10th and 90th percentile, and median processor time, in milliseconds, after one warm-up."""
    work()
    spent: list[float] = []
    used: list[float] = []
    for _ in range(repeats):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        spent.append((time.perf_counter() - began) * 1e3)
        used.append((time.process_time() - cpu) * 1e3)
    return {**spread(spent), "cpu_ms": round(float(np.median(used)), 2)}


def spread(spent: list[float]) -> dict[str, float]:
    low, middle, high = np.percentile(spent, [10, 50, 90])
    return {"median_ms": round(float(middle), 2), "p10_ms": round(float(low), 2), "p90_ms": round(float(high), 2)}


def picture(grain: float) -> Pixels:
    """512 px of soft waves with some grain: what a painter makes, not noise."""
    y, x = np.mgrid[0:512, 0:512] / 512
    waves = np.stack([np.sin(7 * x + 3 * y), np.cos(5 * y - x), np.sin(9 * x * y)], -1) * 100 + 128
    rough = np.random.default_rng(0).normal(0, grain, waves.shape)
    return np.clip(waves + rough, 0, 255).astype(np.uint8)


def pillow_png(pixels: Pixels) -> bytes:
    file = BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def measure(folder: Path, cycles: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    commits: list[float] = []
    begins: list[float] = []
    used: list[float] = []
    with Store.create(folder / "bench", {}) as store:
        upcoming = [genome(rng, number) for number in range(1, BATCH + 1)]
        for cycle in range(1, cycles + 1):
            whole, upcoming = record(cycle, rng, upcoming)
            began = time.perf_counter()
            store.begin(cycle, 0.0)
            middle, cpu = time.perf_counter(), time.process_time()
            store.commit(whole)
            commits.append((time.perf_counter() - middle) * 1e3)
            used.append((time.process_time() - cpu) * 1e3)
            begins.append((middle - began) * 1e3)
        found["commit of a cycle of 8"] = spread(commits[5:])
        found["commit, processor time alone"] = spread(used[5:])
        found["begin"] = spread(begins[5:])
        found["add_input"] = times(lambda: store.add_input("answer", {"question": "r1-1"}), 50)
        replay = times(lambda: sum(len(o.fates) for o in store.history()), 3)
        found["replay"] = {**replay, "candidates": cycles * BATCH}
        found["replay of 100,000, by proportion"] = {
            "seconds": round(replay["median_ms"] / (cycles * BATCH) * 100, 2),
            "cpu_seconds": round(replay["cpu_ms"] / (cycles * BATCH) * 100, 2),
        }
    found["database"] = {
        "bytes_a_candidate": round((folder / "bench" / "series.db").stat().st_size / cycles / BATCH),
    }
    found["open, read-only"] = times(lambda: Store.open(folder / "bench", readonly=True).close(), 20)
    for name, grain in (("smooth", 0.0), ("grainy", 6.0)):
        pixels = picture(grain)
        found[f"PNG 512 px, {name}"] = {
            **times(lambda p=pixels: encode_png(p, {}), 30),
            "kilobytes": len(encode_png(pixels, {})) // 1024,
        }
        found[f"PNG 512 px, {name}, Pillow's default"] = {
            **times(lambda p=pixels: pillow_png(p), 5),
            "kilobytes": len(pillow_png(pixels)) // 1024,
        }
        found[f"PNG with recipe and thumbnail, {name}"] = times(
            lambda p=pixels: encode(upcoming[0], p, series="bench"), 30
        )
    items = [(g, picture(6.0)) for g in upcoming]
    for encoders in (1, 2):
        with PictureWriter(folder / "bench", series="bench", encoders=encoders) as writer:
            found[f"8 pictures written, {encoders} encoder(s)"] = times(lambda w=writer: w.write(items), 10)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the temporary folder)")
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        found = measure(Path(folder), chosen.cycles)
    for name, figures in found.items():
        print(f"{name:48}", "  ".join(f"{key} {value}" for key, value in figures.items()))
    if chosen.json:
        machine = {
            "date": date.today().isoformat(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "sqlalchemy": sqlalchemy.__version__,
            "pillow": PIL.__version__,
            "numpy": np.__version__,
        }
        chosen.json.write_text(json.dumps({"machine": machine, "figures": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
