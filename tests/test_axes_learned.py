"""Axes learned from triplets: what they find, when they are believed, and what an answer says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from gen_emerge.preference.axes import basis_of, fit_axes, held_out, places_of, right, wilson
from gen_emerge.preference.triplets import Triplet, decided, stand_in
from gen_emerge.types import HumanAnswer, Question, Round


def images(seed: int, n: int = 300, d: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) unit vectors, and two coordinates of each that a person looks at: no principal ones."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n, d)) * np.arange(1, d + 1.0) ** -0.5
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    return vectors, vectors[:, [5, 9]] / vectors[:, [5, 9]].std(axis=0)


def answers(seed: int, seen: np.ndarray, count: int, *, lapses: float = 0.1) -> np.ndarray:
    """(count, 3) triplets as a person says who looks at `seen` and slips now and then."""
    rng = np.random.default_rng((seed, 1))
    threes = np.array([rng.choice(len(seen), 3, replace=False) for _ in range(count)])
    wrong = (right(seen, threes) == 0) != (rng.random(count) < lapses)
    return np.where(wrong[:, None], threes[:, [0, 2, 1]], threes)


def random_answers(seed: int, n: int, count: int) -> np.ndarray:
    rng = np.random.default_rng((seed, 2))
    return np.array([rng.choice(n, 3, replace=False) for _ in range(count)])


@pytest.mark.parametrize("seed", range(3))
def test_axes_are_found_that_neither_the_embedding_nor_its_principal_axes_show(seed: int) -> None:
    vectors, seen = images(seed)
    basis = basis_of(vectors)
    weights = fit_axes(basis, answers(seed, seen, 400), 2)
    fresh = answers(seed + 100, seen, 2000, lapses=0.0)
    learned = right(vectors @ weights.T, fresh).mean()
    assert learned > 0.8
    assert learned > right(vectors, fresh).mean() + 0.15
    assert learned > right(basis.points[:, :2], fresh).mean() + 0.15


def test_what_is_held_out_is_what_fresh_triplets_say() -> None:
    found, fresh, told_of = [], [], []
    for seed in range(20):
        vectors, seen = images(seed)
        basis, asked = basis_of(vectors), answers(seed, seen, 200)
        told = held_out(basis, vectors, asked, 2, rng=np.random.default_rng(seed))
        weights = fit_axes(basis, asked, 2)
        found.append(told.accuracy)
        told_of.append(told.believed)
        fresh.append(right(vectors @ weights.T, answers(seed + 100, seen, 2000)).mean())
        assert told.triplets == 200 and told.low < told.accuracy < told.high
        assert told.embedding == pytest.approx(right(vectors, asked).mean())
    # Fitted to four fifths of them, and never to those that are foretold: a little below, not above.
    assert -0.05 < np.mean(found) - np.mean(fresh) < 0.01
    assert np.mean(told_of) > 0.8


def test_random_clicks_are_seldom_believed() -> None:
    vectors, _ = images(0)
    basis = basis_of(vectors)
    told = [
        held_out(basis, vectors, random_answers(seed, 300, 120), 2, rng=np.random.default_rng(seed)).believed
        for seed in range(100)
    ]
    assert sum(told) <= 3


def test_random_clicks_are_seldom_believed_however_often_axes_are_fitted() -> None:
    vectors, _ = images(0)
    basis, told = basis_of(vectors), []
    for seed in range(40):
        clicks = random_answers(seed + 1000, 300, 300)
        looks = enumerate(range(60, 300, 24), start=1)
        told.append(
            any(
                held_out(basis, vectors, clicks[:n], 2, rng=np.random.default_rng((seed, k)), look=k).believed
                for k, n in looks
            )
        )
    assert sum(told) <= 2


def test_the_first_look_is_the_lower_end_of_its_interval() -> None:
    vectors, seen = images(0)
    basis, asked = basis_of(vectors), answers(0, seen, 100)
    first, tenth = (held_out(basis, vectors, asked, 2, rng=np.random.default_rng(0), look=k) for k in (1, 10))
    assert first.floor == pytest.approx(first.low, abs=1e-6)
    assert tenth.floor < first.floor and (tenth.low, tenth.accuracy) == (first.low, first.accuracy)


def test_many_raters_of_one_question_are_one_trial_and_foretell_nothing_of_each_other() -> None:
    vectors, _ = images(0)
    once = random_answers(3, 300, 30)
    asked = np.concatenate([once] * 10)
    told = held_out(basis_of(vectors), vectors, asked, 2, rng=np.random.default_rng(0))
    assert (told.triplets, told.images) == (300, 30)
    assert not told.believed, "what one rater says of a question is what the others said of it"
    assert told.high - told.low > 0.3


def test_a_fit_is_the_same_every_time_and_turns_as_little_as_it_can() -> None:
    vectors, seen = images(1)
    basis, asked = basis_of(vectors), answers(1, seen, 300)
    weights = fit_axes(basis, asked, 2)
    assert np.array_equal(weights, fit_axes(basis_of(vectors), asked, 2))
    values = vectors @ weights.T
    assert values.std(axis=0)[0] > values.std(axis=0)[1], "the widest comes first"
    assert (values.var(axis=0)).mean() == pytest.approx(1.0, rel=1e-3)
    half_a_turn = np.array([[np.cos(2.0), -np.sin(2.0)], [np.sin(2.0), np.cos(2.0)]]) @ weights
    again = vectors @ fit_axes(basis, asked[:290], 2, like=half_a_turn).T
    for axis in range(2):
        assert np.corrcoef(again[:, axis], (vectors @ half_a_turn.T)[:, axis])[0, 1] > 0.98


def test_as_many_axes_are_found_as_are_wanted() -> None:
    vectors, seen = images(2, n=30, d=12)
    asked = answers(2, seen, 80)
    for axes in (1, 3):
        assert fit_axes(basis_of(vectors, axes), asked, axes).shape == (axes, 12)


@pytest.mark.parametrize(("hits", "of"), [(0, 5), (3, 7), (60, 100), (12, 12)])
def test_wilson_is_scipys(hits: int, of: int) -> None:
    expected = binomtest(hits, of).proportion_ci(method="wilson")
    assert wilson(hits / of, of) == pytest.approx((expected.low, expected.high), abs=1e-6)


def asked_of(number: int, kind: str = "triplet", **images: int) -> Round:
    question: Any = Question(id=f"r{number}-1", kind=kind, ask="similarity", prompt="", images=images)  # pyright: ignore
    return Round(id=f"r{number}", cycle=number, reason="request", questions=(question,))


def said(question: str, answer: Any, rater: str) -> HumanAnswer:
    return HumanAnswer(question=question, answer=answer, rater=rater, confidence="sure")


def test_of_answers_only_decided_triplets_count() -> None:
    rounds = [asked_of(1, reference=4, a=5, b=6), asked_of(2, kind="pair", left=4, right=5)]
    standing = [
        said("r1-1", "b", "anna"),
        said("r1-1", "unsure", "ben"),
        said("r1-1", "a", "cy"),
        said("r2-1", "left", "anna"),
    ]
    found = decided(rounds, standing)
    assert [(t.rater, t.reference, t.nearer, t.farther) for t in found] == [("anna", 4, 6, 5), ("cy", 4, 5, 6)]
    assert decided(rounds, standing, rater="cy") == found[1:]


def test_a_distance_stands_in_for_a_person() -> None:
    vectors, _ = images(3, n=50)
    ids = np.arange(50) * 3 + 7
    found = stand_in(ids, vectors, 40, rng=np.random.default_rng(0))
    assert len(found) == 40 and len({t.question for t in found}) == 40
    for t in found:
        at = {name: vectors[(getattr(t, name) - 7) // 3] for name in ("reference", "nearer", "farther")}
        assert at["reference"] @ at["nearer"] > at["reference"] @ at["farther"]
    assert found != stand_in(ids, vectors, 40, rng=np.random.default_rng(1))
    assert stand_in(ids[:2], vectors[:2], 40, rng=np.random.default_rng(0)) == []
    alike = stand_in(ids[:3], np.repeat(vectors[:1], 3, axis=0), 40, rng=np.random.default_rng(0))
    assert alike == [], "of two that are equally far none is the nearer"


def test_a_triplet_with_an_image_that_is_not_there_is_left_out() -> None:
    threes = [(7, 8, 9), (7, 8, 10)]
    assert places_of([9, 8, 7], threes).tolist() == [[2, 1, 0]]
    assert places_of([9], threes).shape == (0, 3)
    assert Triplet(question="q", rater="", reference=1, nearer=2, farther=3).nearer == 2
