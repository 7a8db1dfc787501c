"""Limits of the system and input without end: told as what they are, never as a bug and never as damage."""

# ruff: noqa: F811
from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_cli_files import Call, error_of
from test_cli_series import call, fakes, night, run_studio  # noqa: F401

from gen_emerge.cli.system import from_system
from gen_emerge.config.toml import shown
from gen_emerge.errors import BadInput, GenEmergeError, HeldByAnother
from gen_emerge.store import hold
from gen_emerge.store.lock import holder

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and limits")

PROGRAM = [sys.executable, "-c", "import sys; from gen_emerge.cli.main import main; sys.exit(main())"]


def _system(number: int) -> OSError:
    return OSError(number, os.strerror(number), "some/file")


def _came_of(cause: BaseException) -> Exception:
    error = ImportError("numpy could not be imported")
    error.__cause__ = cause
    return error


LIMITS: dict[str, tuple[Exception, str]] = {
    "files of the process": (_system(errno.EMFILE), "files"),
    "files of the machine": (_system(errno.ENFILE), "files"),
    "memory": (MemoryError(), "memory"),
    "memory, said by the system": (_system(errno.ENOMEM), "memory"),
    "memory, said by the loader": (ImportError("x.so: failed to map segment from shared object"), "memory"),
    "files, said by the loader": (ImportError("x.so: cannot open: Too many open files"), "files"),
    "threads": (RuntimeError("can't start new thread"), "thread"),
    "what it came of": (_came_of(_system(errno.EMFILE)), "files"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_the_system_is_no_bug(call: Call, tmp_path: Path, monkeypatch: Any, limit: str) -> None:
    error, word = LIMITS[limit]

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("gen_emerge.studio_folder.make_studio_folder", fail)
    told = error_of(call("--json", "init", tmp_path / "x"), 5)
    assert told["code"] == "system-limit"
    assert word in told["message"] and "committed is kept" in told["hint"]


def test_what_only_sounds_like_a_limit_stays_a_bug() -> None:
    assert from_system(RuntimeError("out of threads")) is None
    assert from_system(ImportError("no module named x")) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_one_thing_wherever_it_is_met(call: Call, tmp_path: Path, monkeypatch: Any, number: int) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise _system(number)

    monkeypatch.setattr("gen_emerge.studio_folder.packaged_files", fail)
    assert error_of(call("--json", "init", tmp_path / "x"), 5)["code"] == "disk-full"
    monkeypatch.setattr("gen_emerge.reports.files.secrets.token_hex", fail)
    words = ("paint", "a serene print", "--size", 64, "-o", tmp_path / "x.png")
    assert error_of(call("--json", *words), 5)["code"] == "disk-full"


@posix
def test_a_picture_is_not_called_damaged_for_want_of_files(call: Call, night: Path, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise _system(errno.EMFILE)

    monkeypatch.setattr("PIL.Image.open", fail)
    picture = next((night / "archive" / "night" / "images").rglob("*.png"))
    for words in (("verify", "night"), ("score", picture)):
        assert error_of(call("--root", night, "--json", *words), 5)["code"] == "system-limit"


def test_a_picture_s_bytes_are_not_called_changed_for_want_of_files(
    call: Call, night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.open

    def fail(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.suffix == ".png":
            raise _system(errno.EMFILE)
        return plain(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", fail)
    assert error_of(call("--root", night, "--json", "verify", "night"), 5)["code"] == "system-limit"


@posix
def test_a_run_that_may_open_too_few_files_says_so(night: Path) -> None:
    """With the real limit: a series' pictures are written by several threads."""
    words = ["--root", str(night), "--json", "verify", "night"]
    for files in (7, 8, 9, 14):
        done = subprocess.run(
            ["bash", "-c", f"ulimit -n {files}; exec {shlex.join([*PROGRAM, *words])}"],
            capture_output=True,
            text=True,
            check=False,
        )
        said = json.loads(done.stdout)
        assert said.get("ok") is True or (done.returncode, said["error"]["code"]) == (5, "system-limit"), said


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_bank_the_disk_does_not_give_is_named(call: Call, night: Path, monkeypatch: Any, number: int) -> None:
    plain = Path.read_bytes

    def read(path: Path) -> bytes:
        if path.name == "painter-1.toml":
            raise OSError(number, os.strerror(number), str(path))
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    told = error_of(call("--root", night, "--json", "run", "night"))
    assert "painter-1.toml cannot be read" in told["message"]


# ---- answers without end -----------------------------------------------------------------------------------------


def _judge(call: Call, night: Path, answers: object) -> dict[str, Any]:
    return error_of(call("--root", night, "--json", "judge", "night", "--rater", "anna", "--answers", answers))


@posix
def test_a_device_is_no_file_of_answers(call: Call, night: Path) -> None:
    for device in ("/dev/zero", "/dev/null"):
        assert "is a device" in _judge(call, night, device)["message"]


def test_a_file_of_answers_has_an_end(call: Call, night: Path, monkeypatch: Any) -> None:
    path = night / "a.jsonl"
    path.write_bytes(b"\n" * 64_000_001)
    assert "more than 64 MB" in _judge(call, night, path)["message"]
    path.write_bytes(b"\n" + b" " * 1_000_001)
    assert "line 2 has 1,000,001 bytes, wanted at most 1,000,000" in _judge(call, night, path)["message"]
    path.write_bytes(b" " * 1_000_000)
    assert call("--root", night, "judge", "night", "--rater", "anna", "--answers", path)[0] == 0


@posix
def test_answers_come_through_pipes_too_and_through_them_without_end_are_refused(night: Path) -> None:
    words = ["--root", str(night), "--json", "judge", "night", "--rater", "anna", "--answers"]
    program = shlex.join([*PROGRAM, *words])
    answer = 'printf \'%s\' \'{"question": "r6-1", "answer": "skip"}\''

    def run(line: str) -> tuple[int, Any]:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, json.loads(done.stdout)

    assert run(f"{answer} | {program} -")[1]["answers"] == 1
    assert run(f"{program} <({answer})")[1]["answers"] == 1
    code, said = run(f"{program} - </dev/zero")
    assert code == 2 and "more than 64 MB" in said["error"]["message"]


# ---- what steers a terminal --------------------------------------------------------------------------------------

STEERING = ["\x1b[2J", "\x07", "\x7f", "\x9b", "\u202e", "\u2066", "\r"]


@pytest.mark.parametrize("sign", STEERING)
def test_a_brief_steers_no_terminal(call: Call, studio: Path, sign: str) -> None:
    told = error_of(call("--root", studio, "--json", "new", "night", "--brief", f"Calm{sign}prints."))
    assert told["message"].startswith("--brief holds signs that cannot be printed")
    assert not list((studio / "experiments" / "series").iterdir())
    assert call("--root", studio, "new", "night", "--brief", "Calm prints.\n\tNo two alike, 夜 and é.")[0] == 0
    file = studio / "experiments" / "series" / "night.toml"
    escaped = "".join(f"\\u{ord(each):04x}" for each in sign)
    file.write_text(file.read_text("utf-8").replace("Calm prints.", f"Calm{escaped} prints."), "utf-8")
    told = error_of(call("--root", studio, "--json", "run", "night"))
    assert "brief" in told["message"] and "holds signs that cannot be printed" in told["message"]
    assert sign not in told["message"]


# ---- values as TOML writes them ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bank = 1979-05-27", "prompts.bank = 1979-05-27:"),
        ("bank = 1979-05-27T07:32:00Z", "prompts.bank = 1979-05-27 07:32:00+00:00:"),
        ("bank = 07:32:00", "prompts.bank = 07:32:00:"),
        ("bank = [true, 'a']", 'prompts.bank = [true, "a"]:'),
        ("bank = { a = false }", "prompts.bank = { a = false }:"),
        (f"bank = {'7' * 5000}", "no number of a sensible size"),
        (f"bank = 0x{'f' * 5000}", "prompts.bank = a number of 20,000 binary digits:"),
    ],
)
def test_a_wrong_value_is_shown_as_it_is_written(call: Call, night: Path, line: str, said: str) -> None:
    file = night / "experiments" / "series" / "night.toml"
    file.write_text(file.read_text().replace('bank = "prompts/painter-1.toml"', line))
    told = error_of(call("--root", night, "--json", "run", "night"))
    assert said in told["message"]
    assert "sys." not in told["message"] and "datetime" not in told["message"]


@pytest.mark.parametrize("bank", ["painter-1.toml", "general-1.toml"])
@pytest.mark.parametrize(
    ("value", "said"), [("true", "true"), ("1979-05-27", "1979-05-27"), ("7" * 5000, "no number of a sensible size")]
)
def test_a_wrong_value_of_a_bank_is_shown_as_it_is_written(
    call: Call, night: Path, bank: str, value: str, said: str
) -> None:
    file = next(night.rglob(bank))
    file.write_text(file.read_text("utf-8").replace("schema = 1", f"schema = {value}"), "utf-8")
    message = error_of(call("--root", night, "--json", "run", "night"))["message"]
    assert said in message
    assert "True" not in message and "datetime" not in message and "sys." not in message


def test_a_fixed_key_is_shown_as_it_is_written(call: Call, night: Path) -> None:
    file = night / "experiments" / "series" / "night.toml"
    file.write_text(
        file.read_text().replace("[6, 6]", "[6, 7]").replace('profile = "embedded"', 'profile = "embedded"')
    )
    told = error_of(call("--root", night, "--json", "run", "night"))
    assert "archive.dims was [6, 6]" in told["message"] and "Write archive.dims = [6, 6] again" in told["hint"]


def test_a_long_value_is_cut() -> None:
    assert len(shown("x" * 500)) == 60


# ---- something else in the lock's place --------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_something_else_in_the_lock_s_place_is_told_and_nobody_waits_for_it(tmp_path: Path, make: Any) -> None:
    make(tmp_path / ".lock")
    assert holder(tmp_path) is None
    with pytest.raises(BadInput, match="no regular file") as told, hold(tmp_path):
        pass
    assert not isinstance(told.value, HeldByAnother) and isinstance(told.value, GenEmergeError)
