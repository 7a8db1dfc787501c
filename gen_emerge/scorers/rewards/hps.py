"""Takes images and prompts; gives the Human Preference Score v2 (Wu et al. 2023, arXiv:2306.09341).

A CLIP ViT-H/14 fine-tuned on people's choices; the score is the plain cosine of image and text, -1 to 1, in practice
0.2 to 0.35. **Compared only within one prompt.** Known bias: trained on four kinds of picture (photo, anime, concept
art, painting), it prefers glossy, detailed images; 83.3% of the choices of its own test set, 63.8% of PickScore's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.models.checkpoints import digest
from gen_emerge.models.devices import choose_device
from gen_emerge.models.libraries import library
from gen_emerge.scorers.rewards.openclip import open_model
from gen_emerge.scorers.single import SingleSignal, check_options, require
from gen_emerge.types import Pixels

OPTIONS = {"weights": str, "sha256": str, "model": str, "batch": (int, str)}


def load_hps(options: Mapping[str, Any], *, device: str) -> SingleSignal:
    """Open HPS v2 or v2.1 from its checkpoint, an open_clip state dict.

    Args:
        options: weights (`HPS_v2.1_compressed.pt`, or converted to safetensors), sha256 (pins a pickled file), model
            (default ViT-H-14), batch.
        device: where to run.

    Returns:
        A scorer of the signal `hps`. The picture's longer side is fitted and the rest padded with black, as the
        original does. The text beyond the tower's window (77 tokens) is not read: the version says so.

    Raises:
        BadInput: an option is wrong, or a key of the checkpoint is missing.
        MissingModel: the file is not there.
    """
    check_options("scorers.extra.hps", options, OPTIONS)
    path = Path(require("hps", options, "weights", what="the checkpoint's file"))
    name = str(options.get("model", "ViT-H-14"))
    place = choose_device(device)
    open_clip: Any = library("open_clip", what="hps")
    model, view, tokenizer = open_model(
        name, path, pinned=options.get("sha256"), device=place, resize="longest", half=True
    )
    kind = next(model.parameters()).dtype

    def measure(images: Sequence[Pixels], prompts: Sequence[str]) -> NDArray[np.float32]:
        torch: Any = library("torch", what="hps")
        with torch.inference_mode():
            planes = torch.stack([view(image) for image in images]).to(place, kind)
            seen = model.encode_image(planes, normalize=True).float()
            said = model.encode_text(tokenizer(list(prompts)).to(place), normalize=True).float()
            return (seen * said).sum(-1).cpu().numpy()

    window = int(getattr(model, "context_length", 77))
    version = (
        f"hps-1:open_clip-{open_clip.__version__}:{digest(path)[:12]}:{name}:longest-padded:{window}-tokens:{kind}"
    )
    return SingleSignal("hps", version, measure, device=place, batch=options.get("batch", "auto"), network=model)
