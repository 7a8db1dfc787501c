"""Takes what could be compared and what was; gives the pairs of one round. Pure functions of ids and chance.

Contests of cells come first: only there can an answer turn a cell. The rest goes where the order of the elites gains
most (`choosing.py`). One pair may set takes of a genome side by side, one compares with a baseline image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from gen_emerge.preference.asked import Asked, least, shuffled

CONTESTS = 2
"""So many pairs of a round, one where there are but two, are kept for holders against images of their own cells."""
ADHERENCE_EVERY = 3
"""One pair in so many asks for adherence to the prompt instead of quality."""
BASELINES = 10
"""So many elites are frozen at the first check-in."""

Pair = tuple[int, int]


class Contest(NamedTuple):
    """A holder and an accepted image of the same cell that does not hold it: a human's word may turn them.

    `tie`: their duel was undecided; `cycle`: when they met last.
    """

    holder: int
    challenger: int
    tie: bool
    cycle: int


def contested(contests: Iterable[Contest], asked: Asked, wanted: int, rng: np.random.Generator) -> list[Pair]:
    """The closest decisions nobody was asked about: ties first, then the newest; equals by chance, one a holder."""
    alike: dict[tuple[bool, int], list[Contest]] = defaultdict(list)
    for contest in contests:
        if frozenset((contest.holder, contest.challenger)) not in asked.pairs:
            alike[not contest.tie, -contest.cycle].append(contest)
    chosen: dict[int, Pair] = {}
    for key in sorted(alike):
        for contest in shuffled(sorted(alike[key]), rng) if len(chosen) < wanted else ():
            if len(chosen) < wanted:
                chosen.setdefault(contest.holder, (contest.holder, contest.challenger))
    return list(chosen.values())


def reserved(wanted: int) -> int:
    """How many of so many pairs are kept for contests."""
    return min(CONTESTS, (wanted + 1) // 2)


def in_turn(
    contests: Sequence[Pair], others: Sequence[Pair], number: int
) -> list[tuple[Pair, Literal["quality", "adherence"]]]:
    """All pairs in the order in which they are asked. Only quality decides a cell: others take adherence's turns."""
    pairs: list[tuple[Pair, Literal["quality", "adherence"]]] = []
    waiting, rest = list(contests), list(others)
    while waiting or rest:
        turn = "adherence" if (number + len(pairs)) % ADHERENCE_EVERY == 0 else "quality"
        if rest and (turn == "adherence" or not waiting):
            pairs.append((rest.pop(0), turn))
        else:
            pairs.append((waiting.pop(0), "quality"))
    return pairs


def pair_of_takes(takes: Mapping[int, Sequence[int]], asked: Asked, rng: np.random.Generator) -> list[Pair]:
    """One genome's chosen take and another of it, by chance among the genomes nobody was asked about; [] if none is.

    By chance alone, and whatever the gates said of the chosen take: what is asked shall speak for all choices.
    """
    open_ones = [
        chosen for chosen in sorted(takes) if not any(frozenset((chosen, n)) in asked.pairs for n in takes[chosen])
    ]
    if not open_ones:
        return []
    chosen = open_ones[int(rng.integers(len(open_ones)))]
    others = takes[chosen]
    return [(chosen, others[int(rng.integers(len(others)))])]


def baseline_pair(frozen: Sequence[int], elites: Iterable[int], asked: Asked, rng: np.random.Generator) -> list[Pair]:
    """A baseline image, those compared least first, against one of today's elites by chance; [] where all have met.

    By chance alone: then how often elites are preferred to the baseline means the same in every check-in. Another
    baseline image that still holds its cell is met only where there are no other elites.
    """
    today, order = set(elites), least(shuffled(frozen, rng), asked.baselines)
    for pool in (sorted(today - set(frozen)), sorted(today)):
        for baseline in order:
            able = [e for e in pool if e != baseline and frozenset((baseline, e)) not in asked.pairs]
            if able:
                return [(baseline, able[int(rng.integers(len(able)))])]
    return []


def spread_out(elites: Mapping[int, Sequence[float]], count: int, rng: np.random.Generator) -> tuple[int, ...]:
    """So many elites, or all, drawn by chance and spread over the map.

    The next one with a chance that grows with the square of its distance from the nearest drawn (Arthur & Vassilvitskii
    2007, "k-means++: the advantages of careful seeding", section 2.2).

    Args:
        elites: candidate id -> (axes,) its place on the map, in units in which distances compare.
        count: how many.
        rng: draws them.
    """
    ids = sorted(elites)
    if len(ids) <= count:
        return tuple(ids)
    places = np.array([elites[i] for i in ids], dtype=np.float64).reshape(len(ids), -1)
    chosen = [int(rng.integers(len(ids)))]
    nearest = np.full(len(ids), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((places - places[chosen[-1]]) ** 2).sum(axis=1))
        nearest[chosen] = 0.0
        # Where all that are left lie on those drawn, all are alike.
        weights = nearest if nearest.any() else np.isin(np.arange(len(ids)), chosen, invert=True).astype(np.float64)
        chosen.append(int(rng.choice(len(ids), p=weights / weights.sum())))
    return tuple(sorted(ids[place] for place in chosen))
