"""What mistakes and questions cost, and what follows: from which P(good) on to accept, below which to reject.

Takes three numbers in one unit; gives probabilities and bounds. Nothing is measured here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Costs relative to each other, each > 0: letting a bad image in, losing a good one, asking a human."""

    false_accept: float = 3.0
    false_reject: float = 1.0
    review: float = 0.5

    @property
    def level(self) -> float:
        """p*: the P(good) at which accepting and rejecting cost the same."""
        return self.false_accept / (self.false_accept + self.false_reject)

    @property
    def probabilities(self) -> tuple[float, float]:
        """(reject below, accept from). A question that is dearer than the better guess is never asked: both are p*.

        Accepting costs (1 - P) * false_accept, rejecting P * false_reject: each is right where it costs less than
        `review`, or than the other.
        """
        rejecting = self.review / self.false_reject
        accepting = 1 - self.review / self.false_accept
        if rejecting >= accepting:
            return self.level, self.level
        return rejecting, accepting


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """What `[calibration]` of a series file says.

    Args:
        costs: what mistakes and questions cost.
        half_life: answers after which one counts half.
        auto: whether thresholds may move by themselves when a round is answered.
        cap: how far a bound may then move, in sds of its signal.
        most_review: share of past images that may then have to wait for a human; more, and nothing moves by itself.
    """

    costs: Costs = Costs()
    half_life: float = 200.0
    auto: bool = False
    cap: float = 0.25
    most_review: float = 0.25


LEARNING = Learning()
"""What holds where nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Where a gate changes its mind, raw units: rejected below `reject`, accepted from `accept` on. May be infinite."""

    reject: float
    accept: float

    def bounds(self, *, low: float, high: float) -> tuple[float, float]:
        """(bound, width of the review band), all within [low, high], which should hold everything measured so far.

        An edge beyond it is put at its end: the gate then lets all that was seen pass, waits with it or rejects it.
        """
        reject, accept = (
            min(max(edge, low), high) if math.isfinite(edge) else (low if edge < 0 else high)
            for edge in (self.reject, self.accept)
        )
        return (reject + accept) / 2, accept - reject
