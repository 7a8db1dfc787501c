"""Pictures of the painter for training and for the held-out figures, in families; cached on disk.

A family is six pictures, each painted at a size of its own and shrunk to the trunk's 96 pixels:

    anchor    words, seed and parameters drawn at random
    again     the same genome painted at another size, then JPEG 30-75 or light noise
    jitter    the same words and seed, every parameter moved by up to 10% of its range
    other     the same words, another seed, parameters moved likewise
    one       one slot's word changed, the same seed, parameters moved likewise
    three     three slots' words changed, the same seed, parameters moved likewise

Painting is deterministic, every draw comes from (seed of the set, family), so the cache is only a saving of time.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gen_emerge.generators.painter import PARAMETERS, SLOTS, paint
from gen_emerge.scorers.embedded.views import TRUNK_SIDE, whole

MEMBERS = ("anchor", "again", "jitter", "other", "one", "three")
SIZES = (160, 192, 224)
AGAIN_SIZES = (256, 320)
JITTER = 0.1
NAMES = tuple(SLOTS)
SCHOOLS_HELD = ("glass", "strokes")
"""The two schools that the second, held-out network never meets."""


@dataclass
class Families:
    """Pictures (f, 6, 96, 96, 3) uint8 and the index of every slot's word (f, 6, slots) int64."""

    pixels: np.ndarray
    words: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)


def draw_words(rng: np.random.Generator) -> dict[str, str]:
    return {slot: words[rng.integers(len(words))] for slot, words in SLOTS.items()}


def draw_parameters(rng: np.random.Generator) -> dict[str, float]:
    return {name: float(rng.uniform(low, high)) for name, (low, high) in PARAMETERS.items()}


def move(parameters: Mapping[str, float], rng: np.random.Generator, share: float = JITTER) -> dict[str, float]:
    """Move every parameter by up to `share` of its range, staying inside."""
    moved = {}
    for name, (low, high) in PARAMETERS.items():
        step = rng.uniform(-share, share) * (high - low)
        moved[name] = float(min(max(parameters[name] + step, low), high))
    return moved


def change(words: Mapping[str, str], count: int, rng: np.random.Generator) -> dict[str, str]:
    """Change the words of `count` different slots."""
    changed = dict(words)
    for index in rng.choice(len(NAMES), count, replace=False):
        slot = NAMES[index]
        changed[slot] = str(rng.choice([word for word in SLOTS[slot] if word != words[slot]]))
    return changed


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def noisy(image: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image + rng.normal(0, sd, image.shape), 0, 255).round().astype(np.uint8)


def indices(words: Mapping[str, str]) -> list[int]:
    return [SLOTS[slot].index(words[slot]) for slot in NAMES]


def family(key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Paint family `key` = (seed of the set, number)."""
    rng = np.random.default_rng(key)
    words, parameters, seed = draw_words(rng), draw_parameters(rng), int(rng.integers(2**31))
    members = [
        (words, parameters, seed),
        (words, parameters, seed),
        (words, move(parameters, rng), seed),
        (words, move(parameters, rng), int(rng.integers(2**31))),
        (change(words, 1, rng), move(parameters, rng), seed),
        (change(words, 3, rng), move(parameters, rng), seed),
    ]
    pixels, labels = [], []
    for place, (slots, values, number) in enumerate(members):
        size = int(rng.choice(AGAIN_SIZES if MEMBERS[place] == "again" else SIZES))
        image = paint(slots, number, values, size, size)
        if MEMBERS[place] == "again":
            image = jpeg(image, int(rng.integers(30, 76))) if rng.random() < 0.6 else noisy(image, 6.0, rng)
        pixels.append(whole(image, TRUNK_SIDE))
        labels.append(indices(slots))
    return np.stack(pixels), np.array(labels)


def families(seed: int, count: int, cache: Path, workers: int) -> Families:
    """Paint `count` families of set `seed`, or read them from the cache (keyed by the painter's sources too)."""
    stored = cache / f"families-{painter_digest()}-{seed}-{count}.npz"
    if not stored.exists():
        with ProcessPoolExecutor(workers) as pool:
            painted = list(pool.map(family, [(seed, number) for number in range(count)], chunksize=16))
        cache.mkdir(parents=True, exist_ok=True)
        part = stored.with_suffix(".part.npz")
        np.savez(part, pixels=np.stack([p for p, _ in painted]), words=np.stack([w for _, w in painted]))
        part.rename(stored)
    with np.load(stored) as arrays:
        return Families(arrays["pixels"], arrays["words"])


def painter_digest() -> str:
    """Twelve hex digits of the painter's sources and of this file: what the pictures depend on."""
    import gen_emerge.generators.painter as painter

    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(Path(painter.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
