"""The operators: fresh draws, slot mutation, crossover, wildcards, parameter and seed variation.

Each draw is independent of every other: a new counted generator for every slot of every cycle, never one nested in
another (nested, correlated generators are why "random" prompts repeat in other tools).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.types import Genome, Sketch, Sources
from gen_emerge.types.genomes import STRENGTH, Noise

SEEDS = 2**32
VARY_SHARE = 0.2
"""Standard deviation of a parameter step, as a share of the parameter's range."""
_WILDCARD = re.compile(r"__([a-z](?:_?[a-z0-9])*)__")


class Fresh:
    """Every word, parameter and the seed drawn uniformly."""

    name = "fresh"

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A draw that knows nothing of the archive."""
        slots = {slot: _tilted(slot, words, sources, rng) for slot, words in sources.bank.slots.items()}
        return Sketch(slots=slots, seed=_seed(rng), parameters=_uniform(sources.parameters, rng))


class Mutate:
    """One word of an elite's prompt changed, in one draw of four two. The seed stays: the rest stays recognisable."""

    name = "mutate"

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A parent with one or two other words."""
        parent = _parent(sources, rng)
        if parent is None:
            return None
        slots = completed(parent, sources, rng)
        changeable = [slot for slot, words in sources.bank.slots.items() if len(words) > 1]
        if not changeable:
            return None
        count = min(len(changeable), 2 if rng.random() < 0.25 else 1)
        for index in rng.permutation(len(changeable))[:count]:
            slot = changeable[int(index)]
            others = [word for word in sources.bank.slots[slot] if word != slots[slot]]
            slots[slot] = _tilted(slot, others, sources, rng)
        parameters = kept(parent, sources.parameters, rng)
        noise, start = begun_from(parent, sources.abilities, parameters)
        return Sketch(
            slots=slots, seed=parent.seed, parameters=parameters, parents=(parent.hash,), noise=noise, start=start
        )


class Crossover:
    """Each word and each parameter from one of two different elites, the seed from either."""

    name = "crossover"

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A child of two elites, at least one word from each where they differ in two."""
        if len(sources.parents) < 2:
            return None
        mother = _parent(sources, rng)
        others = Sources(
            bank=sources.bank,
            parameters=sources.parameters,
            parents=tuple(p for p in sources.parents if p is not mother),
            weights=np.full(len(sources.parents) - 1, 1.0 / (len(sources.parents) - 1)),
        )
        father = _parent(others, rng)
        if mother is None or father is None:
            return None
        first, second = completed(mother, sources, rng), completed(father, sources, rng)
        slots = {slot: (first if rng.random() < 0.5 else second)[slot] for slot in first}
        differing = [slot for slot in slots if first[slot] != second[slot]]
        if len(differing) >= 2 and len({slots[slot] == first[slot] for slot in differing}) == 1:
            swapped = differing[int(rng.integers(len(differing)))]
            slots[swapped] = second[swapped] if slots[swapped] == first[swapped] else first[swapped]
        a, b = kept(mother, sources.parameters, rng), kept(father, sources.parameters, rng)
        parameters = {name: (a if rng.random() < 0.5 else b)[name] for name in a}
        heir = mother if rng.random() < 0.5 else father
        noise, start = begun_from(heir, sources.abilities, parameters)
        return Sketch(
            slots=slots,
            seed=heir.seed,
            parameters=parameters,
            parents=(mother.hash, father.hash),
            noise=noise,
            start=start,
        )


class Wildcards:
    """A pattern of the bank: some words fixed, `__slot__` tokens and what it leaves open filled at random."""

    name = "wildcards"
    needs = frozenset({"patterns"})

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A filled pattern; None when the bank has none."""
        patterns = sources.bank.patterns
        if not patterns:
            return None
        pattern = patterns[int(rng.integers(len(patterns)))]
        slots = {slot: _word(words, rng) for slot, words in sources.bank.slots.items()} | dict(pattern.slots)
        text = _WILDCARD.sub(lambda token: slots[token.group(1)], pattern.text)
        return Sketch(slots=slots, seed=_seed(rng), parameters=_uniform(sources.parameters, rng), text=text)


class Vary:
    """An elite's parameters moved a little (each with probability 1/2, at least one), words and seed kept."""

    name = "vary"
    needs = frozenset({"parameters"})

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A parent with other parameters; None where the generator has none."""
        parent = _parent(sources, rng)
        if parent is None or not sources.parameters:
            return None
        parameters = kept(parent, sources.parameters, rng)
        names = list(sources.parameters)
        chosen = [name for name in names if rng.random() < 0.5] or [names[int(rng.integers(len(names)))]]
        for name in chosen:
            low, high = sources.parameters[name]
            parameters[name] = _reflect(parameters[name] + rng.normal() * VARY_SHARE * (high - low), low, high)
        noise, start = begun_from(parent, sources.abilities, parameters)
        return Sketch(
            slots=completed(parent, sources, rng),
            seed=parent.seed,
            parameters=parameters,
            parents=(parent.hash,),
            text=parent.prompt,
            noise=noise,
            start=start,
        )


class Reseed:
    """An elite's words and parameters with another seed, and no other noise."""

    name = "reseed"

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """A parent drawn again from another seed."""
        parent = _parent(sources, rng)
        if parent is None:
            return None
        slots, seed = completed(parent, sources, rng), _seed(rng)
        parameters = kept(parent, sources.parameters, rng)
        _, start = begun_from(parent, sources.abilities, parameters)
        return Sketch(
            slots=slots, seed=seed, parameters=parameters, parents=(parent.hash,), text=parent.prompt, start=start
        )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(SEEDS))


def _word(words: tuple[str, ...] | list[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _tilted(slot: str, words: Sequence[str], sources: Sources, rng: np.random.Generator) -> str:
    """One of some words of a slot: uniform, but for a share `tilt` that follows what humans like.

    p = (1 - tilt) / n + tilt softmax(liked): with a tilt of at most 1/2 every word keeps at least half of its chance,
    however much it is disliked, and none is drawn more often than 1/2 + 1 / (2 n).
    """
    liked = sources.liked.get(slot, {})
    if not sources.tilt or not any(word in liked for word in words):
        return _word(list(words), rng)
    odds = np.array([liked.get(word, 0.0) for word in words])
    share = np.exp(odds - odds.max())
    chances = (1.0 - sources.tilt) / len(words) + sources.tilt * share / share.sum()
    place = int(np.searchsorted(np.cumsum(chances), rng.random(), side="right"))
    return words[min(place, len(words) - 1)]


def _uniform(ranges: Mapping[str, tuple[float, float]], rng: np.random.Generator) -> dict[str, float]:
    return {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}


def _parent(sources: Sources, rng: np.random.Generator) -> Genome | None:
    return pick(sources.parents, sources.weights, rng) if sources.parents else None


def pick(parents: Sequence[Genome], weights: NDArray[np.float64], rng: np.random.Generator) -> Genome:
    """One of some genomes, by weights that sum to 1."""
    place = int(np.searchsorted(np.cumsum(weights), rng.random(), side="right"))
    return parents[min(place, len(parents) - 1)]


def completed(parent: Genome, sources: Sources, rng: np.random.Generator) -> dict[str, str]:
    """The parent's words in today's bank: a word the bank does not know (an older bank's) is drawn anew."""
    return {
        slot: parent.slots[slot] if parent.slots.get(slot) in words else _word(words, rng)
        for slot, words in sources.bank.slots.items()
    }


def kept(parent: Genome, ranges: Mapping[str, tuple[float, float]], rng: np.random.Generator) -> dict[str, float]:
    """The parent's parameters within today's ranges; one it does not have (another generator's) is drawn."""
    drawn = _uniform(ranges, rng)
    return {
        name: float(np.clip(parent.parameters[name], low, high)) if name in parent.parameters else drawn[name]
        for name, (low, high) in ranges.items()
    }


def begun_from(parent: Genome, abilities: frozenset[str], parameters: dict[str, float]) -> tuple[Noise, str]:
    """The further noises and the picture a parent began from, as far as today's generator can begin from such.

    With a picture, its strength is put into `parameters`.
    """
    start = parent.start if "image" in abilities else ""
    if start:
        parameters[STRENGTH] = parent.parameters[STRENGTH]
    return parent.noise if "noise" in abilities else (), start


def _reflect(value: float, low: float, high: float) -> float:
    """Fold a step that left the range back into it: clipping would pile values up at the ends."""
    span = high - low
    if span <= 0:
        return low
    folded = abs((value - low) % (2 * span))
    return low + (folded if folded <= span else 2 * span - folded)
