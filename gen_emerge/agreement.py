"""How far people and the machine agree: store -> the object that `gen-emerge agreement` prints.

Reads beside a running series; changes nothing, and nothing acts on these figures. A single ranking of ten leaves a
Spearman open by half a unit on either side, so rankings are pooled, and it is said how many more it takes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gen_emerge.among_raters import among_raters, drawn_again, kappa, plain
from gen_emerge.chance import draw
from gen_emerge.concordance import (
    Coefficient,
    Values,
    icc_of_ranks,
    kendall,
    power_to_tell,
    rank_interval,
    ranks,
    rounds_to_tell,
    spearman,
)
from gen_emerge.gates import let_in
from gen_emerge.preference.fitted import Fitted
from gen_emerge.preference.verdicts import on_single_images
from gen_emerge.ranked import LEAST_RANKED, ORDERS, Numbers, Ranking, rankings, replayed
from gen_emerge.store import Store
from gen_emerge.types import HumanAnswer, Question

LEAST_SCREENS = 8
"""Ranked screens from which on a bootstrap over screens holds what it promises: of 95% it kept 89% with eight rankings
of ten, 82% with five, 73% with three (simulated)."""
LEAST_KEPT = 20
"""Words on single images without which there is no kappa."""
RANKED_TOGETHER = 10
POWER = 0.85
LEVEL = 0.95


def agreement(store: Store, *, seed: int, was: float = 0.6, now: float = 0.3) -> dict[str, Any]:
    """Everything that is known of it.

    Args:
        store: the series.
        seed: the series', for what is drawn again.
        was: the Spearman ...
        now: ... and the lower one that are to be told apart.

    Raises:
        BadInput: there is nothing to tell between the two.
    """
    rounds_to_tell(was, now, RANKED_TOGETHER, power=POWER, level=LEVEL)
    state, told = replayed(store)
    questions = {q.id: q for asked in store.rounds() for q in asked.questions}
    standing = store.answers().standing
    ranked = rankings(store, state, told, standing)
    elites = len(state.archive) if state.archive else 0
    redrawn, fitted = draw(seed, 0, 0, "agreement raters"), Fitted((), state.duels, state.weights)
    return {
        "cycle": state.cycle,
        "level": LEVEL,
        "rankings": _rankings(ranked, elites, was, now, draw(seed, 0, 0, "agreement rankings")),
        "keep": _kept(store, questions, standing, draw(seed, 0, 0, "agreement keep")),
        "raters": among_raters(questions, standing, fitted, redrawn, least_screens=LEAST_SCREENS),
        "acted_on": False,
    }


# ---- rankings ----------------------------------------------------------------------------------------------------


def _rankings(
    ranked: Sequence[Ranking], elites: int, was: float, now: float, rng: np.random.Generator
) -> dict[str, Any]:
    screens = {ranking.question: len(ranking.human) for ranking in ranked}
    return {
        "rankings": len(ranked),
        "screens": len(screens),
        "sizes": {str(size): count for size, count in sorted(Counter(screens.values()).items())},
        "raters": len({ranking.rater for ranking in ranked}),
        "enough_screens": LEAST_SCREENS,
        "pooled": {order: pooled(order, ranked, rng) for order in ORDERS},
        "each": [_each(ranking) for ranking in ranked],
        "to_tell": _to_tell(screens, elites, was, now),
    }


def _each(ranking: Ranking) -> dict[str, Any]:
    return {
        "question": ranking.question,
        "rater": ranking.rater,
        "before_cycle": ranking.before,
        "images": len(ranking.human),
        "orders": {name: _alone(_columns(ranking.human, order)) for name, order in ranking.orders.items()},
    }


def _columns(human: Numbers, order: Numbers) -> Values:
    """(n, 2) ranks of the images that both know, centred, in units of the sd of untied ranks of so many."""
    both = sorted(order)
    pair = np.stack([ranks(np.array([side[c] for c in both], dtype=np.float64)) for side in (human, order)], axis=1)
    n = len(both)
    return (pair - (n + 1) / 2) / np.sqrt(n * (n + 1) / 12)


def _alone(pair: Values) -> dict[str, Any]:
    """One ranking against one order, with the intervals for small samples."""
    return {"images": len(pair), **_by_formula(_coefficients([pair])[None], spare=len(pair))}


def pooled(order: str, ranked: Iterable[Ranking], rng: np.random.Generator) -> dict[str, Any] | None:
    """All rankings against one order; None where it orders no screen.

    Every screen counts once, by the mean of its rankings: two people's of the same images hang together. Screens are
    weighted by images less one (the inverse of a rank correlation's variance where nothing agrees). From
    `LEAST_SCREENS` screens on the intervals are a bootstrap's over whole screens. Before, they are those of one ranking
    of one screen with as many images to spare, which takes every screen to agree alike and is too wide, never too
    narrow, where several people ranked the same.

    Args:
        order: its name.
        ranked: the rankings.
        rng: draws the screens again.
    """
    pairs: dict[str, list[Values]] = defaultdict(list)
    for ranking in ranked:
        if order in ranking.orders:
            pairs[ranking.question].append(_columns(ranking.human, ranking.orders[order]))
    if not pairs:
        return None
    rows = np.stack([_coefficients(each) for each in pairs.values()])
    images = sum(len(each[0]) for each in pairs.values())
    result = {"rankings": sum(map(len, pairs.values())), "screens": len(rows), "images": images}
    if len(rows) < LEAST_SCREENS:
        return {**result, "interval": "formula", **_by_formula(rows, spare=images)}
    screens = list(rows[:, None])
    return {
        **result,
        "interval": "bootstrap",
        "spearman": drawn_again(screens, _rho, rng),
        "kendall": drawn_again(screens, _tau, rng),
        "icc_2k": drawn_again(screens, _icc, rng),
    }


def _coefficients(rankings_of_one: Sequence[Values]) -> Values:
    """(5,) of one screen: Spearman, Kendall, mean product and mean square of two columns, images less one."""
    each = [
        (spearman(*pair.T), kendall(*pair.T), pair[:, 0] @ pair[:, 1], (pair**2).sum() / 2, len(pair) - 1.0)
        for pair in rankings_of_one
    ]
    return np.mean(np.array(each), axis=0)


def _by_formula(rows: Values, *, spare: int) -> dict[str, dict[str, float | None]]:
    """The coefficients of (screens, 5) rows with intervals for small samples; `spare`: images on all screens."""
    one = len(rows) - 1  # every further screen has a mean of its own, as the first has
    rho = rank_interval(_rho(rows), spare - 3 * one, of="spearman", level=LEVEL)
    tau = rank_interval(_tau(rows), spare - 4 * one, of="kendall", level=LEVEL)
    alike, freedom = rank_interval(_alike(rows), spare - 3 * one, of="spearman", level=LEVEL), spare - one
    icc = (icc_of_ranks(end, freedom) for end in (alike.value, alike.low, alike.high))
    return {"spearman": _plain(rho), "kendall": _plain(tau), "icc_2k": plain(*icc)}


def _mean(rows: Values, column: int) -> float:
    """Weighted mean of a coefficient, those that are undefined (all ties) left out."""
    known = rows[np.isfinite(rows[:, column])]
    return float(np.average(known[:, column], weights=known[:, 4])) if len(known) else float("nan")


def _rho(rows: Values) -> float:
    return _mean(rows, 0)


def _tau(rows: Values) -> float:
    return _mean(rows, 1)


def _alike(rows: Values) -> float:
    """How far the ranks themselves are alike: Spearman where no order has ties, nearer to 0 where one has."""
    return float(rows[:, 2].sum() / rows[:, 3].sum())


def _icc(rows: Values) -> float:
    return icc_of_ranks(_alike(rows), int(rows[:, 4].sum()) + 1)


def _to_tell(screens: Mapping[str, int], elites: int, was: float, now: float) -> dict[str, Any]:
    """How many more rankings it takes to see that the Spearman is `now` and not `was`."""
    n = max(min(RANKED_TOGETHER, elites), LEAST_RANKED)
    needed = rounds_to_tell(was, now, n, power=POWER, level=LEVEL)
    had = sum(size - 3 for size in screens.values()) / (n - 3)
    return {
        "was": was,
        "now": now,
        "images": n,
        "power": power_to_tell(was, now, n, needed, level=LEVEL),
        "power_of_one": power_to_tell(was, now, n, 1, level=LEVEL),
        "needed": needed,
        "more": max(int(np.ceil(needed - had)), 0),
    }


def _plain(found: Coefficient) -> dict[str, float | None]:
    return plain(found.value, found.low, found.high)


# ---- single images -----------------------------------------------------------------------------------------------


def _kept(
    store: Store, questions: Mapping[str, Question], standing: Iterable[HumanAnswer], rng: np.random.Generator
) -> dict[str, Any]:
    """Keep and discard against what became of the images at the gates. What a gate left to people is counted apart."""
    said = [
        (question.images["only"], answer.answer == "keep") for question, answer in on_single_images(questions, standing)
    ]
    shown = sorted({candidate for candidate, _ in said})
    verdicts = store.verdicts(shown) if shown else {}
    rows: dict[int, list[list[bool]]] = defaultdict(list)
    for candidate, kept in said:
        if (passed := let_in(verdicts.get(candidate, ()))) is not None:
            rows[candidate].append([kept, passed])
    words = [tuple(word) for each in rows.values() for word in each]
    groups = [np.array(each, dtype=np.float64) for each in rows.values()]
    return {
        "words": len(words),
        "images": len(rows),
        "undecided": len(said) - len(words),
        "wanted": LEAST_KEPT,
        "kept_passed": words.count((True, True)),
        "kept_rejected": words.count((True, False)),
        "discarded_passed": words.count((False, True)),
        "discarded_rejected": words.count((False, False)),
        "kappa": drawn_again(groups, kappa, rng) if len(words) >= LEAST_KEPT else None,
    }
