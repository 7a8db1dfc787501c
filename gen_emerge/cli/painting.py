"""Takes a free prompt and a seed; gives the painted pixels, the genome, and the words nobody understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen_emerge.errors import BadInput
from gen_emerge.types import Genome, Pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_PROMPT = 2_000
"""Letters: longer than any prompt a person means, short enough for a PNG's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Painted:
    """A picture and where it came from. `pixels`: (h, w, 3) uint8 sRGB; `drawn`: slots that the seed filled."""

    genome: Genome
    pixels: Pixels
    strange: tuple[str, ...]
    drawn: tuple[str, ...]


def paint_prompt(prompt: str, seed: int, width: int, height: int) -> Painted:
    """Paint what is understood of a prompt; what it leaves open is drawn by the seed.

    Raises:
        BadInput: the prompt has no letters at all.
    """
    from gen_emerge.generators.painter import SLOTS, understand
    from gen_emerge.generators.painter.generator import Painter

    if not any(letter.isalnum() for letter in prompt):
        raise BadInput("The prompt is empty.", hint='Such as: gen-emerge paint "a serene marbled print"')
    slots, strange = understand(prompt)
    painter = Painter()
    genome = Genome(
        slots=_complete(slots, SLOTS, seed),
        prompt=prompt,
        seed=seed,
        generator=painter.name,
        generator_version=painter.version,
        parameters=_parameters(painter.parameters, seed),
        width=width,
        height=height,
        operator="paint",
    )
    drawn = tuple(slot for slot in SLOTS if slot not in slots)
    return Painted(genome=genome, pixels=painter.render([genome])[0], strange=strange, drawn=drawn)


def _complete(found: Mapping[str, str], known: Mapping[str, tuple[str, ...]], seed: int) -> dict[str, str]:
    import numpy as np

    chance = np.random.default_rng([seed, 1])
    drawn = {slot: words[int(chance.integers(len(words)))] for slot, words in known.items()}
    return {slot: found.get(slot, drawn[slot]) for slot in known}


def _parameters(ranges: Mapping[str, tuple[float, float]], seed: int) -> dict[str, float]:
    """Draw each parameter from the middle of its range: two draws averaged, so extremes are rare."""
    import numpy as np

    chance = np.random.default_rng([seed, 2])
    return {name: float(low + (high - low) * chance.random(2).mean()) for name, (low, high) in ranges.items()}


def png_of(genome: Genome, pixels: Pixels) -> bytes:
    """A PNG's bytes with its recipe inside, as a series' images carry it."""
    from gen_emerge.store.images import CHUNK, parameters_text, recipe_text
    from gen_emerge.store.png import encode_png

    return encode_png(pixels, {"parameters": parameters_text(genome), CHUNK: recipe_text(genome, "")})
