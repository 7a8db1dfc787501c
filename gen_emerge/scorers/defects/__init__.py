"""Takes pictures; gives what is visibly broken in them: optional checks between the hard filters and the gates (L12).

A detector names defects and says why; it gives no score, and nothing here is ever maximised. What finding one means
(reject, review, only a note) is the series' to say. Other packages add detectors through the entry-point group
`gen_emerge.detectors`: name -> a callable (options, device=...) that gives a `Detector`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from gen_emerge.errors import BadInput, MissingExtra, nearest
from gen_emerge.models.libraries import how_to_install
from gen_emerge.protocols import Detector
from gen_emerge.types import Defect

__all__ = ["BUILT_IN", "GROUP", "Defect", "Detector", "load", "names", "trouble"]

GROUP = "gen_emerge.detectors"
"""The entry-point group."""


BUILT_IN = ("seams", "regions")
"""The detectors of this package."""
Loader = Callable[..., Detector]


def names() -> tuple[str, ...]:
    """Every detector a series file may name: the built-in ones, and those other packages offer."""
    from importlib.metadata import entry_points

    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)))


def load(use: Sequence[str], options: Mapping[str, Mapping[str, Any]], *, device: str) -> list[Detector]:
    """Open detectors by name: the built-in ones and those of other packages.

    Args:
        use: each once.
        options: name -> its own table.
        device: where to run.

    Raises:
        BadInput: an unknown name, an option that is wrong, a detector that calls itself otherwise.
        MissingModel: a local model is not there.
        MissingExtra: it needs a library that is not installed.
    """
    known = names()
    for name in (*use, *options):
        if name not in known:
            raise BadInput(f'There is no detector "{name}".', hint=nearest(name, known))
    return [_opened(name, options.get(name, {}), device) for name in use]


def trouble(name: str) -> str:
    """Why a detector cannot be used on this machine, "" when it can; nothing is opened, options are not looked at."""
    if name == "regions" and not all(find_spec(library) for library in ("torch", "transformers")):
        return f"It needs torch and transformers. {how_to_install()}"
    try:
        _loader(name)
    except MissingExtra as error:
        return str(error)
    except Exception as error:  # whatever another package does while it is imported
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def _opened(name: str, options: Mapping[str, Any], device: str) -> Detector:
    detector = _loader(name)(options, device=device)
    if detector.name != name:
        raise BadInput(
            f'The detector "{name}" calls itself "{detector.name}".', hint="Its package must use one name for both."
        )
    return detector


def _loader(name: str) -> Loader:
    if name == "seams":
        from gen_emerge.scorers.defects.seams import Seams

        return Seams
    if name == "regions":
        from gen_emerge.scorers.defects.regions import Regions

        return Regions
    return _added(name)


def _added(name: str) -> Loader:
    """A detector of another package. Imported only when it is named: that may be slow, or fail."""
    from importlib.metadata import entry_points

    (point, *_) = entry_points(group=GROUP, name=name)
    try:
        return point.load()
    except ImportError as error:
        owner = point.dist.name if point.dist is not None else point.module
        raise MissingExtra(
            f'The detector "{name}" of the package {owner} cannot be imported: {error}.',
            hint=f"Install what it needs: pip install {getattr(error, 'name', None) or owner}",
        ) from None
