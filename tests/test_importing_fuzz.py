"""Files and texts torn at random: every one gives a picture, or one clear row; nothing else is ever raised."""

from __future__ import annotations

import io
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from test_importing import A1111, COMFY, INVOKE, OLD_INVOKE

from gen_emerge.errors import BadInput
from gen_emerge.importing import read
from gen_emerge.importing.reading import LARGEST, SMALLEST
from gen_emerge.importing.recipes import recipe_of

FILES, TEXTS = 40, 150
"""How many of every kind."""
PAGES = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (26, 34, 3), dtype=np.uint8)) for n in range(2)]
EXIF = Image.Exif()
EXIF[0x0112] = 6
EXIF.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.encode("utf-16-be")
WORDS = PngInfo()
WORDS.add_text("parameters", A1111, zip=True)
WORDS.add_itxt("prompt", json.dumps(COMFY))
SEVERAL: dict[str, Any] = {"save_all": True, "append_images": PAGES[1:]}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"pnginfo": WORDS, "exif": EXIF}),
    "animated png": ("PNG", SEVERAL),
    "jpeg": ("JPEG", {"exif": EXIF}),
    "progressive jpeg": ("JPEG", {"progressive": True, "comment": "a fox"}),
    "webp": ("WEBP", {"exif": EXIF}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "animated webp": ("WEBP", SEVERAL),
    "tiff": ("TIFF", {}),
    "packed tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff of pages": ("TIFF", SEVERAL),
    "gif": ("GIF", {}),
    "animated gif": ("GIF", SEVERAL),
    "bmp": ("BMP", {}),
}
WRITINGS = {
    "a1111": ("parameters", A1111),
    "comfyui": ("prompt", json.dumps(COMFY)),
    "invokeai": ("invokeai_metadata", json.dumps(INVOKE)),
    "invokeai of before": ("sd-metadata", json.dumps(OLD_INVOKE)),
}
SIGNS = [
    '"',
    "\\",
    ":",
    ",",
    "\n",
    "[",
    "]",
    "{",
    "}",
    " ",
    "\0",
    "\ud800",
    "9" * 30,
    "-",
    "\\ud83d",
    "null",
    "Steps: 1,",
]


def torn(whole: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, or with a few other bytes: anywhere, or where headers and directories are."""
    if rng.random() < 0.25:
        return whole[: int(rng.integers(len(whole)))]
    made = bytearray(whole)
    for _ in range(int(rng.integers(1, 6))):
        near = int(rng.integers(min(len(made), 240)))
        place = (int(rng.integers(len(made))), near, len(made) - 1 - near)[int(rng.integers(3))]
        made[place] = int(rng.choice([0, 255, int(rng.integers(256)), made[place] ^ (1 << int(rng.integers(8)))]))
    return bytes(made)


def sealed(whole: bytes) -> bytes:
    """A PNG whose chunks have the check sums of what they hold, so that what is torn in it is looked at."""
    made, place = bytearray(whole), 8
    while place + 12 <= len(made):
        end = place + 8 + int.from_bytes(made[place : place + 4], "big")
        if end + 4 <= len(made):
            made[end : end + 4] = zlib.crc32(made[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_torn_file_gives_a_picture_or_one_clear_row(kind: str, tmp_path: Path) -> None:
    form, options = KINDS[kind]
    whole = io.BytesIO()
    PAGES[0].save(whole, form, **options)
    rng = np.random.default_rng((31, list(KINDS).index(kind)))
    came = {"a picture": 0, "a row": 0}
    for number in range(FILES):
        path = tmp_path / f"a.{form.lower()}"
        content = torn(whole.getvalue(), rng)
        path.write_bytes(sealed(content) if form == "PNG" and number % 4 else content)
        try:
            found = read(path)
        except BadInput as error:
            assert error.message.startswith(f"{path} ") and error.message.endswith(".") and error.hint
            came["a row"] += 1
            continue
        height, width, colours = found.pixels.shape
        assert min(height, width) >= SMALLEST and max(height, width) <= LARGEST and colours == 3
        assert found.pixels.dtype == np.uint8
        json.dumps([found.notes, found.recipe and dict(found.recipe.settings)], ensure_ascii=False).encode()
        came["a picture"] += 1
    assert all(came.values()), came


@pytest.mark.parametrize("tool", WRITINGS)
def test_a_torn_text_gives_a_recipe_that_can_be_stored_or_none(tool: str) -> None:
    keyword, whole = WRITINGS[tool]
    rng = np.random.default_rng((32, list(WRITINGS).index(tool)))
    came = {"a recipe": 0, "none": 0}
    for number in range(TEXTS):
        letters = list(whole)
        if number % 5 == 0:
            del letters[int(rng.integers(len(letters))) :]
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(len(letters) + 1))
            letters[place : place + int(rng.integers(3))] = [str(rng.choice(SIGNS))]
        recipe = recipe_of({keyword: "".join(letters)})
        came["none" if recipe is None else "a recipe"] += 1
        if recipe is not None:
            kept = [recipe.tool, recipe.prompt, recipe.negative, recipe.seed, dict(recipe.settings)]
            assert json.loads(json.dumps(kept, ensure_ascii=False).encode()) == kept
    assert all(came.values()) or tool == "a1111", came


def test_the_copy_of_a_large_file_lies_on_the_disk(tmp_path: Path) -> None:
    """And is read from there by every decoder, also by one that wants a file of the operating system's."""
    wide = Image.fromarray(np.random.default_rng(3).integers(0, 256, (2000, 2000, 3), dtype=np.uint8))
    for form, options in (("TIFF", {"compression": "tiff_lzw"}), ("PNG", {}), ("BMP", {})):
        wide.save(tmp_path / f"a.{form.lower()}", form, **options)
        with tempfile.SpooledTemporaryFile(max_size=1000) as copy:
            assert (read(tmp_path / f"a.{form.lower()}", copy).pixels == np.asarray(wide)).all()
            assert copy.fileno() > 2 and copy.tell() >= 0
