"""How often all alarms together are false, how soon each names what moved, and what watching costs.

    python experiments/bench/bench_alarms.py [--runs 120] [--out experiments/results/2026-11-28-alarms]

A run is 5,000 images: 625 cycles of 8, with a check-in of five questions every 25 cycles. In it stand still: three
signals, two detectors, the share of images that wait (22%, as measured), variety, agreement, and a rater's taste. New
cells become rare as a map of 400 fills: that is no alarm. Intervals are 95%. For drift alone see bench_drift.py.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from bench_drift import mean, share

from gen_emerge.calibration.alarms import TASTE_ALPHA, TASTE_ENDS, taste_shift
from gen_emerge.calibration.drift import Watch
from gen_emerge.calibration.rates import RateWatch
from gen_emerge.preference import Comparison, fit_bradley_terry
from gen_emerge.watches import Figures

CYCLES, BATCH, CHECKIN = 625, 8, 25
CELLS = 400
SINGLES, PAIRS = 1, 4
DISTANCE, DISTANCE_SD = 0.988, 0.045
"""Mean pairwise distance of a batch and its sd from cycle to cycle, as measured (see the README of the results)."""
ELITES = 30
Curve = np.ndarray


def alike(rng: np.random.Generator, count: int, likeness: float) -> np.ndarray:
    """(count,) standard normal, of which a batch has a share in common."""
    own, common = rng.normal(size=count), np.repeat(rng.normal(size=-(-count // BATCH)), BATCH)[:count]
    return np.sqrt(1 - likeness) * own + np.sqrt(likeness) * common


def flags(rng: np.random.Generator, rate: float, count: int, likeness: float) -> np.ndarray:
    from scipy.stats import norm

    return alike(rng, count, likeness) < norm.ppf(rate)


def still_variety(rng: np.random.Generator) -> Iterator[tuple[int, dict[str, float], float]]:
    """Figures of a series that stays varied while its map fills: images fall into cells that are not equally likely."""
    chances = rng.dirichlet(np.full(CELLS, 0.5))
    filled = np.zeros(CELLS, dtype=bool)
    for cycle in range(1, CYCLES + 1):
        drawn = np.unique(rng.choice(CELLS, BATCH, p=chances))
        opened = float((~filled[drawn]).sum())
        filled[drawn] = True
        distance = DISTANCE + DISTANCE_SD * rng.normal()
        figures = {"batch_mean_pairwise_distance": distance, "cells_filled": float(filled.sum())}
        if cycle % 10 == 0:
            figures["elites_vendi"] = 20 * (1 - np.exp(-cycle / 30)) + 0.1 * rng.normal()
        yield cycle, figures, opened


def narrowings(figures: Iterator[tuple[int, dict[str, float], float]]) -> list[int]:
    """The cycles at which a narrowing is raised, each after the one before has ended."""
    seen, raised, since, enough = Figures(), list[int](), None, 2
    for cycle, found, opened in figures:
        seen.add(cycle, found, opened)
        if since is not None:
            since = since if len(seen.narrow_still(since)) >= enough else None
        elif (narrow := seen.narrowing()) is not None:
            raised.append(cycle)
            since, enough = narrow[1], min(2, len(narrow[0].signs))
    return raised


def tastes(rng: np.random.Generator, checkins: int, turns_at: int | None = None) -> list[int]:
    """The check-ins at which taste is said to have turned. From `turns_at` on the rater's utilities are drawn anew."""
    taste, other = (rng.normal(0, 1.0, ELITES) for _ in range(2))
    said: list[Comparison] = []
    raised, stands = list[int](), False
    for checkin in range(checkins):
        now = other if turns_at is not None and checkin >= turns_at else taste
        for _ in range(PAIRS):
            a, b = rng.choice(ELITES, 2, replace=False)
            wins = rng.random() < 1 / (1 + np.exp(now[b] - now[a]))
            said.append(Comparison(int(a), int(b), "left" if wins else "right"))
        p = halves(said) if len(said) >= 40 else 1.0
        if p < TASTE_ALPHA and not stands:
            raised.append(checkin)
        stands = p < (TASTE_ENDS if stands else TASTE_ALPHA)
    return raised


def halves(said: list[Comparison], items: int = ELITES) -> float:
    """As `gen_emerge.agreeing.taste` does it with one rater's stored answers."""
    parts = said[: len(said) // 2], said[len(said) // 2 :]
    common = sorted(set.intersection(*({item for c in part for item in (c.left, c.right)} for part in parts)))
    if len(common) < 3:
        return 1.0
    figures: list[np.ndarray] = []
    for part in parts:
        fit = fit_bradley_terry(part, items)
        figures += [np.asarray(fit.utilities)[common], np.asarray(fit.standard_errors)[common]]
    return taste_shift(*figures).p


def bettering(rng: np.random.Generator, checkins: int, by: float) -> list[int]:
    """Alarms of one taste that never turns, in a series whose every elite is replaced by a better one in its time.

    A check-in replaces three of thirty, asks one baseline image against an elite, and three pairs of elites.
    """
    worth = list(rng.normal(0, 1.0, ELITES))
    baseline, today = list(range(10)), list(range(ELITES))
    said: list[Comparison] = []
    raised, stands = list[int](), False
    for checkin in range(checkins):
        for place in rng.choice(ELITES, 3, replace=False):
            today[place] = len(worth)
            worth.append(rng.normal(by * checkin / checkins, 1.0))
        pairs = [(baseline[checkin % 10], int(rng.choice([e for e in today if e != baseline[checkin % 10]])))]
        pairs += [tuple(int(e) for e in rng.choice(today, 2, replace=False)) for _ in range(PAIRS - 1)]
        for a, b in pairs:
            wins = rng.random() < 1 / (1 + np.exp(worth[b] - worth[a]))
            said.append(Comparison(a, b, "left" if wins else "right"))
        p = halves(said, len(worth)) if len(said) >= 40 else 1.0
        if p < TASTE_ALPHA and not stands:
            raised.append(checkin)
        stands = p < (TASTE_ENDS if stands else TASTE_ALPHA)
    return raised


def repeats_it_takes(rng: np.random.Generator, sd: float, raters: int = 4_000) -> dict[str, float]:
    """What asking five pairs of baseline images again and again would tell: the same answer, with and without a turn.

    `answers`: about so many after a complete turn, one a check-in, until an alarm at `TASTE_ALPHA` has a power of 0.8;
    the rater's share without a turn taken as known, which it never is.
    """
    from scipy.special import expit, ndtri

    was, other = (expit(rng.normal(0, sd * np.sqrt(2), raters)) for _ in range(2))
    still, turned = (float(np.mean(was * now + (1 - was) * (1 - now))) for now in (was, other))
    spread = [np.sqrt(share * (1 - share)) for share in (still, turned)]
    needed = ((ndtri(1 - TASTE_ALPHA) * spread[0] + ndtri(0.8) * spread[1]) / (still - turned)) ** 2
    return {"alike_without_a_turn": still, "alike_after_one": turned, "answers": float(np.ceil(needed))}


def taste_alone(runs: int, first: int) -> dict[str, object]:
    rng = np.random.default_rng(first)
    found: dict[str, object] = {
        "alarms_in_40_check_ins_of_one_taste": mean([float(len(tastes(rng, 40))) for _ in range(runs)], rng)
    }
    for by in (1.0, 3.0):
        counts = [float(len(bettering(rng, 40, by))) for _ in range(runs)]
        found[f"the same, in a series that gets better by {by:g} sd"] = mean(counts, rng)
    for sd in (1.0, 2.0):
        found[f"pairs of baseline images asked again, utilities of sd {sd:g}"] = repeats_it_takes(rng, sd)
    return found


def still_run(rng: np.random.Generator, likeness: float) -> Counter[str]:
    images, checkins = CYCLES * BATCH, CYCLES // CHECKIN
    found: Counter[str] = Counter()
    for _ in range(3):
        found["signals"] += len(Watch().extend(alike(rng, images, likeness)))
    for rate in (0.02, 0.1):
        found["detectors"] += len(RateWatch().extend(flags(rng, rate, images, likeness)))
    found["review rate"] += len(RateWatch().extend(flags(rng, 0.22, images, likeness)))
    answers = rng.random(checkins * (SINGLES + PAIRS)) < 0.8
    found["agreement"] += len(RateWatch(least=40, every=1).extend(answers))
    found["narrowing"] += len(narrowings(still_variety(rng)))
    found["taste"] += len(tastes(rng, checkins))
    return found


def false_alarms(runs: int, seed: int, likeness: float) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    found = [still_run(rng, likeness) for _ in range(runs)]
    totals = [each.total() for each in found]
    return {
        "alarms_in_5000_images_over_everything": mean([float(t) for t in totals], rng),
        "runs_with_more_than_one": share(sum(t > 1 for t in totals), runs),
        "by_kind": {name: sum(each[name] for each in found) / runs for name in found[0]},
    }


# ---- what moves --------------------------------------------------------------------------------------------------


def delays(found: list[int | None], within: int, unit: str) -> dict[str, object]:
    known = [d for d in found if d is not None]
    return {
        "unit": unit,
        "median": float(np.median(known)) if known else None,
        "percentile_95": float(np.percentile([d if d is not None else 10**6 for d in found], 95)) if known else None,
        f"within_{within}": share(sum(d <= within for d in known), len(found)),
    }


def narrowing_run(rng: np.random.Generator, at: int, fall: float, opens: float) -> int | None:
    """Cycles until a narrowing from cycle `at` on is named: distance falls by `fall` sds, new cells to a share."""

    def figures() -> Iterator[tuple[int, dict[str, float], float]]:
        for cycle, found, opened in still_variety(rng):
            if cycle > at + 200:
                return
            if cycle > at:
                found["batch_mean_pairwise_distance"] -= fall * DISTANCE_SD
                opened = float(rng.binomial(int(opened), opens))
            yield cycle, found, opened

    return next((cycle - at for cycle in narrowings(figures()) if cycle > at), None)


def rate_run(rng: np.random.Generator, before: float, after: float, at: int, count: int, **options: int) -> int | None:
    flags_of = np.concatenate([rng.random(at) < before, rng.random(count) < after])
    return next((s.named - at for s in RateWatch(**options).extend(flags_of) if s.named > at), None)  # type: ignore[arg-type]


def named(runs: int, seed: int) -> dict[str, object]:
    def of(run: Callable[[np.random.Generator], int | None], within: int, unit: str) -> dict[str, object]:
        rng = np.random.default_rng(seed)
        return delays([run(rng) for _ in range(runs)], within, unit)

    found = narrowings_named(of)
    for before, after in ((0.22, 0.4), (0.05, 0.15), (0.02, 0.2)):
        what = f"a share goes from {before:.0%} to {after:.0%} after 1,000 images"
        found[what] = of(lambda rng, b=before, a=after: rate_run(rng, b, a, 1000, 800), 200, "images")
    found["agreement goes from 80% to 40% after 60 answers"] = of(
        lambda rng: rate_run(rng, 0.8, 0.4, 60, 200, least=40, every=1), 50, "answers"
    )
    rng = np.random.default_rng(seed)
    turned = [tastes(rng, 40, 15) for _ in range(max(runs // 2, 20))]
    late = [next((c - 15 for c in each if c >= 15), None) for each in turned]
    found["taste is another from check-in 15 on"] = delays(late, 10, "check-ins")
    return found


Of = Callable[[Callable[[np.random.Generator], int | None], int, str], dict[str, object]]


def narrowings_named(of: Of) -> dict[str, object]:
    found: dict[str, object] = {}
    for at in (100, 300):
        for fall in (1.0, 2.0, 4.0):
            what = f"narrowing at cycle {at}: distance {fall:g} sd lower, a tenth of the new cells"
            found[what] = of(lambda rng, at=at, fall=fall: narrowing_run(rng, at, fall, 0.1), 25, "cycles")
    found["narrowing at cycle 100: distance 2 sd lower, as many new cells"] = of(
        lambda rng: narrowing_run(rng, 100, 2.0, 1.0), 25, "cycles"
    )
    return found


def narrowing_alone(runs: int, first: int) -> dict[str, object]:
    """Narrowing's part of everything, for when its rule alone has changed."""
    rng = np.random.default_rng(first)
    counts = [float(len(narrowings(still_variety(rng)))) for _ in range(runs)]

    def of(run: Callable[[np.random.Generator], int | None], within: int, unit: str) -> dict[str, object]:
        rng = np.random.default_rng(first + 2)
        return delays([run(rng) for _ in range(runs)], within, unit)

    return {"alarms_in_5000_images": mean(counts, rng), "named": narrowings_named(of)}


# ---- what it costs -----------------------------------------------------------------------------------------------


def cost(images: int, seed: int = 1) -> dict[str, float]:
    """Processor milliseconds an image, cycle by cycle, of all that is watched in every cycle."""
    rng = np.random.default_rng(seed)
    signals, reviews, figures = [Watch() for _ in range(3)], RateWatch(), Figures()
    spent: list[float] = []
    for cycle in range(1, images // BATCH + 1):
        values, waits = rng.normal(size=(3, BATCH)), rng.random(BATCH) < 0.22
        found = {"batch_mean_pairwise_distance": float(rng.normal()), "elites_vendi": 20.0, "cells_filled": CELLS}
        began = time.process_time()
        for watch, own in zip(signals, values, strict=True):
            watch.extend(own)
        reviews.extend(waits)
        figures.add(cycle, found, 1.0)
        figures.narrowing()
        spent.append(1e3 * (time.process_time() - began) / BATCH)
    parts = np.array(spent)
    return {
        "images": images,
        "ms_an_image": float(parts.mean()),
        "while_the_reference_grows": float(parts[: 1400 // BATCH].mean()),
        "the_last_1000_images": float(parts[-1000 // BATCH :].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=120)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--narrowing", action="store_true", help="narrowing alone, into narrowing.json")
    parser.add_argument("--taste", action="store_true", help="taste alone, into taste.json")
    arguments = parser.parse_args()
    runs, began = arguments.runs, time.process_time()
    for name, alone in (("narrowing", narrowing_alone), ("taste", taste_alone)):
        if getattr(arguments, name):
            result = alone(runs, arguments.first)
            print(json.dumps(result, indent=1))
            if arguments.out:
                (arguments.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
            return
    result = {
        "versions": f"Python {platform.python_version()}, NumPy {np.__version__}",
        "cost": cost(100_000),
        "false_alarms": {
            "independent images": false_alarms(runs, arguments.first, 0.0),
            "a batch shares a tenth of the variance": false_alarms(runs, arguments.first + 1, 0.1),
        },
        "named": named(runs, arguments.first + 2),
    }
    result["processor_seconds"] = round(time.process_time() - began)
    print(json.dumps(result, indent=1))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "alarms.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
