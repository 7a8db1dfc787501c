"""What is said with a slow critic about one cycle: checklists first, then the duels, beside the loop.

Takes an agenda, fixed before the first question: who is asked about, whom each would challenge, who the current best
is. All of it is as of the commit `pipeline_depth + 1` cycles ago, or older, so that the questions of a cycle do not
depend on how far the loop has come. Gives what the critic said; changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from gen_emerge.asking import Sitting
from gen_emerge.chance import draw
from gen_emerge.types import Critique, Duel, Exhibit

SHOWN_AT_ONCE = 32
"""Pictures loaded for the critic at a time: memory stays bounded after a long warm-up."""


Decide = Callable[[Exhibit, Exhibit], Duel | None]
"""(challenger, holder), both with their answers where there are any -> their duel, where no critic has to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """What a cycle asks.

    Args:
        cycle: its number: the first that may use the replies.
        seed: the series seed.
        survivors: who may be placed, in order; with a critique where there is one already.
        rivals: candidate -> the holder it challenges, unless the preference model was sure.
        best: the series' current best, None before there is one.
        after: set when conversations of earlier cycles, still going on, have asked what this one would ask too.
        reviewed: to be set when all checklists of this one are in.
        decide: tried with each challenger and holder before the critic is asked about them.
    """

    cycle: int
    seed: int
    survivors: Sequence[Exhibit]
    rivals: Mapping[int, Exhibit]
    best: Exhibit | None
    after: Sequence[Event] = ()
    reviewed: Event = field(default_factory=Event)
    decide: Decide = lambda challenger, holder: None


@dataclass(slots=True, kw_only=True)
class Heard:
    """What the critic said. A candidate or a pair it could not answer about is missing.

    Args:
        critiques: candidate -> its critique, the holders' that had answered another bank included.
        renewed: the holders among them whose answers this cycle was the first to use.
        duels: (challenger, holder) -> the duel.
        best: the duel against the current best.
    """

    critiques: dict[int, Critique] = field(default_factory=dict[int, Critique])
    renewed: dict[int, Critique] = field(default_factory=dict[int, Critique])
    duels: dict[tuple[int, int], Duel] = field(default_factory=dict[tuple[int, int], Duel])
    best: Duel | None = None


def converse(sitting: Sitting, agenda: Agenda, show: Callable[[Exhibit], Exhibit]) -> Heard:
    """Ask everything on the agenda.

    Args:
        sitting: the critic.
        agenda: what is asked.
        show: gives an exhibit its picture.
    """
    heard = Heard()
    try:
        # Whoever is earlier asks, and whoever is later uses the reply: it does not matter who is quicker.
        for earlier in agenda.after:
            earlier.wait()
        _review(sitting, agenda, show, heard)
    finally:
        agenda.reviewed.set()
    ready = [replace(s, critique=heard.critiques[s.candidate]) for s in agenda.survivors if _has(s, heard)]
    pairs = [(s, agenda.rivals[s.candidate]) for s in ready if s.candidate in agenda.rivals]
    able = [s for s in ready if agenda.best is not None and s.candidate != agenda.best.candidate]
    met = {(left.candidate, right.candidate) for left, right in pairs}
    heard.duels = _decided(agenda, pairs, heard)
    pairs = [(left, right) for left, right in pairs if (left.candidate, right.candidate) not in heard.duels]
    able = [s for s in able if agenda.best is not None and (s.candidate, agenda.best.candidate) not in met]
    if agenda.best is not None and able:
        rng = draw(agenda.seed, agenda.cycle, 0, "best")
        pairs.append((able[int(rng.integers(len(able)))], agenda.best))
    for duel in _duels(sitting, pairs, show, heard, agenda.cycle):
        key = (duel.left, duel.right)
        if key in met:
            heard.duels[key] = duel
        else:
            heard.best = replace(duel, purpose="best")
    return heard


def _decided(agenda: Agenda, pairs: Sequence[tuple[Exhibit, Exhibit]], heard: Heard) -> dict[tuple[int, int], Duel]:
    """The duels of which the critic need not be asked."""
    found: dict[tuple[int, int], Duel] = {}
    for left, right in pairs:
        holder = replace(right, critique=heard.critiques.get(right.candidate, right.critique))
        duel = agenda.decide(left, holder)
        if duel is not None:
            found[left.candidate, right.candidate] = duel
    return found


def _has(exhibit: Exhibit, heard: Heard) -> bool:
    return exhibit.candidate in heard.critiques


def _review(sitting: Sitting, agenda: Agenda, show: Callable[[Exhibit], Exhibit], heard: Heard) -> None:
    """Checklists of whoever has none; of holders that answered another bank too, before they are compared."""
    for exhibit in agenda.survivors:
        if exhibit.critique is not None:
            heard.critiques[exhibit.candidate] = exhibit.critique
    unseen = to_review(sitting, agenda.survivors, agenda.rivals, agenda.best)
    for start in range(0, len(unseen), SHOWN_AT_ONCE):
        shown = [show(exhibit) for exhibit in unseen[start : start + SHOWN_AT_ONCE]]
        heard.critiques |= sitting.review(shown, cycle=agenda.cycle)
    own = {exhibit.candidate for exhibit in agenda.survivors}
    for candidate in sorted(({exhibit.candidate for exhibit in unseen} & heard.critiques.keys()) - own):
        if sitting.first_used({"ask": "review", "candidate": candidate}) == agenda.cycle:
            heard.renewed[candidate] = heard.critiques[candidate]


def to_review(
    sitting: Sitting, survivors: Sequence[Exhibit], rivals: Mapping[int, Exhibit], best: Exhibit | None
) -> list[Exhibit]:
    """Whoever has to answer the bank before anything can be compared: survivors first, each once."""
    holders = [*rivals.values(), *([best] if best is not None else [])]
    wanted = {s.candidate: s for s in survivors if s.critique is None}
    known = {s.candidate for s in survivors}
    wanted |= {h.candidate: h for h in holders if h.candidate not in known and not sitting.current(h.critique)}
    return list(wanted.values())


def _duels(
    sitting: Sitting,
    pairs: Sequence[tuple[Exhibit, Exhibit]],
    show: Callable[[Exhibit], Exhibit],
    heard: Heard,
    cycle: int,
) -> list[Duel]:
    """Every pair at once. A holder without answers to today's bank is not compared."""
    able: list[tuple[Exhibit, Exhibit]] = []
    for left, right in pairs:
        holder = replace(right, critique=heard.critiques.get(right.candidate, right.critique))
        if sitting.current(holder.critique):
            able.append((left, holder))
    found: list[Duel | None] = []
    for start in range(0, len(able), SHOWN_AT_ONCE):
        shown = [(show(left), show(right)) for left, right in able[start : start + SHOWN_AT_ONCE]]
        found += sitting.duel(shown, purpose="cell", cycle=cycle)
    return [duel for duel in found if duel is not None]
