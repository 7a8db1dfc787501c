"""What each judge counts for, learned in the loop: recorded once it changes, replayed, and used for the next round."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from loop_crew import NO_GATES, RankCritic, Traits, crew, edges, world_crew

from gen_emerge.hearing import ask
from gen_emerge.preference import rounds
from gen_emerge.state import replay
from gen_emerge.types import JUDGES


def plan():
    """A critic to whom the newer image is always the better one."""
    critic = RankCritic(lambda n: min(n, 11), immediate=True)
    return world_crew(lambda n: Traits(x=edges(n) if n <= 4 else 0.5), gates=NO_GATES, critic=critic)


def contradicted(made, *, raters=("anna",), cycles=9):
    """People say that the older of two is the better one; of two raters the second answers by turns."""
    made.run(3)
    pairs = iter(combinations(range(1, 13), 2))
    for cycle in range(4, 4 + cycles):
        for number in range(4):
            left, right = next(pairs)
            question = made.ask_pair(cycle * 10 + number, left, right)
            for place, rater in enumerate(raters):
                made.answer(question, "left" if not place or number % 2 else "right", rater=rater, cycle=cycle)
        made.run(cycle)
    return made


def told(made):
    return [(r.cycle, e.payload["weights"]) for r in made.records for e in r.events if e.kind == JUDGES]


def test_a_critic_whom_people_contradict_comes_to_weigh_less_and_that_is_said_once(series):
    made = contradicted(series(plan()))
    (name,) = {judge for _, weights in told(made) for judge in weights}
    assert name == made.crew.critic.name
    weights = [each[name] for _, each in told(made)]
    assert weights and weights[-1] < 0.25 and len(weights) == len(set(weights))
    assert made.state.weights == {name: weights[-1]} == dict(made.live.preference.weights)
    event = next(e for r in made.records for e in r.events if e.kind == JUDGES)
    assert event.message == (
        f"Where one person's verdict counts as 1, these count as: a duel of the critic {name} {weights[0]:.2g}."
    )


def test_weights_are_replayed_and_go_on_after_a_restart(series):
    made = contradicted(series(plan()), raters=("anna", "bob"))
    made.run(made.state.cycle + 1)  # which says what the last one taught
    assert {"human:anna", "human:bob"} <= set(made.state.weights)
    assert made.state.weights["human:bob"] < made.state.weights["human:anna"] <= 1.0
    again = replay(made.store.history())
    assert again.weights == made.state.weights and again.digest() == made.state.digest()
    before = told(made)
    made.reopen()
    assert dict(made.live.preference.weights) == dict(made.state.weights) == again.weights
    made.run(made.state.cycle + 3)
    assert told(made) == before


def test_a_round_is_chosen_under_these_weights(series, monkeypatch):
    made = contradicted(series(plan()))
    given = []
    fitted = rounds.Fitted
    monkeypatch.setattr(rounds, "Fitted", lambda *a: given.append(a[2]) or fitted(*a))
    ask(
        "pairs",
        made.state,
        made.store,
        number=99,
        cycle=made.state.cycle,
        reason="request",
        rng=np.random.default_rng(1),
        earlier=(),
        answers=(),
    )
    assert given == [made.state.weights] and given[0]


def test_while_nobody_has_said_enough_nothing_is_said(series):
    made = series(crew()).run(6)
    assert told(made) == [] and made.state.weights == {}
