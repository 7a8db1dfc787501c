"""What features and richer screens save: check-ins of five screens, N = 30 items, true sd 2.

    python experiments/bench/bench_checkins.py [--jobs 2] [--seeds 120] [--out experiments/results/2026-11-28-checkins]

Strategies share seeds and the estimator (MAP, scales by evidence, learned anew at every check-in). ASAP here is its
criterion under that estimator: mutual information from the items' own variances, a minimum spanning tree of N - 1 pairs
as the batch (Mikhailiuk et al. 2021). Useful features are d Gaussian columns whose linear sum explains 60% of the
utilities' variance; useless ones explain none. Rank-four screens are ranked by a Plackett-Luce rater. A screen is one
pair or one ranking. Intervals: 95%, seeds drawn again in pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from bench_bradley_terry import processor
from scipy.sparse.csgraph import minimum_spanning_tree
from simulated_raters import Rater, crossing, interval, kendall

from gen_emerge.preference import Comparison, Fit, choose_groups, choose_pairs, fit_bradley_terry, from_ranking
from gen_emerge.preference.choosing import mutual_information

N, SD, SCREENS, CHECKINS = 30, 2.0, 5, 12
GOAL = 0.6
EXPLAINED = 0.6
# name: (pairs or rank4, chosen how, features, how many columns, weight of a ranking's pair)
STRATEGIES = {
    "asap": ("asap", None, 0, 1.0),
    "pairs": ("pairs", None, 0, 1.0),
    "pairs + useful 4": ("pairs", "useful", 4, 1.0),
    "pairs + useful 8": ("pairs", "useful", 8, 1.0),
    "pairs + useful 16": ("pairs", "useful", 16, 1.0),
    "pairs + useless 8": ("pairs", "useless", 8, 1.0),
    "pairs + useless 64": ("pairs", "useless", 64, 1.0),
    "rank4": ("rank4", None, 0, 1.0),
    "rank4 weight 0.5": ("rank4", None, 0, 0.5),
    "rank4 neighbours": ("neighbours", None, 0, 1.0),
    "rank4 + useful 8": ("rank4", "useful", 8, 1.0),
    "rank4 + useful 16": ("rank4", "useful", 16, 1.0),
    "rank4 + useless 8": ("rank4", "useless", 8, 1.0),
}


def truth_and_features(seed: int, kind: str | None, width: int) -> tuple[np.ndarray, np.ndarray | None]:
    rng = np.random.default_rng([seed, 1])
    own = rng.normal(size=N)
    columns = np.random.default_rng([seed, 2, width]).normal(size=(N, max(width, 1)))
    # The same utilities whatever the features: they are built from the utilities, not the other way round.
    if kind == "useful":
        weights = np.random.default_rng([seed, 3, width]).normal(size=width)
        weights /= np.linalg.norm(weights)
        along = columns @ weights
        told = np.sqrt(EXPLAINED) * own + np.sqrt(1 - EXPLAINED) * np.random.default_rng([seed, 4]).normal(size=N)
        columns = columns + np.outer(told - along, weights)
    return SD * own, columns if width else None


def asap_batch(fit: Fit, rng: np.random.Generator) -> list[tuple[int, int]]:
    variance = fit.standard_errors**2
    gap = fit.utilities[:, None] - fit.utilities
    bits = mutual_information(gap, variance[:, None] + variance) + 1e-6 * rng.random((N, N))
    tree = minimum_spanning_tree(np.triu(1.0 / np.maximum(bits, 1e-9), 1)).tocoo()
    pairs = [
        (int(a), int(b)) if rng.random() < 0.5 else (int(b), int(a)) for a, b in zip(tree.row, tree.col, strict=True)
    ]
    return [pairs[k] for k in rng.permutation(len(pairs))]


def ranked(group: tuple[int, ...], truth: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Plackett-Luce: utilities with Gumbel noise, sorted."""
    noisy = {item: truth[item] + rng.gumbel() for item in group}
    return sorted(group, key=lambda item: -noisy[item])


def one_seed(name: str, seed: int) -> list[tuple[float, float]]:
    """(tau, log-loss in nats over all pairs, each with its true chance) after every check-in."""
    how, kind, width, weight = STRATEGIES[name]
    truth, features = truth_and_features(seed, kind, width)
    rng = np.random.default_rng([seed, 5, list(STRATEGIES).index(name)])
    rater = Rater(truth, rng)
    asked: list[Comparison] = []
    fit = fit_bradley_terry(asked, N, features=features)
    waiting: list[tuple[int, int]] = []
    found = []
    i, j = np.triu_indices(N, 1)
    chance = 1.0 / (1.0 + np.exp(truth[j] - truth[i]))
    for _ in range(CHECKINS):
        if how in ("rank4", "neighbours"):
            for group in choose_groups(fit, SCREENS, rng=rng):
                order = ranked(group, truth, rng)
                if how == "rank4":
                    asked += from_ranking(order, weight=weight)
                else:
                    asked += [Comparison(a, b, "left") for a, b in pairwise(order)]
        else:
            if how == "asap":
                waiting = waiting if len(waiting) >= SCREENS else waiting + asap_batch(fit, rng)
                pairs, waiting = waiting[:SCREENS], waiting[SCREENS:]
            else:
                pairs = choose_pairs(fit, SCREENS, rng=rng)
            asked += [Comparison(a, b, "left" if rater.prefers_left(a, b) else "right") for a, b in pairs]
        fit = fit_bradley_terry(asked, N, features=features)
        guess = 1.0 / (1.0 + np.exp(fit.utilities[j] - fit.utilities[i]))
        loss = float(np.mean(-chance * np.log(guess) - (1 - chance) * np.log1p(-guess)))
        found.append((kendall(fit.utilities, truth), loss))
    return found


def summary(x: np.ndarray, curves: np.ndarray, drawn: np.ndarray) -> dict[str, object]:
    taus = curves[:, :, 0]
    at_ten = taus[:, 9]
    return {
        "tau_after_ten": round(float(at_ten.mean()), 4),
        "tau_after_ten_95": interval([at_ten[rows].mean() for rows in drawn]),
        "log_loss_after_ten": round(float(curves[:, 9, 1].mean()), 4),
        "screens_to_0.6": round(crossing(x, taus.mean(0), GOAL), 1),
        "taus": np.round(taus.mean(0), 3).tolist(),
    }


def compared(x: np.ndarray, one: np.ndarray, two: np.ndarray, drawn: np.ndarray) -> dict[str, object]:
    """`one` beside `two`: difference of tau after ten check-ins, ratio of screens to 0.6."""
    a, b = one[:, :, 0], two[:, :, 0]
    ratios = [crossing(x, a[rows].mean(0), GOAL) / crossing(x, b[rows].mean(0), GOAL) for rows in drawn]
    return {
        "tau_difference": round(float((a[:, 9] - b[:, 9]).mean()), 4),
        "tau_difference_95": interval([(a[rows, 9] - b[rows, 9]).mean() for rows in drawn]),
        "ratio_to_0.6": round(crossing(x, a.mean(0), GOAL) / crossing(x, b.mean(0), GOAL), 3),
        "ratio_to_0.6_95": interval(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=120)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    x = np.arange(1, CHECKINS + 1) * float(SCREENS)
    drawn = np.random.default_rng(0).integers(0, arguments.seeds, (2_000, arguments.seeds))
    curves: dict[str, np.ndarray] = {}
    rows: dict[str, object] = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for name in STRATEGIES:
            started = time.time()
            curves[name] = np.array(list(pool.map(partial(one_seed, name), range(arguments.seeds), chunksize=4)))
            rows[name] = summary(x, curves[name], drawn)
            print(f"{time.time() - started:4.0f} s {name}: {json.dumps(rows[name])}", flush=True)
    beside = {
        f"{one} / {two}": compared(x, curves[one], curves[two], drawn)
        for one in STRATEGIES
        for two in ("asap", "pairs", "rank4")
        if one != two
    }
    result = {
        "machine": f"{processor()}, {os.cpu_count()} cores, one thread a process",
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "seeds": arguments.seeds,
        "strategies": rows,
        "beside": beside,
    }
    print(json.dumps(beside, indent=0))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
