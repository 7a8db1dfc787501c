"""Takes open_clip's name of a model and a file of weights; gives the model in eval mode, its view and its tokenizer."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen_emerge.errors import BadInput, nearest
from gen_emerge.models.checkpoints import fit, load_weights
from gen_emerge.models.libraries import library
from gen_emerge.types import Pixels

if TYPE_CHECKING:
    import torch

View = Callable[[Pixels], Any]
"""(h, w, 3) uint8 -> (3, side, side) float32, normalised."""


def open_model(
    name: str,
    path: Path,
    *,
    pinned: str | None,
    device: torch.device,
    resize: str = "shortest",
    half: bool = False,
) -> tuple[Any, View, Any]:
    """Build a model and fill it from a file, every key of it.

    Args:
        name: open_clip's name. A model config `NAME.json` beside the weights is added to those it knows.
        path: safetensors, or pickled and pinned; open_clip's own state dict.
        pinned: SHA-256 of a pickled file.
        device: where to put it.
        resize: "shortest" (then the middle is cut out) or "longest" (then it is padded with black).
        half: float16 weights, where the device is no CPU.

    Returns:
        The model in eval mode, the view it needs, and its tokenizer.

    Raises:
        BadInput: an unknown model, or weights that do not fit it: none stays random.
    """
    open_clip: Any = library("open_clip", what=f"The model {name}")
    numpy_to_picture: Any = library("PIL.Image", what=f"The model {name}").fromarray
    beside = path.parent / f"{name}.json"
    if beside.is_file():
        _check_config(beside)
        open_clip.add_model_config(beside)
    if name not in open_clip.list_models():
        raise BadInput(f'open_clip knows no model "{name}".', hint=nearest(name, open_clip.list_models()))
    weights = load_weights(path, pinned=pinned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights: they are replaced below, all of them
        logging.disable(logging.WARNING)
        try:
            model = open_clip.create_model(name, load_weights=False, pretrained_text=False)
        finally:
            logging.disable(logging.NOTSET)
    fit(model, weights, what=str(path), ignore=("text.attn_mask", "attn_mask"))
    visual = model.visual
    view = open_clip.image_transform(
        visual.image_size,
        is_train=False,
        mean=getattr(visual, "image_mean", None),
        std=getattr(visual, "image_std", None),
        resize_mode=resize,
    )
    model = model.to(device).eval()
    if half and device.type != "cpu":
        model = model.half()
    side = int(visual.image_size[0] if isinstance(visual.image_size, tuple) else visual.image_size)
    return model, lambda image: view(numpy_to_picture(_bounded(image, side))), open_clip.get_tokenizer(name)


def _bounded(image: Pixels, side: int) -> Pixels:
    """Keep a picture from vanishing: one much longer than wide is thinned out until its short side has a pixel left."""
    height, width = image.shape[:2]
    if max(height, width) < side * min(height, width):
        return image
    step = -(-max(height, width) // (side * min(height, width)))
    return np.ascontiguousarray(image[:: step if height > width else 1, :: step if width > height else 1])


def _check_config(path: Path) -> None:
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path} is no open_clip model config: {error}.", hint="Take the one the weights came with."
        ) from None
    if not isinstance(config, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):  # pyright: ignore
        raise BadInput(
            f"{path} is no open_clip model config: embed_dim, vision_cfg and text_cfg are wanted.",
            hint="Take the one the weights came with.",
        )
