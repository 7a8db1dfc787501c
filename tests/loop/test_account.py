"""What became of a candidate and why: one sentence each, held against what is recorded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pytest
from loop_crew import NO_GATES, RankCritic, Series, Traits, edges, world_crew
from test_overlap import Moody, humans, plan

from gen_emerge.account import Account, accounts, bound_of, in_full
from gen_emerge.calibration.first import GateSetting
from gen_emerge.filters import Rule
from gen_emerge.spoken import spoken
from gen_emerge.types import Bounds, Verdict


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Series]:
    """A world with everything in it, sixteen cycles of it."""
    made = Series(tmp_path_factory.mktemp("account") / "night", plan(Moody())).run(6)
    humans(made)
    yield made.run(16)
    made.stop()


@pytest.fixture(scope="module")
def told(made: Series) -> Mapping[int, Account]:
    _, found = accounts(made.store, [c.id for c in made.store.candidates()])
    return found


def of(told: Mapping[int, Account], outcome: str, cause: str = "") -> list[Account]:
    found = [a for a in told.values() if a.outcome == outcome and cause in ("", a.candidate.cause)]
    assert found, f"nobody is {outcome} {cause}"
    return found


def test_the_state_and_everybody_in_the_order_that_was_asked_for(made: Series) -> None:
    everybody = [c.id for c in made.store.candidates()]
    state, found = accounts(made.store, [*reversed(everybody), 10_000])
    assert list(found) == everybody[::-1] and state.digest() == made.state.digest()
    assert {n: (a.candidate.status, a.candidate.cause) for n, a in found.items()} == {
        n: made.status(n) for n in everybody
    }


def test_who_is_on_the_map_holds_its_cell_and_who_is_not_does_not(made: Series, told: Mapping[int, Account]) -> None:
    holders = {elite.candidate: elite.cell for elite in made.state.archive}
    assert {a.candidate.id: a.cell for a in of(told, "placed")} == holders
    for account in of(told, "accepted"):
        assert account.holder in holders and account.holder != account.candidate.id
        assert holders[account.holder] == account.cell


def test_an_elite_says_how_it_came_to_its_cell(told: Mapping[int, Account]) -> None:
    for account in of(told, "placed"):
        cycle, last = next(each for each in account.placements[::-1] if each[1].outcome in ("new", "won"))
        came = (
            f"which was empty when it came in cycle {cycle}"
            if last.outcome == "new"
            else f"which it won from candidate {last.incumbent} in cycle {cycle} by "
        )
        assert account.why.startswith(f"It holds cell {last.cell}, {came}")


def test_who_lost_says_to_whom_and_when(made: Series, told: Mapping[int, Account]) -> None:
    by = defaultdict(list)
    for account in of(told, "accepted"):
        held = re.match(
            r"It held cell (\d+) from cycle (\d+), until candidate (\d+) won it in cycle (\d+)", account.why
        )
        met = re.match(
            r"It passed, and met candidate (\d+) in cell (\d+) in cycle (\d+)(: a tie|, which is)", account.why
        )
        if held:
            cell, since, winner, until = map(int, held.groups())
            came = [when for when, placement in account.placements if placement.outcome in ("new", "won")]
            assert (until, winner) == account.lost and (cell, since) == (account.cell, came[-1])
            assert (until, "won", account.candidate.id) in {
                (cycle, outcome, incumbent) for cycle, outcome, incumbent, _ in made.placements(winner)
            }
        else:
            assert met, account.why
            cycle, placement = account.placements[-1]
            assert tuple(map(int, met.groups()[:3])) == (placement.incumbent, placement.cell, cycle)
            assert (met[4] == ": a tie") is (placement.outcome == "tie")
        by["held" if held else placement.outcome].append(account)
    assert set(by) == {"held", "lost", "tie"}


def test_who_waits_says_for_what(told: Mapping[int, Account]) -> None:
    for account in of(told, "pending", "duel"):
        met = account.placements[-1][1]
        assert account.why == (
            f"It passed the gates, and its duel with candidate {met.incumbent} for cell {met.cell} has still to come."
        )
    assert of(told, "pending", "critic")[0].why.startswith("It passed the gates and waits for the critic")


def test_who_was_turned_away_says_which_value_was_beyond_which_bound(told: Mapping[int, Account]) -> None:
    for gate in ("quality", "novelty"):
        for account in of(told, "rejected", gate):
            verdict, row = account.deciding, account.row()
            assert verdict is not None and verdict.gate == gate and verdict.bounds is not None
            if verdict.outcome == "fail":
                assert row["value"] == verdict.value < row["bound"] in (verdict.bounds.lower, verdict.bounds.duplicate)
                assert account.why == f"It was turned away by the gate {gate}: {verdict.reason}."
                assert spoken(row["value"]) in account.why and spoken(row["bound"]) in account.why
    for account in of(told, "review", "quality"):
        verdict, row = account.deciding, account.row()
        assert verdict is not None and verdict.bounds is not None and row["bound"] == verdict.bounds.lower
        assert abs(row["value"] - row["bound"]) <= verdict.bounds.review / 2
        assert account.why == (
            f"It waits for a human's word: {verdict.reason}, and the review band reaches 0.1 to each side."
        )


def test_humans_words_are_told(told: Mapping[int, Account]) -> None:
    turned_away = [a for a in of(told, "rejected", "quality") if a.deciding and a.deciding.outcome == "review"]
    assert turned_away, "a human discarded one"
    for account in turned_away:
        assert account.why == f"A human turned it away, who was asked because {account.deciding.reason}."
        assert [change.status for _, change in account.changes][-1] == "rejected"
    let_in = [a for a in told.values() if a.candidate.status == "passed" and a.candidate.cause == "human"]
    assert let_in and all(account.why.endswith("; a human had let it in.") for account in let_in)


def test_a_place_that_a_human_gave_says_so(tmp_path) -> None:
    crew = world_crew(lambda n: Traits(x=edges(n) if n < 5 else 0.0), critic=RankCritic(immediate=True))  # all ties
    made = Series(tmp_path / "night", crew).run(3)
    holder, loser = made.holder(0), next(c for c in range(5, 13) if c != made.holder(0))
    made.answer(made.ask_pair(1, loser, holder), "left")
    _, told = accounts(made.run(5).store, [loser, holder])
    made.stop()
    cycle = told[loser].placements[-1][0]
    won = f"It holds cell 0, which it won from candidate {holder} in cycle {cycle}"
    assert told[loser].why == f"{won} by a human's word."
    assert f"until candidate {loser} won it in cycle {cycle}." in told[holder].why


def test_hard_filters_rules_takes_and_failures_are_named(tmp_path) -> None:
    def traits(number: int) -> Traits:
        return Traits(x=edges(number), quality=[0.1, 0.9, 0.5, 0.5, 0.5][number % 5], broken=number in (6, 7))

    rules = (Rule(signal="quality", below=0.2, name="poor"), Rule(signal="quality", above=0.8, name="rich"))
    made = Series(tmp_path / "night", world_crew(traits, rules=rules, rhythm={"best_of": 2})).run(5)
    _, told = accounts(made.store, [c.id for c in made.store.candidates()])
    made.stop()
    (first, *_) = of(told, "rejected", "rule: poor")
    assert first.why == "It was turned away by your rule poor: quality 0.1 is below 0.2."
    assert (first.row()["value"], first.row()["bound"]) == (0.1, 0.2)
    (second, *_) = of(told, "rejected", "rule: rich")
    assert second.why == "It was turned away by your rule rich: quality 0.9 is above 0.8."
    (broken, *_) = of(told, "failed")
    assert broken.why.startswith("It failed: ") and "a broken genome" in broken.why and "value" not in broken.row()
    (passed_over, *_) = of(told, "rejected", "selector")
    other = next(n for n in told if n != passed_over.candidate.id and f"candidate {n}, another" in passed_over.why)
    assert passed_over.why.startswith(f"It was passed over: candidate {other}, another take of this genome, goes on")


def test_in_the_warm_up_everybody_waits_for_its_end(tmp_path) -> None:
    made = Series(tmp_path / "night", world_crew(lambda n: Traits(x=edges(n)), rhythm={"warmup_cycles": 3})).run(2)
    _, told = accounts(made.store, [1])
    made.stop()
    assert told[1].why == "It waits for the end of the warm-up: there are no thresholds yet."


@pytest.mark.parametrize(
    ("value", "outcome", "bounds", "bound"),
    [
        (1.0, "fail", Bounds(lower=2.0, upper=9.0), 2.0),
        (10.0, "fail", Bounds(lower=2.0, upper=9.0), 9.0),
        (2.1, "review", Bounds(lower=2.0, upper=9.0, review=0.4), 2.0),
        (8.9, "review", Bounds(lower=2.0, upper=9.0, review=0.4), 9.0),
        (6.0, "review", Bounds(lower=5.0, upper=9.0, review=0.4, review_upper=7.0), 9.0),
        (6.0, "review", Bounds(lower=5.0, upper=7.0, review=2.4, review_upper=0.4), 5.0),
        (0.1, "fail", Bounds(lower=2.0, duplicate=0.2), 0.2),
        (0.3, "fail", Bounds(lower=2.0, duplicate=0.2), 2.0),
        (0.1, "fail", Bounds(duplicate=0.2), 0.2),
        (None, "fail", Bounds(lower=1.0), None),
        (1.0, "fail", Bounds(), None),
        (1.0, "fail", None, None),
    ],
)
def test_the_bound_that_decided(value: float | None, outcome: str, bounds: Bounds | None, bound: float | None) -> None:
    verdict = Verdict(gate="novelty", kind="gate", outcome=outcome, value=value, bounds=bounds)  # type: ignore[arg-type]
    assert bound_of(verdict) == bound


def test_everything_recorded_is_told_in_full(made: Series, told: Mapping[int, Account]) -> None:
    for number in (of(told, "placed")[0].candidate.id, of(told, "rejected")[0].candidate.id):
        full, (candidate,) = in_full(made.store, told[number]), made.store.candidates([number], current=True)
        assert full["recipe"] == candidate.genome.recipe() and full["on_map"] is (full["outcome"] == "placed")
        stored = made.store.signals([number])[number]
        assert {name: (s["value"], s["version"]) for name, s in full["signals"].items()} == {
            name: (signal.value, signal.scorer_version) for name, signal in stored.items()
        }
        verdicts = made.store.verdicts([number])[number]
        assert [(v["gate"], v["outcome"], v["value"]) for v in full["verdicts"]] == [
            (v.gate, v.outcome, v.value) for v in verdicts
        ]
        assert all(v["lower"] == w.bounds.lower for v, w in zip(full["verdicts"], verdicts, strict=True) if w.bounds)
        placed = [(p["cycle"], p["outcome"], p["incumbent"], p["reason"]) for p in full["placements"]]
        assert placed == made.placements(number)
        critique = made.store.critiques([number]).get(number)
        assert full["critique"] == (
            None if critique is None else {**full["critique"], "answers": dict(critique.answers)}
        )


def test_a_gate_that_is_off_turns_nobody_away(tmp_path) -> None:
    gates = {**NO_GATES, "quality": GateSetting(lower=0.5, upper="off", review=0.0, duplicate="off")}
    crew = world_crew(lambda n: Traits(x=edges(n), quality=0.4 if n == 9 else 0.6), gates=gates)
    made = Series(tmp_path / "night", crew)
    _, told = accounts(made.run(4).store, [9])
    verdicts = in_full(made.store, told[9])["verdicts"]
    made.stop()
    assert told[9].why == "It was turned away by the gate quality: quality 0.4 is below 0.5."
    assert [(v["gate"], v["outcome"], v["lower"]) for v in verdicts] == [
        ("quality", "fail", 0.5),
        ("prompt", "pass", None),
        ("novelty", "pass", None),
        ("style", "pass", None),
    ]
