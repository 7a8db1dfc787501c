"""Takes judgements, the images' looks and general signals; gives how well a head foretells what it has not seen. Pure.

Judgements are cut into blocks of neighbours (sharing images) and each block is foretold by a fit on those judgements
that share no image with it: no image is both learned from and foretold, even where this leaves a fit little. Every
general signal gets the same chance: a logistic regression on its differences, fitted on the same judgements.

A head may act only where its mean log-loss is lower than that of every general signal, and than a coin's, by a whole
95% interval: what it says beside the best signal is then told from chance. Intervals come from drawing whole screens
again (the pairs of one ranking, and two raters' words on one screen, hang together).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.preference.comparisons import Floats, Ints
from gen_emerge.preference.head import Looks
from gen_emerge.preference.head_fit import Judgements, fit_head

BLOCKS = 10
LEAST_TRAINING = 30
"""From fewer judgements nothing is foretold."""
LEAST_FORETOLD = 60
"""So many foretold judgements at least, and ..."""
LEAST_SCREENS = 30
"""... so many screens: of fewer an interval by drawing again is too narrow to be believed."""
LEVEL = 0.95
COIN = "coin"
_DRAWS = 4_000
_SIGNAL_SD = 2.0
"""Prior sd of a signal's weight, in log-odds a standard deviation: wide, so that a signal is as strong as it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """By how much a head's held-out log-loss is lower than another's, in nats a judgement, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What came of it.

    Args:
        foretold: judgements that were foretold; ties are not.
        left_out: those that were not, too few judgements being left that share no image with them.
        screens: how many screens they were given on.
        log_loss: name -> mean log-loss in nats, "head", "coin" and every general signal.
        accuracy: the same names, without "coin" -> share foretold right; a probability of one half counts half.
        gains: general signal, or "coin" -> what the head gains against it.
        sure: how many the head would have been sure about.
        sure_right: how many of those it foretold right.
        trained: mean number of judgements that a fit had.
    """

    foretold: int
    left_out: int
    screens: int
    log_loss: Mapping[str, float]
    accuracy: Mapping[str, float]
    gains: Mapping[str, Gain]
    sure: int
    sure_right: int
    trained: float

    @property
    def enough(self) -> bool:
        """Whether there are enough judgements to say anything."""
        return self.foretold >= LEAST_FORETOLD and self.screens >= LEAST_SCREENS

    @property
    def better(self) -> bool:
        """Whether the head beats everything else by its whole interval."""
        return self.enough and all(gain.low > 0.0 for gain in self.gains.values())

    @property
    def best_signal(self) -> str:
        """The general signal with the least log-loss; "" without any."""
        named = [name for name in self.gains if name != COIN]
        return min(named, key=lambda name: (self.log_loss[name], name), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """(m,) P(the left is preferred) by the head, NaN where nothing was foretold; the same of every signal.

    `left_out`: how many were wanted and not foretold; `trained`: how many judgements each fit had.
    """

    head: Floats
    signals: Mapping[str, Floats]
    left_out: int
    trained: tuple[int, ...]


def foretell(
    looks: Looks,
    said: Judgements,
    signals: Mapping[str, Floats],
    *,
    rater: str | None = None,
    beside: Judgements | None = None,
) -> Foretold:
    """Foretell every judgement that is no tie, by fits that never saw either of its images.

    Args:
        looks: the images.
        said: what people said.
        signals: name -> (n,) raw value of every image, NaN where it was not measured.
        rater: whose taste: only theirs are foretold, all are learned from.
        beside: further comparisons to learn from, never foretold.
    """
    head, others = np.full(len(said), np.nan), {name: np.full(len(said), np.nan) for name in signals}
    trained: list[int] = []
    wanted = (said.outcome != 0) & (said.rater == rater if rater is not None else np.ones(len(said), dtype=np.bool_))
    for block in blocks(said):
        test = np.zeros(len(said), dtype=np.bool_)
        test[block] = True
        held = np.unique(np.concatenate([said.left[test], said.right[test]]))
        clean = said.where(~(np.isin(said.left, held) | np.isin(said.right, held)))
        test &= wanted
        if len(clean) < LEAST_TRAINING or not test.any():
            continue
        trained.append(len(clean))
        more = clean if beside is None else _without(clean, beside, held)
        left, right = said.left[test], said.right[test]
        head[test] = fit_head(looks, more, rater=rater).probabilities(looks, left, right)
        for name, values in signals.items():
            others[name][test] = _by_signal(values, clean, left, right)
    left_out = int(np.sum(wanted & np.isnan(head)))
    return Foretold(head=head, signals=others, left_out=left_out, trained=tuple(trained))


def level_of(look: int) -> float:
    """The level of the interval at the k-th time that answers are looked at, the first 1: 0.95, then higher.

    Whoever looks often enough believes a head that learned from coins; the k-th look may err with 0.05 / (k (k + 1)) on
    the side that counts, which is 5% over all looks.
    """
    return 1.0 - 2.0 * (1.0 - LEVEL) / (look * (look + 1))


def weigh(said: Judgements, told: Foretold, *, sure: float, rng: np.random.Generator, look: int = 1) -> HeldOut:
    """Figures of what was foretold.

    Args:
        said: what people said.
        told: what was foretold of it.
        sure: probability from which the head would settle a duel.
        rng: a generator of these figures alone.
        look: how often these answers, or the first of them, were looked at, this time included.
    """
    seen = ~np.isnan(told.head)
    won, screen = said.outcome[seen] == 1, said.screen[seen]
    chances = {"head": told.head[seen], **{name: values[seen] for name, values in told.signals.items()}}
    losses = {name: log_losses(chance, won) for name, chance in chances.items()}
    losses[COIN] = np.full(len(won), math.log(2.0))
    level, others = level_of(look), [name for name in losses if name != "head"]
    gains = {name: gained(losses[name] - losses["head"], screen, rng, level) for name in others}
    certain = np.maximum(chances["head"], 1.0 - chances["head"]) >= sure
    right = (chances["head"] > 0.5) == won
    return HeldOut(
        foretold=len(won),
        left_out=told.left_out,
        screens=len(np.unique(screen)),
        log_loss={name: float(loss.mean()) if len(loss) else math.nan for name, loss in losses.items()},
        accuracy={name: _accuracy(chance, won) for name, chance in chances.items()},
        gains=gains,
        sure=int(certain.sum()),
        sure_right=int((certain & right).sum()),
        trained=float(np.mean(told.trained)) if told.trained else 0.0,
    )


def log_losses(chances: Floats, won: NDArray[np.bool_]) -> Floats:
    """(m,) log-loss of each probability, in nats."""
    return -np.log(np.clip(np.where(won, chances, 1.0 - chances), 1e-12, 1.0))


def gained(differences: Floats, screen: Ints, rng: np.random.Generator, level: float = LEVEL) -> Gain:
    """The mean of (m,) differences with an interval by drawing whole screens again (Efron and Tibshirani 1993)."""
    if not len(differences):
        return Gain(value=math.nan, low=-math.inf, high=math.inf)
    _, place = np.unique(screen, return_inverse=True)
    sums, counts = np.bincount(place, differences), np.bincount(place)
    drawn = rng.integers(0, len(sums), (_DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Gain(value=float(differences.mean()), low=float(low), high=float(high))


def blocks(said: Judgements) -> list[Ints]:
    """The judgements in `BLOCKS` blocks of neighbours: whole screens, walked along the images that they share.

    Blocks of neighbours touch fewer images than blocks by chance, so each leaves more judgements to learn from.
    """
    of_image: dict[int, list[int]] = defaultdict(list)
    of_screen: dict[int, list[int]] = defaultdict(list)
    for place, (left, right, screen) in enumerate(
        zip(said.left.tolist(), said.right.tolist(), said.screen.tolist(), strict=True)
    ):
        of_screen[screen].append(place)
        for image in (left, right):
            of_image[image].append(screen)
    order: list[int] = []
    seen: set[int] = set()
    for first in of_screen:
        waiting = [first]
        while waiting:
            screen = waiting.pop(0)
            if screen in seen:
                continue
            seen.add(screen)
            order.extend(of_screen[screen])
            images = {i for place in of_screen[screen] for i in (int(said.left[place]), int(said.right[place]))}
            waiting.extend(other for image in sorted(images) for other in of_image[image] if other not in seen)
    # Cut between screens only.
    screens = said.screen[order] if order else np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, screens[1:] != screens[:-1]]) if order else np.zeros(0, dtype=np.int64)
    goals = np.arange(BLOCKS) * len(order) / BLOCKS
    cuts = np.unique(starts[np.minimum(np.searchsorted(starts, goals), len(starts) - 1)]) if order else []
    return (
        [np.array(part, dtype=np.int64) for part in np.split(np.array(order, dtype=np.int64), cuts[1:])]
        if order
        else []
    )


def _without(clean: Judgements, beside: Judgements, held: Ints) -> Judgements:
    more = beside.where(~(np.isin(beside.left, held) | np.isin(beside.right, held)))
    return joined(clean, more)


def joined(one: Judgements, other: Judgements) -> Judgements:
    """Both, one after the other; screens stay apart."""
    apart = int(one.screen.max(initial=-1)) + 1
    return Judgements(
        left=np.concatenate([one.left, other.left]),
        right=np.concatenate([one.right, other.right]),
        outcome=np.concatenate([one.outcome, other.outcome]),
        rater=np.concatenate([one.rater, other.rater]),
        screen=np.concatenate([one.screen, other.screen + apart]),
        weight=np.concatenate([one.weight, other.weight]),
    )


def _by_signal(values: Floats, clean: Judgements, left: Ints, right: Ints) -> Floats:
    """P(left is preferred) by one signal: a logistic regression without a constant, MAP, by Newton's method.

    A pair of which one image was not measured tells it nothing, and of such a pair it tells nothing.
    """
    apart = values[clean.left] - values[clean.right]
    used = np.isfinite(apart) & (clean.outcome != 0)
    x, y, weight = apart[used], clean.outcome[used] == 1, clean.weight[used]
    spread = math.sqrt(float(np.mean(x**2))) if len(x) else 0.0
    if spread < 1e-12:
        return np.full(len(left), 0.5)
    x = x / spread
    slope = 0.0
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-slope * x))
        pull = float(np.sum(weight * (y - chance) * x)) - slope / _SIGNAL_SD**2
        curve = float(np.sum(weight * chance * (1.0 - chance) * x**2)) + _SIGNAL_SD**-2
        slope += pull / curve
        if abs(pull / curve) < 1e-9:
            break
    away = (values[left] - values[right]) / spread
    return np.where(np.isfinite(away), 1.0 / (1.0 + np.exp(-slope * np.nan_to_num(away))), 0.5)


def _accuracy(chances: Floats, won: NDArray[np.bool_]) -> float:
    if not len(won):
        return math.nan
    return float(np.mean(np.where(chances == 0.5, 0.5, (chances > 0.5) == won)))
