"""The diffusion generator on tiny checkpoints in the real format: from a folder on disk to pictures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from diffusion_tools import SIZE, apart, genome, open_generator
from tiny_pipelines import MAKERS, sd

from gen_emerge.engines.local import to_pixels

pytestmark = pytest.mark.models

WORDS = ("a cat on a mat", "the ocean at night", "a red tower")


@pytest.fixture(scope="module", params=list(MAKERS))
def folder(request: pytest.FixtureRequest, tiny: Any) -> Any:
    return tiny(request.param)


@pytest.fixture(scope="module")
def painter(folder: Any) -> Any:
    return open_generator(folder)


@pytest.fixture(scope="module")
def batch(painter: Any) -> list[Any]:
    return [genome(painter, seed=seed, prompt=words) for seed, words in enumerate(WORDS, start=1)]


@pytest.fixture(scope="module")
def rendered(painter: Any, batch: list[Any]) -> list[Any]:
    return painter.render(batch)


def test_a_folder_becomes_pictures_of_the_size_asked_for(painter, rendered):
    assert painter.name == "diffusion"
    for array in rendered:
        assert array.shape == (SIZE, SIZE, 3) and array.dtype == np.float32
        assert array.min() >= 0 and array.max() <= 1 and array.std() > 0.02
        assert to_pixels(array)[1]
    assert len({array.tobytes() for array in rendered}) == len(rendered)


def test_the_same_batch_again_gives_the_same_bytes(painter, batch, rendered):
    assert all(np.array_equal(one, two) for one, two in zip(painter.render(batch), rendered, strict=True))


def test_alone_a_picture_is_within_two_levels_of_itself_in_a_batch(painter, batch, rendered):
    for one, array in zip(batch, rendered, strict=True):
        assert apart(painter.render([one])[0], array) <= 2


def test_another_order_changes_nothing_but_the_order(painter, batch, rendered):
    for array, again in zip(rendered[::-1], painter.render(batch[::-1]), strict=True):
        assert apart(array, again) <= 2


def test_seed_and_words_act(painter, batch, rendered):
    (reseeded,) = painter.render([genome(painter, seed=99, prompt=WORDS[0])])
    (reworded,) = painter.render([genome(painter, seed=1, prompt=WORDS[1])])
    assert apart(reseeded, rendered[0]) > 8 and apart(reworded, rendered[0]) > 8


def test_another_instance_gives_the_same_pictures_and_version(painter, batch, rendered, folder):
    other = open_generator(folder)
    assert other.version == painter.version
    assert np.array_equal(other.render(batch)[0], rendered[0])


def test_sizes_the_decoder_cannot_make_are_cut_to_measure(painter):
    one = genome(painter, width=100, height=72)
    odd = genome(painter, width=33, height=71)
    arrays = painter.render([one, odd])
    assert [array.shape for array in arrays] == [(72, 100, 3), (71, 33, 3)]


def test_rendering_changes_no_genome(painter, batch):
    before = [one.recipe() for one in batch]
    painter.render(batch)
    assert [one.recipe() for one in batch] == before


def test_no_genomes_give_no_pictures(painter):
    assert painter.render([]) == []


def test_mixed_noise_acts_and_is_the_same_in_a_batch(painter, rendered):
    assert "noise" in painter.abilities
    turned = genome(painter, seed=1, prompt=WORDS[0], noise=((7, 0.3),))
    far = genome(painter, seed=1, prompt=WORDS[0], noise=((7, 30.0),))
    near, distant, plain = painter.render([turned, far, genome(painter, seed=1, prompt=WORDS[0])])
    assert apart(plain, rendered[0]) <= 2
    assert np.abs(near - plain).mean() > 0.005
    assert np.abs(distant - plain).mean() > np.abs(near - plain).mean()
    assert apart(painter.render([turned])[0], near) <= 2


@pytest.fixture(scope="module")
def variations(folder: Any, rendered: list[Any]) -> Any:
    """The same checkpoint with a store of one picture, "p"."""
    stored = to_pixels(rendered[0])[0]
    return open_generator(folder, picture={"p" * 64: stored}.__getitem__)


def test_a_picture_can_begin_from_another(painter, variations, rendered):
    assert "image" in variations.abilities and "image" not in painter.abilities
    several = [
        genome(painter, seed=50 + n, prompt=WORDS[0], start="p" * 64, parameters={"strength": strength})
        for n, strength in enumerate((0.5, 0.5, 1.0, 0.05))
    ]
    arrays = variations.render(several)
    assert all(array.shape == (SIZE, SIZE, 3) and np.isfinite(array).all() for array in arrays)
    assert apart(arrays[0], arrays[1]) > 8  # another seed
    for one, array in zip(several, arrays, strict=True):
        assert apart(variations.render([one])[0], array) <= 2
    larger = genome(painter, start="p" * 64, parameters={"strength": 0.5}, width=96, height=72)
    assert variations.render([larger])[0].shape == (72, 96, 3)


# ---- how checkpoints are laid out on the hub -----------------------------------------------------------------------


def test_weights_that_are_only_there_as_a_variant_are_found(tmp_path):
    from diffusers import StableDiffusionPipeline

    plain = sd(tmp_path / "plain", safety=1.5)
    pipe = StableDiffusionPipeline.from_pretrained(str(plain), local_files_only=True, use_safetensors=True)
    pipe.save_pretrained(str(tmp_path / "half"), variant="fp16")
    mixed = tmp_path / "mixed"  # some parts in the variant, others not
    pipe.save_pretrained(str(mixed), variant="fp16")
    (mixed / "text_encoder" / "model.fp16.safetensors").rename(mixed / "text_encoder" / "model.safetensors")
    wanted = open_generator(plain)
    one = genome(wanted)
    for folder in ("half", "mixed"):
        assert list((tmp_path / folder / "unet").glob("*.fp16.safetensors"))
        assert np.array_equal(open_generator(tmp_path / folder).render([one])[0], wanted.render([one])[0])


def test_the_names_of_an_older_decoder_are_still_understood(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    old = Path(shutil.copytree(tiny("sd"), tmp_path / "old"))
    file = old / "vae" / "diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def renamed(name: str) -> str:
        for new, before in names.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{before}.")
        return name

    weights = load_file(file)
    before = {renamed(name): value for name, value in weights.items()}
    assert set(before) != set(weights)
    save_file(before, file)
    painter = open_generator(old)
    one = genome(painter)
    assert np.array_equal(painter.render([one])[0], open_generator(tiny("sd")).render([one])[0])
