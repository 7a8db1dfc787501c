"""Diversity of one set against direct formulas."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.setmetrics.diversity import mean_pairwise_distance, vendi_score


def units(count, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)) + 0.4
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pairwise(vectors):
    points = vectors.astype(np.float64)
    distances = [1.0 - points[i] @ points[j] for i in range(len(points)) for j in range(i)]
    return sum(distances) / len(distances)


def vendi(vectors):
    """Friedman and Dieng 2023, definition 3.1: exp of the entropy of the eigenvalues of K / n."""
    points = vectors.astype(np.float64)
    values = np.linalg.eigvalsh(points @ points.T / len(points))
    return np.exp(-sum(v * np.log(v) for v in values if v > 1e-12))


SETS = [(2, 3), (5, 40), (40, 5), (64, 64), (120, 16)]


@pytest.mark.parametrize(("count", "dimension"), SETS)
def test_the_mean_pairwise_distance_is_the_mean_over_all_pairs(count, dimension):
    vectors = units(count, dimension)
    assert mean_pairwise_distance(vectors) == pytest.approx(pairwise(vectors), abs=1e-6)


@pytest.mark.parametrize(("count", "dimension"), SETS)
def test_the_vendi_score_is_that_of_the_whole_kernel(count, dimension):
    vectors = units(count, dimension)
    found = vendi_score(vectors)
    assert found == pytest.approx(vendi(vectors), rel=1e-5)
    assert 1.0 <= found <= min(count, dimension) + 1e-6


@pytest.mark.parametrize("count", [2, 7, 30])
def test_images_that_are_all_the_same_count_as_one(count):
    vectors = np.repeat(units(1, 20), count, axis=0)
    assert vendi_score(vectors) == pytest.approx(1.0, abs=1e-6)
    assert mean_pairwise_distance(vectors) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("count", [2, 7, 20])
def test_images_that_have_nothing_in_common_count_each(count):
    vectors = np.eye(20, dtype=np.float32)[:count]
    assert vendi_score(vectors) == pytest.approx(count)
    assert mean_pairwise_distance(vectors) == pytest.approx(1.0)


def test_opposites_are_at_distance_two():
    vectors = units(1, 9)
    assert mean_pairwise_distance(np.concatenate([vectors, -vectors])) == pytest.approx(2.0)


def test_two_groups_count_as_two():
    vectors = np.repeat(np.eye(12, dtype=np.float32)[:2], 25, axis=0)
    assert vendi_score(vectors) == pytest.approx(2.0)


@pytest.mark.parametrize("measure", [mean_pairwise_distance, vendi_score])
def test_below_two_images_there_is_nothing_to_say(measure):
    assert measure(np.empty((0, 8), dtype=np.float32)) is None
    assert measure(units(1, 8)) is None


@pytest.mark.parametrize("measure", [mean_pairwise_distance, vendi_score])
def test_the_order_of_the_images_does_not_matter_and_they_are_not_changed(measure):
    vectors = units(30, 8)
    vectors.setflags(write=False)
    assert measure(vectors[::-1]) == pytest.approx(measure(vectors), rel=1e-9)
