"""What became of the candidates of a cycle, genome by genome: which take went on, and how far each came.

Takes the fates of a recorded cycle; pure functions of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from gen_emerge.types import GATES, CycleOutcome, Fate
from gen_emerge.types.genomes import IMPORT

_T = TypeVar("_T")

SELECTOR = "selector"
"""The cause of a take that was good enough, and another take of its genome went on."""

WARMUP = "warm-up"
"""The cause of a candidate that waits for calibration version 1."""


def grouped(items: Sequence[_T], takes: int, *, alone: int) -> list[tuple[_T, ...]]:
    """`takes` by `takes`, but the last few by themselves."""
    end = len(items) - alone
    return [tuple(items[first : first + takes]) for first in range(0, end, takes)] + [(item,) for item in items[end:]]


def takes_of(outcome: CycleOutcome) -> list[tuple[Fate, ...]]:
    """The fates of one cycle, genome by genome, in slot order: imported pictures last, each by itself."""
    return grouped(outcome.fates, outcome.takes, alone=sum(fate.operator == IMPORT for fate in outcome.fates))


def gone_on(takes: Sequence[Fate]) -> Fate:
    """The take that went on to the gates; where none did, the first one."""
    return next((fate for fate in takes if reached_the_gates(fate)), takes[0])


def reached_the_gates(fate: Fate) -> bool:
    """Whether a candidate was neither turned away nor failed before the gates."""
    return ends_at_the_gates(fate.status, fate.cause)


def ends_at_the_gates(status: str, cause: str) -> bool:
    """The same of what became of it."""
    return status not in ("rejected", "failed") or (status == "rejected" and cause in GATES)
