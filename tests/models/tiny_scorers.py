"""Small checkpoints with random weights, in the real formats of the libraries that read them. Seeded; written to disk.

They prove loading, shapes, arithmetic and error paths. They prove nothing about the quality of any score.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def nima_file(path: Path, *, seed: int = 1, alpha: float = 0.125, pads: str = "all", dense: str = "dense_1") -> Path:
    """A Keras `save_weights` file of MobileNet with ten bins (`alpha` 1.0 is the published width: 13 MB).

    `pads`: "all" names a padding layer before every depthwise convolution (Keras 2.1), "strided" only before those of
    stride 2 (later versions), "none" no padding layers at all (earlier ones).
    """
    import h5py

    rng = np.random.default_rng(seed)
    weights: dict[str, dict[str, np.ndarray]] = {}
    names = ["input_1", *(["conv1_pad"] if pads != "none" else []), "conv1", "conv1_bn", "conv1_relu"]

    def normalised(name: str, width: int) -> None:
        weights[name] = {
            "gamma": rng.uniform(0.7, 1.2, width),
            "beta": rng.normal(0.1, 0.3, width),
            "moving_mean": rng.normal(0, 0.2, width),
            "moving_variance": rng.uniform(0.05, 1.0, width),
        }

    before = int(32 * alpha)
    weights["conv1"] = {"kernel": rng.normal(0, 0.3, (3, 3, 3, before))}
    normalised("conv1_bn", before)
    for block, (stride, width) in enumerate(zip(STRIDES, WIDTHS, strict=True), start=1):
        after = int(width * alpha)
        if pads == "all" or (pads == "strided" and stride == 2):
            names.append(f"conv_pad_{block}")
        for kind, shape, key, channels in (
            ("dw", (3, 3, before, 1), "depthwise_kernel", before),
            ("pw", (1, 1, before, after), "kernel", after),
        ):
            scale = (2.0 / (np.prod(shape[:3]) if kind == "pw" else 9)) ** 0.5
            weights[f"conv_{kind}_{block}"] = {key: rng.normal(0, scale, shape)}
            normalised(f"conv_{kind}_{block}_bn", channels)
            names += [f"conv_{kind}_{block}", f"conv_{kind}_{block}_bn", f"conv_{kind}_{block}_relu"]
        before = after
    weights[dense] = {"kernel": rng.normal(0, 0.1, (before, 10)), "bias": rng.normal(0, 0.5, 10)}
    names += ["global_average_pooling2d_1", "dropout_1", dense]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in names]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.1.4"
        for name in names:
            group = file.create_group(name)
            arrays = weights.get(name, {})
            group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
            for key, array in arrays.items():
                group.create_dataset(f"{name}/{key}:0", data=array.astype(np.float32))
    return path


def pictures(count: int = 6, *, seed: int = 7) -> list[np.ndarray]:
    """Read-only pictures of several sizes: smooth, noisy, plain; wide, tall, square, smaller than any model's view."""
    rng = np.random.default_rng(seed)
    sizes = [(96, 128), (200, 64), (224, 224), (300, 300), (40, 50), (128, 128), (250, 333), (31, 17)]
    made: list[np.ndarray] = []
    for place in range(count):
        height, width = sizes[place % len(sizes)]
        coarse = rng.integers(0, 256, (4, 5, 3)).astype(np.float64)
        down, across = np.linspace(0, 3, height), np.linspace(0, 4, width)
        rows, columns = np.floor(down).astype(int).clip(0, 2), np.floor(across).astype(int).clip(0, 3)
        fall, run = (down - rows)[:, None, None], (across - columns)[None, :, None]
        smooth = (
            coarse[rows][:, columns] * (1 - fall) * (1 - run)
            + coarse[rows + 1][:, columns] * fall * (1 - run)
            + coarse[rows][:, columns + 1] * (1 - fall) * run
            + coarse[rows + 1][:, columns + 1] * fall * run
        )
        noise = rng.normal(0, 8 * (place % 3), smooth.shape)
        picture = np.clip(smooth + noise, 0, 255).astype(np.uint8)
        picture.setflags(write=False)
        made.append(picture)
    return made


CLIP_CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def clip_files(folder: Path, *, seed: int = 2, config: dict | None = None, name: str = "tiny-clip") -> Path:
    """An open_clip checkpoint (safetensors) and its model configuration beside it; gives the weights' path."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    about = config or CLIP_CONFIG
    (folder / f"{name}.json").write_text(json.dumps(about), encoding="utf-8")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**json.loads(json.dumps(about)))
        with torch.no_grad():
            for parameter in model.parameters():
                # As initialised, a tiny tower gives nearly the same vector for everything.
                parameter.add_(torch.randn_like(parameter) * (0.15 if parameter.ndim > 1 else 0.05))
            model.logit_scale.fill_(np.log(30.0))
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


def _repeated(shape: tuple[int, ...], *, seed: int, scale: float):
    """Random weights that lie over one another in one small storage: a file of a full-size model stays small."""
    import torch

    steps, size = [], 1
    for place, length in enumerate(reversed(shape)):
        steps.append((1, 7, 13, 29)[place])
        size += steps[-1] * (length - 1)
    generator = torch.Generator().manual_seed(seed)
    return torch.as_strided(torch.randn(size, generator=generator) * scale, shape, tuple(reversed(steps)))


def _backbone(width: int, depth: int, patch: int, seed: int) -> dict:
    """The weights of dreamsim's VisionTransformer."""
    import torch

    tokens = (224 // patch) ** 2 + 1
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, tokens, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for block in range(depth):
        for name, shape in {
            "norm1.weight": (width,),
            "norm1.bias": (width,),
            "attn.qkv.weight": (3 * width, width),
            "attn.qkv.bias": (3 * width,),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "norm2.weight": (width,),
            "norm2.bias": (width,),
            "mlp.fc1.weight": (4 * width, width),
            "mlp.fc1.bias": (4 * width,),
            "mlp.fc2.weight": (width, 4 * width),
            "mlp.fc2.bias": (width,),
        }.items():
            shapes[f"blocks.{block}.{name}"] = shape
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    made = {}
    for place, (name, shape) in enumerate(shapes.items()):
        made[name] = _repeated(shape, seed=seed * 1000 + place, scale=0.05 if len(shape) > 1 else 0.02)
        if "norm" in name and name.endswith("weight"):
            made[name] = torch.ones(width)
    return made


def dreamsim_folder(folder: Path, kind: str = "open_clip_vitb32", *, seed: int = 3) -> Path:
    """A complete `cache_dir` of the package for one type; DINO's backbone is tiny, the others have their full size.

    Kinds: open_clip_vitb32, clip_vitb32, synclr_vitb16, dino_vitb16, dino_vitb16_patch, ensemble. A few MB each.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    widths: list[int] = []
    if kind == "ensemble" or kind.startswith("dino_vitb16"):
        _dino(folder)
        widths.append(48)
    if kind == "synclr_vitb16":
        # As published: a whole training state, the picture half of it under this prefix.
        named = {f"module.visual.{name}": tensor for name, tensor in _backbone(768, 12, 16, seed).items()}
        torch.save({"model": named}, folder / "synclr_vit_b_16.pth")
        widths.append(768)
    clips = {"ensemble": ["clip_vitb16", "open_clip_vitb16"], "clip_vitb32": [kind], "open_clip_vitb32": [kind]}
    for name in clips.get(kind, []):
        weights = _backbone(768, 12, int(name[-2:]), seed)
        # As published: CLIP's first normalisation stands where DINO has a dropout.
        weights["pos_drop.weight"], weights["pos_drop.bias"] = torch.ones(768), torch.zeros(768)
        weights["proj"] = _repeated((768, 512), seed=seed + 77, scale=0.05)
        torch.save({"state_dict": weights}, folder / f"{name}_pretrain.pth.tar")
        widths.append(768)
    tag = kind if kind == "ensemble" or kind.endswith("_patch") else f"{kind}_single"
    _adapter(folder / f"{tag}_lora", widths, seed)
    return folder


def _adapter(folder: Path, widths: list[int], seed: int, depth: int = 12, rank: int = 2) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    about = {
        "peft_type": "LORA",
        "task_type": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": 4,
        "lora_dropout": 0.3,
        "bias": "none",
        "target_modules": ["qkv"],
        "base_model_name_or_path": "",
    }
    (folder / "adapter_config.json").write_text(json.dumps(about), encoding="utf-8")
    generator = torch.Generator().manual_seed(seed + 5)
    tensors = {}
    for place, width in enumerate(widths):
        for block in range(depth):
            name = f"base_model.model.extractor_list.{place}.model.blocks.{block}.attn.qkv"
            tensors[f"{name}.lora_A.weight"] = torch.randn(rank, width, generator=generator) * 0.1
            tensors[f"{name}.lora_B.weight"] = torch.randn(3 * width, rank, generator=generator) * 0.1
    save_file(tensors, folder / "adapter_model.safetensors")


HUBCONF = """
import torch
from dreamsim.feature_extraction.vision_transformer import VisionTransformer


def dino_vitb16(pretrained=True, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        model = VisionTransformer(patch_size=16, embed_dim=48, depth=12, num_heads=3, qkv_bias=True)
        for parameter in model.parameters():
            parameter.data += torch.randn_like(parameter) * 0.05
    return model
"""


def _dino(folder: Path) -> None:
    """DINO's checkpoint, of which the package takes the head, and torch.hub code that makes a tiny backbone."""
    import torch

    head = {
        f"module.head.{name}": torch.zeros(2)
        for name in (
            "mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias", "mlp.4.weight", "mlp.4.bias",
            "last_layer.weight",
        )
    }  # fmt: skip
    torch.save({"student": head}, folder / "dino_vitb16_pretrain.pth")
    (folder / "checkpoints").mkdir(exist_ok=True)
    torch.save({}, folder / "checkpoints" / "dino_vitbase16_pretrain.pth")
    code = folder / "facebookresearch_dino_main"
    code.mkdir(exist_ok=True)
    (code / "hubconf.py").write_text(HUBCONF, encoding="utf-8")


def pins(folder: Path) -> dict[str, str]:
    """The SHA-256 of every pickled file below a folder, by its path there."""
    import hashlib

    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".pth", ".tar", ".bin")
    }


def classifier_folder(folder: Path, *, classes: int = 5, seed: int = 4) -> Path:
    """A tiny ViT image classifier of transformers, with its image processor."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ViTForImageClassification(
            ViTConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                image_size=64,
                patch_size=16,
                id2label={place: f"school {place}" for place in range(classes)},
                label2id={f"school {place}": place for place in range(classes)},
            )
        )
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def gate_tables(folder: Path, *, dreamsim: str = "dino_vitb16") -> dict[str, dict]:
    """All four gates' tables (`use` and the other keys), with tiny checkpoints written below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    clip = clip_files(folder / "clip")
    own = dreamsim_folder(folder / "dreamsim", dreamsim)
    return {
        "quality": {"use": "nima", "weights": str(nima_file(folder / "nima.hdf5"))},
        "prompt": {"use": "clip", "weights": str(clip)},
        "novelty": {
            "use": "dreamsim",
            "type": dreamsim,
            "weights": str(own),
            "allow_hub_code": dreamsim.startswith("dino"),
            "sha256": pins(own),
        },
        "style": {"use": "clip-zero-shot"},
    }
