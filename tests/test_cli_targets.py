"""Places the command line is told to write to: nothing of a series, no bank and no series file is ever in the way."""

# ruff: noqa: F811
from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_cli_files import Call, error_of
from test_cli_series import call, fakes, night, run_studio  # noqa: F401

from gen_emerge.cli.app import App
from gen_emerge.cli.training import train_clpips, train_style
from gen_emerge.errors import BadInput

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs links")


def _whole(folder: Path) -> dict[str, str]:
    """Every file of a folder, folders too, and what is in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if path.name not in (".lock", "series.db-shm", "series.db-wal")
    }


def _picture(night: Path) -> Path:
    return next((night / "archive" / "night" / "images").rglob("*.png"))


def _second(night: Path) -> Path:
    """Another series' folder."""
    return Path(shutil.copytree(night / "archive" / "night", night / "archive" / "day"))


PLACES: dict[str, Callable[[Path], Path]] = {
    "the database": lambda night: night / "archive" / "night" / "series.db",
    "a name like the database's": lambda night: night / "archive" / "night" / "series.db-wal",
    "a name like a folder's": lambda night: night / "archive" / "night" / "imports",
    "a stored picture": _picture,
    "a new file among the pictures": lambda night: _picture(night).with_name("new.png"),
    "a folder of another series": lambda night: _second(night) / "images" / "map.png",
    "another series' database": lambda night: _second(night) / "series.db",
    "a series file": lambda night: night / "experiments" / "series" / "night.toml",
    "a new file among the series files": lambda night: night / "experiments" / "series" / "map.html",
    "a bank": lambda night: night / "prompts" / "painter-1.toml",
    "a new picture among the banks": lambda night: night / "prompts" / "map.png",
    "round about": lambda night: night / "prompts" / ".." / "archive" / "no" / ".." / "night" / "series.db",
    "deep in the archive": lambda night: night / "archive" / "night" / "models" / "map.png",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("option", ["--html", "--png", "calibrate", "-o"])
def test_nothing_of_a_series_no_bank_and_no_series_file_is_written_to(
    call: Call, night: Path, option: str, place: str
) -> None:
    target = PLACES[place](night)
    before = _whole(night)
    words = {
        "calibrate": ("calibrate", "night", "--png", target),
        "-o": ("paint", "a serene print", "--size", 64, "-o", target),
    }.get(option, ("inspect", "night", option, target))
    error = error_of(call("--root", night, "--json", *words))
    assert str(target) in error["message"]
    assert _whole(night) == before


@posix
@pytest.mark.parametrize("link", ["to the database", "to a folder of pictures", "the pictures", "the banks"])
def test_links_are_followed_both_ways(call: Call, night: Path, tmp_path: Path, link: str) -> None:
    folder, away = night / "archive" / "night", tmp_path / "away"
    images, banks = folder / "images", night / "prompts"
    if link == "to the database":
        target = tmp_path / "map.html"
        target.symlink_to(folder / "series.db")
    elif link == "to a folder of pictures":
        (tmp_path / "link").symlink_to(images)
        target = tmp_path / "link" / "map.html"
    else:  # the folder itself lies elsewhere, as on a larger disk
        moved = images if link == "the pictures" else banks
        shutil.move(moved, away)
        moved.symlink_to(away)
        target = moved / "map.html"
    error_of(call("--root", night, "--json", "inspect", "night", "--html", target))
    assert not list(tmp_path.rglob("map.html")) or link == "to the database"
    assert (folder / "series.db").read_bytes()[:15] == b"SQLite format 3"


def test_another_archive_is_guarded_too(call: Call, night: Path, tmp_path: Path) -> None:
    archive = Path(shutil.move(night / "archive", tmp_path / "elsewhere"))
    new = archive / "none" / "images" / "map.html"
    new.parent.mkdir(parents=True)
    error = error_of(call("--root", night, "--archive", archive, "--json", "inspect", "night", "--html", new))
    assert "the archive" in error["message"]
    assert not new.exists()


def test_a_series_folder_is_guarded_wherever_it_lies(call: Call, night: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(night / "archive" / "night", tmp_path / "backup"))
    before = _whole(copy)
    for place in (copy / "series.db", copy / "images" / "map.html"):
        error = error_of(call("--root", night, "--json", "inspect", "night", "--html", place))
        assert 'the folder of the series "backup"' in error["message"]
    error_of(call("--root", night, "--json", "export", "night", copy / "images"))
    assert _whole(copy) == before


def test_directly_in_a_series_folder_a_report_and_a_map_may_lie_and_be_made_anew(call: Call, night: Path) -> None:
    folder = night / "archive" / "night"
    for place in (folder, night / "archive"):
        words = ("inspect", "night", "--html", place / "report.html", "--png", place / "map.png")
        assert call("--root", night, *words)[0] == 0
        first = (place / "report.html").read_bytes()
        assert call("--root", night, *words)[0] == 0
        assert (place / "report.html").read_bytes() == first
    assert json.loads(call("--root", night, "--json", "verify", "night")[1])["ok"]


def test_a_file_is_replaced_by_its_own_kind_alone(call: Call, night: Path, tmp_path: Path) -> None:
    page, picture, empty = tmp_path / "notes.html", tmp_path / "notes.png", tmp_path / "empty.png"
    page.write_text("<!doctype html><p>Mine")
    picture.write_text("mine")
    empty.touch()  # as mktemp leaves it: nothing is lost
    wrong = [
        ("inspect", "night", "--html", page),
        ("inspect", "night", "--png", picture),
        ("inspect", "night", "--html", _picture(night)),
        ("calibrate", "night", "--png", picture),
        ("paint", "a serene print", "--size", 64, "-o", picture),
    ]
    for words in wrong:
        assert "is" in error_of(call("--root", night, "--json", *words))["message"]
    assert (page.read_text(), picture.read_text()) == ("<!doctype html><p>Mine", "mine")
    for _ in range(2):
        assert call("--root", night, "inspect", "night", "--png", empty)[0] == 0


FOLDERS: dict[str, Callable[[Path], Path]] = {
    "another series": _second,
    "in another series": lambda night: _second(night) / "images",
    "the archive": lambda night: night / "archive",
    "a new folder in the archive": lambda night: night / "archive" / "chosen",
    "the banks": lambda night: night / "prompts",
    "the series files": lambda night: night / "experiments" / "series" / "chosen",
    "a series file, round about": lambda night: night / ".no" / ".." / "experiments" / "series" / "night.toml",
    "a file, round about": lambda night: night / ".no" / ".." / "archive.txt",
}


@pytest.mark.parametrize("place", FOLDERS)
def test_export_leaves_other_places_alone(call: Call, night: Path, place: str) -> None:
    (night / "archive.txt").write_text("mine")
    target = FOLDERS[place](night)
    before = _whole(night)
    error = error_of(call("--root", night, "--json", "export", "night", target))
    assert str(target) in error["message"]
    assert _whole(night) == before


def test_export_makes_no_folder_that_is_only_passed_through(call: Call, night: Path, tmp_path: Path) -> None:
    target = tmp_path / ".no" / ".." / "chosen"
    code, out, _ = call("--root", night, "--json", "export", "night", target, "--top", 1)
    assert code == 0
    assert json.loads(out)["dest"] == os.path.realpath(tmp_path / "chosen")
    assert len(list((tmp_path / "chosen").iterdir())) == 1
    assert not (tmp_path / ".no").exists()


@pytest.mark.parametrize("place", ["archive/night", "archive/new", "prompts/studio"])
def test_no_studio_folder_is_made_in_a_series_or_among_banks(call: Call, night: Path, place: str) -> None:
    before = _whole(night)
    assert "lies in" in error_of(call("--json", "init", night / place))["message"]
    assert _whole(night) == before


def _style(app: App, folder: Path, into: Path) -> Any:
    return train_style(app, folder, into, series=None, seed=0)


def _distance(app: App, folder: Path, into: Path) -> Any:
    return train_clpips(app, folder, into, net="alex", weights=None, seed=0)


@pytest.mark.parametrize("train", [_style, _distance])
def test_what_is_trained_goes_where_it_belongs(night: Path, tmp_path: Path, train: Callable[..., Any]) -> None:
    app, folder = App(root=night), night / "archive" / "night"
    name = "probe.safetensors" if train is _style else "distance"
    for place in (folder / "images", folder, night / "prompts", night / "experiments" / "series"):
        with pytest.raises(BadInput, match="lies in"):
            train(app, tmp_path / "none", place / name)
    for place in (tmp_path, folder / "models"):  # from here on it is the pictures that are missing
        with pytest.raises(BadInput, match=r"no folder|holds no sub-folder"):
            train(app, tmp_path / "none", place / name)


@pytest.mark.parametrize("taken", ["probe.safetensors", "probe.json"])
def test_a_probe_replaces_a_probe_alone(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text('{"kind": "mine"}')
    with pytest.raises(BadInput, match="there already"):
        _style(App(), tmp_path / "none", tmp_path / "probe.safetensors")
    (tmp_path / "probe.safetensors").write_bytes((20).to_bytes(8, "little") + b'{"a": 1}' + b" " * 20)
    (tmp_path / "probe.json").write_text('{"kind": "gen-emerge style probe"}')
    with pytest.raises(BadInput, match="no folder"):
        _style(App(), tmp_path / "none", tmp_path / "probe.safetensors")
