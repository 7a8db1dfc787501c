"""What humans said of single images, as evidence for thresholds: stored answers -> labels of a gate.

Takes the store and who ever held a cell; gives plain values in order of arrival. Pairs say which of two is better and
nothing of how good either is: they are no evidence here. Nothing is decided and nobody is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gen_emerge.calibration.posterior import Labels, Stream, faded
from gen_emerge.preference.verdicts import on_single_images
from gen_emerge.store import Store
from gen_emerge.types import GATES, Candidate, Gate, Question

UNSURE_WEIGHT = 0.5
"""What an answer counts that its rater was not sure of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One rater's word on one image. `cycle`: of the image; `near`: the gates in whose review bands it lay."""

    candidate: int
    cycle: int
    good: bool
    stream: Stream
    weight: float
    near: frozenset[str]


def judged(store: Store, *, held: Collection[int], last: int | None = None) -> list[Judged]:
    """Every keep and discard that stands, oldest first. Of one rater's answers about an image the last one counts.

    Args:
        store: the series.
        held: candidates that ever held a cell.
        last: only answers that the cycles up to this one may use; None for all.
    """
    questions = {q.id: q for asked in store.rounds() for q in asked.questions}
    said = on_single_images(questions, store.answers(last).standing)
    ids = sorted({question.images["only"] for question, _ in said})
    candidates = {c.id: c for c in store.candidates(ids)} if ids else {}
    verdicts = store.verdicts(ids) if ids else {}
    found: list[Judged] = []
    for question, answer in said:
        number = question.images["only"]
        near = frozenset(v.gate for v in verdicts.get(number, ()) if v.kind == "gate" and v.outcome == "review")
        found.append(
            Judged(
                candidate=number,
                cycle=candidates[number].cycle,
                good=answer.answer == "keep",
                stream=_stream(question, candidates[number], near, number in held),
                weight=1.0 if answer.confidence == "sure" else UNSURE_WEIGHT,
                near=near,
            )
        )
    return found


def _stream(question: Question, candidate: Candidate, near: Collection[str], held: bool) -> Stream:
    """How an image came to be shown; where nobody noted it, by what had become of it in its own cycle."""
    if question.stream in ("raw", "elite", "survivor", "review"):
        return question.stream
    if question.kind == "review" or near:
        return "review"
    if candidate.status == "rejected" and candidate.cause in GATES:
        return "raw"
    return "elite" if held else "survivor"


def labels_of(
    said: Sequence[Judged],
    gate: Gate,
    numbers: Mapping[int, float],
    *,
    half_life: float,
    shifted: Sequence[int] = (),
) -> tuple[Labels, list[int]]:
    """What one gate can learn from: labels with its numbers, and the candidates they are of.

    Nobody can see in one image whether it repeats another one: novelty learns only from images that waited because of
    it.

    Args:
        said: oldest first.
        gate: which.
        numbers: candidate id -> raw number, of the version in force.
        half_life: later answers after which one counts half.
        shifted: candidate ids at which the signal shifted, ascending.
    """
    used = [j for j in said if j.candidate in numbers and (gate != "novelty" or "novelty" in j.near)]
    later = np.arange(len(used), 0, -1.0) - 1
    labels = Labels(
        values=np.array([numbers[j.candidate] for j in used], dtype=np.float64),
        good=np.array([j.good for j in used], dtype=np.bool_),
        streams=tuple(j.stream for j in used),
        weights=faded(later, half_life) * np.array([j.weight for j in used], dtype=np.float64),
        ages=np.array([sum(1 for at in shifted if j.candidate < at) for j in used], dtype=np.intp),
    )
    return labels, [j.candidate for j in used]
