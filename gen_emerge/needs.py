"""Takes a series' configuration; gives the models it needs, where each is, and what fetches the ones that are missing.

What a series file leaves empty, or calls by a name of the catalogue, is looked up among the fetched models. A relative
path is looked for in the studio folder. Nothing is loaded, nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gen_emerge.config import SeriesConfig
from gen_emerge.config.implementations import DetectorsConfig, ExtraConfig, UseConfig
from gen_emerge.errors import IN_THE_FILE, BadConfig, BadInput, MissingExtra, MissingModel
from gen_emerge.models import home
from gen_emerge.models.catalogue import Model, catalogue, of_hub
from gen_emerge.models.libraries import how_to_install
from gen_emerge.models.pull import cached
from gen_emerge.types import GATES

_MODEL = "generator.model"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_CLIP: Mapping[str, str] = MappingProxyType({"ViT-B-32": "clip-vit-b-32"})
"""open_clip's architecture -> the model that is taken where `weights` is empty."""
DEFAULTS: Mapping[str, Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "nima": {"weights": {"": "nima-aesthetic"}},
        "clip": {"weights": _CLIP},
        "clip-zero-shot": {"weights": _CLIP},  # where the prompt gate has no tower to share
        "laion": {"weights": {"": "laion-v2"}, "clip": {"": "clip-vit-l-14-openai"}},
        "laion_v1": {"weights": {"": "laion-v1-vit-b-32"}, "clip": {"": "clip-vit-b-32-openai"}},
        "laion_v2": {"weights": {"": "laion-v2"}, "clip": {"": "clip-vit-l-14-openai"}},
        "hps": {"weights": {"": "hps-v2.1"}},
        "pickscore": {"model": {"": "pickscore"}},
        "imagereward": {"weights": {"": "imagereward"}, "tokenizer": {"": "bert-base-uncased"}},
        "lpips": {"weights": {"": "lpips-alex", "alex": "lpips-alex", "vgg": "lpips-vgg"}},
        "clpips": {"weights": {"": "lpips-alex"}},
        "dists": {"weights": {"": "lpips-vgg"}},
    }
)
"""Scorer -> option -> what is taken where the option is not given, by the variant of `VARIANTS` ("" for any)."""
VARIANTS: Mapping[str, str] = MappingProxyType({"clip": "model", "clip-zero-shot": "model", "lpips": "net"})
DETECTOR_MODELS: Mapping[str, str] = MappingProxyType({"regions": "model"})
"""Detector -> its option that names a folder. Those of other packages find, and miss, their models themselves."""
PATHS = ("weights", "clip", "tokenizer", "fitted", "target", "config", "med_config")
"""Options that name a file or folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One model a series needs.

    Args:
        key: where the series file names it, such as "scorers.quality.weights".
        use: who needs it, such as "nima".
        name: of the catalogue, a hub id, or a path.
        path: where it is; None when it is not here.
        model: what the catalogue knows of it, or None.
        revision: for a hub id.
        command: what fetches it, "" when nothing of this program can.
    """

    key: str
    use: str
    name: str
    path: Path | None
    model: Model | None = None
    revision: str = ""
    command: str = ""


def needs(config: SeriesConfig, root: Path) -> list[Need]:
    """Every model a series needs, generator first, each once.

    Raises:
        BadConfig: an option that names a model is empty or no text, and nothing can be taken in its place.
    """
    found: dict[str, Need] = {}
    for need in _needs(config, root):
        found.setdefault(need.name, need)
    return list(found.values())


def preflight(config: SeriesConfig, root: Path, *, by_name: bool = False) -> None:
    """Refuse a series whose models or libraries are not all here, before anything is made.

    Args:
        config: the series file.
        root: the studio folder.
        by_name: the series file does not say this yet, so what is missing is fetched by its name.

    Raises:
        MissingExtra: the libraries of the profile are not installed.
        BadConfig: no checkpoint is named.
        MissingModel: names everything that is missing, and the command that fetches it.
    """
    users = _users(config)
    if not users:
        return
    if importlib.util.find_spec("torch") is None:
        raise MissingExtra(f"{users[0]} needs torch, which is not installed.", hint=how_to_install())
    missing = [need for need in needs(config, root) if need.path is None]
    for need in missing:
        if need.key == _MODEL and need.command and not need.revision and need.name not in catalogue():
            raise BadConfig(
                f'generator.model = "{need.name}" is on the hub and has no revision: it could change under a series.',
                hint=f"gen-emerge models pull --series {config.name} prints the commit to write.",
            )
    if missing:
        listed = "; ".join(f"{need.key}: {_shown(need)}" for need in missing)
        fetched = all(need.command for need in missing)
        pull = " ".join(dict.fromkeys(need.name for need in missing)) if by_name else f"--series {config.name}"
        hint = f"gen-emerge models pull {pull}" if fetched else "Name files that are there."
        many = "1 model is" if len(missing) == 1 else f"{len(missing)} models are"
        raise MissingModel(f"{many} not on this disk: {listed}.", hint=hint)


def lacks_libraries(config: SeriesConfig) -> bool:
    """Whether a series needs the libraries of the models extra, and they are not installed."""
    return bool(_users(config)) and importlib.util.find_spec("torch") is None


def _users(config: SeriesConfig) -> list[str]:
    """Who needs the libraries of the extra, as in the series file."""
    users = ['The generator "diffusion"'] if config.generator.use == "diffusion" else []
    users += [f'The scorer "{config.scorers.of(g).use}"' for g in GATES if config.scorers.of(g).use != "embedded"]
    users += [f'The scorer "{name}"' for name in config.scorers.extra.use]
    return users + [f'The detector "{name}"' for name in config.detectors.use if name in DETECTOR_MODELS]


def measuring(config: SeriesConfig, gates: Sequence[str], *, extra: bool) -> SeriesConfig:
    """The configuration of somebody who only measures: no generator, and nothing needed for other gates than these."""
    others = {gate: UseConfig(use="embedded") for gate in GATES if gate not in gates}
    if "prompt" not in gates and "style" in gates:
        others["style"] = _on_its_own(config.scorers.style, config.scorers.prompt)
    scorers = config.scorers.model_copy(update={**others, **({} if extra else {"extra": ExtraConfig()})})
    bare = {"generator": UseConfig(use="painter"), "scorers": scorers, "detectors": DetectorsConfig()}
    return config.model_copy(update=bare)


def _on_its_own(style: UseConfig, prompt: UseConfig) -> UseConfig:
    """Style's table with the tower written in that it would have shared with the prompt gate."""
    named = {"clip-zero-shot": "weights", "probe": "clip"}.get(style.use)
    if named is None or prompt.use != "clip" or style.options.get(named):
        return style
    tower = {key: prompt.options[key] for key in ("model", "config", "sha256") if key in prompt.options}
    weights = prompt.options.get("weights") or _default("clip", "weights", prompt.options)
    return style.model_copy(update={"options": {**tower, named: weights, **given(style.options)}})


def _shown(need: Need) -> str:
    if need.model is None:
        return f"{need.name} ({need.use})"
    return f"{need.name} ({need.use}, about {need.model.megabytes:,} MB, licence: {need.model.licence})"


def _needs(config: SeriesConfig, root: Path) -> Iterator[Need]:
    if config.generator.use == "diffusion":
        yield checkpoint(config.generator.options, root)
        loras = config.generator.options.get("loras")
        for lora in loras if isinstance(loras, list) else ():
            if isinstance(lora, str):
                file = lora.rpartition("@")[0] or lora
                yield Need(key="generator.loras", use="diffusion", name=file, path=here(file, root))
    for key, use, options in tables(config):
        for option in {**DEFAULTS.get(use, {}), **dict.fromkeys(PATHS)}:
            named = need(key, use, option, options, root)
            if named is not None:
                yield named
    yield from _of_detectors(config, root)


def _of_detectors(config: SeriesConfig, root: Path) -> Iterator[Need]:
    """The folders that detectors need; nothing of this program fetches them."""
    for name in config.detectors.use:
        option = DETECTOR_MODELS.get(name)
        value = config.detectors.options.get(name, {}).get(option) if option else None
        key = f"detectors.{name}.{option}"
        if option and (not isinstance(value, str) or not value):
            raise BadConfig(f"{key} is not given: wanted the detector's folder.", hint="See docs/models.md.")
        if option:
            yield Need(key=key, use=name, name=str(value), path=here(str(value), root))


def tables(config: SeriesConfig) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every scorer that is not embedded: where its table stands, its name and its options."""
    for gate in GATES:
        table = config.scorers.of(gate)
        if table.use != "embedded":
            yield f"scorers.{gate}", table.use, _with_tower(config, gate, table)
    for name in config.scorers.extra.use:
        yield f"scorers.extra.{name}", name, config.scorers.extra.options.get(name, {})


def _with_tower(config: SeriesConfig, gate: str, table: UseConfig) -> Mapping[str, Any]:
    """Style by zero shot looks through the prompt gate's tower, unless it names one or there is none."""
    if table.use == "clip-zero-shot" and not table.options.get("weights") and config.scorers.prompt.use != "clip":
        return {"model": "ViT-B-32", "weights": "", **given(table.options)}
    return table.options


def checkpoint(options: Mapping[str, Any], root: Path) -> Need:
    """The generator's checkpoint."""
    name, revision = options.get("model"), options.get("revision") or ""
    if not isinstance(name, str) or not name:
        raise BadConfig(
            'generator.model is empty: a series of the profile "diffusion" needs a checkpoint.',
            hint='Write model = "owner/name" with its revision, or a folder. gen-emerge models list names some, with '
            "their licences.",
        )
    about = {"key": _MODEL, "use": "diffusion", "name": name}
    if name in catalogue():
        model, record = catalogue()[name], home.record_of(name)
        pulled = f"gen-emerge models pull {name}"
        commit = record.revision if record else ""
        return Need(**about, path=home.where(model), model=model, revision=commit, command=pulled)
    folder, known = here(name, root), of_hub(name)
    if folder is not None or not HUB_ID.fullmatch(name):
        return Need(**about, path=folder, model=known)
    path = cached(name, str(revision), known.patterns if known else ())
    return Need(**about, path=path, model=known, revision=str(revision), command="gen-emerge models pull --series")


def need(key: str, use: str, option: str, options: Mapping[str, Any], root: Path) -> Need | None:
    """What one option of one scorer's table names; None when it names no file."""
    value = options.get(option, "")
    where = f"{key}.{option}"
    if not isinstance(value, str):
        raise BadConfig(f"{where} = {value!r}: wanted a text in quotes.", hint=IN_THE_FILE)
    name = value or _default(use, option, options)
    if not name:
        return None
    if name in catalogue():
        model = catalogue()[name]
        command = f"gen-emerge models pull {name}"
        return Need(key=where, use=use, name=name, path=home.where(model), model=model, command=command)
    path = here(name, root)
    if path is None and use in ("clip", "clip-zero-shot", "probe", "pickscore", "classifier") and not _pathlike(name):
        return None  # a tag or a hub id: whoever opens it knows
    return Need(key=where, use=use, name=name, path=path)


def _default(use: str, option: str, options: Mapping[str, Any]) -> str:
    if use == "dreamsim" and option == "weights":
        name = f"dreamsim-{options.get('type', 'open_clip_vitb32')}"
        return name if name in catalogue() else ""
    choices = DEFAULTS.get(use, {}).get(option, {})
    variant = options.get(VARIANTS.get(use, ""), "")
    return choices.get(str(variant), choices.get("", ""))


def here(name: str, root: Path) -> Path | None:
    """A file or folder by its path, looked for in the studio folder first."""
    path = Path(name).expanduser()
    return next((place for place in (root / path, path.absolute()) if place.exists()), None)


def _pathlike(name: str) -> bool:
    return name.startswith((".", "/", "~")) or Path(name).suffix in (".safetensors", ".pt", ".pth", ".bin", ".json")


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """An empty text in a series file stands for "not given"."""
    return {key: value for key, value in options.items() if value != ""}


def fetchable(config: SeriesConfig, root: Path) -> list[Model]:
    """The models of the catalogue a series needs, for `models pull --series`; a hub id is made one.

    Raises:
        BadInput: something it needs is neither in the catalogue nor on the hub, and is not here.
    """
    models: list[Model] = []
    for need in needs(config, root):
        if need.model is not None and need.name in catalogue():
            models.append(need.model)
        elif need.command:
            models.append(_from_hub(need))
        elif need.path is None:
            raise BadInput(f"{need.key}: there is no {need.name}, and nothing to fetch it from.", hint="Name a file.")
    return models


def _from_hub(need: Need) -> Model:
    known = need.model
    return Model(
        name=need.name,
        role="generator",
        what=known.what if known else need.name,
        licence=known.licence if known else "see its page",
        megabytes=known.megabytes if known else 0,
        accuracy="",
        bias="",
        source=f"https://huggingface.co/{need.name}",
        commercial=known.commercial if known else "unknown",
        hub=need.name,
        revision=need.revision,
        patterns=known.patterns if known else (),
    )
