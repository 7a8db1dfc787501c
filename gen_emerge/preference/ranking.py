"""Takes duels one by one; gives who would win and who is ranked first. A function of the list of duels alone.

Only quality duels count: adherence is another question, and so is which take of a genome should have gone on. Nothing
here asks anybody anything.
"""

from __future__ import annotations

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gen_emerge.preference.bradley_terry import Fit
from gen_emerge.preference.duel_table import SCALE_FIRST, DuelTable
from gen_emerge.preference.evidence import PSEUDO_SD
from gen_emerge.preference.judges import TRIED, WEIGHED_FIRST, critic_weight, faded, people_weights, weigh_again_at
from gen_emerge.preference.verdicts import withdraw
from gen_emerge.types import HUMAN, Duel, Side

HELD_OUT_BLOCK = 10
"""Human verdicts are predicted in blocks of so many, by a fit on everything before the block."""
HELD_OUT_LEAST = 30
"""So many predictions at least before the model may be believed."""
BELIEF = math.log(20.0)
"""Nats that the model's predictions must have won against a coin before it may be believed.

What it and a coin gave to what people then said, as a ratio, is a fair bet against the coin: were people's verdicts a
coin's, the stake would ever become 20 times as much, however long one plays and looks, in 1 of 20 series at most (Ville
1939; Shafer 2021, "Testing by betting").
"""


@dataclass(slots=True)
class _Oracle:
    """The model of the first `at` duels under some weights, which foretells verdicts that come later."""

    at: int
    weights: Mapping[str, float]
    fit: Fit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foretold:
    """What foretelling the verdict at `at` lost, in nats; `trials`: (critic, its weight) -> under that weight."""

    at: int
    loss: float
    trials: Mapping[tuple[str, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighing:
    """Weights that count from the duel at `at` on, before which people decided `verdicts`; `trials` beside them."""

    at: int = -1
    verdicts: int = 0
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    trials: Mapping[tuple[str, float], _Oracle] = field(default_factory=dict[tuple[str, float], _Oracle])


class DuelPreference:
    """Who beats whom, from stored duels (implements `Preference`).

    A human's direct verdict between two images is always sure. The Bradley-Terry fit is believed only once it has
    predicted human verdicts it had not seen better than a coin, by `BELIEF`. What a duel of each judge counts for is
    learned from such predictions (`judges.py`).

    Args:
        probability: how sure the fit must be before it settles a duel, in (0.5, 1).
    """

    def __init__(self, probability: float = 0.9) -> None:
        self.probability = probability
        self._duels: list[Duel] = []
        self._table = DuelTable()
        self._verdicts: dict[tuple[int, int], dict[str, int | None]] = {}
        self._critics: dict[tuple[int, int], int | None] = {}
        self._decided: list[int] = []
        self._foretold: list[_Foretold] = []
        self._oracles: list[_Oracle] = []
        self._weighings = [_Weighing()]
        self._scales: dict[int, float] = {}
        self._fit: Fit | None = None
        self._held: tuple[float, float] | None = None

    def add(self, duel: Duel) -> None:
        """Take in one duel, in the order in which they happened.

        Once a verdict is withdrawn, all is as if it had never been said. A verdict between takes of one genome judges
        the selector, not images that could ever meet: nothing is learned from it. Nor from a pair that was repeated to
        see whether its rater is consistent: the first answer counts, and once. What a head settles it has learned from
        the same answers: counted again they would pass for more than was said.
        """
        if duel.question != "quality" or duel.purpose == "take" or duel.attention or duel.by_head:
            return
        if duel.purpose != "withdrawn":
            self._duels.append(duel)
        elif (place := withdraw(self._duels, duel)) is not None:
            self._forget_from(place)

    def copy(self) -> DuelPreference:
        """Another one that knows the same; what either takes in from now on is its own."""
        self._catch_up()
        twin = copy.copy(self)
        twin._table = copy.deepcopy(self._table)
        for name in ("_duels", "_decided", "_foretold", "_oracles", "_weighings", "_scales"):
            setattr(twin, name, copy.copy(getattr(self, name)))
        twin._critics = dict(self._critics)
        twin._verdicts = {pair: dict(said) for pair, said in self._verdicts.items()}
        return twin

    @property
    def weights(self) -> Mapping[str, float]:
        """Judge -> what one of its duels counts for, where that was learned: see `judges.weight_of`."""
        self._catch_up()
        return self._weighings[-1].weights

    def _forget_from(self, place: int) -> None:
        """What the duels from this place on taught; those that stand are taken in anew."""
        if place >= len(self._table):
            return
        self._table.truncate(place)
        self._decided = [at for at in self._decided if at < place]
        self._foretold, self._held = [each for each in self._foretold if each.at < place], None
        self._oracles = [each for each in self._oracles if each.at < place]
        self._weighings = [each for each in self._weighings if each.at < place]
        self._scales = {count: sd for count, sd in self._scales.items() if count <= place}
        self._verdicts, self._critics = {}, {}
        for duel in self._duels[:place]:
            self._keep_verdict(duel)
        self._fit = None

    def _catch_up(self) -> None:
        while len(self._table) < len(self._duels):
            self._take(self._duels[len(self._table)])

    def _take(self, duel: Duel) -> None:
        self._keep_verdict(duel)
        # The pairs of one ranking foretell each other: a model that saw some has not earned the others.
        if duel.by_human and duel.outcome != "tie" and duel.order != "ranking":
            self._foretell(duel)
        self._table.append(duel)
        self._fit = None

    def recorded(self, challenger: int, incumbent: int) -> Side | None:
        """What was said of exactly these two: by most humans (see `sure`), else by a critic last; None for nothing.

        Args:
            challenger: candidate id, "left".
            incumbent: candidate id, "right".
        """
        self._catch_up()
        direct = self._direct(challenger, incumbent)
        if direct is not None or _pair(challenger, incumbent) not in self._critics:
            return direct
        winner = self._critics[_pair(challenger, incumbent)]
        return "tie" if winner is None else "left" if winner == challenger else "right"

    def sure(self, challenger: int, incumbent: int, probability: float | None = None) -> Side | None:
        """Give "left" (challenger) or "right" (incumbent) when it can be settled without asking, else None.

        Direct human verdicts come first: each rater's last counts once; the majority wins; a majority for neither
        leaves the incumbent, as every tie does.

        Args:
            challenger: candidate id.
            incumbent: candidate id.
            probability: how sure the fit must be; None for the one given at the start.
        """
        self._catch_up()
        direct = self._direct(challenger, incumbent)
        if direct is not None:
            return direct
        if not self.believed or challenger not in self._table.place or incumbent not in self._table.place:
            return None
        wanted = self.probability if probability is None else probability
        fit, left, right = self._fitted(), self._table.place[challenger], self._table.place[incumbent]
        # What is left open only draws a chance towards a half: where the mode is not sure, no solve is needed.
        if 1.0 - wanted < fit.probability(left, right) < wanted:
            return None
        chance = fit.expected_probability(left, right)
        if chance >= wanted:
            return "left"
        return "right" if chance <= 1.0 - wanted else None

    def best(self, among: Collection[int] | None = None) -> int | None:
        """Candidate ranked first by utility, the oldest of equals; None when none was ever compared.

        The prior draws the utilities of images seldom compared towards the middle, so one lucky win is not enough.

        Args:
            among: candidates allowed, such as the current elites; None for all.
        """
        self._catch_up()
        known = self._table.ids if among is None else [i for i in among if i in self._table.place]
        return min(known, key=self._standing, default=None)

    def ranked(self, among: Collection[int]) -> list[int]:
        """Those of `among` that were ever compared, as `best` would name them one after the other."""
        self._catch_up()
        return sorted((i for i in among if i in self._table.place), key=self._standing)

    def linked(self, among: Collection[int]) -> dict[int, float]:
        """Utility, in log-odds, of the largest group of `among` that comparisons link to one another.

        Between images that nothing links the model knows no order: what it says of them is the prior's.
        """
        self._catch_up()
        known = [i for i in among if i in self._table.place]
        if not known:
            return {}
        fit = self._fitted()
        group = {i: int(fit.components[self._table.place[i]]) for i in known}
        sizes = Counter(group.values())
        largest = min(sizes, key=lambda one: (-sizes[one], one))
        return {i: float(fit.utilities[self._table.place[i]]) for i in known if group[i] == largest}

    def _standing(self, candidate: int) -> tuple[float, int]:
        return -round(float(self._fitted().utilities[self._table.place[candidate]]), 6), candidate

    @property
    def believed(self) -> bool:
        """True once the fit has won `BELIEF` against a coin, foretelling human verdicts it had not seen."""
        found = self.held_out()
        return found is not None and len(self._foretold) >= HELD_OUT_LEAST and found[1] >= BELIEF

    def held_out(self) -> tuple[float, float] | None:
        """Of human verdicts foretold: mean log-loss, and what was won against a coin in all (nats). None below 2."""
        self._catch_up()
        if (count := len(self._foretold)) < 2:
            return None
        if self._held is None:
            lost = math.fsum(each.loss for each in self._foretold)
            self._held = lost / count, count * math.log(2.0) - lost
        return self._held

    def _keep_verdict(self, duel: Duel) -> None:
        if duel.by_human:
            self._verdicts.setdefault(_pair(duel.left, duel.right), {})[duel.judge] = _winner(duel)
        else:
            self._critics[_pair(duel.left, duel.right)] = _winner(duel)

    def _direct(self, challenger: int, incumbent: int) -> Side | None:
        verdicts = self._verdicts.get(_pair(challenger, incumbent))
        if not verdicts:
            return None
        winners = list(verdicts.values())
        return "left" if winners.count(challenger) > winners.count(incumbent) else "right"

    # ---- foretelling verdicts ------------------------------------------------------------------------------------

    def _foretell(self, duel: Duel) -> None:
        """Score predictions made before this verdict was known (prequential: Dawid 1984)."""
        at, verdicts, last = len(self._table), len(self._decided), self._weighings[-1]
        if at and verdicts == (weigh_again_at(last.verdicts) if last.verdicts else WEIGHED_FIRST):
            for oracle in last.trials.values():
                oracle.fit = None  # it has foretold all that it was for
            self._weighings.append(last := self._weigh(at, verdicts))
        if at and verdicts % HELD_OUT_BLOCK == 0:
            for earlier in self._oracles[-1:]:
                earlier.fit = None  # it has foretold all that it was for
            self._oracles.append(_Oracle(at, last.weights))
        self._decided.append(at)
        if self._oracles:
            loss = self._loss(self._oracles[-1], duel, averaged=True)
            trials = {key: self._loss(oracle, duel, averaged=False) for key, oracle in last.trials.items()}
            self._foretold.append(_Foretold(at=at, loss=loss, trials=trials))
            self._held = None

    def _loss(self, oracle: _Oracle, duel: Duel, *, averaged: bool) -> float:
        known, place = self._table.known(oracle.at), self._table.place
        left, right = (place.get(candidate, known) for candidate in (duel.left, duel.right))
        chance = 0.5
        if left < known and right < known:
            if oracle.fit is None:
                oracle.fit = self._table.fit(oracle.at, oracle.weights, self._scale(oracle.at))
            # Trials are compared with one another alone: the mode does for them, and costs no linear solve a verdict.
            chance = oracle.fit.expected_probability(left, right) if averaged else oracle.fit.probability(left, right)
        return -math.log(max(chance if duel.outcome == "left" else 1.0 - chance, 1e-12))

    def _weigh(self, at: int, verdicts: int) -> _Weighing:
        """What each judge counts for, by all that was foretold so far; and the weights of critics to be tried next."""
        lost: dict[str, dict[float, float]] = defaultdict(lambda: dict.fromkeys(TRIED, 0.0))
        for ago, each in enumerate(reversed(self._foretold), start=1):
            for (critic, weight), loss in each.trials.items():
                lost[critic][weight] += loss * faded(ago, len(self._foretold))
        weights = people_weights(self._table.of_people(at), self._table.known(at), self._scale(at))
        weights |= {critic: critic_weight(losses) for critic, losses in sorted(lost.items())}
        critics = sorted({judge for judge in self._table.judges if not judge.startswith(HUMAN)})
        trials = {(c, weight): _Oracle(at, {**weights, c: weight}) for c in critics for weight in TRIED}
        return _Weighing(at=at, verdicts=verdicts, weights=weights, trials=trials)

    # ---- fits ----------------------------------------------------------------------------------------------------

    def _fitted(self) -> Fit:
        if self._fit is None:
            count = len(self._table)
            self._fit = self._table.fit(count, self._weighings[-1].weights, self._scale(count))
        return self._fit

    def _scale(self, count: int) -> float:
        """The prior's sd, from the first 8, 12, 18, 27, ... duels: a function of the list, whenever it is asked for."""
        if count < SCALE_FIRST:
            return PSEUDO_SD
        due = SCALE_FIRST
        while due + due // 2 <= count:
            due += due // 2
        if due not in self._scales:
            weights = next(each.weights for each in reversed(self._weighings) if each.at < due)
            self._scales[due] = self._table.fit(due, weights, "evidence").prior_sd or PSEUDO_SD
        return self._scales[due]


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _winner(duel: Duel) -> int | None:
    """Candidate id, None at a tie."""
    return {"left": duel.left, "right": duel.right, "tie": None}[duel.outcome]
