"""Takes what the crew has to tell between cycles; passes it on once, and keeps what must outlast the process.

Generators, scorers and detectors may have `notices` (a licence, a prompt that was cut off, a batch made smaller): told
once each. A generator may have `learned_batch`, how many pictures at once fitted after its memory ran out: written to
`inputs`, and given back to it when the series goes on, so that the same batches are rendered again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gen_emerge.live import Crew
from gen_emerge.store import Store

LEARNED = "micro-batch"
"""Kind of the input; its payload is {"images": n}."""


class Notices:
    """Listens to one crew.

    Args:
        crew: whose notices.
        store: where a learned batch is kept; asked for the one of an earlier run.
        say: given each sentence, or None.
    """

    def __init__(self, crew: Crew, store: Store, say: Callable[[str], None] | None) -> None:
        self._generator: Any = crew.generator
        self._sources = (crew.generator, *crew.scorers, *crew.detectors, crew.critic)
        self._store = store
        self._say = say
        self._told: set[str] = set()
        known = store.inputs_of(LEARNED)
        self._learned: int | None = int(known[-1].payload["images"]) if known else None
        if self._learned is not None and hasattr(self._generator, "learned_batch"):
            self._generator.learned_batch = self._learned
        self.look()

    def look(self) -> None:
        """Tell what is new, and keep what was learned. Called from the loop's thread, after every commit."""
        for source in self._sources:
            for notice in tuple(getattr(source, "notices", ())):
                if notice not in self._told:
                    self._told.add(notice)
                    if self._say is not None:
                        self._say(notice)
        learned: int | None = getattr(self._generator, "learned_batch", None)
        if learned is not None and learned != self._learned:
            self._learned = learned
            self._store.add_input(LEARNED, {"images": learned})
