"""Held-out figures of the shipped networks (as they run in the package), each beside a stated hand-made baseline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata, spearmanr

from experiments.embedded import baselines, damage
from experiments.embedded.data import MEMBERS, NAMES, Families, draw_parameters, draw_words, jpeg, noisy
from experiments.embedded.train_quality import Damaged
from experiments.embedded.train_trunk import SCHOOL, blend
from gen_emerge.generators.painter import SLOTS, paint
from gen_emerge.scorers.embedded import load
from gen_emerge.scorers.embedded.network import Network
from gen_emerge.scorers.embedded.quality import GRADES
from gen_emerge.scorers.embedded.trunk import TrunkScorer
from gen_emerge.scorers.embedded.views import TRUNK_SIDE, planes, whole
from gen_emerge.scorers.embedded.words import Vocabulary
from gen_emerge.scorers.measures import PixelMeasures

Figures = dict[str, Any]
Look = Callable[[np.ndarray], list[np.ndarray]]
AT = {name: index for index, name in enumerate(MEMBERS)}


def look(network: Look, images: np.ndarray) -> list[np.ndarray]:
    """Run the shipped trunk over (n, 96, 96, 3) uint8: prompt (n, 96), distance (n, 160), logits (n, schools)."""
    parts = [network(planes(images[start : start + 16])) for start in range(0, len(images), 16)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    raised = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
    return raised / raised.sum(1, keepdims=True)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least cross-entropy (Guo et al. 2017)."""

    def loss(log_t: float) -> float:
        shares = softmax(logits, math.exp(log_t))
        return float(-np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-12)).mean())

    return math.exp(float(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def calibration_error(shares: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    sure, right = shares.max(1), shares.argmax(1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [(place == b).mean() * abs(sure[place == b].mean() - right[place == b].mean()) for b in set(place)]
    return float(sum(gaps))


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    ranks = rankdata(np.concatenate([positive, negative]))
    total = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(total / (len(positive) * len(negative)))


def caption_figures(
    score: Callable[[int, np.ndarray], np.ndarray], words: np.ndarray, rng: np.random.Generator
) -> Figures:
    """`score(i, captions (m, slots)) -> (m,)`: how well picture i fits each caption."""
    n, slots = words.shape
    counts = [len(SLOTS[name]) for name in NAMES]
    top, top_school = [], []
    wins = np.zeros((n, slots))
    for i in range(n):
        others = np.stack([rng.integers(0, counts) for _ in range(63)])
        top.append(score(i, np.vstack([words[i], others])).argmax() == 0)
        near = np.stack([rng.integers(0, counts) for _ in range(47)])
        near[:, SCHOOL] = words[i, SCHOOL]
        top_school.append(score(i, np.vstack([words[i], near])).argmax() == 0)
        for slot in range(slots):
            swaps = np.repeat(words[i][None], counts[slot], axis=0)
            swaps[:, slot] = np.arange(counts[slot])
            marks = score(i, swaps)
            own = marks[words[i, slot]]
            rest = np.delete(marks, words[i, slot])
            wins[i, slot] = (own > rest).mean()
    per_slot = {name: round(float(wins[:, slot].mean()), 4) for slot, name in enumerate(NAMES)}
    return {
        "top1_of_64": round(float(np.mean(top)), 4),
        "top1_of_48_same_school": round(float(np.mean(top_school)), 4),
        "one_word_swapped_mean": round(float(wins.mean()), 4),
        "one_word_swapped_worst_slot": min(per_slot.values()),
        "one_word_swapped": per_slot,
    }


def prompt_figures(network: Look, vocabulary: Vocabulary, words_of: baselines.Ridge, test: Families) -> Figures:
    words = test.words.reshape(-1, len(NAMES))[:: len(MEMBERS)]
    images = test.pixels[:, AT["anchor"]]
    seen = look(network, images)[0]
    starts = np.cumsum([0, *[len(SLOTS[name]) for name in NAMES]])[:-1]

    def cosine(i: int, captions: np.ndarray) -> np.ndarray:
        sums = vocabulary.vectors[captions + starts].sum(1)
        return sums @ seen[i] / np.linalg.norm(sums, axis=1)

    linear = words_of(np.stack([baselines.histogram(image) for image in images]))

    def probe(i: int, captions: np.ndarray) -> np.ndarray:
        return linear[i][captions + starts].sum(1)

    return {
        "pictures": len(words),
        "network": caption_figures(cosine, words, np.random.default_rng(1)),
        "baseline": caption_figures(probe, words, np.random.default_rng(1)),
        "baseline_is": "colour + edge histograms (440 numbers), ridge to words on 2,000 of the training pictures",
    }


def word_probe(fit: Families, count: int = 1000) -> baselines.Ridge:
    """Ridge from the histogram descriptor to all words, on anchors and `one` pictures of `count` training families."""
    members = [AT["anchor"], AT["one"]]
    images = fit.pixels[:count, members].reshape(-1, *fit.pixels.shape[2:])
    words = fit.words[:count, members].reshape(-1, len(NAMES))
    hot = np.concatenate([np.eye(len(SLOTS[name]))[words[:, slot]] for slot, name in enumerate(NAMES)], axis=1)
    return baselines.Ridge(np.stack([baselines.histogram(image) for image in images]), hot, penalty=60.0)


def order_figures(
    places: np.ndarray, words: np.ndarray, apart: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Figures:
    """Shares of families (f, 6, d) in which the nearer picture is nearer."""
    d = {name: apart(places[:, 0], places[:, AT[name]]) for name in MEMBERS[1:]}
    visible = words[:, AT["one"], NAMES.index("texture")] == words[:, 0, NAMES.index("texture")]
    return {
        "jitter_below_one_visible_slot": round(float((d["jitter"] < d["one"])[visible].mean()), 4),
        "jitter_below_one_slot": round(float((d["jitter"] < d["one"]).mean()), 4),
        "one_slot_below_three": round(float((d["one"] < d["three"]).mean()), 4),
        "other_seed_below_three": round(float((d["other"] < d["three"]).mean()), 4),
        "again_below_jitter": round(float((d["again"] < d["jitter"]).mean()), 4),
        "median": {name: round(float(np.median(values)), 5) for name, values in d.items()},
    }


def cosine_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 1 - (a * b).sum(-1)


def distance_figures(network: Look, test: Families) -> Figures:
    flat = test.pixels.reshape(-1, *test.pixels.shape[2:])

    def grouped(rows: np.ndarray) -> np.ndarray:
        return rows.reshape(len(test), len(MEMBERS), -1)

    def euclid(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a - b, axis=-1)

    places = grouped(look(network, flat)[1])
    return {
        "families": len(test),
        "visible": "every slot but texture",
        "network": order_figures(places, test.words, cosine_apart),
        "baseline_16x16_pixels": order_figures(
            grouped(np.stack([baselines.thumbnail(image) for image in flat])), test.words, euclid
        ),
        "baseline_colour_edge_histogram": order_figures(
            grouped(np.stack([baselines.histogram(image) for image in flat])), test.words, cosine_apart
        ),
    }


def held_figures(network: Look, test: Families, held: tuple[int, ...]) -> Figures:
    """The same for the families whose pictures all belong to the held-out schools, up to the three-slot change."""
    chosen = np.isin(test.words[:, : AT["one"], SCHOOL], held).all(axis=1)
    return distance_figures(network, Families(test.pixels[chosen], test.words[chosen]))


def rerender_figures(network: Network, test: Families, seed: int, count: int) -> Figures:
    """Distances between 512 px originals and the same genome at other sizes, as JPEG, with light noise."""
    by_kind: dict[str, list[float]] = {}
    for number in range(count):
        rng = np.random.default_rng((seed, number, 9))
        words, parameters, chance = draw_words(rng), draw_parameters(rng), int(rng.integers(2**31))
        image = paint(words, chance, parameters, 512, 512)
        again = {f"{size} px": paint(words, chance, parameters, size, size) for size in (256, 1024)}
        again |= {f"JPEG {quality}": jpeg(image, quality) for quality in (30, 50, 75)}
        again |= {f"noise {sd}": noisy(image, sd, rng) for sd in (3, 6)}
        views = np.stack([whole(one, TRUNK_SIDE) for one in (image, *again.values())])
        places = look(network, views)[1]
        for name, place in zip(again, places[1:], strict=True):
            by_kind.setdefault(name, []).append(float(1 - places[0] @ place))
    everything = np.concatenate([np.array(values) for values in by_kind.values()])
    fresh = look(network, test.pixels[:, 0])[1]
    between = 1 - fresh @ fresh.T
    np.fill_diagonal(between, np.inf)
    random_median = float(np.median(between[np.isfinite(between)]))
    threshold = float(np.percentile(between.min(1), 10))
    p99 = float(np.percentile(everything, 99))
    return {
        "pictures": count,
        "p99": round(p99, 6),
        "p99_by_kind": {name: round(float(np.percentile(values, 99)), 6) for name, values in by_kind.items()},
        "random_median": round(random_median, 5),
        "novelty_threshold": round(threshold, 5),
        "novelty_threshold_is": f"10th percentile of nearest-neighbour distance among {len(fresh)} fresh draws",
        "p99_over_random_median": round(p99 / random_median, 5),
        "p99_over_novelty_threshold": round(p99 / threshold, 4),
    }


def style_figures(network: Look, temperature: float, words_of: baselines.Ridge, test: Families, seed: int) -> Figures:
    members = [AT["anchor"], AT["one"]]
    images = test.pixels[:, members].reshape(-1, *test.pixels.shape[2:])
    labels = test.words[:, members, SCHOOL].reshape(-1)
    shares = softmax(look(network, images)[2], temperature)

    def entropy(values: np.ndarray) -> np.ndarray:
        return -(values * np.log(np.maximum(values, 1e-12))).sum(1) / math.log(values.shape[1])

    rng = np.random.default_rng((seed, 11))
    result: Figures = {"pictures": len(images), "accuracy": round(float((shares.argmax(1) == labels).mean()), 4)}
    result["expected_calibration_error"] = round(calibration_error(shares, labels), 4)
    for kind in ("even", "edge"):
        mixed = []
        while len(mixed) < 300:
            i, j = rng.choice(len(images), 2, replace=False)
            if labels[i] != labels[j]:
                mixed.append(blend(images[i], images[j], rng.uniform(0.2, 0.5), kind, rng.uniform(0, 6.28)))
        blended = softmax(look(network, np.stack(mixed))[2], temperature)
        result[f"blend_auc_{kind}"] = round(auc(entropy(blended), entropy(shares)), 4)
    words = words_of(np.stack([baselines.histogram(image) for image in images]))
    start = int(sum(len(SLOTS[name]) for name in NAMES[:SCHOOL]))
    guess = words[:, start : start + len(SLOTS["school"])].argmax(1)
    result["baseline_accuracy"] = round(float((guess == labels).mean()), 4)
    result["baseline_is"] = "colour + edge histograms, ridge to schools on 2,000 of the training pictures"
    return result


def quality_figures(fit: Damaged, test: Damaged, unseen: Damaged) -> Figures:
    network = Network("quality")
    chosen = fit.views[:250].reshape(-1, *fit.views.shape[2:])
    wanted = np.array([damage.grade(value) for value in fit.damage[:250].ravel()])
    ridge = baselines.Ridge(
        np.stack([baselines.damage_features(views) for views in chosen]), wanted[:, None], squares=True
    )

    def by_network(views: np.ndarray) -> np.ndarray:
        return np.array([network(planes(one)[None])[0][0] @ GRADES for one in views])

    def by_hand(views: np.ndarray) -> np.ndarray:
        return ridge(np.stack([baselines.damage_features(one) for one in views]))[:, 0]

    return {
        "network": _quality_of(by_network, test, unseen),
        "baseline": _quality_of(by_hand, test, unseen),
        "baseline_is": "17 classic signs of damage and their squares, ridge to the grade on 1,500 training pictures",
    }


def _quality_of(judge: Callable[[np.ndarray], np.ndarray], test: Damaged, unseen: Damaged) -> Figures:
    names = [*damage.TRAINED, *damage.UNSEEN]

    def per_kind(part: Damaged) -> tuple[dict[str, float], np.ndarray]:
        marks = judge(part.views.reshape(-1, *part.views.shape[2:])).reshape(part.damage.shape)
        every = {}
        for index, name in enumerate(names):
            here = part.kind == index
            if here.sum() > 10:
                every[name] = round(float(spearmanr(marks[here], -part.damage[here]).statistic), 4)
        return every, marks

    seen, marks = per_kind(test)
    new, _ = per_kind(unseen)
    pristine = {
        school: round(float(marks[test.school == index, 0].mean()), 3)
        for index, school in enumerate(SLOTS["school"])
        if (test.school == index).any()
    }
    return {
        "pictures": int(test.damage.size),
        "pooled_spearman": round(float(spearmanr(marks.ravel(), -test.damage.ravel()).statistic), 4),
        "per_kind": seen,
        "per_kind_worst": min(seen.values()),
        "unseen_kinds": new,
        "unseen_mean": round(float(np.mean(list(new.values()))), 4),
        "unseen_worst": min(new.values()),
        "damaged_below_pristine": round(float((marks[:, 1:] < marks[:, :1]).mean()), 4),
        "pristine_by_school": pristine,
        "pristine_spread": round(max(pristine.values()) - min(pristine.values()), 3),
    }


def firing_figures(
    network: Look, vocabulary: Vocabulary, temperature: float, warm: Families, test: Families
) -> Figures:
    """Share of fresh pictures that each gate of the trunk stops, with first thresholds taken from 150 others."""
    starts = np.cumsum([0, *[len(SLOTS[name]) for name in NAMES]])[:-1]
    rng = np.random.default_rng(12)

    def captions(words: np.ndarray) -> np.ndarray:
        sums = vocabulary.vectors[words + starts].sum(-2)
        return sums / np.linalg.norm(sums, axis=-1, keepdims=True)

    drawn = np.stack([[rng.integers(len(SLOTS[name])) for name in NAMES] for _ in range(32)])
    reference = captions(drawn).mean(0)

    def signals(part: Families) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        seen, places, logits = look(network, part.pixels[:, 0])
        shares = softmax(logits, temperature)
        entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1) / math.log(shares.shape[1])
        return (seen * captions(part.words[:, 0])).sum(1) - seen @ reference, places, entropy

    first, second = signals(warm), signals(test)
    between = 1 - first[1] @ first[1].T
    np.fill_diagonal(between, np.inf)
    threshold = float(np.percentile(between.min(1), 10))
    accepted: list[np.ndarray] = list(first[1])
    stopped = 0
    for place in second[1]:
        if 1 - float((np.stack(accepted) @ place).max()) < threshold:
            stopped += 1
        else:
            accepted.append(place)
    low, high = np.percentile(first[2], (1, 99))
    return {
        "prompt": round(float((second[0] < np.percentile(first[0], 5)).mean()), 4),
        "novelty": round(stopped / len(second[1]), 4),
        "style": round(float(((second[2] < low) | (second[2] > high)).mean()), 4),
        "pictures": len(test),
    }


def timing_figures(repeats: int = 15) -> Figures:
    """Milliseconds for one 512 px image in a batch of 8 on one core: the least and the median of the repeats."""
    rng = np.random.default_rng(5)
    words = [draw_words(rng) for _ in range(8)]
    images = [paint(one, 7, draw_parameters(rng), 512, 512) for one in words]
    prompts = [", ".join(one.values()) for one in words]
    shared, quality = load(["prompt", "novelty", "style", "quality"], prompts)
    result: Figures = {}
    for name, scorer in (("trunk", shared), ("quality", quality), ("measures", PixelMeasures())):
        scorer.score(images, prompts)
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            scorer.score(images, prompts)
            taken.append((time.perf_counter() - started) / len(images) * 1000)
        result[name] = {"least": round(min(taken), 2), "median": round(float(np.median(taken)), 2)}
    result["all"] = {
        kind: round(sum(result[n][kind] for n in ("trunk", "quality", "measures")), 2) for kind in ("least", "median")
    }
    return result


def trunk_network() -> tuple[Network, Vocabulary, float]:
    """The shipped trunk, its vocabulary and its temperature."""
    network = Network("trunk", beside=("words.npy",))
    scorer = TrunkScorer(frozenset({"prompt"}), ())
    return network, scorer.vocabulary, float(network.card["temperature"])
