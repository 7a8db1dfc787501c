"""In the place of `gen_emerge.scorers.embedded`: the fake scorer of the package, for all four roles.

`STAND_IN_PAUSE` is seconds a batch: the renderer is then ahead of the loop by all that it may be.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from gen_emerge.fakes import FakeScorer
from gen_emerge.protocols import Scorer
from gen_emerge.store import pixels_hash
from gen_emerge.types import Pixels, Reading

ROLES = ("quality", "prompt", "novelty", "style")


class _Patient(FakeScorer):
    """The fake, for the roles that are wanted."""

    def __init__(self, roles: frozenset[str]) -> None:
        self.roles = roles
        self.versions = {name: version for name, version in FakeScorer.versions.items() if name in roles}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        time.sleep(float(os.environ.get("STAND_IN_PAUSE", "0")))
        if path := os.environ.get("STAND_IN_LOG"):
            with open(path, "a", encoding="utf-8") as log:  # noqa: PTH123
                log.writelines(f"{' '.join(sorted(self.roles))} {pixels_hash(image)}\n" for image in images)
        return [self._wanted(reading) for reading in super().score(images, prompts)]

    def _wanted(self, reading: Reading) -> Reading:
        signals = tuple(signal for signal in reading.signals if signal.scorer in self.roles)
        return Reading(signals=signals, embedding=reading.embedding if "novelty" in self.roles else None)


def load(roles: Iterable[str], references: Sequence[str], *, threads: int = 1) -> list[Scorer]:
    return [_Patient(frozenset(roles))]
