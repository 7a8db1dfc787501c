"""Reading a series. Takes ids and cycles, gives the words of the project; never writes, never holds a snapshot long.

Everything here works beside a running writer, from any thread.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, bindparam, func, select

from gen_emerge.store import history as past
from gen_emerge.store import tables as t
from gen_emerge.store.answers import Answers, answers_from
from gen_emerge.store.database import reading
from gen_emerge.store.rows import genome_from, round_from_payload
from gen_emerge.store.write import last_committed, rule_from
from gen_emerge.types import (
    Axes,
    Calibration,
    Candidate,
    Critique,
    CycleOutcome,
    Event,
    Genome,
    Image,
    Input,
    Proposal,
    Round,
    Signal,
    Usage,
    Verdict,
)

_MANY = 10_000
_ALWAYS = (0, 1 << 62)


class Cycle(NamedTuple):
    """One committed cycle, for display. `committed_at`: seconds since 1970; `best`: candidate id."""

    cycle: int
    committed_at: float
    best: int | None
    render_seconds: float
    cycle_seconds: float


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    wanted = [int(i) for i in ids]
    for first in range(0, len(wanted), _MANY):
        yield wanted[first : first + _MANY]


def _rows(
    connection: Connection, statement: Select[*tuple[Any, ...]], column: Any, ids: Iterable[int] | None
) -> Iterator[Any]:
    """Rows of a statement, of all candidates or of the named ones."""
    if ids is None:
        yield from connection.execute(statement)
        return
    for chunk in _chunks(ids):
        yield from connection.execute(statement.where(column.in_(chunk)))


def _input(row: Any) -> Input:
    return Input(id=row[0], kind=row[1], first_cycle=row[2], payload=json.loads(row[3]))


_IMAGE = (
    t.ImageRow.pixels,
    t.ImageRow.file,
    t.ImageRow.path,
    t.ImageRow.thumbnail,
    t.ImageRow.width,
    t.ImageRow.height,
    t.ImageRow.size,
)
_INPUT = (t.InputRow.id, t.InputRow.kind, t.InputRow.first_cycle, t.InputRow.payload)
# What is asked in every cycle is built once.
STARTS_OF = select(func.count()).select_from(t.AttemptRow).where(t.AttemptRow.cycle == bindparam("cycle"))
_INPUTS_OF_CYCLES = (
    select(*_INPUT)
    .where(t.InputRow.first_cycle >= bindparam("first"), t.InputRow.first_cycle <= bindparam("last"))
    .order_by(t.InputRow.id)
)


def _image(values: Sequence[Any]) -> Image | None:
    if values[0] is None:
        return None
    pixels, file, path, thumbnail, width, height, size = values
    return Image(pixels=pixels, file=file, path=path, thumbnail=thumbnail, width=width, height=height, size=size)


class Reader:
    """The reading half of a store.

    Args:
        engine: of the series' database.
        path: the database file, for messages.
    """

    takes = 1
    """So many neighbouring slots hold takes of one genome: a fact of the series."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def _reading(self) -> Any:
        return reading(self._engine, self._path)

    def _all(
        self, statement: Select[*tuple[Any, ...]], column: Any = None, ids: Iterable[int] | None = None
    ) -> list[Any]:
        with self._reading() as connection:
            return list(_rows(connection, statement, column, ids))

    def committed(self) -> int:
        """The last committed cycle, 0 if there is none."""
        with self._reading() as connection:
            return last_committed(connection)

    def starts(self, cycle: int) -> int:
        """How often a cycle was started."""
        with self._reading() as connection:
            return int(connection.execute(STARTS_OF, {"cycle": cycle}).scalar_one())

    def attempted(self) -> int:
        """The last cycle that was started, 0 if there is none."""
        return int(self._all(select(func.coalesce(func.max(t.AttemptRow.cycle), 0)))[0][0])

    def history(self, after: int = 0) -> Iterator[CycleOutcome]:
        """Outcomes of the cycles > `after` in order, read in chunks as they are wanted."""
        return past.history(self._engine, self._path, after, takes=self.takes)

    def cycles(self, after: int = 0) -> list[Cycle]:
        """Committed cycles > `after`, for display."""
        c = t.CycleRow
        columns = (c.cycle, c.committed_at, c.best, c.render_seconds, c.cycle_seconds)
        return [Cycle(*row) for row in self._all(select(*columns).where(c.cycle > after).order_by(c.cycle))]

    def measures(self) -> list[tuple[int, dict[str, float]]]:
        """Whole-series figures: (cycle, name -> value), in order."""
        c = t.CycleRow
        return [(cycle, json.loads(text)) for cycle, text in self._all(select(c.cycle, c.measures).order_by(c.cycle))]

    def events(self, after: int = 0) -> list[tuple[int, Event]]:
        """(cycle, event) of the cycles > `after`, in order."""
        e = t.EventRow
        statement = select(e.cycle, e.kind, e.message, e.payload).where(e.cycle > after).order_by(e.id)
        return [
            (cycle, Event(kind=kind, message=message, payload=json.loads(payload)))
            for cycle, kind, message, payload in self._all(statement)
        ]

    def calibrations(self) -> list[Calibration]:
        """All versions, oldest first."""
        with self._reading() as connection:
            return list(past.calibrations_between(connection, *_ALWAYS).values())

    def axes(self) -> list[Axes]:
        """All versions, oldest first."""
        with self._reading() as connection:
            return list(past.axes_between(connection, *_ALWAYS).values())

    def inputs(self, first: int, last: int) -> list[Input]:
        """Inputs with first <= first_cycle <= last, in order of arrival."""
        with self._reading() as connection:
            return [_input(row) for row in connection.execute(_INPUTS_OF_CYCLES, {"first": first, "last": last})]

    def inputs_of(self, kind: str) -> list[Input]:
        """All inputs of one kind, in order of arrival."""
        return self._inputs(select(*_INPUT).where(t.InputRow.kind == kind))

    def _inputs(self, statement: Select[*tuple[Any, ...]]) -> list[Input]:
        return [_input(row) for row in self._all(statement.order_by(t.InputRow.id))]

    def rounds(self) -> list[Round]:
        """Every round, opened by the loop or on request, in order of their numbers."""
        with self._reading() as connection:
            found = list(past.rounds_between(connection, *_ALWAYS).values())
        found += [round_from_payload(each.payload) for each in self.inputs_of("round")]
        return sorted(found, key=lambda asked: (asked.cycle, int(asked.id[1:]) if asked.id[1:].isdigit() else 0))

    def answers(self, last: int | None = None) -> Answers:
        """What humans answered: what stands, and everything in order of arrival.

        Args:
            last: only what the cycles up to this one may use; None for everything.
        """
        statement = select(*_INPUT).where(t.InputRow.kind.in_(("answer", "undo")))
        if last is not None:
            statement = statement.where(t.InputRow.first_cycle <= last)
        return answers_from(self._inputs(statement))

    def pending_proposals(self, after: int) -> dict[int, tuple[Proposal, ...]]:
        """Proposals stored for the cycles > `after`: cycle -> proposals in slot order."""
        p = t.ProposalRow
        statement = (
            select(p.cycle, p.slot, t.GenomeRow.recipe, p.operator, p.parents)
            .join(t.GenomeRow, t.GenomeRow.hash == p.genome)
            .where(p.cycle > after)
            .order_by(p.cycle, p.slot)
        )
        found: dict[int, list[Proposal]] = defaultdict(list)
        for cycle, slot, *genome in self._all(statement):
            found[cycle].append(Proposal(cycle=cycle, slot=slot, genome=genome_from(*genome)))
        return {cycle: tuple(proposals) for cycle, proposals in found.items()}

    def genomes(self, hashes: Iterable[str]) -> dict[str, Genome]:
        """Genomes by hash, with the lineage they were first seen with. Unknown hashes are left out."""
        wanted = list(dict.fromkeys(hashes))
        found: dict[str, Genome] = {}
        with self._reading() as connection:
            for table, order in ((t.CandidateRow, t.CandidateRow.id), (t.ProposalRow, t.ProposalRow.made)):
                columns = (t.GenomeRow.hash, t.GenomeRow.recipe, table.operator, table.parents)
                statement = select(*columns).join(table, table.genome == t.GenomeRow.hash).order_by(order)
                missing = [h for h in wanted if h not in found]
                for first in range(0, len(missing), _MANY):
                    some = statement.where(t.GenomeRow.hash.in_(missing[first : first + _MANY]))
                    for name, *genome in connection.execute(some):
                        found.setdefault(name, genome_from(*genome))
        return {h: found[h] for h in wanted if h in found}

    def genome_hashes(self) -> set[str]:
        """Hashes of every genome stored, proposals included."""
        return {row[0] for row in self._all(select(t.GenomeRow.hash))}

    def candidates(
        self, ids: Sequence[int] | None = None, *, cycle: int | None = None, current: bool = False
    ) -> list[Candidate]:
        """Candidates with genome and image, by id.

        Args:
            ids: which ones; None for all.
            cycle: only those of one cycle.
            current: with their present status (after resolutions) instead of the one of their own cycle.
        """
        c = t.CandidateRow
        columns = (c.id, c.cycle, c.slot, c.status, c.cause, t.GenomeRow.recipe, c.operator, c.parents, *_IMAGE)
        statement = (
            select(*columns)
            .join(t.GenomeRow, t.GenomeRow.hash == c.genome)
            .outerjoin(t.ImageRow, t.ImageRow.candidate == c.id)
            .order_by(c.id)
        )
        if cycle is not None:
            statement = statement.where(c.cycle == cycle)
        with self._reading() as connection:
            rows = list(_rows(connection, statement, c.id, ids))
            resolved = _resolved(connection, ids) if current else {}
        return [
            Candidate(
                id=number,
                cycle=of,
                slot=slot,
                genome=genome_from(*rest[:3]),
                image=_image(rest[3:]),
                status=resolved.get(number, (status, cause))[0],
                cause=resolved.get(number, (status, cause))[1],
            )
            for number, of, slot, status, cause, *rest in sorted(rows, key=lambda row: row[0])
        ]

    def made_since(self, cycle: int) -> int:
        """How many candidates a cycle and all later ones have."""
        c = t.CandidateRow
        ((count,),) = self._all(select(func.count()).select_from(c).where(c.cycle >= cycle))
        return count

    def candidates_of(self, genomes: Iterable[str]) -> dict[str, int]:
        """Genome hash -> the first candidate made of it; unknown hashes are left out."""
        c, wanted = t.CandidateRow, list(dict.fromkeys(genomes))
        found: dict[str, int] = {}
        with self._reading() as connection:
            for first in range(0, len(wanted), _MANY):
                some = select(c.genome, c.id).where(c.genome.in_(wanted[first : first + _MANY])).order_by(c.id)
                for genome, number in connection.execute(some):
                    found.setdefault(genome, number)
        return found

    def images(self) -> Iterator[tuple[int, Image]]:
        """(candidate id, image) of every stored picture, by id."""
        i, last = t.ImageRow, 0
        while True:
            rows = self._all(select(i.candidate, *_IMAGE).where(i.candidate > last).order_by(i.candidate).limit(_MANY))
            for number, *values in rows:
                image = _image(values)
                if image:
                    yield number, image
            if len(rows) < _MANY:
                return
            last = rows[-1][0]

    def embeddings(self, ids: Iterable[int] | None, space: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Embeddings in one space: (n,) candidate ids, ascending, and (n, d) float32; (0, 0) when there are none."""
        e = t.EmbeddingRow
        statement = select(e.candidate, e.vector).join(t.SpaceRow, t.SpaceRow.id == e.space)
        rows = self._all(statement.where(t.SpaceRow.name == space).order_by(e.candidate), e.candidate, ids)
        rows.sort(key=lambda row: row[0])
        numbers = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        vectors = np.frombuffer(b"".join(row[1] for row in rows), "<f4").astype(np.float32, copy=False)
        return numbers, vectors.reshape(len(rows), -1) if rows else np.zeros((0, 0), np.float32)

    def spaces(self) -> list[str]:
        """Embedding spaces, in the order they were first seen."""
        return [row[0] for row in self._all(select(t.SpaceRow.name).order_by(t.SpaceRow.id))]

    def signals(self, ids: Iterable[int] | None) -> dict[int, dict[str, Signal]]:
        """Candidate id -> name -> raw signal; of several versions of a scorer, the one that measured last."""
        s, w = t.SignalRow, t.ScorerRow
        statement = select(s.candidate, w.name, w.version, s.value).join(w, w.id == s.scorer)
        found: dict[int, dict[str, Signal]] = defaultdict(dict)
        order: Mapping[tuple[str, str], int] | None = None
        for number, name, version, value in self._all(statement.order_by(s.candidate, s.scorer), s.candidate, ids):
            known = found[number].get(name)
            if known is not None:
                order = self._order() if order is None else order
                if order.get((name, version), 0) < order.get((name, known.scorer_version), 0):
                    continue
            found[number][name] = Signal(scorer=name, scorer_version=version, value=value)
        return dict(found)

    def signal_columns(self, names: Iterable[str]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Name -> (n,) candidate ids, ascending, and (n,) raw values of `signals`, over the whole series."""
        s, w = t.SignalRow, t.ScorerRow
        found: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for name in names:
            versions = self._all(select(w.id, w.version).where(w.name == name).order_by(w.id))
            order = self._order() if len(versions) > 1 else {}
            latest: dict[int, float] = {}
            for scorer, _ in sorted(versions, key=lambda row: (order.get((name, row[1]), 0), row[0])):
                rows = self._all(select(s.candidate, s.value).where(s.scorer == scorer).order_by(s.candidate))
                latest |= {number: value for number, value in rows}
            numbers = np.fromiter(latest, np.int64, len(latest))
            places = np.argsort(numbers, kind="stable")
            found[name] = numbers[places], np.fromiter(latest.values(), np.float64, len(latest))[places]
        return found

    def _order(self) -> dict[tuple[str, str], int]:
        """(Signal, version) -> which of the settings named it last.

        A picture has numbers of two versions only where it was measured again at the end of the warm-up, by whoever was
        in force then: settings that came later say nothing of it.
        """
        i = t.InputRow
        end = self._all(select(func.min(t.CalibrationRow.cycle)))[0][0]
        statement = select(i.id, func.json_extract(i.payload, "$.versions")).where(i.kind == "config").order_by(i.id)
        rows = self._all(statement if end is None else statement.where(i.first_cycle <= end))
        return {(name, version): number for number, text in rows if text for name, version in json.loads(text).items()}

    def verdicts(self, ids: Iterable[int] | None = None) -> dict[int, tuple[Verdict, ...]]:
        """Candidate id -> verdicts, in the order they were given (over several cycles where it was judged later)."""
        v, r = t.VerdictRow, t.RuleRow
        rule = (r.gate, r.kind, r.calibration, r.lower, r.upper, r.review, r.duplicate)
        statement = select(v.candidate, v.outcome, v.value, v.reason, *rule).join(r, r.id == v.rule)
        statement = statement.order_by(v.candidate, v.cycle, v.position)
        found: dict[int, list[Verdict]] = defaultdict(list)
        for number, outcome, value, reason, *values in self._all(statement, v.candidate, ids):
            gate, kind, calibration, bounds = rule_from(values)
            found[number].append(
                Verdict(
                    gate=gate,
                    kind=kind,  # pyright: ignore[reportArgumentType]
                    outcome=outcome,
                    value=value,
                    bounds=bounds,
                    calibration=calibration,
                    reason=reason,
                )
            )
        return {number: tuple(each) for number, each in found.items()}

    def gate_counts(self, kind: str = "gate") -> dict[str, dict[str, int]]:
        """How often each gate (or, with "filter", each hard filter) said pass, fail and review."""
        v, r = t.VerdictRow, t.RuleRow
        statement = select(r.gate, v.outcome, func.count()).join(r, r.id == v.rule).where(r.kind == kind)
        found: dict[str, dict[str, int]] = {}
        for gate, outcome, count in self._all(statement.group_by(r.gate, v.outcome).order_by(r.gate)):
            found.setdefault(gate, {"pass": 0, "fail": 0, "review": 0})[outcome] = count
        return found

    def critiques(self, ids: Iterable[int] | None) -> dict[int, Critique]:
        """Candidate id -> its latest critique."""
        c, w = t.CritiqueRow, t.CriticRow
        usage = (c.input_tokens, c.output_tokens, c.cost_usd, c.seconds)
        columns = (c.candidate, w.name, w.bank, w.bank_hash, c.answers, c.summary, c.weaknesses, *usage)
        statement = select(*columns).join(w, w.id == c.critic).order_by(c.candidate, c.cycle)
        return {
            number: Critique(
                critic=critic,
                bank=bank,
                bank_hash=bank_hash,
                answers=json.loads(answers),
                summary=summary,
                weaknesses=tuple(json.loads(weaknesses)),
                usage=Usage(input_tokens=cost[0], output_tokens=cost[1], cost_usd=cost[2], seconds=cost[3]),
            )
            for number, critic, bank, bank_hash, answers, summary, weaknesses, *cost in self._all(
                statement, c.candidate, ids
            )
        }


def _resolved(connection: Connection, ids: Iterable[int] | None) -> dict[int, tuple[Any, str]]:
    """Candidate id -> its last change of status."""
    r = t.ResolutionRow
    statement = select(r.candidate, r.status, r.cause).order_by(r.id)
    return {number: (status, cause) for number, status, cause in _rows(connection, statement, r.candidate, ids)}
