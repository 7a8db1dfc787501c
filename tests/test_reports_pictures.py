"""The report as pictures and text: the poster, the contact sheet, the terminal map."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_reports_sample import sample

from gen_emerge.errors import BadInput
from gen_emerge.reports import lettering
from gen_emerge.reports.contact import Place, arrange, contact_sheet
from gen_emerge.reports.page import render_html
from gen_emerge.reports.poster import EMPTY, GROUND, INK, place_on_poster, poster, write_png
from gen_emerge.reports.sheet import ReportData
from gen_emerge.reports.terminal import palette, terminal_map


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return sample(tmp_path_factory.mktemp("pictures"))


def red(path: Path) -> Path:
    Image.new("RGB", (64, 64), (255, 0, 0)).save(path, "WEBP", lossless=True)
    return path


def test_a_red_picture_lands_in_its_cell(data: ReportData, tmp_path: Path) -> None:
    first = data.cells[0]
    marked = replace(first, thumbnail=red(tmp_path / "red.webp"))
    painted = replace(data, cells=(marked, *data.cells[1:]))
    picture = poster(painted)
    left, top, right, bottom = place_on_poster(painted)[first.cell]
    for at in ((left, top), (right - 1, bottom - 1), ((left + right) // 2, (top + bottom) // 2)):
        assert picture.getpixel(at) == (255, 0, 0)
    inside = sum(count for count, colour in picture.getcolors(1 << 24) or () if colour == (255, 0, 0))
    assert inside == (right - left) * (bottom - top)


def test_the_low_ends_are_left_and_below(data: ReportData) -> None:
    boxes = place_on_poster(data)
    for a in data.cells:
        for b in data.cells:
            if a.place[0] < b.place[0]:
                assert boxes[a.cell][0] < boxes[b.cell][0]
            if a.place[1] < b.place[1]:
                assert boxes[a.cell][1] > boxes[b.cell][1]


def test_empty_cells_are_visible_on_the_poster(data: ReportData) -> None:
    colours = {colour: count for count, colour in poster(data).getcolors(1 << 24) or ()}
    boxes = place_on_poster(data)
    left, top, right, bottom = next(iter(boxes.values()))
    area = (right - left) * (bottom - top)
    # A few of the blended pixels of letters may have that colour too.
    assert colours[EMPTY] == pytest.approx(area * (data.cells_total - len(data.cells)), rel=0.001)
    assert EMPTY != GROUND


@pytest.mark.parametrize("dims", [(6, 5), (3, 30), (40, 2), (9,), (4, 4, 3), (3, 3, 4), (2, 2, 2, 3)])
def test_nothing_leaves_the_poster_and_no_cells_overlap(tmp_path: Path, dims: tuple[int, ...]) -> None:
    data = sample(tmp_path, dims, 1.5, 16)
    picture = poster(data)
    assert 1600 <= picture.width <= 2400
    boxes = list(place_on_poster(data).values())
    assert len(boxes) == len(data.cells) > 0
    for left, top, right, bottom in boxes:
        assert 0 < left < right <= picture.width - 100 and 0 < top < bottom <= picture.height - 100
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize("dims", [(20, 20), (7, 5), (13, 13)])
def test_a_map_ends_at_the_margins_and_its_axis_begins_there(tmp_path: Path, dims: tuple[int, int]) -> None:
    picture = np.asarray(poster(sample(tmp_path, dims, 0.3, 16)))
    wide = picture.shape[1]
    cells = np.flatnonzero((picture == EMPTY).all(axis=2).any(axis=0))
    assert cells[-1] + 1 == wide - 130
    rows = np.flatnonzero((picture == EMPTY).all(axis=2).any(axis=1))
    letters = np.flatnonzero((picture[rows[0] : rows[-1], : cells[0] - 10].max(axis=2) < 60).any(axis=0))
    assert 128 <= letters[0] <= 136


@pytest.mark.parametrize(("shape", "drawn"), [(1.0, 1.0), (16 / 9, 16 / 9), (2 / 3, 2 / 3), (5.0, 2.0), (0.1, 0.5)])
def test_cells_have_the_shape_of_the_pictures_unless_it_is_extreme(
    data: ReportData, shape: float, drawn: float
) -> None:
    for left, top, right, bottom in place_on_poster(replace(data, shape=shape)).values():
        assert (right - left) / (bottom - top) == pytest.approx(drawn, rel=0.02)
    assert f"--shape:{drawn:.3f};" in render_html(replace(data, shape=shape))


def test_same_data_same_poster(data: ReportData, tmp_path: Path) -> None:
    first, second = write_png(data, tmp_path / "a.png"), write_png(data, tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as opened:
        assert opened.format == "PNG" and opened.mode == "RGB"


def test_a_missing_picture_is_drawn_as_missing(data: ReportData, tmp_path: Path) -> None:
    gone = replace(data, cells=tuple(replace(c, thumbnail=tmp_path / "gone.webp") for c in data.cells))
    box = place_on_poster(gone)[data.cells[0].cell]
    cut = poster(gone).crop(box)
    assert len(cut.getcolors(1 << 20) or ()) >= 2
    assert cut.getpixel((3 * cut.width // 20, cut.height // 2)) not in (EMPTY, GROUND)


def test_the_warm_up_has_a_poster_and_a_line(data: ReportData) -> None:
    empty = replace(data, axes=(), cells=(), cells_total=0, newest=(), cycle=2, status={})
    assert place_on_poster(empty) == {}
    assert poster(empty).width == 2000
    assert "after the warm-up" in terminal_map(empty)


def test_a_contact_sheet_shows_every_picture_in_order(tmp_path: Path) -> None:
    files: list[Path] = []
    for i in range(5):
        files.append(tmp_path / f"{i}.png")
        Image.new("RGB", (300, 200), (40 * i + 20, 0, 255 - 40 * i)).save(files[-1])
    path = contact_sheet(
        [*files, tmp_path / "gone.png"], tmp_path / "sheet.png", columns=3, title="Six", captions=["a"] * 6
    )
    with Image.open(path) as sheet:
        found = {colour: (x, y) for y in range(0, sheet.height, 9) for x in range(0, sheet.width, 9)
                 if isinstance(colour := sheet.getpixel((x, y)), tuple)}  # fmt: skip
    places = [found[(40 * i + 20, 0, 255 - 40 * i)] for i in range(5)]
    assert places[0][0] < places[1][0] < places[2][0]
    assert places[3][1] > places[0][1] and places[4][0] > places[3][0]


def rows_of(places: list[Place]) -> list[list[Place]]:
    return [[place for place in places if place.row == row] for row in range(places[-1].row + 1)]


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("size", [(64, 64), (512, 512), (640, 360), (48, 64), (2000, 3000)])
def test_pictures_of_one_shape_stand_in_columns_and_fill_them(count: int, size: tuple[int, int]) -> None:
    places = arrange([size] * count)
    assert len(places) == count and len({(place.width, place.height) for place in places}) == 1
    for place in places:
        assert place.width / place.height == pytest.approx(size[0] / size[1], rel=0.02)
        assert max(place.width, place.height) <= max(256, min(560, *([max(size)] * 2)))
    for row in rows_of(places):
        assert row[0].left == 0 and all(b.left == a.left + a.width + 28 for a, b in pairwise(row))
    if count == 12:
        assert min(places[0].width, places[0].height) >= 170


def test_pictures_of_several_shapes_stand_in_rows_of_equal_breadth() -> None:
    sizes = [(512, 512), (512, 288), (288, 512), (512, 200), None, (340, 512), (512, 340)] * 6
    places = arrange(sizes)
    rows = rows_of(places)
    assert len(places) == len(sizes) and len(rows) > 4
    for size, place in zip(sizes, places, strict=True):
        if size is not None:
            assert place.width == pytest.approx(place.height * size[0] / size[1], abs=1)
    for row in rows:
        assert len({(place.top, place.height) for place in row}) == 1
        assert all(b.left == a.left + a.width + 28 for a, b in pairwise(row))
        assert row[-1].left + row[-1].width == pytest.approx(1820, abs=len(row))
    assert all(b[0].top == a[0].top + a[0].height + 28 for a, b in pairwise(rows))
    assert [len(row) for row in rows_of(arrange(sizes[:7], 3))] == [3, 3, 1]
    heights = [row[0].height for row in rows_of(arrange([(512, 288)] * 20 + [(288, 512)] * 20))]
    assert max(heights) < 1.6 * min(heights)


def test_a_picture_alone_in_a_row_is_enlarged_by_half_at_most() -> None:
    (place,) = arrange([(512, 512), (512, 256)], 1)[:1]
    assert (place.width, place.height) == (768, 768)


def test_a_contact_sheet_of_small_pictures_has_no_bands(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.png" for i in range(12)]
    for file in files:
        Image.new("RGB", (64, 64), (200, 0, 0)).save(file)
    with Image.open(contact_sheet(files, tmp_path / "sheet.png")) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    inside = pixels[90:-90, 90:-90]
    assert (inside == (200, 0, 0)).all(axis=2).mean() > 0.85


def test_a_contact_sheet_names_its_pictures_and_says_what_it_is_for(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (512, 512), (200, 0, 0)).save(file)

    def drawn(name: str, **words: object) -> np.ndarray:
        path = contact_sheet([file] * 3, tmp_path / name, captions=["a print"] * 3, **words)  # pyright: ignore
        with Image.open(path) as sheet:
            return np.asarray(sheet.convert("RGB"))

    plain, named = drawn("plain.png"), drawn("named.png", labels=["01", "02", "03"])
    assert plain.shape == named.shape and not (plain == INK).all(axis=2).any()
    columns = np.flatnonzero((named == INK).all(axis=2).any(axis=0))
    assert len([x for x, y in pairwise(columns) if y - x > 100]) == 2 and columns[0] < 100
    titled = drawn("titled.png", title="night", subtitle="Prints for the night.")
    assert titled.shape[0] == plain.shape[0] + 110 + 36
    with pytest.raises(BadInput, match="1 labels came for 3"):
        drawn("wrong.png", labels=["01"])


def test_a_text_is_cut_after_a_word() -> None:
    text = "circles in lagoon colours, centred composition, medium scale"
    for room in range(200, 500, 7):
        cut = lettering.fit(text, 22, room)
        assert cut.endswith("...") and lettering.width_of(cut, 22) <= room
        assert text.startswith(cut[:-3]) and text[len(cut) - 3] in " ,"
    assert lettering.fit("x" * 500, 30, 200).startswith("xxx")


def test_a_brief_is_broken_into_lines_of_about_one_length() -> None:
    text = "Abstract prints for the wall of a quiet room: each one finished, with a clear subject, and no two alike."
    room = lettering.width_of(text, 26) * 0.97
    assert [len(row.split()) for row in lettering.wrap(text, 26, room, 3)] == [19, 1]
    first, second = lettering.balanced(text, 26, room, 3)
    assert f"{first} {second}" == text
    assert lettering.width_of(first, 26) == pytest.approx(lettering.width_of(second, 26), rel=0.25)
    assert lettering.balanced(text, 26, 200, 2) == lettering.wrap(text, 26, 200, 2)
    assert lettering.balanced("one line", 26, 900, 2) == ["one line"] and lettering.balanced("", 26, 900, 2) == []


def test_a_contact_sheet_refuses_what_it_cannot_draw(tmp_path: Path) -> None:
    file = red(tmp_path / "red.webp")
    with pytest.raises(BadInput, match="no images"):
        contact_sheet([], tmp_path / "a.png")
    with pytest.raises(BadInput, match="2 captions came for 1"):
        contact_sheet([file], tmp_path / "a.png", captions=["a", "b"])
    with pytest.raises(BadInput, match="0 columns"):
        contact_sheet([file], tmp_path / "a.png", columns=0)
    with pytest.raises(BadInput, match="Cannot write"):
        contact_sheet([file], tmp_path / "nowhere" / "a.png")
    assert not list(tmp_path.glob("*.p*"))


def test_the_terminal_map_has_a_block_for_every_elite(data: ReportData) -> None:
    text = terminal_map(data)
    assert text.count("██") == len(data.cells)
    assert text.count("░░") == data.cells_total - len(data.cells)
    assert all(word in text for word in ("cooler", "warmer", "calm", "busy"))


def test_the_terminal_map_has_letters_where_there_are_no_blocks(data: ReportData) -> None:
    text = terminal_map(data, unicode=False, colours="24bit")
    assert text.isascii() and "\x1b" not in text
    assert text.count("##") == len(data.cells) and text.count(" .") == data.cells_total - len(data.cells)


def test_a_cell_in_the_terminal_has_the_colours_of_its_picture(data: ReportData, tmp_path: Path) -> None:
    quarters = Image.new("RGB", (64, 64), (255, 0, 0))
    quarters.paste((0, 0, 255), (32, 0, 64, 32))
    quarters.paste((0, 255, 0), (0, 32, 32, 64))
    quarters.save(tmp_path / "q.webp", lossless=True)
    first, *rest = data.cells
    marked = replace(data, cells=(replace(first, thumbnail=tmp_path / "q.webp"), *rest))
    exact = "\x1b[38;2;255;0;0;48;2;0;255;0m▀\x1b[38;2;0;0;255;48;2;255;0;0m▀\x1b[0m"
    assert terminal_map(marked, colours="24bit").count(exact) == 1
    near = "\x1b[38;5;196;48;5;46m▀\x1b[38;5;21;48;5;196m▀\x1b[0m"
    assert terminal_map(marked, colours="256").count(near) == 1
    gone = replace(data, cells=tuple(replace(cell, thumbnail=tmp_path / "gone.webp") for cell in data.cells))
    assert terminal_map(gone, colours="24bit").count("??") == len(data.cells)


def test_the_colours_of_a_terminal_are_what_it_says() -> None:
    assert palette({"COLORTERM": "truecolor", "TERM": "xterm"}, terminal=True) == "24bit"
    assert palette({"TERM": "xterm-256color"}, terminal=True) == "256"
    assert palette({"TERM": "xterm"}, terminal=True) is None
    assert palette({"COLORTERM": "truecolor"}, terminal=False) is None


def test_long_and_foreign_words_fit() -> None:
    text = "word " * 60
    rows = lettering.wrap(text, 30, 400, 2)
    assert len(rows) == 2 and rows[-1].endswith("...")
    assert all(lettering.width_of(row, 30) <= 400 for row in rows)
    assert lettering.width_of(lettering.fit("x" * 500, 30, 200), 30) <= 200
    assert [part for part, _ in lettering.prepare("a – b\n\tc", 20)] == ["a - b c"]
    assert all("\U0010fffd" not in part for part, _ in lettering.prepare("a\U0010fffdb", 20))


def test_one_letter_that_the_face_lacks_leaves_the_others_in_it() -> None:
    def drawn(text: str) -> Image.Image:
        sheet = Image.new("L", (700, 80), "white")
        lettering.write(sheet, (10, 50), text, 40, 0)
        return sheet

    before, after = "Prints for a caf", " and its stairs"
    wide = round(lettering.width_of(before, 40))
    plain, accented = (drawn(f"{before}{letter}{after}") for letter in "eé")
    assert plain.crop((0, 0, wide, 80)).tobytes() == accented.crop((0, 0, wide, 80)).tobytes()
    own = lettering.prepare("plain", 40)[0][1]
    runs = lettering.prepare(f"{before}é{after}", 40)
    assert [part for part, font in runs if font is own] in ([before, after], [f"{before}?{after}"])
    # Another script comes whole from one font, which all of its letters are in.
    assert len({id(font) for _, font in lettering.prepare("Тихо, и вода.", 40)}) == 1
    if len(runs) == 3:
        tall = [box[3] - box[1] for part in ("x", "é") for box in [_ink_of(part)]]
        assert tall[1] > tall[0]


def _ink_of(text: str) -> tuple[int, int, int, int]:
    sheet = Image.new("L", (200, 120), 0)
    lettering.write(sheet, (60, 80), text, 40, 255)  # type: ignore[arg-type]
    return sheet.getbbox() or (0, 0, 0, 0)


def test_a_minus_is_broader_than_a_hyphen_and_lies_in_the_middle_of_a_digit() -> None:
    def ink(text: str, anchor: str = "ls") -> tuple[int, int, int, int]:
        sheet = Image.new("RGB", (400, 80), "white")
        lettering.write(sheet, (200, 50), text, 26, (0, 0, 0), anchor=anchor)
        box = Image.eval(sheet.convert("L"), lambda level: 255 - level).getbbox()
        assert box is not None
        return box

    minus, hyphen, digit = ink("−"), ink("-"), ink("0")
    assert minus[2] - minus[0] > 1.5 * (hyphen[2] - hyphen[0])
    assert digit[1] < minus[1] and minus[3] < digit[3] and minus[3] - minus[1] <= 4
    assert lettering.width_of("−0.48", 26) > lettering.width_of("-0.48", 26)
    assert abs(ink("−0.48", "rs")[2] - 200) <= 3 and abs(sum(ink("−0.48", "ms")[::2]) / 2 - 200) <= 3
