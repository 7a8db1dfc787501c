"""Takes duels one by one; gives who would win and who is ranked first. A function of the list of duels alone.

Only quality duels count: adherence is another question, and so is which take of a genome should have gone on. Nothing
here asks anybody anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import Literal

import numpy as np

from gen_emerge.preference.bradley_terry import Fit, fit_bradley_terry
from gen_emerge.preference.comparisons import CODES, Comparisons
from gen_emerge.preference.evidence import PSEUDO_SD
from gen_emerge.preference.verdicts import withdraw
from gen_emerge.types import Duel, Side

HUMAN_WEIGHT = 1.0
"""How many judgements a human's verdict counts for."""
CRITIC_WEIGHT = 0.25
"""A critic's: four agreeing critic duels weigh as much as one human verdict. Stated, not yet learned."""
HELD_OUT_BLOCK = 10
"""Human verdicts are predicted in blocks of so many, by a fit on everything before the block."""
HELD_OUT_LEAST = 30
"""So many predictions at least before the model may be believed."""
_SCALE_FIRST = 8


class DuelPreference:
    """Who beats whom, from stored duels (implements `Preference`).

    A human's direct verdict between two images is always sure. The Bradley-Terry fit is believed only once it has
    predicted human verdicts it had not seen, better than a coin: mean log-loss plus its 95% half-width below ln 2.

    Args:
        probability: how sure the fit must be before it settles a duel, in (0.5, 1).
    """

    def __init__(self, probability: float = 0.9) -> None:
        self.probability = probability
        self._duels: list[Duel] = []
        self._forget()

    def _forget(self) -> None:
        self._taken = 0
        self._place: dict[int, int] = {}
        self._ids: list[int] = []
        self._left: list[int] = []
        self._right: list[int] = []
        self._outcome: list[int] = []
        self._weight: list[float] = []
        self._verdicts: dict[tuple[int, int], dict[str, int | None]] = {}
        self._fit: Fit | None = None
        self._scale = PSEUDO_SD
        self._scale_from = 0
        self._judge: tuple[Fit, int] | None = None
        self._losses: list[float] = []
        self._humans = 0

    def add(self, duel: Duel) -> None:
        """Take in one duel, in the order in which they happened.

        Once a verdict is withdrawn, all is as if it had never been said. A verdict between takes of one genome judges
        the selector, not images that could ever meet: nothing is learned from it. Nor from a pair that was repeated to
        see whether its rater is consistent: the first answer counts, and once.
        """
        if duel.question != "quality" or duel.purpose == "take" or duel.attention:
            return
        if duel.purpose != "withdrawn":
            self._duels.append(duel)
        elif withdraw(self._duels, duel):
            self._forget()

    def _catch_up(self) -> None:
        while self._taken < len(self._duels):
            self._taken += 1
            self._take(self._duels[self._taken - 1])

    def _take(self, duel: Duel) -> None:
        human = duel.by_human
        decisive = duel.outcome != "tie"
        if human:
            self._keep_verdict(duel)
            # The pairs of one ranking foretell each other: a model that saw some has not earned the others.
            if decisive and duel.order != "ranking":
                self._predict(duel)
        for candidate in (duel.left, duel.right):
            if candidate not in self._place:
                self._place[candidate] = len(self._ids)
                self._ids.append(candidate)
        self._left.append(self._place[duel.left])
        self._right.append(self._place[duel.right])
        self._outcome.append(CODES[duel.outcome])
        self._weight.append(HUMAN_WEIGHT if human else CRITIC_WEIGHT)
        self._fit = None

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
        if not self.believed or challenger not in self._place or incumbent not in self._place:
            return None
        wanted = self.probability if probability is None else probability
        fit = self._fitted()
        chance = fit.expected_probability(self._place[challenger], self._place[incumbent])
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
        known = self._ids if among is None else [i for i in among if i in self._place]
        return min(known, key=self._standing, default=None)

    def ranked(self, among: Collection[int]) -> list[int]:
        """Those of `among` that were ever compared, as `best` would name them one after the other."""
        self._catch_up()
        return sorted((i for i in among if i in self._place), key=self._standing)

    def linked(self, among: Collection[int]) -> dict[int, float]:
        """Utility, in log-odds, of the largest group of `among` that comparisons link to one another.

        Between images that nothing links the model knows no order: what it says of them is the prior's.
        """
        self._catch_up()
        known = [i for i in among if i in self._place]
        if not known:
            return {}
        fit = self._fitted()
        group = {i: int(fit.components[self._place[i]]) for i in known}
        sizes = Counter(group.values())
        largest = min(sizes, key=lambda one: (-sizes[one], one))
        return {i: float(fit.utilities[self._place[i]]) for i in known if group[i] == largest}

    def _standing(self, candidate: int) -> tuple[float, int]:
        return -round(float(self._fitted().utilities[self._place[candidate]]), 6), candidate

    @property
    def believed(self) -> bool:
        """True once the fit beats a coin on human verdicts it had not seen, by its own 95% interval."""
        log_loss = self.held_out()
        return log_loss is not None and len(self._losses) >= HELD_OUT_LEAST and log_loss[1] < math.log(2.0)

    def held_out(self) -> tuple[float, float] | None:
        """Mean held-out log-loss of human verdicts (nats), and the upper end of its 95% interval. None below 2."""
        self._catch_up()
        n = len(self._losses)
        if n < 2:
            return None
        mean = sum(self._losses) / n
        variance = sum((loss - mean) ** 2 for loss in self._losses) / (n - 1)
        return mean, mean + 1.96 * math.sqrt(variance / n)

    def _keep_verdict(self, duel: Duel) -> None:
        pair = (min(duel.left, duel.right), max(duel.left, duel.right))
        winner = {"left": duel.left, "right": duel.right, "tie": None}[duel.outcome]
        self._verdicts.setdefault(pair, {})[duel.judge] = winner

    def _direct(self, challenger: int, incumbent: int) -> Side | None:
        verdicts = self._verdicts.get((min(challenger, incumbent), max(challenger, incumbent)))
        if not verdicts:
            return None
        winners = list(verdicts.values())
        return "left" if winners.count(challenger) > winners.count(incumbent) else "right"

    def _predict(self, duel: Duel) -> None:
        """Score a prediction made before this verdict was known (prequential: Dawid 1984)."""
        if self._humans % HELD_OUT_BLOCK == 0 and self._left:
            self._judge = (self._fitted(), len(self._ids))
        self._humans += 1
        if self._judge is None:
            return
        fit, known = self._judge
        left, right = (self._place.get(i, known) for i in (duel.left, duel.right))
        chance = fit.expected_probability(left, right) if left < known and right < known else 0.5
        self._losses.append(-math.log(max(chance if duel.outcome == "left" else 1.0 - chance, 1e-12)))

    def _fitted(self) -> Fit:
        if self._fit is None:
            self._fit = self._fit_first(len(self._left), self._scale_now())
        return self._fit

    def _fit_first(self, count: int, prior: float | Literal["evidence"]) -> Fit:
        comparisons = Comparisons(
            left=np.array(self._left[:count], dtype=np.int64),
            right=np.array(self._right[:count], dtype=np.int64),
            outcome=np.array(self._outcome[:count], dtype=np.int64),
            weight=np.array(self._weight[:count], dtype=np.float64),
        )
        return fit_bradley_terry(comparisons, len(self._ids), prior=prior)

    def _scale_now(self) -> float:
        """The prior's sd, from the first 8, 12, 18, 27, ... duels: a function of the list, whenever it is asked for."""
        count = len(self._left)
        if count < _SCALE_FIRST:
            return PSEUDO_SD
        due = _SCALE_FIRST
        while due + due // 2 <= count:
            due += due // 2
        if due != self._scale_from:
            self._scale_from, self._scale = due, self._fit_first(due, "evidence").prior_sd or PSEUDO_SD
        return self._scale
