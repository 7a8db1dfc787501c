"""The embedded painter: same arguments, same bytes; any size the same picture; every word acts in every school."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gen_emerge.generators.painter import PARAMETERS, SLOTS, VERSION, paint, understand
from gen_emerge.generators.painter.generator import Painter
from gen_emerge.generators.painter.words import check_parameters
from gen_emerge.types import Genome

ROOT = Path(__file__).resolve().parents[1]
SCHOOLS = SLOTS["school"]
BASE = {"palette": "lagoon", "composition": "centred", "scale": "medium", "texture": "smooth", "mood": "luminous"}


@cache
def small(slots: tuple[tuple[str, str], ...], seed: int = 7) -> NDArray[np.uint8]:
    """Paint at 96 px, once for each set of words."""
    return paint(dict(slots), seed, {}, 96, 96)


def change(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean absolute difference in bytes."""
    return float(np.mean(np.abs(a.astype(np.int16) - b.astype(np.int16))))


def lightness(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """OKLab L, (h, w) (Ottosson 2020)."""
    c = image / 255.0
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(
        c
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    return lms @ np.array([0.2104542553, 0.7936177850, -0.0040720468])


@pytest.mark.parametrize("school", SCHOOLS)
def test_same_arguments_give_the_same_bytes_also_from_two_threads(school: str) -> None:
    slots = {**BASE, "school": school}
    first = paint(slots, 11, {"warp": 0.7}, 120, 90)
    with ThreadPoolExecutor(2) as pool:
        others = list(pool.map(lambda _: paint(slots, 11, {"warp": 0.7}, 120, 90), range(4)))
    assert first.shape == (90, 120, 3)
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize("school", SCHOOLS)
@pytest.mark.parametrize("size", [(16, 16), (16, 200), (301, 47), (170, 333)])
def test_any_size_works(school: str, size: tuple[int, int]) -> None:
    image = paint({"school": school}, 3, {}, *size)
    assert image.shape == (size[1], size[0], 3)
    assert image.std() > 2.0


@pytest.mark.parametrize("school", SCHOOLS)
def test_a_larger_picture_is_the_same_one_finer(school: str) -> None:
    slots = {**BASE, "school": school, "composition": "diagonal"}
    large = Image.fromarray(paint(slots, 21, {}, 768, 768)).resize((192, 192), Image.Resampling.BOX)
    native = paint(slots, 21, {}, 192, 192)
    error = np.mean((np.asarray(large, dtype=float) - native) ** 2)
    assert 10.0 * np.log10(255.0**2 / error) >= 24.0


@pytest.mark.parametrize("slot", [slot for slot in SLOTS if slot != "school"])
@pytest.mark.parametrize("school", SCHOOLS)
def test_every_word_acts_in_every_school(school: str, slot: str) -> None:
    pictures = [small(tuple({**BASE, "school": school, slot: word}.items())) for word in SLOTS[slot]]
    least = {"texture": 0.8, "composition": 1.5}.get(slot, 3.0)
    for i, one in enumerate(pictures):
        for j in range(i):
            assert change(one, pictures[j]) > least, (SLOTS[slot][i], SLOTS[slot][j])


@pytest.mark.parametrize("name", list(PARAMETERS))
@pytest.mark.parametrize("school", SCHOOLS)
def test_every_parameter_acts(school: str, name: str) -> None:
    low, high = PARAMETERS[name]
    ends = [paint({**BASE, "school": school}, 5, {name: low + s * (high - low)}, 96, 96) for s in (0.1, 0.85)]
    assert change(*ends) > 1.0


@pytest.mark.parametrize("school", ["tiles", "glass"])
def test_rotation_is_in_turns(school: str) -> None:
    slots = {**BASE, "school": school}
    back, half, forth = (paint(slots, 5, {"rotation": turns}, 96, 96) for turns in (-0.5, 0.0, 0.5))
    assert change(back, forth) < 0.5
    assert change(back, half) > 5.0


def test_schools_differ_also_without_their_colours() -> None:
    pictures = [small(tuple({**BASE, "school": school}.items())) for school in SCHOOLS]
    for i, one in enumerate(pictures):
        for j in range(i):
            assert change(one, pictures[j]) > 12.0, (SCHOOLS[i], SCHOOLS[j])


@pytest.mark.parametrize("school", SCHOOLS)
def test_tone_is_spread_and_nothing_is_clipped(school: str) -> None:
    for mood in SLOTS["mood"]:
        for palette in ("sumi", "midnight", "carnival"):
            image = paint({**BASE, "school": school, "mood": mood, "palette": palette}, 9, {}, 96, 96)
            light = lightness(image)
            spread = np.percentile(light, 95) - np.percentile(light, 5)
            assert spread >= (0.2 if mood in ("serene", "dreamy") else 0.3), (mood, palette, spread)
            assert np.mean(((image == 0) | (image == 255)).any(axis=2)) < 0.03


def test_a_seed_changes_the_picture() -> None:
    for school in SCHOOLS:
        words = tuple({**BASE, "school": school}.items())
        assert change(small(words, 1), small(words, 2**40 + 1)) > 4.0


@pytest.mark.parametrize(
    ("slots", "parameters", "size", "message"),
    [
        ({"school": "marbeld"}, {}, 64, "marbled"),
        ({"scool": "glass"}, {}, 64, "school"),
        ({}, {"wrap": 0.5}, 64, "warp"),
        ({}, {"warp": 1.5}, 64, r"\[0.0, 1.0\]"),
        ({}, {"warp": float("nan")}, 64, "warp"),
        ({}, {}, 8, "16..8192"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest_known(
    slots: dict[str, str], parameters: dict[str, float], size: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        paint(slots, 1, parameters, size, size)


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), float("inf")])
def test_a_number_outside_its_range_is_no_parameter(value: float) -> None:
    assert check_parameters({"warp": 1.0})["warp"] == 1.0
    with pytest.raises(ValueError, match=r"'warp' is .*\[0\.0, 1\.0\]"):
        check_parameters({"warp": value})


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        paint({}, -1, {}, 64, 64)


def test_understand_finds_words_synonyms_and_close_spellings() -> None:
    found, strange = understand("A stormy suminagashi print, luminus ember on canvass, with quokkas")
    assert found == {"mood": "stormy", "school": "marbled", "palette": "ember", "texture": "canvas"}
    assert strange == ("quokkas",)
    assert understand("") == ({}, ())


def test_of_two_words_for_the_same_the_first_counts() -> None:
    assert understand("ember, arctic") == ({"palette": "ember"}, ())
    assert understand("ocean, ice") == ({"palette": "lagoon"}, ())


def test_understand_reads_back_every_word() -> None:
    for slot, words in SLOTS.items():
        for word in words:
            assert understand(f"the {word.upper()}") == ({slot: word}, ())


def test_importing_the_package_does_not_import_numba() -> None:
    code = (
        "import sys; from gen_emerge.generators.painter.generator import Painter; "
        "Painter().parameters; sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_generator_renders_genomes_in_order() -> None:
    painter = Painter()
    genomes = [
        Genome(
            slots={**BASE, "school": school},
            prompt="",
            seed=4,
            generator=painter.name,
            generator_version=painter.version,
            parameters={"density": 0.3},
            width=80,
            height=64,
        )
        for school in ("tiles", "glass")
    ]
    pictures = painter.render(genomes)
    assert painter.version == VERSION
    assert painter.parameters == PARAMETERS
    for genome, picture in zip(genomes, pictures, strict=True):
        assert np.array_equal(picture, paint(genome.slots, 4, {"density": 0.3}, 80, 64))


def test_the_bank_holds_only_known_words() -> None:
    bank = tomllib.loads((ROOT / "prompts" / "painter-1.toml").read_text(encoding="utf-8"))
    assert (bank["schema"], bank["id"], bank["negative"]) == (1, "painter-1", "")
    assert {slot: tuple(words) for slot, words in bank["slots"].items()} == dict(SLOTS)
    example = {slot: words[-1] for slot, words in bank["slots"].items()}
    assert understand(bank["template"].format(**example)) == (example, ())
    for pattern in bank["patterns"]:
        assert 1 <= len(pattern["slots"]) <= 3
        for slot, word in pattern["slots"].items():
            assert word in SLOTS[slot]
            assert f"__{slot}__" not in pattern["text"]
        filled = pattern["text"]
        for slot in SLOTS:
            filled = filled.replace(f"__{slot}__", SLOTS[slot][0])
        assert "__" not in filled
        assert pattern["slots"].items() <= understand(filled)[0].items(), pattern["text"]
