"""Takes pictures; gives the gates' raw signals and the distances between them, by the scorers of one profile.

The prompt signal subtracts the mean cosine to 32 shipped reference prompts (`reference_prompts.txt`), so that one
threshold fits all prompts; a series uses 32 of its own instead, drawn from its bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.cli.pictures import check_pictures, read_picture
from gen_emerge.errors import BadInput, MissingExtra, nearest
from gen_emerge.protocols import Scorer
from gen_emerge.types import Pixels

PROFILES = ("embedded", "diffusion")
BATCH = 8


def check_profile(profile: str) -> None:
    """Refuse a profile that does not exist, or cannot measure here."""
    if profile not in PROFILES:
        raise BadInput(f'--profile "{profile}" is not known.', hint=nearest(profile, PROFILES))
    if profile != "embedded":
        raise MissingExtra(f'The scorers of the profile "{profile}" are not installed.', hint="Use --profile embedded")


def references() -> tuple[str, ...]:
    """The 32 shipped reference prompts."""
    text = (files("gen_emerge.cli") / "reference_prompts.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line)


def gate_scorers(profile: str, *, prompt: bool = True) -> list[Scorer]:
    """The scorers that fill quality, style and, when wanted, prompt."""
    check_profile(profile)
    from gen_emerge.scorers import embedded

    return embedded.load(("quality", "style", *(("prompt",) if prompt else ())), references())


def score_pictures(paths: Sequence[Path], prompt: str | None, profile: str) -> dict[str, Any]:
    """The object `gen-emerge score` prints.

    Raises:
        BadInput: a file is no picture; nothing is measured then.
    """
    check_profile(profile)
    check_pictures(paths)
    scorers = gate_scorers(profile, prompt=prompt is not None)
    wanted = ("quality", "style") if prompt is None else ("quality", "prompt", "style")
    rows: list[dict[str, Any]] = []
    for start in range(0, len(paths), BATCH):
        part = paths[start : start + BATCH]
        pictures = [read_picture(path) for path in part]
        found: list[dict[str, Any]] = [{} for _ in part]
        for scorer in scorers:
            for signals, reading in zip(found, scorer.score(pictures, [prompt or ""] * len(part)), strict=True):
                for signal in reading.signals:
                    signals[signal.scorer] = {
                        "value": signal.value,
                        "scorer": profile,
                        "version": signal.scorer_version,
                    }
        for path, signals in zip(part, found, strict=True):
            rows.append({"path": str(path), "signals": {name: signals[name] for name in wanted}})
    return {"images": rows}


def distances(paths: Sequence[Path], profile: str) -> dict[str, Any]:
    """The object `gen-emerge distance` prints: 1 - cosine in the novelty gate's own space, 0 to 2."""
    check_profile(profile)
    check_pictures(paths)
    from gen_emerge.scorers import embedded

    scorer = embedded.load(("novelty",), ())[0]
    vectors: list[Any] = []
    for start in range(0, len(paths), BATCH):
        pictures: list[Pixels] = [read_picture(path) for path in paths[start : start + BATCH]]
        for reading in scorer.score(pictures, [""] * len(pictures)):
            assert reading.embedding is not None
            vectors.append(reading.embedding.vector)
    stacked = np.stack(vectors).astype(np.float64)
    matrix = np.maximum(1.0 - stacked @ stacked.T, 0.0)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0.0)
    return {"paths": [str(path) for path in paths], "matrix": [[round(float(v), 6) for v in row] for row in matrix]}
