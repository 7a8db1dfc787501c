"""The map: against pyribs itself, its geometry, its memory of reigns, and the ranges of its axes."""

from __future__ import annotations

import numpy as np
import pytest
from ribs.archives import CVTArchive, GridArchive

from gen_emerge.archive import Archive, fix_axes
from gen_emerge.errors import Damaged
from gen_emerge.types import Axes, Placement


def grid(dims=(4, 5), low=None, high=None):
    n = len(dims)
    return Axes(
        version=1,
        kind="grid",
        names=tuple("abc"[:n]),
        low=tuple(low or (-1.0,) * n),
        high=tuple(high or (2.0,) * n),
        dims=tuple(dims),
    )


def cvt(cells=30, seed=3):
    return fixed("cvt", np.random.default_rng(0).normal(size=(200, 2)), cells=cells, seed=seed)


def fixed(kind, values, *, dims=(), cells=0, limits=None, seed=3):
    values = np.asarray(values, dtype=float)
    names = [f"axis{n}" for n in range(values.shape[1])]
    free = [(-np.inf, np.inf)] * len(names)
    return fix_axes(kind=kind, names=names, dims=dims, cells=cells, values=values, limits=limits or free, seed=seed)


def placed(candidate, cell, outcome, incumbent=None, descriptor=(0.0, 0.0), **more):
    return Placement(
        candidate=candidate,
        cell=cell,
        descriptor=descriptor,
        descriptor_version=1,
        outcome=outcome,
        incumbent=incumbent,
        **more,
    )


def independent(axes):
    ranges = list(zip(axes.low, axes.high, strict=True))
    if axes.kind == "grid":
        return GridArchive(solution_dim=(), dims=list(axes.dims), ranges=ranges)
    return CVTArchive(solution_dim=(), centroids=np.asarray(axes.centroids), ranges=ranges)


def contents(ribs):
    """Cell -> candidate, as pyribs has it."""
    indices, solutions = ribs.data(["index", "solution"], "tuple")
    return {int(index): int(solution) for index, solution in zip(indices, solutions, strict=True)}


def night(axes, seed, count=400):
    """Random placements (some beyond the ranges, a third of the challenges lost) told to the map and to pyribs."""
    rng = np.random.default_rng(seed)
    archive, ribs, history = Archive(axes), independent(axes), []
    low, high = np.asarray(axes.low), np.asarray(axes.high)
    for number in range(1, count + 1):
        point = low + (high - low) * rng.uniform(-0.1, 1.1, len(low))
        cell, _ = archive.locate(point)
        standing = archive.holder(cell)
        if standing is None:
            outcome, incumbent = "new", None
        else:
            outcome, incumbent = str(rng.choice(["won", "lost", "tie"])), standing.candidate
        placement = placed(number, cell, outcome, incumbent, tuple(float(v) for v in point))
        archive.apply(placement, number)
        history.append((placement, number))
        if outcome in ("new", "won"):
            ribs.add_single(number, float(standing.wins + 1 if standing else 0), np.clip(point, low, high))
    return archive, ribs, history


@pytest.mark.parametrize("axes", [grid((7,)), grid((4, 5)), grid((3, 4, 5)), cvt()], ids=["1d", "2d", "3d", "cvt"])
def test_random_placements_leave_the_same_cells_as_an_independent_pyribs_archive(axes):
    archive, ribs, _ = night(axes, seed=11)
    elites = contents(ribs)
    assert {elite.cell: elite.candidate for elite in archive} == elites
    assert len(archive) == len(ribs) > 5
    # What the map hands to its own pyribs archive is the same.
    assert contents(archive._open()) == elites


def test_the_same_placements_replayed_give_the_same_map_and_need_no_pyribs():
    archive, _, history = night(grid(), seed=5)
    again = Archive(grid())
    for placement, cycle in history:
        again.apply(placement, cycle)
    assert again._ribs is None
    assert list(again) == list(archive)
    assert all(again.ever_held(cell) == archive.ever_held(cell) for cell in range(20))
    assert again.locate((0.3, 0.3)) == archive.locate((0.3, 0.3))
    assert {int(s) for s in again._ribs.data("solution")} == {elite.candidate for elite in archive}


def test_elites_come_in_cell_order_with_their_wins_and_their_reign():
    archive = Archive(grid())
    archive.apply(placed(8, 9, "new"), 1)
    archive.apply(placed(5, 2, "new"), 2)
    archive.apply(placed(7, 9, "won", 8), 4)
    archive.apply(placed(6, 9, "won", 7), 6)
    assert [(e.cell, e.candidate, e.since, e.wins) for e in archive] == [(2, 5, 2, 0), (9, 6, 6, 2)]


def test_the_cell_of_a_grid_counts_the_last_axis_fastest():
    archive = Archive(grid((4, 5), low=(0.0, 0.0), high=(4.0, 5.0)))
    for x in range(4):
        for y in range(5):
            assert archive.locate((x + 0.5, y + 0.5)) == (5 * x + y, False)


@pytest.mark.parametrize(
    ("point", "cell", "outside"),
    [((-1.0, -1.0), 0, False), ((2.0, 2.0), 19, False), ((-1.001, -1.0), 0, True), ((0.0, 99.0), 9, True)],
)
def test_what_lies_outside_the_ranges_goes_to_the_edge_and_is_counted(point, cell, outside):
    assert Archive(grid()).locate(point) == (cell, outside)


def test_a_cvt_cell_is_the_one_of_the_nearest_centroid():
    axes = cvt()
    archive, centroids = Archive(axes), np.asarray(axes.centroids)
    points = np.random.default_rng(1).uniform(axes.low, axes.high, (200, 2))
    found = [archive.locate(point)[0] for point in points]
    assert found == [int(np.argmin(np.linalg.norm(centroids - point, axis=1))) for point in points]
    assert len(set(found)) > 20


@pytest.mark.parametrize(
    "wrong",
    [
        placed(2, 3, "new"),
        placed(2, 4, "won", 1),
        placed(2, 3, "won", 7),
        placed(2, 3, "won", None),
        placed(2, 4, "new", 1),
    ],
    ids=["new in a taken cell", "won in an empty cell", "won against another", "won against none", "new against one"],
)
def test_a_placement_that_contradicts_what_stands_is_refused(wrong):
    archive = Archive(grid())
    archive.apply(placed(1, 3, "new"), 1)
    with pytest.raises(Damaged, match=f"Cell {wrong.cell}"):
        archive.apply(wrong, 2)
    assert [(e.cell, e.candidate) for e in archive] == [(3, 1)]


@pytest.mark.parametrize("outcome", ["lost", "tie", "pending"])
def test_only_new_and_won_change_a_holder(outcome):
    archive = Archive(grid())
    archive.apply(placed(1, 3, "new"), 1)
    archive.apply(placed(2, 3, outcome, 1), 2)
    assert archive.holder(3).candidate == 1 and archive.holder(3).wins == 0
    assert archive.ever_held(3) == {1}


def test_who_held_a_cell_at_an_earlier_commit_and_who_ever_did():
    archive = Archive(grid())
    archive.apply(placed(1, 3, "new"), 2)
    archive.apply(placed(4, 3, "won", 1), 5)
    archive.apply(placed(6, 3, "won", 4), 5)
    archive.apply(placed(9, 3, "won", 6), 8)
    assert [archive.holder_as_of(3, cycle) for cycle in range(1, 10)] == [None, 1, 1, 1, 6, 6, 6, 9, 9]
    assert archive.ever_held(3) == {1, 4, 6, 9}
    assert archive.ever_held(4) == frozenset() and archive.holder_as_of(4, 99) is None


@pytest.mark.parametrize("dims", [(5,), (4, 5), (3, 4, 3)])
def test_the_neighbours_of_a_grid_cell_differ_by_one_along_one_axis(dims):
    archive, total = Archive(grid(dims)), int(np.prod(dims))
    places = [np.array(np.unravel_index(cell, dims)) for cell in range(total)]
    for cell in range(total):
        wanted = {other for other in range(total) if np.abs(places[other] - places[cell]).sum() == 1}
        assert set(archive.beside(cell)) == wanted
        assert len(archive.beside(cell)) == len(wanted)


def test_the_neighbours_of_a_cvt_cell_are_the_nearest_centroids_in_units_of_the_ranges():
    axes = cvt()
    stretched = Axes(
        version=1,
        kind="cvt",
        names=axes.names,
        low=(axes.low[0] * 1000, axes.low[1]),
        high=(axes.high[0] * 1000, axes.high[1]),
        centroids=tuple((1000 * x, y) for x, y in axes.centroids),
    )
    points = np.asarray(axes.centroids) / (np.asarray(axes.high) - np.asarray(axes.low))
    for cell in range(axes.cells):
        order = np.argsort(np.linalg.norm(points - points[cell], axis=1), kind="stable")
        assert set(Archive(axes).beside(cell)) == {int(i) for i in order[1:5]}
        assert set(Archive(stretched).beside(cell)) == {int(i) for i in order[1:5]}


def test_empty_cells_beside_one_are_counted():
    archive = Archive(grid((3, 3)))
    assert archive.empty_beside(4) == 4 and archive.empty_beside(0) == 2
    archive.apply(placed(1, 1, "new"), 1)
    archive.apply(placed(2, 3, "new"), 1)
    archive.apply(placed(3, 8, "new"), 1)
    assert archive.empty_beside(4) == 2 and archive.empty_beside(0) == 0


# ---- axes --------------------------------------------------------------------------------------------------------


def test_centroids_are_the_same_for_a_seed_and_other_for_another():
    assert cvt(seed=3) == cvt(seed=3)
    assert cvt(seed=3).centroids != cvt(seed=4).centroids
    assert cvt().cells == 30 and cvt().dims == ()


def test_a_stored_cvt_is_opened_without_any_k_means(monkeypatch):
    axes = cvt()
    monkeypatch.setattr("ribs.archives.k_means_centroids", None)
    monkeypatch.setattr("gen_emerge.archive._centroids", None)
    archive = Archive(axes)
    assert [archive.locate(point)[0] for point in axes.centroids] == list(range(30))


def test_an_axis_spans_the_2nd_to_98th_percentile_and_a_quarter_more_on_each_side():
    values = np.random.default_rng(2).gamma(2.0, size=(53, 2))
    axes = fixed("grid", values, dims=(20, 20))
    for axis in range(2):
        near, far = np.percentile(values[:, axis], 2), np.percentile(values[:, axis], 98)
        assert axes.low[axis] == pytest.approx(near - (far - near) / 4, abs=1e-12)
        assert axes.high[axis] == pytest.approx(far + (far - near) / 4, abs=1e-12)
    assert (axes.version, axes.kind, axes.dims, axes.cells, axes.centroids) == (1, "grid", (20, 20), 400, ())


def test_an_axis_stays_within_its_natural_limits():
    values = np.column_stack([np.linspace(0.02, 0.98, 50), np.linspace(0.4, 0.6, 50)])
    axes = fixed("grid", values, dims=(2, 2), limits=[(0.0, 1.0), (0.0, 1.0)])
    assert (axes.low[0], axes.high[0]) == (0.0, 1.0)
    assert 0.3 < axes.low[1] < 0.4 and 0.6 < axes.high[1] < 0.7


@pytest.mark.parametrize(
    ("value", "limits", "low", "high"),
    [
        (0.5, (0.0, 1.0), 0.499, 0.501),
        (0.0, (0.0, 1.0), 0.0, 0.001),
        (1.0, (0.0, 1.0), 0.999, 1.0),
        (-1.0, (-1.0, 1.0), -1.0, -0.998),
        (40.0, (-np.inf, np.inf), 39.96, 40.04),
        (0.0, (-np.inf, np.inf), -0.001, 0.001),
        (0.0, (0.0, np.inf), 0.0, 0.001),
    ],
)
def test_a_signal_that_did_not_vary_gets_a_narrow_range_around_it(value, limits, low, high):
    axes = fixed("grid", np.full((9, 1), value), dims=(10,), limits=[limits])
    assert (axes.low[0], axes.high[0]) == pytest.approx((low, high))
    cell, outside = Archive(axes).locate((value,))
    assert 0 <= cell < 10 and not outside


def test_one_image_is_enough_to_fix_axes():
    axes = fixed("grid", [[0.2, 7.0]], dims=(3, 3))
    assert all(high > low for low, high in zip(axes.low, axes.high, strict=True))


@pytest.mark.parametrize(("kind", "dims", "cells"), [("grid", (12,), 12), ("grid", (3, 4, 5), 60), ("cvt", (), 25)])
@pytest.mark.parametrize("axes_count", [1, 3])
def test_maps_have_one_or_three_axes_too(kind, dims, cells, axes_count):
    if kind == "grid" and len(dims) != axes_count:
        dims, cells = ((12,), 12) if axes_count == 1 else ((3, 4, 5), 60)
    values = np.random.default_rng(4).random((40, axes_count))
    axes = fixed(kind, values, dims=dims, cells=cells)
    archive = Archive(axes)
    assert axes.cells == cells and len(axes.names) == axes_count
    found = {
        archive.locate(point)[0] for point in np.random.default_rng(5).uniform(axes.low, axes.high, (600, axes_count))
    }
    assert found == set(range(cells))
    assert len(archive.beside(0)) == (2 * axes_count if kind == "cvt" else axes_count)
