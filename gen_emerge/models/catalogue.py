"""Gives the models this program knows by name, from `catalogue.toml`. Reads nothing else, fetches nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from gen_emerge.errors import NotFound, nearest

Role = Literal["generator", "quality", "prompt", "novelty", "style", "extra", "distance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """One public file of a model.

    Args:
        url: where it is fetched from.
        path: relative to the model's folder.
        sha256: of the file, hex; "" when it is not known.
        sha256_prefix: its first digits, where that is all that is known.
        git_blob: git's id of the file, hex; "" when it is not known.
        unpack: a zip that is unpacked into the model's folder and then dropped.
    """

    url: str
    path: str
    sha256: str = ""
    sha256_prefix: str = ""
    git_blob: str = ""
    unpack: bool = False

    @property
    def pinned(self) -> bool:
        """Whether the file is recognised by a hash that was known before it was fetched."""
        return bool(self.sha256 or self.sha256_prefix or self.git_blob)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model by name.

    Args:
        name: as in `gen-emerge models pull NAME`.
        role: what a series uses it for.
        what: in a line.
        licence: of the weights.
        commercial: "yes", "no" or "unknown".
        megabytes: about what has to be fetched.
        accuracy: published figures.
        bias: what it is known to favour or to miss.
        source: its page.
        files: where it is a few files with addresses of their own.
        hub: else the hub's repository, owner/name.
        revision: the repository's commit; "" until it is pinned by the first fetch.
        patterns: which of the repository's files.
        weights: the file a scorer is given, relative to the folder; "" for the folder itself.
        pickled: the weights are pickled, and opened only by their hash.
    """

    name: str
    role: Role
    what: str
    licence: str
    megabytes: int
    accuracy: str
    bias: str
    source: str
    commercial: Literal["yes", "no", "unknown"] = "yes"
    files: tuple[Original, ...] = ()
    hub: str = ""
    revision: str = ""
    patterns: tuple[str, ...] = ()
    weights: str = ""
    pickled: bool = False


ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "nima": "nima-aesthetic",
        "clip": "clip-vit-b-32",
        "dreamsim": "dreamsim-open_clip_vitb32",
        "laion": "laion-v2",
        "laion_v1": "laion-v1-vit-b-32",
        "laion_v2": "laion-v2",
        "hps": "hps-v2.1",
        "lpips": "lpips-alex",
        "clpips": "lpips-alex",
        "dists": "lpips-vgg",
    }
)
"""A scorer's name stands for the model it takes by default."""


@cache
def catalogue() -> Mapping[str, Model]:
    """All models, by name, in the order of the file."""
    text = (files("gen_emerge.models") / "catalogue.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: _model(name, table) for name, table in tomllib.loads(text).items()})


def _model(name: str, table: dict[str, Any]) -> Model:
    originals = tuple(Original(**item) for item in table.pop("files", ()))
    return Model(name=name, files=originals, patterns=tuple(table.pop("patterns", ())), **table)


def model(name: str) -> Model:
    """One model, by its name or by that of the scorer that takes it.

    Raises:
        NotFound: there is none of that name; the nearest is given.
    """
    known = catalogue()
    if name not in known and name not in ALIASES:
        raise NotFound(f'No model is called "{name}".', hint=nearest(name, known))
    return known[ALIASES.get(name, name)]


def of_hub(repository: str) -> Model | None:
    """The model whose original lies in a repository of the hub, if it is known."""
    return next((entry for entry in catalogue().values() if entry.hub == repository), None)
