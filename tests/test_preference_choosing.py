"""Which pairs are asked next: against brute force over the same posterior, and what a round of them promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gen_emerge.errors import BadInput
from gen_emerge.preference import Comparison, Comparisons, choose_pairs, fit_bradley_terry
from gen_emerge.preference.choosing import expected_discordance, mutual_information


def fitted(n, m, *, sd=2.0, seed=0, prior=2.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=sd, size=n)
    left = rng.integers(0, n, m)
    right = (left + 1 + rng.integers(0, n - 1, m)) % n
    outcome = np.where(rng.random(m) < 1 / (1 + np.exp(truth[right] - truth[left])), 1, -1)
    return fit_bradley_terry(Comparisons(left=left, right=right, outcome=outcome), n, prior=prior)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_pairs_are_different_and_their_sides_are_drawn_by_chance():
    fit = fitted(12, 40)
    lefts = 0
    for seed in range(40):
        pairs = choose_pairs(fit, 5, rng=np.random.default_rng(seed))
        assert len({frozenset(pair) for pair in pairs}) == 5
        assert all(a != b and 0 <= a < 12 and 0 <= b < 12 for a, b in pairs)
        assert all(type(item) is int for pair in pairs for item in pair)
        lefts += sum(a < b for a, b in pairs)
    assert 70 <= lefts <= 130  # of 200


def test_the_same_generator_gives_the_same_pairs():
    fit = fitted(12, 40)
    first, again = (choose_pairs(fit, 5, rng=np.random.default_rng(3)) for _ in range(2))
    assert first == again


def test_mutual_information_is_that_of_the_logistic_integrated_numerically():
    gap, variance = np.array([0.0, 1.0, -2.0, 4.0, 0.3]), np.array([0.5, 4.0, 1.0, 9.0, 0.05])
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    chance = logistic(gap[:, None] + np.sqrt(variance)[:, None] * nodes)
    weights = weights / weights.sum()

    def bits(p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    exact = bits(chance @ weights) - bits(chance) @ weights
    np.testing.assert_allclose(mutual_information(gap, variance), exact, atol=0.03)


def test_expected_discordance_is_that_of_posterior_draws():
    fit = fitted(5, 12, seed=2)
    i, j = np.triu_indices(5, 1)
    covariance = fit.covariance(np.arange(5))
    gap = fit.utilities[i] - fit.utilities[j]
    contrast = np.eye(5)[i] - np.eye(5)[j]
    between = contrast @ covariance @ contrast.T
    found = expected_discordance(between.astype(np.float32), gap, np.diag(between), np.arange(10))
    draws = np.random.default_rng(0).multivariate_normal(fit.utilities, covariance, 200_000) @ contrast.T
    for pair in range(10):
        wins = logistic(draws[:, pair])
        expected = 0.0
        for chance in (wins, 1 - wins):
            weight = chance / chance.sum()
            mean = weight @ draws
            spread = np.sqrt(weight @ (draws - mean) ** 2)
            wrong = [0.5 * math.erfc(abs(m) / s / math.sqrt(2)) for m, s in zip(mean, spread, strict=True)]
            expected += chance.mean() * sum(wrong)
        assert found[pair] == pytest.approx(expected, rel=0.02)


def test_a_decided_pair_is_not_asked_while_others_are_open():
    known = [Comparison(0, 1, "left", weight=200), Comparison(0, 2, "left"), Comparison(1, 3, "right")]
    fit = fit_bradley_terry(known, 4, prior=2.0)
    pairs = choose_pairs(fit, 3, rng=np.random.default_rng(0))
    assert {0, 1} not in [set(pair) for pair in pairs]


def test_a_round_spreads_over_items_instead_of_asking_about_the_same_ones():
    nothing = fit_bradley_terry([], 30, prior=1.0)
    pairs = choose_pairs(nothing, 15, rng=np.random.default_rng(1))
    assert len({item for pair in pairs for item in pair}) >= 24


def test_every_pair_can_be_asked_and_more_are_refused():
    fit = fitted(4, 10)
    pairs = choose_pairs(fit, 6, rng=np.random.default_rng(0))
    assert {frozenset(pair) for pair in pairs} == {frozenset((a, b)) for a in range(4) for b in range(a)}
    assert choose_pairs(fit, 0, rng=np.random.default_rng(0)) == []
    for wrong in (7, -1):
        with pytest.raises(BadInput, match=r"wanted 0 \.\. 6"):
            choose_pairs(fit, wrong, rng=np.random.default_rng(0))


def test_a_fit_without_a_prior_is_chosen_from_by_its_differences_alone():
    known = [Comparison(i, (i + 1) % 5, side) for i in range(5) for side in ("left", "right", "right")]
    pairs = choose_pairs(fit_bradley_terry(known, 5, prior=None), 3, rng=np.random.default_rng(0))
    assert len({frozenset(pair) for pair in pairs}) == 3


def test_of_many_items_some_are_looked_at_and_all_have_their_turn():
    fit = fitted(3_000, 2_000, prior=1.0)
    seen = set()
    for seed in range(30):
        pairs = choose_pairs(fit, 5, rng=np.random.default_rng(seed))
        assert len({frozenset(pair) for pair in pairs}) == 5
        seen.update(item for pair in pairs for item in pair)
    assert len(seen) > 150


def test_choosing_needs_far_fewer_judgements_than_chance():
    n, chosen, by_chance = 20, [], []
    i, j = np.triu_indices(n, 1)
    for seed in range(12):
        for taus, strategy in ((chosen, True), (by_chance, False)):
            rng = np.random.default_rng(seed)
            truth = rng.normal(scale=2.0, size=n)
            asked = []
            for _ in range(20):
                fit = fit_bradley_terry(asked, n, prior=2.0)
                pairs = (
                    choose_pairs(fit, 5, rng=rng) if strategy else [rng.choice(n, 2, replace=False) for _ in "12345"]
                )
                for a, b in pairs:
                    left = rng.random() < logistic(truth[a] - truth[b])
                    asked.append(Comparison(int(a), int(b), "left" if left else "right"))
            found = fit_bradley_terry(asked, n, prior=2.0).utilities
            taus.append(np.mean(np.sign(found[i] - found[j]) == np.sign(truth[i] - truth[j])))
    assert np.mean(chosen) > np.mean(by_chance) + 0.02
