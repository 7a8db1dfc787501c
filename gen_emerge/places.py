"""Where images lie on the map: descriptors, their cells, and who counts as of one's own cell.

Takes stored signals and embeddings; gives coordinates under whichever axes. Measured axes are signals; learned ones are
a projection of the embedding. Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gen_emerge.archive import Archive, project
from gen_emerge.errors import Damaged
from gen_emerge.store import Store
from gen_emerge.types import Axes, Embedding

Descriptor = tuple[float, ...]
_AT_ONCE = 4096


def descriptor_of(
    axes: Axes, values: Mapping[str, float], embedding: Embedding | None, *, candidate: int
) -> Descriptor:
    """(axes,) coordinates of one image.

    Args:
        axes: of the map.
        values: signal name -> raw value.
        embedding: needed for learned axes alone.
        candidate: whose; only said where something is wrong.

    Raises:
        Damaged: learned axes, and the image has no embedding in the space that they are a projection of.
    """
    if not axes.learned:
        return tuple(values[name] for name in axes.names)
    if embedding is None or embedding.space != axes.space:
        known = "none" if embedding is None else f"one in {embedding.space}"
        raise Damaged(
            f"The axes of the map are a projection of {axes.space}, and image {candidate} has {known}.",
            hint="Is its picture still there? `gen-emerge verify` names every file that is missing.",
        )
    return _projected(axes, embedding.vector[None])[0]


def stored_descriptors(store: Store, axes: Axes, ids: Iterable[int]) -> dict[int, Descriptor]:
    """Candidate id -> coordinates, in the order of `ids`; who was never measured for these axes is left out."""
    wanted = list(ids)
    found: dict[int, Descriptor] = {}
    for start in range(0, len(wanted), _AT_ONCE):  # a long series has more vectors than fit in memory
        some = wanted[start : start + _AT_ONCE]
        if axes.learned:
            known, vectors = store.embeddings(some, axes.space)
            points = _projected(axes, vectors) if len(known) else []
            found |= {int(number): point for number, point in zip(known, points, strict=True)}
            continue
        signals = store.signals(some)
        found |= {
            number: tuple(signals[number][name].value for name in axes.names)
            for number in some
            if all(name in signals.get(number, {}) for name in axes.names)
        }
    return {number: found[number] for number in wanted if number in found}


def _projected(axes: Axes, vectors: NDArray[np.float32]) -> list[Descriptor]:
    return [tuple(float(value) for value in point) for point in project(axes.weights, vectors)]


def own_of_cell(
    archive: Archive,
    standing: Archive | None,
    cell: int,
    *,
    since: int,
    joined: Mapping[int, Sequence[tuple[int, int]]],
    cells: Callable[[], Mapping[int, int]],
) -> frozenset[int]:
    """Whom an image of a cell may be near: who held it when its proposals were made, or was accepted for it since.

    Where the map was re-laid in between, whoever held any cell then counts where it lies now.

    Args:
        archive: under the axes that the image is located by.
        standing: of some commit not earlier than `since`; None before there was any.
        cell: of the image.
        since: the commit that its proposals were made from.
        joined: cycle -> (candidate, cell under the axes of that cycle) of those accepted in cycles after it.
        cells: gives the cells, under the axes of `archive`, of those who were located by earlier ones.
    """
    then = standing.as_of(since) if standing is not None else None
    another_map = then is not None and then.axes.version != archive.axes.version
    earlier = another_map or any(those and cycle < archive.since for cycle, those in joined.items())
    moved = cells() if earlier else {}
    lately = {
        candidate
        for cycle, those in joined.items()
        for candidate, where in those
        if (where if cycle >= archive.since else moved.get(candidate)) == cell
    }
    if then is None:
        return frozenset(lately)
    if not another_map:
        return then.ever_held(cell, since) | lately
    return frozenset(candidate for candidate in then.held_ever(since) if moved.get(candidate) == cell) | lately
