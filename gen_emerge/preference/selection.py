"""Takes the signals of N renders of one genome; gives which to keep, and how much of the possible gain a rule captures.

Works on numbers alone: rows are candidates, columns are signals, larger is better. Which signal is a reward, a personal
head or a distance turned round, is the caller's to say. A rule chooses among renders of *one* prompt and for export; it
never decides what enters the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, nearest

Table = NDArray[np.float64]
"""(candidates, signals) float64, larger is better."""


def best_of(values: NDArray[np.float64]) -> int:
    """The candidate with the largest value of one signal; the first of equals.

    Risk: whatever the signal overrates is chosen more the larger N is (the winner's curse); a reward model's taste for
    polish becomes the series' taste.

    Args:
        values: (n,) raw values of one signal.

    Raises:
        BadInput: no candidates, or a value that is not finite.
    """
    return int(np.argmax(_checked(np.asarray(values, np.float64).reshape(-1, 1))[:, 0]))


def weighted_sum(table: Table, weights: Sequence[float]) -> int:
    """The largest weighted sum of the signals' ranks within these N (0..1), so that units do not matter.

    Risk: a very bad signal can be bought back by a good one, weights are guesses, and no weights reach what lies in a
    dent of the Pareto front.

    Args:
        table: (n, signals).
        weights: (signals,) >= 0, not all 0.

    Raises:
        BadInput: wrong shapes, a negative weight, or nothing to choose from.
    """
    values = _checked(table)
    scale = np.asarray(weights, np.float64)
    if scale.shape != (values.shape[1],) or not (scale >= 0).all() or not scale.any():
        raise BadInput(
            f"{len(scale)} weights {scale.tolist()} for {values.shape[1]} signals: wanted one each, >= 0, not all 0."
        )
    return int(np.argmax(_standings(values) @ scale))


def lexicographic(table: Table, tolerances: Sequence[float]) -> int:
    """Best in the first signal; among those within its tolerance of the best, best in the second; and so on.

    Risk: with small tolerances the later signals never speak, and with large ones the first hardly does; a
    difference that is noise decides as much as a real one.

    Args:
        table: (n, signals), the most important first.
        tolerances: (signals,) >= 0, in each signal's own units; the last one's is not used.

    Raises:
        BadInput: wrong shapes, a negative tolerance, or nothing to choose from.
    """
    values = _checked(table)
    allowed = np.asarray(tolerances, np.float64)
    if allowed.shape != (values.shape[1],) or not (allowed >= 0).all():
        raise BadInput(f"Tolerances {allowed.tolist()} for {values.shape[1]} signals: wanted one each, >= 0.")
    left = np.arange(len(values))
    for column, tolerance in enumerate(allowed[:-1]):
        here = values[left, column]
        left = left[here >= here.max() - tolerance]
    return int(left[np.argmax(values[left, -1])])


def constrained(table: Table, floors: Sequence[float | None]) -> int | None:
    """Best in the last signal among those that reach every floor; None when nobody does.

    Risk: the floors decide, and a candidate just above all of them beats one that is far better and misses one by a
    hair; what the last signal overrates is still chosen.

    Args:
        table: (n, signals).
        floors: (signals,) in each signal's own units; None for no floor.

    Raises:
        BadInput: wrong shapes, or nothing to choose from.
    """
    values = _checked(table)
    if len(floors) != values.shape[1]:
        raise BadInput(f"{len(floors)} floors for {values.shape[1]} signals: wanted one each (None for no floor).")
    low = np.array([-np.inf if floor is None else floor for floor in floors], np.float64)
    left = np.flatnonzero((values >= low).all(1))
    return int(left[np.argmax(values[left, -1])]) if len(left) else None


def pareto_front(table: Table) -> NDArray[np.int64]:
    """Which candidates nobody beats: (m,) indices, ascending. Equal candidates are all on it.

    Risk: with many signals nearly everybody is on the front, and one signal that is noise puts anything there.

    Args:
        table: (n, signals).

    Raises:
        BadInput: nothing to choose from, or a value that is not finite.
    """
    values = _checked(table)
    at_least = (values[:, None] >= values[None]).all(2)
    more = (values[:, None] > values[None]).any(2)
    return np.flatnonzero(~(at_least & more).any(0)).astype(np.int64)


def pareto(table: Table) -> int:
    """The member of the front whose worst standing among these N is best; then the sum of standings; then the first.

    Risk: it prefers the unremarkable all-rounder to what is outstanding in one respect.

    Args:
        table: (n, signals).
    """
    front = pareto_front(table)
    standing = _standings(_checked(table))[front]
    order = np.lexsort((np.arange(len(front)), -standing.sum(1), -standing.min(1)))
    return int(front[order[0]])


RULES: Mapping[str, Callable[..., int | None]] = {
    "best": best_of,
    "weighted": weighted_sum,
    "lexicographic": lexicographic,
    "constrained": constrained,
    "pareto": pareto,
}


def choose(rule: str, table: Table, parameter: Sequence[Any] | None = None) -> int | None:
    """Choose by a rule's name.

    Args:
        rule: one of `RULES`. "best" reads the first signal.
        table: (n, signals).
        parameter: weights, tolerances or floors; a parameter left out means equal weights, tolerances of 0, no floors.

    Raises:
        BadInput: an unknown rule, or what the rule refuses.
    """
    if rule not in RULES:
        raise BadInput(f'There is no selection rule "{rule}".', hint=nearest(rule, RULES))
    values = _checked(table)
    if rule == "best":
        return best_of(values[:, 0])
    if rule == "pareto":
        return pareto(values)
    default = {"weighted": 1.0, "lexicographic": 0.0, "constrained": None}[rule]
    return RULES[rule](values, [default] * values.shape[1] if parameter is None else parameter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """How much of the possible gain a selector captured: 1 always the best, 0 as good as lots, below 0 worse.

    Args:
        value: the share; None when there was nothing to gain (all candidates of every group alike).
        low: lower end of the bootstrap interval over groups; None like `value`.
        high: upper end.
        level: the interval's coverage.
        groups: how many groups (prompts or genomes).
        gain: mean utility of the chosen less that of a random one, in the utility's units.
        possible: mean utility of the best less that of a random one.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    groups: int
    gain: float
    possible: float


def selector_efficiency(
    chosen: Sequence[int],
    utilities: Sequence[NDArray[np.float64]],
    *,
    rng: np.random.Generator,
    resamples: int = 2_000,
    level: float = 0.95,
) -> Efficiency:
    """(E[chosen] - E[random]) / (E[best] - E[random]) over groups, with a bootstrap interval over whole groups.

    The best is the best *as the human's answers have it*: with few answers a group, E[best] is too high and the share
    therefore too low. Compare selectors on the same groups rather than reading one figure alone.

    Args:
        chosen: (groups,) the index that the selector chose in each group.
        utilities: a group's (n,) utilities from human choices (Bradley-Terry, ranks turned round, or 0 / 1).
        rng: draws the groups again.
        resamples: how often.
        level: coverage of the percentile interval.

    Raises:
        BadInput: no groups, an index outside its group, or a utility that is not finite.
    """
    if not utilities or len(chosen) != len(utilities):
        raise BadInput(
            f"{len(chosen)} choices in {len(utilities)} groups: wanted one choice a group, one group or more."
        )
    won, possible = np.empty(len(chosen)), np.empty(len(chosen))
    for row, (pick, group) in enumerate(zip(chosen, utilities, strict=True)):
        values = _checked(np.asarray(group, np.float64).reshape(-1, 1))[:, 0]
        if not 0 <= pick < len(values):
            raise BadInput(
                f"Group {row + 1}: candidate {pick} was chosen of {len(values)}, wanted 0..{len(values) - 1}."
            )
        won[row], possible[row] = values[pick] - values.mean(), values.max() - values.mean()
    drawn = rng.integers(0, len(won), (resamples, len(won)))
    above, below = won[drawn].sum(1), possible[drawn].sum(1)
    shares = above[below > 0] / below[below > 0]
    known = bool(possible.sum() > 0)
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2]) if known and len(shares) else (0.0, 0.0)
    return Efficiency(
        value=float(won.sum() / possible.sum()) if known else None,
        low=float(low) if known else None,
        high=float(high) if known else None,
        level=level,
        groups=len(won),
        gain=float(won.mean()),
        possible=float(possible.mean()),
    )


def _standings(values: Table) -> Table:
    """Each value's share of the others it beats, ties half: 0 worst .. 1 best; (n, signals). One candidate: 1."""
    count = len(values)
    if count == 1:
        return np.ones_like(values)
    beaten = (values[:, None] > values[None]).sum(1) + (np.equal(values[:, None], values[None]).sum(1) - 1) / 2
    return beaten / (count - 1)


def _checked(table: Table) -> Table:
    values = np.asarray(table, np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise BadInput(f"There is nothing to choose from: {values.shape} of (candidates, signals).")
    if not np.isfinite(values).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(values))[0])
        raise BadInput(f"Signal {column + 1} of candidate {row + 1} is {values[row, column]}, wanted a finite number.")
    return values
