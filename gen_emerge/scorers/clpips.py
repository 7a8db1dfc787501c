"""Takes two pictures; gives CLPIPS: LPIPS whose linear layers were fitted to one person's rankings.

The paper ("CLPIPS: A Personalized Metric for AI-Generated Image Similarity") keeps the AlexNet trunk as it is and
learns how much each feature counts. A fitted distance is a safetensors file of the layers' weights and a JSON card
beside it: what it was fitted on, how well it ranks held-out sets, and the trunk it belongs to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.checkpoints import digest, fit, load_weights
from gen_emerge.models.libraries import library
from gen_emerge.scorers.perceptual_networks import Lpips, lpips_version, open_lpips
from gen_emerge.scorers.single import check_options, require

OPTIONS = {"fitted": str, "weights": str, "sha256": str, "random_trunk": bool}


def load_clpips(options: Mapping[str, Any], *, device: str) -> Lpips:
    """Open a fitted distance.

    Args:
        options: fitted (the safetensors file that training wrote), weights (the trunk's file), sha256, random_trunk
            (for tests alone).
        device: where to run.

    Raises:
        BadInput: an option is wrong, the card is missing or of another trunk, a weight is negative.
        MissingModel: a file is not there.
    """
    check_options("scorers.extra.clpips", options, OPTIONS)
    path = Path(require("clpips", options, "fitted", what="the file that training wrote"))
    card = read_card(path)
    layers = load_weights(path)
    model, trunk = open_lpips(str(card["net"]), options)
    if trunk != card["trunk"]:
        raise BadInput(
            f"{path} was fitted on the trunk {card['trunk']}; weights is the trunk {trunk}.",
            hint="Name the trunk it was fitted on, or fit it again: gen-emerge train clpips",
        )
    fit(model.lins, layers, what=str(path))
    lowest = min(float(layer.min()) for layer in layers.values())
    if not lowest >= 0:
        raise BadInput(f"{path} holds a weight of {lowest}, wanted >= 0.", hint="It was not written by training.")
    version = f"clpips-1:{lpips_version()}:{card['net']}:fitted-{digest(path)[:12]}"
    return Lpips(model, "clpips", version, trunk=trunk, device=device, side=int(card["side"]))


def read_card(path: Path) -> dict[str, Any]:
    """The card beside a fitted distance.

    Raises:
        MissingModel: the distance or its card is not there.
        BadInput: it is no card of a fitted distance.
    """
    beside = path.with_suffix(".json")
    if not path.is_file() or not beside.is_file():
        absent = beside if path.is_file() else path
        raise MissingModel(f"There is no {absent}.", hint="Fit a distance: gen-emerge train clpips")
    try:
        card: Any = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{beside} is no JSON: {error}.", hint="Fit it again: gen-emerge train clpips") from None
    if not isinstance(card, dict) or not {"net", "trunk", "side"} <= set(card):  # pyright: ignore[reportUnknownArgumentType]
        raise BadInput(f"{beside} is no card of a fitted distance: net, trunk and side are wanted.")
    return card  # pyright: ignore[reportUnknownVariableType]


def save_clpips(folder: Path, channels: tuple[int, ...], weights: NDArray[np.float32], card: Mapping[str, Any]) -> Path:
    """Write a fitted distance and its card; both appear whole or not at all.

    Args:
        folder: made if it is not there.
        channels: (layers,) channels of each linear layer.
        weights: (sum of channels,) float32, >= 0.
        card: plain JSON; holds net, trunk and side.

    Returns:
        `folder/clpips-HASH.safetensors`; the card has the same name with `.json`.
    """
    save: Any = library("safetensors.numpy", what="clpips").save
    places = np.cumsum(channels)[:-1]
    parts = np.split(np.ascontiguousarray(weights, np.float32), places)
    # As the module list `lins` of the package names them.
    table = {f"{layer}.model.1.weight": part.reshape(1, -1, 1, 1).copy() for layer, part in enumerate(parts)}
    content: bytes = save(table)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"clpips-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    # The card first: weights without their card would be refused, a card alone is not noticed.
    text = json.dumps(dict(card), indent=2, ensure_ascii=False, allow_nan=False)
    _write(path.with_suffix(".json"), text.encode())
    _write(path, content)
    return path


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)
