"""Proposals: the state as of a commit -> the genomes of the cycle `pipeline_depth + 1` later.

Takes the state, the vocabulary and the elites' genomes; gives one genome a slot. The bandit chooses an emitter for
every slot, the emitter draws from a generator of that draw alone. With several takes, it does so for the first of the
slots they share; the others hold the same genome with seeds of their own. What was ever rendered in the series or is
still waiting to be rendered is drawn again; `attempt` counts such redraws.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gen_emerge.chance import draw
from gen_emerge.emitters import EXPLORERS, FRESH
from gen_emerge.emitters.operators import SEEDS, begun_from, completed, kept
from gen_emerge.errors import GenEmergeError
from gen_emerge.protocols import Emitter, Generator
from gen_emerge.state import State
from gen_emerge.types import Genome, PromptBank, Proposal, Sketch, Sources
from gen_emerge.types.genomes import STRENGTH
from gen_emerge.vocabulary import without, written

MAX_REDRAWS = 64
"""Redraws from the chosen emitter before a fresh draw is taken, and as many again of those before giving up."""


class Proposer:
    """Makes the genomes of future cycles.

    Args:
        seed: the series seed.
        batch: genomes a cycle.
        takes: slots a genome: so many renders, which differ by their seeds alone.
        warmup_cycles: cycles of fresh draws only.
        size: (width, height) in pixels.
        generator: whose parameters are drawn and whose version is written into the genomes.
        bank: the vocabulary.
        emitters: by name, in a fixed order; must hold `fresh`.
        genomes: hashes -> genomes, for parents that are not in memory.
    """

    def __init__(
        self,
        *,
        seed: int,
        batch: int,
        takes: int = 1,
        warmup_cycles: int,
        size: tuple[int, int],
        generator: Generator,
        bank: PromptBank,
        emitters: Mapping[str, Emitter],
        genomes: Callable[[Sequence[str]], Mapping[str, Genome]],
    ) -> None:
        self._seed = seed
        self._batch = batch
        self._takes = takes
        self._warmup_cycles = warmup_cycles
        self._size = size
        self._generator = generator
        self._abilities: frozenset[str] = getattr(generator, "abilities", frozenset[str]())
        self._bank = bank
        # Whoever could never propose is not offered: untried, the bandit would choose it again and again.
        usable = self._abilities | {
            name for name, there in (("parameters", generator.parameters), ("patterns", bank.patterns)) if there
        }
        self._offered = [name for name, e in emitters.items() if _needs(e) <= usable]
        self._emitters = emitters
        self._lookup = genomes
        self._parents: dict[str, Genome] = {}

    def propose(
        self,
        cycle: int,
        state: State,
        *,
        waiting: Collection[str],
        imports: Sequence[Genome] = (),
        explore: float = 0.0,
        never: frozenset[str] = frozenset(),
        liked: Mapping[str, Mapping[str, float]] | None = None,
        tilt: float = 0.0,
    ) -> tuple[Proposal, ...]:
        """The genomes of one cycle, in slot order: what the emitters draw, then the imported pictures.

        Each of these takes the place of one genome, with all its takes.

        Args:
            cycle: that they are for.
            state: as of the commit they are made from.
            waiting: hashes of genomes proposed for earlier cycles and not rendered yet.
            imports: imported pictures whose turn it is, no more than there are slots.
            explore: share of the genomes, 0 to 1, that emitters draw which begin from no elite; beyond what the bandit
                gives them.
            never: words that no genome may have.
            liked: slot -> word -> log-odds, what humans like or dislike as of the same commit.
            tilt: share of the drawn words, 0 to 0.5, that follows it.
        """
        bank = without(self._bank, never)
        sources = replace(self._sources(cycle, state, bank), liked=liked or {}, tilt=tilt)
        offered = [name for name in self._offered if bank.patterns or "patterns" not in _needs(self._emitters[name])]
        names = offered if cycle > self._warmup_cycles else [FRESH]
        explorers = [name for name in names if name in EXPLORERS]
        taken = {*waiting, *(genome.hash for genome in imports)}
        proposals: list[Proposal] = []

        def known(genome: str) -> bool:
            return state.rendered(genome) or genome in taken

        drawn = (self._batch - len(imports)) * self._takes
        for slot in range(0, drawn, self._takes):
            rng = draw(self._seed, cycle, slot, "bandit")
            name = state.bandit.choose(names, rng, explore=explore, explorers=explorers)
            first = Proposal(cycle=cycle, slot=slot, genome=self._draw(cycle, slot, name, sources, known, never))
            proposals.append(first)
            taken.add(first.genome.hash)
            for further in range(slot + 1, slot + self._takes):
                proposals.append(self._take(first, further, known))
                taken.add(proposals[-1].genome.hash)
        proposals += [Proposal(cycle=cycle, slot=slot, genome=genome) for slot, genome in enumerate(imports, drawn)]
        return tuple(proposals)

    def _take(self, first: Proposal, slot: int, known: Callable[[str], bool]) -> Proposal:
        """Another take of a genome: the same with a seed of its own, one that was not rendered yet."""
        for attempt in range(MAX_REDRAWS):
            rng = draw(self._seed, first.cycle, slot, "take", attempt)
            genome = replace(first.genome, seed=int(rng.integers(SEEDS)))
            if not known(genome.hash):
                return Proposal(cycle=first.cycle, slot=slot, genome=genome)
        raise self._used_up(first.cycle, slot)

    def remember(self, genomes: Iterable[Genome]) -> None:
        """Genomes of new elites, so that they need not be looked up."""
        self._parents.update((genome.hash, genome) for genome in genomes)

    def adapt_all(
        self,
        proposals: Sequence[Proposal],
        rendered: Callable[[str], bool],
        taken: set[str],
        *,
        never: frozenset[str] = frozenset(),
    ) -> tuple[Proposal, ...]:
        """The waiting proposals of one cycle under the settings now in force.

        A change of generator, size or bank takes effect at the next cycle boundary, also for genomes that were
        proposed before it: what still fits is kept, the rest is drawn for its slot alone. Takes of one genome stay so.

        Args:
            proposals: as they were made, in slot order.
            rendered: whether a genome (by hash) was rendered: one that was gets another seed.
            taken: hashes of genomes to be rendered before these; these are added.
            never: words that no genome may have.
        """

        def known(genome: str) -> bool:
            return rendered(genome) or genome in taken

        adapted: list[Proposal] = []
        for place, proposal in enumerate(proposals):
            if proposal.genome.imported:
                adapted.append(proposal)  # no setting acts on it
            elif place % self._takes == 0:
                adapted.append(self.adapt(proposal, known, never=never))
            elif adapted[-1].genome.recipe() | {"seed": 0} == proposal.genome.recipe() | {"seed": 0}:
                adapted.append(proposal)
            else:
                first = adapted[place - place % self._takes]
                genome = replace(first.genome, seed=proposal.genome.seed)
                same_seed = Proposal(cycle=proposal.cycle, slot=proposal.slot, genome=genome)
                adapted.append(same_seed if not known(genome.hash) else self._take(first, proposal.slot, known))
            taken.add(adapted[-1].genome.hash)
        return tuple(adapted)

    def adapt(
        self,
        proposal: Proposal,
        known: Callable[[str], bool] = lambda genome: False,
        *,
        never: frozenset[str] = frozenset(),
    ) -> Proposal:
        """One of them alone; `known` says whether a genome was rendered, or is to be rendered before this one."""
        genome, bank = proposal.genome, without(self._bank, never)
        same_words = list(genome.slots) == list(bank.slots) and all(
            genome.slots[slot] in words for slot, words in bank.slots.items()
        )
        # A pattern's text may have a forbidden word beside its slots.
        same_words = same_words and self._text(genome.prompt, genome.slots, never) == genome.prompt
        wanted = {*self._generator.parameters, *([STRENGTH] if genome.start else [])}
        same_parameters = set(genome.parameters) == wanted
        rendered_by = (genome.generator, genome.generator_version, genome.width, genome.height)
        if (
            same_words
            and same_parameters
            and rendered_by == (self._generator.name, self._generator.version, *self._size)
        ):
            return proposal
        sources = Sources(bank=bank, parameters=self._generator.parameters, abilities=self._abilities)
        for attempt in range(MAX_REDRAWS):
            rng = draw(self._seed, proposal.cycle, proposal.slot, "adapt", attempt)
            slots = completed(genome, sources, rng)
            parameters = kept(genome, sources.parameters, rng)
            noise, start = begun_from(genome, sources.abilities, parameters)
            sketch = Sketch(
                slots=slots,
                seed=int(rng.integers(2**32)) if attempt else genome.seed,
                parameters=parameters,
                parents=genome.parents,
                text=genome.prompt if same_words else None,
                noise=noise,
                start=start,
            )
            adapted = self._genome(sketch, genome.operator, never)
            if not known(adapted.hash):
                return Proposal(cycle=proposal.cycle, slot=proposal.slot, genome=adapted)
        raise self._used_up(proposal.cycle, proposal.slot)

    def _draw(
        self,
        cycle: int,
        slot: int,
        name: str,
        sources: Sources,
        known: Callable[[str], bool],
        never: frozenset[str],
    ) -> Genome:
        for first, chosen in ((0, name), (MAX_REDRAWS, FRESH)):
            for attempt in range(first, first + MAX_REDRAWS):
                rng = draw(self._seed, cycle, slot, chosen, attempt)
                sketch = self._emitters[chosen].propose(sources, rng)
                if sketch is None:
                    break
                genome = self._genome(sketch, chosen, never)
                if not known(genome.hash):
                    return genome
        raise self._used_up(cycle, slot)

    @staticmethod
    def _used_up(cycle: int, slot: int) -> GenEmergeError:
        return GenEmergeError(
            f"Cycle {cycle}, slot {slot}: {MAX_REDRAWS} fresh draws were all rendered before.",
            hint="The vocabulary is used up; add words, patterns or parameters in a new bank.",
        )

    def _genome(self, sketch: Sketch, operator: str, never: frozenset[str]) -> Genome:
        width, height = self._size
        return Genome(
            slots=sketch.slots,
            prompt=self._text(sketch.text, sketch.slots, never),
            negative=self._bank.negative,
            seed=sketch.seed,
            generator=self._generator.name,
            generator_version=self._generator.version,
            parameters=sketch.parameters,
            width=width,
            height=height,
            parents=sketch.parents,
            operator=operator,
            noise=sketch.noise,
            start=sketch.start,
        )

    def _text(self, text: str | None, slots: Mapping[str, str], never: frozenset[str]) -> str:
        """The prompt: the bank's template where there is no other text, or where that has a forbidden word."""
        return self._bank.prompt(slots) if text is None or written(text, never) else text

    def _sources(self, cycle: int, state: State, bank: PromptBank) -> Sources:
        if cycle <= self._warmup_cycles or state.archive is None or not len(state.archive):
            return Sources(bank=bank, parameters=self._generator.parameters, abilities=self._abilities)
        elites = list(state.archive)
        hashes = [state.genomes[elite.candidate] for elite in elites]
        missing = [genome for genome in hashes if genome not in self._parents]
        if missing:
            self._parents.update(self._lookup(missing))
        self._parents = {genome: self._parents[genome] for genome in hashes}
        # Beside empty cells and little tried first: that is where new cells are opened.
        weights = np.array(
            [
                (1.0 + state.archive.empty_beside(elite.cell)) / (1.0 + state.tries[genome])
                for elite, genome in zip(elites, hashes, strict=True)
            ]
        )
        # Imported pictures have nothing that an operator could vary, except for the picture itself.
        parents = [self._parents[genome] for genome in hashes]
        own = np.array([not parent.imported for parent in parents])
        share = weights[own].sum() or 1.0
        return Sources(
            bank=bank,
            parameters=self._generator.parameters,
            parents=tuple(parent for parent in parents if not parent.imported),
            weights=weights[own] / share,
            abilities=self._abilities,
            pictures=tuple(parent for parent in parents if parent.imported),
            picture_weights=weights[~own] / share,
        )


def _needs(emitter: Emitter) -> frozenset[str]:
    """What an emitter cannot propose without: abilities of the generator, parameters, patterns."""
    return getattr(emitter, "needs", frozenset[str]())
