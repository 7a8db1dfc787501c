"""What thresholds to come would change: weighed gates -> plain objects, and the brake on questions.

Takes an open house, thresholds in force and what each gate would be; gives counts of past images, all gates together,
and the pictures that would change sides. It only reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gen_emerge.calibration.first import resolve
from gen_emerge.calibration.rollover import as_plain, counts
from gen_emerge.candidacy import House
from gen_emerge.crew import gate_settings, learning_of
from gen_emerge.errors import BadInput
from gen_emerge.fates import ends_at_the_gates
from gen_emerge.gate_numbers import gate_numbers
from gen_emerge.gates import CODES, codes
from gen_emerge.types import GATES, Calibration, Gate, Outcome
from gen_emerge.weighing import Side, Weighed, together

SHOWN = 8
"""Pictures that are named."""
POINTS = 41
"""Places at which a curve is given."""
MOST_REVIEW = 0.5
"""Share of past images in review above which it is said that the signals say little."""


def given(house: House, calibration: Calibration, evidence: Mapping[str, Any]) -> dict[Gate, Weighed]:
    """Every gate as it would be with evidence that came from elsewhere; of those it does not name, as they are."""
    settings = gate_settings(house.config)
    merged = {**calibration.evidence, **evidence}
    after = resolve(settings, merged, version=0, parent=None, reason="").bounds
    # As they are weighed: the series' own images that came to the gates.
    came = {number for number, status, cause in house.store.ends_since(1) if ends_at_the_gates(status, cause)}
    found: dict[Gate, Weighed] = {}
    for gate in GATES:
        version = str(calibration.evidence[gate].get("version", ""))
        found[gate] = Weighed(
            gate=gate,
            version=version,
            values={n: v for n, v in gate_numbers(house.store, gate, version, []).items() if n in came},
            scale=0.0,
            shifts=(),
            sides=(),
            before=calibration.bounds[gate],
            after=after[gate] if gate in evidence else calibration.bounds[gate],
            evidence=evidence.get(gate),
        )
    return found


def proposal(house: House, calibration: Calibration, weighed: Mapping[Gate, Weighed]) -> dict[str, Any]:
    """What would change. Verdicts and the share in review are of all four gates; those not weighed stay as they are."""
    learning = learning_of(house.config)
    costs = learning.costs
    reject, accept = costs.probabilities
    ids, old, new = together({**given(house, calibration, {}), **weighed})
    review = {"was": _share(old, 1), "is": _share(new, 1), "most": learning.most_review}
    return {
        "in_force": calibration.version,
        "costs": {"false_accept": costs.false_accept, "false_reject": costs.false_reject, "review": costs.review},
        "probabilities": {"reject_below": reject, "accept_from": accept},
        "gates": {gate: _gate_object(each, house) for gate, each in weighed.items()},
        "pictures": len(ids),
        "past_images": len(ids),
        "verdicts": counts(_words(old), _words(new)) if ids else None,
        "review": review,
        "too_many": review["is"] > max(learning.most_review, review["was"]),
        "weak": review["is"] > MOST_REVIEW,
    }


def refuse_too_many(house: House, found: Mapping[str, Any]) -> None:
    """The brake that thresholds which move by themselves have too.

    Raises:
        BadInput: more past images would wait for a human than `most_review` allows, and than do now.
    """
    if not found["too_many"]:
        return
    review = found["review"]
    raise BadInput(
        f"{review['is']:.0%} of {found['past_images']} past images would wait for you, and {review['was']:.0%} do now: "
        f"more than most_review = {review['most']:.0%} in [calibration] of {house.name} allows. Nothing was applied.",
        hint=f"See which gate asks for it: gen-emerge calibrate {house.name} --preview. Then apply another one alone "
        "(--gate NAME), answer some more, or take it as it is: --anyway",
    )


def _share(found: np.ndarray, code: int) -> float:
    return Counter(found.tolist())[code] / max(len(found), 1)


def _words(found: np.ndarray) -> list[Outcome]:
    return [CODES[code] for code in found.tolist()]


def _gate_object(each: Weighed, house: House) -> dict[str, Any]:
    ids = sorted(each.values)
    column = np.array([each.values[number] for number in ids], dtype=np.float64)
    old, new = codes(column, each.before), codes(column, each.after)
    moved = each.after != each.before
    return {
        "version": each.version,
        "images": len(ids),
        "bounds": {"was": as_plain(each.before), "is": as_plain(each.after)},
        "moved": moved,
        "shifts": [{"since": number, "size": size} for number, size in each.shifts],
        "sides": {side.end: _side_object(side, each, column) for side in each.sides},
        "review": {"was": _share(old, 1), "is": _share(new, 1)},
        "verdicts": counts(_words(old), _words(new)) if moved else None,
        "flips": _flips(house, ids, column, old, new) if moved else [],
    }


def _side_object(side: Side, each: Weighed, column: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = {"answers": side.answers, "streams": dict(side.streams), "note": side.note}
    if side.curve is None:
        return found
    places = np.linspace(float(column.min()), float(column.max()), POINTS)
    low, high = side.curve.band(side.sign * places)
    sharpness = [value * each.scale for value in side.curve.sharpness_interval]
    return {
        **found,
        "weight": side.curve.labels,
        "followed": list(side.curve.followed),
        "sharpness": {"value": sharpness[1], "interval": [sharpness[0], sharpness[2]]},
        "curve": {
            "signal": places.tolist(),
            "good": side.curve.probability(side.sign * places).tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "coverage": 0.9,
        },
    }


def _flips(
    house: House, ids: Sequence[int], column: np.ndarray, old: np.ndarray, new: np.ndarray
) -> list[dict[str, Any]]:
    """The pictures that change sides most: from pass to fail or back before what begins or ends in review."""
    places = sorted(np.flatnonzero(old != new).tolist(), key=lambda n: (-abs(int(new[n]) - int(old[n])), -ids[n]))[
        :SHOWN
    ]
    candidates = {c.id: c for c in house.store.candidates([ids[n] for n in places])} if places else {}
    return [
        {
            "candidate": ids[n],
            "path": str(house.folder / image.path) if (image := candidates[ids[n]].image) is not None else "",
            "value": float(column[n]),
            "was": CODES[int(old[n])],
            "is": CODES[int(new[n])],
        }
        for n in places
    ]
