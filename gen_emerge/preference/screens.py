"""Takes images to be asked about; gives questions as a rater is shown them. Sides by chance, prompts beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from gen_emerge.types import Question, ShownAs

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def pair_question(
    pair: tuple[int, int],
    ask: Literal["quality", "adherence"],
    prompts: Mapping[int, str],
    rng: np.random.Generator,
    *,
    stream: ShownAs = "",
) -> Question:
    """Which of two: left and right by chance."""
    left, right = pair if rng.random() < 0.5 else pair[::-1]
    images = {"left": left, "right": right}
    return Question(id="", kind="pair", ask=ask, prompt=_prompt_of(images, prompts), images=images, stream=stream)


def repeated(question: Question, prompts: Mapping[int, str]) -> Question:
    """A pair once more, its sides swapped."""
    images = {"left": question.images["right"], "right": question.images["left"]}
    prompt = _prompt_of(images, prompts)
    return Question(id="", kind="pair", ask=question.ask, prompt=prompt, images=images, attention=True)


def single_question(
    kind: Literal["keep", "review"], candidate: int, prompts: Mapping[int, str], stream: ShownAs
) -> Question:
    """Keep it, or let it in."""
    return Question(id="", kind=kind, ask="keep", prompt=prompts[candidate], images={"only": candidate}, stream=stream)


def rank_question(kind: Literal["rank4", "ranking"], candidates: Sequence[int], prompts: Mapping[int, str]) -> Question:
    """Which is best, which next: letters in the order given, which chance should have drawn."""
    images = dict(zip(LETTERS, candidates, strict=False))
    return Question(id="", kind=kind, ask="quality", prompt=_prompt_of(images, prompts), images=images)


def triplet_question(triplet: Sequence[int], prompts: Mapping[int, str]) -> Question:
    """Which of the last two is more like the first."""
    reference, a, b = triplet
    images = {"reference": reference, "a": a, "b": b}
    return Question(id="", kind="triplet", ask="similarity", prompt=_prompt_of(images, prompts), images=images)


def _prompt_of(images: Mapping[str, int], prompts: Mapping[int, str]) -> str:
    """The one prompt of all, or each one's after its name."""
    texts = {name: prompts[candidate] for name, candidate in images.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return " | ".join(f"{name}: {text}" for name, text in texts.items())
