"""What a generator learned of its memory is in force from the cycle it was learned in, in every run; never before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from gen_emerge import crew as crews
from gen_emerge import series as house
from gen_emerge.config import parse, write_series
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.microbatch import LEARNED, MicroBatch
from gen_emerge.store import Store

PATIENCE = 20.0


class Cramped(FakeGenerator):
    """Its pictures show the size of their batch; the first one made runs out of memory in its fourth batch."""

    made: list[Cramped] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.learned_batch: int | None = None
        self.batches = 0
        self.pressed = not Cramped.made
        self.fourth = Event()
        Cramped.made.append(self)

    def render(self, genomes: Any) -> Any:
        self.batches += 1
        if self.batches == 4 and self.pressed:
            self.learned_batch = 2
        pictures = super().render(genomes)
        for picture in pictures:
            picture[0, 0] = self.learned_batch or 0
        if self.batches == 4:
            self.fourth.set()
        return pictures


class Patient(FakeScorer):
    """Measures the second cycle only when the fourth was rendered: two cycles then wait to be committed."""

    calls = 0

    def score(self, images: Any, prompts: Any) -> Any:
        self.calls += 1
        if self.calls == 2 and Cramped.made[-1].pressed:
            assert Cramped.made[-1].fourth.wait(PATIENCE)
        return super().score(images, prompts)


@pytest.fixture
def night(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    Cramped.made.clear()
    monkeypatch.setattr(crews, "load_generator", lambda config: Cramped())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (Patient(),))
    loop = {"batch": 4, "warmup_cycles": 2, "pipeline_depth": 2}
    config = parse({"name": "night", "loop": loop, "image": {"width": 32, "height": 32}})
    (studio / "experiments" / "series" / "night.toml").write_text(write_series(config), encoding="utf-8")
    yield studio
    Cramped.made.clear()


def sizes(studio: Path, archive: str) -> dict[int, set[int]]:
    """Cycle -> the sizes its committed pictures show."""
    from gen_emerge.store.images import read_pixels

    found: dict[int, set[int]] = {}
    folder = studio / archive / "night"
    with closing(Store.open(folder, readonly=True)) as store:
        for candidate in store.candidates():
            assert candidate.image is not None
            found.setdefault(candidate.cycle, set()).add(int(read_pixels(folder / candidate.image.path)[0, 0, 0]))
    return found


def learned(studio: Path, archive: str) -> list[tuple[int, Any]]:
    with closing(Store.open(studio / archive / "night", readonly=True)) as store:
        return [(item.first_cycle, dict(item.payload)) for item in store.inputs_of(LEARNED)]


def test_a_run_begun_again_renders_the_cycles_before_as_they_were(night: Path) -> None:
    whole = house.run(night, night / "whole", "night", cycles=6)
    Cramped.made.clear()
    commits = iter([False, True])
    stopped = house.run(night, night / "cut", "night", cycles=6, stop=lambda: next(commits))
    assert stopped["cycle"] == 2 and Cramped.made[-1].batches == 4
    parts = house.run(night, night / "cut", "night", cycles=6)
    assert sizes(night, "whole") == {1: {0}, 2: {0}, 3: {0}, 4: {2}, 5: {2}, 6: {2}}
    assert sizes(night, "cut") == sizes(night, "whole")
    assert learned(night, "cut") == learned(night, "whole") == [(4, {"images": 2})]
    assert parts["digest"] == whole["digest"]


def test_what_was_learned_is_durable_before_its_cycle_s_pictures_are_seen(night: Path) -> None:
    committed: list[tuple[int, list[Any]]] = []

    def note(figures: Any) -> None:
        committed.append((figures["cycle"], learned(night, "archive")))

    house.run(night, night / "archive", "night", cycles=5, progress=note)
    assert [known for cycle, known in committed if cycle >= 2] == [[(4, {"images": 2})]] * 4


def test_the_fewest_images_learned_up_to_a_cycle_are_in_force(tmp_path: Path) -> None:
    class Generator:
        learned_batch: int | None = None

    with Store.create(tmp_path / "s", {}) as store:
        first = MicroBatch(generator := Generator(), store)
        for cycle, size in ((1, None), (2, 8), (3, None), (4, 2)):
            with first.during(cycle):
                if size:
                    generator.learned_batch = size
        again = MicroBatch(generator := Generator(), store)
        given: list[int | None] = []
        for cycle in range(1, 6):
            with again.during(cycle):
                given.append(generator.learned_batch)
        assert given == [None, 8, 8, 2, 2] == [again.at(cycle) for cycle in range(1, 6)]
        assert len(store.inputs_of(LEARNED)) == 2
        with MicroBatch(object(), store).during(5):  # who cannot learn is not told
            pass


def test_it_is_written_down_though_the_batch_then_raised(tmp_path: Path) -> None:
    class Generator:
        learned_batch: int | None = None

    with Store.create(tmp_path / "s", {}) as store:
        generator = Generator()
        with pytest.raises(RuntimeError, match="as well"), MicroBatch(generator, store).during(3):
            generator.learned_batch = 4
            raise RuntimeError("as well")
        assert [(item.first_cycle, item.payload["images"]) for item in store.inputs_of(LEARNED)] == [(3, 4)]
