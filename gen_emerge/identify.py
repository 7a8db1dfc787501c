"""Which candidate is meant: an id, the beginning of a hash, or a picture's file -> its id.

A hash is a genome's or a picture's: files are named by them. Of a file the recipe that a PNG carries is looked at, then
its pixels, then its name. Reads the store and that file; changes nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from gen_emerge.errors import BadInput, NotFound
from gen_emerge.importing import read
from gen_emerge.importing.recipes import OURS
from gen_emerge.store import Store, pixels_hash

LEAST_DIGITS = 6
"""Of a hash; fewer would often mean several."""
_WANTED = f"an id from 1 up, {LEAST_DIGITS} digits or more of a genome's or picture's hash, or a picture's file"
_SHOWN = 5


def candidate_meant(store: Store, given: int | str | Path) -> int:
    """The id of the candidate that was named.

    Args:
        store: the series.
        given: an id (which need not be there); the first 6 digits or more of a hash; a path to a PNG of the series,
            stored, exported or imported.

    Raises:
        BadInput: it is none of these, or begins several hashes.
        NotFound: no candidate has such a hash, no such file is there, or it is no picture of the series.
    """
    text = str(given).strip()
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0
    digits = text.lower() if re.fullmatch(rf"[0-9a-fA-F]{{{LEAST_DIGITS},64}}", text) else ""
    if 0 < number <= store.last_candidate() or (number and not digits):
        return number
    path = Path(text)
    if path.is_file():
        return _of_file(store, path)
    if digits:
        return _of_hash(store, digits)
    if path.suffix or len(path.parts) > 1:
        raise NotFound(f"There is no picture {text}.", hint=f"Wanted {_WANTED}.")
    raise BadInput(f'--candidate "{text}" names no candidate: wanted {_WANTED}.', hint=_look(store))


def _of_hash(store: Store, digits: str) -> int:
    found = store.beginning_with(digits)
    if not found:
        raise NotFound(
            f'The series "{store.folder.name}" has no candidate whose genome or picture has a hash that begins with '
            f"{digits}.",
            hint=_look(store),
        )
    if len(set(found.values())) > 1:
        shown = ", ".join(f"{number} ({whole[: len(digits) + 6]}...)" for number, whole in list(found.items())[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise BadInput(f"{digits} begins the hashes of candidates {shown}{more}.", hint="Give more digits, or the id.")
    return min(found)


def _of_file(store: Store, path: Path) -> int:
    picture = read(path)
    recipe = picture.recipe
    genome = recipe.settings.get("genome", "") if recipe is not None and recipe.tool == OURS else ""
    named = path.stem if re.fullmatch(r"[0-9a-f]{64}", path.stem) else ""
    for whole in (genome, pixels_hash(picture.pixels), named):
        if whole and (found := store.beginning_with(whole)):
            return min(found)
    raise NotFound(
        f'{path} is no picture of the series "{store.folder.name}": neither its recipe nor its pixels are there.',
        hint=f"Wanted {_WANTED}.",
    )


def _look(store: Store) -> str:
    name = store.folder.name
    return f"Ids stand in gen-emerge --json inspect {name}, in its report, and in gen-emerge import {name} --list"
