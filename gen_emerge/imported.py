"""Imported pictures on their way into slots: inputs of kind "import" -> genomes, and whose turn it is.

Takes inputs and what was proposed before; gives genomes, oldest first. Nothing is remembered that these two do not say:
an import waits until its genome stands in a proposal. Reads no file and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from gen_emerge.types import Genome, Input, Proposal
from gen_emerge.types.genomes import IMPORT

KIND = "import"
"""Kind of the input; its payload is what `intake.py` found: prompt, negative, hashes, size, files, recipe, source."""

TIMES_OURS = 4
"""Imported pictures of one cycle may have so many times the pixels of the series' own images of a cycle."""
ROOM = 33_000_000
"""Pixels they may have in any case, 99 MB: those of the largest picture that is read. All of a cycle lie in memory."""

Known = Callable[[str], bool]
"""Whether a genome (by hash) was proposed before."""


def room(batch: int, width: int, height: int) -> int:
    """How many pixels the imported pictures of one cycle may have in all, unless it is a single one.

    Args:
        batch: slots a cycle.
        width: of the series' own images, pixels.
        height: of the same, pixels.
    """
    return max(TIMES_OURS * batch * width * height, ROOM)


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

    def due(self, commit: int, slots: int, *, pixels: int, known: Known) -> list[Genome]:
        """Who takes a slot of the cycle that is proposed from this commit; none passes by an older one.

        Only an import whose first cycle is not later than the commit's: such a cycle had not begun when it arrived, so
        it was there whenever these proposals are made.

        Args:
            commit: the cycle just committed.
            slots: how many there are.
            pixels: how many they may have in all; see `room`.
            known: see `Known`.
        """
        found: dict[str, Genome] = {}
        for number, (first, genome) in list(self._waiting.items()):
            if known(genome.hash):
                del self._waiting[number]
            elif first > commit or not _fits(genome, found.values(), slots=slots, pixels=pixels):
                break  # whoever arrived later has no earlier first cycle
            else:
                found[genome.hash] = genome
        return list(found.values())

    def waiting(self) -> list[tuple[int, Genome]]:
        """(first cycle, genome) of every one that waits, oldest first."""
        return list(self._waiting.values())


def _fits(genome: Genome, others: Collection[Genome], *, slots: int, pixels: int) -> bool:
    """Whether a cycle takes one more: there is a slot left, and room for its pixels; for a single one there is."""
    if len(others) >= slots:
        return False
    return not others or sum(each.width * each.height for each in (*others, genome)) <= pixels


def planned(
    waiting: Sequence[tuple[int, Genome]],
    proposals: Mapping[int, Sequence[Proposal]],
    *,
    committed: int,
    depth: int,
    batch: int,
    pixels: int,
    warmup: int,
) -> dict[str, int]:
    """The cycle in which each imported picture takes its slot, if nothing else is imported before.

    Args:
        waiting: see `Imports.waiting`.
        proposals: those of the cycles after the last commit.
        committed: the last committed cycle.
        depth: `pipeline_depth`.
        batch: slots a cycle.
        pixels: see `room`.
        warmup: cycles without a map.

    Returns:
        Genome hash -> cycle.
    """
    cycles = {p.genome.hash: cycle for cycle, those in proposals.items() for p in those if p.genome.imported}
    left, commit = deque(waiting), max(committed + 1, warmup)
    while left:
        taken: list[Genome] = []
        while left and left[0][0] <= commit and _fits(left[0][1], taken, slots=batch, pixels=pixels):
            taken.append(left.popleft()[1])
        cycles |= {genome.hash: commit + 1 + depth for genome in taken}
        commit += 1
    return cycles
