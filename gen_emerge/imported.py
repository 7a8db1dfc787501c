"""Imported pictures on their way into slots: inputs of kind "import" -> genomes, and whose turn it is.

Takes inputs and what was proposed before; gives genomes, oldest first. Nothing is remembered that these two do not say:
an import waits until its genome stands in a proposal. Reads no file and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gen_emerge.types import Genome, Input, Proposal
from gen_emerge.types.genomes import IMPORT

KIND = "import"
"""Kind of the input; its payload is what `intake.py` found: prompt, negative, hashes, size, files, recipe, source."""

Known = Callable[[str], bool]
"""Whether a genome (by hash) was proposed before."""


def genome_of(payload: Mapping[str, Any]) -> Genome:
    """The genome of an imported picture: named by its pixels, with the words it is measured against."""
    return Genome(
        slots={},
        prompt=payload["prompt"],
        negative=payload["negative"],
        seed=0,
        generator=IMPORT,
        generator_version=payload["pixels"],
        parameters={},
        width=payload["width"],
        height=payload["height"],
        operator=IMPORT,
    )


class Imports:
    """The pictures that wait for a slot.

    Args:
        items: inputs of this kind, in order of arrival.
        known: see `Known`.
    """

    def __init__(self, items: Iterable[Input], *, known: Known) -> None:
        self._waiting: dict[int, tuple[int, Genome]] = {}
        self.arrive(items)
        for number in [n for n, (_, genome) in self._waiting.items() if known(genome.hash)]:
            del self._waiting[number]

    def arrive(self, items: Iterable[Input]) -> None:
        """More inputs of this kind, in order of arrival; those that are here already count once."""
        for item in items:
            self._waiting.setdefault(item.id, (item.first_cycle, genome_of(item.payload)))

    def due(self, commit: int, slots: int, *, known: Known) -> list[Genome]:
        """Who takes a slot of the cycle that is proposed from this commit.

        Only an import whose first cycle is not later than the commit's: such a cycle had not begun when it arrived, so
        it was there whenever these proposals are made.

        Args:
            commit: the cycle just committed.
            slots: how many there are.
            known: see `Known`.
        """
        found: dict[str, Genome] = {}
        for number, (first, genome) in list(self._waiting.items()):
            if known(genome.hash):
                del self._waiting[number]
            elif first > commit or len(found) == slots:
                break  # whoever arrived later has no earlier first cycle
            else:
                found[genome.hash] = genome
        return list(found.values())

    def waiting(self) -> list[tuple[int, Genome]]:
        """(first cycle, genome) of every one that waits, oldest first."""
        return list(self._waiting.values())


def planned(
    waiting: Sequence[tuple[int, Genome]],
    proposals: Mapping[int, Sequence[Proposal]],
    *,
    committed: int,
    depth: int,
    batch: int,
    warmup: int,
) -> dict[str, int]:
    """The cycle in which each imported picture takes its slot, if nothing else is imported before.

    Args:
        waiting: see `Imports.waiting`.
        proposals: those of the cycles after the last commit.
        committed: the last committed cycle.
        depth: `pipeline_depth`.
        batch: slots a cycle.
        warmup: cycles without a map.

    Returns:
        Genome hash -> cycle.
    """
    cycles = {p.genome.hash: cycle for cycle, those in proposals.items() for p in those if p.genome.imported}
    left, commit = deque(waiting), max(committed + 1, warmup)
    while left:
        free = batch
        while left and left[0][0] <= commit and free:
            _, genome = left.popleft()
            cycles[genome.hash] = commit + 1 + depth
            free -= 1
        commit += 1
    return cycles
