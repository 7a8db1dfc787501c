"""The map under learned axes: when it is re-laid, who keeps a place, and that nothing else decides it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from loop_crew import NO_GATES, QUESTIONS, RankCritic, Series, Traits, world_crew

from gen_emerge import hearing, learned_axes
from gen_emerge.archive import Archive, project
from gen_emerge.audit import verify_history
from gen_emerge.calibration.first import GateSetting
from gen_emerge.errors import Damaged
from gen_emerge.places import descriptor_of, own_of_cell
from gen_emerge.preference.axes import Learn
from gen_emerge.relaying import settle
from gen_emerge.retrace import retrace
from gen_emerge.state import replay
from gen_emerge.taste import elites_at
from gen_emerge.types import RELAID, Axes, Question, Round

EVERY = 8
GATES = {**NO_GATES, "novelty": GateSetting(lower=0.02, review=0.005, duplicate=0.001)}


@cache
def spread(number: int) -> Traits:
    """Images of a world whose embedding varies most in two directions; x says nothing of them."""
    rng = np.random.default_rng((5, number))
    vector = rng.normal(size=16) * np.array([1.0, 0.8, *[0.15] * 14])
    return Traits(x=float(rng.random()) if number > 4 else float(number > 2), vector=_unit(vector))


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def plan(*, depth: int = 1, source: Any = "distance", critic: Any = None, traits: Any = spread, **changes: Any) -> Any:
    beat = {"pipeline_depth": depth, "axes": ("x", "y")[:1], "dims": (8,), "cells": 8}
    usual = {"gates": GATES, "axes": Learn(source=source, every=EVERY)}
    critic = critic or RankCritic(lambda number: number * 7 % 6, immediate=True)
    return world_crew(traits, critic=critic, **{**usual, **changes, "rhythm": {**beat, **changes.get("rhythm", {})}})


def tables(made: Series) -> list[Any]:
    """Everything derived, cycle by cycle."""
    outcomes = list(made.store.history())
    numbers = [fate.id for outcome in outcomes for fate in outcome.fates]
    events = [(cycle, event.kind, event.message, dict(event.payload)) for cycle, event in made.store.events()]
    measures = [(cycle, dict(figures)) for cycle, figures in made.store.measures()]
    return [outcomes, events, measures, made.store.verdicts(numbers), made.store.signals(numbers)]


def relaid_in(made: Series) -> list[int]:
    return [o.cycle for o in made.store.history() if any(p.reason == RELAID for p in o.placements)]


@pytest.fixture
def made(series: Any) -> Series:
    return series(plan()).run(EVERY * 2 + 6)


def test_what_elites_answer_anew_in_a_conversation_is_known_to_the_living_as_to_a_replay(series: Any) -> None:
    made = series(plan(critic=RankCritic(lambda number: number * 7 % 6))).run(5)
    settings = {"settings": {"other": 1}, "banks": {}, "versions": made.crew.versions}
    made.store.add_input("config", settings, first_cycle=6)
    made.reopen(questions=replace(QUESTIONS, hash="b" * 64)).run(EVERY + 1)
    elites = [elite.candidate for elite in made.state.archive or ()]
    stored = made.store.critiques(elites)
    assert "b" * 64 in {critique.bank_hash for critique in stored.values()}
    assert {c: made.live.elites.known(c).critique for c in elites} == {c: stored.get(c) for c in elites}


def test_who_held_a_cell_under_earlier_axes_is_found_again(made: Series) -> None:
    """What somebody did with an image is set against an elite of that moment, however often the map was laid since."""
    cycles = [5, EVERY + 2, EVERY * 2 + 4]
    then = {}
    state = replay([])
    for outcome in made.store.history():
        state.apply(outcome)
        if outcome.cycle in cycles:
            then[outcome.cycle] = [elite.candidate for elite in state.archive or ()]
    assert len(relaid_in(made)) == 2 and all(then.values())
    assert elites_at(made.store, cycles) == then
    assert elites_at(made.store, []) == {}


def test_the_map_is_relaid_at_the_boundary_that_was_written_down(made: Series) -> None:
    assert relaid_in(made) == [EVERY + 2, EVERY * 2 + 2]
    assert [i.first_cycle for i in made.store.inputs_of("axes")] == relaid_in(made)
    outcomes = {o.cycle: o for o in made.store.history()}
    axes = outcomes[EVERY + 2].axes
    assert axes is not None and axes.learned and axes.names == ("learned 1",) and axes.version == 2
    for outcome in outcomes.values():
        version = 1 + sum(cycle <= outcome.cycle for cycle in relaid_in(made))
        assert {p.descriptor_version for p in outcome.placements} <= {version}
    fitted = [e.payload["fitted"] for _, e in made.store.events() if "fitted" in e.payload]
    assert all(f["believed"] and f["accuracy"] > 0.7 and f["embedding"] == 1.0 for f in fitted)


def test_a_replay_gives_the_same_map_and_verify_derives_it_again(made: Series) -> None:
    again = replay(made.store.history())
    assert again.digest() == made.state.digest()
    assert list(again.archive) == list(made.state.archive)
    assert again.bandit.credits == made.state.bandit.credits
    assert verify_history(made.store) == []


def test_everybody_lies_where_the_embedding_says_and_no_elite_is_lost(made: Series) -> None:
    before = replay(o for o in made.store.history() if o.cycle < EVERY + 2)
    after = replay(o for o in made.store.history() if o.cycle <= EVERY + 2)
    elites = {elite.candidate for elite in before.archive}
    assert elites <= set(after.accepted)
    outcome = next(o for o in made.store.history() if o.cycle == EVERY + 2)
    told = [p for p in outcome.placements if p.reason == RELAID]
    assert elites <= {p.candidate for p in told}, "of every elite it is said what became of it"
    gone = {p.candidate for p in told if p.outcome in ("lost", "tie")} & elites
    assert gone, "several elites of before lie in one cell now"
    assert {c.challenger for c in after.contests} & gone, "people may be asked about them"
    ids, vectors = made.store.embeddings(sorted(after.accepted), "world-1")
    points = project(outcome.axes.weights, vectors)
    everybody = {int(n): tuple(point) for n, point in zip(ids, points.tolist(), strict=True)}
    for placement in told:
        assert placement.descriptor == everybody[placement.candidate]
    filled = {cell for cell, _ in Archive(outcome.axes).locate_all({n: everybody[n] for n in before.accepted}).values()}
    assert filled == {p.cell for p in told if p.outcome == "new"}, "whoever was accepted fills what would be empty"


def test_nobody_is_credited_for_a_cell_of_a_map_that_was_relaid(series: Any) -> None:
    learned, plain = series(plan(), "learned").run(EVERY + 2), series(plan(source="off"), "plain").run(EVERY + 2)
    for cycle in range(1, EVERY + 2):
        assert learned.genomes_of(cycle) == plain.genomes_of(cycle)
    opened = [sum(c.total_opened for c in one.state.bandit.credits.values()) for one in (learned, plain)]
    told = learned.record(EVERY + 2)
    own = sum(p.outcome == "new" and p.reason != RELAID for p in told.placements)
    before = sum(p.outcome == "new" for p in plain.record(EVERY + 2).placements)
    assert opened[0] - own == opened[1] - before
    assert told.measures["cells_filled"] == len(learned.state.archive)


def test_what_narrows_is_watched_anew_in_a_map_that_was_relaid_after_a_kill_too(series: Any) -> None:
    made = series(plan()).run(EVERY + 8)
    seen = [list(made.live.watches.figures.new_cells), list(made.live.watches.figures.distances)]
    assert len(seen[0]) == 6, "since the cycle after the map was re-laid"
    made.reopen()
    assert [list(made.live.watches.figures.new_cells), list(made.live.watches.figures.distances)] == seen


@pytest.mark.parametrize("depth", [0, 3])
def test_kills_between_any_two_cycles_change_nothing(series: Any, depth: int) -> None:
    cycles = EVERY * 2 + depth + 4
    through = series(plan(depth=depth), "through").run(cycles)
    assert len(relaid_in(through)) == 2
    stopped = series(plan(depth=depth), "stopped")
    for _ in range(cycles):
        stopped.run(cycles, stop=lambda: True).reopen()
    assert tables(stopped) == tables(through)
    assert [dict(i.payload) for i in stopped.store.inputs_of("axes")] == [
        dict(i.payload) for i in through.store.inputs_of("axes")
    ]


def test_axes_written_down_by_a_process_that_died_before_its_commit_are_not_written_twice(
    series: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    through, killed = series(plan(), "through").run(EVERY + 3), series(plan(), "killed").run(EVERY - 1)

    def die(record: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(killed.live.store, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        killed.run(EVERY)
    assert killed.store.inputs_of("axes"), "written before the commit"
    monkeypatch.undo()
    killed.reopen().run(EVERY + 3)
    assert tables(killed) == tables(through)
    assert len(killed.store.inputs_of("axes")) == 1


@pytest.mark.parametrize("stops", [(), (EVERY + 3,), tuple(range(EVERY, EVERY + 8))])
def test_conversations_across_a_relaid_map_change_nothing(series: Any, stops: tuple[int, ...]) -> None:
    """A slow critic: first halves of cycles under new axes are derived before the map was re-laid."""
    depth, cycles = 3, EVERY * 2 + 8
    alone = series(plan(depth=depth, critic=RankCritic(lambda n: n * 7 % 6)), "alone")
    for cycle in range(1, cycles + 1):
        alone.run(cycle)
    assert len(relaid_in(alone)) == 2
    slow = series(plan(depth=depth, critic=Slow(lambda n: n * 7 % 6)), "slow")
    begun: list[int] = []  # the newest cycle that was begun when each was committed

    def told(until: int) -> bool:
        begun.append(max(slow.live.ahead, default=0))
        return slow.state.cycle >= until

    for until in (*stops, cycles):
        slow.run(cycles, stop=lambda until=until: told(until))
        slow.reopen()
    boundary = relaid_in(alone)[0]
    assert stops or max(begun[: boundary - 1]) >= boundary, "begun before the map was re-laid"
    assert tables(slow) == tables(alone)


class Slow(RankCritic):
    """Takes its time over the cycles before the boundary: those after it are begun meanwhile."""

    def _hear(self, what: Any) -> None:
        candidate = what if isinstance(what, int) else what[0]
        time.sleep(0.2 if 4 * (EVERY + 1) < candidate <= 4 * (EVERY + 3) else 0.002)


def test_distances_are_retraced_across_a_relaid_map(made: Series) -> None:
    ids, vectors = made.store.embeddings(None, "world-1")
    found = retrace(made.store, {int(n): v for n, v in zip(ids, vectors, strict=True)}, map(int, ids), depth=1)
    stored = made.store.numbers("novelty", "archive")
    assert len(stored) > 50
    for number, value in stored.items():
        assert found[number].nearest == pytest.approx(value, abs=1e-3), number


# ---- people's triplets -------------------------------------------------------------------------------------------


def teach(made: Series, count: int, says: Any, *, first: int = 0, among: Sequence[int] = ()) -> None:
    """A person answers so many triplets of accepted images."""
    rng, accepted = np.random.default_rng(0), sorted(among or made.state.accepted)
    for number in range(first, first + count):
        reference, a, b = (int(c) for c in rng.choice(accepted, 3, replace=False))
        images = {"reference": reference, "a": a, "b": b}
        question = Question(id=f"r9{number:03}-1", kind="triplet", ask="similarity", prompt="", images=images)
        asked = Round(id=f"r9{number:03}", cycle=made.state.cycle, reason="request", questions=(question,))
        assert made.store.add_round(asked)
        payload = {"question": question.id, "answer": says(reference, a, b), "rater": "anna", "confidence": "sure"}
        made.store.add_input("answer", payload)


def by_two(made: Series) -> Any:
    ids, vectors = made.store.embeddings(None, "world-1")
    seen = {int(n): v[:2] for n, v in zip(ids, vectors, strict=True)}

    def says(reference: int, a: int, b: int) -> str:
        near = [float(((seen[reference] - seen[other]) ** 2).sum()) for other in (a, b)]
        return "a" if near[0] < near[1] else "b"

    return says


def test_a_persons_triplets_lay_the_map(series: Any) -> None:
    made = series(plan(source="triplets")).run(EVERY - 1)
    teach(made, 150, by_two(made))
    made.run(EVERY + 4)
    assert relaid_in(made) == [EVERY + 2]
    made.run(EVERY * 2 + 4)
    assert relaid_in(made) == [EVERY + 2], "nothing new was answered"


def test_random_clicks_leave_the_map_and_say_so(series: Any) -> None:
    made, rng = series(plan(source="triplets")).run(EVERY - 1), np.random.default_rng(1)
    teach(made, 150, lambda *images: "ab"[int(rng.integers(2))])
    made.run(EVERY + 4)
    assert relaid_in(made) == [] and made.store.inputs_of("axes") == []
    (said,) = [event for _, event in made.store.events() if event.kind == "axes"]
    assert not said.payload["fitted"]["believed"] and "the map stays" in said.message
    made.run(EVERY * 2)
    teach(made, 10, by_two(made), first=200)
    made.run(EVERY * 3)
    looks = [event.payload["fitted"]["look"] for _, event in made.store.events() if event.kind == "axes"]
    assert looks == [1, 2], "nothing is fitted again before something new is answered, and the second look is a second"


def test_few_triplets_teach_nothing(series: Any) -> None:
    made = series(plan(source="triplets")).run(EVERY - 1)
    teach(made, 59, by_two(made))
    made.run(EVERY + 4)
    assert relaid_in(made) == [] and [e for _, e in made.store.events() if e.kind == "axes"] == []


@pytest.mark.parametrize("sets", [1, 4])
def test_many_answers_about_the_same_few_sets_of_images_teach_nothing(series: Any, sets: int) -> None:
    made = series(plan(source="triplets")).run(EVERY - 1)
    for number in range(sets):
        three = sorted(made.state.accepted)[number : number + 3]
        teach(made, 60 // sets, lambda *_: "a", first=number * 60, among=three)
    made.run(EVERY + 4)
    assert relaid_in(made) == [] and [e for _, e in made.store.events() if e.kind == "axes"] == []
    assert verify_history(made.store) == []


def test_who_waited_for_a_human_since_another_space_is_embedded_again_when_let_in(series: Any) -> None:
    def traits(number: int) -> Traits:
        return replace(spread(number), quality=0.3 if number in (6, 7) else 0.5)

    gates = {**GATES, "quality": GateSetting(lower=0.3, review=0.2)}
    made = series(plan(traits=traits, gates=gates)).run(3)
    waiting = [c for c, (status, _) in made.state.waiting.items() if status == "review"]
    made.crew.generator.space = "world-2"
    made.store.add_input("config", {"settings": {"other": 1}, "banks": {}}, first_cycle=4)
    made.reopen().run(EVERY + 3)
    assert len(waiting) == 2 and made.state.archive.axes.space == "world-2"
    assert not len(made.store.embeddings(waiting, "world-2")[0])
    for number, (candidate, word) in enumerate(zip(waiting, ("keep", "discard"), strict=True), start=90):
        made.answer(made.ask_review(number, candidate), word)
    made.run(EVERY + 6)
    kept, gone = waiting
    assert made.status(kept)[0] == "passed" and made.placements(kept) and made.status(gone)[0] == "rejected"
    assert list(made.store.embeddings(waiting, "world-2")[0]) == [kept], "nobody looks again at what is discarded"
    assert verify_history(made.store) == []


def test_an_image_without_an_embedding_is_named_with_what_to_do() -> None:
    with pytest.raises(Damaged, match="image 12 has none") as told:
        descriptor_of(AXES, {}, None, candidate=12)
    assert told.value.hint is not None and "gen-emerge verify" in told.value.hint


def test_axes_learned_in_another_space_are_told_and_left(series: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = series(plan()).run(EVERY)
    assert made.store.inputs_of("axes")
    made.crew.generator.space = "world-2"
    made.store.add_input("config", {"settings": {"other": 1}, "banks": {}}, first_cycle=EVERY + 1)
    made.reopen().run(EVERY + 4)
    assert relaid_in(made) == []
    assert any("has been replaced" in event.message for _, event in made.store.events())


# ---- who gets a cell ---------------------------------------------------------------------------------------------


class Says:
    """What is on record of two, and what a model would say."""

    def __init__(self, recorded: dict[tuple[int, int], Any], sure: dict[tuple[int, int], Any]) -> None:
        self._recorded, self._sure = recorded, sure

    def recorded(self, challenger: int, incumbent: int) -> Any:
        return self._recorded.get((challenger, incumbent))

    def sure(self, challenger: int, incumbent: int) -> Any:
        return self._sure.get((challenger, incumbent))


AXES = Axes(
    version=2, kind="grid", names=("learned 1",), low=(0.0,), high=(4.0,), dims=(4,), space="s", weights=((1.0,),)
)


@pytest.mark.parametrize(
    ("recorded", "sure", "outcome"),
    [
        ({}, {}, "tie"),
        ({(2, 1): "left"}, {(2, 1): "right"}, "won"),
        ({(2, 1): "right"}, {(2, 1): "left"}, "lost"),
        ({(2, 1): "tie"}, {(2, 1): "left"}, "tie"),
        ({}, {(2, 1): "left"}, "won"),
        ({}, {(2, 1): "right"}, "lost"),
    ],
)
def test_a_collision_is_settled_by_record_then_model_then_the_older_reign(
    recorded: Any, sure: Any, outcome: str
) -> None:
    points = {1: (0.5,), 2: (0.6,), 3: (3.5,), 4: (0.7,)}
    places = settle(AXES, points, Says(recorded, sure), known=(1, 2, 3, 4))
    assert [(p.candidate, p.cell, p.outcome, p.incumbent) for p in places] == [
        (1, 0, "new", None), (2, 0, outcome, 1), (3, 3, "new", None), (4, 0, "tie", 2 if outcome == "won" else 1)
    ]  # fmt: skip
    assert {(p.reason, p.descriptor_version) for p in places} == {(RELAID, 2)}


def test_whoever_never_held_a_cell_is_only_told_of_where_it_gets_one() -> None:
    places = settle(AXES, {1: (0.5,), 2: (0.6,), 3: (9.0,)}, Says({}, {}), known=(1,))
    assert [(p.candidate, p.outcome, p.clipped) for p in places] == [(1, "new", False), (3, "new", True)]


def test_who_held_a_cell_before_may_be_near_its_challengers() -> None:
    before = Archive(AXES)
    old = settle(AXES, {1: (0.5,), 9: (2.5,)}, Says({}, {}), known=())
    for placement in old:
        before.apply(placement, 3)
    archive = Archive(AXES, since=7, before=before)
    for placement in settle(AXES, {1: (0.5,), 9: (0.6,), 4: (0.7,)}, Says({}, {}), known=before.held_ever()):
        archive.apply(placement, 7)
    assert archive.ever_held(0) == {1, 9} and archive.ever_held(0, 6) == frozenset()
    assert archive.holder_as_of(0, 7) == 1, "who met the holder and lost holds nothing"
    assert archive.held_ever() == {1, 9} == archive.held_ever(2)
    assert archive.as_of(6) is before and archive.as_of(7) is archive
    assert before.held_ever(2) == frozenset()


def test_while_cycles_of_before_are_under_way_whoever_held_a_cell_may_be_near() -> None:
    """The same whether the map was re-laid already or only will be: a slow critic decides which."""
    first = Axes(version=1, kind="grid", names=("x",), low=(0.0,), high=(4.0,), dims=(4,))
    before = Archive(first)
    for number, point, cycle in ((1, 0.5, 3), (2, 1.5, 3), (3, 2.5, 5)):
        (placement,) = settle(first, {number: (point,)}, Says({}, {}), known=())
        before.apply(placement, cycle)
    moved = {1: 0, 2: 0, 3: 0, 4: 0, 5: 1}  # where they lie by the new axes
    joined = {5: [(4, 3)], 6: [(5, 0)], 7: [(6, 0)], 8: [(7, 2)]}
    alone = Archive(AXES, since=7)

    def near(standing: Archive) -> frozenset[int]:
        return own_of_cell(alone, standing, 0, since=4, joined=joined, cells=lambda: moved)

    # 1 and 2 held cells at the commit of cycle 4, 3 did not; 4 joined for another cell of before, 5 for this number.
    assert near(before) == {1, 2, 4, 6}
    committed = Archive(AXES, since=7, before=before)
    for placement in settle(AXES, {1: (0.5,), 2: (1.5,)}, Says({}, {}), known=()):
        committed.apply(placement, 7)
    assert near(committed) == {1, 2, 4, 6}
    later = own_of_cell(committed, committed, 0, since=7, joined={8: [(7, 2), (8, 0)]}, cells=lambda: moved)
    assert later == {1, 8}, "from the commit that re-laid the map on, its own cells count"


def test_where_past_holders_lie_is_looked_up_once_an_image() -> None:
    before = Archive(replace(AXES, version=1))
    for number in range(1, 4):
        (placement,) = settle(AXES, {number: (number + 0.5,)}, Says({}, {}), known=())
        before.apply(placement, 3)
    looked: list[int] = []

    def cells() -> dict[int, int]:
        looked.append(1)
        return dict.fromkeys(range(1, 6), 0)

    joined = {5: [(4, 3), (5, 3)]}
    assert own_of_cell(Archive(AXES, since=7), before, 0, since=4, joined=joined, cells=cells) == {1, 2, 3, 4, 5}
    assert len(looked) == 1
    assert own_of_cell(before, before, 1, since=4, joined=joined, cells=cells) == {1} and len(looked) == 1


def test_past_holders_are_gone_through_once_a_map(series: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = series(plan(depth=3)).run(EVERY + 8)
    archive, through, held_ever = made.state.archive, list[int](), Archive.held_ever
    assert archive.since == EVERY + 4, "challengers were proposed before the map was re-laid"

    def counted(self: Archive, *until: float) -> frozenset[int]:
        through.extend([] if until else [1])
        return held_ever(self, *until)

    monkeypatch.setattr(Archive, "held_ever", counted)
    for cell in range(8):
        made.live.neighbours_allowed(archive, cell, EVERY + 7)
    assert len(through) <= 1
    through.clear()
    ids, vectors = made.store.embeddings(None, "world-1")
    retrace(made.store, {int(n): v for n, v in zip(ids, vectors, strict=True)}, map(int, ids), depth=3)
    assert len(through) <= 2, "once by the map that is re-laid, once to be located"


def test_who_took_a_cell_since_new_axes_were_begun_is_among_past_holders(series: Any) -> None:
    made = series(plan()).run(EVERY + 1)
    later, early = made.state, replay(o for o in made.store.history() if o.cycle <= 2)
    new = later.archive.held_ever() - early.archive.held_ever()
    assert new, "somebody took a cell since"
    ahead, cycle = Archive(replace(AXES, space="world-1", weights=((1.0, *[0.0] * 15),)), since=EVERY + 2), EVERY + 3
    made.live.joined = {}
    near = []
    for made.live.state in (early, later):
        near.append(frozenset[int]().union(*(made.live.neighbours_allowed(ahead, cell, cycle) for cell in range(4))))
    assert near == [early.archive.held_ever(), later.archive.held_ever()]


class Passes(list[Any]):
    """A list that counts how often somebody goes through it."""

    made = 0

    def __iter__(self) -> Iterator[Any]:
        self.made += 1
        return super().__iter__()

    def __reversed__(self) -> Any:
        self.made += 1
        return super().__reversed__()


def test_a_round_at_a_relaid_map_goes_through_the_places_a_few_times(
    series: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    asks, opens = hearing.ask, hearing.open_one
    settled: list[set[int]] = []

    def opened(draft: Any, *how: Any) -> Any:
        if draft.relaid:
            draft.placements = Passes(draft.placements)
            found = opens(draft, *how)
            told.append((draft.placements.made, len(draft.placements)))
            now: dict[int, int] = {p.cell: p.candidate for p in draft.placements if p.outcome in ("new", "won")}
            elites = {elite.candidate for elite in draft.live.state.archive}
            assert settled[-1] >= elites - set(now.values()) and not settled[-1] & set(now.values())
            return found
        return opens(draft, *how)

    def asked(*args: Any, **how: Any) -> Any:
        settled.append(set(how["settled"]))
        return asks(*args, **how)

    monkeypatch.setattr(hearing, "open_one", opened)
    monkeypatch.setattr(hearing, "ask", asked)
    series(plan(rhythm={"checkin_every": 1})).run(EVERY + 3)
    ((passes, places),) = told
    assert passes <= 3 < places


def test_a_projection_of_one_image_is_that_of_many_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    weights, vectors = rng.normal(size=(3, 1792)), rng.normal(size=(50, 1792)).astype(np.float32)
    together = project(weights.tolist(), vectors)
    assert together == pytest.approx(vectors.astype(np.float64) @ weights.T)
    for number in (0, 17, 49):
        assert np.array_equal(project(weights.tolist(), vectors[number : number + 1])[0], together[number])


def test_a_sample_of_images_says_how_they_spread(series: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_axes, "SAMPLE", 12)
    made = series(plan()).run(EVERY + 3)
    assert relaid_in(made) == [EVERY + 2]
