"""Between the words of the project and table rows. Takes dataclasses, gives dictionaries of plain values, and back.

JSON here keeps the order of its keys (unlike `canonical_json`): what comes out iterates as what went in, so a series
that is resumed draws from the same order as one that was never stopped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gen_emerge.errors import Damaged
from gen_emerge.types import (
    Ask,
    Axes,
    Bounds,
    Calibration,
    Candidate,
    Critique,
    CycleRecord,
    Embedding,
    Genome,
    Image,
    Proposal,
    Question,
    QuestionKind,
    Resolution,
    Round,
    ShownAs,
)

Row = dict[str, Any]
RESTORE = "Restore series.db from a copy; the pictures carry their recipes and are not touched."
"""What to do about a database that does not give back what was written to it."""


def to_json(value: Any) -> str:
    """Compact JSON in the order given; floats exact; NaN and infinity refused."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)


def from_json(text: str) -> Any:
    """What `to_json` wrote.

    Raises:
        Damaged: it never wrote this.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise Damaged(f"A stored value is no JSON: {error}.", hint=RESTORE) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not plain JSON")


def recipe_json(genome: Genome) -> str:
    """All that acts on the pixels, slots and parameters in their own order."""
    return to_json(genome.recipe())


def genome_from(recipe: str, operator: str, parents: str) -> Genome:
    """The genome of a stored recipe and its lineage.

    Raises:
        Damaged: the recipe is not one that was stored.
    """
    try:
        return Genome(**from_json(recipe), operator=operator, parents=hashes_from(parents))
    except (TypeError, ValueError) as error:
        raise Damaged(f"A stored recipe cannot be read: {error}.", hint=RESTORE) from error


def hashes_from(text: str) -> tuple[str, ...]:
    """Parents of a genome."""
    return tuple(text.split())


def candidate_row(c: Candidate) -> Row:
    """A row of `candidates`."""
    return {
        "id": int(c.id),
        "cycle": int(c.cycle),
        "slot": int(c.slot),
        "genome": c.genome.hash,
        "operator": c.genome.operator,
        "parents": " ".join(c.genome.parents),
        "status": c.status,
        "cause": c.cause,
    }


def image_row(candidate: int, image: Image) -> Row:
    """A row of `images`."""
    return {
        "candidate": int(candidate),
        "pixels": image.pixels,
        "file": image.file,
        "path": image.path,
        "thumbnail": image.thumbnail,
        "width": int(image.width),
        "height": int(image.height),
        "size": int(image.size),
    }


def proposal_row(made: int, proposal: Proposal) -> Row:
    """A row of `proposals`."""
    return {
        "cycle": int(proposal.cycle),
        "slot": int(proposal.slot),
        "made": made,
        "genome": proposal.genome.hash,
        "operator": proposal.genome.operator,
        "parents": " ".join(proposal.genome.parents),
    }


def critique_row(cycle: int, candidate: int, critic: int, critique: Critique) -> Row:
    """A row of `critiques`."""
    usage = critique.usage
    return {
        "candidate": int(candidate),
        "cycle": cycle,
        "critic": critic,
        "answers": to_json(critique.answers),
        "summary": critique.summary,
        "weaknesses": to_json(critique.weaknesses),
        "input_tokens": int(usage.input_tokens),
        "output_tokens": int(usage.output_tokens),
        "cost_usd": float(usage.cost_usd),
        "seconds": float(usage.seconds),
    }


def duel_rows(record: CycleRecord) -> list[Row]:
    """Rows of `duels`, in order."""
    return [
        {
            "cycle": record.cycle,
            "left": int(d.left),
            "right": int(d.right),
            "question": d.question,
            "outcome": d.outcome,
            "judge": d.judge,
            "order": d.order,
            "purpose": d.purpose,
            "seconds": None if d.seconds is None else float(d.seconds),
            "attention": bool(d.attention),
        }
        for d in record.duels
    ]


def placement_rows(record: CycleRecord) -> list[Row]:
    """Rows of `placements`, in order."""
    return [
        {
            "cycle": record.cycle,
            "candidate": int(p.candidate),
            "cell": int(p.cell),
            "descriptor": to_json([float(v) for v in p.descriptor]),
            "descriptor_version": int(p.descriptor_version),
            "outcome": p.outcome,
            "incumbent": None if p.incumbent is None else int(p.incumbent),
            "clipped": bool(p.clipped),
            "reason": p.reason,
        }
        for p in record.placements
    ]


def resolution_rows(cycle: int, resolutions: Sequence[Resolution]) -> list[Row]:
    """Rows of `resolutions`, in order."""
    return [{"cycle": cycle, "candidate": int(r.candidate), "status": r.status, "cause": r.cause} for r in resolutions]


def calibration_row(cycle: int, calibration: Calibration) -> Row:
    """A row of `calibrations`."""
    bounds = {name: each.plain for name, each in calibration.bounds.items()}
    return {
        "version": int(calibration.version),
        "cycle": cycle,
        "parent": calibration.parent,
        "bounds": to_json(bounds),
        "evidence": to_json(calibration.evidence),
        "reason": calibration.reason,
    }


def calibration_from(version: int, parent: int | None, bounds: str, evidence: str, reason: str) -> Calibration:
    """A stored calibration."""
    return Calibration(
        version=version,
        parent=parent,
        bounds={
            name: Bounds(lower=b[0], upper=b[1], review=b[2], duplicate=b[3], review_upper=b[4] if b[4:] else None)
            for name, b in from_json(bounds).items()
        },
        evidence=from_json(evidence),
        reason=reason,
    )


def axes_row(cycle: int, axes: Axes) -> Row:
    """A row of `axes`."""
    return {
        "version": int(axes.version),
        "cycle": cycle,
        "kind": axes.kind,
        "names": to_json(axes.names),
        "low": to_json([float(v) for v in axes.low]),
        "high": to_json([float(v) for v in axes.high]),
        "dims": to_json([int(v) for v in axes.dims]),
        "centroids": to_json([[float(v) for v in point] for point in axes.centroids]),
    }


def axes_from(version: int, kind: Any, names: str, low: str, high: str, dims: str, centroids: str) -> Axes:
    """Stored axes."""
    return Axes(
        version=version,
        kind=kind,
        names=tuple(from_json(names)),
        low=tuple(from_json(low)),
        high=tuple(from_json(high)),
        dims=tuple(from_json(dims)),
        centroids=tuple(tuple(point) for point in from_json(centroids)),
    )


def round_row(cycle: int, asked: Round) -> Row:
    """A row of `rounds`."""
    return {
        "id": asked.id,
        "cycle": cycle,
        "round_cycle": int(asked.cycle),
        "reason": asked.reason,
        "baseline": to_json([int(candidate) for candidate in asked.baseline]),
    }


def question_rows(asked: Round) -> list[Row]:
    """Rows of `questions`, in order."""
    return [
        {
            "id": q.id,
            "round": asked.id,
            "position": position,
            "kind": q.kind,
            "ask": q.ask,
            "prompt": q.prompt,
            "images": to_json({side: int(candidate) for side, candidate in q.images.items()}),
            "attention": bool(q.attention),
            "stream": q.stream,
        }
        for position, q in enumerate(asked.questions)
    ]


def question_from(
    identity: str, kind: QuestionKind, ask: Ask, prompt: str, images: str, attention: bool, stream: ShownAs
) -> Question:
    """The question of a row of `questions`."""
    return Question(
        id=identity, kind=kind, ask=ask, prompt=prompt, images=from_json(images), attention=attention, stream=stream
    )


def round_payload(asked: Round) -> dict[str, Any]:
    """A round as the payload of an input of kind "round"."""
    questions = [
        {
            "id": q.id,
            "kind": q.kind,
            "ask": q.ask,
            "prompt": q.prompt,
            "images": dict(q.images),
            "attention": q.attention,
            "stream": q.stream,
        }
        for q in asked.questions
    ]
    return {"id": asked.id, "cycle": asked.cycle, "reason": asked.reason, "questions": questions}


def round_from_payload(payload: Mapping[str, Any]) -> Round:
    """The round of an input of kind "round"."""
    return Round(
        id=payload["id"],
        cycle=payload["cycle"],
        reason=payload.get("reason", "request"),
        questions=tuple(Question(**question) for question in payload["questions"]),
    )


def vector_bytes(embedding: Embedding) -> bytes:
    """(d,) float32, little-endian."""
    return embedding.vector.astype("<f4", copy=False).tobytes()
