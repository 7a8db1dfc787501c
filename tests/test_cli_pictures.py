"""paint, score, distance and doctor: pictures in, numbers and pictures out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from gen_emerge.cli import main as door
from gen_emerge.cli.pictures import parse_size, read_picture, slug
from gen_emerge.errors import BadInput, NotFound

Call = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Calls `gen-emerge --json ...` in an empty folder: (exit code, the object, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = door.main(["--json", *map(str, arguments)])
        said = capsys.readouterr()
        return code, json.loads(said.out), said.err

    return run


def _save(path: Path, pixels: Any, **more: Any) -> Path:
    Image.fromarray(np.asarray(pixels)).save(path, **more)
    return path


def test_paint_writes_a_png_with_its_recipe(call: Call, tmp_path: Path) -> None:
    code, said, err = call("paint", "a serene marbled print, zorp", "--seed", 3, "--size", "40x24", "-o", "a.png")
    assert code == 0
    assert (said["path"], said["seed"], said["width"], said["height"]) == ("a.png", 3, 40, 24)
    assert (said["slots"]["school"], said["slots"]["mood"]) == ("marbled", "serene")
    assert said["not_understood"] == ["zorp"]
    assert "zorp" in err
    assert "school" not in said["drawn"] and "palette" in said["drawn"]
    drawn = ", ".join(f"{slot} {said['slots'][slot]}" for slot in said["drawn"])
    assert f"Drawn by the seed, as the prompt does not say: {drawn}\n" in err
    with Image.open(tmp_path / "a.png") as picture:
        assert isinstance(picture, PngImageFile)
        assert picture.size == (40, 24)
        assert picture.text["parameters"].startswith("a serene marbled print, zorp\n")
        assert "Seed: 3" in picture.text["parameters"]
        recipe = json.loads(picture.text["gen-emerge"])["genome"]
    assert (recipe["seed"], recipe["slots"]["school"]) == (3, "marbled")


def test_paint_gives_the_same_file_for_the_same_words(call: Call, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        assert call("paint", "stormy glass", "--size", 32, "-o", name)[0] == 0
    assert call("paint", "stormy glass", "--size", 32, "--seed", 1, "-o", "c.png")[0] == 0
    same, again, other = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert same == again
    assert same != other


def test_paint_names_its_file_by_the_prompt(call: Call, tmp_path: Path) -> None:
    assert call("paint", "Stormy *glass*!", "--size", 16)[1]["path"] == "stormy-glass-0.png"
    assert (tmp_path / "stormy-glass-0.png").is_file()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["x", "--size", "big"], ['--size "big"', "N or WxH"]),
        (["x", "--size", "15"], ["16 to 8192"]),
        (["x", "--size", "8193x16"], ["16 to 8192"]),
        (["x", "--size", "8192x8192"], ["67,108,864", "33,000,000"]),
        (["x", "-o", "a.jpg"], ["ends in .png", "a.png"]),
        (["x", "-o", "no/such/a.png"], ["no folder", "no/such"]),
        (["x", "-o", "folder.png"], ["is a folder"]),
        ([""], ["prompt is empty"]),
        (["?!"], ["prompt is empty"]),
    ],
)
def test_paint_refuses_before_it_paints(call: Call, tmp_path: Path, more: list[str], said: list[str]) -> None:
    (tmp_path / "folder.png").mkdir()
    code, found, _ = call("paint", *more)
    assert code == 2
    for part in said:
        assert part in found["error"]["message"] + " " + str(found["error"]["hint"])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_sizes_are_read_as_typed() -> None:
    assert parse_size("512") == (512, 512)
    assert parse_size(" 640 x 480 ") == (640, 480)
    assert parse_size("640×480") == (640, 480)
    for wrong in ("", "x", "1e3", "-64", "64x", "64x64x64", "0", "99999999999"):
        with pytest.raises(BadInput, match="--size"):
            parse_size(wrong)


def test_names_of_files_are_plain() -> None:
    assert slug("A stormy  Print, in «ember»!") == "a-stormy-print-in-ember"
    assert slug("!?") == "picture"
    assert slug("word " * 40) == "word-" * 8 + "word"
    assert (
        slug("a serene marbled print in deep ember colours, framed") == "a-serene-marbled-print-in-deep-ember-colours"
    )
    assert (
        slug("a serene marbled print in deep ember colours now") == "a-serene-marbled-print-in-deep-ember-colours-now"
    )
    assert slug("x" * 60) == "x" * 48


def test_every_kind_of_picture_becomes_the_same_three_bytes(tmp_path: Path) -> None:
    grey = np.full((20, 30), 100, np.uint8)
    expected = np.full((20, 30, 3), 100, np.uint8)
    _save(tmp_path / "grey.png", grey)
    _save(tmp_path / "rgb.webp", expected, lossless=True)
    _save(tmp_path / "alpha.png", np.dstack([expected, np.full((20, 30), 255, np.uint8)]))
    _save(tmp_path / "deep.png", grey.astype(np.uint16) * 257)
    _save(tmp_path / "float.tiff", grey.astype(np.float32) / 255)
    for path in sorted(tmp_path.iterdir()):
        read = read_picture(path)
        assert (read.dtype, read.shape) == (np.uint8, (20, 30, 3)), path.name
        assert np.array_equal(read, expected), path.name
    _save(tmp_path / "clear.png", np.zeros((20, 30, 4), np.uint8))
    assert (read_picture(tmp_path / "clear.png") == 255).all()


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    _save(tmp_path / "turned.jpg", np.zeros((20, 30, 3), np.uint8), exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape == (30, 20, 3)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    good = _save(tmp_path / "good.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(NotFound, match=r'Did you mean "good\.png"'):
        read_picture(tmp_path / "goood.png")
    (tmp_path / "words.png").write_text("not a picture")
    with pytest.raises(BadInput, match=r"words\.png is no picture"):
        read_picture(tmp_path / "words.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"empty\.png"):
        read_picture(tmp_path / "empty.png")
    (tmp_path / "torn.png").write_bytes(good.read_bytes()[:-30])
    with pytest.raises(BadInput, match=r"torn\.png is damaged"):
        read_picture(tmp_path / "torn.png")
    _save(tmp_path / "tiny.png", np.zeros((8, 32, 3), np.uint8))
    with pytest.raises(BadInput, match=r"tiny\.png is too small"):
        read_picture(tmp_path / "tiny.png")
    Image.new("1", (8192, 8192)).save(tmp_path / "huge.png")
    with pytest.raises(BadInput, match=r"huge\.png is too large"):
        read_picture(tmp_path / "huge.png")
    with pytest.raises(BadInput, match="is a folder"):
        read_picture(tmp_path)
    with pytest.raises(BadInput, match="is a device"):
        read_picture(Path("/dev/null"))
    for kind in ("PPM", "EPS"):  # of all that Pillow knows, only what pictures come in
        Image.new("RGB", (32, 32)).save(tmp_path / "other.png", kind)
        with pytest.raises(BadInput, match=r"other\.png is no picture.*TIFF"):
            read_picture(tmp_path / "other.png")


def test_score_measures_every_picture(call: Call, tmp_path: Path) -> None:
    for seed in (1, 2):
        call("paint", "a serene marbled print", "--seed", seed, "--size", 64, "-o", f"{seed}.png")
    code, said, _ = call("score", "1.png", "2.png", "--prompt", "a serene marbled print")
    assert code == 0
    assert [image["path"] for image in said["images"]] == ["1.png", "2.png"]
    for image in said["images"]:
        assert set(image["signals"]) == {"quality", "prompt", "style"}
        for signal in image["signals"].values():
            assert set(signal) == {"value", "scorer", "version"}
            assert np.isfinite(signal["value"])
    alone = call("score", "2.png")[1]["images"][0]["signals"]
    assert set(alone) == {"quality", "style"}
    assert alone["quality"]["value"] == pytest.approx(said["images"][1]["signals"]["quality"]["value"], abs=1e-5)


def test_the_right_prompt_scores_above_a_wrong_one(call: Call) -> None:
    call("paint", "stained glass in arctic colours", "--size", 96, "-o", "glass.png")
    right = call("score", "glass.png", "--prompt", "stained glass in arctic colours")[1]
    wrong = call("score", "glass.png", "--prompt", "branches in ember colours")[1]
    signal = [found["images"][0]["signals"]["prompt"]["value"] for found in (right, wrong)]
    assert signal[0] > signal[1]


def test_distance_is_a_matrix(call: Call) -> None:
    for name, prompt in [("a", "marbled ember"), ("b", "marbled ember"), ("c", "tiles arctic")]:
        call("paint", prompt, "--size", 64, "-o", f"{name}.png")
    code, said, _ = call("distance", "a.png", "b.png", "c.png")
    matrix = np.array(said["matrix"])
    assert (code, said["paths"], matrix.shape) == (0, ["a.png", "b.png", "c.png"], (3, 3))
    assert np.array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 0).all()
    assert matrix[0, 1] < 1e-6 < matrix[0, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["score", "no.png"], "There is no picture no.png"),
        (["score", "words.png"], "words.png is no picture"),
        (["score", "a.png", "--profile", "embeded"], '"embeded" is not known'),
        (["score", "a.png", "--profile", "diffusion"], "not installed"),
        (["distance", "a.png"], "two or more"),
        (["distance", "a.png", "no.png"], "There is no picture no.png"),
        (["distance", "a.png", "a.png", "--profile", "x"], '"x" is not known'),
        (["score", "."], "is a folder"),
        (["score", "tiny.png"], "is too small"),
        (["score", "huge.png"], "is too large"),
        (["score", "a.png", "--prompt", "\udcff"], "--prompt is not text in UTF-8"),
    ],
)
def test_wrong_pictures_are_refused(call: Call, tmp_path: Path, arguments: list[str], said: str) -> None:
    _save(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "words.png").write_text("words")
    _save(tmp_path / "tiny.png", np.zeros((8, 32, 3), np.uint8))
    Image.new("1", (8192, 8192)).save(tmp_path / "huge.png")
    code, found, _ = call(*arguments)
    assert code == 2
    assert found["error"]["hint"]
    assert said in found["error"]["message"]


def test_the_reference_prompts_are_words_of_the_vocabulary() -> None:
    from gen_emerge.cli.measuring import references
    from gen_emerge.generators.painter import understand

    assert len(set(references())) == 32
    for text in references():
        slots, strange = understand(text)
        assert len(slots) == 6 and not strange


def test_the_doctor_tells_what_works(call: Call, studio: Path) -> None:
    code, said, _ = call("--root", studio, "doctor")
    assert (code, said["ok"]) == (0, True)
    assert said["root"] == str(studio)
    assert said["archive_writable"] is True
    assert said["painter"]["ok"] and said["scorers"]["ok"]
    assert {"torch", "diffusers"} <= set(said["extras"])
    assert said["cores"] >= 1 and said["disk_free_gb"] > 0
    assert said["terminal"]["inline_pictures"] is None


def test_the_doctor_tries_to_write(call: Call, studio: Path) -> None:
    (studio / "archive").rmdir()
    (studio / "archive").write_text("a file")
    for place in (Path("/proc/x"), studio / "archive"):
        code, said, _ = call("--root", studio, "--archive", place, "doctor")
        assert (code, said["archive_writable"]) == (1, False)


def test_the_doctor_says_what_does_not(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from gen_emerge.cli import checkup

    def broken() -> dict[str, Any]:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(checkup, "_paint_one", broken)
    code, said, _ = call("doctor")
    assert (code, said["ok"]) == (1, False)
    assert said["painter"] == {"ok": False, "error": "RuntimeError: no kernel"}
    assert said["root"] is None and said["archive"] is None
    assert "NO  painter" in " ".join(checkup.checkup_text(said).split(" "))
