"""Gates and their first thresholds: both sides of every bound, the novelty rule, and the percentiles behind them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gen_emerge.calibration.first import GateSetting, resolve, warmup_evidence
from gen_emerge.gates import CODES, codes, judge, judge_all, judge_novelty, let_in, overall
from gen_emerge.types import GATES, Bounds, Calibration, Verdict, content_hash


def after(value):
    return math.nextafter(value, math.inf)


def before(value):
    return math.nextafter(value, -math.inf)


def outcome(value, **bounds):
    return judge("quality", value, Bounds(**bounds), 3).outcome


LOWER = [
    (-9.0, "fail"),
    (0.25 - 1e-9, "fail"),
    (0.25, "review"),
    (0.5, "review"),
    (before(0.75), "review"),
    (0.75, "pass"),
    (9.0, "pass"),
]


@pytest.mark.parametrize(("value", "wanted"), LOWER)
def test_a_lower_bound_fails_below_its_band_reviews_within_and_passes_from_its_end(value, wanted):
    assert outcome(value, lower=0.5, review=0.5) == wanted


@pytest.mark.parametrize(("value", "wanted"), LOWER)
def test_an_upper_bound_is_a_lower_bound_seen_in_a_mirror(value, wanted):
    assert outcome(-value, upper=-0.5, review=0.5) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(before(0.5), "fail"), (0.5, "pass"), (after(0.5), "pass"), (2.0, "pass"), (after(2.0), "fail")],
)
def test_without_a_band_the_bound_itself_passes(value, wanted):
    assert outcome(value, lower=0.5, upper=2.0) == wanted


def test_a_failure_at_one_bound_is_not_softened_by_the_band_of_the_other():
    assert outcome(0.0, lower=0.5, upper=1.0, review=0.2) == "fail"
    assert outcome(1.3, lower=0.5, upper=1.0, review=0.2) == "fail"
    assert outcome(0.55, lower=0.5, upper=1.0, review=0.2) == "review"
    assert outcome(0.95, lower=0.5, upper=1.0, review=0.2) == "review"
    assert outcome(0.75, lower=0.5, upper=1.0, review=0.2) == "pass"


def test_a_gate_that_is_off_passes_everything():
    assert {outcome(value, review=5.0) for value in (-1e9, 0.0, 1e9)} == {"pass"}


def test_a_verdict_says_what_was_held_against_what():
    bounds = Bounds(lower=0.5, review=0.5)
    verdict = judge("style", 0.1, bounds, 3)
    assert (verdict.gate, verdict.kind, verdict.value, verdict.bounds, verdict.calibration) == (
        "style", "gate", 0.1, bounds, 3,
    )  # fmt: skip
    assert "below" in verdict.reason
    assert "above" in judge("style", 9.0, Bounds(upper=1.0), 3).reason
    assert judge("style", 0.9, bounds, 3).reason == ""


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.05, "fail"),
        (0.1, "review"),
        (0.25, "review"),
        (0.3, "pass"),
        (0.55, "pass"),
        (0.6, "review"),
        (1.0, "review"),
    ],
)
def test_each_end_has_a_review_band_of_its_own(value: float, wanted: str) -> None:
    bounds = Bounds(lower=0.1875, upper=0.8, review=0.1875, review_upper=0.5)
    assert judge("style", value, bounds, 3).outcome == wanted
    assert CODES[codes(np.array([value]), bounds)[0]] == wanted


NOVELTY = Bounds(lower=0.2, review=0.1, duplicate=0.02)


@pytest.mark.parametrize(
    ("distance", "nearest_any", "wanted"),
    [
        (0.5, 0.5, "pass"),
        (0.5, 0.03, "pass"),
        (0.5, 0.02, "pass"),
        (0.5, before(0.02), "fail"),
        (0.21, 0.21, "review"),
        (0.14, 0.14, "fail"),
        (2.0, 0.0, "fail"),
    ],
)
def test_a_near_holder_of_the_own_cell_forbids_nothing_but_a_duplicate(distance, nearest_any, wanted):
    assert judge_novelty(distance, nearest_any, NOVELTY, 1).outcome == wanted


def test_a_duplicate_is_reported_with_the_distance_that_made_it_one():
    verdict = judge_novelty(0.5, 0.01, NOVELTY, 1)
    assert verdict.value == 0.01 and "duplicate" in verdict.reason
    assert judge_novelty(0.5, 0.01, Bounds(lower=0.2), 1).outcome == "pass"


def calibration(**bounds):
    return Calibration(version=2, parent=1, bounds=bounds, evidence={}, reason="")


GOOD = {"quality": 0.9, "prompt": 0.9, "style": 0.5}


def all_of(signals, distance=1.0, nearest_any=1.0):
    everything = {gate: Bounds(lower=0.3, review=0.2) for gate in GATES}
    return judge_all(signals, distance=distance, nearest_any=nearest_any, calibration=calibration(**everything))


def test_all_four_gates_are_judged_in_their_order_with_the_version_in_force():
    verdicts = all_of(GOOD)
    assert tuple(verdict.gate for verdict in verdicts) == GATES
    assert {verdict.calibration for verdict in verdicts} == {2}
    assert [verdict.value for verdict in verdicts] == [0.9, 0.9, 1.0, 0.5]
    assert overall(verdicts) == ("pass", "")


def test_a_gate_the_calibration_does_not_name_passes():
    verdicts = judge_all(GOOD, distance=0.0, nearest_any=0.0, calibration=calibration(quality=Bounds(lower=0.95)))
    assert [verdict.outcome for verdict in verdicts] == ["fail", "pass", "pass", "pass"]


@pytest.mark.parametrize(
    ("signals", "distance", "wanted"),
    [
        ({**GOOD, "style": 0.0}, 1.0, ("fail", "style")),
        ({**GOOD, "style": 0.0, "prompt": 0.0}, 1.0, ("fail", "prompt")),
        ({**GOOD, "style": 0.0}, 0.0, ("fail", "novelty")),
        ({**GOOD, "quality": 0.35, "style": 0.0}, 1.0, ("fail", "style")),
        ({**GOOD, "quality": 0.35}, 0.35, ("review", "quality")),
        ({**GOOD, "style": 0.35}, 1.0, ("review", "style")),
    ],
)
def test_the_first_failure_is_counted_and_a_failure_before_a_review(signals, distance, wanted):
    assert overall(all_of(signals, distance=distance)) == wanted


# ---- calibration version 1 ---------------------------------------------------------------------------------------

COLUMNS = {name: np.random.default_rng(seed).beta(2, 5, 57) for seed, name in enumerate(("quality", "prompt", "style"))}
NEAREST = np.random.default_rng(9).beta(2, 3, 57)
VERSIONS = dict.fromkeys(GATES, "test-1")
EVIDENCE = warmup_evidence(COLUMNS, NEAREST, VERSIONS)
AUTO = {"style": GateSetting(upper="auto")}


def first(settings, evidence=EVIDENCE):
    return resolve(settings, evidence, version=1, parent=None, reason="warm-up")


def at(values, percentile):
    """The percentile by its definition: linear between the order statistics (numpy's default, method 7)."""
    ordered, place = np.sort(values), (len(values) - 1) * percentile / 100
    low = int(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(values) - 1)] - ordered[low])


@pytest.mark.parametrize("gate", ["quality", "prompt"])
def test_lower_bounds_are_the_5th_percentile_with_a_band_from_the_3rd_to_the_7th(gate):
    bounds, values = first(AUTO).bounds[gate], COLUMNS[gate]
    assert bounds.lower == pytest.approx(at(values, 5)) == pytest.approx(np.percentile(values, 5))
    assert bounds.review == pytest.approx(at(values, 7) - at(values, 3))
    assert (bounds.upper, bounds.duplicate) == (None, None)


@pytest.mark.parametrize("skew", [1, 6], ids=["wide above", "wide below"])
def test_style_cuts_only_extremes_on_both_sides(skew):
    values = np.random.default_rng(4).beta(skew, 7 - skew, 90)
    bounds = first(AUTO, warmup_evidence({"style": values}, NEAREST, VERSIONS)).bounds["style"]
    assert (bounds.lower, bounds.upper) == pytest.approx((at(values, 1), at(values, 99)))
    below, above = at(values, 2) - at(values, 0.5), at(values, 99.5) - at(values, 98)
    assert (bounds.review, bounds.review_upper) == pytest.approx((below, above))
    assert (above > 2 * below) if skew == 1 else (below > 2 * above)


def test_novelty_starts_at_the_10th_percentile_of_nearest_distances_and_its_duplicates_far_below():
    bounds = first(AUTO).bounds["novelty"]
    assert bounds.lower == pytest.approx(at(NEAREST, 10))
    assert bounds.review == pytest.approx(at(NEAREST, 12) - at(NEAREST, 8))
    assert bounds.duplicate == pytest.approx(at(NEAREST, 10) / 10)


def test_an_upper_bound_on_auto_is_the_95th_percentile_with_a_band_from_the_93rd_to_the_97th():
    bounds, values = first({"quality": GateSetting(upper="auto")}).bounds["quality"], COLUMNS["quality"]
    assert bounds.upper == pytest.approx(at(values, 95))
    assert bounds.review_upper == pytest.approx(at(values, 97) - at(values, 93))


def test_evidence_of_before_there_were_two_bands_gives_the_bounds_that_it_gave():
    old = {"style": {"images": 57, "version": "test-1", "lower": 0.0001, "upper": 0.93, "review": 0.08}}
    then = first(AUTO, old)
    assert then.bounds["style"] == Bounds(lower=0.0001, upper=0.93, review=0.08)
    # The hash that calibrations of before have: rolling back to one compares it.
    assert then.hash == content_hash({g: [b.lower, b.upper, b.review, b.duplicate] for g, b in then.bounds.items()})


def test_off_switches_a_bound_off_and_numbers_stay():
    settings = {
        "quality": GateSetting(lower="off"),
        "prompt": GateSetting(lower=0.125, review=0.03),
        "style": GateSetting(lower=-1.0, upper=4.5, review=0.0),
        "novelty": GateSetting(lower=0.3, duplicate="off"),
    }
    bounds = first(settings).bounds
    assert bounds["quality"].lower is None
    assert bounds["prompt"] == Bounds(lower=0.125, review=0.03)
    assert bounds["style"] == Bounds(lower=-1.0, upper=4.5)
    assert (bounds["novelty"].lower, bounds["novelty"].duplicate) == (0.3, None)
    assert first({"novelty": GateSetting(duplicate=0.07)}).bounds["novelty"].duplicate == 0.07


def test_values_that_are_no_numbers_are_no_evidence():
    spoiled = {**COLUMNS, "quality": np.append(COLUMNS["quality"], [np.nan, np.inf])}
    evidence = warmup_evidence(spoiled, np.append(NEAREST, np.inf), VERSIONS)
    assert evidence == EVIDENCE
    assert evidence["quality"]["images"] == 57


def test_without_evidence_auto_leaves_the_gate_open():
    bounds = first({"quality": GateSetting(upper="auto")}, warmup_evidence({}, np.empty(0), VERSIONS)).bounds
    assert bounds["quality"] == Bounds() and bounds["novelty"] == Bounds()


def test_the_warm_up_itself_mostly_passes_its_own_thresholds():
    made = first(AUTO)
    for gate in ("quality", "prompt", "style"):
        outcomes = [judge(gate, value, made.bounds[gate], 1).outcome for value in COLUMNS[gate]]
        assert outcomes.count("fail") <= 3 < 45 < outcomes.count("pass")


def test_the_content_hash_changes_with_the_bounds_and_with_nothing_else():
    base = first(AUTO)
    same = resolve(AUTO, {**EVIDENCE, "note": 1}, version=9, parent=8, reason="another")
    assert same.hash == base.hash and same.version != base.version
    others = [
        first({**AUTO, "quality": GateSetting(lower=0.1)}),
        first({**AUTO, "quality": GateSetting(upper=0.9)}),
        first({**AUTO, "quality": GateSetting(review=0.5)}),
        first({**AUTO, "novelty": GateSetting(duplicate=0.5)}),
        first({"style": GateSetting()}),
    ]
    assert len({base.hash, *(other.hash for other in others)}) == 6


def test_the_content_hash_does_not_depend_on_the_order_of_the_gates():
    forwards = calibration(quality=Bounds(lower=0.1), style=Bounds(upper=0.2))
    backwards = calibration(style=Bounds(upper=0.2), quality=Bounds(lower=0.1))
    assert forwards.hash == backwards.hash


def test_what_the_gates_said_first_is_their_word():
    def word(kind, outcome, gate="quality"):
        return Verdict(gate=gate, kind=kind, outcome=outcome, value=None, bounds=Bounds(), calibration=1)

    assert let_in([word("filter", "pass", "blank")]) is None
    assert let_in([word("gate", "pass"), word("gate", "fail", "style")]) is False
    assert let_in([word("gate", "pass"), word("filter", "fail", "blank"), word("gate", "fail")]) is True
    assert let_in([word("gate", "review"), word("gate", "pass")]) is None, "it was left to people"
