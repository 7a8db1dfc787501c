"""Takes images and prompts; gives how well they agree: the cosine in CLIP's space, comparable across prompts.

J. Hessel et al., "CLIPScore" (2021), rescale the cosine and cut it at 0; here it stays raw. Some images are near to
every text and some prompts to every image, so the gate's signal is the cosine less its mean over reference prompts.
CLIP hardly counts, and hardly knows left from right or whose attribute is whose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from gen_emerge.scorers.clip.tower import Tower
from gen_emerge.types import Pixels, Reading, Signal


class PromptScorer:
    """Fills the role prompt.

    Args:
        tower: an open CLIP model, perhaps shared.
        references: (r,) reference prompts whose mean cosine is subtracted; () subtracts nothing.
    """

    def __init__(self, tower: Tower, references: Sequence[str]) -> None:
        self._tower = tower
        # The mean of the cosines is the cosine-like product with the mean vector.
        found = tower.text_features(references).mean(axis=0, dtype=np.float64) if references else np.zeros(tower.width)
        self._reference = found
        about = hashlib.sha256("\n".join(references).encode()).hexdigest()[:8]
        self._versions = MappingProxyType(
            {"prompt": f"clip-1:{tower.version}:references-{about}", "prompt_cosine": f"clip-1:{tower.version}"}
        )

    @property
    def roles(self) -> frozenset[str]:
        """Prompt."""
        return frozenset({"prompt"})

    @property
    def versions(self) -> Mapping[str, str]:
        """Signal name -> version; `prompt`'s holds its references'."""
        return self._versions

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be told once, such as that a prompt is longer than the model's window."""
        return self._tower.notices

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) texts of any length.

        Returns:
            (n,) readings: `prompt_cosine` (-1..1) and `prompt` (-2..2, the cosine less the references' mean).

        Raises:
            ScorerFailed: a vector is not finite; says for which pictures.
        """
        if not images:
            return []
        seen = self._tower.image_features(images).astype(np.float64)
        said = self._tower.text_features(prompts).astype(np.float64)
        cosines = (seen * said).sum(axis=1)
        above = cosines - seen @ self._reference
        return [
            Reading(
                signals=(
                    Signal(scorer="prompt", scorer_version=self._versions["prompt"], value=float(over)),
                    Signal(scorer="prompt_cosine", scorer_version=self._versions["prompt_cosine"], value=float(cosine)),
                )
            )
            for over, cosine in zip(above, cosines, strict=True)
        ]
