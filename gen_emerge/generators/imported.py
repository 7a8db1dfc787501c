"""Takes genomes of pictures made elsewhere; gives the pictures, as they were kept. Renders nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from gen_emerge.types.genomes import IMPORT

if TYPE_CHECKING:
    from gen_emerge.types import Genome, Pixels


class Imported:
    """In a generator's place for imported genomes: their version names the pixels.

    Args:
        picture: hash of pixels -> (h, w, 3) uint8.
    """

    name = IMPORT
    version = ""
    parameters: Mapping[str, tuple[float, float]] = {}

    def __init__(self, picture: Callable[[str], Pixels]) -> None:
        self._picture = picture

    def render(self, genomes: Sequence[Genome]) -> list[Pixels]:
        """Read every picture.

        Args:
            genomes: (n,) imported ones.

        Returns:
            (n,) arrays (height, width, 3) uint8, each of its own size.

        Raises:
            Damaged: a kept file is missing or holds other pixels.
        """
        return [self._picture(genome.generator_version) for genome in genomes]
