"""What a cycle tells about the series as a whole: figures for the report and for alarms. Nothing is decided here.

Takes the live series and the cycle's subjects; gives plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gen_emerge.fates import SELECTOR
from gen_emerge.live import Live
from gen_emerge.setmetrics.diversity import mean_pairwise_distance, vendi_score
from gen_emerge.state import State
from gen_emerge.subject import Subject

VENDI_EVERY = 10
"""Cycles between Vendi scores: an eigenvalue decomposition each."""
CLIPPED_ALARM = 0.05
"""Share of the last 1,000 placements outside the axis ranges above which an alarm is raised."""
ALARM_EVERY = 25
"""Cycles between two looks at it."""
LEAST_PLACEMENTS = 100
"""Placements without which a share says little."""


def figures(live: Live, cycle: int, batch: Sequence[Subject], filled: int) -> Mapping[str, float]:
    """Whole-series figures after one cycle.

    Args:
        live: the series before this cycle is folded in.
        cycle: its number.
        batch: its candidates; of several takes of a genome only the one that went on counts.
        filled: cells filled when it ends.

    Returns:
        `cells_filled`; `elites_mean_pairwise_distance` and `batch_mean_pairwise_distance` (1 - cosine) where there are
        two, of the batch's own images alone: imported ones say nothing of the series; every tenth cycle
        `elites_vendi`.
    """
    vectors = live.elites.vectors()
    own = [s.vector for s in batch if s.embedding is not None and s.cause != SELECTOR and not s.genome.imported]
    found: dict[str, float | None] = {
        "cells_filled": float(filled),
        "elites_mean_pairwise_distance": mean_pairwise_distance(vectors),
        "batch_mean_pairwise_distance": mean_pairwise_distance(np.stack(own)) if own else None,
    }
    if cycle % VENDI_EVERY == 0:
        found["elites_vendi"] = vendi_score(vectors)
    return {name: value for name, value in found.items() if value is not None}


def clipped(state: State, cycle: int) -> float | None:
    """Share of the last placements that lay outside the axis ranges; None in a cycle that does not look."""
    recent = state.clipped
    return None if len(recent) < LEAST_PLACEMENTS or cycle % ALARM_EVERY else sum(recent) / len(recent)
