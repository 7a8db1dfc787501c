"""What the tests of the diffusion generator share: genomes, and how far two pictures are apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from gen_emerge.generators.diffusion import Diffusion
from gen_emerge.types import Genome

SIZE = 64


def open_generator(folder: Any, *, picture: Any = None, **options: Any) -> Diffusion:
    return Diffusion({"model": str(folder), "steps": 2, "device": "cpu", **options}, picture=picture)


def genome(generator: Any, *, seed: int = 1, prompt: str = "a cat on a mat", **more: Any) -> Genome:
    values: dict[str, Any] = {
        "slots": {},
        "prompt": prompt,
        "seed": seed,
        "generator": "diffusion",
        "generator_version": generator.version,
        "parameters": {},
        "width": SIZE,
        "height": SIZE,
    }
    return Genome(**{**values, **more})


def apart(one: Any, other: Any) -> float:
    """The largest difference of two pictures, in levels of 255."""
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).max() * 255)
