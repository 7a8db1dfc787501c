"""A head through the door of real processes: a running series takes it up, and kills between the two change nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from survive_tools import House, ask_pairs

from gen_emerge.heads import KIND
from gen_emerge.store import Store

LOOP = {"cycles": 30, "warmup_cycles": 3, "batch": 8}
PAIRS = 200


def answer(house: House) -> None:
    """Pairs drawn by chance, answered by a taste for a direction of the embedding."""
    rng = np.random.default_rng(1)
    with Store.open(house.folder("night")) as store:
        (space,) = store.spaces()
        numbers, vectors = store.embeddings(None, space)
        values = vectors @ rng.normal(size=vectors.shape[1])
        taste = dict(zip(numbers.tolist(), (4.0 * (values - values.mean()) / values.std()).tolist(), strict=True))
        told: list[tuple[str, dict[str, str]]] = []
        for question in ask_pairs(store, sorted(taste), PAIRS, rng):
            odds = taste[question.images["left"]] - taste[question.images["right"]]
            word = "left" if rng.random() < 1 / (1 + np.exp(-odds)) else "right"
            told.append(("answer", {"question": question.id, "answer": word, "rater": "anna", "confidence": "sure"}))
        store.add_inputs(told)


@pytest.fixture(scope="session")
def judged(build: Callable[[Path], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    """A series of ten cycles whose images were compared: to be copied."""
    house = build(tmp_path_factory.mktemp("reward") / "studio")
    house.series("night", loop=LOOP)
    house.call("run", "night", "--cycles", "10")
    answer(house)
    return house


def settled(house: House) -> dict[int, set[str]]:
    """Cycle -> the versions that settled duels in it."""
    found: dict[int, set[str]] = {}
    with house.store("night") as store:
        for outcome in store.history():
            found[outcome.cycle] = {duel.judge.split(":")[1] for duel in outcome.duels if duel.by_head}
    return found


def test_a_running_series_takes_a_head_up_and_gives_it_back(night: House) -> None:
    running = night.start("run", "night", "--cycles", "30", env={"TROUBLED_SLEEP": "0.03"})
    night.until(running, lambda: night.committed("night") >= 11)
    said = night.call("train", "reward", "night", "--apply")
    assert (said["running"], said["active"], said["version"]) == (True, True, 1)
    assert said["from_cycle"] < 30
    assert running.wait() == 0
    by = settled(night)
    assert {version for cycle, those in by.items() if cycle < said["from_cycle"] for version in those} == set()
    assert {version for those in by.values() for version in those} == {"1"}
    night.healthy("night")


def test_kills_between_training_and_its_effect_change_nothing(night: House) -> None:
    said = night.call("train", "reward", "night", "--apply")
    night.call("train", "reward", "night", "--rollback", "0")
    with night.store("night") as store:
        assert [item.first_cycle for item in store.inputs_of(KIND)] == [said["from_cycle"]] * 2
    both = [night.start("train", "reward", "night", "--rollback", "1") for _ in range(2)]
    assert sorted(each.wait() for each in both) == [0, 2]  # of two at once one is the next version
    for cycle in (12, 15, 19):
        running = night.start("run", "night", "--cycles", "24", env={"TROUBLED_SLEEP": "0.03"})
        night.until(running, lambda until=cycle: night.committed("night") >= until)
        running.kill()
    night.call("run", "night", "--cycles", "24")
    assert {version for those in settled(night).values() for version in those} == {"3"}
    night.healthy("night")
