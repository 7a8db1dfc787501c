"""What people answered to "which is more like this one?": store -> triplets that a distance can learn from.

Reads beside a running series; changes nothing. Rankings and pairs are no such answers: they say which image is better,
and nothing of which are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gen_emerge.errors import BadInput, Damaged, nearest
from gen_emerge.store import Store
from gen_emerge.store.images import read_stored
from gen_emerge.types import Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """One answer: of two images the one more like the reference, by candidate ids."""

    question: str
    rater: str
    reference: int
    nearer: int
    farther: int


def triplets(store: Store, *, rater: str | None = None) -> list[Triplet]:
    """Every triplet somebody decided, in order of arrival; who was unsure or skipped says nothing.

    Args:
        store: the series.
        rater: only this one's; None for all.

    Raises:
        BadInput: nobody of that name answered a triplet.
    """
    questions = {q.id: q for asked in store.rounds() for q in asked.questions if q.kind == "triplet"}
    answers = [answer for answer in store.answers().standing if answer.question in questions]
    names = sorted({answer.rater for answer in answers})
    if rater is not None and rater not in names:
        hint = nearest(rater, names) if names else "Nobody did yet."
        raise BadInput(f'"{rater}" has answered no triplet of this series.', hint=hint)
    found: list[Triplet] = []
    for answer in answers:
        if answer.answer not in ("a", "b") or rater not in (None, answer.rater):
            continue
        images = questions[answer.question].images
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


def pictures_of(
    store: Store, folder: Path, asked: Sequence[Triplet]
) -> tuple[list[tuple[Triplet, tuple[Pixels, Pixels, Pixels]]], int]:
    """The triplets with their pictures (reference, nearer, farther), and how many were left out.

    Left out are those of pictures that are of different sizes, or whose file is lost or damaged: `verify` names it.
    """
    ids = sorted({number for one in asked for number in (one.reference, one.nearer, one.farther)})
    seen: dict[int, Pixels] = {}
    for candidate in store.candidates(ids) if ids else ():
        if candidate.image is not None:
            try:
                seen[candidate.id] = read_stored(folder, candidate.image)
            except Damaged:
                continue
    found: list[tuple[Triplet, tuple[Pixels, Pixels, Pixels]]] = []
    for one in asked:
        known = [seen[number] for number in (one.reference, one.nearer, one.farther) if number in seen]
        if len(known) == 3 and len({pixels.shape for pixels in known}) == 1:
            found.append((one, (known[0], known[1], known[2])))
    return found, len(asked) - len(found)
