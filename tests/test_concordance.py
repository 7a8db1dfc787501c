"""Agreement between judges, against published tables and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gen_emerge.concordance import (
    bootstrap,
    cohen_kappa,
    icc_2k,
    icc_of_ranks,
    kendall,
    krippendorff_alpha,
    places,
    power_to_tell,
    rank_interval,
    rounds_to_tell,
    spearman,
    spearman_drawn,
)
from gen_emerge.errors import BadInput

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
_ = math.nan
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
).T


def test_the_published_intraclass_correlation_is_reproduced():
    assert round(icc_2k(SHROUT_FLEISS), 4) == 0.6201


def test_of_two_orders_it_follows_from_how_far_their_ranks_are_alike():
    rng = np.random.default_rng(5)
    for n in (4, 10, 30):
        one, other = (stats.rankdata(rng.integers(0, n, n)) for _ in range(2))
        both = np.stack([one, other], axis=1)
        a, b = (both - (n + 1) / 2).T
        assert icc_of_ranks(2 * a @ b / (a @ a + b @ b), n) == pytest.approx(icc_2k(both), nan_ok=True)


def test_krippendorffs_own_example_is_reproduced_with_its_gaps():
    wanted = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
    assert {level: round(krippendorff_alpha(KRIPPENDORFF, level), 3) for level in wanted} == wanted


def test_cohens_kappa_of_the_published_table():
    one = np.repeat(["yes", "yes", "no", "no"], [20, 5, 10, 15])
    other = np.repeat(["yes", "no", "yes", "no"], [20, 5, 10, 15])
    assert round(cohen_kappa(one, other), 4) == 0.4
    assert math.isnan(cohen_kappa(one[:20], other[:20]))


def test_rank_correlations_agree_with_scipy_ties_included():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 25).astype(float), rng.integers(0, 6, 25).astype(float)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)
    assert math.isnan(spearman(a, np.ones(25))) and math.isnan(kendall(a, np.ones(25)))


def test_what_is_drawn_twice_is_two_items_with_equal_values():
    rng = np.random.default_rng(6)
    one, other, times = rng.normal(size=30), rng.integers(0, 9, 30).astype(float), rng.integers(0, 4, 30)
    wanted = stats.spearmanr(np.repeat(one, times), np.repeat(other, times)).statistic
    assert spearman_drawn(places(one), places(other), times.astype(float)) == pytest.approx(wanted)


@pytest.mark.parametrize("of", ["spearman", "kendall"])
def test_the_interval_of_a_ranking_of_ten_holds_what_it_promises(of):
    rng = np.random.default_rng(1)
    measure = {"spearman": spearman, "kendall": kendall}[of]
    rho = 0.6
    true = {"spearman": 6 / math.pi * math.asin(rho / 2), "kendall": 2 / math.pi * math.asin(rho)}[of]
    held, widths = 0, []
    for _ in range(600):
        a = rng.normal(size=10)
        b = rho * a + math.sqrt(1 - rho * rho) * rng.normal(size=10)
        found = rank_interval(measure(a, b), 10, of=of)
        held += found.low <= true <= found.high
        widths.append(found.high - found.low)
    assert 0.925 <= held / 600 <= 0.985
    assert 0.6 < np.mean(widths) < 1.1  # about +-0.5: nothing should act on one round


def test_a_perfect_order_of_ten_is_no_certainty_and_few_items_say_nothing():
    perfect = rank_interval(1.0, 10)
    assert perfect.high == 1.0 and 0.9 < perfect.low < 0.999
    assert (rank_interval(0.5, 3).low, rank_interval(0.5, 3).high) == (-1.0, 1.0)
    assert math.isnan(rank_interval(math.nan, 10).low)


def test_the_bootstrap_draws_whole_items_and_leaves_out_what_is_undefined():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 1)) + 0.8 * rng.normal(size=(60, 2))
    found = bootstrap(lambda drawn: spearman(drawn[:, 0], drawn[:, 1]), rows, rng=np.random.default_rng(3))
    wide = rank_interval(found.value, 60)
    assert found.low == pytest.approx(wide.low, abs=0.08) and found.high == pytest.approx(wide.high, abs=0.08)
    flat = bootstrap(lambda drawn: spearman(drawn[:, 0], drawn[:, 1]), np.array([[1.0, 1], [1, 1], [2, 2]]), rng=rng)
    assert (flat.value, flat.low) == (1.0, 1.0)


def test_raters_who_contradict_each_other_have_no_intraclass_correlation():
    """With two opposite orders the formula's quotient is n, of two negative numbers."""
    for n in (4, 10):
        order = np.arange(n, dtype=float)
        opposed = np.stack([order, order[::-1]], axis=1)
        assert math.isnan(icc_2k(opposed)) and math.isnan(icc_of_ranks(-1.0, n))


def test_eight_rounds_of_ten_tell_a_fall_from_a_simulation_of_rankings():
    """ANCHORS: 0.6 to 0.3 takes 8 rounds with power 0.88; one has 0.27."""
    assert rounds_to_tell(0.6, 0.3, 10) == 8
    assert rounds_to_tell(0.6, 0.3, 4) > 40 and rounds_to_tell(0.6, 0.5, 10) > 40
    rng = np.random.default_rng(4)
    for rounds in (1, 8):
        threshold = np.quantile(_mean_of_rounds(0.6, rounds, rng), 0.05)
        seen = np.mean(_mean_of_rounds(0.3, rounds, rng) < threshold)
        assert power_to_tell(0.6, 0.3, 10, rounds) == pytest.approx(seen, abs=0.06)
    assert power_to_tell(0.6, 0.3, 10, 7) < 0.85 <= power_to_tell(0.6, 0.3, 10, 8)
    for was, now, n in ((0.3, 0.6, 10), (1.0, 0.3, 10), (0.6, 0.3, 3)):
        with pytest.raises(BadInput, match="wanted"):
            rounds_to_tell(was, now, n)


def _mean_of_rounds(rho, rounds, rng, n=10, draws=3000):
    """(draws,) mean Spearman of rounds of n normal pairs, whose correlation gives that Spearman (Pearson 1907)."""
    r = 2 * math.sin(math.pi * rho / 6)
    one, noise = rng.normal(size=(2, draws, rounds, n))
    a, b = (side.argsort(-1).argsort(-1) - (n - 1) / 2 for side in (one, r * one + math.sqrt(1 - r * r) * noise))
    return ((a * b).sum(-1) / (n * (n * n - 1) / 12)).mean(-1)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(BadInput, match="two of each"):
        icc_2k(np.ones((1, 4)))
    with pytest.raises(BadInput, match="missing"):
        icc_2k(np.array([[1.0, math.nan], [2, 3]]))
    with pytest.raises(BadInput, match="as many of both"):
        cohen_kappa(np.array([1, 2]), np.array([1]))
    with pytest.raises(BadInput, match="wanted nominal"):
        krippendorff_alpha(KRIPPENDORFF, "ordnial")
