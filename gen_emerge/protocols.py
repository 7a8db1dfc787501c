"""The sockets: what each room of the loop must do. A fake of a few lines passes the same suite as the real thing.

Everything here is called from one thread unless a docstring says otherwise, and nothing may change its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gen_emerge.types import (
    Critique,
    Defect,
    DuelReply,
    Exhibit,
    Genome,
    Pixels,
    QuestionBank,
    Reading,
    Side,
    Sketch,
    Sources,
)


class Generator(Protocol):
    """Genome -> pixels. Deterministic: the same genome gives the same image on one machine.

    `render` may be called from a thread other than the loop's, by one thread at a time: the engine's own.

    A generator may also have:

    - `abilities`, a frozenset of "noise" and "image" (see `Sources.abilities`);
    - `flagged`, genome hash -> why its safety checker turned the picture away, set before `render` returns;
    - `notices`, sentences to be told once, a tuple that only grows;
    - `learned_batch`, how many images at once were found to fit when memory ran out, None before; settable, before a
      `render`. It only falls. The batch in which it falls comes out as if it had been set to that from the beginning:
      it is kept with that batch's cycle, and set before that cycle whenever a series goes on.
    """

    @property
    def name(self) -> str:
        """Name as in `[generator] use`; any but "import"."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same genome could give other pixels."""
        ...

    @property
    def parameters(self) -> Mapping[str, tuple[float, float]]:
        """Continuous genome parameters and their (low, high) ranges, in the generator's own units."""
        ...

    def render(self, genomes: Sequence[Genome]) -> Sequence[NDArray[Any]]:
        """Render a batch.

        Args:
            genomes: (n,) genomes.

        Returns:
            (n,) arrays in the same order, each (genome.height, genome.width, 3), uint8 sRGB, or float in [0, 1]. They
            are given away: set read-only by the engine, and never changed by the generator again.

        Raises:
            Exception: anything; the engine then renders the genomes one by one, and only the ones that raise again
                fail.
        """
        ...


class Scorer(Protocol):
    """Image (+ prompt) -> raw signals, and perhaps an embedding. One scorer may fill several roles at once."""

    @property
    def roles(self) -> frozenset[str]:
        """Which of quality, prompt, novelty, style, measures it fills. `novelty` means: gives the embedding."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Signal name -> version (name, revision, weights' hash). Changes whenever a number could.

        With the role `novelty`, "novelty" names the embedding's space.
        """
        ...

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) the texts they were made from.

        Returns:
            (n,) readings in the same order. An image alone and in a batch gives the same numbers within 1e-5. Every
            value is finite.
        """
        ...


class Detector(Protocol):
    """Finds defects of one or more kinds: an optional check between the hard filters and the gates."""

    @property
    def name(self) -> str:
        """As in the series file."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever it could find something else."""
        ...

    def find(self, images: Sequence[Pixels]) -> Sequence[Sequence[Defect]]:
        """Look at a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes; not changed.

        Returns:
            (n,) defects of each, in the same order, () for none. An image alone and in a batch has the same defects.

        Raises:
            Exception: anything; the images are then looked at one by one, and only the ones that raise again fail.
        """
        ...


class Critic(Protocol):
    """Answers yes/no questions, describes, names weaknesses, compares two images. Never gives a score.

    `review` and `duel` may be called from several threads at once.
    """

    @property
    def name(self) -> str:
        """Name and version, stored with every answer."""
        ...

    @property
    def immediate(self) -> bool:
        """True when it answers at once, from what is already here, the same every time: nothing to wait or pay for."""
        ...

    def review(self, exhibit: Exhibit, *, brief: str, bank: QuestionBank) -> Critique:
        """Answer every question of the bank about one image (`exhibit.pixels` is set).

        Raises:
            CriticDown: it cannot answer now; the candidate stays pending.
        """
        ...

    def duel(self, left: Exhibit, right: Exhibit, *, brief: str, bank: QuestionBank) -> DuelReply:
        """Which serves the brief better? Asked in both orders. Both exhibits carry a critique.

        Raises:
            CriticDown: it cannot answer now.
        """
        ...


class CriticDown(Exception):
    """A critic cannot answer now. Nothing is guessed: the candidate stays pending and is asked about later."""


class Emitter(Protocol):
    """Elites, prompts and chance -> a genome's slots, seed and parameters."""

    @property
    def name(self) -> str:
        """Stored with every genome as its operator."""
        ...

    def propose(self, sources: Sources, rng: np.random.Generator) -> Sketch | None:
        """One independent draw.

        Args:
            sources: what may be drawn from; not changed.
            rng: a generator of this draw alone (series seed, cycle, slot, purpose, attempt).

        Returns:
            A sketch, or None when it has nothing to work on (no elites yet): the loop then draws fresh.
        """
        ...


class Preference(Protocol):
    """What is known of who beats whom, from stored judgements alone."""

    def sure(self, challenger: int, incumbent: int) -> Side | None:
        """Give "left" (challenger) or "right" (incumbent) when surer than the set probability, else None."""
        ...

    def best(self) -> int | None:
        """Candidate id ranked first, None before any comparison."""
        ...


RoundKind = Literal["pairs", "rank4", "ranking", "triplets", "keep", "review"]
