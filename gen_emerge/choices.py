"""How well the selector chooses among takes, by what humans answered: store -> the `selector` object of `inspect`.

Reads beside a running series; changes nothing. There is no figure before there are enough answers.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gen_emerge.chance import draw
from gen_emerge.config import SeriesConfig
from gen_emerge.fates import SELECTOR
from gen_emerge.heads import KIND, PERSONAL, Heads
from gen_emerge.preference.takes import LEAST_PAIRS, Compared, captured
from gen_emerge.store import Store
from gen_emerge.types import Candidate, Question, take_group

NOT_YET = "not enough answers yet"


def selector(config: SeriesConfig, store: Store | None) -> dict[str, Any] | None:
    """What `inspect` says of the selector; None where every genome has one take.

    Args:
        config: the series file.
        store: None before the first run.
    """
    if config.loop.best_of == 1:
        return None
    since = _since(store, config.selector.signals) if store else 1
    if store and config.selector.use == PERSONAL:
        stands = Heads(store.inputs_of(KIND)).as_of(store.committed())
        since = max(since, stands.item.first_cycle if stands is not None else 1)
    pairs = _compared(store, since) if store else []
    found = captured(pairs, rng=draw(config.seed, 0, 0, "efficiency"))
    figures = ("value", "low", "high", "level", "groups", "gain", "possible")
    return {
        "use": config.selector.use,
        "signals": list(config.selector.signals),
        "best_of": config.loop.best_of,
        "since": since,
        "pairs": len(pairs),
        "wanted": LEAST_PAIRS,
        "efficiency": {name: getattr(found, name) for name in figures} if found else None,
        "note": "" if found else NOT_YET,
    }


def sentence(said: dict[str, Any] | None) -> str:
    """The same for people, in a sentence or two; "" where every genome has one take."""
    if said is None:
        return ""
    chooses = f"Of {said['best_of']} takes of each genome the selector ({', '.join(said['signals'])}) let one go on."
    found = said["efficiency"]
    if found is None:
        asked = f"{said['pairs']} pairs of takes were answered, and people must prefer one in {said['wanted']}"
        return f"{chooses} How well it chooses: {said['note']} ({asked})."
    return (
        f"{chooses} In {said['pairs']} pairs that people answered, of a chosen take and another one, it captured "
        f"{found['value']:.0%} of what was to be gained ({found['level']:.0%} interval: {found['low']:.0%} to "
        f"{found['high']:.0%}; 0% is drawing lots)."
    )


def _since(store: Store, signals: tuple[str, ...]) -> int:
    """The first cycle chosen by the selector, and the versions of what it reads, that are in force now."""
    since, now = 1, None
    for item in reversed(store.inputs_of("config")):
        settings, versions = item.payload.get("settings", {}), item.payload.get("versions", {})
        chose = (settings.get("selector"), [versions.get(name) for name in signals])
        if now is not None and chose != now:
            break
        since, now = item.first_cycle, chose
    return since


def _compared(store: Store, since: int) -> list[Compared]:
    """What humans said of chosen takes, a genome each; those nobody preferred or called equal are left out."""
    questions = {q.id: q for asked in store.rounds() for q in asked.questions if of_one_genome(q, store.takes)}
    shown = sorted({candidate for question in questions.values() for candidate in question.images.values()})
    known = {candidate.id: candidate for candidate in store.candidates(shown)} if shown else {}
    said: dict[int, list[str]] = defaultdict(list)
    for answer in store.answers().standing:
        question = questions.get(answer.question)
        if question is None or answer.answer not in ("left", "right", "tie"):
            continue
        takes = {side: known[candidate] for side, candidate in question.images.items()}
        chosen = [side for side, take in takes.items() if not _passed_over(take)]
        if len(chosen) != 1 or takes["left"].cycle < since:
            continue
        side = answer.answer if answer.answer == "tie" else "left" if answer.answer == chosen[0] else "right"
        said[take_group(takes["left"].id, store.takes)].append(side)
    return [Compared(answers=tuple(answers)) for _, answers in sorted(said.items())]


def of_one_genome(question: Question, takes: int) -> bool:
    """Whether a question sets two takes of one genome side by side.

    Args:
        question: any.
        takes: how many of each genome the series has (`Store.takes`).
    """
    if question.kind != "pair" or question.ask != "quality":
        return False
    return len({take_group(candidate, takes) for candidate in question.images.values()}) == 1


def _passed_over(take: Candidate) -> bool:
    return (take.status, take.cause) == ("rejected", SELECTOR)
