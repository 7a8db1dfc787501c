"""What must not end a night: memory that runs out, decoders that overflow, pictures a safety checker blacks out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch
from diffusion_tools import apart, genome, open_generator
from tiny_pipelines import sd

from gen_emerge.engines.local import to_pixels
from gen_emerge.errors import GeneratorFailed
from gen_emerge.filters import inspect_pixels
from gen_emerge.generators.diffusion.portions import Portions, first_guess

pytestmark = pytest.mark.models


class Full:
    """A denoiser's forward that runs out of memory above a number of pictures, from one call on."""

    def __init__(self, generator: Any, *, most: int, after: int = 0, error: Any = torch.OutOfMemoryError) -> None:
        self._unet = generator._opened.pipe.unet
        self._forward = self._unet.forward
        self._error = error
        self.most, self.after, self.calls, self.sizes = most, after, 0, []
        self._unet.forward = self

    def __call__(self, sample: Any, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        self.sizes.append(len(sample))
        if self.calls > self.after and len(sample) > self.most:
            raise self._error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self._forward(sample, *arguments, **named)

    def leave(self) -> None:
        del self._unet.forward


@pytest.fixture
def painter(tiny: Any) -> Any:
    return open_generator(tiny("sd"), steps=1)


def batch(painter: Any, count: int = 8) -> list[Any]:
    return [genome(painter, seed=seed, prompt=f"number {seed}") for seed in range(count)]


# ---- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_at_the_first_batch_halves_it_and_loses_nothing(painter, error):
    wanted = painter.render(batch(painter))
    assert painter.learned_batch is None
    full = Full(painter, most=3, error=error)
    pictures = painter.render(batch(painter))
    assert all(apart(one, other) <= 2 for one, other in zip(pictures, wanted, strict=True))
    assert full.sizes == [8, 4, 2, 2, 2, 2]
    assert painter.learned_batch == 2
    painter.render(batch(painter))
    assert full.sizes[6:] == [2, 2, 2, 2]
    assert [notice for notice in painter.notices if "memory" in notice] == list(painter.notices)
    assert len(painter.notices) == 1


def test_out_of_memory_at_the_hundredth_batch_halves_from_there(painter):
    full = Full(painter, most=2, after=99)
    for _ in range(101):
        assert len(painter.render(batch(painter, 4))) == 4
    assert full.sizes[:99] == [4] * 99 and full.sizes[99:] == [4, 2, 2, 2, 2]
    assert painter.learned_batch == 2


def test_too_little_memory_for_one_picture_is_that_picture_s_failure(painter):
    full = Full(painter, most=0)
    with pytest.raises(GeneratorFailed, match="offload"):
        painter.render(batch(painter, 4))
    full.leave()
    assert len(painter.render(batch(painter, 4))) == 4


def test_what_was_learned_is_taken_over_by_the_next_start(tiny):
    painter = open_generator(tiny("sd"), steps=1)
    painter.learned_batch = 3
    full = Full(painter, most=99)
    painter.render(batch(painter))
    assert full.sizes == [3, 3, 2] and painter.learned_batch == 3


def test_the_batch_may_be_set(tiny):
    painter = open_generator(tiny("sd"), steps=1, batch=5)
    full = Full(painter, most=99)
    painter.render(batch(painter))
    assert full.sizes == [5, 3] and painter.learned_batch is None


def test_other_errors_are_not_taken_for_a_lack_of_memory(painter):
    Full(painter, most=0, error=lambda said: RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        painter.render(batch(painter, 2))


def test_the_first_guess_follows_memory_and_size(monkeypatch):
    class Card:
        total_memory = 8 << 30

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")

    def guess(device: Any = cuda, *, weights: int = 3 << 30, side: int = 512, item_bytes: int = 2) -> int:
        return first_guess(device, weights=weights, pixels=side * side, item_bytes=item_bytes)

    assert guess() == 6 and guess(side=1024) == 1 and guess(item_bytes=4) == 3
    assert guess(weights=20 << 30) == 1 and guess(side=64) == 16
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 4 << 20, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert guess(cpu, item_bytes=4) == 3


def test_a_batch_is_of_one_size_throughout():
    told: list[str] = []
    portions, tried = Portions(torch.device("cpu"), told.append), list[int]()

    def attempt(size: int) -> str:
        tried.append(size)
        if size > 2:
            raise MemoryError
        return f"in portions of {size}"

    assert portions.run(attempt, guess=16, most=8) == "in portions of 2"
    assert tried == [16, 4, 2] and portions.learned == 2 and len(told) == 1
    assert portions.run(attempt, guess=1, most=8) == "in portions of 1"
    portions.learned = None
    with pytest.raises(GeneratorFailed, match="offload"):
        portions.run(attempt, guess=3, most=1)


# ---- decoders that overflow --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: Any) -> Any:
    """A checkpoint whose decoder leaves the range of float16, and stays well within float32's."""
    return sd(tmp_path_factory.mktemp("spoilt") / "sd", spoilt_vae=3e5)


def test_a_half_precision_decoder_that_overflows_is_tried_again_in_float32(spoilt):
    half, full = open_generator(spoilt, dtype="float16"), open_generator(spoilt)
    pipe = half._opened.pipe
    raw = pipe("a cat", num_inference_steps=2, output_type="np", height=64, width=64, guidance_scale=0.0).images
    assert not np.isfinite(raw).all()  # so the checkpoint is as spoilt as it should be
    genomes = [genome(half, seed=seed) for seed in (1, 2)]
    pictures = half.render(genomes)
    assert all(np.isfinite(picture).all() and picture.std() > 0.01 for picture in pictures)
    for picture, wanted in zip(pictures, full.render(genomes), strict=True):
        assert np.abs(picture - wanted).mean() < 0.02
    assert pipe.vae.dtype == torch.float16 and "decode" not in vars(pipe.vae)


def test_a_safety_checker_shown_an_overflow_does_not_end_the_batch(tmp_path):
    painter = open_generator(sd(tmp_path / "both", safety=1.5, spoilt_vae=3e5), dtype="float16")
    (picture,) = painter.render(batch(painter, 1))
    assert np.isfinite(picture).all() and not painter.flagged


def test_what_stays_nan_is_given_as_nan_and_only_that_picture(painter):
    vae = painter._opened.pipe.vae
    decode = vae.decode

    def spoil(latents: Any, *arguments: Any, **named: Any) -> Any:
        (picture, *rest) = decode(latents, *arguments, **named)
        picture[1] = torch.nan
        return (picture, *rest)

    vae.decode = spoil
    first, second, third = painter.render(batch(painter, 3))
    assert np.isnan(second).all() and np.isfinite(first).all() and np.isfinite(third).all()
    assert not to_pixels(second)[1]


def test_half_precision_makes_the_picture_of_full_precision_nearly(tiny):
    full, half = open_generator(tiny("sd")), open_generator(tiny("sd"), dtype="float16")
    one, other = full.render(batch(full, 2)), half.render(batch(half, 2))
    assert full.version != half.version and "float16" in half.version
    assert all(np.abs(a - b).mean() < 0.02 for a, b in zip(one, other, strict=True))


# ---- the checkpoint's safety checker -----------------------------------------------------------------------------


def test_a_picture_the_safety_checker_blacks_out_is_flagged_and_fails_a_hard_filter(tmp_path):
    strict, mild = (open_generator(sd(tmp_path / name, safety=at)) for name, at in (("strict", -1.5), ("mild", 1.5)))
    genomes = batch(strict, 2)
    pictures = strict.render(genomes)
    assert set(strict.flagged) == {one.hash for one in genomes}
    for picture in pictures:
        verdict = inspect_pixels(to_pixels(picture)[0], pixels_hash="", seen=())
        assert verdict is not None and verdict.gate == "black"
    assert all(picture.std() > 0.02 for picture in mild.render(genomes)) and not mild.flagged


def test_a_flagged_picture_is_not_taken_for_a_decoder_that_overflowed(tmp_path, monkeypatch):
    strict = open_generator(sd(tmp_path / "strict", safety=-1.5), dtype="float16")
    calls: list[int] = []
    call = strict._brush._call
    monkeypatch.setattr(strict._brush, "_call", lambda strokes: calls.append(len(strokes)) or call(strokes))
    strict.render(batch(strict, 2))
    assert calls == [2] and len(strict.flagged) == 2
