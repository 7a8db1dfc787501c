"""Another version of a scorer: its thresholds rest on the warm-up measured again, and no two spaces are mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loop_crew import Series, crew, rhythm

from gen_emerge.audit import verify_history
from gen_emerge.fakes import FakeScorer
from gen_emerge.scorers.measures import LIMITS
from gen_emerge.types import GATES, Embedding, Pixels, Reading, Signal


class SecondScorer(FakeScorer):
    """The fake scorer's next version: quality ten times as large, distances in a space of nine numbers."""

    versions: Mapping[str, str] = {"quality": "fake-2", "prompt": "fake-1", "novelty": "fake-2", "style": "fake-1"}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        return [self._again(reading) for reading in super().score(images, prompts)]

    def _again(self, reading: Reading) -> Reading:
        signals = tuple(
            Signal(scorer="quality", scorer_version="fake-2", value=10 * s.value) if s.scorer == "quality" else s
            for s in reading.signals
        )
        assert reading.embedding is not None
        vector = reading.embedding.vector[:9]
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return replace(reading, signals=signals, embedding=Embedding(space="fake-2", vector=unit))


def begin(folder: Path) -> Series:
    series = Series(folder, crew(rhythm=rhythm(warmup_cycles=4)))
    series.store.add_input("config", {"settings": 1, "banks": {}}, first_cycle=1)
    return series.run(9)


def change(series: Series) -> Series:
    series.store.add_input("config", {"settings": 2, "banks": {}}, first_cycle=10)
    return series.reopen(scorers=(SecondScorer(),))


@pytest.fixture
def changed(tmp_path: Path) -> Series:
    return change(begin(tmp_path / "a"))


def test_bounds_follow_the_new_scorer_and_only_where_it_changed(changed: Series) -> None:
    before = changed.state.calibration
    changed.run(12)
    after = changed.state.calibration
    assert before is not None and after is not None
    assert (before.version, after.version, after.parent) == (1, 2, 1)
    low, high = before.bounds["quality"].lower, after.bounds["quality"].lower
    assert low is not None and high == pytest.approx(10 * low)
    assert after.bounds["prompt"] == before.bounds["prompt"]
    assert after.bounds["style"] == before.bounds["style"]
    assert after.bounds["novelty"] != before.bounds["novelty"]


def test_what_the_gates_rejected_is_measured_again_too(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", crew(rhythm=rhythm(warmup_cycles=1, batch=16)))
    series.store.add_input("config", {"settings": 1, "banks": {}}, first_cycle=1)
    series.run(2)
    before = series.state.calibration
    first = series.store.candidates(cycle=1)
    assert any(candidate.status == "rejected" and candidate.cause in GATES for candidate in first)
    series.store.add_input("config", {"settings": 2, "banks": {}}, first_cycle=3)
    series.reopen(scorers=(SecondScorer(),)).run(3)
    after = series.state.calibration
    assert before is not None and after is not None
    low, high = before.bounds["quality"].lower, after.bounds["quality"].lower
    assert low is not None and high == pytest.approx(10 * low)


def test_what_was_accepted_is_embedded_again_and_stored_with_the_next_cycle(changed: Series) -> None:
    accepted = sorted(changed.state.accepted)
    assert len(changed.store.embeddings(accepted, "fake-2")[0]) == 0
    changed.run(10)
    ids, vectors = changed.store.embeddings(accepted, "fake-2")
    assert sorted(int(i) for i in ids) == accepted
    assert vectors.shape == (len(accepted), 9)
    assert len(changed.store.embeddings(accepted, "fake-1")[0]) == len(accepted)


def test_killed_after_the_change_the_series_comes_to_the_same(tmp_path: Path, changed: Series) -> None:
    changed.run(14)
    other = change(begin(tmp_path / "b"))
    for cycles in (10, 11, 13, 14):
        other.run(cycles).reopen()
    assert other.state.digest() == changed.state.digest()


def test_without_a_change_the_thresholds_stay(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    series.store.add_input("config", {"settings": 2, "banks": {}}, first_cycle=10)
    series.reopen().run(12)
    assert series.state.calibration is not None
    assert series.state.calibration.version == 1


def switched_and_back(folder: Path) -> Series:
    """A warm-up of three cycles that ended: A measured the first, B the second, A the third and all of them again."""
    limits = {**LIMITS, "quality": (-100.0, 100.0)}
    beat = rhythm(warmup_cycles=3, pipeline_depth=2, axes=("quality", "contrast"))
    series = Series(folder, crew(rhythm=beat, limits=limits))
    for cycle, scorer in ((1, FakeScorer()), (2, SecondScorer()), (3, FakeScorer())):
        noted = {"settings": cycle, "banks": {}, "versions": {**scorer.versions}}
        series.store.add_input("config", noted, first_cycle=cycle)
        series.reopen(scorers=(scorer,)).run(cycle)
    return series


def test_back_to_the_first_scorer_within_the_warm_up_its_numbers_stand(tmp_path: Path) -> None:
    series = switched_and_back(tmp_path / "a")
    second = [candidate.id for candidate in series.store.candidates(cycle=2)]
    assert series.store.numbers("quality", "fake-2").keys() >= set(second)
    found = series.store.signals(None)
    assert {found[number]["quality"].scorer_version for number in second} == {"fake-1"}
    numbers, values = series.store.signal_columns(["quality"])["quality"]
    assert dict(zip(numbers.tolist(), values.tolist(), strict=True)) == {
        number: each["quality"].value for number, each in found.items()
    }
    assert verify_history(series.store) == []
    digest, joined = series.state.digest(), dict(series.live.joined)
    series.reopen()
    assert (series.state.digest(), series.live.joined) == (digest, joined)
    assert any(number in second for those in joined.values() for number, _ in those)


def test_a_scorer_named_after_the_warm_up_changes_no_number_of_it(tmp_path: Path) -> None:
    series = switched_and_back(tmp_path / "a")
    before = series.store.signals(None)
    noted = {"settings": 4, "banks": {}, "versions": dict(SecondScorer.versions)}
    series.store.add_input("config", noted, first_cycle=4)
    assert series.store.signals(None) == before
    assert verify_history(series.store) == []
