"""Signals that moved are named, with their moment; signals that did not are left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.calibration.alarms import least_vendi, narrowing, taste_shift
from gen_emerge.calibration.drift import Watch, find_shifts, sizes
from gen_emerge.calibration.rates import RateWatch
from gen_emerge.setmetrics.diversity import vendi_score


def moved(*, at=1000, size=0.5, spread=1.0, count=1500, seed=0):
    values = np.random.default_rng(seed).normal(size=count)
    values[at:] = values[at:] * spread + size
    return values


@pytest.mark.parametrize("at", [600, 1500])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_level_that_moves_is_named_soon_and_with_its_moment(at, sign):
    (shift,) = find_shifts(moved(at=at, size=sign * 0.8, count=at + 300))
    assert shift.what == "level" and np.sign(shift.score) == sign
    assert at < shift.named <= at + 120 and abs(shift.since - at) <= 40


def test_what_is_named_does_not_depend_on_what_comes_later():
    values = moved(size=0.8)
    (shift,) = find_shifts(values)
    assert find_shifts(values[: shift.named]) == [shift]
    assert find_shifts(values[: shift.named - 1]) == []


@pytest.mark.parametrize("digits", [1, 9])
def test_the_portions_in_which_images_come_decide_nothing_and_neither_does_a_restart(digits):
    rng = np.random.default_rng(5)
    for at in (450, 1300, 2600):
        values = np.round(moved(at=at, size=0.7, count=4000, seed=at), digits)
        at_once = find_shifts(values)
        assert at_once
        watch, found, done = Watch(), [], 0
        while done < len(values):
            portion = int(rng.integers(1, 40))
            found += watch.extend(values[done : done + portion])
            done += portion
            if rng.random() < 0.2:  # all it remembers follows from its regime's images
                watch = Watch(values[watch.start : done], start=watch.start)
        assert found == at_once


def test_flags_may_come_in_any_portions_too():
    rng = np.random.default_rng(6)
    flags = np.concatenate([rng.random(1500) < 0.1, rng.random(600) < 0.3, rng.random(900) < 0.05])
    at_once = RateWatch().extend(flags)
    assert len(at_once) == 2
    watch, found, done = RateWatch(), [], 0
    while done < len(flags):
        portion = int(rng.integers(1, 40))
        found += watch.extend(flags[done : done + portion])
        done += portion
        if rng.random() < 0.2:
            watch = RateWatch(flags[watch.start : done], start=watch.start)
    assert found == at_once


def test_flags_of_batches_that_are_alike_do_not_look_like_a_shift():
    rng = np.random.default_rng(12)
    rates = [np.repeat(rng.beta(0.5, 4.5, size=500), 8) for _ in range(6)]
    assert [RateWatch().extend(rng.random(4000) < rate) for rate in rates] == [[]] * 6


def test_a_shift_says_how_far_the_signal_moved_in_its_own_unit():
    (shift,) = find_shifts(0.3 + 0.02 * moved(size=0.8))
    assert shift.before == pytest.approx((0.3, 0.02), abs=0.002)
    assert shift.after[0] - shift.before[0] == pytest.approx(0.016, abs=0.005)


def test_a_spread_that_grows_is_named_as_one():
    (shift,) = find_shifts(moved(size=0.0, spread=2.0))
    assert shift.what == "spread" and shift.score > 0


def test_every_regime_has_a_reference_of_its_own():
    values = np.random.default_rng(4).normal(size=3000)
    values[1000:] += 1.0
    values[2000:] += 1.0
    first, second = find_shifts(values)
    assert abs(first.since - 1000) < 40 and abs(second.since - 2000) < 40
    assert sizes(values, [first.since, second.since]) == pytest.approx([1.0, 1.0], abs=0.15)


def test_neither_the_unit_nor_the_shape_of_a_signal_matters():
    def moments(values):
        return [(s.what, s.named, s.since, s.score) for s in find_shifts(values)]

    values = moved(size=0.8)
    assert moments(np.exp(3 * values) * 1e-6) == moments(values)


def test_a_still_signal_and_a_constant_one_raise_nothing():
    assert find_shifts(moved(size=0.0, count=4000)) == []
    assert find_shifts(np.zeros(3000)) == []
    assert find_shifts((np.random.default_rng(9).random(3000) < 0.1).astype(float)) == []


def test_a_constant_that_jumps_has_moved():
    assert abs(find_shifts(np.repeat([1.0, 2.0], 400))[0].since - 400) < 20


def test_batches_that_are_alike_do_not_look_like_drift():
    rng = np.random.default_rng(11)
    rows = [np.repeat(rng.normal(size=375), 8) * 0.32 + 0.95 * rng.normal(size=3000) for _ in range(6)]
    assert [find_shifts(row) for row in rows] == [[]] * 6


# ---- rates, taste, variety ---------------------------------------------------------------------------------------


def test_a_review_rate_that_rises_is_named():
    rng = np.random.default_rng(1)
    flags = np.concatenate([rng.random(500) < 0.1, rng.random(200) < 0.4])
    found = RateWatch().extend(flags)[0]
    assert 500 < found.named <= 580 and abs(found.since - 500) < 40
    assert found.before < 0.15 and found.after > 0.3
    assert RateWatch().extend(rng.random(3000) < 0.1) == []


def test_agreement_that_falls_is_named_after_few_answers():
    flags = np.concatenate([np.random.default_rng(0).random(60) < 0.85, np.zeros(24, dtype=bool)])
    found = RateWatch(least=40, every=1).extend(flags)[0]
    assert found.score < 0 and found.named < 80


def test_taste_that_turned_is_told_from_noise():
    rng = np.random.default_rng(2)
    truth, errors = rng.normal(0, 2, 20), np.full(20, 0.5)
    early, late = (truth + rng.normal(0, 0.5, 20) for _ in range(2))
    assert taste_shift(early, errors, late + 7.0, errors).p > 0.05
    late[4] -= 5.0
    found = taste_shift(early, errors, late, errors)
    assert found is not None and found.moved[0][0] == 4 and found.moved[0][1] < -3


def test_a_series_narrows_when_two_signs_agree():
    rng = np.random.default_rng(3)
    wide, close = rng.normal(0.6, 0.02, 50), rng.normal(0.4, 0.02, 25)
    many, few = rng.poisson(3.0, 50), np.zeros(25)
    found = narrowing([*wide, *close], [*many, *few], [(40, 10.0), (40, 11.0), (40, 12.0)])
    assert found is not None and found.signs == ("self-similarity is up", "fewer new cells") and found.since == 50
    assert narrowing([*wide, *rng.normal(0.6, 0.02, 25)], [*many, *few], [(40, 10.0), (40, 11.0), (40, 12.0)]) is None
    assert narrowing([*wide, *close], [*many, *rng.poisson(3.0, 25)], [(40, 10.0), (40, 12.0), (40, 9.0)]) is not None
    assert narrowing(list(close), list(few), [(40, 10.0), (40, 12.0), (40, 9.0)]) is None


def test_a_series_that_opens_no_cells_any_more_narrows_by_self_similarity_alone():
    rng = np.random.default_rng(4)
    wide, somewhat, far = rng.normal(0.6, 0.02, 50), rng.normal(0.58, 0.02, 25), rng.normal(0.5, 0.02, 25)
    found = narrowing([*wide, *far], np.zeros(75), [])
    assert found is not None and found.signs == ("self-similarity is up",) and abs(found.since - 50) <= 1
    assert narrowing([*wide, *somewhat], np.zeros(75), []) is None


def test_a_map_that_fills_with_images_between_others_has_lost_nothing():
    """Images that differ may lower the score: what they can do to it is allowed for, what is lost to others is not."""
    rng = np.random.default_rng(6)

    def scores(vectors, counts):
        return [(n, vendi_score(vectors[:n])) for n in counts]

    apart = np.eye(40, dtype=np.float32)
    between = np.ones((100, 40), dtype=np.float32) + rng.normal(0, 0.2, (100, 40)).astype(np.float32)
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    filling = scores(np.concatenate([apart, between]), (30, 40, 140))
    assert filling[-1][1] < 0.5 * filling[1][1], "the score falls, though all that was there still is"
    distances, new_cells = rng.normal(0.6, 0.02, 75), [*rng.poisson(3.0, 50), *np.zeros(25)]
    assert narrowing(distances, new_cells, filling) is None
    replaced = [(30, filling[0][1]), (40, filling[1][1]), (40, vendi_score(np.concatenate([apart[:20], between[:20]])))]
    found = narrowing(distances, new_cells, replaced)
    assert found is not None and found.signs == ("fewer new cells", "the Vendi score is down")


def test_adding_never_takes_a_vendi_score_below_its_bound():
    rng = np.random.default_rng(7)
    for _ in range(200):
        vectors = rng.normal(rng.normal(size=6), rng.uniform(0.05, 2), (30, 6)).astype(np.float32)
        vectors[rng.integers(2, 30) :] = rng.normal(size=6) + rng.normal(0, 0.1, 6)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        counts = np.sort(rng.choice(np.arange(2, 31), 4, replace=False))
        scores = [(int(n), vendi_score(vectors[:n])) for n in counts]
        assert scores[-1][1] >= least_vendi(scores) - 1e-4
    two = np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5]], dtype=np.float32)
    assert vendi_score(two) == pytest.approx(1.89, abs=0.01) and vendi_score(two[:2]) == pytest.approx(2)
