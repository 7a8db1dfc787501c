"""The generator `diffusion`: any text-to-image checkpoint that diffusers' `AutoPipelineForText2Image` loads.

Takes the options of `[generator]` and genomes; gives pictures. It never downloads, never runs code that comes with a
checkpoint and never reads pickled weights. torch and diffusers are imported when a `Diffusion` is made, not before.
"""

from __future__ import annotations

from gen_emerge.generators.diffusion.generator import Diffusion

__all__ = ["Diffusion"]
