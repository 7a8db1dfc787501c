"""Takes a series file (TOML); gives a frozen `SeriesConfig`, every default filled in. It must never touch a store.

Unknown keys, wrong types and values out of range are refused as `BadConfig` with the key's full path, what came, what
was wanted and the nearest known key. What depends on what is installed (is there a generator of that name?) is asked
of a `Known` table, so nothing but pydantic is imported here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gen_emerge.config.errors import explain
from gen_emerge.config.implementations import PERSONAL, PlugInsConfig, UseConfig
from gen_emerge.config.tables import MEASURES, SeriesConfig, as_table
from gen_emerge.config.text import write_series
from gen_emerge.config.toml import shown, unread_value
from gen_emerge.errors import BadConfig, NotFound, nearest
from gen_emerge.types import GATES

__all__ = [
    "KNOWN",
    "Known",
    "SeriesConfig",
    "as_table",
    "changed_fixed",
    "check",
    "complete",
    "fixed",
    "load",
    "parse",
    "why_not",
    "write_series",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Names a series file may use. For `use`: name -> the options it takes (None: any, it checks them itself)."""

    generators: Mapping[str, frozenset[str] | None]
    scorers: Mapping[str, frozenset[str] | None]
    critics: Mapping[str, frozenset[str] | None]
    axes: frozenset[str] = field(default=frozenset((*MEASURES, "quality", "prompt", "style")))
    fills: Mapping[str, str] = field(default_factory=dict[str, str])
    """Scorer -> the one gate it can serve; one that is not named serves any."""
    extras: frozenset[str] | None = None
    """Names `[scorers.extra] use` may hold; None for any."""
    detectors: frozenset[str] | None = None
    """Names `[detectors] use` may hold; None for any."""
    beside: frozenset[str] = frozenset()
    """Signals that scorers of the gates give beside their gate's own."""


_NONE: frozenset[str] = frozenset()
KNOWN = Known(
    generators={"painter": _NONE, "diffusion": None},
    scorers={
        "embedded": _NONE,
        "nima": None,
        "clip": None,
        "dreamsim": None,
        "clip-zero-shot": None,
        "classifier": None,
        "probe": None,
    },
    critics={"measured": _NONE, "anthropic": None, "openai": None, "transformers": None},
    fills={
        "nima": "quality",
        "clip": "prompt",
        "dreamsim": "novelty",
        "clip-zero-shot": "style",
        "classifier": "style",
        "probe": "style",
    },
    extras=frozenset(
        (
            *("laion", "laion_v1", "laion_v2", "imagereward", "hps", "pickscore"),
            *("lpips", "dists", "clpips", "psnr", "ssim"),
        )
    ),
    detectors=frozenset({"seams", "regions"}),
    beside=frozenset({"prompt_cosine", "quality_spread"}),
)
"""The names of this version. Some need an extra: the crew says which when a series is opened."""


def parse(table: Mapping[str, Any], *, where: str = "the series file", known: Known | None = KNOWN) -> SeriesConfig:
    """Check a table that was read from TOML, or given by `as_table`.

    Raises:
        BadConfig: with every wrong key's path.
    """
    try:
        config = SeriesConfig.model_validate(dict(table))
    except ValidationError as error:
        message, hint = explain(error, SeriesConfig, where)
        raise BadConfig(message, hint=hint) from None
    except RecursionError:
        raise _too_deep(where) from None
    if known is not None:
        check(config, known, where=where)
    return config


def _too_deep(where: str) -> BadConfig:
    return BadConfig(f"{where}: arrays or tables are nested too deeply to be read.", hint="Write them flat.")


def load(path: Path, *, known: Known | None = KNOWN) -> SeriesConfig:
    """Read one series file. Its `name` must be the file's stem.

    Raises:
        NotFound: there is no such file.
        BadConfig: it is not TOML, or a key is wrong.
    """
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFound(f"There is no series file {path}.", hint="Make one: gen-emerge new NAME") from None
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is not text in UTF-8 (byte {error.start}).", hint="Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{path} is not valid TOML: {error}.", hint="Correct that line.") from None
    except RecursionError:
        raise _too_deep(str(path)) from None
    except ValueError as error:  # a number of thousands of digits, or a date that is none
        raise BadConfig(
            f"{path} holds a value that cannot be read: {unread_value(error)}.", hint="Correct that value."
        ) from None
    config = parse(table, where=path.name, known=known)
    if config.name != path.stem:
        raise BadConfig(
            f'{path.name}: name = "{config.name}", but it must be the file\'s name, "{path.stem}".',
            hint=f'Write name = "{path.stem}", or rename the file to {config.name}.toml.',
        )
    return config


def check(config: SeriesConfig, known: Known, *, where: str = "the series file") -> None:
    """Refuse names that nothing answers to, and options an implementation does not take.

    Raises:
        BadConfig: naming the nearest known one.
    """
    _check_use(config.generator, known.generators, "generator", where)
    for gate in GATES:
        _check_use(config.scorers.of(gate), known.scorers, f"scorers.{gate}", where)
        _check_gate(config.scorers.of(gate).use, gate, known, where)
    _check_plug_ins(config.scorers.extra, known.extras, "scorers.extra", where)
    _check_plug_ins(config.detectors, known.detectors, "detectors", where)
    _check_selector(config, known, where)
    _check_use(config.critic, known.critics, "critic", where)
    for axis in config.archive.axes:
        _check_signal(axis, known.axes, "archive.axes", "axis", where)
    for index, rule in enumerate(config.filters.rules):
        _check_signal(rule.signal, known.axes, f"filters.rules[{index}].signal", "signal", where)


def _check_use(table: UseConfig, known: Mapping[str, frozenset[str] | None], path: str, where: str) -> None:
    if table.use not in known:
        raise BadConfig(f'{where}: {path}.use = "{table.use}" is not known.', hint=nearest(table.use, known))
    takes = known[table.use]
    for key in table.options:
        if takes is not None and key not in takes:
            own = [name for name in type(table).model_fields if name != "options"]
            raise BadConfig(f"{where}: unknown key {path}.{key}.", hint=nearest(key, [*own, *sorted(takes)]))


def _check_gate(use: str, gate: str, known: Known, where: str) -> None:
    serves = known.fills.get(use, gate)
    if serves != gate:
        able = [name for name in known.scorers if known.fills.get(name, gate) == gate]
        raise BadConfig(
            f'{where}: scorers.{gate}.use = "{use}" measures {serves}, not {gate}.',
            hint=f"For {gate}: {', '.join(able)}.",
        )


def _check_plug_ins(table: PlugInsConfig, known: frozenset[str] | None, path: str, where: str) -> None:
    for name in table.use:
        if known is not None and name not in known:
            raise BadConfig(f'{where}: {path}.use: "{name}" is not known.', hint=nearest(name, sorted(known)))
    for name in table.options:
        if name not in table.use:
            raise BadConfig(
                f"{where}: {path}.{name} belongs to nothing in {path}.use = {shown(list(table.use))}.",
                hint=nearest(name, ["use", *table.use]),
            )


def _check_selector(config: SeriesConfig, known: Known, where: str) -> None:
    """Signals the series could measure; the crew, which opens the scorers, looks again."""
    extra = config.scorers.extra.use
    # "laion" is whichever head its weights are.
    heads = {"laion_v1", "laion_v2"} if "laion" in extra else set[str]()
    able = sorted({*known.axes, *known.beside, *extra, *heads} - {"laion"})
    for name in config.selector.signals if config.selector.use != PERSONAL else ():
        if name not in able:
            raise BadConfig(f'{where}: selector.signals: nothing here measures "{name}".', hint=why_not(name, able))


def why_not(signal: str, able: Iterable[str]) -> str:
    """Why a selector cannot read a signal that no scorer of the series gives, and what to do."""
    if signal == PERSONAL:
        return 'No scorer measures it: it is what a head trained on your judgements says. Write use = "personal".'
    if signal == "novelty":
        return "Novelty is the distance to what was accepted: it is measured at the gates, after the choice."
    if signal in (KNOWN.extras or ()):
        return f'Add "{signal}" to [scorers.extra] use.'
    return nearest(signal, able)


def _check_signal(name: str, known: Iterable[str], path: str, word: str, where: str) -> None:
    names = sorted(known)
    if name not in names:
        raise BadConfig(f'{where}: {path}: there is no {word} "{name}".', hint=nearest(name, names))


def fixed(config: SeriesConfig) -> dict[str, Any]:
    """The facts that may not change once a series has cycles: key path -> plain value."""
    archive = config.archive
    size = {"archive.dims": list(archive.dims)} if archive.kind == "grid" else {"archive.cells": archive.cells}
    return {
        "seed": config.seed,
        "profile": config.profile,
        "archive.kind": archive.kind,
        "archive.axes": list(archive.axes),
        **size,
        "loop.batch": config.loop.batch,
        "loop.best_of": config.loop.best_of,
        "loop.warmup_cycles": config.loop.warmup_cycles,
        "loop.pipeline_depth": config.loop.pipeline_depth,
    }


def changed_fixed(old: SeriesConfig | Mapping[str, Any], new: SeriesConfig | Mapping[str, Any]) -> str | None:
    """The path of the first fixed key that differs, or None. Takes configs, or facts given by `fixed`."""
    before = fixed(old) if isinstance(old, SeriesConfig) else complete(old)
    after = fixed(new) if isinstance(new, SeriesConfig) else complete(new)
    for path in [*before, *after]:
        if before.get(path) != after.get(path):
            return path
    return None


def complete(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Stored facts with those that a series of an earlier version does not have."""
    return {**facts, "loop.best_of": facts.get("loop.best_of", 1)}
