"""How far people agree with one another: answers that stand -> Krippendorff's alpha, Cohen's kappa, and repeats.

Pure. Items are what several people were asked alike: which of two is better, whether to keep one, and the places in a
ranking. What one rater alone answered says nothing here. Poor raters are shown, never dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from itertools import combinations
from typing import Any, Literal

import numpy as np

from gen_emerge.concordance import Level, Values, bootstrap, cohen_kappa, krippendorff_alpha
from gen_emerge.preference.attention import consistency
from gen_emerge.preference.fitted import Fitted
from gen_emerge.preference.verdicts import says
from gen_emerge.types import RANKED, SINGLE, HumanAnswer, Question

LEAST_COMMON = 10
"""Items that two people answered, below which there is no figure."""
Key = tuple[Any, ...]
_LEVELS: Mapping[str, Level] = {"pairs": "nominal", "keep": "nominal", "rankings": "ordinal"}


def among_raters(
    questions: Mapping[str, Question],
    standing: Iterable[HumanAnswer],
    fitted: Fitted,
    rng: np.random.Generator,
    *,
    least_screens: int,
) -> dict[str, Any]:
    """The `raters` object of `gen-emerge agreement`.

    Args:
        questions: id -> question, of all of them.
        standing: the answers that stand, in order of arrival; of one rater's words on an item the last counts.
        fitted: the preference model, for what it expects of repeated pairs.
        rng: draws items again.
        least_screens: ranked screens from which on an interval over screens is given: images of one are not
            independent.
    """
    answers = list(standing)
    words: dict[str, dict[Key, dict[str, float]]] = {kind: defaultdict(dict) for kind in _LEVELS}
    for answer in answers:
        if (question := questions.get(answer.question)) is not None:
            kind, said = _coded(question, answer)
            for key, code in said.items():
                words[kind][key][answer.rater] = code
    names = sorted({answer.rater for answer in answers})
    found = {kind: _alpha(kind, words[kind], names, rng, least_screens) for kind in _LEVELS}
    repeats = [asdict(each) for each in consistency(questions, answers, fitted)]
    return {"names": names, "wanted": LEAST_COMMON, **found, "consistency": repeats}


def _coded(question: Question, answer: HumanAnswer) -> tuple[Literal["pairs", "keep", "rankings"], dict[Key, float]]:
    """Item -> a number for what was said of it; nothing where nothing was."""
    if question.kind in RANKED:
        return "rankings", {(question.id, question.images[n]): float(k) for k, n in enumerate(answer.order)}
    if question.kind in SINGLE:
        code = {"keep": 1.0, "discard": 0.0}.get(answer.answer)
        return "keep", {} if code is None else {(question.images["only"],): code}
    found: dict[Key, float] = {}
    for matter, word in says(question, answer).items():
        low, high = sorted(matter.images)
        found[matter.ask, low, high] = {low: 0.0, high: 1.0}.get(word, 2.0)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return "pairs", found


def _alpha(
    kind: str, words: Mapping[Key, Mapping[str, float]], names: list[str], rng: np.random.Generator, least_screens: int
) -> dict[str, Any]:
    common = {key: said for key, said in sorted(words.items()) if len(said) > 1}
    result: dict[str, Any] = {"items": len(common), "alpha": None, "kappa": []}
    if len(common) < LEAST_COMMON:
        return result
    table = np.array([[said.get(name, np.nan) for name in names] for said in common.values()])
    # Whole screens are drawn again: the places of one ranking hang together.
    units = [key[0] if kind == "rankings" else key for key in common]
    rows: dict[Any, list[int]] = defaultdict(list)
    for place, unit in enumerate(units):
        rows[unit].append(place)
    if kind == "rankings" and len(rows) < least_screens:
        alone = krippendorff_alpha(table, _LEVELS[kind])
        return {**result, "alpha": plain(alone, None, None)}
    groups = [table[places] for places in rows.values()]
    result["alpha"] = drawn_again(groups, lambda values: krippendorff_alpha(values, _LEVELS[kind]), rng)
    if kind != "rankings":
        result["kappa"] = _kappas(table, names, rng)
    return result


def _kappas(table: Values, names: list[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one, other in combinations(range(len(names)), 2):
        both = table[np.isfinite(table[:, [one, other]]).all(axis=1)][:, [one, other]]
        if len(both) >= LEAST_COMMON:
            figure = drawn_again([row[None] for row in both], kappa, rng)
            found.append({"raters": [names[one], names[other]], "items": len(both), **figure})
    return found


def kappa(rows: Values) -> float:
    """Cohen's kappa of (items, 2) labels."""
    return cohen_kappa(rows[:, 0], rows[:, 1])


def drawn_again(
    groups: list[Values], statistic: Callable[[Values], float], rng: np.random.Generator
) -> dict[str, float | None]:
    """A statistic of all rows together, with its bootstrap interval over whole groups of rows.

    Args:
        groups: (rows, columns) each.
        statistic: of (rows, columns).
        rng: draws the groups again.
    """
    places = np.arange(len(groups), dtype=np.float64)[:, None]
    found = bootstrap(lambda p: statistic(np.concatenate([groups[int(i)] for i in p[:, 0]])), places, rng=rng)
    return plain(found.value, found.low, found.high)


def plain(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    """A figure for JSON: None for what is not a finite number."""
    return {
        name: None if number is None or not np.isfinite(number) else float(number)
        for name, number in (("value", value), ("low", low), ("high", high))
    }
