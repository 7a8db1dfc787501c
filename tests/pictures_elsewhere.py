"""A folder of pictures as other tools leave them: with their recipes or without, damaged, doubled, in other depths."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

COMFY = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "positive": ["6", 0], "negative": ["7", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red tower"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "fog"}},
}
INVOKE = {"positive_prompt": "a green field", "negative_prompt": "people", "seed": 12, "steps": 30}
A1111 = "a lake at dawn\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, Seed: 7, Size: 60x44"
READABLE = {
    "a1111.png": "a lake at dawn",
    "bare.jpg": "",
    "comfy.png": "a red tower",
    "deep.png": "",
    "deep/er/invoke.png": "a green field",
    "huge-text.png": "",
    "tiny.png": "",
    "transparent.png": "",
}
"""Name -> the prompt in it. `twin.png` holds the pixels of `transparent.png`, `torn.png` cannot be read."""


def wave(number: int, width: int = 60, height: int = 44) -> np.ndarray:
    """(height, width, 3) uint8, another picture for every number."""
    rng = np.random.default_rng(900 + number)
    down, across = np.mgrid[0:height, 0:width] / width
    waves = [np.sin(2 * np.pi * (across * rng.uniform(1, 6) + down * rng.uniform(-6, 6))) for _ in range(3)]
    return np.rint(np.stack(waves, -1) * rng.uniform(30, 110) + 127).astype(np.uint8)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def fill(folder: Path) -> Path:
    """Make the folder: eight pictures that can be read, a twin of one of them, and one that is torn."""
    (folder / "deep" / "er").mkdir(parents=True)
    texts = {
        "a1111.png": {"parameters": A1111},
        "comfy.png": {"prompt": json.dumps(COMFY)},
        "deep/er/invoke.png": {"invokeai_metadata": json.dumps(INVOKE)},
    }
    for number, (name, words) in enumerate(texts.items()):
        info = PngInfo()
        for keyword, text in words.items():
            info.add_text(keyword, text)
        Image.fromarray(wave(number)).save(folder / name, pnginfo=info)
    Image.fromarray(wave(3, 90, 40)).save(folder / "bare.jpg", quality=92)
    Image.fromarray(wave(4)[..., 0].astype(np.uint16) * 250).save(folder / "deep.png")
    rgba = np.dstack([wave(5), np.full((44, 60), 200, np.uint8)])
    for name in ("transparent.png", "twin.png"):
        Image.fromarray(rgba).save(folder / name)
    Image.fromarray(wave(6, 20, 20)).save(folder / "tiny.png")
    Image.fromarray(wave(7)).save(folder / "huge-text.png")
    whole = (folder / "huge-text.png").read_bytes()
    packed = _chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"a" * 30_000_000))
    (folder / "huge-text.png").write_bytes(whole[:33] + packed + whole[33:])
    (folder / "torn.png").write_bytes((folder / "transparent.png").read_bytes()[:400])
    (folder / "notes.txt").write_text("no picture")
    return folder


def many(folder: Path, count: int, first: int = 100) -> Path:
    """A folder of so many bare pictures."""
    folder.mkdir()
    for number in range(first, first + count):
        Image.fromarray(wave(number)).save(folder / f"{number}.png")
    return folder
