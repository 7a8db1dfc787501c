"""Takes images and whatever tells schools apart; gives the entropy of their shares: how undecided a picture is.

A. Elgammal et al., "CAN: Creative Adversarial Networks" (2017) reward a high entropy over style classes as style
ambiguity. Here it is a gate with two bounds: 0 is one school only, 1 is none more than any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gen_emerge.scorers.options import not_finite
from gen_emerge.types import Pixels, Reading, Signal


class StyleScorer:
    """Fills the role style.

    Args:
        classes: (c,) names of the schools, c >= 2.
        logits: (n,) images, n >= 1 -> (n, c) float, before the softmax, temperature included.
        version: of the signal.
        notices: gives what should be told once.
    """

    def __init__(
        self,
        classes: Sequence[str],
        logits: Callable[[Sequence[Pixels]], NDArray[np.float64]],
        *,
        version: str,
        notices: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.classes = tuple(classes)
        """The schools, in the order of `shares`."""
        self._logits = logits
        self._notices = notices
        self._versions = MappingProxyType({"style": version})

    @property
    def roles(self) -> frozenset[str]:
        """Style."""
        return frozenset({"style"})

    @property
    def versions(self) -> Mapping[str, str]:
        """Signal name -> version, with the weights' hash."""
        return self._versions

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be told once."""
        return self._notices()

    def shares(self, images: Sequence[Pixels]) -> NDArray[np.float64]:
        """The share of each school, (n, c) float64: n >= 1, each row sums to 1.

        Raises:
            ScorerFailed: they are not finite; says for which pictures.
        """
        logits = self._logits(images)
        bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if len(bad):
            raise not_finite("The style classifier's output", images, [int(place) for place in bad])
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) texts; they do not matter.

        Returns:
            (n,) readings: `style`, 0 (one school) .. 1 (all alike), the entropy of the shares over its largest value.

        Raises:
            ScorerFailed: the shares are not finite; says for which pictures.
        """
        if not images:
            return []
        version = self._versions["style"]
        return [
            Reading(signals=(Signal(scorer="style", scorer_version=version, value=value),))
            for value in normalised_entropy(self.shares(images))
        ]


def normalised_entropy(shares: NDArray[np.float64]) -> list[float]:
    """-sum(p ln p) / ln(c) of each row of (n, c) shares: 0..1."""
    terms = shares * np.log(np.where(shares > 0, shares, 1.0))
    entropies = -terms.sum(axis=1) / math.log(shares.shape[1])
    return [float(value) for value in np.clip(entropies, 0.0, 1.0)]
