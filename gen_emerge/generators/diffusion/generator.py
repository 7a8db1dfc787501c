"""Takes genomes; gives the pictures that a diffusion checkpoint makes of them. Touches neither store nor network.

The same genome in the same batch gives the same bytes. Alone and in a batch it differs by up to 2/255 in float32 and
float16, by more in bfloat16 (14/255 was seen). A genome's identity is therefore its hash, never its pixels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.generators.diffusion.calling import Brush, Stroke
from gen_emerge.generators.diffusion.licences import licence_notice
from gen_emerge.generators.diffusion.loading import open_checkpoint
from gen_emerge.generators.diffusion.noise import can_mix
from gen_emerge.generators.diffusion.options import read_options
from gen_emerge.generators.diffusion.portions import Portions, first_guess
from gen_emerge.generators.diffusion.prompts import Asked, Reader, Told, extent
from gen_emerge.types.genomes import STRENGTH

if TYPE_CHECKING:
    from gen_emerge.types import Genome, Pixels

GUIDANCE = "guidance"
REMEMBERED = 4096
"""Verdicts of the safety checker that are kept."""


class Diffusion:
    """The generator of the `diffusion` profile.

    Args:
        options: the table `[generator]` without `use`; see `Options`.
        picture: gives the stored picture of a genome's hash, (h, w, 3) uint8, for genomes that begin from one.

    Attributes:
        abilities: "noise" where this kind of pipeline can begin from mixed noise, "image" where it can begin from a
            picture and `picture` is given.
        flagged: genome hash -> why, for pictures that the checkpoint's safety checker blacked out.

    Raises:
        MissingExtra: torch or diffusers is not installed.
        MissingModel: the checkpoint is not on this disk.
        BadInput: an option, the checkpoint or a LoRA cannot be used as it is.
    """

    name = "diffusion"

    def __init__(self, options: Mapping[str, Any], *, picture: Callable[[str], Pixels] | None = None) -> None:
        self._options = read_options(options)
        self._opened = open_checkpoint(self._options)
        self._picture = picture
        self._notices: list[str] = []
        if notice := licence_notice(self._options.model, self._opened.folder):
            self._notices.append(notice)
        self._reader = Reader(self._opened.pipe, self._notices.append)
        self._brush = Brush(self._opened, steps=self._options.steps)
        self._portions = Portions(self._opened.device, self._notices.append)
        self.flagged: dict[str, str] = {}
        pictures = picture is not None and self._opened.variations is not None
        self.abilities = frozenset(["noise"] * can_mix(self._opened.pipe) + ["image"] * pictures)

    @property
    def version(self) -> str:
        """The library, the checkpoint's digest, and every option that acts on pixels."""
        return self._opened.version

    @property
    def parameters(self) -> Mapping[str, tuple[float, float]]:
        """`guidance` where the series gives a range of it, else nothing."""
        low, high = self._options.guidance
        return MappingProxyType({GUIDANCE: (low, high)} if low < high else {})

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should be told once, in the order it came up: licences, prompts cut off, smaller batches."""
        return tuple(self._notices)

    @property
    def learned_batch(self) -> int | None:
        """Pictures at once that fit after memory ran out, else None. Set it to what was learned in an earlier run."""
        return self._portions.learned

    @learned_batch.setter
    def learned_batch(self, size: int | None) -> None:
        self._portions.learned = size

    def render(self, genomes: Sequence[Genome]) -> list[NDArray[np.float32]]:
        """Paint every genome.

        Args:
            genomes: (n,) genomes, of any sizes.

        Returns:
            (n,) arrays (height, width, 3) float32 in [0, 1]. One that stays NaN or infinite with a float32 decoder too
            is given so; one that the safety checker blacked out is black, and named in `flagged`.

        Raises:
            BadInput: a genome asks for what this generator cannot do.
            GeneratorFailed: one picture alone is too much for the device's memory.
        """
        if not genomes:
            return []
        asked = [self._asked(genome) for genome in genomes]
        alike = Counter((g.width, g.height, self._guidance(g), self._strength(g)) for g in genomes)
        # Prompts are read together also where every picture is painted by itself.
        most = max(len({one.prompt for one in asked}), *alike.values())
        return self._portions.run(lambda size: self._paint(genomes, asked, size), guess=self._guess(genomes), most=most)

    def _paint(self, genomes: Sequence[Genome], asked: Sequence[Asked], size: int) -> list[NDArray[np.float32]]:
        """The whole batch: `size` prompts are read at once, and `size` pictures painted."""
        told = self._reader.read(asked, at_once=size)
        strokes = [self._stroke(genome, one) for genome, one in zip(genomes, told, strict=True)]
        together: dict[Any, list[int]] = {}
        for place, stroke in enumerate(strokes):
            together.setdefault(stroke.kind, []).append(place)
        pictures: dict[int, NDArray[np.float32]] = {}
        for places in together.values():
            for first in range(0, len(places), size):
                portion = places[first : first + size]
                pictures.update(zip(portion, self._brush.paint([strokes[place] for place in portion]), strict=True))
        for place, stroke in enumerate(strokes):
            if stroke.flagged:
                self._flag(genomes[place].hash)
        return [pictures[place] for place in range(len(genomes))]

    def _asked(self, genome: Genome) -> Asked:
        if genome.start and genome.noise:
            raise BadInput(f"Genome {genome.hash[:12]} begins from a picture and from mixed noise: only one can be.")
        if genome.noise and "noise" not in self.abilities:
            raise BadInput(f"Genome {genome.hash[:12]} begins from mixed noise, which this pipeline cannot.")
        return Asked(genome.prompt, genome.negative, guided=self._guidance(genome) > 1.0)

    def _stroke(self, genome: Genome, told: Told) -> Stroke:
        return Stroke(
            seed=genome.seed,
            noise=genome.noise,
            told=told,
            start=self._started(genome) if genome.start else None,
            kind=(genome.width, genome.height, self._guidance(genome), self._strength(genome), extent(told)),
        )

    def _guidance(self, genome: Genome) -> float:
        return genome.parameters.get(GUIDANCE, self._options.guidance[0])

    def _strength(self, genome: Genome) -> float:
        return genome.parameters.get(STRENGTH, 1.0) if genome.start else 0.0

    def _started(self, genome: Genome) -> Pixels:
        strength = genome.parameters.get(STRENGTH, math.nan)
        if not 0.0 < strength <= 1.0:
            raise BadInput(f"Genome {genome.hash[:12]} begins from a picture; its strength must lie in 0..1.")
        if self._picture is None or "image" not in self.abilities:
            raise BadInput(f"Genome {genome.hash[:12]} begins from a picture, which this generator cannot.")
        return self._picture(genome.start)

    def _guess(self, genomes: Sequence[Genome]) -> int:
        return self._options.batch or first_guess(
            self._opened.device,
            weights=self._opened.weights,
            pixels=max(genome.width * genome.height for genome in genomes),
            item_bytes=self._opened.dtype.itemsize,
        )

    def _flag(self, genome: str) -> None:
        self.flagged[genome] = "the checkpoint's safety checker blacked it out"
        if len(self.flagged) > REMEMBERED:
            del self.flagged[next(iter(self.flagged))]
