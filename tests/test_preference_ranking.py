"""Who is sure to win, and who is ranked first, as a function of the duels alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gen_emerge.preference import DuelPreference, from_ranking
from gen_emerge.preference import duel_table as table
from gen_emerge.preference import ranking as module
from gen_emerge.preference.judges import TRIED, critic_weight, weight_of
from gen_emerge.types import Duel


def duel(left, right, outcome="left", judge="measured-1", question="quality", **more):
    return Duel(left=left, right=right, question=question, outcome=outcome, judge=judge, **more)


def told(duels, **options):
    model = DuelPreference(**options)
    for each in duels:
        model.add(each)
    return model


def verdicts_of_a_rater(count, *, sd, seed=0, items=12):
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=sd, size=items)
    for _ in range(count):
        a, b = (int(i) for i in rng.choice(items, 2, replace=False))
        won = rng.random() < 1 / (1 + math.exp(truth[b] - truth[a]))
        yield duel(a + 100, b + 100, "left" if won else "right", "human:ann")


def test_nothing_is_known_before_the_first_duel():
    model = DuelPreference()
    assert model.best() is None and model.sure(1, 2) is None and model.held_out() is None


def test_a_humans_verdict_is_sure_from_both_sides():
    model = told([duel(1, 2, "left", "human:ann")])
    assert model.sure(1, 2) == "left" and model.sure(2, 1) == "right"


def test_a_critics_verdict_is_not_sure():
    assert told([duel(1, 2)] * 50).sure(1, 2) is None


def test_a_raters_last_verdict_counts_and_raters_vote():
    changed = [duel(1, 2, "left", "human:ann"), duel(2, 1, "left", "human:ann")]
    assert told(changed).sure(1, 2) == "right"
    votes = [duel(1, 2, "left", f"human:{n}") for n in ("ann", "bob")] + [duel(1, 2, "right", "human:cy")]
    assert told(votes).sure(1, 2) == "left"


def test_a_humans_tie_leaves_the_incumbent_whoever_that_is():
    model = told([duel(1, 2, "tie", "human:ann")])
    assert model.sure(1, 2) == "right" and model.sure(2, 1) == "right"


def test_adherence_is_another_question_and_counts_for_nothing_here():
    model = told([duel(1, 2, "left", "human:ann", question="adherence")])
    assert model.sure(1, 2) is None and model.best() is None


def test_the_best_is_who_wins_and_the_older_of_equals():
    assert told([duel(5, 3), duel(5, 9)]).best() == 5
    assert told([duel(9, 3, "tie"), duel(7, 3, "tie")]).best() == 3


def test_the_best_may_be_asked_for_among_some_only():
    model = told([duel(5, 3), duel(3, 9)])
    assert model.best(among=[3, 9]) == 3
    assert model.best(among=[9, 42]) == 9
    assert model.best(among=[42]) is None


def test_one_lucky_win_does_not_beat_a_long_record():
    record = [duel(1, other) for other in range(10, 22)] + [duel(2, 30)]
    assert told(record).best() == 1


def test_a_human_outweighs_a_critic():
    assert told([duel(1, 2), duel(1, 2), duel(2, 1, "left", "human:ann")]).best() == 2
    assert told([duel(1, 2)] * 9 + [duel(2, 1, "left", "human:ann")]).best() == 1


def test_the_fit_is_believed_only_after_it_predicted_unseen_verdicts():
    steady = list(verdicts_of_a_rater(200, sd=2.5))
    early, late = told(steady[: module.HELD_OUT_LEAST - 1]), told(steady)
    assert not early.believed and late.believed
    assert late.held_out()[0] < math.log(2) and late.held_out()[1] > math.log(20)
    fresh = [(a, b) for a in range(100, 112) for b in range(100, 112) if a != b and late._direct(a, b) is None]
    settled = {(a, b): late.sure(a, b, probability=0.6) for a, b in fresh}
    for (a, b), side in settled.items():
        assert settled[b, a] == {"left": "right", "right": "left", None: None}[side]


def test_the_fit_settles_a_pair_nobody_judged_once_it_is_believed():
    verdicts = [d for d in verdicts_of_a_rater(300, sd=3.0) if {d.left, d.right} != {100, 101}]
    model = told(verdicts)
    ranked = sorted(range(100, 112), key=lambda i: -sum(
        (d.left == i) == (d.outcome == "left") for d in verdicts if i in (d.left, d.right)
    ) / sum(i in (d.left, d.right) for d in verdicts))  # fmt: skip
    best, worst = ranked[0], ranked[-1]
    unseen = told([d for d in verdicts if {d.left, d.right} != {best, worst}])
    assert unseen.believed
    assert unseen.sure(best, worst) == "left" and unseen.sure(worst, best) == "right"
    assert unseen.sure(best, worst, probability=0.9999) is None
    assert model.best() in ranked[:3]


def test_a_rater_who_answers_at_random_makes_the_fit_no_judge():
    assert not told(verdicts_of_a_rater(300, sd=0.0)).believed


def test_of_many_raters_who_answer_at_random_one_in_twenty_is_ever_believed_at_most():
    """Whenever it is looked at: the chance does not add up over looks."""
    ever = 0
    for seed in range(60):
        lost = [each.loss for each in foretold(verdicts_of_a_rater(150, sd=0.0, seed=seed))]
        won = np.cumsum(math.log(2) - np.array(lost))
        ever += bool((won[module.HELD_OUT_LEAST - 1 :] >= module.BELIEF).any())
    assert ever <= 6  # of 60 tossing coins 3 at most are expected


def foretold(duels):
    model = told(duels)
    model.held_out()
    return model._foretold


# ---- what each judge counts for ----------------------------------------------------------------------------------


def series(seed, *, people, critic, items=40, duels=300, verdicts=120):
    """Duels of a critic and people's verdicts, mixed; `people` and `critic`: how far their taste is the truth's."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=2.0, size=items)
    judges = [("measured-1", critic)] * duels + [
        (f"human:{name}", share) for _ in range(verdicts // len(people)) for name, share in people.items()
    ]
    tastes = {judge: s * truth + math.sqrt(1 - s * s) * rng.normal(scale=2.0, size=items) for judge, s in judges}
    for place in rng.permutation(len(judges)):
        judge, share = judges[place]
        a, b = (int(i) for i in rng.choice(items, 2, replace=False))
        gap = tastes[judge][a] - tastes[judge][b] if share or judge == "measured-1" else 0.0
        yield duel(a, b, "left" if rng.random() < 1 / (1 + math.exp(-gap)) else "right", judge)


def test_a_critic_counts_for_as_much_as_it_foretells_people():
    alike = [told(series(seed, people={"ann": 1.0}, critic=1.0)).weights["measured-1"] for seed in range(4)]
    contrary = [told(series(seed, people={"ann": 1.0}, critic=-1.0)).weights["measured-1"] for seed in range(4)]
    assert (
        sum(alike) / 4 > 0.5
        and min(alike) > 0.25
        and max(alike) <= 1.0
        and min(TRIED) <= min(contrary)
        and max(contrary) < 0.2
    )


def test_before_people_have_said_enough_a_critic_counts_for_what_is_stated():
    few = [*series(0, people={"ann": 1.0}, critic=1.0, verdicts=9)]
    assert told(few).weights == {} and weight_of("measured-1", {}) == 0.25 and weight_of("human:ann", {}) == 1.0
    assert critic_weight(dict.fromkeys(TRIED, 12.0)) == pytest.approx(0.25)
    assert critic_weight({**dict.fromkeys(TRIED, 90.0), 1.0: 0.0}) == pytest.approx(1.0)
    assert critic_weight({**dict.fromkeys(TRIED, 90.0), 1 / 64: 0.0}) == pytest.approx(1 / 64, rel=0.3)


def test_of_two_critics_each_has_its_own_weight():
    duels = [*series(3, people={"ann": 1.0}, critic=1.0)]
    coins = [replace(each, judge="coin-1", outcome=("left", "right")[k % 2]) for k, each in enumerate(duels)]
    weights = told([each for pair in zip(duels, coins, strict=True) for each in pair]).weights
    assert weights["measured-1"] > 0.5 and weights["coin-1"] < 0.2


def test_whoever_answers_at_random_counts_for_less_and_nobody_for_more_than_a_verdict():
    weights = told(series(1, people={"ann": 1.0, "bob": 1.0, "cy": 0.0}, critic=1.0, verdicts=240)).weights
    assert weights["human:cy"] < 0.5 < weights["human:ann"] <= 1.0 and 0.5 < weights["human:bob"] <= 1.0


def test_one_person_alone_has_nobody_to_differ_from():
    assert "human:ann" not in told(series(2, people={"ann": 1.0}, critic=1.0)).weights


def test_the_order_follows_people_and_not_a_critic_who_contradicts_them():
    duels = [*series(5, people={"ann": 1.0}, critic=-1.0, duels=600)]
    people, both = told([d for d in duels if d.by_human]), told(duels)
    theirs, order = people.ranked(range(40)), both.ranked(range(40))
    assert len(set(theirs[:10]) & set(order[:10])) >= 7 and not set(theirs[-10:]) & set(order[:10])


def test_a_copy_goes_on_by_itself():
    duels = [*series(6, people={"ann": 1.0, "bob": 0.5}, critic=0.5)]
    first = told(duels[:200])
    twin = first.copy()
    for each in duels[200:]:
        twin.add(each)
    whole, before = told(duels), told(duels[:200])
    assert twin.held_out() == whole.held_out() and twin.weights == whole.weights
    assert first.held_out() == before.held_out() and first.best() == before.best()
    first.add(duels[200])
    assert first.held_out() == told(duels[:201]).held_out()


@pytest.mark.parametrize("place", [0, 150, 300, 419])
def test_a_withdrawn_verdict_taught_nothing_of_judges_either(place):
    duels = [*series(7, people={"ann": 1.0, "bob": 0.3}, critic=0.4)]
    said = [n for n, each in enumerate(duels) if each.by_human]
    gone = duels[min(said, key=lambda n: abs(n - place))]
    last = max(n for n, each in enumerate(duels) if each == gone)
    model, without = told(duels), told([*duels[:last], *duels[last + 1 :]])
    model.best()
    model.add(replace(gone, purpose="withdrawn"))
    assert model.held_out() == without.held_out() and model.weights == without.weights
    assert model._fitted().utilities.tobytes() == without._fitted().utilities.tobytes()


def test_taking_back_the_last_answer_does_not_go_through_the_history_again(monkeypatch):
    duels = [*series(8, people={"ann": 1.0}, critic=0.4)]
    model = told(duels)
    model.best()
    fits = []
    fit = table.fit_bradley_terry
    monkeypatch.setattr(table, "fit_bradley_terry", lambda *a, **k: fits.append(a) or fit(*a, **k))
    last = next(each for each in reversed(duels) if each.by_human)
    model.add(replace(last, purpose="withdrawn"))
    model.best()
    model.held_out()
    assert 1 <= len(fits) <= 3


def test_critics_alone_never_make_the_fit_a_judge():
    duels = [duel(d.left, d.right, d.outcome) for d in verdicts_of_a_rater(300, sd=3.0)]
    assert not told(duels).believed


def test_repeated_control_pairs_are_no_evidence_for_the_fit():
    controls = [duel(d.left, d.right, d.outcome, d.judge, attention=True) for d in verdicts_of_a_rater(300, sd=3.0)]
    assert told(controls).held_out() is None


@pytest.mark.parametrize("asked_after", [1, 7, 50])
def test_asking_in_between_changes_no_answer(asked_after):
    duels = [*verdicts_of_a_rater(60, sd=1.5, seed=3), *(duel(a, a + 1) for a in range(100, 111))]
    quiet, asked = told(duels), DuelPreference()
    for number, each in enumerate(duels):
        asked.add(each)
        if number % asked_after == 0:
            asked.best()
            asked.sure(100, 105)
    assert asked.best() == quiet.best() and asked.held_out() == quiet.held_out()
    assert asked._fitted().utilities.tobytes() == quiet._fitted().utilities.tobytes()


@pytest.mark.parametrize("place", [0, 7, 44, 59])
def test_a_withdrawn_verdict_is_as_if_it_had_never_been_said(place):
    duels = [*verdicts_of_a_rater(60, sd=1.5, seed=3), *(duel(a, a + 1) for a in range(100, 111))]
    gone = duels[place]
    # The same verdict may have been said more than once: the last one goes.
    last = max(n for n, each in enumerate(duels) if each == gone)
    model, without = told(duels), told([*duels[:last], *duels[last + 1 :]])
    model.best()
    model.add(replace(gone, purpose="withdrawn", seconds=3.0))
    assert model.best() == without.best() and model.held_out() == without.held_out()
    assert model._fitted().utilities.tobytes() == without._fitted().utilities.tobytes()
    assert model.sure(gone.left, gone.right) == without.sure(gone.left, gone.right)


def test_an_answer_said_anew_counts_once():
    said = duel(1, 2, "left", "human:ann", purpose="round")
    model = told([said, replace(said, purpose="withdrawn"), replace(said, outcome="right")])
    assert model.sure(1, 2) == "right" and model.best() == 2
    model.add(replace(said, outcome="right", purpose="withdrawn"))
    assert model.sure(1, 2) is None and model.best() is None


def test_a_withdrawal_of_what_was_never_said_changes_nothing():
    model = told([duel(1, 2, "left", "human:ann"), duel(1, 2, "left", "human:bob", purpose="withdrawn")])
    assert model.sure(1, 2) == "left"


def test_the_pairs_of_a_ranking_are_learned_from_and_earn_no_belief():
    """One ranking of ten is 45 pairs, and whoever has seen some of them foretells the rest."""
    pairs = from_ranking(list(range(1, 11)))
    ranked = [duel(p.left, p.right, p.outcome, "human:ann", order="ranking", purpose="round") for p in pairs]
    model = told(ranked)
    assert model.best() == 1 and model.sure(2, 7) == "left"
    assert model.held_out() is None and not model.believed
    apart = told([replace(each, order="single") for each in ranked])
    assert apart.held_out() is not None and apart.best() == 1
    assert told([*ranked, *(replace(each, purpose="withdrawn") for each in ranked)]).best() is None


def test_a_pair_asked_again_teaches_nothing():
    first = duel(1, 2, "left", "human:ann")
    again = duel(2, 1, "left", "human:ann", attention=True)
    assert told([first, again]).sure(1, 2) == "left"
    assert told([first, again]).best() == 1 == told([first]).best()
    assert told([first, again, replace(again, purpose="withdrawn")]).sure(1, 2) == "left"
