"""How a series stands: store -> the `status` object. Reads beside a running series; changes nothing but `run.json`.

`run.json` in the series folder says how the last run ended. It is only for display: deleting it loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gen_emerge import heads
from gen_emerge.config import SeriesConfig, load
from gen_emerge.crew import known_names
from gen_emerge.errors import BadInput, GenEmergeError
from gen_emerge.foretold import learned_axes
from gen_emerge.imported import KIND, genome_of
from gen_emerge.needs import lacks_libraries
from gen_emerge.preference.answers import is_complete
from gen_emerge.setmetrics.diversity import mean_pairwise_distance, vendi_score
from gen_emerge.state import Alarm, State, funnel, replay
from gen_emerge.store import DATABASE, Store, holder
from gen_emerge.studio_folder import series_file, series_names
from gen_emerge.types import GATES, CycleRecord, HumanAnswer, Question, Round
from gen_emerge.watching import in_words

RECENT_CYCLES = 20
"""Cycles from which images per minute are counted."""
_RUN = "run.json"
_ROOM = 200
"""Bytes of it, whatever it says."""


def status(root: Path, archive: Path, name: str, *, held: bool | None = None) -> dict[str, Any]:
    """The object that `gen-emerge --json status NAME` prints.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        held: whether a process runs it; None looks.

    Raises:
        NotFound: there is no such series.
        WrongSchema: its database is of another version.
    """
    config = load(series_file(root, name), known=known_names())
    folder = archive / name
    if not (folder / DATABASE).exists():
        running = holder(folder) is not None if held is None else held
        return _object(config, State(), None, "running" if running else "new")
    with closing(Store.open(folder, readonly=True)) as store:
        return status_of(config, folder, store, replay(store.history()), held=held)


def status_of(
    config: SeriesConfig, folder: Path, store: Store, state: State, *, held: bool | None = None
) -> dict[str, Any]:
    """The same object, of a state that was replayed already: a long history takes seconds."""
    return _object(config, state, store, state_word(store, state, config, folder, held=held))


def state_word(store: Store, state: State, config: SeriesConfig, folder: Path, *, held: bool | None = None) -> str:
    """How a series stands, in one word: see `status`."""
    running = holder(folder) is not None if held is None else held
    return "running" if running else _at_rest(store, state, config, folder)


def all_series(root: Path, archive: Path) -> dict[str, Any]:
    """The object that `gen-emerge --json status` prints: every series of the studio folder.

    A series that cannot be read, because its file is wrong or its database damaged, is listed with its error: the
    others still show.
    """
    return {"series": [_status_or_error(root, archive, name) for name in series_names(root)]}


def _status_or_error(root: Path, archive: Path, name: str) -> dict[str, Any]:
    try:
        return status(root, archive, name)
    except GenEmergeError as error:
        told = {"code": error.code, "message": error.message, "hint": error.hint}
    except OSError as error:
        hint = "Change its permissions, or look at the disk."
        told = {"code": BadInput.code, "message": f"{error.filename}: {error.strerror}.", "hint": hint}
    return {"series": name, "state": "failed", "error": told}


def _head(config: SeriesConfig, state: State, store: Store | None) -> dict[str, Any] | None:
    return heads.told(store, state.duels, state.cycle, use=config.reward.use) if store else None


def _object(config: SeriesConfig, state: State, store: Store | None, word: str) -> dict[str, Any]:
    vectors = elite_vectors(store, state) if store else np.empty((0, 1), dtype=np.float32)
    imports = imports_waiting(store, state) if store else 0
    filled = len(state.archive) if state.archive else 0
    total = state.archive.axes.cells if state.archive else config.archive.cells
    counts = state.statuses
    return {
        "series": config.name,
        "state": word,
        "cycle": state.cycle,
        "candidates": state.candidates,
        "passed": counts["passed"],
        "review": counts["review"],
        "pending": counts["pending"],
        "failed": counts["failed"],
        "rejected": funnel(state, GATES),
        "accepted": len(state.accepted),
        "cells_filled": filled,
        "cells_total": total,
        "coverage": filled / total,
        "mean_pairwise_distance": mean_pairwise_distance(vectors),
        "vendi": vendi_score(vectors),
        "images_per_minute": images_per_minute(store) if store else None,
        "open_rounds": len(open_rounds(store)) if store else 0,
        "open_questions": len(open_questions(store)) if store else 0,
        "alarms": [_alarm(alarm) for alarm in state.standing],
        "review_unasked": unasked(store, state) if store else 0,
        "digest": state.digest(),
        **({"learned_axes": axes} if (axes := learned_axes(config, state, store)) is not None else {}),
        **({"reward": head} if (head := _head(config, state, store)) is not None else {}),
        **({"imports_waiting": imports} if imports else {}),
        **({"needs": "the models extra"} if word == "new" and lacks_libraries(config) else {}),
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    """An alarm that stands, with its figures and what it did, as its event has them."""
    figures = {key: value for key, value in alarm.payload.items() if key not in ("alarm", "state", "responses")}
    did = [{**response, "said": in_words(response)} for response in alarm.payload.get("responses", ())]
    return {"alarm": alarm.name, "raised": alarm.raised, "message": alarm.message, **figures, "responses": did}


def progress(state: State, record: CycleRecord, target: int) -> dict[str, Any]:
    """The cheap figures of `status` after one commit, and the cycles wanted in all."""
    filled = len(state.archive) if state.archive else 0
    seconds = record.cycle_seconds
    return {
        "cycle": state.cycle,
        "cycles": target,
        "candidates": state.candidates,
        "passed": state.statuses["passed"],
        "review": state.statuses["review"],
        "pending": state.statuses["pending"],
        "failed": state.statuses["failed"],
        "rejected": funnel(state, GATES),
        "accepted": len(state.accepted),
        "cells_filled": filled,
        "cells_total": state.archive.axes.cells if state.archive else 0,
        "images_per_minute": 60 * len(record.candidates) / seconds if seconds > 0 else None,
    }


def elite_vectors(store: Store, state: State) -> NDArray[np.float32]:
    """(elites, d) float32 embeddings of the elites, in the newest space that holds them all."""
    elites = sorted(elite.candidate for elite in state.archive) if state.archive else []
    if elites:
        for space in reversed(store.spaces()):
            ids, vectors = store.embeddings(elites, space)
            if len(ids) == len(elites):
                return vectors
    return np.empty((0, 1), dtype=np.float32)


def imports_waiting(store: Store, state: State) -> int:
    """How many imported pictures have not been measured yet."""
    return sum(not state.rendered(genome_of(item.payload).hash) for item in store.inputs_of(KIND))


def images_per_minute(store: Store) -> float | None:
    """Pace of the last cycles, None before the first. A cycle with imported pictures may have fewer images."""
    cycles = store.cycles()[-RECENT_CYCLES:]
    total = sum(cycle.cycle_seconds for cycle in cycles)
    return round(60 * store.made_since(cycles[0].cycle) / total, 1) if total > 0 else None


# ---- rounds ------------------------------------------------------------------------------------------------------


def standing_answers(store: Store) -> dict[str, HumanAnswer]:
    """Question id -> an answer that stands."""
    return {answer.question: answer for answer in store.answers().standing}


def open_rounds(store: Store) -> list[Round]:
    """Rounds with a question nobody has answered, oldest first."""
    rounds = store.rounds()
    answered = standing_answers(store) if rounds else {}
    return [asked for asked in rounds if not is_complete(asked, answered)]


def open_questions(store: Store) -> list[Question]:
    """Questions nobody has answered, in the order in which they are asked: what every count of them counts."""
    rounds = store.rounds()
    answered = standing_answers(store) if rounds else {}
    return [question for asked in rounds for question in asked.questions if question.id not in answered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The newest question about an image in the review band; `open`: nobody has answered it."""

    question: str
    open: bool


def reviews(store: Store, state: State) -> dict[int, Asked | None]:
    """Every candidate in a review band, by id: the question that is open about it, or whose answer is not heard yet.

    None where there is neither: nobody asks about it until a round is asked for, or the loop's next one has room.
    """
    found: dict[int, Asked | None] = {
        candidate: None for candidate, (status, _) in sorted(state.waiting.items()) if status == "review"
    }
    if not found:
        return found
    given, heard = standing_answers(store), {answer.question for answer in store.answers(state.cycle).standing}
    for question in (question for asked in store.rounds() for question in asked.questions):
        candidate = question.images.get("only", 0)
        if question.kind == "review" and candidate in found and question.id not in heard:
            found[candidate] = Asked(question=question.id, open=question.id not in given)
    return found


def unasked(store: Store, state: State) -> int:
    """How many candidates wait in a review band and stand in no question that is open or about to be heard."""
    return sum(asked is None for asked in reviews(store, state).values())


def waits(store: Store, *, wait: bool) -> bool:
    """Whether the series waits for a round that the loop opened."""
    return wait and any(asked.reason == "scheduled" for asked in open_rounds(store))


# ---- how the last run ended --------------------------------------------------------------------------------------


def ending(store: Store, cycle: int, target: int, *, wait: bool) -> str:
    """The state in which a run ended that was not interrupted."""
    if waits(store, wait=wait):
        return "waiting"
    return "done" if cycle >= target else "stopped"


def note_run(folder: Path, word: str, target: int, imports: int = 0) -> None:
    """Write `run.json`. For display only: a disk that is full does not stop anything here.

    Args:
        folder: the series'.
        word: its state.
        target: how many cycles in all were asked for.
        imports: how many cycles beyond those were run since, for imported pictures.
    """
    text = json.dumps({"state": word, "cycles": target, "imports": imports, "at": time.time()})
    note = text.encode().ljust(_ROOM) + b"\n"
    path, draft = folder / _RUN, folder / (_RUN + ".draft")
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_size == len(note):
            # In its own place: that a disk is full is what has to be noted, and there is no room for another file.
            with path.open("r+b") as file:
                file.write(note)
            return
        try:
            draft.write_bytes(note)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def last_run(folder: Path) -> Mapping[str, Any]:
    """What `run.json` says: `state` and `cycles`; empty when it is missing, torn, or not as we write it."""
    with contextlib.suppress(OSError, ValueError):
        found: Any = json.loads((folder / _RUN).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            known = cast("dict[str, Any]", found)
            state, counts = known.get("state"), (known.get("cycles"), known.get("imports", 0))
            if isinstance(state, str) and all(type(count) is int for count in counts):
                return known
    return {}


def noted_cycles(folder: Path, config: SeriesConfig) -> int:
    """How many cycles in all the last run was to have; before any, what the series file says."""
    return last_run(folder).get("cycles", config.loop.cycles)


def noted_imports(folder: Path) -> int:
    """How many cycles beyond those were run for imported pictures."""
    return last_run(folder).get("imports", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How far a series is meant to go, in cycles from its beginning; for display only.

    Args:
        asked: what the last run was to come to; before any, what the file says.
        file: what the series file says.
        warmup: the first cycles, after which candidates are placed.
        imports: cycles that were run since for imported pictures, beyond what was asked.
    """

    asked: int
    file: int
    warmup: int
    imports: int = 0


def plan(root: Path, archive: Path, name: str) -> Plan:
    """How far a series is meant to go."""
    config = load(series_file(root, name), known=known_names())
    loop, folder = config.loop, archive / name
    asked, imports = noted_cycles(folder, config), noted_imports(folder)
    return Plan(asked=asked, file=loop.cycles, warmup=loop.warmup_cycles, imports=imports)


def _at_rest(store: Store, state: State, config: SeriesConfig, folder: Path) -> str:
    last = last_run(folder)
    target = noted_cycles(folder, config)
    if waits(store, wait=config.loop.on_checkin == "wait"):
        return "waiting"
    if state.cycle >= target:
        return "done"
    if last.get("state") in ("failed", "paused"):
        return last["state"]
    return "new" if state.cycle == 0 and not last else "stopped"
