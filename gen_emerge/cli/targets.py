"""Takes a place a user names to be written to; refuses it where it would cost something that is there. Writes nothing.

A series' folder, question and prompt banks and series files are never written to by name. Directly in a series' folder
a report or a map may be put, nothing else. A file that is there is only replaced by one of its own kind. Links and
`..` are followed before anything is compared, and the path as it was typed is looked at too: a folder of pictures may
itself be a link.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gen_emerge.cli.app import App
from gen_emerge.cli.series_folder import DATABASE
from gen_emerge.errors import BadInput, NotFound
from gen_emerge.reports.files import check_target
from gen_emerge.studio_folder import archive_folder, find_root, is_studio_folder

_PNG = b"\x89PNG\r\n\x1a\n"
_TRAINED = "models"
"""The folder in a series' own that holds what was trained for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of file that a command writes.

    Args:
        words: how to name one.
        suffixes: of names that one may have in a series' folder.
        is_one: whether a file that is there is one.
    """

    words: str
    suffixes: tuple[str, ...]
    is_one: Callable[[Path], bool]


def _is_page(path: Path) -> bool:
    from gen_emerge.reports.page import is_page

    return is_page(path)


def _is_png(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PNG)) == _PNG


def _is_weights(path: Path) -> bool:
    """Safetensors: the length of a header, which is a JSON object."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and 2 <= int.from_bytes(head[:8], "little") < path.stat().st_size


def _is_card(path: Path) -> bool:
    from gen_emerge.scorers.clip.probe import KIND

    try:
        card: object = json.loads(path.read_bytes()) if path.stat().st_size < 1 << 24 else None
    except (ValueError, RecursionError):
        return False
    return isinstance(card, dict) and card.get("kind") == KIND  # pyright: ignore[reportUnknownMemberType]


PAGE = Kind(words="page that gen-emerge wrote", suffixes=(".html", ".htm"), is_one=_is_page)
PICTURE = Kind(words="PNG", suffixes=(".png",), is_one=_is_png)
WEIGHTS = Kind(words="file of weights", suffixes=(".safetensors",), is_one=_is_weights)
CARD = Kind(words="card of a trained probe", suffixes=(".json",), is_one=_is_card)


def check_file(app: App, path: Path, option: str, kind: Kind, *, trained: bool = False) -> Path:
    """Refuse a file that must not be written, before any work is done.

    Args:
        app: names the studio folder and the archive, where there are any.
        path: as typed.
        option: how to name it, such as "--html"; "" for a path without one.
        kind: what will be written.
        trained: it may lie in a series' `models/`.

    Returns:
        The file that will be written: a link is followed to its target.

    Raises:
        BadInput: saying whose place it is, or what is there.
        DiskFull: there is no room in its folder.
    """
    said = f"{option} {path}".lstrip()
    for place in _forms(path):
        _refuse_place(app, place, said, option, kind, trained=trained)
    target = check_target(path)
    try:
        taken = os.path.lexists(target) and target.stat().st_size > 0 and not kind.is_one(target)
    except PermissionError:
        taken = True
    if taken:
        raise BadInput(
            f"{said} is there already and is no {kind.words}: it would be lost.",
            hint="Move it away, or name another file.",
        )
    return target


def check_folder(app: App, path: Path, option: str = "", *, trained: bool = False) -> Path:
    """Refuse a folder that files must not be put into.

    Args:
        app: names the studio folder and the archive, where there are any.
        path: as typed.
        option: how to name it; "" for a path without an option.
        trained: it may be a series' `models/`, or lie there.

    Returns:
        The folder: what stands before a `..` may not be there, and must not be made.

    Raises:
        BadInput: it is a file, or another's place: says whose.
    """
    refuse_owned(app, path, option, trained=trained)
    place = Path(os.path.realpath(path))
    if os.path.lexists(place) and not place.is_dir():
        raise BadInput(
            f"{option} {path} is a file: wanted a folder.".lstrip(),
            hint="Name another folder; it is made when missing.",
        )
    return place if ".." in path.parts else path


def refuse_owned(app: App, path: Path, option: str = "", *, trained: bool = False) -> None:
    """Refuse a folder that is another's place; see `check_folder`.

    Raises:
        BadInput: saying whose.
    """
    for place in _forms(path):
        if owner := _owner(app, place, trained=trained):
            raise BadInput(
                f"{option} {path} lies in {owner}.".lstrip(), hint="Name a folder elsewhere; it is made when missing."
            )


def _refuse_place(app: App, place: Path, said: str, option: str, kind: Kind, *, trained: bool) -> None:
    owner = _owner(app, place.parent, trained=trained)
    if not owner:
        return
    word = kind.suffixes[0]
    example = f"Such as {option} NAME{word}".replace("  ", " ") + ", in another folder."
    if not _reports_may_lie_in(app, place.parent):
        raise BadInput(f"{said} lies in {owner}.", hint=example)
    if kind not in (PAGE, PICTURE) or place.suffix.lower() not in kind.suffixes:
        raise BadInput(
            f"{said} lies in {owner}. Directly in it only reports (.html) and maps (.png) may be put.", hint=example
        )


def _forms(path: Path) -> tuple[Path, ...]:
    """With links followed, and as typed."""
    return tuple(dict.fromkeys((Path(os.path.realpath(path)), Path(os.path.abspath(path)))))  # noqa: PTH100


def _owner(app: App, folder: Path, *, trained: bool) -> str:
    """Whose a folder is, in words; "" where it is nobody's."""
    archives = set(_archives(app))
    banks = {place for root in _roots(app) for place in _forms(root / "prompts")}
    series = {place for root in _roots(app) for place in _forms(root / "experiments" / "series")}
    below = folder
    for here in (folder, *folder.parents):
        if here in banks or (here.name == "prompts" and is_studio_folder(here.parent)):
            return f"{here}, where banks of prompts and questions are kept: nothing else is written there"
        if here in series or (here.parts[-2:] == ("experiments", "series") and is_studio_folder(here.parents[1])):
            return f"{here}, where the series' files are kept: nothing else is written there"
        if os.path.lexists(here / DATABASE):
            ours = trained and (here / _TRAINED) in (folder, *folder.parents)
            return "" if ours else f'the folder of the series "{here.name}", {here}: what is in it is the series\' own'
        if here in archives or (here.name == "archive" and is_studio_folder(here.parent)):
            if trained and below != here and (below / _TRAINED) in (folder, *folder.parents):
                return ""
            return f"the archive {here}: what is in it belongs to the series"
        below = here
    return ""


def _reports_may_lie_in(app: App, folder: Path) -> bool:
    """An archive itself, and a series' folder itself: `archive/NAME/report.html`."""
    if os.path.lexists(folder / DATABASE):
        return True
    archives = set(_archives(app))
    return any(
        place in archives or (place.name == "archive" and is_studio_folder(place.parent))
        for place in (folder, folder.parent)
    )


def _roots(app: App) -> Iterator[Path]:
    try:
        yield find_root(app.root)
    except (NotFound, OSError):
        return


def _archives(app: App) -> Iterator[Path]:
    for root in _roots(app):
        yield from _forms(archive_folder(root))
    if app.archive is not None:
        yield from _forms(app.archive)
