"""Fakes of a few lines, one a socket: for speed in tests and benches. Each passes the suite the real thing passes.

Takes and gives what `protocols.py` says. Pictures and numbers are functions of the genome or the pixels alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.types import Defect, Embedding, Genome, Pixels, Reading, Signal

DIMENSION = 16


class FakeGenerator:
    """Two-colour gradients whose colours, direction and frequency are drawn from the genome's hash."""

    name = "fake"
    version = "fake-1"
    parameters: Mapping[str, tuple[float, float]] = {"tilt": (0.0, 1.0), "waves": (0.0, 1.0)}

    def render(self, genomes: Sequence[Genome]) -> list[NDArray[np.uint8]]:
        """One (h, w, 3) uint8 picture a genome."""
        return [_gradient(genome) for genome in genomes]


def _gradient(genome: Genome) -> NDArray[np.uint8]:
    rng = np.random.default_rng(int(genome.hash[:16], 16))
    first, second = rng.uniform(20, 235, (2, 3))
    down, across = np.mgrid[0 : genome.height, 0 : genome.width] / max(genome.height, genome.width)
    waves = 1 + 12 * rng.random()
    share = 0.5 + 0.5 * np.sin(2 * np.pi * waves * (across * rng.normal() + down * rng.normal()))
    return np.rint(first + (second - first) * share[..., None]).astype(np.uint8)


class FakeScorer:
    """Quality, prompt and style from a hash of the pixels; an embedding from colour means of a 4 x 4 grid."""

    roles = frozenset({"quality", "prompt", "novelty", "style"})
    versions: Mapping[str, str] = {"quality": "fake-1", "prompt": "fake-1", "novelty": "fake-1", "style": "fake-1"}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        """One reading an image."""
        return [self._read(pixels) for pixels in images]

    def _read(self, pixels: Pixels) -> Reading:
        digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=6).digest()
        values = [int.from_bytes(digest[i : i + 2], "little") / 65535 for i in (0, 2, 4)]
        rows = np.array_split(pixels.astype(np.float32), 4, axis=0)
        cells = [block.mean() - 128 for row in rows for block in np.array_split(row, 4, axis=1)]
        vector = np.array(cells, dtype=np.float32) + np.float32(1e-3)
        vector /= np.linalg.norm(vector)
        names = ("quality", "prompt", "style")
        signals = tuple(Signal(scorer=n, scorer_version="fake-1", value=v) for n, v in zip(names, values, strict=True))
        return Reading(signals=signals, embedding=Embedding(space="fake-1", vector=vector))


class FakeDetector:
    """Calls the brightest quarter of a picture glaring, where it is brighter by 24 levels than the darkest one."""

    name = "fake"
    version = "fake-1"

    def find(self, images: Sequence[Pixels]) -> list[tuple[Defect, ...]]:
        """() or one defect an image."""
        return [self._look(pixels.astype(np.float64)) for pixels in images]

    def _look(self, pixels: NDArray[np.float64]) -> tuple[Defect, ...]:
        down, across = pixels.shape[0] // 2, pixels.shape[1] // 2
        parts = {
            (0.0, 0.0, 0.5, 0.5): pixels[:down, :across],
            (0.5, 0.0, 1.0, 0.5): pixels[:down, across:],
            (0.0, 0.5, 0.5, 1.0): pixels[down:, :across],
            (0.5, 0.5, 1.0, 1.0): pixels[down:, across:],
        }
        means = {box: float(part.mean()) for box, part in parts.items()}
        box = max(means, key=means.__getitem__)
        apart = means[box] - min(means.values())
        return (Defect(kind="glare", box=box, reason=f"It is brighter by {apart:.0f} levels."),) if apart >= 24 else ()
