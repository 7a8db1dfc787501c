"""Images per second of a diffusion pipeline called by itself and of the whole loop around it, on one CUDA device.

    python experiments/bench/bench_diffusion.py [--cycles 24] [--checks] [--sdxl] [--json FILE]

A checkpoint of Stable Diffusion 1.5's sizes is made with random weights (UNet, VAE and CLIP text, float16 safetensors).
"Bare" is one call of its pipeline: 8 texts, 512 px, 20 steps, guidance 7.5, NumPy pictures out; once with the settings
of torch that a series has (kernels that repeat their numbers), once with torch's own. "Loop" is everything a series
does: proposals, PNGs, thumbnails, filters, scores, gates, critic, commits; with scorers that cost nothing, with the
four real ones (random weights, NIMA's MobileNet and ViT-B/32 for CLIP and DreamSim) on the same device, and with
genomes that begin from a stored picture. The share of the time that goes into encoding prompts is measured apart, in a
short loop and in single calls of the pipeline: for it the device is waited for around every encoding. `--checks` adds
`diffusion_checks.py`. Without CUDA it says so and exits 2; `--small` runs everything at toy sizes on whatever there is,
to try the script itself.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "models"), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402

from gen_emerge.config import parse  # noqa: E402
from gen_emerge.crew import assemble, reference_prompts  # noqa: E402
from gen_emerge.emitters import all_emitters  # noqa: E402
from gen_emerge.engines.local import LocalEngine, to_pixels  # noqa: E402
from gen_emerge.fakes import FakeScorer  # noqa: E402
from gen_emerge.live import Live  # noqa: E402
from gen_emerge.loop import run  # noqa: E402
from gen_emerge.roles import Crew  # noqa: E402
from gen_emerge.state import replay  # noqa: E402
from gen_emerge.store import Store  # noqa: E402
from gen_emerge.store.images import PictureWriter, paths_of, read_pixels  # noqa: E402
from gen_emerge.types import CycleRecord, Genome, Pixels  # noqa: E402

BATCH, WARMUP, GUIDANCE = 8, 2, 7.5
WANTED = 0.97
SETTLED = WARMUP + 2
"""The commit from which the loop's time counts."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured at: the real sizes, or toy ones to try the script."""

    device: str
    side: int
    steps: int
    rounds: int
    cycles: int
    small: bool


# ---- checkpoints with random weights ------------------------------------------------------------------------------


def tokenizer(folder: Path) -> Any:
    """CLIP's own: its words come with open_clip, so that prompts have as many tokens as with a published checkpoint."""
    import open_clip
    from transformers import CLIPTokenizer

    own = open_clip.SimpleTokenizer()
    vocab = dict(own.encoder)
    for theirs, usual in (("<start_of_text>", "<|startoftext|>"), ("<end_of_text>", "<|endoftext|>")):
        vocab[usual] = vocab.pop(theirs)
    merges = "\n".join(" ".join(pair) for pair in sorted(own.bpe_ranks, key=own.bpe_ranks.__getitem__))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)


def text_encoder(words: Any, *, width: int, layers: int, heads: int, projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.eos_token_id,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def decoder(**more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
        **more,
    )


def lively(unet: Any, cross: int, added: dict[str, Any] | None = None) -> None:
    """Scale the last layer so that what is taken for noise has a noise's size: as made, it is nearly nothing."""
    import torch

    device = unet.conv_out.weight.device
    with torch.no_grad():
        seen = torch.randn(1, 4, 32, 32, device=device)
        words = torch.randn(1, 77, cross, device=device)
        out = unet(seen, torch.tensor(500, device=device), words, added_cond_kwargs=added).sample
        unet.conv_out.weight.div_(out.std())
        unet.conv_out.bias.div_(out.std())


def make_sd(folder: Path, sizes: Sizes) -> Path:
    """Stable Diffusion 1.5's sizes: 860 million parameters in the UNet, 84 in the VAE, 123 in the text encoder."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    if sizes.small:
        from tiny_pipelines import sd

        return sd(folder)
    torch.manual_seed(1)
    words = tokenizer(folder / "tokenizer")
    with torch.device(sizes.device):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)  # the library's defaults are its own
        vae, text = decoder(), text_encoder(words, width=768, layers=12, heads=12)
    lively(unet.eval(), 768)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )
    StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text.half(),
        tokenizer=words,
        unet=unet.half(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(str(folder), safe_serialization=True, variant="fp16")
    return folder


def make_sdxl(folder: Path, sizes: Sizes) -> Path:
    """SDXL's sizes: 2,567 million parameters in the UNet, 84 in the VAE, 123 and 695 in the text encoders."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    if sizes.small:
        from tiny_pipelines import sdxl

        return sdxl(folder)
    torch.manual_seed(2)
    words, more = tokenizer(folder / "tokenizer"), tokenizer(folder / "tokenizer_2")
    with torch.device(sizes.device):
        unet = UNet2DConditionModel(
            sample_size=128,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=[1, 2, 10],
            attention_head_dim=[5, 10, 20],
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
        vae = decoder(scaling_factor=0.13025, force_upcast=False)
        text = text_encoder(words, width=768, layers=12, heads=12)
        larger = text_encoder(more, width=1280, layers=32, heads=20, projected=True)
        added = {"text_embeds": torch.randn(1, 1280), "time_ids": torch.full((1, 6), 1024.0)}
    lively(unet.eval(), 2048, added)
    StableDiffusionXLPipeline(
        vae=vae.half(),
        text_encoder=text.half(),
        text_encoder_2=larger.half(),
        tokenizer=words,
        tokenizer_2=more,
        unet=unet.half(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        add_watermarker=False,
    ).save_pretrained(str(folder), safe_serialization=True, variant="fp16")
    return folder


def gate_scorers(folder: Path, device: str, references: Sequence[str], *, small: bool = False) -> Any:
    """The four gates' scorers as a series opens them, at their real sizes."""
    import open_clip
    from tiny_scorers import clip_files, dreamsim_folder, gate_tables, nima_file, pins

    from gen_emerge.scorers import loading

    tables = gate_tables(folder)
    if not small:
        clip = clip_files(folder / "real-clip", config=open_clip.get_model_config("ViT-B-32"), name="ViT-B-32")
        own = dreamsim_folder(folder / "real-dreamsim")
        tables["quality"]["weights"] = str(nima_file(folder / "real-nima.hdf5", alpha=1.0))
        tables["prompt"] |= {"model": "ViT-B-32", "weights": str(clip)}
        tables["novelty"] = {"use": "dreamsim", "weights": str(own), "sha256": pins(own)}
    split = {gate: (t["use"], {k: v for k, v in t.items() if k != "use"}) for gate, t in tables.items()}
    return loading.load(split, references, device=device, batch="auto")


# ---- the device ---------------------------------------------------------------------------------------------------


def wait(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def forget(device: str) -> None:
    """Give back what nobody holds, and begin the peak anew."""
    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_mib(device: str) -> float | None:
    if not device.startswith("cuda"):
        return None
    import torch

    return round(torch.cuda.max_memory_allocated() / 2**20, 1)


def machine(device: str) -> dict[str, Any]:
    import diffusers
    import torch
    import transformers

    about: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
    }
    if device.startswith("cuda"):
        card = torch.cuda.get_device_properties(0)
        about |= {
            "gpu": card.name,
            "gpu_memory_gib": round(card.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return about


# ---- bare ---------------------------------------------------------------------------------------------------------


def bare(pipe: Any, prompts: Callable[[int], list[str]], sizes: Sizes, *, repeatable: bool) -> dict[str, Any]:
    """Seconds of single calls of a pipeline, with the settings of torch a series has or with torch's own."""
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    if not repeatable:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
    times: list[float] = []
    forget(sizes.device)
    for number in range(sizes.rounds + 2):
        wait(sizes.device)
        started = time.perf_counter()
        made = pipe(
            prompts(number),
            width=sizes.side,
            height=sizes.side,
            num_inference_steps=sizes.steps,
            guidance_scale=GUIDANCE,
            generator=[torch.Generator("cpu").manual_seed(number * BATCH + place) for place in range(BATCH)],
            output_type="np",
        ).images
        wait(sizes.device)
        times.append(time.perf_counter() - started)
        assert made.shape == (BATCH, sizes.side, sizes.side, 3)
    torch.use_deterministic_algorithms(before[0], warn_only=True)
    torch.backends.cudnn.deterministic = before[1]
    times = times[2:]  # warmed up
    return {
        "seconds_a_batch": round(statistics.median(times), 4),
        "least_and_most": [round(min(times), 4), round(max(times), 4)],
        "images_a_second": round(BATCH / statistics.median(times), 3),
        "peak_gpu_mib": peak_mib(sizes.device),
    }


def denoiser(unet: Any, sizes: Sizes) -> dict[str, float]:
    """Seconds one pass of the UNet takes, and how long Python needs to ask for it: near to it, Python is the bound."""
    import torch

    weight = next(unet.parameters())
    about = {"device": weight.device, "dtype": weight.dtype}
    seen = torch.randn(2 * BATCH, 4, sizes.side // 8, sizes.side // 8, **about)
    words = torch.randn(2 * BATCH, 77, unet.config.cross_attention_dim, **about)
    step = torch.tensor(500, device=weight.device)
    asked: list[float] = []
    taken: list[float] = []
    with torch.no_grad():
        for _ in range(8):
            wait(sizes.device)
            started = time.perf_counter()
            for _ in range(2):
                unet(seen, step, words)
            asked.append((time.perf_counter() - started) / 2)
            wait(sizes.device)
            taken.append((time.perf_counter() - started) / 2)
    return {"to_ask": round(statistics.median(asked[2:]), 4), "to_end": round(statistics.median(taken[2:]), 4)}


# ---- the loop -----------------------------------------------------------------------------------------------------


class Shelf:
    """Where genomes that begin from a picture find it: the folder of the series that is running."""

    folder = Path()

    def __call__(self, genome: str) -> Pixels:
        return read_pixels(self.folder / paths_of(genome)[0])


def crew_of(generator: Any, scorers: Any, sizes: Sizes, *, pictures: bool) -> Crew:
    """A series' crew, with a generator and scorers that are open already."""
    size = {"width": sizes.side, "height": sizes.side}
    loop = {"batch": BATCH, "warmup_cycles": WARMUP, "checkin_every": 0}
    crew = assemble(parse({"schema": 1, "name": "bench", "image": size, "loop": loop}), root=ROOT, references=[])
    limits = dict(crew.limits)
    if not isinstance(scorers[0], FakeScorer):
        limits |= {"quality": (1.0, 10.0), "prompt": (-2.0, 2.0)}
    abilities = generator.abilities if pictures else generator.abilities - {"image"}
    return replace(crew, generator=generator, scorers=scorers, limits=limits, emitters=all_emitters(abilities))


@contextmanager
def timed(owner: Any, name: str, device: str) -> Iterator[list[float]]:
    """Seconds of every call of an object's method while this lasts; what the device was still at is waited for."""
    method, spent = getattr(owner, name), list[float]()

    def call(*arguments: Any, **named: Any) -> Any:
        wait(device)
        started = time.perf_counter()
        try:
            return method(*arguments, **named)
        finally:
            wait(device)
            spent.append(time.perf_counter() - started)

    setattr(owner, name, call)
    try:
        yield spent
    finally:
        delattr(owner, name)


class Watched:
    """A generator whose batches are counted: genomes and seconds of each call."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self.calls: list[tuple[int, float]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def render(self, genomes: Sequence[Genome]) -> Any:
        started = time.perf_counter()
        made = self._generator.render(genomes)
        self.calls.append((len(genomes), time.perf_counter() - started))
        return made


def loop(
    generator: Any, scorers: Any, sizes: Sizes, shelf: Shelf, *, cycles: int, pictures: bool = False
) -> dict[str, Any]:
    """The whole loop from commit `SETTLED` to the last one."""
    watched = Watched(generator)
    crew = crew_of(watched, scorers, sizes, pictures=pictures)
    commits: dict[int, float] = {}
    outcomes: dict[str, int] = {}
    begun = 0

    def tell(record: CycleRecord) -> None:
        nonlocal begun
        commits[record.cycle] = time.perf_counter()
        for candidate in record.candidates:
            outcomes[candidate.cause or candidate.status] = outcomes.get(candidate.cause or candidate.status, 0) + 1
            begun += bool(candidate.genome.start)

    forget(sizes.device)
    with tempfile.TemporaryDirectory() as folder:
        base = shelf.folder = Path(folder) / "bench"
        store = Store.create(base, {"fixed": {}, "reference_prompts": []})
        writer = PictureWriter(base, series="bench")
        engine = LocalEngine(crew.generator, writer.write, max_attempts=3)
        live = Live(
            crew, store, replay([]), load=lambda image: read_pixels(base / image.path), paint=engine.paint, cache=base
        )
        try:
            run(live, engine, cycles=cycles, tell=tell)
        finally:
            engine.close()
            writer.close()
            live.sitting.close()
            store.close()
        files = sorted((base / "images").rglob("*.png"))
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + read_pixels(file).tobytes())
    spans = [commits[cycle] - commits[cycle - 1] for cycle in range(SETTLED + 1, cycles + 1)]
    seconds = (commits[cycles] - commits[SETTLED]) / (cycles - SETTLED)
    rendering = [spent for _, spent in watched.calls[SETTLED:]]
    return {
        "cycles": [SETTLED, cycles],
        "seconds_a_cycle": round(seconds, 4),
        "median_of_cycles": round(statistics.median(spans), 4),
        "least_and_most": [round(min(spans), 4), round(max(spans), 4)],
        "median_of_rendering": round(statistics.median(rendering), 4),
        "images_a_second": round(BATCH / seconds, 3),
        "peak_gpu_mib": peak_mib(sizes.device),
        "pictures": len(files),
        "begun_from_a_picture": begun,
        "outcomes": outcomes,
        "digest_of_pictures": digest.hexdigest(),
    }


def prompts(generator: Any, sizes: Sizes, shelf: Shelf) -> dict[str, Any]:
    """The share of a batch's time in encoding prompts: of rendering in the loop, and of the bare pipeline's call."""
    drawn, pipe, rounds = texts(3), generator._opened.pipe, max(sizes.rounds // 2, 2)
    with timed(generator._reader, "read", sizes.device) as read:
        around = loop(generator, (FakeScorer(),), sizes, shelf, cycles=SETTLED + 6)
    with timed(pipe, "encode_prompt", sizes.device) as encoded:
        alone = bare(pipe, drawn, replace(sizes, rounds=rounds), repeatable=True)
    reading, encoding = statistics.median(read[SETTLED:]), statistics.median(encoded[2:])
    return {
        "batches": len(read),
        "seconds_of_a_batch_in_the_loop": round(reading, 4),
        "share_of_rendering_in_the_loop": round(reading / around["median_of_rendering"], 4),
        "seconds_of_a_batch_bare": round(encoding, 4),
        "share_of_a_call_bare": round(encoding / alone["seconds_a_batch"], 4),
    }


def texts(seed: int) -> Callable[[int], list[str]]:
    """Eight prompts a call, drawn as a series draws them."""
    from gen_emerge.chance import draw
    from gen_emerge.crew import load_banks

    bank = load_banks(parse({"schema": 1, "name": "bench"}), ROOT)[0]

    def drawn(number: int) -> list[str]:
        prompts: list[str] = []
        for place in range(BATCH):
            rng = draw(seed, number, place, "bench")
            prompts.append(bank.prompt({s: words[int(rng.integers(len(words)))] for s, words in bank.slots.items()}))
        return prompts

    return drawn


def references() -> list[str]:
    from gen_emerge.crew import load_banks

    return reference_prompts(load_banks(parse({"schema": 1, "name": "bench"}), ROOT)[0], 7)


def open_generator(folder: Path, sizes: Sizes, shelf: Any = None, **options: Any) -> Any:
    from gen_emerge.generators.diffusion import Diffusion

    half = "float32" if sizes.device == "cpu" else "float16"
    given = {"steps": sizes.steps, "guidance": GUIDANCE, "device": sizes.device, "dtype": half, "batch": BATCH}
    return Diffusion({"model": str(folder), **given, **options}, picture=shelf)


def speed(checkpoint: Path, sizes: Sizes, found: dict[str, Any], save: Callable[[], None]) -> None:
    """Bare against loop; what is known is saved after each part."""
    shelf = Shelf()
    started = time.perf_counter()
    generator = open_generator(checkpoint, sizes, shelf)
    found["seconds_to_open"] = round(time.perf_counter() - started, 2)
    found["version"] = generator.version
    found["weights_mib"] = round(generator._opened.weights / 2**20, 1)
    pipe = generator._opened.pipe
    found["seconds_of_a_pass_of_the_unet"] = denoiser(pipe.unet, sizes)
    found["bare"] = bare(pipe, texts(1), sizes, repeatable=True)
    found["bare_with_torch_s_own_settings"] = bare(pipe, texts(1), sizes, repeatable=False)
    save()
    found["loop"] = loop(generator, (FakeScorer(),), sizes, shelf, cycles=sizes.cycles)
    save()
    found["encoding_of_prompts"] = prompts(generator, sizes, shelf)
    save()
    with tempfile.TemporaryDirectory() as folder:
        scorers = gate_scorers(Path(folder), sizes.device, references(), small=sizes.small)
        found["loop_with_real_scorers"] = loop(generator, scorers, sizes, shelf, cycles=sizes.cycles)
        save()
        found["loop_again"] = loop(generator, scorers, sizes, shelf, cycles=sizes.cycles)
        save()
        found["loop_with_pictures_to_begin_from"] = loop(
            generator, scorers, sizes, shelf, cycles=sizes.cycles, pictures=True
        )
    found["bare_again"] = bare(pipe, texts(1), sizes, repeatable=True)
    both = [found["bare"]["images_a_second"], found["bare_again"]["images_a_second"]]
    once, again = found["loop_with_real_scorers"], found["loop_again"]
    names = ("loop", "loop_with_real_scorers", "loop_again")
    found["share_of_bare"] = {n: round(found[n]["images_a_second"] / statistics.mean(both), 4) for n in names}
    own = found["bare_with_torch_s_own_settings"]["images_a_second"]
    found["share_of_bare_with_torch_s_own_settings"] = {n: round(found[n]["images_a_second"] / own, 4) for n in names}
    found["wanted"] = WANTED
    found["two_archives_agree"] = once["digest_of_pictures"] == again["digest_of_pictures"]
    found["notices"] = list(generator.notices)
    save()


def sdxl(folder: Path, sizes: Sizes, found: dict[str, Any]) -> None:
    """SDXL's sizes at 1024 px: bare, and the loop with scorers that cost nothing."""
    large = replace(sizes, side=sizes.side * 2, rounds=3, cycles=SETTLED + (4 if sizes.small else 12))
    shelf = Shelf()
    generator = open_generator(make_sdxl(folder, sizes), large, shelf)
    found["weights_mib"] = round(generator._opened.weights / 2**20, 1)
    found["bare"] = bare(generator._opened.pipe, texts(2), large, repeatable=True)
    found["loop"] = loop(generator, (FakeScorer(),), large, shelf, cycles=large.cycles)
    found["share_of_bare"] = round(found["loop"]["images_a_second"] / found["bare"]["images_a_second"], 4)


def different(one: Any, other: Any) -> dict[str, float]:
    """How far two lists of pictures are apart, in levels of 255, as bytes."""
    pairs = [(to_pixels(a)[0].astype(int), to_pixels(b)[0].astype(int)) for a, b in zip(one, other, strict=True)]
    away = np.concatenate([np.abs(a - b).ravel() for a, b in pairs])
    return {
        "most": int(away.max()),
        "mean": round(float(away.mean()), 4),
        "share_above_2": round(float((away > 2).mean()), 6),
    }


def attempt(part: Callable[[], None], found: dict[str, Any]) -> None:
    """One part; when it raises, what it found so far is kept, and the others go on."""
    try:
        part()
    except Exception as error:
        traceback.print_exc()
        found.setdefault("raised", []).append(f"{type(error).__name__}: {error}"[:500])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=24, help="cycles of each loop, the first four not counted")
    parser.add_argument("--checks", action="store_true", help="what must hold on CUDA, too")
    parser.add_argument("--sdxl", action="store_true", help="SDXL's sizes, too")
    parser.add_argument("--no-speed", action="store_true", help="leave the speed out")
    parser.add_argument("--small", action="store_true", help="toy sizes, on the CPU too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down")
    options = parser.parse_args()
    cuda = False
    if importlib.util.find_spec("torch") is not None:
        import torch

        cuda = torch.cuda.is_available()
    if not cuda and not options.small:
        print("There is no CUDA device here: nothing was measured.", file=sys.stderr)
        return 2
    warnings.simplefilter("once")
    if options.small:
        sizes = Sizes(device="cuda" if cuda else "cpu", side=64, steps=2, rounds=2, cycles=SETTLED + 6, small=True)
    else:
        cycles = max(options.cycles, SETTLED + 12)
        sizes = Sizes(device="cuda", side=512, steps=20, rounds=8, cycles=cycles, small=False)
    found: dict[str, Any] = {"machine": machine(sizes.device), "weights": "random", "small": sizes.small}
    found |= {"batch": BATCH, "side": sizes.side, "steps": sizes.steps, "guidance": GUIDANCE}

    def save() -> None:
        found["seconds"] = round(time.perf_counter() - begun, 1)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        checkpoint = make_sd(base / "sd", sizes)
        forget(sizes.device)
        found["seconds_to_make_the_checkpoint"] = round(time.perf_counter() - begun, 2)
        if not options.no_speed:
            attempt(lambda: speed(checkpoint, sizes, found.setdefault("stable_diffusion_1_5", {}), save), found)
        if options.checks:
            from diffusion_checks import checks

            checks(checkpoint, base, sizes, found.setdefault("checks", {}), save)
        if options.sdxl:
            forget(sizes.device)
            attempt(lambda: sdxl(base / "sdxl", sizes, found.setdefault("sdxl", {})), found)
    save()
    print(json.dumps(found, indent=1))
    return 1 if "raised" in found else 0


if __name__ == "__main__":
    sys.exit(main())
