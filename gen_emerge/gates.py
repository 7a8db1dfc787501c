"""The four gates: raw signals + calibration -> pass / fail / review.

Takes one candidate's signals and the thresholds in force; gives one verdict a gate. Pure functions: nothing is stored,
nothing asked. Verdicts are compared with bounds in the signal's own raw units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.spoken import spoken
from gen_emerge.types import GATES, Bounds, Calibration, Outcome, Verdict

CODES: tuple[Outcome, ...] = ("fail", "review", "pass")
"""Of several gates the least counts."""


def judge(gate: str, value: float, bounds: Bounds, calibration: int) -> Verdict:
    """One gate's verdict: fail outside the bounds, review within half the width of one's review band, else pass.

    Args:
        gate: its name.
        value: the raw signal, finite.
        bounds: thresholds in the signal's units.
        calibration: the version they come from.
    """
    outcome: Outcome = "pass"
    reason = ""
    for end, bound, sign, word in _ends(bounds):
        if bound is None:
            continue
        margin, half = sign * (value - bound), bounds.band(end) / 2
        if margin < -half:
            return Verdict(
                gate=gate,
                kind="gate",
                outcome="fail",
                value=value,
                bounds=bounds,
                calibration=calibration,
                reason=f"{gate} {spoken(value)} is {word} {spoken(bound)}",
            )
        if margin < half:
            outcome, reason = "review", f"{gate} {spoken(value)} is near {spoken(bound)}"
    return Verdict(
        gate=gate,
        kind="gate",
        outcome=outcome,
        value=value,
        bounds=bounds,
        calibration=calibration,
        reason=reason,
    )


def _ends(bounds: Bounds) -> tuple[tuple[Literal["lower", "upper"], float | None, float, str], ...]:
    """Both ends: its name, its bound, what makes a margin of a distance to it, and where one fails by it."""
    return ("lower", bounds.lower, 1.0, "below"), ("upper", bounds.upper, -1.0, "above")


def codes(values: NDArray[np.float64], bounds: Bounds) -> NDArray[np.intp]:
    """(n,) places in `CODES` of (n,) numbers held against bounds, as `judge` says it of one."""
    found = np.full(len(values), 2, dtype=np.intp)
    for end, bound, sign, _ in _ends(bounds):
        if bound is not None:
            margin, half = sign * (values - bound), bounds.band(end) / 2
            found = np.minimum(found, (margin >= -half).astype(np.intp) + (margin >= half))
    return found


def judge_novelty(distance: float | None, nearest_any: float | None, bounds: Bounds, calibration: int) -> Verdict:
    """Novelty's verdict. Where nobody is accepted yet, nothing was measured (None) and nobody is too near.

    Args:
        distance: to the nearest accepted image, leaving out the incumbent and past holders of the candidate's own cell.
        nearest_any: to the nearest accepted image of all: held against the much smaller `duplicate` bound.
        bounds: lower bound, review width and duplicate bound, in units of 1 - cosine.
        calibration: the version they come from.
    """
    if bounds.duplicate is not None and nearest_any is not None and nearest_any < bounds.duplicate:
        return Verdict(
            gate="novelty",
            kind="gate",
            outcome="fail",
            value=nearest_any,
            bounds=bounds,
            calibration=calibration,
            reason=f"distance {spoken(nearest_any)} to an accepted image is below the duplicate bound "
            f"{spoken(bounds.duplicate)}",
        )
    if distance is None:
        return Verdict(gate="novelty", kind="gate", outcome="pass", value=None, bounds=bounds, calibration=calibration)
    return judge("novelty", distance, bounds, calibration)


def judge_all(
    signals: Mapping[str, float], *, distance: float | None, nearest_any: float | None, calibration: Calibration
) -> tuple[Verdict, ...]:
    """All four verdicts in the order of `GATES`.

    Args:
        signals: raw values of quality, prompt and style.
        distance: see `judge_novelty`.
        nearest_any: see `judge_novelty`.
        calibration: thresholds in force; a gate it does not name passes everything.
    """
    verdicts: list[Verdict] = []
    for gate in GATES:
        bounds = calibration.bounds.get(gate, Bounds())
        if gate == "novelty":
            verdicts.append(judge_novelty(distance, nearest_any, bounds, calibration.version))
        else:
            verdicts.append(judge(gate, signals[gate], bounds, calibration.version))
    return tuple(verdicts)


def overall(verdicts: Sequence[Verdict]) -> tuple[Outcome, str]:
    """The outcome of several verdicts and the first gate that caused it ("" when all passed)."""
    for outcome in ("fail", "review"):
        for verdict in verdicts:
            if verdict.outcome == outcome:
                return outcome, verdict.gate
    return "pass", ""


def let_in(verdicts: Iterable[Verdict]) -> bool | None:
    """What the gates said of an image when they first saw it; None where they left it to people, or never saw it.

    A warm-up image is first seen by the thresholds that the warm-up gave. What a human, a hard filter or other
    thresholds said of it later is another's word.

    Args:
        verdicts: all of one image, in the order they were given.
    """
    first: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.kind == "gate":
            first.setdefault(verdict.gate, verdict)
    return {"pass": True, "fail": False}.get(overall(list(first.values()))[0]) if first else None
