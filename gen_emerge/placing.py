"""Survivors -> cells: an empty cell takes an image, a holder is met in a duel.

Takes the draft of a cycle after the critic was heard; gives its placements and duels. Who decides between a challenger
and a holder: the preference model where it is sure, else a head trained on people's answers where one is in force and
is sure, else the critic; a human verdict overrides all of them (`hearing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from gen_emerge.chance import draw
from gen_emerge.cycle import Draft
from gen_emerge.subject import Subject
from gen_emerge.types import Event, Exhibit, Placement, Side

PlacementOutcome = Literal["new", "won", "lost", "tie", "pending"]
SIDE_PLACEMENT: Mapping[Side, PlacementOutcome] = {"left": "won", "right": "lost", "tie": "tie"}


def challenge(draft: Draft) -> None:
    """Place every survivor: an empty cell takes it, a holder is met."""
    live, changed = draft.live, taken(draft)
    for subject in draft.survivors():
        if subject.critique is not None:
            _place(draft, subject, changed)
    _meet_the_best(draft)
    live.elites.remember(s.exhibit() for s in draft.survivors() if s.critique is not None)
    draft.events.extend(Event(kind="critic", message=trouble) for trouble in live.sitting.troubles(draft.cycle))


def taken(draft: Draft) -> dict[int, int]:
    """Cell -> who holds it, of the cells that changed hands in this cycle."""
    return {p.cell: p.candidate for p in draft.placements if p.outcome in ("new", "won")}


def holder(draft: Draft, cell: int, changed: Mapping[int, int] | None = None) -> int | None:
    """Who holds a cell, this cycle's changes included.

    Args:
        draft: of the cycle.
        cell: of the map.
        changed: what `taken` gives, where many cells are asked about; looked up where None.
    """
    changed = taken(draft) if changed is None else changed
    if cell in changed:
        return changed[cell]
    elite = draft.archive.holder(cell) if draft.archive else None
    return elite.candidate if elite else None


def put(draft: Draft, subject: Subject, outcome: PlacementOutcome, incumbent: int | None, reason: str) -> None:
    """Record what became of a subject in its cell."""
    assert draft.archive is not None
    draft.placements.append(
        Placement(
            candidate=subject.id,
            cell=subject.cell,
            descriptor=subject.descriptor,
            descriptor_version=draft.archive.axes.version,
            outcome=outcome,
            incumbent=incumbent,
            clipped=subject.clipped,
            reason=reason,
        )
    )
    if outcome != "pending" and subject.status == "pending":
        draft.settle(subject, "passed", "")


def _place(draft: Draft, subject: Subject, changed: dict[int, int]) -> None:
    """Places one; `changed` is kept as `taken` would give it."""
    incumbent = holder(draft, subject.cell, changed)
    if incumbent == subject.id:
        return
    if incumbent is None:
        changed[subject.cell] = subject.id
        put(draft, subject, "new", None, "empty")
        return
    side, reason = _winner(draft, subject, incumbent)
    if side is None:
        put(draft, subject, "pending", incumbent, "critic")
        if (subject.status, subject.cause) != ("pending", "duel"):
            draft.settle(subject, "pending", "duel")
        return
    if side == "left":
        changed[subject.cell] = subject.id
    put(draft, subject, SIDE_PLACEMENT[side], incumbent, reason)


def _winner(draft: Draft, subject: Subject, incumbent: int) -> tuple[Side | None, str]:
    duel = draft.heard.duels.get((subject.id, incumbent))
    if duel is None:
        sure = _sure(draft, subject, incumbent)
        if sure is not None:
            return sure, "preference"
        duel = draft.decide((subject.id, draft.look(subject.id)), (incumbent, draft.look(incumbent)))
        if duel is None and draft.live.sitting.immediate:
            pair = (_shown(draft, subject), _exhibit(draft, incumbent))
            (duel,) = draft.live.sitting.duel([pair], purpose="cell", cycle=draft.cycle)
    if duel is None:
        return None, "critic"
    draft.duels.append(duel)
    return duel.outcome, "reward" if duel.by_head else "critic"


def _sure(draft: Draft, subject: Subject, incumbent: int) -> Side | None:
    """What the preference model says; as of the commit that duels are chosen from, unless the holder is newer."""
    if (subject.id, incumbent) in draft.sure_of:
        return draft.sure_of[subject.id, incumbent]
    live = draft.live
    if draft.talk is None and draft.held_before(subject.cell) == incumbent:
        return live.lagged.sure(draft.cycle, subject.id, incumbent)
    return live.preference.sure(subject.id, incumbent)


def _meet_the_best(draft: Draft) -> None:
    """One duel a cycle against the series' current best: it ties the cells' comparisons together."""
    if draft.talk is not None:
        draft.duels.extend([draft.heard.best] if draft.heard.best is not None else [])
        return
    best = draft.best_before()
    met = {(duel.left, duel.right) for duel in draft.duels}
    able = [s for s in draft.survivors() if s.critique and s.id != best and (s.id, best) not in met]
    if best is None or not able:
        return
    rng = draw(draft.live.crew.rhythm.seed, draft.cycle, 0, "best")
    chosen = able[int(rng.integers(len(able)))]
    pair = (_shown(draft, chosen), _exhibit(draft, best))
    found = draft.live.sitting.duel([pair], purpose="best", cycle=draft.cycle)
    draft.duels.extend(duel for duel in found if duel is not None)


def _exhibit(draft: Draft, candidate: int) -> Exhibit:
    for subject in draft.returning + draft.batch:
        if subject.id == candidate:
            return _shown(draft, subject)
    exhibit = draft.live.elites.exhibit(candidate)
    return exhibit if draft.live.sitting.current(exhibit.critique) else _renewed(draft, exhibit)


def _renewed(draft: Draft, exhibit: Exhibit) -> Exhibit:
    """An elite that answered another bank, or another critic, is asked again before it is compared."""
    asked = draft.live.elites.with_picture(exhibit)
    critique = draft.live.sitting.review([asked], cycle=draft.cycle).get(exhibit.candidate)
    if critique is not None:
        draft.renewed[exhibit.candidate] = critique
        draft.live.elites.remember([replace(exhibit, pixels=None, critique=critique)])
    return replace(exhibit, critique=critique)


def _shown(draft: Draft, subject: Subject) -> Exhibit:
    return draft.live.elites.shown(subject.exhibit(pixels=not draft.live.sitting.immediate))
