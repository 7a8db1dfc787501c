"""The map under other axes: inputs of kind "axes" -> a new version of the axes, and everybody's place under it.

From the boundary on that an input names, images are located by the new axes; at that cycle's commit, before anybody is
challenged, all who were accepted are placed anew. Nobody is asked: of two that meet in one cell, what was said of
exactly these two decides; else the preference model, where it is sure; else the older reign stays. Current elites come
first, the longest reign first; everybody else who was ever accepted after them, and takes what is empty or wins what
is on record. So no elite is lost: one that another displaces stays accepted, and may be asked about and laid again.

A replay reads the placements; `verify` derives them again, by the same lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gen_emerge.archive import Archive, lay_axes
from gen_emerge.chance import draw
from gen_emerge.cycle import Draft
from gen_emerge.places import Descriptor, stored_descriptors
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.types import LEARNED, RELAID, Axes, Event, Input, Placement, Side

KIND = "axes"
"""The kind of such an input, and of the events about it."""


class Settles(Protocol):
    """What a collision is settled by (`preference.ranking.DuelPreference`)."""

    def recorded(self, challenger: int, incumbent: int) -> Side | None:
        """What was said of exactly these two."""
        ...

    def sure(self, challenger: int, incumbent: int) -> Side | None:
        """What the model says where it is sure."""
        ...


def come_into_force(draft: Draft, inputs: Sequence[Input]) -> None:
    """Other axes from this boundary on, where an input asks for them."""
    live, rhythm = draft.live, draft.live.crew.rhythm
    for item in inputs:
        if item.kind != KIND or draft.archive is None:
            continue
        if item.payload["space"] != live.space:
            message = "The map is not re-laid: the embedding that its axes were learned from has been replaced since."
            draft.events.append(Event(kind="alarm", message=message))
            continue
        axes = lay_axes(
            version=draft.archive.axes.version + 1,
            kind=rhythm.archive_kind,
            names=[f"{LEARNED}{number}" for number in range(1, len(item.payload["weights"]) + 1)],
            low=item.payload["low"],
            high=item.payload["high"],
            dims=rhythm.dims,
            cells=rhythm.cells,
            seed=int(draw(rhythm.seed, draft.cycle, 0, "centroids").integers(2**32)),
            space=item.payload["space"],
            weights=item.payload["weights"],
        )
        draft.archive = Archive(axes, since=draft.cycle)


def lay_again(draft: Draft) -> None:
    """Give everybody a place under axes that came into force at this cycle's boundary."""
    live, axes = draft.live, draft.archive.axes if draft.archive is not None else None
    if axes is None or not axes.learned or draft.archive is None or draft.archive.since != draft.cycle:
        return
    draft.placements.extend(relaid(live.store, live.state, axes, live.preference))
    held = {elite.candidate for elite in live.state.archive or ()}
    now = {p.cell: p.candidate for p in draft.placements if p.outcome in ("new", "won")}
    kept = len(held & set(now.values()))
    message = (
        f"The map is re-laid along {len(axes.names)} learned axes (version {axes.version}): {len(held)} elites filled "
        f"{len(held)} cells, {len(now)} are filled now, {kept} by elites of before. All others stay accepted."
    )
    payload = {"version": axes.version, "elites": len(held), "kept": kept, "cells_filled": len(now)}
    draft.events.append(Event(kind=KIND, message=message, payload=payload))


def relaid(store: Store, state: State, axes: Axes, preference: Settles) -> list[Placement]:
    """Everybody's place under new axes, as of the last commit in `state`.

    Returns:
        Who holds a cell, step by step; and of the others those who held one before, for near them a challenge is
        allowed. Whoever waits for the critic or for a human has no place before, and none by this.
    """
    assert state.archive is not None
    reigns = sorted(state.archive, key=lambda elite: (elite.since, elite.candidate))
    elites = [elite.candidate for elite in reigns]
    others = sorted(set(state.accepted) - set(elites) - set(state.waiting))
    points = stored_descriptors(store, axes, [*elites, *others])
    return settle(axes, points, preference, known=state.archive.held_ever())


def settle(
    axes: Axes, points: Mapping[int, Descriptor], preference: Settles, *, known: Iterable[int]
) -> list[Placement]:
    """The places of images that come one after the other, the ones with the older right first.

    Args:
        axes: of the map.
        points: candidate id -> descriptor, in that order.
        preference: settles collisions.
        known: whose defeat is recorded too.
    """
    recorded, holders, found = frozenset(known), dict[int, int](), list[Placement]()
    for candidate, (cell, clipped) in Archive(axes).locate_all(points).items():
        incumbent = holders.get(cell)
        side: Side | None = None
        if incumbent is not None:
            side = preference.recorded(candidate, incumbent) or preference.sure(candidate, incumbent)
        if incumbent is None or side == "left":
            holders[cell] = candidate
        elif candidate not in recorded:
            continue
        found.append(
            Placement(
                candidate=candidate,
                cell=cell,
                descriptor=points[candidate],
                descriptor_version=axes.version,
                outcome="new"
                if incumbent is None
                else "won"
                if side == "left"
                else "lost"
                if side == "right"
                else "tie",
                incumbent=incumbent,
                clipped=clipped,
                reason=RELAID,
            )
        )
    return found
