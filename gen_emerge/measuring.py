"""Measuring: images + scorers -> readings, images + detectors -> defects; one image's failure is that image's alone.

Takes a scorer or a detector and pictures; gives a reading, or defects, or an error for each, in order. A batch that
raises is looked at again one by one, each image at most `attempts` times. What is not finite, lacks what the scorer's
roles promise, or is no defect, is an error: nothing is made up in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gen_emerge.protocols import Detector, Scorer
from gen_emerge.types import GATES, Defect, Pixels, Reading

_T = TypeVar("_T")
_R = TypeVar("_R")


def score(scorer: Scorer, images: Sequence[Pixels], prompts: Sequence[str], *, attempts: int) -> list[Reading | str]:
    """A reading, or why there is none, for every image.

    Args:
        scorer: measures.
        images: (n,) arrays (h, w, 3) uint8.
        prompts: (n,) the texts they were made from.
        attempts: how often one image alone may raise, >= 1.
    """

    def look(shown: Sequence[tuple[Pixels, str]]) -> Sequence[Reading]:
        return scorer.score([image for image, _ in shown], [prompt for _, prompt in shown])

    shown = list(zip(images, prompts, strict=True))
    return _each(look, lambda reading: _checked(scorer, reading), shown, attempts, what="readings")


def find(detector: Detector, images: Sequence[Pixels], *, attempts: int) -> list[tuple[Defect, ...] | str]:
    """The defects of every image, or why nobody can say.

    Args:
        detector: looks.
        images: (n,) arrays (h, w, 3) uint8.
        attempts: how often one image alone may raise, >= 1.
    """
    return _each(detector.find, _defects, list(images), attempts, what="findings")


def _each(
    look: Callable[[Sequence[_T]], Sequence[Any]],
    check: Callable[[Any], _R | str],
    shown: Sequence[_T],
    attempts: int,
    *,
    what: str,
) -> list[_R | str]:
    """All at once; if that raises, or gives another number of results, one by one."""
    try:
        found = list(look(shown))
        if len(found) == len(shown):
            return [check(one) for one in found]
    except Exception as error:
        if len(shown) == 1 and attempts == 1:
            return [f"{type(error).__name__}: {error}"[:500]]
    return [_alone(look, check, one, attempts, what) for one in shown]


def _alone(
    look: Callable[[Sequence[_T]], Sequence[Any]], check: Callable[[Any], _R | str], one: _T, attempts: int, what: str
) -> _R | str:
    trouble = "nothing was tried"
    for _ in range(attempts):
        try:
            found = look([one])
            if len(found) == 1:
                return check(found[0])
            trouble = f"{len(found)} {what} for one image"
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"[:500]
    return trouble


def _defects(found: Any) -> tuple[Defect, ...] | str:
    defects: tuple[Any, ...] = tuple(found)
    for defect in defects:
        if not isinstance(defect, Defect):
            return f"{defect!r} is no defect"[:500]
        left, top, right, bottom = defect.box
        if not (0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0):
            return f"the box of a defect is {defect.box}"[:500]
    return defects


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
