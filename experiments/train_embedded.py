"""Everything about the embedded scorers, from pictures to networks, figures and cards. One command, fixed seeds.

    uv sync --group train --group dev
    python experiments/train_embedded.py                  # paint, train, export, measure: about an hour on one core
    python experiments/train_embedded.py --only evaluate  # measure the shipped networks again

Pictures are cached under --cache, keyed by the painter's sources. Figures go to experiments/results/.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments.embedded.cards import write_cards
from experiments.embedded.data import SCHOOLS_HELD, Families, families, painter_digest
from experiments.embedded.train_quality import Damaged, damaged
from gen_emerge.generators import painter
from gen_emerge.generators.painter.words import SYNONYMS

RESULTS = Path(__file__).parent / "results" / "2026-11-20-embedded-scorers"
SETS = {"train": 1, "validate": 2, "test": 3, "damaged-train": 4, "damaged-test": 5, "damaged-unseen": 6, "rerender": 7}
"""Seed of every set of pictures; no picture is in two."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "gen-emerge-train")
    parser.add_argument("--only", choices=["paint", "trunk", "held", "quality", "evaluate"], action="append")
    parser.add_argument("--families", type=int, default=2000, help="training families of six pictures")
    parser.add_argument("--steps", type=int, default=1050, help="batches of the trunk")
    parser.add_argument("--held-steps", type=int, default=400, help="batches of the network that misses two schools")
    parser.add_argument("--damaged", type=int, default=1200, help="training pictures for quality, six versions each")
    parser.add_argument("--quality-epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="processes that paint")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch; they change the last digits only")
    return parser.parse_args()


def sets(options: argparse.Namespace) -> dict[str, Families]:
    counts = {"train": options.families, "validate": 150, "test": 300}
    return {name: families(SETS[name], count, options.cache, options.workers) for name, count in counts.items()}


def damaged_sets(options: argparse.Namespace) -> dict[str, Damaged]:
    return {
        "train": damaged(SETS["damaged-train"], options.damaged, options.cache, workers=options.workers),
        "test": damaged(SETS["damaged-test"], 220, options.cache, workers=options.workers),
        "unseen": damaged(SETS["damaged-unseen"], 100, options.cache, unseen=True, workers=options.workers),
    }


def facts(options: argparse.Namespace, **more: Any) -> dict[str, Any]:
    return {"painter": painter.VERSION, "painter_and_data_digest": painter_digest(), **more}


def train_and_export_trunk(options: argparse.Namespace, pictures: dict[str, Families]) -> dict[str, Any]:
    from experiments.embedded import evaluate, export
    from experiments.embedded.train_trunk import SCHOOL, train_trunk

    log: list[str] = []
    started = time.time()
    net = train_trunk(pictures["train"], steps=options.steps, seed=1, log=log)
    about = facts(options, families=options.families, steps=options.steps, seed=1)
    export.export_trunk(net, SYNONYMS, about)
    network, _, _ = evaluate.trunk_network()
    held = pictures["validate"]
    logits = evaluate.look(network, held.pixels[:, 0])[2]
    export.set_temperature(evaluate.fit_temperature(logits, held.words[:, 0, SCHOOL]))
    return {"seconds": round(time.time() - started), "threads": options.threads, "log": log, **about}


def train_held(options: argparse.Namespace, pictures: dict[str, Families]) -> dict[str, Any]:
    """Train a second trunk that never meets two schools, and rank families of just those schools with it."""
    import torch

    from experiments.embedded import evaluate
    from experiments.embedded.train_trunk import train_trunk
    from gen_emerge.generators.painter import SLOTS

    log: list[str] = []
    held = tuple(SLOTS["school"].index(name) for name in SCHOOLS_HELD)
    net = train_trunk(pictures["train"], steps=options.held_steps, seed=2, log=log, held_schools=held)

    def places(planes: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            return [part.numpy() for part in net(torch.from_numpy(planes))]

    result = {"schools": SCHOOLS_HELD, "steps": options.held_steps, "log": log}
    return {**result, **evaluate.held_figures(places, pictures["test"], held)}


def train_and_export_quality(options: argparse.Namespace, pictures: dict[str, Damaged]) -> dict[str, Any]:
    from experiments.embedded import export
    from experiments.embedded.train_quality import train_quality

    log: list[str] = []
    started = time.time()
    net = train_quality(pictures["train"], epochs=options.quality_epochs, seed=3, log=log)
    about = facts(options, pictures=options.damaged, versions=6, epochs=options.quality_epochs, seed=3)
    export.export_quality(net, about)
    return {"seconds": round(time.time() - started), "threads": options.threads, "log": log, **about}


def evaluate_all(pictures: dict[str, Families], damaged_pictures: dict[str, Damaged]) -> dict[str, Any]:
    from experiments.embedded import evaluate
    from gen_emerge.scorers.embedded.network import FOLDER, Network

    network, vocabulary, temperature = evaluate.trunk_network()
    words_of, test = evaluate.word_probe(pictures["train"]), pictures["test"]
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.glob("*")) if path.suffix in {".onnx", ".npy"}}
    return {
        "hashes": {"trunk": network.hash, "quality": Network("quality").hash},
        "trained": {"trunk": network.card["trained"], "quality": Network("quality").card["trained"]},
        "temperature": temperature,
        "bytes": {**sizes, "all": sum(sizes.values())},
        "prompt": evaluate.prompt_figures(network, vocabulary, words_of, test),
        "distance": evaluate.distance_figures(network, test),
        "rerender": evaluate.rerender_figures(network, test, SETS["rerender"], 40),
        "style": evaluate.style_figures(network, temperature, words_of, test, SETS["test"]),
        "quality": evaluate.quality_figures(
            damaged_pictures["train"], damaged_pictures["test"], damaged_pictures["unseen"]
        ),
        "gates_fire": evaluate.firing_figures(network, vocabulary, temperature, pictures["validate"], test),
        "milliseconds_512px": evaluate.timing_figures(),
        "machine": f"{platform.machine()}, one core of a shared virtual machine, no GPU",
    }


def store(name: str, figures: dict[str, Any]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    options = arguments()
    parts = options.only or ["paint", "trunk", "quality", "held", "evaluate"]
    if {"trunk", "held", "quality"} & set(parts):
        import torch

        torch.set_num_threads(options.threads)
    pictures = sets(options) if set(parts) != {"quality"} else {}
    damaged_pictures = damaged_sets(options) if {"paint", "quality", "evaluate"} & set(parts) else {}
    if "trunk" in parts:
        store("training-trunk", train_and_export_trunk(options, pictures))
    if "quality" in parts:
        store("training-quality", train_and_export_quality(options, damaged_pictures))
    if "held" in parts:
        store("held-schools", train_held(options, pictures))
    if "evaluate" in parts:
        figures = evaluate_all(pictures, damaged_pictures)
        store("figures", figures)
        held = RESULTS / "held-schools.json"
        write_cards(figures, json.loads(held.read_text(encoding="utf-8")) if held.exists() else None)


if __name__ == "__main__":
    main()
