"""Learned axes from outside: the series file, what status, inspect and an account say, and what is refused."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen_emerge import crew as crews
from gen_emerge.cli import main as door
from gen_emerge.config import as_table, parse
from gen_emerge.errors import BadConfig, BadInput
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.preference.axes import Learn
from gen_emerge.series import Studio
from gen_emerge.store import Store
from gen_emerge.types import Question, Round

LOOP = {"batch": 8, "warmup_cycles": 2, "cycles": 24, "checkin_every": 0}


@pytest.fixture
def house(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    return Studio(studio)


def night(house: Studio, **axes: Any) -> Studio:
    house.new("night", image={"width": 48, "height": 48}, loop=LOOP, archive={"dims": [8, 8]}, axes=axes)
    return house


@pytest.fixture
def laid(house: Studio) -> Studio:
    """A series whose map was laid along what the scorer finds alike."""
    night(house, learn="distance", refit_every=20).run("night")
    return house


def said(house: Studio, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert door.main(["--root", str(house.root), *arguments]) == 0
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_new_series_file_says_that_axes_are_not_learned(house: Studio) -> None:
    night(house)
    text = (house.root / "experiments" / "series" / "night.toml").read_text()
    assert tomllib.loads(text)["axes"] == {"learn": "off", "refit_every": 100}
    assert "which is" in text.split("[axes]")[1].split("[filters]")[0]


@pytest.mark.parametrize(
    ("table", "path"),
    [({"learn": "people"}, "axes.learn"), ({"refit_every": 19}, "axes.refit_every"), ({"refit": 20}, "axes.refit")],
)
def test_what_is_no_way_to_learn_axes_is_refused(table: dict[str, Any], path: str) -> None:
    with pytest.raises(BadConfig, match=path):
        parse({"name": "night", "axes": table})


def test_the_crew_learns_as_the_series_file_says(house: Studio) -> None:
    config = parse({"name": "night", "axes": {"learn": "triplets", "refit_every": 30}})
    assert crews.learn_of(config) == Learn(source="triplets", every=30)
    assert parse(as_table(config)) == config


def test_a_series_without_learned_axes_says_nothing_of_them(house: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    night(house).run("night", cycles=3)
    assert "learned_axes" not in house.status("night")
    assert house.inspect("night")["learned_axes"] is None
    assert "learned" not in said(house, capsys, "status", "night") + said(house, capsys, "inspect", "night")


def test_status_inspect_and_the_report_say_how_well_axes_foretell(
    laid: Studio, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = laid.status("night")["learned_axes"]
    assert told == laid.inspect("night")["learned_axes"]
    assert (told["learn"], told["version"], told["since"], told["fit"]["cycle"]) == ("distance", 2, 22, 20)
    fit = told["fit"]
    assert fit["low"] < fit["accuracy"] < fit["high"] and fit["chance"] == 0.5 and fit["embedding"] == 1.0
    assert told["answered"] is None and told["wanted"] is None
    sentence = f"named in {fit['accuracy']:.0%} (95% interval: {fit['low']:.0%} to {fit['high']:.0%})"
    assert sentence in said(laid, capsys, "status", "night")
    assert sentence in said(laid, capsys, "inspect", "night")
    page = tmp_path / "map.html"
    said(laid, capsys, "inspect", "night", "--html", str(page))
    assert sentence in re.sub(r"\s+", " ", page.read_text())
    assert [axis["name"] for axis in laid.inspect("night")["axes"]] == ["learned 1", "learned 2"]
    assert "stands in for people" in said(laid, capsys, "status", "night")


def test_until_enough_triplets_are_answered_it_says_how_many_are(
    house: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    night(house, learn="triplets", refit_every=20).run("night", cycles=4)
    with Store.open(house.archive / "night") as store:
        question = Question(
            id="r9-1", kind="triplet", ask="similarity", prompt="", images={"reference": 1, "a": 2, "b": 3}
        )
        store.add_round(Round(id="r9", cycle=4, reason="request", questions=(question,)))
        store.add_input("answer", {"question": "r9-1", "answer": "a", "rater": "anna", "confidence": "sure"})
    told = house.status("night")["learned_axes"]
    assert (told["version"], told["since"], told["answered"], told["wanted"], told["fit"]) == (None, None, 1, 60, None)
    assert "1 triplets are answered, 60 are wanted" in said(house, capsys, "status", "night")


def test_an_account_says_what_became_of_everybody_when_the_map_was_relaid(laid: Studio) -> None:
    elites = {elite["candidate"]: elite["cell"] for elite in laid.inspect("night")["elites"]}
    sentences = set()
    for number in range(1, 24 * 8 + 1):
        found = laid.inspect("night", candidate=number)
        assert found["on_map"] == (number in elites)
        if number in elites:
            assert found["cell"] == elites[number]
        elif found["status"] == "passed" and found["cell"] is not None:
            assert found["holder"] != number
        if "has no place on the map since" in found["said"]:
            assert found["placements"] and (found["cell"], found["holder"]) == (None, None)
        sentences.add(re.sub(r"\d+", "N", found["said"]))
    assert any("since the map was re-laid in cycle N" in sentence for sentence in sentences)
    assert any("has no place on the map since that was re-laid" in sentence for sentence in sentences)
    assert any("When the map was re-laid in cycle N, it met candidate N" in sentence for sentence in sentences)


def test_a_series_with_learned_axes_verifies_and_damage_to_them_is_named(
    laid: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads(said(laid, capsys, "--json", "verify", "night"))["ok"]
    import sqlite3

    with sqlite3.connect(laid.archive / "night" / "series.db") as database:
        for table, column, value in (("axes", "low", "'[-9.0, -9.0]'"), ("placements", "cell", "cell + 1")):
            database.execute(f"DROP TRIGGER {table}_no_update")
            where = (
                "version = 2" if table == "axes" else "id = (SELECT max(id) FROM placements WHERE reason = 're-laid')"
            )
            database.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")
    capsys.readouterr()
    door.main(["--root", str(laid.root), "--json", "verify", "night"])
    problems = json.loads(capsys.readouterr().out)["problems"]
    told = " ".join(problem.get("path", "") for problem in problems)
    assert "places under axes version 2 do not follow" in told
    assert "the ranges of axes version 2 are not those that were learned" in told


def test_the_embedding_of_a_laid_map_is_not_exchanged(laid: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(FakeScorer):
        @property
        def versions(self) -> Any:
            return {**super().versions, "novelty": "other-1"}

    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (Other(),))
    with pytest.raises(BadInput, match="projection"):
        laid.run("night", cycles=25)
    with Store.open(laid.archive / "night", readonly=True) as store:
        assert store.committed() == 24 and len(store.inputs_of("config")) == 1


def test_a_map_that_is_laid_stays_when_learning_is_switched_off(laid: Studio) -> None:
    file = laid.root / "experiments" / "series" / "night.toml"
    file.write_text(
        file.read_text().replace('learn = "distance"', 'learn = "off"').replace("cycles = 24", "cycles = 44")
    )
    laid.run("night")
    told = laid.inspect("night")["learned_axes"]
    assert (told["learn"], told["version"]) == ("off", 2)
    with Store.open(laid.archive / "night", readonly=True) as store:
        assert len(store.inputs_of("axes")) == 1
        ids, _ = store.embeddings(None, store.spaces()[-1])
        assert len(ids) > 0 and np.all(np.diff(ids) > 0)
