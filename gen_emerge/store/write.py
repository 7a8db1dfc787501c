"""Writing one cycle. Takes a record and an open write transaction, gives nothing, touches no file itself.

Rows go in through SQLAlchemy Core, one `executemany` a table, in the order that foreign keys want.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, func, insert, select
from sqlalchemy.dialects import sqlite

from gen_emerge.store import tables as t
from gen_emerge.store.rows import (
    Row,
    axes_row,
    calibration_row,
    candidate_row,
    critique_row,
    duel_rows,
    image_row,
    placement_rows,
    proposal_row,
    question_rows,
    recipe_json,
    resolution_rows,
    round_row,
    to_json,
    vector_bytes,
)
from gen_emerge.types import Bounds, CycleRecord, Verdict

_K = TypeVar("_K", bound=tuple[Any, ...])
Rule = tuple[str, str, int, Bounds | None]

_DIALECT = sqlite.dialect()


@cache
def _statement(table: type[t.Base], columns: tuple[str, ...]) -> tuple[str, Callable[[Row], Any]]:
    """An INSERT compiled once, and what takes its values from a row. A genome that is there already stays as it is."""
    into: Insert = insert(table)
    if table is t.GenomeRow:
        into = sqlite.insert(t.GenomeRow).on_conflict_do_nothing()
    compiled: Any = into.compile(dialect=_DIALECT, column_keys=list(columns))
    first, *others = compiled.positiontup
    return str(compiled), itemgetter(first, *others) if others else lambda row: (row[first],)


def _put(connection: Connection, table: type[t.Base], rows: Sequence[Row]) -> None:
    """One `executemany`; compiled by hand because preparing each row's values takes Core longer than SQLite."""
    if rows:
        text, values = _statement(table, tuple(rows[0]))
        connection.exec_driver_sql(text, [values(row) for row in rows])


class Words:
    """Numbers for the words that repeat on every candidate: scorers, spaces, rules, critics.

    Kept in memory and read again after a transaction that failed, since the numbers it gave were never stored.
    """

    def __init__(self) -> None:
        self._known: dict[type[t.Base], dict[Any, int]] = {}

    def forget(self) -> None:
        """Read everything again at the next use."""
        self._known.clear()

    def numbers(
        self,
        connection: Connection,
        table: type[t.Base],
        wanted: Iterable[_K],
        read: Callable[[Any], _K],
        row: Callable[[_K], Row],
    ) -> dict[_K, int]:
        """The number of each wanted word; new words get a row."""
        known: dict[_K, int] | None = self._known.get(table)
        if known is None:
            columns = table.__table__.columns
            known = {read(tuple(r)[1:]): r[0] for r in connection.execute(select(*columns).order_by(columns["id"]))}
            self._known[table] = known
        fresh = [word for word in dict.fromkeys(wanted) if word not in known]
        last = max(known.values(), default=0)
        for number, word in enumerate(fresh, start=last + 1):
            known[word] = number
        _put(connection, table, [{"id": known[word], **row(word)} for word in fresh])
        return known


def rule_of(verdict: Verdict) -> Rule:
    """What was applied, without what came of it."""
    return verdict.gate, verdict.kind, int(verdict.calibration), verdict.bounds


def rule_from(values: Sequence[Any]) -> Rule:
    """A stored rule: (gate, kind, calibration, lower, upper, review, duplicate, review_upper)."""
    gate, kind, calibration, lower, upper, review, duplicate, review_upper = values
    if review is None:
        return gate, kind, calibration, None
    bounds = Bounds(lower=lower, upper=upper, review=review, duplicate=duplicate, review_upper=review_upper)
    return gate, kind, calibration, bounds


def _rule_row(rule: Rule) -> Row:
    gate, kind, calibration, bounds = rule
    return {
        "gate": gate,
        "kind": kind,
        "calibration": calibration,
        "lower": bounds.lower if bounds else None,
        "upper": bounds.upper if bounds else None,
        "review": float(bounds.review) if bounds else None,
        "duplicate": bounds.duplicate if bounds else None,
        "review_upper": bounds.review_upper if bounds else None,
    }


_LAST_COMMITTED = select(func.coalesce(func.max(t.CycleRow.cycle), 0))


def last_committed(connection: Connection) -> int:
    """The last committed cycle, 0 if there is none."""
    return connection.execute(_LAST_COMMITTED).scalar_one()


def write_cycle(connection: Connection, record: CycleRecord, words: Words) -> None:
    """All rows of one cycle."""
    cycle = int(record.cycle)
    _put(
        connection,
        t.CycleRow,
        [
            {
                "cycle": cycle,
                "committed_at": time.time(),
                "best": record.best,
                "render_seconds": float(record.render_seconds),
                "cycle_seconds": float(record.cycle_seconds),
                "measures": to_json({name: float(value) for name, value in record.measures.items()}),
            }
        ],
    )
    genomes = {c.genome.hash: c.genome for c in record.candidates}
    genomes.update((p.genome.hash, p.genome) for p in record.proposals)
    _put(connection, t.GenomeRow, [{"hash": key, "recipe": recipe_json(g)} for key, g in genomes.items()])
    _put(connection, t.CandidateRow, [candidate_row(c) for c in record.candidates])
    _put(connection, t.ImageRow, [image_row(c.id, c.image) for c in record.candidates if c.image])
    _put(connection, t.ProposalRow, [proposal_row(cycle, p) for p in record.proposals])
    _write_measured(connection, record, words)
    _write_judged(connection, record, words)
    _write_derived(connection, record)


def _write_measured(connection: Connection, record: CycleRecord, words: Words) -> None:
    """Signals and embeddings."""
    scorers = words.numbers(
        connection,
        t.ScorerRow,
        ((s.scorer, s.scorer_version) for each in record.signals.values() for s in each),
        lambda values: (values[0], values[1]),
        lambda word: {"name": word[0], "version": word[1]},
    )
    signals = [
        {"candidate": int(c), "scorer": scorers[s.scorer, s.scorer_version], "value": float(s.value)}
        for c, each in record.signals.items()
        for s in each
    ]
    _put(connection, t.SignalRow, signals)
    spaces = words.numbers(
        connection,
        t.SpaceRow,
        ((e.space,) for e in record.embeddings.values()),
        lambda values: (values[0],),
        lambda word: {"name": word[0]},
    )
    embeddings = [
        {"candidate": int(c), "space": spaces[(e.space,)], "vector": vector_bytes(e)}
        for c, e in record.embeddings.items()
    ]
    _put(connection, t.EmbeddingRow, embeddings)


def _write_judged(connection: Connection, record: CycleRecord, words: Words) -> None:
    """Verdicts and critiques."""
    rules = words.numbers(
        connection,
        t.RuleRow,
        (rule_of(v) for each in record.verdicts.values() for v in each),
        rule_from,
        _rule_row,
    )
    verdicts = [
        {
            "candidate": int(c),
            "cycle": int(record.cycle),
            "position": position,
            "rule": rules[rule_of(v)],
            "outcome": v.outcome,
            "value": None if v.value is None else float(v.value),
            "reason": v.reason,
        }
        for c, each in record.verdicts.items()
        for position, v in enumerate(each)
    ]
    _put(connection, t.VerdictRow, verdicts)
    critics = words.numbers(
        connection,
        t.CriticRow,
        ((c.critic, c.bank, c.bank_hash) for c in record.critiques.values()),
        lambda values: (values[0], values[1], values[2]),
        lambda word: {"name": word[0], "bank": word[1], "bank_hash": word[2]},
    )
    critiques = [
        critique_row(int(record.cycle), c, critics[critique.critic, critique.bank, critique.bank_hash], critique)
        for c, critique in record.critiques.items()
    ]
    _put(connection, t.CritiqueRow, critiques)


def _write_derived(connection: Connection, record: CycleRecord) -> None:
    """Duels, placements, changes of status, versions, the round, events."""
    cycle = int(record.cycle)
    _put(connection, t.DuelRow, duel_rows(record))
    _put(connection, t.ResolutionRow, resolution_rows(cycle, record.resolutions))
    _put(connection, t.PlacementRow, placement_rows(record))
    if record.calibration:
        _put(connection, t.CalibrationRow, [calibration_row(cycle, record.calibration)])
    if record.axes:
        _put(connection, t.AxesRow, [axes_row(cycle, record.axes)])
    if record.round:
        asked = record.round
        _put(connection, t.RoundRow, [round_row(cycle, asked)])
        _put(connection, t.QuestionRow, question_rows(asked))
    events = [
        {"cycle": cycle, "kind": e.kind, "message": e.message, "payload": to_json(e.payload)} for e in record.events
    ]
    _put(connection, t.EventRow, events)
