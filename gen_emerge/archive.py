"""The MAP-Elites archive: descriptor -> cell -> elite.

Takes placements (who was set against whom, where, and how it ended) and gives holders, past holders and neighbours.
It never decides who is better and never asks anybody: the loop brings outcomes, this room keeps them, so that replaying
the same placements gives the same map. pyribs (Fontaine et al.; MAP-Elites: Mouret & Clune 2015, CVT: Vassiliades et
al. 2018) holds the cells and nothing else imports it. The objective handed to pyribs is the number of successive wins
in a cell: never shown, never a quality.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gen_emerge.errors import Damaged
from gen_emerge.types import RELAID, Axes, Placement

CVT_SAMPLES = 20_000
"""Uniform points from which CVT centroids are computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elite:
    """Who holds a cell: candidate id, the cycle its reign began, wins of the cell so far, its coordinates."""

    cell: int
    candidate: int
    since: int
    wins: int
    descriptor: tuple[float, ...]


class Archive:
    """Cells and their holders under one version of the axes.

    Replaying needs no pyribs; it is imported when the first descriptor is placed (`locate`), and filled from the
    holders known by then.

    Args:
        axes: its geometry.
        since: the cycle at whose commit these axes came into force.
        before: the archive under the axes before. It is kept for those who look back past `since`; what came before
            that one is not, for nobody looks back so far.
    """

    def __init__(self, axes: Axes, *, since: int = 0, before: Archive | None = None) -> None:
        self.axes = axes
        self.since = since
        self._before = before
        self._once = before.held_ever() if before is not None else frozenset[int]()
        if before is not None:
            before._before = None
        self._met: dict[int, list[tuple[int, int]]] = {}
        self._elites: dict[int, Elite] = {}
        self._reigns: dict[int, list[tuple[int, int]]] = {}
        self._ribs: Any = None
        self._beside: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        """How many cells are filled."""
        return len(self._elites)

    def __iter__(self) -> Iterator[Elite]:
        """The elites in cell order."""
        return (self._elites[cell] for cell in sorted(self._elites))

    def holder(self, cell: int) -> Elite | None:
        """The elite of a cell, None when it is empty."""
        return self._elites.get(cell)

    def as_of(self, cycle: int) -> Archive:
        """The archive under the axes in force when `cycle` was committed; before there were any, under the first."""
        return self if cycle >= self.since or self._before is None else self._before.as_of(cycle)

    def holder_as_of(self, cell: int, cycle: int) -> int | None:
        """Candidate id of the holder when `cycle` was committed."""
        past = [candidate for candidate, since in self._reigns.get(cell, ()) if since <= cycle]
        return past[-1] if past else None

    def ever_held(self, cell: int, cycle: float = math.inf) -> frozenset[int]:
        """Candidate ids of all who held a cell until `cycle` was committed: near them, a challenge is allowed.

        Of learned axes also those who held any cell under earlier axes and lie in this one now.
        """
        those = (*self._reigns.get(cell, ()), *self._met.get(cell, ()))
        return frozenset(candidate for candidate, since in those if since <= cycle)

    def held_ever(self, cycle: float = math.inf) -> frozenset[int]:
        """Everybody who held a cell until `cycle` was committed, under whatever axes."""
        those = (pair for reigns in self._reigns.values() for pair in reigns)
        return self._once | {candidate for candidate, since in those if since <= cycle}

    def first_as_of(self, cycle: int) -> int | None:
        """Candidate id of the elite in the lowest filled cell when `cycle` was committed."""
        holders = (self.holder_as_of(cell, cycle) for cell in sorted(self._reigns))
        return next((holder for holder in holders if holder is not None), None)

    def locate(self, descriptor: Sequence[float]) -> tuple[int, bool]:
        """The cell of a descriptor, and whether a coordinate lay outside the ranges (it is then clipped to the edge).

        Args:
            descriptor: (axes,) finite coordinates in the axes' units.
        """
        point = np.asarray(descriptor, dtype=np.float64)
        low, high = np.asarray(self.axes.low), np.asarray(self.axes.high)
        outside = bool(np.any(point < low) or np.any(point > high))
        return int(self._open().index_of_single(np.clip(point, low, high))), outside

    def locate_all(self, descriptors: Mapping[int, Sequence[float]]) -> dict[int, tuple[int, bool]]:
        """Candidate id -> what `locate` gives of its descriptor, for many at once."""
        if not descriptors:
            return {}
        points = np.array(list(descriptors.values()), dtype=np.float64)
        low, high = np.asarray(self.axes.low), np.asarray(self.axes.high)
        cells = self._open().index_of(np.clip(points, low, high))
        outside = np.any((points < low) | (points > high), axis=1)
        return {c: (int(cell), bool(out)) for c, cell, out in zip(descriptors, cells, outside, strict=True)}

    def apply(self, placement: Placement, cycle: int) -> None:
        """Record one outcome. Only `new` and `won` change a holder.

        Raises:
            Damaged: the placement contradicts what stands (a `new` in a taken cell, an incumbent who does not hold it).
        """
        standing = self._elites.get(placement.cell)
        if placement.outcome not in ("new", "won"):
            if placement.reason == RELAID:
                self._met.setdefault(placement.cell, []).append((placement.candidate, cycle))
            return
        expected = standing.candidate if standing else None
        if (placement.outcome == "new") != (standing is None) or placement.incumbent != expected:
            raise Damaged(
                f"Cell {placement.cell}: candidate {placement.candidate} is recorded as {placement.outcome!r} against "
                f"{placement.incumbent}, but the holder is {expected}.",
                hint="The history contradicts itself; `gen-emerge verify` names where.",
            )
        elite = Elite(
            cell=placement.cell,
            candidate=placement.candidate,
            since=cycle,
            wins=standing.wins + 1 if standing else 0,
            descriptor=placement.descriptor,
        )
        self._elites[placement.cell] = elite
        self._reigns.setdefault(placement.cell, []).append((placement.candidate, cycle))
        if self._ribs is not None:
            self._tell(elite)

    def empty_beside(self, cell: int) -> int:
        """How many cells beside one are empty (grid: along each axis; CVT: the nearest 2 x axes centroids)."""
        return sum(1 for other in self.beside(cell) if other not in self._elites)

    def beside(self, cell: int) -> tuple[int, ...]:
        """The neighbouring cells."""
        if cell not in self._beside:
            grid = self.axes.kind == "grid"
            self._beside[cell] = _grid_neighbours(cell, self.axes.dims) if grid else self._cvt_neighbours(cell)
        return self._beside[cell]

    def _cvt_neighbours(self, cell: int) -> tuple[int, ...]:
        spread = np.asarray(self.axes.high) - np.asarray(self.axes.low)
        centroids = np.asarray(self.axes.centroids) / np.where(spread > 0, spread, 1.0)
        distance = np.linalg.norm(centroids - centroids[cell], axis=1)
        nearest = np.argsort(distance, kind="stable")[1 : 2 * len(self.axes.names) + 1]
        return tuple(int(index) for index in nearest)

    def _open(self) -> Any:
        if self._ribs is None:
            self._ribs = _ribs_archive(self.axes)
            for elite in self:
                self._tell(elite)
        return self._ribs

    def _tell(self, elite: Elite) -> None:
        point = np.clip(np.asarray(elite.descriptor), np.asarray(self.axes.low), np.asarray(self.axes.high))
        self._ribs.add_single(elite.candidate, float(elite.wins), point)


def _grid_neighbours(cell: int, dims: Sequence[int]) -> tuple[int, ...]:
    place = np.unravel_index(cell, tuple(dims))
    found: list[int] = []
    for axis, size in enumerate(dims):
        for step in (-1, 1):
            moved = list(place)
            moved[axis] = place[axis] + step
            if 0 <= moved[axis] < size:
                found.append(int(np.ravel_multi_index(tuple(int(m) for m in moved), tuple(dims))))
    return tuple(found)


def _ribs_archive(axes: Axes) -> Any:
    from ribs.archives import CVTArchive, GridArchive

    ranges = list(zip(axes.low, axes.high, strict=True))
    if axes.kind == "grid":
        return GridArchive(solution_dim=(), solution_dtype=object, dims=list(axes.dims), ranges=ranges)
    return CVTArchive(solution_dim=(), solution_dtype=object, centroids=np.asarray(axes.centroids), ranges=ranges)


def project(weights: Sequence[Sequence[float]], vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, axes) coordinates W x of embeddings on learned axes, the same to the last bit for one image and for many.

    Added up one after the other and not by a matrix product, whose order of addition is the library's own: a map that
    is derived again, elsewhere too, must give the same cells.

    Args:
        weights: (axes, d).
        vectors: (n, d) float32.
    """
    rows = np.asarray(weights, dtype=np.float64)
    found = np.empty((len(vectors), len(rows)))
    for start in range(0, len(vectors), _AT_ONCE):
        some = vectors[start : start + _AT_ONCE].astype(np.float64)
        for axis, row in enumerate(rows):
            found[start : start + len(some), axis] = np.cumsum(some * row, axis=1)[:, -1]
    return found


_AT_ONCE = 4096


def lay_axes(
    *,
    version: int,
    kind: str,
    names: Sequence[str],
    low: Sequence[float],
    high: Sequence[float],
    dims: Sequence[int],
    cells: int,
    seed: int,
    space: str = "",
    weights: Sequence[Sequence[float]] = (),
) -> Axes:
    """Axes with ranges that are known: see `fix_axes` and `Axes`."""
    centroids: tuple[tuple[float, ...], ...] = ()
    if kind == "cvt":
        centroids = _centroids(cells, list(zip(low, high, strict=True)), seed)
    return Axes(
        version=version,
        kind="cvt" if kind == "cvt" else "grid",
        names=tuple(names),
        low=tuple(low),
        high=tuple(high),
        dims=tuple(dims) if kind == "grid" else (),
        centroids=centroids,
        space=space,
        weights=tuple(tuple(float(value) for value in row) for row in weights),
    )


def ranges(
    values: np.ndarray[Any, np.dtype[np.float64]], limits: Sequence[tuple[float, float]]
) -> tuple[list[float], list[float]]:
    """Lower and upper ends of the axes: see `fix_axes`."""
    low: list[float] = []
    high: list[float] = []
    for axis, (floor, ceiling) in enumerate(limits):
        near, far = (float(v) for v in np.percentile(values[:, axis], [2, 98]))
        margin = (far - near) / 4
        if margin <= 0:
            scale = ceiling - floor if np.isfinite(ceiling - floor) else max(abs(near), 1.0)
            margin = scale / 1000
        low.append(max(near - margin, floor))
        high.append(min(far + margin, ceiling))
        if high[-1] <= low[-1]:
            low[-1], high[-1] = near - margin, far + margin
    return low, high


def fix_axes(
    *,
    kind: str,
    names: Sequence[str],
    dims: Sequence[int],
    cells: int,
    values: np.ndarray[Any, np.dtype[np.float64]],
    limits: Sequence[tuple[float, float]],
    seed: int,
) -> Axes:
    """Fix the axes after the warm-up.

    Range of an axis = the warm-up's 2nd to 98th percentile, widened each side by a quarter of that spread, within the
    axis's natural limits. A signal that did not vary gets a range of a thousandth of its limits around its value.

    Args:
        kind: "grid" or "cvt".
        names: (axes,) signal names.
        dims: (axes,) cells along each axis, for a grid.
        cells: number of cells, for a CVT.
        values: (n, axes) float64 the warm-up's coordinates, n >= 1.
        limits: (axes,) natural (low, high) of every signal; infinities where there is none.
        seed: of the CVT's centroids, 0 .. 2**32 - 1.
    """
    low, high = ranges(values, limits)
    return lay_axes(version=1, kind=kind, names=names, low=low, high=high, dims=dims, cells=cells, seed=seed)


def _centroids(cells: int, ranges: list[tuple[float, float]], seed: int) -> tuple[tuple[float, ...], ...]:
    from ribs.archives import k_means_centroids

    samples = max(CVT_SAMPLES, 20 * cells)
    points, _ = k_means_centroids(centroids=cells, ranges=ranges, samples=samples, seed=seed % 2**32)
    return tuple(tuple(float(v) for v in point) for point in points)
