"""What people answered to "which is more like this one?": store -> triplets that a distance can learn from.

Reads beside a running series; changes nothing. What an answer says is read in `preference/triplets.py`; their pictures
are found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gen_emerge.errors import BadInput, Damaged, nearest
from gen_emerge.preference.triplets import Triplet, decided, triplet_questions
from gen_emerge.store import Store
from gen_emerge.store.images import read_stored
from gen_emerge.types import Pixels


def triplets(store: Store, *, rater: str | None = None) -> list[Triplet]:
    """Every triplet somebody decided, in order of arrival; who was unsure or skipped says nothing.

    Args:
        store: the series.
        rater: only this one's; None for all.

    Raises:
        BadInput: nobody of that name answered a triplet.
    """
    rounds, standing = store.rounds(), store.answers().standing
    questions = triplet_questions(rounds)
    names = sorted({answer.rater for answer in standing if answer.question in questions})
    if rater is not None and rater not in names:
        hint = nearest(rater, names) if names else "Nobody did yet."
        raise BadInput(f'"{rater}" has answered no triplet of this series.', hint=hint)
    return decided(rounds, standing, rater=rater)


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
