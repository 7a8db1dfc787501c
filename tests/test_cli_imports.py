"""`gen-emerge import`: what becomes of every picture of a folder, what it says, and what it leaves alone.

The series is run by the real loop with a fake generator and fake scorers, at 64 pixels: see `test_cli_series.py`.
"""

# ruff: noqa: F811
from __future__ import annotations

import errno
import importlib
import io
import itertools
import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pictures_elsewhere import A1111, READABLE, fill, many, wave
from PIL import Image
from test_cli_series import STATUS_KEYS, _settings, call, fakes, night, run_studio  # noqa: F401

from gen_emerge import crew, intake, probe
from gen_emerge.arrivals import OUTCOMES
from gen_emerge.config import as_table, load
from gen_emerge.crew import known_names
from gen_emerge.fakes import FakeGenerator
from gen_emerge.importing import reading
from gen_emerge.series import Studio
from gen_emerge.spoken import spoken
from gen_emerge.state import replay
from gen_emerge.store import Store, hold, images, importing, lock, pixels_hash, read_recipe

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "pictures")


def told(outcome: tuple[int, str, str], code: int = 0) -> Any:
    assert outcome[0] == code, outcome
    return json.loads(outcome[1])


def store(root: Path, name: str = "night") -> Store:
    return Store.open(root / "archive" / name, readonly=True)


def rows(root: Path) -> dict[str, list[Any]]:
    """Everything that is stored."""
    path = root / "archive" / "night" / "series.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in (root / "archive" / "night").rglob("*") if p.is_file()}


# ---- a folder of every kind ----------------------------------------------------------------------------------------


def test_every_picture_is_scored_gated_and_placed_or_said_why_not(call: Call, night: Path, folder: Path) -> None:
    said = told(call("--json", "--root", night, "import", "night", folder))
    found = {row["file"]: row for row in said["pictures"]}
    assert set(found) == {*READABLE, "torn.png", "twin.png"}
    assert found["torn.png"]["outcome"] == "unreadable" and "damaged" in found["torn.png"]["why"]
    assert found["twin.png"] == {
        "file": "twin.png", "outcome": "already", "why": "the same picture as transparent.png",
    }  # fmt: skip
    assert (found["tiny.png"]["outcome"], found["tiny.png"]["why"]) == ("rejected", "too-small")
    assert (found["tiny.png"]["value"], found["tiny.png"]["bound"]) == (20, 32)
    for name, prompt in READABLE.items():
        assert found[name]["said"].startswith("It ") and found[name]["said"].endswith(".")
        assert found[name]["prompt"] == (prompt or "Prints for the night.")
        assert ("it names no prompt: the series' brief is taken" in found[name]["notes"]) is (not prompt)
        assert found[name]["outcome"] in OUTCOMES[:5]
    assert "left out" in found["huge-text.png"]["notes"][0]
    assert sum(said["counts"].values()) == 10 and said["imported"] == 8
    assert {row["cycle"] for row in found.values() if "cycle" in row} == {15}
    assert (said["cycle"], said["cycles_run"], said["queued_until"], said["why_queued"]) == (15, 3, None, "")
    with store(night) as kept:
        inputs = {item.payload["source"]: item for item in kept.inputs_of("import")}
        candidates = {c.id: c for c in kept.candidates(cycle=15)}
        signals = kept.signals(list(candidates))
    assert set(inputs) == set(READABLE) and {item.first_cycle for item in inputs.values()} == {13}
    for name, item in inputs.items():
        candidate, original = candidates[found[name]["candidate"]], night / "archive/night" / item.payload["original"]
        assert candidate.genome.generator == candidate.genome.operator == "import"
        assert candidate.image is not None and candidate.image.pixels == item.payload["pixels"]
        assert original.read_bytes() == (folder / name).read_bytes()
        assert name == "tiny.png" or {"quality", "prompt", "style", "lightness"} <= set(signals[candidate.id])
    assert inputs["a1111.png"].payload["recipe"]["seed"] == 7 and inputs["a1111.png"].payload["negative"] == "blur"
    assert inputs["comfy.png"].payload["recipe"]["tool"] == "comfyui"
    assert told(call("--json", "--root", night, "verify", "night"))["ok"]


def test_the_table_says_it_for_people(call: Call, night: Path, folder: Path) -> None:
    code, out, _ = call("--root", night, "import", "night", folder)
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert code == 0
    assert "unreadable" in lines["torn.png"] and "damaged" in lines["torn.png"]
    small = "by too-small: the shorter side is 20 px, at least 32 are needed, candidate"
    assert "turned away" in lines["tiny.png"] and small in lines["tiny.png"]
    assert lines["All"] == "All that is known of one: gen-emerge inspect night --candidate ID"
    assert "already there" in lines["twin.png"] and "transparent.png" in lines["twin.png"]
    bare = sum(not prompt for prompt in READABLE.values())
    assert out.count("brief") == 1 and f"{bare} of these: it names no prompt: the series' brief is taken" in out
    assert "1 already there, 1 unreadable, 1 file is no picture; 3 cycles run, 15 in all" in lines["night:"]


def test_counts_are_told_in_the_plural_where_they_are_more_than_one() -> None:
    from importlib import import_module

    counts = import_module("gen_emerge.cli.commands.import")._counts
    found = {"counts": {"review": 4, "pending": 1, "placed": 2}}
    assert counts(found) == "4 wait for you, 1 waits for the critic, 2 placed"
    assert counts({"counts": {"review": 1}}) == "1 waits for you"


def test_of_many_pictures_those_are_shown_that_want_a_look_and_names_keep_their_ends(
    call: Call, night: Path, folder: Path
) -> None:
    long = folder / ("a" * 60 + "-0041.png")
    shutil.copy(folder / "torn.png", long)
    for number in range(6):
        Image.fromarray(wave(300 + number, 20, 20)).save(folder / f"tiny-{number}.png")
        (folder / f"note-{number}.txt").write_text("no picture")
    _, out, _ = call("--root", night, "import", "night", folder)
    found = told(call("--json", "--root", night, "import", "night", "--list"))
    lines = out.splitlines()
    words = {row["file"]: row["outcome"] for row in found["imports"]}
    wanted = {file for file, word in words.items() if word in ("placed", "review", "pending", "unreadable")}
    rest = 10 + 7 - len(wanted)
    assert {line.split()[0] for line in lines[: len(wanted)]} == {*wanted, "a" * 17 + "..." + "aaaaaaa-0041.png"} - {
        long.name
    }
    assert f"and {rest} more, counted here; each of them: gen-emerge import night --list" in lines
    assert "7 files are no pictures" in out
    assert long.name in call("--root", night, "import", "night", "--list")[1], "up to 72 letters"


def test_who_asks_about_an_import_that_waits_is_said_as_it_is(call: Call) -> None:
    shown: Any = importlib.import_module("gen_emerge.cli.commands.import")
    row = {"outcome": "review", "file": "a.png", "why": "quality", "candidate": 9, "question": None}
    open_now = {**row, "question": {"question": "r6-1", "open": True}}
    heard = {**row, "question": {"question": "r6-2", "open": False}}
    found = {"series": "night", "cycle": 15, "counts": {"review": 3}, "queued_until": None, "imports": []}
    text = shown.listed({**found, "imports": [row, row, open_now, heard]})
    assert "2 images wait in review, with no question open: gen-emerge rounds night --open review" in text
    assert "1 of those that wait for you is asked about: gen-emerge judge night" in text
    assert "judge" not in shown.listed({**found, "imports": [row]})


def test_files_that_cannot_be_read_stay_in_the_list_until_they_can(
    call: Call, night: Path, folder: Path, tmp_path: Path
) -> None:
    many(tmp_path / "other", 1)
    torn = (folder / "torn.png").read_bytes()
    (tmp_path / "other" / "half.png").write_bytes(torn)
    for each in (folder, tmp_path / "other"):
        told(call("--json", "--root", night, "import", "night", each, "--queue"))

    def unreadable() -> set[str]:
        found = told(call("--json", "--root", night, "import", "night", "--list"))
        rows = [row for row in found["imports"] if row["outcome"] == "unreadable"]
        assert found["counts"].get("unreadable", 0) == len(rows) and all("damaged" in row["why"] for row in rows)
        return {row["file"] for row in rows}

    assert unreadable() == {"torn.png", "half.png"}
    assert told(call("--json", "--root", night, "verify", "night"))["ok"]
    Image.fromarray(wave(77)).save(folder / "torn.png")
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    assert unreadable() == {"half.png"}
    for damaged in (
        "{",
        "[]",
        '{"a": 3}',
        '{"a": {"outcome": "unreadable"}}',
        '{"a": {"outcome": "unreadable", "file": 3}}',
    ):
        (night / "archive/night/unreadable.json").write_text(damaged)
        assert unreadable() == set(), "it is only for display"


def test_turns_are_of_one_moment_though_a_running_series_commits_amid_the_reading(
    call: Call, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty take the slots of cycles 15, 16 and 17, whatever is proposed while somebody asks."""
    many(tmp_path / "p", 20)
    told(call("--json", "--root", night, "import", "night", tmp_path / "p", "--queue"))
    assert told(call("--json", "--root", night, "run", "night", "--cycles", "13"))["cycle"] == 13

    def amid(name: str, cycles: int) -> dict[str, Any]:
        read = getattr(Store, name)

        def late(store: Store, *arguments: Any) -> Any:
            monkeypatch.setattr(Store, name, read)
            before = read(store, *arguments) if name == "candidates_of" else None
            Studio(night).run("night", cycles=cycles)
            return before if before is not None else read(store, *arguments)

        monkeypatch.setattr(Store, name, late)
        return told(call("--json", "--root", night, "import", "night", "--list"))

    found = amid("pending_proposals", 14)
    assert (found["cycle"], found["queued_until"], found["counts"]) == (13, 17, {"queued": 20})
    found = amid("candidates_of", 15)
    assert (found["cycle"], found["queued_until"], found["counts"]["queued"]) == (15, 17, 12)
    assert sorted(row["cycle"] for row in found["imports"] if row["outcome"] == "queued") == [16] * 8 + [17] * 4


def test_a_name_that_steers_the_terminal_does_not(call: Call, night: Path, tmp_path: Path) -> None:
    many(tmp_path / "p", 1)
    shutil.copy(tmp_path / "p" / "100.png", tmp_path / "p" / "a\x1b[31mb.png")
    code, out, _ = call("--root", night, "import", "night", tmp_path / "p")
    assert code == 0 and "a?[31mb.png" in out and "\x1b[31m" not in out


def test_a_second_time_nothing_is_done(call: Call, night: Path, folder: Path) -> None:
    told(call("--json", "--root", night, "import", "night", folder))
    before, there = rows(night), files(night)
    again = told(call("--json", "--root", night, "import", "night", folder))
    assert again["counts"] == {"already": 9, "unreadable": 1}
    assert (again["cycles_run"], again["imported"]) == (0, 0)
    assert rows(night) == before and files(night) == there


def test_an_image_of_the_series_itself_is_already_there(call: Call, night: Path, tmp_path: Path) -> None:
    with store(night) as kept:
        (_, image), *_ = kept.images()
    (tmp_path / "p").mkdir()
    shutil.copy(night / "archive/night" / image.path, tmp_path / "p")
    said = told(call("--json", "--root", night, "import", "night", tmp_path / "p"))
    assert said["pictures"][0] | {"file": ""} == {
        "file": "", "outcome": "already", "candidate": 1, "why": "it is candidate 1 of the series",
    }  # fmt: skip
    assert said["imported"] == 0


def test_a_prompt_that_is_given_is_for_pictures_that_name_none(call: Call, night: Path, folder: Path) -> None:
    said = told(call("--json", "--root", night, "import", "night", folder, "--prompt", "ink on paper", "--queue"))
    found = {row["file"]: row for row in said["pictures"]}
    assert found["bare.jpg"]["prompt"] == "ink on paper"
    assert found["bare.jpg"]["notes"] == ["it names no prompt: the one given is taken"]
    assert found["a1111.png"]["prompt"] == A1111.splitlines()[0]


# ---- a folder that changes under its hands -------------------------------------------------------------------------


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: dict[int, Callable[[], object]]) -> None:
    """Let something happen between reading the n-th picture and keeping it."""
    count, known = itertools.count(1), reading.recipe_of

    def recipe_of(texts: Any) -> Any:
        happens.get(next(count), lambda: None)()
        return known(texts)

    monkeypatch.setattr(reading, "recipe_of", recipe_of)


def test_what_is_kept_is_the_file_whose_pixels_are_measured(
    call: Call, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is replaced by another after it was decoded, and another one written over in place."""
    folder = many(tmp_path / "p", 3)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    Image.fromarray(wave(50)).save(tmp_path / "other.png")
    again = (tmp_path / "other.png").read_bytes()
    swapped, written = folder / "100.png", folder / "101.png"
    meanwhile(
        monkeypatch,
        {1: lambda: (tmp_path / "other.png").replace(swapped), 2: lambda: written.write_bytes(again)},
    )
    said = told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    assert said["counts"] == {"queued": 3} and swapped.read_bytes() == written.read_bytes() == again
    series = night / "archive" / "night"
    with store(night) as kept:
        payloads = [item.payload for item in kept.inputs_of("import")]
    for payload in payloads:
        original = series / payload["original"]
        assert original.read_bytes() == whole[payload["source"]]
        assert pixels_hash(reading.read(original).pixels) == payload["pixels"]
    assert told(call("--json", "--root", night, "verify", "night"))["ok"]


def test_pictures_that_vanish_are_rows_and_the_others_come(
    call: Call, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = many(tmp_path / "p", 5)
    growing = folder / "103.png"

    class Growing(io.BytesIO):
        """Somebody still writes the file that is read."""

        def write(self, block: Any) -> int:
            if block == growing.read_bytes():
                growing.write_bytes(block + b"and more")
            return super().write(block)

    meanwhile(monkeypatch, {1: (folder / "101.png").unlink})
    monkeypatch.setattr(intake, "scratch", Growing)
    said = told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    found = {row["file"]: row for row in said["pictures"]}
    assert [found[f"{number}.png"]["outcome"] for number in (100, 102, 104)] == ["queued"] * 3
    assert found["101.png"] == {"file": "101.png", "outcome": "unreadable", "why": "is gone."}
    assert found["103.png"] == {
        "file": "103.png", "outcome": "unreadable", "why": "was changed while it was read.",
    }  # fmt: skip
    assert said["imported"] == 3


def test_a_folder_nobody_can_look_into_is_a_row_and_the_others_come(
    call: Call, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, looks = many(tmp_path / "p", 2), os.scandir
    many(folder / "locked", 2, first=110)

    def scandir(path: Any = ".") -> Any:
        if Path(path) == folder / "locked":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return looks(path)

    monkeypatch.setattr(os, "scandir", scandir)
    said = told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    assert said["counts"] == {"queued": 2, "unreadable": 1}
    why = "this folder cannot be looked into: it may not be read"
    assert said["pictures"][-1] == {"file": "locked/", "outcome": "unreadable", "why": why}
    _, out, _ = call("--root", night, "import", "night", folder, "--queue")
    assert f"locked/  unreadable  {why}" in out


# ---- folders of series ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "images", "images/..", "imports"])
def test_the_series_own_folder_is_refused(call: Call, night: Path, folder: Path, inside: str) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    before, there = rows(night), files(night)
    error = told(call("--json", "--root", night, "import", "night", night / "archive/night" / inside), 2)["error"]
    assert 'lies inside the series "night" itself: its pictures are there already' in error["message"]
    assert rows(night) == before and files(night) == there


def test_of_another_series_the_pictures_come_and_not_their_thumbnails(call: Call, night: Path) -> None:
    file = night / "experiments/series/night.toml"
    dawn = file.read_text().replace('name = "night"', 'name = "dawn"').replace("seed = 7", "seed = 8")
    (file.parent / "dawn.toml").write_text(dawn)
    told(call("--json", "--root", night, "run", "dawn", "--cycles", "4"))
    with store(night, "dawn") as kept:
        prompts = {c.image.pixels: c.genome.prompt for c in kept.candidates() if c.image is not None}
    code, out, err = call("--json", "--root", night, "import", "night", night / "archive/dawn/images", "--queue")
    said = json.loads(out)
    assert code == 0 and said["counts"] == {"queued": len(prompts)}
    assert f"{len(prompts)} thumbnails of a series are left out" in err
    with store(night) as kept:
        assert {i.payload["pixels"]: i.payload["prompt"] for i in kept.inputs_of("import")} == prompts


def test_of_a_folder_of_series_its_own_is_left_out(call: Call, night: Path, tmp_path: Path) -> None:
    many(night / "archive" / "scans", 2)
    many(night / "archive" / "night" / "notes", 2, first=110)
    code, out, err = call("--json", "--root", night, "import", "night", night / "archive", "--queue")
    assert code == 0 and [row["file"] for row in json.loads(out)["pictures"]] == ["scans/100.png", "scans/101.png"]
    assert "archive/night is left out: it is the series itself" in err
    (tmp_path / "link").symlink_to(night / "archive")
    again = told(call("--json", "--root", night, "import", "night", tmp_path / "link", "--queue"))
    assert [row["file"] for row in again["pictures"]] == ["scans/100.png", "scans/101.png"]


# ---- what it refuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["empty", "missing", "none readable", "a file", "no series", "empty prompt"])
def test_bad_input_changes_nothing(call: Call, night: Path, folder: Path, tmp_path: Path, case: str) -> None:
    before, there = rows(night), files(night)
    torn = tmp_path / "torn"
    torn.mkdir()
    shutil.copy(folder / "torn.png", torn)
    (tmp_path / "empty").mkdir()
    arguments: list[object] = {
        "empty": ["night", tmp_path / "empty"],
        "missing": ["night", tmp_path / "nowhere"],
        "none readable": ["night", torn],
        "a file": ["night", folder / "bare.jpg"],
        "no series": ["nigth", folder],
        "empty prompt": ["night", folder, "--prompt", "  "],
    }[case]
    error = told(call("--json", "--root", night, "import", *arguments), 2)["error"]
    assert error["hint"] and error["code"] in ("bad-input", "not-found")
    if case == "none readable":
        assert "The only picture" in error["message"] and "torn.png is damaged" in error["hint"]
    if case == "no series":
        assert "night" in error["hint"]
    assert rows(night) == before and files(night) == there


def test_a_series_whose_file_was_changed_in_what_is_fixed_takes_none(call: Call, night: Path, folder: Path) -> None:
    file = night / "experiments/series/night.toml"
    file.write_text(file.read_text().replace("batch = 8", "batch = 4"))
    before = rows(night)
    error = told(call("--json", "--root", night, "import", "night", folder), 2)["error"]
    assert error["code"] == "fixed-key-changed" and rows(night) == before


def test_one_import_at_a_time(call: Call, night: Path, folder: Path) -> None:
    written = night / "archive/night/imports/ab" / f"{'ab' * 32}.png"
    with importing(night / "archive" / "night"):
        written.parent.mkdir()
        written.write_bytes(b"its row comes in a moment")
        error = told(call("--json", "--root", night, "import", "night", folder), 3)["error"]
        assert error["code"] == "held" and "importing pictures" in error["message"]
        assert told(call("--json", "--root", night, "run", "night", "--cycles", "13"))["cycle"] == 13
        assert written.exists()
    assert told(call("--json", "--root", night, "import", "night", folder))["imported"] == 8


def test_a_run_that_sweeps_when_it_begins_does_not_turn_an_import_away(
    call: Call, night: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is held longer than a look at it takes, and then let go."""
    sweeping = ExitStack()
    sweeping.enter_context(importing(night / "archive" / "night"))
    looks: list[float] = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 10:
            sweeping.close()

    monkeypatch.setattr(lock, "time", SimpleNamespace(time=time.time, sleep=pause))
    assert told(call("--json", "--root", night, "import", "night", folder, "--queue"))["imported"] == 8
    assert len(looks) == 10


# ---- only queued ---------------------------------------------------------------------------------------------------


def test_queued_they_wait_for_the_next_run(call: Call, night: Path, folder: Path) -> None:
    said = told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    assert said["counts"] == {"queued": 8, "already": 1, "unreadable": 1}
    assert (said["cycles_run"], said["queued_until"]) == (0, 15)
    assert said["why_queued"].endswith("when the series is run further.")
    status = told(call("--json", "--root", night, "status", "night"))
    assert set(status) == STATUS_KEYS | {"imports_waiting"} and status["imports_waiting"] == 8
    assert "8 imported pictures wait" in call("--root", night, "status", "night")[1]
    assert told(call("--json", "--root", night, "verify", "night"))["ok"]
    # `run` counts all cycles: it has its 12, and these take slots of the 15th.
    assert told(call("--json", "--root", night, "run", "night"))["cycle"] == 12
    assert told(call("--json", "--root", night, "run", "night", "--cycles", "16"))["cycle"] == 16
    with store(night) as kept:
        assert [c.cycle for c in kept.candidates() if c.genome.imported] == [15] * 8
    assert set(told(call("--json", "--root", night, "status", "night"))) == STATUS_KEYS


def test_importing_the_folder_again_places_what_was_queued(call: Call, night: Path, folder: Path) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    said = told(call("--json", "--root", night, "import", "night", folder))
    assert (said["imported"], said["cycles_run"], said["cycle"]) == (0, 3, 15)
    assert said["counts"]["rejected"] >= 1 and "queued" not in said["counts"]


def test_beside_a_process_that_holds_the_series_they_are_queued(call: Call, night: Path, folder: Path) -> None:
    with hold(night / "archive" / "night"):
        said = told(call("--json", "--root", night, "import", "night", folder))
    assert said["counts"]["queued"] == 8 and said["cycles_run"] == 0
    assert "is held by process" in said["why_queued"] and "takes them up by itself" in said["why_queued"]


def test_into_a_new_series_they_are_queued_until_there_is_a_map(call: Call, night: Path, folder: Path) -> None:
    file = night / "experiments/series/night.toml"
    dawn = file.read_text().replace('name = "night"', 'name = "dawn"').replace("cycles = 12", "cycles = 6")
    (file.parent / "dawn.toml").write_text(dawn)
    said = told(call("--json", "--root", night, "import", "dawn", folder))
    assert said["counts"]["queued"] == 8 and said["queued_until"] == 5  # proposed from the third: the first with a map
    assert "warm-up (3 cycles)" in said["why_queued"]
    assert told(call("--json", "--root", night, "status", "dawn"))["state"] == "new"
    told(call("--json", "--root", night, "run", "dawn"))
    with store(night, "dawn") as kept:
        assert [c.cycle for c in kept.candidates() if c.genome.imported] == [5] * 8


def test_a_series_that_waits_for_answers_does_not_go_on_without_them(call: Call, night: Path, folder: Path) -> None:
    file = night / "experiments/series/night.toml"
    told(call("--json", "--root", night, "run", "night", "--cycles", "17"))
    _settings(file, on_checkin="wait")
    code, out, _ = call("--json", "--root", night, "import", "night", folder)
    said = json.loads(out)
    assert code == 4 and said["counts"]["queued"] == 8 and said["cycles_run"] == 0
    assert "gen-emerge judge night" in said["why_queued"]


# ---- what became of them, later --------------------------------------------------------------------------------------


def test_what_became_of_every_import_is_told_with_value_and_bound(call: Call, night: Path, folder: Path) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    queued = told(call("--json", "--root", night, "import", "night", "--list"))
    arrived = sorted(READABLE, key=Path)
    assert [row["file"] for row in queued["imports"]] == [*arrived, "torn.png"]
    assert (queued["cycle"], queued["queued_until"]) == (12, 15) and queued["counts"] == {"queued": 8, "unreadable": 1}
    assert queued["imports"][0] == {
        "file": "a1111.png",
        "outcome": "queued",
        "cycle": 15,
        "said": "It is queued, and takes its slot in cycle 15.",
        "prompt": "a lake at dawn",
    }
    _, out, _ = call("--root", night, "import", "night", "--list")
    assert "a1111.png           queued      for cycle 15" in out and "gen-emerge run night --cycles 15" in out
    # An image of every kind: a run of the series took them up, without anybody importing anything.
    told(call("--json", "--root", night, "run", "night", "--cycles", "15"))
    before, there = rows(night), files(night)
    found = told(call("--json", "--root", night, "import", "night", "--list"))
    listed = {row["file"]: row for row in found["imports"] if row["outcome"] != "unreadable"}
    assert list(listed) == arrived and sum(found["counts"].values()) == 9 and found["queued_until"] is None
    with store(night) as kept:
        candidates = {c.id: c for c in kept.candidates(current=True) if c.genome.imported}
        verdicts = kept.verdicts(list(candidates))
        holders = {elite.candidate: elite.cell for elite in replay(kept.history()).archive or ()}
    assert {row["candidate"] for row in listed.values()} == set(candidates)
    seen = set()
    for name, row in listed.items():
        candidate, prompt = candidates[row["candidate"]], READABLE[name] or "Prints for the night."
        assert (row["cycle"], row["prompt"], candidate.genome.prompt) == (15, prompt, prompt)
        if candidate.status == "passed":
            assert (row["outcome"] == "placed") is (candidate.id in holders)
            assert holders.get(candidate.id, row["cell"]) == row["cell"]
            assert row["outcome"] == "placed" or holders[row["holder"]] == row["cell"]
        else:
            (verdict,) = [v for v in verdicts[candidate.id] if v.gate == candidate.cause]
            assert (row["outcome"], row["why"], row["value"]) == (candidate.status, candidate.cause, verdict.value)
            assert row["reason"] == verdict.reason and spoken(row["bound"]) in row["said"]
        seen.add(row["outcome"])
    assert {"rejected"} < seen
    assert rows(night) == before and files(night) == there
    assert Studio(night).imports("night") == found


def test_of_a_series_without_imports_the_list_is_empty(call: Call, night: Path) -> None:
    assert told(call("--json", "--root", night, "import", "night", "--list"))["imports"] == []
    _, out, _ = call("--root", night, "import", "night", "--list")
    assert "no picture was imported yet" in out and "gen-emerge import night FOLDER" in out
    file = night / "experiments/series/night.toml"
    (file.parent / "dawn.toml").write_text(file.read_text().replace('name = "night"', 'name = "dawn"'))
    assert told(call("--json", "--root", night, "import", "dawn", "--list"))["imports"] == []
    assert not (night / "archive" / "dawn").exists()


def test_a_list_beside_a_process_that_holds_the_series_and_beside_an_import(
    call: Call, night: Path, folder: Path
) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    with hold(night / "archive" / "night"), importing(night / "archive" / "night"):
        assert told(call("--json", "--root", night, "import", "night", "--list"))["counts"]["queued"] == 8


@pytest.mark.parametrize("words", [["FOLDER"], ["--prompt", "x"], ["--queue"]])
def test_a_list_imports_nothing(call: Call, night: Path, folder: Path, words: list[str]) -> None:
    before, there = rows(night), files(night)
    words = [str(folder) if word == "FOLDER" else word for word in words]
    error = told(call("--json", "--root", night, "import", "night", *words, "--list"), 2)["error"]
    assert error["message"].startswith("--list imports nothing") and rows(night) == before and files(night) == there
    error = told(call("--json", "--root", night, "import", "night"), 2)["error"]
    assert "Missing argument 'FOLDER'" in error["message"] and "--list" in error["message"]


def test_an_import_is_shown_with_all_that_is_known_of_it(call: Call, night: Path, folder: Path) -> None:
    said = told(call("--json", "--root", night, "import", "night", folder))
    rows_of = {row["file"]: row for row in said["pictures"]}
    row = rows_of["a1111.png"]
    found = told(call("--json", "--root", night, "inspect", "night", "--candidate", str(row["candidate"])))
    assert {key: found[key] for key in ("candidate", "cycle", "outcome", "said")} == {
        key: row[key] for key in ("candidate", "cycle", "outcome", "said")
    }
    assert found["imported"]["file"] == "a1111.png" and found["imported"]["recipe"]["seed"] == 7
    assert (night / "archive/night" / found["imported"]["original"]).read_bytes() == (folder / "a1111.png").read_bytes()
    assert (found["prompt"], found["negative"], found["operator"]) == ("a lake at dawn", "blur", "import")
    code, out, _ = call("--root", night, "inspect", "night", "--candidate", str(row["candidate"]))
    assert code == 0 and "imported   a1111.png, made with a1111, seed 7" in out
    tiny = rows_of["tiny.png"]["candidate"]
    _, out, _ = call("--root", night, "inspect", "night", "--candidate", str(tiny))
    assert "It was turned away by the hard filter too-small: the shorter side is 20 px" in out
    assert re.search(r"too-small +fail +20  from 32", out)


# ---- the series around them ----------------------------------------------------------------------------------------


def test_how_far_the_last_run_was_to_go_stays_noted(call: Call, night: Path, folder: Path, tmp_path: Path) -> None:
    house = Studio(night)
    house.run("night", cycles=40, stop=lambda: True)
    assert house.status("night")["state"] == "stopped"
    many(tmp_path / "p", 20)  # 8 + 8 + 4
    said = house.import_pictures("night", tmp_path / "p")
    # Cycle 14 had begun when it was stopped: what is imported now counts from 15, and is proposed for 17.
    assert (said["cycle"], said["cycles_run"]) == (19, 6)
    assert house.status("night")["state"] == "stopped"
    assert json.loads((night / "archive/night/run.json").read_text())["cycles"] == 40
    with store(night) as kept:
        assert [sum(c.genome.imported for c in kept.candidates(cycle=n)) for n in range(14, 20)] == [0, 0, 0, 8, 8, 4]
    house.run("night", cycles=12)
    for name, first in (("q", 200), ("r", 300)):
        many(tmp_path / name, 9, first)
        cycle = house.import_pictures("night", tmp_path / name)["cycle"]
        out = call("--root", night, "status", "night")[1]
        assert f"It has {cycle} cycles already (12 asked for, {cycle - 19} more for imports)." in out


def test_lost_and_changed_files_are_named_and_importing_again_mends_them(call: Call, night: Path, folder: Path) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    with store(night) as kept:
        payloads = {item.payload["source"]: item.payload for item in kept.inputs_of("import")}
    series = night / "archive" / "night"
    (series / payloads["a1111.png"]["picture"]).unlink()
    (series / payloads["bare.jpg"]["original"]).write_bytes(b"other")
    (series / "imports" / "holiday.png").write_bytes(b"stray")
    found = told(call("--json", "--root", night, "verify", "night"), 1)["problems"]
    assert sorted((p["kind"], p["path"]) for p in found) == [
        ("hash", payloads["bare.jpg"]["original"]),
        ("missing", payloads["a1111.png"]["picture"]),
        ("orphan", "imports/holiday.png"),
    ]
    (series / "imports" / "holiday.png").unlink()
    told(call("--json", "--root", night, "import", "night", folder))
    assert told(call("--json", "--root", night, "verify", "night"))["ok"]
    with store(night) as kept:
        assert not [c for c in kept.candidates() if c.status == "failed"]


@pytest.mark.parametrize("measured", [False, True])
def test_a_lost_original_is_put_back_by_its_own_bytes_alone(
    call: Call, night: Path, folder: Path, tmp_path: Path, measured: bool
) -> None:
    told(call("--json", "--root", night, "import", "night", folder, *([] if measured else ["--queue"])))
    with store(night) as kept:
        payload = next(i.payload for i in kept.inputs_of("import") if i.payload["source"] == "a1111.png")
    series, other = night / "archive" / "night", tmp_path / "other"
    other.mkdir()
    with Image.open(folder / "a1111.png") as opened:
        opened.save(other / "b.bmp")  # the same pixels
    for path in (payload["original"], payload["picture"]):
        (series / path).unlink()
    before = files(night)
    (row,) = told(call("--json", "--root", night, "import", "night", other, "--queue"))["pictures"]
    lost = f"{payload['original']} stays lost: this file holds the same picture in other bytes"
    assert row["outcome"] == ("already" if measured else "queued") and row["notes"][-1] == lost
    assert files(night) - before == {f"archive/night/{payload['picture']}"}
    problems = told(call("--json", "--root", night, "verify", "night"), 1)["problems"]
    assert [(p["kind"], p["path"]) for p in problems] == [("missing", payload["original"])]
    assert lost in call("--root", night, "import", "night", other, "--queue")[1]
    # Both files side by side: whichever of them comes first.
    shutil.copy(folder / "a1111.png", other / "c.png")
    rows = told(call("--json", "--root", night, "import", "night", other, "--queue"))["pictures"]
    assert [row["outcome"] for row in rows] == ["already" if measured else "queued", "already"]
    assert told(call("--json", "--root", night, "verify", "night"))["ok"]
    (row,) = told(call("--json", "--root", night, "import", "night", other / ".." / "other", "--queue"))["pictures"][:1]
    assert lost not in row.get("notes", [])


def test_what_an_import_left_that_was_cut_off_is_no_problem_and_is_swept(
    call: Call, night: Path, folder: Path, tmp_path: Path
) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    imports = night / "archive" / "night" / "imports"
    left = [imports / "ab" / f"{'ab' * 32}.png", imports / "ab" / f"{'ab' * 32}.original.jpeg.draft"]
    for command in (["run", "night", "--cycles", "13"], ["import", "night", folder]):
        left[0].parent.mkdir(exist_ok=True)
        for path in left:
            path.write_bytes(b"half")
        said = told(call("--json", "--root", night, "verify", "night"))
        assert (said["ok"], said["uncommitted"]) == (True, 2)
        told(call("--json", "--root", night, *command))
        assert not any(path.exists() for path in left)
        assert told(call("--json", "--root", night, "verify", "night"))["uncommitted"] == 0
    many(tmp_path / "p", 2)
    assert told(call("--json", "--root", night, "import", "night", tmp_path / "p"))["imported"] == 2


def test_imports_without_a_database_are_somebodys_lost_series(call: Call, night: Path, folder: Path) -> None:
    told(call("--json", "--root", night, "import", "night", folder, "--queue"))
    series = night / "archive" / "night"
    shutil.rmtree(series / "images")
    for file in series.glob("series.db*"):
        file.unlink()
    for command in (["run", "night"], ["import", "night", folder]):
        error = told(call("--json", "--root", night, *command), 2)["error"]
        assert "8 pictures but no series.db" in error["message"]
    assert told(call("--json", "--root", night, "verify", "night"), 1)["problems"]
    assert len(list((series / "imports").rglob("*.png"))) >= 8


def test_the_map_is_shown_and_exported_with_them(call: Call, night: Path, tmp_path: Path) -> None:
    many(tmp_path / "p", 16)
    Image.fromarray(wave(40, 200, 33)).save(tmp_path / "p" / "wide.png")
    Image.fromarray(wave(41, 33, 150)).save(tmp_path / "p" / "tall.png")
    said = told(call("--json", "--root", night, "import", "night", tmp_path / "p"))
    placed = {row["candidate"] for row in said["pictures"] if row["outcome"] == "placed"}
    assert placed
    shown = told(call("--json", "--root", night, "inspect", "night"))
    elites = {elite["candidate"]: elite for elite in shown["elites"]}
    assert placed <= set(elites)
    assert all(elites[c]["operator"] == "import" and elites[c]["recipe"]["slots"] == {} for c in placed)
    assert "import" not in {emitter["name"] for emitter in shown["emitters"]}
    page, poster = tmp_path / "map.html", tmp_path / "map.png"
    assert call("--root", night, "inspect", "night", "--html", page, "--png", poster)[0] == 0
    assert "import" in page.read_text() and poster.stat().st_size > 1000
    exported = told(call("--json", "--root", night, "export", "night", tmp_path / "out", "--contact-sheet"))
    mine = [tmp_path / "out" / file["file"] for file in exported["files"] if file["candidate"] in placed]
    for path in mine:
        with Image.open(path) as picture:
            assert "parameters" not in picture.info
        assert read_recipe(path).generator == "import"


def test_the_probing_process_reads_them_too(
    call: Call, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(tmp_path / "p", 2)
    told(call("--json", "--root", night, "import", "night", tmp_path / "p"))
    with store(night) as kept:
        genomes = [c.genome for c in kept.candidates() if c.genome.imported]
        references = kept.facts["reference_prompts"]
    asked = {
        "settings": as_table(load(night / "experiments/series/night.toml", known=known_names())),
        "root": str(night),
        "references": references,
        "folder": str(night / "archive" / "night"),
        "genomes": [{**g.recipe(), "parents": g.parents, "operator": g.operator} for g in genomes],
    }
    seen: list[str] = []
    monkeypatch.setattr(crew, "load_generator", lambda _config, _picture: FakeGenerator())
    monkeypatch.setattr(images, "encode", lambda genome, pixels, series: seen.append(pixels_hash(pixels)))
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(asked)))
    words: list[str] = []
    probe.main(words.append)
    assert words == ["ready", "done", "done"]
    assert seen == [genome.generator_version for genome in genomes]
