"""Takes images; gives NIMA's quality: the mean of a predicted distribution of human ratings from 1 to 10.

H. Talebi and P. Milanfar, "NIMA: Neural Image Assessment" (2018), on a MobileNet. The weights are those of
idealo/image-quality-assessment (Apache-2.0), read from their Keras file. They learned from ratings of photographs: on
generated art the number orders gross failures from the rest, and little more; it is a floor, never an aim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen_emerge.models.checkpoints import digest, git_blob
from gen_emerge.models.libraries import library
from gen_emerge.scorers.batches import Batches
from gen_emerge.scorers.mobilenet import BINS, build, read_layers
from gen_emerge.scorers.options import not_finite
from gen_emerge.scorers.views import Look, Views
from gen_emerge.types import Pixels, Reading, Signal

if TYPE_CHECKING:
    import torch

SIDE = 224
LOOK = Look(height=SIDE, width=SIDE, fit="squash", resample="nearest")
"""As the published weights' own evaluation loads a picture: Keras' `load_img`, which takes the nearest pixel."""
BLOBS = {
    "003fb321ce92445e41d708144a3656589f9214e7": "aesthetic",
    "5e4a4ca2ce639309bfa4038d0bc10ba92b93bd26": "technical",
}
"""Git blob ids of the published files."""


class Nima:
    """Fills the role quality.

    Args:
        weights: the HDF5 file.
        device: where the network runs.
        views: shared with the other scorers.
        batch: pictures at once, or "auto".

    Raises:
        MissingModel: there is no such file.
        BadInput: it is damaged or another network's.
    """

    def __init__(self, weights: Path, *, device: torch.device, views: Views, batch: int | str = "auto") -> None:
        torch = library("torch", what='The scorer "nima"')
        whole = digest(weights)
        layers, padding = read_layers(weights)
        self._network = build(layers, padding, what=str(weights))
        self._views = views
        self._device = device
        self._batches = Batches(device, batch, network=self._network)
        kind = BLOBS.get(git_blob(weights), "own")
        self._notices = () if kind == "aesthetic" else (_notice(weights, kind),)
        # The port is this project's, so its own number stands where a library's version would; torch does the sums.
        version = f"nima-1:{kind}:torch-{torch.__version__}:{whole[:12]}:{LOOK.tag}-padded-{padding}"
        self._versions = MappingProxyType({"quality": version, "quality_spread": version})

    @property
    def roles(self) -> frozenset[str]:
        """Quality."""
        return frozenset({"quality"})

    @property
    def versions(self) -> Mapping[str, str]:
        """Signal name -> version, with the weights' hash."""
        return self._versions

    @property
    def notices(self) -> tuple[str, ...]:
        """What should be told once."""
        return (*self._notices, *self._batches.notices)

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) texts; they do not matter.

        Returns:
            (n,) readings: `quality` (1..10, the mean rating) and `quality_spread` (0..4.5, its standard deviation).

        Raises:
            ScorerFailed: the shares are not finite; says for which pictures.
        """
        if not images:
            return []
        shares = self.shares(images).astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(shares).all(axis=1))
        if len(bad):
            raise not_finite("NIMA's distribution", images, [int(place) for place in bad])
        ratings = np.arange(1, BINS + 1)
        means = shares @ ratings
        spreads = np.sqrt(np.maximum((shares * (ratings - means[:, None]) ** 2).sum(axis=1), 0.0))
        return [
            Reading(
                signals=tuple(
                    Signal(scorer=name, scorer_version=self._versions[name], value=float(value))
                    for name, value in (("quality", mean), ("quality_spread", spread))
                )
            )
            for mean, spread in zip(means, spreads, strict=True)
        ]

    def shares(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """The predicted share of each rating, (n, 10) float32: n >= 1, each row sums to 1."""
        return self._batches.run(images, self._step)

    def _step(self, portion: Sequence[Pixels]) -> NDArray[np.float32]:
        import torch

        seen = np.stack([self._views.see(image, LOOK) for image in portion])
        planes = torch.from_numpy(seen.transpose(0, 3, 1, 2).astype(np.float32)).to(self._device)
        found: torch.Tensor = self._network(planes / 127.5 - 1.0)
        return found.float().cpu().numpy()


def _notice(weights: Path, kind: str) -> str:
    if kind == "technical":
        return f"{weights} was trained on technical quality (noise, blur), not on aesthetics."
    return f"{weights} is none of the published NIMA files: its numbers mean what its maker meant."
