"""Takes a tower and a trained linear probe on disk; gives a style scorer over the tower's one image pass.

A probe is two files: `NAME.safetensors` (weight (c, d), bias (c,)) and `NAME.json`, its card: what it was trained on,
with which model, and what it reached on pictures it had not seen. `gen-emerge train style FOLDER` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.checkpoints import digest, load_weights
from gen_emerge.scorers.clip.tower import Tower
from gen_emerge.scorers.style import StyleScorer
from gen_emerge.types import Pixels

KIND = "gen-emerge style probe"


def read_card(weights: Path) -> dict[str, Any]:
    """The card beside a probe's weights.

    Raises:
        MissingModel: there is none.
        BadInput: it is no card of a probe.
    """
    path = weights.with_suffix(".json")
    try:
        card: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingModel(
            f"The probe {weights} has no card {path.name}.", hint="Train one: gen-emerge train style FOLDER"
        ) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint="Train the probe again.") from None
    if not isinstance(card, dict) or card.get("kind") != KIND or not isinstance(card.get("classes"), list):  # pyright: ignore[reportUnknownMemberType]
        raise BadInput(f"{path} is not the card of a style probe.", hint="Train one: gen-emerge train style FOLDER")
    return card  # pyright: ignore[reportUnknownVariableType]


def probe(tower: Tower, weights: Path) -> StyleScorer:
    """A style scorer over the probe's own classes.

    Args:
        tower: the CLIP model the probe was trained on, perhaps shared.
        weights: the probe's safetensors file.

    Raises:
        MissingModel: the probe or its card is not there.
        BadInput: it was trained on another model, or is damaged.
    """
    card = read_card(weights)
    _must_match(card, tower, weights)
    weight, bias = _arrays(weights, len(card["classes"]), tower.width)
    temperature = float(card["temperature"])

    def logits(images: Sequence[Pixels]) -> NDArray[np.float64]:
        return (tower.image_features(images).astype(np.float64) @ weight.T + bias) / temperature

    return StyleScorer(
        [str(name) for name in card["classes"]],
        logits,
        version=f"clip-probe-1:{tower.version}:probe-{digest(weights)[:12]}:t-{temperature:.6g}",
        notices=lambda: tower.notices,
    )


def _must_match(card: Mapping[str, Any], tower: Tower, weights: Path) -> None:
    if card.get("model_key") != tower.key:
        raise BadInput(
            f"The probe {weights} was trained on {card.get('model')}, this tower is {tower.version}.",
            hint="Name that model in [scorers.prompt], or train the probe again: gen-emerge train style FOLDER",
        )


def _arrays(weights: Path, classes: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tensors = load_weights(weights)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != {"weight": (classes, width), "bias": (classes,)}:
        raise BadInput(
            f"The probe {weights} holds {shapes}, wanted weight {(classes, width)} and bias {(classes,)}.",
            hint="Train it again: gen-emerge train style FOLDER",
        )
    return tensors["weight"].double().numpy(), tensors["bias"].double().numpy()
