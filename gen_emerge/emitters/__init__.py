"""Emitters: elites, vocabulary and chance -> sketches of genomes, and the bandit that shares the budget among them.

Takes `Sources` and a counted generator of this draw alone; gives a `Sketch`, or None when there is nothing to work on.
Nothing is remembered between draws. Never touches images, the store or the archive.
"""

from __future__ import annotations

from gen_emerge.emitters.operators import Crossover, Fresh, Mutate, Reseed, Vary, Wildcards
from gen_emerge.protocols import Emitter

FRESH = "fresh"
"""The emitter that always has something to draw, and the only one during the warm-up."""


def all_emitters() -> dict[str, Emitter]:
    """Every emitter by name, `fresh` first."""
    emitters: tuple[Emitter, ...] = (Fresh(), Mutate(), Crossover(), Wildcards(), Vary(), Reseed())
    return {emitter.name: emitter for emitter in emitters}
