"""A series folder that was tampered with or torn apart: nothing is swept away, nothing goes on in vain."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from gen_emerge import crew as crews
from gen_emerge import series as series_module
from gen_emerge.audit import verify
from gen_emerge.compass import tell as forbid
from gen_emerge.config import load
from gen_emerge.errors import BadInput, Damaged, FixedKeyChanged
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.opening import create
from gen_emerge.series import Studio
from gen_emerge.store import Store, pixels_hash
from gen_emerge.store import verify as checks
from gen_emerge.types import Pixels, Reading


class NextScorer(FakeScorer):
    versions: Mapping[str, str] = {**FakeScorer.versions, "novelty": "fake-2"}

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
        readings = super().score(images, prompts)
        return [replace(r, embedding=replace(r.embedding, space="fake-2")) for r in readings if r.embedding]


class NextGenerator(FakeGenerator):
    version = "fake-2"


@pytest.fixture
def house(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    house = Studio(studio)
    house.new("night", image={"width": 48, "height": 48}, loop={"batch": 4, "warmup_cycles": 2, "cycles": 4})
    return house


def pictures(house: Studio) -> list[Path]:
    return sorted((house.archive / "night" / "images").rglob("*.png"))


def test_pictures_without_a_database_are_named_and_never_swept(house: Studio) -> None:
    house.run("night")
    before = pictures(house)
    for file in (house.archive / "night").glob("series.db*"):
        file.unlink()
    found = verify(house.root, house.archive, "night")
    assert not found["ok"]
    assert {problem["kind"] for problem in found["problems"]} == {"orphan"}
    assert sum(problem["path"].endswith(".png") for problem in found["problems"]) == len(before) == 16
    with pytest.raises(BadInput, match=r"16 pictures but no series\.db"):
        house.run("night")
    assert pictures(house) == before


def test_a_database_removed_while_the_series_runs_is_noticed(house: Studio) -> None:
    def remove(figures: Any) -> None:
        if figures["cycle"] == 2:
            (house.archive / "night" / "series.db").unlink()

    with pytest.raises(Damaged, match="removed or replaced"):
        house.run("night", cycles=50, progress=remove)


def test_a_run_with_nothing_to_do_needs_no_picture(house: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    done = house.run("night")
    for lost in pictures(house):
        lost.unlink()
    # Pictures that a new scorer would want to see, and that nobody can paint again.
    monkeypatch.setattr(crews, "load_generator", lambda config: NextGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (NextScorer(),))
    assert house.run("night")["digest"] == done["digest"]
    with pytest.raises(Damaged, match="cannot be read"):
        house.run("night", cycles=5)


def test_a_lost_picture_is_painted_again_where_a_new_scorer_must_see_it(
    house: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run("night")
    for lost in pictures(house):
        lost.unlink()
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (NextScorer(),))
    assert house.run("night", cycles=6)["state"] == "done"


def test_a_picture_that_was_changed_is_painted_again_before_a_new_scorer_sees_it(
    house: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run("night")
    seen: set[str] = set()

    class Looking(NextScorer):
        def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> list[Reading]:
            seen.update(pixels_hash(image) for image in images)
            return super().score(images, prompts)

    black = np.zeros((48, 48, 3), dtype=np.uint8)
    for changed in pictures(house):
        Pillow.fromarray(black).save(changed)
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (Looking(),))
    house.run("night", cycles=6)
    assert len(seen) > 16 and pixels_hash(black) not in seen


def test_a_series_that_begins_anew_leaves_a_copy_beside_its_database_alone(house: Studio) -> None:
    path = house.root / "experiments" / "series" / "night.toml"
    config = load(path, known=crews.known_names())
    folder = house.archive / "night"
    create(house.root, house.archive, config)
    copy = folder / "series.db.bak"
    copy.write_bytes((folder / "series.db").read_bytes())
    path.write_text(path.read_text().replace("seed = 7", "seed = 8"))
    assert house.run("night")["cycle"] == 4
    assert copy.exists()
    with Store.open(folder, readonly=True) as store:
        assert store.facts["fixed"]["seed"] == 8


def test_what_is_said_while_a_series_is_about_to_begin_anew_is_not_lost(
    house: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assembling a crew takes minutes with large models: whatever comes meanwhile, the series stays what it was."""
    path = house.root / "experiments" / "series" / "night.toml"
    create(house.root, house.archive, load(path, known=crews.known_names()))
    path.write_text(path.read_text().replace("seed = 7", "seed = 8"))
    assemble = series_module.assemble

    def slowly(*given: Any, **named: Any) -> Any:
        crew = assemble(*given, **named)
        forbid(house.root, house.archive, "night", never=["serene"])
        return crew

    monkeypatch.setattr(series_module, "assemble", slowly)
    with pytest.raises(FixedKeyChanged, match="seed was 7"):
        house.run("night")
    with Store.open(house.archive / "night", readonly=True) as store:
        assert store.facts["fixed"]["seed"] == 7 and len(store.inputs_of("compass")) == 1


def test_a_series_that_begins_anew_knows_nothing_of_its_settings_before_and_is_append_only_again(
    house: Studio,
) -> None:
    path = house.root / "experiments" / "series" / "night.toml"
    config = load(path, known=crews.known_names())
    create(house.root, house.archive, config)
    folder = house.archive / "night"
    with Store.open(folder) as store:
        store.add_input("config", {"settings": {}, "banks": {config.prompts.bank: "of another content"}})
        store.begin(1, 0.0)
    path.write_text(path.read_text().replace("seed = 7", "seed = 8"))
    assert house.run("night")["cycle"] == 4
    assert house.run("night", cycles=5)["cycle"] == 5
    with closing(sqlite3.connect(folder / "series.db")) as database:
        for table in ("series", "inputs", "attempts"):
            for change in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    database.execute(change)


def few_schools(house: Studio) -> None:
    """A bank of which two words that are forbidden are all the schools."""
    (house.root / "prompts" / "few-1.toml").write_text(FEW)
    path = house.root / "experiments" / "series" / "night.toml"
    path.write_text(re.sub(r'(?m)^bank = "prompts/painter-1.toml"', 'bank = "prompts/few-1.toml"', path.read_text()))


def test_a_bank_whose_words_are_forbidden_is_refused_before_anything_begins(house: Studio) -> None:
    house.run("night")
    forbid(house.root, house.archive, "night", never=["tiles", "glass"])
    few_schools(house)
    with Store.open(house.archive / "night", readonly=True) as store:
        before = store.inputs_of("config"), store.attempted()
    with pytest.raises(BadInput, match='Cycle 5 has no word for the slot school of few-1: "tiles", "glass"') as refused:
        house.run("night", cycles=6)
    assert refused.value.hint == 'Allow one again: gen-emerge compass night --allow "tiles"'
    with Store.open(house.archive / "night", readonly=True) as store:
        assert (store.inputs_of("config"), store.attempted()) == before
    assert house.status("night")["state"] == "done"
    forbid(house.root, house.archive, "night", allow=["tiles"])
    assert house.run("night", cycles=6)["cycle"] == 6


def test_a_word_that_is_allowed_too_late_is_said_to_be(house: Studio) -> None:
    house.run("night")
    forbid(house.root, house.archive, "night", never=["tiles", "glass"])
    with Store.open(house.archive / "night") as store:
        store.begin(5, 0.0)  # and was killed
    forbid(house.root, house.archive, "night", allow=["tiles"])
    few_schools(house)
    with pytest.raises(BadInput, match="Cycle 5 has no word") as refused:
        house.run("night", cycles=6)
    assert refused.value.hint == ("From cycle 6 on one is allowed: run as far with the bank before, then change it.")


FEW = """
schema = 1
id = "few-1"
negative = ""
template = "{school}, {palette}"

[slots]
school = ["tiles", "glass"]
palette = ["ember", "ochre", "plum", "jade", "sand", "slate"]
"""


@pytest.mark.parametrize(
    "text", ["[]", '{"cycles": null}', '{"state": 3, "cycles": 9}', '{"state": "done", "cycles": true}', '{"st']
)
def test_what_is_kept_for_display_alone_may_be_damaged(house: Studio, text: str) -> None:
    house.run("night", cycles=3)
    (house.archive / "night" / "run.json").write_text(text)
    assert (house.status("night")["state"], house.inspect("night")["state"]) == ("stopped", "stopped")
    assert house.run("night")["state"] == "done"


def test_a_run_ends_in_what_status_says(house: Studio) -> None:
    said = house.run("night")
    assert said == house.status("night")
    assert house.inspect("night")["state"] == said["state"] == "done"


def test_pictures_that_are_committed_while_others_are_compared_are_nobody_s_orphans(
    house: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long series takes minutes to compare: its run goes on meanwhile, and ends."""
    house.run("night")
    compare, later = checks._digest, []

    def slow(path: Path) -> str | None:
        if not later:
            later.append(house.run("night", cycles=6)["cycle"])
        return compare(path)

    monkeypatch.setattr(checks, "_digest", slow)
    found = verify(house.root, house.archive, "night")
    assert later == [6]
    assert found["ok"], found["problems"][:3]


def damage(statement: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
                connection.execute(f'drop trigger "{name}"')
            connection.execute(statement)

    return apply


@pytest.mark.parametrize(
    "statement",
    ["delete from alembic_version", "drop table axes", "update genomes set recipe = '{}' where id = 1"],
)
def test_a_database_that_was_tampered_with_is_called_damaged(house: Studio, statement: str) -> None:
    house.run("night")
    damage(statement)(house.archive / "night" / "series.db")
    try:
        assert not verify(house.root, house.archive, "night")["ok"]
    except Damaged as error:
        assert "Restore" in str(error)


def test_a_file_in_the_place_of_the_cache_or_of_a_picture_stops_nothing(house: Studio) -> None:
    house.run("night")
    cache = house.archive / "night" / "cache"
    for file in cache.iterdir():
        file.unlink()
    cache.rmdir()
    cache.write_text("not a folder")
    assert house.run("night", cycles=5)["cycle"] == 5
    picture = pictures(house)[0]
    picture.unlink()
    picture.mkdir()
    found = verify(house.root, house.archive, "night")
    assert {"kind": "hash", "path": picture.relative_to(house.archive / "night").as_posix()} in found["problems"]


@pytest.mark.parametrize("name", ["import", "elsewhere"])
def test_another_package_s_generator_may_not_bear_the_name_of_pictures_made_elsewhere(
    studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its images would all count as imported: without words, parents or credits."""
    info = tmp_path / "added-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gen_emerge.generators]\nelsewhere = added_brush:made\n")
    (tmp_path / "added_brush.py").write_text(
        "from gen_emerge.fakes import FakeGenerator\n"
        f"class Brush(FakeGenerator):\n    name = '{name}'\n"
        "def made(options):\n    return Brush()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "added_brush", raising=False)
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    house = Studio(studio)
    small = {"image": {"width": 48, "height": 48}, "loop": {"batch": 4, "warmup_cycles": 2, "cycles": 3}}
    house.new("night", generator={"use": "elsewhere"}, **small)
    if name == "import":
        with pytest.raises(BadInput, match='The generator "elsewhere" calls itself "import"'):
            house.run("night")
        assert not (house.archive / "night").exists()
    else:
        assert house.run("night")["candidates"] == 12
