"""Whether the history agrees with itself: every derived thing derived again from what was recorded.

Takes a store; gives the `verify` object. Replays the history, and works out descriptors, cells and gate verdicts anew
from the stored signals. Asks no model, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gen_emerge.archive import Archive
from gen_emerge.config import load
from gen_emerge.crew import known_names
from gen_emerge.errors import Damaged, GenEmergeError, NotASeries, WrongSchema
from gen_emerge.gates import judge, overall
from gen_emerge.heads import KIND as REWARD_KIND
from gen_emerge.heads import Heads, Known, Version
from gen_emerge.places import stored_descriptors
from gen_emerge.placing import SIDE_PLACEMENT
from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.relaying import KIND as AXES
from gen_emerge.relaying import relaid
from gen_emerge.state import CONTRADICTIONS, State
from gen_emerge.store import DATABASE, Problem, Store, uncommitted, verify_files, verify_pages, verify_rows
from gen_emerge.store.images import walk
from gen_emerge.store.imports import walk_imports
from gen_emerge.studio_folder import series_file
from gen_emerge.types import RELAID, CycleOutcome, Duel, Signal

LEAST_SURE = 0.6
"""The least that `[reward] sure` may be."""
CHUNK = 64
"""Cycles whose signals are looked at together."""
_WRONG = (Damaged, *CONTRADICTIONS)


def verify(root: Path, archive: Path, name: str) -> dict[str, Any]:
    """The object that `gen-emerge --json verify NAME` prints: `{ok, uncommitted, problems}`.

    A problem has `kind` and `path`, and where they do not say all, `table` and `detail`. As far as the database can be
    read at all, everything is still compared; `uncommitted` is None where it is too damaged to count.

    Raises:
        NotFound: there is no such series.
        WrongSchema: its database is whole, and of another version.
        BadInput: it may not be read.
    """
    load(series_file(root, name), known=known_names())
    folder = archive / name
    if not (folder / DATABASE).exists():
        files = (*walk(folder), *walk_imports(folder))
        lost = [Problem(kind="orphan", path=path.relative_to(folder).as_posix()) for path, _ in files]
        return _object(name, 0, lost)
    problems = verify_pages(folder / DATABASE) if (folder / DATABASE).is_file() else []
    try:
        store = Store.open(folder, readonly=True)
    except (Damaged, NotASeries, WrongSchema) as error:
        if isinstance(error, WrongSchema) and not problems:
            raise
        problems = problems or [Problem(kind="hash", path=DATABASE, detail=_words(error, folder))]
        nothing = "the database cannot be opened: no picture was compared, no cycle replayed"
        return _object(name, None, [*problems, Problem(kind="replay", path="every cycle", detail=nothing)])
    with closing(store):
        damaged = {problem.table for problem in problems}
        problems += verify_rows(folder / DATABASE, besides=damaged)
        problems += verify_files(store, damaged=damaged)
        problems += verify_history(store)
        return _object(name, uncommitted(store), problems)


def _object(name: str, files: int | None, problems: list[Problem]) -> dict[str, Any]:
    told = [
        {"kind": problem.kind, "path": problem.path}
        | ({"table": problem.table} if problem.table else {})
        | ({"detail": problem.detail} if problem.detail else {})
        for problem in problems
    ]
    return {"series": name, "ok": not problems, "uncommitted": files, "problems": told}


def verify_history(store: Store) -> list[Problem]:
    """Contradictions found by replaying; `path` says where, such as "cycle 12: candidate 95"."""
    checks = {"verdicts": _verdicts(store), "candidates": _fates(store), "heads": _settled(store)}
    rest = [problem for where, check in checks.items() for problem in _as_far_as_it_goes(store, where, check)]
    return [*_replayed(store), *rest]


def _replayed(store: Store) -> Iterator[Problem]:
    state, chunk, preference = State(), list[CycleOutcome](), DuelPreference()
    try:
        for outcome in store.history():
            if outcome.cycle != state.cycle + 1:
                yield _problem(outcome.cycle, f"follows cycle {state.cycle}")
            if outcome.axes is not None:  # other axes, other cells: each by those of its time
                yield from _again(store, chunk, state.archive)
                chunk = []
                yield from _as_far_as_it_goes(
                    store, f"cycle {outcome.cycle}", _laid_again(store, outcome, state, preference)
                )
            try:
                state.apply(outcome)
            except _WRONG as error:
                yield _problem(outcome.cycle, str(error))
                break
            for duel in outcome.duels:
                preference.add(duel)
            chunk.append(outcome)
            if len(chunk) == CHUNK:
                yield from _again(store, chunk, state.archive)
                chunk = []
    except _WRONG as error:
        yield Problem(kind="replay", path=f"cycle {state.cycle + 1} and later", detail=_unread(error, store.folder))
    yield from _as_far_as_it_goes(store, "placements", _again(store, chunk, state.archive))


def _as_far_as_it_goes(store: Store, where: str, check: Iterator[Problem]) -> Iterator[Problem]:
    """What a check finds; where a row cannot be read, that too."""
    try:
        yield from check
    except _WRONG as error:
        yield Problem(kind="replay", path=where, detail=_unread(error, store.folder))


def _unread(error: Exception, folder: Path) -> str:
    return f"not all of it can be read: {_words(error, folder)}"


def _words(error: Exception, folder: Path) -> str:
    if isinstance(error, GenEmergeError):
        return error.message.replace(str(folder / DATABASE), DATABASE)
    return f"{type(error).__name__}: {error}"


def _again(store: Store, outcomes: list[CycleOutcome], archive: Archive | None) -> Iterator[Problem]:
    placements = [(outcome.cycle, placement) for outcome in outcomes for placement in outcome.placements]
    if archive is None or not placements:
        return
    known = stored_descriptors(store, archive.axes, sorted({placement.candidate for _, placement in placements}))
    for cycle, placement in placements:
        if known.get(placement.candidate) != placement.descriptor:
            yield _problem(cycle, f"candidate {placement.candidate}: its descriptor is not what was measured")
        elif archive.locate(placement.descriptor)[0] != placement.cell:
            yield _problem(cycle, f"candidate {placement.candidate}: cell {placement.cell} is not its cell")
    for outcome in outcomes:
        decided = {(duel.left, duel.right): duel.outcome for duel in outcome.duels if duel.purpose == "cell"}
        for placement in outcome.placements:
            if placement.reason == "critic" and placement.outcome != "pending":
                side = decided.get((placement.candidate, placement.incumbent or 0))
                if {"left": "won", "right": "lost", "tie": "tie"}.get(side or "") != placement.outcome:
                    yield _problem(outcome.cycle, f"candidate {placement.candidate}: no duel says {placement.outcome}")


def _laid_again(store: Store, outcome: CycleOutcome, state: State, preference: DuelPreference) -> Iterator[Problem]:
    """Everybody's place under other axes follows from what was on record before that cycle."""
    axes = outcome.axes
    if axes is None or state.archive is None:
        return
    expected = relaid(store, state, axes, preference)
    found = [placement for placement in outcome.placements if placement.reason == RELAID]
    differing = [one for one, other in zip_longest(expected, found) if one != other]
    if differing:
        yield _problem(outcome.cycle, f"{len(differing)} places under axes version {axes.version} do not follow")
    told = [item.payload for item in store.inputs(outcome.cycle, outcome.cycle) if item.kind == AXES]
    if not told or (list(axes.low), list(axes.high)) != (told[-1]["low"], told[-1]["high"]):
        yield _problem(outcome.cycle, f"the ranges of axes version {axes.version} are not those that were learned")


def _settled(store: Store) -> Iterator[Problem]:
    """Every duel that a head settled, worked out again from the head that is stored, and what it knew of the two."""
    heads = Heads(store.inputs_of(REWARD_KIND))
    if not list(heads):
        return
    for outcome in store.history():
        duels = [duel for duel in outcome.duels if duel.by_head]
        said = {(duel.left, duel.right): SIDE_PLACEMENT[duel.outcome] for duel in duels}
        for placement in outcome.placements:
            if placement.reason == "reward":
                told = said.get((placement.candidate, placement.incumbent or 0))
                if told != placement.outcome:
                    yield _problem(outcome.cycle, f"candidate {placement.candidate}: no head says {placement.outcome}")
        version = heads.as_of(outcome.cycle)
        for duel in duels:
            if version is None or not version.active or version.judge != duel.judge:
                yield _problem(outcome.cycle, f"{duel.judge} settled a duel and was not in force")
            elif not _says(store, version, duel, outcome.cycle):
                where = f"candidates {duel.left} and {duel.right}"
                yield _problem(outcome.cycle, f"{where}: {duel.judge} does not say {duel.outcome}")


def _says(store: Store, version: Version, duel: Duel, cycle: int) -> bool:
    """Whether a head is as sure as any series file may ask for. An elite may have answered anew in that very cycle."""
    pair = [duel.left, duel.right]
    numbers, vectors = store.embeddings(pair, version.space)
    if sorted(pair) != numbers.tolist():
        return False
    known = dict(zip(numbers.tolist(), vectors, strict=True))
    for upto in (cycle, cycle - 1):
        answers = store.critiques([duel.left], upto=cycle) | store.critiques([duel.right], upto=upto)
        looks = version.looks([Known(vector=known[n], critique=answers.get(n)) for n in pair])
        if version.head.sure(looks, LEAST_SURE - 1e-9)[0] == duel.outcome:
            return True
    return False


def _verdicts(store: Store) -> Iterator[Problem]:
    for candidate, verdicts in store.verdicts().items():
        for verdict in verdicts:
            if verdict.kind != "gate" or verdict.bounds is None or verdict.value is None:
                continue
            again = judge(verdict.gate, verdict.value, verdict.bounds, verdict.calibration).outcome
            duplicate = verdict.bounds.duplicate is not None and verdict.value < verdict.bounds.duplicate
            if again != verdict.outcome and not (duplicate and verdict.outcome == "fail"):
                yield Problem(kind="replay", path=f"candidate {candidate}: {verdict.gate} says {verdict.outcome}")


def _fates(store: Store) -> Iterator[Problem]:
    """What became of every candidate against its last verdicts, and these against the signals they speak of."""
    verdicts, versions, differing = store.verdicts(), dict[str, set[str]](), list[tuple[str, Problem]]()
    allowed = {"fail": {"rejected"}, "review": {"review", "passed", "rejected"}, "pass": {"passed", "pending"}}
    # Kept by a human out of the review band, and then waiting for the critic like everybody else.
    waits_for_the_critic = ("pending", "critic"), ("pending", "duel")
    signals: dict[int, dict[str, Signal]] = {}
    for place, candidate in enumerate(everybody := store.candidates(current=True)):
        if place % 512 == 0:
            signals = store.signals([each.id for each in everybody[place : place + 512]])
        last = {verdict.gate: verdict for verdict in verdicts.get(candidate.id, ())}
        outcome = overall(tuple(last.values()))[0]
        kept = outcome == "review" and (candidate.status, candidate.cause) in waits_for_the_critic
        if last and candidate.status not in allowed[outcome] and not kept:
            path = f"candidate {candidate.id}: {candidate.status}, but its verdicts say {outcome}"
            yield Problem(kind="replay", path=path)
        for name, signal in signals.get(candidate.id, {}).items():
            versions.setdefault(name, set()).add(signal.scorer_version)
            if name in last and name != "novelty" and last[name].value != signal.value:
                path = f"candidate {candidate.id}: {name} was judged by another value than was measured"
                differing.append((name, Problem(kind="replay", path=path)))
    # Of a scorer that was replaced, only the newest value is at hand: nothing can be said.
    yield from (problem for name, problem in differing if len(versions[name]) == 1)


def _problem(cycle: int, what: str) -> Problem:
    return Problem(kind="replay", path=f"cycle {cycle}: {what}")
