"""Thresholds that were asked for: inputs of kind "calibration" -> the calibration in force from a cycle's boundary on.

Takes the evidence that a command, or a round that was answered, wrote down; gives the next version. Nothing is
measured and nothing is weighed here: what comes into force was fixed when the input was written, so a kill between
the two changes nothing. It holds for images to come; past verdicts stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from gen_emerge.calibration.first import resolve
from gen_emerge.cycle import Draft
from gen_emerge.roles import Crew
from gen_emerge.types import GATES, Calibration, Event, Input

KIND = "calibration"
"""The kind of such an input."""
CANCELLED = "cancelled"
"""What an input `did` that takes back others, by their ids in `cancels`, and leaves the version in force."""


def recalibrate(draft: Draft, inputs: Sequence[Input]) -> None:
    """Bring in what was asked for. During the warm-up it waits for its end: see `approved`."""
    asked = [item for item in inputs if item.kind == KIND]
    gone = taken_back(draft.live.store.inputs_of(KIND)) if asked else frozenset[int]()
    for item in asked:
        if draft.calibration is None or item.id in gone:
            continue
        if _came_in_time(item, gone):
            message = f"{item.payload['reason']}: it never came into force."
            draft.events.append(Event(kind=KIND, message=message, payload={"did": item.payload["did"]}))
            continue
        before = draft.live.calibration_before(draft.cycle)
        new, trouble = _next(draft.live.crew, draft.calibration, before, item.payload, draft.cycle)
        if new is None:
            draft.events.append(Event(kind="alarm", message=f"{item.payload['reason']}: {trouble}"))
            continue
        draft.calibration = new
        message = f"Calibration version {new.version} is in force: {new.reason}."
        draft.events.append(
            Event(kind=KIND, message=message, payload={"version": new.version, "did": item.payload["did"]})
        )


def taken_back(inputs: Iterable[Input]) -> frozenset[int]:
    """Ids of the changes that somebody took back before their cycle had begun; who comes later changes the next one.

    Args:
        inputs: all of kind "calibration".
    """
    known = {item.id: item for item in inputs}
    return frozenset(
        number
        for item in known.values()
        for number in item.payload.get("cancels", ())
        if number in known and known[number].first_cycle >= item.first_cycle
    )


def waiting(inputs: Sequence[Input], cycle: int) -> list[Input]:
    """The changes that are still to come into force after a cycle, oldest first.

    Args:
        inputs: all of kind "calibration".
        cycle: the last that was committed.
    """
    gone = taken_back(inputs)
    return [i for i in inputs if i.first_cycle > cycle and i.id not in gone and not _came_in_time(i, gone)]


def _came_in_time(item: Input, gone: Set[int]) -> bool:
    """Whether it takes back changes and nothing else, all of them before their cycles."""
    return item.payload["did"] == CANCELLED and set(item.payload["cancels"]) <= gone


def _next(
    crew: Crew, now: Calibration, before: Calibration | None, payload: Mapping[str, Any], cycle: int
) -> tuple[Calibration | None, str]:
    """The next version, or why there is none."""
    if payload["parent"] is not None and payload["parent"] != now.version:
        return None, f"not done, it was weighed against version {payload['parent']} and {now.version} is in force."
    other = [
        gate
        for gate, entry in payload["evidence"].items()
        if gate in GATES and entry.get("version", "") != now.evidence[gate].get("version", "")
    ]
    if other:
        return None, f"not done, {', '.join(other)} has another scorer since."
    fresh = {
        g: {**e, "since": cycle} if g in GATES and payload["did"] == "folder" else e
        for g, e in payload["evidence"].items()
    }
    # Two changes at one boundary are one version: only what they come to is ever in force.
    parent = before.version if before is not None else now.version
    evidence = {**now.evidence, **fresh}
    new = resolve(crew.gates, evidence, version=parent + 1, parent=parent, reason=payload["reason"])
    return new, ""


def approved(inputs: Iterable[Input], versions: Mapping[str, str], cycle: int) -> tuple[dict[str, Any], str]:
    """What folders of approved images said before there were thresholds: evidence of some gates, and the reason.

    Args:
        inputs: all of kind "calibration", oldest first.
        versions: gate -> version of its scorer at the warm-up's end; a folder measured by another says nothing.
        cycle: the warm-up's last.
    """
    found: dict[str, Any] = {}
    reason = ""
    for item in inputs:
        if item.first_cycle > cycle or item.payload["did"] != "folder":
            continue
        fitting = {g: e for g, e in item.payload["evidence"].items() if e.get("version", "") == versions.get(g, "")}
        if fitting:
            found |= fitting
            reason = item.payload["reason"]
    return found, reason
