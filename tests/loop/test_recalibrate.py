"""Thresholds from judgements: asked for, in force from a boundary on, never twice, the same after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_crew import OFF, Series, Traits, bring, world_crew

from gen_emerge.audit import verify_history
from gen_emerge.calibration.costs import Costs, Learning
from gen_emerge.calibration.first import GateSetting
from gen_emerge.filters import Rule
from gen_emerge.gates import codes
from gen_emerge.judged import judged
from gen_emerge.preference.takes import Selector
from gen_emerge.recalibrate import CANCELLED, KIND, waiting
from gen_emerge.state import replay
from gen_emerge.store import round_payload
from gen_emerge.types import Question, Round
from gen_emerge.weighing import evidence_to_come, in_words, together, weigh

GATES_ = {**dict.fromkeys(("prompt", "novelty", "style"), OFF), "quality": GateSetting()}
ELSEWHERE = 60_000
"""Numbers of pictures from here on are imported ones."""
LEARNING = Learning(costs=Costs(review=10.0))


def quality(number: int) -> float:
    return float(np.random.default_rng(number).normal())


def traits(number: int) -> Traits:
    return Traits(x=(number % 3) / 2, quality=quality(number))


def begin(folder: Path, **changes: Any) -> Series:
    beat = {"batch": 8, "warmup_cycles": 2, **changes.pop("rhythm", {})}
    series = Series(
        folder, world_crew(changes.pop("traits", traits), rhythm=beat, gates=changes.pop("gates", GATES_), **changes)
    )
    series.store.add_input("config", {"settings": 1, "banks": {}, "versions": series.crew.versions}, first_cycle=1)
    return series.run(4)


def ask(series: Series, number: int, kind: str, candidates: list[int]) -> list[str]:
    questions = tuple(
        Question(id=f"r{number}-{n}", kind=kind, ask="keep", prompt="p", images={"only": candidate})  # type: ignore[arg-type]
        for n, candidate in enumerate(candidates, start=1)
    )
    asked = Round(id=f"r{number}", cycle=series.state.cycle, reason="request", questions=questions)
    series.store.add_input("round", round_payload(asked))
    return [question.id for question in questions]


def answer_all(series: Series, number: int, *, above: float = 0.6, cycle: int | None = None) -> list[int]:
    """Keep every image whose quality lies above a number, discard the others."""
    numbers = series.store.numbers("quality", "world-1")
    for question, candidate in zip(ask(series, number, "keep", sorted(numbers)), sorted(numbers), strict=True):
        series.answer(question, "keep" if numbers[candidate] > above else "discard", cycle=cycle)
    return sorted(numbers)


def weighed(series: Series, learning: Learning = LEARNING, **options: Any) -> Any:
    calibration = series.state.calibration
    assert calibration is not None and series.state.archive is not None
    held = series.state.archive.held_ever()
    options = {"shifts": series.state.shifts, **options}
    return weigh(series.store, calibration, series.crew.gates, learning, held=held, **options)


def request(series: Series, did: str = "applied", **changes: Any) -> Any:
    found = weighed(series)
    assert series.state.calibration is not None
    payload = {
        "did": did,
        "parent": series.state.calibration.version,
        "evidence": evidence_to_come(found),
        "reason": in_words(found),
        **changes,
    }
    return series.store.add_input(KIND, payload), found["quality"].after


def lower(series: Series) -> float:
    assert series.state.calibration is not None
    bound = series.state.calibration.bounds["quality"].lower
    assert bound is not None
    return bound


# ---- in force from a boundary on ---------------------------------------------------------------------------------


def test_what_was_asked_for_counts_from_its_cycle_on_and_past_verdicts_stay(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    before, verdicts = lower(series), series.store.verdicts(None)
    asked, after = request(series)
    assert after.lower > before + 0.1
    series.run(asked.first_cycle - 1)
    assert lower(series) == before
    series.run(asked.first_cycle + 1)
    now = series.state.calibration
    assert now is not None and (now.version, now.parent, now.bounds["quality"]) == (2, 1, after)
    assert now.evidence["quality"]["answers"]["counted"] == 32 and now.reason == "quality by 32 answers"
    assert {k: v for k, v in series.store.verdicts(None).items() if k in verdicts} == verdicts
    late = series.store.verdicts([c.id for c in series.store.candidates(cycle=asked.first_cycle)])
    assert {v.calibration for each in late.values() for v in each if v.gate == "quality"} == {2}
    assert replay(series.store.history()).digest() == series.state.digest()
    assert verify_history(series.store) == []


def test_a_kill_between_the_request_and_its_effect_changes_nothing(tmp_path: Path) -> None:
    digests = []
    for name, cuts in (("a", ()), ("b", (4, 5, 6))):
        series = begin(tmp_path / name)
        answer_all(series, 1)
        request(series)
        for cut in cuts:
            series.run(cut)
            series.reopen()
        digests.append(series.run(8).state.digest())
    assert digests[0] == digests[1]


def test_a_request_that_was_weighed_against_another_version_is_told_and_not_done(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    asked, after = request(series)
    request(series, reason="a second one")
    series.run(asked.first_cycle)
    assert series.state.calibration is not None
    assert (series.state.calibration.version, series.state.calibration.bounds["quality"]) == (2, after)
    told = [event.message for _, event in series.store.events() if event.kind == "alarm"]
    assert told == ["a second one: not done, it was weighed against version 1 and 2 is in force."]


def take_back(series: Series, *numbers: int) -> Any:
    """What `calibrate --rollback` writes where a change waits and its version is the one in force."""
    now = series.state.calibration
    assert now is not None
    payload = {"did": CANCELLED, "parent": None, "evidence": dict(now.evidence), "reason": "back to version 1"}
    return series.store.add_input(KIND, {**payload, "cancels": list(numbers)})


def test_a_change_that_is_taken_back_before_its_cycle_never_comes_into_force(tmp_path: Path) -> None:
    digests = []
    for name, cuts in (("a", ()), ("b", (5, 6))):
        series = begin(tmp_path / name)
        answer_all(series, 1)
        asked, _ = request(series)
        assert [each.id for each in waiting(series.store.inputs_of(KIND), 4)] == [asked.id]
        assert take_back(series, asked.id).first_cycle == asked.first_cycle
        assert waiting(series.store.inputs_of(KIND), 4) == []
        for cut in cuts:
            series.run(cut)
            series.reopen()
        series.run(8)
        assert [c.version for c in series.store.calibrations()] == [1]
        told = [event.message for _, event in series.store.events() if event.kind == KIND and "never" in event.message]
        assert told == ["back to version 1: it never came into force."]
        assert replay(series.store.history()).digest() == series.state.digest() and verify_history(series.store) == []
        digests.append(series.state.digest())
    assert digests[0] == digests[1]


def test_a_change_that_is_taken_back_too_late_is_followed_by_the_version_before(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    asked, after = request(series)
    series.store.begin(asked.first_cycle, 0.0)  # its cycle is being rendered
    late = take_back(series, asked.id)
    assert late.first_cycle == asked.first_cycle + 1
    assert [each.id for each in waiting(series.store.inputs_of(KIND), 4)] == [asked.id, late.id]
    series.run(late.first_cycle)
    first, second, third = series.store.calibrations()
    assert second.bounds["quality"] == after and third.hash == first.hash != second.hash


def test_numbers_of_another_scorer_do_not_come_in(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    evidence = evidence_to_come(weighed(series))
    evidence["quality"]["version"] = "world-0"
    asked, _ = request(series, evidence=evidence)
    before = lower(series)
    series.run(asked.first_cycle)
    assert lower(series) == before
    assert "quality has another scorer since" in series.store.events()[-1][1].message


def test_a_change_of_settings_keeps_what_was_learned_where_the_file_says_auto(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    asked, after = request(series)
    series.run(asked.first_cycle)
    series.store.add_input(
        "config", {"settings": 2, "banks": {}, "versions": series.crew.versions}, first_cycle=asked.first_cycle + 1
    )
    gates = {**GATES_, "style": GateSetting(lower=0.1, upper=0.9, review=0.0)}
    series.reopen(gates=gates).run(asked.first_cycle + 1)
    now = series.state.calibration
    assert now is not None and now.version == 3
    assert now.bounds["quality"] == after and now.bounds["style"].lower == 0.1


def test_a_change_of_settings_and_a_request_at_one_boundary_are_one_version(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    asked, after = request(series, parent=None)
    series.store.add_input(
        "config", {"settings": 2, "banks": {}, "versions": series.crew.versions}, first_cycle=asked.first_cycle
    )
    series.reopen(gates={**GATES_, "style": GateSetting(lower=0.1, upper=0.9, review=0.0)}).run(asked.first_cycle)
    assert [(c.version, c.parent) for c in series.store.calibrations()] == [(1, None), (2, 1)]
    assert series.state.calibration is not None
    assert series.state.calibration.bounds["quality"] == after
    assert series.state.calibration.bounds["style"].lower == 0.1


def test_approved_images_stand_in_the_warm_ups_place(tmp_path: Path) -> None:
    series = Series(tmp_path / "a", world_crew(traits, rhythm={"batch": 8, "warmup_cycles": 2}, gates=GATES_))
    entry = {"images": 20, "version": "world-1", "lower": 0.25, "upper": 3.0, "review": 0.1}
    for first, value in ((1, 0.25), (9, 0.75)):
        evidence = {"quality": {**entry, "lower": value}, "prompt": {**entry, "version": "another"}}
        payload = {"did": "folder", "parent": None, "evidence": evidence, "reason": "20 approved images"}
        series.store.add_input(KIND, payload, first_cycle=first)
    series.run(3)
    now = series.state.calibration
    assert now is not None and now.version == 1 and now.reason == "warm-up of 16 images; 20 approved images"
    assert now.bounds["quality"].lower == 0.25 and now.evidence["prompt"]["version"] == "world-1"
    assert now.evidence["prompt"]["images"] == 16


# ---- what is weighed ---------------------------------------------------------------------------------------------


def test_the_same_answers_do_not_move_a_bound_twice(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    for _ in range(3):
        asked, after = request(series)
        series.run(asked.first_cycle)
        assert lower(series) == after.lower
    first, *later = [c.bounds["quality"].lower for c in series.store.calibrations()][1:]
    assert later == pytest.approx([first, first], abs=0.05)


def test_a_bound_the_series_file_gives_as_a_number_stays(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", gates={**GATES_, "quality": GateSetting(lower=-0.5, review=0.0)})
    answer_all(series, 1)
    found = weighed(series)["quality"]
    assert found.evidence is None and found.after == found.before
    assert found.sides[0].note == "the series file says lower = -0.5: a number stays"


def test_auto_means_what_was_measured_or_learned_whatever_the_series_file_said_meanwhile(tmp_path: Path) -> None:
    fixed = GateSetting(lower=0.6, upper="auto", review=0.01)
    series = begin(tmp_path / "a", gates={**GATES_, "quality": fixed})
    warmup = series.state.calibration.evidence["quality"]
    numbers = series.store.numbers("quality", "world-1")
    for question, candidate in zip(ask(series, 1, "keep", sorted(numbers)), sorted(numbers), strict=True):
        series.answer(question, "keep" if abs(numbers[candidate]) < 0.7 else "discard")
    asked, after = request(series)
    assert (after.lower, after.review) == (0.6, 0.01) and after.upper < warmup["upper"] - 0.1
    series.run(asked.first_cycle)
    learned = series.state.calibration.evidence["quality"]
    assert (learned["lower"], learned["review"], learned["upper"]) == (warmup["lower"], warmup["review"], after.upper)
    assert learned["anchor"] == {"lower": warmup["lower"], "upper": warmup["upper"], "cycle": 2}
    settings = {"settings": 2, "banks": {}, "versions": series.crew.versions}
    series.store.add_input("config", settings, first_cycle=asked.first_cycle + 1)
    both = {**GATES_, "quality": GateSetting(lower="auto", upper="auto")}
    series.reopen(gates=both).run(asked.first_cycle + 1)
    assert lower(series) == warmup["lower"] and series.state.calibration.bounds["quality"].upper == after.upper


def test_a_few_answers_move_nothing(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    for question in ask(series, 1, "keep", [1, 2, 3, 4]):
        series.answer(question, "keep")
    found = weighed(series)["quality"]
    assert found.after == found.before and found.sides[0].note == "4 of at least 5 answers"


def test_each_of_two_bounds_learns_from_the_images_nearer_to_it(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", gates={**GATES_, "quality": GateSetting(lower="auto", upper="auto")})
    numbers = series.store.numbers("quality", "world-1")
    for question, candidate in zip(ask(series, 1, "keep", sorted(numbers)), sorted(numbers), strict=True):
        series.answer(question, "keep" if abs(numbers[candidate]) < 0.7 else "discard")
    found = weighed(series)["quality"]
    low, high = found.sides
    assert (low.end, high.end) == ("lower", "upper") and low.answers + high.answers == 32
    assert found.after.lower > found.before.lower + 0.1 and found.after.upper < found.before.upper - 0.1


TWO = {**GATES_, "quality": GateSetting(lower="auto", upper="auto")}
ASKING = replace(LEARNING, costs=Costs(review=0.6))


def test_a_bound_with_too_few_answers_keeps_its_review_band_too(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", gates=TWO)
    numbers = series.store.numbers("quality", "world-1")
    below = sorted(numbers, key=lambda number: numbers[number])[:14]
    for question, candidate in zip(ask(series, 1, "keep", below), below, strict=True):
        series.answer(question, "keep" if candidate % 3 else "discard")
    found = weighed(series, learning=ASKING)["quality"]
    low, high = found.sides
    assert low.answers == 14 and high.note == "0 of at least 5 answers"
    assert found.after.review > 2 * found.before.review
    assert (found.after.upper, found.after.band("upper")) == (found.before.upper, found.before.band("upper"))
    request(series, evidence=evidence_to_come({"quality": found}))
    series.run(6)
    assert series.state.calibration is not None and series.state.calibration.bounds["quality"] == found.after
    again = weighed(series, learning=ASKING)["quality"]
    assert again.after.band("upper") == found.before.band("upper")


@pytest.mark.parametrize("upper", ["auto", -0.9])
def test_bounds_that_would_let_nothing_pass_stay(tmp_path: Path, upper: Any) -> None:
    """Whoever discards everything has not said which of its numbers are good."""
    series = begin(tmp_path / "a", gates={**GATES_, "quality": GateSetting(lower="auto", upper=upper)})
    numbers = series.store.numbers("quality", "world-1")
    for question in ask(series, 1, "keep", sorted(numbers)):
        series.answer(question, "discard")
    found = weighed(series, learning=replace(LEARNING, costs=Costs(false_accept=20.0, review=3.0)))["quality"]
    assert found.after == found.before and found.evidence is None
    low, high = found.sides
    assert low.bound is None and low.note.startswith("answers ask for a lower bound of ") and "both stay" in low.note
    assert high.note == low.note if upper == "auto" else "a number stays" in high.note
    _, old, new = together({"quality": found})
    assert old.tolist() == new.tolist()


def test_each_band_ends_where_its_own_curve_says(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", gates=TWO)
    numbers = series.store.numbers("quality", "world-1")
    for question, candidate in zip(ask(series, 1, "keep", sorted(numbers)), sorted(numbers), strict=True):
        # What lies high is told apart sharply, what lies low is not.
        keep = numbers[candidate] < 0.9 if numbers[candidate] > 0 else candidate % 4 > 0
        series.answer(question, "keep" if keep else "discard")
    found = weighed(series, learning=ASKING)["quality"]
    reject, accept = ASKING.costs.probabilities
    column = np.array(list(found.values.values()))
    for side in found.sides:
        assert side.curve is not None and side.bound is not None
        half = found.after.band(side.end) / 2
        for edge, wanted in ((side.bound - side.sign * half, reject), (side.bound + side.sign * half, accept)):
            at_an_end = min(abs(edge - column.min()), abs(edge - column.max())) < 1e-9
            chance = float(side.curve.probability(np.array([side.sign * edge]))[0])
            assert chance == pytest.approx(wanted, abs=0.01) or at_an_end, side.end
    assert found.after.review > 1.2 * found.after.band("upper")


def test_verdicts_on_past_images_are_those_of_the_gate(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    found = weighed(series)
    ids, old, new = together({"quality": found["quality"]})
    recorded = {
        number: next(v.outcome for v in verdicts if v.gate == "quality")
        for number, verdicts in series.store.verdicts(ids).items()
    }
    assert [("fail", "review", "pass")[code] for code in old] == [recorded[number] for number in ids]
    assert (new < old).any() and not (new > old).any()
    assert codes(np.array([0.5, 0.75, 0.2]), replace(found["quality"].before, lower=0.5, review=0.5)).tolist() == [
        1,
        2,
        0,
    ]


def test_each_gates_numbers_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = begin(tmp_path / "a")
    answer_all(series, 1)
    read, numbers = [], series.store.numbers
    monkeypatch.setattr(series.store, "numbers", lambda name, version: read.append(name) or numbers(name, version))
    weighed(series)
    assert sorted(read) == ["novelty", "prompt", "quality", "style"]


def elsewhere(number: int) -> Traits:
    return Traits(x=0.5, quality=quality(number) + (6.0 if number >= ELSEWHERE else 0.0))


def test_imported_pictures_may_be_judged_and_say_nothing_else_of_a_gate(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", traits=elsewhere).run(33)
    bring(series, range(ELSEWHERE, ELSEWHERE + 60))
    series.run(46)
    foreign = [c.id for c in series.store.candidates() if c.genome.imported]
    for question in ask(series, 1, "keep", foreign[:6]):
        series.answer(question, "keep")
    found = weighed(series)["quality"]
    assert len(foreign) == 60 and foreign[0] > 264
    assert found.shifts == () and found.scale == pytest.approx(1.0, abs=0.15)
    assert found.sides[0].answers == 6 and not set(found.values) & set(foreign)


def test_whoever_was_turned_away_before_the_gates_is_in_no_share(tmp_path: Path) -> None:
    series = begin(
        tmp_path / "a",
        rhythm={"best_of": 2},
        selector=Selector(rule="best", signals=("quality",)),
        rules=(Rule(signal="quality", below=-0.7, name="dull"),),
    )
    ids, _, _ = together({"quality": weighed(series)["quality"]})
    verdicts = series.store.verdicts(None)
    assert ids == sorted(n for n, each in verdicts.items() if any(v.kind == "gate" for v in each))
    causes = {c.cause for c in series.store.candidates() if c.id in series.store.numbers("quality", "world-1")}
    assert causes >= {"selector", "rule: dull", "quality"}


def moving(number: int) -> Traits:
    return Traits(x=(number % 3) / 2, quality=quality(number) - (1.5 if number > 320 else 0.0))


def test_a_signal_has_shifted_where_an_alarm_said_so_and_nowhere_else(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", traits=moving).run(60)
    said = series.state.alarms["drift:quality"]
    (shift,) = series.state.shifts
    assert (shift.signal, shift.version, shift.cycle) == ("quality", "world-1", said.payload["since"])
    assert shift.candidate == said.payload["candidate"] and replay(series.store.history()).shifts == [shift]
    assert weighed(series)["quality"].shifts == ((shift.candidate, pytest.approx(-1.5, abs=0.3)),)
    assert weighed(series)["prompt"].shifts == () == weighed(series, shifts=[])["quality"].shifts
    assert weighed(series, shifts=[replace(shift, version="world-0")])["quality"].shifts == ()
    assert weighed(series, shifts=None)["quality"].shifts == weighed(series)["quality"].shifts, "as if it were watched"


def test_where_nobody_watches_a_warm_up_that_is_another_is_no_shift(tmp_path: Path) -> None:
    def settled(number: int) -> Traits:
        return Traits(x=(number % 3) / 2, quality=quality(number) + (1.0 if number <= 240 else 0.0))

    gates = {**GATES_, "quality": OFF}
    series = begin(tmp_path / "a", traits=settled, rhythm={"warmup_cycles": 30}, gates=gates).run(70)
    assert series.state.shifts == [] and weighed(series, shifts=None)["quality"].shifts == ()


def test_how_an_image_came_to_be_shown_and_what_counts_of_its_answers(tmp_path: Path) -> None:
    series = begin(tmp_path / "a")
    held = series.state.archive.held_ever()
    candidates = series.store.candidates()
    rejected = next(c.id for c in candidates if c.cause == "quality" and c.status == "rejected")
    waiting = next(c.id for c in candidates if c.status == "review")
    elite = min(held)
    other = next(c.id for c in candidates if c.status == "passed" and c.id not in held)
    keep = ask(series, 1, "keep", [rejected, elite, other])
    (review,) = ask(series, 2, "review", [waiting])
    pair = series.ask_pair(3, elite, other)
    for question in (*keep, review):
        series.answer(question, "keep")
    series.answer(pair, "left")
    series.answer(keep[0], "discard")
    series.answer(keep[1], "discard", rater="ben")
    series.answer(keep[2], "unsure")
    series.store.add_input("answer", {"question": review, "answer": "keep", "rater": "eve", "confidence": "unsure"})
    series.store.add_input("undo", {"question": keep[1], "rater": "anna"})
    said = [(j.candidate, j.stream, j.good, j.weight) for j in judged(series.store, held=held)]
    assert said == [
        (waiting, "review", True, 1.0),
        (rejected, "raw", False, 1.0),
        (elite, "elite", False, 1.0),
        (waiting, "review", True, 0.5),
    ]


# ---- by itself ---------------------------------------------------------------------------------------------------

AUTO = replace(LEARNING, auto=True, cap=0.1)


def test_a_round_that_was_answered_moves_thresholds_by_the_cap_at_most(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", learning=AUTO)
    before = lower(series)
    answer_all(series, 1, cycle=6)
    series.run(9)
    (written,) = series.store.inputs_of(KIND)
    assert written.payload["did"] == "auto" and written.first_cycle == 6 + series.crew.rhythm.pipeline_depth + 1
    spread = np.std([v for n, v in sorted(series.store.numbers("quality", "world-1").items()) if n <= 40], ddof=1)
    assert lower(series) == pytest.approx(before + 0.1 * spread)
    assert [c.version for c in series.store.calibrations()] == [1, 2]


def test_an_unfinished_round_moves_nothing(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", learning=AUTO)
    for question in ask(series, 1, "keep", list(range(1, 20)))[:-1]:
        series.answer(question, "discard", cycle=6)
    series.run(9)
    assert series.store.inputs_of(KIND) == []


def test_a_series_that_does_not_allow_it_stays_as_it_is(tmp_path: Path) -> None:
    series = begin(tmp_path / "a", learning=replace(AUTO, auto=False))
    answer_all(series, 1, cycle=6)
    series.run(9)
    assert series.store.inputs_of(KIND) == []


def test_thresholds_stay_where_too_many_images_would_wait(tmp_path: Path) -> None:
    learning = replace(AUTO, costs=Costs(review=0.01), cap=10.0, most_review=0.25)
    series = begin(tmp_path / "a", learning=learning)
    answer_all(series, 1, cycle=6)
    series.run(9)
    assert series.store.inputs_of(KIND) == []
    (told,) = [event for cycle, event in series.store.events() if event.kind == "calibration" and cycle == 6]
    assert told.message.startswith("Thresholds stay: ") and told.payload["review"] > 0.25


def test_a_kill_between_what_a_round_moved_and_its_cycle_moves_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests, inputs = [], []
    for name, killed in (("a", False), ("b", True)):
        series = begin(tmp_path / name, learning=AUTO)
        answer_all(series, 1, cycle=6)
        series.run(5)
        if killed:
            with monkeypatch.context() as patched:
                patched.setattr(series.store, "commit", lambda record: (_ for _ in ()).throw(KeyboardInterrupt))
                with pytest.raises(KeyboardInterrupt):
                    series.run(6)
            assert len(series.store.inputs_of(KIND)) == 1
            series.reopen()
        digests.append(series.run(9).state.digest())
        inputs.append([(i.first_cycle, i.payload["evidence"]) for i in series.store.inputs_of(KIND)])
    assert digests[0] == digests[1] and inputs[0] == inputs[1] and len(inputs[0]) == 1
