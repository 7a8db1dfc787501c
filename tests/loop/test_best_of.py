"""Several takes of one genome: which goes on, what becomes of the others, and that nothing else is touched by it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from loop_crew import NO_GATES, PROMPTS, RankCritic, Series, Traits, World, crew, rhythm, world_crew

from gen_emerge import choices
from gen_emerge.calibration.first import GateSetting
from gen_emerge.config import parse
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.filters import Rule
from gen_emerge.preference.takes import Compared, Selector, captured
from gen_emerge.sieve import measure
from gen_emerge.state import replay
from gen_emerge.store.images import pixels_hash
from gen_emerge.subject import Subject
from gen_emerge.types import Reading, Signal

BEFORE = "01a71f23d59b2d80de1251fa9352f64dc6da37ca3dcdf1f1ba00012979ee4afd"
"""Everything 24 cycles came to before a genome could have several takes: digest, genomes, fates, proposals."""
REWARD = Selector(rule="best", signals=("reward",))


def told(made) -> str:
    """What a series came to, in one word."""
    rows = [made.state.digest()]
    for record in made.records:
        rows += [f"{c.id} {c.genome.hash} {c.status} {c.cause}" for c in record.candidates]
        rows += [f"{p.cycle} {p.slot} {p.genome.hash}" for p in record.proposals]
        rows += [f"{p.candidate} {p.cell} {p.outcome}" for p in record.placements]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@dataclass(slots=True)
class Reward:
    """An extra scorer without a role, which counts what it is shown; `value` of a candidate's number, None raises."""

    world: World
    value: Any
    shown: list[int] = field(default_factory=list)
    roles = frozenset[str]()
    versions: Mapping[str, str] = field(default_factory=lambda: {"reward": "reward-1"})

    def score(self, images, prompts):
        numbers = [self.world.read(image)[0] for image in images]
        if any(self.value(n) is None for n in numbers):
            self.shown += numbers if len(numbers) == 1 else []
            raise RuntimeError("cannot look at one of them")
        self.shown += numbers
        return [
            Reading(signals=(Signal(scorer="reward", scorer_version="reward-1", value=float(self.value(n))),))
            for n in numbers
        ]


@dataclass(slots=True)
class Watched(World):
    """A world whose scorer remembers what it was shown."""

    seen: list[int] = field(default_factory=list)

    def score(self, images, prompts):
        self.seen += [self.read(image)[0] for image in images]
        return World.score(self, images, prompts)


def x_of(number):
    return 0.0 if number <= 4 else 1.0 if number <= 8 else 0.5


def takes_crew(value=lambda n: n % 4, *, traits=lambda n: Traits(x=x_of(n)), best_of=2, **changes):
    """A world of four genomes a cycle with so many takes each; the reward alone chooses."""
    made = world_crew(
        traits, **{"selector": REWARD, **changes, "rhythm": {"best_of": best_of, **changes.pop("rhythm", {})}}
    )
    world = Watched(traits)
    measures = replace(made.measures, world=world)
    scorers = (Reward(world, value), world)
    critic = changes.get("critic", RankCritic(lambda n: n * 5 % 11, immediate=True))
    return replace(made, generator=world, measures=measures, scorers=scorers, critic=critic)


def went_on(made, cycle):
    return [c.id for c in made.store.candidates(cycle=cycle) if c.cause != "selector"]


def test_one_take_a_genome_is_what_a_series_was_before_there_could_be_more(series):
    traits = lambda n: Traits(x=(n * 7 % 5) / 4, quality=(n * 13 % 17) / 17, broken=n % 19 == 0)  # noqa: E731
    made = series(world_crew(traits, critic=RankCritic(lambda n: n * 5 % 11, immediate=True)))
    assert told(made.run(24)) == BEFORE


# ---- takes -------------------------------------------------------------------------------------------------------


def test_takes_are_neighbours_that_differ_by_their_seeds_alone_and_none_is_rendered_twice(series):
    made = series(takes_crew(best_of=3)).run(9)
    everybody = made.store.candidates()
    assert [c.id for c in everybody] == list(range(1, 9 * 4 * 3 + 1))
    assert [c.slot for c in everybody] == list(range(12)) * 9
    for first in range(0, len(everybody), 3):
        recipes = [c.genome.recipe() for c in everybody[first : first + 3]]
        assert len({recipe.pop("seed") for recipe in recipes}) == 3
        assert recipes[0] == recipes[1] == recipes[2]
        assert len({(c.genome.operator, c.genome.parents) for c in everybody[first : first + 3]}) == 1
    assert len({c.genome.hash for c in everybody}) == len(everybody)
    assert len({c.genome.operator for c in everybody}) > 2


def test_every_take_keeps_its_picture_and_its_genome_renders_it_again(series):
    made = series(crew(rhythm=rhythm(best_of=2), selector=Selector(rule="best", signals=("quality",)))).run(4)
    for candidate in made.store.candidates():
        again = FakeGenerator().render([candidate.genome])[0]
        assert np.array_equal(made.pictures[candidate.image.path], again)


def test_the_take_of_the_highest_signal_goes_on_and_the_first_of_equals(series):
    values = {1: 5, 2: 7, 3: 9, 4: 2, 5: 4, 6: 4}
    made = series(takes_crew(lambda n: values.get(n, n))).run(3)
    assert went_on(made, 1) == [2, 3, 5, 8]
    assert made.status(1) == ("rejected", "selector") and made.status(6) == ("rejected", "selector")
    (verdict,) = made.store.verdicts([1])[1]
    assert (verdict.gate, verdict.kind, verdict.outcome, verdict.value) == ("selector", "filter", "fail", 5.0)
    assert verdict.reason == "candidate 2, another take of this genome, goes on: reward 5 against 7"
    assert made.state.rejections["selector"] == 12 == made.state.statuses["rejected"]


def test_several_signals_are_weighed_by_pareto_and_less_of_a_distance_is_better(series):
    plain = Selector(rule="pareto", signals=("quality", "reward"))
    assert plain.choose([{"quality": 1, "reward": 0}, {"quality": 2, "reward": 2}]) == 1
    assert Selector(rule="best", signals=("d",), less=frozenset("d")).choose([{"d": 3}, {"d": 1}, {"d": 2}]) == 1
    traits = lambda n: Traits(x=x_of(n), quality=float(n))  # noqa: E731
    made = series(takes_crew(lambda n: 100.0 if n == 3 else n, traits=traits, selector=plain)).run(1)
    # 3 has the better reward, 4 the better quality: of two equal all-rounders the first.
    assert went_on(made, 1) == [2, 3, 6, 8]
    assert made.store.verdicts([4])[4][0].value is None


@pytest.mark.parametrize("signals", [("reward",), ("x",), ("quality",)])
def test_the_selector_s_scorers_look_at_every_take_the_others_at_those_that_go_on_and_none_twice(series, signals):
    traits = lambda n: Traits(x=x_of(n) + n / 100)  # noqa: E731
    made = series(takes_crew(traits=traits, selector=Selector(rule="best", signals=signals))).run(4)
    reward, world = made.crew.scorers
    every, chosen = list(range(1, 33)), [n for cycle in range(1, 5) for n in went_on(made, cycle)]
    assert len(chosen) == 16
    assert sorted(reward.shown) == (every if signals == ("reward",) else chosen)
    assert sorted(world.seen) == (every if signals == ("quality",) else chosen)
    known = made.store.signals(every)
    assert all("x" in known[n] for n in every)
    for number in set(every) - set(chosen):
        assert made.status(number) == ("rejected", "selector") and set(known[number]) >= set(signals)


def test_a_take_that_a_filter_or_a_rule_turns_away_is_not_chosen_and_a_genome_may_lose_all_of_its_takes(series):
    class Clipped(Watched):
        def _paint(self, genome):
            pixels = World._paint(self, genome)
            if self.numbers[genome.hash] in (2, 5, 6):
                pixels[1:] = 0
            return pixels

    crew_ = takes_crew(lambda n: n, rules=(Rule(signal="reward", above=7.5, name="loud"),))
    world = Clipped(crew_.generator.traits)
    reward, _ = crew_.scorers
    made = series(
        replace(
            crew_,
            generator=world,
            measures=replace(crew_.measures, world=world),
            scorers=(replace(reward, world=world), world),
        )
    ).run(1)
    fates = {c.id: (c.status, c.cause) for c in made.store.candidates(cycle=1)}
    assert [fates[n] for n in (1, 2, 3, 4)] == [
        ("passed", ""),
        ("rejected", "clipped"),
        ("rejected", "selector"),
        ("passed", ""),
    ]
    assert [fates[n] for n in (5, 6)] == [("rejected", "clipped")] * 2
    assert [fates[n] for n in (7, 8)] == [("passed", ""), ("rejected", "rule: loud")]


def test_a_take_that_cannot_be_measured_or_rendered_fails_alone(series):
    traits = lambda n: Traits(x=x_of(n), broken=n == 3)  # noqa: E731
    made = series(takes_crew(lambda n: None if n == 2 else n, traits=traits)).run(1)
    assert made.status(2)[0] == made.status(3)[0] == "failed"
    assert went_on(made, 1) == [1, 2, 3, 4, 6, 8] and made.status(1) == made.status(4) == ("passed", "")
    silent = takes_crew(selector=Selector(rule="best", signals=("loudness",)))
    silent.scorers[0].versions = {"reward": "reward-1", "loudness": "reward-1"}
    assert series(silent).run(1).status(5) == ("failed", "no loudness was measured")


# ---- the rest of the loop ----------------------------------------------------------------------------------------


def test_a_genome_is_one_try_of_its_emitter_and_of_its_parents(series):
    made = series(takes_crew(lambda n: n * 7 % 5, best_of=3)).run(12)
    tries = Counter(c.genome.operator for c in made.store.candidates() if c.slot % 3 == 0)
    assert {name: credit.total_tries for name, credit in made.state.bandit.credits.items()} == tries
    parents = Counter(parent for c in made.store.candidates() if c.slot % 3 == 0 for parent in c.genome.parents)
    assert made.state.tries == parents and parents
    opened = sum(1 for r in made.records for p in r.placements if p.outcome == "new")
    assert sum(credit.total_opened for credit in made.state.bandit.credits.values()) == opened > 0


def test_thresholds_and_ranges_come_from_the_takes_that_went_on(series):
    gates = {**NO_GATES, "quality": GateSetting(lower="auto", review=0.0)}
    traits = lambda n: Traits(x=1.0 if n % 2 else 0.1 * n, quality=float(n))  # noqa: E731
    made = series(takes_crew(lambda n: n % 2 == 0, traits=traits, gates=gates)).run(1)
    assert made.state.calibration.reason == "warm-up of 4 images"
    assert made.state.calibration.bounds["quality"].lower == pytest.approx(np.percentile([2, 4, 6, 8], 5))
    assert made.state.archive.axes.high[0] < 1.0


def test_a_scorer_that_changed_measures_again_only_what_went_on(series):
    first = crew(rhythm=rhythm(best_of=2, warmup_cycles=2), selector=Selector(rule="best", signals=("quality",)))
    made = series(first)
    made.store.add_input("config", {"settings": {}, "banks": {}}, first_cycle=1)
    made.run(3)
    seen = []

    class Next(FakeScorer):
        versions: Mapping[str, str] = {**FakeScorer.versions, "style": "fake-2"}

        def score(self, images, prompts):
            seen.extend(pixels_hash(image) for image in images)
            return super().score(images, prompts)

    made.store.add_input("config", {"settings": {"n": 2}, "banks": {}}, first_cycle=4)
    made.reopen(scorers=(Next(),)).run(4)
    of = {c.image.pixels: c for c in made.store.candidates()}
    again = [of[pixels] for pixels in seen if of[pixels].cycle <= 2]
    assert len(again) == 8 and not [c for c in again if c.cause == "selector"]
    assert made.state.calibration.version == 2


def test_a_take_passed_over_leaves_memory_at_once(series):
    made = series(takes_crew(lambda n: n))
    world = made.crew.generator
    genomes = [proposal.genome for proposal in made.live.proposed(1)]
    batch = [
        Subject(id=n, cycle=1, slot=n - 1, genome=genome, image=None, pixels=world.render([genome])[0])
        for n, genome in enumerate(genomes, start=1)
    ]
    assert measure(made.crew, batch) == []
    assert [subject.pixels is None for subject in batch] == [True, False] * 4


def test_takes_passed_over_are_in_no_figure(series):
    # 1 - cosine between directions of their own is 1; between the passed over, which all look one way, 0.
    traits = lambda n: Traits(x=x_of(n), vector=None if n % 2 else np.eye(1, 256, 7)[0])  # noqa: E731
    made = series(takes_crew(lambda n: n, traits=traits, selector=Selector(rule="best", signals=("style",)))).run(1)
    assert went_on(made, 1) == [1, 3, 5, 7]
    assert made.record(1).measures["batch_mean_pairwise_distance"] == pytest.approx(1.0)


def test_under_new_settings_takes_stay_takes_of_one_genome(series):
    made = series(takes_crew(best_of=3, rhythm={"pipeline_depth": 2})).run(5)
    # Words that are gone are drawn anew: for all takes of a genome the same.
    bank = replace(PROMPTS, slots={**PROMPTS.slots, "palette": ("azure", "rust", "lime", "clay")})
    made.reopen(rhythm=replace(made.crew.rhythm, width=48), prompts=bank).run(8)
    for cycle in (6, 7, 8):
        batch = made.store.candidates(cycle=cycle)
        assert {c.genome.width for c in batch} == {48}
        for first in range(0, 12, 3):
            recipes = [c.genome.recipe() for c in batch[first : first + 3]]
            assert len({recipe.pop("seed") for recipe in recipes}) == 3 and recipes[0] == recipes[1] == recipes[2]
    assert len({c.genome.hash for c in made.store.candidates()}) == 8 * 12


@pytest.mark.parametrize("immediate", [True, False])
def test_stopped_after_every_cycle_it_comes_to_the_same_and_so_does_a_replay(series, immediate):
    def again():
        critic = RankCritic(lambda n: n * 5 % 11, immediate=immediate)
        traits = lambda n: Traits(x=(n * 7 % 5) / 4, quality=(n * 13 % 17) / 17, broken=n % 23 == 0)  # noqa: E731
        return takes_crew(lambda n: n * 11 % 7, traits=traits, critic=critic, rhythm={"pipeline_depth": 2})

    calm, cut = series(again()).run(14), series(again())
    for cycle in range(1, 15):
        cut.run(cycle)
        cut.reopen()
    assert told(cut) == told(calm)
    assert fold(cut.state) == fold(calm.state) == fold(replay(calm.store.history()))
    assert calm.state.choices and calm.state.rejections["selector"] > 40


def fold(state):
    credits = {name: (c.tries, c.wins, c.total_tries) for name, c in state.bandit.credits.items()}
    return state.digest(), credits, state.tries, state.choices, state.statuses, state.rejections


# ---- what humans are asked ---------------------------------------------------------------------------------------


def pairs_of_takes(made: Series):
    """(question, chosen, other) of every question between two takes of one genome."""
    passed_over = {c.id for c in made.store.candidates() if c.cause == "selector"}
    found = []
    for asked in made.store.rounds():
        for question in asked.questions:
            images = sorted(question.images.values(), key=lambda c: c in passed_over)
            if question.kind == "pair" and images[1] in passed_over:
                found.append((question, *images))
    return found


def test_a_round_asks_one_of_its_pairs_between_the_chosen_take_and_another_and_no_genome_twice(series):
    made = series(takes_crew(lambda n: n * 7 % 5, best_of=3, rhythm={"checkin_every": 3})).run(18)
    found = pairs_of_takes(made)
    rounds = made.store.rounds()
    assert len(rounds) == 6 == len(found)
    assert all(question.ask == "quality" for question, _, _ in found)
    assert {(chosen - 1) // 3 for _, chosen, _ in found} == {(other - 1) // 3 for _, _, other in found}
    assert len({(chosen - 1) // 3 for _, chosen, _ in found}) == 6
    assert {len(asked.questions) for asked in rounds} == {5}
    assert {question.prompt.count("left: ") for question, _, _ in found} == {0}, "one prompt for both"
    assert {chosen == question.images["left"] for question, chosen, _ in found} == {True, False}


def test_an_answer_between_takes_lets_nobody_in_and_moves_no_cell(series):
    def told_by(answer):
        made = series(takes_crew(lambda n: n * 7 % 5, rhythm={"checkin_every": 3})).run(6)
        for question, chosen, _ in pairs_of_takes(made):
            side = "left" if (question.images["left"] == chosen) == (answer == "chosen") else "right"
            made.answer(question.id, side)
        made.run(9)
        return made

    one, other = told_by("chosen"), told_by("other")
    assert one.state.digest() == other.state.digest()
    assert sum(d.judge.startswith("human:") for r in other.records for d in r.duels) == len(pairs_of_takes(other)) - 1
    passed_over = {c.id for c in other.store.candidates(current=True) if c.cause == "selector"}
    assert passed_over.isdisjoint(other.state.accepted)


def learned(made):
    """What the preference models make of the duels, and whom they rank first."""
    model, late = made.live.preference, made.live.lagged
    elites = [elite.candidate for elite in made.state.archive]
    sure = [model.sure(a, b, 0.6) for a in elites for b in elites if a != b]
    asked = [late.sure(made.state.cycle + 1, a, b) for a in elites for b in elites if a != b]
    return made.state.bests, model.best(), model.held_out(), sure, asked


def test_an_answer_between_takes_teaches_the_ranking_nothing_and_neither_does_taking_it_back(series):
    def told_by(answer, *, back=False):
        made = series(takes_crew(lambda n: n * 7 % 5, rhythm={"checkin_every": 1})).run(10)
        for question, chosen, _ in pairs_of_takes(made):
            side = "left" if (question.images["left"] == chosen) == (answer == "chosen") else "right"
            made.answer(question.id, "skip" if answer == "skip" else side)
        made.run(15)
        for question, _, _ in pairs_of_takes(made)[:3] if back else ():
            made.store.add_input("undo", {"question": question.id, "rater": "anna"})
        return made.run(20)

    silent = told_by("skip")
    wanted = learned(silent)
    assert wanted[0] and wanted[1] is not None and wanted[2] is None
    for made in (told_by("chosen"), told_by("other"), told_by("other", back=True)):
        assert learned(made) == wanted
        assert told(made) == told(silent)
        said = [duel for record in made.records for duel in record.duels if duel.judge.startswith("human:")]
        assert len(said) >= 9 and {duel.purpose for duel in said} <= {"take", "withdrawn"}
        made.reopen()
        assert learned(made) == wanted


# ---- how well it chooses -----------------------------------------------------------------------------------------


def settings(**more):
    table = {"name": "night", "loop": {"best_of": 2}, "selector": {"use": "signal", "signals": ["quality"]}}
    return parse({**table, **more})


def judged(series, answer, *, cycles=14):
    """A series with a round a cycle; `answer` says of each pair "chosen", "other", "tie" or "skip"."""
    made = series(takes_crew(lambda n: n * 7 % 5, rhythm={"checkin_every": 1})).run(cycles)
    for place, (question, chosen, _) in enumerate(pairs_of_takes(made)):
        word = answer(place)
        side = {"chosen": chosen == question.images["left"], "other": chosen != question.images["left"]}
        made.answer(question.id, word if word in ("tie", "skip") else "left" if side[word] else "right")
    return made


def test_before_enough_answers_there_is_no_figure_but_how_many_are_wanted(series):
    made = judged(series, lambda place: "chosen" if place < 9 else "tie")
    said = choices.selector(settings(), made.store)
    assert (said["efficiency"], said["note"], said["wanted"]) == (None, "not enough answers yet", 10)
    assert said["pairs"] == len(pairs_of_takes(made)) > 9
    assert "not enough answers yet" in choices.sentence(said) and "%" not in choices.sentence(said)
    empty = choices.selector(settings(), None)
    assert (empty["pairs"], empty["efficiency"]) == (0, None)
    assert choices.selector(parse({"name": "night"}), made.store) is None and choices.sentence(None) == ""


def test_the_share_that_was_captured_follows_the_answers_skips_and_retractions_left_out(series):
    made = judged(series, lambda place: "other" if place in (0, 1) else "skip" if place == 2 else "chosen", cycles=16)
    asked = len(pairs_of_takes(made))
    said = choices.selector(settings(), made.store)
    wins = asked - 3
    assert said["pairs"] == wins + 2
    found = said["efficiency"]
    assert found["value"] == pytest.approx((wins - 2) / (wins + 2))
    assert found["low"] < found["value"] < found["high"] <= 1.0 and found["low"] > -1.0
    assert choices.selector(settings(), made.store)["efficiency"] == found, "counted chance: asked again, the same"
    assert f"captured {found['value']:.0%}" in choices.sentence(said)
    made.store.add_input("undo", {"question": pairs_of_takes(made)[0][0].id, "rater": "anna"})
    again = choices.selector(settings(), made.store)
    assert again["pairs"] == wins + 1
    assert again["efficiency"]["value"] == pytest.approx((wins - 1) / (wins + 1))


def test_choices_of_an_earlier_selector_do_not_count(series):
    made = judged(series, lambda place: "chosen")
    for cycle, signal in ((1, "prompt"), (4, "reward"), (9, "reward")):
        payload = {"settings": {"selector": [signal], "n": cycle}, "versions": {"quality": "1"}, "banks": {}}
        made.store.add_input("config", payload, first_cycle=cycle)
    said = choices.selector(settings(), made.store)
    assert said["since"] == 4
    late = [chosen for _, chosen, _ in pairs_of_takes(made) if chosen > 3 * 8]
    assert said["pairs"] == len(late) < len(pairs_of_takes(made))


def test_people_who_all_agree_do_not_make_it_certain():
    compared = [Compared(answers=("left",))] * 12 + [Compared(answers=("tie",))] * 3
    found = captured(compared, rng=np.random.default_rng(1))
    # Clopper and Pearson's lower end for 12 of 12: 0.025 ** (1 / 12) = 0.735.
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(2 * 0.025 ** (1 / 12) - 1)
    worst = captured([Compared(answers=("right",))] * 12, rng=np.random.default_rng(1))
    assert (worst.value, worst.low) == (-1.0, -1.0) and worst.high == pytest.approx(-found.low)
    assert captured(compared[3:], rng=np.random.default_rng(1)) is None
    split = [Compared(answers=("left", "right")), Compared(answers=())]
    assert captured(compared + split, rng=np.random.default_rng(1)).value == 1.0
