"""Stored pictures, measured by another scorer: batches of them, each kept as soon as it is measured.

Takes a store, candidates and opened scorers; appends what they say beside the old numbers. What is known already is not
measured again, so a trial that was stopped goes on where it was; several processes share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gen_emerge.errors import Damaged
from gen_emerge.measuring import score
from gen_emerge.protocols import Scorer
from gen_emerge.remeasure import number_in, of_version
from gen_emerge.store import Store, pixels_hash
from gen_emerge.store.images import read_pixels
from gen_emerge.types import Candidate, Gate, Pixels, Reading, Trial

BATCH = 8
Tell = Callable[[int, int], None]
"""Called with (pictures measured, pictures to be measured in all)."""


@dataclass(slots=True, kw_only=True)
class Done:
    """What a trial did.

    Args:
        measured: pictures whose numbers were measured and stored now.
        known: pictures whose numbers were there, or were stored by another process meanwhile.
        failed: candidate id -> why there is none.
    """

    measured: int = 0
    known: int = 0
    failed: dict[int, str] = field(default_factory=dict[int, str])


def measure_all(
    store: Store,
    folder: Path,
    pictures: Sequence[Candidate],
    *,
    scorers: Sequence[Scorer],
    versions: Mapping[Gate, str],
    tables: Mapping[Gate, Mapping[str, Any]],
    attempts: int,
    tell: Tell,
) -> Done:
    """Measure what is not measured yet.

    Args:
        store: where it is kept.
        folder: of the series, with the pictures.
        pictures: candidates with images.
        scorers: fill the gates of `versions` between them.
        versions: gate -> the version to measure.
        tables: gate -> its own table in the series file, kept with the numbers.
        attempts: how often one picture alone may raise.
        tell: hears of every batch.
    """
    done = Done()
    works = [_Work(store, gate, version, tables[gate], pictures) for gate, version in versions.items()]
    open_ = [c for c in pictures if any(c.id in work.missing for work in works)]
    total = len(open_)
    for start in range(0, total, BATCH):
        batch = [c for c in open_[start : start + BATCH] if any(c.id in work.missing for work in works)]
        loaded, damaged = _load(folder, batch)
        for scorer in scorers:
            own = [work for work in works if work.gate in scorer.roles]
            able = [c for c in batch if c.id in loaded]
            if own and batch:
                shown, prompts = [loaded[c.id] for c in able], [c.genome.prompt for c in able]
                readings = score(scorer, shown, prompts, attempts=attempts) if able else []
                for work in own:
                    work.keep({c.id: reading for c, reading in zip(able, readings, strict=True)}, damaged)
        tell(min(start + BATCH, total), total)
    for work in works:
        store.note_trial(work.trial)  # also where all of it was known: this scorer is the one that was tried last
        done.failed |= work.failed
    stored = frozenset[int]().union(*(work.stored for work in works))
    done.measured = len(stored - done.failed.keys())
    done.known = len(pictures) - done.measured - len(done.failed)
    return done


def _load(folder: Path, batch: Sequence[Candidate]) -> tuple[dict[int, Pixels], dict[int, str]]:
    """Pixels by candidate, and whose file cannot be trusted."""
    loaded, damaged = dict[int, Pixels](), dict[int, str]()
    for candidate in batch:
        assert candidate.image is not None
        try:
            pixels = read_pixels(folder / candidate.image.path)
        except Damaged:
            damaged[candidate.id] = "its file is missing or is no picture"
            continue
        if pixels_hash(pixels) == candidate.image.pixels:
            loaded[candidate.id] = pixels
        else:
            damaged[candidate.id] = "its file holds other pixels than were stored"
    return loaded, damaged


class _Work:
    """What one gate still misses."""

    def __init__(
        self, store: Store, gate: Gate, version: str, table: Mapping[str, Any], pictures: Sequence[Candidate]
    ) -> None:
        self.gate: Gate = gate
        self._store = store
        self.trial = Trial(gate=gate, version=version, table=table)
        self._newest = store.newest_trial(gate, version)
        ids = [c.id for c in pictures]
        trial = store.tried(gate, version, ids=ids) or self.trial
        self.missing = set(ids) - set(of_version(store, gate, version, trial, ids))
        self.failed: dict[int, str] = {}
        self.stored: set[int] = set()
        self._told = dict(trial.failed)

    def keep(self, found: Mapping[int, Reading | str], damaged: Mapping[int, str]) -> None:
        """Append what is new; a failure that is known already is not told again."""
        whole = {
            number: reading
            for number, reading in found.items()
            if number in self.missing and isinstance(reading, Reading) and number_in(reading, self.gate) is not None
        }
        failed = {
            **damaged,
            **{number: reading for number, reading in found.items() if isinstance(reading, str)},
        }
        self.failed |= {number: reason for number, reason in failed.items() if number in self.missing}
        news = {number: reason for number, reason in self.failed.items() if self._told.get(number) != reason}
        batch = Trial(
            gate=self.gate,
            version=self.trial.version,
            table=self.trial.table,
            readings=whole,
            failed=news,
        )
        self._told |= news
        self.missing -= set(whole)
        if whole or news:
            self._newest, others = self._store.add_trial(batch, after=self._newest)
            theirs = set(others.readings) if others is not None else set[int]()
            self.stored |= set(whole) - theirs
            self.missing -= theirs
