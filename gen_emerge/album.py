"""Stored pictures, for whoever looks at one again. Takes candidates of any cycle; gives their pixels, from any thread.

The last few are kept, for a holder is shown in conversation after conversation. Where a file is lost the picture is
painted again, by whoever paints for the series: never here, beside a generator that is at work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from gen_emerge.errors import Damaged
from gen_emerge.protocols import Generator
from gen_emerge.subject import Subject
from gen_emerge.types import Candidate, Genome, Image, Pixels

KEPT_BYTES = 64 << 20
"""Of pixels: 85 pictures of 512 x 512, 21 of 1024 x 1024."""


class Album:
    """The pictures of one series.

    Args:
        load: reads a stored picture.
        paint: paints a genome, waiting for its turn with the generator.
        generator: which paints; only its name and version are asked for.
        kept_bytes: pixels that are kept, in bytes.
    """

    def __init__(
        self,
        load: Callable[[Image], Pixels],
        paint: Callable[[Genome], Pixels],
        generator: Generator,
        *,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._load = load
        self._paint = paint
        self._generator = generator
        self._room = kept_bytes
        self._kept: OrderedDict[str, Pixels] = OrderedDict()
        self._turning = threading.Lock()

    def picture(self, candidate: Candidate | Subject) -> Pixels:
        """A candidate's stored picture, (h, w, 3) uint8, read-only; painted again where its file is lost.

        Raises:
            Damaged: it cannot be read, and the generator that made it is not at hand.
        """
        assert candidate.image is not None
        key = candidate.image.path
        with self._turning:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = self._opened(candidate.genome, candidate.image)
        with self._turning:
            if key not in self._kept:
                self._kept[key] = pixels
                self._room -= pixels.nbytes
            while self._room < 0:
                self._room += self._kept.popitem(last=False)[1].nbytes
        return pixels

    def _opened(self, genome: Genome, image: Image) -> Pixels:
        try:
            return self._load(image)
        except Damaged:
            ours = (genome.generator, genome.generator_version) == (self._generator.name, self._generator.version)
            if not ours and not genome.imported:  # an imported one is read again as it was kept
                raise
            return self._paint(genome)
