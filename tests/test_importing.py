"""Pictures made elsewhere: what is read of them, what is refused, and whose manners of writing are understood."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gen_emerge.errors import BadInput
from gen_emerge.importing import find_pictures, read
from gen_emerge.importing.recipes import LONGEST, recipe_of

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
    assert (found.pixels[0, 0] == (255, 0, 0)).all() and "first of 3 frames" in found.notes[0]


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
    half = recipe_of({"invokeai_metadata": '{"positive_prompt": "a \\ud800 b"}'})
    assert half is not None and half.prompt == "a ? b"


# ---- folders -------------------------------------------------------------------------------------------------------


def test_pictures_of_a_folder_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "deep/c.webp", ".hidden.png", ".trash/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in find_pictures(tmp_path)] == ["a.JPG", "b.png", "c.webp"]
    with pytest.raises(BadInput, match="no folder"):
        find_pictures(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no pictures"):
        find_pictures(tmp_path / "empty")
