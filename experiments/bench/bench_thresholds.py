"""What a threshold learned from judgements costs, against leaving the gate alone; and what elites on show do to it.

    python experiments/bench/bench_thresholds.py [--seeds 400] [--first 0] [--out FOLDER]

The simulated human wants w ~ N(0, 1) above -0.75 (77% of raw images are good). The signal is N(0, 1), correlated 0.5
with w. A false accept costs 3, a false reject 1. The gate that is left alone stands 0.38 sd below the best threshold,
so that leaving it costs what it cost in the earlier simulation (0.019 an image, 0.122 after the shift). 5% of the
answers are given by tossing a coin. 20 images are made for every answer. Half-way the signal inflates by 0.8 sd; the
model is not told: `find_shifts` has to notice, the test that watches a running series image by image, whose alarms
thresholds are weighed by. Every method sees the same images and answers (paired). Regret: expected cost an image above
the best threshold's, exact. Intervals: 95%, of means over seeds (normal).
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm

from gen_emerge.calibration.costs import Costs
from gen_emerge.calibration.drift import find_shifts, sizes
from gen_emerge.calibration.posterior import Labels, faded, fit_curve

COSTS = Costs(false_accept=1.8, false_reject=0.6, review=10.0)
HALF_LIFE = 200.0
IMAGES_PER_LABEL = 20
FIRST = 200
BEFORE, AFTER = 100, 100
CHECKS = (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100)
CHECKS_AFTER = (0, 5, 10, 15, 20, 30, 50, 100)
GRID = np.linspace(-7, 7, 14_001)


@dataclass(frozen=True)
class World:
    """What is simulated; see the module."""

    correlation: float = 0.5
    wanted: float = -0.5
    gate: float = -0.455
    lapse: float = 0.05
    inflation: float = 0.8
    improvement: float = 0.0
    told: bool = True

    def regret(self) -> Callable[[float], float]:
        """Threshold -> expected cost above the best one's; thresholds in units of before the shift."""
        r = self.correlation
        p = norm.cdf((r * GRID - self.wanted) / np.sqrt(1 - r * r))
        mass = norm.pdf(GRID) * (GRID[1] - GRID[0])
        accepted = np.cumsum((COSTS.false_accept * (1 - p) * mass)[::-1])[::-1]
        rejected = np.concatenate([[0.0], np.cumsum(COSTS.false_reject * p * mass)[:-1]])
        cost = accepted + rejected
        return lambda t: float(np.interp(t, GRID, cost - cost.min()))

    @property
    def best(self) -> float:
        """The threshold at which P(good) is p*."""
        r = self.correlation
        return float((self.wanted + norm.ppf(COSTS.level) * np.sqrt(1 - r * r)) / r)


@dataclass(frozen=True)
class Run:
    """One seed: images, which of them were answered about, and what was said."""

    values: np.ndarray
    asked: np.ndarray
    good: np.ndarray

    @staticmethod
    def draw(world: World, seed: int, labels: int) -> Run:
        rng = np.random.default_rng([seed, 20261128])
        count = FIRST + labels * IMAGES_PER_LABEL
        want = rng.normal(size=count)
        r = world.correlation
        values = r * want + np.sqrt(1 - r * r) * rng.normal(size=count)
        late = np.arange(count) >= FIRST + BEFORE * IMAGES_PER_LABEL
        values[late] += world.inflation + r * world.improvement
        want[late] += world.improvement
        asked = FIRST + np.arange(labels) * IMAGES_PER_LABEL + rng.integers(0, IMAGES_PER_LABEL, labels)
        coin = rng.random(labels) < world.lapse
        good = np.where(coin, rng.random(labels) < 0.5, want[asked] > world.wanted)
        return Run(values, asked, good)


def ours(run: Run, world: World, n: int, shifts: list) -> float:
    """The threshold after n answers."""
    seen = FIRST + n * IMAGES_PER_LABEL
    known = [s for s in shifts if s.named <= seen and s.what == "level"] if world.told else []
    places = run.asked[:n]
    labels = Labels(
        values=run.values[places],
        good=run.good[:n],
        streams=("raw",) * n,
        weights=faded(np.arange(n, 0, -1.0) - 1, HALF_LIFE),
        ages=np.array([sum(s.since > place for s in known) for place in places], dtype=np.intp),
    )
    curve = fit_curve(
        labels,
        bound=world.best + world.gate,
        scale=float(run.values[:FIRST].std(ddof=1)),
        costs=COSTS,
        shifts=sizes(run.values[:seen], [s.since for s in known]),
        bound_age=len(known),
    )
    return curve.where(COSTS.level, low=-6.9, high=6.9)


def flat(run: Run, world: World, n: int) -> float:
    """Logistic regression without a prior to speak of, for comparison; the gate where it has no threshold."""
    x, y = run.values[run.asked[:n]], run.good[:n].astype(float)
    if len(set(y)) < 2:
        return world.best + world.gate
    design = np.stack([np.ones(n), x], axis=1)
    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        step = np.linalg.solve(
            (design.T * (p * (1 - p) + 1e-9)) @ design + 1e-3 * np.eye(2), design.T @ (y - p) - 1e-3 * beta
        )
        beta = beta + np.clip(step, -2, 2)
    if beta[1] <= 0:
        return world.best + world.gate
    return float(np.clip((np.log(COSTS.level / (1 - COSTS.level)) - beta[0]) / beta[1], -6.9, 6.9))


def interval(values: np.ndarray) -> dict[str, float]:
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {
        "mean": round(float(values.mean()), 5),
        "low": round(float(values.mean() - half), 5),
        "high": round(float(values.mean() + half), 5),
    }


def ratio(values: np.ndarray, base: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Mean over mean, with a bootstrap over seeds."""
    draws = rng.integers(0, len(values), (4000, len(values)))
    found = values[draws].mean(axis=1) / base[draws].mean(axis=1)
    low, high = np.percentile(found, [2.5, 97.5])
    return {
        "ratio": round(float(values.mean() / base.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def learn(world: World, seeds: range, *, shift: bool, beside: bool = False) -> dict[str, object]:
    """Regret at every check, beside the gate that is left alone."""
    checks = [*CHECKS, *(BEFORE + n for n in CHECKS_AFTER)] if shift else [*CHECKS, 150, 200]
    quiet = world if shift else World(**{**world.__dict__, "inflation": 0.0, "improvement": 0.0})
    regret = quiet.regret()
    gate = world.best + world.gate
    found = {check: np.zeros((3, len(seeds))) for check in range(len(checks))}
    named = 0
    for row, seed in enumerate(seeds):
        run = Run.draw(quiet, seed, BEFORE + AFTER)
        shifts = find_shifts(run.values) if world.told else []
        named += bool(shifts)
        for place, n in enumerate(checks):
            late = shift and place >= len(CHECKS)
            moved = quiet.inflation if late else 0.0
            # With an improvement the whole bar stays, but what is made is better: regret is of the images made then.
            found[place][0, row] = regret(ours(run, quiet, n, shifts) - moved)
            found[place][1, row] = regret(gate - moved)
            found[place][2, row] = regret(flat(run, quiet, n) - moved) if beside else np.nan
    rng = np.random.default_rng(5)
    rows = {}
    for place, n in enumerate(checks):
        late = shift and place >= len(CHECKS)
        name = f"{n - BEFORE} after the shift" if late else f"{n} labels"
        model, static, other = found[place]
        rows[name] = {
            "ours": interval(model),
            "static": interval(static),
            "of_static": ratio(model, static, rng) if static.mean() > 1e-4 else None,
            "ours_less_static": interval(model - static),
        } | ({"flat": interval(other)} if beside else {})
    return {"seeds": len(seeds), "series_with_an_alarm": named, "at": rows}


# ---- what is shown -----------------------------------------------------------------------------------------------


def shown(world: World, seeds: range, raw: float, *, blind: bool, labels: int = 100) -> dict[str, object]:
    """Bias of the threshold where most images on show are elites: the best of four that passed, by a noisy duel."""
    off = np.zeros(len(seeds))
    for row, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, 31])
        values, good, streams = np.zeros(labels), np.zeros(labels, dtype=bool), []
        r = world.correlation
        for place in range(labels):
            elite = rng.random() >= raw
            pool = rng.normal(size=400)
            signal = r * pool + np.sqrt(1 - r * r) * rng.normal(size=400)
            chosen = 0
            if elite:
                passed = np.flatnonzero(signal > world.best + world.gate)[:4]
                chosen = int(passed[np.argmax(pool[passed] + 0.7 * rng.normal(size=len(passed)))])
            values[place] = signal[chosen]
            good[place] = rng.random() < 0.5 if rng.random() < world.lapse else pool[chosen] > world.wanted
            streams.append("elite" if elite and not blind else "raw")
        curve = fit_curve(
            Labels(values=values, good=good, streams=streams), bound=world.best + world.gate, scale=1.0, costs=COSTS
        )
        off[row] = curve.where(COSTS.level, low=-6.9, high=6.9) - world.best
    return {
        "labels": labels,
        "raw": raw,
        "offset": not blind,
        "bias_sd": interval(off),
        "spread_sd": round(float(off.std()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="The first seed: the model was tuned on those from 0 on.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", action="append", help="One part of it, by its name; the others stay as they are.")
    arguments = parser.parse_args()
    first, began = arguments.first, time.process_time()
    seeds = range(first, first + arguments.seeds)
    few = range(first, first + max(arguments.seeds // 2, 100))
    result: dict[str, object] = {
        "first_seed": first,
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
    }
    plan: list[tuple[str, Callable[[], object]]] = [
        ("inflation of 0.8 sd after 100 labels, detected", lambda: learn(World(), seeds, shift=True, beside=True)),
        ("no shift", lambda: learn(World(), seeds, shift=False, beside=True)),
        ("the same, without looking for shifts", lambda: learn(World(told=False), few, shift=True)),
        ("the images improve by 1.6 sd instead, so the signal moves 0.8", lambda: improving(few)),
        ("the gate stands right", lambda: learn(World(gate=0.0), few, shift=False)),
        ("the gate stands 0.38 sd too high", lambda: learn(World(gate=0.38), few, shift=False)),
        ("a signal that correlates 0.3", lambda: learn(World(correlation=0.3), few, shift=False)),
        ("20% lapses", lambda: learn(World(lapse=0.2), few, shift=False)),
        (
            "what is shown",
            lambda: [
                shown(World(), few, raw, blind=blind)
                for raw, blind in (
                    (0.3, False),
                    (0.3, True),
                    (0.0, True),
                    (0.0, False),
                    (0.2, False),
                    (0.5, False),
                    (1.0, False),
                )
            ],
        ),
    ]
    if arguments.only and arguments.out:
        result = json.loads((arguments.out / "thresholds.json").read_text())
    for name, work in plan:
        if arguments.only and name not in arguments.only:
            continue
        result[name] = work()
        print(name, json.dumps(result[name], indent=1), flush=True)
    if not arguments.only:
        result["processor_seconds"] = round(time.process_time() - began)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "thresholds.json").write_text(json.dumps(result, indent=1) + "\n")


def improving(seeds: range) -> dict[str, object]:
    """The images themselves become better: the bar should stay. Regret among the images made then."""
    world = World(inflation=0.0, improvement=1.6)
    shifted = World(correlation=world.correlation, wanted=world.wanted - world.improvement)
    regret, gate = shifted.regret(), world.best + world.gate
    moved = world.correlation * world.improvement
    rows = {}
    runs = [(run, find_shifts(run.values)) for run in (Run.draw(world, seed, BEFORE + AFTER) for seed in seeds)]
    for n in CHECKS_AFTER:
        model = np.array([regret(ours(run, world, BEFORE + n, shifts) - moved) for run, shifts in runs])
        rows[f"{n} after"] = {"ours": interval(model), "static": regret(gate - moved)}
    return {"seeds": len(seeds), "at": rows}


if __name__ == "__main__":
    main()
