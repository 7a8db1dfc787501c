"""The pixel measures: contract, natural limits on hostile images, and what each name promises."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from PIL import Image

from gen_emerge.scorers.measures import LIMITS, MEANINGS, VERSION, PixelMeasures, measure, oklab


def flat(red: int, green: int, blue: int, height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def waves(size: int) -> np.ndarray:
    """A smooth asymmetric colour picture, the same at every size."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    planes = [np.sin(7 * x + 3 * y) * 0.5 + 0.5, np.sin(11 * y + 2 * x) * 0.4 + 0.5, x * y]
    return (np.stack(planes, axis=-1) * 255).round().astype(np.uint8)


HOSTILE = {
    "black": flat(0, 0, 0),
    "white": flat(255, 255, 255),
    "magenta": flat(255, 0, 255),
    "blue": flat(0, 0, 255),
    "one pixel": flat(3, 200, 9, 1, 1),
    "one row": noise(1, 300),
    "one column": noise(300, 1),
    "long": noise(7, 2000),
    "noise": noise(512, 512),
    "checks": np.kron(np.indices((64, 64)).sum(axis=0) % 2, np.ones((1, 1)))[..., None].repeat(3, 2).astype(np.uint8)
    * 255,
}


def test_names_limits_and_meanings_agree() -> None:
    scorer = PixelMeasures()
    assert scorer.roles == {"measures"}
    assert set(LIMITS) == set(MEANINGS) == set(scorer.versions)
    assert set(scorer.versions.values()) == {VERSION}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_value_is_finite_and_within_its_limits(name: str) -> None:
    values = measure(HOSTILE[name])
    assert list(values) == list(LIMITS)
    for signal, value in values.items():
        low, high = LIMITS[signal]
        assert math.isfinite(value)
        assert low <= value <= high, signal


def test_a_batch_keeps_its_order_and_equals_each_image_alone() -> None:
    images = list(HOSTILE.values())
    scorer = PixelMeasures()
    together = scorer.score(images, [""] * len(images))
    alone = [scorer.score([image], ["another prompt"])[0] for image in images]
    assert list(together) == alone
    assert all(reading.embedding is None for reading in together)


def test_arguments_are_not_changed_and_may_be_read_only() -> None:
    image = waves(200)
    image.setflags(write=False)
    before = image.copy()
    measure(image)
    assert np.array_equal(image, before)


def test_oklab_matches_published_values() -> None:
    """White and the primaries in OKLab (Ottosson 2020; CSS Color 4 gives the same to four places)."""
    colours = np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    wanted = [[1.0, 0, 0], [0.6280, 0.2249, 0.1258], [0.8664, -0.2339, 0.1795], [0.4520, -0.0325, -0.3115]]
    assert np.allclose(oklab(colours), wanted, atol=6e-4)


def test_warmth_goes_from_blue_over_grey_to_orange() -> None:
    blue, grey, orange = (measure(flat(*c))["warmth"] for c in [(0, 60, 255), (128, 128, 128), (255, 140, 0)])
    assert blue < -0.5 < grey < 0.5 < orange
    assert abs(grey) < 0.01


def test_a_picture_measures_nearly_the_same_at_every_size() -> None:
    tiles = noise(32, 32)
    for one, other in ((waves(256), waves(1024)), (tiles.repeat(8, 0).repeat(8, 1), tiles.repeat(32, 0).repeat(32, 1))):
        small, large = measure(one), measure(other)
        for name, (low, high) in LIMITS.items():
            assert abs(small[name] - large[name]) < 0.02 * (high - low), name


def test_blur_lowers_edges_and_detail() -> None:
    sharp = noise(128, 128)
    soft = np.asarray(Image.fromarray(sharp).resize((16, 16)).resize((128, 128)))
    for name in ("edge_density", "detail", "entropy"):
        assert measure(soft)[name] < measure(sharp)[name], name


def test_symmetry_separates_mirrored_unrelated_and_opposite() -> None:
    picture = waves(100)
    mirrored = np.concatenate([picture, picture[:, ::-1]], axis=1)
    negative = np.concatenate([picture, 255 - picture[:, ::-1]], axis=1)
    assert measure(mirrored)["symmetry"] > 0.99
    assert 0.4 < measure(noise(128, 128))["symmetry"] < 0.6
    assert measure(negative)["symmetry"] < 0.2


def test_hue_spread_counts_hues_and_not_chroma() -> None:
    opposite = np.concatenate([flat(220, 60, 60), flat(0, 150, 160)], axis=1)
    assert measure(flat(250, 20, 20))["hue_spread"] < 0.02 < 0.6 < measure(opposite)["hue_spread"]


def test_grey_pictures_have_neither_saturation_nor_colourfulness() -> None:
    grey = noise(64, 64)[..., :1].repeat(3, axis=2)
    values = measure(grey)
    assert values["saturation"] < 0.01
    assert values["colourfulness"] < 0.01
    assert measure(noise(64, 64))["colourfulness"] > 0.5


def test_contrast_ignores_a_few_extreme_pixels() -> None:
    image = flat(120, 120, 120, 100, 100)
    image[:10, :10] = 255
    assert measure(image)["contrast"] < 0.01


def test_it_is_cheap() -> None:
    spent: dict[int, float] = {}
    for size in (128, 512):
        image = noise(size, size)
        measure(image)
        spent[size] = math.inf
        for _ in range(15):
            started = time.process_time()
            measure(image)
            spent[size] = min(spent[size], time.process_time() - started)
    assert spent[512] < 0.012, "3 ms on an idle core; four times that on a busy one"
    assert spent[512] < 8 * spent[128], "large pictures are made small first"
