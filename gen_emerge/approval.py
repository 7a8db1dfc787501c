"""A folder of images known to be good -> what it says of the gates: percentiles of their numbers, as of a warm-up's.

Takes an open house and a folder; gives evidence for a calibration, writes nothing. Images whose files name no prompt
say nothing of the prompt gate, and a folder says nothing of novelty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.calibration.first import warmup_evidence
from gen_emerge.candidacy import House
from gen_emerge.crew import load_scorers
from gen_emerge.equip import resolved
from gen_emerge.errors import BadInput
from gen_emerge.importing import Found, find_pictures, read
from gen_emerge.measuring import score
from gen_emerge.needs import measuring, preflight
from gen_emerge.protocols import Scorer
from gen_emerge.types import Gate, Reading

LEAST_APPROVED = 10
"""Approved images without which no percentile is worth taking."""
_FROM_FOLDER: tuple[Gate, ...] = ("quality", "prompt", "style")


def approve(house: House, pictures: Path) -> tuple[dict[str, Any], int, list[dict[str, str]]]:
    """Evidence of every gate that enough of the images say something of, how many were read, and which were not.

    Args:
        house: the series; its scorers measure.
        pictures: the folder.

    Raises:
        BadInput: too few pictures can be read.
        MissingExtra, MissingModel: something that is needed is not here.
    """
    narrowed = measuring(house.config, _FROM_FOLDER, extra=False)
    preflight(narrowed, house.root)
    references: Sequence[str] = house.store.facts["reference_prompts"]
    scorers = load_scorers(resolved(narrowed, house.root), references, gates=_FROM_FOLDER)
    columns: dict[Gate, list[float]] = {gate: [] for gate in _FROM_FOLDER}
    listing = find_pictures(pictures)
    left_out = [
        {"path": str(path), "reason": f"{path.name} is drawn of pictures, none itself"} for path in listing.drawings
    ]
    count = 0
    for path in listing.pictures:
        try:
            numbers = _numbers(read(path), scorers, house.config.brief)
        except BadInput as trouble:
            left_out.append({"path": str(path), "reason": trouble.message})
            continue
        count += 1
        for gate, value in numbers.items():
            columns[gate].append(value)
    versions = {gate: s.versions[gate] for s in scorers for gate in _FROM_FOLDER if gate in s.roles}
    arrays = {gate: np.array(values, dtype=np.float64) for gate, values in columns.items()}
    evidence = warmup_evidence(arrays, np.empty(0), versions)
    enough = [gate for gate in _FROM_FOLDER if evidence[gate]["images"] >= LEAST_APPROVED]
    if not enough:
        raise BadInput(
            f"{pictures} holds {count} pictures that can be read; at least {LEAST_APPROVED} are wanted.",
            hint=f"Export some that you like, such as: gen-emerge export {house.name} approved",
        )
    return (
        {
            gate: {**evidence[gate], "from": "folder", "beyond": _beyond(arrays[gate], evidence[gate])}
            for gate in enough
        },
        count,
        left_out,
    )


def _beyond(numbers: NDArray[np.float64], evidence: Mapping[str, Any]) -> dict[str, int]:
    """How many of the images themselves lie outside their percentiles."""
    return {
        "lower": int((numbers < evidence["lower"]).sum()),
        "upper": int((numbers > evidence["upper"]).sum()),
    }


def _numbers(picture: Found, scorers: Sequence[Scorer], brief: str) -> dict[Gate, float]:
    """What the gates would compare of one image; nothing of the prompt gate where its file names no prompt."""
    prompt = picture.recipe.prompt if picture.recipe is not None else ""
    found: dict[Gate, float] = {}
    for scorer in scorers:
        (reading,) = score(scorer, [picture.pixels], [prompt or brief], attempts=1)
        if not isinstance(reading, Reading):
            raise BadInput(f"It cannot be measured: {reading}")
        values = {signal.scorer: signal.value for signal in reading.signals}
        found |= {g: values[g] for g in _FROM_FOLDER if g in scorer.roles and (prompt or g != "prompt")}
    return found
