"""How much each judge's word counts: learned from what people said, and from nothing else. Pure functions.

A person's verdict counts once; of several people, the verdicts of those whose answers follow what they have in common
less count less (*reliability*, see `raters.py`): what an answer tells of a difference grows with the square of what it
multiplies the difference by. Nobody counts for more than a verdict, nobody is dropped.

A critic is worth what it helps to foretell people. Every weight of `TRIED` is tried beside the others: under each, what
people say is foretold before it is known (prequential: Dawid 1984, "Statistical theory: the prequential approach"), and
the critic counts from there on for what those forecasts make likely.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from gen_emerge.preference.bradley_terry import fit_bradley_terry
from gen_emerge.preference.comparisons import Comparisons
from gen_emerge.types import HUMAN

HUMAN_WEIGHT = 1.0
"""How many judgements a person's verdict counts for, until people are told apart."""
CRITIC_WEIGHT = 0.25
"""A critic's, until people's verdicts say more: four of its duels weigh as much as one verdict. Stated."""
TRIED = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""A critic's duel may come to weigh what lies between the first and the last of these. Never nothing: of images that no
person has seen, it knows the only order."""
WEIGHED_FIRST = 10
"""After so many decided verdicts the trials begin; they are looked at again whenever there are half as many more."""
_STEP = math.log(4.0)
"""Prior: a weight of a fourth, or four times, of the stated one is as far off as one sd (half a nat)."""


def weight_of(judge: str, weights: Mapping[str, float]) -> float:
    """What one duel of a judge counts for."""
    return weights.get(judge, HUMAN_WEIGHT if judge.startswith(HUMAN) else CRITIC_WEIGHT)


def weigh_again_at(verdicts: int) -> int:
    """How many verdicts there will be when weights are learned next."""
    return max(verdicts + WEIGHED_FIRST, verdicts + verdicts // 2)


def people_weights(verdicts: Comparisons, n_items: int, sd: float) -> dict[str, float]:
    """Judge -> what one verdict counts for, in (0, 1]; empty while nobody has anybody to differ from.

    Args:
        verdicts: what people said, with who said it.
        n_items: of how many images.
        sd: prior sd of a utility, in log-odds.
    """
    if verdicts.rater is None or len(set(verdicts.rater.tolist())) < 2:
        return {}
    fit = fit_bradley_terry(verdicts, n_items, prior=sd, raters=True)
    return {judge: min(reliability**2, HUMAN_WEIGHT) for judge, reliability in fit.reliability.items()}


def critic_weight(losses: Mapping[float, float]) -> float:
    """The weight that a critic's duels count for from now on, from the least to the greatest of `TRIED`.

    What was stated, moved by as much as the forecasts move the mean of its logarithm: one weight among four that do
    nearly as well would be chance's.

    Args:
        losses: weight -> summed log-loss, in nats, of what it foretold of people's verdicts.
    """
    steps = {weight: math.log(weight / CRITIC_WEIGHT) for weight in TRIED}
    before = {weight: -0.5 * (step / _STEP) ** 2 for weight, step in steps.items()}
    after = {weight: before[weight] - losses[weight] for weight in TRIED}
    moved = _mean(steps, after) - _mean(steps, before)
    return min(max(CRITIC_WEIGHT * math.exp(moved), min(TRIED)), max(TRIED))


def faded(verdicts_ago: int, verdicts: int) -> float:
    """What a forecast counts for: half as much with every fourth of all verdicts since.

    The more people have said, the less is left for a critic to add; what it was worth when they had said little would
    keep its weight too high (experiments/results/2026-11-28-judges).
    """
    return 0.5 ** (4.0 * verdicts_ago / verdicts)


def _mean(values: Mapping[float, float], log_weights: Mapping[float, float]) -> float:
    most = max(log_weights.values())
    chances = {key: math.exp(log_weights[key] - most) for key in values}
    return sum(chances[key] * values[key] for key in values) / sum(chances.values())
