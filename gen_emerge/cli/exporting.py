"""Takes a series' folder; copies elites out of it, in the order of comparisons. The series itself is only read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.cli.pictures import slug
from gen_emerge.errors import BadInput, Damaged

if TYPE_CHECKING:
    from gen_emerge.archive import Elite
    from gen_emerge.state import State

SHEET = "contact-sheet.png"


def export_elites(folder: Path, dest: Path, *, top: int | None, sheet: bool, brief: str = "") -> dict[str, Any]:
    """Copy elites, and draw a contact sheet.

    Args:
        folder: the series' folder.
        dest: where to, as `check_folder` gives it; made when missing.
        top: how many; None for all.
        sheet: also write a contact sheet.
        brief: what the series is for: it stands on the sheet.

    Returns:
        The object `gen-emerge export` prints.

    Raises:
        BadInput: there are no elites yet, or one of their names is taken in `dest`.
        Damaged: a stored picture is missing.
    """
    from gen_emerge.reports.files import write_bytes
    from gen_emerge.state import replay
    from gen_emerge.store import Store

    with Store.open(folder, readonly=True) as store:
        ranked = ranking(replay(store.history()))[:top]
        candidates = {c.id: c for c in store.candidates([elite.candidate for elite in ranked])}
    if not ranked:
        raise BadInput(f'"{folder.name}" has no elites yet.', hint=f"Go on: gen-emerge run {folder.name}")
    digits = max(2, len(str(len(ranked))))
    files: list[dict[str, Any]] = []
    stored: list[Path] = []
    for rank, elite in enumerate(ranked, start=1):
        candidate = candidates[elite.candidate]
        rest = f"{slug(candidate.genome.prompt)}-{candidate.genome.hash[:8]}.png"
        stored.append(folder / (candidate.image.path if candidate.image else ""))
        name = _there_already(folder, dest, rest, stored[-1]) or f"{rank:0{digits}d}-{rest}"
        files.append({"file": name, "cell": elite.cell, "candidate": elite.candidate, "genome": candidate.genome.hash})
        _refuse_another(folder, dest / name, stored[-1])
    there = [file["file"] for file in files if (dest / file["file"]).is_file()]
    dest.mkdir(parents=True, exist_ok=True)
    for file, picture in zip(files, stored, strict=True):
        write_bytes(dest / file["file"], _content(folder, picture))
    drawn = None
    if sheet:
        prompts = [candidates[elite.candidate].genome.prompt for elite in ranked]
        drawn = str(_write_sheet(dest, [file["file"] for file in files], prompts, folder.name, brief))
    return {"series": folder.name, "dest": str(dest), "files": files, "already": there, "contact_sheet": drawn}


def _there_already(folder: Path, dest: Path, rest: str, picture: Path) -> str | None:
    """The name under which an earlier export put this very picture there, by the rank it had then."""
    same = [path for path in sorted(dest.glob(f"*-{rest}")) if path.name.removesuffix(f"-{rest}").isdigit()]
    content = _content(folder, picture) if same else b""
    known = (path for path in same if path.is_file() and not path.is_symlink() and path.read_bytes() == content)
    return next((path.name for path in known), None)


def _refuse_another(folder: Path, target: Path, picture: Path) -> None:
    """Nothing of the user's is overwritten: a file of that name has to be the very picture, from an earlier export."""
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_file() or target.read_bytes() != _content(folder, picture):
        raise BadInput(
            f"{target} is there already and is not this picture: nothing was exported.",
            hint="Move it away, or name another folder.",
        )


def _write_sheet(dest: Path, files: Sequence[str], prompts: Sequence[str], title: str, brief: str) -> Path:
    """Draw the contact sheet; where its name is taken by another picture, it gets a number.

    Each picture bears the rank that its file's name begins with, so that whoever points at one has named the file.
    """
    from gen_emerge.reports.contact import contact_sheet
    from gen_emerge.reports.files import write_bytes

    with tempfile.TemporaryDirectory(prefix="gen-emerge-") as drawer:
        content = contact_sheet(
            [dest / file for file in files],
            Path(drawer) / SHEET,
            captions=prompts,
            labels=[file.partition("-")[0] for file in files],
            title=title,
            subtitle=brief,
        ).read_bytes()
    for number in count(1):
        place = dest / (SHEET if number == 1 else f"{Path(SHEET).stem}-{number}.png")
        if not os.path.lexists(place):
            return write_bytes(place, content)
        if place.is_file() and not place.is_symlink() and place.read_bytes() == content:
            return place
    raise AssertionError


def ranking(state: State) -> list[Elite]:
    """Elites, the one that wins most comparisons first; those nobody compared last, the older reign first."""
    from gen_emerge.preference.ranking import DuelPreference

    if state.archive is None:
        return []
    preference = DuelPreference()
    for duel in state.duels:
        preference.add(duel)
    left = {elite.candidate: elite for elite in state.archive}
    ranked = [left.pop(candidate) for candidate in preference.ranked(list(left))]
    return ranked + sorted(left.values(), key=lambda elite: (elite.since, elite.candidate))


def _content(folder: Path, picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise Damaged(
            f"The stored picture {picture.relative_to(folder).as_posix()} is missing.",
            hint=f"See what else is: gen-emerge verify {folder.name}",
        ) from None
