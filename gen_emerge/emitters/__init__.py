"""Emitters: elites, vocabulary and chance -> sketches of genomes, and the bandit that shares the budget among them.

Takes `Sources` and a counted generator of this draw alone; gives a `Sketch`, or None when there is nothing to work on.
Nothing is remembered between draws. Never touches images, the store or the archive.
"""

from __future__ import annotations

from gen_emerge.emitters.latent import FromPicture, Perturb, Slerp
from gen_emerge.emitters.operators import Crossover, Fresh, Mutate, Reseed, Vary, Wildcards
from gen_emerge.protocols import Emitter

FRESH = "fresh"
"""The emitter that always has something to draw, and the only one during the warm-up."""

EXPLORERS = (FRESH, "wildcards")
"""Emitters that begin from no elite: what they draw does not narrow with the map."""


def all_emitters(abilities: frozenset[str] = frozenset()) -> dict[str, Emitter]:
    """Every emitter a generator of these abilities has a use for, by name, `fresh` first.

    Args:
        abilities: the generator's `abilities`; without any, the bandit shares among the same emitters as ever.
    """
    emitters: tuple[Emitter, ...] = (Fresh(), Mutate(), Crossover(), Wildcards(), Vary(), Reseed())
    able = tuple(emitter for emitter in (Slerp(), Perturb(), FromPicture()) if emitter.needs <= abilities)
    return {emitter.name: emitter for emitter in (*emitters, *able)}
