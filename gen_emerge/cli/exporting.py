"""Takes a series' folder; copies elites out of it, in the order of comparisons. The series itself is only read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.cli.pictures import slug
from gen_emerge.errors import BadInput, Damaged

if TYPE_CHECKING:
    from gen_emerge.archive import Elite
    from gen_emerge.state import State

SHEET = "contact-sheet.png"


def export_elites(folder: Path, dest: Path, *, top: int | None, sheet: bool) -> dict[str, Any]:
    """Copy elites, and draw a contact sheet.

    Args:
        folder: the series' folder.
        dest: where to; made when missing.
        top: how many; None for all.
        sheet: also write a contact sheet.

    Returns:
        The object `gen-emerge export` prints.

    Raises:
        BadInput: there are no elites yet, or `dest` is no place for them.
        Damaged: a stored picture is missing.
    """
    from gen_emerge.reports.files import write_bytes
    from gen_emerge.state import replay
    from gen_emerge.store import Store

    _check_dest(folder, dest)
    with Store.open(folder, readonly=True) as store:
        ranked = ranking(replay(store.history()))[:top]
        candidates = {c.id: c for c in store.candidates([elite.candidate for elite in ranked])}
    if not ranked:
        raise BadInput(f'"{folder.name}" has no elites yet.', hint=f"Go on: gen-emerge run {folder.name}")
    dest.mkdir(parents=True, exist_ok=True)
    digits = len(str(len(ranked)))
    files: list[dict[str, Any]] = []
    for rank, elite in enumerate(ranked, start=1):
        candidate = candidates[elite.candidate]
        name = f"{rank:0{digits}d}-{slug(candidate.genome.prompt)}-{candidate.genome.hash[:8]}.png"
        write_bytes(dest / name, _content(folder, candidate.image.path if candidate.image else ""))
        files.append({"file": name, "cell": elite.cell, "candidate": elite.candidate, "genome": candidate.genome.hash})
    drawn = None
    if sheet:
        from gen_emerge.reports.contact import contact_sheet

        pictures = [dest / file["file"] for file in files]
        prompts = [candidates[elite.candidate].genome.prompt for elite in ranked]
        drawn = str(contact_sheet(pictures, dest / SHEET, captions=prompts, title=folder.name))
    return {"series": folder.name, "dest": str(dest), "files": files, "contact_sheet": drawn}


def ranking(state: State) -> list[Elite]:
    """Elites, the one that wins most comparisons first; those nobody compared last, the older reign first."""
    from gen_emerge.preference.ranking import DuelPreference

    if state.archive is None:
        return []
    preference = DuelPreference()
    for duel in state.duels:
        preference.add(duel)
    left = {elite.candidate: elite for elite in state.archive}
    ranked: list[Elite] = []
    while left and (best := preference.best(left.keys())) is not None:
        ranked.append(left.pop(best))
    return ranked + sorted(left.values(), key=lambda elite: (elite.since, elite.candidate))


def _check_dest(folder: Path, dest: Path) -> None:
    if dest.exists() and not dest.is_dir():
        raise BadInput(f"{dest} is a file: wanted a folder.", hint="Name another.")
    if dest.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{dest} lies inside the series itself.", hint="Name a folder outside archive/.")


def _content(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise Damaged(
            f"The stored picture {path} is missing.", hint=f"See what else is: gen-emerge verify {folder.name}"
        ) from None
