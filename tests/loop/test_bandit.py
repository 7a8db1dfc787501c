"""The bandit: finds the better emitter, forgets in time, never starves one."""

from __future__ import annotations

from collections import Counter

import pytest

from gen_emerge.chance import draw
from gen_emerge.emitters.bandit import DISCOUNT, FLOOR, Bandit

NAMES = ["good", "bad"]


def play(bandit, chances, *, cycles, names=NAMES, batch=8, first=1, seed=1):
    """Choose and learn; gives how often each was chosen in every cycle."""
    chosen = []
    for cycle in range(first, first + cycles):
        picks = [bandit.choose(names, draw(seed, cycle, slot, "bandit")) for slot in range(batch)]
        luck = draw(seed, cycle, 0, "luck")
        bandit.learn([(pick, "new" if luck.random() < chances[pick] else None) for pick in picks])
        chosen.append(Counter(picks))
    return chosen


def share(cycles, name):
    return sum(cycle[name] for cycle in cycles) / sum(cycle.total() for cycle in cycles)


def test_it_comes_to_prefer_the_better_of_two():
    chosen = play(Bandit(), {"good": 0.5, "bad": 0.1}, cycles=150)
    assert 0.3 < share(chosen[:1] + play(Bandit(), {"good": 0.5, "bad": 0.1}, cycles=1, seed=2), "good") < 0.9
    assert share(chosen[50:], "good") > 0.85


def test_which_of_the_two_is_named_first_makes_no_difference():
    chosen = play(Bandit(), {"good": 0.5, "bad": 0.1}, cycles=150, names=["bad", "good"])
    assert share(chosen[50:], "good") > 0.85


def test_two_that_are_equal_share_the_budget():
    assert 0.3 < share(play(Bandit(), {"good": 0.3, "bad": 0.3}, cycles=300), "good") < 0.7


def test_every_emitter_keeps_its_floor():
    names = ["best", "b", "c", "d", "e", "f"]
    chances = dict.fromkeys(names, 0.0) | {"best": 0.9}
    chosen = play(Bandit(), chances, cycles=400, names=names)[100:]
    for name in names[1:]:
        assert share(chosen, name) > 0.8 * FLOOR
    assert share(chosen, "best") == pytest.approx(1 - 5 * FLOOR, abs=0.05)


def test_it_follows_when_the_other_becomes_the_better_one():
    bandit = Bandit()
    play(bandit, {"good": 0.5, "bad": 0.05}, cycles=300)
    chosen = play(bandit, {"good": 0.05, "bad": 0.5}, cycles=200, first=301)
    assert share(chosen[:3], "good") > 0.5
    assert share(chosen[120:], "bad") > 0.8


def test_what_was_learned_fades_and_the_totals_do_not():
    bandit = Bandit()
    bandit.learn([("good", "new"), ("good", "won"), ("good", None)])
    for _ in range(34):
        bandit.learn([])
    credit = bandit.credits["good"]
    assert credit.tries == pytest.approx(3 * DISCOUNT**34) and credit.wins == pytest.approx(2 * DISCOUNT**34)
    assert credit.wins == pytest.approx(1.0, abs=0.02)
    assert (credit.total_tries, credit.total_opened, credit.total_won) == (3, 1, 1)


@pytest.mark.parametrize("outcome", [None, "lost", "tie", "pending"])
def test_only_a_cell_opened_or_won_is_a_reward(outcome):
    bandit = Bandit()
    bandit.learn([("good", outcome)])
    assert (bandit.credits["good"].tries, bandit.credits["good"].wins) == (1, 0)


def test_a_late_win_is_a_win_and_no_further_try():
    bandit = Bandit()
    bandit.learn([("good", None)])
    bandit.learn([("bad", "new")], late=[("good", "won"), ("never seen", "new")])
    good, bad, late = (bandit.credits[name] for name in ("good", "bad", "never seen"))
    assert (good.tries, good.wins) == (DISCOUNT, 1.0), "the try fades, the win is today's"
    assert (good.total_tries, good.total_opened, good.total_won) == (1, 0, 1)
    assert (bad.tries, bad.wins, bad.total_opened) == (1, 1, 1)
    assert (late.tries, late.wins, late.total_tries, late.total_opened) == (0, 1, 0, 1)


def test_the_same_record_and_the_same_draw_give_the_same_choice():
    runs = [play(Bandit(), {"good": 0.4, "bad": 0.2}, cycles=40) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] != play(Bandit(), {"good": 0.4, "bad": 0.2}, cycles=40, seed=2)


def test_choosing_changes_nothing_it_has_learned():
    bandit = Bandit()
    bandit.learn([("good", "new")])
    before = {name: (c.tries, c.wins) for name, c in bandit.credits.items()}
    for slot in range(50):
        bandit.choose([*NAMES, "never seen"], draw(1, 1, slot, "bandit"))
    assert {name: (c.tries, c.wins) for name, c in bandit.credits.items()} == before
