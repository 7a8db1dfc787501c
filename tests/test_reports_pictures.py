"""The report as pictures and text: the poster, the contact sheet, the terminal map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from test_reports_sample import sample

from gen_emerge.errors import BadInput
from gen_emerge.reports import lettering
from gen_emerge.reports.contact import contact_sheet
from gen_emerge.reports.poster import EMPTY, GROUND, place_on_poster, poster, write_png
from gen_emerge.reports.sheet import ReportData
from gen_emerge.reports.terminal import terminal_map


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


def test_long_and_foreign_words_fit() -> None:
    text = "word " * 60
    rows = lettering.wrap(text, 30, 400, 2)
    assert len(rows) == 2 and rows[-1].endswith("...")
    assert all(lettering.width_of(row, 30) <= 400 for row in rows)
    assert lettering.width_of(lettering.fit("x" * 500, 30, 200), 30) <= 200
    assert lettering.prepare("a – b\n\tc", 20)[0] == "a - b c"
    assert "\U0010fffd" not in lettering.prepare("a\U0010fffdb", 20)[0]
