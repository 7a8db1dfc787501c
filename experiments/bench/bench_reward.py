"""The head of a rater's own taste: when it may act, what it gains, and how often it may act that should not.

    python experiments/bench/bench_reward.py [--seeds 100] [--out FOLDER] [--rows FILE]

--rows keeps every seed's own figures as they come, a line each; what is in it already is not reckoned again.

Simulated raters of known taste (Bradley-Terry, sd 1.3 logits, 5% lapses) answer pairs drawn by chance of 150 images;
the same seeds everywhere, and the first of many answers are the answers of fewer. Embeddings: 160 numbers of 24
directions of falling spread. The checklist: 15 questions, each answered by one direction and noise, 3% unsure. Signals:
quality, which correlates 0.7 with one direction of the embedding, and one that says nothing. Tastes:

    embedding   64% of the utilities' variance is one direction of the embedding, the rest is each image's own
    answers     64% is a weighted sum of five answers
    signals     81% is the quality signal
    own         every image has a utility that nothing foretells
    clicks      answers are coins

`pictures`: 240 pictures of the painter with what the shipped scorers and the measured critic say of them; the taste is
for warm, detailed ones, which no signal of the gates measures. Then: whether it ever acts when trained after each of
both numbers of answers; a head for one of two raters who differ; 80 implicit comparisons beside 100 answers, that
follow the taste, or are coins.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from bench_bradley_terry import processor
from simulated_raters import Rater, by_chance, interval

from gen_emerge.preference.head import Looks
from gen_emerge.preference.head_fit import IMPLICIT, Judgements, fit_head
from gen_emerge.preference.held_out import foretell, gained, joined, log_losses, weigh

IMAGES, PICTURES, WIDE, SD, LAPSES, SURE = 150, 240, 160, 1.3, 0.05, 0.8
COUNTS = (100, 200)
DEEDS = ("follow", "coins")
FIGURES = ("gain", "sure", "sure_right", "fresh_loss", "truth_loss", "fresh_right")
TASTES = ("embedding", "answers", "signals", "own", "clicks", "pictures")
World = tuple[Looks, dict[str, np.ndarray], np.ndarray]


def scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


@cache
def pictures() -> World:
    """Painted pictures, what is measured and said of them, and a taste for the warm and detailed."""
    from gen_emerge.banks import load_prompts
    from gen_emerge.critics import load, load_bank
    from gen_emerge.emitters.operators import Fresh
    from gen_emerge.generators.painter.generator import Painter
    from gen_emerge.scorers.embedded import load as load_scorers
    from gen_emerge.scorers.measures import PixelMeasures
    from gen_emerge.types import Exhibit, Genome, Sources

    root = Path(__file__).parents[2]
    bank, painter = load_prompts(root / "prompts" / "painter-1.toml"), Painter()
    questions = load_bank(root / "prompts" / "questions" / "general-1.toml")
    sources = Sources(bank=bank, parameters=painter.parameters)
    genomes = []
    for number in range(PICTURES):
        sketch = Fresh().propose(sources, np.random.default_rng((5, number)))
        genomes.append(
            Genome(
                slots=sketch.slots, prompt=bank.prompt(sketch.slots), seed=sketch.seed, generator="painter",
                generator_version=painter.version, parameters=sketch.parameters, width=192, height=192,
            )
        )  # fmt: skip
    shots = painter.render(genomes)
    prompts = [genome.prompt for genome in genomes]
    scorers = [*load_scorers(["novelty", "quality", "prompt", "style"], prompts[:32]), PixelMeasures()]
    vectors, values = [], [dict[str, float]() for _ in shots]
    for scorer in scorers:
        for place, reading in enumerate(scorer.score(shots, prompts)):
            values[place] |= {signal.scorer: signal.value for signal in reading.signals}
            if reading.embedding is not None:
                vectors.append(reading.embedding.vector)
    critic = load("measured", ignore=())
    answers = []
    for number, (prompt, shot, measured) in enumerate(zip(prompts, shots, values, strict=True), start=1):
        exhibit = Exhibit(candidate=number, prompt=prompt, pixels=shot, signals=measured)
        answers.append(critic.review(exhibit, brief="", bank=questions).answers)
    of = {
        name: np.array([each[name] for each in values]) for name in ("quality", "prompt", "style", "warmth", "detail")
    }
    taste = SD * scaled(scaled(of["warmth"]) + scaled(of["detail"]))
    return Looks(vectors=np.array(vectors), answers=answers), {n: of[n] for n in ("quality", "prompt", "style")}, taste


def world(taste: str, seed: int) -> World:
    """What is known of the images, the general signals, and (n,) the rater's utilities."""
    if taste == "pictures":
        return pictures()
    rng = np.random.default_rng((seed, 1))
    directions = rng.normal(size=(IMAGES, 24)) * 0.9 ** np.arange(24)
    vectors = directions @ rng.normal(size=(24, WIDE)) + 0.05 * rng.normal(size=(IMAGES, WIDE))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    said = directions[:, :15] + 0.5 * directions[:, :15].std(0) * rng.normal(size=(IMAGES, 15)) > 0
    unsure = rng.random((IMAGES, 15)) < 0.03
    words = np.where(unsure, "unsure", np.where(said, "yes", "no"))
    answers = [{f"q{k}": str(word) for k, word in enumerate(row)} for row in words]
    seen, loved, own, noise = (rng.normal(size=k) for k in (24, 24, IMAGES, IMAGES))
    quality = 0.7 * scaled(directions @ seen) + 0.714 * noise
    signals = {"quality": quality, "prompt": rng.normal(size=IMAGES)}
    five = scaled((2.0 * said[:, :5] - 1.0) @ np.array([1.0, -1.0, 0.8, -0.8, 0.6]))
    known = {"embedding": scaled(directions @ loved), "answers": five, "signals": scaled(quality)}
    share = {"embedding": 0.64, "answers": 0.64, "signals": 0.81}.get(taste, 0.0)
    utilities = np.sqrt(share) * known.get(taste, own) + np.sqrt(1.0 - share) * scaled(own)
    return Looks(vectors=vectors, answers=answers), signals, SD * utilities * (taste != "clicks")


def judgements(truth: np.ndarray, count: int, rng: np.random.Generator, name: str = "ann") -> Judgements:
    rater = Rater(truth=truth, rng=rng, lapses=LAPSES)
    pairs = by_chance(len(truth), count, rng)
    left, right = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    won = np.array([1 if rater.prefers_left(a, b) else -1 for a, b in pairs], dtype=np.int64)
    return Judgements(
        left=left, right=right, outcome=won, rater=np.array([name] * count), screen=np.arange(count),
        weight=np.ones(count),
    )  # fmt: skip


def first(said: Judgements, count: int) -> Judgements:
    return said.where(np.arange(len(said)) < count)


def fresh_loss(looks: Looks, said: Judgements, asked: Judgements, truth: np.ndarray) -> tuple[float, float, float]:
    """Log-loss of a head on 2,000 pairs it has not seen and of the truth, and the share of sure ones that are right."""
    head = fit_head(looks, said)
    chance, won = head.probabilities(looks, asked.left, asked.right), asked.outcome == 1
    best = LAPSES / 2 + (1 - LAPSES) / (1 + np.exp(-(truth[asked.left] - truth[asked.right])))
    sure = np.maximum(chance, 1 - chance) >= SURE
    right = np.where(sure, (chance > 0.5) == won, np.nan)
    return (
        float(log_losses(chance, won).mean()),
        float(log_losses(best, won).mean()),
        float(np.nanmean(right)) if sure.any() else np.nan,
    )


def one(job: tuple[str, int]) -> list[dict[str, object]]:
    """Every number of answers of one taste and one seed."""
    taste, seed = job
    looks, signals, truth = world(taste, seed)
    rng = np.random.default_rng((seed, 2))
    said, asked = judgements(truth, COUNTS[-1], rng), judgements(truth, 2_000, rng)
    rows = []
    for count in COUNTS:
        some = first(said, count)
        held = weigh(some, foretell(looks, some, signals), sure=SURE, rng=np.random.default_rng((seed, 3)))
        best = min(held.gains, key=lambda name: held.gains[name].value)
        loss, least, right = fresh_loss(looks, some, asked, truth)
        rows.append({
            "taste": taste, "seed": seed, "answers": count, "active": held.better, "gain": held.gains[best].value,
            "low": min(each.low for each in held.gains.values()), "against": best, "foretold": held.foretold,
            "sure": held.sure / max(held.foretold, 1),
            "sure_right": held.sure_right / held.sure if held.sure else np.nan, "fresh_loss": loss,
            "truth_loss": least, "fresh_right": right,
        })  # fmt: skip
    return rows


def two_raters(seed: int) -> dict[str, float]:
    """Log-loss on new pairs of a rater who gave 40 answers beside another's 200, half of whose taste is the same."""
    looks, _, theirs = world("embedding", seed)
    mine = SD * scaled(theirs + scaled(looks.vectors @ np.random.default_rng((seed, 4)).normal(size=WIDE)) * SD)
    rng = np.random.default_rng((seed, 5))
    crowd, few = judgements(theirs, 200, rng, "ann"), judgements(mine, 40, rng, "bob")
    both = joined(crowd, few)
    asked = judgements(mine, 2_000, rng, "bob")
    heads = {"own": fit_head(looks, few), "both": fit_head(looks, both, rater="bob"), "common": fit_head(looks, both)}
    won = asked.outcome == 1
    return {n: float(log_losses(h.probabilities(looks, asked.left, asked.right), won).mean()) for n, h in heads.items()}


def implicit(job: tuple[str, int]) -> dict[str, object]:
    """80 comparisons read from what somebody did, beside 100 answers: are they used, and what do they bring?"""
    kind, seed = job
    looks, signals, truth = world("embedding", seed)
    rng = np.random.default_rng((seed, 6))
    said, asked = judgements(truth, 100, rng), judgements(truth, 2_000, rng)
    followed = {"follow": truth, "coins": 0 * truth}[kind]
    did = judgements(followed, 80, rng, f"{IMPLICIT}opened")
    plain, more = foretell(looks, said, signals), foretell(looks, said, signals, beside=did)
    seen, won = ~np.isnan(plain.head), said.outcome == 1
    gain = gained(
        log_losses(plain.head[seen], won[seen]) - log_losses(more.head[seen], won[seen]), said.screen[seen],
        np.random.default_rng((seed, 7)),
    )  # fmt: skip
    without, with_them = (fresh_loss(looks, each, asked, truth)[0] for each in (said, joined(said, did)))
    return {"kind": kind, "used": gain.low > 0, "held_out": gain.value, "fresh": without - with_them}


def share(flags: list[bool]) -> dict[str, object]:
    """A share with its 95% interval (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    n, k = len(flags), sum(flags)
    low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return {"value": k / n, "of": n, "95": [round(low, 3), round(high, 3)]}


def mean(values: list[float], seed: int = 0) -> dict[str, object]:
    """A mean over seeds, with its interval by drawing seeds again; what is not defined is left out."""
    known = np.array([v for v in values if np.isfinite(v)])
    if not len(known):
        return {"value": None, "of": 0}
    drawn = np.random.default_rng(seed).integers(0, len(known), (2_000, len(known)))
    return {"value": round(float(known.mean()), 4), "of": len(known), "95": interval(list(known[drawn].mean(1)))}


def work(job: tuple[str, str, int]) -> list[dict[str, object]]:
    """One seed of one part."""
    part, kind, seed = job
    if part == "taste":
        found = one((kind, seed))
    elif part == "raters":
        found = [{**two_raters(seed)}]
    else:
        found = [implicit((kind, seed))]
    return [{"part": part, "kind": kind, "seed": seed, **row} for row in found]


def rows_of(seeds: range, workers: int, kept: Path | None) -> list[dict[str, object]]:
    """Every part of every seed, seed by seed; those that are kept already are read."""
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.is_file() else []
    known = {(row["part"], row["kind"], row["seed"]) for row in rows}
    parts = [("taste", taste) for taste in TASTES] + [("raters", "")] + [("deeds", kind) for kind in DEEDS]
    jobs = [(*part, seed) for seed in seeds for part in parts if (*part, seed) not in known]
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(work, jobs):
            rows += found
            if kept:
                with kept.open("a") as file:
                    file.write("".join(json.dumps(row) + "\n" for row in found))
    return rows


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=100)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--out", type=Path)
    options.add_argument("--rows", type=Path, help="keeps every seed's own figures")
    given = options.parse_args()
    seeds = range(given.seeds)
    rows = rows_of(seeds, given.workers, given.rows)

    def column(name: str, **of: object) -> list[float]:
        return [float(row[name]) for row in rows if of.items() <= row.items()]  # type: ignore[arg-type]

    tastes: dict[str, object] = {}
    for taste in TASTES:
        by = {
            str(count): {"active": share([bool(v) for v in column("active", taste=taste, answers=count)])}
            | {name: mean(column(name, taste=taste, answers=count)) for name in FIGURES}
            for count in COUNTS
        }
        ever = [any(column("active", taste=taste, seed=seed)) for seed in seeds]
        tastes[taste] = {"answers": by, "ever_active": share(ever)}
        print(taste, {c: (found["active"], found["gain"]["value"]) for c, found in by.items()}, share(ever))
    heads = {name: column(name, part="raters") for name in ("own", "both", "common")}
    raters = {name: mean(values) for name, values in heads.items()}
    for other in ("own", "common"):
        raters[f"both_over_{other}"] = mean([a - b for a, b in zip(heads[other], heads["both"], strict=True)])
    kinds = {
        kind: {"used": share([bool(v) for v in column("used", part="deeds", kind=kind)])}
        | {name: mean(column(name, part="deeds", kind=kind)) for name in ("held_out", "fresh")}
        for kind in DEEDS
    }
    print(raters, kinds, sep="\n")
    result = {
        "seeds": given.seeds, "images": IMAGES, "pictures": PICTURES, "sure": SURE, "tastes": tastes,
        "two_raters": raters, "deeds": kinds, "processor": processor(), "cores": os.cpu_count(),
        "python": platform.python_version(), "numpy": np.__version__,
    }  # fmt: skip
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "results.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
