"""Pictures made elsewhere: what is read of them, what is refused, and whose manners of writing are understood."""

from __future__ import annotations

import errno
import io
import json
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gen_emerge.errors import BadInput
from gen_emerge.importing import find_pictures, read
from gen_emerge.importing.chunks import MAX_BESIDE, MAX_CHUNKS
from gen_emerge.importing.reading import MAX_FILE
from gen_emerge.importing.recipes import LONGEST, recipe_of
from gen_emerge.store.images import CHUNK, parameters_text, recipe_text
from gen_emerge.types import Genome

RNG = np.random.default_rng(3)


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    made = Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    return made if mode == "RGB" else made.convert(mode)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def with_texts(path: Path, **texts: str) -> Path:
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    return saved(path, picture(), pnginfo=info)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(path: Path, extra: bytes) -> Path:
    file = io.BytesIO()
    picture().save(file, "PNG")
    whole = file.getvalue()
    path.write_bytes(whole[:33] + extra + whole[33:])  # after the header
    return path


# ---- pixels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "I;16", "F", "LAB"])
def test_every_kind_of_colour_becomes_rgb(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(RNG.integers(0, 65536, (30, 40), dtype=np.uint16))
    elif mode == "F":
        image = Image.fromarray(RNG.random((30, 40), dtype=np.float32))
    else:
        image = picture(mode)
    name = "a.tif" if mode in ("CMYK", "YCbCr", "F", "LAB") else "a.png"
    found = read(saved(tmp_path / name, image))
    assert found.pixels.shape == (30, 40, 3) and found.pixels.dtype == np.uint8 and found.notes == ()
    assert found.pixels.std() > 5


def test_transparency_lies_on_white_and_16_bits_keep_their_range(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (read(saved(tmp_path / "a.png", clear)).pixels == 255).all()
    deep = Image.fromarray(np.full((20, 20), 65535, np.uint16))
    assert (read(saved(tmp_path / "b.png", deep)).pixels == 255).all()


def test_a_turned_photograph_is_put_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read(saved(tmp_path / "a.jpg", picture(), exif=exif)).pixels.shape == (40, 30, 3)


def test_of_an_animation_the_first_frame_is_taken_and_it_is_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (24, 24), colour) for colour in ("red", "blue", "green")]
    path = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    found = read(path)
    assert (found.pixels[0, 0] == (255, 0, 0)).all() and "the first was taken" in found.notes[0]
    assert read(saved(tmp_path / "b.gif", frames[0])).notes == ()
    pages = saved(tmp_path / "a.tif", frames[0], save_all=True, append_images=frames[1:])
    assert "the first was taken" in read(pages).notes[0]


def test_what_is_wrong_with_a_later_page_does_not_matter(tmp_path: Path) -> None:
    """The width of the second page is the first tag of its directory, which is found by the end of the first one's."""
    whole = bytearray(saved(tmp_path / "a.tif", picture(), save_all=True, append_images=[picture()]).read_bytes())
    first = struct.unpack("<I", whole[4:8])[0]
    tags = struct.unpack("<H", whole[first : first + 2])[0]
    (second,) = struct.unpack("<I", whole[first + 2 + 12 * tags : first + 6 + 12 * tags])
    assert whole[second + 2 : second + 4] == struct.pack("<H", 256)
    whole[second + 2 : second + 4] = struct.pack("<H", 40_000)
    (tmp_path / "a.tif").write_bytes(whole)
    assert read(tmp_path / "a.tif").pixels.shape == (30, 40, 3)


def test_whatever_its_decoder_raises_is_said_of_the_picture(tmp_path: Path) -> None:
    """A frame without pixels behind the first one: Pillow raises IndexError."""
    frames = [Image.new("RGB", (24, 24), colour) for colour in ("red", "blue")]
    whole = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:]).read_bytes()
    (tmp_path / "a.gif").write_bytes(whole[: whole.rindex(b"\x2c") + 10])
    with pytest.raises(BadInput, match=r"a\.gif is damaged: index out of range"):
        read(tmp_path / "a.gif")


@pytest.mark.parametrize(
    ("size", "said"), [((20_000, 20), "20000 x 20"), ((8, 8), "8 x 8"), ((8000, 8000), "8000 x 8000")]
)
def test_other_sizes_are_refused_before_they_are_decoded(tmp_path: Path, size: tuple[int, int], said: str) -> None:
    path = saved(tmp_path / "a.png", Image.new("L", size))
    tracemalloc.start()
    with pytest.raises(BadInput, match=said):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", picture())
    whole = bytearray(path.read_bytes())
    whole[16:24] = struct.pack(">II", 900_000, 900_000)
    whole[29:33] = struct.pack(">I", zlib.crc32(bytes(whole[12:29])))
    path.write_bytes(whole)
    with pytest.raises(BadInput, match=r"too large|wanted 16 to"):
        read(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = saved(tmp_path / f"a{suffix}", picture(size=(64, 64)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match=f"a{suffix}"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadInput):
        read(tmp_path / "a.png")


# ---- a file that changes -------------------------------------------------------------------------------------------


class Meddler(io.BytesIO):
    """A copy during whose making something happens to the file."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens = happens

    def write(self, block: Any) -> int:
        self.happens()
        return super().write(block)


def test_what_is_decoded_is_what_the_copy_holds(tmp_path: Path) -> None:
    path, copy = saved(tmp_path / "a.png", picture()), io.BytesIO()
    found, whole = read(path, copy), path.read_bytes()
    assert copy.getvalue() == whole and (np.asarray(Image.open(copy)) == found.pixels).all()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", picture())
    other = saved(tmp_path / "b.png", picture()).read_bytes()
    with pytest.raises(BadInput, match=r"a\.png was changed while it was read") as told:
        read(path, Meddler(lambda: path.write_bytes(other)))
    assert told.value.hint == "Import it again."
    whole = path.read_bytes()
    os.utime(path, ns=(1, 1))
    with pytest.raises(BadInput, match="was changed"):
        read(path, Meddler(lambda: path.write_bytes(whole + b"more")))


def test_a_file_that_is_replaced_or_removed_while_it_is_read_is_read_as_it_was(tmp_path: Path) -> None:
    path, copy = saved(tmp_path / "a.png", picture()), io.BytesIO()
    whole, wanted = path.read_bytes(), read(path).pixels
    saved(tmp_path / "b.png", picture())
    copy = Meddler(lambda: (tmp_path / "b.png").exists() and (tmp_path / "b.png").replace(path))
    assert (read(path, copy).pixels == wanted).all() and copy.getvalue() == whole
    assert path.read_bytes() != whole
    whole, copy = path.read_bytes(), Meddler(lambda: path.unlink())
    assert read(path, copy).pixels.shape == (30, 40, 3) and copy.getvalue() == whole


def test_a_file_that_is_not_there_is_said_to_be_gone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.png is gone"):
        read(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(BadInput, match=r"b\.png is a link that leads nowhere"):
        read(tmp_path / "b.png")
    os.mkfifo(tmp_path / "c.png")
    with pytest.raises(BadInput, match=r"c\.png is no file"):
        read(tmp_path / "c.png")


def test_a_copy_that_cannot_be_written_is_not_the_picture_s_fault(tmp_path: Path) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        read(saved(tmp_path / "a.png", picture()), Meddler(full))


def test_a_file_of_too_many_bytes_is_not_read_at_all(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_FILE + 1)
    copy = io.BytesIO()
    with pytest.raises(BadInput, match=r"a\.png has 300,000,001 bytes, wanted at most"):
        read(tmp_path / "a.png", copy)
    assert copy.getvalue() == b""


# ---- text that attacks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "packed", "international", "international packed", "broken"])
def test_a_text_of_50_megabytes_is_left_out_and_the_picture_comes(tmp_path: Path, kind: str) -> None:
    size = 50_000_000
    body = {
        "plain": lambda: chunk(b"tEXt", b"parameters\0" + b"a" * size),
        "packed": lambda: chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * size)),
        "international": lambda: chunk(b"iTXt", b"parameters\0\0\0\0\0" + b"a" * size),
        "international packed": lambda: chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b"a" * size)),
        "broken": lambda: chunk(b"zTXt", b"parameters\0\0" + b"not packed at all"),
    }[kind]()
    path = with_chunk(tmp_path / "a.png", body)
    del body
    tracemalloc.start()
    found = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.pixels.shape == (30, 40, 3) and found.recipe is None
    assert "left out" in found.notes[0] and peak < 20_000_000


@pytest.mark.parametrize(
    ("empty", "count", "refused"),
    [
        (b"teSt", MAX_BESIDE - 2, False),
        (b"teSt", MAX_BESIDE, True),
        (b"IDAT", 5_000, False),
        (b"IDAT", MAX_CHUNKS, True),
    ],
)
def test_a_png_of_too_many_chunks_is_refused_before_it_is_decoded(
    tmp_path: Path, empty: bytes, count: int, refused: bool
) -> None:
    """The file itself has a header, pixels and an end."""
    path = with_chunk(tmp_path / "a.png", chunk(empty, b"") * count)
    if refused:
        with pytest.raises(BadInput, match=r"more chunks than are looked at \(100,000 in all, 1,000 of them"):
            read(path)
    else:
        assert read(path).pixels.shape == (30, 40, 3)


LONG = 2_000_000
"""Letters: a pattern that begins anew at each of them needs hours for so many."""
LONG_TEXTS = {
    "letters": {"parameters": "Steps: 2, " + "a" * LONG},
    "words": {"parameters": "Steps: 2, " + "ab " * (LONG // 3)},
    "blank lines": {"parameters": "\n" * LONG},
    "spaces": {"parameters": "Steps: 2," + " " * LONG},
    "settings": {"parameters": "Steps: 2\n" * (LONG // 9)},
    "numbers": {"parameters": "Steps: " + "2" * LONG},
    "colons": {"parameters": "Steps: 2, " + "a:" * (LONG // 2)},
    "quotes": {"parameters": "Steps: 2, " + 'a: "' * (LONG // 4)},
    "escaped quotes": {"parameters": "Steps: 2, " + 'a:"\\",' * (LONG // 6)},
    "open quotes": {"parameters": "Steps: 2, " + 'a:"b\\\n,' * (LONG // 7)},
    "brackets": {"sd-metadata": json.dumps({"image": {"prompt": "[" * LONG}})},
    "spaces between brackets": {"sd-metadata": json.dumps({"image": {"prompt": "a" + " " * LONG + "[b]"}})},
    "a chain of nodes": {
        "prompt": json.dumps({str(n): {"inputs": {"a": [str(n + 1), 0]}} for n in range(LONG // 40)} | {"x": {}})
    },
}


@pytest.mark.parametrize("kind", LONG_TEXTS)
def test_a_text_of_two_megabytes_is_gone_through_once(kind: str) -> None:
    """Nothing is timed: what goes through it again and again does not end within any test's time."""
    recipe = recipe_of(LONG_TEXTS[kind])
    assert recipe is None or max(map(len, (recipe.prompt, recipe.negative, *recipe.settings.values()))) <= LONGEST


def test_a_long_prompt_is_cut_and_said(tmp_path: Path) -> None:
    found = read(with_texts(tmp_path / "a.png", parameters="word " * 30_000 + "\nSteps: 20, Seed: 1"))
    assert found.recipe is not None and len(found.recipe.prompt) == LONGEST and "cut off" in found.notes[0]


# ---- prompts -------------------------------------------------------------------------------------------------------

A1111 = """a stormy sea, (oil painting:1.2), by night
second line
Negative prompt: blurry, text
Steps: 28, Sampler: Euler a, CFG scale: 7.5, Seed: 12345, Size: 512x768, Model: "a, b", Version: v1.6"""
COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": ["10", 0],
            "steps": 8,
            "cfg": 2.0,
            "positive": ["6", 0],
            "negative": ["7", 0],
            "model": ["4", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}},
    "6": {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["8", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["4", 1]}},
    "8": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["4", 1]}},
    "9": {"class_type": "StringPrimitive", "inputs": {"value": "a fox in snow"}},
    "10": {"class_type": "SeedPrimitive", "inputs": {"seed": 77}},
}
INVOKE = {
    "positive_prompt": "a tower",
    "negative_prompt": "fog",
    "seed": 5,
    "steps": 30,
    "cfg_scale": 6,
    "scheduler": "euler",
    "model": {"name": "some-model"},
}
OLD_INVOKE = {
    "model_weights": "sd-1.5",
    "image": {
        "prompt": [{"prompt": "a bridge [rust] at dawn", "weight": 1}],
        "seed": 9,
        "steps": 50,
        "sampler": "k_lms",
    },
}


def test_a_print_of_our_own_is_told_as_that(tmp_path: Path) -> None:
    genome = Genome(
        slots={},
        prompt="a serene marbled print",
        seed=7,
        generator="painter",
        generator_version="painter-1",
        parameters={"warp": 0.5},
        width=64,
        height=64,
    )
    texts = {"parameters": parameters_text(genome), CHUNK: recipe_text(genome, "night")}
    recipe = read(with_texts(tmp_path / "a.png", **texts)).recipe
    assert recipe is not None and (recipe.tool, recipe.prompt, recipe.seed) == ("gen-emerge", genome.prompt, 7)
    assert recipe.settings["genome"] == genome.hash and recipe.settings["series"] == "night"
    torn = read(with_texts(tmp_path / "b.png", **{**texts, CHUNK: "{"})).recipe
    assert torn is not None and torn.tool == "a1111"


def test_a_prompt_in_a1111s_manner(tmp_path: Path) -> None:
    recipe = read(with_texts(tmp_path / "a.png", parameters=A1111)).recipe
    assert recipe is not None and recipe.tool == "a1111"
    assert recipe.prompt == "a stormy sea, (oil painting:1.2), by night\nsecond line"
    assert (recipe.negative, recipe.seed) == ("blurry, text", 12345)
    assert recipe.settings["Steps"] == "28" and recipe.settings["Sampler"] == "Euler a"
    assert recipe.settings["Model"] == "a, b" and recipe.settings["Size"] == "512x768"


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_a1111s_text_in_exif(tmp_path: Path, suffix: str, encoding: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.encode(encoding)
    recipe = read(saved(tmp_path / f"a{suffix}", picture(), exif=exif)).recipe
    assert recipe is not None and recipe.seed == 12345 and recipe.prompt.startswith("a stormy sea")


def test_a_prompt_without_settings_or_negative() -> None:
    recipe = recipe_of({"parameters": "only words"})
    assert recipe is not None and (recipe.prompt, recipe.negative, recipe.seed) == ("only words", "", None)


def test_a_prompt_in_comfyuis_graph(tmp_path: Path) -> None:
    recipe = read(with_texts(tmp_path / "a.png", prompt=json.dumps(COMFY), workflow="{}")).recipe
    assert recipe is not None and recipe.tool == "comfyui"
    assert (recipe.prompt, recipe.negative, recipe.seed) == ("a fox in snow", "ugly", 77)
    assert recipe.settings == {"steps": "8", "cfg": "2.0"}


def test_a_comfyui_graph_without_a_known_sampler_gives_its_longest_text() -> None:
    graph = {"1": {"inputs": {"text": "short"}}, "2": {"inputs": {"text": "a longer one"}}, "3": {"inputs": {}}}
    recipe = recipe_of({"prompt": json.dumps(graph)})
    assert recipe is not None and recipe.prompt == "a longer one"


def test_prompts_in_invokeais_manners() -> None:
    recipe = recipe_of({"invokeai_metadata": json.dumps(INVOKE)})
    assert recipe is not None and (recipe.tool, recipe.prompt, recipe.negative) == ("invokeai", "a tower", "fog")
    assert recipe.seed == 5 and recipe.settings["model"] == "some-model" and recipe.settings["steps"] == "30"
    old = recipe_of({"sd-metadata": json.dumps(OLD_INVOKE)})
    assert old is not None and (old.prompt, old.negative, old.seed) == ("a bridge at dawn", "rust", 9)


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"Software": "some editor"},
        {"prompt": "not json"},
        {"prompt": "[" * 100_000},
        {"prompt": "[1, 2]"},
        {"prompt": '{"1": 3, "2": {"inputs": [1]}}'},
        {"invokeai_metadata": "[]", "sd-metadata": '{"image": 3}'},
        {"parameters": '{"sui_image_params": {}}'},
        {"parameters": ""},
        {"prompt": json.dumps({"1": {"inputs": {"positive": ["1", 0], "negative": ["1", 0]}}})},
    ],
)
def test_what_is_no_recipe_gives_none(texts: dict[str, str]) -> None:
    assert recipe_of(texts) is None


def test_a_graph_that_branches_at_every_node_is_walked_once() -> None:
    inputs = {"positive": ["0", 0], "negative": ["0", 0], "seed": 1}
    graph: dict[str, Any] = {"s": {"inputs": inputs}}
    for level in range(60):
        graph[str(level)] = {"inputs": {"a": [str(level + 1), 0], "b": [str(level + 1), 0]}}
    recipe = recipe_of({"prompt": json.dumps(graph)})
    assert recipe is not None and recipe.prompt == "" and recipe.seed == 1


@pytest.mark.parametrize(
    ("seed", "wanted"), [(-1, None), (2**70, None), ("12", 12), (True, None), (1.5, None), ("x", None)]
)
def test_only_whole_numbers_from_0_are_seeds(seed: Any, wanted: int | None) -> None:
    recipe = recipe_of({"invokeai_metadata": json.dumps({**INVOKE, "seed": seed})})
    assert recipe is not None and recipe.seed == wanted


def test_letters_of_every_script_come_through_and_half_ones_do_not(tmp_path: Path) -> None:
    text = "שלום 🎨 日本"
    recipe = read(
        with_texts(tmp_path / "a.png", invokeai_metadata=json.dumps({**INVOKE, "positive_prompt": text}))
    ).recipe
    assert recipe is not None and recipe.prompt == text
    half = recipe_of({"invokeai_metadata": '{"positive_prompt": "a \\ud800 b", "scheduler": "c \\udc00"}'})
    assert half is not None and half.prompt == "a ? b" and half.settings == {"scheduler": "c ?"}
    graph = {"1": {"inputs": {"positive": 1, "negative": 1, "seed": 3, "sampler_name": "\ud83d"}}}
    comfy = recipe_of({"prompt": json.dumps(graph)})
    assert comfy is not None and comfy.settings == {"sampler_name": "?"}


# ---- folders -------------------------------------------------------------------------------------------------------


def test_pictures_of_a_folder_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "deep/c.webp", ".hidden.png", ".trash/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "linked").symlink_to(tmp_path / "deep")
    found = find_pictures(tmp_path)
    assert [path.name for path in found.pictures] == ["a.JPG", "b.png", "c.webp"] and not found.unreadable
    assert [path.name for path in find_pictures(tmp_path, without=tmp_path / "deep").pictures] == ["a.JPG", "b.png"]
    with pytest.raises(BadInput, match="no folder"):
        find_pictures(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no pictures"):
        find_pictures(tmp_path / "empty")


@pytest.mark.parametrize(
    ("number", "why"),
    [(errno.EACCES, "it may not be read"), (errno.ENOENT, "it is gone"), (errno.EIO, "input/output error")],
)
def test_a_folder_nobody_can_look_into_is_named_and_the_others_are_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, why: str
) -> None:
    """The operating system's word: as root it never says that a folder may not be read."""
    for name in ("a.png", "locked/b.png", "open/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    looks = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) in refused:
            raise OSError(number, os.strerror(number), str(path))
        return looks(path)

    monkeypatch.setattr(os, "scandir", scandir)
    refused = {tmp_path / "locked"}
    found = find_pictures(tmp_path)
    assert [path.name for path in found.pictures] == ["a.png", "c.png"]
    assert found.unreadable == {tmp_path / "locked": why}
    refused = {tmp_path}
    with pytest.raises(BadInput, match=f"cannot be looked into: {why}"):
        find_pictures(tmp_path)
    refused = {tmp_path / "locked" / "in"}
    (tmp_path / "locked" / "in").mkdir()
    (tmp_path / "locked" / "b.png").unlink()
    with pytest.raises(BadInput, match="holds no pictures") as told:
        find_pictures(tmp_path / "locked")
    assert told.value.hint == f"{tmp_path / 'locked' / 'in'} cannot be looked into: {why}."
