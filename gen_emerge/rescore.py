"""Another version of a scorer: tried on a series' pictures, switched to, or rolled back.

Takes a studio folder, an archive and a series; gives plain objects. A trial only appends numbers beside the old ones,
and works beside a running series. A switch writes the scorer's table into the series file and nothing else: it takes
effect like any change of that file, at the next cycle's boundary, with what the trial measured. Past verdicts stay.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen_emerge.calibration.rollover import fixed_numbers
from gen_emerge.comparing import Sides, overall_counts, side_by_side
from gen_emerge.config import SeriesConfig, as_table, load, parse
from gen_emerge.config.edit import with_scorer
from gen_emerge.config.tables import UseConfig
from gen_emerge.crew import gate_settings, known_names, load_scorers
from gen_emerge.equip import resolved
from gen_emerge.errors import BadInput, nearest
from gen_emerge.needs import measuring, preflight
from gen_emerge.protocols import Scorer
from gen_emerge.remeasure import filtered, of_version, ungated
from gen_emerge.state import State, replay
from gen_emerge.store import DATABASE, Store, holder
from gen_emerge.studio_folder import rewrite_series_file, series_file
from gen_emerge.trial import Tell, measure_all
from gen_emerge.types import GATES, Candidate, Gate, Trial

Table = Mapping[str, Any]
_TOWER = {"clip-zero-shot": "weights", "probe": "clip"}
"""Style scorers that look through the prompt gate's network -> the option that names one of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidacy:
    """A scorer that may come into force.

    Args:
        config: the series file with its table in.
        table: that table, complete.
        scorers: opened.
        was: gate -> the version in force, for every gate that would change.
        versions: gate -> the new version, likewise.
    """

    config: SeriesConfig
    table: Table
    scorers: tuple[Scorer, ...]
    was: Mapping[Gate, str]
    versions: Mapping[Gate, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One series with its history folded: what a trial or a switch reads."""

    root: Path
    folder: Path
    config: SeriesConfig
    store: Store
    state: State

    @property
    def name(self) -> str:
        """The series."""
        return self.config.name

    def in_force(self, gate: Gate) -> str:
        """The version that the thresholds rest on, or before there are any the one that measures."""
        if self.state.calibration is not None:
            return str(self.state.calibration.evidence[gate].get("version", ""))
        noted = self.store.inputs_of("config")
        return str(noted[-1].payload.get("versions", {}).get(gate, "")) if noted else ""

    def warmup(self) -> list[Candidate]:
        """The pictures thresholds come from."""
        calibration = self.state.calibration
        last = int(calibration.evidence["cycles"]) if calibration else self.state.cycle
        return ungated(self.store, last)


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
        last: only so many of the newest pictures, beside those that thresholds come from; None for all.
        tell: given how many pictures are measured, of how many.

    Raises:
        BadInput: there is no such scorer, nothing new to try, or nothing to try it on.
        MissingExtra, MissingModel: something that is needed is not here.
        DiskFull: what was measured so far is kept.
    """
    wanted = _gate(gate)
    with closing(_store(root, archive, name)) as store:
        house = _house(root, archive, name, store)
        pictures = [c for c in store.candidates(current=True) if c.image is not None and not filtered(c)]
        if not pictures:
            raise BadInput(
                f'The series "{name}" has no picture that came as far as the gates.', hint=f"gen-emerge run {name}"
            )
        candidacy = _open(house, wanted, given)
        if not candidacy.versions:
            raise BadInput(
                f"There is nothing to try: {wanted} is measured by {house.in_force(wanted)} already.",
                hint="Name another scorer, such as: --with use=NAME --with weights=FILE",
            )
        ids = {c.id for c in house.warmup()} | {c.id for c in (pictures[-last:] if last is not None else pictures)}
        chosen = [c for c in pictures if c.id in ids]
        done = measure_all(
            store,
            house.folder,
            chosen,
            scorers=candidacy.scorers,
            versions=candidacy.versions,
            table=candidacy.table,
            attempts=house.config.loop.max_attempts,
            tell=tell,
        )
        sides = _sides(house, candidacy, chosen)
        return {
            **_about(house, wanted, candidacy, "tried"),
            "pictures": len(chosen),
            "measured": done.measured,
            "known": done.known,
            "left_out": [
                {"candidate": c.id, "path": str(house.folder / c.image.path), "reason": done.failed[c.id]}
                for c in chosen
                if c.id in done.failed and c.image is not None
            ],
            "changed": {side.gate: side.plain(house.folder) for side in sides},
            "overall": overall_counts(store, sides),
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
    path = series_file(root, name)
    with closing(_store(root, archive, name, readonly=True)) as store:
        house = _house(root, archive, name, store)
        table, version = _before(house, wanted) if back else (_to_switch_to(house, wanted, given), None)
        candidacy = _open(house, wanted, table)
        current = as_table(house.config)["scorers"][wanted]
        if not candidacy.versions and current == candidacy.table:
            raise BadInput(
                f"{wanted} is measured by {house.in_force(wanted)} already.", hint="Try another first: --with use=NAME"
            )
        if version is not None and candidacy.versions and candidacy.versions.get(wanted) != version:
            raise BadInput(
                f"{wanted} was measured by {version} before; {dict(candidacy.table)} gives "
                f"{candidacy.versions.get(wanted)} today: that version is no longer here.",
                hint=f"Try what is here: gen-emerge rescore {name} --scorer {wanted} {_options(candidacy.table)}",
            )
        sides = _ready(house, wanted, candidacy)
        if current != candidacy.table:
            text = with_scorer(path.read_bytes().decode("utf-8"), wanted, candidacy.table)
            parse(tomllib.loads(text.removeprefix("\ufeff")), where=path.name, known=known_names())
            rewrite_series_file(path, text)
        calibration = house.state.calibration
        return {
            **_about(house, wanted, candidacy, "back" if back else "switched"),
            "file": str(path),
            "from_cycle": house.state.cycle + 1,
            "running": holder(house.folder) is not None,
            "calibration": {
                "version": calibration.version + 1 if sides else calibration.version,
                "parent": calibration.version if sides else calibration.parent,
            }
            if calibration is not None
            else None,
            "changed": {side.gate: side.plain(house.folder) for side in sides},
        }


# ---- who it would be ---------------------------------------------------------------------------------------------


def _gate(name: str) -> Gate:
    for gate in GATES:
        if gate == name:
            return gate
    raise BadInput(f'No gate has a scorer called "{name}".', hint=nearest(name, GATES))


def _store(root: Path, archive: Path, name: str, *, readonly: bool = False) -> Store:
    series_file(root, name)
    if not (archive / name / DATABASE).is_file():
        raise BadInput(f'The series "{name}" has not been run yet: it has no pictures.', hint=f"gen-emerge run {name}")
    return Store.open(archive / name, readonly=readonly)


def _house(root: Path, archive: Path, name: str, store: Store) -> House:
    config = load(series_file(root, name), known=known_names())
    return House(root=root, folder=archive / name, config=config, store=store, state=replay(store.history()))


def _open(house: House, gate: Gate, given: Table | None) -> Candidacy:
    """The scorers of a table, opened; `given` without `use` changes options of the one in the series file."""
    plain = as_table(house.config)
    current: dict[str, Any] = plain["scorers"][gate]
    if given is not None:
        keeps = given.get("use", current["use"]) == current["use"] and "use" not in given
        plain["scorers"][gate] = {**current, **given} if keeps else dict(given)
    config = parse(plain, where="--with" if given is not None else f"{house.name}.toml", known=known_names())
    gates = _together(config, gate)
    narrowed = measuring(config, gates, extra=False)
    preflight(narrowed, house.root)
    references: Sequence[str] = house.store.facts["reference_prompts"]
    scorers = load_scorers(_on_its_device(resolved(narrowed, house.root), config), references, gates=gates)
    versions: dict[Gate, str] = {g: s.versions[g] for g in gates for s in scorers if g in s.roles}
    was: dict[Gate, str] = {g: house.in_force(g) for g in gates}
    return Candidacy(
        config=config,
        table=as_table(config)["scorers"][gate],
        scorers=scorers,
        was={g: version for g, version in was.items() if version != versions[g]},
        versions={g: version for g, version in versions.items() if version != was[g]},
    )


def _on_its_device(narrowed: SeriesConfig, whole: SeriesConfig) -> SeriesConfig:
    """Measured where the series measures: its generator, which is not wanted here, says on which device."""
    device = {key: value for key, value in whole.generator.options.items() if key == "device"}
    return narrowed.model_copy(update={"generator": UseConfig(use="painter", options=device)})


def _together(config: SeriesConfig, gate: Gate) -> tuple[Gate, ...]:
    """The gates that change with one: style may look through the prompt gate's network."""
    own = _TOWER.get(config.scorers.style.use)
    if gate == "prompt" and own is not None and not config.scorers.style.options.get(own):
        return ("prompt", "style")
    return (gate,)


def _to_switch_to(house: House, gate: Gate, given: Table | None) -> Table | None:
    if given is not None:
        return given
    tried = house.store.last_tried(gate)
    return tried.table if tried is not None and tried.table else None


def _before(house: House, gate: Gate) -> tuple[Table, str | None]:
    """The table and version before the one in force; a switch that is not in force yet is taken back."""
    noted = house.store.inputs_of("config")
    current = as_table(house.config)["scorers"][gate]
    tables = [item.payload.get("settings", {}).get("scorers", {}).get(gate) for item in noted]
    versions = [item.payload.get("versions", {}).get(gate) for item in noted]
    if tables and tables[-1] and tables[-1] != current:
        return tables[-1], versions[-1]
    for table, version in zip(reversed(tables), reversed(versions), strict=True):
        if table and version and version != versions[-1]:
            return table, version
    raise BadInput(
        f"{gate} has had one scorer since the series began: there is none to go back to.",
        hint=f"Try another: gen-emerge rescore {house.name} --scorer {gate} --with use=NAME",
    )


def _options(table: Table) -> str:
    """A table as options of the command line."""
    from gen_emerge.config.text import toml_value

    def word(value: Any) -> str:
        text = value if isinstance(value, str) else toml_value(value)
        return (
            text if text.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum() else f"'{text}'"
        )

    return " ".join(f"--with {key}={word(value)}" for key, value in table.items() if value != "")


# ---- whether it may be -------------------------------------------------------------------------------------------


def _ready(house: House, gate: Gate, candidacy: Candidacy) -> list[Sides]:
    """Refuse a switch that would let numbers of two versions meet, or that nothing is measured for."""
    again = f"gen-emerge rescore {house.name} --scorer {gate} {_options(candidacy.table)}"
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


def _refuse_old_units(house: House, gate: Gate) -> None:
    fixed = fixed_numbers(gate_settings(house.config)[gate])
    if fixed:
        said = ", ".join(f"{key} = {value:g}" for key, value in fixed.items())
        raise BadInput(
            f"[gates.{gate}] says {said}: a number of the scorer in force, which means nothing to another one.",
            hint='Write "auto" there first; a trial shows the numbers with the same share of pictures below them.',
        )
    if house.state.archive is not None and gate in house.state.archive.axes.names:
        raise BadInput(
            f"{gate} is an axis of the map: its cells were laid out in the numbers of the scorer in force.",
            hint="Begin another series for another scorer: gen-emerge new NAME",
        )
    rules = [rule.label for rule in house.config.filters.rules if rule.signal == gate]
    if rules:
        raise BadInput(
            f"The rule {rules[0]} of [filters] compares {gate} with a number of the scorer in force.",
            hint="Take the rule out of the series file first.",
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
