"""In the place of `gen_emerge.scorers.loading`: scorers made of a small JSON file, the table's `weights`.

The file may hold `power` and `scale` (what becomes of the fake's numbers), `width` (how many numbers of its vector are
left), `raises`, `nan` = N: every picture whose number is a multiple of N, and `refuses`: the hint with which it cannot
be opened. `STAND_IN_BREATH` is seconds a batch, `STAND_IN_LOG` names a file that gets a line a measured picture.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.errors import BadInput
from gen_emerge.fakes import FakeScorer
from gen_emerge.protocols import Scorer
from gen_emerge.store import pixels_hash
from gen_emerge.types import GATES, Embedding, Pixels, Reading, Signal


class Other:
    """One gate by another scorer."""

    def __init__(self, gate: str, path: Path) -> None:
        text = path.read_bytes()
        self._gate, self._about = gate, json.loads(text)
        if "refuses" in self._about:
            raise BadInput("It cannot be opened.", hint=self._about["refuses"])
        self._version = f"other-{hashlib.sha256(text).hexdigest()[:12]}"
        self.roles = frozenset({gate})
        self.versions = {gate: self._version}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        time.sleep(float(os.environ.get("STAND_IN_BREATH", "0")))
        if path := os.environ.get("STAND_IN_LOG"):
            with open(path, "a", encoding="utf-8") as log:  # noqa: PTH123
                log.writelines(f"{self._version} {pixels_hash(image)}\n" for image in images)
        readings = FakeScorer().score(images, prompts)
        return [self._read(image, reading) for image, reading in zip(images, readings, strict=True)]

    def _read(self, image: Pixels, reading: Reading) -> Reading:
        number = int(pixels_hash(image)[:8], 16)
        if self._strikes("raises", number):
            raise ValueError("no number for this picture")
        if self._gate == "novelty":
            assert reading.embedding is not None
            vector = reading.embedding.vector[: self._about.get("width", 9)]
            unit = (vector / np.linalg.norm(vector)).astype(np.float32)
            return Reading(signals=(), embedding=Embedding(space=self._version, vector=unit))
        (value,) = (s.value for s in reading.signals if s.scorer == self._gate)
        value = self._about.get("scale", 1.0) * value ** self._about.get("power", 1.0)
        value = math.nan if self._strikes("nan", number) else value
        return Reading(signals=(Signal(scorer=self._gate, scorer_version=self._version, value=value),))

    def _strikes(self, trouble: str, number: int) -> bool:
        every = self._about.get(trouble, 0)
        return bool(every) and number % every == 0


def load(
    tables: Mapping[str, tuple[str, Mapping[str, Any]]], references: Sequence[str], **_: Any
) -> tuple[Scorer, ...]:
    weights = {gate: options.get("weights") for gate, (_, options) in tables.items()}
    return tuple(Other(gate, Path(weights[gate] or weights["prompt"])) for gate in GATES if gate in tables)
