"""Takes pictures; gives what is visibly broken in them: optional checks between the hard filters and the gates (L12).

A detector names defects and says why; it gives no score, and nothing here is ever maximised. What finding one means
(reject, review, only a note) is the series' to say. Other packages add detectors through the entry-point group
`gen_emerge.detectors`: name -> a callable (options, device=...) that gives a `Detector`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gen_emerge.errors import BadInput, nearest
from gen_emerge.types import Pixels

GROUP = "gen_emerge.detectors"
"""The entry-point group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One thing that is broken in one picture.

    Args:
        kind: a word such as "seam", "hand", "face" or "text".
        box: (left, top, right, bottom), each a share 0..1 of the width or height, left < right and top < bottom.
        reason: one sentence with the figures behind it.
    """

    kind: str
    box: tuple[float, float, float, float]
    reason: str


class Detector(Protocol):
    """Finds defects of one or more kinds."""

    @property
    def name(self) -> str:
        """As in the series file."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever it could find something else."""
        ...

    def find(self, images: Sequence[Pixels]) -> Sequence[Sequence[Defect]]:
        """Look at a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes; not changed.

        Returns:
            (n,) defects of each, in the same order, () for none. An image alone and in a batch has the same defects.

        Raises:
            Exception: anything; the images are then looked at one by one, and only the ones that raise again fail.
        """
        ...


Loader = Callable[..., Detector]


def load(names: Sequence[str], options: Mapping[str, Mapping[str, Any]], *, device: str) -> list[Detector]:
    """Open detectors by name: the built-in ones (`seams`, `regions`) and those of other packages.

    Args:
        names: each once.
        options: name -> its own table.
        device: where to run.

    Raises:
        BadInput: an unknown name, an option that is wrong.
        MissingModel: a local model is not there.
    """
    known = _known()
    opened: list[Detector] = []
    for name in (*names, *options):
        if name not in known:
            raise BadInput(f'There is no detector "{name}".', hint=nearest(name, known))
    for name in names:
        opened.append(known[name](options.get(name, {}), device=device))
    return opened


def _known() -> dict[str, Loader]:
    from importlib.metadata import entry_points

    from gen_emerge.scorers.defects.regions import Regions
    from gen_emerge.scorers.defects.seams import Seams

    def added(point: Any) -> Loader:
        def load_it(options: Mapping[str, Any], *, device: str) -> Detector:
            # Only when it is named: another package's import may be slow, or broken.
            return point.load()(options, device=device)

        return load_it

    others = {point.name: added(point) for point in entry_points(group=GROUP)}
    return {**others, "seams": Seams, "regions": Regions}
