"""The end of the warm-up: its scored images -> the first thresholds and the archive's axes.

Takes the subjects of the warm-up and the crew's settings; gives calibration version 1 and axes version 1. From here on
every image is gated and placed, those of the warm-up first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gen_emerge.archive import fix_axes
from gen_emerge.calibration.first import nearest_others, resolve, warmup_evidence
from gen_emerge.chance import draw
from gen_emerge.roles import Crew
from gen_emerge.subject import Subject
from gen_emerge.types import Axes, Calibration

LEAST_WARMUP = 2
"""Scored images without which no threshold can be set: the warm-up then goes on."""


def first_thresholds(
    crew: Crew, subjects: Sequence[Subject], cycle: int, *, given: tuple[Mapping[str, Any], str] = ({}, "")
) -> Calibration:
    """Calibration version 1.

    Args:
        crew: its gates' settings, and who measured.
        subjects: the warm-up's images, at least two.
        cycle: the warm-up's last.
        given: evidence of some gates that stands in the warm-up's place, and where it comes from.
    """
    evidence, reason = given
    vectors = np.stack([subject.vector for subject in subjects])
    columns = {name: np.array([s.values[name] for s in subjects]) for name in ("quality", "prompt", "style")}
    return resolve(
        crew.gates,
        {**warmup_evidence(columns, nearest_others(vectors), crew.versions), **evidence, "cycles": cycle},
        version=1,
        parent=None,
        reason=f"warm-up of {len(subjects)} images" + (f"; {reason}" if reason else ""),
    )


def first_axes(crew: Crew, subjects: Sequence[Subject], cycle: int) -> Axes:
    """Axes version 1: the ranges the warm-up spans, and for a CVT its centroids."""
    rhythm = crew.rhythm
    return fix_axes(
        kind=rhythm.archive_kind,
        names=rhythm.axes,
        dims=rhythm.dims,
        cells=rhythm.cells,
        values=np.array([[subject.values[name] for name in rhythm.axes] for subject in subjects]),
        limits=[crew.limits.get(name, (-np.inf, np.inf)) for name in rhythm.axes],
        seed=int(draw(rhythm.seed, cycle, 0, "centroids").integers(2**32)),
    )
