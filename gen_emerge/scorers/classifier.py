"""Takes images; gives the entropy of an image classifier's classes. Any classifier that transformers loads will do.

From a folder, or a hub id at a pinned revision that is in the hub's cache. Weights are safetensors only, and code that
comes with a model is never run. Which classes it tells apart decides what the number means.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.libraries import library
from gen_emerge.scorers.batches import Batches
from gen_emerge.scorers.style import StyleScorer
from gen_emerge.scorers.views import Views
from gen_emerge.types import Pixels

if TYPE_CHECKING:
    import torch


def classifier(
    where: str,
    options: Mapping[str, Any],
    *,
    device: torch.device,
    views: Views,
    batch: int | str = "auto",
) -> StyleScorer:
    """Open a classifier.

    Args:
        where: the table, such as "scorers.style", for errors.
        options: `model` (a folder or a hub id), `revision` (of a hub id: a commit's 40 hex digits), `temperature`.
        device: where it runs, in float32.
        views: shared with the other scorers.
        batch: images at once, or "auto".

    Raises:
        MissingModel: it is not on this disk.
        BadInput: no revision, no safetensors, missing weights, fewer than two classes.
    """
    transformers = library("transformers", what='The scorer "classifier"')
    folder = folder_of(where, options)
    if not any(folder.glob("*.safetensors")):
        raise BadInput(
            f"{folder} holds no safetensors; pickled weights can run any program.", hint="Convert the model first."
        )
    temperature = float(options.get("temperature", 1.0))
    if not (np.isfinite(temperature) and temperature > 0):
        raise BadInput(f"{where}.temperature = {temperature}: wanted a number above 0.", hint="Leave it out.")
    model, processor = _load(folder, transformers)
    names: dict[int, str] = model.config.id2label
    if len(names) < 2:
        raise BadInput(f"{folder} tells {len(names)} class apart, wanted two or more.", hint="Name another model.")
    batches = Batches(device, batch, network=model)

    def step(portion: Sequence[Pixels]) -> NDArray[np.float32]:
        pictures = [views.picture(image) for image in portion]
        planes: Any = processor(images=pictures, return_tensors="pt")["pixel_values"]
        return model(pixel_values=planes.to(device)).logits.float().cpu().numpy()

    return StyleScorer(
        [names[place] for place in sorted(names)],
        lambda images: batches.run(images, step).astype(np.float64) / temperature,
        version=f"classifier-1:transformers-{transformers.__version__}:{digest(folder)[:12]}"
        f":{type(processor).__name__}:t-{temperature:.6g}",
        notices=lambda: tuple(batches.notices),
    )


def folder_of(where: str, options: Mapping[str, Any]) -> Path:
    """The folder that `model` and `revision` mean, on this disk.

    Raises:
        MissingModel: it is not there.
        BadInput: no model, or a hub id without a pinned revision.
    """
    name, revision = str(options.get("model", "")), str(options.get("revision", ""))
    if not name:
        raise BadInput(f"{where}.model is not set.", hint="Name a folder, or a hub id with its revision.")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise MissingModel(f"{where}.model: there is no folder {name}.", hint="Name a folder, or a hub id.")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise BadInput(
            f'{where}.model = "{name}" is on the hub, and revision = "{revision}" does not pin it.',
            hint="Write the commit's 40 hex digits: a name alone can mean another model tomorrow.",
        )
    hub = library("huggingface_hub", what='The scorer "classifier"')
    try:
        return Path(hub.snapshot_download(name, revision=revision, local_files_only=True))
    except Exception:  # the hub's client has several errors for "not in the cache"
        raise MissingModel(
            f'{where}.model = "{name}" at {revision[:12]} is not on this disk.',
            hint="Fetch it: gen-emerge models pull --series NAME",
        ) from None


def _load(folder: Path, transformers: Any) -> tuple[Any, Any]:
    from gen_emerge.scorers.quiet import quiet

    try:
        with quiet("transformers"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, report = transformers.AutoModelForImageClassification.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            processor = transformers.AutoImageProcessor.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # transformers raises OSError, ValueError, RuntimeError, safetensors' own
        told = " ".join(str(error).split())[:300].rstrip(".")
        raise BadInput(
            f"{folder} cannot be opened as an image classifier: {told}.", hint="It is damaged, or another kind."
        ) from None
    troubles = {
        kind: sorted(str(name) for name in report.get(kind) or ()) for kind in ("missing_keys", "mismatched_keys")
    }
    for kind, names in troubles.items():
        if names:
            raise BadInput(
                f"{folder} lacks weights ({kind.replace('_', ' ')}: {', '.join(names[:5])}; {len(names)} in all).",
                hint="Those would be random. Name a model that was trained to classify.",
            )
    return model.eval().requires_grad_(False), processor
