"""Takes one person's rankings of pictures by similarity to a target; gives a fitted CLPIPS and its held-out figures.

LPIPS is linear in the mean squared differences of its features, so these are worked out once per picture, and training
moves one vector of weights: margin ranking loss max(0, margin + d(better) - d(worse)) over pairs of one set (the
paper's equation 1), Adam, batches of 256 pairs, weights clamped at 0 after every step. Sets are split whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.models.libraries import library
from gen_emerge.scorers.agreement import Choices, Gain, choices, gain, ranks, spearman
from gen_emerge.scorers.clpips import save_clpips
from gen_emerge.scorers.perceptual_networks import Lpips
from gen_emerge.types import Pixels

FEWEST_SETS = 6
"""Below this the sets cannot be split three ways: some to learn from, one to stop by, two to report on."""
FEWEST_TRIPLETS = 60
"""Below this the held-out share of them has a 95% interval wider than a quarter to each side, and shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSet:
    """Pictures ranked by their similarity to a target.

    Args:
        target: (h, w, 3) uint8.
        images: (n,) of the target's size, n >= 2.
        ranks: (n,) 1 = most similar; ties share a number.
    """

    target: Pixels
    images: tuple[Pixels, ...]
    ranks: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """A ranked set as the training sees it: (n, channels) float32 differences from the target, and (n,) ranks."""

    features: NDArray[np.float32]
    ranks: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the weights are fitted.

    Args:
        held_out: share of the sets that is only reported on.
        stop_by: share of the other sets that decides when to stop.
        learning_rate: Adam's, as a share of the mean weight at the start.
        margin: how much nearer the better picture must be, as a share of the distances' spread at the start.
        batch: pairs a step.
        epochs: at most.
        patience: epochs without a better rank correlation on the stopping sets.
        seed: splits the sets and orders the pairs.
        resamples: of the bootstrap.
    """

    held_out: float = 0.3
    stop_by: float = 0.15
    learning_rate: float = 0.05
    margin: float = 0.1
    batch: int = 256
    epochs: int = 200
    patience: int = 20
    seed: int = 0
    resamples: int = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What training gave: (channels,) weights >= 0, held-out agreement before and after, and how it went."""

    weights: NDArray[np.float32]
    gain: Gain | Choices
    epochs: int
    training_sets: int
    pairs: int


def differences(base: Lpips, sets: Sequence[RankedSet]) -> list[Differences]:
    """Run the trunk once over every picture.

    Raises:
        BadInput: a set has fewer than two pictures, as many ranks as it has not, or pictures of another size.
    """
    found: list[Differences] = []
    for number, one in enumerate(sets, start=1):
        if len(one.images) < 2 or len(one.images) != len(one.ranks):
            raise BadInput(f"Set {number} has {len(one.images)} pictures and {len(one.ranks)} ranks, wanted 2 or more.")
        if any(image.shape != one.target.shape for image in one.images):
            raise BadInput(f"Set {number} has pictures of another size than its target.", hint="Resize them first.")
        target = base.features(one.target)
        rows = np.stack([base.differences(target, base.features(image)) for image in one.images])
        found.append(Differences(features=rows, ranks=ranks(np.asarray(one.ranks, np.float64))))
    return found


def train(start: NDArray[np.float32], sets: Sequence[Differences], settings: Settings | None = None) -> Fitted:
    """Fit the weights and report on sets that took no part in it.

    Args:
        start: (channels,) LPIPS's own weights.
        sets: at least `FEWEST_SETS`.
        settings: how.

    Raises:
        BadInput: too few sets, or no pair of different ranks to learn from.
    """
    settings = settings or Settings()
    if len(sets) < FEWEST_SETS:
        raise BadInput(f"{len(sets)} ranked sets, wanted {FEWEST_SETS} or more.", hint="Rank more sets, then train.")
    rng = np.random.default_rng(settings.seed)
    test, stop, learn = ([sets[place] for place in part] for part in _split(len(sets), settings, rng))
    better, worse = _pairs(learn)
    weights, epochs = _fit(start, better, worse, stop, settings, rng)
    found = gain(
        [one.ranks for one in test],
        [(one.features @ start).astype(np.float64) for one in test],
        [(one.features @ weights).astype(np.float64) for one in test],
        rng=rng,
        resamples=settings.resamples,
    )
    return Fitted(weights=weights, gain=found, epochs=epochs, training_sets=len(learn), pairs=len(better))


def train_choices(
    start: NDArray[np.float32],
    sets: Sequence[Differences],
    references: Sequence[int],
    settings: Settings | None = None,
) -> Fitted:
    """The same of triplets: sets of two, of which the first is the more alike. Triplets of one reference stay together.

    Args:
        start: (channels,) LPIPS's own weights.
        sets: at least `FEWEST_TRIPLETS`.
        references: (sets,) which picture each was compared with.
        settings: how.

    Raises:
        BadInput: too few triplets or references.
    """
    settings = settings or Settings()
    check_choices(references)
    rng = np.random.default_rng(settings.seed)
    names = sorted(set(references))
    parts = [{names[place] for place in part} for part in _split(len(names), settings, rng)]
    test, stop, learn = ([one for one, of in zip(sets, references, strict=True) if of in part] for part in parts)
    better, worse = _pairs(learn)
    weights, epochs = _fit(start, better, worse, stop, settings, rng)
    gaps = np.stack([one.features[1] - one.features[0] for one in test]).astype(np.float64)
    found = choices(
        gaps @ start,
        gaps @ weights,
        [of for of in references if of in parts[0]],
        rng=rng,
        resamples=settings.resamples,
    )
    return Fitted(weights=weights, gain=found, epochs=epochs, training_sets=len(learn), pairs=len(better))


def check_choices(references: Sequence[int]) -> None:
    """Refuse too few triplets, before a network is opened.

    Raises:
        BadInput: saying how many there are.
    """
    if len(references) < FEWEST_TRIPLETS:
        many = "1 triplet was" if len(references) == 1 else f"{len(references)} triplets were"
        raise BadInput(f"{many} decided, wanted {FEWEST_TRIPLETS} or more.")
    if (count := len(set(references))) < FEWEST_SETS:
        raise BadInput(f"The triplets have {count} different references, wanted {FEWEST_SETS} or more.")


def _split(count: int, settings: Settings, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Numbers of what is reported on, of what decides when to stop, and of what is learned from."""
    held = max(2, round(settings.held_out * count))
    stops = max(1, round(settings.stop_by * (count - held)))
    return np.split(rng.permutation(count), [held, held + stops])


def save(folder: Path, base: Lpips, fitted: Fitted, *, net: str, trunk: str, settings: Settings) -> Path:
    """Write the fitted distance and its card (see `save_clpips`); `net` and `trunk` are those it was fitted on."""
    card = {
        "kind": "clpips",
        "net": net,
        "trunk": trunk,
        "side": base.side,
        "base": base.version,
        "settings": asdict(settings),
        "training_sets": fitted.training_sets,
        "pairs": fitted.pairs,
        "epochs": fitted.epochs,
        "held_out": figures(fitted.gain),
    }
    return save_clpips(folder, base.channels, fitted.weights, card)


def figures(found: Gain | Choices) -> dict[str, Any]:
    """The held-out figures for JSON: None for one that is not defined."""
    return _finite(asdict(found))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, tuple | list):
        return [_finite(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _pairs(sets: Sequence[Differences]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All pairs of a set with different ranks: (m, channels) of the better, (m, channels) of the worse."""
    better: list[NDArray[np.float32]] = []
    worse: list[NDArray[np.float32]] = []
    for one in sets:
        for i, j in itertools.combinations(range(len(one.ranks)), 2):
            if one.ranks[i] != one.ranks[j]:
                near, far = (i, j) if one.ranks[i] < one.ranks[j] else (j, i)
                better.append(one.features[near])
                worse.append(one.features[far])
    if not better:
        raise BadInput("No two pictures of a set have different ranks: there is nothing to learn.")
    return np.stack(better), np.stack(worse)


def _fit(
    start: NDArray[np.float32],
    better: NDArray[np.float32],
    worse: NDArray[np.float32],
    stop: Sequence[Differences],
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], int]:
    """The weights that ranked the stopping sets best, and after how many epochs."""
    torch: Any = library("torch", what="Training CLPIPS")
    # d(better) - d(worse) is linear too: one product a pair.
    gaps = torch.from_numpy(better - worse)
    spread = float(np.std(np.concatenate([better, worse]) @ start)) or 1.0
    weights = torch.from_numpy(start.copy()).requires_grad_(True)
    adam = torch.optim.Adam([weights], lr=settings.learning_rate * float(np.mean(start)))
    best, best_rho, best_epoch = start.copy(), _within(start, stop), 0
    for epoch in range(1, settings.epochs + 1):
        for rows in np.array_split(rng.permutation(len(gaps)), -(-len(gaps) // settings.batch)):
            adam.zero_grad()
            loss = torch.relu(settings.margin * spread + gaps[torch.from_numpy(rows)] @ weights).mean()
            loss.backward()
            adam.step()
            with torch.no_grad():
                weights.clamp_(min=0)  # a negative weight would call a difference a likeness
        now = weights.detach().numpy().copy()
        rho = _within(now, stop)
        if rho > best_rho:
            best, best_rho, best_epoch = now, rho, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    return best, best_epoch


def _within(weights: NDArray[np.float32], sets: Sequence[Differences]) -> float:
    found = [spearman(one.ranks, (one.features @ weights).astype(np.float64)) for one in sets]
    known = [value for value in found if np.isfinite(value)]
    return float(np.mean(known)) if known else -1.0
