"""What acts on the pictures of the diffusion generator: guidance, negative prompts, schedulers, LoRAs, noise, words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch
from diffusion_tools import SIZE, apart, genome, open_generator
from tiny_pipelines import lora

from gen_emerge.chance import draw
from gen_emerge.emitters.latent import slerp, turned
from gen_emerge.engines.local import to_pixels
from gen_emerge.generators.diffusion.calling import steps_for
from gen_emerge.generators.diffusion.loading import number_format
from gen_emerge.generators.diffusion.noise import mixture

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def painter(tiny: Any) -> Any:
    return open_generator(tiny("sd"), guidance=4.0)


def one(painter: Any, **more: Any) -> Any:
    return painter.render([genome(painter, **more)])[0]


# ---- guidance, negative prompts, schedulers, LoRAs ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "zimage"])
def test_a_negative_prompt_acts_where_there_is_guidance(tiny, kind):
    none = 0.0 if kind == "zimage" else 1.0
    guided, plain = open_generator(tiny(kind), guidance=4.0), open_generator(tiny(kind), guidance=none)
    assert apart(one(guided, negative="ugly, blurred"), one(guided)) > 8
    assert apart(one(plain, negative="ugly, blurred"), one(plain)) == 0
    assert not guided.notices and (kind == "zimage" or "needs guidance above 1" in " ".join(plain.notices))


def test_a_negative_prompt_that_cannot_act_is_said_once(tiny):
    flux = open_generator(tiny("flux"), guidance=4.0)
    for seed in (1, 2):
        one(flux, prompt=f"number {seed}", negative="ugly")
    assert [notice for notice in flux.notices if "negative" in notice] == list(flux.notices)
    assert len(flux.notices) == 1


def test_guidance_acts_and_may_be_part_of_the_genome(painter, tiny):
    ranged = open_generator(tiny("sd"), guidance=[1.0, 8.0])
    assert dict(ranged.parameters) == {"guidance": (1.0, 8.0)} and not painter.parameters
    genomes = [genome(ranged, seed=3, parameters={"guidance": value}) for value in (2.0, 4.0, 8.0)]
    two, four, eight = ranged.render(genomes)
    assert apart(two, four) > 8 and apart(four, eight) > 8
    assert apart(four, one(painter, seed=3)) <= 2
    assert ranged.version != painter.version


def test_the_scheduler_and_the_steps_act_and_stand_in_the_version(painter, tiny):
    for more in ({"scheduler": "EulerAncestralDiscreteScheduler"}, {"steps": 3}):
        other = open_generator(tiny("sd"), guidance=4.0, **more)
        assert apart(one(other), one(painter)) > 4 and other.version != painter.version
    assert "EulerDiscreteScheduler" in open_generator(tiny("sd"), scheduler="EulerDiscreteScheduler").version
    assert "DDIMScheduler" in painter.version and "2-steps" in painter.version and "float32" in painter.version


def test_a_lora_acts_by_its_weight_and_stands_in_the_version(painter, tiny, tmp_path):
    file = lora(tiny("sd"), tmp_path / "style.safetensors")
    many = {weight: open_generator(tiny("sd"), guidance=4.0, loras=[f"{file}@{weight}"]) for weight in (0.0, 0.5, 1.0)}
    pictures = {weight: one(generator) for weight, generator in many.items()}
    plain = one(painter)
    assert apart(pictures[0.0], plain) <= 2
    assert apart(pictures[0.5], plain) > 4 and apart(pictures[1.0], pictures[0.5]) > 4
    assert len({generator.version for generator in many.values()} | {painter.version}) == 4
    assert apart(one(open_generator(tiny("sd"), guidance=4.0, loras=[str(file)])), pictures[1.0]) == 0


def test_decoding_thriftily_changes_little_and_tiles_stand_in_the_version(painter, tiny):
    batch = [genome(painter, seed=seed, width=192, height=192) for seed in (1, 2)]
    wanted = painter.render(batch)
    sliced, tiled = (open_generator(tiny("sd"), guidance=4.0, **{key: True}) for key in ("slicing", "tiling"))
    assert all(apart(one, other) <= 2 for one, other in zip(sliced.render(batch), wanted, strict=True))
    assert sliced.version == painter.version and "tiled" in tiled.version
    assert all(np.abs(one - other).mean() < 0.1 for one, other in zip(tiled.render(batch), wanted, strict=True))
    assert apart(tiled.render(batch)[0], wanted[0]) > 2


# ---- noise -------------------------------------------------------------------------------------------------------


def test_the_ends_of_an_arc_of_noise_are_the_parents(painter):
    for share, seed in ((0.0, 1), (1.0, 2)):
        lead, noise = slerp((1, ()), (2, ()), share)
        assert np.array_equal(one(painter, seed=lead, noise=noise), one(painter, seed=seed))


def test_along_an_arc_the_picture_leaves_one_parent_and_nears_the_other(painter):
    walk = [slerp((1, ()), (2, ()), share) for share in (0.02, 0.3, 0.7, 0.98)]
    pictures = painter.render([genome(painter, seed=lead, noise=noise) for lead, noise in walk])
    first, last = one(painter, seed=1), one(painter, seed=2)
    away = [float(np.abs(picture - first).mean()) for picture in pictures]
    left = [float(np.abs(picture - last).mean()) for picture in pictures]
    assert away == sorted(away) and left == sorted(left, reverse=True)


def test_a_small_turn_of_the_noise_changes_the_picture_a_little(painter):
    plain = one(painter)
    near, far = (one(painter, noise=turned((), 77, angle)) for angle in (0.05, 0.6))
    assert 0 < np.abs(near - plain).mean() < np.abs(far - plain).mean()


def noises(count):
    return [torch.from_numpy(draw(1, 0, n, "noise").standard_normal((4, 16, 16))) for n in range(count)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_mixed_noise_is_as_long_as_the_seed_s_own(dtype):
    own, *others = (noise.to(dtype) for noise in noises(4))
    made = mixture(own, [(others[0], 0.7), (others[1], -2.0), (others[2], 0.01)])
    assert made.dtype == dtype and made.shape == own.shape
    assert float(made.double().norm()) == pytest.approx(float(own.double().norm()), rel=2e-3)


@pytest.mark.parametrize("angle", [0.1, 0.5, 1.2])
def test_a_turn_of_noise_is_by_exactly_its_angle(angle):
    own, other = noises(2)
    made = mixture(own, [(other, weight) for _, weight in turned((), 1, angle)])
    cosine = float((made * own).sum() / (made.norm() * own.norm()))
    assert np.arccos(cosine) == pytest.approx(angle, abs=1e-9)


def test_the_same_noise_again_adds_nothing():
    (own,) = noises(1)
    assert torch.allclose(mixture(own, [(own.clone(), 0.5)]), own)


def test_every_further_noise_acts(painter):
    recipes = [((7, 0.8),), ((7, 0.8), (8, 0.8)), ((7, 0.8), (9, 0.8)), ((8, 0.8), (7, 0.8))]
    pictures = painter.render([genome(painter, noise=recipe) for recipe in recipes])
    assert all(apart(one, other) > 4 for place, one in enumerate(pictures[:3]) for other in pictures[:place])
    assert np.abs(pictures[3] - pictures[1]).mean() < np.abs(pictures[2] - pictures[1]).mean()


def test_only_who_asks_for_it_gets_mixed_noise(painter):
    plain = [genome(painter, seed=seed) for seed in (1, 2)]
    among = painter.render([plain[0], genome(painter, seed=5, noise=((6, 1.0), (7, 1.0))), plain[1]])
    assert apart(among[0], one(painter, seed=1)) <= 2 and apart(among[2], one(painter, seed=2)) <= 2
    assert "prepare_latents" not in vars(painter._opened.pipe)


# ---- beginning from a picture ------------------------------------------------------------------------------------


def test_the_weaker_the_closer_to_the_picture_it_began_from(tiny):
    stored: dict[str, Any] = {}
    painter = open_generator(tiny("sd"), steps=10, picture=stored.__getitem__)
    stored["ab" * 32] = to_pixels(one(painter, seed=4))[0]
    far = [
        float(np.abs(one(painter, seed=9, start="ab" * 32, parameters={"strength": strength}) - other).mean())
        for other in [stored["ab" * 32] / 255]
        for strength in (0.1, 0.5, 0.9)
    ]
    assert far[0] < far[1] < far[2]


def test_a_picture_that_is_gone_is_that_genome_s_failure(tiny):
    painter = open_generator(tiny("sd"), picture=dict[str, Any]().__getitem__)
    with pytest.raises(KeyError):
        one(painter, start="ab" * 32, parameters={"strength": 0.5})


@pytest.mark.parametrize(("steps", "strength", "asked"), [(4, 0.5, 4), (4, 0.1, 10), (1, 0.3, 4), (20, 1.0, 20)])
def test_at_least_one_step_is_taken(steps, strength, asked):
    assert steps_for(steps, strength) == asked


# ---- words -------------------------------------------------------------------------------------------------------

STRANGE = {
    "empty": "",
    "one token": "a",
    "emoji": "🌊🦊 a wave 👩‍🚀",
    "right to left": "שקיעה מעל הים، غروب الشمس",
    "control": "a\x00b\u200b\ufeff\u202e",
}


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "flux", "zimage"])
@pytest.mark.parametrize("words", list(STRANGE.values()), ids=list(STRANGE))
def test_any_words_make_a_picture(tiny, kind, words, opened):
    picture = one(opened(kind), prompt=words)
    assert picture.shape == (SIZE, SIZE, 3) and np.isfinite(picture).all()
    assert not opened(kind).notices


@pytest.fixture(scope="module")
def opened(tiny: Any) -> Any:
    made: dict[str, Any] = {}
    return lambda kind: made.setdefault(kind, None) or made.__setitem__(kind, open_generator(tiny(kind))) or made[kind]


LONG = " ".join(["wave"] * 400)
"""More than a thousand tokens for a tokenizer of single letters."""


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_a_long_prompt_is_read_to_its_end(tiny, kind):
    painter = open_generator(tiny(kind), guidance=4.0)
    batch = [genome(painter, prompt=LONG + end, negative="ugly") for end in (" red", " blue")]
    red, blue = painter.render([*batch, genome(painter, prompt="short")])[:2]
    assert apart(red, blue) > 0
    assert apart(painter.render(batch[:1])[0], red) <= 2
    assert not painter.notices


def test_a_long_negative_prompt_is_read_to_its_end(painter):
    assert apart(one(painter, negative=LONG + " red"), one(painter, negative=LONG + " blue")) > 0


@pytest.mark.parametrize("kind", ["sd3", "flux", "zimage"])
def test_a_prompt_that_is_cut_off_is_said_once(tiny, kind):
    painter = open_generator(tiny(kind))
    for seed in (1, 2):
        assert np.isfinite(one(painter, prompt=f"{LONG} {seed}")).all()
    (notice,) = painter.notices
    assert "cut off" in notice and ("77" if kind == "sd3" else "512") in notice


def test_in_one_window_long_reading_is_the_pipeline_s_own(tiny):
    from gen_emerge.generators.diffusion.prompts import Asked, Reader

    for kind in ("sd", "sdxl"):
        pipe = open_generator(tiny(kind), guidance=4.0)._opened.pipe
        for negative in ("", "ugly"):
            asked = Asked("a cat", negative, guided=True)
            (own,) = Reader(pipe, print).read([asked], at_once=1)
            windowed = Reader(pipe, print)
            windowed._count = lambda one: 1
            (ours,) = windowed.read([asked], at_once=1)
            assert set(own) == set(ours)
            for name in own:
                assert torch.allclose(own[name], ours[name], atol=1e-5), (kind, negative, name)


def test_auto_takes_float16_for_a_unet_on_cuda_and_the_device_s_own_format_for_a_transformer(tiny, monkeypatch):
    """No CUDA device is needed to choose."""
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    assert number_format("auto", tiny("sd"), cuda) is number_format("auto", tiny("sdxl"), cuda) is torch.float16
    assert number_format("auto", tiny("flux"), cuda) is number_format("bfloat16", tiny("sd"), cuda) is torch.bfloat16
    assert number_format("auto", tiny("sd"), torch.device("cpu")) is torch.float32


def test_the_releases_that_noise_depends_on_stand_in_the_version(painter):
    assert f"torch-{torch.__version__.partition('+')[0]}:" in painter.version and "diffusers-" in painter.version
