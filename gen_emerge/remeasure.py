"""Thresholds for a new scorer: the warm-up's pictures, as today's scorer sees them.

Takes the live series and the evidence of the thresholds in force; gives evidence in which every gate whose scorer has
another version today rests on today's numbers. What the series already knows of that version, from an earlier time or
from a trial, is used; the rest is measured. Old numbers stay, with their version, and are never compared with new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gen_emerge.calibration.first import nearest_others, warmup_evidence
from gen_emerge.live import Live
from gen_emerge.measuring import score
from gen_emerge.protocols import Scorer
from gen_emerge.store import Store
from gen_emerge.tried import tried
from gen_emerge.types import GATES, Candidate, Embedding, Gate, Reading, Trial
from gen_emerge.warmup import LEAST_WARMUP

Number = float | Embedding
"""What one gate is judged by: a raw signal, or for novelty a point in a space."""


def replaced_scorers(live: Live, evidence: Mapping[str, Any]) -> list[Gate]:
    """The gates whose scorer has another version than the one their thresholds rest on."""
    return [gate for gate in GATES if evidence[gate].get("version", "") != live.crew.versions.get(gate, "")]


def remeasured(live: Live, evidence: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Evidence for today's scorers, and what stood in the way ("" when nothing did).

    Returns:
        The same evidence where no scorer changed, or where too few pictures could be measured again: then the bounds in
        force stay, and a human should know.
    """
    changed = replaced_scorers(live, evidence)
    if not changed:
        return evidence, ""
    rows = _numbers(live, ungated(live.store, int(evidence["cycles"])), changed)
    if len(rows) < LEAST_WARMUP:
        return evidence, (
            f"{', '.join(changed)}: the scorer changed, but only {len(rows)} pictures of the warm-up could be "
            "measured again; the old thresholds stay."
        )
    fresh = evidence_of(changed, rows, live.crew.versions)
    return {**evidence, **fresh}, ""


def ungated(store: Store, cycles: int) -> list[Candidate]:
    """The pictures thresholds come from: those of the first cycles that passed the hard filters.

    A picture that a gate rejected later is among them: thresholds come from ungated draws.
    """
    return [
        candidate
        for cycle in range(1, cycles + 1)
        for candidate in store.candidates(cycle=cycle)
        if candidate.image is not None and not filtered(candidate)
    ]


def filtered(candidate: Candidate) -> bool:
    """Whether it never came as far as the gates."""
    return candidate.status == "failed" or (candidate.status == "rejected" and candidate.cause not in GATES)


def evidence_of(
    gates: Iterable[Gate], rows: Sequence[Mapping[str, Number]], versions: Mapping[str, str]
) -> dict[str, Any]:
    """What `rows`, one an ungated picture, say of some gates: as `warmup_evidence` gives it."""
    wanted = list(gates)
    columns = {gate: np.array([row[gate] for row in rows], dtype=np.float64) for gate in wanted if gate != "novelty"}
    nearest = np.empty(0)
    if "novelty" in wanted:
        nearest = nearest_others(np.stack([_vector(row["novelty"]) for row in rows]))
    found = warmup_evidence(columns, nearest, versions)
    return {gate: found[gate] for gate in wanted}


def _vector(number: Number) -> Any:
    assert isinstance(number, Embedding)
    return number.vector


def of_version(store: Store, gate: Gate, version: str, trial: Trial, ids: Sequence[int]) -> dict[int, Number]:
    """Candidate id -> what one version gave for a gate: in the series itself, else in the trial."""
    found: dict[int, Number] = {}
    for number in ids:
        reading = trial.readings.get(number)
        if reading is not None and (known := number_in(reading, gate)) is not None:
            found[number] = known
    if gate == "novelty":
        known_ids, vectors = store.embeddings(ids, version)
        found |= {int(i): Embedding(space=version, vector=v) for i, v in zip(known_ids, vectors, strict=True)}
    else:
        numbers = store.numbers(gate, version)
        found |= {number: numbers[number] for number in ids if number in numbers}
    return found


def number_in(reading: Reading, gate: Gate) -> Number | None:
    """What a reading says for one gate."""
    if gate == "novelty":
        return reading.embedding
    return next((signal.value for signal in reading.signals if signal.scorer == gate), None)


def _numbers(live: Live, pictures: Sequence[Candidate], gates: Sequence[Gate]) -> list[dict[str, Number]]:
    """One row a picture for which every gate's number is known or could be measured."""
    versions, ids = live.crew.versions, [picture.id for picture in pictures]
    known: dict[Gate, dict[int, Number]] = {}
    hopeless: dict[Gate, Mapping[int, str]] = {}
    for gate in gates:
        trial = tried(live.store, gate, versions[gate], ids=ids)
        known[gate] = of_version(live.store, gate, versions[gate], trial, ids)
        hopeless[gate] = trial.failed
    rows: list[dict[str, Number]] = []
    for picture in pictures:
        row: dict[str, Number] = {gate: known[gate][picture.id] for gate in gates if picture.id in known[gate]}
        open_gates: list[Gate] = [gate for gate in gates if gate not in row and picture.id not in hopeless[gate]]
        if len(row) + len(open_gates) == len(gates):
            row |= _measured(live, picture, open_gates)
        if len(row) == len(gates):
            rows.append(row)
    return rows


def _measured(live: Live, picture: Candidate, gates: Sequence[Gate]) -> dict[str, Number]:
    found: dict[str, Number] = {}
    wanted: list[Scorer] = [scorer for scorer in live.crew.scorers if scorer.roles & set(gates)]
    for scorer in wanted:
        prompt, attempts = picture.genome.prompt, live.crew.rhythm.max_attempts
        (reading,) = score(scorer, [live.picture(picture)], [prompt], attempts=attempts)
        if isinstance(reading, Reading):
            numbers = {gate: number_in(reading, gate) for gate in gates if gate in scorer.roles}
            found |= {gate: number for gate, number in numbers.items() if number is not None}
    return found
