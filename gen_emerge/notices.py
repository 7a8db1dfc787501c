"""Takes what the crew has to tell between cycles; passes it on, each sentence once.

Generators, scorers, detectors and critics may have `notices`: a licence, a prompt that was cut off, a smaller batch.
"""

from __future__ import annotations

from collections.abc import Callable

from gen_emerge.roles import Crew


class Notices:
    """Listens to one crew.

    Args:
        crew: whose notices.
        say: given each sentence, or None.
    """

    def __init__(self, crew: Crew, say: Callable[[str], None] | None) -> None:
        self._sources = (crew.generator, *crew.scorers, *crew.detectors, crew.critic)
        self._say = say
        self._told: set[str] = set()
        self.look()

    def look(self) -> None:
        """Tell what is new. Called from the loop's thread, after every commit."""
        for source in self._sources:
            for notice in tuple(getattr(source, "notices", ())):
                if notice not in self._told:
                    self._told.add(notice)
                    if self._say is not None:
                        self._say(notice)
