"""One scorer's table of a series file replaced: comments, order and everything else as they were."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from gen_emerge.config import parse, write_series
from gen_emerge.config.edit import with_scorer
from gen_emerge.errors import BadInput
from gen_emerge.studio_folder import rewrite_series_file

PLAIN = """# A series.
name = "night"   # its name

[scorers.quality]
# who measures
use = "embedded" # as "it" # comes
# the end of it

[scorers.style]
use = "embedded"

[[filters.rules]]
signal = "lightness"
below = 0.1
"""
NIMA = {"use": "nima", "weights": "models/a#1.hdf5"}


def test_known_keys_change_where_they_stand_and_new_ones_follow() -> None:
    edited = with_scorer(PLAIN, "quality", NIMA)
    assert edited == PLAIN.replace(
        'use = "embedded" # as "it" # comes\n', 'use = "nima"  # as "it" # comes\nweights = "models/a#1.hdf5"\n'
    )
    # Back again the comment is still there, and the key that came is gone.
    assert with_scorer(edited, "quality", {"use": "embedded"}) == PLAIN.replace('" # as', '"  # as')


def test_a_table_that_is_not_there_comes_behind_the_other_scorers() -> None:
    edited = with_scorer(PLAIN, "prompt", {"use": "clip"})
    assert edited == PLAIN.replace("[[filters", '[scorers.prompt]\nuse = "clip"\n\n[[filters')
    bare = with_scorer('name = "night"\n', "prompt", {"use": "clip"})
    assert tomllib.loads(bare) == {"name": "night", "scorers": {"prompt": {"use": "clip"}}}


def test_values_of_several_lines_and_tables_inside() -> None:
    text = """[scorers.novelty]
use = "dreamsim"
notes = '''
[scorers.novelty]
use = "no header, and no key"
'''
list = [
  1, # one
  2,
]
[scorers.novelty.sha256]
"a.pth" = "12"

[loop]
batch = 4
"""
    pins = {"use": "dreamsim", "sha256": {"b c.pth": "34"}, "list": [1, 2]}
    edited = with_scorer(text, "novelty", pins)
    assert tomllib.loads(edited) == {"scorers": {"novelty": pins}, "loop": {"batch": 4}}
    assert "  1, # one\n" in edited, "a value that stays keeps its lines"


def test_line_ends_and_marks_stay() -> None:
    windows = "\ufeff" + PLAIN.replace("\n", "\r\n")
    edited = with_scorer(windows, "quality", NIMA)
    assert edited.startswith("\ufeff# A series.\r\n") and edited.count("\n") == edited.count("\r\n")


def test_every_line_keeps_its_own_end() -> None:
    """Windows' beside others', as two editors leave them; the last one has none."""
    mixed = (
        '# A series.\r\nname = "night"\n\r\n[scorers.quality]\n'
        'use = "embedded" # one\r\n# two\n\n[scorers.style]\r\nuse = "embedded"\r\n[loop]\nbatch = 4'
    )
    edited = with_scorer(mixed, "quality", NIMA)
    assert edited == mixed.replace(
        'use = "embedded" # one\r\n', 'use = "nima"  # one\r\nweights = "models/a#1.hdf5"\r\n'
    )
    assert with_scorer(edited, "quality", {"use": "embedded"}) == mixed.replace(" # one", "  # one")
    new = '\r\n[scorers.prompt]\r\nuse = "clip"\r\n\r\n'
    assert with_scorer(mixed, "prompt", {"use": "clip"}) == mixed.replace("[loop]", f"{new}[loop]")


def test_a_file_whose_last_line_does_not_end_stays_so() -> None:
    text = '[scorers.quality]\r\nuse = "embedded"'
    assert with_scorer(text, "quality", NIMA) == '[scorers.quality]\r\nuse = "nima"\r\nweights = "models/a#1.hdf5"'
    assert with_scorer(text, "prompt", {"use": "clip"}) == text + '\r\n\r\n[scorers.prompt]\r\nuse = "clip"'
    assert with_scorer("", "prompt", {"use": "clip"}) == '[scorers.prompt]\nuse = "clip"\n'


def test_every_file_that_new_writes_can_be_changed() -> None:
    for profile in ("embedded", "diffusion"):
        config = parse({"schema": 1, "name": "night", "profile": profile})
        text = write_series(config)
        for gate in ("quality", "prompt", "novelty", "style"):
            edited = with_scorer(text, gate, {"use": "another", "weights": "x", "pins": {"a": 1}, "on": True})
            assert tomllib.loads(edited)["scorers"][gate]["pins"] == {"a": 1}
            assert [line for line in text.splitlines() if line.startswith("#")] == [
                line for line in edited.splitlines() if line.startswith("#")
            ]


@pytest.mark.parametrize(
    "text",
    [
        '[scorers.quality]\nuse = "embedded"\n"left over" = 1\n',
        '[scorers]\nquality = { use = "embedded" }\n',
        '[scorers]\nquality.use = "embedded"\n',
        'scorers.quality.use = "embedded"\n',
        "[scorers.'quality']\nuse = \"embedded\"\n",
    ],
)
def test_a_form_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="cannot be changed line by line") as caught:
        with_scorer(text, "quality", NIMA)
    assert caught.value.hint == 'Write it by hand: [scorers.quality] use = "nima"; weights = "models/a#1.hdf5"'


def test_a_file_that_may_not_be_written_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "night.toml"
    path.write_text(PLAIN)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BadInput, match="cannot be written to"):
        rewrite_series_file(path, "other")
    assert (path.read_text(), list(tmp_path.iterdir())) == (PLAIN, [path])


def test_a_rewritten_file_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "night.toml", tmp_path / "night.toml"
    real.write_text(PLAIN)
    real.chmod(0o640)
    link.symlink_to(real)
    rewrite_series_file(link, "other")
    assert link.is_symlink() and real.read_text() == "other" and real.stat().st_mode & 0o777 == 0o640
