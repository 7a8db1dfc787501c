"""Features and raters in the Bradley-Terry fit: against dense references, and what learning their weight promises."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from scipy.optimize import minimize

from gen_emerge.errors import BadInput
from gen_emerge.preference import (
    Comparison,
    Comparisons,
    choose_groups,
    choose_pairs,
    fit_bradley_terry,
    from_ranking,
    learned,
    posterior,
)
from gen_emerge.preference.features import columns_of
from gen_emerge.preference.learned import _parts, best_scales, scale_slopes
from gen_emerge.preference.solver import Scales, maximise


def logistic(x):
    return 1 / (1 + np.exp(-x))


def judged(truth, m, rng, *, bias=0.0):
    n = len(truth)
    left = rng.integers(0, n, m)
    right = (left + 1 + rng.integers(0, n - 1, m)) % n
    outcome = np.where(rng.random(m) < logistic(truth[left] - truth[right] + bias), 1, -1)
    return Comparisons(left=left, right=right, outcome=outcome)


def two_raters(n=12, m=160, seed=0, sd=0.8):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    own = common + sd * rng.normal(size=(3, n))
    who = rng.integers(0, 3, m)
    left = rng.integers(0, n, m)
    right = (left + 1 + rng.integers(0, n - 1, m)) % n
    outcome = np.where(rng.random(m) < logistic(own[who, left] - own[who, right]), 1, -1)
    return common, own, Comparisons(left=left, right=right, outcome=outcome, rater=np.array(["a", "b", "c"])[who])


def solved(fit):
    return fit._solved


def test_with_features_the_estimate_and_its_errors_are_those_of_the_gaussian_process():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(9, 3))
    many = judged(rng.normal(size=9), 60, rng)
    fit = fit_bradley_terry(many, 9, prior=0.9, features=features)
    columns = columns_of(features, 9)
    kernel = 0.9**2 * np.eye(9) + fit.feature_sd**2 * columns @ columns.T
    inverse = np.linalg.inv(kernel)
    design = np.eye(9)[many.left] - np.eye(9)[many.right]
    wins = (many.outcome + 1) / 2

    def loss(u):
        d = design @ u
        return np.sum(np.logaddexp(0, d) - wins * d) + 0.5 * u @ inverse @ u

    found = minimize(loss, np.zeros(9), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose(fit.utilities, found - found.mean(), atol=1e-5)
    chance = logistic(design @ found)
    covariance = np.linalg.inv(design.T @ ((chance * (1 - chance))[:, None] * design) + inverse)
    np.testing.assert_allclose(fit.covariance(np.arange(9)), covariance, atol=1e-5)
    np.testing.assert_allclose(fit.standard_errors, np.sqrt(np.diag(covariance)), atol=1e-5)
    wanted = covariance[2, 2] + covariance[7, 7] - 2 * covariance[2, 7]
    assert fit.difference_error(2, 7) == pytest.approx(math.sqrt(wanted), abs=1e-5)


def test_an_image_never_compared_is_ranked_by_its_features_with_more_doubt():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(40, 2))
    truth = 2.0 * features[:, 0]
    many = judged(truth[:30], 400, rng)
    fit = fit_bradley_terry(many, 40, features=features)
    assert not fit.compared[30:].any()
    assert np.corrcoef(fit.utilities[30:], truth[30:])[0, 1] > 0.95
    assert fit.standard_errors[30:].min() > fit.standard_errors[:30].max() - 0.3
    assert fit.utilities.mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("what", ["features", "raters", "both"])
def test_slopes_of_the_scales_are_those_of_the_evidence(what):
    _, _, many = two_raters(n=7, m=70)
    features = np.random.default_rng(3).normal(size=(7, 3)) if what != "raters" else None
    if what == "features":
        many = Comparisons(left=many.left, right=many.right, outcome=many.outcome)
    graph = solved(fit_bradley_terry(many, 7, features=features, raters=what != "features")).graph
    parts = _parts(graph, learn_items=True)

    def scales(log_sd):
        sd = dict(zip([part.kind for part in parts], np.exp(log_sd), strict=True))
        return Scales(
            items=sd["items"], raters=sd.get("raters", 1.0), columns=(sd["columns"],) if "columns" in sd else ()
        )

    def evidence(log_sd):
        at = maximise(graph, scales(log_sd), precision=1e-13)
        n, r = graph.edges.n_items, len(graph.groups)
        joint = np.concatenate([at.utilities, at.weights])
        whole = np.block([[at.curvature.dense(), at.cross], [at.cross.T, at.globals_]])
        value = at.at.log_likelihood - 0.5 * np.linalg.slogdet(whole)[1]
        sd = scales(log_sd)
        springs = graph.springs(at.utilities)
        for rank, square, spread in (
            (graph.items, float(joint[: graph.items] @ joint[: graph.items]), sd.items),
            (len(springs), float(springs @ springs), sd.raters),
            (r, float(joint[n:] @ joint[n:]), sd.columns[0] if r else 1.0),
        ):
            value -= 0.5 * square / spread**2 + rank * math.log(spread)
        for part, log in zip(parts, log_sd, strict=True):
            value -= part.strength * (0.5 * part.spread**2 * math.exp(-2 * log) + log)
        return value

    here = np.log([0.8, 0.6, 0.5][: len(parts)])
    estimate = maximise(graph, scales(here), precision=1e-13)
    size = graph.edges.n_items + len(graph.groups)
    slopes, _ = scale_slopes(graph, estimate, scales(here), parts, np.eye(size), mean=False)
    for k, slope in enumerate(slopes):
        up, down = here.copy(), here.copy()
        up[k] += 1e-3
        down[k] -= 1e-3
        assert slope == pytest.approx((evidence(up) - evidence(down)) / 2e-3, rel=1e-3, abs=1e-4)


def test_the_scales_found_are_a_maximum_and_probes_find_nearly_the_same(monkeypatch):
    _, _, many = two_raters(n=12, m=600, seed=4)
    graph = solved(fit_bradley_terry(many, 12, raters=True)).graph
    scales, estimate = best_scales(graph, None)
    parts = _parts(graph, learn_items=True)
    size = graph.edges.n_items
    slopes, information = scale_slopes(graph, estimate, scales, parts, np.eye(size), mean=False)
    assert np.abs(slopes / information).max() < 0.02
    monkeypatch.setattr(learned, "EXACT_ITEMS", 10)
    again, _ = best_scales(graph, None)
    assert again.raters == pytest.approx(scales.raters, rel=0.25)
    assert again.items == pytest.approx(scales.items, rel=0.25)


def test_useless_features_are_hardly_believed_and_useful_ones_are():
    rng = np.random.default_rng(5)
    truth = rng.normal(scale=1.5, size=60)
    many = judged(truth, 900, rng)
    useless = fit_bradley_terry(many, 60, features=rng.normal(size=(60, 8)))
    useful = fit_bradley_terry(
        many, 60, features=np.column_stack([truth + 0.5 * rng.normal(size=60), rng.normal(size=60)])
    )
    assert useless.feature_sd < 0.5 < 1.0 < useful.feature_sd
    assert useful.prior_sd < 0.8 < 1.1 < useless.prior_sd
    plain = fit_bradley_terry(many, 60)
    assert np.corrcoef(useless.utilities, plain.utilities)[0, 1] > 0.99
    assert plain.feature_sd is None and plain.rater_sd is None


def test_many_items_and_wide_features_stay_low_rank(monkeypatch):
    rng = np.random.default_rng(6)
    features = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 20))
    truth = features @ rng.normal(size=20) / 6
    many = judged(truth, 900, rng)
    assert columns_of(features, 300).shape == (300, 5)
    assert columns_of(rng.normal(size=(300, 200)), 300).shape == (300, 64)
    exact = fit_bradley_terry(many, 300, prior=1.0, features=features)
    errors = exact.standard_errors
    assert exact.standard_error_accuracy == 0.0
    monkeypatch.setattr(posterior, "EXACT_ERRORS", 10)
    rough = fit_bradley_terry(many, 300, prior=1.0, features=features)
    assert np.median(np.abs(rough.standard_errors / errors - 1)) < 2 * rough.standard_error_accuracy + 0.01
    assert 0 < rough.standard_error_accuracy < 0.1


def test_features_that_do_not_differ_or_do_not_fit():
    many = [Comparison(0, 1, "left"), Comparison(1, 2, "left")]
    same = fit_bradley_terry(many, 3, features=np.ones((3, 4)))
    np.testing.assert_allclose(same.utilities, fit_bradley_terry(many, 3).utilities)
    for wrong, said in ((np.ones((2, 4)), "wanted \\(3, d\\)"), (np.array([[1.0], [np.nan], [2]]), "item 1 is nan")):
        with pytest.raises(BadInput, match=said):
            fit_bradley_terry(many, 3, features=wrong)
    with pytest.raises(BadInput, match="under a prior"):
        fit_bradley_terry(many, 3, prior=None, features=np.eye(3))


def test_nothing_compared_yet_but_features_known():
    features = np.array([[0.0, 1], [0, 1.1], [5, 3], [1, 9]])
    fit = fit_bradley_terry([], 4, features=features)
    assert fit.utilities.tolist() == [0, 0, 0, 0]
    # Alike in their features, so alike in what is believed of them.
    assert fit.difference_error(0, 1) < fit.difference_error(0, 2)
    assert len(choose_pairs(fit, 3, rng=np.random.default_rng(0))) == 3


def test_raters_own_utilities_are_the_maximum_of_the_hierarchical_model():
    _, _, many = two_raters(n=6, m=90, seed=7)
    fit = fit_bradley_terry(many, 6, prior=1.1, raters=True)
    place = {name: k for k, name in enumerate("abc")}
    who = np.array([place[name] for name in many.rater])
    factor = np.array([fit.reliability[name] for name in "abc"])[who]
    wins = (many.outcome + 1) / 2

    def loss(x):
        u, own = x[:6], x[6:].reshape(3, 6)
        d = factor * (u[many.left] - u[many.right] + own[who, many.left] - own[who, many.right])
        return np.sum(np.logaddexp(0, d) - wins * d) + 0.5 * u @ u / 1.1**2 + 0.5 * np.sum(own**2) / fit.rater_sd**2

    x = minimize(loss, np.zeros(24), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose(fit.utilities, x[:6] - x[:6].mean(), atol=1e-4)
    own = x[6:].reshape(3, 6)
    for k, name in enumerate("abc"):
        d = fit.reliability[name] * (x[0] - x[4] + own[k, 0] - own[k, 4])
        assert fit.probability(0, 4, name) == pytest.approx(logistic(d), abs=1e-4)
    assert fit.probability(0, 4, "nobody") == fit.probability(0, 4) == pytest.approx(logistic(x[0] - x[4]), abs=1e-4)


def test_standard_errors_with_raters_hold_what_the_offsets_leave_open(monkeypatch):
    _, _, many = two_raters(n=20, m=900, seed=8, sd=1.5)
    apart = fit_bradley_terry(many, 20, raters=True)
    pooled = fit_bradley_terry(many, 20)
    assert apart.rater_sd > 0.8
    assert apart.standard_errors.mean() > 1.3 * pooled.standard_errors.mean()
    exact = apart.standard_errors.copy()
    monkeypatch.setattr(posterior, "EXACT_ERRORS", 40)
    np.testing.assert_allclose(fit_bradley_terry(many, 20, raters=True).standard_errors, exact, rtol=1e-4)
    monkeypatch.setattr(posterior, "EXACT_ERRORS", 10)
    rough = fit_bradley_terry(many, 20, raters=True)
    np.testing.assert_allclose(rough.standard_errors, exact, rtol=6 * rough.standard_error_accuracy)


def test_somebody_who_clicks_at_random_hardly_counts():
    rng = np.random.default_rng(9)
    truth = rng.normal(scale=1.5, size=15)
    asked = []
    for rater in ("anna", "ben", "random"):
        for _ in range(150):
            a, b = (int(item) for item in rng.choice(15, 2, replace=False))
            chance = 0.5 if rater == "random" else logistic(truth[a] - truth[b])
            asked.append(Comparison(a, b, "left" if rng.random() < chance else "right", rater))
    fit = fit_bradley_terry(asked, 15, raters=True)
    assert fit.reliability["random"] < 0.35
    assert min(fit.reliability["anna"], fit.reliability["ben"]) > 0.9
    assert abs(fit.probability(int(np.argmax(truth)), int(np.argmin(truth)), "random") - 0.5) < 0.25


def test_one_rater_alone_is_fitted_as_if_raters_were_not_told_apart():
    many = [Comparison(0, 1, "left", "anna"), Comparison(1, 2, "left", "anna"), Comparison(2, 0, "tie", "anna")]
    np.testing.assert_array_equal(
        fit_bradley_terry(many, 3, raters=True).utilities, fit_bradley_terry(many, 3).utilities
    )


def test_a_rater_who_always_takes_the_left_has_a_position_term_of_their_own():
    rng = np.random.default_rng(10)
    truth = rng.normal(size=10)
    asked = []
    for rater, bias in (("fair", 0.0), ("left-handed", 2.0)):
        for _ in range(200):
            a, b = (int(item) for item in rng.choice(10, 2, replace=False))
            asked.append(
                Comparison(a, b, "left" if rng.random() < logistic(truth[a] - truth[b] + bias) else "right", rater)
            )
    fit = fit_bradley_terry(asked, 10, raters=True, position=True)
    shift = {
        name: math.log(p / (1 - p)) - math.log(q / (1 - q))
        for name in ("fair", "left-handed")
        for p, q in [(fit.probability(0, 1, name, neutral=False), fit.probability(0, 1, name))]
    }
    assert abs(shift["fair"]) < 0.5 and 1.4 < shift["left-handed"] < 2.6


def test_a_list_and_arrays_with_raters_give_the_same_fit():
    _, _, many = two_raters(seed=11)
    words = {1: "left", -1: "right"}
    rows = zip(many.left.tolist(), many.right.tolist(), many.outcome.tolist(), many.rater.tolist(), strict=True)
    listed = [Comparison(a, b, words[o], str(name)) for a, b, o, name in rows]
    one, two = fit_bradley_terry(many, 12, raters=True), fit_bradley_terry(listed, 12, raters=True)
    np.testing.assert_array_equal(one.utilities, two.utilities)
    with pytest.raises(BadInput, match="rater has shape"):
        fit_bradley_terry(
            Comparisons(left=many.left, right=many.right, outcome=many.outcome, rater=many.rater[:3]), 12, raters=True
        )


def test_a_ranking_is_every_pair_it_implies():
    found = from_ranking([4, 2, 7], rater="anna", age=3.0)
    won = {(c.left, c.right) if c.outcome == "left" else (c.right, c.left) for c in found}
    assert won == {(4, 2), (4, 7), (2, 7)}
    assert {c.rater for c in found} == {"anna"} and {c.age for c in found} == {3.0}
    assert {c.outcome for c in found} == {"left", "right"}
    for wrong in ([1], [1, 2, 1]):
        with pytest.raises(BadInput, match="each once"):
            from_ranking(wrong)


def test_groups_to_rank_hold_different_items_and_spread():
    fit = fit_bradley_terry([], 20)
    groups = choose_groups(fit, 5, rng=np.random.default_rng(0))
    assert all(len(set(group)) == 4 for group in groups)
    assert len({item for group in groups for item in group}) >= 16
    assert groups == choose_groups(fit, 5, rng=np.random.default_rng(0))
    with pytest.raises(BadInput, match="groups of 21"):
        choose_groups(fit, 1, size=21, rng=np.random.default_rng(0))


def test_light_field_judgements_are_foretold_better_by_rater(shared_data):
    with (shared_data / "lightfield_pairwise.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    items = {}
    left, right = (
        np.array([items.setdefault((r["scene"], r[f"dist_type{k}"], r[f"dist_level{k}"]), len(items)) for r in rows])
        for k in (1, 2)
    )
    outcome = np.array([1 if r["selected"] == "1" else -1 for r in rows])
    rater = np.array([r["observer"] for r in rows])
    held = np.random.default_rng(0).permutation(len(rows)) % 5 == 0

    def log_loss(raters):
        known = Comparisons(left=left[~held], right=right[~held], outcome=outcome[~held], rater=rater[~held])
        fit = fit_bradley_terry(known, len(items), raters=raters)
        asked = zip(
            left[held].tolist(), right[held].tolist(), outcome[held].tolist(), rater[held].tolist(), strict=True
        )
        chances = np.array([(fit.probability(a, b, name), won) for a, b, won, name in asked])
        return float(-np.log(np.where(chances[:, 1] == 1, chances[:, 0], 1 - chances[:, 0])).mean())

    assert log_loss(True) < log_loss(False) - 0.015 < 0.54
