"""Files the command line writes: nothing of the user's is overwritten or replaced by surprise."""

# ruff: noqa: F811
from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_cli_series import _json, call, fakes, night, run_studio  # noqa: F401

from gen_emerge.errors import BadInput
from gen_emerge.reports.files import check_target, write_bytes

Outcome = tuple[int, str, str]
Call = Callable[..., Outcome]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")


def error_of(outcome: Outcome, code: int = 2) -> dict[str, Any]:
    """The error object of a call that must fail, with a hint."""
    assert outcome[0] == code, outcome
    error = json.loads(outcome[1])["error"]
    assert error["hint"]
    return error


@posix
@pytest.mark.parametrize("write", [check_target, lambda path: write_bytes(path, b"x")])
def test_only_a_regular_file_is_replaced(tmp_path: Path, write: Callable[[Path], Any]) -> None:
    pipe, folder, loop = tmp_path / "pipe", tmp_path / "folder", tmp_path / "loop"
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    to_pipe = tmp_path / "to-pipe"
    to_pipe.symlink_to(pipe)
    for path in (pipe, folder, loop, to_pipe, Path("/dev/null"), tmp_path / "no" / "x", tmp_path / ("x" * 300)):
        with pytest.raises(BadInput) as refused:
            write(path)
        assert str(path)[:100] in refused.value.message
        assert refused.value.hint
    for path, said in ((pipe, "a pipe"), (folder, "a folder"), (loop, "in a circle")):
        with pytest.raises(BadInput, match=said):
            write(path)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").lstat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "loop", "pipe", "to-pipe"]


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, target = tmp_path / "link.png", tmp_path / "far" / "real.png"
    link.symlink_to(target)
    for content in (b"one", b"two"):
        assert write_bytes(link, content) == link
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert [p.name for p in target.parent.iterdir()] == ["real.png"]


@posix
def test_paint_and_inspect_refuse_before_any_work(call: Call, night: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    assert "pipe" in error_of(call("--json", "paint", "a print", "--size", 64, "-o", pipe))["message"]
    for option in ("--html", "--png"):
        error = error_of(call("--root", night, "--json", "inspect", "night", option, "/dev/null"))
        assert "device" in error["message"]
    twice = call("--root", night, "--json", "inspect", "night", "--html", tmp_path / "x", "--png", tmp_path / "x")
    assert "both" in error_of(twice)["message"]
    assert not (tmp_path / "x").exists()


def test_export_overwrites_nothing(call: Call, night: Path, tmp_path: Path) -> None:
    def export() -> Outcome:
        return call("--root", night, "--json", "export", "night", tmp_path / "out", "--top", 2, "--contact-sheet")

    first = export()
    assert first[0] == 0
    again = export()  # the same pictures again
    said, before = json.loads(again[1]), json.loads(first[1])
    assert (said.pop("already"), before.pop("already")) == ([file["file"] for file in said["files"]], [])
    assert said == before
    mine = tmp_path / "out" / json.loads(first[1])["files"][1]["file"]
    mine.write_text("mine")
    other = tmp_path / "out" / json.loads(first[1])["files"][0]["file"]
    other.unlink()
    assert mine.name in error_of(export())["message"]
    assert mine.read_text() == "mine"
    assert not other.exists()


def test_a_picture_that_is_there_keeps_its_name_however_many_are_exported(
    call: Call, night: Path, tmp_path: Path
) -> None:
    few = _json(call("--root", night, "--json", "export", "night", tmp_path / "out", "--top", 3))
    assert [file["file"][:3] for file in few["files"]] == ["01-", "02-", "03-"]
    # As an export of more than a hundred names them.
    longer = tmp_path / "out" / f"0{few['files'][0]['file']}"
    (tmp_path / "out" / few["files"][0]["file"]).rename(longer)
    said = _json(call("--root", night, "--json", "export", "night", tmp_path / "out", "--top", 4))
    assert [file["file"] for file in said["files"][:3]] == [longer.name, *(file["file"] for file in few["files"][1:])]
    assert len(said["already"]) == 3 and len(list((tmp_path / "out").iterdir())) == 4
    _, out, _ = call("--root", night, "export", "night", tmp_path / "out", "--top", 4)
    assert out.splitlines()[-1].endswith("4 of them there before, under the names they had")


def test_what_the_program_drew_of_pictures_is_no_import(call: Call, night: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    said = _json(call("--root", night, "--json", "export", "night", chosen, "--all-elites", "--contact-sheet"))
    (chosen / "contact-sheet.png").rename(chosen / "elsewhere.png")  # it says of itself what it is
    call("--root", night, "inspect", "night", "--png", chosen / "map.png")
    (chosen / "contact-sheet-3.png").write_bytes((chosen / said["files"][0]["file"]).read_bytes())  # an old one's name
    drawn = ["contact-sheet-3.png", "elsewhere.png", "map.png"]
    code, out, err = call("--root", night, "--json", "import", "night", chosen, "--queue")
    assert code == 0 and len(json.loads(out)["pictures"]) == len(said["files"])
    assert all(f"{name} is left out: a sheet of pictures, none itself." in err for name in drawn)
    for path in chosen.iterdir():
        if path.name not in drawn:
            path.unlink()
    assert (
        "holds no pictures but a contact sheet"
        in error_of(call("--root", night, "--json", "import", "night", chosen))["message"]
    )


def test_export_gives_a_taken_contact_sheet_another_name_and_says_so(call: Call, night: Path, tmp_path: Path) -> None:
    (tmp_path / "contact-sheet.png").write_text("mine")
    code, out, err = call("--root", night, "--json", "export", "night", tmp_path, "--top", 2, "--contact-sheet")
    assert code == 0
    assert (tmp_path / "contact-sheet.png").read_text() == "mine"
    assert Path(json.loads(out)["contact_sheet"]).name == "contact-sheet-2.png"
    assert "contact-sheet-2.png" in err


def test_export_copies_elites_with_their_recipes(call: Call, night: Path, tmp_path: Path) -> None:
    elites = _json(call("--root", night, "--json", "inspect", "night"))["elites"]
    said = _json(call("--root", night, "--json", "export", "night", tmp_path / "all"))
    assert {file["candidate"] for file in said["files"]} == {elite["candidate"] for elite in elites}
    assert said["contact_sheet"] is None
    for file in said["files"]:
        assert re.fullmatch(r"\d+-[a-z0-9-]+-[0-9a-f]{8}\.png", file["file"])
        with Image.open(tmp_path / "all" / file["file"]) as picture:
            assert json.loads(picture.info["gen-emerge"])["hash"] == file["genome"]
    top = _json(call("--root", night, "--json", "export", "night", tmp_path / "top", "--top", 3, "--contact-sheet"))
    assert [file["candidate"] for file in top["files"]] == [file["candidate"] for file in said["files"][:3]]
    assert Path(top["contact_sheet"]).is_file()
    assert len(list((tmp_path / "top").iterdir())) == 4
    _, out, _ = call("--root", night, "export", "night", tmp_path / "lines", "--top", 3)
    assert out.splitlines()[:-1] == [f"{file['file']}  candidate {file['candidate']}" for file in top["files"]]


def test_export_refuses_places_that_are_none(call: Call, night: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert "is a file" in _json(call("--root", night, "--json", "export", "night", taken), 2)["error"]["message"]
    inside = night / "archive" / "night" / "images"
    assert "lies in" in _json(call("--root", night, "--json", "export", "night", inside), 2)["error"]["message"]
    assert _json(call("--root", night, "--json", "verify", "night"))["ok"]
