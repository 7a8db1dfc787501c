"""The numbers that a gate compared, of every past image: store + a scorer's version -> candidate id -> raw number.

Takes the store; only reads. Numbers of two versions are never put together.
"""

from __future__ import annotations

from collections.abc import Sequence

from gen_emerge.remeasure import number_in
from gen_emerge.store import Store
from gen_emerge.subject import DERIVED
from gen_emerge.tried import novelty_since, tried
from gen_emerge.types import Embedding, Gate


def gate_numbers(store: Store, gate: Gate, version: str, asked: Sequence[int]) -> dict[int, float]:
    """Candidate id -> the number the gate compares, by one version of its scorer: whoever was measured by it.

    Novelty's are distances to who was accepted then: those of before another scorer came in are left out.

    Args:
        store: the series.
        gate: which.
        version: of the scorer.
        asked: candidates that are wanted also where only a trial measured them by this version.
    """
    if gate == "novelty":
        since = novelty_since(store, version)
        found = store.numbers("novelty", DERIVED)
    else:
        since = 0
        found = store.numbers(gate, version)
        missing = [number for number in asked if number not in found]
        readings = tried(store, gate, version, ids=missing).readings if missing else {}
        numbers = {number: number_in(reading, gate) for number, reading in readings.items()}
        found |= {n: value for n, value in numbers.items() if value is not None and not isinstance(value, Embedding)}
    if not since:
        return found
    inside = {number for number, cycle in store.cycles_of(found).items() if cycle >= since}
    return {number: value for number, value in found.items() if number in inside}
