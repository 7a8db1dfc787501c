"""Small checkpoints in the real formats: LAION heads, an open_clip tower, a PickScore folder, perceptual trunks."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np

TINY_CLIP = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pictures(count: int = 5, seed: int = 3) -> list[np.ndarray]:
    """Read-only pictures of several sizes: smooth colour fields, noise, and one plain."""
    rng = np.random.default_rng(seed)
    sizes = [(48, 64), (64, 48), (40, 40), (90, 33), (64, 64), (33, 120)]
    made = []
    for place in range(count):
        height, width = sizes[place % len(sizes)]
        across = np.linspace(0, 1, width)[None, :, None] * rng.random(3)
        down = np.linspace(0, 1, height)[:, None, None] * rng.random(3)
        array = ((across + down + 0.2 * rng.random((height, width, 3)) * (place % 2)) / 2.2 * 255).astype(np.uint8)
        array.setflags(write=False)
        made.append(array)
    return made


def laion_v1(path: Path, *, width: int = 512, seed: int = 0) -> Path:
    """The linear head, pickled like the original: a plain state dict of one Linear."""
    import torch

    torch.manual_seed(seed)
    torch.save(torch.nn.Linear(width, 1).state_dict(), path)
    return path


def laion_v2(path: Path, *, width: int = 768, seed: int = 0) -> Path:
    """The MLP, pickled like the original: layers.0, 2, 4, 6, 7."""
    import torch

    torch.manual_seed(seed)
    sizes = [width, 1024, 128, 64, 16, 1]
    table = {}
    for place, (number, (before, after)) in enumerate(zip((0, 2, 4, 6, 7), itertools.pairwise(sizes), strict=True)):
        layer = torch.nn.Linear(before, after)
        table[f"layers.{number}.weight"] = layer.weight.detach() * (1 + place)
        table[f"layers.{number}.bias"] = layer.bias.detach()
    torch.save(table, path)
    return path


def open_clip_tower(folder: Path, name: str = "tiny-extras-tower", *, embed: int = 512, seed: int = 1) -> Path:
    """An open_clip model config and its weights beside it; gives the weights' path."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({**TINY_CLIP, "embed_dim": embed}))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(seed)
    model = open_clip.create_model(name, load_weights=False)
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return path


def pickscore_folder(folder: Path, *, seed: int = 2) -> Path:
    """A tiny CLIPModel with tokenizer and image processor, as `save_pretrained` writes them."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    torch.manual_seed(seed)
    vocabulary = _byte_vocabulary()
    text = {"vocab_size": len(vocabulary), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "bos_token_id": len(vocabulary) - 2, "eos_token_id": len(vocabulary) - 1}
    text |= {"pad_token_id": len(vocabulary) - 1}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="<|endoftext|>")
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


def _byte_vocabulary() -> dict[str, int]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: place for place, word in enumerate(words)}


def trunk(path: Path, net: str, *, seed: int = 4) -> Path:
    """A trunk's `features.*` (and, for the small one, the classifier) by torchvision's names, pickled as published."""
    import torch
    import torchvision

    torch.manual_seed(seed)
    if net == "vgg":
        features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"], batch_norm=False)
        for module in features:
            if isinstance(module, torch.nn.Conv2d):  # as torchvision begins, so that the signal survives 13 layers
                torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        table = {f"features.{name}": value for name, value in features.state_dict().items()}
    elif net == "squeeze":
        table = torchvision.models.squeezenet1_1(weights=None).state_dict()
    else:
        full = torchvision.models.alexnet(weights=None).features
        table = {f"features.{name}": value for name, value in full.state_dict().items()}
    torch.save(table, path)
    return path
