"""Trains the trunk: contrastive prompt head, ranked distance head, calibrated style head, all at once."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.embedded.data import MEMBERS, NAMES, Families
from experiments.embedded.nets import Trunk
from gen_emerge.generators.painter import SLOTS
from gen_emerge.scorers.embedded.views import TRUNK_SIDE, planes

SCHOOL = NAMES.index("school")
BATCH = 22
BLENDS = 12
SMALL, SMALL_STEPS = 64, 680
WARM_STEPS, RAMP_STEPS = 400, (100, 300)
LOG_EVERY = 25
WEIGHTS = {"prompt": 1.0, "slots": 2.0, "distance": 1.0, "same": 1.0, "spread": 0.3, "style": 1.0}
RAMPED = ("distance", "same")
PEAK = 2e-3
RANK_SHARPNESS = 0.1


def blend(first: np.ndarray, second: np.ndarray, share: float, kind: str, angle: float) -> np.ndarray:
    """Mix two (s, s, 3) uint8 pictures so that `share` of the result is the second: evenly, or across a soft edge."""
    if kind == "even":
        cover = np.full(first.shape[:2], share)
    else:
        side = np.linspace(-1, 1, first.shape[0])
        ramp = np.cos(angle) * side[None, :] + np.sin(angle) * side[:, None]
        edge = np.quantile(ramp, share)
        cover = 1 / (1 + np.exp((ramp - edge) / 0.08))
    mixed = first * (1 - cover[..., None]) + second * cover[..., None]
    return mixed.round().astype(np.uint8)


def blends(
    pixels: np.ndarray, schools: np.ndarray, count: int, classes: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw blends of two pictures of different schools: (count, s, s, 3) uint8 and soft labels (count, classes)."""
    mixed, labels = [], np.zeros((count, classes), np.float32)
    while len(mixed) < count:
        i, j = rng.choice(len(pixels), 2, replace=False)
        if schools[i] == schools[j]:
            continue
        share = float(rng.uniform(0.2, 0.5))
        kind = "even" if rng.random() < 0.5 else "edge"
        labels[len(mixed), schools[i]], labels[len(mixed), schools[j]] = 1 - share, share
        mixed.append(blend(pixels[i], pixels[j], share, kind, rng.uniform(0, 2 * math.pi)))
    return np.stack(mixed), labels


def swapped(words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each (slots,) row one caption per slot with another word there: (n, slots, slots)."""
    out = np.repeat(words[:, None], words.shape[1], axis=1)
    for slot, name in enumerate(NAMES):
        count = len(SLOTS[name])
        out[:, slot, slot] = (out[:, slot, slot] + rng.integers(1, count, len(words))) % count
    return out


def prompt_loss(net: Trunk, seen: Tensor, words: Tensor, others: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Contrast each picture's caption with all of the batch and six with one word swapped; and slot by slot.

    `keep` (n, slots) leaves words out of all captions of a picture's row of swaps, so that short prompts work too.
    """
    scale = net.sharpness[0].exp()
    unique, target = torch.unique(words, dim=0, return_inverse=True)
    against = seen @ net.captions(unique).T
    own = (seen * net.captions(words, keep)).sum(1, keepdim=True)
    near = torch.einsum("nd,nsd->ns", seen, net.captions(others, keep[:, None].expand(-1, others.shape[1], -1)))
    same = keep < 0.5  # a swap in a slot that is left out changes nothing
    near = near.masked_fill(same, -1.0)
    contrast = F.cross_entropy(scale * against, target)
    first = torch.zeros(len(words), dtype=torch.long)
    contrast = contrast + F.cross_entropy(scale * torch.cat([own, near], dim=1), first)
    logits = net.sharpness[1].exp() * seen @ net.words.T
    parts = torch.split(logits, list(net.word_counts), dim=1)
    slots = sum(F.cross_entropy(part, words[:, slot]) for slot, part in enumerate(parts)) / len(parts)
    return contrast, slots


def distance_loss(places: Tensor, near: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rank the distances inside each family, pull re-renders together, spread strangers.

    Args:
        places: (f, 4, d): anchor, near, one, three.
        near: (f,) which member of the family the second is: again, jitter or other.
    """
    anchor, close, one, three = places.unbind(1)

    def apart(a: Tensor, b: Tensor) -> Tensor:
        return 1 - (a * b).sum(-1)

    def below(nearer: Tensor, farther: Tensor) -> Tensor:
        return F.softplus((nearer - farther) / RANK_SHARPNESS + 1)

    seeded = (near != MEMBERS.index("other")).float()  # another seed may lie as far as another word
    ranked = []
    for start, end in ((anchor, close), (close, anchor)):
        to_end, to_one, to_three = apart(start, end), apart(start, one), apart(start, three)
        ranked += [seeded * below(to_end, to_one), seeded * below(to_one, to_three)]
        ranked += [below(to_end, to_three), below(to_three, apart(start, start.roll(1, 0)))]
    again = (near == MEMBERS.index("again")).float()
    same = (again * apart(anchor, close)).sum() / again.sum().clamp(min=1)
    between = anchor @ anchor.T
    between = between[~torch.eye(len(between), dtype=torch.bool)]
    return torch.stack(ranked).mean(), same, (2 * between).exp().mean().log()


def train_trunk(data: Families, *, steps: int, seed: int, log: list[str], held_schools: tuple[int, ...] = ()) -> Trunk:
    """Train on the families; the same arguments on the same machine give the same network.

    The first `SMALL_STEPS` steps look at 64 pixels, which is quick, the rest at 96.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng((seed, 77))
    counts = [len(words) for words in SLOTS.values()]
    net = Trunk(counts, counts[SCHOOL])
    usable = np.flatnonzero(~np.isin(data.words[..., SCHOOL], held_schools).any(axis=1))
    decay = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, PEAK, total_steps=steps, pct_start=min(WARM_STEPS / steps, 0.5), cycle_momentum=False
    )
    order: list[int] = []
    started, totals = time.time(), dict.fromkeys(WEIGHTS, 0.0)
    net.train()
    for step in range(steps):
        if len(order) < BATCH:
            order = list(rng.permutation(usable))
        side = SMALL if step < min(SMALL_STEPS, int(0.65 * steps)) else TRUNK_SIDE
        losses = trunk_losses(net, data, np.array([order.pop() for _ in range(BATCH)]), rng, side)
        ramp = min(
            max((step - RAMP_STEPS[0]) / (RAMP_STEPS[1] - RAMP_STEPS[0]), 0.0), 1.0
        )  # ranking noise would only make all distances small
        total = sum(WEIGHTS[name] * value * (ramp if name in RAMPED else 1.0) for name, value in losses.items())
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        for name, value in losses.items():
            totals[name] += float(value.detach())
        if (step + 1) % LOG_EVERY == 0:
            parts = " ".join(f"{name} {value / LOG_EVERY:.3f}" for name, value in totals.items())
            log.append(f"trunk {step + 1}/{steps} {time.time() - started:.0f} s: {parts}")
            print(log[-1], flush=True)
            totals = dict.fromkeys(WEIGHTS, 0.0)
    return net.eval()


def trunk_losses(
    net: Trunk, data: Families, chosen: np.ndarray, rng: np.random.Generator, side: int
) -> dict[str, Tensor]:
    """One batch: four members of each chosen family (perhaps mirrored), and blends for style."""
    classes = len(SLOTS["school"])
    near = rng.choice([MEMBERS.index(name) for name in ("again", "jitter", "other")], len(chosen), p=(0.3, 0.45, 0.25))
    fixed = [np.full(len(chosen), MEMBERS.index(name)) for name in ("anchor", "one", "three")]
    members = np.stack([fixed[0], near, fixed[1], fixed[2]], axis=1)
    pixels = data.pixels[chosen[:, None], members]
    mirrored = rng.random(len(chosen)) < 0.5
    pixels[mirrored] = pixels[mirrored][:, :, :, ::-1]
    pixels = pixels.reshape(-1, *pixels.shape[2:])
    words = data.words[chosen[:, None], members].reshape(-1, data.words.shape[-1])
    mixed, soft = blends(pixels, words[:, SCHOOL], BLENDS, classes, rng)
    batch = torch.from_numpy(planes(np.concatenate([pixels, mixed])))
    if side != TRUNK_SIDE:
        batch = F.interpolate(batch, (side, side), mode="bilinear", antialias=True)
    with torch.autocast("cpu", torch.bfloat16):
        seen, places, styles = net(batch)
    pure = len(words)
    labels = torch.from_numpy(words)
    keep = np.where(rng.random((pure, 1)) < 0.7, 1.0, rng.random(words.shape) < 0.6).astype(np.float32)
    keep[np.arange(pure), rng.integers(0, words.shape[1], pure)] = 1.0
    others = torch.from_numpy(swapped(words, rng))
    contrast, slots = prompt_loss(net, seen[:pure], labels, others, torch.from_numpy(keep))
    ranked, same, spread = distance_loss(places[:pure].unflatten(0, (len(chosen), -1)), torch.from_numpy(near))
    sharp = F.cross_entropy(styles[:pure], labels[:, SCHOOL], label_smoothing=0.03)
    soft_loss = F.cross_entropy(styles[pure:], torch.from_numpy(soft))
    return {
        "prompt": contrast,
        "slots": slots,
        "distance": ranked,
        "same": same,
        "spread": spread,
        "style": sharp + 0.5 * soft_loss,
    }
