"""Bradley-Terry against published tables, choix and independent optimisers."""

from __future__ import annotations

import math
import subprocess
import sys

import choix
import numpy as np
import pytest
from scipy.optimize import minimize

from gen_emerge.errors import BadInput
from gen_emerge.preference import Comparison, Comparisons, NotIdentified, fit_bradley_terry
from gen_emerge.preference import posterior as module
from gen_emerge.preference.comparisons import merge
from gen_emerge.preference.evidence import PSEUDO_ITEMS, PSEUDO_SD, evidence_slope
from gen_emerge.preference.solver import Graph, maximise

CITED = [[714, 730, 498, 221], [33, 425, 68, 17], [320, 813, 1072, 142], [284, 276, 325, 188]]


def simulated(n, m, *, sd=1.0, seed=0, ties=0.0, position=0.0, chain=False):
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=sd, size=n)
    left = rng.integers(0, n, m)
    right = (left + 1 + rng.integers(0, n - 1, m)) % n
    if chain:
        left[:n], right[:n] = np.arange(n), (np.arange(n) + 1) % n
    odds = truth[left] - truth[right] + position
    outcome = np.where(rng.random(m) < 1 / (1 + np.exp(-odds)), 1, -1)
    outcome[rng.random(m) < ties] = 0
    if chain:
        outcome[:n] = 1
    return truth, Comparisons(left=left, right=right, outcome=outcome)


def test_the_published_journal_citations_are_reproduced_to_four_decimals():
    comparisons = [Comparison(i, j, "left", weight=CITED[i][j]) for i in range(4) for j in range(4) if i != j]
    fit = fit_bradley_terry(comparisons, 4, prior=None)
    assert np.round(fit.utilities - fit.utilities[0], 4).tolist() == [0.0, -2.9491, -0.4796, 0.2690]
    assert [round(fit.difference_error(i, 0), 4) for i in (1, 2, 3)] == [0.1025, 0.0606, 0.0708]
    assert fit.utilities.mean() == pytest.approx(0, abs=1e-12)


def test_maximum_likelihood_agrees_with_choix():
    _, many = simulated(25, 600, chain=True)
    pairs = [(a, b) if o == 1 else (b, a) for a, b, o in zip(many.left, many.right, many.outcome, strict=True)]
    wanted = choix.opt_pairwise(25, pairs, alpha=0.0, tol=1e-12)
    fit = fit_bradley_terry(many, 25, prior=None)
    assert fit.utilities == pytest.approx(wanted - wanted.mean(), abs=1e-5)


def test_the_map_estimate_agrees_with_choix():
    _, many = simulated(30, 90, seed=4)
    pairs = [(a, b) if o == 1 else (b, a) for a, b, o in zip(many.left, many.right, many.outcome, strict=True)]
    # choix takes alpha times the squared norm away: a Gaussian of sd 1 / sqrt(2 alpha).
    wanted = choix.opt_pairwise(30, pairs, alpha=0.5 / 0.8**2, tol=1e-12)
    fit = fit_bradley_terry(many, 30, prior=0.8)
    assert fit.utilities == pytest.approx(wanted - wanted.mean(), abs=1e-5)


def test_ties_and_position_agree_with_an_independent_optimiser():
    _, many = simulated(8, 300, seed=2, ties=0.25, position=0.5)

    def loss(x):
        u, position, nu = x[:8], x[8], math.exp(x[9])
        d = u[many.left] - u[many.right] + position
        z = np.exp(d / 2) + np.exp(-d / 2) + nu
        p = np.where(many.outcome == 1, np.exp(d / 2), np.where(many.outcome == -1, np.exp(-d / 2), nu)) / z
        return -np.log(p).sum() + 0.5 * (u @ u) / 1.2**2 + 0.5 * position**2 + 0.5 * x[9] ** 2 / 2.0**2

    wanted = minimize(loss, np.zeros(10), method="BFGS", options={"gtol": 1e-7}).x
    fit = fit_bradley_terry(many, 8, prior=1.2, position=True)
    assert fit.utilities == pytest.approx(wanted[:8], abs=1e-4)
    assert fit.position == pytest.approx(wanted[8], abs=1e-4)
    assert math.log(fit.tie) == pytest.approx(wanted[9], abs=1e-4)


def test_a_position_bias_is_found_and_kept_out_of_the_neutral_probability():
    _, many = simulated(20, 4000, seed=5, position=0.7)
    fit = fit_bradley_terry(many, 20, position=True)
    assert fit.position == pytest.approx(0.7, abs=0.12)
    assert fit.probability(3, 4, neutral=False) > fit.probability(3, 4)
    assert fit.probability(3, 4) + fit.probability(4, 3) == pytest.approx(1)
    assert fit_bradley_terry(many, 20).position == 0.0


def test_without_a_position_term_swapping_the_sides_changes_nothing():
    _, many = simulated(12, 60, seed=6, ties=0.2)
    turned = Comparisons(left=many.right, right=many.left, outcome=-many.outcome)
    assert fit_bradley_terry(many, 12).utilities == pytest.approx(fit_bradley_terry(turned, 12).utilities, abs=1e-8)


def test_a_judgement_one_half_life_old_counts_half():
    young = [Comparison(0, 1, "left", weight=0.5), Comparison(1, 2, "left"), Comparison(2, 0, "tie", weight=0.25)]
    old = [Comparison(0, 1, "left", age=30), Comparison(1, 2, "left"), Comparison(2, 0, "tie", age=60)]
    faded = fit_bradley_terry(old, 3, prior=1.0, half_life=30)
    assert faded.utilities == pytest.approx(fit_bradley_terry(young, 3, prior=1.0).utilities, abs=1e-9)
    assert fit_bradley_terry(old, 3, prior=1.0).utilities != pytest.approx(faded.utilities, abs=1e-3)


def test_a_weight_of_three_is_the_same_judgement_three_times():
    thrice = [Comparison(0, 1, "left")] * 3 + [Comparison(1, 2, "right")]
    once = [Comparison(0, 1, "left", weight=3), Comparison(1, 2, "right")]
    assert fit_bradley_terry(thrice, 3, prior=1.0).utilities == pytest.approx(
        fit_bradley_terry(once, 3, prior=1.0).utilities
    )


@pytest.mark.parametrize(
    ("comparisons", "n", "position", "items"),
    [
        ([], 3, False, (0, 1, 2)),
        ([Comparison(0, 1, "left"), Comparison(1, 0, "left")], 3, False, (2,)),
        ([Comparison(0, 1, "left"), Comparison(1, 0, "left"), Comparison(2, 0, "left")], 3, False, (2,)),
        ([Comparison(0, 1, "tie")], 2, False, (0, 1)),
        ([Comparison(0, 1, "left"), Comparison(1, 2, "tie"), Comparison(2, 0, "tie")], 3, False, (0, 1, 2)),
        ([Comparison(0, 1, "left"), Comparison(0, 1, "right")], 2, True, (0, 1)),
    ],
    ids=["nothing", "never compared", "never lost", "only ties", "more ties than wins in a ring", "always on the left"],
)
def test_without_a_prior_what_is_infinite_or_undetermined_is_refused_by_name(comparisons, n, position, items):
    with pytest.raises(NotIdentified) as refused:
        fit_bradley_terry(comparisons, n, prior=None, position=position)
    assert refused.value.items == items
    assert str(items[0]) in refused.value.message
    assert refused.value.exit_code == 2
    # With a prior the same judgements have an answer.
    fit = fit_bradley_terry(comparisons, n, position=position)
    assert np.isfinite(fit.utilities).all() and np.isfinite(fit.standard_errors).all()


def test_nothing_but_ties_leaves_all_equal_and_predicts_ties():
    fit = fit_bradley_terry([Comparison(0, 1, "tie"), Comparison(1, 2, "tie")], 3)
    assert fit.utilities == pytest.approx(np.zeros(3), abs=1e-9)
    assert fit.tie > 1


def test_components_and_the_never_compared_are_told():
    fit = fit_bradley_terry([Comparison(0, 1, "left"), Comparison(3, 4, "right")], 6, prior=1.5)
    assert fit.compared.tolist() == [True, True, False, True, True, False]
    c = fit.components
    assert c[0] == c[1] and c[3] == c[4] and len({c[0], c[2], c[3], c[5]}) == 4
    assert fit.utilities[2] == 0 and fit.standard_errors[2] == 1.5
    assert fit.standard_errors[0] < 1.5
    assert fit.difference_error(0, 2) == pytest.approx(math.hypot(fit.standard_errors[0], 1.5))
    assert fit.probability(0, 2) > 0.5 > fit.expected_probability(1, 0)
    assert abs(fit.expected_probability(0, 1) - 0.5) < abs(fit.probability(0, 1) - 0.5)


def test_standard_errors_are_the_inverse_of_the_numerical_curvature():
    _, many = simulated(6, 60, seed=8)
    fit = fit_bradley_terry(many, 6, prior=1.0)

    def loss(u):
        d = u[many.left] - u[many.right]
        return np.logaddexp(0, -d * many.outcome).sum() + 0.5 * u @ u

    h, eye = 1e-4, np.eye(6)
    hessian = np.array(
        [
            [
                (loss(fit.utilities + h * (a + b)) - loss(fit.utilities + h * (a - b))
                 - loss(fit.utilities - h * (a - b)) + loss(fit.utilities - h * (a + b))) / (4 * h * h)
                for b in eye
            ]
            for a in eye
        ]
    )  # fmt: skip
    covariance = np.linalg.inv(hessian)
    assert fit.standard_errors == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-3)
    wanted = math.sqrt(covariance[0, 0] + covariance[3, 3] - 2 * covariance[0, 3])
    assert fit.difference_error(0, 3) == pytest.approx(wanted, rel=1e-3)
    assert fit.standard_error_accuracy == 0.0


@pytest.mark.parametrize("prior", [1.0, None])
def test_standard_errors_are_of_the_utilities_under_a_prior_and_of_centred_ones_without(prior):
    """Against the dense curvature: sum of p (1 - p) (e_i - e_j)(e_i - e_j)' over the judgements, and the prior's."""
    _, many = simulated(6, 90, seed=11)
    fit = fit_bradley_terry(many, 6, prior=prior)
    design = np.eye(6)[many.left] - np.eye(6)[many.right]
    chance = 1 / (1 + np.exp(-design @ fit.utilities))
    curvature = design.T @ ((chance * (1 - chance))[:, None] * design)
    centre = np.eye(6) - 1 / 6
    if prior is None:
        covariance = centre @ np.linalg.pinv(curvature, hermitian=True) @ centre
    else:
        slope = design.T @ (np.where(many.outcome == 1, 1.0, 0.0) - chance) - fit.utilities / prior**2
        assert slope == pytest.approx(np.zeros(6), abs=1e-8), "mean 0 is where the mode is, nothing was subtracted"
        covariance = np.linalg.inv(curvature + np.eye(6) / prior**2)
        assert (fit.standard_errors > 1.01 * np.sqrt(np.diag(centre @ covariance @ centre))).all()
    assert fit.standard_errors == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)


@pytest.mark.parametrize("ties", [0.0, 0.2])
def test_sampled_standard_errors_keep_to_the_accuracy_they_state(monkeypatch, ties):
    _, many = simulated(300, 700, seed=9, ties=ties)
    exact = fit_bradley_terry(many, 300, prior=1.0).standard_errors
    monkeypatch.setattr(module, "EXACT_ERRORS", 10)
    sampled = fit_bradley_terry(many, 300, prior=1.0)
    error = np.abs(sampled.standard_errors / exact - 1)
    assert 0 < sampled.standard_error_accuracy < 0.05
    assert np.median(error) < 1.5 * sampled.standard_error_accuracy


def test_the_evidence_slope_is_the_derivative_of_the_laplace_evidence():
    _, many = simulated(40, 120, seed=3, sd=1.3)
    graph = Graph(edges=merge(many, 40, None, sides=False), position=False)

    def evidence(log_sd):
        a = math.exp(-2 * log_sd)
        at = maximise(graph, math.exp(log_sd))
        d = at.utilities[many.left] - at.utilities[many.right]
        x = np.zeros((120, 40))
        x[np.arange(120), many.left], x[np.arange(120), many.right] = 1, -1
        p = 1 / (1 + np.exp(-d))
        hessian = (x.T * (p * (1 - p))) @ x + a * np.eye(40)
        value = -np.logaddexp(0, -d * many.outcome).sum() - 0.5 * a * at.utilities @ at.utilities
        value += -40 * log_sd - 0.5 * np.linalg.slogdet(hessian)[1]
        return value - PSEUDO_ITEMS * (log_sd + 0.5 * PSEUDO_SD**2 * a)

    for log_sd in (-0.5, 0.0, 0.7):
        wanted = (evidence(log_sd + 1e-4) - evidence(log_sd - 1e-4)) / 2e-4 / 40
        found = evidence_slope(graph, maximise(graph, math.exp(log_sd)), math.exp(log_sd), None)
        assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("n", "m", "sd"), [(60, 900, 0.7), (60, 900, 2.0), (1500, 15000, 1.0)])
def test_the_evidence_finds_the_spread_of_the_utilities(n, m, sd):
    truth, many = simulated(n, m, sd=sd, seed=11)
    assert fit_bradley_terry(many, n).prior_sd == pytest.approx(truth.std(), rel=0.2)


def test_coin_flips_give_hardly_any_spread():
    _, many = simulated(60, 3000, sd=0.0, seed=12)
    assert fit_bradley_terry(many, 60).prior_sd < 0.3


def test_no_comparisons_and_one_item_are_no_trouble_with_a_prior():
    fit = fit_bradley_terry([], 1)
    assert fit.utilities.tolist() == [0.0] and not fit.compared.any() and fit.standard_errors[0] > 0
    assert fit_bradley_terry([], 1, prior=None).utilities.tolist() == [0.0]


def test_the_same_comparisons_give_the_same_bits():
    _, many = simulated(400, 900, seed=13, ties=0.1)
    first, second = fit_bradley_terry(many, 400), fit_bradley_terry(many, 400)
    assert first.utilities.tobytes() == second.utilities.tobytes()
    with pytest.raises(ValueError, match="read-only"):
        first.utilities[0] = 1.0


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (Comparison(0, 3, "left"), "Item 3"),
        (Comparison(-1, 1, "left"), "Item -1"),
        (Comparison(1, 1, "left"), "with itself"),
        (Comparison(0, 1, "lift"), '"left"'),
        (Comparison(0, 1, "left", weight=-1), "weight"),
        (Comparison(0, 1, "left", weight=math.nan), "weight"),
        (Comparison(0, 1, "left", age=-1), "age"),
        (Comparison(0.5, 1, "left"), "whole numbers"),
    ],
)
def test_a_judgement_that_cannot_be_used_is_refused(comparison, said):
    with pytest.raises(BadInput, match=said):
        fit_bradley_terry([comparison], 3)


@pytest.mark.parametrize(
    "arguments", [{"prior": 0.0}, {"prior": -1.0}, {"prior": math.nan}, {"prior": "evidnce"}, {"half_life": 0.0}]
)
def test_an_argument_that_cannot_be_used_is_refused(arguments):
    with pytest.raises(BadInput):
        fit_bradley_terry([Comparison(0, 1, "left")], 2, **arguments)
    with pytest.raises(BadInput):
        fit_bradley_terry([], 0)


def test_importing_the_room_imports_neither_scipy_nor_torch():
    code = "import sys, gen_emerge.preference; sys.exit(any(m in sys.modules for m in ('scipy', 'torch', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
