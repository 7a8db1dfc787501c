"""Takes a folder of pictures sorted into schools; gives a linear probe on CLIP's vectors, and what it reaches.

One sub-folder a school. Multinomial logistic regression, its strength of regularisation chosen by cross-validation on
the training part; then a temperature that makes the shares honest. Accuracy and log loss are of pictures the probe has
not seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.models.libraries import library
from gen_emerge.scorers.clip.probe import KIND
from gen_emerge.scorers.clip.tower import Tower
from gen_emerge.scorers.regression import calibrate, choose, left_out, log_loss, regress, split
from gen_emerge.types import Pixels

LEAST_CLASSES = 2
LEAST_PICTURES = 5
HELD_OUT = 0.2
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was trained, and how well it does on pictures it has not seen.

    Args:
        weights: the safetensors file; its card lies beside it.
        classes: (c,) names of the sub-folders, in order.
        pictures: how many a class, in their order.
        skipped: files that could not be read.
        held_out: pictures that were not trained on.
        accuracy: share of them that is told right, 0..1.
        majority: what always naming the most frequent class would reach on them.
        log_loss: mean negative log share of the right class, nats; ln(c) is knowing nothing.
        temperature: the logits are divided by it.
        strength: regularisation chosen.
    """

    weights: str
    classes: tuple[str, ...]
    pictures: tuple[int, ...]
    skipped: tuple[str, ...]
    held_out: int
    accuracy: float
    majority: float
    log_loss: float
    temperature: float
    strength: float


def train(
    folder: Path, tower: Tower, into: Path, *, seed: int = 0, tell: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Train a probe and write it down.

    Args:
        folder: holds one sub-folder a school, pictures in it.
        tower: the CLIP model whose vectors are read; the probe fits this one only.
        into: `NAME.safetensors`; `NAME.json` is written beside it. Both whole or not at all.
        seed: of the split.
        tell: called with a line now and then.

    Raises:
        BadInput: fewer than two classes, or fewer than five readable pictures in one.
    """
    files = pictures_by_class(folder)
    vectors: list[NDArray[np.float32]] = []
    labels: list[int] = []
    skipped: list[str] = []
    for place, (name, paths) in enumerate(files.items()):
        read, bad = _look(tower, paths)
        skipped += [path.relative_to(folder).as_posix() for path in bad]
        if len(read) < LEAST_PICTURES:
            raise _too_few(folder / name, len(read), len(bad))
        vectors.append(read)
        labels += [place] * len(read)
        tell(f"{name}: {len(read)} pictures")
    found = _fit(np.concatenate(vectors).astype(np.float64), np.asarray(labels), len(files), seed)
    outcome = Outcome(
        weights=str(into),
        classes=tuple(files),
        pictures=tuple(labels.count(place) for place in range(len(files))),
        skipped=tuple(skipped),
        **found.figures,
    )
    _write(into, found, outcome, tower, seed)
    return outcome


def pictures_by_class(folder: Path) -> dict[str, list[Path]]:
    """Sub-folder's name -> its pictures, both in order. Hidden folders and files do not count.

    Raises:
        BadInput: no such folder, or fewer than two sub-folders with pictures.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", hint="Name one with a sub-folder for every school.")
    classes: dict[str, list[Path]] = {}
    for sub in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        paths = sorted(p for p in sub.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if paths:
            classes[sub.name] = paths
    if len(classes) < LEAST_CLASSES:
        raise BadInput(
            f"{folder} has {len(classes)} sub-folder{'' if len(classes) == 1 else 's'} with pictures, wanted "
            f"{LEAST_CLASSES} or more.",
            hint="Put the pictures of every school into a folder of its name.",
        )
    for name, paths in classes.items():
        if len(paths) < LEAST_PICTURES:
            raise _too_few(folder / name, len(paths), 0)
    return classes


def _too_few(folder: Path, count: int, bad: int) -> BadInput:
    unread = f" ({bad} more cannot be read)" if bad else ""
    return BadInput(
        f"{folder} holds {count} pictures{unread}, wanted {LEAST_PICTURES} or more.", hint="Add some, or leave it out."
    )


def _look(tower: Tower, paths: Sequence[Path]) -> tuple[NDArray[np.float32], list[Path]]:
    """The vectors of the pictures that can be read, (n, d), and those that cannot."""
    from PIL import Image

    parts: list[NDArray[np.float32]] = []
    bad: list[Path] = []
    waiting: list[Pixels] = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                waiting.append(np.asarray(picture.convert("RGB")))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            bad.append(path)
        if len(waiting) == 16:
            parts.append(tower.image_features(waiting))
            waiting = []
    if waiting:
        parts.append(tower.image_features(waiting))
    return (np.concatenate(parts) if parts else np.zeros((0, tower.width), np.float32)), bad


@dataclass(frozen=True, slots=True)
class _Found:
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    figures: dict[str, Any]


def _fit(vectors: NDArray[np.float64], labels: NDArray[np.int64], classes: int, seed: int) -> _Found:
    train_on, held = split(labels, HELD_OUT, seed)
    strength = choose(vectors[train_on], labels[train_on], classes, seed)
    weight, bias = regress(vectors[train_on], labels[train_on], classes, strength)
    # The temperature comes from pictures left out in turn, so that the held-out figures stay untouched by it.
    logits = left_out(vectors[train_on], labels[train_on], classes, strength, seed)
    temperature = calibrate(logits, labels[train_on])
    unseen = vectors[held] @ weight.T + bias
    counts = np.bincount(labels[held], minlength=classes)
    figures = {
        "held_out": len(held),
        "accuracy": float((unseen.argmax(axis=1) == labels[held]).mean()),
        "majority": float(counts.max() / len(held)),
        "log_loss": log_loss(unseen / temperature, labels[held]),
        "temperature": temperature,
        "strength": strength,
    }
    return _Found(weight, bias, figures)


def _write(into: Path, found: _Found, outcome: Outcome, tower: Tower, seed: int) -> None:
    import torch

    safetensors = library("safetensors.torch", what="Writing a probe")
    card = {
        "kind": KIND,
        "model": tower.version,
        "model_key": tower.key,
        "seed": seed,
        **asdict(outcome),
        "weights": into.name,
    }
    into.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"weight": torch.from_numpy(found.weight).float(), "bias": torch.from_numpy(found.bias).float()}
    drafts = (into.with_name(into.name + ".draft"), into.with_name(into.stem + ".json.draft"))
    safetensors.save_file(tensors, str(drafts[0]))
    drafts[1].write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
    drafts[0].replace(into)
    drafts[1].replace(into.with_suffix(".json"))
