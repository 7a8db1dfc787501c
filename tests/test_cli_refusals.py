"""What the command line refuses, and what it says to do: series without a file, raters, undos, limits."""

# ruff: noqa: F811
from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_cli_series import call, fakes, night, run_studio  # noqa: F401

from gen_emerge.cli.commands.run import next_time
from gen_emerge.cli.pictures import parse_size
from gen_emerge.errors import BadInput

Call = Callable[..., tuple[int, str, str]]


def refused(call: Call, *arguments: object) -> dict[str, Any]:
    """The error of a call that must be refused with a hint."""
    code, out, _ = call("--json", *arguments)
    assert code == 2, out
    error = json.loads(out)["error"]
    assert error["hint"]
    return error


@pytest.mark.parametrize("command", ["run", "status", "inspect", "verify", "new"])
def test_a_series_whose_file_is_gone_is_told_apart_from_none(call: Call, night: Path, command: str) -> None:
    (night / "experiments" / "series" / "night.toml").unlink()
    error = refused(call, "--root", night, command, "night")
    assert "holds a series, but its file" in error["message"]
    assert str(night / "archive" / "night") in error["message"]
    assert "Restore that file" in error["hint"]
    assert not (night / "experiments" / "series" / "night.toml").exists()


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "night"], ["--json", "inspect", "night"], ["verify", "night"], ["new", "a"]]
)
def test_who_only_reads_makes_no_archive(call: Call, night: Path, arguments: list[str]) -> None:
    shutil.rmtree(night / "archive")
    assert call("--root", night, *arguments)[0] == 0
    assert not (night / "archive").exists()


def test_a_series_file_with_a_wrong_name_is_told_so(call: Call, night: Path) -> None:
    shutil.copy(night / "experiments" / "series" / "night.toml", night / "experiments" / "series" / "My Night.toml")
    error = refused(call, "--root", night, "status", "My Night")
    assert 'file name "My Night.toml" cannot name a series' in error["message"]
    code, out, _ = call("--root", night, "--json", "status")
    rows = {row["series"]: row for row in json.loads(out)["series"]}
    assert code == 0
    assert "cannot name a series" in rows["My Night"]["error"]["message"]
    assert rows["night"]["state"] == "done"


def test_an_undo_without_an_answer_refuses_the_file(call: Call, night: Path) -> None:
    code, out, _ = call("--root", night, "--json", "rounds", "night")
    assert code == 0
    first = json.loads(out)["questions"][0]["id"]

    def judge(rater: str, *lines: dict[str, str]) -> tuple[object, ...]:
        path = night / "a.jsonl"
        path.write_text("\n\n".join(json.dumps(line) for line in lines))
        return "--root", night, "judge", "night", "--answers", path, "--rater", rater

    skip, undo = {"question": first, "answer": "skip"}, {"undo": first}
    error = refused(call, *judge("anna", skip, undo, undo))
    assert f'Line 5: anna has no answer to "{first}"' in error["message"]
    assert call(*judge("anna", skip))[0] == 0
    assert "Line 1: ben has" in refused(call, *judge("ben", undo))["message"]
    assert call(*judge("anna", skip, undo, undo))[0] == 0
    assert "Line 1" in refused(call, *judge("anna", undo))["message"]


@pytest.mark.parametrize("rater", ["", " ", "x" * 65, "a\nb", "a\x1b[31m", "\udcff"])
def test_a_rater_is_a_printable_name(call: Call, night: Path, rater: str) -> None:
    (night / "a.jsonl").write_text("")
    error = refused(call, "--root", night, "judge", "night", "--answers", night / "a.jsonl", "--rater", rater)
    assert "rater" in error["message"]
    assert call("--root", night, "judge", "night", "--answers", night / "a.jsonl", "--rater", "x" * 64)[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        '{"question": "r6-1", "answer": "left", "seconds": NaN}',
        '{"question": "r6-1", "answer": "left", "seconds": "long"}',
        '{"question": "r6-1", "answer": "left", "answer": "right"}',
        '{"question": 3, "answer": "left"}',
    ],
)
def test_a_bad_line_comes_with_a_hint(call: Call, night: Path, line: str) -> None:
    (night / "a.jsonl").write_text(line)
    error = refused(call, "--root", night, "judge", "night", "--answers", night / "a.jsonl", "--rater", "anna")
    assert "Line 1" in error["message"]


def test_a_missing_file_of_answers_or_a_folder_comes_with_a_hint(call: Call, night: Path) -> None:
    for path, said in ((night / "no.jsonl", "There is no file"), (night, "is a folder")):
        error = refused(call, "--root", night, "judge", "night", "--answers", path, "--rater", "anna")
        assert said in error["message"]


def test_judging_a_series_that_does_not_exist_names_the_series_first(call: Call, night: Path) -> None:
    assert 'no series "nope"' in refused(call, "--root", night, "judge", "nope")["message"]


def test_limits_are_those_of_the_file(call: Call, night: Path) -> None:
    assert "--cycles" in refused(call, "--root", night, "run", "night", "--cycles", 10_000_001)["message"]
    assert "2,000" in refused(call, "paint", "a" * 2_001, "--size", 16, "-o", night / "a.png")["message"]
    assert "UTF-8" in refused(call, "paint", "a\udcff", "--size", 16, "-o", night / "a.png")["message"]
    assert "UTF-8" in refused(call, "--root", night, "new", "a", "--brief", "\udcff")["message"]
    assert not (night / "a.png").exists()


def test_only_plain_digits_are_numbers() -> None:
    for size in ("٥١٢", "５１２", "512x٥١٢", "0", "9000"):
        with pytest.raises(BadInput, match="--size") as error:
            parse_size(size)
        assert error.value.hint
    import datetime

    with pytest.raises(BadInput, match="--until"):
        next_time("0٧:30", datetime.datetime(2026, 1, 1))


def test_a_file_cannot_be_a_studio_folder_and_the_hint_says_how(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert "gen-emerge init" in refused(call, "init", place)["hint"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 300, "../night", "a/b", "", "a\0b", "Night"])
@pytest.mark.parametrize("command", ["run", "status", "inspect", "verify", "judge", "rounds", "upgrade"])
def test_no_name_is_a_bug(call: Call, studio: Path, command: str, name: str) -> None:
    assert "no series" in refused(call, "--root", studio, command, name)["message"]


def test_a_folder_is_no_series_file(call: Call, studio: Path) -> None:
    (studio / "experiments" / "series" / "folder.toml").mkdir()
    assert 'no series "folder"' in refused(call, "--root", studio, "status", "folder")["message"]
    assert call("--root", studio, "status")[0] == 0


def test_paint_says_that_a_device_is_one(call: Call) -> None:
    assert "a device" in refused(call, "paint", "a print", "--size", 16, "-o", "/dev/null")["message"]
