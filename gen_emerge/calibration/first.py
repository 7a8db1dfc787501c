"""Calibration version 1: the warm-up's signals (or fixed numbers) -> bounds of every gate.

Takes raw signals of ungated fresh draws and what the series file says of each gate; gives bounds in raw units. The
percentiles are conventions of a first night, to be moved by the human's answers later; none of them is a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.types import GATES, Bounds, Calibration

Setting = float | Literal["auto", "off"]

LOWER_PERCENTILE = 5.0
REVIEW_PERCENTILES = (3.0, 7.0)
STYLE_PERCENTILES = (1.0, 99.0)
STYLE_REVIEW_PERCENTILES = ((0.5, 2.0), (98.0, 99.5))
NOVELTY_PERCENTILE = 10.0
NOVELTY_REVIEW_PERCENTILES = (8.0, 12.0)
DUPLICATE_SHARE = 0.1
"""The duplicate bound as a share of novelty's lower bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSetting:
    """What a series file says of one gate: numbers in raw units, "auto" (from the warm-up) or "off"."""

    lower: Setting = "auto"
    upper: Setting = "off"
    review: float | Literal["auto"] = "auto"
    duplicate: Setting = "auto"


def warmup_evidence(
    columns: Mapping[str, NDArray[np.float64]], nearest: NDArray[np.float64], versions: Mapping[str, str]
) -> dict[str, Any]:
    """What the warm-up says: for every gate the automatic bounds and review widths, and how many images stand behind.

    Args:
        columns: (n,) raw values of quality, prompt and style.
        nearest: (n,) distance of every warm-up image to its nearest other one.
        versions: gate -> version of the scorer that measured it: bounds hold for that version's numbers alone.
    """
    evidence: dict[str, Any] = {}
    for gate in GATES:
        values = nearest if gate == "novelty" else columns.get(gate, np.empty(0))
        values = values[np.isfinite(values)]
        auto: dict[str, Any] = {"images": len(values), "version": versions.get(gate, "")}
        if len(values):
            auto |= _percentile_bounds(gate, values)
        evidence[gate] = auto
    return evidence


def _percentile_bounds(gate: str, values: NDArray[np.float64]) -> dict[str, float]:
    def at(*percentiles: float) -> list[float]:
        return [float(v) for v in np.percentile(values, percentiles)]

    if gate == "style":
        lower, upper = at(*STYLE_PERCENTILES)
        (a, b), (c, d) = (at(*band) for band in STYLE_REVIEW_PERCENTILES)
        return {"lower": lower, "upper": upper, "review": b - a, "review_upper": d - c}
    if gate == "novelty":
        (lower,) = at(NOVELTY_PERCENTILE)
        a, b = at(*NOVELTY_REVIEW_PERCENTILES)
        return {"lower": lower, "review": b - a, "duplicate": DUPLICATE_SHARE * lower}
    lower, upper = at(LOWER_PERCENTILE, 100 - LOWER_PERCENTILE)
    a, b = at(*REVIEW_PERCENTILES)
    c, d = at(*(100 - percentile for percentile in reversed(REVIEW_PERCENTILES)))
    return {"lower": lower, "upper": upper, "review": b - a, "review_upper": d - c}


def resolve(
    settings: Mapping[str, GateSetting],
    evidence: Mapping[str, Any],
    *,
    version: int,
    parent: int | None,
    reason: str,
) -> Calibration:
    """Bounds from the series file's settings, "auto" taken from the warm-up's evidence.

    Args:
        settings: gate -> setting.
        evidence: as `warmup_evidence` gives it.
        version: of the new calibration.
        parent: the version it replaces, None for the first.
        reason: one sentence for people.
    """
    bounds: dict[str, Bounds] = {}
    for gate in GATES:
        setting = settings.get(gate, GateSetting())
        auto = evidence.get(gate, {})
        lower, upper = _pick(setting.lower, auto.get("lower")), _pick(setting.upper, auto.get("upper"))
        review, review_upper = _bands(setting, auto, upper)
        duplicate = _pick(setting.duplicate, auto.get("duplicate")) if gate == "novelty" else None
        bounds[gate] = Bounds(lower=lower, upper=upper, review=review, duplicate=duplicate, review_upper=review_upper)
    return Calibration(version=version, parent=parent, bounds=bounds, evidence=evidence, reason=reason)


def _bands(setting: GateSetting, auto: Mapping[str, Any], upper: float | None) -> tuple[float, float | None]:
    """Widths of both bands; of the upper one None where it is the same, or there is no upper bound.

    Evidence of before there were two has one for both.
    """
    if setting.review != "auto":
        return float(setting.review), None
    review = float(auto.get("review", 0.0))
    above = auto.get("review_upper")
    return review, None if upper is None or above is None or above == review else float(above)


def _pick(setting: Setting, automatic: float | None) -> float | None:
    if setting == "off":
        return None
    return automatic if setting == "auto" else float(setting)


def nearest_others(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) distance of each of (n, d) unit vectors to its nearest other one."""
    points = vectors.astype(np.float64)
    distances = 1.0 - points @ points.T
    np.fill_diagonal(distances, np.inf)
    return np.maximum(distances.min(axis=1), 0.0)
