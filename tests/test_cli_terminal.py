"""What people see: bars, the live line, pictures in the terminal, keys."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gen_emerge.cli import inline, keys, live
from gen_emerge.cli.judging import Sitting, as_input
from gen_emerge.cli.next_steps import going_on, looking
from gen_emerge.cli.screens import screen
from gen_emerge.cli.text import bar, matrix_text, questions_open, series_table, status_text
from gen_emerge.preference.answers import parse_answers
from gen_emerge.standing import Plan
from gen_emerge.types import Question

STATUS: dict[str, Any] = {
    "series": "night", "state": "running", "cycle": 50, "candidates": 400, "passed": 300, "review": 12, "pending": 0,
    "failed": 1, "rejected": {"total": 87, "filters": {"blank": 2}, "gates": {"novelty": 60, "quality": 25}},
    "accepted": 300, "cells_filled": 248, "cells_total": 400, "coverage": 0.62, "mean_pairwise_distance": 0.41,
    "vendi": 31.5, "images_per_minute": 240.0, "open_rounds": 2, "open_questions": 9, "review_unasked": 0,
    "digest": "00",
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
        assert "9 questions are open: gen-emerge judge night" in text
        assert "pending" not in text
        assert "accepted" not in text, "it is the number of those that passed"
    assert "accepted        299" in status_text({**STATUS, "accepted": 299})
    for unicode in (True, False):
        text = status_text(STATUS, unicode=unicode)
    assert text.index("novelty") < text.index("quality")
    assert "\x1b[" in status_text(STATUS, colour=True)


def test_an_alarm_that_stands_is_said_with_what_followed_from_it() -> None:
    did = [{"did": "round", "said": "round r40 was opened"}, {"did": "explore", "said": "from cycle 42 on 30% explore"}]
    alarm = {"alarm": "narrowing", "message": "The series narrows since cycle 31: fewer new cells.", "responses": did}
    status = {**STATUS, "alarms": [alarm, {**alarm, "message": "Another.", "responses": []}]}
    lines = status_text(status).splitlines()
    text = " ".join(line.strip() for line in lines)
    said = "since cycle 31: fewer new cells. So round r40 was opened; from cycle 42 on 30% explore."
    assert f"alarm: The series narrows {said}" in text and "alarm: Another." in text
    assert max(map(len, lines)) <= 72
    assert "alarm: narrowing, narrowing" in series_table([status])
    assert "alarm" not in status_text(STATUS) + series_table([STATUS])


def test_a_series_without_images_has_a_status_too() -> None:
    new = {**STATUS, "state": "new", "cycle": 0, "candidates": 0, "coverage": 0.0, "cells_filled": 0}
    new.update(mean_pairwise_distance=None, vendi=None, images_per_minute=None, open_rounds=0, open_questions=0)
    text = status_text(new)
    assert "no images yet" in text
    assert "Vendi -" in text


def test_all_series_stand_in_columns() -> None:
    rows = [STATUS, {**STATUS, "series": "a-longer-name", "state": "done", "open_rounds": 0, "open_questions": 0}]
    lines = series_table(rows).splitlines()
    assert lines[0].index("cycle") == lines[1].index("cycle")
    assert lines[0].endswith("9 open")
    assert "gen-emerge new" in series_table([])


def test_takes_that_were_passed_over_stand_apart_from_the_rejected() -> None:
    rejected = {"total": 87, "filters": {"blank": 2, "selector": 40}, "gates": {"novelty": 30, "quality": 15}}
    lines = status_text({**STATUS, "rejected": rejected}).splitlines()
    counts = [match.groups() for line in lines if (match := re.match(r"  (passed over|rejected) +(\d+)  ", line))]
    assert counts == [("passed over", "40"), ("rejected", "47")]
    assert "selector" not in "".join(lines)
    assert "passed over" not in status_text(STATUS)


def test_open_questions_are_counted_in_the_same_words() -> None:
    said = [questions_open(number) for number in (0, 1, 7)]
    assert said == ["no question is open", "1 question is open", "7 questions are open"]


def test_series_that_nobody_made_yet_stand_apart() -> None:
    new = {
        **STATUS,
        "series": "ready",
        "state": "new",
        "cycle": 0,
        "candidates": 0,
        "coverage": 0.0,
        "open_questions": 0,
    }
    queued = {**new, "series": "queued", "imports_waiting": 3}
    broken = {"series": "broken", "state": "failed", "error": {"message": "It is damaged."}}
    lines = series_table([broken, queued, STATUS, new]).splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["broken", "queued", "night"]
    assert lines[1].endswith("3 imported wait")
    assert lines[3:] == ["", "Ready to run, nothing made yet:", "  ready   gen-emerge run ready"]
    models = {**new, "series": "models", "needs": "the models extra"}
    assert series_table([models, new]).splitlines()[1:] == [
        "  ready   gen-emerge run ready",
        "  models  needs the models extra: gen-emerge doctor",
    ]
    assert series_table([new]).splitlines()[0] == "Ready to run, nothing made yet:"
    assert "Ready" not in series_table([STATUS])


@pytest.mark.parametrize(
    ("status", "plan", "said"),
    [
        ({"state": "new", "cycle": 0}, (50, 50, 4), ["To begin: gen-emerge run night"]),
        (
            {"state": "new", "cycle": 0, "needs": "the models extra"},
            (50, 50, 4),
            ["It needs the models extra: gen-emerge doctor"],
        ),
        ({"state": "running"}, (60, 60, 4), []),
        ({"state": "waiting"}, (60, 60, 4), []),
        ({"state": "done"}, (50, 50, 4), ["It has its 50 cycles.", "To go on: gen-emerge run night --cycles 100"]),
        (
            {"state": "done", "cycle": 20},
            (20, 50, 4),
            ["It has the 20 cycles it was asked for; its file asks for 50.", "To go on: gen-emerge run night"],
        ),
        (
            {"state": "stopped", "cycle": 7},
            (50, 50, 4),
            ["It stopped after cycle 7 of 50.", "To go on: gen-emerge run night"],
        ),
        (
            {"state": "failed", "cycle": 7},
            (20, 50, 4),
            ["It failed after cycle 7 of 20.", "To go on: gen-emerge run night --cycles 20"],
        ),
        (
            {"state": "done", "cycle": 28},
            (5, 50, 4),
            ["It has 28 cycles already (5 asked for); its file asks for 50.", "To go on: gen-emerge run night"],
        ),
        (
            {"state": "done", "cycle": 28},
            (17, 12, 4, 11),
            [
                "It has 28 cycles already (17 asked for, 11 more for imports).",
                "To go on: gen-emerge run night --cycles 56",
            ],
        ),
        (
            {"state": "done", "cycle": 2},
            (2, 50, 4),
            [
                "The map is empty: nothing is placed before the warm-up's end, which is cycle 4.",
                "It has the 2 cycles it was asked for; its file asks for 50.",
                "To go on: gen-emerge run night",
            ],
        ),
        (
            {"state": "done", "cycle": 3},
            (3, 3, 4),
            [
                "The map is empty: nothing is placed before the warm-up's end, which is cycle 4.",
                "To get there: gen-emerge run night --cycles 4",
            ],
        ),
        (
            {"state": "done", "cycle": 4},
            (4, 4, 4),
            ["It has its 4 cycles.", "To go on: gen-emerge run night --cycles 8"],
        ),
    ],
)
def test_how_a_series_goes_on_is_said(status: dict[str, Any], plan: tuple[int, ...], said: list[str]) -> None:
    asked, file, warmup, imports = (*plan, 0)[:4]
    assert going_on({**STATUS, **status}, Plan(asked=asked, file=file, warmup=warmup, imports=imports)) == said


def test_where_a_run_left_its_pictures_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "archive" / "night"
    assert looking({**STATUS, "candidates": 0}, folder) == []
    assert looking(STATUS, folder)[1:] == [
        f"  pictures   {folder / 'images'}",
        "  map        gen-emerge inspect night --html map.html",
        "  your turn  gen-emerge judge night  (9 questions are open)",
    ]
    monkeypatch.chdir(tmp_path)
    lines = looking({**STATUS, "open_questions": 0}, folder)
    assert lines[1] == f"  pictures   {Path('archive', 'night', 'images')}"
    assert len(lines) == 3
    text = status_text(STATUS, after=looking(STATUS, folder))
    assert text.count("gen-emerge judge night") == 1


def test_a_matrix_is_a_square() -> None:
    lines = matrix_text(["a.png", "bb.png"], [[0.0, 0.25], [0.25, 0.0]]).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["1", "a.png", "0.0000", "0.2500"]
    assert len({len(line) for line in lines}) == 1


def test_every_emitter_is_told_in_words_and_the_first_image_has_none_before_it() -> None:
    from gen_emerge.cli.accounts import account_text
    from gen_emerge.emitters import all_emitters
    from gen_emerge.emitters.latent import FromPicture, Perturb, Slerp
    from gen_emerge.spoken import OPERATORS

    assert set(OPERATORS) == set(
        all_emitters(frozenset().union(*(e.needs for e in (Slerp(), Perturb(), FromPicture()))))
    )
    verdict = {"gate": "novelty", "kind": "gate", "outcome": "pass", "value": None, "reason": "", "duplicate": 0.01}
    verdict |= {"lower": 6.902e-05, "upper": None, "review": 0.02}
    found = {
        "series": "night", "candidate": 1, "outcome": "placed", "cycle": 4, "slot": 1, "said": "It holds cell 3.",
        "image": None, "prompt": "a print", "negative": "", "imported": None, "parents": [{"candidate": 7}],
        "operator": "reseed", "genome": "ab", "recipe": {"generator": "painter", "seed": 3, "parameters": {}},
        "verdicts": [verdict, {**verdict, "gate": "style", "value": 6.9e-7}], "signals": {}, "critique": None,
        "placements": [], "changes": [], "favourite": "interesting",
    }  # fmt: skip
    text = account_text(found, Path("x"))
    assert text.startswith("night  candidate 1  ") and ", interesting  cycle 4" in text.splitlines()[0]
    assert re.search(r"novelty +pass +-  none before it$", text, re.M)
    assert re.search(r"style +pass +almost 0  from 0\.0001, duplicate below 0\.01 \(review within 0\.01\)$", text, re.M)
    assert "reseed from candidate 7: the same words, another seed" in text


# ---- the live line -----------------------------------------------------------------------------------------------


def _figures(cycle: int) -> dict[str, Any]:
    rejected = {"total": 3 * cycle, "filters": {"selector": cycle}, "gates": {"style": 2 * cycle}}
    return {
        "cycle": cycle, "cycles": 30, "candidates": 8 * cycle, "passed": 5 * cycle, "review": 0,
        "rejected": rejected, "cells_filled": cycle, "cells_total": 400, "images_per_minute": 99.0,
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
    assert "11/400 cells" in lines[1] and "11 passed over · 22 rejected" in lines[1]
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


@pytest.mark.parametrize("columns", [200, 80, 60, 50, 40, 20])
def test_a_narrow_line_leaves_out_whole_fields_and_the_time_left_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    now = [1000.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", str(columns))
    line = live.Live("night", unicode=True)
    monkeypatch.setattr(line, "_terminal", True)
    for cycle in (1, 11):
        line({**_figures(cycle), "review": 3})
        now[0] += 20.0
    shown = capsys.readouterr().err.split("\x1b[2K")[-1]
    assert len(shown) < columns
    head, *fields = shown.split(" · ")
    whole = ["38 s left", "11/400 cells", "240 images/min", "55 passed", "3 review", "11 passed over", "22 rejected"]
    kept = {200: 7, 80: 3, 60: 2, 50: 1, 40: 0, 20: 0}[columns]
    assert len(fields) == kept and [field for field in whole if field in fields] == fields
    if kept:
        assert head.endswith("cycle 11/30") and fields[0] == "38 s left"


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
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "a-socket,1,0"}, None),
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
        ("l", "pair", ("left", True)), ("R", "pair", ("right", False)), ("T", "pair", ("tie", False)),
        ("\x1b[D", "pair", ("left", True)), ("\x1bOC", "pair", ("right", True)), ("\x1b[B", "pair", ("tie", True)),
        ("k", "pair", None), ("c", "pair", None), ("k", "keep", ("keep", True)), ("D", "review", ("discard", False)),
        ("c", "keep", ("unsure", True)), ("C", "review", ("unsure", False)), ("t", "keep", None), ("l", "keep", None),
        ("\x1b[D", "keep", ("discard", True)), ("\x1b[C", "review", ("keep", True)),
        ("\x1bOB", "keep", ("unsure", True)),
        ("s", "pair", ("skip", True)), ("u", "keep", ("undo", True)), ("\x7f", "pair", ("undo", True)),
        ("q", "pair", ("quit", True)), ("\x04", "keep", ("quit", True)), ("\x1b", "pair", ("quit", True)),
        ("", "pair", ("quit", True)), ("?", "keep", ("help", True)), ("?", "pair", ("help", True)),
        ("x", "pair", None), ("\x1b[A", "pair", None),
    ],
)  # fmt: skip
def test_keys_mean_what_the_lines_of_help_say(key: str, kind: str, expected: object) -> None:
    assert keys.meaning(key, kind) == expected


@pytest.mark.parametrize("kind", ["pair", "keep", "review"])
def test_every_key_of_the_line_is_in_the_help_and_means_something(kind: str) -> None:
    named = [part.split(" ")[0] for part in keys.short(kind).split("  ")]
    explained = [line.split(",")[0].split(" ")[0] for line in keys.lines(kind)]
    assert set(named) <= set(explained) and len(named) == 7
    assert all(keys.meaning(key, kind) is not None for key in named)
    assert max(map(len, keys.lines(kind))) <= 58


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("l", ["l"]), ("lr", ["l", "r"]), ("\x1b[Dl\x1bOC", ["\x1b[D", "l", "\x1bOC"]), ("\x1b[3~t", ["\x1b[3~", "t"]),
        ("\x1b", ["\x1b"]), ("", [""]), ("\xe0Ks", ["\xe0K", "s"]), ("\xe0", ["\xe0"]), ("l\x03", ["l", "\x03"]),
    ],
)  # fmt: skip
def test_what_a_terminal_sends_at_once_is_taken_key_by_key(sent: str, expected: list[str]) -> None:
    assert keys.split(sent) == expected


class _Book:
    def __init__(self) -> None:
        self.items: list[tuple[str, dict[str, Any]]] = []

    def add_inputs(self, items: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.items += [(kind, dict(payload)) for kind, payload in items]


def _question(number: int, kind: Any = "pair") -> Question:
    images = {"left": 1, "right": 2} if kind == "pair" else {"only": 3}
    ask = "quality" if kind == "pair" else "keep"
    return Question(id=f"r1-{number}", kind=kind, ask=ask, prompt="a print", images=images)


def _sitting(sent: Sequence[str], *questions: Question, **more: Any) -> tuple[_Book, list[str], Sitting]:
    book, said = _Book(), list[str]()
    waiting, times = iter(sent), iter(range(1000))
    sitting = Sitting(
        book,
        questions,
        more.pop("pictures", {1: Path("1.png"), 2: Path("2.png"), 3: Path("3.png")}),
        rater="anna",
        key=lambda: next(waiting),
        say=said.append,
        show=lambda _id, pictures: "+".join(map(str, pictures)),
        clock=lambda: float(next(times)),
        **more,
    )
    return book, said, sitting


def _sit(sent: Sequence[str], *questions: Question, **more: Any) -> tuple[_Book, list[str], Any]:
    book, said, sitting = _sitting(sent, *questions, **more)
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


def test_a_key_without_meaning_is_answered_and_help_lists_the_keys() -> None:
    book, said, tally = _sit(["x", "\x1b[A", "?", "t"], _question(1))
    assert [entry["answer"] for _, entry in book.items] == ["tie"] and tally.answered == 1
    at = said.index('"x" means nothing here: ? lists the keys.')
    assert said[at + 1] == "That key means nothing here: ? lists the keys."
    assert said[at + 2 : -1] == [f"  {line}" for line in keys.lines("pair")]
    book, said, _ = _sit(["?", "c"], _question(1, "keep"))
    assert [entry["answer"] for _, entry in book.items] == ["unsure"]
    assert [f"  {line}" for line in keys.lines("keep")] == said[-9:-1] and said[-1] == "  cannot say"


def test_keys_typed_ahead_answer_one_question_each() -> None:
    book, _, tally = _sit(["l\x1b[B", "R"], _question(1), _question(2), _question(3))
    assert [(entry["question"], entry["answer"]) for _, entry in book.items] == [
        ("r1-1", "left"), ("r1-2", "tie"), ("r1-3", "right"),
    ]  # fmt: skip
    assert tally.left == 0


def test_an_interruption_leaves_the_tally_of_what_is_stored() -> None:
    book, _, sitting = _sitting(["l", "t\x03r"], _question(1), _question(2), _question(3))
    with pytest.raises(KeyboardInterrupt):
        sitting.run()
    assert (sitting.tally.answered, sitting.tally.left, len(book.items)) == (2, 1, 2)


def test_what_questions_are_judged_by_is_said_where_it_changes() -> None:
    brief = "Quiet prints for a stairwell, each of them finished, and no two of them alike."
    pair = Question(
        id="r1-2", kind="pair", ask="adherence", prompt="left: a | b | right: c", images={"left": 1, "right": 2}
    )
    _, said, _ = _sit(
        "lltk", _question(1), pair, _question(3), _question(4, "keep"), brief=brief, takes={"r1-3"}, columns=60
    )
    asked = [i for i, text in enumerate(said) if " of 4  " in text]
    first, second, third, fourth = (said[a:b] for a, b in zip(asked, [*asked[1:], len(said)], strict=True))
    assert said[0] == "brief: Quiet prints for a stairwell, each of them finished,\nand no two of them alike."
    assert third[1] == "  brief: Quiet prints for a stairwell, each of them\n  finished, and no two of them alike."
    assert second[1:3] == ["  left: a | b", "  right: c"] and not any("brief" in text for text in second)
    assert third[2] == "  Two takes of one genome: they differ by their seeds alone."
    assert not any("takes" in text for text in (*first, *second, *fourth))
    assert fourth[1] == "  prompt: a print" and sum("brief:" in text for text in said) == 2, "it is the same still"
    assert all(len(line) <= 60 for text in said for line in text.splitlines())


def test_undo_goes_back_one_question() -> None:
    book, said, tally = _sit("ultuussq", _question(1), _question(2), _question(3))
    assert "Nothing to undo yet." in said
    assert [text for text in said if "Took back" in text] == [
        "Took back the answer to question 2 of 3.", "Took back the answer to question 1 of 3.",
    ]  # fmt: skip
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


# ---- rankings and triplets ---------------------------------------------------------------------------------------


def _rank(number: int, letters: str = "abcd") -> Question:
    images = {letter: 10 + place for place, letter in enumerate(letters)}
    kind = "rank4" if len(letters) == 4 else "ranking"
    return Question(id=f"r1-{number}", kind=kind, ask="quality", prompt="a print", images=images)


def _triplet(number: int) -> Question:
    images = {"reference": 10, "a": 11, "b": 12}
    return Question(id=f"r1-{number}", kind="triplet", ask="similarity", prompt="a print", images=images)


PICTURES = {n: Path(f"{n}.png") for n in range(1, 30)}


def test_a_ranking_is_one_key_a_place_and_the_last_follows() -> None:
    book, said, tally = _sit("bdA" + "cabd", _rank(1), _rank(2), pictures=PICTURES)
    entries = [entry for _, entry in book.items]
    assert [(e["answer"], e["order"], e["confidence"]) for e in entries] == [
        ("ranked", ["b", "d", "a", "c"], "unsure"),
        ("ranked", ["c", "a", "b", "d"], "sure"),
    ]
    assert "10.png+11.png+12.png+13.png" in said and "Rank them for the brief: the best first." in said[0]
    assert [s for s in said if s.endswith("...")][:3] == ["  b > ...", "  b > d > ...", "  b > d > a > ..."]
    assert "  b > d > a > c (not sure)" in said and tally.left == 0
    assert not any("prompt" in text for text in said), "what they were made from would tell them apart"


def test_undo_takes_back_the_last_place_then_the_answer_before() -> None:
    book, _, tally = _sit("lbauud" + "u" * 2 + "r" + "abc", _question(1), _rank(2), pictures=PICTURES)
    assert [(kind, e["question"], e.get("order", e.get("answer"))) for kind, e in book.items] == [
        ("answer", "r1-1", "left"),
        ("undo", "r1-1", None),
        ("answer", "r1-1", "right"),
        ("answer", "r1-2", ["a", "b", "c", "d"]),
    ]
    assert (tally.answered, tally.undone) == (2, 1)
    book, _, _ = _sit("baudc", _rank(1), pictures=PICTURES)
    assert [e["order"] for _, e in book.items] == [["b", "d", "c", "a"]]


def test_a_letter_that_has_its_place_is_told_so_and_a_ranking_may_be_skipped_or_left() -> None:
    book, said, tally = _sit(["a", "a", "x", "s", "b", "q"], _rank(1), _rank(2), pictures=PICTURES)
    assert '"a" has its place already: u takes back the last one.' in said
    assert '"x" means nothing here: ? lists the keys.' in said
    assert [(e["answer"], e.get("order")) for _, e in book.items] == [("skip", None)]
    assert tally.quit and tally.left == 1


def test_ten_are_ranked_by_letters_that_mean_other_things_elsewhere() -> None:
    book, said, _ = _sit("?hjdcabgfei"[:10], _rank(1, "abcdefghij"), pictures=PICTURES)
    assert book.items[0][1]["order"] == list("hjdcabgfei")
    lines = keys.lines("ranking", "abcdefghij")
    assert lines[0].startswith("a ... j") and "(A ... J)" in lines[-1]
    assert [f"  {line}" for line in lines] == said[3 : 3 + len(lines)]


def test_a_triplet_shows_the_reference_in_the_middle_and_takes_a_letter_or_an_arrow() -> None:
    book, said, _ = _sit(["a", "\x1b[C", "c", "B"], *map(_triplet, range(1, 5)), pictures=PICTURES, brief="Prints.")
    assert [(e["answer"], e["confidence"]) for _, e in book.items] == [
        ("a", "sure"), ("b", "sure"), ("unsure", "sure"), ("b", "unsure"),
    ]  # fmt: skip
    assert said.count("11.png+10.png+12.png") == 4
    assert sum("brief:" in text for text in said) == 1, "likeness has nothing to do with it"


@pytest.mark.parametrize(("kind", "count"), [("rank4", 4), ("ranking", 10), ("ranking", 7), ("triplet", 3)])
def test_a_screen_shows_every_picture_whole_at_one_height(tmp_path: Path, kind: Any, count: int) -> None:
    colours = [(20 * n + 30, 240 - 20 * n, 90) for n in range(count)]
    shapes = [(120, 80) if n % 2 else (80, 120) for n in range(count)]
    files = [tmp_path / f"{n}.png" for n in range(count)]
    for file, colour, shape in zip(files, colours, shapes, strict=True):
        Image.new("RGB", shape, colour).save(file)
    question = _triplet(1) if kind == "triplet" else _rank(1, "abcdefghij"[:count])
    sheet = screen(replace(question, kind=kind), files)
    boxes = []
    pixels = np.asarray(sheet)
    for colour in colours:
        rows, columns = np.nonzero((pixels == colour).all(axis=2))
        boxes.append((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    assert len({bottom - top for top, _, bottom, _ in boxes}) == 1, "one height"
    for (top, left, bottom, right), (wide, high) in zip(boxes, shapes, strict=True):
        assert (right - left) / (bottom - top) == pytest.approx(wide / high, rel=0.01)
        below = pixels[bottom : bottom + 80, left:right]
        assert (below.astype(int).sum(axis=2) < 3 * 160).any(), "its letter stands below it"
    assert [box[:2] for box in boxes] == sorted(box[:2] for box in boxes), "in reading order"
    assert len({top for top, *_ in boxes}) == (2 if count > 5 else 1)
