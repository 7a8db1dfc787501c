"""The report as a page: one file, escaped, without scripts or addresses, every picture in its place."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_reports_sample import picture, sample

from gen_emerge.errors import BadInput
from gen_emerge.reports import charts, words
from gen_emerge.reports.layout import map_sheet
from gen_emerge.reports.page import funnel_figure, histogram_figure, map_caption, render_html, write_html
from gen_emerge.reports.sheet import (
    Credit,
    Firing,
    FunnelStep,
    Histogram,
    MapAxis,
    Notice,
    OpenQuestions,
    ReportData,
)
from gen_emerge.reports.thumbnails import inline

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}</style></title>"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Every start tag with its attributes; and whether the tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return sample(tmp_path_factory.mktemp("pictures"))


def nothing_yet(data: ReportData) -> ReportData:
    """The series of `data` in its warm-up: no axes, no elites, nothing measured that could be drawn."""
    return ReportData(
        series=data.series, brief=data.brief, profile=data.profile, cycle=2, state="running", axes=(), kind="grid",
        cells_total=0, cells=(), warmup_cycles=4, status={"candidates": 16, "accepted": 0, "vendi": None},
    )  # fmt: skip


def test_the_page_is_well_formed_and_complete(data: ReportData) -> None:
    page = Page(render_html(data))
    assert page.crossed == [] and page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {str(attrs["href"]).removeprefix("#") for attrs in page.find("a")}
    assert targets <= set(ids)
    assert {"The map", "How it grew", "What was measured", "Newest elites"} <= set(
        re.findall(r"<h2[^>]*>([^<]*)</h2>", render_html(data))
    )


def test_a_page_says_what_its_figures_mean(data: ReportData) -> None:
    told = replace(
        data,
        mean_distance=((1, 0.9), (2, 0.994)),
        credit=(Credit(emitter="reseed", tries=10, opened=2, won=1),),
        open_questions=OpenQuestions(questions=10, command="judge", unasked=45, asks="rounds --open review"),
    )
    text = render_html(told)
    assert "the gates let it in, or a person did" in text and "passed every gate" not in text
    assert "0: all elites look the same; 1: they have nothing in common; 2 is the most there could be." in text
    assert "the same words, another seed" in text and "that is, of its images" in text
    assert "10 questions are open." in text and "45 images wait in review" in text and "rounds --open review" in text
    reviews = render_html(
        replace(told, open_questions=OpenQuestions(questions=0, command="judge", unasked=1, asks="r"))
    )
    assert "questions are open" not in reviews and "1 image waits in review" in reviews


def test_what_a_gate_turns_away_is_told_alike_of_its_past_and_of_its_signal() -> None:
    values = tuple(np.linspace(0.0, 1.0, 101))
    shown = histogram_figure(
        Histogram(name="style", values=values, lower=0.105, upper=0.895, review=0.1, review_upper=0.3)
    )
    # Below 0.055: 6 of 101; from there to 0.155, and from 0.745 on: 10 + 26.
    assert "By the bounds now in force 5.9% of all these are turned away, 36% wait for you." in shown.caption


def test_a_content_security_policy_forbids_scripts_and_the_network(data: ReportData) -> None:
    (policy,) = [m["content"] for m in Page(render_html(data)).find("meta") if m.get("http-equiv")]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in rules and rules["base-uri"] == rules["form-action"] == "'none'"


def test_no_script_and_no_address_outside_the_file(data: ReportData) -> None:
    text = render_html(data)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[\w+/=]*", "", text))
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert all(str(image["src"]).startswith("data:image/webp;base64,") for image in page.find("img"))
    assert all(str(link["href"]).startswith("#") for link in page.find("a"))


def test_hostile_words_stay_words(data: ReportData) -> None:
    cells = tuple(replace(c, prompt=HOSTILE, image=HOSTILE, emitter=HOSTILE) for c in data.cells)
    hostile = replace(
        data,
        series=HOSTILE, brief=HOSTILE, profile=HOSTILE, state=HOSTILE, cells=cells, newest=cells[:3],
        axes=tuple(replace(axis, name=HOSTILE, words=(HOSTILE, HOSTILE)) for axis in data.axes),
        funnel=tuple(replace(step, step=HOSTILE) for step in data.funnel),
        firing=(Firing(kind="gate", name=HOSTILE, seen=9, failed=1, review=1),),
        histograms=(Histogram(name=HOSTILE, values=(1.0, 2.0), unit=HOSTILE, lower=1.5),),
        shares={HOSTILE: ((1, 0.5), (2, 1.0))},
        credit=(Credit(emitter=HOSTILE, tries=3, opened=1, won=0),),
        open_questions=OpenQuestions(questions=1, command=HOSTILE),
        notices=(Notice(cycle=1, kind=HOSTILE, message=HOSTILE, alarm=True),),
        calibrations=tuple(replace(note, reason=HOSTILE) for note in data.calibrations),
    )  # fmt: skip
    text = render_html(hostile)
    clean, dirty = Page(render_html(replace(hostile, brief="plain"))), Page(text)
    assert "<script" not in text and "onerror=alert(2)>" not in text and "49" not in re.findall(r"'(\d+)<", text)
    assert dirty.crossed == [] and dirty.open == []
    assert [tag for tag, _ in clean.tags] == [tag for tag, _ in dirty.tags]
    assert {image["alt"] for image in dirty.find("img")} == {HOSTILE}
    assert all(str(image["src"]).startswith("data:") for image in dirty.find("img"))


def test_every_elite_is_in_its_row_and_column(data: ReportData) -> None:
    text = render_html(data)
    places = {
        int(c): (int(r), int(k))
        for r, k, c in re.findall(
            r'grid-area:(\d+)/(\d+)"><div class="cell" id="at-(\d+)"',
            re.sub(r'">\s+<div class="cell"', '"><div class="cell"', text),
        )
    }
    rows = data.axes[1].cells
    assert places == {c.cell: (rows - int(c.place[1]), int(c.place[0]) + 1) for c in data.cells}
    assert len(re.findall(r"<i style=\"grid-area", text)) == data.cells_total - len(data.cells)


def test_pictures_carry_their_prompts_as_alternative_text(data: ReportData) -> None:
    images = Page(render_html(data)).find("img")
    assert {i["alt"] for i in images} == {c.prompt for c in data.cells}
    assert len(images) == len(data.cells) + len(data.newest)


def test_wins_and_scores_are_nowhere(data: ReportData) -> None:
    cells = tuple(replace(c, wins=7654321) for c in data.cells)
    text = render_html(replace(data, cells=cells, newest=cells, status={**data.status, "qd_score": 7654321}))
    drawn = re.sub(r"base64,[\w+/=]*", "", text).lower()
    assert "7654321" not in drawn and "qd" not in drawn and "wins" not in drawn


def test_a_choice_among_takes_is_no_step_down(data: ReportData) -> None:
    counts = (
        ("rendered", 300), ("after the hard filters", 297), ("chosen, one of 3 takes", 99),
        ("after the style gate", 88), ("accepted", 80), ("on the map", 40),
    )  # fmt: skip
    steps = tuple(FunnelStep(step=step, count=count, choice="chosen" in step) for step, count in counts)
    (figure,) = funnel_figure(replace(data, funnel=steps))
    shown = re.findall(r">([^<>]*) · ([^<>]*)<", figure.drawing)
    assert shown == [("300", "100%"), ("297", "99%"), ("99", "100%"), ("88", "89%"), ("80", "81%"), ("40", "40%")]
    assert "198 takes were passed over" in figure.caption
    assert figure.caption.endswith("The largest step down, 11 images, is “after the style gate”.")
    (plain,) = funnel_figure(data)
    assert "passed over" not in plain.caption and "share of all that was rendered" in plain.caption


def test_same_data_same_bytes(data: ReportData, tmp_path: Path) -> None:
    first, second = write_html(data, tmp_path / "a.html"), write_html(data, tmp_path / "b.html")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_the_warm_up_is_a_page_of_its_own(data: ReportData) -> None:
    text = render_html(nothing_yet(data))
    page = Page(text)
    assert page.crossed == [] and page.open == []
    assert "2 of 4 done" in text and "<img" not in text


def test_axes_without_elites_draw_the_empty_map(data: ReportData) -> None:
    text = render_html(replace(data, cells=(), newest=()))
    assert "none is taken yet" in text
    assert text.count("<i style=") == data.cells_total


def test_missing_and_broken_pictures_are_shown_as_such(data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "broken.webp").write_bytes(b"RIFF....WEBP nothing")
    first, second, *rest = data.cells
    cells = (
        replace(first, thumbnail=tmp_path / "gone.webp"), replace(second, thumbnail=tmp_path / "broken.webp"), *rest
    )  # fmt: skip
    page = Page(render_html(replace(data, cells=cells, newest=())))
    assert len([s for s in page.find("span") if s.get("class") == "missing"]) == 2
    assert len(page.find("img")) == len(rest)


def test_pictures_shrink_until_they_fit(data: ReportData, tmp_path: Path) -> None:
    files = [cell.thumbnail for cell in data.cells]
    whole, small = inline(files, 10_000_000), inline(files, len(files) * 1500)
    size = sum(len(uri or "") for uri in small.values())
    assert size <= len(files) * 1500 < sum(len(uri or "") for uri in whole.values())
    content = base64.b64decode(str(whole[files[0]]).split(",")[1])
    assert content == files[0].read_bytes()


@pytest.mark.slow
def test_four_hundred_heavy_pictures_stay_below_twelve_megabytes(data: ReportData, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noisy = [tmp_path / f"n{i}.webp" for i in range(4)]
    for path in noisy:
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(path, "WEBP", quality=95, method=0)
    files = [tmp_path / f"c{i}.webp" for i in range(400)]
    for i, path in enumerate(files):
        path.hardlink_to(noisy[i % 4])
    axes = tuple(replace(a, cells=20) for a in data.axes)
    cells = tuple(
        replace(data.cells[0], cell=i, place=(float(i // 20), float(i % 20)), thumbnail=files[i]) for i in range(400)
    )
    full = replace(data, axes=axes, cells=cells, cells_total=400, newest=cells[:24])
    path = write_html(full, tmp_path / "full.html")
    assert path.stat().st_size < 12_000_000
    assert path.read_text("utf-8").count("<img") == 424


def test_three_axes_become_small_multiples(tmp_path: Path) -> None:
    data = sample(tmp_path, (4, 3, 2), 0.9, 32)
    sheet = map_sheet(data)
    assert [p.title for p in sheet.panels] == ["soft contrast", "strong contrast"]
    for cell in data.cells:
        panel = sheet.panels[int(cell.place[2])]
        (slot,) = [s for s in panel.slots if s.elite is cell]
        assert (slot.column, slot.row) == (cell.place[0], 2 - cell.place[1])
    assert sheet.filled == len(data.cells)
    assert Page(render_html(data)).crossed == []


def test_one_axis_reads_like_text(tmp_path: Path) -> None:
    data = sample(tmp_path, (12,), 0.9, 32)
    (panel,) = map_sheet(data).panels
    assert (panel.rows, panel.columns) == (2, 10)
    assert all(s.row * 10 + s.column == s.elite.place[0] for s in panel.slots if s.elite)
    assert "read like text" in render_html(data)


@pytest.mark.parametrize("known", [True, False])
def test_irregular_cells_keep_their_order(data: ReportData, known: bool) -> None:
    rng = np.random.default_rng(2)
    centroids = tuple((float(x), float(y)) for x, y in rng.random((41, 2)))
    cells = tuple(replace(c, cell=i, place=centroids[i]) for i, c in enumerate(data.cells[:9]))
    cvt = replace(
        data, kind="cvt", cells=cells, cells_total=41, newest=cells, centroids=centroids if known else (),
        axes=tuple(replace(a, cells=0) for a in data.axes),
    )  # fmt: skip
    (panel,) = map_sheet(cvt).panels
    assert len(panel.slots) == (41 if known else 9)
    assert len({(s.row, s.column) for s in panel.slots}) == len(panel.slots)
    placed = [s for s in panel.slots if s.elite]
    assert sorted(s.elite.cell for s in placed if s.elite) == list(range(9))
    for a in placed:
        for b in placed:
            if a.elite and b.elite and a.row == b.row and a.column < b.column:
                assert a.elite.place[0] <= b.elite.place[0]
            if a.elite and b.elite and a.row < b.row:
                assert a.elite.place[1] >= b.elite.place[1]
    assert "irregular" in render_html(cvt)


def test_a_folder_that_does_not_exist_is_bad_input(data: ReportData, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Cannot write"):
        write_html(nothing_yet(data), tmp_path / "nowhere" / "a.html")


def test_charts_survive_strange_numbers() -> None:
    nan, inf = float("nan"), float("inf")
    assert charts.line((), "x") == "" and charts.line(((1, nan),), "x") == ""
    assert "3" in charts.line(((1, 0.0), (2, inf), (3, 3.0)), "x")
    assert charts.histogram(Histogram(name="q", values=(nan,)), "x") == ""
    for drawing in (
        charts.line(((5, 0.0),), "x"),
        charts.histogram(Histogram(name="q", values=(0.5, nan, 0.5), lower=0.5, review=0.1), "x"),
        charts.histogram(Histogram(name="q", values=(1e-9, 2e9), lower=-1e9, upper=3e9), "x"),
        charts.bars([("a", 0.0, "0")], "x"),
        charts.shares({"a": ((1, 0.0),), "b": ((1, 0.0),)}, "x"),
    ):
        assert drawing and "nan" not in drawing and "inf" not in drawing


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.0312, "0.0312"), (38.24, "38.2"), (-0.25, "−0.25"), (12345.6, "12,346"), (100, "100"), (None, "–"),
     (float("nan"), "–"), (3e-9, "almost 0"), (-6.9e-5, "−0.0001"), (0.00012, "0.00012")],
)  # fmt: skip
def test_figures_have_about_three_digits(number: float | None, text: str) -> None:
    assert words.figure(number) == text


def test_unknown_axes_get_plain_words() -> None:
    assert words.ends(MapAxis(name="edge_density", low=0, high=1)) == ("calm", "busy")
    assert words.ends(MapAxis(name="inner_glow", low=0, high=1)) == ("less inner glow", "more inner glow")


def test_texts_reach_the_contrast_that_reading_needs(data: ReportData) -> None:
    css = render_html(data)
    for block in (css[css.index(":root") :], css[css.index("prefers-color-scheme: dark") :]):
        colours = dict(reversed(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[: block.index("--c1")])))
        for name in ("ink", "soft", "mark", "amber", "alarm"):
            assert _contrast(colours[name], colours["ground"]) >= 4.5, name


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_sample_pictures_differ(tmp_path: Path) -> None:
    assert picture(tmp_path / "a.webp", 0, 0, 1).read_bytes() != picture(tmp_path / "b.webp", 1, 1, 2).read_bytes()


def _heights(drawing: str, kind: str) -> list[float]:
    return [float(height) for height in re.findall(rf'<rect class="{kind}" [^>]*height="([0-9.]+)"', drawing)]


def test_a_bar_in_which_a_bound_lies_shows_both_sides_in_their_shares() -> None:
    values = (*([0.00001] * 3), *([0.001] * 97), *([1.0] * 50))
    drawing = charts.histogram(Histogram(name="style", values=values, lower=0.0001), "style")
    (out,), (first, second) = _heights(drawing, "out"), _heights(drawing, "bin")
    assert out / (out + first) == pytest.approx(0.03, abs=0.01), "three of the hundred of the first bar"
    assert second / (out + first) == pytest.approx(0.5, abs=0.01)
    above = charts.histogram(Histogram(name="style", values=values, upper=0.5), "style")
    assert len(_heights(above, "out")) == len(_heights(above, "bin")) == 1


def test_one_image_stands_at_the_edge_and_two_stand_there(data: ReportData) -> None:
    first, *others = (replace(axis, clipped=0) for axis in data.axes)
    for number, said in ((1, "1 image lay beyond the ends of an axis and stands at"), (2, "2 images lay beyond")):
        told = replace(data, axes=(replace(first, clipped=number), *others))
        text = map_caption(told, map_sheet(told))
        assert said in text and (number == 1 or "and stand at the edge" in text)


def test_pictures_are_inlined_from_whole_ones_where_the_budget_allows(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    whole, thumbnails = dict[Path, Path](), list[Path]()
    for number in range(3):
        picture = Image.fromarray(rng.integers(0, 255, (512, 512, 3), dtype=np.uint8))
        thumbnail = tmp_path / f"{number}.webp"
        picture.resize((160, 160)).save(thumbnail)
        picture.save(tmp_path / f"{number}.png")
        thumbnails.append(thumbnail)
        whole[thumbnail] = tmp_path / f"{number}.png"

    def sides(budget: int) -> list[int]:
        uris = inline(thumbnails, budget, whole)
        assert sum(len(uri or "") for uri in uris.values()) <= budget
        return [Image.open(io.BytesIO(base64.b64decode((uris[t] or "").partition(",")[2]))).width for t in thumbnails]

    def size(budget: int) -> int:
        return sum(len(uri or "") for uri in inline(thumbnails, budget, whole).values())

    large = size(5_000_000)
    assert sides(5_000_000) == [400] * 3
    assert sides(large - 1) == [320] * 3
    assert sides(size(large - 1) * 3 // 4) == [160] * 3
    whole[thumbnails[1]].unlink()
    assert sides(5_000_000) == [400, 160, 400], "a lost picture is seen by its thumbnail"
