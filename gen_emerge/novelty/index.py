"""The index of accepted images: a batch's embeddings -> the nearest accepted image of each, some left out.

The newest stretch is searched exactly. Every `EXACT` accepted images a stretch is finished and becomes a graph, which
names neighbours without looking at everybody; the distances to those it names are exact again. Where a stretch ends
follows from the number of accepted images alone, so the answers are the same however often a series was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen_emerge.novelty.graph import Graph
from gen_emerge.novelty.halves import HalfVectors

EXACT = 131_072
"""Accepted images up to which search is exact: a batch of 8 then takes about 25 ms, far less than one render."""


Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Rows, and their distances."""


class NoveltyIndex:
    """Accepted images' vectors, in the order of acceptance.

    Args:
        path: of the memory-mapped file, made anew, its graphs beside it; None keeps all in memory.
        dimension: of the vectors.
        exact: length of a stretch, see `EXACT`.
    """

    def __init__(self, path: Path | None, dimension: int, *, exact: int = EXACT) -> None:
        self._path = path
        self._vectors = HalfVectors(path, dimension)
        self._exact = exact
        self._ids: list[int] = []
        self._rows: dict[int, int] = {}
        self._graphs: list[Graph] = []

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, candidate: int) -> bool:
        """Whether a candidate is in it."""
        return candidate in self._rows

    @property
    def ids(self) -> Sequence[int]:
        """(n,) candidate ids in the order of acceptance."""
        return self._ids

    def add(self, candidate: int, vector: NDArray[np.float32]) -> None:
        """Add one accepted image. Vectors are kept as float16: rounded once, the same live and replayed.

        Raises:
            DiskFull: no room for the vectors, or for the graph of a stretch that this image completes.
        """
        if len(self._ids) == (len(self._graphs) + 1) * self._exact:
            self._finish_stretch()
        self._vectors.append(vector)
        self._rows[candidate] = len(self._ids)
        self._ids.append(candidate)

    def distances(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances of (b, d) float32 unit vectors to all accepted ones, exactly: (b, n) float32, by `ids`."""
        return self._vectors.distances(queries, 0, len(self._ids))

    def look(self, queries: NDArray[np.float32]) -> Neighbourhood:
        """What (b, d) float32 unit vectors lie near, among the images accepted up to now."""
        finished = len(self._graphs) * self._exact
        stretches = [
            _Stretch(
                start=number * self._exact,
                found=[self._measured(query, graph.neighbours(query) + number * self._exact) for query in queries],
            )
            for number, graph in enumerate(self._graphs)
        ]
        newest = self._vectors.distances(queries, finished, len(self._ids))
        return Neighbourhood(self._ids, self._rows, stretches, newest, self._all_of_a_stretch(queries))

    def _measured(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> Found:
        return rows, self._vectors.distances_to(query, rows)

    def _all_of_a_stretch(self, queries: NDArray[np.float32]) -> Callable[[int, int], NDArray[np.float32]]:
        def distances(place: int, start: int) -> NDArray[np.float32]:
            return self._vectors.distances(queries[place : place + 1], start, start + self._exact)[0]

        return distances

    def _finish_stretch(self) -> None:
        number, first = len(self._graphs), len(self._graphs) * self._exact
        path = None if self._path is None else self._path.with_name(f"{self._path.stem}-{number}.graph")
        self._graphs.append(Graph(self._vectors.rows(first, first + self._exact), path))


class _Stretch(NamedTuple):
    """A finished stretch: its first row, and whom its graph named, query by query, with their exact distances."""

    start: int
    found: Sequence[Found]


class Neighbourhood:
    """What a batch of vectors lies near, as of one moment. Made by `NoveltyIndex.look`."""

    def __init__(
        self,
        ids: Sequence[int],
        rows: Mapping[int, int],
        stretches: Sequence[_Stretch],
        newest: NDArray[np.float32],
        all_of: Callable[[int, int], NDArray[np.float32]],
    ) -> None:
        self._ids, self._rows = ids, rows
        self._stretches, self._newest, self._all_of = stretches, newest, all_of
        self._first = len(ids) - newest.shape[1]

    def nearest(self, place: int, *, without: Collection[int] = ()) -> tuple[float, int | None]:
        """The nearest accepted image of one vector of the batch, leaving out some candidates.

        Returns:
            (distance in [0, 2], candidate id); (2.0, None) when nobody is left.
        """
        skipped = {self._rows[candidate] for candidate in without if candidate in self._rows}
        options = [_least(self._first, self._newest[place], skipped)]
        for stretch in self._stretches:
            rows, distances = stretch.found[place]
            kept = [row not in skipped for row in rows.tolist()]
            if any(kept):
                best = int(np.argmin(np.where(kept, distances, np.inf)))
                options.append((float(distances[best]), int(rows[best])))
            else:  # everybody the graph named is left out: look at all of them
                options.append(_least(stretch.start, self._all_of(place, stretch.start), skipped))
        distance, row = min(options)
        return (distance, self._ids[row]) if np.isfinite(distance) else (2.0, None)


def _least(start: int, distances: NDArray[np.float32], skipped: Collection[int]) -> tuple[float, int]:
    """The smallest distance among rows from `start` on, and its row; infinity when nobody is left."""
    inside = [row - start for row in skipped if 0 <= row - start < len(distances)]
    if inside:
        distances = distances.copy()
        distances[inside] = np.inf
    if not len(distances):
        return float("inf"), -1
    place = int(np.argmin(distances))
    return float(distances[place]), start + place
