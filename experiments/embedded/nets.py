"""The networks, in torch: the shared trunk with its three heads, and the small one that judges quality."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PROMPT_WIDTH = 96
DISTANCE_WIDTH = 160
BINS = 10


def layer(fan_in: int, fan_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=False), nn.BatchNorm2d(fan_out), nn.ReLU(inplace=True)
    )


def statistics(x: Tensor) -> Tensor:
    """Mean and standard deviation of every channel: (n, c, h, w) -> (n, 2c), float32."""
    mean = x.mean(dim=(2, 3), dtype=torch.float32)
    square = (x * x).mean(dim=(2, 3), dtype=torch.float32)
    return torch.cat([mean, torch.sqrt(F.relu(square - mean * mean) + 1e-4)], dim=1)


class Stages(nn.Module):
    """Plain 3x3 convolutions; gives the statistics of every stage, and the last stage itself.

    Args:
        widths: (first layer, then for every stage its channels); each stage halves the picture.
    """

    def __init__(self, widths: Sequence[int], channels: int = 3) -> None:
        super().__init__()
        first, *rest = widths
        self.stages = nn.ModuleList([nn.Sequential(layer(channels, first, 2), layer(first, rest[0], 1))])
        for before, now in itertools.pairwise(rest):
            self.stages.append(nn.Sequential(layer(before, now, 2), layer(now, now, 1)))
        self.width = 2 * sum(rest)
        self.last = rest[-1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gathered = []
        for stage in self.stages:
            x = stage(x)
            gathered.append(statistics(x))
        return torch.cat(gathered, dim=1), x


def head(fan_in: int, hidden: int, fan_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(fan_in, hidden), nn.LeakyReLU(0.1), nn.Linear(hidden, fan_out))


class Trunk(nn.Module):
    """(n, 3, 96, 96) in [-1, 1] -> prompt direction (n, 96), distance direction (n, 160), school logits (n, schools).

    Beside the statistics of every stage the heads see the last stage in 3 x 3 fields: where in the picture things are.
    """

    def __init__(self, words: Sequence[int], schools: int) -> None:
        super().__init__()
        self.stages = Stages((16, 24, 48, 96, 224))
        self.where = nn.Sequential(nn.Conv2d(self.stages.last, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        width = self.stages.width + 32 * 9
        self.norm = nn.BatchNorm1d(width)
        self.fields: nn.Module = nn.AdaptiveAvgPool2d(3)  # the export puts a plain 2 x 2 mean here, the same at 96 px
        self.prompt, self.distance = head(width, 256, PROMPT_WIDTH), head(width, 256, DISTANCE_WIDTH)
        self.style = head(width, 96, schools)
        nn.init.zeros_(self.style[-1].weight)
        self.words = nn.Parameter(torch.randn(sum(words), PROMPT_WIDTH) * 0.3)
        self.word_counts = tuple(words)
        self.sharpness = nn.Parameter(torch.tensor([2.7, 2.0]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gathered, last = self.stages(x)
        fields = self.fields(self.where(last)).flatten(1).float()
        gathered = self.norm(torch.cat([gathered, fields], dim=1))
        prompt = F.normalize(self.prompt(gathered).float(), dim=1)
        distance = F.normalize(self.distance(gathered).float(), dim=1)
        return prompt, distance, self.style(gathered).float()

    def captions(self, words: Tensor, keep: Tensor | None = None) -> Tensor:
        """(..., slots) word indices -> (..., 96) directions; `keep` (..., slots) leaves slots out."""
        start = torch.tensor([0, *self.word_counts[:-1]]).cumsum(0)
        vectors = self.words[words + start]
        if keep is not None:
            vectors = vectors * keep[..., None]
        return F.normalize(vectors.sum(dim=-2), dim=-1)


class Quality(nn.Module):
    """(n, 6, 3, 64, 64): five native crops and the whole view -> (n, 10) log-shares of the grades 1..10.

    Beside the three colours the first layer sees the Laplacians of lightness and of two colour differences, squashed so
    that a faint trace of damage (two or three levels of 255) is as plain as a strong one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = Stages((16, 24, 48, 96), channels=6)
        laplace = torch.tensor([[0.0, -0.25, 0.0], [-0.25, 1.0, -0.25], [0.0, -0.25, 0.0]])
        opponents = torch.tensor([[0.3, 0.6, 0.1], [1.0, -1.0, 0.0], [0.0, -1.0, 1.0]])
        self.register_buffer("laplace", opponents[:, :, None, None] * laplace)
        self.norm = nn.BatchNorm1d(3 * self.stages.width)
        self.grade = head(3 * self.stages.width, 128, BINS)

    def forward(self, x: Tensor) -> Tensor:
        n, views = x.shape[:2]
        x = x.flatten(0, 1)
        fine = F.conv2d(x, self.laplace, padding=1)
        x = torch.cat([x, fine / (fine.abs() + 0.05)], dim=1)
        gathered = self.stages(x)[0].unflatten(0, (n, views))
        near, far = gathered[:, : views - 1], gathered[:, views - 1]
        pooled = torch.cat([near.mean(dim=1), near.amax(dim=1), far], dim=1)
        return F.log_softmax(self.grade(self.norm(pooled)).float(), dim=1)
