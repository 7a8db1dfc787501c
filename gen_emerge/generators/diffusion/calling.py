"""One call of a pipeline: strokes of one kind -> pictures. What comes out NaN or black is decoded again in float32."""

from __future__ import annotations

import inspect
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from gen_emerge.generators.diffusion.loading import Opened
from gen_emerge.generators.diffusion.noise import generators, mixed
from gen_emerge.generators.diffusion.prompts import Told, joined
from gen_emerge.types import Pixels
from gen_emerge.types.genomes import Noise

BLACK = 8 / 255
"""A picture whose brightest value is below this is what a decoder gives that overflowed."""


@dataclass(slots=True, kw_only=True)
class Stroke:
    """One picture to be painted.

    Args:
        seed: of its generator.
        noise: further noises.
        told: what the pipeline is told of its prompt.
        start: the picture it begins from, None for none.
        kind: (width, height, guidance, strength, tokens); only strokes of one kind are painted together.
        flagged: set by `Brush.paint`: the safety checker blacked it out.
    """

    seed: int
    noise: Noise
    told: Told = field(repr=False)
    start: Pixels | None = field(repr=False)
    kind: tuple[int, int, float, float, int]
    flagged: bool = False


class Brush:
    """Calls a checkpoint's pipelines.

    Args:
        opened: the checkpoint at work.
        steps: denoising steps.
    """

    def __init__(self, opened: Opened, *, steps: int) -> None:
        self._opened = opened
        self._steps = steps
        for pipe in (opened.pipe, opened.variations):
            if pipe is not None:
                pipe.set_progress_bar_config(disable=True)
        # A transformer joins latents two by two, so its sides are multiples of twice the decoder's factor.
        patches = 2 if getattr(opened.pipe, "transformer", None) is not None else 1
        self._multiple = int(getattr(opened.pipe, "vae_scale_factor", 8)) * patches

    def paint(self, strokes: Sequence[Stroke]) -> list[NDArray[np.float32]]:
        """Paint strokes of one kind in one call.

        Returns:
            (n,) arrays (height, width, 3) float32 in [0, 1], or NaN.
        """
        pictures = self._call(strokes)
        if self._opened.dtype.itemsize < 4 and _can_widen(self._opened.pipe):
            for place, stroke in enumerate(strokes):
                if not stroke.flagged and _spoilt(pictures[place]):
                    with float32_decoder(self._opened.pipe):
                        pictures[place] = self._call([stroke])[0]
        return pictures

    def _call(self, strokes: Sequence[Stroke]) -> list[NDArray[np.float32]]:
        width, height, guidance, strength, _ = strokes[0].kind
        wide, high = (self._multiple * math.ceil(side / self._multiple) for side in (width, height))
        call: dict[str, Any] = {
            **joined([stroke.told for stroke in strokes]),
            "width": wide,
            "height": high,
            "num_inference_steps": self._steps,
            "guidance_scale": guidance,
            "generator": generators([stroke.seed for stroke in strokes]),
            "output_type": "np",
        }
        pipe = self._opened.pipe
        if strokes[0].start is not None:
            pipe = self._opened.variations
            call |= {"image": [_fitted(stroke.start, wide, high) for stroke in strokes], "strength": strength}
            call["num_inference_steps"] = steps_for(self._steps, strength)
        takes = inspect.signature(pipe.__call__).parameters
        # NaN is looked for below; on its way there some pipelines turn it into bytes.
        with mixed(pipe, [stroke.noise for stroke in strokes]), np.errstate(invalid="ignore"):
            out = pipe(**{name: value for name, value in call.items() if name in takes})
        for stroke, flag in zip(strokes, getattr(out, "nsfw_content_detected", None) or [], strict=False):
            stroke.flagged = bool(flag)
        top, left = (high - height) // 2, (wide - width) // 2
        return [np.asarray(one[top : top + height, left : left + width], dtype=np.float32) for one in out.images]


def steps_for(steps: int, strength: float) -> int:
    """Steps to ask for so that at least one is taken: pipelines take `int(steps * strength)` of them."""
    while int(steps * strength) < 1:
        steps += 1
    return steps


def _spoilt(picture: NDArray[np.float32]) -> bool:
    return not bool(np.isfinite(picture).all()) or float(picture.max()) < BLACK


def _fitted(pixels: Pixels | None, width: int, height: int) -> Any:
    """A picture to begin from, in the size to be painted; of another shape, the largest part in its middle."""
    assert pixels is not None
    picture = Pillow.fromarray(np.ascontiguousarray(pixels))
    if picture.size == (width, height):
        return picture
    return ImageOps.fit(picture, (width, height), Pillow.Resampling.LANCZOS)


def _can_widen(pipe: Any) -> bool:
    """Whether there is a VAE whose weights are here: offloaded layer by layer they come one at a time, as they are."""
    vae = getattr(pipe, "vae", None)
    return vae is not None and not any(part.is_meta for part in vae.parameters())


@contextmanager
def float32_decoder(pipe: Any) -> Generator[None]:
    """While this lasts, the pipeline's VAE works in float32, whatever it is handed; it is as it was afterwards."""
    import torch

    vae = pipe.vae
    before, decode = vae.dtype, vae.decode

    def wider(latents: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        return decode(latents.float(), *arguments, **named)

    vae.to(torch.float32)
    vae.decode = wider
    try:
        yield
    finally:
        del vae.decode
        vae.to(before)
