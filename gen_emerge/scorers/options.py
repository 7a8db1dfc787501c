"""Takes the table of one scorer in a series file; gives checked options, or says what is wrong with which key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gen_emerge.errors import IN_THE_FILE, BadInput, MissingModel, ScorerFailed, nearest
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.home import pin_of
from gen_emerge.types import Pixels

_NAMES = {str: "a text", float: "a number", int: "a whole number", bool: "true or false", dict: "a table"}


def checked(where: str, options: Mapping[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    """The options, each of a known name and type; whole numbers pass as numbers. `use` is left out.

    Args:
        where: the table, such as "scorers.quality".
        options: as read from the series file.
        known: key -> str, float, int, bool or dict.

    Raises:
        BadInput: an unknown key (the nearest is named), or a value of another type.
    """
    given = {key: value for key, value in options.items() if key != "use"}
    for key, value in given.items():
        if key not in known:
            raise BadInput(f'{where}.{key} is not known to "{options.get("use", where)}".', hint=nearest(key, known))
        wanted = known[key]
        fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            given[key] = float(value)
        elif not fits:
            raise BadInput(f"{where}.{key} = {value!r}: wanted {_NAMES[wanted]}.", hint=IN_THE_FILE)
    return given


def weights_path(where: str, options: Mapping[str, Any], *, folder: bool = False) -> Path:
    """The file (or folder) that `weights` names.

    Raises:
        BadInput: the key is missing or empty.
        MissingModel: there is nothing at that path.
    """
    named = str(options.get("weights", ""))
    kind = "folder" if folder else "file"
    if not named:
        raise BadInput(
            f"{where}.weights is not set.", hint=f'Write weights = "{kind}"; gen-emerge models list names it.'
        )
    path = Path(named).expanduser()
    if not (path.is_dir() if folder else path.is_file()):
        raise MissingModel(
            f"{where}.weights: there is no {kind} {path}.", hint="Fetch it: gen-emerge models pull --series NAME"
        )
    return path


def must_be_trusted(path: Path, pin: str | None, *, write: str) -> None:
    """Refuse a pickled checkpoint unless its SHA-256 is the one that is pinned, here or when it was fetched by name.

    Args:
        path: the file.
        pin: 64 hex digits from the series file, or None.
        write: how to pin it there, for the error.

    Raises:
        BadInput: it is not pinned, or is another file.
    """
    wanted = pin or pin_of(path)
    if wanted is None:
        raise BadInput(
            f"{path} is a pickled checkpoint, which can run any program when it is opened; its hash is not pinned.",
            hint=f"Take a safetensors file; or, if you trust where it comes from, write {write}.",
        )
    if digest(path) != wanted.strip().lower():
        raise BadInput(
            f"{path} is not the pinned file: its SHA-256 is {digest(path)}, wanted {wanted.strip().lower()}.",
            hint="Fetch it again; if you changed it on purpose, pin the new hash.",
        )


def not_finite(what: str, images: Sequence[Pixels], bad: Sequence[int]) -> ScorerFailed:
    """The error for pictures whose numbers are NaN or infinite: says which of the batch."""
    named = ", ".join(f"{place + 1} ({images[place].shape[1]} x {images[place].shape[0]})" for place in bad[:5])
    more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    return ScorerFailed(
        f"{what} is not finite for picture {named}{more} of {len(images)}.",
        hint="If it is so for every picture, the weights are damaged: gen-emerge models verify",
    )
