"""What people see: bars, the live line, pictures in the terminal, keys."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gen_emerge.cli import inline, live
from gen_emerge.cli.judging import Sitting, as_input, meaning
from gen_emerge.cli.text import bar, matrix_text, series_table, status_text
from gen_emerge.preference.answers import parse_answers
from gen_emerge.types import Question

STATUS: dict[str, Any] = {
    "series": "night", "state": "running", "cycle": 50, "candidates": 400, "passed": 300, "review": 12, "pending": 0,
    "failed": 1, "rejected": {"total": 87, "filters": {"blank": 2}, "gates": {"novelty": 60, "quality": 25}},
    "accepted": 300, "cells_filled": 248, "cells_total": 400, "coverage": 0.62, "mean_pairwise_distance": 0.41,
    "vendi": 31.5, "images_per_minute": 240.0, "open_rounds": 1, "digest": "00",
}  # fmt: skip


def test_bars_are_as_long_as_they_say() -> None:
    assert bar(0, 8, unicode=True) == " " * 8
    assert bar(1, 8, unicode=True) == "█" * 8
    assert bar(0.5, 8, unicode=True) == "████    "
    assert bar(1e-9, 8, unicode=True) == "▏" + " " * 7
    assert bar(7, 4, unicode=False) == "####"
    assert bar(-1, 4, unicode=False) == "...."
    assert bar(0.001, 4, unicode=False) == "#..."
    assert bar(0.999, 4, unicode=False) == "###."
    for share in np.linspace(0, 1, 57):
        assert len(bar(float(share), 10, unicode=True)) == len(bar(float(share), 10, unicode=False)) == 10


def test_status_fits_a_small_screen_in_ascii_too() -> None:
    for unicode in (True, False):
        text = status_text(STATUS, unicode=unicode)
        assert max(map(len, text.splitlines())) <= 72
        assert text.isascii() is not unicode
        for part in ("night", "running", "cycle 50", "62.0%", "248 of 400", "novelty", "60", "blank", "Vendi 31.5"):
            assert part in text
        assert "gen-emerge judge night" in text
        assert "pending" not in text
    assert text.index("novelty") < text.index("quality")
    assert "\x1b[" in status_text(STATUS, colour=True)


def test_a_series_without_images_has_a_status_too() -> None:
    new = {**STATUS, "state": "new", "cycle": 0, "candidates": 0, "coverage": 0.0, "cells_filled": 0}
    new.update(mean_pairwise_distance=None, vendi=None, images_per_minute=None, open_rounds=0)
    text = status_text(new)
    assert "no images yet" in text
    assert "Vendi -" in text


def test_all_series_stand_in_columns() -> None:
    rows = [STATUS, {**STATUS, "series": "a-longer-name", "state": "done", "open_rounds": 0}]
    lines = series_table(rows).splitlines()
    assert lines[0].index("cycle") == lines[1].index("cycle")
    assert lines[0].endswith("1 open")
    assert "gen-emerge new" in series_table([])


def test_a_matrix_is_a_square() -> None:
    lines = matrix_text(["a.png", "bb.png"], [[0.0, 0.25], [0.25, 0.0]]).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["1", "a.png", "0.0000", "0.2500"]
    assert len({len(line) for line in lines}) == 1


# ---- the live line -----------------------------------------------------------------------------------------------


def _figures(cycle: int) -> dict[str, Any]:
    return {
        "cycle": cycle, "cycles": 30, "candidates": 8 * cycle, "passed": 5 * cycle, "review": 0,
        "rejected": {"total": 3 * cycle}, "cells_filled": cycle, "cells_total": 400, "images_per_minute": 99.0,
    }  # fmt: skip


def test_without_a_terminal_a_line_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    line = live.Live("night", unicode=True)
    for cycle in range(1, 31):
        line(_figures(cycle))
        now[0] += 2.0
    line.close()
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [re.search(r"cycle (\d+)/30", text)[1] for text in lines] == ["1", "11", "21", "30"]  # pyright: ignore
    assert "11/400 cells" in lines[1] and "33 rejected" in lines[1]
    assert "240 images/min" in lines[1] and "38 s left" in lines[1]
    assert "left" not in lines[-1]


def test_on_a_terminal_one_line_is_written_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = live.Live("night", unicode=False)
    monkeypatch.setattr(line, "_terminal", True)
    for cycle in (1, 2, 3):
        line(_figures(cycle))
    line.close()
    err = capsys.readouterr().err
    assert err.count("\r\x1b[2K") == 3
    assert err.count("\n") == 1
    assert err.isascii()


def test_a_quiet_line_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    live.Live("night", unicode=True, quiet=True)(_figures(1))
    assert capsys.readouterr().err == ""


def test_durations_are_for_people() -> None:
    assert [live.duration(s) for s in (5.4, 59, 61, 3599, 3660, 90000)] == [
        "5 s", "59 s", "1 min", "1 h 00", "1 h 01", "25 h 00",
    ]  # fmt: skip


# ---- pictures in the terminal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"LC_TERMINAL": "iTerm2", "TERM": "xterm"}, "iterm"),
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/x"}, None),
        ({"TERM": "screen.xterm-kitty"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
    ],
)
def test_the_terminals_way_of_showing_pictures_is_found(environment: Mapping[str, str], expected: str | None) -> None:
    assert inline.protocol(environment, terminal=True) == expected
    assert inline.protocol(environment, terminal=False) is None


def test_the_escape_sequences_hold_the_picture() -> None:
    content = bytes(range(256)) * 40
    iterm = inline.sequence(content, "iterm", columns=60)
    assert re.fullmatch(r"\x1b\]1337;File=inline=1;size=10240;width=60;preserveAspectRatio=1:[^\a]+\a\n", iterm)
    assert base64.b64decode(iterm.split(":", 1)[1].rstrip("\a\n")) == content
    kitty = inline.sequence(content, "kitty", columns=60)
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty)
    assert parts[0][0] == "a=T,f=100,c=60,q=2,m=1"
    assert [control for control, _ in parts[1:]] == ["m=1"] * (len(parts) - 2) + ["m=0"]
    assert all(len(text) <= 4096 for _, text in parts)
    assert base64.b64decode("".join(text for _, text in parts)) == content


def test_two_pictures_stand_side_by_side(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "left.png")
    Image.new("RGB", (128, 64), "blue").save(tmp_path / "right.png")
    sheet = inline.side_by_side([tmp_path / "left.png", tmp_path / "right.png"], height=128)
    assert sheet.size == (128 + 4 + 256, 128)
    assert sheet.getpixel((5, 5)) == (255, 0, 0)
    assert sheet.getpixel((130, 5)) == (255, 255, 255)
    assert sheet.getpixel((140, 5)) == (0, 0, 255)


def test_a_terminal_without_pictures_gets_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "KITTY_WINDOW_ID", "TERM_PROGRAM", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "new" / "pair.png"
    assert inline.show(Image.new("RGB", (4, 4)), place) == f"picture: {place}\n"
    with Image.open(place) as opened:
        assert opened.size == (4, 4)


# ---- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [
        ("l", "pair", ("left", True)), ("R", "pair", ("right", False)), ("\x1b[D", "pair", ("left", True)),
        ("\x1bOC", "pair", ("right", True)), ("t", "pair", ("tie", True)), ("k", "pair", None),
        ("k", "keep", ("keep", True)), ("D", "review", ("discard", False)), ("t", "keep", ("unsure", True)),
        ("\x1b[D", "keep", None), ("l", "keep", None), ("s", "pair", ("skip", True)), ("u", "keep", ("undo", True)),
        ("q", "pair", ("quit", True)), ("\x04", "keep", ("quit", True)), ("x", "pair", None), ("", "pair", None),
    ],
)  # fmt: skip
def test_keys_mean_what_the_line_below_the_picture_says(key: str, kind: str, expected: object) -> None:
    assert meaning(key, kind) == expected


class _Book:
    def __init__(self) -> None:
        self.items: list[tuple[str, dict[str, Any]]] = []

    def add_inputs(self, items: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.items += [(kind, dict(payload)) for kind, payload in items]


def _question(number: int, kind: Any = "pair") -> Question:
    images = {"left": 1, "right": 2} if kind == "pair" else {"only": 3}
    ask = "quality" if kind == "pair" else "keep"
    return Question(id=f"r1-{number}", kind=kind, ask=ask, prompt="a print", images=images)


def _sit(keys: str, *questions: Question) -> tuple[_Book, list[str], Any]:
    book, said = _Book(), list[str]()
    waiting, times = iter(keys), iter(range(1000))
    sitting = Sitting(
        book,
        questions,
        {1: Path("1.png"), 2: Path("2.png"), 3: Path("3.png")},
        rater="anna",
        key=lambda: next(waiting),
        say=said.append,
        show=lambda _id, pictures: "+".join(map(str, pictures)),
        clock=lambda: float(next(times)),
    )
    return book, said, sitting.run()


def test_answers_are_written_one_by_one_with_their_time() -> None:
    book, said, tally = _sit("xlRkq", _question(1), _question(2), _question(3, "keep"), _question(4))
    assert [(kind, entry["question"], entry["answer"], entry["confidence"]) for kind, entry in book.items] == [
        ("answer", "r1-1", "left", "sure"),
        ("answer", "r1-2", "right", "unsure"),
        ("answer", "r1-3", "keep", "sure"),
    ]
    assert {entry["rater"] for _, entry in book.items} == {"anna"}
    assert all(entry["seconds"] == 1.0 for _, entry in book.items)
    assert (tally.answered, tally.left, tally.quit) == (3, 1, True)
    assert "1.png+2.png" in said and "3.png" in said
    assert "a print" in "".join(said)


def test_undo_goes_back_one_question() -> None:
    book, said, tally = _sit("ultuussq", _question(1), _question(2), _question(3))
    assert "Nothing to undo yet." in said
    assert [(kind, entry["question"], entry.get("answer")) for kind, entry in book.items[:4]] == [
        ("answer", "r1-1", "left"),
        ("answer", "r1-2", "tie"),
        ("undo", "r1-2", None),
        ("undo", "r1-1", None),
    ]
    assert (tally.answered, tally.undone, tally.left) == (2, 2, 1)


def test_lines_of_a_file_become_the_same_entries() -> None:
    lines = ['{"question": "r1-1", "answer": "left", "seconds": 2}', '{"undo": "r1-1"}']
    entries = [as_input(entry) for entry in parse_answers(lines, {"r1-1": _question(1)}, rater="anna")]
    answer = {"question": "r1-1", "answer": "left", "rater": "anna", "confidence": "sure", "seconds": 2.0}
    assert entries == [("answer", answer), ("undo", {"question": "r1-1", "rater": "anna"})]
