"""What people answered to "which is more like this one?": rounds and answers -> triplets that can be learned from.

Rankings and pairs are no such answers: they say which image is better, and nothing of which are alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen_emerge.types import HumanAnswer, Question, Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """One answer: of two images the one more like the reference, by candidate ids."""

    question: str
    rater: str
    reference: int
    nearer: int
    farther: int


def triplet_questions(rounds: Iterable[Round]) -> dict[str, Question]:
    """Id -> question, of those that ask which of two images is more like a third."""
    return {q.id: q for asked in rounds for q in asked.questions if q.kind == "triplet"}


def decided(rounds: Iterable[Round], standing: Iterable[HumanAnswer], *, rater: str | None = None) -> list[Triplet]:
    """Every triplet somebody decided, in order of arrival; who was unsure or skipped says nothing.

    Args:
        rounds: all there are.
        standing: the answers that stand, in order of arrival.
        rater: only this one's; None for all.
    """
    questions = triplet_questions(rounds)
    found: list[Triplet] = []
    for answer in standing:
        question = questions.get(answer.question)
        if question is None or answer.answer not in ("a", "b") or rater not in (None, answer.rater):
            continue
        images = question.images
        found.append(
            Triplet(
                question=answer.question,
                rater=answer.rater,
                reference=images["reference"],
                nearer=images[answer.answer],
                farther=images["b" if answer.answer == "a" else "a"],
            )
        )
    return found


def stand_in(
    ids: NDArray[np.int64], vectors: NDArray[np.float32], wanted: int, *, rng: np.random.Generator
) -> list[Triplet]:
    """Triplets that a perceptual distance answers where no person did: the nearer is so by the embedding's own cosine.

    Args:
        ids: (n,) candidate ids.
        vectors: (n, d) float32 unit vectors of them.
        wanted: how many; fewer where there are fewer than three images, or where two are equally far.
        rng: a generator of these triplets alone.
    """
    if len(ids) < 3:
        return []
    found: list[Triplet] = []
    for number in range(wanted):
        reference, one, other = (int(place) for place in rng.choice(len(ids), 3, replace=False))
        # The larger cosine, the smaller distance.
        likeness = [float(vectors[reference].astype(np.float64) @ vectors[place]) for place in (one, other)]
        if likeness[0] == likeness[1]:
            continue
        near, far = (one, other) if likeness[0] > likeness[1] else (other, one)
        found.append(
            Triplet(
                question=f"distance-{number + 1}",
                rater="",
                reference=int(ids[reference]),
                nearer=int(ids[near]),
                farther=int(ids[far]),
            )
        )
    return found
