"""Mixed noise: what a picture begins from, when a genome names further noises beside its seed's.

Takes recipes (seed and weights) and the noise a pipeline draws; gives the mixture, of the same length as the seed's own
noise. Every noise is drawn by a CPU generator of its own, so that it is the same on every device and in any batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gen_emerge.types.genomes import Noise

if TYPE_CHECKING:
    import torch


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator a seed."""
    import torch

    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def can_mix(pipe: Any) -> bool:
    """Whether a pipeline draws its first noise where it can be mixed: in a `prepare_latents` that takes generators."""
    prepare = getattr(pipe, "prepare_latents", None)
    return prepare is not None and "generator" in inspect.signature(prepare).parameters


@contextmanager
def mixed(pipe: Any, recipes: Sequence[Noise]) -> Generator[None]:
    """While this lasts, `pipe` begins from mixed noise.

    Its own `prepare_latents` draws every noise, and so scales and packs each as this pipeline does: both are linear,
    so what is mixed after them is what would have been scaled and packed. The seeds' own generators are used as always,
    and first, so that a scheduler that draws more noise later draws what it would have drawn.

    Args:
        pipe: a pipeline for which `can_mix` holds; as it was afterwards.
        recipes: (n,) further noises of each picture of the next call, in order.
    """
    if not any(recipes):
        yield
        return
    prepare = pipe.prepare_latents
    pipe.prepare_latents = _Mixer(prepare, recipes)
    try:
        yield
    finally:
        del pipe.prepare_latents


class _Mixer:
    def __init__(self, prepare: Callable[..., Any], recipes: Sequence[Noise]) -> None:
        self._prepare = prepare
        self._recipes = recipes

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        call = inspect.signature(self._prepare).bind(*arguments, **named)
        drawn = self._prepare(*call.args, **call.kwargs)
        own = drawn[0] if isinstance(drawn, tuple) else drawn
        further: list[Any] = []
        for place in range(max(len(recipe) for recipe in self._recipes)):
            # A picture without so many noises draws one that is not used.
            seeds = [recipe[place][0] if place < len(recipe) else 0 for recipe in self._recipes]
            call.arguments["generator"] = generators(seeds)
            again = self._prepare(*call.args, **call.kwargs)
            further.append(again[0] if isinstance(again, tuple) else again)
        for row, recipe in enumerate(self._recipes):
            if recipe:
                weighted = [(further[place][row], weight) for place, (_, weight) in enumerate(recipe)]
                own[row] = mixture(own[row], weighted)
        return (own, *drawn[1:]) if isinstance(drawn, tuple) else own


def mixture(own: torch.Tensor, further: Sequence[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """The sum of weighted noises, made orthogonal in turn (Gram-Schmidt) and brought back to the first one's length.

    So a turn by an angle is one by exactly that angle, and the variance stays what the denoiser expects.

    Args:
        own: the seed's noise, any shape; its weight is 1.
        further: noises of that shape and their weights, in the genome's order.

    Returns:
        A tensor of the same shape, dtype and device.
    """
    import torch

    length = own.double().norm()
    axes = [own.double() / length]
    total, square = axes[0].clone(), 1.0
    for noise, weight in further:
        axis = noise.to(own.device, torch.float64)
        for earlier in axes:
            axis = axis - (axis * earlier).sum() * earlier
        if (size := axis.norm()) < 1e-6 * length:  # the same noise again: there is nothing left of it to add
            continue
        axes.append(axis / size)
        total, square = total + weight * axes[-1], square + weight * weight
    return (total / square**0.5 * length).to(own.dtype)
