"""A simulated rater, Swiss pairing, and how many judgements a strategy needs; used by the benches beside this file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gen_emerge.preference import Comparisons, Fit, fit_bradley_terry

Pairs = list[tuple[int, int]]


@dataclass
class Rater:
    """Answers by Bradley-Terry over `truth`; a lapse is a coin; `bias` is added, in log-odds, to what is shown left."""

    truth: np.ndarray
    rng: np.random.Generator
    lapses: float = 0.0
    bias: float = 0.0

    def prefers_left(self, left: int, right: int) -> bool:
        if self.rng.random() < self.lapses:
            return bool(self.rng.random() < 0.5)
        odds = self.truth[left] - self.truth[right] + self.bias
        return bool(self.rng.random() < 1.0 / (1.0 + np.exp(-odds)))


@dataclass
class Judgements:
    """All answers so far, and every strategy's one estimator: MAP, the prior's scale learned as they grow by 25%."""

    n: int
    position: bool = False
    features: np.ndarray | None = None
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    outcome: list[int] = field(default_factory=list)
    _prior: float = 1.0
    _due: int = 8

    def ask(self, rater: Rater, pairs: Pairs) -> None:
        for left, right in pairs:
            self.left.append(left)
            self.right.append(right)
            self.outcome.append(1 if rater.prefers_left(left, right) else -1)

    def fit(self) -> Fit:
        many = Comparisons(
            left=np.array(self.left, np.int64),
            right=np.array(self.right, np.int64),
            outcome=np.array(self.outcome, np.int64),
        )
        if len(self.left) < self._due:
            return fit_bradley_terry(many, self.n, prior=self._prior, position=self.position)
        while self._due <= len(self.left):
            self._due += max(self._due // 4, 1)
        fit = fit_bradley_terry(many, self.n, prior="evidence", position=self.position)
        self._prior = fit.prior_sd or self._prior
        return fit


@dataclass
class Swiss:
    """Rounds of n / 2 pairs: neighbours in the order that have met least; the first round by chance."""

    n: int
    rng: np.random.Generator
    met: dict[frozenset[int], int] = field(default_factory=dict)

    def next_round(self, utilities: np.ndarray) -> Pairs:
        by_chance = self.rng.permutation(self.n)
        waiting = [int(item) for item in by_chance[np.argsort(-utilities[by_chance], kind="stable")]]
        pairs: Pairs = []
        while len(waiting) > 1:
            one = waiting.pop(0)
            place = min(range(len(waiting)), key=lambda p: self.met.get(frozenset((one, waiting[p])), 0))
            other = waiting.pop(place)
            self.met[frozenset((one, other))] = self.met.get(frozenset((one, other)), 0) + 1
            pairs.append((one, other) if self.rng.random() < 0.5 else (other, one))
        return pairs


def by_chance(n: int, count: int, rng: np.random.Generator) -> Pairs:
    left = rng.integers(0, n, count)
    return [(int(a), int((a + 1 + b) % n)) for a, b in zip(left, rng.integers(0, n - 1, count), strict=True)]


def kendall(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Kendall's tau; items that stand level count for neither (tau a)."""
    i, j = np.triu_indices(len(truth), 1)
    return float(np.mean(np.sign(estimate[i] - estimate[j]) * np.sign(truth[i] - truth[j])))


def crossing(x: np.ndarray, mean: np.ndarray, goal: float) -> float:
    """Where a mean curve first reaches the goal for good measure: interpolated; infinite when it never does."""
    above = np.flatnonzero(mean >= goal)
    if not len(above):
        return float("inf")
    k = int(above[0])
    if k == 0:
        return float(x[0])
    return float(x[k - 1] + (goal - mean[k - 1]) / (mean[k] - mean[k - 1]) * (x[k] - x[k - 1]))


def smooth(curves: np.ndarray, width: int) -> np.ndarray:
    """Running means along the last axis: one seed's luck at one point shall not decide where the mean crosses."""
    if width <= 1:
        return curves
    padded = np.concatenate(
        [np.repeat(curves[..., :1], width // 2, -1), curves, np.repeat(curves[..., -1:], width // 2, -1)], -1
    )
    total = np.cumsum(np.concatenate([np.zeros((*curves.shape[:-1], 1)), padded], -1), -1)
    return (total[..., width:] - total[..., :-width]) / width


def first_reached(x: np.ndarray, curves: np.ndarray, goal: float) -> np.ndarray:
    """(seeds,) where each seed's own curve is first at the goal; the last x when it never is."""
    reached = curves >= goal
    return np.where(reached.any(1), x[np.argmax(reached, 1)], x[-1])


def interval(values: Sequence[float]) -> list[float]:
    return [round(float(v), 3) for v in np.quantile(np.asarray(values), [0.025, 0.975])]


def paired(
    x: np.ndarray, ours: np.ndarray, theirs: np.ndarray, goal: float, measure: Callable[..., float], seed: int = 0
) -> dict[str, object]:
    """A measure of both on the same seeds, and their ratio, with intervals by drawing seeds again, 2,000 times."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(ours), (2_000, len(ours)))
    one = np.array([measure(x, ours[rows], goal) for rows in drawn])
    two = np.array([measure(x, theirs[rows], goal) for rows in drawn])
    a, b = measure(x, ours, goal), measure(x, theirs, goal)
    return {
        "ours": round(a, 3), "ours_95": interval(one), "theirs": round(b, 3), "theirs_95": interval(two),
        "ratio": round(a / b, 3), "ratio_95": interval(one / two),
    }  # fmt: skip
