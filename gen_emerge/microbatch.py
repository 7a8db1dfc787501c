"""Takes what a generator learned of its memory; gives it back at the cycle it was learned in, in every later run.

A generator may have `learned_batch`: how many pictures at once fitted after its memory ran out. Pictures differ a
little with the size of their batch, so what was learned is written to `inputs` with the cycle that was being rendered,
before anybody sees that cycle's pictures, and is in force from that cycle on: a run that is begun again in between
renders the cycles before it as they were.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from gen_emerge.store import Store

LEARNED = "micro-batch"
"""Kind of the input; its payload is {"images": n}."""


class MicroBatch:
    """The micro-batch of one generator, cycle by cycle.

    Args:
        generator: may have `learned_batch`; touched only while a cycle is rendered.
        store: where what was learned is kept; asked for that of earlier runs.
    """

    def __init__(self, generator: Any, store: Store) -> None:
        self._generator = generator
        self._store = store
        self._known = [(item.first_cycle, int(item.payload["images"])) for item in store.inputs_of(LEARNED)]

    def at(self, cycle: int) -> int | None:
        """Images at once in force when a cycle is rendered: the fewest learned in it or before; None for no limit."""
        return min((images for first, images in self._known if first <= cycle), default=None)

    @contextmanager
    def during(self, cycle: int) -> Generator[None]:
        """While this lasts a cycle is rendered; on its thread, and once it is over what it learned is durable."""
        known = self.at(cycle)
        if known is not None and hasattr(self._generator, "learned_batch"):
            self._generator.learned_batch = known
        try:
            yield
        finally:
            learned: int | None = getattr(self._generator, "learned_batch", None)
            if learned is not None and (known is None or learned < known):
                self._known.append((cycle, learned))
                self._store.add_input(LEARNED, {"images": learned}, first_cycle=cycle)
