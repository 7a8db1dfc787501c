"""The compass through the door: what it says of a series that was judged, beside a running one too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from survive_tools import House, ask_pairs

from gen_emerge.store import Store

LOOP = {"cycles": 30, "warmup_cycles": 3}
LOVED = "fine"
PAIRS = 500


def answer(house: House) -> None:
    """Pairs of any images, drawn by chance: the fine one of two is better, else chance decides."""
    rng = np.random.default_rng(1)
    with Store.open(house.folder("night")) as store:
        scale = {c.id: c.genome.slots["scale"] for c in store.candidates() if c.image}
        for question in ask_pairs(store, sorted(scale), PAIRS, rng):
            fine = [side for side, c in question.images.items() if scale[c] == LOVED]
            word = fine[0] if len(fine) == 1 else ("left", "right")[int(rng.integers(2))]
            told = {"question": question.id, "answer": word, "rater": "anna", "confidence": "sure", "seconds": 1.0}
            store.add_input("answer", told)


@pytest.fixture(scope="session")
def judged(build: Callable[[Path], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    """A series of twelve cycles whose images were compared: to be copied."""
    house = build(tmp_path_factory.mktemp("compass") / "studio")
    house.series("night", loop=LOOP)
    house.call("run", "night", "--cycles", "12")
    answer(house)
    return house


def text(house: House, *arguments: str) -> str:
    shown = house.start("compass", *arguments, json_=False)
    assert shown.wait() == 0
    return shown.out.read_text(encoding="utf-8")


def refused(house: House, *arguments: str) -> str:
    error = house.call("compass", *arguments, code=2)["error"]
    return f"{error['message']} {error['hint'] or ''}".strip()


def test_it_says_what_was_answered_before_any_cycle_heard_it(night: House) -> None:
    before = night.contents("night")
    said = night.call("compass", "night")
    assert night.contents("night") == before
    assert said["answers"]["duels"] == PAIRS
    (found,) = said["more"]
    assert (found["slot"], found["word"]) == ("scale", LOVED)
    assert 0 < found["low"] < found["value"] < found["high"]
    assert {each.get("word") for each in said["unsaid"]} > {"stormy", "glass"}
    assert (LOVED in str(said["less"]), said["coverage"]) == (False, 0.8)
    shown = text(night, "night")
    assert f"more         {LOVED} (scale)" in shown
    assert "80% sure" in shown


def test_with_nothing_to_say_it_says_so_and_what_to_answer(house: House) -> None:
    house.series("night", loop=LOOP)
    assert "has not been run yet" in refused(house, "night")
    house.call("run", "night", "--cycles", "4")
    said = house.call("compass", "night")
    assert (said["more"], said["less"], said["answers"]["duels"]) == ([], [], 0)
    shown = text(house, "night")
    assert "Nobody has compared" in shown
    assert "gen-emerge rounds night --open" in shown
    (question,) = house.call("rounds", "night", "--open", "pairs")["questions"][:1]
    path = house.root / "one.jsonl"
    path.write_text(json.dumps({"question": question["id"], "answer": "left"}) + "\n", encoding="utf-8")
    house.call("judge", "night", "--answers", path)
    assert "No word stands out" in text(house, "night")


def with_word(house: House, word: str, first: int) -> list[int]:
    with house.store("night") as store:
        return [c.id for c in store.candidates() if c.cycle >= first and word in c.genome.slots.values()]


def test_a_running_series_takes_up_two_commands_at_once(night: House) -> None:
    running = night.start("run", "night", "--cycles", "40", env={"TROUBLED_SLEEP": "0.02"})
    night.until(running, lambda: night.committed("night") >= 14)
    both = [night.start("compass", "night", "--never", word) for word in ("fine", "serene")]
    assert [each.wait() for each in both] == [0, 0]
    assert all(each.said["running"] for each in both)
    first = max(each.said["from_cycle"] for each in both)
    assert first < 40
    assert running.wait() == 0
    assert night.call("compass", "night")["never"] == ["fine", "serene"]
    assert with_word(night, "fine", 1)
    assert with_word(night, "fine", first) == with_word(night, "serene", first) == []
    night.healthy("night")


def test_no_two_commands_at_once_can_empty_a_slot(night: House) -> None:
    night.call("compass", "night", "--never", "fine", "--never", "medium")
    both = [night.start("compass", "night", "--never", word) for word in ("bold", "monumental")]
    assert sorted(each.wait() for each in both) == [0, 2]
    assert len(night.call("compass", "night")["never"]) == 3


def test_words_are_forbidden_and_allowed_again_and_others_refused(night: House) -> None:
    said = night.call("compass", "night", "--never", "sumi", "--never", "stormy")
    assert (said["never"], said["from_cycle"], said["running"]) == (["stormy", "sumi"], 13, False)
    assert night.call("compass", "night", "--never", "sumi")["from_cycle"] is None  # it is so already
    before = night.contents("night")
    assert 'Did you mean "ember"?' in refused(night, "night", "--never", "embers")
    assert 'Did you mean "stormy"?' in refused(night, "night", "--allow", "stormi")
    assert "at once" in refused(night, "night", "--allow", "sumi", "--never", "sumi")
    moods = ["serene", "luminous", "sombre", "dreamy", "electric", "melancholic", "joyful"]
    last = refused(night, "night", *(part for word in moods for part in ("--never", word)))
    assert 'Leave out --never "serene", or allow another one first: gen-emerge compass night --allow "stormy"' in last
    scales = [part for word in ("fine", "medium", "bold", "monumental") for part in ("--never", word)]
    assert "slot scale" in refused(night, "night", *scales)
    assert night.contents("night") == before
    shown = text(night, "night", "--allow", "sumi")
    assert "never again  stormy" in shown and "Allowed again: sumi." in shown
    assert "Counts from cycle 13 on: gen-emerge run night" in shown
    night.call("run", "night", "--cycles", "24")
    assert with_word(night, "stormy", 13) == []
    assert with_word(night, "sumi", 13)
