"""Operators on what a picture begins from: noise between two elites, noise beside one, or an elite's own picture.

For generators that say so (`abilities`): "noise" mixes the noises of several seeds, "image" begins from a picture.
Noise is never held here, only its recipe: a seed whose noise has weight 1, and further seeds with weights relative to
it. Noises of different seeds count as orthogonal, which in thousands of dimensions they nearly are.
"""

from __future__ import annotations

import math

import numpy as np

from gen_emerge.emitters.operators import SEEDS, completed, kept, pick
from gen_emerge.types import Genome, Sketch, Sources
from gen_emerge.types.genomes import STRENGTH, Noise, bounded_noise

ANGLES = (0.1, 0.6)
"""Radians between a perturbed noise and its parent's: from hardly to be seen to another composition."""
BETWEEN = (0.15, 0.85)
"""How far along the arc from the first parent's noise to the second's; nearer the ends it repeats a parent."""
STRENGTHS = (0.35, 0.5, 0.65, 0.8)
"""Rungs, not a range: variations of one strength are rendered in one batch."""


class Slerp:
    """An elite's words and parameters on noise between its own and another elite's (Shoemake 1985)."""

    name = "slerp"
    needs = frozenset({"noise"})

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A child of two elites that began from different noise; None without the ability or two such elites."""
        mother = _from_noise(sources, rng)
        if mother is None:
            return None
        father = _from_noise(sources, rng, unlike=mother)
        if father is None:
            return None
        seed, noise = slerp((mother.seed, mother.noise), (father.seed, father.noise), float(rng.uniform(*BETWEEN)))
        return Sketch(
            slots=completed(mother, sources, rng),
            seed=seed,
            parameters=kept(mother, sources.parameters, rng),
            parents=(mother.hash, father.hash),
            text=mother.prompt,
            noise=noise,
        )


class Perturb:
    """An elite with its noise turned by a small angle towards a new, orthogonal one."""

    name = "perturb"
    needs = frozenset({"noise"})

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A neighbour of an elite in noise space; None without the ability or an elite that began from noise."""
        parent = _from_noise(sources, rng)
        if parent is None:
            return None
        noise = turned(parent.noise, int(rng.integers(SEEDS)), float(rng.uniform(*ANGLES)))
        return Sketch(
            slots=completed(parent, sources, rng),
            seed=parent.seed,
            parameters=kept(parent, sources.parameters, rng),
            parents=(parent.hash,),
            text=parent.prompt,
            noise=noise,
        )


class FromPicture:
    """An elite's picture painted over from new noise, with its own words: image-to-image."""

    name = "image"
    needs = frozenset({"image"})

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A variation of an elite's picture, imported ones among them; None without the ability or an elite."""
        if "image" not in sources.abilities or not (sources.parents or sources.pictures):
            return None
        parents, weights = sources.parents, sources.weights
        if sources.pictures:
            parents = (*parents, *sources.pictures)
            weights = np.concatenate([weights, sources.picture_weights])
            weights = weights / weights.sum()
        parent = pick(parents, weights, rng)
        strength = STRENGTHS[int(rng.integers(len(STRENGTHS)))]
        return Sketch(
            slots=completed(parent, sources, rng),
            seed=int(rng.integers(SEEDS)),
            parameters={**kept(parent, sources.parameters, rng), STRENGTH: strength},
            parents=(parent.hash,),
            text=parent.prompt,
            start=parent.hash,
        )


def slerp(first: tuple[int, Noise], second: tuple[int, Noise], share: float) -> tuple[int, Noise]:
    """The noise on the great arc between two: (seed, further noises) -> the same.

    Args:
        first: seed and further noises, given exactly for share 0.
        second: likewise, given exactly for share 1.
        share: 0 .. 1, of the arc's angle (Shoemake 1985, "Animating rotation with quaternion curves").
    """
    if share <= 0.0 or share >= 1.0 or first == second:
        return first if share < 0.5 else second
    one, other = _unit(first), _unit(second)
    angle = math.acos(max(-1.0, min(1.0, sum(weight * other.get(seed, 0.0) for seed, weight in one.items()))))
    if math.sin(angle) < 1e-9:
        return first if share < 0.5 else second
    near, far = math.sin((1.0 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
    mixed = {seed: near * one.get(seed, 0.0) + far * other.get(seed, 0.0) for seed in {**one, **other}}
    lead = max(mixed, key=lambda seed: mixed[seed])
    return lead, bounded_noise((seed, weight / mixed[lead]) for seed, weight in mixed.items() if seed != lead)


def turned(noise: Noise, seed: int, angle: float) -> Noise:
    """Further noises after a turn by `angle` (radians) towards the noise of another seed.

    Of a unit vector c / |c| and a new n: cos(a) c / |c| + sin(a) n, so beside c the new one weighs tan(a) |c|.
    """
    length = math.sqrt(1.0 + sum(weight * weight for _, weight in noise))
    return bounded_noise([*noise, (seed, math.tan(angle) * length)])


def _unit(recipe: tuple[int, Noise]) -> dict[int, float]:
    seed, noise = recipe
    weights = {seed: 1.0}
    for further, weight in noise:
        weights[further] = weights.get(further, 0.0) + weight
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {key: weight / length for key, weight in weights.items()}


def _from_noise(sources: Sources, rng: np.random.Generator, *, unlike: Genome | None = None) -> Genome | None:
    """An elite that began from noise alone, by its weight; with `unlike`, one that began from other noise."""
    if "noise" not in sources.abilities:
        return None
    able = [
        place
        for place, parent in enumerate(sources.parents)
        if not parent.start and (unlike is None or (parent.seed, parent.noise) != (unlike.seed, unlike.noise))
    ]
    weights = sources.weights[able] if able else np.empty(0)
    if not able or weights.sum() <= 0:
        return None
    return pick([sources.parents[place] for place in able], weights / weights.sum(), rng)
