"""Commands on a series that was run: status, inspect, verify, rounds, judge, export, upgrade.

The series is run by the real loop with a fake generator and fake scorers, at 64 pixels.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gen_emerge import crew, inspection
from gen_emerge.cli import main as door
from gen_emerge.errors import BadInput
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.identify import candidate_meant
from gen_emerge.reports import words
from gen_emerge.reports.page import render_html
from gen_emerge.spoken import spoken
from gen_emerge.store import Store, hold
from gen_emerge.types import Round

Outcome = tuple[int, str, str]
COUNTS = ("passed", "review", "pending", "failed")
STATUS_KEYS = {
    "series", "state", "cycle", "candidates", "passed", "review", "pending", "failed", "rejected", "accepted",
    "cells_filled", "cells_total", "coverage", "mean_pairwise_distance", "vendi", "images_per_minute", "open_rounds",
    "open_questions", "alarms", "review_unasked", "digest",
}  # fmt: skip


def _settings(path: Path, **values: Any) -> None:
    """Set keys of a series file, line by line, as a user's editor would."""
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text, found = re.subn(rf"^{key} = .*$", f"{key} = {json.dumps(value)}", text, flags=re.M)
        assert found
    path.write_text(text, encoding="utf-8")


def _use_fakes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(crew, "load_generator", lambda _config: FakeGenerator())
    patch.setattr(crew, "load_scorers", lambda _config, _references: (FakeScorer(),))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every series of this test is painted and measured by fakes."""
    _use_fakes(monkeypatch)


@pytest.fixture(scope="session")
def run_studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio folder with the series `night` of 12 cycles; never changed."""
    folder = tmp_path_factory.mktemp("cli") / "studio"
    with pytest.MonkeyPatch.context() as patch:
        _use_fakes(patch)
        assert door.main(["init", str(folder)]) == 0
        assert door.main(["--root", str(folder), "new", "night", "--brief", "Prints for the night."]) == 0
        _settings(
            folder / "experiments" / "series" / "night.toml",
            width=64, height=64, cycles=12, warmup_cycles=3, checkin_every=6, dims=[6, 6],
        )  # fmt: skip
        assert door.main(["--root", str(folder), "run", "night"]) == 0
    return folder


@pytest.fixture
def night(run_studio: Path, tmp_path: Path) -> Path:
    """A copy of that studio folder, to be changed."""
    return Path(shutil.copytree(run_studio, tmp_path / "studio"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], fakes: None) -> Iterator[Callable[..., Outcome]]:
    """Calls the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = door.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run


def _json(outcome: Outcome, code: int = 0) -> Any:
    assert outcome[0] == code, outcome
    return json.loads(outcome[1])


def _answers(folder: Path) -> list[tuple[str, str, str]]:
    with Store.open(folder / "archive" / "night", readonly=True) as store:
        return [(a.question, a.answer, a.rater) for a in store.answers().standing]


def _write(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


# ---- run, status -------------------------------------------------------------------------------------------------


def test_an_alarm_stands_in_status_and_report_until_it_ends(call: Callable[..., Outcome], night: Path) -> None:
    path = night / "experiments" / "series" / "night.toml"
    before = _json(call("--root", night, "status", "night", "--json"))
    assert before["alarms"] == [] and before["review"] > 0
    _settings(path, review_queue=1, checkin_every=0, cycles=14)
    (alarm,) = _json(call("--root", night, "run", "night", "--json"))["alarms"]
    assert (alarm["alarm"], alarm["raised"], alarm["limit"]) == ("review-queue", 13, 1)
    assert alarm["responses"] == [{"did": "round", "round": "r13", "opened": True, "said": "round r13 was opened"}]
    with Store.open(night / "archive" / "night", readonly=True) as store:
        assert [(r.reason, r.cycle) for r in store.rounds() if r.id == "r13"] == [("alarm", 13)]
    page = night / "map.html"
    said = f"{alarm['message']} So round r13 was opened."
    for standing in (True, False):
        assert call("--root", night, "inspect", "night", "--html", page)[0] == 0
        head, rest = page.read_text(encoding="utf-8").split("<main>")
        assert (said in head) is standing and alarm["message"] in rest
        _settings(path, review_queue=0, cycles=15)
        call("--root", night, "run", "night")
    assert _json(call("--root", night, "status", "night", "--json"))["alarms"] == []


def test_status_is_the_contracts_object(call: Callable[..., Outcome], run_studio: Path) -> None:
    said = _json(call("--root", run_studio, "status", "night", "--json"))
    assert set(said) == STATUS_KEYS
    assert (said["series"], said["state"], said["cycle"], said["candidates"]) == ("night", "done", 12, 96)
    assert said["candidates"] == sum(said[key] for key in COUNTS) + said["rejected"]["total"]
    assert set(said["rejected"]) == {"total", "filters", "gates"}
    assert said["coverage"] == said["cells_filled"] / said["cells_total"] > 0
    every = {row["series"]: row for row in _json(call("--json", "--root", run_studio, "status"))["series"]}
    files = (run_studio / "experiments" / "series").glob("*.toml")
    assert list(every) == sorted(path.stem for path in files)
    assert every["night"] == said
    assert every["first-light"]["state"] == "new"


def test_run_prints_status_and_does_nothing_when_it_is_there(call: Callable[..., Outcome], night: Path) -> None:
    before = _json(call("--root", night, "status", "night", "--json"))
    said = _json(call("--root", night, "--json", "run", "night"))
    assert said == before
    said = _json(call("--root", night, "--json", "run", "night", "--cycles", "13"))
    assert (said["state"], said["cycle"], set(said)) == ("done", 13, STATUS_KEYS)


def test_run_tells_how_far_it_is_on_stderr_alone(call: Callable[..., Outcome], night: Path) -> None:
    code, out, err = call("--root", night, "run", "night", "--cycles", "14")
    assert code == 0
    assert "cycle 14/14" in err and "images/min" in err
    assert out.startswith("night  done  cycle 14")
    assert "gen-emerge judge night" in out


def test_run_ends_by_saying_where_to_look_and_how_to_go_on(call: Callable[..., Outcome], night: Path) -> None:
    code, out, _ = call("--root", night, "run", "night")
    assert code == 0
    assert str(night / "archive" / "night" / "images") in out
    assert "gen-emerge inspect night --html map.html" in out
    assert re.search(r"gen-emerge judge night  \(\d+ questions are open\)$", out, re.M)
    assert out.endswith("It has its 12 cycles.\nTo go on: gen-emerge run night --cycles 24\n")
    assert call("--root", night, "status", "night")[1].endswith("To go on: gen-emerge run night --cycles 24\n")
    code, out, err = call("--root", night, "--json", "run", "night")
    assert set(json.loads(out)) == STATUS_KEYS and err == ""


def test_a_run_shorter_than_the_file_or_the_warm_up_says_so(call: Callable[..., Outcome], night: Path) -> None:
    shutil.rmtree(night / "archive" / "night")
    code, out, _ = call("--root", night, "run", "night", "--cycles", "2")
    assert code == 0
    assert "nothing is placed before the warm-up's end, which is cycle 3" in out
    assert out.endswith("its file asks for 12.\nTo go on: gen-emerge run night\n")
    assert _json(call("--root", night, "--json", "status", "night"))["state"] == "done"
    code, out, _ = call("--root", night, "run", "night", "--cycles", "4")
    assert "warm-up" not in out
    assert out.endswith("It has the 4 cycles it was asked for; its file asks for 12.\nTo go on: gen-emerge run night\n")
    assert "its file asks for 12" in call("--root", night, "status", "night")[1]
    for again in (["run", "night", "--cycles", "2"], ["status", "night"]):
        assert "It has 4 cycles already (2 asked for); its file asks for 12." in call("--root", night, *again)[1]


def test_series_that_nobody_made_yet_are_told_apart(call: Callable[..., Outcome], run_studio: Path) -> None:
    code, out, _ = call("--root", run_studio, "status")
    made, _, ready = out.partition("\nReady to run, nothing made yet:\n")
    assert code == 0
    assert [line.split()[0] for line in made.splitlines() if line] == ["night"]
    assert re.search(r"^  first-light +gen-emerge run first-light$", ready, re.M)
    assert "night " not in ready


def test_a_time_that_has_passed_ends_the_run_after_a_cycle(
    call: Callable[..., Outcome], night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime

    from gen_emerge.cli.commands import run

    def passed(_text: str, now: datetime.datetime) -> datetime.datetime:
        return now - datetime.timedelta(seconds=1)

    monkeypatch.setattr(run, "next_time", passed)
    said = _json(call("--root", night, "--json", "run", "night", "--cycles", "20", "--until", "07:00"))
    assert said["state"] == "stopped"
    assert said["cycle"] < 20
    out = call("--root", night, "run", "night", "--cycles", "20", "--until", "07:00")[1]
    assert re.search(r"It stopped after cycle \d+ of 20\.\nTo go on: gen-emerge run night --cycles 20\n$", out)


def test_a_series_that_waits_exits_with_4_until_it_is_answered(call: Callable[..., Outcome], night: Path) -> None:
    path = night / "experiments" / "series" / "night.toml"
    _settings(path, on_checkin="wait")
    for _ in range(2):
        said = _json(call("--root", night, "--json", "run", "night", "--cycles", "14"), 4)
        assert (said["state"], said["cycle"]) == ("waiting", 12)
        rounds = _json(call("--root", night, "--json", "rounds", "night"))
        lines = [{"question": question["id"], "answer": "skip"} for question in rounds["questions"]]
        assert _json(call("--root", night, "--json", "judge", "night", "--rater", "anna",
                          "--answers", _write(night / "a.jsonl", *lines)))["answers"] == len(lines)  # fmt: skip
    code, _, err = call("--root", night, "run", "night", "--cycles", "14")
    assert (code, "Waiting" in err) == (0, False)


def test_a_series_held_by_another_process_exits_with_3(call: Callable[..., Outcome], night: Path) -> None:
    with hold(night / "archive" / "night"):
        code, out, _ = call("--root", night, "--json", "run", "night", "--cycles", "14")
        error = json.loads(out)["error"]
        assert (code, error["code"]) == (3, "held")
        assert str(os.getpid()) in error["message"]
        assert _json(call("--root", night, "--json", "status", "night"))["state"] == "running"
        for name in ("inspect", "verify", "rounds"):
            assert call("--root", night, "--json", name, "night")[0] == 0
        assert call("--root", night, "--json", "upgrade", "night")[0] == 3
    said = _json(call("--root", night, "--json", "upgrade", "night"))
    assert (said["series"], said["from"]) == ("night", said["to"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 8}, "seed"),
        ({"batch": 4}, "loop.batch"),
        ({"warmup_cycles": 4}, "loop.warmup_cycles"),
        ({"pipeline_depth": 0}, "loop.pipeline_depth"),
        ({"axes": ["warmth", "detail"]}, "archive.axes"),
        ({"dims": [7, 6]}, "archive.dims"),
    ],
)
def test_a_fixed_key_cannot_be_changed(
    call: Callable[..., Outcome], night: Path, change: dict[str, Any], said: str
) -> None:
    before = _json(call("--root", night, "--json", "status", "night"))["digest"]
    path = night / "experiments" / "series" / "night.toml"
    kept = path.read_text()
    _settings(path, **change)
    error = _json(call("--root", night, "--json", "run", "night", "--cycles", "13"), 2)["error"]
    assert error["code"] == "fixed-key-changed"
    assert said in error["message"]
    path.write_text(kept)
    assert _json(call("--root", night, "--json", "status", "night"))["digest"] == before


def test_a_series_whose_bank_is_missing_is_refused_and_nothing_is_made(
    call: Callable[..., Outcome], studio: Path
) -> None:
    assert call("--root", studio, "new", "day")[0] == 0
    _settings(studio / "experiments" / "series" / "day.toml", bank="prompts/painter-2.toml")
    error = _json(call("--root", studio, "--json", "run", "day"), 2)["error"]
    assert "painter-2.toml" in error["message"]
    assert "painter-1.toml" in error["hint"]
    assert not (studio / "archive" / "day").exists()


# ---- inspect, verify, export, upgrade ----------------------------------------------------------------------------


def test_inspect_gives_the_map(call: Callable[..., Outcome], night: Path) -> None:
    status = _json(call("--root", night, "--json", "status", "night"))
    said = _json(call("--root", night, "inspect", "night", "--json"))
    assert len(said["elites"]) == status["cells_filled"]
    for elite in said["elites"]:
        assert {"cell", "candidate", "genome", "image", "descriptor", "signals", "cycle"} <= set(elite)
        assert (night / "archive" / "night" / elite["image"]).is_file()
        assert isinstance(elite["cell"], int)
    assert [axis["name"] for axis in said["axes"]] == ["warmth", "edge_density"]
    assert {"low", "high", "clipped"} <= set(said["axes"][0])
    assert {"name", "lower", "upper", "review", "fired"} <= set(said["gates"][0])
    code, out, _ = call("--root", night, "inspect", "night")
    assert (code, "6" in out) == (0, True)


def test_inspect_shows_any_candidate_and_why_it_is_where_it_is(call: Callable[..., Outcome], night: Path) -> None:
    shown = _json(call("--root", night, "inspect", "night", "--json"))
    elites = {elite["candidate"]: elite for elite in shown["elites"]}
    bounds = {gate["name"]: gate["lower"] for gate in shown["gates"]}
    with closing(Store.open(night / "archive" / "night", readonly=True)) as store:
        everybody = {c.id: c for c in store.candidates(current=True)}
        last = {number: {v.gate: v for v in each} for number, each in store.verdicts().items()}
    met = set()
    for number, candidate in everybody.items():
        code, out, err = call("--root", night, "--json", "inspect", "night", "--candidate", str(number))
        said = json.loads(out)
        assert code == 0 and err == "" and said["series"] == "night" and said["candidate"] == number
        assert (said["status"], said["cause"], said["slot"]) == (candidate.status, candidate.cause, candidate.slot)
        assert said["on_map"] is (number in elites) and said["said"].endswith(".")
        assert said["genome"] == candidate.genome.hash and said["recipe"] == candidate.genome.recipe()
        if said["on_map"]:
            assert said["cell"] == elites[number]["cell"] and said["image"] == elites[number]["image"]
            assert {k: v["value"] for k, v in said["signals"].items()} == elites[number]["signals"]
            assert said["said"].startswith(f"It holds cell {said['cell']}, ") and said["critique"]["answers"]
        if candidate.status in ("rejected", "review") and candidate.cause in bounds:
            assert said["value"] == last[number][candidate.cause].value and said["bound"] is not None
            assert spoken(said["value"]) in said["said"] and spoken(said["bound"]) in said["said"]
            assert {v["gate"] for v in said["verdicts"]} == set(bounds)
        met.add(said["outcome"])
    assert met >= {"placed", "rejected", "review"}


def test_inspect_shows_a_candidate_for_people(call: Callable[..., Outcome], night: Path) -> None:
    elites = _json(call("--root", night, "inspect", "night", "--json"))["elites"]
    child = next(elite for elite in elites if elite["parents"])
    code, out, _ = call("--root", night, "inspect", "night", "--candidate", child["candidate"])
    assert code == 0 and out.startswith(f"night  candidate {child['candidate']}  on the map  cycle {child['cycle']}")
    assert f"It holds cell {child['cell']}" in out and child["genome"] in out
    assert str(night / "archive" / "night" / child["image"]) in out, "in one piece, to be copied"
    assert re.search(rf"made by +{child['operator']} from candidate \d+", out)
    assert re.search(r"quality +pass +[\d.e-]+ +from [\d.e-]+ \(review within", out)
    assert "the critic (measured-1) on general-1:" in out and re.search(r"cycle \d+ +cell \d+: (new|won)", out)


def _asked_about(call: Callable[..., Outcome], folder: Path) -> dict[int, str]:
    """Of every image in review, what is said of who asks about it."""
    with closing(Store.open(folder / "archive" / "night", readonly=True)) as store:
        waiting = [c.id for c in store.candidates(current=True) if c.status == "review"]
    said: dict[int, str] = {}
    for number in waiting:
        _, out, _ = call("--root", folder, "inspect", "night", "--candidate", number)
        assert "It waits for a human's word: " in out
        found = re.search(
            r"asks about it: question (\S+)\.|is answered: that|question about it is open: gen\S+ rounds", out
        )
        assert found is not None, out
        said[number] = found[1] or found[0]
    return said


def test_who_asks_about_an_image_in_review_is_said_as_it_is(
    call: Callable[..., Outcome], night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked = {q.images["only"]: q.id for r in _rounds(night) for q in r.questions if q.kind == "review"}
    said, none = _asked_about(call, night), "question about it is open: gen-emerge rounds"
    assert asked and {number: word for number, word in said.items() if word != none} == asked
    left = len(said) - len(asked)
    assert left > 0 and _json(call("--root", night, "--json", "status", "night"))["review_unasked"] == left
    hint = f"{left} images wait in review, with no question open: gen-emerge rounds night --open review"
    for again in (["status", "night"], ["run", "night"]):
        out = call("--root", night, *again)[1]
        assert hint in out or f"gen-emerge rounds night --open review  ({left} with no question open)" in out
    answers = [{"question": q.id, "answer": "skip"} for r in _rounds(night) for q in r.questions]
    call("--root", night, "judge", "night", "--rater", "anna", "--answers", _write(night / "a.jsonl", *answers))
    assert {_asked_about(call, night)[number] for number in asked} == {"is answered: that"}
    for again in (["rounds", "night"], ["judge", "night"]):
        assert f"night: no question is open. {hint}" in "".join(call("--root", night, *again)[1:])
    call("--root", night, "run", "night", "--cycles", "13")
    assert {_asked_about(call, night)[number] for number in asked} == {none}, "skipped: nobody has said a word"
    while _json(call("--root", night, "--json", "status", "night"))["review_unasked"]:
        call("--root", night, "rounds", "night", "--open", "review")
    assert none not in _asked_about(call, night).values()
    assert "--open review" not in call("--root", night, "status", "night")[1]


def test_inspect_refuses_a_candidate_that_is_not_there(call: Callable[..., Outcome], night: Path) -> None:
    error = _json(call("--root", night, "--json", "inspect", "night", "--candidate", "5000"), 2)["error"]
    assert error["code"] == "not-found" and "has no candidate 5000: there are 96 in 12 cycles" in error["message"]
    assert "--list" in error["hint"]
    for wrong in ("0", "-3", "a7", "beef1", "g" * 8):
        error = _json(call("--root", night, "--json", "inspect", "night", "--candidate", wrong), 2)["error"]
        assert f'--candidate "{wrong}"' in error["message"] and "6 digits or more" in error["message"]
        assert "--list" in error["hint"]
    for other in ("--html", "--png"):
        words = ["inspect", "night", "--candidate", "3", other, night / "map.x"]
        assert "--candidate shows one image" in _json(call("--root", night, "--json", *words), 2)["error"]["message"]
        assert not (night / "map.x").exists()
    file = night / "experiments" / "series" / "dawn.toml"
    file.write_text((file.parent / "night.toml").read_text().replace('name = "night"', 'name = "dawn"'))
    error = _json(call("--root", night, "--json", "inspect", "dawn", "--candidate", "3"), 2)["error"]
    assert "has not been run yet" in error["message"] and error["hint"] == "gen-emerge run dawn"


def test_inspect_finds_a_candidate_by_a_hash_or_a_picture(
    call: Callable[..., Outcome], night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = night / "archive" / "night"
    with closing(Store.open(folder, readonly=True)) as store:
        everybody = store.candidates()
    one = next(c for c in everybody[40:] if c.image is not None)
    assert one.image is not None
    call("--root", night, "export", "night", tmp_path / "chosen", "--top", "1")
    (exported,) = (tmp_path / "chosen").iterdir()
    elite = next(c for c in everybody if c.genome.hash[:8] in exported.name)
    bare = tmp_path / "bare.png"  # without its recipe, under another name
    with Image.open(folder / one.image.path) as opened:
        Image.fromarray(np.asarray(opened)).save(bare)
    renamed = shutil.copy(exported, tmp_path / "123456.png")

    def found(given: object) -> int:
        return _json(call("--root", night, "--json", "inspect", "night", "--candidate", given))["candidate"]

    for given in (one.genome.hash[:12], one.genome.hash, one.image.pixels[:12].upper(), one.image.file[:12]):
        assert found(given) == one.id
    for given in (folder / one.image.path, folder / one.image.thumbnail, bare):
        assert found(given) == one.id
    assert found(exported) == found(renamed) == elite.id
    monkeypatch.chdir(tmp_path)
    assert found("bare.png") == one.id
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "else.png")
    (tmp_path / "torn.png").write_bytes(exported.read_bytes()[:300])
    for given, said in (
        ("0" * 12, 'The series "night" has no candidate whose genome or picture'),
        ("gone.png", "There is no picture gone.png."),
        ("else.png", 'else.png is no picture of the series "night"'),
        ("torn.png", "torn.png is damaged"),
    ):
        assert (
            said
            in _json(call("--root", night, "--json", "inspect", "night", "--candidate", given), 2)["error"]["message"]
        )


def test_a_beginning_that_several_hashes_share_names_them(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shared(_store: object, digits: str) -> dict[int, str]:
        return {3: digits + "a" * 58, 9: digits + "b" * 58}

    monkeypatch.setattr(Store, "beginning_with", shared)
    with closing(Store.open(night / "archive" / "night", readonly=True)) as store:
        with pytest.raises(BadInput, match=r"candidates 3 \(abcdefaaaaaa\.\.\.\), 9 \(abcdefbbbbbb\.\.\.\)\.") as told:
            candidate_meant(store, "abcdef")
        assert "more digits" in (told.value.hint or "")
        # Digits alone are an id where there is one, and a hash where there is none.
        monkeypatch.setattr(Store, "beginning_with", lambda _store, digits: {9: digits + "c" * 58})
        assert [candidate_meant(store, given) for given in (41, "41", "000041", "123456", "5000")] == [
            41,
            41,
            41,
            9,
            5000,
        ]


def test_inspect_writes_a_page_and_a_picture(call: Callable[..., Outcome], night: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "map.html", tmp_path / "map.png"
    code, out, _ = call("--root", night, "inspect", "night", "--html", page, "--png", picture)
    assert (code, out.split()) == (0, [str(page), str(picture)])
    assert "Content-Security-Policy" in page.read_text(encoding="utf-8")
    with Image.open(picture) as opened:
        assert opened.format == "PNG"
    assert _json(call("--root", night, "--json", "inspect", "night", "--html", page))["written"] == [str(page)]
    error = _json(call("--root", night, "--json", "inspect", "night", "--html", tmp_path / "no" / "map.html"), 2)
    assert "map.html" in error["error"]["message"]
    error = _json(call("--root", night, "--json", "inspect", "night", "--png", tmp_path / "map.jpg"), 2)["error"]
    assert "map.jpg" in error["message"] and "ends in .png" in error["message"]
    assert error["hint"] == f"Write --png {tmp_path / 'map.png'}" and not (tmp_path / "map.jpg").exists()


def test_verify_names_what_is_wrong(call: Callable[..., Outcome], night: Path) -> None:
    said = _json(call("--root", night, "--json", "verify", "night"))
    assert (said["ok"], said["uncommitted"], said["problems"]) == (True, 0, [])
    pictures = sorted((night / "archive" / "night" / "images").rglob("*.png"))
    pictures[0].unlink()
    pictures[1].write_bytes(b"torn")
    said = _json(call("--root", night, "--json", "verify", "night"), 1)
    kinds = {problem["kind"]: problem["path"] for problem in said["problems"]}
    assert said["ok"] is False
    assert pictures[0].name in kinds["missing"]
    assert pictures[1].name in kinds["hash"]
    code, out, _ = call("--root", night, "verify", "night")
    assert code == 1
    assert "2 problems" in out and "the file is not there" in out


# ---- rounds and judge --------------------------------------------------------------------------------------------


def test_the_oldest_open_round_is_shown_until_it_is_answered(call: Callable[..., Outcome], night: Path) -> None:
    first = _json(call("--root", night, "--json", "rounds", "night"))
    assert first["round"] == "r6"
    for question in first["questions"]:
        assert set(question) == {"id", "kind", "ask", "prompt", "images", "answered"}
        assert set(question["images"]) == ({"left", "right"} if question["kind"] == "pair" else {"only"})
        for path in question["images"].values():
            assert (night / "archive" / "night" / path).is_file()
    lines = [{"question": question["id"], "answer": "skip"} for question in first["questions"]]
    path = _write(night / "a.jsonl", *lines)
    said = _json(call("--root", night, "--json", "judge", "night", "--answers", path, "--rater", "anna"))
    assert (said["answers"], said["undone"], said["open_rounds"]) == (len(lines), 0, 1)
    assert _json(call("--root", night, "--json", "rounds", "night"))["round"] == "r12"
    undo = _write(night / "b.jsonl", {"undo": lines[0]["question"]})
    assert _json(call("--root", night, "--json", "judge", "night", "--answers", undo, "--rater", "anna"))["undone"] == 1
    again = _json(call("--root", night, "--json", "rounds", "night"))
    assert (again["round"], again["questions"][0]["answered"]) == ("r6", None)
    assert {question["answered"] for question in again["questions"][1:]} == {"skip"}


def test_rounds_can_be_asked_for(call: Callable[..., Outcome], night: Path) -> None:
    seen: set[str] = set()
    for kind, of in (("pairs", "pair"), ("keep", "keep"), ("review", "review"), ("pairs", "pair")):
        said = _json(call("--root", night, "--json", "rounds", "night", "--open", kind))
        if said["round"] is None:
            assert kind == "review"
            continue
        assert {question["kind"] for question in said["questions"]} == {of}
        assert said["round"] not in seen
        seen.add(said["round"])
    status = _json(call("--root", night, "--json", "status", "night"))
    assert status["open_rounds"] == 2 + len(seen)
    assert _json(call("--root", night, "--json", "run", "night"))["digest"] == status["digest"]


@pytest.mark.parametrize(
    ("kind", "of", "names"),
    [
        ("rank4", "rank4", ["a", "b", "c", "d"]),
        ("ranking", "ranking", list("abcdefghij")),
        ("triplets", "triplet", ["reference", "a", "b"]),
    ],
)
def test_rankings_and_triplets_are_asked_and_answered(
    call: Callable[..., Outcome], night: Path, kind: str, of: str, names: list[str]
) -> None:
    said = _json(call("--root", night, "--json", "rounds", "night", "--open", kind))
    assert {question["kind"] for question in said["questions"]} == {of}
    first = said["questions"][0]
    assert list(first["images"]) == names and first["ask"] == ("similarity" if of == "triplet" else "quality")
    for path in first["images"].values():
        assert (night / "archive" / "night" / path).is_file()
    order = names[::-1]
    line = {"question": first["id"], "answer": "b"} if of == "triplet" else {"question": first["id"], "order": order}
    path = _write(night / "a.jsonl", line, *({"question": q["id"], "answer": "skip"} for q in said["questions"][1:]))
    assert _json(call("--root", night, "--json", "judge", "night", "--answers", path, "--rater", "anna"))["answers"]
    with Store.open(night / "archive" / "night", readonly=True) as store:
        (answer,) = store.answers().of(first["id"])
    assert (answer.answer, answer.order) == (("b", ()) if of == "triplet" else ("ranked", tuple(order)))
    _json(call("--root", night, "--json", "run", "night", "--cycles", "13"))
    with Store.open(night / "archive" / "night", readonly=True) as store:
        (thirteenth,) = store.history(12)
    told = [duel for duel in thirteenth.duels if duel.judge == "human:anna"]
    assert len(told) == {"rank4": 6, "ranking": 45, "triplet": 0}[of]
    assert _json(call("--root", night, "--json", "verify", "night"))["ok"]
    text = call("--root", night, "rounds", "night")[1]
    assert "Traceback" not in text


def test_a_rank_that_is_wrong_says_what_was_wanted(call: Callable[..., Outcome], night: Path) -> None:
    first = _json(call("--root", night, "--json", "rounds", "night", "--open", "rank4"))["questions"][0]
    path = _write(night / "a.jsonl", {"question": first["id"], "order": ["a", "b", "c", "c"]})
    error = _json(call("--root", night, "--json", "judge", "night", "--answers", path, "--rater", "anna"), 2)["error"]
    assert 'Line 1: "order" names "c" twice.' in error["message"] and "all of a, b, c, d once" in error["hint"]
    assert _answers(night) == []


def test_a_check_in_can_rank_four_at_a_time(call: Callable[..., Outcome], night: Path) -> None:
    _settings(night / "experiments" / "series" / "night.toml", checkin_screens="rank4")
    _json(call("--root", night, "--json", "run", "night", "--cycles", "18"))
    with Store.open(night / "archive" / "night", readonly=True) as store:
        asked = store.rounds()[-1]
    assert (asked.id, len(asked.questions)) == ("r18", 5)
    assert "rank4" in {question.kind for question in asked.questions}


# ---- favourites --------------------------------------------------------------------------------------------------


def _mark(call: Callable[..., Outcome], night: Path, *lines: Any, code: int = 0, rater: str = "anna") -> Any:
    path = _write(night / "marks.jsonl", *lines)
    said = _json(call("--root", night, "--json", "judge", "night", "--answers", path, "--rater", rater), code)
    return said["error"] if code else said


def _marks(call: Callable[..., Outcome], night: Path) -> dict[int, str]:
    found = _json(call("--root", night, "--json", "inspect", "night"))
    marked = {f["candidate"]: f["level"] for f in found["favourites"]}
    assert all(e["favourite"] == marked.get(e["candidate"]) for e in found["elites"])
    return marked


def test_favourites_are_kept_shown_and_taken_away(call: Callable[..., Outcome], night: Path) -> None:
    one, two, *_ = (e["candidate"] for e in _json(call("--root", night, "--json", "inspect", "night"))["elites"])
    digest = _json(call("--root", night, "--json", "status", "night"))["digest"]
    assert _marks(call, night) == {}
    said = _mark(call, night, {"favourite": one, "level": "interesting"}, {"favourite": two, "level": "breakthrough"})
    assert (said["favourites"], said["answers"]) == (2, 0)
    assert _marks(call, night) == {one: "interesting", two: "breakthrough"}
    account = _json(call("--root", night, "--json", "inspect", "night", "--candidate", two))
    assert account["favourite"] == "breakthrough"
    text = call("--root", night, "inspect", "night", "--candidate", two)[1]
    assert f"candidate {two}  on the map, breakthrough" in text
    assert call("--root", night, "inspect", "night", "--html", night / "map.html")[0] == 0
    page = (night / "map.html").read_text(encoding="utf-8")
    assert page.count("<strong>Breakthrough.</strong>") == page.count("<strong>Interesting.</strong>") == 1
    _mark(call, night, {"favourite": two, "level": None}, rater="ben")
    assert _marks(call, night) == {one: "interesting"}, "the last word stands, whoever said it"
    assert _json(call("--root", night, "--json", "status", "night"))["digest"] == digest
    _json(call("--root", night, "--json", "run", "night", "--cycles", "13"))
    assert _marks(call, night) == {one: "interesting"}


def test_there_is_one_breakthrough_and_moving_it_is_asked(call: Callable[..., Outcome], night: Path) -> None:
    one, two, three, *_ = (e["candidate"] for e in _json(call("--root", night, "--json", "inspect", "night"))["elites"])
    _mark(call, night, {"favourite": one, "level": "breakthrough"})
    _mark(call, night, {"favourite": one, "level": "breakthrough"})
    lines = [{"favourite": two, "level": "interesting"}, {"favourite": three, "level": "breakthrough"}]
    error = _mark(call, night, *lines, code=2)
    assert error["message"].startswith(f"Line 2: candidate {one} is the breakthrough of this series")
    assert '"move": true' in error["hint"] and f'{{"favourite": {one}, "level": null}}' in error["hint"]
    assert _marks(call, night) == {one: "breakthrough"}, "one bad line refuses the file"
    _mark(call, night, {"favourite": two, "level": "breakthrough", "move": True})
    assert _marks(call, night) == {one: "interesting", two: "breakthrough"}
    _mark(call, night, {"favourite": two, "level": None}, {"favourite": three, "level": "breakthrough"})
    assert _marks(call, night) == {one: "interesting", three: "breakthrough"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"favourite": 99_999, "level": "interesting"}, "there is no candidate 99999"),
        ({"favourite": 2**63, "level": "interesting"}, '"favourite" is 9223372036854775808; wanted the id'),
        ({"favourite": 0, "level": "interesting"}, '"favourite" is 0; wanted the id of a candidate'),
        ({"favourite": True, "level": "interesting"}, '"favourite" is true'),
        ({"favourite": "r6-1", "level": "interesting"}, '"favourite" is "r6-1"'),
        ({"favourite": 1}, '"level" is missing'),
        ({"favourite": 1, "level": "intresting"}, 'Did you mean "interesting"'),
        ({"favourite": 1, "level": "interesting", "move": True}, '"move" is true; wanted true, beside'),
        ({"favourite": 1, "level": "breakthrough", "move": "yes"}, '"move" is "yes"'),
        ({"favourite": 1, "level": None, "why": "it glows"}, 'unknown key "why"'),
    ],
)
def test_a_mark_that_cannot_be_kept_is_refused(
    call: Callable[..., Outcome], night: Path, line: dict[str, Any], said: str
) -> None:
    error = _mark(call, night, {"question": "r6-1", "answer": "skip"}, line, code=2)
    assert "Line 2" in error["message"] and said in f"{error['message']} {error['hint']}"
    assert _answers(night) == [] and _marks(call, night) == {}


def test_two_who_mark_at_the_same_moment_do_not_take_it_from_each_other(
    call: Callable[..., Outcome], night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, *_ = (e["candidate"] for e in _json(call("--root", night, "--json", "inspect", "night"))["elites"])
    add, others = Store.add_inputs, []

    def overtaken(store: Store, items: Any, **more: Any) -> Any:
        if not others:
            others.append(None)
            with Store.open(store.folder) as beside:
                mark = {"candidate": one, "level": "breakthrough", "rater": "ben"}
                add(beside, [("favourite", mark)])
        return add(store, items, **more)

    monkeypatch.setattr(Store, "add_inputs", overtaken)
    error = _mark(call, night, {"favourite": two, "level": "breakthrough"}, code=2)
    assert f"candidate {one} is the breakthrough" in error["message"]
    assert _marks(call, night) == {one: "breakthrough"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"question": "r6-1"', "Line 2"),
        ('{"question": "r6-99", "answer": "left"}', 'no question "r6-99"'),
        ('{"question": "r6-1", "answer": "lefft"}', "left"),
        ('{"question": "r6-1", "answer": "left", "seconds": -1}', "seconds"),
        ('{"question": "r6-1", "answr": "left"}', "answr"),
        ("[]", "Line 2"),
    ],
)
def test_one_bad_line_refuses_the_file(call: Callable[..., Outcome], night: Path, line: str, said: str) -> None:
    questions = _json(call("--root", night, "--json", "rounds", "night"))["questions"]
    path = _write(night / "a.jsonl", {"question": questions[0]["id"], "answer": "skip"}, line)
    error = _json(call("--root", night, "--json", "judge", "night", "--answers", path, "--rater", "anna"), 2)["error"]
    assert "Line 2" in error["message"]
    assert said in error["message"]
    assert _answers(night) == []


def test_a_file_of_answers_that_cannot_be_read_is_named(call: Callable[..., Outcome], night: Path) -> None:
    _write(night / "answers.jsonl", "")
    missing = call("--root", night, "--json", "judge", "night", "--rater", "a", "--answers", night / "answer.jsonl")
    assert 'Did you mean "answers.jsonl"' in _json(missing, 2)["error"]["hint"]
    (night / "bytes.jsonl").write_bytes(b'{"undo": "r6-1"}\n\xff\n')
    torn = call("--root", night, "--json", "judge", "night", "--rater", "a", "--answers", night / "bytes.jsonl")
    assert "line 2" in _json(torn, 2)["error"]["message"]
    nameless = call("--root", night, "--json", "judge", "night", "--rater", " ", "--answers", night / "answers.jsonl")
    assert "rater" in _json(nameless, 2)["error"]["message"]


def test_judging_without_a_terminal_says_how_else(call: Callable[..., Outcome], night: Path) -> None:
    error = _json(call("--root", night, "--json", "judge", "night"), 2)["error"]
    assert error["message"] == "There is no terminal to ask in." and "--answers FILE --rater NAME" in error["hint"]


class _Terminal:
    """`gen-emerge judge night` in a pseudo-terminal: what it says is waited for, keys are pressed."""

    def __init__(self, studio: Path, **environment: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        script = "import sys; from gen_emerge.cli.main import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "--root", str(studio), "judge", "night", "--rater", "anna"],
            stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, start_new_session=True,
            env={**os.environ, "TERM": "xterm-kitty", "TERM_PROGRAM": "", "TMUX": "", **environment},
        )  # fmt: skip
        os.close(theirs)
        self._seen = ""

    def until(self, words: str) -> None:
        import select

        end = time.monotonic() + 60
        while words not in self._seen:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"waited for {words!r}: {self._seen[-2000:]}"
            self._seen += os.read(self._ours, 65536).decode("utf-8", "replace")
        self._seen = self._seen[self._seen.index(words) + len(words) :]

    def press(self, key: bytes, *, after: str = "? help") -> None:
        """Once those words are shown and the terminal hands over single keys: what is typed before is dropped."""
        import termios

        self.until(after)
        end = time.monotonic() + 60
        while termios.tcgetattr(self._ours)[3] & termios.ICANON:
            assert time.monotonic() < end
            time.sleep(0.01)
        os.write(self._ours, key)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)
        os.close(self._ours)


@pytest.fixture
def terminal(night: Path) -> Iterator[_Terminal]:
    opened = _Terminal(night)
    yield opened
    opened.close()


def _kinds(folder: Path) -> list[str]:
    """The kind of every question, in the order in which they are asked."""
    with Store.open(folder / "archive" / "night", readonly=True) as store:
        return [question.kind for asked in store.rounds() for question in asked.questions]


no_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@no_terminal
def test_judging_in_a_terminal_is_one_key_an_answer(night: Path, terminal: _Terminal) -> None:
    kinds = _kinds(night)
    terminal.until(f"night: {len(kinds)} questions are open. You answer as anna.")
    terminal.until("brief: Prints for the night.")
    terminal.until(f"1 of {len(kinds)}")
    terminal.until("\x1b_Ga=T,f=100")
    terminal.press(b"\x1b[C")
    terminal.until("2 of ")
    terminal.press(b"S")
    terminal.until("3 of ")
    terminal.press(b"u")
    terminal.until(f"Took back the answer to question 2 of {len(kinds)}.")
    terminal.press(b"?")
    terminal.until("says that you are not sure.")
    terminal.press(b"q", after="")
    terminal.until(f"1 answer is kept, {len(kinds) - 1} questions are open.")
    assert terminal.process.wait(timeout=60) == 0
    assert _answers(night) == [("r6-1", "right" if kinds[0] == "pair" else "keep", "anna")]


@no_terminal
@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_where_a_terminal_shows_no_pictures_one_file_follows_the_questions_and_goes_with_the_rater(
    night: Path, tmp_path: Path, key: bytes
) -> None:
    (tmp_path / "temporary").mkdir()
    plain = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "KITTY_WINDOW_ID", "LC_TERMINAL"), "")
    terminal = _Terminal(night, **plain, TERM="xterm-256color", TMPDIR=str(tmp_path / "temporary"))
    try:
        terminal.until("This terminal shows no pictures. Open ")
        shown: list[bytes] = []
        for number in (1, 2, 3):
            terminal.until(f"{number} of ")
            terminal.until("picture: ")
            (drawn,) = (tmp_path / "temporary").rglob("*.png")
            assert drawn.name == "night.png"
            shown.append(drawn.read_bytes())
            terminal.press(b"s" if number < 3 else key)
        assert len(set(shown)) == 3
        terminal.until("2 answers are kept")
        terminal.process.wait(timeout=60)
    finally:
        terminal.close()
    assert list((tmp_path / "temporary").iterdir()) == []


@no_terminal
@pytest.mark.parametrize(("key", "code", "said"), [(b"\x03", 130, "Interrupted. "), (b"\x04", 0, "")])
def test_whoever_leaves_is_told_what_was_kept(
    night: Path, terminal: _Terminal, key: bytes, code: int, said: str
) -> None:
    terminal.press(b"s")
    terminal.until("2 of ")
    terminal.press(b"s")
    terminal.until("3 of ")
    terminal.press(key)
    terminal.until(f"{said}2 answers are kept, {len(_kinds(night)) - 2} questions are open.")
    assert terminal.process.wait(timeout=60) == code
    assert [answer for _, answer, _ in _answers(night)] == ["skip", "skip"]


def test_open_questions_are_one_number_everywhere(call: Callable[..., Outcome], night: Path) -> None:
    rounds = _json(call("--root", night, "--json", "rounds", "night"))
    answered = _write(night / "a.jsonl", {"question": rounds["questions"][0]["id"], "answer": "skip"})
    said = _json(call("--root", night, "--json", "judge", "night", "--rater", "anna", "--answers", answered))
    number = len(_kinds(night)) - 1
    assert (said["open_questions"], said["open_rounds"]) == (number, 2)
    for command in ("status", "rounds"):
        found = _json(call("--root", night, "--json", command, "night"))
        assert (found["open_questions"], found["open_rounds"]) == (number, 2)
        assert f"{number} questions are open" in call("--root", night, command, "night")[1]
    call("--root", night, "inspect", "night", "--html", night / "map.html")
    assert f"{number} questions are open." in (night / "map.html").read_text(encoding="utf-8")
    once_more = _write(night / "b.jsonl", {"undo": rounds["questions"][0]["id"]})
    text = call("--root", night, "judge", "night", "--rater", "anna", "--answers", once_more)[1]
    assert text == f"0 answers by anna, 1 taken back; {number + 1} questions are open.\n"


def test_a_round_for_people_asks_as_judge_does_and_names_files_that_can_be_opened(
    call: Callable[..., Outcome], night: Path
) -> None:
    found = _json(call("--root", night, "--json", "rounds", "night", "--open", "pairs"))
    rest = [q for asked in _rounds(night) if asked.id != found["round"] for q in asked.questions]
    _json(call("--root", night, "--json", "judge", "night", "--rater", "anna", "--answers",
               _write(night / "a.jsonl", *({"question": q.id, "answer": "skip"} for q in rest))))  # fmt: skip
    _, out, _ = call("--root", night, "rounds", "night")
    lines = [line.strip() for line in out.splitlines()]
    assert f"round {found['round']}, opened in cycle 12" in lines and "brief: Prints for the night." in lines
    asked = {question["ask"] for question in found["questions"]}
    assert asked == {"quality", "adherence"}
    files = [line.split()[-1] for line in lines if line.endswith(".png")]
    assert len(files) == 2 * len(found["questions"]) and all(Path(file).is_file() for file in files)
    for question in found["questions"]:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{question['id']} "))
        below = " ".join(lines[at : at + 9])
        if question["ask"] == "adherence":
            assert "Which one fits its prompt better?" in below
            assert all(prompt in below for prompt in question["prompt"].split(" | "))
        else:
            assert "Which one is better for the brief?" in below


def test_the_one_to_compare_with_is_called_as_it_is_asked_about(call: Callable[..., Outcome], night: Path) -> None:
    rest = [{"question": q.id, "answer": "skip"} for asked in _rounds(night) for q in asked.questions]
    call("--root", night, "--json", "judge", "night", "--rater", "anna", "--answers", _write(night / "a.jsonl", *rest))
    _, out, _ = call("--root", night, "rounds", "night", "--open", "triplets")
    assert "Which one is more like the one in the middle?" in out and "reference" not in out
    names = [line.split()[0] for line in out.splitlines() if line.endswith(".png")]
    assert names[:3] == ["a:", "middle:", "b:"]


def test_a_round_for_people_says_how_many_more_are_open(call: Callable[..., Outcome], night: Path) -> None:
    first, second = _rounds(night)
    _, out, _ = call("--root", night, "rounds", "night")
    assert f"round {first.id}, opened in cycle 6" in out
    assert f"{len(second.questions)} more in another round." in out
    call("--root", night, "rounds", "night", "--open", "keep")
    _, out, _ = call("--root", night, "rounds", "night")
    assert "more in 2 other rounds." in out


def _rounds(folder: Path) -> list[Round]:
    with Store.open(folder / "archive" / "night", readonly=True) as store:
        return store.rounds()


def test_a_report_ends_in_the_figures_that_status_has(call: Callable[..., Outcome], night: Path) -> None:
    _json(call("--root", night, "--json", "run", "night", "--cycles", "14"))
    status = _json(call("--root", night, "--json", "status", "night"))
    _, data = inspection.survey(night, night / "archive", "night")
    assert data.vendi[-1] == (14, status["vendi"]) and data.vendi[-2][0] == 9
    assert data.mean_distance[-1] == (14, status["mean_pairwise_distance"])
    assert [cycle for cycle, _ in data.mean_distance] == sorted({cycle for cycle, _ in data.mean_distance})
    page = render_html(data)
    curves = {"Effectively different images": data.vendi, "Mean distance between two elites": data.mean_distance}
    for name, curve in curves.items():
        number = words.figure(curve[-1][1])
        assert f'aria-label="{name}: {number} at cycle 14"' in page
        assert f"<dd>{number}</dd>" in page


@no_terminal
@pytest.mark.parametrize("wanted", [{}, {"NO_COLOR": "1"}])
@pytest.mark.parametrize("command", ["status", "inspect"])
def test_a_map_and_a_state_are_coloured_in_a_terminal_that_wants_it(
    night: Path, command: str, wanted: dict[str, str]
) -> None:
    import pty

    ours, theirs = pty.openpty()
    usual = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    script = "import sys; from gen_emerge.cli.main import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", script, "--root", str(night), command, "night"],
        stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**usual, "TERM": "xterm-256color", "COLORTERM": "truecolor", **wanted},
    ) as process:  # fmt: skip
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other end is closed
            pass
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert (b"\x1b[" in said) is ("NO_COLOR" not in wanted)
    if command == "inspect":
        assert (b"\x1b[38;2;" in said) is ("NO_COLOR" not in wanted)
        assert (b"gen-emerge inspect night --html map.html") in said
