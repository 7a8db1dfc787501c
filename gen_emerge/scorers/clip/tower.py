"""Takes images and texts; gives their unit vectors in one CLIP model's space. The only place where CLIP runs.

Every image is looked at once: its vector is remembered for as long as its array lives, so that the prompt gate, the
style heads and aesthetic heads that share a tower cost one image pass together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.libraries import library
from gen_emerge.scorers.batches import Batches
from gen_emerge.scorers.clip.checkpoint import Found, build
from gen_emerge.scorers.clip.windows import Windows
from gen_emerge.scorers.options import not_finite
from gen_emerge.scorers.preparation import Preparation
from gen_emerge.scorers.views import ByPicture, Fit, Look, Resample, Views
from gen_emerge.types import Pixels

if TYPE_CHECKING:
    import torch

_TEXTS = 4096
"""Texts whose vectors are remembered; they are small, and a series repeats its prompts."""


class Tower:
    """One open CLIP model.

    Args:
        found: which, and where its files are.
        device: where it runs, in float32.
        views: shared with the other scorers.
        batch: images at once, or "auto".

    Raises:
        BadInput: the files are damaged or do not fit together.
    """

    def __init__(self, found: Found, *, device: torch.device, views: Views, batch: int | str = "auto") -> None:
        model, preprocess, tokenizer = build(found)
        open_clip = library("open_clip", what='The scorer "clip"')
        self._model: Any = model
        self._device = device
        self._batches = Batches(device, batch, network=model)
        self._prepare = _preparation(views, preprocess, open_clip.get_model_preprocess_cfg(model))
        self._windows = Windows(tokenizer, int(model.context_length))
        self._images: ByPicture[NDArray[np.float32]] = ByPicture()
        self._texts: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._notices: list[str] = []
        self.model_name = found.name
        """As in the series file."""
        self.digest = digest(found.weights)
        """SHA-256 of the weights' file."""
        self.key = found.key
        """Equal for towers of the same weights and configuration."""
        first = self.text_features(["a picture"])
        if not np.isfinite(first).all():
            raise BadInput(f"{found.weights} gives NaN for a plain text.", hint="It is damaged: fetch it again.")
        self.width: int = int(first.shape[1])
        """Length of a vector."""
        self.logit_scale = float(model.logit_scale.exp())
        """What the model was trained to multiply cosines with."""
        self.version = (
            f"open_clip-{open_clip.__version__}:{found.name}:{self.digest[:12]}"
            f"-{found.key[65:71]}:{self._prepare.tag}:{self._windows.window}-tokens"
        )
        """Library, model, weights and configuration, preprocessing."""
        self.image_passes = 0
        """Images that went through the network so far."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be told once."""
        return (*self._notices, *self._batches.notices)

    def image_features(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Where images lie.

        Args:
            images: (n,) arrays (h, w, 3) uint8, n >= 1; read-only ones are looked at once in their life.

        Returns:
            (n, width) float32, L2-normalised.

        Raises:
            ScorerFailed: a vector is not finite; says for which images.
        """
        known = [self._images.get(image, "vector") for image in images]
        fresh = [place for place, vector in enumerate(known) if vector is None]
        if fresh:
            found = self._batches.run([images[place] for place in fresh], self._look)
            bad = [place for place, vector in zip(fresh, found, strict=True) if not np.isfinite(vector).all()]
            for place, vector in zip(fresh, found, strict=True):
                known[place] = vector
                if place not in bad:
                    self._images.put(images[place], "vector", vector, size=vector.nbytes)
            if bad:
                raise not_finite("CLIP's vector", images, bad)
        return np.stack([vector for vector in known if vector is not None])

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Where texts lie; one that is longer than the model's window is read in several, and that is noted.

        Args:
            texts: (n,) texts, n >= 1, of any length.

        Returns:
            (n, width) float32, L2-normalised: of a long text, the mean of its windows' unit vectors.
        """
        fresh = list(dict.fromkeys(text for text in texts if text not in self._texts))
        if fresh:
            self._texts.update(zip(fresh, self._read(fresh), strict=True))
        for text in texts:
            self._texts.move_to_end(text)
        vectors = np.stack([self._texts[text] for text in texts])
        while len(self._texts) > _TEXTS:
            self._texts.popitem(last=False)
        return vectors

    def _look(self, portion: Sequence[Pixels]) -> NDArray[np.float32]:
        import torch

        self.image_passes += len(portion)
        planes = torch.from_numpy(np.stack([self._prepare(image) for image in portion])).to(self._device)
        return _unit(self._model.encode_image(planes))

    def _read(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        rows = [self._windows.rows(text) for text in texts]
        self._note(texts, rows)
        parts = self._batches.run([row for text in rows for row in text], self._listen)
        starts = np.cumsum([0, *(len(text) for text in rows)])
        means = [parts[first:last].mean(axis=0, dtype=np.float64) for first, last in pairwise(starts)]
        return [(mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32) for mean in means]

    def _listen(self, portion: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        import torch

        return _unit(self._model.encode_text(torch.from_numpy(np.stack(portion)).to(self._device)))

    def _note(self, texts: Sequence[str], rows: Sequence[NDArray[np.int64]]) -> None:
        for text, parts in zip(texts, rows, strict=True):
            if len(parts) > 1 and not self._notices:
                self._notices.append(
                    f"A prompt of more than {self._windows.window - 2} tokens is read by {self.model_name} in several"
                    f' parts (first: {len(parts)} parts, "{text[:40]}..."); its vector is their mean.'
                )


def _unit(vectors: torch.Tensor) -> NDArray[np.float32]:
    found = vectors.double()
    return (found / found.norm(dim=-1, keepdim=True)).float().cpu().numpy()


def _preparation(views: Views, preprocess: Any, about: dict[str, Any]) -> Preparation:
    size = about["size"]
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
    fits: dict[str, Fit] = {"squash": "squash", "shortest": "shortest"}
    filters: dict[str, Resample] = {"bicubic": "bicubic", "bilinear": "bilinear"}
    fit, resample = fits.get(about["resize_mode"]), filters.get(about["interpolation"])
    known = fit is not None and resample is not None and (fit == "squash" or height == width)
    return Preparation(
        views,
        preprocess,
        look=Look(height=height, width=width, fit=fit, resample=resample) if known and fit and resample else None,
        mean=about["mean"],
        std=about["std"],
    )
