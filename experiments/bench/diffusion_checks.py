"""What must hold of the diffusion generator and the gates' scorers on CUDA: `bench_diffusion.py --checks` runs them.

Every check gives ok (true, false, or null where there is only a figure) and its numbers. One that raises has failed;
the others go on. Differences of pictures are in levels of 255, as bytes.
"""

from __future__ import annotations

import gc
import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from bench_diffusion import (
    BATCH,
    GUIDANCE,
    Sizes,
    different,
    forget,
    gate_scorers,
    open_generator,
    peak_mib,
    references,
    texts,
)

from gen_emerge.engines.local import to_pixels
from gen_emerge.types import Genome

CLOSE = 2
"""Levels of 255."""


def genomes(generator: Any, sizes: Sizes, count: int = BATCH, **more: Any) -> list[Genome]:
    prompts = [prompt for number in range(-(-count // BATCH)) for prompt in texts(3)(number)]
    values: dict[str, Any] = {"slots": {}, "generator": "diffusion", "generator_version": generator.version}
    values |= {"parameters": {}, "width": sizes.side, "height": sizes.side, **more}
    return [Genome(prompt=prompts[seed], seed=seed, **values) for seed in range(count)]


def sum_of(pictures: Sequence[Any]) -> str:
    return hashlib.sha256(b"".join(to_pixels(picture)[0].tobytes() for picture in pictures)).hexdigest()[:16]


def spread(pictures: Sequence[Any]) -> list[float]:
    """The least and the largest standard deviation of a picture, in levels."""
    found = [float(np.std(to_pixels(picture)[0])) for picture in pictures]
    return [round(min(found), 2), round(max(found), 2)]


def repeated(checkpoint: Path, sizes: Sizes, dtype: str) -> dict[str, Any]:
    """The same batch twice, and each picture of it alone."""
    generator = open_generator(checkpoint, sizes, dtype=dtype)
    batch = genomes(generator, sizes)
    first, second = generator.render(batch), generator.render(batch)
    same = all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    alone = [generator.render([one])[0] for one in batch[:4]]
    apart = different(alone, first[:4])
    other = different(first[:1], first[1:2])
    return {
        "ok": same and apart["most"] <= CLOSE,
        "same_batch_same_bytes": same,
        "alone_against_in_a_batch": apart,
        "two_genomes": other,
        "spread": spread(first),
        "sum": sum_of(first),
    }


def offloaded(checkpoint: Path, sizes: Sizes, mode: str) -> dict[str, Any]:
    few = replace(sizes, steps=min(sizes.steps, 6))
    plain = open_generator(checkpoint, few)
    batch = genomes(plain, few, 2)
    wanted = plain.render(batch)
    del plain
    forget(sizes.device)
    generator = open_generator(checkpoint, few, offload=mode)
    started = time.perf_counter()
    made = generator.render(batch)
    seconds = time.perf_counter() - started
    apart = different(made, wanted)
    twice = different(generator.render(batch), made)["most"] == 0
    figures = {"seconds": round(seconds, 2), "peak_gpu_mib": peak_mib(sizes.device), "steps": few.steps}
    return {"ok": apart["most"] <= CLOSE and twice, "difference": apart, "same_bytes_twice": twice, **figures}


def retried(folder: Path, sizes: Sizes, offload: str) -> dict[str, Any]:
    """A decoder that overflows in float16 is used again in float32."""
    import torch
    from tiny_pipelines import sd

    if sizes.device == "cpu":
        offload = "none"
    spoilt = sd(folder / f"spoilt-{offload}", spoilt_vae=3e5)
    tiny = replace(sizes, side=64, steps=2)
    half = open_generator(spoilt, tiny, dtype="float16", offload=offload)
    full = open_generator(spoilt, tiny, dtype="float32")
    batch = [replace(one, prompt=f"number {one.seed}") for one in genomes(half, tiny, 3)]
    with mock.patch("gen_emerge.generators.diffusion.calling._spoilt", lambda picture: False):
        raw = half.render(batch)
    made = half.render(batch)
    finite = all(np.isfinite(picture).all() for picture in made)
    # Latents of the half network through a float32 decoder of another: noise drawn in float32 would be other noise.
    with torch.no_grad():
        latents = half._opened.pipe(
            [one.prompt for one in batch],
            width=tiny.side,
            height=tiny.side,
            num_inference_steps=tiny.steps,
            guidance_scale=GUIDANCE,
            generator=[torch.Generator("cpu").manual_seed(one.seed) for one in batch],
            output_type="latent",
        ).images
        coder = full._opened.pipe.vae
        decoded = coder.decode(latents.float() / coder.config.scaling_factor).sample
    wanted = (decoded / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    drawn = [
        torch.randn(1, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(1), dtype=d)
        for d in (torch.float16, torch.float32)
    ]
    away = max(float(np.abs(a - b).mean()) for a, b in zip(made, wanted, strict=True))
    restored = half._opened.pipe.vae.dtype == torch.float16
    spoilt_at_first = not all(np.isfinite(picture).all() for picture in raw)
    return {
        "ok": spoilt_at_first and finite and away < 0.02 and restored,
        "not_finite_without": spoilt_at_first,
        "finite_with": finite,
        "mean_difference_to_float32": round(away * 255, 3),
        "decoder_as_before": restored,
        "noise_of_a_seed_float16_against_float32": round(float((drawn[0].float() - drawn[1]).abs().mean()), 4),
    }


def crowded(checkpoint: Path, sizes: Sizes) -> dict[str, Any]:
    """A real lack of memory: all but a few GiB are held by one tensor."""
    import torch

    few = replace(sizes, steps=min(sizes.steps, 4))
    count, left = (64, 6 << 30) if not sizes.small else (64, 192 << 20)
    generator = open_generator(checkpoint, few, batch=count)
    batch = genomes(generator, few, count)
    generator.render(batch[:1])
    forget(sizes.device)
    free = torch.cuda.mem_get_info()[0]
    held = torch.empty(free - left, dtype=torch.uint8, device="cuda")
    started = time.perf_counter()
    made = generator.render(batch)
    seconds = time.perf_counter() - started
    learned = generator.learned_batch
    del held
    gc.collect()
    torch.cuda.empty_cache()
    fresh = open_generator(checkpoint, few, batch=learned or count)
    apart = different(made, fresh.render(batch))
    notices = [notice for notice in generator.notices if "memory" in notice]
    whole = len(made) == count and all(np.isfinite(one).all() for one in made)
    return {
        "ok": whole and learned is not None and learned < count and apart["most"] == 0 and len(notices) == 1,
        "asked": count,
        "left_gib": round(left / 2**30, 2),
        "learned_batch": learned,
        "all_pictures_there": whole,
        "against_a_generator_told_that_batch": apart,
        "notices": notices,
        "seconds": round(seconds, 2),
    }


def too_little(checkpoint: Path, sizes: Sizes) -> dict[str, Any]:
    """Too little for one picture is said so, and the generator works again when there is room."""
    import torch

    from gen_emerge.errors import GeneratorFailed

    few = replace(sizes, steps=2)
    generator = open_generator(checkpoint, few)
    batch = genomes(generator, few, 2)
    wanted = generator.render(batch[:1])
    forget(sizes.device)
    held = torch.empty(torch.cuda.mem_get_info()[0] - (64 << 20), dtype=torch.uint8, device="cuda")
    try:
        generator.render(batch)
        said = ""
    except GeneratorFailed as error:
        said = str(error)
    del held
    gc.collect()
    torch.cuda.empty_cache()
    after = different(generator.render(batch[:1]), wanted)
    return {"ok": "too little memory" in said and after["most"] == 0, "said": said, "afterwards": after}


def acted(checkpoint: Path, sizes: Sizes) -> dict[str, Any]:
    """Image to image and mixed noise: they run, repeat themselves, and change what they should."""
    shelf: dict[str, Any] = {}
    generator = open_generator(checkpoint, sizes, shelf.__getitem__)
    plain = genomes(generator, sizes, 2)
    made = generator.render(plain)
    shelf[plain[0].hash] = to_pixels(made[0])[0]
    begun = genomes(generator, sizes, 2, start=plain[0].hash, parameters={"strength": 0.5})
    mixed = genomes(generator, sizes, 2, noise=((77, 0.3), (78, 0.2)))
    found: dict[str, Any] = {"abilities": sorted(generator.abilities)}
    oks: list[bool] = []
    for name, some in (("image_to_image", begun), ("mixed_noise", mixed)):
        one, two = generator.render(some), generator.render(some)
        same, away = different(one, two)["most"] == 0, different(one, made)
        alone = different(generator.render(some[:1]), one[:1])
        fine = all(np.isfinite(picture).all() for picture in one)
        oks += [same, fine, away["most"] > CLOSE]
        found[name] = {"same_bytes_twice": same, "against_plain": away, "alone_against_in_a_batch": alone}
    together = generator.render([*plain, *begun, *mixed])
    found["all_kinds_in_one_batch"] = different(together[:2], made)
    return {"ok": all(oks), **found}


def thrift(checkpoint: Path, sizes: Sizes) -> dict[str, Any]:
    """Memory a picture takes against what the first guess reckons with, at the batch it guesses."""
    import torch

    from gen_emerge.generators.diffusion.portions import BYTES_PER_PIXEL, first_guess

    few = replace(sizes, steps=2)
    generator = open_generator(checkpoint, few, batch="auto")
    opened = generator._opened
    size = first_guess(opened.device, weights=opened.weights, pixels=sizes.side**2, item_bytes=opened.dtype.itemsize)
    batch = genomes(generator, few, size)
    generator.render(batch)
    forget(sizes.device)
    generator.render(batch)
    peak = torch.cuda.max_memory_allocated()
    each = (peak - opened.weights) / (size * sizes.side**2 * opened.dtype.itemsize)
    return {
        "ok": each <= BYTES_PER_PIXEL,
        "first_guess": size,
        "peak_gpu_mib": round(peak / 2**20, 1),
        "weights_mib": round(opened.weights / 2**20, 1),
        "bytes_a_pixel_and_byte_of_the_format": round(each, 1),
        "reckoned_with": BYTES_PER_PIXEL,
    }


def families(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Every kind of pipeline, tiny: the same bytes twice, alone as in a batch."""
    from tiny_pipelines import MAKERS

    tiny = replace(sizes, side=64, steps=3)
    found: dict[str, Any] = {}
    for kind, make in MAKERS.items():
        checkpoint = make(folder / f"tiny-{kind}")
        for dtype in ("float16", "bfloat16", "float32"):
            if kind == "zimage" and dtype == "float16":
                continue  # its makers give it in bfloat16
            generator = open_generator(checkpoint, tiny, dtype=dtype, guidance=0.0 if kind == "flux" else 4.0)
            batch = genomes(generator, tiny)
            first, second = generator.render(batch), generator.render(batch)
            found[f"{kind} {dtype}"] = {
                "same_bytes_twice": different(first, second)["most"] == 0,
                "finite": all(bool(np.isfinite(one).all()) for one in first),
                "alone_against_in_a_batch": different([generator.render([batch[0]])[0]], first[:1])["most"],
            }
    return {"ok": all(one["same_bytes_twice"] and one["finite"] for one in found.values()), **found}


def with_lora(folder: Path, sizes: Sizes) -> dict[str, Any]:
    from tiny_pipelines import lora, sd

    tiny = replace(sizes, side=64, steps=2)
    base = sd(folder / "for-lora")
    file = lora(base, folder / "style.safetensors")
    plain, styled = open_generator(base, tiny), open_generator(base, tiny, loras=[f"{file}@0.8"])
    batch = genomes(plain, tiny, 2)
    wanted, made = plain.render(batch), styled.render(batch)
    away, twice = different(made, wanted), different(styled.render(batch), made)["most"] == 0
    return {"ok": away["most"] > CLOSE and twice, "difference": away, "same_bytes_twice": twice}


def compiled(folder: Path, sizes: Sizes) -> dict[str, Any]:
    from tiny_pipelines import sd

    tiny = replace(sizes, side=64, steps=2)
    base = sd(folder / "for-compile")
    plain = open_generator(base, tiny, dtype="float32")
    batch = genomes(plain, tiny, 2)
    wanted = plain.render(batch)
    generator = open_generator(base, tiny, dtype="float32", compile=True)
    started = time.perf_counter()
    made = generator.render(batch)
    seconds = time.perf_counter() - started
    apart, twice = different(made, wanted), different(generator.render(batch), made)["most"] == 0
    figures = {"seconds_of_the_first_batch": round(seconds, 1), "version": generator.version}
    return {"ok": apart["most"] <= CLOSE and twice, "difference": apart, "same_bytes_twice": twice, **figures}


def scored(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """The four gates' scorers: the same numbers twice, the CPU's numbers nearly."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (BATCH, 16, 16, 3), dtype=np.uint8)
    images = [np.ascontiguousarray(one.repeat(32, 0).repeat(32, 1)) for one in coarse]
    for image in images:
        image.setflags(write=False)
    prompts = texts(4)(0)
    found: dict[str, dict[str, Any]] = {}
    for place, device in enumerate((sizes.device, sizes.device, "cpu")):
        scorers = gate_scorers(folder / f"scorers-{place}", device, references(), small=sizes.small)
        values: dict[str, Any] = {}
        for scorer in scorers:
            for reading in scorer.score(images, prompts):
                for signal in reading.signals:
                    values.setdefault(signal.scorer, []).append(signal.value)
                if reading.embedding is not None:
                    values.setdefault("embedding", []).append(reading.embedding.vector)
        found[str(place)] = {name: np.asarray(value, np.float64) for name, value in values.items()}
    same = all(np.array_equal(found["0"][name], found["1"][name]) for name in found["0"])
    away = {name: float(np.abs(found["0"][name] - found["2"][name]).max()) for name in found["0"]}
    most = max(value / max(1.0, float(np.abs(found["2"][name]).max())) for name, value in away.items())
    return {"ok": same and most < 5e-3, "same_numbers_when_opened_again": same, "largest_difference_to_the_cpu": away}


def checks(checkpoint: Path, folder: Path, sizes: Sizes, found: dict[str, Any], save: Callable[[], None]) -> None:
    """Run them all; `found` grows by one entry a check."""
    on_cuda = sizes.device != "cpu"
    dtypes = ("float16", "bfloat16", "float32")
    todo: dict[str, Callable[[], dict[str, Any]]] = {
        **{f"repeated {dtype}": lambda dtype=dtype: repeated(checkpoint, sizes, dtype) for dtype in dtypes},
        "offload model": lambda: offloaded(checkpoint, sizes, "model"),
        "offload sequential": lambda: offloaded(checkpoint, sizes, "sequential"),
        "decoder retried": lambda: retried(folder, sizes, "none"),
        "decoder retried, offload model": lambda: retried(folder, sizes, "model"),
        "image to image, mixed noise": lambda: acted(checkpoint, sizes),
        "families": lambda: families(folder, sizes),
        "lora": lambda: with_lora(folder, sizes),
        "scorers": lambda: scored(folder, sizes),
    }
    if on_cuda:
        todo |= {
            "out of memory": lambda: crowded(checkpoint, sizes),
            "too little memory for one": lambda: too_little(checkpoint, sizes),
            "memory a picture": lambda: thrift(checkpoint, sizes),
        }
    todo["compile"] = lambda: compiled(folder, sizes)
    for name, check in todo.items():
        forget(sizes.device)
        started = time.perf_counter()
        try:
            found[name] = check()
        except Exception as error:
            where = traceback.format_exc().strip().splitlines()[-7:]
            found[name] = {"ok": False, "raised": f"{type(error).__name__}: {error}"[:500], "where": where}
        found[name]["check_seconds"] = round(time.perf_counter() - started, 1)
        print(name, found[name].get("ok"), found[name].get("raised", ""), flush=True)
        save()
