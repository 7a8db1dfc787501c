"""The four gates: raw signals + calibration -> pass / fail / review.

Takes one candidate's signals and the thresholds in force; gives one verdict a gate. Pure functions: nothing is stored,
nothing asked. Verdicts are compared with bounds in the signal's own raw units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.spoken import spoken
from gen_emerge.types import GATES, Bounds, Calibration, Outcome, Verdict

CODES: tuple[Outcome, ...] = ("fail", "review", "pass")
"""Of several gates the least counts."""


def judge(gate: str, value: float, bounds: Bounds, calibration: int) -> Verdict:
    """One gate's verdict: fail outside the bounds, review within half the review width of one, else pass.

    Args:
        gate: its name.
        value: the raw signal, finite.
        bounds: thresholds in the signal's units.
        calibration: the version they come from.
    """
    half = bounds.review / 2
    outcome: Outcome = "pass"
    reason = ""
    for bound, sign, word in ((bounds.lower, 1.0, "below"), (bounds.upper, -1.0, "above")):
        if bound is None:
            continue
        margin = sign * (value - bound)
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


def codes(values: NDArray[np.float64], bounds: Bounds) -> NDArray[np.intp]:
    """(n,) places in `CODES` of (n,) numbers held against bounds, as `judge` says it of one."""
    margin = np.full(len(values), np.inf)
    if bounds.lower is not None:
        margin = np.minimum(margin, values - bounds.lower)
    if bounds.upper is not None:
        margin = np.minimum(margin, bounds.upper - values)
    half = bounds.review / 2
    return (margin >= -half).astype(np.intp) + (margin >= half)


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
