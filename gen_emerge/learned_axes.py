"""Axes that are learned, where the series asks for it: triplets -> an input with axes to come.

Takes the draft of a cycle of the schedule; fits a projection of the embedding, foretells triplets that were held out,
and where that is better than chance by its interval writes the projection down, with the first cycle that nothing has
been begun of yet. It is written before the cycle is committed: a process that is killed in between derives the same
cycle again, and finds it written. What then happens to the map is in `relaying.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.archive import project, ranges
from gen_emerge.chance import draw
from gen_emerge.cycle import Draft
from gen_emerge.preference.axes import FOLDS, LEAST, HeldOut, basis_of, fit_axes, held_out, places_of, sets_of
from gen_emerge.preference.triplets import Triplet, decided, stand_in
from gen_emerge.relaying import KIND
from gen_emerge.types import Event, content_hash

SAMPLE = 2000
"""Accepted images, drawn by chance, that say how the embedding spreads: enough for its principal directions."""
STAND_INS = 1000
"""Triplets that the distance answers where no person is asked."""
STANDS_IN = "distance"


def refit(draft: Draft) -> None:
    """Fit axes anew where the schedule says so and there is something new to learn from."""
    live, learn = draft.live, draft.live.crew.axes
    state = live.state
    if learn.source == "off" or draft.cycle % learn.every or state.archive is None:
        return
    ids, vectors, asked = _material(draft)
    evidence = content_hash([[t.question, t.rater, t.reference, t.nearer, t.farther] for t in asked])
    fits = [e.payload["fitted"] for _, e in live.store.events() if e.kind == KIND and "fitted" in e.payload]
    threes = places_of(ids, [(t.reference, t.nearer, t.farther) for t in asked])
    if len(threes) < LEAST or (fits and fits[-1]["evidence"] == evidence):
        return  # nothing new was answered
    if sets_of(threes) < FOLDS:
        return  # however many answers: nothing would be left to fit to, or to hold out
    axes = len(live.crew.rhythm.axes)
    basis = basis_of(vectors, axes)
    rng = draw(live.crew.rhythm.seed, draft.cycle, 0, "folds")
    told = held_out(basis, vectors, threes, axes, rng=rng, look=len(fits) + 1)
    first = draft.cycle + live.crew.rhythm.pipeline_depth + 1  # the cycles up to there may have been begun by now
    _tell(draft, told, evidence, first)
    if not told.believed or any(item.payload["at"] == draft.cycle for item in live.store.inputs_of(KIND)):
        return
    before = state.archive.axes
    like = np.array(before.weights) if before.learned and before.space == live.space else None
    weights = fit_axes(basis, threes, axes, like=like)
    accepted = np.isin(ids, list(state.accepted))
    low, high = ranges(project(weights.tolist(), vectors[accepted]), [(-np.inf, np.inf)] * axes)
    live.store.add_input(
        KIND,
        {
            "at": draft.cycle,
            "space": live.space,
            "weights": weights.tolist(),
            "low": low,
            "high": high,
            "source": learn.source,
            "evidence": evidence,
            "held_out": asdict(told),
        },
        first_cycle=first,
    )


def _material(draft: Draft) -> tuple[NDArray[np.int64], NDArray[np.float32], list[Triplet]]:
    """Images with their embeddings, and the triplets about them, as they stand at this cycle's boundary."""
    live = draft.live
    rng = draw(live.crew.rhythm.seed, draft.cycle, 0, "axes")
    accepted = np.array(sorted(live.state.accepted), dtype=np.int64)
    if len(accepted) > SAMPLE:
        accepted = np.sort(rng.choice(accepted, SAMPLE, replace=False))
    asked: list[Triplet] = []
    if live.crew.axes.source != STANDS_IN:
        asked = decided(live.store.rounds(), live.store.answers(draft.cycle).standing)
    wanted = {int(number) for number in accepted} | {n for t in asked for n in (t.reference, t.nearer, t.farther)}
    ids, vectors = live.store.embeddings(sorted(wanted), live.space)
    if live.crew.axes.source == STANDS_IN:
        asked = stand_in(ids, vectors, STAND_INS, rng=rng)
    return ids, vectors, asked


def _tell(draft: Draft, told: HeldOut, evidence: str, first: int) -> None:
    source = draft.live.crew.axes.source
    figures: dict[str, Any] = {**asdict(told), "believed": told.believed, "source": source, "evidence": evidence}
    message = f"Learned axes {in_words(told)}: "
    if told.believed:
        message += f"the map is re-laid along them in cycle {first}."
    else:
        message += "not better than chance for sure, so the map stays."
    draft.events.append(Event(kind=KIND, message=message, payload={"fitted": figures}))


def in_words(told: HeldOut) -> str:
    """How well they foretell, in half a sentence."""
    return (
        f"name the picture that was named in {told.accuracy:.0%} ({told.low:.0%} to {told.high:.0%}) of "
        f"{told.triplets} triplets held out; chance 50%, the whole embedding {told.embedding:.0%}"
    )
