"""What an image is made from: genomes, proposals, and the vocabulary they are drawn from. Plain frozen values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_V = TypeVar("_V")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and exact floats: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def frozen_map(value: Mapping[str, _V]) -> Mapping[str, _V]:
    """A read-only view of a copy."""
    return value if isinstance(value, MappingProxyType) else MappingProxyType(dict(value))


Noise = tuple[tuple[int, float], ...]
"""Further noises beside the seed's own: (seed, weight) each, weights relative to the seed's noise, which has 1."""

MAX_NOISES = 8
"""Further noises one genome may hold; of more, those of the largest weights are kept."""

STRENGTH = "strength"
"""The parameter a genome with a `start` has beside the generator's own: 0 keeps the picture, 1 forgets it."""


IMPORT = "import"
"""The generator and the operator of a picture that was made elsewhere."""


def bounded_noise(noise: Iterable[tuple[int, float]]) -> Noise:
    """At most `MAX_NOISES` further noises, those of the largest weights, in the order given; weights of 0 left out."""
    given = [(int(seed), float(weight)) for seed, weight in noise if weight]
    largest = sorted(range(len(given)), key=lambda place: -abs(given[place][1]))[:MAX_NOISES]
    return tuple(given[place] for place in sorted(largest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Genome:
    """Everything needed to render an image again.

    `hash` is its identity: SHA-256 of all that acts on the pixels (so neither parents nor operator).

    Args:
        slots: prompt slot -> word, in the bank's order.
        prompt: the text made from the slots.
        negative: the negative prompt ("" for none).
        seed: 0 .. 2**32 - 1.
        generator: the generator's name; `IMPORT` for a picture made elsewhere, which is read and not rendered.
        generator_version: changes whenever the same genome could give other pixels; of an imported picture, the hash of
            its pixels.
        parameters: continuous parameters, in the generator's own units.
        width: pixels.
        height: pixels.
        parents: hashes of the genomes it was made from.
        operator: the emitter that made it.
        noise: further noises mixed into the seed's own, for generators that start from noise; () for none.
        start: hash of the genome whose picture this one begins from, with the parameter "strength"; "" for none.
    """

    slots: Mapping[str, str]
    prompt: str
    negative: str = ""
    seed: int
    generator: str
    generator_version: str
    parameters: Mapping[str, float]
    width: int
    height: int
    parents: tuple[str, ...] = ()
    operator: str = "fresh"
    noise: Noise = ()
    start: str = ""
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", frozen_map(self.slots))
        object.__setattr__(self, "parameters", frozen_map(self.parameters))
        object.__setattr__(self, "noise", tuple((int(seed), float(weight)) for seed, weight in self.noise))
        object.__setattr__(self, "hash", content_hash(self.recipe()))

    @property
    def imported(self) -> bool:
        """Whether its picture was made elsewhere: it has no words, no noise and no parameters that could be varied."""
        return self.generator == IMPORT

    def recipe(self) -> dict[str, Any]:
        """What acts on the pixels, as plain JSON values; `noise` and `start` only where there are any."""
        more: dict[str, Any] = {"noise": [[seed, weight] for seed, weight in self.noise]} if self.noise else {}
        if self.start:
            more["start"] = self.start
        return {
            "slots": dict(self.slots),
            "prompt": self.prompt,
            "negative": self.negative,
            "seed": self.seed,
            "generator": self.generator,
            "generator_version": self.generator_version,
            "parameters": dict(self.parameters),
            "width": self.width,
            "height": self.height,
            **more,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _genome_from, ({**self.recipe(), "parents": self.parents, "operator": self.operator},)


def _genome_from(values: dict[str, Any]) -> Genome:
    return Genome(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A genome waiting for its turn: rendered as candidate `candidate_id(cycle, slot, slots)`."""

    cycle: int
    slot: int
    genome: Genome


def candidate_id(cycle: int, slot: int, slots: int) -> int:
    """Candidate ids count from 1 in cycle and slot order (cycles count from 1, slots from 0; `slots` a cycle)."""
    return (cycle - 1) * slots + slot + 1


def take_group(candidate: int, takes: int) -> int:
    """Which genome a candidate is a take of: genomes of a series count from 0, each has `takes` neighbouring ids."""
    return (candidate - 1) // takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A prompt with `__slot__` wildcards and the slots it fixes."""

    text: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBank:
    """The vocabulary prompts are made from: slot -> words, in order; a template using each slot once."""

    id: str
    hash: str
    template: str
    negative: str
    slots: Mapping[str, tuple[str, ...]]
    patterns: tuple[Pattern, ...] = ()

    def prompt(self, slots: Mapping[str, str]) -> str:
        """The text of one combination of words."""
        return self.template.format_map(dict(slots))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What an emitter chose; the loop makes a genome of it.

    Args:
        slots: slot -> word, every slot of the bank.
        seed: 0 .. 2**32 - 1.
        parameters: every parameter of the generator, within its range.
        parents: hashes of the genomes it came from.
        text: the prompt where it is not the bank's template (wildcard patterns), else None.
        noise: as in `Genome`.
        start: as in `Genome`; `parameters` then holds "strength" too.
    """

    slots: Mapping[str, str]
    seed: int
    parameters: Mapping[str, float]
    parents: tuple[str, ...] = ()
    text: str | None = None
    noise: Noise = ()
    start: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What emitters draw from.

    Args:
        bank: the vocabulary.
        parameters: the generator's continuous parameters: name -> (low, high).
        parents: the elites' genomes, in cell order, imported pictures left out; empty during the warm-up.
        weights: (parents,) float64, >= 0, sum 1: how likely each is to be chosen as a parent.
        abilities: what the generator can do beside rendering a seed: "noise" (mixes noises), "image" (begins from a
            picture).
        pictures: the imported elites' genomes, in cell order: one can begin from their pictures, and nothing else.
        picture_weights: (pictures,) float64, >= 0, on the scale of `weights`.
        liked: slot -> word -> log-odds, of the words that humans were found to like or dislike.
        tilt: share of the drawn words, 0 to 0.5, that follows it.
    """

    bank: PromptBank
    parameters: Mapping[str, tuple[float, float]]
    parents: tuple[Genome, ...] = ()
    weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    abilities: frozenset[str] = frozenset()
    pictures: tuple[Genome, ...] = ()
    picture_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    liked: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    tilt: float = 0.0
