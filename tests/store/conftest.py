from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gen_emerge.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "night", {"seed": 7, "reference": ["b", "a"]}) as made:
        yield made
