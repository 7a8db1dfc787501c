"""What generators and scorers have to tell is told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gen_emerge import crew as crews
from gen_emerge import series as house
from gen_emerge.config import parse, write_series
from gen_emerge.fakes import FakeGenerator, FakeScorer


class Cramped(FakeGenerator):
    """Has something to tell from the beginning, and more in its third batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    @property
    def notices(self) -> tuple[str, ...]:
        return ("not for sale", *(["the batch is 2 now"] if self.batches >= 3 else []))

    def render(self, genomes: Any) -> Any:
        self.batches += 1
        return super().render(genomes)


class Talkative(FakeScorer):
    notices = ("a prompt was long",)


@pytest.fixture
def night(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(crews, "load_generator", lambda config: Cramped())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (Talkative(),))
    config = parse({"name": "night", "loop": {"batch": 4, "warmup_cycles": 2}, "image": {"width": 32, "height": 32}})
    (studio / "experiments" / "series" / "night.toml").write_text(write_series(config), encoding="utf-8")
    return studio


def test_notices_are_told_once_a_run(night: Path) -> None:
    for cycles in (6, 10):
        said: list[str] = []
        house.run(night, night / "archive", "night", cycles=cycles, say=said.append)
        assert said == ["not for sale", "a prompt was long", "the batch is 2 now"]


def test_nobody_has_to_listen(night: Path) -> None:
    assert house.run(night, night / "archive", "night", cycles=6)["state"] == "done"
