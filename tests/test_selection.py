"""Best-of-N: each rule against cases worked out by hand, and selector efficiency against its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gen_emerge.errors import BadInput
from gen_emerge.preference.selection import (
    best_of,
    choose,
    constrained,
    lexicographic,
    pareto,
    pareto_front,
    selector_efficiency,
    weighted_sum,
)

# Reward, prompt. 0: best reward, worst prompt; 1: good at both; 2: best prompt; 3: beaten by 1 in both; 4: equals 1.
TABLE = np.array([[9.0, 0.1], [7.0, 0.6], [2.0, 0.9], [6.0, 0.5], [7.0, 0.6]])


def rng():
    return np.random.default_rng(0)


def test_best_takes_the_largest_and_the_first_of_equals():
    assert best_of(np.array([1.0, 5.0, 5.0])) == 1
    assert choose("best", TABLE) == 0


def test_the_front_holds_exactly_those_whom_nobody_beats():
    assert pareto_front(TABLE).tolist() == [0, 1, 2, 4]
    values = rng().integers(0, 4, (30, 3)).astype(float)
    wanted = [
        i
        for i in range(30)
        if not any((values[j] >= values[i]).all() and (values[j] > values[i]).any() for j in range(30))
    ]
    assert pareto_front(values).tolist() == wanted


def test_pareto_takes_the_all_rounder_of_the_front():
    assert pareto(TABLE) == choose("pareto", TABLE) == 1
    assert pareto(np.array([[3.0, 3.0], [9.0, 9.0], [1.0, 1.0]])) == 1


def test_weights_are_over_standings_so_units_do_not_matter():
    assert weighted_sum(TABLE, [1, 0]) == 0 and weighted_sum(TABLE, [0, 1]) == 2
    scaled = TABLE * [1e-6, 1e9] + [5.0, -3.0]
    for weights in ([1, 1], [1, 3], [5, 2]):
        assert weighted_sum(TABLE, weights) == weighted_sum(scaled, weights)
    assert choose("weighted", TABLE) == weighted_sum(TABLE, [1, 1]) == 1


def test_lexicographic_lets_the_next_signal_speak_within_the_tolerance_only():
    assert lexicographic(TABLE, [0, 0]) == 0
    assert lexicographic(TABLE, [2.5, 0]) == 1
    assert lexicographic(TABLE, [100, 0]) == 2
    assert choose("lexicographic", TABLE) == 0


def test_constrained_optimises_the_last_signal_above_the_floors():
    assert constrained(TABLE, [6.5, None]) == 1
    assert constrained(TABLE, [None, None]) == 2
    assert constrained(TABLE, [8, 0.5]) is None
    assert choose("constrained", TABLE) == 2


@pytest.mark.parametrize("rule", ["best", "weighted", "lexicographic", "constrained", "pareto"])
def test_no_rule_takes_a_candidate_that_another_beats(rule):
    values = rng().normal(size=(40, 12, 3))
    for table in values:
        pick = choose(rule, table)
        column = {"best": [0], "constrained": [2]}.get(rule, [0, 1, 2])
        assert pick in pareto_front(table[:, column])


def test_a_single_candidate_is_chosen_by_every_rule():
    assert [choose(rule, TABLE[:1]) for rule in ("best", "weighted", "lexicographic", "pareto", "constrained")] == [
        0
    ] * 5


def test_efficiency_is_its_definition():
    utilities = [np.array([0.0, 1.0, 5.0]), np.array([2.0, 4.0])]
    found = selector_efficiency([1, 1], utilities, rng=rng())
    # Chosen less random: 1 - 2 and 4 - 3; best less random: 5 - 2 and 4 - 3.
    assert found.value == pytest.approx((-1 + 1) / (3 + 1))
    assert (found.gain, found.possible, found.groups) == (0.0, 2.0, 2)
    assert selector_efficiency([2, 1], utilities, rng=rng()).value == 1.0
    assert selector_efficiency([0, 0], utilities, rng=rng()).value < 0


def test_drawing_lots_is_worth_nothing_on_average():
    draws = np.random.default_rng(4)
    utilities = [draws.normal(size=6) for _ in range(4_000)]
    found = selector_efficiency(draws.integers(0, 6, 4_000).tolist(), utilities, rng=rng())
    assert abs(found.value) < 0.05 and found.low < 0 < found.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    draws = np.random.default_rng(5)

    def groups(count):
        utilities = [draws.normal(size=4) for _ in range(count)]
        return [int(np.argmax(group + draws.normal(size=4))) for group in utilities], utilities

    truth = selector_efficiency(*groups(30_000), rng=rng(), resamples=10).value
    hits = 0
    for _ in range(200):
        found = selector_efficiency(*groups(40), rng=rng(), resamples=300, level=0.9)
        hits += found.low <= truth <= found.high
    assert 0.82 <= hits / 200 <= 0.96


def test_a_better_selector_captures_more():
    draws = np.random.default_rng(6)
    utilities = [draws.normal(size=8) for _ in range(400)]
    shares = [
        selector_efficiency([best_of(u + s * draws.normal(size=8)) for u in utilities], utilities, rng=rng()).value
        for s in (0.2, 1.0, 4.0)
    ]
    assert all(one > other + 0.1 for one, other in itertools.pairwise(shares))


def test_where_there_is_nothing_to_gain_no_share_is_made_up():
    found = selector_efficiency([0, 1], [np.zeros(3), np.ones(2)], rng=rng())
    assert (found.value, found.low, found.high, found.possible) == (None, None, None, 0.0)


def test_what_cannot_be_chosen_from_is_refused():
    for call, words in [
        (lambda: best_of(np.array([])), "nothing to choose from"),
        (lambda: best_of(np.array([1.0, np.nan])), "Signal 1 of candidate 2 is nan"),
        (lambda: weighted_sum(TABLE, [1]), "1 weights"),
        (lambda: weighted_sum(TABLE, [1, -1]), ">= 0"),
        (lambda: weighted_sum(TABLE, [0, 0]), "not all 0"),
        (lambda: lexicographic(TABLE, [-1, 0]), "Tolerances"),
        (lambda: constrained(TABLE, [1]), "1 floors for 2 signals"),
        (lambda: choose("parteo", TABLE), '"pareto"'),
        (lambda: selector_efficiency([], [], rng=rng()), "one group or more"),
        (lambda: selector_efficiency([3], [np.zeros(3)], rng=rng()), r"candidate 3 was chosen of 3"),
    ]:
        with pytest.raises(BadInput, match=words):
            call()
