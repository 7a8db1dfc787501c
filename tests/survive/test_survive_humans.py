"""What a person answers is heard at the next boundary, and stays heard whatever happens to the process."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from survive_tools import House

from gen_emerge.state import State, replay

Question = Mapping[str, Any]
LOOP = {"cycles": 18, "checkin_every": 6}


@pytest.fixture(scope="session")
def asked(build: Callable[[Path], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    """A series that ran to its first check-in: to be copied, answered and continued."""
    house = build(tmp_path_factory.mktemp("asked") / "studio")
    house.series("night", loop=LOOP)
    status = house.call("run", "night", "--cycles", "6")
    assert (status["state"], status["open_rounds"]) == ("done", 1)
    return house


@pytest.fixture
def open_house(asked: House, house: House) -> House:
    """A copy of it."""
    shutil.copytree(asked.folder("night"), house.folder("night"))
    house.series("night", loop=LOOP)
    return house


def judge(
    house: House, lines: Sequence[Mapping[str, Any]], *, rater: str = "anna", code: int = 0, name: str = "night"
) -> dict[str, Any]:
    path = house.root / "answers.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return house.call("judge", name, "--answers", path, "--rater", rater, code=code)


def questions(house: House, kind: str | None = None, *, name: str = "night") -> list[Question]:
    arguments = ["rounds", name, *(["--open", kind] if kind else [])]
    return house.call(*arguments)["questions"]


def candidate_of(house: House, image: str) -> int:
    with house.store("night") as store:
        return next(candidate for candidate, found in store.images() if found.path == image)


def state_of(house: House, name: str = "night") -> State:
    with house.store(name) as store:
        return replay(store.history())


def placements(house: House, candidate: int) -> list[tuple[int, str, str]]:
    with house.store("night") as store:
        return [
            (outcome.cycle, placement.outcome, placement.reason)
            for outcome in store.history()
            for placement in outcome.placements
            if placement.candidate == candidate
        ]


def status_of(house: House, candidate: int) -> tuple[str, str]:
    with house.store("night") as store:
        (found,) = store.candidates([candidate], current=True)
    return found.status, found.cause


def test_a_keep_lets_a_review_image_in_and_a_discard_turns_it_away(open_house: House) -> None:
    house = open_house
    reviews = [q for q in questions(house, "review") if q["kind"] == "review"]
    assert len(reviews) >= 2, "the series has too few images in its review bands"
    kept, turned = (candidate_of(house, q["images"]["only"]) for q in reviews[:2])
    assert status_of(house, kept)[0] == status_of(house, turned)[0] == "review"
    judge(
        house, [{"question": reviews[0]["id"], "answer": "keep"}, {"question": reviews[1]["id"], "answer": "discard"}]
    )
    assert status_of(house, kept)[0] == "review"  # not before the boundary
    house.call("run", "night", "--cycles", "7")
    assert status_of(house, kept) == ("passed", "human")
    assert status_of(house, turned)[0] == "rejected"
    state = state_of(house)
    assert kept in state.accepted and turned not in state.accepted
    assert [cycle for cycle, *_ in placements(house, kept)] == [7]
    assert placements(house, turned) == []
    assert house.call("run", "night")["state"] == "done"
    house.healthy("night")


def contested_pair(house: House) -> tuple[int, int]:
    """(an accepted image that lost its cell's duel, the holder)."""
    state = state_of(house)
    with house.store("night") as store:
        for outcome in store.history():
            for placement in outcome.placements:
                holder = state.archive.holder(placement.cell) if state.archive else None
                if placement.outcome in ("lost", "tie") and holder and placement.incumbent == holder.candidate:
                    return placement.candidate, holder.candidate
    raise AssertionError("nobody lost a duel")


def ask_about(house: House, left: int, right: int, *, name: str = "night") -> str:
    """A round on request about one pair of our own choice, as `rounds --open` would store it."""
    from gen_emerge.store import Store, round_payload
    from gen_emerge.types import Question, Round

    question = Question(id="r6x-1", kind="pair", ask="quality", prompt="", images={"left": left, "right": right})
    with Store.open(house.folder(name)) as store:
        store.add_input("round", round_payload(Round(id="r6x", cycle=6, reason="request", questions=(question,))))
    return question.id


def test_a_verdict_between_two_images_of_a_cell_overrides_its_holder(open_house: House) -> None:
    house = open_house
    loser, holder = contested_pair(house)
    question = ask_about(house, loser, holder)
    judge(house, [{"question": question, "answer": "left"}])
    house.call("run", "night", "--cycles", "7")
    assert (7, "won", "human") in placements(house, loser)
    with house.store("night") as store:
        (seventh,) = [outcome for outcome in store.history(6) if outcome.cycle == 7]
    assert [(d.left, d.right, d.outcome, d.judge) for d in seventh.duels if d.purpose == "round"] == [
        (loser, holder, "left", "human:anna")
    ]
    state = state_of(house)
    assert state.archive is not None
    cell = next(p.cell for p in seventh.placements if p.reason == "human")
    assert state.archive.holder_as_of(cell, 7) != holder
    house.call("run", "night")
    house.healthy("night")


def test_a_verdict_for_the_holder_a_tie_and_a_skip_leave_it(open_house: House) -> None:
    house = open_house
    loser, holder = contested_pair(house)
    question = ask_about(house, loser, holder)
    for number, answer in enumerate(("right", "tie", "skip")):
        judge(house, [{"question": question, "answer": answer}])
        house.call("run", "night", "--cycles", str(7 + number))
    assert not [p for p in placements(house, loser) if p[2] == "human" or p[0] >= 7]
    assert not [p for p in placements(house, holder) if p[0] >= 7]
    house.healthy("night")


def test_an_undo_before_the_boundary_takes_the_answer_back(open_house: House) -> None:
    house = open_house
    untouched = house.archive / "untouched"
    shutil.copytree(house.folder("night"), untouched)
    house.series("untouched", loop=LOOP)
    loser, holder = contested_pair(house)
    for name in ("night", "untouched"):
        question = ask_about(house, loser, holder, name=name)
    told = judge(house, [{"question": question, "answer": "left"}, {"undo": question}])
    assert (told["answers"], told["undone"]) == (1, 1)
    assert house.call("run", "night")["digest"] == house.call("run", "untouched")["digest"]
    assert not [p for p in placements(house, loser) if p[2] == "human"]
    # It counts as open again, and may be answered otherwise.
    assert question in [q["id"] for q in unanswered(house)]


def turning_point(house: House, asked: Sequence[Question]) -> tuple[str, str, int, int]:
    """Of a round's pairs one that can turn a cell: (question, the challenger's side, challenger, holder)."""
    state = state_of(house)
    contests = {(contest.holder, contest.challenger) for contest in state.contests}
    for question in asked:
        if question["kind"] == "pair":
            left, right = (candidate_of(house, question["images"][side]) for side in ("left", "right"))
            for side, challenger, holder in (("left", left, right), ("right", right, left)):
                if (holder, challenger) in contests:
                    assert question["ask"] == "quality"
                    return question["id"], side, challenger, holder
    raise AssertionError("no question of the round can turn a cell")


@pytest.mark.parametrize("kind", [None, "pairs"])
def test_a_round_asks_for_a_cell_and_the_answer_turns_it_at_the_next_boundary(
    open_house: House, kind: str | None
) -> None:
    house = open_house
    question, side, challenger, holder = turning_point(house, questions(house, kind))
    judge(house, [{"question": question, "answer": side}])
    assert not [p for p in placements(house, challenger) if p[2] == "human"]
    house.call("run", "night", "--cycles", "7")
    assert placements(house, challenger)[-1] == (7, "won", "human")
    with house.store("night") as store:
        (seventh,) = store.history(6)
    (won,) = [p for p in seventh.placements if p.reason == "human"]
    assert (won.candidate, won.incumbent) == (challenger, holder)
    house.healthy("night")
    house.call("run", "night")
    house.healthy("night")
    state = state_of(house)
    assert state.archive is not None and {challenger, holder} <= state.archive.ever_held(won.cell)


def test_a_verdict_taken_back_later_counts_no_longer_and_rewrites_nothing(open_house: House) -> None:
    house = open_house
    question, side, challenger, holder = turning_point(house, questions(house, "pairs"))
    judge(house, [{"question": question, "answer": side}])
    house.call("run", "night", "--cycles", "7")
    judge(house, [{"undo": question}])
    house.call("run", "night", "--cycles", "8")
    with house.store("night") as store:
        said = [(o.cycle, d.purpose) for o in store.history() for d in o.duels if d.judge == "human:anna"]
        events = [(cycle, event.payload["question"]) for cycle, event in store.events() if event.kind == "withdrawn"]
    assert said == [(7, "round"), (8, "withdrawn")] and events == [(8, question)]
    assert placements(house, challenger)[-1] == (7, "won", "human")
    # Said otherwise from now on, the cell goes back to whom it was taken from, if the challenger still holds it.
    other = {"left": "right", "right": "left"}[side]
    held = challenger in {elite.candidate for elite in state_of(house).archive or ()}
    judge(house, [{"question": question, "answer": other}])
    house.call("run", "night", "--cycles", "9")
    assert ((9, "won", "human") in placements(house, holder)) == held
    house.healthy("night")


def unanswered(house: House) -> list[Question]:
    with house.store("night") as store:
        given = {answer.question for answer in store.answers().standing}
        return [{"id": q.id} for asked in store.rounds() for q in asked.questions if q.id not in given]


def test_two_raters_who_disagree_about_a_review_image_break_nothing(open_house: House) -> None:
    house = open_house
    reviews = [q for q in questions(house, "review") if q["kind"] == "review"]
    assert len(reviews) >= 2
    first, second = (candidate_of(house, q["images"]["only"]) for q in reviews[:2])
    judge(
        house, [{"question": reviews[0]["id"], "answer": "keep"}, {"question": reviews[1]["id"], "answer": "discard"}]
    )
    judge(
        house,
        [{"question": reviews[0]["id"], "answer": "discard"}, {"question": reviews[1]["id"], "answer": "keep"}],
        rater="ben",
    )
    status = house.call("run", "night")
    assert status["state"] == "done"
    state = state_of(house)
    for candidate in (first, second):
        assert candidate not in state.accepted and status_of(house, candidate)[0] == "review", "one says so, one not so"
        assert placements(house, candidate) == []
    counted = status["passed"] + status["review"] + status["pending"] + status["failed"] + status["rejected"]["total"]
    assert counted == status["candidates"] == 72
    with house.store("night") as store:
        now = [c.status for c in store.candidates(current=True)]
    assert {word: now.count(word) for word in ("passed", "review")} == {w: status[w] for w in ("passed", "review")}
    house.healthy("night")


def test_two_raters_who_disagree_about_a_pair_leave_one_holder(open_house: House) -> None:
    house = open_house
    loser, holder = contested_pair(house)
    question = ask_about(house, loser, holder)
    judge(house, [{"question": question, "answer": "left"}], rater="anna")
    judge(house, [{"question": question, "answer": "right"}], rater="ben")
    house.call("run", "night", "--cycles", "7")
    with house.store("night") as store:
        judges = sorted(d.judge for o in store.history(6) for d in o.duels if d.purpose == "round")
    assert judges == ["human:anna", "human:ben"]
    # One against one: the holder stays, unless an image of the seventh cycle's own took the cell.
    with house.store("night") as store:
        (seventh,) = store.history(6)
    assert not [p for p in seventh.placements if p.reason == "human" or p.candidate == loser]
    lost = [p for p in seventh.placements if p.outcome == "won" and p.incumbent == holder]
    held = holder in {elite.candidate for elite in state_of(house).archive or ()}
    assert held == (not lost)
    judge(house, [{"question": question, "answer": "left"}], rater="cy")
    house.call("run", "night", "--cycles", "8")
    assert ((8, "won", "human") in placements(house, loser)) == held, "two against one"
    house.call("run", "night")
    house.healthy("night")


def test_a_verdict_about_images_of_different_cells_moves_nobody(open_house: House) -> None:
    house = open_house
    untouched = state_of(house)
    assert untouched.archive is not None
    elites = list(untouched.archive)
    left, right = elites[0].candidate, elites[-1].candidate
    question = ask_about(house, left, right)
    judge(house, [{"question": question, "answer": "left"}])
    house.call("run", "night", "--cycles", "7")
    assert not [p for p in placements(house, left) if p[0] >= 7]
    with house.store("night") as store:
        (seventh,) = list(store.history(6))
    # The verdict is kept for the preference model, and makes no duel for the cell.
    assert [(d.left, d.right, d.outcome) for d in seventh.duels if d.purpose == "round"] == [(left, right, "left")]
    assert [d for d in seventh.duels if d.left == left and d.purpose == "cell"] == []
    house.healthy("night")


def test_answers_count_wherever_the_process_was_killed_in_between(
    open_house: House, build: Callable[[Path], House], tmp_path: Path
) -> None:
    other = build(tmp_path / "other")
    shutil.copytree(open_house.folder("night"), other.folder("night"))
    other.series("night", loop=LOOP)
    digests: list[str] = []
    for house, kills in ((open_house, 0), (other, 3)):
        loser, holder = contested_pair(house)
        question = ask_about(house, loser, holder)
        reviews = questions(house, "review")
        judge(house, [{"question": question, "answer": "left"}, {"question": reviews[0]["id"], "answer": "keep"}])
        for kill in range(kills):
            running = house.start("run", "night", env={"TROUBLED_SLEEP": "0.1"})
            if kill:
                goal = 6 + kill
                house.until(running, lambda house=house, goal=goal: house.committed("night") >= goal)
            else:
                house.until(running, lambda house=house: started(house) > 6)
            assert running.kill()
        digests.append(house.call("run", "night")["digest"])
        assert (7, "won", "human") in placements(house, loser)
        house.healthy("night")
    assert digests[0] == digests[1]
    assert open_house.history("night") == other.history("night")


def started(house: House) -> int:
    with house.store("night") as store:
        return store.attempted()


def test_an_answer_beside_a_running_series_is_heard_at_a_later_boundary_and_replayed_there(open_house: House) -> None:
    house = open_house
    loser, holder = contested_pair(house)
    question = ask_about(house, loser, holder)
    running = house.start("run", "night", env={"TROUBLED_SLEEP": "0.5"})
    house.until(running, lambda: house.committed("night") >= 8)
    began = started(house)
    judge(house, [{"question": question, "answer": "left"}])
    assert running.wait() == 0
    with house.store("night") as store:
        (answer,) = store.inputs_of("answer")
    assert began < answer.first_cycle <= 18  # not in a cycle that was begun without it
    with house.store("night") as store:
        heard = [outcome.cycle for outcome in store.history() for duel in outcome.duels if duel.purpose == "round"]
    assert heard == [answer.first_cycle]
    house.healthy("night")


def test_a_series_that_waits_exits_4_until_its_round_is_answered(house: House) -> None:
    house.series("night", loop={**LOOP, "on_checkin": "wait"})
    waiting = house.call("run", "night", code=4)
    assert (waiting["state"], waiting["cycle"], waiting["open_rounds"]) == ("waiting", 6, 1)
    before = house.contents("night")
    assert house.call("run", "night", code=4)["digest"] == waiting["digest"]
    assert house.call("status", "night")["state"] == "waiting"
    assert house.contents("night") == before
    first = questions(house)
    assert len(first) >= 3 and {q["kind"] for q in first} >= {"pair", "keep"}
    answers = [{"question": q["id"], "answer": "left" if q["kind"] == "pair" else "keep"} for q in first]
    judge(house, answers[:-1])
    house.call("run", "night", code=4)  # one question is still open
    bad = judge(house, [answers[-1], {"question": "r6-99", "answer": "left"}], code=2)
    assert "Line 2" in bad["error"]["message"]
    house.call("run", "night", code=4)  # half a file is never taken
    told = judge(house, answers[-1:], rater="ben")
    assert told["open_rounds"] == 0
    again = house.call("run", "night", code=4)
    assert (again["state"], again["cycle"]) == ("waiting", 12)
    with house.store("night") as store:
        heard = {o.cycle for o in store.history() for duel in o.duels if duel.purpose == "round"}
    assert heard == {7}
    # The next round asks about no pair twice.
    second = questions(house)
    pairs = [frozenset(q["images"].values()) for q in (*first, *second) if q["kind"] == "pair"]
    assert len(pairs) == len(set(pairs))
    house.series("night", loop={**LOOP, "on_checkin": "continue"})
    done = house.call("run", "night")
    assert (done["state"], done["cycle"]) == ("done", 18)
    house.healthy("night")


def test_a_keep_at_a_later_look_changes_nothing_twice(open_house: House) -> None:
    house = open_house
    review = questions(house, "review")[0]
    candidate = candidate_of(house, review["images"]["only"])
    judge(house, [{"question": review["id"], "answer": "keep"}])
    house.call("run", "night", "--cycles", "8")
    for rater in ("ben", "cy"):  # most now say otherwise, of what is decided
        judge(house, [{"question": review["id"], "answer": "discard"}], rater=rater)
    house.call("run", "night", "--cycles", "10")
    assert status_of(house, candidate) == ("passed", "human")
    assert len(placements(house, candidate)) == 1
    with closing(sqlite3.connect(house.folder("night") / "series.db")) as connection:
        query = "SELECT count(*) FROM resolutions WHERE candidate = ?"
        assert connection.execute(query, (candidate,)).fetchone() == (1,)
    house.healthy("night")


def test_a_ranking_counts_and_the_next_check_ins_are_the_same_wherever_the_process_was_killed(
    open_house: House, build: Callable[[Path], House], tmp_path: Path
) -> None:
    other = build(tmp_path / "other")
    shutil.copytree(open_house.folder("night"), other.folder("night"))
    loop = {**LOOP, "checkin_screens": "rank4"}
    rounds: list[list[Any]] = []
    for house, kills in ((open_house, 0), (other, 3)):
        house.series("night", loop=loop)
        ranked = questions(house, "rank4")
        assert {q["kind"] for q in ranked} == {"rank4"}
        triplets = questions(house, "triplets")
        with house.store("night") as store:
            (checkin,) = (asked for asked in store.rounds() if asked.reason == "scheduled")
        judge(
            house,
            [
                *({"question": q["id"], "order": ["c", "a", "d", "b"]} for q in ranked),
                *({"question": q["id"], "answer": "a"} for q in triplets),
                *({"question": q.id, "answer": "left" if q.kind == "pair" else "keep"} for q in checkin.questions),
                {"favourite": candidate_of(house, ranked[0]["images"]["c"]), "level": "breakthrough"},
            ],
        )
        for kill in range(kills):
            running = house.start("run", "night", env={"TROUBLED_SLEEP": "0.1"})
            if kill:
                goal = 6 + 3 * kill
                house.until(running, lambda house=house, goal=goal: house.committed("night") >= goal)
            else:
                house.until(running, lambda house=house: started(house) > 6)
            assert running.kill()
        house.call("run", "night")
        with house.store("night") as store:
            rounds.append(store.rounds())
            told = [(o.cycle, d.order) for o in store.history() for d in o.duels if d.judge == "human:anna"]
        assert told.count((7, "ranking")) == 6 * len(ranked), "heard once, at the next boundary"
        house.healthy("night")
    assert rounds[0] == rounds[1]
    assert open_house.history("night") == other.history("night")
    checkins = [asked for asked in rounds[0] if asked.reason == "scheduled"]
    assert len(checkins) == 3 and checkins[0].baseline and not checkins[1].baseline
    for asked in checkins[1:]:
        baseline = [set(q.images.values()) for q in asked.questions if q.stream == "baseline"]
        assert len(baseline) <= 1 and all(pair & set(checkins[0].baseline) for pair in baseline)
        assert len(asked.questions) == 5
