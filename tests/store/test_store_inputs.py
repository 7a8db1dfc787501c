"""What comes from outside is written on arrival, with the first cycle that may use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_records import record

from gen_emerge.errors import Damaged
from gen_emerge.store import Store, read_series, round_payload


def answer(question: str, answer: str, rater: str = "ann") -> tuple[str, dict[str, object]]:
    return "answer", {"question": question, "answer": answer, "rater": rater, "confidence": "sure", "seconds": 1.5}


def test_an_input_waits_for_the_cycle_after_the_last_started(store: Store) -> None:
    assert store.add_input("request", {"b": 1, "a": 2}).first_cycle == 1
    store.commit(record(1))
    assert store.add_input("request", {}).first_cycle == 2
    store.begin(2, 5.0)
    late = store.add_input("request", {"x": "щ"})
    assert late.first_cycle == 3
    assert store.add_input("micro-batch", {"images": 2}, first_cycle=2).first_cycle == 2
    assert [i.id for i in store.inputs(2, 2)] == [2, 4]
    assert [i.first_cycle for i in store.inputs(1, 99)] == [1, 2, 3, 2]
    assert store.inputs_of("request")[-1] == late
    assert list(store.inputs_of("request")[0].payload) == ["b", "a"]


@pytest.mark.parametrize("again", [False, True])
def test_no_input_goes_into_a_database_that_was_removed_or_replaced(store: Store, tmp_path: Path, again: bool) -> None:
    path = store.folder / "series.db"
    path.rename(tmp_path / "elsewhere.db")
    if again:
        Store.create(store.folder, {}).close()
    for add in (
        lambda: store.add_input("request", {}),
        lambda: store.add_inputs([answer("r1-1", "left")]),
        lambda: store.add_import({"pixels": "ab"}),
    ):
        with pytest.raises(Damaged, match="removed or replaced"):
            add()


def test_starts_are_counted_until_the_commit(store: Store) -> None:
    assert store.attempted() == 0
    assert [store.begin(1, 9.0), store.begin(1, 3.0), store.begin(1, 1.0)] == [1, 2, 3]
    assert store.starts(1) == 3
    store.commit(record(1))
    assert store.begin(2, 0.0) == 1
    assert store.attempted() == 2


def test_several_inputs_are_all_or_none(store: Store) -> None:
    with pytest.raises((TypeError, ValueError)):
        store.add_inputs([answer("r1-1", "left"), ("answer", {"seconds": float("nan")})])
    assert store.inputs(0, 99) == []
    added = store.add_inputs([answer("r1-1", "left"), answer("r1-2", "tie")])
    assert store.inputs(0, 99) == added


def test_the_last_answer_that_was_not_undone_stands(store: Store) -> None:
    store.add_inputs([answer("r1-1", "left"), answer("r1-2", "tie"), answer("r1-1", "right")])
    assert [(a.question, a.answer) for a in store.answers().standing] == [("r1-2", "tie"), ("r1-1", "right")]
    store.add_input("undo", {"question": "r1-1", "rater": "ann"})
    assert {a.question: a.answer for a in store.answers().standing} == {"r1-1": "left", "r1-2": "tie"}
    store.add_input("undo", {"question": "r1-1"})
    store.add_input("undo", {"question": "r1-1"})
    assert [a.question for a in store.answers().standing] == ["r1-2"]
    assert [a.answer for a in store.answers().history] == ["left", "tie", "right"]


def test_raters_do_not_overrule_each_other(store: Store) -> None:
    store.add_inputs([answer("r1-1", "left"), answer("r1-1", "right", "bob")])
    assert [a.rater for a in store.answers().of("r1-1")] == ["ann", "bob"]
    store.add_input("undo", {"question": "r1-1", "rater": "ann"})
    assert [a.rater for a in store.answers().of("r1-1")] == ["bob"]


def test_a_cycle_sees_only_the_answers_of_its_time(store: Store) -> None:
    store.add_inputs([answer("r1-1", "left")])
    store.begin(1, 0.0)
    store.add_inputs([answer("r1-1", "right")])
    assert [a.answer for a in store.answers(last=1).standing] == ["left"]
    assert store.answers(last=2).since == (2,)


def test_answers_are_read_once_and_those_of_another_process_are_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_inputs([answer("r1-1", "left"), answer("r1-2", "tie")])
    assert len(store.answers().standing) == 2
    read: list[int] = []
    inner = read_series._input
    monkeypatch.setattr(read_series, "_input", lambda row: read.append(row[0]) or inner(row))
    with Store.open(store.folder) as other:
        other.add_input("undo", {"question": "r1-1", "rater": "ann"})
        other.add_inputs([answer("r1-3", "right")])
    read.clear()
    assert [a.question for a in store.answers().standing] == ["r1-2", "r1-3"]
    assert [a.question for a in store.answers(last=0).standing] == []
    assert [len(store.answers(last=number).standing) for number in range(9)] == [0, *[2] * 8]
    assert len(store.answers().history) == 3
    assert len(read) == 2  # the two that came since


def test_rounds_opened_on_request_stand_beside_the_loops(store: Store) -> None:
    store.commit(record(1))
    asked = record(1).round
    assert asked is not None
    payload = {**round_payload(asked), "id": "r9", "cycle": 1, "reason": "request"}
    store.add_input("round", payload)
    assert [r.id for r in store.rounds()] == ["r1", "r9"]
    assert store.rounds()[1].questions == asked.questions
