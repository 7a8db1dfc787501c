"""The posterior of one gate: what labels, streams, shifts and costs do to the bar."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.calibration.costs import Costs, Edges
from gen_emerge.calibration.posterior import Labels, faded, fit_curve

COSTS = Costs(false_accept=3.0, false_reject=1.0, review=0.5)
NO_LABELS = Labels(values=np.empty(0), good=np.empty(0, dtype=bool), streams=())


def answers(count, *, seed=0, wanted=-0.5, stream="raw", lapse=0.05, shift=0.0):
    rng = np.random.default_rng(seed)
    want = rng.normal(size=count)
    values = 0.5 * want + np.sqrt(0.75) * rng.normal(size=count) + shift
    good = np.where(rng.random(count) < lapse, rng.random(count) < 0.5, want > wanted)
    return Labels(values=values, good=good, streams=(stream,) * count)


def together(*parts, ages=None):
    return Labels(
        values=np.concatenate([p.values for p in parts]),
        good=np.concatenate([p.good for p in parts]),
        streams=tuple(s for p in parts for s in p.streams),
        ages=None
        if ages is None
        else np.concatenate([np.full(len(p.values), a) for p, a in zip(parts, ages, strict=True)]),
    )


def bar(curve):
    return curve.where(COSTS.level, low=-9.0, high=9.0)


@pytest.mark.parametrize(("bound", "scale"), [(0.0, 1.0), (-7.5, 0.02), (420.0, 35.0)])
def test_without_labels_the_bar_is_the_gate_itself_in_any_unit(bound, scale):
    curve = fit_curve(NO_LABELS, bound=bound, scale=scale, costs=COSTS)
    assert curve.where(COSTS.level, low=bound - 5 * scale, high=bound + 5 * scale) == pytest.approx(
        bound, abs=1e-3 * scale
    )
    assert curve.labels == 0


def test_labels_move_the_bar_to_where_the_truth_is_and_narrow_the_band():
    few, many = (fit_curve(answers(n, seed=3), bound=-1.5, scale=1.0, costs=COSTS) for n in (10, 2000))
    best = (-0.5 + 0.6745 * np.sqrt(0.75)) / 0.5
    assert abs(bar(many) - best) < 0.15 < abs(bar(few) - best)
    at = np.array([best])
    assert np.ptp(many.band(at)) < np.ptp(few.band(at)) / 3
    low, high = many.band(at)
    assert low[0] < many.probability(at)[0] < high[0]


def test_one_absurd_answer_moves_the_bar_less_where_lapses_are_expected():
    honest = answers(200, lapse=0.0)
    absurd = Labels(values=np.full(6, 4.0), good=np.zeros(6, dtype=bool), streams=("raw",) * 6)
    quiet = bar(fit_curve(honest, bound=0.0, scale=1.0, costs=COSTS))
    believed, forgiven = (
        bar(fit_curve(together(honest, absurd), bound=0.0, scale=1.0, costs=COSTS, lapse=lapse)) - quiet
        for lapse in (1e-9, 0.05)
    )
    assert abs(forgiven) < 0.5 * abs(believed)


def test_elites_on_show_do_not_pull_the_bar_down_as_raw_images_would():
    rng = np.random.default_rng(5)
    values = rng.normal(0.8, 0.5, 70)
    shown = Labels(values=values, good=rng.random(70) < 0.96, streams=("elite",) * 70)
    raw = answers(30, seed=8)
    told = bar(fit_curve(together(raw, shown), bound=0.0, scale=1.0, costs=COSTS))
    pooled = together(raw, Labels(values=values, good=shown.good, streams=("raw",) * 70))
    assert told > bar(fit_curve(pooled, bound=0.0, scale=1.0, costs=COSTS)) + 0.2


def test_faded_labels_count_in_parts():
    weights = faded(np.array([0.0, 200.0, 400.0]), 200.0)
    assert weights.tolist() == [1.0, 0.5, 0.25]
    labels = answers(100)
    whole = fit_curve(labels, bound=0.0, scale=1.0, costs=COSTS)
    faint = fit_curve(
        Labels(values=labels.values, good=labels.good, streams=labels.streams, weights=np.full(100, 1e-9)),
        bound=0.0,
        scale=1.0,
        costs=COSTS,
    )
    assert whole.labels == 100 and faint.labels == pytest.approx(1e-7)
    assert bar(faint) == pytest.approx(0.0, abs=1e-3)


def test_a_shift_is_believed_half_until_labels_decide():
    early = answers(100, seed=1)
    options = {"bound": 0.17, "scale": 1.0, "costs": COSTS, "shifts": (0.8,), "bound_age": 1}
    undecided = fit_curve(together(early, ages=(1,)), **options)
    assert undecided.followed == pytest.approx((0.5,), abs=0.02)
    assert 0.2 < bar(undecided) < 0.97
    metric = fit_curve(together(early, answers(60, seed=2, shift=0.8), ages=(1, 0)), **options)
    images = fit_curve(together(early, answers(60, seed=2, shift=0.8, wanted=-2.1), ages=(1, 0)), **options)
    assert metric.followed[0] > 0.7 > 0.2 > images.followed[0]
    assert bar(metric) > bar(images) + 0.4


def test_a_gate_set_after_the_shift_stays_where_it_is():
    after = fit_curve(NO_LABELS, bound=1.0, scale=1.0, costs=COSTS, shifts=(0.8,), bound_age=0)
    before = fit_curve(NO_LABELS, bound=1.0, scale=1.0, costs=COSTS, shifts=(0.8,), bound_age=1)
    assert bar(after) == pytest.approx(1.0, abs=1e-3)
    assert bar(before) == pytest.approx(1.4, abs=0.15)


def test_of_many_shifts_only_labels_within_the_last_two_are_used():
    labels = answers(50)
    options = {"bound": 0.0, "scale": 1.0, "costs": COSTS, "bound_age": 0}
    kept = Labels(values=labels.values, good=labels.good, streams=labels.streams, ages=np.full(50, 2))
    lost = Labels(values=labels.values, good=labels.good, streams=labels.streams, ages=np.full(50, 3))
    assert fit_curve(kept, shifts=(0.3, 0.3, 0.3), **options).labels == 50
    assert fit_curve(lost, shifts=(0.3, 0.3, 0.3), **options).labels == 0


# ---- costs -------------------------------------------------------------------------------------------------------


def test_costs_say_when_to_ask():
    assert COSTS.level == 0.75
    assert COSTS.probabilities == (0.5, pytest.approx(1 - 0.5 / 3))
    assert Costs(false_accept=3.0, false_reject=1.0, review=0.9).probabilities == (0.75, 0.75)
    assert Costs(false_accept=1.0, false_reject=1.0, review=0.1).probabilities == (0.1, 0.9)


def test_a_weak_signal_leaves_nearly_everything_to_the_human():
    rng = np.random.default_rng(0)
    values, good = rng.normal(size=400), rng.random(400) < 0.7
    weak = fit_curve(Labels(values=values, good=good, streams=("raw",) * 400), bound=0.0, scale=1.0, costs=COSTS)
    edges = weak.edges(COSTS, low=-3.0, high=3.0)
    assert edges == Edges(reject=-np.inf, accept=edges.accept) and edges.accept > 1.0
    lower, review = edges.bounds(low=-3.0, high=3.0)
    assert lower - review / 2 == -3.0 and lower + review / 2 == pytest.approx(min(edges.accept, 3.0))


def test_a_bound_and_its_band_are_the_two_edges():
    assert Edges(reject=0.2, accept=0.6).bounds(low=0.0, high=1.0) == (pytest.approx(0.4), pytest.approx(0.4))
    assert Edges(reject=-np.inf, accept=np.inf).bounds(low=0.0, high=1.0) == (0.5, 1.0)
    assert Edges(reject=np.inf, accept=np.inf).bounds(low=0.0, high=1.0) == (1.0, 0.0)
