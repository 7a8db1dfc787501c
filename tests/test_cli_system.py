"""What the operating system gives the command line: closed and full streams, lost folders, names too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gen_emerge.cli import main as door

Outcome = tuple[int, str, str]
GEN_EMERGE = f"{sys.executable} -c 'import sys; from gen_emerge.cli.main import main; sys.exit(main())'"
posix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a POSIX shell and /dev/full")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Calls the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = door.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def shell(line: str, cwd: Path) -> tuple[int, str]:
    """One line of a shell: the exit code of `gen-emerge` and its stderr."""
    script = f'gen_emerge() {{ {GEN_EMERGE} "$@"; }}\n{line}'
    # Unbuffered, nothing would be left in a stream for the end of the process.
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=cwd, env=usual, check=False)
    return done.returncode, done.stderr


@posix
@pytest.mark.parametrize(
    "arguments", ["--help", "--version", "", "--json paint x --size 0", "paint x --size 16 -o a.png"]
)
def test_a_full_or_closed_stdout_is_told_without_a_traceback(tmp_path: Path, arguments: str) -> None:
    code, err = shell(f"gen_emerge {arguments} >/dev/full", tmp_path)
    assert code == (2 if "--size 0" in arguments else 5), err
    assert "Traceback" not in err
    assert "Exception" not in err
    assert "Error:" in err
    code, err = shell(f"gen_emerge {arguments} >&-", tmp_path)
    assert code == 1
    assert err.count("\n") == 1
    assert "output is closed" in err


@posix
@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full", "2>&- <&-"])
def test_a_closed_stderr_changes_no_exit_code(tmp_path: Path, studio: Path, stream: str) -> None:
    assert shell(f"gen_emerge paint 'a strange zebra' --size 16 -o a.png {stream}", tmp_path)[0] == 0
    assert (tmp_path / "a.png").is_file()
    assert shell(f"gen_emerge paint x --size 0 {stream}", tmp_path)[0] == 2
    assert shell(f"gen_emerge judge nope {stream}", studio)[0] == 2


@posix
@pytest.mark.parametrize("arguments", ["status", "init", "paint x --size 16", "doctor", "new x"])
def test_a_working_directory_that_is_gone_is_named(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "gone").mkdir()
    code, err = shell(f"cd gone && rmdir ../gone && gen_emerge {arguments}", tmp_path)
    assert code == 2, err
    assert ("working directory is gone" in err) or "no such file" in err.lower()


LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["--root", "{}", "status"],
        ["--archive", "{}", "status"],
        ["--archive", "{}", "doctor"],
        ["init", "{}"],
        ["paint", "a print", "--size", "16", "-o", "{}"],
        ["inspect", "night", "--html", "{}"],
        ["inspect", "night", "--png", "{}"],
        ["export", "night", "{}"],
        ["score", "{}"],
        ["distance", "{}", "{}"],
        ["judge", "night", "--rater", "a", "--answers", "{}"],
    ],
)
@pytest.mark.parametrize("path", ["", LONG, f"{LONG}/a.png", "a\0b"])
def test_a_path_that_cannot_be_one_is_refused(
    call: Callable[..., Outcome], studio: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], path: str
) -> None:
    monkeypatch.chdir(studio)
    code, out, _ = call("--json", *(path if argument == "{}" else argument for argument in arguments))
    assert code == 2, out
    error = json.loads(out)["error"]
    assert error["code"] != "unexpected"
    assert error["hint"]


def test_an_error_of_the_system_about_a_path_is_no_bug(
    call: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    for number in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EROFS, errno.EACCES):

        def fail(*_: Any, number: int = number, **__: Any) -> Any:
            raise OSError(number, os.strerror(number), str(tmp_path / "there"))

        monkeypatch.setattr("gen_emerge.studio_folder.make_studio_folder", fail)
        code, out, _ = call("--json", "init", tmp_path / "x")
        error = json.loads(out)["error"]
        assert (code, error["code"]) == (2, "bad-input")
        assert str(tmp_path / "there") in error["message"]
        assert error["hint"]


@posix
@pytest.mark.parametrize(
    ("wanted", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_has_colours_unless_none_are_wanted(tmp_path: Path, wanted: dict[str, str], coloured: bool) -> None:
    import pty

    ours, theirs = pty.openpty()
    usual = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    script = "import sys; from gen_emerge.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, "status", "nothing-here"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, check=False,
        env={**usual, "TERM": "xterm-256color", **wanted},
    )  # fmt: skip
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 2 and "Error:" in said
    assert ("\x1b[" in said) is coloured
