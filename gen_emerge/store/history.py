"""Replaying outcomes. Takes an engine, gives the light half of every cycle in order; never writes, never asks again.

Read in chunks of cycles, each a short transaction, so that a slow reader never holds the writer's log back. What was
committed never changes: the chunks together are one consistent history up to the cycle that was last at the start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, select

from gen_emerge.errors import Damaged
from gen_emerge.store import tables as t
from gen_emerge.store.database import reading
from gen_emerge.store.rows import axes_from, calibration_from, from_json, hashes_from, question_from
from gen_emerge.store.write import last_committed
from gen_emerge.types import (
    JUDGES,
    LEARNED,
    Axes,
    Calibration,
    CycleOutcome,
    Duel,
    Event,
    Fate,
    Placement,
    Question,
    Resolution,
    Round,
)

_CHUNK = 250


def history(source: Engine, path: Path, after: int, *, takes: int) -> Iterator[CycleOutcome]:
    """Outcomes of the cycles > `after`, in order; `takes` renders a genome in each."""
    with reading(source, path) as connection:
        last = last_committed(connection)
    for first in range(after + 1, last + 1, _CHUNK):
        upto = min(first + _CHUNK - 1, last)
        with reading(source, path) as connection:
            chunk = _outcomes(connection, first, upto, takes)
        yield from chunk


def _between(statement: Select[*tuple[Any, ...]], table: Any, first: int, last: int) -> Select[*tuple[Any, ...]]:
    return statement.where(table.cycle >= first, table.cycle <= last)


def _outcomes(connection: Connection, first: int, last: int, takes: int) -> list[CycleOutcome]:
    fates = _fates(connection, first, last)
    duels = _duels(connection, first, last)
    resolutions = _resolutions(connection, first, last)
    placements = _placements(connection, first, last)
    calibrations = calibrations_between(connection, first, last)
    axes = axes_between(connection, first, last)
    rounds = rounds_between(connection, first, last)
    told = _told(connection, first, last)
    c = t.CycleRow
    cycles = connection.execute(_between(select(c.cycle, c.best), c, first, last).order_by(c.cycle))
    return [
        CycleOutcome(
            cycle=cycle,
            fates=tuple(fates[cycle]),
            duels=tuple(duels[cycle]),
            resolutions=tuple(resolutions[cycle]),
            placements=tuple(placements[cycle]),
            calibration=calibrations.get(cycle),
            axes=axes.get(cycle),
            round=rounds.get(cycle),
            best=best,
            takes=takes,
            alarms=tuple(event for event in told[cycle] if event.stands_or_ends),
            weights=next((event.payload["weights"] for event in told[cycle] if event.kind == JUDGES), None),
        )
        for cycle, best in cycles
    ]


def _fates(connection: Connection, first: int, last: int) -> dict[int, list[Fate]]:
    c = t.CandidateRow
    columns = (c.cycle, c.id, c.slot, c.genome, t.ImageRow.pixels, c.operator, c.parents, c.status, c.cause)
    statement = select(*columns).outerjoin(t.ImageRow, t.ImageRow.candidate == c.id)
    found: dict[int, list[Fate]] = defaultdict(list)
    for row in connection.execute(_between(statement, c, first, last).order_by(c.cycle, c.slot)).all():
        cycle, number, slot, genome, pixels, operator, parents, status, cause = row
        found[cycle].append(
            Fate(
                id=number,
                slot=slot,
                genome=genome,
                pixels=pixels,
                operator=operator,
                parents=hashes_from(parents),
                status=status,
                cause=cause,
            )
        )
    return found


def _duels(connection: Connection, first: int, last: int) -> dict[int, list[Duel]]:
    d = t.DuelRow
    columns = (d.left, d.right, d.question, d.outcome, d.judge, d.order, d.purpose, d.seconds, d.attention, d.cycle)
    found: dict[int, list[Duel]] = defaultdict(list)
    for row in connection.execute(_between(select(*columns), d, first, last).order_by(d.id)).all():
        left, right, question, outcome, judge, order, purpose, seconds, attention, cycle = row
        found[cycle].append(
            Duel(
                left=left,
                right=right,
                question=question,
                outcome=outcome,
                judge=judge,
                order=order,
                purpose=purpose,
                seconds=seconds,
                attention=attention,
            )
        )
    return found


def _resolutions(connection: Connection, first: int, last: int) -> dict[int, list[Resolution]]:
    r = t.ResolutionRow
    found: dict[int, list[Resolution]] = defaultdict(list)
    statement = _between(select(r.cycle, r.candidate, r.status, r.cause), r, first, last).order_by(r.id)
    for cycle, candidate, status, cause in connection.execute(statement):
        found[cycle].append(Resolution(candidate=candidate, status=status, cause=cause))
    return found


def _placements(connection: Connection, first: int, last: int) -> dict[int, list[Placement]]:
    p = t.PlacementRow
    columns = (p.candidate, p.cell, p.descriptor, p.descriptor_version, p.outcome, p.incumbent, p.clipped, p.reason)
    found: dict[int, list[Placement]] = defaultdict(list)
    for row in connection.execute(_between(select(*columns, p.cycle), p, first, last).order_by(p.id)).all():
        candidate, cell, descriptor, version, outcome, incumbent, clipped, reason, cycle = row
        found[cycle].append(
            Placement(
                candidate=candidate,
                cell=cell,
                descriptor=tuple(from_json(descriptor)),
                descriptor_version=version,
                outcome=outcome,
                incumbent=incumbent,
                clipped=clipped,
                reason=reason,
            )
        )
    return found


def _told(connection: Connection, first: int, last: int) -> dict[int, list[Event]]:
    """The events that a state is a function of."""
    e = t.EventRow
    found: dict[int, list[Event]] = defaultdict(list)
    statement = select(e.cycle, e.kind, e.message, e.payload).where(e.kind.in_(("alarm", JUDGES)))
    for cycle, kind, message, payload in connection.execute(_between(statement, e, first, last).order_by(e.id)):
        found[cycle].append(Event(kind=kind, message=message, payload=from_json(payload)))
    return found


def calibrations_between(connection: Connection, first: int, last: int) -> dict[int, Calibration]:
    """Cycle -> the calibration made in it."""
    c = t.CalibrationRow
    statement = select(c.cycle, c.version, c.parent, c.bounds, c.evidence, c.reason).order_by(c.version)
    return {cycle: calibration_from(*rest) for cycle, *rest in connection.execute(_between(statement, c, first, last))}


def axes_between(connection: Connection, first: int, last: int) -> dict[int, Axes]:
    """Cycle -> the axes made in it."""
    a = t.AxesRow
    statement = select(a.cycle, a.version, a.kind, a.names, a.low, a.high, a.dims, a.centroids).order_by(a.version)
    found = {cycle: axes_from(*rest) for cycle, *rest in connection.execute(_between(statement, a, first, last))}
    learned = [cycle for cycle, axes in found.items() if any(str(name).startswith(LEARNED) for name in axes.names)]
    return {**found, **{cycle: _with_weights(connection, cycle, found[cycle]) for cycle in learned}}


def _with_weights(connection: Connection, cycle: int, axes: Axes) -> Axes:
    """Learned axes with their projection, which stands in the input that asked for them, and nowhere else."""
    i = t.InputRow
    statement = select(i.payload).where(i.kind == "axes", i.first_cycle == cycle).order_by(i.id.desc())
    payload = connection.execute(statement).scalars().first()
    if payload is None:
        raise Damaged(
            f"Cycle {cycle} has axes version {axes.version}, and no input says what they were learned from.",
            hint="`gen-emerge verify` names everything that is wrong. Restore series.db from a copy.",
        )
    told = from_json(payload)
    weights = tuple(tuple(float(value) for value in row) for row in told["weights"])
    return replace(axes, space=told["space"], weights=weights)


def rounds_between(connection: Connection, first: int, last: int) -> dict[int, Round]:
    """Cycle -> the round opened at its commit."""
    r, q = t.RoundRow, t.QuestionRow
    asked: dict[str, list[Question]] = defaultdict(list)
    columns = (q.round, q.id, q.kind, q.ask, q.prompt, q.images, q.attention, q.stream)
    statement = select(*columns).join(r, r.id == q.round).order_by(q.round, q.position)
    for number, *values in connection.execute(_between(statement, r, first, last)):
        asked[number].append(question_from(*values))
    statement = select(r.cycle, r.id, r.round_cycle, r.reason, r.baseline).order_by(r.cycle)
    return {
        cycle: Round(id=number, cycle=of, reason=reason, questions=tuple(asked[number]), baseline=tuple(from_json(ids)))
        for cycle, number, of, reason, ids in connection.execute(_between(statement, r, first, last))
    }
