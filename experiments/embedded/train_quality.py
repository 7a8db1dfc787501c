"""Damaged pictures for the quality network, and its training (earth mover's loss, Talebi & Milanfar 2018, eq. 1)."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.embedded import damage
from experiments.embedded.data import draw_parameters, draw_words, painter_digest
from experiments.embedded.nets import BINS, Quality
from gen_emerge.generators.painter import SLOTS, paint
from gen_emerge.scorers.embedded.views import crops, planes

SIZES = (256, 320, 384, 512)
VERSIONS = 6
"""Of every picture: itself and five damaged copies."""
BATCH = 24
RANKING = 0.2
"""Weight of the ranking of all pairs of a batch by their mean grade, beside the earth mover's loss."""


@dataclass
class Damaged:
    """Views (p, 6, 6, 64, 64, 3) uint8 of picture, version; damage, kind (-1 pristine) (p, 6); school (p,)."""

    views: np.ndarray
    damage: np.ndarray
    kind: np.ndarray
    school: np.ndarray


def picture(key: tuple[int, int, bool]) -> tuple[np.ndarray, list[float], list[int], int]:
    """Paint picture (set, number) and damage it; with `unseen` kinds the four that are never trained on."""
    seed, number, unseen = key
    rng = np.random.default_rng((seed, number, 5))
    words = draw_words(rng)
    size = int(rng.choice(SIZES))
    image = paint(words, int(rng.integers(2**31)), draw_parameters(rng), size, size)
    kinds = list(damage.UNSEEN if unseen else damage.TRAINED)
    every = {**damage.TRAINED, **damage.UNSEEN}
    names = list(every)
    views, damages, labels = [crops(image)], [0.0], [-1]
    chosen = rng.choice(len(kinds), VERSIONS - 1, replace=len(kinds) < VERSIONS - 1)
    for index in chosen:
        name = kinds[index]
        worse = every[name](image, float(rng.uniform(0, 1)), rng)
        views.append(crops(worse))
        damages.append(damage.measured(image, worse))
        labels.append(names.index(name))
    return np.stack(views), damages, labels, SLOTS["school"].index(words["school"])


def damaged(seed: int, count: int, cache: Path, *, unseen: bool = False, workers: int) -> Damaged:
    """Paint and damage `count` pictures of set `seed`, or read them from the cache."""
    stored = cache / f"damaged-{painter_digest()}-{seed}-{count}-{int(unseen)}.npz"
    if not stored.exists():
        with ProcessPoolExecutor(workers) as pool:
            made = list(pool.map(picture, [(seed, number, unseen) for number in range(count)], chunksize=8))
        cache.mkdir(parents=True, exist_ok=True)
        part = stored.with_suffix(".part.npz")
        views, damages, kinds, schools = (np.array(column) for column in zip(*made, strict=True))
        np.savez(part, views=views, damage=damages, kind=kinds, school=schools)
        part.rename(stored)
    with np.load(stored) as arrays:
        return Damaged(arrays["views"], arrays["damage"], arrays["kind"], arrays["school"])


def soft_grades(damages: np.ndarray) -> Tensor:
    """Grades as (n, 10) shares: each grade split between its two nearest bins, then smoothed a little."""
    grades = np.array([damage.grade(value) for value in damages]) - 1
    bins = np.arange(BINS)
    shares = np.exp(-0.5 * ((bins[None] - grades[:, None]) / 0.6) ** 2)
    return torch.from_numpy((shares / shares.sum(1, keepdims=True)).astype(np.float32))


def earth_mover(log_shares: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of the cumulative distributions, the r = 2 of NIMA's loss."""
    gap = log_shares.exp().cumsum(1) - wanted.cumsum(1)
    return torch.sqrt((gap**2).mean(1) + 1e-6).mean()


def misranked(log_shares: Tensor, grades: Tensor) -> Tensor:
    """Logistic loss of every pair of a batch whose grades differ by more than a quarter, by their mean grades."""
    means = log_shares.exp() @ torch.arange(1.0, BINS + 1)
    wanted = grades[:, None] - grades[None]
    pairs = wanted > 0.25
    return F.softplus(-(means[:, None] - means[None])[pairs]).mean() if pairs.any() else means.sum() * 0


def train_quality(data: Damaged, *, epochs: int, seed: int, log: list[str]) -> Quality:
    """Train on all versions of all pictures; mirrored and turned views are drawn anew in every epoch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng((seed, 78))
    net = Quality()
    pictures, versions = data.damage.shape
    views = data.views.reshape(-1, *data.views.shape[2:])
    wanted = soft_grades(data.damage.reshape(-1))
    grades = torch.tensor([damage.grade(value) for value in data.damage.reshape(-1)])
    steps = epochs * (len(views) // BATCH)
    together = BATCH // versions
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.5e-3, total_steps=steps, pct_start=0.2, cycle_momentum=False
    )
    started, total, order = time.time(), 0.0, list[int]()
    net.train()
    for step in range(steps):
        if len(order) < together:
            order = list(rng.permutation(pictures))
        # All versions of a picture together: the content is the same, only the damage differs.
        chosen = [order[-1 - place] * versions + version for place in range(together) for version in range(versions)]
        del order[-together:]
        batch = turned(views[chosen], int(rng.integers(8)))
        flat = torch.from_numpy(planes(batch.reshape(-1, *batch.shape[2:])))
        with torch.autocast("cpu", torch.bfloat16):
            shares = net(flat.unflatten(0, (len(chosen), -1)))
        loss = earth_mover(shares, wanted[chosen]) + RANKING * misranked(shares, grades[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
        if (step + 1) % 50 == 0 or step + 1 == steps:
            log.append(f"quality {step + 1}/{steps} {time.time() - started:.0f} s: loss {total / 50:.4f}")
            print(log[-1], flush=True)
            total = 0.0
    return net.eval()


def turned(views: np.ndarray, how: int) -> np.ndarray:
    """One of the eight mirrorings and turns, the same for the whole batch; (n, 6, s, s, 3)."""
    if how & 1:
        views = views[:, :, ::-1]
    if how & 2:
        views = views[:, :, :, ::-1]
    if how & 4:
        views = views.swapaxes(2, 3)
    return np.ascontiguousarray(views)
