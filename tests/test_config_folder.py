"""The studio folder: finding one, making one, and what lies in it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gen_emerge import studio_folder
from gen_emerge.config import load
from gen_emerge.errors import BadInput, DiskFull, NotFound


def test_the_nearest_parent_that_is_a_studio_folder_is_found(studio: Path) -> None:
    deep = studio / "experiments" / "series"
    assert studio_folder.find_root(start=deep) == studio
    assert studio_folder.find_root(studio, start=Path("/")) == studio


def test_what_is_no_studio_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"experiments/.*prompts/.*gen-emerge init"):
        studio_folder.find_root(tmp_path)
    with pytest.raises(NotFound, match="is no folder"):
        studio_folder.find_root(tmp_path / "nothing")
    with pytest.raises(NotFound, match="neither it nor a parent"):
        studio_folder.find_root(start=tmp_path)


@pytest.mark.parametrize("part", ["experiments", "prompts"])
def test_half_a_studio_folder_is_none(tmp_path: Path, part: str) -> None:
    (tmp_path / part).mkdir()
    with pytest.raises(NotFound, match="holds no experiments/ and prompts/"):
        studio_folder.find_root(tmp_path)


def test_a_missing_archive_is_made_by_who_writes_and_can_be_elsewhere(studio: Path, tmp_path: Path) -> None:
    (studio / "archive").rmdir()
    assert studio_folder.archive_folder(studio) == studio / "archive"
    assert not (studio / "archive").exists()
    assert studio_folder.archive_folder(studio, writable=True) == studio / "archive"
    assert (studio / "archive").is_dir()
    assert studio_folder.archive_folder(studio, tmp_path / "far" / "away", writable=True).is_dir()


def test_an_archive_that_cannot_be_written_is_refused(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (studio / "a-file").write_text("")
    with pytest.raises(BadInput, match="a-file"):
        studio_folder.archive_folder(studio, studio / "a-file")

    def no(code: int) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(code, "no")

        monkeypatch.setattr(studio_folder.tempfile, "TemporaryFile", refuse)

    no(errno.EROFS)
    with pytest.raises(BadInput, match=r"cannot be written to \(Read-only file system\)"):
        studio_folder.archive_folder(studio, writable=True)
    assert studio_folder.archive_folder(studio).is_dir()
    no(errno.ENOSPC)
    with pytest.raises(DiskFull):
        studio_folder.archive_folder(studio, writable=True)


def test_series_are_listed_and_the_nearest_is_named(studio: Path) -> None:
    with pytest.raises(NotFound, match="gen-emerge new"):
        studio_folder.series_file(studio, "night")
    for name in ("night", "day"):
        studio_folder.new_series_file(studio, name, f'name = "{name}"\n')
    assert studio_folder.series_names(studio) == ["day", "night"]
    assert load(studio_folder.series_file(studio, "night")).name == "night"
    with pytest.raises(NotFound, match='Did you mean "night"'):
        studio_folder.series_file(studio, "nihgt")
    for outside in ("../series/night", "", ".", "night.toml", "/etc/passwd"):
        with pytest.raises(NotFound):
            studio_folder.series_file(studio, outside)


def test_a_series_file_is_never_overwritten(studio: Path) -> None:
    path = studio_folder.new_series_file(studio, "night", "one")
    with pytest.raises(BadInput, match="already"):
        studio_folder.new_series_file(studio, "night", "two")
    assert path.read_text() == "one"


def test_a_made_folder_is_a_studio_folder_and_keeps_what_was_there(tmp_path: Path, repository: Path) -> None:
    made = studio_folder.make_studio_folder(tmp_path / "new")
    assert studio_folder.find_root(tmp_path / "new") == made.folder
    assert "first-light" in studio_folder.series_names(made.folder)
    assert "prompts/painter-1.toml" in made.made and not made.kept
    for bank in (repository / "prompts").rglob("*.toml"):
        assert (made.folder / bank.relative_to(repository)).read_bytes() == bank.read_bytes()
    mine = made.folder / "prompts" / "painter-1.toml"
    mine.write_text("mine")
    again = studio_folder.make_studio_folder(made.folder)
    assert not again.made and "prompts/painter-1.toml" in again.kept
    assert mine.read_text() == "mine"


def test_a_file_cannot_become_a_studio_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file cannot become .* a file is in its way"):
        studio_folder.make_studio_folder(tmp_path / "file")


def test_one_unreadable_series_file_does_not_hide_the_others(studio: Path, cli: Callable[..., Any]) -> None:
    cli("new", "whole", root=studio)
    (studio / "experiments" / "series" / "broken.toml").write_text(
        "name = 'broken'\nseed = 'seven'\n", encoding="utf-8"
    )
    rows = json.loads(cli("status", root=studio, as_json=True).out)["series"]
    assert [row["series"] for row in rows] == ["broken", "whole"]
    assert "seed" in rows[0]["error"]["message"]
    assert rows[1]["state"] == "new"
    assert "cannot be read" in cli("status", root=studio).out


def test_a_bank_with_a_word_nobody_paints_is_refused_before_the_series_begins(
    studio: Path, cli: Callable[..., Any]
) -> None:
    bank = studio / "prompts" / "painter-1.toml"
    text = bank.read_text(encoding="utf-8")
    bank.write_text(text.replace('"marbled"', '"marbeled"'), encoding="utf-8")
    cli("new", "night", root=studio)
    said = cli("run", "night", root=studio, as_json=True, code=2)
    assert "marbeled" in said.out
    assert "marbled" in json.loads(said.out)["error"]["hint"]
    assert not (studio / "archive" / "night").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_bank_that_is_a_pipe_is_refused_and_not_waited_for(studio: Path, cli: Callable[..., Any]) -> None:
    cli("new", "night", root=studio)
    bank = studio / "prompts" / "painter-1.toml"
    bank.unlink()
    os.mkfifo(bank)
    assert "no ordinary file" in cli("run", "night", root=studio, as_json=True, code=2, timeout=60).out
    assert not (studio / "archive" / "night").exists()
