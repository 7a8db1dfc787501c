"""Hard filters: each rejects what it is for, and lets good pictures through."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.engines.local import to_pixels
from gen_emerge.fakes import FakeGenerator
from gen_emerge.filters import Rule, apply_rules, inspect_pixels, not_finite
from gen_emerge.types import Bounds, Genome


def flat(*colour, size=64):
    return np.full((size, size, 3), colour if len(colour) == 3 else colour * 3, dtype=np.uint8)


def noise(height=64, width=64, low=0, high=256, seed=0):
    return np.random.default_rng(seed).integers(low, high, (height, width, 3), dtype=np.uint8)


def split(share, dark=0, light=128):
    """The left `share` of the picture dark, the rest light."""
    picture = flat(light, size=100)
    picture[:, : round(100 * share)] = dark
    return picture


def said(pixels, seen=(), name="a" * 64):
    verdict = inspect_pixels(pixels, pixels_hash=name, seen=seen)
    return verdict and verdict.gate


def sparse(count, size=100):
    """Black, with `count` bright pixels."""
    picture = flat(0, size=size)
    picture.reshape(-1, 3)[:count] = 200
    return picture


BAD = {
    "too-small": [noise(31, 64), noise(64, 31), noise(1, 1)],
    "black": [flat(0), flat(7), noise(high=8), sparse(20)],
    "blank": [flat(128), flat(255), flat(200, 30, 90), noise(low=100, high=103)],
    "clipped": [
        split(0.62),
        split(0.7, dark=255),
        np.where(noise() < 128, 0, 255).astype(np.uint8)[:, :, :1].repeat(3, 2),
    ],
}
LIMITS = {
    "too-small": Bounds(lower=32),
    "black": Bounds(lower=8),
    "blank": Bounds(lower=3.0),
    "clipped": Bounds(upper=0.6),
}
GOOD = {
    "noise": noise(),
    "the smallest": noise(32, 32),
    "very dark, not black": noise(low=4, high=24),
    "pale, not blank": noise(low=240, high=250),
    "one hue only": np.stack([noise()[..., 0], flat(90)[..., 0], flat(90)[..., 0]], axis=-1),
    "half black": split(0.5),
    "half white": split(0.5, dark=255),
    "pure red beside pure blue": np.concatenate([flat(255, 0, 0), flat(0, 0, 255)], axis=1),
    "long": noise(40, 900),
}


@pytest.mark.parametrize(("name", "pixels"), [(n, p) for n, many in BAD.items() for p in many])
def test_each_hard_filter_rejects_what_it_is_for(name, pixels):
    verdict = inspect_pixels(pixels, pixels_hash="a" * 64, seen=())
    assert verdict is not None and verdict.gate == name
    assert (verdict.kind, verdict.outcome, verdict.calibration) == ("filter", "fail", 0)
    assert verdict.reason and verdict.value is not None and verdict.bounds is not None
    bounds = LIMITS[name]
    assert verdict.bounds == bounds
    assert verdict.value < bounds.lower if bounds.upper is None else verdict.value > bounds.upper


@pytest.mark.parametrize("name", GOOD)
def test_good_pictures_pass(name):
    assert said(GOOD[name]) is None


def test_pictures_of_the_fake_generator_pass():
    genomes = [
        Genome(
            slots={}, prompt="p", seed=seed, generator="fake", generator_version="1", parameters={}, width=48, height=48
        )
        for seed in range(40)
    ]
    assert [said(picture) for picture in FakeGenerator().render(genomes)] == [None] * 40


def test_the_same_pixels_again_are_a_duplicate():
    assert said(noise(), seen={"b" * 64}) is None
    assert said(noise(), seen={"b" * 64, "a" * 64}) == "duplicate"


def test_the_first_filter_that_fails_is_the_one_that_is_named():
    assert said(flat(0, size=20), seen={"a" * 64}) == "too-small"
    assert said(flat(0), seen={"a" * 64}) == "black"
    assert said(flat(200), seen={"a" * 64}) == "blank"


def test_a_large_picture_is_judged_as_its_small_copy_is():
    big = np.kron(split(0.7)[..., 0], np.ones((6, 6), dtype=np.uint8))[..., None].repeat(3, 2)
    assert said(big) == "clipped"
    assert said(noise(700, 900)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_enough(value):
    picture = np.full((40, 40, 3), 0.5, dtype=np.float32)
    assert to_pixels(picture)[1]
    picture[7, 3, 1] = value
    pixels, finite = to_pixels(picture)
    assert not finite
    assert pixels[7, 3, 1] == 0
    assert not_finite().gate == "nan"
    assert to_pixels(noise())[1]


# ---- rules of the user's own -------------------------------------------------------------------------------------

DARK = Rule(signal="lightness", below=0.2, name="lightness below 0.2")
LOUD = Rule(signal="saturation", above=0.8, name="too loud")


@pytest.mark.parametrize(
    ("signals", "gate"),
    [
        ({"lightness": 0.19, "saturation": 0.1}, "rule: lightness below 0.2"),
        ({"lightness": 0.2, "saturation": 0.8}, None),
        ({"lightness": 0.5, "saturation": 0.81}, "rule: too loud"),
        ({"lightness": 0.1, "saturation": 0.9}, "rule: lightness below 0.2"),
        ({"saturation": 0.9}, "rule: too loud"),
        ({}, None),
    ],
)
def test_rules_compare_one_signal_with_one_number_in_their_order(signals, gate):
    verdict = apply_rules([DARK, LOUD], signals)
    assert (verdict and verdict.gate) == gate
    if verdict:
        assert verdict.value in signals.values() and verdict.kind == "filter"


def test_what_the_generator_s_own_safety_checker_turned_away_is_rejected_by_that_name(tmp_path):
    """Not as "black", though that is what such a checker leaves of a picture."""
    from loop_crew import Series, Traits, World, world_crew

    class Checked(World):
        def __init__(self):
            super().__init__(lambda number: Traits(x=float(number % 2)))
            self.flagged = {}

        def render(self, genomes):
            arrays = super().render(genomes)
            for place, genome in enumerate(genomes):
                if self.numbers[genome.hash] in (6, 9):
                    self.flagged[genome.hash] = "the checkpoint's safety checker blacked it out"
                    arrays[place] = np.zeros_like(arrays[place])
            return arrays

    made = Series(tmp_path / "a", world_crew(lambda number: Traits(x=float(number % 2)), generator=Checked())).run(4)
    assert made.status(6) == made.status(9) == ("rejected", "safety")
    (verdict,) = made.store.verdicts([6])[6]
    assert (verdict.kind, verdict.reason) == ("filter", "the checkpoint's safety checker blacked it out")
    assert made.status(7)[0] == "passed"
    made.stop()
