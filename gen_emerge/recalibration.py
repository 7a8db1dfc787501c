"""Thresholds from judgements, as a command: shown on past images, asked for, taken back, or set from approved images.

Takes a studio folder, an archive and a series; gives plain objects. What is asked for is one input, which counts from
the next cycle that nothing has been begun of yet; a running series takes it up by itself. Past verdicts stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gen_emerge.approval import approve
from gen_emerge.calibration.first import resolve
from gen_emerge.calibration.rollover import as_plain
from gen_emerge.candidacy import House, open_house, open_store, run_to
from gen_emerge.crew import alarms_of, gate_settings, learning_of
from gen_emerge.errors import BadInput, nearest
from gen_emerge.proposal import given, proposal, refuse_too_many
from gen_emerge.recalibrate import CANCELLED, KIND, waiting
from gen_emerge.store import holder
from gen_emerge.types import GATES, Calibration, Gate, Input
from gen_emerge.weighing import Weighed, evidence_to_come, in_words, weigh


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
        return {**_about(house, "previewed"), **proposal(house, calibration, weighed)}


def apply(root: Path, archive: Path, name: str, gates: Sequence[str] = (), *, anyway: bool = False) -> dict[str, Any]:
    """Ask for the thresholds that `preview` shows.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        gates: which; none for all.
        anyway: also where more past images would wait for a human than `most_review` allows.

    Raises:
        BadInput: nothing would change, too many images would wait, or another change waits for its cycle.
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
        found = proposal(house, calibration, weighed)
        if not anyway:
            refuse_too_many(house, found)
        payload = {
            "did": "applied",
            "parent": calibration.version,
            "evidence": evidence_to_come(weighed),
            "reason": in_words(weighed),
        }
        asked = _ask(house, payload, newest)
        return {**_about(house, "applied"), **_to_come(house, asked), "version": calibration.version + 1, **found}


def roll_back(root: Path, archive: Path, name: str, version: int) -> dict[str, Any]:
    """Ask for the thresholds of an earlier version. Nothing is deleted: it comes back as a new version.

    A change that waits for its cycle is taken back by it; where `version` is the one in force, that is all it does.

    Raises:
        BadInput: there is none of that number, it is in force, or its numbers would mean something else now.
    """
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        now = _in_force(house)
        known = store.inputs_of(KIND)
        pending = waiting(known, house.state.cycle)
        then = _version(house, version)
        if then.hash != now.hash:
            _refuse_other_file(house, now, then)
        elif not pending:
            raise BadInput(f"The thresholds of version {version} are in force already.", hint=_others(house, now))
        did = CANCELLED if then.hash == now.hash else "back"
        payload: dict[str, Any] = {"did": did, "parent": now.version, "evidence": dict(then.evidence)}
        payload["reason"] = f"back to version {version}"
        if pending:
            # Whatever is in force by then: one that waits may have come before this was asked for.
            payload |= {"parent": None, "cancels": [each.id for each in pending]}
            payload["reason"] += ", taken back: " + "; ".join(each.payload["reason"] for each in pending)
        asked = _ask(house, payload, known[-1].id if known else 0)
        too_late = sum(each.first_cycle < asked.first_cycle for each in pending)
        stays = did == CANCELLED and not too_late
        return {
            **_about(house, did),
            **_to_come(house, asked),
            "to": version,
            "version": now.version if stays else now.version + too_late + 1,
            "in_force": now.version,
            "taken_back": [each.payload["reason"] for each in pending],
            "bounds": {g: {"was": as_plain(now.bounds[g]), "is": as_plain(then.bounds[g])} for g in GATES},
        }


def from_folder(
    root: Path, archive: Path, name: str, pictures: Path, *, use: bool, anyway: bool = False
) -> dict[str, Any]:
    """Thresholds that images known to be good would pass: percentiles of their numbers, as of a warm-up's.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series; during its warm-up the folder stands in for it, later it makes a new version.
        pictures: the folder. Images whose files name no prompt say nothing of the prompt gate.
        use: ask for them; False only shows what they would change, and the series stays as it is.
        anyway: ask for them also where more past images would wait for a human than `most_review` allows.

    Raises:
        BadInput: too few pictures can be read, nothing would change, or too many images would wait.
        MissingExtra, MissingModel: something that is needed is not here.
    """
    with closing(open_store(root, archive, name, readonly=not use)) as store:
        house = open_house(root, archive, name, store)
        calibration = house.state.calibration
        if use and calibration is not None:
            _refuse_waiting(house)
        evidence, count, left_out = approve(house, pictures)
        house = open_house(root, archive, name, store)  # measuring took its time: the warm-up may be over
        calibration = house.state.calibration
        about = {"pictures": count, "folder": str(pictures), "left_out": left_out, "evidence": evidence}
        found = _by_folder(house, evidence)
        if not use:
            return {**_about(house, "previewed"), **found, **about}
        payload = {"did": "folder", "parent": None, "evidence": evidence, "reason": f"{count} approved images"}
        if calibration is None:
            asked = store.add_input(KIND, payload)
            # What arrives when the warm-up's last cycle has begun comes after it.
            version = 1 if asked.first_cycle <= house.config.loop.warmup_cycles else 2
        else:
            newest = _refuse_waiting(house)
            if not any(each["moved"] for each in found["gates"].values()):
                raise BadInput(
                    f"These images move no threshold of {name}.",
                    hint=f"See why: gen-emerge calibrate {name} --from-folder {pictures} --preview",
                )
            if not anyway:
                refuse_too_many(house, found)
            asked = _ask(house, {**payload, "parent": calibration.version}, newest)
            version = calibration.version + 1
        coming = _to_come(house, asked) if version > 1 else {"from_cycle": None, "run": None}
        return {**_about(house, "folder"), **coming, "version": version, **found, **about}


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
            hint=run_to(house.config, house.config.loop.warmup_cycles),
        )
    return house.state.calibration


def _refuse_waiting(house: House) -> int:
    """Refuse a second change of the same thresholds, which would be weighed against the first's past.

    Returns:
        The id of the newest change there was, 0 without any.
    """
    known = house.store.inputs_of(KIND)
    if pending := waiting(known, house.state.cycle):
        raise _waits(house, pending[-1])
    return known[-1].id if known else 0


def _waits(house: House, change: Input) -> BadInput:
    cycle = change.first_cycle
    return BadInput(
        f"A change of thresholds waits for cycle {cycle}: {change.payload['reason']}.",
        hint=f"Let the series run as far: {run_to(house.config, cycle)}. Or take the change back: "
        f"gen-emerge calibrate {house.name} --rollback {_in_force(house).version}",
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


def _refuse_other_file(house: House, now: Calibration, then: Calibration) -> None:
    """Thresholds of then that the scorers or the series file of today would not give."""
    _refuse_other_scorers(house, now, then.evidence)
    again = resolve(gate_settings(house.config), then.evidence, version=0, parent=None, reason="")
    if again.hash != then.hash:
        apart = [g for g in GATES if again.bounds[g] != then.bounds[g]]
        raise BadInput(
            f"The series file says something else of {', '.join(apart)} than when version {then.version} was in force.",
            hint=f'Write "auto" under [gates.{apart[0]}], or the numbers of then.',
        )


def _version(house: House, version: int) -> Calibration:
    known = house.store.calibrations()
    for calibration in known:
        if calibration.version == version:
            return calibration
    raise BadInput(
        f"{house.name} has no calibration version {version}.",
        hint=f"There are {', '.join(str(each.version) for each in known)}.",
    )


def _refuse_other_scorers(house: House, now: Calibration, evidence: Mapping[str, Any]) -> None:
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


def _by_folder(house: House, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What approved images would change; during the warm-up nothing stands yet that could."""
    calibration = house.state.calibration
    if calibration is None:
        return {"gates": {}, "too_many": False}
    _refuse_other_scorers(house, calibration, evidence)
    changed = given(house, calibration, evidence)
    return proposal(house, calibration, {gate: each for gate, each in changed.items() if gate in evidence})


def _to_come(house: House, asked: Input) -> dict[str, Any]:
    """From which cycle on it counts, and what runs the series as far."""
    return {"from_cycle": asked.first_cycle, "run": run_to(house.config, asked.first_cycle)}


def _about(house: House, did: str) -> dict[str, Any]:
    return {"series": house.name, "did": did, "running": holder(house.folder) is not None}
