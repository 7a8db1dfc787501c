"""Takes what could be asked and what already was; gives one round of questions. Pure functions of ids and chance.

A person's minute is the dearest thing here: pairs go where an answer may turn a cell (its holder against an image that
just missed it) and where the order of the elites gains most; some single images are raw, turned away by a gate, or no
threshold could be learned from the answers; nothing is asked twice but an easy pair now and then, to see who looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from gen_emerge.errors import BadInput, nearest
from gen_emerge.preference import pairs, screens
from gen_emerge.preference.asked import Asked, least, shuffled
from gen_emerge.preference.attention import easy_pair
from gen_emerge.preference.fitted import Fitted
from gen_emerge.protocols import RoundKind
from gen_emerge.types import Duel, HumanAnswer, Question, Round

SCREENS = 5
"""Questions of a round."""
CHECKIN_REVIEWS = 2
"""At most so many images of the review band in a check-in."""
RAW = 2
"""So many raw images in a round, one where images of the review band are asked about besides."""
TAKES_FROM = 2
"""A round of so many pairs or more keeps one of them for two takes of one genome, where there are any."""
RANKED_TOGETHER = 4
"""Images on a screen that is ranked ..."""
CALIBRATION_RANKED = 10
"""... and in a calibration round."""

Screens = Literal["pairs", "rank4"]
_KINDS = ("checkin", "pairs", "rank4", "ranking", "triplets", "keep", "review")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a round can be made of.

    Args:
        elites: candidate id -> (axes,) its place on the map, in units in which distances compare (cells).
        prompts: candidate id -> the text it was made from, for all ids here.
        review: ids waiting in the review band, the oldest first.
        raw: ids that a gate turned away.
        recent: ids accepted lately that hold no cell: they may be asked keep / discard besides the elites.
        contests: holders and who could take their cells; undecided ones are asked first, then the newest.
        takes: the take of a genome that was chosen -> the others; one pair of a round may set two of them side by side.
        duels: every stored duel.
        weights: judge -> what one of its duels counts for, where that was learned.
        answers: every answer that stands.
        earlier: every earlier round, in order, so that nothing already asked is asked again before the rest.
    """

    elites: Mapping[int, Sequence[float]]
    prompts: Mapping[int, str]
    review: Sequence[int] = ()
    raw: Sequence[int] = ()
    recent: Sequence[int] = ()
    contests: Iterable[pairs.Contest] = ()
    takes: Mapping[int, Sequence[int]] = field(default_factory=dict[int, Sequence[int]])
    duels: Sequence[Duel] = ()
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    answers: Sequence[HumanAnswer] = ()
    earlier: Sequence[Round] = ()


def open_round(
    kind: RoundKind | Literal["checkin"],
    material: Material,
    *,
    number: int,
    cycle: int,
    reason: Literal["scheduled", "request", "alarm"],
    rng: np.random.Generator,
    ranked: Screens = "pairs",
) -> Round | None:
    """Choose the questions of one round.

    Args:
        kind: "checkin" mixes pairs with single images; the others ask one kind alone.
        material: what could be asked, and what was.
        number: the round's number: its id is "r" and this, its questions "r3-1", "r3-2", ...
        cycle: the cycle it opens in.
        reason: why.
        rng: a generator of this round alone.
        ranked: whether a check-in compares elites two by two or ranks four.

    Returns:
        The round, of `SCREENS` questions at most, or None when there is nothing to ask.

    Raises:
        BadInput: an unknown kind.
    """
    if kind not in _KINDS:
        raise BadInput(f'Round kind "{kind}"; wanted {", ".join(_KINDS)}.', hint=nearest(kind, _KINDS))
    choice = _Choice(material, number, rng)
    questions = choice.check_in(SCREENS, ranked) if kind == "checkin" else choice.of_one_kind(kind)
    numbered = tuple(replace(question, id=f"r{number}-{k}") for k, question in enumerate(questions, start=1))
    if not numbered:
        return None
    return Round(id=f"r{number}", cycle=cycle, reason=reason, questions=numbered, baseline=choice.baseline)


class _Choice:
    """The choice of one round's questions.

    `baseline`: the images that this round freezes.
    """

    def __init__(self, material: Material, number: int, rng: np.random.Generator) -> None:
        self._material = material
        self._number = number
        self._rng = rng
        self._ids = sorted(material.elites)
        self._asked = Asked(material.duels, material.earlier)
        self._fitted = Fitted(self._ids, material.duels, material.weights)
        self._frozen = next((asked.baseline for asked in material.earlier if asked.baseline), ())
        self.baseline: tuple[int, ...] = ()

    def of_one_kind(self, kind: RoundKind) -> list[Question]:
        """What a round of one kind asks; a calibration round ("ranking") is one screen."""
        if kind == "pairs":
            return self.compared(SCREENS, baseline=False)
        if kind == "rank4":
            return self.groups(SCREENS)
        if kind == "ranking":
            return self.ranking()
        if kind == "triplets":
            return self.triplets(SCREENS)
        if kind == "review":
            return self.reviews(SCREENS)
        raw = self.raws(RAW)
        return raw + self.keeps(SCREENS - len(raw))

    def check_in(self, size: int, ranked: Screens) -> list[Question]:
        """Comparisons, then images of the review band, then raw ones; what one cannot fill goes to the next."""
        if not self._frozen:
            self.baseline = pairs.spread_out(self._material.elites, pairs.BASELINES, self._rng)
        waiting = len(set(self._material.review))
        single = min(1, size - 1)
        # A contest, elites, the baseline and a pair of takes are asked before a second image of the review band.
        kept = 2 + bool(self._frozen) + bool(self._material.takes)
        few = min(CHECKIN_REVIEWS, waiting, max(size - single - kept, ranked == "pairs"), max(size - single - 1, 0))
        raw = self.raws(min(single if waiting else RAW, size - few - 1))
        single = max(len(raw), single)
        compared = self.compared(size - few - single, baseline=True, ranked=ranked)
        left = size - len(compared) - len(raw)
        reviews = self.reviews(max(few, left - (single - len(raw))))
        return compared + reviews + raw + self.keeps(left - len(reviews))

    def compared(self, wanted: int, *, baseline: bool, ranked: Screens = "pairs") -> list[Question]:
        """Contests of cells, elites, and one pair each of takes, with the baseline, and to see who looks."""
        m, rng, asked = self._material, self._rng, self._asked
        takes = pairs.pair_of_takes(m.takes, asked, rng) if wanted >= TAKES_FROM else []
        room = wanted - len(takes)
        fixed = pairs.baseline_pair(self._frozen, self._ids, asked, rng) if baseline and room > 1 else []
        room -= len(fixed)
        easy = easy_pair(m.earlier, m.answers, self._fitted, rng) if room > 1 else None
        room -= easy is not None
        contests = pairs.contested(m.contests, asked, room, rng)
        first = contests[: pairs.reserved(room)]
        groups = self.groups(room - len(first)) if ranked == "rank4" else []
        met = asked.pairs | {frozenset(pair) for pair in (*first, *fixed)}
        others = [] if groups else self._fitted.pairs(room - len(first), met, rng=rng)
        contests = contests[: room - len(others) - len(groups)]
        questions = [
            screens.pair_question(pair, ask, m.prompts, rng)
            for pair, ask in pairs.in_turn(contests, others, self._number)
        ]
        questions += groups
        questions += [screens.pair_question(pair, "quality", m.prompts, rng) for pair in takes]
        questions += [screens.pair_question(pair, "quality", m.prompts, rng, stream="baseline") for pair in fixed]
        return questions + ([screens.repeated(easy, m.prompts)] if easy is not None else [])

    def groups(self, wanted: int) -> list[Question]:
        """Four elites each, to be ranked."""
        found = self._fitted.groups(wanted, RANKED_TOGETHER, self._asked.pairs, rng=self._rng)
        new = [group for group in found if frozenset(group) not in self._asked.groups]
        return [screens.rank_question("rank4", group, self._material.prompts) for group in new]

    def ranking(self) -> list[Question]:
        """Ten elites drawn by chance: their order is compared with the automated one."""
        if len(self._ids) < 3:
            return []
        drawn = shuffled(self._ids, self._rng)[:CALIBRATION_RANKED]
        return [screens.rank_question("ranking", drawn, self._material.prompts)]

    def triplets(self, wanted: int) -> list[Question]:
        """Three elites each, those seldom in one first; never the same three."""
        known = set(self._asked.triplets)
        order = deque(least(shuffled(self._ids, self._rng), self._asked.likened))
        found: list[Question] = []
        while len(found) < wanted:
            three = next((three for three in combinations(order, 3) if frozenset(three) not in known), None)
            if three is None:
                break
            known.add(frozenset(three))
            found.append(screens.triplet_question(three, self._material.prompts))
            for candidate in three:
                order.remove(candidate)
            order.extend(three)
        return found

    def reviews(self, wanted: int) -> list[Question]:
        """Images of the review band, those asked least first, then the oldest."""
        waiting = least(sorted(set(self._material.review)), self._asked.singles)[:wanted]
        return [screens.single_question("review", candidate, self._material.prompts, "review") for candidate in waiting]

    def raws(self, wanted: int) -> list[Question]:
        """Images that a gate turned away and nobody was asked about, by chance."""
        able = [c for c in sorted(self._material.raw) if not self._asked.singles[c]] if wanted > 0 else []
        drawn = shuffled(able, self._rng)[: max(wanted, 0)]
        return [screens.single_question("keep", candidate, self._material.prompts, "raw") for candidate in drawn]

    def keeps(self, wanted: int) -> list[Question]:
        """Elites and accepted images, those asked least first."""
        m, elites = self._material, set(self._ids)
        able = sorted(elites.union(m.recent) - set(m.review)) if wanted > 0 else []
        chosen = least(shuffled(able, self._rng), self._asked.singles)[: max(wanted, 0)]
        return [
            screens.single_question("keep", candidate, m.prompts, "elite" if candidate in elites else "survivor")
            for candidate in chosen
        ]
