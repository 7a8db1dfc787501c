"""What generators and scorers have to tell is told once; what a generator learned of its memory is kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gen_emerge import crew as crews
from gen_emerge import series as house
from gen_emerge.config import parse, write_series
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.store import Store


class Cramped(FakeGenerator):
    """Runs out of memory in its third batch, as it says itself."""

    made: list[Cramped] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.given: int | None = None
        self.learned_batch: int | None = None
        Cramped.made.append(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "learned_batch" and value is not None and not self.batches:
            self.given = value
        super().__setattr__(name, value)

    @property
    def notices(self) -> tuple[str, ...]:
        return ("not for sale", *(["the batch is 2 now"] if self.learned_batch else []))

    def render(self, genomes: Any) -> Any:
        self.batches += 1
        if self.batches == 3 and self.given is None:
            self.learned_batch = 2
        return super().render(genomes)


class Talkative(FakeScorer):
    notices = ("a prompt was long",)


@pytest.fixture
def night(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Cramped.made.clear()
    monkeypatch.setattr(crews, "load_generator", lambda config: Cramped())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (Talkative(),))
    config = parse({"name": "night", "loop": {"batch": 4, "warmup_cycles": 2}, "image": {"width": 32, "height": 32}})
    (studio / "experiments" / "series" / "night.toml").write_text(write_series(config), encoding="utf-8")
    return studio


def learned(studio: Path) -> list[Any]:
    with closing(Store.open(studio / "archive" / "night", readonly=True)) as store:
        return [dict(item.payload) for item in store.inputs_of("micro-batch")]


def test_notices_are_told_once_and_a_learned_batch_is_kept(night: Path) -> None:
    said: list[str] = []
    house.run(night, night / "archive", "night", cycles=6, say=said.append)
    assert said == ["not for sale", "a prompt was long", "the batch is 2 now"]
    assert learned(night) == [{"images": 2}]
    assert Cramped.made[-1].given is None
    again: list[str] = []
    house.run(night, night / "archive", "night", cycles=8, say=again.append)
    assert Cramped.made[-1].given == 2 and learned(night) == [{"images": 2}]
    assert again == ["not for sale", "the batch is 2 now", "a prompt was long"]


def test_nobody_has_to_listen(night: Path) -> None:
    assert house.run(night, night / "archive", "night", cycles=6)["state"] == "done"
