"""Who may come into force in the place of a scorer: a table of the series file -> opened scorers and their versions.

Takes a studio folder, an archive, a series' name and a scorer's table; gives what `rescore.py` tries and switches to.
Nothing is written here.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen_emerge.config import SeriesConfig, as_table, load, parse
from gen_emerge.config.implementations import UseConfig
from gen_emerge.config.text import toml_value
from gen_emerge.crew import known_names, load_scorers
from gen_emerge.equip import BESIDE, resolved
from gen_emerge.errors import IN_THE_FILE, BadInput, MissingModel
from gen_emerge.needs import measuring, preflight
from gen_emerge.protocols import Scorer
from gen_emerge.remeasure import ungated
from gen_emerge.state import State, replay
from gen_emerge.store import DATABASE, Store
from gen_emerge.studio_folder import series_file
from gen_emerge.types import Candidate, Gate

Table = Mapping[str, Any]
_WRITE = re.compile(r'Write (\w+) = "([^"]*)"')
"""How the rooms say what to write into a table of the series file."""
_TOWER = {"clip-zero-shot": "weights", "probe": "clip"}
"""Style scorers that look through the prompt gate's network -> the option that names one of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidacy:
    """A scorer that may come into force.

    Args:
        config: the series file with its table in.
        table: that table, complete.
        scorers: opened.
        tables: gate -> its own table, for every gate that would change.
        was: gate -> the version in force, for every gate that would change.
        versions: gate -> the new version, likewise.
    """

    config: SeriesConfig
    table: Table
    scorers: tuple[Scorer, ...]
    tables: Mapping[Gate, Table]
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


def run_to(config: SeriesConfig, cycle: int) -> str:
    """The command that runs a series as far as a cycle: its file may end before."""
    return f"gen-emerge run {config.name}" + (f" --cycles {cycle}" if cycle > config.loop.cycles else "")


def open_store(root: Path, archive: Path, name: str, *, readonly: bool = False) -> Store:
    """The history of a series that has been run.

    Raises:
        NotFound, BadInput: there is no such series, or it has not been run.
    """
    series_file(root, name)
    if not (archive / name / DATABASE).is_file():
        raise BadInput(f'The series "{name}" has not been run yet: it has no pictures.', hint=f"gen-emerge run {name}")
    return Store.open(archive / name, readonly=readonly)


def open_house(root: Path, archive: Path, name: str, store: Store) -> House:
    """A series with its history folded."""
    config = load(series_file(root, name), known=known_names())
    return House(root=root, folder=archive / name, config=config, store=store, state=replay(store.history()))


def open_scorer(house: House, gate: Gate, given: Table | None) -> Candidacy:
    """The scorers of a table, opened; `given` without `use` changes options of the one in the series file."""
    plain = as_table(house.config)
    current: dict[str, Any] = plain["scorers"][gate]
    if given is not None:
        keeps = given.get("use", current["use"]) == current["use"] and "use" not in given
        plain["scorers"][gate] = {**current, **given} if keeps else dict(given)
    with _said_of_options(given):
        config = parse(plain, where="--with" if given is not None else f"{house.name}.toml", known=known_names())
        gates = _together(config, gate)
        narrowed = measuring(config, gates, extra=False)
        preflight(narrowed, house.root, by_name=given is not None)
        references: Sequence[str] = house.store.facts["reference_prompts"]
        scorers = load_scorers(_on_its_device(resolved(narrowed, house.root), config), references, gates=gates)
    versions: dict[Gate, str] = {g: s.versions[g] for g in gates for s in scorers if g in s.roles}
    was: dict[Gate, str] = {g: house.in_force(g) for g in gates}
    tables: dict[Gate, Table] = {g: as_table(config)["scorers"][g] for g in gates}
    return Candidacy(
        config=config,
        table=tables[gate],
        scorers=scorers,
        tables={g: table for g, table in tables.items() if versions[g] != was[g]},
        was={g: version for g, version in was.items() if version != versions[g]},
        versions={g: version for g, version in versions.items() if version != was[g]},
    )


@contextmanager
def _said_of_options(given: Table | None) -> Generator[None]:
    """What is wrong with an option is said of the option: no line of the series file has to be corrected."""
    try:
        yield
    except (BadInput, MissingModel) as error:
        if given is not None and error.hint:
            hint = error.hint.replace(IN_THE_FILE, "Correct that --with; nothing was changed.")
            error.hint = _WRITE.sub(r"Give --with \1=\2", hint)
        raise


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


def heads_moved(house: House, candidacy: Candidacy) -> dict[str, tuple[str, str]]:
    """LAION's heads that would look through another network -> (weights, architecture) of the one of today.

    A head whose table names the prompt gate's weights looks through the gate's network, as the gate's table says; any
    other opens one as its own table says.
    """
    before, after = (_networks(resolved(config, house.root)) for config in (house.config, candidacy.config))
    return {name: network for name, network in before.items() if after[name] != network}


def _networks(config: SeriesConfig) -> dict[str, tuple[str, str]]:
    prompt = config.scorers.prompt.options
    own = {name: config.scorers.extra.options.get(name, {}) for name in config.scorers.extra.use if name in BESIDE}
    tables = {
        name: (table["clip"], table) if "clip" in table else (prompt.get("weights"), prompt)
        for name, table in own.items()
    }
    return {name: (str(weights or ""), str(table.get("model", ""))) for name, (weights, table) in tables.items()}


def one_before(house: House, gate: Gate) -> tuple[Table, str | None]:
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


def as_options(table: Table) -> str:
    """A table as options of the command line."""

    def word(value: Any) -> str:
        text = value if isinstance(value, str) else toml_value(value)
        return (
            text if text.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum() else f"'{text}'"
        )

    return " ".join(f"--with {key}={word(value)}" for key, value in table.items() if value != "")
