"""The embedded scorers: the scorer's contract, and what they claim, on pictures that no network was trained on."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFilter

from gen_emerge.errors import BadInput
from gen_emerge.generators.painter import PARAMETERS, SLOTS, paint
from gen_emerge.protocols import Scorer
from gen_emerge.scorers.embedded import ROLES, load
from gen_emerge.scorers.embedded.views import CROP_SIDE, crops, planes, whole
from gen_emerge.scorers.embedded.words import Vocabulary
from gen_emerge.types import Reading

PICTURES = 24
SIZE = 256


def genome(number: int) -> tuple[dict[str, str], dict[str, float], int]:
    """Words, parameters and seed of held-out picture `number`; the schools take turns."""
    rng = np.random.default_rng((20261120, number))
    slots = {slot: str(rng.choice(words)) for slot, words in SLOTS.items()}
    slots["school"] = SLOTS["school"][number % len(SLOTS["school"])]
    parameters = {name: float(rng.uniform(low, high)) for name, (low, high) in PARAMETERS.items()}
    return slots, parameters, int(rng.integers(2**31))


def picture(number: int, size: int = SIZE) -> np.ndarray:
    slots, parameters, seed = genome(number)
    return paint(slots, seed, parameters, size, size)


@cache
def pictures() -> tuple[np.ndarray, ...]:
    return tuple(picture(number) for number in range(PICTURES))


def prompt(number: int) -> str:
    return "a picture: " + ", ".join(genome(number)[0].values())


PROMPTS = [prompt(number) for number in range(PICTURES)]


@cache
def everything() -> tuple[Scorer, ...]:
    return tuple(load(ROLES, [prompt(1000 + number) for number in range(32)]))


def value(reading: Reading, name: str) -> float:
    return next(signal.value for signal in reading.signals if signal.scorer == name)


def measured(name: str, images: Sequence[np.ndarray], prompts: Sequence[str] | None = None) -> np.ndarray:
    scorer = next(scorer for scorer in everything() if name in scorer.versions)
    return np.array([value(reading, name) for reading in scorer.score(images, prompts or [""] * len(images))])


def places(images: Sequence[np.ndarray]) -> np.ndarray:
    readings = everything()[0].score(images, [""] * len(images))
    return np.stack([reading.embedding.vector for reading in readings if reading.embedding])


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def blurred(image: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


# The contract


def test_one_scorer_for_the_trunk_and_one_for_quality() -> None:
    shared, quality = everything()
    assert shared.roles == {"prompt", "novelty", "style"}
    assert quality.roles == {"quality"}
    assert set(shared.versions) == {"prompt", "prompt_cosine", "novelty", "style"}
    assert set(quality.versions) == {"quality"}


def test_only_the_wanted_roles_are_filled() -> None:
    (scorer,) = load(["style", "style"], ())
    assert scorer.roles == set(scorer.versions) == {"style"}
    (reading,) = scorer.score([picture(0)], [""])
    assert [signal.scorer for signal in reading.signals] == ["style"]
    assert reading.embedding is None
    (scorer,) = load(["novelty"], ())
    (reading,) = scorer.score([picture(0)], [""])
    assert reading.signals == ()
    assert reading.embedding is not None
    assert load([], ()) == []


def test_an_unknown_role_names_the_nearest() -> None:
    with pytest.raises(BadInput, match='Did you mean "novelty"'):
        load(["noveltie"], ())


def test_a_batch_keeps_its_order_and_equals_each_image_alone() -> None:
    rng = np.random.default_rng(3)
    odd = [
        np.zeros((64, 64, 3), np.uint8),
        rng.integers(0, 256, (1, 1, 3), dtype=np.uint8),
        rng.integers(0, 256, (40, 700, 3), dtype=np.uint8),
        np.full((333, 97, 3), 255, np.uint8),
        *pictures()[:4],
    ]
    texts = ["", "nothing known", "bold", "ember ember", *PROMPTS[:4]]
    for scorer in everything():
        together = scorer.score(odd, texts)
        for image, text, reading in zip(odd, texts, together, strict=True):
            (alone,) = scorer.score([image], [text])
            for signal, again in zip(reading.signals, alone.signals, strict=True):
                assert signal.scorer == again.scorer
                assert math.isfinite(signal.value)
                assert abs(signal.value - again.value) < 1e-5
                assert signal.scorer_version == scorer.versions[signal.scorer]
            if reading.embedding and alone.embedding:
                assert np.abs(reading.embedding.vector - alone.embedding.vector).max() < 1e-5


def test_embeddings_are_unit_vectors_in_a_space_named_after_the_weights() -> None:
    readings = everything()[0].score(pictures()[:3], PROMPTS[:3])
    for reading in readings:
        assert reading.embedding is not None
        assert reading.embedding.vector.shape == (160,)
        assert abs(float(np.linalg.norm(reading.embedding.vector)) - 1) < 1e-4
        assert reading.embedding.space.startswith("embedded-distance-1:")
    again = load(["novelty"], ["another reference"])[0].score(pictures()[:1], PROMPTS[:1])[0]
    assert again.embedding is not None
    assert readings[0].embedding is not None
    assert again.embedding.space == readings[0].embedding.space


def test_the_prompt_version_changes_with_its_references_and_the_raw_cosine_does_not() -> None:
    first, second = load(["prompt"], ["ember"])[0], load(["prompt"], ["arctic"])[0]
    assert first.versions["prompt"] != second.versions["prompt"]
    assert first.versions["prompt_cosine"] == second.versions["prompt_cosine"]


def test_import_is_light() -> None:
    code = (
        "import sys; import gen_emerge.scorers.embedded, gen_emerge.scorers.measures; "
        "heavy = {'onnxruntime', 'torch', 'numba', 'scipy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_scorers_never_import_the_painter() -> None:
    code = (
        "import sys; from gen_emerge.scorers.embedded import load; load(['prompt', 'quality'], ['ember']); "
        "assert not [name for name in sys.modules if name.startswith('gen_emerge.generators')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Preparing the picture and the prompt


def test_crops_are_native_pixels_and_the_last_is_the_whole() -> None:
    down, across = np.mgrid[0:200, 0:250]
    image = np.stack([down, (down * across) % 7, across], axis=-1).astype(np.uint8)
    views = crops(image)
    assert views.shape == (6, CROP_SIDE, CROP_SIDE, 3)
    for view in views[:5]:
        top, left = int(view[0, 0, 0]), int(view[0, 0, 2])
        assert np.array_equal(view, image[top : top + CROP_SIDE, left : left + CROP_SIDE])
    assert np.array_equal(views[5], whole(image, CROP_SIDE))
    assert planes(views).min() >= -1.0
    assert planes(views).max() <= 1.0


def test_the_liveliest_place_is_always_seen() -> None:
    image = np.full((400, 400, 3), 90, np.uint8)
    image[300:340, 300:340] = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    assert np.array_equal(crops(image)[0], image[288:352, 288:352])


def test_the_first_word_of_a_slot_counts_and_unknown_words_do_not() -> None:
    vectors = np.eye(5, dtype=np.float32)
    vocabulary = Vocabulary(
        slots={"colour": ("red", "off-white"), "shape": ("round", "flat", "long")},
        aliases={"circular": "round"},
        vectors=vectors,
    )
    assert vocabulary.found("A Circular, OFF-WHITE and red thing.") == {"colour": "off-white", "shape": "round"}
    assert vocabulary.found("a circular thing, flat")["shape"] == "flat", "known words win over aliases"
    assert np.allclose(vocabulary.place("red round"), vocabulary.place("a very round red box"))
    assert not vocabulary.place("blue square").any()


# What they claim, on held-out pictures


def test_the_own_prompt_fits_better_than_another_pictures() -> None:
    own = measured("prompt", pictures(), PROMPTS)
    others = np.stack([measured("prompt", pictures(), PROMPTS[k:] + PROMPTS[:k]) for k in (1, 5, 7, 11)])
    assert (own > others).mean() >= 0.9
    assert own.mean() > others.mean() + 0.3


def test_the_prompt_signal_is_the_cosine_less_a_mean_over_the_references() -> None:
    only = load(["prompt"], [PROMPTS[0]])[0].score(pictures()[:1], PROMPTS[:1])[0]
    assert abs(value(only, "prompt")) < 1e-6
    none = load(["prompt"], [])[0].score(pictures()[:1], PROMPTS[:1])[0]
    assert value(none, "prompt") == value(none, "prompt_cosine") == pytest.approx(value(only, "prompt_cosine"))


def test_a_prompt_without_a_known_word_is_not_judged() -> None:
    (reading,) = everything()[0].score(pictures()[:1], ["xyzzy plugh"])
    assert value(reading, "prompt") == value(reading, "prompt_cosine") == 0.0


def test_the_school_is_recognised_and_a_blend_is_less_sure() -> None:
    from gen_emerge.scorers.embedded.trunk import TrunkScorer

    scorer = everything()[0]
    assert isinstance(scorer, TrunkScorer)
    images = pictures()
    right = [
        scorer.schools[int(scorer.shares(image).argmax())] == genome(n)[0]["school"] for n, image in enumerate(images)
    ]
    assert np.mean(right) >= 0.8
    mixed = [((images[n].astype(int) + images[n + 1]) // 2).astype(np.uint8) for n in range(PICTURES - 1)]
    pure, blends = measured("style", images), measured("style", mixed)
    assert 0.0 <= pure.min() <= pure.max() <= 1.0
    assert np.mean(blends[:, None] > pure[None]) >= 0.75


def test_a_re_render_is_nearer_than_any_other_picture() -> None:
    first = places(pictures())
    again = places([as_jpeg(picture(number, 384), 60) for number in range(PICTURES)])
    apart = 1 - first @ again.T
    own = np.diag(apart)
    others = apart[~np.eye(PICTURES, dtype=bool)].reshape(PICTURES, -1).min(axis=1)
    assert (own < others).all()
    assert np.median(own) < 0.1 * np.median(apart)


def test_a_nudge_is_nearer_than_another_palette_and_school() -> None:
    nearer = []
    anchors = places(pictures())
    for number, anchor in enumerate(anchors):
        slots, parameters, seed = genome(number)
        nudged = {
            name: min(
                max(v + 0.04 * (PARAMETERS[name][1] - PARAMETERS[name][0]), PARAMETERS[name][0]), PARAMETERS[name][1]
            )
            for name, v in parameters.items()
        }
        other = genome(number + 1)[0]
        changed = slots | {"palette": genome(number + 500)[0]["palette"], "school": other["school"]}
        near, far = places([paint(slots, seed, nudged, SIZE, SIZE), paint(changed, seed, nudged, SIZE, SIZE)])
        nearer.append(1 - anchor @ near < 1 - anchor @ far)
    assert np.mean(nearer) >= 0.9


@pytest.mark.parametrize("kind", ["blur", "jpeg", "noise"])
def test_damage_lowers_quality(kind: str) -> None:
    rng = np.random.default_rng(8)
    worse = {
        "blur": lambda image: blurred(image, 2.5),
        "jpeg": lambda image: as_jpeg(image, 8),
        "noise": lambda image: np.clip(image + rng.normal(0, 30, image.shape), 0, 255).astype(np.uint8),
    }[kind]
    pristine = measured("quality", pictures())
    damaged = measured("quality", [worse(image) for image in pictures()])
    assert 1.0 <= damaged.min() <= pristine.max() <= 10.0
    assert (damaged < pristine).mean() >= 0.8
    assert pristine.mean() - damaged.mean() > 0.8


def test_more_damage_is_worse() -> None:
    means = [measured("quality", [blurred(image, radius) for image in pictures()]).mean() for radius in (0, 1, 2, 4)]
    assert means == sorted(means, reverse=True)
