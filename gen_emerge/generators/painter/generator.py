"""Takes genomes; gives pictures, painted by the embedded painter. Touches neither files nor the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gen_emerge.generators.painter import PARAMETERS, VERSION, paint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gen_emerge.types import Genome


class Painter:
    """The generator of the `embedded` profile: procedural art from prompt slots, no weights, no keys.

    Stateless and safe to share between threads; the kernels release the interpreter lock while they run.
    """

    name = "painter"
    version = VERSION

    @property
    def parameters(self) -> Mapping[str, tuple[float, float]]:
        """Continuous genome parameters: name -> (low, high)."""
        return PARAMETERS

    def render(self, genomes: Sequence[Genome]) -> list[NDArray[np.uint8]]:
        """Paint every genome.

        Args:
            genomes: Genomes whose slots and parameters the painter knows.

        Returns:
            One (height, width, 3) uint8 sRGB picture per genome, in order.

        Raises:
            ValueError: If a genome holds a word, a parameter or a size that the painter does not know.
        """
        return [paint(one.slots, one.seed, one.parameters, one.width, one.height) for one in genomes]
