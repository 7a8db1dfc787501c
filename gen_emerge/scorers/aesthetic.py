"""Takes CLIP image embeddings; gives LAION's aesthetic predictions, V1 (linear) and V2 (MLP). Diagnostics, never gates.

**Known bias.** Both were fitted to mean ratings of photographs and of early generated images. They reward a generic
polished look: saturated, centred, smooth, high contrast. Optimised against, they are driven above any real photograph
without the pictures getting better. They foresee 57% of people's pairwise choices where one person foresees another's
in 65 to 68% (the table in the HPSv3 paper). So the number is shown beside others, and decides nothing.

Both heads read the L2-normalised image embedding of OpenAI's CLIP weights (`ViT-B-32`, `ViT-B-16`, `ViT-L-14`). Another
training of the same architecture has the same width, and the number is then without meaning: the tower's name and
digest are part of the version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.models.checkpoints import digest, fit, load_weights
from gen_emerge.models.devices import choose_device
from gen_emerge.models.libraries import library
from gen_emerge.scorers.single import SingleSignal, check_options, require
from gen_emerge.types import Pixels

if TYPE_CHECKING:
    import torch

OPTIONS = {"weights": str, "sha256": str, "model": str, "clip": str, "clip_sha256": str, "batch": (int, str)}
V2_WIDTH = 768
"""ViT-L/14's; V1 heads exist for 512 (ViT-B/32, ViT-B/16) and 768 (ViT-L/14)."""


class Tower(Protocol):
    """What the heads need of a CLIP image tower."""

    @property
    def model_name(self) -> str:
        """As open_clip calls it."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, hex."""
        ...

    def image_features(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """(n, d) float32, L2-normalised."""
        ...


def load_aesthetic(name: str, options: Mapping[str, Any], *, tower: Tower | None, device: str) -> SingleSignal:
    """Open LAION's head on a shared tower, or on one of its own.

    Args:
        name: "laion_v1", "laion_v2", or "laion" (whichever the weights are).
        options: weights (file), sha256 (pins a pickled file); without a tower: clip (its weights, as
            `[scorers.prompt]` takes them), model (open_clip's name of it), clip_sha256; batch.
        tower: shared CLIP tower, or None.
        device: where to run; the head itself is small and runs on the CPU.

    Raises:
        BadInput: an option is wrong, or the head does not fit the tower's width.
        MissingModel: the file is not there.
    """
    check_options(f"scorers.extra.{name}", options, OPTIONS)
    path = Path(require(name, options, "weights", what="the head's file"))
    weights = load_weights(path, pinned=options.get("sha256"))
    kind = "laion_v2" if any(key.startswith("layers.") for key in weights) else "laion_v1"
    if name not in ("laion", kind):
        raise BadInput(f"{path} holds the head {kind}, wanted {name}.", hint=f'Write use = ["{kind}"].')
    head = _head(kind, weights, what=str(path))
    seen = tower if tower is not None else _own_tower(name, options, device=device)
    width = int(head[0].in_features)

    def measure(images: Sequence[Pixels], prompts: Sequence[str]) -> NDArray[np.float32]:
        torch: Any = library("torch", what=name)
        features = np.asarray(seen.image_features(images), dtype=np.float32)
        if features.shape[1] != width:
            raise _misfit(kind, width, seen, features.shape[1])
        with torch.inference_mode():
            return head(torch.from_numpy(np.array(features))).squeeze(1).numpy()

    # One look at a grey picture, so that a head that does not fit is refused before the first image.
    measure([np.full((32, 32, 3), 128, np.uint8)], [""])
    version = f"{kind}-1:{digest(path)[:12]}:{seen.model_name}:{seen.digest[:12]}:unit-embedding"
    return SingleSignal(kind, version, measure, device=choose_device(device), batch=options.get("batch", "auto"))


def _head(kind: str, weights: Mapping[str, torch.Tensor], *, what: str) -> Any:
    """The head with its weights: Linear, or five Linears with nothing between them but (training's) dropout."""
    torch: Any = library("torch", what=kind)
    nn = torch.nn
    if kind == "laion_v1":
        width = int(weights["weight"].shape[-1]) if "weight" in weights else V2_WIDTH
        model = nn.Sequential(nn.Linear(width, 1))
        fit(model[0], weights, what=what)
    else:
        model = nn.Sequential(
            nn.Linear(V2_WIDTH, 1024),
            nn.Dropout(0.2),
            nn.Linear(1024, 128),
            nn.Dropout(0.2),
            nn.Linear(128, 64),
            nn.Dropout(0.1),
            nn.Linear(64, 16),
            nn.Linear(16, 1),
        )
        fit(model, {key.removeprefix("layers."): value for key, value in weights.items()}, what=what)
    return model.float().eval()


def _misfit(kind: str, width: int, tower: Tower, found: int) -> BadInput:
    fitting = {512: "ViT-B-32 or ViT-B-16", 768: "ViT-L-14"}.get(width, f"a tower of width {width}")
    return BadInput(
        f"The head {kind} reads embeddings of width {width}; {tower.model_name} gives {found}.",
        hint=f"It fits OpenAI's {fitting}: name model and clip in its own table, or another head.",
    )


def _own_tower(name: str, options: Mapping[str, Any], *, device: str) -> Tower:
    from gen_emerge.scorers.clip.checkpoint import find
    from gen_emerge.scorers.clip.tower import Tower as ClipTower
    from gen_emerge.scorers.views import Views

    require(name, options, "clip", what="the weights of the tower it reads, or use clip for the prompt gate")
    given = {"weights": options["clip"], "model": options.get("model", ""), "sha256": options.get("clip_sha256")}
    return ClipTower(find(f"scorers.extra.{name}", given), device=choose_device(device), views=Views())
