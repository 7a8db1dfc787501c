"""Takes what a series names as its model; gives the folder with its files, or says what is wrong with it.

Everything is refused here that could run code or render from nothing: pickled weights, code beside the weights, a hub
id without a pinned commit, files that are not there. It must never reach the network.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.libraries import library

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
INDEX = "model_index.json"


def find_folder(model: str, revision: str) -> Path:
    """The folder of a checkpoint that is on this disk.

    Args:
        model: a folder, or owner/name on the hub (then looked for in the hub's cache).
        revision: the commit, for a hub id.

    Raises:
        MissingModel: it is not here.
        BadInput: a hub id has no pinned commit, or the folder cannot be used safely.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return _checked(path)
    if not _HUB_ID.fullmatch(model):
        raise MissingModel(f'There is no folder "{model}".', hint="Name a folder in diffusers' layout, or a hub id.")
    if not _COMMIT.fullmatch(revision):
        came = f'revision = "{revision}"' if revision else "no revision"
        raise BadInput(
            f'generator.model = "{model}" is on the hub, and has {came}: a name or branch may change under a series.',
            hint='Pin a commit: revision = "40 hex digits"; the repository\'s history lists them.',
        )
    return _checked(_cached(model, revision))


def _cached(model: str, revision: str) -> Path:
    hub: Any = library("huggingface_hub", what='The generator "diffusion"')
    try:
        return Path(hub.snapshot_download(model, revision=revision, local_files_only=True))
    except (OSError, ValueError) as error:  # its LocalEntryNotFoundError is both
        raise MissingModel(
            f"{model} at {revision[:12]} is not on this disk.",
            hint="Fetch it before the series starts: gen-emerge models pull --series NAME",
        ) from error


def _checked(folder: Path) -> Path:
    index = read_index(folder)
    if not isinstance(index.get("_class_name"), str) or any(folder.rglob("*.py")):
        raise BadInput(f"{folder} brings code of its own, which is never run.", hint="Name a plain checkpoint.")
    for name, parts in index.items():
        if name.startswith("_") or not isinstance(parts, list) or cast(list[Any], parts)[0] is None:
            continue
        _check_part(folder, folder / name)
    return folder


def _check_part(folder: Path, part: Path) -> None:
    if not part.is_dir():
        raise MissingModel(f"{folder} lacks its part {part.name}.", hint="Fetch it again: gen-emerge models pull")
    suffixes = {file.suffix for file in part.iterdir()}
    if suffixes & set(_PICKLED) and ".safetensors" not in suffixes:
        raise BadInput(
            f"{part} holds only pickled weights, which can run any program when they are opened.",
            hint="Name a revision with safetensors, or convert it (`save_pretrained(..., safe_serialization=True)`).",
        )


def read_index(folder: Path) -> dict[str, Any]:
    """A checkpoint's `model_index.json`.

    Raises:
        BadInput: there is none, or it cannot be read: this is no checkpoint in diffusers' layout.
    """
    try:
        index: object = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{folder} has no readable {INDEX}: {type(error).__name__}.",
            hint="Name the folder in which `save_pretrained` wrote the whole pipeline, not one file or part of it.",
        ) from None
    if not isinstance(index, dict):
        raise BadInput(f"{folder / INDEX} is no table.", hint="Fetch the checkpoint again.")
    return cast(dict[str, Any], index)


def weight_files(folder: Path) -> list[Path]:
    """Every safetensors file of a checkpoint that would be loaded, by path."""
    files: list[Path] = []
    for part in sorted(inner for inner in folder.iterdir() if inner.is_dir()):
        variant = variant_of(part)
        files += [file for file in sorted(part.glob("*.safetensors")) if variant is None or _is(file, variant)]
    return files


def variant_of(*parts: Path) -> str | None:
    """The variant in which the weights of all these parts of a checkpoint are there and no other way, else None."""
    files = [file for part in parts for file in part.glob("*.safetensors")]
    for variant in ("fp16", "bf16"):
        if files and all(_is(file, variant) for file in files):
            return variant
    return None


def _is(file: Path, variant: str) -> bool:
    return f".{variant}." in file.name or f".{variant}-" in file.name  # the second: one of several shards
