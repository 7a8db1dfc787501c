"""The loop as a whole: who is whose neighbour, how cells are won, what waits, and what may influence what."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from loop_crew import (
    NO_GATES,
    OFF,
    RankCritic,
    Traits,
    World,
    crew,
    edges,
    near,
    own_direction,
    rhythm,
    world_crew,
)

from gen_emerge.calibration.first import GateSetting
from gen_emerge.emitters import all_emitters
from gen_emerge.emitters.operators import Reseed
from gen_emerge.filters import Rule
from gen_emerge.hearing import RETURNING
from gen_emerge.live import BEST_EVERY
from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.state import replay
from gen_emerge.types import GATES

NOVELTY = {**NO_GATES, "novelty": GateSetting(lower=0.3, review=0.0, duplicate=0.02)}
QUALITY = {**NO_GATES, "quality": GateSetting(lower=0.3, review=0.2)}
IMMEDIATE = {"critic": RankCritic(lambda candidate: 0, immediate=True)}


def table(**rows):
    """Traits by candidate number; the first four lay out the map (cells 0 and 2), others lie in the middle cell."""
    rows = {int(key[1:]): value for key, value in rows.items()}

    def traits(number):
        given = rows.get(number, {})
        return Traits(**{"x": edges(number) if number <= 4 else 0.5, **given})

    return traits


def verdict(series, candidate, gate):
    found = [v for v in series.store.verdicts([candidate])[candidate] if v.gate == gate]
    return found[-1].outcome


# ---- gates and neighbours ----------------------------------------------------------------------------------------


def test_of_two_near_images_of_one_batch_only_the_first_slot_passes(series):
    traits = table(n5={"x": 0.0}, n6={"vector": near(5, 0.1), "x": 1.0}, n7={"vector": near(5, 0.5), "x": 1.0})
    made = series(world_crew(traits, gates=NOVELTY, **IMMEDIATE)).run(2)
    assert [verdict(made, n, "novelty") for n in (5, 6, 7, 8)] == ["pass", "fail", "pass", "pass"]
    assert made.status(6) == ("rejected", "novelty")


def test_a_rejected_image_of_the_batch_is_nobody_s_neighbour(series):
    traits = table(n5={"quality": 0.0}, n6={"vector": near(5, 0.1), "x": 1.0})
    gates = {**NOVELTY, "quality": GateSetting(lower=0.3, review=0.0)}
    made = series(world_crew(traits, gates=gates, **IMMEDIATE)).run(2)
    assert made.status(5) == ("rejected", "quality")
    assert verdict(made, 6, "novelty") == "pass"


def test_who_is_near_only_to_the_holder_of_its_own_cell_may_challenge(series):
    strength = RankCritic(lambda n: 1 if n == 9 else 0, immediate=True)
    traits = table(n9={"vector": near(5, 0.1)}, n10={"vector": near(5, 0.1), "x": 1.0})
    made = series(world_crew(traits, gates=NOVELTY, critic=strength)).run(3)
    assert made.placements(9) == [(3, "won", 5, "critic")]
    assert verdict(made, 10, "novelty") == "fail", "near to the holder of another cell"


def test_past_holders_of_the_own_cell_do_not_forbid_a_challenge_either(series):
    strength = RankCritic(lambda n: {9: 1, 13: 2}.get(n, 0), immediate=True)
    made = series(world_crew(table(n13={"vector": near(5, 0.1)}), gates=NOVELTY, critic=strength)).run(4)
    assert made.placements(9) == [(3, "won", 5, "critic")]
    assert made.placements(13) == [(4, "won", 9, "critic")]


def test_a_near_image_of_the_own_cell_that_never_held_it_does_forbid(series):
    made = series(world_crew(table(n13={"vector": near(6, 0.1)}), gates=NOVELTY, **IMMEDIATE)).run(4)
    assert made.placements(6) == [(2, "tie", 5, "critic")]
    assert made.status(13) == ("rejected", "novelty")


@pytest.mark.parametrize("again", [False, True])
def test_who_joined_the_own_cell_since_the_proposals_were_made_may_be_challenged(series, again):
    traits = table(n9={"vector": near(6, 0.1)}, n10={"vector": near(6, 0.1), "x": 1.0})
    made = series(world_crew(traits, gates=NOVELTY, **IMMEDIATE)).run(2)
    made = (made.reopen() if again else made).run(3)
    assert made.status(9) == ("passed", "") and made.placements(9) == [(3, "tie", 5, "critic")]
    assert made.status(10) == ("rejected", "novelty"), "of another cell"


def test_a_near_image_of_the_same_batch_and_cell_may_challenge_but_a_duplicate_may_not(series):
    traits = table(n6={"vector": near(5, 0.1)}, n7={"vector": near(5, 0.01)})
    made = series(world_crew(traits, gates=NOVELTY, **IMMEDIATE)).run(2)
    assert verdict(made, 6, "novelty") == "pass" and made.placements(6) == [(2, "tie", 5, "critic")]
    assert made.status(7) == ("rejected", "novelty")


def test_a_duplicate_of_the_holder_may_not_challenge_it(series):
    made = series(world_crew(table(n9={"vector": near(5, 0.01)}), gates=NOVELTY, **IMMEDIATE)).run(3)
    assert made.status(9) == ("rejected", "novelty")


def test_an_image_in_the_review_band_is_no_neighbour_until_a_human_kept_it(series):
    traits = table(n5={"quality": 0.3, "x": 0.0}, n9={"vector": near(5, 0.1)}, n21={"vector": near(5, 0.1, 254)})
    gates = {**NOVELTY, "quality": GateSetting(lower=0.3, review=0.2)}
    made = series(world_crew(traits, gates=gates, **IMMEDIATE)).run(3)
    assert made.status(5) == ("review", "quality")
    assert verdict(made, 9, "novelty") == "pass"
    assert made.store.signals([9])[9]["novelty"].value == pytest.approx(1.0, abs=1e-3)
    made.answer(made.ask_review(900, 5), "keep")
    made.run(6)
    assert made.status(5) == ("passed", "human")
    assert made.status(21) == ("rejected", "novelty")
    assert made.store.signals([21])[21]["novelty"].value == pytest.approx(0.1, abs=1e-3)


def test_the_distance_that_was_measured_is_kept_as_a_signal(series):
    traits = table(n9={"vector": near(1, 0.4)})
    made = series(world_crew(traits, gates=NOVELTY, **IMMEDIATE)).run(3)
    found = made.store.signals([9])[9]["novelty"]
    assert found.value == pytest.approx(0.4, abs=1e-3)


# ---- filters in the loop -----------------------------------------------------------------------------------------


def test_pixels_seen_before_are_rejected_in_the_batch_and_later(series):
    class Copies(World):
        def _paint(self, genome):
            number = self.numbers[genome.hash]
            first = {7: 6, 9: 2}.get(number, number)
            pixels = np.random.default_rng(first).integers(20, 230, (32, 40, 3), dtype=np.uint8)
            pixels[0, 0] = 0, first, 7
            return pixels

    plan = world_crew(table())
    world = Copies(plan.generator.traits)
    made = series(world_crew(table(), generator=world, **IMMEDIATE)).run(3)
    assert made.status(7) == ("rejected", "duplicate") and made.status(9) == ("rejected", "duplicate")
    assert made.state.rejections["duplicate"] == 2


def test_a_rule_of_the_user_s_rejects_before_any_model_looks(series):
    asked = []

    class Watching(World):
        def score(self, images, prompts):
            asked.extend(self.read(image)[0] for image in images)
            return super().score(images, prompts)

    traits = table(n6={"x": -5.0})
    plan = world_crew(traits)
    made = series(
        world_crew(
            traits, scorers=(Watching(traits),), rules=(Rule(signal="x", below=-1.0, name="too far"),), **IMMEDIATE
        )
    ).run(2)
    assert plan.rules == ()
    assert made.status(6) == ("rejected", "rule: too far")
    assert 6 not in asked and 5 in asked


def test_a_genome_that_raises_fails_alone(series):
    made = series(world_crew(table(n6={"broken": True}), **IMMEDIATE)).run(3)
    status, cause = made.status(6)
    assert status == "failed" and "a broken genome" in cause
    assert [made.status(n)[0] for n in (5, 7, 8, 9)] == ["passed"] * 4
    assert [event.kind for event in made.record(2).events] == ["failed"]


# ---- the warm-up -------------------------------------------------------------------------------------------------


def test_images_of_the_warm_up_wait_and_are_gated_and_placed_when_it_ends(series):
    made = series(crew(rhythm=rhythm(warmup_cycles=3)))
    made.run(2)
    assert {made.status(n) for n in range(1, 9)} == {("pending", "warm-up")}
    assert made.state.calibration is None and made.state.archive is None and not made.state.accepted
    made.run(3)
    record = made.record(3)
    assert record.calibration.version == 1 and record.axes.version == 1
    assert all(made.status(n) != ("pending", "warm-up") for n in range(1, 13))
    assert {p.candidate for p in record.placements} == set(made.state.accepted)
    assert any(p.candidate <= 8 for p in record.placements)
    assert all(verdicts for verdicts in made.store.verdicts(range(1, 13)).values())
    assert record.calibration.evidence["quality"]["images"] == 12


def test_the_first_thresholds_rest_on_every_image_of_the_warm_up(series):
    made = series(crew(rhythm=rhythm(warmup_cycles=3))).run(3)
    measured = made.store.signals(range(1, 13))
    values = [measured[n]["quality"].value for n in range(1, 13)]
    assert made.state.calibration.bounds["quality"].lower == pytest.approx(np.percentile(values, 5))
    spread = np.percentile([measured[n]["lightness"].value for n in range(1, 13)], [2, 98])
    assert made.state.archive.axes.low[0] == pytest.approx(max(spread[0] - (spread[1] - spread[0]) / 4, 0.0))


def test_the_warm_up_goes_on_when_everything_failed(series):
    traits = table(**{f"n{n}": {"broken": True} for n in range(1, 8)}, n8={"x": 0.0}, n9={"x": 1.0})
    made = series(world_crew(traits, **IMMEDIATE)).run(1)
    assert made.state.calibration is None
    assert [event.kind for event in made.record(1).events].count("warm-up") == 1
    made.run(2)
    assert made.state.calibration is None and made.status(8) == ("pending", "warm-up"), "one image sets no threshold"
    made.run(3)
    assert made.state.calibration.evidence["quality"]["images"] == 5
    assert made.status(8)[0] == "passed" and made.placements(8)[0][:2] == (3, "new")


def test_a_warm_up_whose_last_cycle_failed_is_placed_all_the_same(series):
    traits = table(**{f"n{n}": {"broken": True} for n in range(5, 9)})
    made = series(world_crew(traits, rhythm={"warmup_cycles": 2}, **IMMEDIATE)).run(4)
    assert {p.candidate for p in made.record(2).placements} == {1, 2, 3, 4}
    assert made.reopen().run(5).state.cycle == 5


# ---- how a cell is won -------------------------------------------------------------------------------------------


def test_an_empty_cell_takes_the_first_and_a_tie_leaves_it_there(series):
    made = series(world_crew(table(), **IMMEDIATE)).run(4)
    assert made.holder(1) == 5
    assert [p[1] for n in range(6, 17) for p in made.placements(n)] == ["tie"] * 11


def test_a_better_one_wins_and_a_worse_one_loses(series):
    strength = RankCritic(lambda n: {5: 2, 6: 1, 7: 3}.get(n, 0), immediate=True)
    made = series(world_crew(table(), critic=strength)).run(2)
    assert made.placements(6) == [(2, "lost", 5, "critic")]
    assert made.placements(7) == [(2, "won", 5, "critic")]
    assert made.placements(8) == [(2, "lost", 7, "critic")]
    assert made.holder(1) == 7 and made.state.archive.ever_held(1) == {5, 7}


def test_every_critic_decision_has_its_duel_in_the_record(series):
    made = series(world_crew(table(), critic=RankCritic(lambda n: n % 5, immediate=True))).run(5)
    for record in made.records:
        said = {(duel.left, duel.right): duel.outcome for duel in record.duels if duel.purpose == "cell"}
        decided = [p for p in record.placements if p.reason == "critic"]
        assert {(p.candidate, p.incumbent) for p in decided} == set(said)
        for placement in decided:
            assert {"left": "won", "right": "lost", "tie": "tie"}[said[placement.candidate, placement.incumbent]] == (
                placement.outcome
            )


def best_duels(made, cycle):
    return [duel for duel in made.record(cycle).duels if duel.purpose == "best"]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_one_extra_duel_a_cycle_meets_the_best_of_the_commit_the_cycle_was_proposed_from(series, depth):
    strength = RankCritic(lambda n: n % 7, immediate=True)
    traits = table(**{f"n{n}": {"x": n % 3 / 2} for n in range(5, 100)})
    made = series(world_crew(traits, rhythm={"pipeline_depth": depth}, critic=strength)).run(16)
    bests = {record.cycle: record.best for record in made.records}
    for cycle in range(depth + 3, 17):
        (duel,) = best_duels(made, cycle)
        assert duel.right == bests[cycle - 1 - depth] is not None
        assert (duel.left - 1) // 4 + 1 == cycle
        assert all((d.left, d.right) != (duel.left, duel.right) for d in made.record(cycle).duels if d is not duel)
    assert len(set(bests.values())) > 2


def test_the_current_best_is_ranked_anew_every_few_cycles_and_when_it_lost_its_place(series):
    strength = RankCritic(lambda n: min(n // 6, 11), immediate=True)
    traits = table(**{f"n{n}": {"x": n % 3 / 2} for n in range(5, 100)})
    made = series(world_crew(traits, critic=strength)).run(16)
    state = replay([])
    for outcome in made.store.history():
        before = state.bests.get(outcome.cycle - 1)
        state.apply(outcome)
        elites = {elite.candidate for elite in state.archive}
        assert outcome.best in elites
        if before in elites and outcome.cycle % BEST_EVERY:
            assert outcome.best == before
        else:
            ranking = DuelPreference()
            for duel in state.duels:
                ranking.add(duel)
            assert outcome.best == ranking.best(sorted(elites))
    assert len({outcome.best for outcome in made.store.history()}) > 2


# ---- preference and humans ---------------------------------------------------------------------------------------


class Sure:
    """A preference model that is sure the challenger wins, and ranks nobody."""

    def __init__(self, side):
        self.side, self.asked, self.waiting, self.weights = side, [], {}, {}

    def sure(self, *pair):
        self.asked.append(pair[-2:])
        return self.side

    def later(self, cycle, duels):
        pass

    def best(self, among=None):
        return None

    def add(self, duel):
        pass


@pytest.mark.parametrize("immediate", [True, False])
@pytest.mark.parametrize(("side", "outcome"), [("left", "won"), ("right", "lost")])
def test_a_sure_preference_decides_without_asking_the_critic(series, immediate, side, outcome):
    critic = RankCritic(lambda n: 0, immediate=immediate)
    made = series(world_crew(table(), critic=critic)).run(3)
    before = len([d for d in made.records for d in d.duels])
    made.live.preference = made.live.lagged = Sure(side)
    critic.dueled.clear()
    made.run(5)
    decided = [p for c in (4, 5) for p in made.record(c).placements]
    assert {(p.outcome, p.reason) for p in decided if p.candidate > 12} == {(outcome, "preference")}
    asked_for_cells = [d for c in (4, 5) for d in made.record(c).duels if d.purpose == "cell"]
    assert not asked_for_cells and before and len(critic.dueled) <= 2


def test_a_human_s_verdict_between_two_of_one_cell_overrides_at_the_boundary(series):
    made = series(world_crew(table(), **IMMEDIATE)).run(3)
    assert made.holder(1) == 5
    made.answer(made.ask_pair(900, 5, 7), "right", cycle=5)
    made.run(4)
    assert made.holder(1) == 5
    made.run(5)
    assert made.holder(1) == 7 and made.placements(7)[-1] == (5, "won", 5, "human")
    (said,) = [duel for duel in made.record(5).duels if duel.purpose == "round"]
    assert (said.left, said.right, said.outcome, said.judge, said.order) == (5, 7, "right", "human:anna", "single")
    assert made.state.digest() == replay(made.store.history()).digest()


@pytest.mark.parametrize("answer", ["left", "tie", "skip"])
def test_a_verdict_for_the_holder_or_for_nobody_leaves_it_there(series, answer):
    made = series(world_crew(table(), **IMMEDIATE)).run(3)
    made.answer(made.ask_pair(900, 5, 7), answer)
    made.run(6)
    assert made.holder(1) == 5


def test_a_verdict_between_two_cells_moves_nobody_and_asks_nobody_again(series):
    strength = RankCritic(lambda n: {5: 1, 9: 2}.get(n, 0), immediate=True)
    made = series(world_crew(table(), critic=strength)).run(3)
    assert (made.holder(0), made.holder(1)) == (1, 9)
    # 5 lost its place to 9 meanwhile; that a human prefers it to cell 0's holder is no new challenge to 9.
    made.answer(made.ask_pair(900, 5, 1), "left")
    made.run(6)
    assert (made.holder(0), made.holder(1)) == (1, 9)
    assert [p[:2] for p in made.placements(5)] == [(2, "new")]


def test_an_override_holds_against_the_loser_s_return(series):
    """The direct verdict is remembered: nobody asks a critic about that pair again."""
    critic = RankCritic(lambda n: 0, immediate=True)
    made = series(world_crew(table(), critic=critic)).run(3)
    made.answer(made.ask_pair(900, 5, 7), "right")
    made.run(6)
    assert made.live.preference.sure(7, 5) == "left" and made.live.preference.sure(5, 7) == "right"


@pytest.mark.parametrize(("answer", "status"), [("keep", ("passed", "human")), ("discard", ("rejected", "quality"))])
def test_a_human_lets_a_reviewed_image_in_or_turns_it_away(series, answer, status):
    critic = RankCritic(lambda n: 3 if n == 5 else 0, immediate=True)
    made = series(world_crew(table(n5={"quality": 0.3}), gates=QUALITY, critic=critic)).run(2)
    assert made.status(5) == ("review", "quality") and not made.placements(5) and 5 not in critic.reviewed
    assert made.holder(1) == 6
    made.answer(made.ask_review(900, 5), answer, cycle=4)
    made.run(3)
    assert made.status(5) == ("review", "quality")
    made.run(4)
    assert made.status(5) == status
    assert made.placements(5) == ([(4, "won", 6, "critic")] if answer == "keep" else [])
    assert (5 in made.state.accepted) == (answer == "keep")
    assert critic.reviewed.count(5) == (answer == "keep")


def test_unsure_and_skip_leave_an_image_in_the_review_band(series):
    made = series(world_crew(table(n5={"quality": 0.3}), gates=QUALITY, **IMMEDIATE)).run(2)
    question = made.ask_review(900, 5)
    made.answer(question, "unsure")
    made.answer(question, "skip", rater="ben")
    assert made.run(5).status(5) == ("review", "quality")


@pytest.mark.parametrize("answers", [("keep", "discard"), ("discard", "keep"), ("keep", "keep")])
def test_two_raters_on_one_reviewed_image_decide_it_once_or_not_at_all(series, answers):
    made = series(world_crew(table(n5={"quality": 0.3, "x": -0.2}), gates=QUALITY, **IMMEDIATE)).run(2)
    question = made.ask_review(900, 5)
    for rater, answer in zip(("anna", "ben"), answers, strict=True):
        made.answer(question, answer, rater=rater, cycle=4)
    made.run(6)
    resolutions = [r for record in made.records for r in record.resolutions if r.candidate == 5]
    assert [r.status for r in resolutions] == (["passed"] if answers[0] == answers[1] else [])
    assert made.state.digest() == replay(made.store.history()).digest()
    assert made.state.candidates == 24


def test_an_answer_taken_back_before_its_boundary_changes_nothing(series):
    made = series(world_crew(table(), **IMMEDIATE)).run(3)
    question = made.ask_pair(900, 5, 7)
    made.answer(question, "right", cycle=6)
    made.store.add_input("undo", {"question": question, "rater": "anna"}, first_cycle=6)
    made.run(7)
    assert made.holder(1) == 5 and not [d for d in made.state.duels if d.judge.startswith("human")]


def test_rounds_are_opened_every_so_many_cycles_and_waited_for_if_so_configured(series):
    made = series(crew(rhythm=rhythm(checkin_every=3, wait_at_checkin=True), critic=RankCritic(immediate=True)))
    made.run(20)
    assert made.state.cycle == 3 and [asked.cycle for asked in made.store.rounds()] == [3]
    assert made.store.attempted() == 3, "nothing is begun past a check-in that is waited for"
    going_on = series(crew(rhythm=rhythm(checkin_every=3), critic=RankCritic(immediate=True))).run(10)
    assert [asked.cycle for asked in going_on.store.rounds()] == [3, 6, 9]
    assert all(asked.questions for asked in going_on.store.rounds())


def test_a_check_in_does_not_ask_about_an_image_decided_at_its_own_boundary(series):
    traits = table(n5={"quality": 0.3}, n6={"quality": 0.3})
    plan = world_crew(traits, rhythm={"checkin_every": 4}, gates=QUALITY, **IMMEDIATE)
    made = series(plan).run(2)
    made.answer(made.ask_review(900, 5), "discard", cycle=4)
    made.run(4)
    asked = [q.images["only"] for q in made.record(4).round.questions if q.kind == "review"]
    assert asked == [6]


# ---- a critic that takes its time --------------------------------------------------------------------------------


def slow(strength=lambda n: n % 6, **more):
    return RankCritic(strength, immediate=False, **more)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_place_contested_by_a_slow_critic_is_settled_1_plus_d_commits_later(series, depth):
    critic = slow(lambda n: {6: 1}.get(n, 0))
    made = series(world_crew(table(), rhythm={"pipeline_depth": depth}, critic=critic)).run(2 + depth)
    # 5 opens the cell in cycle 2; 6 meets it there, and nobody asked the critic about the two beforehand.
    assert made.placements(5) == [(2, "new", None, "empty")]
    assert made.placements(6) == [(2, "pending", 5, "critic")]
    assert made.status(6) == ("pending", "duel") and made.holder(1) == 5
    assert 6 in made.state.accepted, "it passed every gate"
    made.run(3 + depth)
    assert made.placements(6) == [(2, "pending", 5, "critic"), (3 + depth, "won", 5, "critic")]
    assert made.status(6) == ("passed", "") and made.holder(1) == 6


def test_who_took_the_own_cell_since_the_proposals_were_made_is_a_neighbour_yet(series):
    traits = table(n17={"vector": near(6, 0.1)}, n21={"vector": near(6, 0.1, lean=254)})
    made = series(world_crew(traits, gates=NOVELTY, critic=slow(lambda n: {6: 1}.get(n, 0)))).run(4)
    assert made.placements(6)[-1] == (4, "won", 5, "critic")
    made.run(6)
    assert made.status(17) == ("rejected", "novelty"), "cycle 5 is proposed from commit 3: 6 held nothing then"
    assert made.status(21)[0] != "rejected"


def test_two_who_wait_for_one_place_are_settled_one_after_the_other(series):
    critic = slow(lambda n: {6: 1, 7: 2}.get(n, 0))
    made = series(world_crew(table(), critic=critic)).run(8)
    assert made.placements(6)[-1] == (4, "won", 5, "critic")
    assert made.placements(7) == [(2, "pending", 5, "critic"), (4, "pending", 6, "critic"), (6, "won", 6, "critic")]
    assert made.holder(1) == 7


def test_duels_with_a_holder_of_the_earlier_commit_are_settled_at_once(series):
    made = series(world_crew(table(), critic=slow(lambda n: {13: 1}.get(n, 0)))).run(4)
    assert made.placements(13) == [(4, "won", 5, "critic")]


def test_a_reply_is_written_on_arrival_and_paid_for_once(series):
    critic = slow()
    made = series(world_crew(table(), critic=critic)).run(8)
    assert len(critic.reviewed) == len(set(critic.reviewed)) == 32
    assert len(critic.dueled) == len(set(critic.dueled)) > 10
    written = [reply.payload for reply in made.store.inputs_of("critic")]
    assert sorted(p["candidate"] for p in written if p["ask"] == "review") == sorted(critic.reviewed)
    assert sorted((p["left"], p["right"]) for p in written if p["ask"] == "duel") == sorted(critic.dueled)


def test_after_a_restart_in_mid_cycle_no_reply_is_asked_for_again(series):
    class Killed(RuntimeError):
        pass

    plan = world_crew(table(), critic=slow())
    whole = series(plan, "whole").run(6)
    paid_in_all = sorted(whole.store.inputs_of("critic"), key=lambda i: i.id)

    def again(critic):
        return world_crew(table(), critic=critic)

    killed = series(again(first := slow()), "killed").run(3)
    commit = killed.live.store.commit
    killed.live.store.commit = lambda record: (_ for _ in ()).throw(Killed())
    with pytest.raises(Killed):
        killed.run(4)
    killed.live.store.commit = commit
    paid = {(r.payload["ask"], str(r.payload)) for r in killed.store.inputs_of("critic")}
    second = slow()
    world = killed.crew.generator
    killed.reopen(critic=second).run(4)
    assert world.numbers, "the pictures keep their numbers"
    assert not second.reviewed and not second.dueled, "every reply of cycle 4 was there already"
    assert {(r.payload["ask"], str(r.payload)) for r in killed.store.inputs_of("critic")} == paid
    killed.run(6)
    assert not set(second.reviewed) & set(first.reviewed) and not set(second.dueled) & set(first.dueled)
    assert len(killed.store.inputs_of("critic")) == len(paid_in_all)
    assert killed.state.digest() == whole.state.digest()


def test_a_critic_that_takes_its_time_is_shown_every_picture(series):
    critic = slow()
    made = series(world_crew(table(), critic=critic)).run(4)
    made.reopen().run(8)
    assert critic.dueled and not critic.blind


def test_a_critic_that_is_down_leaves_candidates_pending_and_is_asked_again(series):
    critic = slow(lambda n: 0, mute={5, 6})
    made = series(world_crew(table(), critic=critic)).run(2)
    assert made.status(5) == made.status(6) == ("pending", "critic")
    assert not made.placements(5) and not made.placements(6) and made.holder(1) == 7, "nothing is guessed"
    assert not made.store.critiques([5, 6])
    critic.mute = {6}
    made.run(3)
    assert made.status(5) == ("pending", "critic"), "asked again 1 + d cycles later"
    made.run(4)
    assert made.status(5) != ("pending", "critic") and made.status(6) == ("pending", "critic")
    critic.mute = set()
    made.run(10)
    assert {made.status(n)[0] for n in range(1, 40)} <= {"passed", "pending"}
    assert made.status(5) == made.status(6) == ("passed", "")
    assert set(made.store.critiques([5, 6])) == {5, 6}


def test_the_same_inputs_give_the_same_series_whenever_they_were_given(series):
    """What a critic could not say in one cycle and said in a later one, it said in the later one for ever."""
    critic = slow(mute={5, 6, 10, (9, 5)})
    first = series(world_crew(table(), critic=critic)).run(3)
    critic.mute = set()
    first.run(9)
    again = series(world_crew(table(), critic=slow(mute={"all"})))
    for reply in first.store.inputs_of("critic"):
        again.store.add_input("critic", reply.payload, first_cycle=reply.first_cycle)
    again.reopen().run(9)
    assert [again.placements(n) for n in range(1, 37)] == [first.placements(n) for n in range(1, 37)]
    assert again.state.digest() == first.state.digest()


def test_an_immediate_critic_that_is_down_leaves_candidates_pending_too(series):
    critic = RankCritic(lambda n: 0, immediate=True, mute={"all"})
    made = series(world_crew(table(), critic=critic)).run(3)
    assert made.state.statuses["pending"] == 12 and not len(made.state.archive)
    critic.mute = set()
    made.run(4)
    assert made.state.statuses["pending"] == 8, "those of cycle 2 are asked again in 4, those of 1 and 3 in 5"
    made.run(5)
    assert made.state.statuses["pending"] == 0 and len(made.state.archive) == 3


@pytest.mark.parametrize("immediate", [True, False])
def test_a_critic_that_is_down_for_long_costs_the_same_every_cycle_and_nobody_is_forgotten(series, immediate):
    """Of all who wait a few batches are asked about in a cycle; when it answers again, everybody gets a place."""
    asked = Counter()

    class Counting(RankCritic):
        def _hear(self, what):
            asked[what] += 1
            super()._hear(what)

    critic = Counting(lambda n: 0, immediate=immediate, mute={"all"})
    made = series(world_crew(table(), critic=critic)).run(20)
    before = asked.total()
    made.run(40)
    assert made.state.statuses["pending"] == 160
    assert asked.total() - before == 20 * (1 + RETURNING) * 4, "a cycle's own images, and so many batches again"
    made.reopen()
    critic.mute = set()
    made.run(62)
    assert made.state.statuses["pending"] <= 4 * 2 * 2, "those of the last cycles are asked about in the next"


@pytest.mark.parametrize("immediate", [True, False])
def test_a_duel_that_cannot_be_had_leaves_the_place_pending(series, immediate):
    critic = RankCritic(lambda n: {9: 1}.get(n, 0), immediate=immediate, mute={(9, 5)})
    made = series(world_crew(table(), critic=critic)).run(4)
    assert made.placements(9)[0] == (3, "pending", 5, "critic")
    assert made.status(9) == ("pending", "duel") and made.holder(1) == 5
    assert (9, 5) not in critic.dueled
    critic.mute = set()
    made.run(9)
    assert made.status(9) == ("passed", "") and made.placements(9)[-1][1:] == ("won", 5, "critic")


def test_a_candidate_without_critique_is_asked_again_and_then_meets_the_holder(series):
    critic = slow(lambda n: {6: 1}.get(n, 0), mute={6})
    made = series(world_crew(table(), critic=critic)).run(2)
    assert made.status(6) == ("pending", "critic") and made.placements(7)[0] == (2, "pending", 5, "critic")
    critic.mute = set()
    made.run(4)
    # Both return in cycle 4, with duels against the holder as of commit 2; 6 comes first, so that 7 meets another.
    assert made.placements(6) == [(4, "won", 5, "critic")]
    assert made.placements(7)[1:] == [(4, "pending", 6, "critic")]


def test_a_human_s_verdict_settles_a_place_that_waits_for_its_duel(series):
    critic = slow(lambda n: 0)
    made = series(world_crew(table(), rhythm={"pipeline_depth": 3}, critic=critic)).run(2)
    assert made.status(6) == made.status(7) == ("pending", "duel")
    made.answer(made.ask_pair(900, 5, 6), "left", cycle=4)
    made.answer(made.ask_pair(901, 7, 5), "left", cycle=4)
    made.run(4)
    assert made.holder(1) == 7 and made.status(7)[0] == "passed"
    made.run(12)
    assert made.status(6)[0] == "passed" and (6, 5) not in critic.dueled
    assert made.state.digest() == replay(made.store.history()).digest()


def test_a_kept_image_that_waits_for_its_duel_is_settled_too(series):
    traits = table(n5={"quality": 0.3}, **{f"n{n}": {"x": 0.0} for n in (6, 7, 8)})
    made = series(world_crew(traits, gates=QUALITY, critic=slow(lambda n: 0))).run(2)
    made.answer(made.ask_review(900, 5), "keep", cycle=4)
    made.run(4)
    assert made.holder(1) == 9 and made.status(5) == ("pending", "duel")
    made.run(6)
    assert made.placements(5) == [(4, "pending", 9, "critic"), (6, "tie", 9, "critic")]
    assert made.status(5) == ("passed", "")


# ---- overlap without losing determinism --------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("critic", ["immediate", "slow"])
def test_every_depth_is_deterministic(series, depth, critic):
    def plan():
        return crew(
            rhythm=rhythm(pipeline_depth=depth),
            critic=RankCritic(lambda n: n % 5, immediate=critic == "immediate"),
        )

    first, second = series(plan()).run(10), series(plan())
    for cycles in (3, 4, 10):
        second.run(cycles).reopen()
    assert first.state.digest() == second.state.digest()
    assert [first.genomes_of(c) for c in range(1, 11)] == [second.genomes_of(c) for c in range(1, 11)]
    assert len(first.state.archive) > 3


def test_depths_give_different_series(series):
    digests = {series(crew(rhythm=rhythm(pipeline_depth=d))).run(8).state.digest() for d in (0, 1, 3)}
    assert len(digests) == 3


def heard_at(series, depth, cycle):
    """Genomes of every cycle of two runs that differ only in a human's answer heard at one boundary."""
    emitters = {"fresh": all_emitters()["fresh"], "reseed": Reseed()}
    runs = []
    for answered in (False, True):
        plan = world_crew(table(), rhythm={"pipeline_depth": depth, "batch": 8}, emitters=emitters, **IMMEDIATE)
        made = series(plan).run(1)
        question = made.ask_pair(900, 5, 9)
        if answered:
            made.answer(question, "right", cycle=cycle)
        made.run(cycle + depth + 3)
        assert made.holder(1) == (9 if answered else 5)
        runs.append([made.genomes_of(c) for c in range(1, cycle + depth + 4)])
    return runs


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_cycle_s_outcome_reaches_proposals_d_plus_1_cycles_later_and_none_before(series, depth):
    cycle = 6
    without, answered = heard_at(series, depth, cycle)
    changed = [number for number, (a, b) in enumerate(zip(without, answered, strict=True), start=1) if a != b]
    assert changed[0] == cycle + depth + 1


def test_proposals_are_made_from_the_commit_before_the_pipeline(series):
    """The same through the record: parents of cycle k were elites at the commit of k - 1 - d."""
    made = series(crew(rhythm=rhythm(pipeline_depth=2, batch=8), critic=RankCritic(lambda n: n % 5, immediate=True)))
    made.run(14)
    elites_at, state = {0: set()}, replay([])
    for outcome in made.store.history():
        state.apply(outcome)
        elites_at[outcome.cycle] = {state.genomes[e.candidate] for e in state.archive} if state.archive else set()
    later = 0
    for cycle in range(4, 15):
        for candidate in made.store.candidates(cycle=cycle):
            assert set(candidate.genome.parents) <= elites_at[cycle - 3]
            later += bool(candidate.genome.parents)
    assert later > 20 and elites_at[8] != elites_at[10]


# ---- another scorer, kept figures --------------------------------------------------------------------------------


def test_another_embedding_space_is_never_compared_with_the_old_one(series):
    traits = table(n17={"vector": near(5, 0.1), "x": 1.0})
    made = series(world_crew(traits, gates=NOVELTY, **IMMEDIATE)).run(3)

    class Turned(World):
        """The same neighbourhoods in a space of its own, with its axes in another order."""

        def score(self, images, prompts):
            from dataclasses import replace

            readings = super().score(images, prompts)
            return [
                replace(r, embedding=replace(r.embedding, vector=np.roll(r.embedding.vector, 100))) for r in readings
            ]

    made.store.add_input("config", {"banks": {}, "settings": {}}, first_cycle=4)
    made.reopen(scorers=(Turned(traits, space="world-2"),)).run(6)
    assert made.status(17) == ("rejected", "novelty")
    assert made.store.signals([17])[17]["novelty"].value == pytest.approx(0.1, abs=1e-3)
    assert made.status(13)[0] == "passed" and made.store.spaces() == ["world-1", "world-2"]


def test_every_gate_that_failed_or_passed_is_recorded_for_every_measured_candidate(series):
    made = series(crew()).run(6)
    for number, verdicts in made.store.verdicts().items():
        gates = [v.gate for v in verdicts if v.kind == "gate"]
        assert tuple(gates) == GATES, number


def test_the_vectors_of_elites_follow_the_map(series):
    made = series(world_crew(table(), critic=RankCritic(lambda n: n % 6, immediate=True))).run(6)
    elites = sorted(elite.candidate for elite in made.state.archive)
    assert np.array_equal(made.live.elites.vectors(), np.stack([own_direction(n) for n in elites]))
    assert np.array_equal(made.reopen().live.elites.vectors(), np.stack([own_direction(n) for n in elites]))


def test_a_gate_that_is_off_lets_everything_through(series):
    made = series(world_crew(table(n5={"quality": -9.0}), gates=dict.fromkeys(GATES, OFF), **IMMEDIATE)).run(2)
    assert made.state.statuses["passed"] == 8
