"""Takes images; gives their place in DreamSim's space, where distance is close to what people call alike.

S. Fu et al., "DreamSim: Learning New Dimensions of Human Visual Similarity using Synthetic Data" (2023), through the
authors' own package, unmodified. The distance of two images is 1 less the cosine of their vectors.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.models.libraries import library
from gen_emerge.scorers.batches import Batches
from gen_emerge.scorers.dreamsim_files import KINDS, check
from gen_emerge.scorers.options import not_finite
from gen_emerge.scorers.preparation import Preparation
from gen_emerge.scorers.quiet import quiet
from gen_emerge.scorers.views import Look, Views
from gen_emerge.types import Embedding, Pixels, Reading

if TYPE_CHECKING:
    import torch

SIDE = 224
LOOK = Look(height=SIDE, width=SIDE, fit="squash", resample="bicubic")
"""What the package's preprocessing does to the size; checked against it when a model is opened."""


class DreamSim:
    """Fills the role novelty.

    Args:
        folder: the package's `cache_dir`, complete.
        kind: the package's `dreamsim_type`; the patch models are `dino_vitb16_patch` and `dinov2_vitb14_patch`.
        device: where it runs.
        views: shared with the other scorers.
        batch: pictures at once, or "auto".
        allow_hub_code: whether code in the folder may be executed (DINO's types need it).
        pins: file name -> SHA-256 of every pickled file.
        where: the table, for errors.

    Raises:
        MissingModel: files are missing; nothing is downloaded.
        BadInput: an unknown type, hub code that is not allowed, a file that is not pinned, damaged or another model's.
    """

    def __init__(
        self,
        folder: Path,
        kind: str = "open_clip_vitb32",
        *,
        device: torch.device,
        views: Views,
        batch: int | str = "auto",
        allow_hub_code: bool = False,
        pins: Mapping[str, str] | None = None,
        where: str = "scorers.novelty",
    ) -> None:
        whole = check(where, kind, folder, allow_hub_code=allow_hub_code, pins=pins or {})
        self._model, preprocess = _open(folder, kind, device)
        self._device = device
        self._batches = Batches(device, batch, network=self._model)
        self._prepare = Preparation(
            views, lambda picture: preprocess(picture)[0], look=LOOK, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
        )
        self.space = f"dreamsim-1:dreamsim-{version('dreamsim')}:{kind}:{whole[:12]}:{self._prepare.tag}"
        """Vectors of other spaces refuse comparison."""
        self._versions = MappingProxyType({"novelty": self.space})

    @property
    def roles(self) -> frozenset[str]:
        """Novelty."""
        return frozenset({"novelty"})

    @property
    def versions(self) -> Mapping[str, str]:
        """`novelty` -> the embedding's space, with the digest of all its files."""
        return self._versions

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be told once."""
        return tuple(self._batches.notices)

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) texts; they do not matter.

        Returns:
            (n,) readings without signals, each with its embedding: (d,) float32, L2-normalised.

        Raises:
            ScorerFailed: a vector is not finite (the package gives NaN for NaN silently); says for which pictures.
        """
        if not images:
            return []
        vectors = self._batches.run(images, self._step)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise not_finite("DreamSim's vector", images, [int(place) for place in bad])
        return [Reading(signals=(), embedding=Embedding(space=self.space, vector=vector)) for vector in vectors]

    def _step(self, portion: Sequence[Pixels]) -> NDArray[np.float32]:
        import torch

        planes = torch.from_numpy(np.stack([self._prepare(image) for image in portion])).to(self._device)
        found: torch.Tensor = self._model.embed(planes).double()
        if found.ndim == 3:
            # Patch models compare the class token beside the mean of the patches, as the package's own distance does.
            found = torch.cat((found[:, 0], found[:, 1:].mean(dim=1)), dim=-1)
        return (found / found.norm(dim=-1, keepdim=True)).float().cpu().numpy()


def _open(folder: Path, kind: str, device: torch.device) -> tuple[Any, Any]:
    """The package's model and its preprocessing."""
    package = library("dreamsim", what='The scorer "dreamsim"')
    import torch

    hub_before = torch.hub.get_dir()
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of timm, peft and weight_norm, about the package's own ways
            model, preprocess = package.dreamsim(
                pretrained=True,
                device=str(device),
                cache_dir=str(folder),
                dreamsim_type=kind.removesuffix("_patch"),
                use_patch_model=kind.endswith("_patch"),
            )
    except Exception as error:  # pickle, zip, torch, safetensors, peft and json each have errors of their own
        told = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        raise BadInput(
            f"DreamSim {kind} cannot be opened from {folder}: {told}.",
            hint="A file is damaged or another model's. Fetch it again: gen-emerge models verify names which.",
        ) from None
    finally:
        torch.hub.set_dir(hub_before)
    _must_be_whole(model, folder / KINDS[kind].adapter)
    return model.eval().requires_grad_(False), preprocess


def _must_be_whole(model: Any, adapter: Path) -> None:
    """What was trained on people is all in the adapter, and the package loads it without asking for every part."""
    peft = library("peft", what='The scorer "dreamsim"')
    safe = adapter / "adapter_model.safetensors"
    if not safe.is_file():
        return
    stored = set(library("safetensors.torch", what='The scorer "dreamsim"').load_file(str(safe)))
    wanted: set[str] = set(peft.get_peft_model_state_dict(model))
    troubles = {"missing": sorted(wanted - stored), "not known": sorted(stored - wanted)}
    told = [f"{len(names)} {kind}: {', '.join(names[:5])}" for kind, names in troubles.items() if names]
    if told:
        raise BadInput(f"{safe} does not fit DreamSim: {'; '.join(told)}.", hint="Fetch the file of this very type.")
