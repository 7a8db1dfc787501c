"""Thresholds that the judgements so far ask for: store + thresholds in force + costs -> a proposal for every gate.

Takes the store and the replayed state; gives curves, bounds and the evidence of a calibration to come. It only reads.
The prior stands where a gate stood before it learned from answers (its anchor, kept in the evidence): so no answer
counts twice, however often thresholds are learned.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.costs import Learning
from gen_emerge.calibration.drift import find_shifts, sizes
from gen_emerge.calibration.first import GateSetting, resolve
from gen_emerge.calibration.posterior import Curve, Labels, fit_curve
from gen_emerge.fates import ends_at_the_gates
from gen_emerge.gate_numbers import gate_numbers
from gen_emerge.gates import codes
from gen_emerge.judged import Judged, judged, labels_of
from gen_emerge.state import LevelShift
from gen_emerge.store import Store
from gen_emerge.types import GATES, Bounds, Calibration, Gate

Values = NDArray[np.float64]
End = Literal["lower", "upper"]
BAND: Mapping[End, str] = {"lower": "review", "upper": "review_upper"}
"""Where the width of a bound's review band is written down."""
LEAST_ANSWERS = 5
"""Answers without which a bound stays where it is: its band would be the prior's alone."""
SCALE_FROM = 1000
"""The first images, whose sd a signal's numbers are measured in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One bound of one gate. `curve` and `centre` are of the signal times `sign`: upper bounds are lower ones of it.

    Args:
        end: which.
        answers: how many images were judged whose number lies nearer to this bound than to the other.
        streams: how they came to be shown -> how many.
        curve: None where there are too few, or the bound is fixed or off.
        bound: where the bound should lie, raw units; None likewise.
        review: width of its band.
        note: why nothing is proposed, "" otherwise.
    """

    end: End
    answers: int
    streams: Mapping[str, int]
    curve: Curve | None = None
    bound: float | None = None
    review: float = 0.0
    note: str = ""

    @property
    def sign(self) -> float:
        """1 for a lower bound, -1 for an upper one."""
        return 1.0 if self.end == "lower" else -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One gate.

    Args:
        gate: which.
        version: of the scorer in force.
        values: candidate id -> raw number, of the series' own images that came to the gates: neither a rule, a detector
            nor the selector had turned them away before.
        scale: sd of the first of its own images that were measured.
        shifts: (candidate id, size in raw units) of every level shift, oldest first.
        sides: the bounds it has.
        before: its bounds in force.
        after: those that are proposed; the same where nothing is.
        evidence: its part of the evidence of the calibration to come, None where nothing is proposed.
    """

    gate: Gate
    version: str
    values: Mapping[int, float]
    scale: float
    shifts: tuple[tuple[int, float], ...]
    sides: tuple[Side, ...]
    before: Bounds
    after: Bounds
    evidence: Mapping[str, Any] | None


def weigh(
    store: Store,
    calibration: Calibration,
    settings: Mapping[str, GateSetting],
    learning: Learning,
    *,
    held: Collection[int],
    shifts: Sequence[LevelShift] | None,
    last: int | None = None,
    gates: Sequence[Gate] = GATES,
    cap: float | None = None,
) -> dict[Gate, Weighed]:
    """What the judgements say of some gates.

    Args:
        store: the series.
        calibration: thresholds in force.
        settings: what the series file says of each gate.
        learning: costs and half-life.
        held: candidates that ever held a cell.
        shifts: what alarms said of signals, oldest first; None where signals are not watched: their numbers are then
            looked through here, from the warm-up's end on, by the same test.
        last: only answers that the cycles up to this one may use; None for all.
        gates: which.
        cap: how far a bound may move, in sds of its signal; None for as far as it should.
    """
    gated = {number: ends_at_the_gates(status, cause) for number, status, cause in store.ends_since(1)}
    past = _Past(store=store, said=judged(store, held=held, last=last), gated=gated, shifts=shifts)
    return {gate: _weighed(past, calibration, settings.get(gate, GateSetting()), learning, gate, cap) for gate in gates}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What every gate is weighed by.

    Args:
        store: the series.
        said: every keep and discard, oldest first.
        gated: every candidate of the series' own -> whether it came to the gates.
        shifts: see `weigh`.
    """

    store: Store
    said: Sequence[Judged]
    gated: Mapping[int, bool]
    shifts: Sequence[LevelShift] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gauge:
    """A gate's signal as its numbers show it, whoever was judged.

    Args:
        column: (n,) raw numbers, oldest first.
        scale: sd of the first of them.
        at: the first candidate of each level shift, oldest first.
        shifts: their sizes, raw units.
        age: how many of them came after the gate was put where its anchor stands.
    """

    column: Values
    scale: float
    at: tuple[int, ...]
    shifts: tuple[float, ...]
    age: int

    def range(self, sign: float) -> tuple[float, float]:
        """(least, greatest) of the numbers times `sign`."""
        low, high = sorted((sign * float(self.column.min()), sign * float(self.column.max())))
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Where a gate stands, what the series file says of it, and where it stood before it learned (see `Weighed`)."""

    before: Bounds
    setting: GateSetting
    anchor: Mapping[str, Any]

    def start(self, end: End) -> float:
        """The prior's centre of one bound."""
        anchored = self.anchor.get(end)
        return float(getattr(self.before, end) if anchored is None else anchored)


def _weighed(
    past: _Past,
    calibration: Calibration,
    setting: GateSetting,
    learning: Learning,
    gate: Gate,
    cap: float | None,
) -> Weighed:
    known: Mapping[str, Any] = calibration.evidence[gate]
    before, version = calibration.bounds[gate], str(known.get("version", ""))
    numbers = gate_numbers(past.store, gate, version, [j.candidate for j in past.said])
    # Imported pictures may have been judged, but say nothing of what the series makes.
    own = {number: value for number, value in numbers.items() if number in past.gated}
    # What "auto" meant before anything was learned; of bounds that the series file fixes as well, which may change.
    anchor = known.get("anchor") or {
        "lower": known.get("lower"),
        "upper": known.get("upper"),
        "cycle": known.get("since", calibration.evidence.get("cycles", 0)),
    }
    gauge = _gauge(past, gate, version, own, int(anchor["cycle"] or 0))
    labels, of = labels_of(past.said, gate, numbers, half_life=learning.half_life, shifted=gauge.at)
    standing = _Standing(before=before, setting=setting, anchor=anchor)
    sides = tuple(
        _side(end, standing, gauge, labels, of, learning, cap)
        for end in ("lower", "upper")
        if getattr(before, end) is not None
    )
    evidence = _evidence(known, sides, standing, gauge, labels, learning)
    after = before
    if evidence is not None:
        found = resolve({gate: setting}, {gate: evidence}, version=0, parent=None, reason="").bounds[gate]
        after = replace(found, duplicate=before.duplicate)
    if after.lower is not None and after.upper is not None and after.lower >= after.upper:
        sides, after, evidence = _crossed(sides, after), before, None
    return Weighed(
        gate=gate,
        version=version,
        values={number: value for number, value in own.items() if past.gated[number]},
        scale=gauge.scale,
        shifts=tuple(zip(gauge.at, gauge.shifts, strict=True)),
        sides=sides,
        before=before,
        after=after,
        evidence=evidence,
    )


def _crossed(sides: Sequence[Side], wanted: Bounds) -> tuple[Side, ...]:
    """The sides of a gate that would let nothing pass: it stays, for no number tells good from bad there."""
    note = f"answers ask for a lower bound of {wanted.lower:.4g} and an upper one of {wanted.upper:.4g}: both stay"
    return tuple(replace(side, bound=None, note=note) if side.bound is not None else side for side in sides)


def _gauge(past: _Past, gate: Gate, version: str, values: Mapping[int, float], anchored: int) -> _Gauge:
    """What the series' own numbers say of a gate that stands where it was put in a cycle.

    Args:
        past: see there.
        gate: which.
        version: of its scorer.
        values: candidate id -> raw number.
        anchored: the cycle.
    """
    ids = sorted(values)
    column = np.array([values[n] for n in ids], dtype=np.float64)
    begun = past.store.calibrated()
    first = past.store.first_candidate(after=begun[0]) if begun else None
    since = len(ids) if first is None else bisect_left(ids, first)  # the warm-up's images are drawn otherwise
    if past.shifts is None:
        shifts = _looked_for(past.store, gate, version, ids[since:], column[since:])
    else:
        shifts = [shift for shift in past.shifts if (shift.signal, shift.version) == (gate, version)]
    places = [bisect_left(ids, shift.candidate) - since for shift in shifts]
    return _Gauge(
        column=column,
        scale=float(column[:SCALE_FROM].std(ddof=1)) if len(column) > 1 else 0.0,
        at=tuple(shift.candidate for shift in shifts),
        shifts=tuple(sizes(column[since:], places)) if places else (),
        age=sum(1 for shift in shifts if shift.cycle > anchored),
    )


def _looked_for(store: Store, gate: Gate, version: str, ids: Sequence[int], column: Values) -> list[LevelShift]:
    """What an alarm would have said, had anybody watched. Novelty falls by design."""
    level = [shift for shift in find_shifts(column) if shift.what == "level"] if gate != "novelty" else []
    at = [ids[shift.since] for shift in level]
    cycles = store.cycles_of(at) if at else {}
    return [LevelShift(signal=gate, version=version, candidate=number, cycle=cycles[number]) for number in at]


def _side(
    end: End,
    standing: _Standing,
    gauge: _Gauge,
    labels: Labels,
    of: Sequence[int],
    learning: Learning,
    cap: float | None,
) -> Side:
    before, setting = standing.before, getattr(standing.setting, end)
    own = _nearer(end, labels.values, before)
    streams = Counter(stream for stream, mine in zip(labels.streams, own, strict=True) if mine)
    side = Side(end=end, answers=len({n for n, mine in zip(of, own, strict=True) if mine}), streams=streams)
    if isinstance(setting, float):
        return replace(side, note=f"the series file says {end} = {setting:g}: a number stays")
    if side.answers < LEAST_ANSWERS:
        return replace(side, note=f"{side.answers} of at least {LEAST_ANSWERS} answers")
    if gauge.scale <= 0:
        return replace(side, note="its signal never changes")
    curve = fit_curve(
        _of_side(labels, own, side.sign),
        bound=side.sign * standing.start(end),
        scale=gauge.scale,
        costs=learning.costs,
        shifts=[side.sign * size for size in gauge.shifts],
        bound_age=gauge.age,
    )
    low, high = gauge.range(side.sign)
    bound, review = curve.edges(learning.costs, low=low, high=high).bounds(low=low, high=high)
    bound *= side.sign
    if cap is not None:
        now, most = float(getattr(before, end)), cap * gauge.scale
        bound = min(max(bound, now - most), now + most)
        band = before.band(end)
        review = min(max(review, band - most), band + most)
    return replace(side, curve=curve, bound=bound, review=review)


def _of_side(labels: Labels, own: NDArray[np.bool_], sign: float) -> Labels:
    """The labels of one bound, their numbers times `sign`."""
    return Labels(
        values=sign * labels.values[own],
        good=labels.good[own],
        streams=tuple(stream for stream, keep in zip(labels.streams, own, strict=True) if keep),
        weights=labels.weights[own] if labels.weights is not None else None,
        ages=labels.ages[own] if labels.ages is not None else None,
    )


def _nearer(end: End, values: Values, bounds: Bounds) -> NDArray[np.bool_]:
    """(n,) whether a number lies nearer to this bound than to the other: what is far from both speaks for one alone."""
    if bounds.lower is None or bounds.upper is None:
        return np.ones(len(values), dtype=np.bool_)
    low = values < (bounds.lower + bounds.upper) / 2
    return low if end == "lower" else ~low


def _evidence(
    known: Mapping[str, Any],
    sides: Sequence[Side],
    standing: _Standing,
    gauge: _Gauge,
    labels: Labels,
    learning: Learning,
) -> dict[str, Any] | None:
    """What is written down beside the new bounds; None where no bound moves."""
    moved = [side for side in sides if side.bound is not None]
    if not moved:
        return None
    costs = learning.costs
    # Evidence of before each bound had a band of its own has one width for both.
    entry: dict[str, Any] = {"review_upper": known.get("review"), **known, "anchor": dict(standing.anchor)}
    # What is written here is what "auto" means from now on: nothing that the series file says instead may come in. What
    # does not move stays as it is, its band too.
    entry |= {side.end: side.bound for side in moved}
    if standing.setting.review == "auto":
        entry |= {BAND[side.end]: side.review for side in moved}
    entry["answers"] = {
        "counted": len(labels.values),
        "weight": float(labels.weights.sum()) if labels.weights is not None else float(len(labels.values)),
        "kept": int(labels.good.sum()),
        "streams": dict(Counter(labels.streams)),
    }
    entry["costs"] = [costs.false_accept, costs.false_reject, costs.review]
    entry["shifts"] = [[number, size] for number, size in zip(gauge.at, gauge.shifts, strict=True)]
    return entry


# ---- what it would change ------------------------------------------------------------------------------------------


def together(weighed: Mapping[Gate, Weighed]) -> tuple[list[int], NDArray[np.intp], NDArray[np.intp]]:
    """Ids of the series' own past images that came to the gates, and what those say together, as they stand and moved.

    Returns:
        (n,) ids, ascending, and their `codes` by the bounds before and by those after.
    """
    ids = sorted(frozenset().union(*(frozenset(each.values) for each in weighed.values() if each.gate != "novelty")))
    place = {number: n for n, number in enumerate(ids)}
    old, new = (np.full(len(ids), 2, dtype=np.intp) for _ in range(2))
    for each in weighed.values():
        known = [number for number in each.values if number in place]
        rows = np.array([place[number] for number in known], dtype=np.intp)
        column = np.array([each.values[number] for number in known], dtype=np.float64)
        for found, bounds in ((old, each.before), (new, each.after)):
            found[rows] = np.minimum(found[rows], codes(column, bounds))
    return ids, old, new


def evidence_to_come(weighed: Mapping[Gate, Weighed]) -> dict[str, Any]:
    """The evidence of every gate whose bounds would move."""
    return {gate: dict(each.evidence) for gate, each in weighed.items() if each.evidence is not None}


def in_words(weighed: Mapping[Gate, Weighed]) -> str:
    """Which gates would move, and by how many answers: the reason of a calibration to come."""
    moved = [each for each in weighed.values() if each.evidence is not None]
    answers = max((each.evidence["answers"]["counted"] for each in moved if each.evidence), default=0)
    return f"{', '.join(each.gate for each in moved)} by {answers} answers"
