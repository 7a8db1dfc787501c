"""The local engine: genomes -> shots, in the background, while the loop scores the cycle before.

Takes a generator and a function that saves pictures (images are written before any row speaks of them); gives one shot
a genome, in order. One thread renders, others save: the generator never waits for a disk. One genome's failure is
that genome's: a batch that raises, or breaks the generator's contract, is rendered again one by one, each at most
`max_attempts` times. Never touches the store's rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import GeneratorFailed, OutOfBudget
from gen_emerge.protocols import Generator
from gen_emerge.types import Genome, Image, Pixels

SAVED_AT_ONCE = 2
"""Cycles saved at a time: one is encoded while the disk has another."""
Save = Callable[[Sequence[tuple[Genome, Pixels]]], list[Image]]

_RAISED = (Exception, SystemExit)
"""What counts as one genome's failure: a library that calls `sys.exit` must not end the series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One rendered genome.

    Args:
        genome: the genome.
        pixels: (h, w, 3) uint8, None when rendering failed.
        image: where the picture was saved, None when rendering failed.
        finite: False when the generator gave NaN or infinite values (they are saved as black).
        unsafe: why the generator's own safety checker turned it away, "" when it did not.
        error: why it failed, "" otherwise.
    """

    genome: Genome
    pixels: Pixels | None = None
    image: Image | None = None
    finite: bool = True
    unsafe: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """All shots of one cycle, in slot order, and how long the generator took."""

    shots: tuple[Shot, ...]
    seconds: float


class LocalEngine:
    """Renders cycles in the order they were submitted.

    Args:
        generator: renders; called from the engine's one thread alone.
        imports: reads the pictures of imported genomes, in a batch of their own: they change nobody else's.
        save: writes pictures, durable when it returns; called from `SAVED_AT_ONCE` other threads.
        max_attempts: how often one genome may raise before it is given up.
        during: entered on the generator's thread while a cycle (by number) is rendered, left before it is saved.
    """

    def __init__(
        self,
        generator: Generator,
        save: Save,
        *,
        max_attempts: int,
        imports: Generator | None = None,
        during: Callable[[int], AbstractContextManager[None]] = lambda cycle: nullcontext(),
    ) -> None:
        self._generator = generator
        self._imports = imports if imports is not None else generator
        self._save = save
        self._max_attempts = max_attempts
        self._during = during
        self._painting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="render")
        self._saving = ThreadPoolExecutor(max_workers=SAVED_AT_ONCE, thread_name_prefix="save")
        self._cycles: dict[int, Future[Rendering]] = {}

    def has(self, cycle: int) -> bool:
        """Whether a cycle was submitted and not yet taken."""
        return cycle in self._cycles

    def submit(self, cycle: int, genomes: Sequence[Genome], *, banned: Mapping[str, str]) -> None:
        """Queue one cycle.

        Args:
            cycle: its number.
            genomes: in slot order.
            banned: quarantined genomes' hashes and why: they fail without being rendered.
        """
        self._cycles[cycle] = rendering = Future[Rendering]()
        self._painting.submit(self._render, cycle, tuple(genomes), dict(banned), rendering)

    def paint(self, genome: Genome) -> Pixels:
        """One picture beside the cycles, (h, w, 3) uint8: from any thread, when those queued before it are rendered.

        Raises:
            Exception: whatever the generator raises.
        """
        source = self._imports if genome.imported else self._generator
        return self._painting.submit(lambda: to_pixels(_checked(source, [genome])[0])[0]).result()

    def rendering(self, cycle: int) -> Future[Rendering]:
        """A submitted cycle's rendering, to be waited for beside other things; `take` takes it."""
        return self._cycles[cycle]

    def take(self, cycle: int) -> Rendering:
        """Wait for a submitted cycle.

        Raises:
            DiskFull: a picture could not be saved.
        """
        return self._cycles.pop(cycle).result()

    def close(self) -> None:
        """Drop what was not started and wait for what was."""
        self._painting.shutdown(wait=True, cancel_futures=True)
        self._saving.shutdown(wait=True, cancel_futures=True)
        for rendering in self._cycles.values():
            rendering.cancel()  # nobody waits for what will not come

    def _render(
        self, cycle: int, genomes: tuple[Genome, ...], banned: dict[str, str], rendering: Future[Rendering]
    ) -> None:
        try:
            started = time.perf_counter()
            wanted = [genome for genome in genomes if genome.hash not in banned]
            with self._during(cycle):
                results = self._batch(self._generator, [genome for genome in wanted if not genome.imported])
            results |= self._batch(self._imports, [genome for genome in wanted if genome.imported])
            results |= {g.hash: f"quarantined: {banned[g.hash]}" for g in genomes if g.hash in banned}
            flagged: Mapping[str, str] = dict(getattr(self._generator, "flagged", {}))
            self._saving.submit(self._keep, genomes, results, flagged, time.perf_counter() - started, rendering)
        except BaseException as error:
            rendering.set_exception(error)

    def _keep(
        self,
        genomes: tuple[Genome, ...],
        results: dict[str, NDArray[Any] | str],
        flagged: Mapping[str, str],
        seconds: float,
        rendering: Future[Rendering],
    ) -> None:
        try:
            rendering.set_result(Rendering(shots=self._shots(genomes, results, flagged), seconds=seconds))
        except BaseException as error:
            rendering.set_exception(error)

    def _shots(
        self, genomes: tuple[Genome, ...], results: dict[str, NDArray[Any] | str], flagged: Mapping[str, str]
    ) -> tuple[Shot, ...]:
        """Save what was rendered; one shot a genome."""
        pictures = {key: to_pixels(result) for key, result in results.items() if not isinstance(result, str)}
        made = {genome.hash: genome for genome in genomes if genome.hash in pictures}
        saved = self._save([(genome, pictures[key][0]) for key, genome in made.items()])
        images = dict(zip(made, saved, strict=True))

        def shot(genome: Genome) -> Shot:
            result = results[genome.hash]
            if isinstance(result, str):
                return Shot(genome=genome, error=result)
            pixels, finite = pictures[genome.hash]
            unsafe = flagged.get(genome.hash, "")
            return Shot(genome=genome, pixels=pixels, image=images[genome.hash], finite=finite, unsafe=unsafe)

        return tuple(shot(genome) for genome in genomes)

    def _batch(self, generator: Generator, genomes: Sequence[Genome]) -> dict[str, NDArray[Any] | str]:
        if not genomes:
            return {}
        try:
            return dict(zip((g.hash for g in genomes), _checked(generator, genomes), strict=True))
        except OutOfBudget:
            raise
        except _RAISED as error:
            if len(genomes) == 1:
                return {genomes[0].hash: self._alone(generator, genomes[0], error)}
        return {genome.hash: self._alone(generator, genome, None) for genome in genomes}

    def _alone(self, generator: Generator, genome: Genome, first: BaseException | None) -> NDArray[Any] | str:
        error = first
        for _ in range(self._max_attempts - (first is not None)):
            try:
                return _checked(generator, [genome])[0]
            except OutOfBudget:
                raise
            except _RAISED as raised:
                error = raised
        return f"{type(error).__name__}: {error}"[:500]


def _checked(generator: Generator, genomes: Sequence[Genome]) -> list[NDArray[Any]]:
    """Render, and hold the result against the protocol: one array a genome, of the size that was asked for."""
    arrays = list(generator.render(genomes))
    if len(arrays) != len(genomes):
        raise GeneratorFailed(f"{generator.name} gave {len(arrays)} images for {len(genomes)} genomes.")
    for genome, array in zip(genomes, arrays, strict=True):
        wanted = (genome.height, genome.width, 3)
        if array.shape != wanted:
            raise GeneratorFailed(f"{generator.name} gave an array of shape {array.shape}, {wanted} was asked for.")
        if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
            raise GeneratorFailed(f"{generator.name} gave {array.dtype}; uint8 or floats in [0, 1] are wanted.")
    return arrays


def to_pixels(array: NDArray[Any]) -> tuple[Pixels, bool]:
    """8-bit pixels (read-only) of a uint8 or [0, 1] float array, and whether all values were finite (NaN -> black).

    A uint8 array is taken over, not copied: what a generator returns it gives away.
    """
    if array.dtype == np.uint8:
        pixels, finite = np.ascontiguousarray(array), True
    else:
        finite = bool(np.isfinite(array).all())
        safe = array if finite else np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
        pixels = np.rint(np.clip(safe, 0.0, 1.0) * 255.0).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels, finite
