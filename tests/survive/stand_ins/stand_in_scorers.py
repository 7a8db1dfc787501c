"""In the place of `gen_emerge.scorers.embedded`: the fake scorer of the package, for all four roles.

`STAND_IN_PAUSE` is seconds a batch: the renderer is then ahead of the loop by all that it may be.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from gen_emerge.fakes import FakeScorer
from gen_emerge.protocols import Scorer
from gen_emerge.types import Pixels, Reading

ROLES = ("quality", "prompt", "novelty", "style")


class _Patient(FakeScorer):
    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        time.sleep(float(os.environ.get("STAND_IN_PAUSE", "0")))
        return super().score(images, prompts)


def load(roles: Iterable[str], references: Sequence[str], *, threads: int = 1) -> list[Scorer]:
    return [_Patient()]
