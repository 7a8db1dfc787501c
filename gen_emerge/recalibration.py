"""Thresholds from judgements, as a command: shown on past images, asked for, taken back, or set from approved images.

Takes a studio folder, an archive and a series; gives plain objects. What is asked for is one input, which counts from
the next cycle that nothing has been begun of yet; a running series takes it up by itself. Past verdicts stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.approval import approve
from gen_emerge.calibration.first import resolve
from gen_emerge.calibration.rollover import as_plain, counts
from gen_emerge.candidacy import House, open_house, open_store
from gen_emerge.crew import alarms_of, gate_settings, learning_of
from gen_emerge.errors import BadInput, nearest
from gen_emerge.gates import CODES, codes
from gen_emerge.recalibrate import KIND
from gen_emerge.store import holder
from gen_emerge.types import GATES, Calibration, Gate, Input, Outcome
from gen_emerge.weighing import Side, Weighed, evidence_to_come, in_words, together, weigh

SHOWN = 8
"""Pictures that are named."""
POINTS = 41
"""Places at which a curve is given."""
MOST_REVIEW = 0.5
"""Share of past images in review above which it is said that the signals say little."""


def preview(root: Path, archive: Path, name: str, gates: Sequence[str] = ()) -> dict[str, Any]:
    """What the answers so far say of the thresholds; the series stays as it is.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        gates: which; none for all.

    Raises:
        BadInput: there is no such gate, or there are no thresholds yet.
    """
    wanted = _gates(gates)
    with closing(open_store(root, archive, name, readonly=True)) as store:
        house = open_house(root, archive, name, store)
        calibration = _in_force(house)
        weighed = _weigh(house, calibration, wanted)
        return {**_about(house, "previewed"), **_object(house, calibration, weighed)}


def apply(root: Path, archive: Path, name: str, gates: Sequence[str] = ()) -> dict[str, Any]:
    """Ask for the thresholds that `preview` shows.

    Raises:
        BadInput: nothing would change, or another change waits for its cycle.
    """
    wanted = _gates(gates)
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        calibration = _in_force(house)
        newest = _refuse_waiting(house)
        weighed = _weigh(house, calibration, wanted)
        if all(each.after == each.before for each in weighed.values()):
            raise BadInput(
                f"The answers so far move no threshold of {name}.",
                hint=f"See why: gen-emerge calibrate {name} --preview",
            )
        payload = {
            "did": "applied",
            "parent": calibration.version,
            "evidence": evidence_to_come(weighed),
            "reason": in_words(weighed),
        }
        asked = _ask(house, payload, newest)
        return {
            **_about(house, "applied"),
            "from_cycle": asked.first_cycle,
            "version": calibration.version + 1,
            **_object(house, calibration, weighed),
        }


def roll_back(root: Path, archive: Path, name: str, version: int) -> dict[str, Any]:
    """Ask for the thresholds of an earlier version. Nothing is deleted: it comes back as a new version.

    Raises:
        BadInput: there is none of that number, it is in force, or its numbers would mean something else now.
    """
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        now = _in_force(house)
        newest = _refuse_waiting(house)
        then = _version(house, version)
        if then.hash == now.hash:
            raise BadInput(f"The thresholds of version {version} are in force already.", hint=_others(house, now))
        _refuse_other_scorers(house, now, then)
        again = resolve(gate_settings(house.config), then.evidence, version=0, parent=None, reason="")
        if again.hash != then.hash:
            apart = [g for g in GATES if again.bounds[g] != then.bounds[g]]
            raise BadInput(
                f"The series file says something else of {', '.join(apart)} than when version {version} was in force.",
                hint=f'Write "auto" under [gates.{apart[0]}], or the numbers of then.',
            )
        reason = f"back to version {version}"
        payload = {"did": "back", "parent": now.version, "evidence": dict(then.evidence), "reason": reason}
        asked = _ask(house, payload, newest)
        return {
            **_about(house, "back"),
            "to": version,
            "from_cycle": asked.first_cycle,
            "version": now.version + 1,
            "bounds": {g: {"was": as_plain(now.bounds[g]), "is": as_plain(then.bounds[g])} for g in GATES},
        }


def from_folder(root: Path, archive: Path, name: str, pictures: Path) -> dict[str, Any]:
    """Ask for thresholds that images known to be good would pass: percentiles of their numbers, as of a warm-up's.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series; during its warm-up the folder stands in for it, later it makes a new version.
        pictures: the folder. Images whose files name no prompt say nothing of the prompt gate.

    Raises:
        BadInput: too few pictures can be read.
        MissingExtra, MissingModel: something that is needed is not here.
    """
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        if house.state.calibration is not None:
            _refuse_waiting(house)
        evidence, count, left_out = approve(house, pictures)
        house = open_house(root, archive, name, store)  # measuring took its time: the warm-up may be over
        payload = {"did": "folder", "parent": None, "evidence": evidence, "reason": f"{count} approved images"}
        calibration = house.state.calibration
        if calibration is None:
            asked = store.add_input(KIND, payload)
            # What arrives when the warm-up's last cycle has begun comes after it.
            version = 1 if asked.first_cycle <= house.config.loop.warmup_cycles else 2
        else:
            newest = _refuse_waiting(house)
            _refuse_other_scorers(house, calibration, evidence)
            asked = _ask(house, {**payload, "parent": calibration.version}, newest)
            version = calibration.version + 1
        return {
            **_about(house, "folder"),
            "from_cycle": asked.first_cycle if version > 1 else None,
            "version": version,
            "pictures": count,
            "left_out": left_out,
            "evidence": evidence,
        }


# ---- refusals ----------------------------------------------------------------------------------------------------


def _gates(names: Sequence[str]) -> tuple[Gate, ...]:
    unknown = next((name for name in names if name not in GATES), None)
    if unknown is not None:
        raise BadInput(f'There is no gate "{unknown}".', hint=nearest(unknown, GATES))
    return tuple(gate for gate in GATES if not names or gate in names)


def _in_force(house: House) -> Calibration:
    if house.state.calibration is None:
        raise BadInput(
            f"{house.name} has no thresholds yet: they come at the end of its warm-up.",
            hint=f"gen-emerge run {house.name}",
        )
    return house.state.calibration


def _refuse_waiting(house: House) -> int:
    """Refuse a second change of the same thresholds, which would be weighed against the first's past.

    Returns:
        The id of the newest change there was, 0 without any.
    """
    known = house.store.inputs_of(KIND)
    if waiting := [change for change in known if change.first_cycle > house.state.cycle]:
        raise _waits(house, waiting[-1])
    return known[-1].id if known else 0


def _waits(house: House, change: Input) -> BadInput:
    return BadInput(
        f"A change of thresholds waits for cycle {change.first_cycle}: {change.payload['reason']}.",
        hint=f"Let the series run as far: gen-emerge run {house.name}",
    )


def _ask(house: House, payload: Mapping[str, Any], newest: int) -> Input:
    """Write the change down, unless somebody else asked for one since it was looked at."""
    if asked := house.store.add_inputs([(KIND, payload)], unless=(KIND, newest)):
        return asked[0]
    raise _waits(house, house.store.inputs_of(KIND)[-1])


def _others(house: House, now: Calibration) -> str:
    """What else there is to go back to."""
    others = [str(each.version) for each in house.store.calibrations() if each.hash != now.hash]
    if not others:
        return f"There are no others yet. What your answers ask for: gen-emerge calibrate {house.name} --preview"
    return f"Others are {', '.join(others)}: gen-emerge calibrate {house.name} --rollback {others[-1]}"


def _version(house: House, version: int) -> Calibration:
    known = house.store.calibrations()
    for calibration in known:
        if calibration.version == version:
            return calibration
    raise BadInput(
        f"{house.name} has no calibration version {version}.",
        hint=f"There are {', '.join(str(each.version) for each in known)}.",
    )


def _refuse_other_scorers(house: House, now: Calibration, then: Calibration | Mapping[str, Any]) -> None:
    evidence = then.evidence if isinstance(then, Calibration) else then
    for gate in GATES:
        if gate in evidence and evidence[gate].get("version", "") != now.evidence[gate].get("version", ""):
            raise BadInput(
                f"{gate} was measured by {evidence[gate].get('version')} for those thresholds, and by "
                f"{now.evidence[gate].get('version')} now: the numbers of one mean nothing to the other.",
                hint=f"Go back to that scorer first: gen-emerge rescore {house.name} --scorer {gate} --back",
            )


# ---- weighing ----------------------------------------------------------------------------------------------------


def _weigh(house: House, calibration: Calibration, gates: Sequence[Gate]) -> dict[Gate, Weighed]:
    held = house.state.archive.held_ever() if house.state.archive is not None else frozenset[int]()
    return weigh(
        house.store,
        calibration,
        gate_settings(house.config),
        learning_of(house.config),
        held=held,
        shifts=house.state.shifts if alarms_of(house.config).drift else None,
        gates=gates,
    )


def _about(house: House, did: str) -> dict[str, Any]:
    return {"series": house.name, "did": did, "running": holder(house.folder) is not None}


def _object(house: House, calibration: Calibration, weighed: Mapping[Gate, Weighed]) -> dict[str, Any]:
    costs = learning_of(house.config).costs
    reject, accept = costs.probabilities
    ids, old, new = together(weighed)
    review = {"was": _share(old, 1), "is": _share(new, 1)}
    return {
        "in_force": calibration.version,
        "costs": {"false_accept": costs.false_accept, "false_reject": costs.false_reject, "review": costs.review},
        "probabilities": {"reject_below": reject, "accept_from": accept},
        "gates": {gate: _gate_object(each, house) for gate, each in weighed.items()},
        "pictures": len(ids),
        "verdicts": counts(_words(old), _words(new)) if ids else None,
        "review": review,
        "weak": review["is"] > MOST_REVIEW,
    }


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
