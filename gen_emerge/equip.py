"""Takes a series' configuration; gives it with the paths of its models in, ready for whoever opens them.

A relative path is looked for in the studio folder, a name of the catalogue among the fetched models; a pickled file
that was fetched by name gets the hash that was written down. Nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gen_emerge.config import SeriesConfig
from gen_emerge.config.implementations import ExtraConfig
from gen_emerge.models import home
from gen_emerge.models.catalogue import catalogue
from gen_emerge.needs import DEFAULTS, DETECTOR_MODELS, PATHS, checkpoint, given, here, need, tables
from gen_emerge.types import GATES

BESIDE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "laion": {"clip": "ViT-L-14-quickgelu"},
        "laion_v1": {"clip": "ViT-B-32-quickgelu"},
        "laion_v2": {"clip": "ViT-L-14-quickgelu"},
    }
)
"""The architecture that goes with a default tower."""
_PICKLED = (".pth", ".pt", ".tar", ".bin")
PINS: Mapping[str, str] = MappingProxyType({"weights": "sha256", "clip": "clip_sha256"})


def resolved(config: SeriesConfig, root: Path) -> SeriesConfig:
    """The configuration whose options name what is on this disk; options that say nothing are left out.

    Raises:
        BadConfig: see `needs`.
    """
    generator = config.generator
    if generator.use == "diffusion":
        generator = generator.model_copy(update={"options": _generator_options(generator.options, root)})
    gates = {
        gate: config.scorers.of(gate).model_copy(update={"options": _filled(key, use, options, root)})
        for key, use, options in tables(config)
        if (gate := key.removeprefix("scorers.")) in GATES
    }
    extra = config.scorers.extra
    prompt = gates.get("prompt", config.scorers.prompt).options.get("weights")
    options = {name: _filled(f"scorers.extra.{name}", name, extra.options.get(name, {}), root) for name in extra.use}
    for table in options.values():
        if prompt is not None and table.get("clip") == prompt:  # the prompt gate's own tower: looked through together
            table.pop("clip")
            table.pop("model", None)
    full = ExtraConfig.model_construct(use=extra.use, options={name: table for name, table in options.items() if table})
    scorers = config.scorers.model_copy(update={**gates, "extra": full})
    detectors = config.detectors.model_copy(update={"options": _of_detectors(config.detectors.options, root)})
    return config.model_copy(update={"generator": generator, "scorers": scorers, "detectors": detectors})


def _of_detectors(options: Mapping[str, Mapping[str, Any]], root: Path) -> dict[str, dict[str, Any]]:
    filled = {name: dict(table) for name, table in options.items()}
    for name, option in DETECTOR_MODELS.items():
        value = filled.get(name, {}).get(option)
        if isinstance(value, str) and (path := here(value, root)) is not None:
            filled[name][option] = str(path)
    return filled


def _generator_options(options: Mapping[str, Any], root: Path) -> dict[str, Any]:
    found, kept = checkpoint(options, root), given(options)
    if found.path is not None:  # of the hub too: its client finds a folder of selected files only by the same selection
        kept["model"] = str(found.path)
        kept.pop("revision", None)
    if "loras" in kept and isinstance(kept["loras"], list):
        kept["loras"] = [_lora(item, root) for item in kept["loras"]]
    return kept


def _lora(item: Any, root: Path) -> Any:
    if not isinstance(item, str):
        return item
    file, at, weight = item.rpartition("@")
    path = here(file or weight, root)
    return item if path is None else f"{path}{at}{weight}" if at else str(path)


def _filled(key: str, use: str, options: Mapping[str, Any], root: Path) -> dict[str, Any]:
    table = given(options)
    for option in {**DEFAULTS.get(use, {}), **dict.fromkeys(PATHS)}:
        found = need(key, use, option, options, root)
        if found is None or found.path is None:
            continue
        table[option] = str(found.path)
        if found.model is not None and found.model.pickled and option in PINS and found.path.is_file():
            table.setdefault(PINS[option], home.pin_of(found.path) or "")
        if not options.get(option) and option in BESIDE.get(use, {}):
            table.setdefault("model", BESIDE[use][option])
    if use == "dreamsim" and "sha256" not in table and (record := _record(options, use)):
        table["sha256"] = {kept.path: kept.sha256 for kept in record.files if Path(kept.path).suffix in _PICKLED}
    return given(table)


def _record(options: Mapping[str, Any], use: str) -> home.Record | None:
    """What was written down of a model that is not given by a path."""
    name = str(options.get("weights") or f"{use}-{options.get('type', 'open_clip_vitb32')}")
    return home.record_of(name) if name in catalogue() else None
