"""A slow critic's conversations overlap, and how far they overlap decides nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from loop_crew import NO_GATES, QUESTIONS, RankCritic, Series, Traits, near, own_direction, world_crew

from gen_emerge.calibration.alarms import ALARMS
from gen_emerge.calibration.first import GateSetting
from gen_emerge.generators.imported import Imported
from gen_emerge.novelty import NoveltyIndex
from gen_emerge.protocols import CriticDown
from gen_emerge.state import replay
from gen_emerge.store import pixels_hash

CYCLES = 16
DEPTH = 3
PATIENCE = 20.0
GATES = {
    **NO_GATES,
    "novelty": GateSetting(lower=0.3, review=0.1, duplicate=0.05),
    "quality": GateSetting(lower=0.2, review=0.2),
}


@cache
def traits(number: int) -> Traits:
    """A small world with everything in it: near images, mostly of one cell, poor ones, ones to review, three cells."""
    rng = np.random.default_rng((77, number))
    if number <= 4:
        return Traits(x=0.0 if number <= 2 else 1.0)
    like = int(rng.integers(max(number - 16, 1), number))
    close = rng.random() < 0.6
    vector = near(like, float(rng.choice([0.02, 0.1, 0.2, 0.33])), 100 + number) if close else own_direction(number)
    x = traits(like).x if close and rng.random() < 0.7 else float(rng.choice([0.0, 0.5, 1.0]))
    return Traits(x=x, quality=float(rng.choice([0.05, 0.25, 0.6, 0.6])), vector=vector)


class Moody(RankCritic):
    """Ranks by number, is down for some at first, and may take its time; `talking` counts the cycles it talks about."""

    def __init__(self, *, delay: float = 0.0, batch: int = 4) -> None:
        super().__init__(lambda number: number * 7 % 6)
        self.delay, self.batch = delay, batch
        self.refused: Counter[Any] = Counter()

    def _hear(self, what: Any) -> None:
        time.sleep(self.delay * ((hash(what) % 5) / 4))
        if hash(what) % 6 == 0 and self.refused[what] <= hash(what) % 4 // 2:
            self.refused[what] += 1
            raise CriticDown("not yet")


def plan(critic: RankCritic) -> Any:
    beat = {"pipeline_depth": DEPTH, "checkin_every": 5}
    return world_crew(traits, rhythm=beat, gates=GATES, critic=critic, alarms=replace(ALARMS, review_queue=3))


def humans(made: Series) -> None:
    """Answers that arrive while cycles are under way, each for the first cycle that may use it."""
    review = [c for c, (status, _) in made.state.waiting.items() if status == "review"]
    for number, candidate in enumerate(sorted(review)):
        made.answer(made.ask_review(900 + number, candidate), "keep" if number % 3 else "discard", cycle=8 + number % 4)
    elites = [(elite.cell, elite.candidate) for elite in made.state.archive]
    for number, (cell, holder) in enumerate(elites):
        for challenger in list(made.state.challengers.get(cell, {}))[:1]:
            made.answer(made.ask_pair(950 + number, challenger, holder), "left", cycle=9 + number)


def tables(made: Series) -> list[Any]:
    """Everything derived, cycle by cycle."""
    outcomes = list(made.store.history())
    numbers = [n for outcome in outcomes for n in (fate.id for fate in outcome.fates)]
    critiques = {n: (c.critic, dict(c.answers)) for n, c in made.store.critiques(numbers).items()}
    events = [(cycle, event.kind, event.message) for cycle, event in made.store.events()]
    return [outcomes, critiques, events, made.store.verdicts(numbers), made.store.signals(numbers)]


def change_the_bank(made: Series) -> None:
    """From cycle 12 on another bank is asked: whoever holds a cell has to answer it before it is compared."""
    made.store.add_input("config", {"banks": {}, "settings": {}}, first_cycle=12)
    critic = made.crew.critic
    made.reopen(questions=replace(QUESTIONS, id="other-1", hash="7" * 64), critic=critic)
    critic.refused.clear()  # what it was asked of the old bank, for cycles that were only begun, does not count


@pytest.fixture
def alone(series) -> Series:
    """The series derived without any overlap: a critic that answers before the next cycle's images are there."""
    made = series(plan(Moody()), "alone").run(6)
    humans(made)
    for cycle in range(7, CYCLES + 1):
        made.run(cycle)  # one at a time: nothing is begun beyond the total
        if cycle == 11:
            change_the_bank(made)
    return made


def test_the_world_has_everything_that_could_go_wrong(alone):
    outcomes = list(alone.store.history())
    placements = [p for outcome in outcomes for p in outcome.placements]
    assert {p.outcome for p in placements} == {"new", "won", "lost", "tie", "pending"}
    assert {p.reason for p in placements} >= {"critic", "human", "empty"}
    causes = {(fate.status, fate.cause) for outcome in outcomes for fate in outcome.fates}
    assert causes >= {("pending", "critic"), ("pending", "duel"), ("rejected", "novelty"), ("review", "quality")}
    assert {r.cause for outcome in outcomes for r in outcome.resolutions} >= {"human", "critic", ""}
    assert [e.payload["alarm"] for outcome in outcomes for e in outcome.alarms] == ["review-queue"]
    assert {outcome.round.reason for outcome in outcomes if outcome.round} == {"scheduled", "alarm"}


@pytest.mark.parametrize("stops", [(11,), (7, 11), (8, 9, 10, 11, 12), (11, 13, 14)])
def test_overlap_and_stops_change_nothing(series, alone, stops):
    """A slow critic, conversations of several cycles at once, and ends of the process in the midst of them."""
    made = series(plan(Moody()), "slow").run(6)
    humans(made)
    made.live.sitting.critic.delay = 0.05
    begun: list[int] = []
    for until in (*stops, CYCLES):
        made.run(CYCLES, stop=lambda until=until: begun.append(len(made.live.ahead)) or made.state.cycle >= until)
        assert made.state.cycle == until
        ids = list(made.live.index.ids)
        change_the_bank(made) if until == 11 else made.reopen()
        assert ids[: len(made.live.index.ids)] == list(made.live.index.ids), "accepted in the same order"
    assert max(begun) >= 2, "later cycles were begun while a conversation went on"
    assert made.state.digest() == alone.state.digest() == replay(made.store.history()).digest()
    assert tables(made) == tables(alone)


def test_stretches_of_neighbours_end_at_the_same_images_however_often_it_was_stopped(series, alone, monkeypatch):
    """With graphs of three images each, as a series of a few hundred thousand has of more."""
    lengths = []

    class Short(NoveltyIndex):
        def __init__(self, path, dimension):
            super().__init__(path, dimension, exact=3)

        def look(self, queries):
            lengths.append(len(self))
            return super().look(queries)

    monkeypatch.setattr("gen_emerge.live.NoveltyIndex", Short)
    made = series(plan(Moody()), "short").run(6)
    humans(made)
    for until in (7, 11, 14, CYCLES):
        made.run(CYCLES, stop=lambda until=until: made.state.cycle >= until)
        change_the_bank(made) if until == 11 else made.reopen()
    assert max(lengths) > 12, "several stretches were finished"
    assert made.state.digest() == alone.state.digest()
    assert tables(made) == tables(alone)


# ---- pictures made elsewhere that come amid the conversations ----------------------------------------------------

EARLY, LATE = range(104, 110), range(110, 116)
"""Numbers of imported pictures: two cycles of them that are there before anybody talks, and two that come later."""
ARRIVES, COUNTS = 8, 8 + 1 + DEPTH + 1
"""The later ones arrive at this commit; the first cycle that has not begun then, however far the loop is ahead."""
LONG = 22


class Elsewhere:
    """Imported pictures of the world, by the hash of their pixels."""

    def __init__(self) -> None:
        self.pixels: dict[str, np.ndarray] = {}

    def __call__(self, pixels: str) -> np.ndarray:
        return self.pixels[pixels]

    def arrive(self, made: Series, numbers: range, first_cycle: int) -> None:
        for number in numbers:
            pixels = np.random.default_rng(number).integers(20, 230, (32, 40, 3), dtype=np.uint8)
            pixels[0, 0] = number // 256, number % 256, 7
            name = pixels_hash(pixels)
            self.pixels[name] = pixels
            payload = {"prompt": f"wave {number}", "negative": "", "pixels": name, "width": 40, "height": 32}
            payload |= dict.fromkeys(("source", "picture", "picture_file", "original", "original_file"), "")
            made.store.add_input("import", payload, first_cycle=first_cycle)


def begun_with_imports(series, name: str) -> tuple[Series, Elsewhere]:
    """Six cycles, then the first imports and what humans answer."""
    elsewhere = Elsewhere()
    made = series(replace(plan(Moody()), imports=Imported(elsewhere)), name).run(6)
    elsewhere.arrive(made, EARLY, first_cycle=7)
    humans(made)
    return made, elsewhere


@pytest.fixture
def alone_with_imports(series) -> Series:
    made, elsewhere = begun_with_imports(series, "alone")
    for cycle in range(7, LONG + 1):
        made.run(cycle)
        if cycle == ARRIVES:
            elsewhere.arrive(made, LATE, COUNTS)
        if cycle == 11:
            change_the_bank(made)
    return made


def test_imports_take_part_in_everything(alone_with_imports):
    """They are gated, reviewed, duelled with, placed and waited for, as all others are."""
    candidates = {c.id: c for c in alone_with_imports.store.candidates() if c.genome.imported}
    assert Counter(c.cycle for c in candidates.values()) == {11: 4, 12: 2, 17: 4, 18: 2}
    outcomes = list(alone_with_imports.store.history())
    placed = {p.outcome for o in outcomes for p in o.placements if p.candidate in candidates}
    assert placed == {"won", "lost", "tie", "pending"}
    assert {c.status for c in candidates.values()} == {"passed", "pending", "rejected", "review"}
    assert {d.left for o in outcomes for d in o.duels} & candidates.keys()


@pytest.mark.parametrize("stops", [(11,), (9, 11, 16), (ARRIVES, 11, 12, 13, 17, 18)])
def test_imports_that_come_amid_conversations_change_nothing_however_these_overlap(series, alone_with_imports, stops):
    """The later ones come while cycles after the commit are talked about; before, amid and after them it is stopped."""
    made, elsewhere = begun_with_imports(series, "slow")
    made.live.sitting.critic.delay = 0.05
    begun: dict[int, int] = {}

    def at_commit(until: int) -> bool:
        cycle = made.state.cycle
        begun[cycle] = len(made.live.ahead)
        if cycle == ARRIVES:
            assert max(made.live.ahead, default=cycle) < COUNTS
            elsewhere.arrive(made, LATE, COUNTS)
        return cycle >= until

    for until in (*stops, LONG):
        made.run(LONG, stop=lambda until=until: at_commit(until))
        assert made.state.cycle == until
        change_the_bank(made) if until == 11 else made.reopen()
    assert begun[ARRIVES] >= 2, "conversations about later cycles went on when they came"
    assert max(begun[cycle] for cycle in range(12, LONG)) >= 2, "and when they were talked about themselves"
    assert made.state.digest() == alone_with_imports.state.digest() == replay(made.store.history()).digest()
    assert tables(made) == tables(alone_with_imports)


def test_the_next_cycles_talk_while_one_is_still_answered(series):
    """The critic says nothing of cycle 5 before it is asked about cycle 5 + DEPTH; in a loop that waits it never is."""
    asked = {cycle: threading.Event() for cycle in range(1, 40)}
    gave_up: list[int] = []

    class Patient(RankCritic):
        def review(self, exhibit, *, brief, bank):
            cycle = (exhibit.candidate - 1) // 4 + 1
            asked[cycle].set()
            if cycle == 5 and not asked[cycle + DEPTH].wait(PATIENCE):
                gave_up.append(cycle)
            return super().review(exhibit, brief=brief, bank=bank)

    made = series(world_crew(lambda n: Traits(x=(n % 3) / 2), rhythm={"pipeline_depth": DEPTH}, critic=Patient()))
    made.run(12)
    assert not gave_up and made.state.cycle == 12


def test_an_immediate_critic_s_cycles_are_derived_one_by_one(series):
    made = series(plan(RankCritic(immediate=True)))
    begun: list[int] = []
    made.run(8, stop=lambda: bool(begun.append(len(made.live.ahead))))
    assert set(begun) == {0}


def test_what_was_answered_about_pictures_that_are_others_now_is_void(series):
    """Replies of conversations that were cut short count for the same settings only."""
    made = series(plan(Moody(delay=0.05)))

    def early() -> set[int]:
        replies = [reply for reply in made.store.inputs_of("critic") if reply.first_cycle > made.state.cycle]
        return {reply.payload["candidate"] for reply in replies if reply.payload["ask"] == "review"}

    made.run(40, stop=lambda: made.state.cycle >= 4 and bool(early()))
    assert early(), "the critic was asked about cycles that were never committed"
    same = made.reopen().live.sitting
    assert all(same.first_used({"ask": "review", "candidate": candidate}) for candidate in early())
    made.store.add_input("config", {"banks": {}, "settings": {}}, first_cycle=made.state.cycle + 1)
    other = made.reopen().live.sitting
    assert not any(other.first_used({"ask": "review", "candidate": candidate}) for candidate in early())


def test_nothing_more_is_asked_once_the_series_is_being_closed(series, monkeypatch):
    entered, release, refused = threading.Event(), threading.Event(), threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            refused.set()
            super().shutdown(wait=wait)

    class Held(RankCritic):
        def review(self, exhibit, *, brief, bank):
            entered.set()
            release.wait(PATIENCE)
            return super().review(exhibit, brief=brief, bank=bank)

    monkeypatch.setattr("gen_emerge.asking.ThreadPoolExecutor", Pool)
    made = series(world_crew(lambda n: Traits(x=(n % 3) / 2), critic=Held(), concurrency=1))
    ended: list[BaseException] = []

    def go() -> None:
        try:
            made.run(3)
        except BaseException as error:
            ended.append(error)

    running = threading.Thread(target=go)
    running.start()
    assert entered.wait(PATIENCE)
    closing = threading.Thread(target=made.live.sitting.close)
    closing.start()
    assert refused.wait(PATIENCE)
    release.set()
    closing.join(PATIENCE)
    running.join(PATIENCE)
    assert isinstance(ended[0], CancelledError) and len(made.live.sitting.critic.reviewed) == 1
    assert len(made.store.inputs_of("critic")) == 1, "what was paid for is kept"


def test_two_conversations_that_need_one_answer_ask_once(series):
    """Cycles 7 and 8 both challenge a holder that answered another bank: whoever is earlier asks, the other waits."""
    calls: list[tuple[int, str]] = []
    twice = threading.Event()

    class Slow(RankCritic):
        def review(self, exhibit, *, brief, bank):
            calls.append((exhibit.candidate, bank.id))
            if calls.count(calls[-1]) > 1:
                twice.set()
            elif exhibit.candidate == holder and bank.id == "other-1":
                twice.wait(0.5)  # the later conversation has begun meanwhile, and would ask too
            return super().review(exhibit, brief=brief, bank=bank)

    holder = 0
    made = series(world_crew(lambda n: Traits(x=0.0), rhythm={"pipeline_depth": DEPTH}, critic=Slow())).run(6)
    (elite,) = made.state.archive
    holder = elite.candidate
    made.store.add_input("config", {"banks": {}, "settings": {}}, first_cycle=7)
    made.reopen(questions=replace(QUESTIONS, id="other-1", hash="7" * 64)).run(12)
    assert calls.count((holder, "other-1")) == 1
    used = [reply.first_cycle for reply in made.store.inputs_of("critic") if reply.payload.get("candidate") == holder]
    assert used[-1] == 7
    critiques = made.store.critiques([holder])
    assert critiques[holder].bank_hash == "7" * 64
