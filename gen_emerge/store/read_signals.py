"""Reading what was measured and said of candidates: signals, embeddings, verdicts, critiques.

Takes ids, gives the words of the project; never writes. Of several versions of a scorer, the one in force counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from gen_emerge.store import tables as t
from gen_emerge.store.rows import from_json
from gen_emerge.store.snapshots import Snapshots
from gen_emerge.store.write import rule_from
from gen_emerge.types import Critique, Signal, Usage, Verdict


class SignalReader(Snapshots):
    """The half of a store that reads what was measured and said."""

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
        return {(name, version): number for number, text in rows if text for name, version in from_json(text).items()}

    def verdicts(self, ids: Iterable[int] | None = None) -> dict[int, tuple[Verdict, ...]]:
        """Candidate id -> verdicts, in the order they were given (over several cycles where it was judged later)."""
        v, r = t.VerdictRow, t.RuleRow
        rule = (r.gate, r.kind, r.calibration, r.lower, r.upper, r.review, r.duplicate, r.review_upper)
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

    def last_critic(self, ids: Iterable[int]) -> tuple[str, str] | None:
        """Who answered about some candidates last, and to which bank: (critic, hash of the bank); None without any."""
        c, w = t.CritiqueRow, t.CriticRow
        statement = select(c.cycle, c.candidate, w.name, w.bank_hash).join(w, w.id == c.critic)
        newest = max(self._all(statement, c.candidate, ids), key=lambda row: (row[0], row[1]), default=None)
        return None if newest is None else (newest[2], newest[3])

    def critiques(self, ids: Iterable[int] | None, *, upto: int | None = None) -> dict[int, Critique]:
        """Candidate id -> its latest critique.

        Args:
            ids: whose; None for all.
            upto: of the cycles up to this one; None for all.
        """
        c, w = t.CritiqueRow, t.CriticRow
        usage = (c.input_tokens, c.output_tokens, c.cost_usd, c.seconds)
        columns = (c.candidate, w.name, w.bank, w.bank_hash, c.answers, c.summary, c.weaknesses, *usage)
        statement = select(*columns).join(w, w.id == c.critic).order_by(c.candidate, c.cycle)
        statement = statement if upto is None else statement.where(c.cycle <= upto)
        return {
            number: Critique(
                critic=critic,
                bank=bank,
                bank_hash=bank_hash,
                answers=from_json(answers),
                summary=summary,
                weaknesses=tuple(from_json(weaknesses)),
                usage=Usage(input_tokens=cost[0], output_tokens=cost[1], cost_usd=cost[2], seconds=cost[3]),
            )
            for number, critic, bank, bank_hash, answers, summary, weaknesses, *cost in self._all(
                statement, c.candidate, ids
            )
        }
