"""A scorer beside the one in force: bounds, verdicts, ranks, and the pictures that would change sides.

Takes a store with numbers of both versions; gives plain objects. Each version is held against bounds of its own: those
in force, and those that the same rule gives for the new numbers of the same pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.calibration.first import GateSetting, nearest_others, resolve
from gen_emerge.calibration.rollover import (
    Agreement,
    agreement,
    as_plain,
    counts,
    fixed_numbers,
    telling,
    translated,
)
from gen_emerge.chance import draw
from gen_emerge.config import SeriesConfig
from gen_emerge.crew import gate_settings
from gen_emerge.gates import judge, judge_novelty
from gen_emerge.remeasure import Number, evidence_of, of_version
from gen_emerge.retrace import Distances, retrace
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.types import GATES, Bounds, Candidate, Embedding, Gate, Outcome, Trial

SHOWN = 8
"""Pictures that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """One gate, by two versions.

    Args:
        gate: which.
        was: the version in force.
        version: the new one.
        bounds: (in force, new); None during the warm-up, or where too few pictures were measured.
        evidence: what the new bounds rest on, {} likewise.
        fixed: the series file's own numbers -> those with the same share of pictures below them.
        images: candidates measured by both.
        missing: pictures that lack a number of one of the two.
        values: candidate id -> (old, new) raw number.
        outcomes: candidate id -> (old, new) verdict; empty where there are no bounds.
        agreement: of ranks.
        telling: candidate ids whose verdict would change, the most telling first.
    """

    gate: Gate
    was: str
    version: str
    bounds: tuple[Bounds, Bounds] | None
    evidence: Mapping[str, Any]
    fixed: Mapping[str, float]
    images: Mapping[int, Candidate]
    missing: int
    values: Mapping[int, tuple[float, float]]
    outcomes: Mapping[int, tuple[Outcome, Outcome]]
    agreement: Agreement
    telling: tuple[int, ...]

    def plain(self, folder: Path) -> dict[str, Any]:
        """The object `--json` prints."""
        judged = list(self.outcomes.values())
        return {
            "was": self.was,
            "is": self.version,
            "bounds": {"was": as_plain(self.bounds[0]), "is": as_plain(self.bounds[1])} if self.bounds else None,
            "evidence": dict(self.evidence),
            "fixed": dict(self.fixed),
            "compared": len(self.values),
            "not_compared": self.missing,
            "verdicts": counts([a for a, _ in judged], [b for _, b in judged]) if self.bounds else None,
            "agreement": asdict(self.agreement),
            "flips": [self._flip(number, folder) for number in self.telling[:SHOWN]],
        }

    def _flip(self, number: int, folder: Path) -> dict[str, Any]:
        candidate, (old, new) = self.images[number], self.values[number]
        before, after = self.outcomes[number]
        return {
            "candidate": number,
            "path": str(folder / candidate.image.path) if candidate.image else "",
            "prompt": candidate.genome.prompt,
            "status": candidate.status,
            "was": {"value": old, "verdict": before},
            "is": {"value": new, "verdict": after},
        }


def side_by_side(
    store: Store,
    state: State,
    config: SeriesConfig,
    gate: Gate,
    *,
    was: str,
    version: str,
    pictures: Sequence[Candidate],
    warmup: Sequence[Candidate],
) -> Sides:
    """Compare two versions on pictures that came as far as the gates.

    Args:
        store: holds the numbers of both.
        state: replayed to the last commit.
        config: the series file.
        gate: which.
        was: the version in force.
        version: the new one.
        pictures: what is compared.
        warmup: the pictures thresholds come from.
    """
    everybody = sorted({c.id for c in (*pictures, *warmup)} | (set(state.accepted) if gate == "novelty" else set()))
    old, new = (_all_of(store, gate, each, everybody) for each in (was, version))
    pair, evidence, fixed = _bounds(state, gate_settings(config)[gate], gate, version, old, new, warmup)
    ids = [c.id for c in pictures]
    outcomes: dict[int, tuple[Outcome, Outcome]] = {}
    if gate == "novelty":
        values, outcomes = _by_distance(store, config, old, new, ids, pair, state)
    else:
        values = {n: (_raw(old[n]), _raw(new[n])) for n in ids if n in old and n in new}
        if pair is not None:
            outcomes = {n: (_judged(gate, a, pair[0]), _judged(gate, b, pair[1])) for n, (a, b) in values.items()}
    columns = np.array(list(values.values()), dtype=np.float64).reshape(len(values), 2)
    before: list[Outcome] = [outcomes[n][0] for n in values if n in outcomes]
    after: list[Outcome] = [outcomes[n][1] for n in values if n in outcomes]
    order = telling(columns[:, 0], columns[:, 1], before, after) if outcomes else []
    known = list(values)
    return Sides(
        gate=gate,
        was=was,
        version=version,
        bounds=pair,
        evidence=evidence,
        fixed=fixed,
        images={c.id: c for c in pictures},
        missing=sum(1 for number in ids if number not in old or number not in new),
        values=values,
        outcomes=outcomes,
        agreement=agreement(columns[:, 0], columns[:, 1], draw(config.seed, 0, GATES.index(gate), "rescore")),
        telling=tuple(known[place] for place in order),
    )


def overall_counts(store: Store, sides: Sequence[Sides]) -> dict[str, dict[str, int]] | None:
    """Old outcome of all gates -> new one -> how many pictures; the other gates' verdicts are those on record."""
    judged = {side.gate: side.outcomes for side in sides if side.bounds is not None}
    if not judged or len(judged) < len(sides):
        return None
    ids = sorted(frozenset.intersection(*(frozenset(outcomes) for outcomes in judged.values())))
    recorded = store.verdicts(ids)
    old: list[Outcome] = []
    new: list[Outcome] = []
    for number in ids:
        others = [v for v in recorded.get(number, ()) if v.kind == "gate" and v.gate not in judged]
        last: dict[str, Outcome] = {v.gate: v.outcome for v in others}
        for side, found in ((0, old), (1, new)):
            found.append(_worst([*last.values(), *[outcomes[number][side] for outcomes in judged.values()]]))
    return counts(old, new)


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    found = Counter(outcomes)
    return "fail" if found["fail"] else "review" if found["review"] else "pass"


def _all_of(store: Store, gate: Gate, version: str, ids: Sequence[int]) -> dict[int, Number]:
    trial = store.tried(gate, version, ids=ids) or Trial(gate=gate, version=version, table={})
    return of_version(store, gate, version, trial, ids)


def _raw(number: Number) -> float:
    assert not isinstance(number, Embedding)
    return number


def _bounds(
    state: State,
    setting: GateSetting,
    gate: Gate,
    version: str,
    old: Mapping[int, Number],
    new: Mapping[int, Number],
    warmup: Sequence[Candidate],
) -> tuple[tuple[Bounds, Bounds] | None, Mapping[str, Any], Mapping[str, float]]:
    """(In force, new), the new ones' evidence, and the series file's own numbers in the new version's units."""
    rows = [{gate: new[c.id]} for c in warmup if c.id in new]
    before = [old[c.id] for c in warmup if c.id in old]
    if state.calibration is None or len(rows) < 2 or len(before) < 2:
        return None, {}, {}
    evidence = evidence_of([gate], rows, {gate: version})
    again = translated(setting, _spread(before), _spread([row[gate] for row in rows]))
    new_bounds = resolve({gate: again}, evidence, version=0, parent=None, reason="").bounds[gate]
    fixed = {key: value for key, value in fixed_numbers(again).items() if key in fixed_numbers(setting)}
    return (state.calibration.bounds[gate], new_bounds), evidence[gate], fixed


def _spread(numbers: Sequence[Number]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What a gate's bound is a percentile of: raw numbers, or distances to the nearest other picture."""
    vectors = [number.vector for number in numbers if isinstance(number, Embedding)]
    return nearest_others(np.stack(vectors)) if vectors else np.array(numbers, dtype=np.float64)


def _judged(gate: Gate, value: float, bounds: Bounds) -> Outcome:
    return judge(gate, value, bounds, 0).outcome


def _by_distance(
    store: Store,
    config: SeriesConfig,
    old: Mapping[int, Number],
    new: Mapping[int, Number],
    ids: Sequence[int],
    pair: tuple[Bounds, Bounds] | None,
    state: State,
) -> tuple[dict[int, tuple[float, float]], dict[int, tuple[Outcome, Outcome]]]:
    """Novelty is judged by distances to whoever was accepted before: the history is walked in both spaces."""
    if state.calibration is None:
        return {}, {}
    both = frozenset(old) & frozenset(new)
    walks: list[dict[int, Distances]] = []
    for numbers in (old, new):
        vectors = {n: number.vector for n in both if isinstance(number := numbers[n], Embedding)}
        walks.append(retrace(store, vectors, ids, depth=config.loop.pipeline_depth))
    values: dict[int, tuple[float, float]] = {}
    outcomes: dict[int, tuple[Outcome, Outcome]] = {}
    for number in (n for n in ids if n in walks[0] and n in walks[1]):
        first, second = walks[0][number], walks[1][number]
        values[number] = (_far(first), _far(second))
        if pair is not None:
            outcomes[number] = (
                judge_novelty(first.nearest, first.anybody, pair[0], 0).outcome,
                judge_novelty(second.nearest, second.anybody, pair[1], 0).outcome,
            )
    return values, outcomes


def _far(distances: Distances) -> float:
    """The distance that is shown; 2, the largest there is, where there was nobody."""
    return distances.nearest if distances.nearest is not None else 2.0
