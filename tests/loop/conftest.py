from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loop_crew import Series

from gen_emerge.roles import Crew


@pytest.fixture
def series(tmp_path: Path) -> Iterator[Callable[[Crew], Series]]:
    """Makes series in folders of this test's own; closed when it ends."""
    made: list[Series] = []

    def make(crew: Crew, name: str = "") -> Series:
        made.append(Series(tmp_path / (name or f"series-{len(made)}"), crew))
        return made[-1]

    yield make
    for each in made:
        each.stop()
