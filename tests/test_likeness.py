"""What a series teaches a distance: its triplets, and nothing else. No network is opened here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from gen_emerge import crew as crews
from gen_emerge import likeness
from gen_emerge.cli import main as door
from gen_emerge.errors import BadInput
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.likeness import Triplet, pictures_of, triplets
from gen_emerge.series import Studio
from gen_emerge.store import Store
from gen_emerge.types import Question, Round


@pytest.fixture
def night(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    house = Studio(studio)
    house.new("night", image={"width": 48, "height": 48}, loop={"batch": 8, "warmup_cycles": 2, "cycles": 3})
    house.run("night")
    return house


def opened(house: Studio) -> Store:
    return Store.open(house.archive / "night")


def ask(store: Store, number: int, *threes: tuple[int, int, int]) -> list[str]:
    questions = tuple(
        Question(
            id=f"r{number}-{k}", kind="triplet", ask="similarity", prompt="", images={"reference": r, "a": a, "b": b}
        )
        for k, (r, a, b) in enumerate(threes, start=1)
    )
    assert store.add_round(Round(id=f"r{number}", cycle=store.committed(), reason="request", questions=questions))
    return [question.id for question in questions]


def say(store: Store, question: str, answer: str, rater: str = "anna", **more: Any) -> None:
    store.add_input("answer", {"question": question, "answer": answer, "rater": rater, "confidence": "sure", **more})


@pytest.fixture
def train(night: Studio, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def call(*arguments: object, code: int = 2) -> Any:
        capsys.readouterr()
        assert door.main(["--root", str(night.root), "--json", "train", "clpips", *map(str, arguments)]) == code
        return json.loads(capsys.readouterr().out)["error"]

    return call


def test_a_triplet_that_was_decided_names_the_nearer_picture(night: Studio) -> None:
    with opened(night) as store:
        one, two, three, four = ask(store, 900, (1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12))
        say(store, one, "a")
        say(store, two, "b")
        say(store, three, "unsure")
        say(store, four, "skip")
        say(store, one, "b", "ben")
        say(store, two, "a")  # she changed her mind
        ranking = Question(
            id="r901-1", kind="rank4", ask="quality", prompt="", images=dict(zip("abcd", range(1, 5), strict=True))
        )
        store.add_round(Round(id="r901", cycle=3, reason="request", questions=(ranking,)))
        say(store, "r901-1", "ranked", order=list("abcd"))
        found = triplets(store)
        assert found == [
            Triplet(question=one, rater="anna", reference=1, nearer=2, farther=3),
            Triplet(question=one, rater="ben", reference=1, nearer=3, farther=2),
            Triplet(question=two, rater="anna", reference=4, nearer=5, farther=6),
        ]
        assert triplets(store, rater="ben") == found[1:2]
        with pytest.raises(BadInput, match='"bea" has answered no triplet') as caught:
            triplets(store, rater="bea")
        assert "ben" in caught.value.hint


def test_pictures_that_are_lost_changed_or_of_another_size_are_left_out_and_counted(
    night: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = likeness.read_stored
    folder = night.archive / "night"
    with opened(night) as store:
        for question in ask(store, 900, (1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)):
            say(store, question, "b")
        paths = {c.id: folder / c.image.path for c in store.candidates() if c.image}
        paths[5].unlink()
        Pillow.fromarray(np.zeros((40, 48, 3), np.uint8)).save(paths[7])
        # An imported picture may have a size of its own.
        monkeypatch.setattr(
            likeness,
            "read_stored",
            lambda place, image: read(place, image)[: 40 if place / image.path == paths[12] else None],
        )
        seen, left_out = pictures_of(store, folder, triplets(store))
        ((one, pictures),) = seen
        assert (one.question, left_out) == ("r900-1", 3)
        for number, pixels in zip((1, 3, 2), pictures, strict=True):
            assert np.array_equal(pixels, np.asarray(Pillow.open(paths[number]).convert("RGB")))


def test_too_few_triplets_are_refused_with_what_asks_for_more(night: Studio, train: Callable[..., Any]) -> None:
    asks = "gen-emerge rounds night --open triplets"
    said = train("night")
    assert "0 triplets were decided, wanted 60 or more" in said["message"] and asks in said["hint"]
    with opened(night) as store:
        rng = np.random.default_rng(1)
        threes = [tuple(int(c) for c in rng.choice(np.arange(4, 25), 2, replace=False)) for _ in range(60)]
        asked = ask(store, 900, *((1 + k % 3, *pair) for k, pair in enumerate(threes)))
        for question in asked[:-1]:
            say(store, question, "a")
        assert "59 triplets" in train("night")["message"]
        say(store, asked[-1], "a", "ben")
    few = train("night")
    assert "3 different references, wanted 6" in few["message"] and asks in few["hint"]
    assert "1 triplet was decided" in train("night", "--rater", "ben")["message"]
    assert not list((night.archive / "night" / "models").iterdir())


def test_what_is_neither_series_nor_folder_is_told(
    night: Studio, train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = train("nigth")
    assert "neither a series nor a folder nigth" in said["message"] and "night" in said["hint"]
    sets = tmp_path / "night" / "one"
    sets.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "triplets" in train("night")["message"], "a folder without ranked sets does not hide the series"
    (sets / "ranks.json").write_text("{}", encoding="utf-8")
    assert "--into DIR" in train("night")["message"], "one with them goes before it"
    assert "ranks.json" in train("night", "--into", tmp_path / "mine")["message"]
    assert "--rater belongs to a series" in train("night", "--rater", "anna")["message"]
    assert "lies in" in train(tmp_path / "night", "--into", night.archive / "night" / "images")["message"]
