"""Takes the gates' tables of a series file; gives their scorers, with everything they can share opened once.

One `Views` for all: a picture is decoded once, and resized once for all who want the same size. One `Tower` for every
table that means the same CLIP weights and configuration: prompt, zero-shot style, probe and LAION's heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.errors import BadInput, nearest
from gen_emerge.models.devices import choose_device
from gen_emerge.protocols import Scorer
from gen_emerge.scorers.options import checked, weights_path
from gen_emerge.scorers.views import Views
from gen_emerge.types import GATES

if TYPE_CHECKING:
    import torch

    from gen_emerge.scorers.clip.tower import Tower

_CLIP: Mapping[str, type] = {"model": str, "weights": str, "config": str, "sha256": str}
OPTIONS: Mapping[str, Mapping[str, type]] = {
    "nima": {"weights": str, "batch": int},
    "clip": {**_CLIP, "batch": int},
    "dreamsim": {"type": str, "weights": str, "allow_hub_code": bool, "sha256": dict, "batch": int},
    "clip-zero-shot": {**_CLIP, "temperature": float, "batch": int},
    "classifier": {"model": str, "revision": str, "temperature": float, "batch": int},
    "probe": {"weights": str, "model": str, "clip": str, "config": str, "sha256": str, "batch": int},
}
"""Scorer -> the keys its table takes. `model` and `weights` of clip-zero-shot, and `model` and `clip` of probe, are
those of [scorers.prompt] where they are left out. `sha256` pins pickled files (dreamsim: file name -> hash)."""


def load(
    tables: Mapping[str, tuple[str, Mapping[str, Any]]],
    references: Sequence[str],
    *,
    extra: Sequence[str] = (),
    extra_options: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "auto",
    batch: int | str = "auto",
) -> tuple[Scorer, ...]:
    """Open the scorers of some gates, and extra ones.

    Args:
        tables: gate -> (use, the other keys of its table).
        references: (r,) prompts whose mean cosine the prompt signal subtracts; () subtracts nothing.
        extra: names of `[scorers.extra] use`.
        extra_options: name -> its table.
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        batch: pictures at once in every network, or "auto"; a table's own `batch` goes before it.

    Returns:
        One scorer a gate, in the gates' order, then the extra ones, in theirs.

    Raises:
        BadInput: an unknown scorer or option, or files that are damaged or do not fit.
        MissingModel: files are not on this disk; nothing is downloaded.
        MissingExtra: a library is not installed.
    """
    opener = _Opener(tables, references, device=choose_device(device), batch=batch)
    scorers = [opener.open(gate) for gate in GATES if gate in tables]
    if extra:
        from gen_emerge.scorers import extras

        tower = next(iter(opener.towers.values()), None)
        scorers += extras.load(list(extra), extra_options or {}, tower=tower, device=str(opener.device))
    return tuple(scorers)


class _Opener:
    """What is open so far: views, and towers by what they are made of."""

    def __init__(
        self,
        tables: Mapping[str, tuple[str, Mapping[str, Any]]],
        references: Sequence[str],
        *,
        device: torch.device,
        batch: int | str,
    ) -> None:
        self.device = device
        self.views = Views()
        self.towers: dict[str, Tower] = {}
        """By their key, in the order in which they were opened."""
        self._batch = batch
        self._references = references
        self._tables = {gate: _checked(gate, use, options) for gate, (use, options) in tables.items()}

    def open(self, gate: str) -> Scorer:
        """The scorer of one gate."""
        use, options = self._tables[gate]
        where = f"scorers.{gate}"
        shared: dict[str, Any] = {"device": self.device, "views": self.views, "batch": self._size(options)}
        if use == "nima":
            from gen_emerge.scorers.nima import Nima

            return Nima(weights_path(where, options), **shared)
        if use == "dreamsim":
            from gen_emerge.scorers.dreamsim import DreamSim

            return DreamSim(
                weights_path(where, options, folder=True),
                options.get("type", "open_clip_vitb32"),
                allow_hub_code=options.get("allow_hub_code", False),
                pins=options.get("sha256"),
                where=where,
                **shared,
            )
        if use == "classifier":
            from gen_emerge.scorers.classifier import classifier

            return classifier(where, options, **shared)
        return self._on_a_tower(where, use, options)

    def _on_a_tower(self, where: str, use: str, options: Mapping[str, Any]) -> Scorer:
        from gen_emerge.scorers.clip.probe import probe
        from gen_emerge.scorers.clip.prompt import PromptScorer
        from gen_emerge.scorers.clip.zero_shot import zero_shot

        if use == "clip":
            return PromptScorer(self._tower(where, options), self._references)
        if use == "clip-zero-shot":
            return zero_shot(self._tower(where, options), temperature=options.get("temperature"))
        path: Path = weights_path(where, options)
        own = {key: value for key, value in options.items() if key not in ("weights", "clip")}
        return probe(self._tower(where, {**own, "weights": options.get("clip", "")}), path)

    def _tower(self, where: str, options: Mapping[str, Any]) -> Tower:
        from gen_emerge.scorers.clip.checkpoint import find
        from gen_emerge.scorers.clip.tower import Tower

        found = find(where, self._of_prompt(where, options))
        if found.key not in self.towers:
            self.towers[found.key] = Tower(
                found, device=self.device, views=self.views, batch=self._size(options)
            )  # fmt: skip
        return self.towers[found.key]

    def _of_prompt(self, where: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """A table that names no CLIP weights means those of the prompt gate."""
        if options.get("weights") or where == "scorers.prompt":
            return options
        use, prompt = self._tables.get("prompt", ("", {}))
        if use != "clip":
            raise BadInput(
                f"{where} names no CLIP weights, and [scorers.prompt] is not CLIP.",
                hint="Name model and weights there, as [scorers.prompt] would.",
            )
        return prompt

    def _size(self, options: Mapping[str, Any]) -> int | str:
        return options.get("batch", self._batch)


def _checked(gate: str, use: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if use not in OPTIONS:
        raise BadInput(f'scorers.{gate}.use = "{use}" is not known.', hint=nearest(use, OPTIONS))
    if options.get("batch") == "auto":
        options = {key: value for key, value in options.items() if key != "batch"}
    return use, checked(f"scorers.{gate}", {**options, "use": use}, OPTIONS[use])
