"""How much CLPIPS gains on held-out sets of simulated rankers who weigh LPIPS's layers in their own way.

    python experiments/bench/bench_clpips.py [--sets 60] [--rankers 3] [--json FILE]

The trunk is an AlexNet with random weights (no download), the linear layers those that the package `lpips` ships. A set
is a painted target and ten variants of it (colour, blur, noise, shift, contrast, pixelation, and two together). A
ranker weighs the layers in its own way and errs: noise on the log of the distance. Three kinds of ranker:

- `deep` looks at what the deepest layer sees, as the paper supposes of people; the wanted gains are asked of these;
- `shallow` looks at the finest layer;
- `any` weighs the layers at random (Dirichlet).

`possible` beside each is the gain of the ranker's own weights, which nobody could exceed but by luck: with a random
trunk the layers agree closely (rank correlation 0.5 to 0.95), so most rankers leave little to gain.
The paper's gains: Spearman +0.092, ICC(2,k) +0.084.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from gen_emerge.banks import load_prompts
from gen_emerge.chance import draw
from gen_emerge.emitters.operators import Fresh
from gen_emerge.generators.painter.generator import Painter
from gen_emerge.scorers.agreement import agreement, ranks
from gen_emerge.scorers.perceptual_networks import load_lpips
from gen_emerge.scorers.training_clpips import Differences, RankedSet, Settings, differences, train
from gen_emerge.types import Genome, Sources

ROOT = Path(__file__).resolve().parent.parent.parent
WANTED = {"spearman": 0.09, "icc_2k": 0.08}


def targets(count: int, side: int) -> list[np.ndarray]:
    """Painted pictures."""
    bank, painter, made = load_prompts(ROOT / "prompts" / "painter-1.toml"), Painter(), []
    for number in range(count):
        sketch = Fresh().propose(Sources(bank=bank, parameters=painter.parameters), draw(3, 1, number, "bench-clpips"))
        made.append(
            Genome(
                slots=sketch.slots,
                prompt=bank.prompt(sketch.slots),
                seed=sketch.seed,
                generator=painter.name,
                generator_version=painter.version,
                parameters=sketch.parameters,
                width=side,
                height=side,
            )
        )
    return [np.asarray(array) for array in painter.render(made)]


def variant(target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The target after one or two changes, all about equally strong: what differs is their kind."""
    array = target.astype(np.float64)
    for change in rng.choice(6, size=rng.integers(1, 3), replace=False):
        strength = rng.uniform(0.5, 1.0)
        if change == 0:
            array = array * (1 + 0.7 * strength * rng.uniform(-1, 1, 3))
        elif change == 1:
            blurred = Image.fromarray(np.clip(array, 0, 255).astype(np.uint8))
            array = np.asarray(blurred.filter(ImageFilter.GaussianBlur(3 * strength)), np.float64)
        elif change == 2:
            array = array + rng.normal(0, 60 * strength, array.shape)
        elif change == 3:
            array = np.roll(array, rng.integers(1, 2 + int(20 * strength), 2), (0, 1))
        elif change == 4:
            array = (array - array.mean()) * (1 + rng.choice([-0.7, 0.9]) * strength) + array.mean()
        else:
            coarse = max(4, int(array.shape[0] * (1 - 0.9 * strength)))
            small = Image.fromarray(np.clip(array, 0, 255).astype(np.uint8)).resize((coarse, coarse), 0)
            array = np.asarray(small.resize(array.shape[1::-1], 0), np.float64)
    return np.clip(array, 0, 255).astype(np.uint8)


def taste(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """The share of each layer in a ranker's distance, (count,), sum 1."""
    rest = rng.dirichlet(np.ones(count))
    if kind == "any":
        return rng.dirichlet(np.full(count, 0.3))
    only = np.eye(count)[-1 if kind == "deep" else 0]
    return 0.93 * only + 0.07 * rest


def own_weights(sets: list[Differences], layers: list[slice], start: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """LPIPS's weights, each layer scaled so that it has that share of the mean distance."""
    own = start.copy()
    for layer, share in zip(layers, shares, strict=True):
        own[layer] *= share / np.mean([one.features[:, layer] @ start[layer] for one in sets])
    return own


def rank(sets: list[Differences], own: np.ndarray, rng: np.random.Generator, noise: float) -> list[Differences]:
    """The same sets as one ranker ranks them, with an error on the log of each distance."""
    found = []
    for one in sets:
        log = np.log(one.features @ own + 1e-9)
        spread = np.std(log) or 1.0
        found.append(Differences(features=one.features, ranks=ranks(log + rng.normal(0, noise * spread, len(log)))))
    return found


def study(
    kind: str, number: int, sets: list[Differences], layers: list[slice], start: np.ndarray, noise: float
) -> dict[str, Any]:
    """One ranker, from its taste to the held-out gain."""
    rng = np.random.default_rng([100 + number, *kind.encode()])
    shares = taste(kind, len(layers), rng)
    own = own_weights(sets, layers, start, shares)
    ranked = rank(sets, own, rng, noise)
    begun = time.perf_counter()
    fitted = train(start, ranked, Settings(seed=number))
    people = [one.ranks for one in ranked]
    before, best = (
        agreement(people, [(one.features @ weights).astype(np.float64) for one in ranked]) for weights in (start, own)
    )
    return {
        "kind": kind,
        "shares": [round(float(share), 3) for share in shares],
        "seconds": round(time.perf_counter() - begun, 2),
        "epochs": fitted.epochs,
        "pairs": fitted.pairs,
        "possible": {name: getattr(best, name) - getattr(before, name) for name in WANTED},
        "held_out": asdict(fitted.gain),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=120, help="ranked sets, ten pictures each")
    parser.add_argument("--rankers", type=int, default=3, help="of each kind")
    parser.add_argument("--side", type=int, default=64, help="pixels")
    parser.add_argument("--noise", type=float, default=0.5, help="a ranker's error, as a share of the set's spread")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()

    base = load_lpips({"random_trunk": True}, device="cpu")
    start = base.weights
    rng = np.random.default_rng(7)
    begun = time.perf_counter()
    pictures = [(target, tuple(variant(target, rng) for _ in range(10))) for target in targets(asked.sets, asked.side)]
    sets = differences(base, [RankedSet(target=a, images=b, ranks=tuple(range(10))) for a, b in pictures])
    looked = time.perf_counter() - begun
    ends = np.cumsum((0, *base.channels))
    layers = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
    rows = [
        study(kind, ranker, sets, layers, start, asked.noise)
        for kind in ("deep", "shallow", "any")
        for ranker in range(asked.rankers)
    ]
    means = {
        kind: {name: float(np.mean([row["held_out"][name] for row in rows if row["kind"] == kind])) for name in WANTED}
        for kind in ("deep", "shallow", "any")
    }
    result = {
        "what": "CLPIPS on simulated rankers; random AlexNet trunk, held-out sets",
        "base": base.version,
        "settings": asdict(Settings()),
        "arguments": {key: value for key, value in vars(asked).items() if key != "json"},
        "feature_seconds": looked,
        "wanted": WANTED,
        "mean_gain": means,
        "reached": {name: means["deep"][name] >= least for name, least in WANTED.items()},
        "rankers": rows,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
