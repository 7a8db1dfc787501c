"""Thresholds for a new scorer: the warm-up's pictures, measured again.

Takes the live series and the evidence of the thresholds in force; gives evidence in which every gate whose scorer has
another version today rests on today's numbers. Old numbers stay, with their version, and are never compared with new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.first import nearest_others, warmup_evidence
from gen_emerge.live import Live
from gen_emerge.measuring import score
from gen_emerge.types import GATES, Candidate, Reading, Signal
from gen_emerge.warmup import LEAST_WARMUP


def remeasured(live: Live, evidence: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Evidence for today's scorers, and what stood in the way ("" when nothing did).

    Returns:
        The same evidence where no scorer changed, or where too few pictures could be measured again: then the bounds in
        force stay, and a human should know.
    """
    versions = live.crew.versions
    changed = [gate for gate in GATES if evidence[gate].get("version", "") != versions.get(gate, "")]
    if not changed:
        return evidence, ""
    readings = list(_readings(live, int(evidence["cycles"])))
    columns = {gate: np.array([signals[gate].value for signals, _ in readings]) for gate in GATES if gate != "novelty"}
    if len(readings) < LEAST_WARMUP:
        return evidence, (
            f"{', '.join(changed)}: the scorer changed, but only {len(readings)} pictures of the warm-up could be "
            "measured again; the old thresholds stay."
        )
    fresh = warmup_evidence(columns, nearest_others(np.stack([vector for _, vector in readings])), versions)
    return {**evidence, **{gate: fresh[gate] for gate in changed}}, ""


def _readings(live: Live, cycles: int) -> Iterator[tuple[Mapping[str, Signal], NDArray[np.float32]]]:
    """What today's scorers say of the warm-up's pictures that passed the hard filters, as in the warm-up itself.

    A picture that a gate rejected later is among them: thresholds come from ungated draws.
    """
    for cycle in range(1, cycles + 1):
        found = [c for c in live.store.candidates(cycle=cycle) if c.image is not None and not _filtered(c)]
        for candidate in found:
            signals, vector = dict[str, Signal](), None
            for scorer in live.crew.scorers:
                picture, attempts = live.picture(candidate), live.crew.rhythm.max_attempts
                (reading,) = score(scorer, [picture], [candidate.genome.prompt], attempts=attempts)
                if isinstance(reading, Reading):
                    signals |= {signal.scorer: signal for signal in reading.signals}
                    vector = reading.embedding.vector if reading.embedding is not None else vector
            if vector is not None and {"quality", "prompt", "style"} <= set(signals):
                yield signals, vector


def _filtered(candidate: Candidate) -> bool:
    return candidate.status == "failed" or (candidate.status == "rejected" and candidate.cause not in GATES)
