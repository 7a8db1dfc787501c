"""The novelty index against brute force: exact, however it grew and wherever it lies."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.novelty import CHUNK, HALF_SCALE, NoveltyIndex, _half_bits


def units(count, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def filled(vectors, path=None):
    index = NoveltyIndex(path, vectors.shape[1])
    for place, vector in enumerate(vectors):
        index.add(1000 + 3 * place, vector)
    return index


def reference(queries, vectors):
    """In float64, from the half-float vectors that are kept."""
    kept = vectors.astype(np.float16).astype(np.float64)
    return np.maximum(1.0 - queries.astype(np.float64) @ kept.T, 0.0)


@pytest.mark.parametrize("count", [1, 7, 1024, 1025, CHUNK, CHUNK + 1, 5000])
def test_distances_are_those_of_brute_force(count):
    vectors, queries = units(count, 24), units(5, 24, seed=1)
    found = filled(vectors).distances(queries)
    assert found.shape == (5, count) and found.dtype == np.float32
    assert np.abs(found - reference(queries, vectors)).max() < 1e-6


def test_distances_reach_from_the_same_to_the_opposite():
    vectors = units(3, 16)
    found = filled(vectors).distances(np.concatenate([vectors, -vectors]))
    assert np.abs(np.diag(found[:3])).max() < 1e-3 and found.min() >= 0.0
    assert np.abs(np.diag(found[3:]) - 2.0).max() < 1e-3


def test_growing_loses_nothing():
    vectors = units(2500, 8)
    index = NoveltyIndex(None, 8)
    for place, vector in enumerate(vectors):
        index.add(place, vector)
        if place in (0, 1023, 1024, 2047, 2048, 2499):
            found = index.distances(vectors[: place + 1 : 97])
            assert np.abs(found - reference(vectors[: place + 1 : 97], vectors[: place + 1])).max() < 1e-6
    assert len(index) == 2500 and list(index.ids) == list(range(2500))


def test_a_memory_mapped_index_equals_one_in_memory(tmp_path):
    vectors, queries = units(3000, 12), units(4, 12, seed=2)
    mapped = filled(vectors, tmp_path / "cache" / "novelty.f16")
    assert (tmp_path / "cache" / "novelty.f16").exists()
    assert np.array_equal(mapped.distances(queries), filled(vectors).distances(queries))


def test_an_index_file_is_made_anew_and_holds_nothing_of_the_last(tmp_path):
    filled(units(40, 12), tmp_path / "novelty.f16")
    index = NoveltyIndex(tmp_path / "novelty.f16", 6)
    assert len(index) == 0 and index.distances(units(2, 6)).shape == (2, 0)


def test_the_nearest_leaves_out_whom_it_is_told_to():
    index = filled(units(6, 16))
    row = np.array([0.5, 0.1, 0.3, 0.2, 0.9, 0.4], dtype=np.float32)
    before = row.copy()
    assert index.nearest(row) == (pytest.approx(0.1), 1003)
    assert index.nearest(row, without={1003}) == (pytest.approx(0.2), 1009)
    assert index.nearest(row, without={1003, 1009, 77}) == (pytest.approx(0.3), 1006)
    assert np.array_equal(row, before)


def test_with_nobody_left_the_distance_is_two():
    index = filled(units(2, 16))
    row = index.distances(units(1, 16, seed=5))[0]
    assert index.nearest(row, without={1000, 1003}) == (2.0, None)


def test_an_empty_index_answers():
    index = NoveltyIndex(None, 16)
    found = index.distances(units(3, 16))
    assert found.shape == (3, 0)
    assert index.nearest(found[0]) == (2.0, None)
    assert index.nearest(found[0], without={4}) == (2.0, None)


def test_the_queries_are_not_changed():
    queries = units(3, 16)
    queries.setflags(write=False)
    before = queries.copy()
    filled(units(5, 16)).distances(queries)
    assert np.array_equal(queries, before)


def test_every_finite_half_float_is_turned_into_the_same_number():
    patterns = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = patterns[np.isfinite(patterns)]
    assert len(finite) == 65536 - 2 * 1024
    found = _half_bits(finite[None], np.empty((1, len(finite)), dtype=np.uint32))[0] * HALF_SCALE
    assert np.array_equal(found, finite.astype(np.float32))
    assert np.array_equal(np.signbit(found), np.signbit(finite))
