"""Takes what could be asked and what already was; gives one round of questions. Pure functions of ids and chance.

A person's minute is the dearest thing here: pairs go where an answer may turn a cell (its holder against an image that
just missed it) and where least is known (images rarely compared, against a near neighbour on the map), never twice, and
the sides are drawn by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from gen_emerge.errors import BadInput, nearest
from gen_emerge.protocols import RoundKind
from gen_emerge.types import Duel, Question, Round

CHECKIN_REVIEWS = 2
"""At most so many images of the review band in a check-in."""
CHECKIN_KEEPS = 1
"""So many keep / discard questions in a check-in: pairs alone cannot set an absolute bar."""
ADHERENCE_EVERY = 3
"""One pair in so many asks for adherence to the prompt instead of quality."""
TAKES_FROM = 2
"""A round of so many pairs or more keeps one of them for two takes of one genome, where there are any."""
CONTESTS = 2
"""So many pairs of a round, one where there are but two, are kept for holders against images of their own cells."""
NEIGHBOURS = 8
"""A pair's partner is one of so many nearest on the map."""

_T = TypeVar("_T")
_Ask = Literal["quality", "adherence"]
_KINDS = ("checkin", "pairs", "keep", "review")


class Contest(NamedTuple):
    """A holder and an accepted image of the same cell that does not hold it: a human's word may turn them.

    `tie`: their duel was undecided; `cycle`: when they met last.
    """

    holder: int
    challenger: int
    tie: bool
    cycle: int


def open_round(
    kind: RoundKind | Literal["checkin"],
    *,
    number: int,
    cycle: int,
    reason: Literal["scheduled", "request", "alarm"],
    elites: Mapping[int, Sequence[float]],
    review: Sequence[int],
    duels: Iterable[Duel],
    prompts: Mapping[int, str],
    rng: np.random.Generator,
    size: int = 5,
    contests: Iterable[Contest] = (),
    takes: Mapping[int, Sequence[int]] = MappingProxyType({}),
    recent: Sequence[int] = (),
    earlier: Iterable[Round] = (),
) -> Round | None:
    """Choose the questions of one round.

    Args:
        kind: "checkin" mixes pairs with up to two reviews and one keep; the others ask one kind alone.
        number: the round's number: its id is "r" and this, its questions "r3-1", "r3-2", ...
        cycle: the cycle it opens in.
        reason: why.
        elites: candidate id -> (axes,) its place on the map, in units in which distances compare (cells).
        review: ids waiting in the review band.
        duels: every stored duel; only human ones count as asked.
        prompts: candidate id -> the text it was made from, for all ids above.
        rng: a generator of this round alone.
        size: how many questions at most.
        contests: holders and who could take their cells; undecided ones are asked first, then the newest.
        takes: the take of a genome that was chosen -> the others; one pair of a round may set two of them side by side.
        recent: ids accepted lately that may be asked keep / discard besides the elites.
        earlier: every earlier round, so that nothing already asked is asked again before the rest.

    Returns:
        The round, or None when there is nothing to ask.

    Raises:
        BadInput: an unknown kind, or size below 1.
    """
    if kind not in _KINDS:
        raise BadInput(f'Round kind "{kind}"; wanted {", ".join(_KINDS)}.', hint=nearest(kind, _KINDS))
    if size < 1:
        raise BadInput(f"A round of {size} questions; wanted at least 1.")
    asked = _Asked(duels, earlier)
    reviews = _least_asked(sorted(set(review)), asked.reviews)
    keeps = _least_asked(_shuffled(sorted({*elites, *recent} - set(review)), rng), asked.keeps)
    pairs_left, reviews_left, keeps_left = _shares(kind, size, len(reviews))
    pair_of_takes = _pair_of_takes(takes, asked, rng) if pairs_left >= TAKES_FROM else []
    contested, others = _both_kinds(elites, contests, asked, pairs_left - len(pair_of_takes), rng)
    pairs = _laid_out(contested, others, number) + pair_of_takes
    if kind == "checkin":
        # What pairs cannot fill goes to the review queue, then to keep / discard.
        reviews_left += pairs_left - len(pairs)
        keeps_left = size - len(pairs) - min(len(reviews), reviews_left)
    reviews, keeps = reviews[:reviews_left], keeps[:keeps_left]
    questions = [_pair_question(pair, ask, prompts, rng) for pair, ask in pairs]
    questions += [_single_question("review", candidate, prompts) for candidate in reviews]
    questions += [_single_question("keep", candidate, prompts) for candidate in keeps]
    numbered = tuple(replace(question, id=f"r{number}-{k}") for k, question in enumerate(questions, start=1))
    return Round(id=f"r{number}", cycle=cycle, reason=reason, questions=numbered) if numbered else None


def _laid_out(
    contested: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]], number: int
) -> list[tuple[tuple[int, int], _Ask]]:
    """All pairs in the order in which they are asked. Only quality decides a cell: others take adherence's turns."""
    pairs: list[tuple[tuple[int, int], _Ask]] = []
    waiting, rest = list(contested), list(others)
    while waiting or rest:
        turn: _Ask = "adherence" if (number + len(pairs)) % ADHERENCE_EVERY == 0 else "quality"
        if rest and (turn == "adherence" or not waiting):
            pairs.append((rest.pop(0), turn))
        else:
            pairs.append((waiting.pop(0), "quality"))
    return pairs


def _pair_of_takes(
    takes: Mapping[int, Sequence[int]], asked: _Asked, rng: np.random.Generator
) -> list[tuple[tuple[int, int], _Ask]]:
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
    return [((chosen, others[int(rng.integers(len(others)))]), "quality")]


def _pair_question(pair: tuple[int, int], ask: _Ask, prompts: Mapping[int, str], rng: np.random.Generator) -> Question:
    left, right = pair if rng.random() < 0.5 else pair[::-1]
    return Question(
        id="",
        kind="pair",
        ask=ask,
        prompt=_prompt_of(prompts[left], prompts[right]),
        images={"left": left, "right": right},
    )


def _single_question(kind: Literal["keep", "review"], candidate: int, prompts: Mapping[int, str]) -> Question:
    return Question(id="", kind=kind, ask="keep", prompt=prompts[candidate], images={"only": candidate})


class _Asked:
    """How often each image and each pair was already shown to a human."""

    def __init__(self, duels: Iterable[Duel], earlier: Iterable[Round]) -> None:
        self.pairs: set[frozenset[int]] = set()
        self.compared: Counter[int] = Counter()
        self.keeps: Counter[int] = Counter()
        self.reviews: Counter[int] = Counter()
        for duel in duels:
            if duel.judge.startswith("human:"):
                self._pair(duel.left, duel.right)
        for asked in earlier:
            for question in asked.questions:
                if question.kind == "pair":
                    self._pair(question.images["left"], question.images["right"])
                else:
                    (self.keeps if question.kind == "keep" else self.reviews)[question.images["only"]] += 1

    def _pair(self, left: int, right: int) -> None:
        pair = frozenset((left, right))
        if pair not in self.pairs:
            self.pairs.add(pair)
            self.compared.update(pair)


def _shares(kind: str, size: int, reviews: int) -> tuple[int, int, int]:
    """How many pairs, reviews and keeps a round of `size` wants."""
    if kind == "checkin":
        keep = min(CHECKIN_KEEPS, size - 1)
        some = min(CHECKIN_REVIEWS, reviews, max(0, size - keep - 1))
        return size - keep - some, some, keep
    return (size if kind == "pairs" else 0, size if kind == "review" else 0, size if kind == "keep" else 0)


def _both_kinds(
    elites: Mapping[int, Sequence[float]],
    contests: Iterable[Contest],
    asked: _Asked,
    wanted: int,
    rng: np.random.Generator,
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs that may turn a cell, and pairs of elites; the first also fill what the second leave open."""
    contested = _contested(contests, asked, wanted, rng)
    reserved = contested[: min(CONTESTS, (wanted + 1) // 2)]
    others = _pairs(elites, asked, reserved, wanted - len(reserved), rng)
    return contested[: wanted - len(others)], others


def _contested(
    contests: Iterable[Contest], asked: _Asked, wanted: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """The closest decisions nobody was asked about: ties first, then the newest; equals by chance, one a holder."""
    open_ones = sorted(c for c in contests if frozenset((c.holder, c.challenger)) not in asked.pairs)
    chosen: dict[int, tuple[int, int]] = {}
    if open_ones:
        for contest in sorted(_shuffled(open_ones, rng), key=lambda c: (not c.tie, -c.cycle)):
            if len(chosen) < wanted:
                chosen.setdefault(contest.holder, (contest.holder, contest.challenger))
    return list(chosen.values())


def _pairs(
    elites: Mapping[int, Sequence[float]],
    asked: _Asked,
    contested: Sequence[tuple[int, int]],
    wanted: int,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Greedy: an image rarely compared, against the rarest compared of its near neighbours not yet met."""
    ids = sorted(elites)
    if wanted < 1 or len(ids) < 2:
        return []
    places = np.array([elites[i] for i in ids], dtype=np.float64).reshape(len(ids), -1)
    index = {candidate: k for k, candidate in enumerate(ids)}
    counts = Counter({i: asked.compared[i] for i in ids})
    for pair in contested:
        # Twice, as below.
        counts.update([*pair, *pair])
    met = asked.pairs | {frozenset(pair) for pair in contested}
    chosen: list[tuple[int, int]] = []
    order = _shuffled(ids, rng)
    while len(chosen) < wanted:
        pair = _next_pair(sorted(order, key=lambda i: counts[i]), places, index, counts, met)
        if pair is None:
            break
        chosen.append(pair)
        met.add(frozenset(pair))
        # Twice: another image is preferred to the same one again in this round.
        counts.update(pair)
        counts.update(pair)
    return chosen


def _next_pair(
    order: Sequence[int],
    places: np.ndarray,
    index: Mapping[int, int],
    counts: Mapping[int, int],
    met: set[frozenset[int]],
) -> tuple[int, int] | None:
    ids = sorted(index)
    rank = {candidate: k for k, candidate in enumerate(order)}
    for first in order:
        distances = np.linalg.norm(places - places[index[first]], axis=1)
        near: list[int] = []
        for k in np.argsort(distances, kind="stable"):
            other = ids[int(k)]
            if other != first and frozenset((first, other)) not in met:
                near.append(other)
                if len(near) == NEIGHBOURS:
                    break
        if near:
            return first, min(near, key=lambda i: (counts[i], rank[i]))
    return None


def _least_asked(ids: Sequence[int], asked: Mapping[int, int]) -> list[int]:
    return sorted(ids, key=lambda i: asked.get(i, 0))


def _shuffled(ids: Sequence[_T], rng: np.random.Generator) -> list[_T]:
    return [ids[int(k)] for k in rng.permutation(len(ids))]


def _prompt_of(left: str, right: str) -> str:
    return left if left == right else f"left: {left} | right: {right}"
