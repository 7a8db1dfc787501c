"""The novelty index against brute force: exact while it is small, and later as good as its graphs."""

from __future__ import annotations

import numpy as np
import pytest

from gen_emerge.errors import DiskFull
from gen_emerge.novelty import NoveltyIndex, graph
from gen_emerge.novelty.graph import FOUND, Graph
from gen_emerge.novelty.halves import CHUNK, HALF_SCALE, half_bits


def units(count, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def filled(vectors, path=None, **options):
    index = NoveltyIndex(path, vectors.shape[1], **options)
    for place, vector in enumerate(vectors):
        index.add(1000 + 3 * place, vector)
    return index


def reference(queries, vectors):
    """In float64, from the half-float vectors that are kept."""
    kept = vectors.astype(np.float16).astype(np.float64)
    return np.maximum(1.0 - queries.astype(np.float64) @ kept.T, 0.0)


def towards(distances):
    """2-d unit vectors at given distances from (1, 0), the query."""
    cosines = 1.0 - np.asarray(distances)
    return np.stack([cosines, np.sqrt(1.0 - cosines**2)], axis=1).astype(np.float32)


QUERY = np.array([[1.0, 0.0]], dtype=np.float32)


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


@pytest.mark.parametrize("exact", [100, 4, 3])
def test_the_nearest_leaves_out_whom_it_is_told_to(exact):
    sight = filled(towards([0.5, 0.1, 0.3, 0.2, 0.9, 0.4]), exact=exact).look(QUERY)
    assert sight.nearest(0) == (pytest.approx(0.1, abs=1e-3), 1003)
    assert sight.nearest(0, without={1003}) == (pytest.approx(0.2, abs=1e-3), 1009)
    assert sight.nearest(0, without={1003, 1009, 77}) == (pytest.approx(0.3, abs=1e-3), 1006)
    assert sight.nearest(0) == (pytest.approx(0.1, abs=1e-3), 1003)


@pytest.mark.parametrize("exact", [100, 2, 1])
def test_with_nobody_left_the_distance_is_two(exact):
    sight = filled(towards([0.2, 0.4]), exact=exact).look(QUERY)
    assert sight.nearest(0, without={1000, 1003}) == (2.0, None)


def test_an_empty_index_answers():
    sight = NoveltyIndex(None, 16).look(units(3, 16))
    assert sight.nearest(0) == (2.0, None)
    assert sight.nearest(2, without={4}) == (2.0, None)


def test_the_queries_are_not_changed():
    queries = units(3, 16)
    queries.setflags(write=False)
    before = queries.copy()
    filled(units(5, 16), exact=3).look(queries).nearest(1)
    assert np.array_equal(queries, before)


def test_a_look_knows_nothing_of_who_came_later():
    index = filled(towards([0.5, 0.3]), exact=3)
    sight = index.look(QUERY)
    for candidate, vector in enumerate(towards([0.2, 0.1, 0.01])):
        index.add(candidate, vector)
    assert sight.nearest(0) == (pytest.approx(0.3, abs=1e-3), 1003)
    assert index.look(QUERY).nearest(0) == (pytest.approx(0.01, abs=1e-3), 2)


def test_every_finite_half_float_is_turned_into_the_same_number():
    patterns = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = patterns[np.isfinite(patterns)]
    assert len(finite) == 65536 - 2 * 1024
    found = half_bits(finite[None], np.empty((1, len(finite)), dtype=np.uint32))[0] * HALF_SCALE
    assert np.array_equal(found, finite.astype(np.float32))
    assert np.array_equal(np.signbit(found), np.signbit(finite))


# ---- finished stretches ----------------------------------------------------------------------------------------------


def test_search_is_exact_until_a_stretch_is_finished(monkeypatch):
    made = []
    monkeypatch.setattr(graph, "_made", lambda vectors, make=graph._made: made.append(len(vectors)) or make(vectors))
    index = filled(units(200, 8), exact=100)
    assert made == [100]
    index.add(1, units(1, 8, seed=3)[0])
    assert made == [100, 100]


def test_finished_stretches_name_the_nearest_with_its_exact_distance():
    vectors, queries = units(5000, 16), units(200, 16, seed=4)
    sight, true = filled(vectors, exact=1500).look(queries), reference(queries, vectors)
    found = [sight.nearest(place) for place in range(len(queries))]
    right = [who == 1000 + 3 * row.argmin() for (_, who), row in zip(found, true, strict=True)]
    assert np.mean(right) >= 0.99
    named = [row[(who - 1000) // 3] for (_, who), row in zip(found, true, strict=True)]
    assert np.abs(np.array([distance for distance, _ in found]) - named).max() < 1e-6


def test_whoever_hides_behind_all_that_a_graph_names_is_found():
    near = FOUND + 20
    vectors = towards(np.linspace(0.1, 0.9, near))
    sight = filled(np.concatenate([vectors, towards([0.95, 0.97])]), exact=near).look(QUERY)
    everybody_but_the_farthest = {1000 + 3 * row for row in range(near - 1)}
    assert sight.nearest(0, without=everybody_but_the_farthest) == (pytest.approx(0.9, abs=1e-3), 1000 + 3 * (near - 1))


def graph_files(folder):
    return sorted(path.name for path in folder.glob("novelty-*"))


def test_an_index_filled_again_answers_the_same_with_or_without_its_files(tmp_path):
    vectors, queries = units(1000, 12), units(50, 12, seed=5)
    path = tmp_path / "novelty.f16"

    def answers(path):
        sight = filled(vectors, path, exact=400).look(queries)
        return [sight.nearest(place) for place in range(len(queries))]

    first = answers(path)
    assert graph_files(tmp_path) == [f"novelty-{n}.{kind}" for n in (0, 1) for kind in ("graph", "origin")]
    assert answers(path) == first == answers(None)


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "unfinished", "of others"])
def test_a_graphs_file_that_is_not_whole_is_made_anew(tmp_path, monkeypatch, damage):
    path, vectors = tmp_path / "a.graph", units(300, 8).astype(np.float16)
    Graph(vectors, path)
    whole = path.read_bytes()
    made = []
    monkeypatch.setattr(graph, "_made", lambda vectors, make=graph._made: made.append(len(vectors)) or make(vectors))
    assert Graph(vectors, path).neighbours(units(1, 8)[0])[0] == 0 and not made
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:])
    elif damage == "gone":
        path.unlink()
    elif damage == "unfinished":
        path.with_suffix(".origin").unlink()
    else:
        vectors = units(300, 8, seed=9).astype(np.float16)
    assert Graph(vectors, path).neighbours(vectors[7].astype(np.float32))[0] == 7
    assert made == [300]
    if damage != "of others":
        assert path.read_bytes() == whole


def test_no_room_for_a_graph_says_so_and_leaves_no_half_of_one(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    index = filled(units(50, 8), tmp_path / "novelty.f16", exact=50)
    monkeypatch.setattr(graph.os, "fsync", full)
    with pytest.raises(DiskFull, match="disk"):
        index.add(1, units(1, 8)[0])
    assert graph_files(tmp_path) == []
