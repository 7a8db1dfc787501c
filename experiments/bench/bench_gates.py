"""One batch of 8 through the four real gates and LAION's head, beside the same models called one after another.

    python experiments/bench/bench_gates.py [--size tiny|real|both] [--device cpu|cuda] [--rounds 5] [--json FILE]

"One after another" is every model as its own documentation calls it, in batches: each opens the picture, prepares it
and runs it, so that CLIP looks at it three times (prompt, schools, aesthetics). Texts that stay the same are computed
once on both sides. All weights are random, in the real formats and, with `real`, the real sizes: NIMA's MobileNet 1.0,
ViT-B/32 for CLIP, DreamSim's ViT-B/32. Decodes and image passes are counted inside Pillow and open_clip.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "models")]

BATCH = 8
SIDE = 512
REFERENCES = [f"a picture of subject {number}" for number in range(32)]


def prepare(folder: Path, size: str) -> dict[str, Any]:
    """Checkpoints on disk and the gates' tables."""
    import torch
    from safetensors.torch import save_file
    from tiny_scorers import clip_files, dreamsim_folder, gate_tables, nima_file, pins

    tables = gate_tables(folder)
    width = 32
    if size == "real":
        import open_clip

        clip = clip_files(folder / "real-clip", config=open_clip.get_model_config("ViT-B-32"), name="ViT-B-32")
        own = dreamsim_folder(folder / "real-dreamsim")
        tables["quality"]["weights"] = str(nima_file(folder / "real-nima.hdf5", alpha=1.0))
        tables["prompt"] |= {"model": "ViT-B-32", "weights": str(clip)}
        tables["novelty"] = {"use": "dreamsim", "weights": str(own), "sha256": pins(own)}
        width = 512
    generator = torch.Generator().manual_seed(5)
    head = {"weight": torch.randn(1, width, generator=generator), "bias": torch.randn(1, generator=generator)}
    save_file(head, folder / "head.safetensors")
    return {"tables": tables, "head": folder / "head.safetensors"}


def pictures(seed: int) -> list[bytes]:
    """Eight PNG files of 512 x 512."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    files = []
    for _ in range(BATCH):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.int16)
        buffer = io.BytesIO()
        noisy = np.clip(picture + rng.integers(-6, 7, picture.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(buffer, "PNG", compress_level=1)
        files.append(buffer.getvalue())
    return files


def ours(made: dict[str, Any], device: str) -> Callable[[list[bytes], list[str]], dict[str, np.ndarray]]:
    """The gates as a series opens them."""
    from PIL import Image

    from gen_emerge.scorers import loading

    tables = {gate: (t["use"], {k: v for k, v in t.items() if k != "use"}) for gate, t in made["tables"].items()}
    scorers = loading.load(
        tables,
        REFERENCES,
        extra=["laion_v1"],
        extra_options={"laion_v1": {"weights": str(made["head"])}},
        device=device,
        batch=BATCH,
    )

    def run(files: list[bytes], prompts: list[str]) -> dict[str, np.ndarray]:
        images = []
        for file in files:
            array = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
            array.setflags(write=False)
            images.append(array)
        found: dict[str, list[Any]] = {}
        for scorer in scorers:
            for reading in scorer.score(images, prompts):
                for signal in reading.signals:
                    found.setdefault(signal.scorer, []).append(signal.value)
                if reading.embedding is not None:
                    found.setdefault("novelty", []).append(reading.embedding.vector)
        return {name: np.asarray(values) for name, values in found.items()}

    return run


def theirs(made: dict[str, Any], device: str) -> Callable[[list[bytes], list[str]], dict[str, np.ndarray]]:
    """The same models, each called as its documentation shows, in batches."""
    import dreamsim
    import open_clip
    import torch
    from PIL import Image
    from safetensors.torch import load_file

    from gen_emerge.scorers.clip.zero_shot import SCHOOLS, SENTENCES
    from gen_emerge.scorers.mobilenet import build, read_layers

    tables = made["tables"]
    nima = build(*read_layers(Path(tables["quality"]["weights"])), what="nima").to(device)
    weights = Path(tables["prompt"]["weights"])
    open_clip.add_model_config(weights.with_suffix(".json"))
    model, _, preprocess = open_clip.create_model_and_transforms(weights.stem, pretrained=str(weights), device=device)
    model.eval()
    tokenizer = open_clip.get_tokenizer(weights.stem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distance, dream_preprocess = dreamsim.dreamsim(
            cache_dir=tables["novelty"]["weights"],
            dreamsim_type=tables["novelty"].get("type", "open_clip_vitb32"),
            device=device,
        )
    head = {name: tensor.to(device) for name, tensor in load_file(str(made["head"])).items()}

    def texts(many: list[str]) -> Any:
        with torch.inference_mode():
            return torch.nn.functional.normalize(model.encode_text(tokenizer(many).to(device)), dim=-1)

    reference = texts(REFERENCES).mean(dim=0)
    schools = texts([s.format(school) for school in SCHOOLS for s in SENTENCES]).reshape(
        len(SCHOOLS), len(SENTENCES), -1
    )
    schools = torch.nn.functional.normalize(schools.mean(dim=1), dim=-1)

    def opened(files: list[bytes]) -> list[Any]:
        return [Image.open(io.BytesIO(file)).convert("RGB") for file in files]

    def look(files: list[bytes]) -> Any:
        planes = torch.stack([preprocess(picture) for picture in opened(files)]).to(device)
        return torch.nn.functional.normalize(model.encode_image(planes), dim=-1)

    @torch.inference_mode()
    def run(files: list[bytes], prompts: list[str]) -> dict[str, np.ndarray]:
        seen = [np.asarray(p.resize((224, 224), Image.Resampling.NEAREST), np.float32) for p in opened(files)]
        shares = nima(torch.from_numpy(np.stack(seen).transpose(0, 3, 1, 2) / 127.5 - 1).to(device))
        ratings = torch.arange(1, 11, device=device, dtype=torch.float32)
        features = look(files)
        cosines = (features * texts(prompts)).sum(dim=-1)
        style = torch.softmax(model.logit_scale.exp() * look(files) @ schools.T, dim=-1)
        entropy = -(style * style.clamp_min(1e-30).log()).sum(dim=-1) / np.log(len(SCHOOLS))
        laion = (look(files) @ head["weight"].T + head["bias"]).squeeze(1)
        planes = torch.cat([dream_preprocess(picture) for picture in opened(files)]).to(device)
        vectors = distance.embed(planes)
        return {
            "quality": (shares @ ratings).cpu().numpy(),
            "prompt": (cosines - features @ reference).cpu().numpy(),
            "style": entropy.cpu().numpy(),
            "laion_v1": laion.cpu().numpy(),
            "novelty": vectors.cpu().numpy(),
        }

    return run


class Counted:
    """Counts files decoded by Pillow, pictures made from arrays, and images through CLIP while it is open."""

    def __enter__(self) -> Counted:
        import open_clip
        from PIL import Image

        self.files = self.arrays = self.passes = 0
        self._before = (Image.open, Image.fromarray, open_clip.CLIP.encode_image)
        plain_open, plain_array, plain_look = self._before

        def opened(*rest: Any, **options: Any) -> Any:
            self.files += 1
            return plain_open(*rest, **options)

        def array(*rest: Any, **options: Any) -> Any:
            self.arrays += 1
            return plain_array(*rest, **options)

        def look(model: Any, image: Any, *rest: Any, **options: Any) -> Any:
            self.passes += len(image)
            return plain_look(model, image, *rest, **options)

        Image.open, Image.fromarray, open_clip.CLIP.encode_image = opened, array, look
        return self

    def __exit__(self, *_: object) -> None:
        import open_clip
        from PIL import Image

        Image.open, Image.fromarray, open_clip.CLIP.encode_image = self._before


def memory(device: str) -> dict[str, int]:
    """Bytes held now and at most since `reset`, of this process or of the CUDA device."""
    if device.startswith("cuda"):
        import torch

        return {"now": torch.cuda.memory_allocated(), "peak": torch.cuda.max_memory_allocated()}
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    facts = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {"now": int(facts["VmRSS"]) * 1024, "peak": int(facts["VmHWM"]) * 1024}


def reset(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def wait(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def model_bytes() -> int:
    """Parameters and buffers of every network that the scorers opened."""
    from gen_emerge.scorers.residents import _all

    tensors = {t.data_ptr(): t for one in _all for t in (*one.network.parameters(), *one.network.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def bench(size: str, device: str, rounds: int) -> dict[str, Any]:
    import dreamsim  # noqa: F401  (imports count before the memory is measured, not into it)
    import open_clip  # noqa: F401
    import torch

    if device == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(Path(folder), size)
        warm = pictures(0)
        before = memory(device)["now"]
        mine = ours(made, device)
        loaded = memory(device)["now"] - before
        reset(device)
        mine(warm, ["warm"] * BATCH)
        peak = memory(device)["peak"] - before
        models = model_bytes()
        other = theirs(made, device)
        other(warm, ["warm"] * BATCH)
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        worst = 0.0
        alike = True
        counts = {}
        for number in range(rounds):
            files, prompts = pictures(number + 1), [f"a red tree {number} {place}" for place in range(BATCH)]
            found = {}
            for name, run in (("ours", mine), ("theirs", other)):
                with Counted() as counted:
                    started = time.perf_counter()
                    found[name] = run(files, prompts)
                    wait(device)
                    times[name].append(time.perf_counter() - started)
                counts[name] = {"files": counted.files, "arrays": counted.arrays, "clip_passes": counted.passes}
            assert counts["ours"] == {"files": BATCH, "arrays": BATCH, "clip_passes": BATCH}, counts
            for signal, values in found["theirs"].items():
                worst = max(worst, float(np.abs(values - found["ours"][signal]).max()))
                if signal != "novelty":
                    # A bound between the two middle values, as a calibration would set one.
                    bound = float(np.sort(values)[BATCH // 2 - 1 : BATCH // 2 + 1].mean())
                    alike &= bool(np.array_equal(values > bound, found["ours"][signal] > bound))
        ratio = [b / a for a, b in zip(times["ours"], times["theirs"], strict=True)]
    return {
        "size": size,
        "device": device,
        "decodes_an_image": counts["ours"]["files"] / BATCH,
        "clip_passes_an_image": counts["ours"]["clip_passes"] / BATCH,
        "theirs_decodes_an_image": counts["theirs"]["files"] / BATCH,
        "theirs_clip_passes_an_image": counts["theirs"]["clip_passes"] / BATCH,
        "seconds_a_batch": {name: round(statistics.median(values), 4) for name, values in times.items()},
        "ratio": round(statistics.median(ratio), 2),
        "ratio_least_and_most": [round(min(ratio), 2), round(max(ratio), 2)],
        "largest_difference_of_a_value": worst,
        "verdicts_identical": alike,
        "models_mb": round(models / 2**20, 1),
        "loaded_mb": round(loaded / 2**20, 1),
        "peak_scoring_mb": round(peak / 2**20, 1),
        "peak_over_models": round(peak / models, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["tiny", "real", "both"], default="both")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = ["tiny", "real"] if options.size == "both" else [options.size]
    import torch

    found = {
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "wanted": {"decodes_an_image": 1, "clip_passes_an_image": 1, "ratio": 1.25, "peak_over_models": 1.25},
        "results": [bench(size, options.device, options.rounds) for size in sizes],
    }
    text = json.dumps(found, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
