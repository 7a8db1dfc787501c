"""The folder of a series before the loop is at work: made, opened, begun anew, and held against the series file.

Takes a checked series file and the studio folder; gives an open store. Whatever does not fit is refused before anything
is changed. A series from which nothing was ever derived begins anew when a fixed key changes; nothing else is deleted.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from gen_emerge.config import SeriesConfig, as_table, changed_fixed, complete, fixed, load
from gen_emerge.config.tables import AlarmsConfig, AxesConfig, CalibrationConfig, CompassConfig, RewardConfig
from gen_emerge.config.toml import shown
from gen_emerge.crew import known_names, load_banks, reference_prompts
from gen_emerge.errors import BadInput, FixedKeyChanged
from gen_emerge.roles import Crew
from gen_emerge.store import DATABASE, Store, begin_anew, hold
from gen_emerge.store.images import sweep, walk
from gen_emerge.store.imports import walk_imports
from gen_emerge.studio_folder import series_file
from gen_emerge.types import PromptBank, QuestionBank, content_hash
from gen_emerge.vocabulary import KIND as FORBIDDEN
from gen_emerge.vocabulary import empty_slots, forbidden


def begun(root: Path, archive: Path, name: str) -> tuple[SeriesConfig, bool]:
    """The file of a series that something is to be added to, and whether its database is there; changes nothing.

    Raises:
        BadInput: the file is wrong, does not fit the series, or its database is lost.
    """
    config, folder = load(series_file(root, name), known=known_names()), archive / name
    there = (folder / DATABASE).exists() and not check_unchanged(folder, config, root)
    if not there:
        refuse_orphans(folder)
    return config, there


def create(root: Path, archive: Path, config: SeriesConfig) -> None:
    """Make the database of a series that is not `begun`.

    Raises:
        HeldByAnother: another process is about to run it.
    """
    folder = archive / config.name
    with hold(folder):
        open_series(folder, config, root).close()


def first_references(config: SeriesConfig, root: Path) -> list[str]:
    """The reference prompts a new series stores."""
    return reference_prompts(load_banks(config, root)[0], config.seed)


def refuse_orphans(folder: Path) -> None:
    """Pictures without a database are somebody's lost series: a new one would sweep them away."""
    files = [path for path, _ in (*walk(folder), *walk_imports(folder))]
    pictures = [path for path in files if path.suffix == ".png" and ".original." not in path.name]
    if not (folder / DATABASE).exists() and (count := len(pictures)):
        raise BadInput(
            f"{folder} holds {count} pictures but no {DATABASE}, which says what they are.",
            hint="Restore it from a copy, or move the folder away to begin anew. The PNGs carry their recipes.",
        )


def open_series(folder: Path, config: SeriesConfig, root: Path) -> Store:
    """The store of a series that this process holds: made where there is none, made anew where nothing ever came of it.

    Raises:
        WrongSchema: its database is of another version.
        Damaged, NotASeries: it cannot be opened.
    """
    if (folder / DATABASE).exists():
        store = Store.open(folder)
        store.check_kinds()
        if store.committed() or changed_fixed(store.facts["fixed"], fixed(config)) is None:
            return store
        # Nothing was ever derived or answered, so nothing is lost by beginning anew with the file as it is now.
        store.close()
        if begin_anew(folder, _facts(config, root)):
            sweep(folder, ())
        else:  # something came while the crew was assembled, and counts
            check_unchanged(folder, config, root)
        return Store.open(folder)
    return Store.create(folder, _facts(config, root))


def _facts(config: SeriesConfig, root: Path) -> dict[str, Any]:
    return {"fixed": fixed(config), "takes": config.loop.best_of, "reference_prompts": first_references(config, root)}


def _settings(config: SeriesConfig, prompts: PromptBank, questions: QuestionBank) -> dict[str, Any]:
    """What a change of settings is recognised by: the file without its name, length and pace, and the banks' contents.

    Tables that this version brought are left out while they say nothing new: going on with a series of an earlier
    version is no change.
    """
    table = {key: value for key, value in as_table(config).items() if key != "name"}
    table["loop"] = {key: value for key, value in table["loop"].items() if key not in ("cycles", "best_of")}
    table["critic"] = {key: value for key, value in table["critic"].items() if key != "concurrency"}
    if config.loop.best_of == 1:
        del table["selector"]
    if not config.detectors.use:
        del table["detectors"]
    if config.calibration == CalibrationConfig():
        del table["calibration"]
    if config.alarms == AlarmsConfig():
        del table["alarms"]
    if config.compass == CompassConfig():
        del table["compass"]
    if config.axes == AxesConfig():
        del table["axes"]
    if config.reward == RewardConfig():
        del table["reward"]
    banks = {config.prompts.bank: prompts.hash, config.critic.bank: questions.hash}
    return {"settings": table, "banks": banks}


def check_unchanged(folder: Path, config: SeriesConfig, root: Path) -> bool:
    """Refuse what may not change once a series has cycles, before the series is touched.

    Returns:
        True when a fixed key changed before anything was derived or answered: the series then begins anew.
    """
    with closing(Store.open(folder, readonly=True)) as store:
        path = changed_fixed(store.facts["fixed"], fixed(config))
        begun = store.committed() > 0 or any(item.kind != "config" for item in store.inputs(0, store.attempted() + 2))
        if path is not None and not begun:
            return True
        if path is not None:
            old, new = complete(store.facts["fixed"]).get(path), fixed(config).get(path)
            raise FixedKeyChanged(
                f"{path} was {shown(old)} when the series began and is {shown(new)} now; it is fixed once a series has "
                "cycles.",
                hint=f"Write {path} = {shown(old)} again, or begin another series with `gen-emerge new`.",
            )
        now = _settings(config, *load_banks(config, root))["banks"]
        for used in store.inputs_of("config"):
            for bank, content in used.payload["banks"].items():
                if now.get(bank, content) != content:
                    raise BadInput(
                        f"{bank} was edited after this series used it; a bank that was used never changes.",
                        hint="Restore it, save the new words under another name, and name that in the series file.",
                    )
    return False


def check_words(store: Store, bank: PromptBank, name: str) -> None:
    """Refuse a bank of which forbidden words would leave a slot empty, before anything is begun with it.

    Raises:
        BadInput: in a cycle to come nothing could be proposed.
    """
    told, following = store.inputs_of(FORBIDDEN), store.committed() + 1
    changes = sorted({following, *(item.first_cycle for item in told if item.first_cycle > following)})
    empty = [(cycle, gone) for cycle in changes if (gone := empty_slots(bank, forbidden(told, cycle)))]
    if not empty:
        return
    cycle, (slot, *_) = empty[0]
    words = ", ".join(f'"{word}"' for word in bank.slots[slot])
    hint = f'Allow one again: gen-emerge compass {name} --allow "{bank.slots[slot][0]}"'
    if not empty_slots(bank, forbidden(told)):
        # Cycles that were begun under another bank keep what was forbidden then.
        allowed = max(item.first_cycle for item in told)
        hint = f"From cycle {allowed} on one is allowed: run as far with the bank before, then change it."
    raise BadInput(f"Cycle {cycle} has no word for the slot {slot} of {bank.id}: {words} are forbidden.", hint=hint)


def note_settings(store: Store, config: SeriesConfig, crew: Crew) -> None:
    """Write changed settings to `inputs`: they take effect at the next cycle boundary, for ever from there.

    Raises:
        BadInput: the map is laid out in an embedding that today's novelty scorer does not give.
    """
    laid = store.axes()[-1:]
    if laid and laid[0].learned and laid[0].space != crew.versions["novelty"]:
        now = crew.versions["novelty"]
        raise BadInput(
            f"The axes of the map are a projection of {laid[0].space}, and [scorers.novelty] gives {now}.",
            hint="Write the scorer of before again, or begin another series with `gen-emerge new`.",
        )
    payload = {**_settings(config, crew.prompts, crew.questions), "versions": crew.versions}
    known = store.inputs_of("config")
    if not known or content_hash(dict(known[-1].payload)) != content_hash(payload):
        store.add_input("config", payload, first_cycle=store.committed() + 1)
