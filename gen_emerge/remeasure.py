"""Thresholds for a new scorer: the warm-up's pictures, measured again.

Takes the live series and the evidence of the thresholds in force; gives evidence in which every gate whose scorer has
another version today rests on today's numbers. Old numbers stay, with their version, and are never compared with new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gen_emerge.calibration.first import nearest_others, warmup_evidence
from gen_emerge.live import Live
from gen_emerge.types import GATES, Reading


def remeasured(live: Live, evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same evidence where no scorer changed, else a copy with the changed gates measured again."""
    versions = live.crew.versions
    changed = [gate for gate in GATES if evidence[gate].get("version", "") != versions.get(gate, "")]
    if not changed:
        return evidence
    readings = list(_readings(live))
    columns = {
        gate: np.array([s.value for reading in readings for s in reading.signals if s.scorer == gate])
        for gate in GATES
        if gate != "novelty"
    }
    vectors = [reading.embedding.vector for reading in readings if reading.embedding is not None]
    nearest = nearest_others(np.stack(vectors)) if len(vectors) > 1 else np.empty(0)
    fresh = warmup_evidence(columns, nearest, versions)
    return {**evidence, **{gate: fresh[gate] for gate in changed}}


def _readings(live: Live) -> Iterator[Reading]:
    """What today's scorers say of the warm-up's pictures that passed the hard filters, as in the warm-up itself."""
    rhythm = live.crew.rhythm
    for cycle in range(1, rhythm.warmup_cycles + 1):
        found = [c for c in live.store.candidates(cycle=cycle) if c.image is not None and c.status != "rejected"]
        pictures = [live.load(c.image) for c in found if c.image is not None]
        for scorer in live.crew.scorers if pictures else ():
            yield from scorer.score(pictures, [c.genome.prompt for c in found])
