"""What goes in comes out: every field, in order, to the last bit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from store_records import BATCH, SPACE, record

from gen_emerge.errors import Damaged
from gen_emerge.store import DATABASE, Store
from gen_emerge.types import Candidate, CycleRecord, Resolution, Signal


def test_a_whole_cycle_comes_back_identical(store: Store) -> None:
    records = [record(1), record(2)]
    for each in records:
        store.commit(each)
    assert store.committed() == 2
    assert list(store.history()) == [each.outcome for each in records]
    assert list(store.history(after=1)) == [records[1].outcome]
    for each in records:
        ids = [c.id for c in each.candidates]
        assert store.candidates(cycle=each.cycle) == list(each.candidates)
        assert store.candidates(ids) == list(each.candidates)
        assert {i: tuple(found.values()) for i, found in store.signals(ids).items()} == each.signals
        assert store.verdicts(ids) == each.verdicts
        assert store.critiques(ids) == each.critiques
        numbers, vectors = store.embeddings(ids, SPACE)
        assert numbers.tolist() == sorted(each.embeddings)
        for number, vector in zip(numbers.tolist(), vectors, strict=True):
            assert vector.dtype == np.float32
            assert np.array_equal(vector, each.embeddings[number].vector)
    assert store.events() == [(r.cycle, e) for r in records for e in r.events]
    assert store.events(after=1) == [(2, e) for e in records[1].events]
    assert store.measures() == [(r.cycle, dict(r.measures)) for r in records]
    assert store.calibrations() == [r.calibration for r in records]
    assert store.axes() == [r.axes for r in records]
    assert store.rounds() == [r.round for r in records]
    assert [(c.cycle, c.best, c.render_seconds, c.cycle_seconds) for c in store.cycles()] == [
        (r.cycle, r.best, 1.25, 2.5) for r in records
    ]
    assert list(store.images()) == [(c.id, c.image) for r in records for c in r.candidates if c.image]


def test_the_order_of_words_survives(store: Store) -> None:
    # A resumed series draws by walking slots and parameters: their order is part of the state.
    store.commit(record(1))
    found, given = store.candidates([2])[0].genome, record(1).candidates[1].genome
    assert list(found.slots) == list(given.slots) == ["subject", "art", "motion"]
    assert list(found.parameters) == ["zoom", "alpha"]
    assert list(store.critiques([1])[1].answers) == ["q2", "q1", "q3"]
    assert list(store.calibrations()[0].bounds) == ["quality", "novelty"]
    assert list(store.rounds()[0].questions[0].images) == ["right", "left"]
    assert found.hash == given.hash


def test_proposals_wait_for_their_cycle(store: Store) -> None:
    records = [record(1), record(2)]
    for each in records:
        store.commit(each)
    assert store.pending_proposals(2) == {3: records[0].proposals, 4: records[1].proposals}
    assert store.pending_proposals(3) == {4: records[1].proposals}
    assert store.pending_proposals(4) == {}


def test_genomes_are_kept_once_and_found_by_hash(store: Store) -> None:
    store.commit(record(1))
    store.commit(record(2))
    store.commit(record(3))  # its genomes were stored as proposals of cycle 1
    given = [c.genome for c in record(3).candidates] + [p.genome for p in record(3).proposals]
    hashes = [g.hash for g in given]
    assert store.genomes([*hashes, "unknown"]) == {g.hash: g for g in given}
    assert list(store.genomes(hashes)) == hashes
    with closing(sqlite3.connect(store.folder / DATABASE)) as database:
        assert database.execute("SELECT COUNT(*) FROM genomes").fetchone() == (5 * BATCH,)


def test_statuses_in_force_follow_the_resolutions(store: Store) -> None:
    store.commit(record(1))
    # Of two changes in one cycle the last is in force.
    assert [(c.status, c.cause) for c in store.candidates([1], current=True)] == [("rejected", "x")]
    store.commit(record(2))
    own = {c.id: (c.status, c.cause) for c in store.candidates()}
    now = {c.id: (c.status, c.cause) for c in store.candidates(current=True)}
    assert own[1] == ("review", "")
    assert now[1] == ("passed", "")
    assert now[5] == ("rejected", "x")
    assert {i for i in own if own[i] != now[i]} == {1, 5}


def test_later_verdicts_come_after_earlier_ones(store: Store) -> None:
    store.commit(record(1))
    first = store.verdicts([1])[1]
    later = record(2)
    gate = later.verdicts[5][1]
    again = CycleRecord(
        cycle=2,
        candidates=later.candidates,
        signals={},
        embeddings={},
        verdicts={1: (gate,)},
        critiques={},
        resolutions=(Resolution(candidate=1, status="passed"),),
    )
    store.commit(again)
    assert store.verdicts()[1] == (*first, gate)
    assert store.gate_counts()["quality"] == {"pass": 0, "fail": 0, "review": BATCH}
    assert store.gate_counts("filter") == {"blank": {"pass": BATCH - 1, "fail": 0, "review": 0}}


def test_columns_of_a_signal_cover_the_series(store: Store) -> None:
    records = [record(1), record(2)]
    for each in records:
        store.commit(each)
    columns = store.signal_columns(["s1", "nothing"])
    ids, values = columns["s1"]
    assert ids.tolist() == [1, 2, 3, 5, 6, 7]
    assert values.tolist() == [r.signals[i][1].value for r in records for i in sorted(r.signals)]
    assert columns["nothing"][0].size == 0


def test_asking_for_nothing_gives_nothing(store: Store) -> None:
    assert store.committed() == 0
    assert list(store.history()) == []
    assert store.candidates([]) == []
    ids, vectors = store.embeddings([1, 2], "nowhere")
    assert ids.shape == (0,)
    assert vectors.shape == (0, 0)
    assert store.answers().standing == ()


def test_only_the_next_cycle_is_taken(store: Store) -> None:
    with pytest.raises(Damaged, match="Cycle 2 cannot be committed after cycle 0"):
        store.commit(record(2))
    store.commit(record(1))
    with pytest.raises(Damaged):
        store.commit(record(1))
    with pytest.raises(Damaged):
        store.begin(1, 0.0)
    assert store.committed() == 1


def test_a_contradiction_changes_nothing(store: Store) -> None:
    store.commit(record(1))
    good = record(2)
    doubled = Candidate(
        id=1, cycle=2, slot=9, genome=good.candidates[0].genome, image=None, status="failed", cause="twice"
    )
    bad = CycleRecord(
        cycle=2, candidates=(*good.candidates, doubled), signals={}, embeddings={}, verdicts={}, critiques={}
    )
    with pytest.raises(Damaged, match="contradicts"):
        store.commit(bad)
    assert store.committed() == 1
    assert len(store.candidates()) == BATCH
    store.commit(good)
    assert store.verdicts([5]) == {5: good.verdicts[5]}


def test_words_of_a_cycle_that_failed_are_numbered_again(store: Store) -> None:
    store.commit(record(1))
    word = Signal(scorer="late", scorer_version="v9", value=0.5)
    good = replace(record(2), signals={5: (word,)})
    # Refused after its words were numbered: nobody has this number.
    with pytest.raises(Damaged, match="contradicts"):
        store.commit(replace(good, resolutions=(Resolution(candidate=999, status="passed"),)))
    store.commit(good)
    assert store.signals([5]) == {5: {"late": word}}


def test_facts_are_fixed_at_creation(store: Store, tmp_path: Path) -> None:
    with Store.open(tmp_path / "night") as again:
        assert dict(again.facts) == {"seed": 7, "reference": ["b", "a"]}
        assert again.created_at == store.created_at > 0
        with pytest.raises(TypeError):
            again.facts["seed"] = 8  # type: ignore[index]


def test_two_series_at_once_know_nothing_of_each_other(tmp_path: Path) -> None:
    with Store.create(tmp_path / "a", {}) as one, Store.create(tmp_path / "b", {}) as other:
        one.commit(record(1))
        other.begin(1, 0.0)
        other.commit(record(1))
        one.commit(record(2))
        assert (one.committed(), other.committed()) == (2, 1)
