"""Pictures made elsewhere come into a series: a folder -> files and inputs; then the cycles in which they are placed.

Takes a folder; gives one plain object that says what became of every picture in it. Whatever is queued stays queued,
however often this is killed: an import's row is written after its files are on the disk, and `run` takes it up too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, NoReturn

from gen_emerge import series as house
from gen_emerge.arrivals import Row, became, counted, last_turn, note_unreadable, turns
from gen_emerge.config import SeriesConfig
from gen_emerge.errors import BadInput, HeldByAnother
from gen_emerge.imported import KIND, genome_of
from gen_emerge.importing import Found, Listing, find_pictures, read, scratch
from gen_emerge.needs import preflight
from gen_emerge.opening import begun, create
from gen_emerge.state import State, replay
from gen_emerge.store import Store, importing, is_thumbnail, keep, pixels_hash, sweep_imports
from gen_emerge.store.imports import files_of, put_back, whole

Say = Callable[[str], None]
MANY = 100
"""Pictures that take long enough to be read for that to be said."""
PLACED_LATER = "They take their slots when the series is run further."


@dataclass(slots=True, kw_only=True)
class Folder:
    """The folder being read.

    Args:
        pictures: the folder.
        prompt: of those that name none, None for the series' brief.
        rows: one a picture, in order.
        tracked: genome -> the row of a picture that was not measured before.
        added: how many were queued now.
        begun: the last committed cycle when this process began to run the series, None when it did not.
        others: how many files there are in the folder besides.
    """

    pictures: Path
    prompt: str | None
    rows: list[Row] = field(default_factory=list[Row])
    tracked: dict[str, Row] = field(default_factory=dict[str, Row])
    added: int = 0
    begun: int | None = None
    others: int = 0


def bring_in(
    root: Path,
    archive: Path,
    name: str,
    pictures: Path,
    *,
    prompt: str | None = None,
    queue: bool = False,
    progress: house.Progress | None = None,
    say: Say = lambda sentence: None,
) -> dict[str, Any]:
    """Import a folder of pictures into a series, and run the cycles in which they take their slots.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series; its database is made if it is new.
        pictures: the folder.
        prompt: what pictures are measured against whose files name no prompt; None takes the series' brief.
        queue: only queue them.
        progress: as in `series.run`.
        say: given what should be told once.

    Returns:
        The object that `gen-emerge import` prints.

    Raises:
        BadInput: no picture can be read, or the series' file is wrong; nothing was changed.
        HeldByAnother: another process imports into this series.
        DiskFull: what was queued before stays queued.
    """
    config, there = begun(root, archive, name)
    folder = archive / name
    listing = _listed(pictures, folder, say)
    if not queue and there:
        preflight(config, root)
    found = Folder(pictures=pictures, prompt=prompt, others=listing.others)
    _queue(found, listing, config, folder, create=None if there else lambda: create(root, archive, config))
    note_unreadable(folder, pictures, found.rows)
    why = PLACED_LATER
    if not queue:
        why = _wait_for(folder, config, found)
    if not why:
        try:
            status = house.run(root, archive, name, goal=_goal(config, found), progress=progress, say=say)
            why = f"The series waits for your answers: gen-emerge judge {name}" if status["state"] == "waiting" else ""
        except HeldByAnother as held:
            why = f"{held.message} It takes them up by itself."
    return _report(folder, config, found, why)


# ---- queueing ----------------------------------------------------------------------------------------------------


def _listed(pictures: Path, own: Path, say: Say) -> Listing:
    """What the folder holds, without this series' own pictures, and without the thumbnails of any.

    Raises:
        BadInput: the folder lies inside the series; it is none, may not be read, or holds no picture.
    """
    here, ours = pictures.resolve(), own.resolve()
    if here.is_relative_to(ours):
        raise BadInput(
            f'{pictures} lies inside the series "{own.name}" itself: its pictures are there already.',
            hint="Name a folder of pictures made elsewhere; another series' images/ is one.",
        )
    within = ours.is_relative_to(here) and ours.is_dir()
    listing = find_pictures(pictures, without=pictures / ours.relative_to(here) if within else None)
    if within:
        say(f"{own} is left out: it is the series itself.")
    kept = tuple(path for path in listing.pictures if not is_thumbnail(path))
    if left_out := len(listing.pictures) - len(kept):
        say(f"{left_out} thumbnails of a series are left out: the pictures themselves lie beside them.")
    for drawing in listing.drawings:
        say(f"{drawing} is left out: a sheet of pictures, none itself.")
    if len(kept) > MANY:
        say(f"Reading {len(kept)} pictures ...")
    return replace(listing, pictures=kept)


def _queue(
    found: Folder, listing: Listing, config: SeriesConfig, folder: Path, create: Callable[[], None] | None
) -> None:
    """Read every picture and queue those that are new; nothing is made before the first that can be read.

    Args:
        found: filled in.
        listing: the pictures, and the folders nobody can look into.
        config: of the series.
        folder: of the series.
        create: makes its database; None where there is one.
    """
    shelf: Shelf | None = None
    with ExitStack() as closed:
        for path in sorted((*listing.pictures, *listing.unreadable)):
            row: Row = {"file": os.fsencode(path.relative_to(found.pictures)).decode("utf-8", "replace")}
            found.rows.append(row)
            if path in listing.unreadable:
                why = f"this folder cannot be looked into: {listing.unreadable[path]}"
                row |= {"file": f"{row['file']}/", "outcome": "unreadable", "why": why}
                continue
            with scratch() as original:
                try:
                    picture = read(path, original)
                except BadInput as error:
                    row |= {"outcome": "unreadable", "why": error.message.removeprefix(f"{path} ")}
                    continue
                if shelf is None:
                    if create is not None:
                        create()
                    closed.enter_context(importing(folder))
                    shelf = Shelf(closed.enter_context(closing(Store.open(folder))))
                shelf.add(picture, original, _payload(picture, row["file"], found.prompt, config.brief), row, found)
    if shelf is None:
        _refuse_all(found, len(listing.pictures))


def _refuse_all(found: Folder, pictures: int) -> NoReturn:
    many = "The only picture" if pictures == 1 else f"None of the {pictures} pictures"
    first = found.rows[0]
    raise BadInput(
        f"{many} in {found.pictures} can be read: nothing was imported.", hint=f"{first['file']} {first['why']}"
    )


def _payload(picture: Found, source: str, prompt: str | None, brief: str) -> dict[str, Any]:
    """What is stored of one picture, its files left out."""
    recipe, height, width = picture.recipe, *picture.pixels.shape[:2]
    own = recipe.prompt if recipe is not None else ""
    words, origin = (own, "file") if own else (prompt, "option") if prompt else (brief, "brief")
    made = {"tool": recipe.tool, "seed": recipe.seed, "settings": dict(recipe.settings)} if recipe is not None else None
    return {
        "prompt": words,
        "prompt_from": origin,
        "negative": recipe.negative if recipe is not None else "",
        "recipe": made,
        "source": source,
        "notes": list(picture.notes),
        "pixels": pixels_hash(picture.pixels),
        "width": int(width),
        "height": int(height),
    }


def _told(payload: Mapping[str, Any]) -> list[str]:
    where = {"option": "the one given is taken", "brief": "the series' brief is taken"}.get(payload["prompt_from"])
    return [f"it names no prompt: {where}"] if where else []


class Shelf:
    """What was imported before, and where the next picture is put. Only for the process that may import.

    Args:
        store: of the series.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._series = {image.pixels: candidate for candidate, image in store.images()}
        items = store.inputs_of(KIND)
        self._imported: dict[str, Mapping[str, Any]] = {item.payload["pixels"]: item.payload for item in items}
        self._sources: dict[str, str] = {}
        sweep_imports(store.folder, {path for item in items for path in files_of(item.payload)})

    def add(self, picture: Found, original: IO[bytes], payload: dict[str, Any], row: Row, found: Folder) -> None:
        """Queue one picture, unless its pixels are there already."""
        pixels = payload["pixels"]
        known = self._imported.get(pixels)
        lost = [] if known is None else self._mend(known, picture, original)
        if pixels in self._sources:
            row |= {"outcome": "already", "why": f"the same picture as {self._sources[pixels]}"}
            return
        self._sources[pixels] = row["file"]
        if lost:
            row["notes"] = lost
        if pixels in self._series:
            row |= {"outcome": "already", "candidate": self._series[pixels]}
            row["why"] = f"it is candidate {row['candidate']} of the series"
            return
        if known is None:
            payload |= keep(self._store.folder, picture.pixels, original, picture.path.suffix)
            found.added += self._store.add_import(payload) is not None
            known = payload
        row |= {"prompt": known["prompt"], "notes": [*known["notes"], *_told(known), *lost]}
        found.tracked[genome_of(known).hash] = row

    def _mend(self, known: Mapping[str, Any], picture: Found, original: IO[bytes]) -> list[str]:
        """Files that were lost or changed behind our back are put back; what is to be told where they cannot be."""
        folder = self._store.folder
        if whole(folder, known) or put_back(folder, known, picture.pixels, original):
            return []
        return [f"{known['original']} stays lost: this file holds the same picture in other bytes"]


# ---- their turn --------------------------------------------------------------------------------------------------


def _wait_for(folder: Path, config: SeriesConfig, found: Folder) -> str:
    """Why no cycle is run now: there is no map, or nobody waits; "" when it can be."""
    with closing(Store.open(folder, readonly=True)) as store:
        state = replay(store.history())
    if all(state.rendered(genome) for genome in found.tracked):
        return PLACED_LATER
    if state.archive is None:
        return f"The map is laid out first, by the warm-up ({config.loop.warmup_cycles} cycles). {PLACED_LATER}"
    return ""


def _goal(config: SeriesConfig, found: Folder) -> house.Goal:
    def goal(store: Store, state: State) -> int:
        found.begun = state.cycle
        waits = turns(store, state, config)
        return max((waits[genome] for genome in found.tracked if genome in waits), default=state.cycle)

    return goal


# ---- what became of them -----------------------------------------------------------------------------------------


def _report(folder: Path, config: SeriesConfig, found: Folder, why: str) -> dict[str, Any]:
    with closing(Store.open(folder, readonly=True)) as store:
        state, rows = became(store, config, list(found.tracked))
    for genome, row in found.tracked.items():
        row |= rows[genome]
    last = last_turn(found.rows)
    return {
        "series": config.name,
        "folder": str(found.pictures),
        "pictures": found.rows,
        "counts": counted(found.rows),
        "others": found.others,
        "imported": found.added,
        "cycle": state.cycle,
        "cycles_run": 0 if found.begun is None else state.cycle - found.begun,
        "queued_until": last,
        "why_queued": why if last is not None else "",
    }
