"""Takes images and prompts; gives prompt adherence, a place in the perceptual space, and the entropy of the school.

One network looks at the whole picture at 96 x 96 pixels; three heads share it. Nothing is rescaled: the prompt signal
is the cosine less its mean over the reference prompts, so that one threshold fits all prompts.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gen_emerge.scorers.embedded.network import FOLDER, Network
from gen_emerge.scorers.embedded.views import TRUNK_SIDE, planes, whole
from gen_emerge.scorers.embedded.words import Vocabulary
from gen_emerge.types import Embedding, Pixels, Reading, Signal


class TrunkScorer:
    """Fills any of the roles prompt, novelty and style with one run of one network.

    Args:
        roles: the roles wanted; the others' numbers are not given.
        references: (r,) reference prompts for the signal `prompt`; () subtracts nothing.
        threads: intra-op threads of ONNX Runtime.
    """

    def __init__(self, roles: frozenset[str], references: Sequence[str], *, threads: int = 1) -> None:
        self._network = Network("trunk", threads=threads, beside=("words.npy",))
        self._roles = roles
        card = self._network.card
        self.vocabulary = Vocabulary(
            slots={slot: tuple(words) for slot, words in card["slots"].items()},
            aliases=card["aliases"],
            vectors=np.load(FOLDER / "words.npy"),
        )
        self._temperature = float(card["temperature"])
        self._schools: tuple[str, ...] = tuple(card["schools"])
        places = [self.vocabulary.place(text) for text in references]
        known = [place for place in places if place.any()]
        width = self.vocabulary.vectors.shape[1]
        self._reference = np.mean(known, axis=0, dtype=np.float32) if known else np.zeros(width, np.float32)
        self.space = f"embedded-distance-1:{self._network.hash}"
        about = hashlib.sha256("\n".join(references).encode()).hexdigest()[:8]
        versions: dict[str, str] = {}
        if "prompt" in roles:
            versions["prompt"] = f"embedded-prompt-1:{self._network.hash}:references-{about}"
            versions["prompt_cosine"] = f"embedded-prompt-1:{self._network.hash}"
        if "style" in roles:
            versions["style"] = f"embedded-style-1:{self._network.hash}"
        if "novelty" in roles:
            versions["novelty"] = self.space
        self._versions = MappingProxyType(versions)

    @property
    def roles(self) -> frozenset[str]:
        """The roles it was opened for."""
        return self._roles

    @property
    def versions(self) -> Mapping[str, str]:
        """Signal name (and `novelty`, the embedding) -> version; holds the weights' hash, `prompt` its references'."""
        return self._versions

    @property
    def schools(self) -> tuple[str, ...]:
        """The classes of `shares`, in order."""
        return self._schools

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) texts. A text without a known word has both prompt signals 0.

        Returns:
            (n,) readings: `prompt` (-2..2), `prompt_cosine` (-1..1), `style` (0 one school .. 1 all alike), and an
            embedding (160,) for novelty, each only if its role is wanted.
        """
        return [self._read(image, text) for image, text in zip(images, prompts, strict=True)]

    def shares(self, image: Pixels) -> NDArray[np.float32]:
        """Calibrated share of each school, (schools,) float32 summing to 1."""
        return self._shares(self._look(image)[2])

    def _look(self, image: Pixels) -> list[NDArray[np.float32]]:
        # One image a run: on one core no slower than a batch, and the numbers cannot depend on the neighbours.
        return [output[0] for output in self._network(planes(whole(image, TRUNK_SIDE)[None]))]

    def _read(self, image: Pixels, text: str) -> Reading:
        seen, place, logits = self._look(image)
        values: dict[str, float] = {}
        if "prompt" in self._roles:
            caption = self.vocabulary.place(text)
            cosine = float(seen @ caption)
            values["prompt"] = cosine - float(seen @ self._reference) if caption.any() else 0.0
            values["prompt_cosine"] = cosine
        if "style" in self._roles:
            shares = self._shares(logits).astype(np.float64)
            entropy = -float((shares * np.log(np.maximum(shares, 1e-12))).sum())
            values["style"] = min(max(entropy / math.log(len(shares)), 0.0), 1.0)
        return Reading(
            signals=tuple(
                Signal(scorer=name, scorer_version=self._versions[name], value=value) for name, value in values.items()
            ),
            embedding=Embedding(space=self.space, vector=place) if "novelty" in self._roles else None,
        )

    def _shares(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = logits / self._temperature
        raised = np.exp(scaled - scaled.max())
        return raised / raised.sum()
