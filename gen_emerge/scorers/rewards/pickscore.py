"""Takes images and prompts; gives PickScore (Kirstain et al. 2023, arXiv:2305.01569).

A CLIP ViT-H/14 fine-tuned on the choices of the users of one web application; the score is the cosine times the
model's temperature, in practice 17 to 24. **Compared only within one prompt.** Known bias: its users' taste and
prompts, of one year; 70.5% of the choices of its own test set, 61.6% of ImageReward's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.devices import choose_device
from gen_emerge.models.libraries import library
from gen_emerge.scorers.quiet import quiet
from gen_emerge.scorers.single import SingleSignal, check_options, require
from gen_emerge.types import Pixels

OPTIONS = {"model": str, "batch": (int, str)}
FETCH = "gen-emerge models pull pickscore"


def load_pickscore(options: Mapping[str, Any], *, device: str) -> SingleSignal:
    """Open PickScore from a folder in transformers' format: config, safetensors, tokenizer and image processor.

    Args:
        options: model (the folder), batch.
        device: where to run.

    Returns:
        A scorer of the signal `pickscore`. The text beyond the window (77 tokens) is not read: the version says so.

    Raises:
        BadInput: the folder holds another model, pickled weights only, or lacks keys.
        MissingModel: the folder is not there.
    """
    check_options("scorers.extra.pickscore", options, OPTIONS)
    folder = Path(require("pickscore", options, "model", what="the model's folder"))
    model, processor = _open(folder)
    transformers: Any = library("transformers", what="pickscore")
    picture: Any = library("PIL.Image", what="pickscore").fromarray
    place = choose_device(device)
    model = model.to(place).eval()
    window = int(model.config.text_config.max_position_embeddings)

    def measure(images: Sequence[Pixels], prompts: Sequence[str]) -> NDArray[np.float32]:
        torch: Any = library("torch", what="pickscore")
        with torch.inference_mode():
            # As Pillow's pictures: of an array three pixels high it would have to guess which side the colours are.
            planes = processor.image_processor(images=[picture(image) for image in images], return_tensors="pt")
            # To the full window, so that a text's length in the batch changes nothing for another.
            text = processor.tokenizer(
                list(prompts), padding="max_length", truncation=True, max_length=window, return_tensors="pt"
            )
            seen = model.get_image_features(pixel_values=planes["pixel_values"].to(place)).pooler_output
            said = model.get_text_features(**{key: value.to(place) for key, value in text.items()}).pooler_output
            seen = torch.nn.functional.normalize(seen.float(), dim=-1)
            said = torch.nn.functional.normalize(said.float(), dim=-1)
            return (model.logit_scale.exp().float() * (seen * said).sum(-1)).cpu().numpy()

    version = f"pickscore-1:transformers-{transformers.__version__}:{digest(folder)[:12]}:{window}-tokens"
    return SingleSignal("pickscore", version, measure, device=place, batch=options.get("batch", "auto"), network=model)


def _open(folder: Path) -> tuple[Any, Any]:
    transformers: Any = library("transformers", what="pickscore")
    if not folder.is_dir():
        raise MissingModel(f"There is no folder {folder}; pickscore reads its model from it.", hint=FETCH)
    if not any(folder.glob("*.safetensors")):
        raise MissingModel(f"{folder} holds no .safetensors; pickled weights are not opened.", hint=FETCH)
    try:
        with quiet("transformers"):
            model, told = transformers.CLIPModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            processor = transformers.CLIPProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # each of its parts has errors of its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(f"{folder} cannot be opened as PickScore: {first}.", hint=f"Fetch it again: {FETCH}") from None
    absent = sorted({*map(str, told["missing_keys"]), *(str(key) for key, *_ in told["mismatched_keys"])})
    if absent:
        shown = ", ".join(absent[:5])
        raise BadInput(f"{folder} lacks {len(absent)} keys of the model: {shown}.", hint=f"Fetch it again: {FETCH}")
    return model, processor
