"""Measuring: images + scorers -> readings, where one image's failure is that image's alone.

Takes a scorer and pictures; gives a reading or an error for each, in order. A batch that raises is scored again one by
one, each image at most `attempts` times. What is not finite, or lacks what the scorer's roles promise, is an error: no
number is made up in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gen_emerge.protocols import Scorer
from gen_emerge.types import GATES, Pixels, Reading


def score(scorer: Scorer, images: Sequence[Pixels], prompts: Sequence[str], *, attempts: int) -> list[Reading | str]:
    """A reading, or why there is none, for every image.

    Args:
        scorer: measures.
        images: (n,) arrays (h, w, 3) uint8.
        prompts: (n,) the texts they were made from.
        attempts: how often one image alone may raise, >= 1.
    """
    try:
        readings = list(scorer.score(images, prompts))
        if len(readings) == len(images):
            return [_checked(scorer, reading) for reading in readings]
    except Exception as error:
        if len(images) == 1 and attempts == 1:
            return [f"{type(error).__name__}: {error}"[:500]]
    return [_alone(scorer, image, prompt, attempts) for image, prompt in zip(images, prompts, strict=True)]


def _alone(scorer: Scorer, image: Pixels, prompt: str, attempts: int) -> Reading | str:
    trouble = "nothing was tried"
    for _ in range(attempts):
        try:
            readings = scorer.score([image], [prompt])
            if len(readings) == 1:
                return _checked(scorer, readings[0])
            trouble = f"{len(readings)} readings for one image"
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"[:500]
    return trouble


def _checked(scorer: Scorer, reading: Reading) -> Reading | str:
    names = {signal.scorer for signal in reading.signals}
    for role in sorted(scorer.roles & (set(GATES) - {"novelty"})):
        if role not in names:
            return f"no {role} was measured"
    for signal in reading.signals:
        if not np.isfinite(signal.value):
            return f"{signal.scorer} is {signal.value}"
    if "novelty" in scorer.roles and (reading.embedding is None or not np.isfinite(reading.embedding.vector).all()):
        return "the embedding is missing or not finite"
    return reading
