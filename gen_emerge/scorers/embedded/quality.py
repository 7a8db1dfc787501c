"""Takes images; gives their technical quality from 1 (ruined) to 10 (undamaged), judged without a pristine copy.

The network looks at five native-size crops and at the whole picture, and gives a distribution over ten grades; the
signal is its mean. It has learned measured damage on the painter's pictures, and says nothing about beauty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.scorers.embedded.network import Network
from gen_emerge.scorers.embedded.views import crops, planes
from gen_emerge.types import Pixels, Reading, Signal

GRADES: NDArray[np.float32] = np.arange(1, 11, dtype=np.float32)


class QualityScorer:
    """Fills the role quality.

    Args:
        threads: intra-op threads of ONNX Runtime.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._network = Network("quality", threads=threads)
        self._version = f"embedded-quality-1:{self._network.hash}"

    @property
    def roles(self) -> frozenset[str]:
        """Only quality."""
        return frozenset({"quality"})

    @property
    def versions(self) -> Mapping[str, str]:
        """One signal, with the hash of the weights."""
        return {"quality": self._version}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch; prompts are not looked at.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) ignored.

        Returns:
            (n,) readings with the signal `quality`, 1..10.
        """
        readings: list[Reading] = []
        for image in images:
            value = float(self.shares(image) @ GRADES)
            signal = Signal(scorer="quality", scorer_version=self._version, value=min(max(value, 1.0), 10.0))
            readings.append(Reading(signals=(signal,)))
        return readings

    def shares(self, image: Pixels) -> NDArray[np.float32]:
        """Distribution over the grades 1..10, (10,) float32 summing to 1."""
        shares = self._network(planes(crops(image))[None])[0][0]
        return shares / shares.sum()
