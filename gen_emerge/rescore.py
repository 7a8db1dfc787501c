"""Another version of a scorer: tried on a series' pictures, switched to, or rolled back.

Takes a studio folder, an archive and a series; gives plain objects. A trial only appends numbers beside the old ones,
and works beside a running series. A switch writes the scorer's table into the series file and nothing else: it takes
effect like any change of that file, at the next cycle's boundary, with what the trial measured. Past verdicts stay.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gen_emerge.calibration.rollover import fixed_numbers
from gen_emerge.candidacy import (
    Candidacy,
    House,
    Table,
    as_options,
    heads_moved,
    one_before,
    open_house,
    open_scorer,
    open_store,
    run_to,
)
from gen_emerge.comparing import Sides, overall_counts, side_by_side
from gen_emerge.config import as_table, parse
from gen_emerge.config.edit import with_scorer
from gen_emerge.crew import gate_settings, known_names
from gen_emerge.errors import BadInput, nearest
from gen_emerge.remeasure import filtered, of_version
from gen_emerge.store import Store, holder
from gen_emerge.studio_folder import rewrite_series_file, series_file
from gen_emerge.trial import Done, Tell, measure_all
from gen_emerge.types import GATES, Candidate, Gate, Trial


def try_scorer(
    root: Path,
    archive: Path,
    name: str,
    gate: str,
    *,
    given: Table | None = None,
    last: int | None = None,
    tell: Tell = lambda done, total: None,
) -> dict[str, Any]:
    """Measure stored pictures with another scorer, and say how verdicts would change. The series stays as it is.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        gate: quality, prompt, novelty or style.
        given: `use` and options of the new scorer; None tries what the series file says now.
        last: only so many of the newest pictures, beside those that thresholds come from, and for novelty those that
            were accepted; None for all.
        tell: given how many pictures are measured, of how many.

    Raises:
        BadInput: there is no such scorer, nothing new to try, or nothing to try it on.
        MissingExtra, MissingModel: something that is needed is not here.
        DiskFull: what was measured so far is kept.
    """
    wanted = _gate(gate)
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        pictures = _measurable(house)
        candidacy = open_scorer(house, wanted, given)
        if not candidacy.versions:
            raise BadInput(
                f"There is nothing to try: {wanted} is measured by {house.in_force(wanted)} already.",
                hint="Name another scorer, such as: --with use=NAME --with weights=FILE",
            )
        chosen = _chosen(house, candidacy, pictures, last)
        done = measure_all(
            store,
            house.folder,
            chosen,
            scorers=candidacy.scorers,
            versions=candidacy.versions,
            tables=candidacy.tables,
            attempts=house.config.loop.max_attempts,
            tell=tell,
        )
        return {**_about(house, wanted, candidacy, "tried"), **_trial_object(house, candidacy, chosen, done)}


def _measurable(house: House) -> list[Candidate]:
    """The pictures that came as far as the gates; no series without any is tried on."""
    pictures = [c for c in house.store.candidates(current=True) if c.image is not None and not filtered(c)]
    if not pictures:
        raise BadInput(
            f'The series "{house.name}" has no picture that came as far as the gates.',
            hint=f"gen-emerge run {house.name}",
        )
    return pictures


def _chosen(house: House, candidacy: Candidacy, pictures: Sequence[Candidate], last: int | None) -> list[Candidate]:
    """The newest, those that thresholds come from, and for novelty all that were accepted: they are neighbours."""
    ids = {c.id for c in house.warmup()} | {c.id for c in (pictures[-last:] if last is not None else pictures)}
    if "novelty" in candidacy.versions:
        ids |= frozenset(house.state.accepted)
    return [c for c in pictures if c.id in ids]


def _trial_object(house: House, candidacy: Candidacy, chosen: Sequence[Candidate], done: Done) -> dict[str, Any]:
    sides = _sides(house, candidacy, chosen)
    return {
        "pictures": len(chosen),
        "measured": done.measured,
        "known": done.known,
        "left_out": [
            {"candidate": c.id, "path": str(house.folder / c.image.path), "reason": done.failed[c.id]}
            for c in chosen
            if c.id in done.failed and c.image is not None
        ],
        "changed": {side.gate: side.plain(house.folder) for side in sides},
        "overall": overall_counts(house.store, sides),
    }


def switch(
    root: Path, archive: Path, name: str, gate: str, *, given: Table | None = None, back: bool = False
) -> dict[str, Any]:
    """Write a scorer that was tried, or the one before, into the series file.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        gate: quality, prompt, novelty or style.
        given: `use` and options; None takes what was tried last.
        back: take the version before the one in force.

    Raises:
        BadInput: it was not tried, or the new numbers would meet old ones; the file stays as it is.
    """
    wanted = _gate(gate)
    with closing(open_store(root, archive, name, readonly=True)) as store:
        house = open_house(root, archive, name, store)
        table, version = one_before(house, wanted) if back else (_to_switch_to(house, wanted, given), None)
        candidacy = open_scorer(house, wanted, table)
        current = as_table(house.config)["scorers"][wanted]
        if not candidacy.versions and current == candidacy.table:
            raise BadInput(
                f"{wanted} is measured by {house.in_force(wanted)} already.", hint="Try another first: --with use=NAME"
            )
        _refuse_other_weights(house, wanted, candidacy, version)
        sides = _ready(house, wanted, candidacy)
        path = series_file(root, name)
        if current != candidacy.table:
            text = with_scorer(path.read_bytes().decode("utf-8"), wanted, candidacy.table)
            parse(tomllib.loads(text.removeprefix("\ufeff")), where=path.name, known=known_names())
            rewrite_series_file(path, text)
        return {
            **_about(house, wanted, candidacy, "back" if back else "switched"),
            "file": str(path),
            "from_cycle": house.state.cycle + 1,
            "running": holder(house.folder) is not None,
            "run": run_to(house.config, house.state.cycle + 1),
            "calibration": _calibration_to_come(house, changes=bool(sides)),
            "changed": {side.gate: side.plain(house.folder) for side in sides},
        }


def _calibration_to_come(house: House, *, changes: bool) -> dict[str, int | None] | None:
    """The version that will be in force, and the one before it; None during the warm-up."""
    known = house.state.calibration
    if known is None:
        return None
    return {
        "version": known.version + 1 if changes else known.version,
        "parent": known.version if changes else known.parent,
    }


def _gate(name: str) -> Gate:
    for gate in GATES:
        if gate == name:
            return gate
    raise BadInput(f'No gate has a scorer called "{name}".', hint=nearest(name, GATES))


def _to_switch_to(house: House, gate: Gate, given: Table | None) -> Table | None:
    if given is not None:
        return given
    tried = house.store.last_tried(gate)
    return tried.table if tried is not None and tried.table else None


# ---- whether it may be -------------------------------------------------------------------------------------------


def _ready(house: House, gate: Gate, candidacy: Candidacy) -> list[Sides]:
    """Refuse a switch that would let numbers of two versions meet, or that nothing is measured for."""
    again = f"gen-emerge rescore {house.name} --scorer {gate} {as_options(candidacy.table)}"
    if candidacy.versions:
        _refuse_other_networks(house, candidacy)
    for changed in candidacy.versions:
        _refuse_old_units(house, changed)
    if house.state.calibration is None or not candidacy.versions:
        return []  # the warm-up is measured by whoever is in force at its end
    warmup = house.warmup()
    for changed, version in candidacy.versions.items():
        trial = _trial(house.store, changed, version)
        known = of_version(house.store, changed, version, trial, [c.id for c in warmup])
        open_ = [c.id for c in warmup if c.id not in known and c.id not in trial.failed]
        if open_ or len(known) < 2:
            raise BadInput(
                f"{changed} by {version}: {len(known)} of the {len(warmup)} pictures that thresholds come from are "
                "measured.",
                hint=f"Try it first: {again}",
            )
        if changed == "novelty":
            _refuse_strangers(house, version, trial, again)
    return _sides(house, candidacy, warmup)


def _refuse_other_weights(house: House, gate: Gate, candidacy: Candidacy, version: str | None) -> None:
    """A way back leads to the version that was, not to what bears its name today."""
    today = candidacy.versions.get(gate)
    if version is not None and candidacy.versions and today != version:
        raise BadInput(
            f"{gate} was measured by {version} before; {dict(candidacy.table)} gives {today} today: that version is no "
            "longer here.",
            hint=f"Try what is here: gen-emerge rescore {house.name} --scorer {gate} {as_options(candidacy.table)}",
        )


def _refuse_old_units(house: House, gate: Gate) -> None:
    fixed = fixed_numbers(gate_settings(house.config)[gate])
    if fixed:
        said = ", ".join(f"{key} = {value:g}" for key, value in fixed.items())
        raise BadInput(
            f"[gates.{gate}] says {said}: a number of the scorer in force, which means nothing to another one.",
            hint='Write "auto" there first; a trial shows the numbers with the same share of pictures below them.',
        )
    laid = house.state.archive.axes.names if house.state.archive is not None else ()
    if gate == "novelty" and house.state.archive is not None and house.state.archive.axes.learned:
        raise BadInput(
            "The axes of the map are a projection of the novelty scorer's embedding: its cells are nothing by another.",
            hint="Begin another series for another scorer: gen-emerge new NAME",
        )
    if gate in (*laid, *house.config.archive.axes):  # in the warm-up too, before there are any cells
        raise BadInput(
            f"{gate} is an axis of the map: its cells are laid out in the numbers of the scorer in force.",
            hint="Begin another series for another scorer: gen-emerge new NAME",
        )
    rules = [rule.label for rule in house.config.filters.rules if rule.signal == gate]
    if rules:
        raise BadInput(
            f"The rule {rules[0]} of [filters] compares {gate} with a number of the scorer in force.",
            hint="Take the rule out of the series file first.",
        )


def _refuse_other_networks(house: House, candidacy: Candidacy) -> None:
    """An extra scorer that shares the gate's network goes on with the one it had, or the switch is refused."""
    for name, (weights, model) in heads_moved(house, candidacy).items():
        raise BadInput(
            f"The extra scorer {name} looks through the network of [scorers.prompt]: beside another one it would open "
            "its own in another way, and its numbers would change, or it could not be opened.",
            hint=f'Write clip = "{weights}" and model = "{model}" in [scorers.extra.{name}] first; where they stand '
            f"there, try one of the same architecture: --with model={model}.",
        )


def _refuse_strangers(house: House, version: str, trial: Trial, again: str) -> None:
    """Every accepted picture must have a place in the new space, or it would be nobody's neighbour."""
    accepted = sorted(house.state.accepted)
    missing = sorted(set(accepted) - set(of_version(house.store, "novelty", version, trial, accepted)))
    if missing:
        failed = [number for number in missing if number in trial.failed]
        first = f" (candidate {failed[0]}: {trial.failed[failed[0]]})" if failed else ""
        restore = f"Restore the pictures that gen-emerge verify {house.name} names, then: {again}"
        raise BadInput(
            f"{len(missing)} of {len(accepted)} accepted pictures have no vector by {version} yet{first}.",
            hint=restore if failed else f"Measure them: {again}",
        )


def _trial(store: Store, gate: Gate, version: str) -> Trial:
    return store.tried(gate, version) or Trial(gate=gate, version=version, table={})


def _sides(house: House, candidacy: Candidacy, pictures: Sequence[Candidate]) -> list[Sides]:
    return [
        side_by_side(
            house.store,
            house.state,
            house.config,
            gate,
            was=candidacy.was[gate],
            version=version,
            pictures=pictures,
            warmup=house.warmup(),
        )
        for gate, version in candidacy.versions.items()
    ]


def _about(house: House, gate: Gate, candidacy: Candidacy, did: str) -> dict[str, Any]:
    return {"series": house.name, "scorer": gate, "did": did, "table": dict(candidacy.table)}
