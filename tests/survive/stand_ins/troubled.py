"""A generator with troubles on demand, offered to gen-emerge as another distribution would: by an entry point.

Options of `[generator]`: `raises`, `nan`, `size`, `few`, `ints` = N strike every genome whose number is a multiple of
N; `kills`, `exits` = a genome's hash end its process, `leaves` asks it to end. Without any it is the package's fake.
`TROUBLED_LOG` names a file that gets a line a rendered genome; `TROUBLED_SLEEP` is seconds a batch.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.fakes import FakeGenerator
from gen_emerge.types import Genome


def number(genome: str) -> int:
    """A number of a genome's hash."""
    return int(genome[:8], 16)


class Troubled(FakeGenerator):
    name = "troubled"
    version = "troubled-1"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def render(self, genomes: Sequence[Genome]) -> list[NDArray[Any]]:
        if path := os.environ.get("TROUBLED_LOG"):
            with open(path, "a", encoding="utf-8") as log:  # noqa: PTH123
                log.writelines(f"{genome.hash}\n" for genome in genomes)
        time.sleep(float(os.environ.get("TROUBLED_SLEEP", "0")))
        pictures: list[NDArray[Any]] = []
        for genome, picture in zip(genomes, super().render(genomes), strict=True):
            if self._options.get("kills") == genome.hash:
                os.kill(os.getpid(), signal.SIGKILL)
            if self._options.get("exits") == genome.hash:
                os._exit(7)
            if self._options.get("leaves") == genome.hash:
                raise SystemExit(0)
            if self._strikes("raises", genome):
                raise ValueError(f"no picture for {genome.hash[:12]}")
            if self._strikes("few", genome):
                continue
            pictures.append(self._spoiled(genome, picture))
        return pictures

    def _spoiled(self, genome: Genome, picture: NDArray[np.uint8]) -> NDArray[Any]:
        if self._strikes("nan", genome):
            broken = picture / 255.0
            broken[3:7, 2:9] = np.nan
            return broken
        if self._strikes("size", genome):
            return picture[:-1]
        if self._strikes("ints", genome):
            return picture.astype(np.int64)
        return picture

    def _strikes(self, trouble: str, genome: Genome) -> bool:
        every = self._options.get(trouble, 0)
        return bool(every) and number(genome.hash) % every == 0
