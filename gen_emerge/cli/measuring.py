"""Takes pictures; gives the gates' raw signals and the distances between them, by the scorers of one profile.

The prompt signal subtracts the mean cosine to 32 shipped reference prompts (`reference_prompts.txt`), so that one
threshold fits all prompts; a series uses 32 of its own instead, drawn from its bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.cli.app import App
from gen_emerge.cli.pictures import check_pictures, read_picture
from gen_emerge.config import SeriesConfig, load, parse
from gen_emerge.errors import BadInput, nearest
from gen_emerge.protocols import Scorer
from gen_emerge.types import GATES, Gate, Pixels

PROFILES = ("embedded", "diffusion")
BATCH = 8
_OF_GATES = frozenset((*GATES, "quality_spread", "prompt_cosine"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose scorers measure: those of a profile as it comes, or those of a series.

    Args:
        config: the series' file, or the profile's defaults.
        root: where relative paths are looked for.
        references: reference prompts of the prompt gate.
    """

    config: SeriesConfig
    root: Path
    references: tuple[str, ...]

    def scorers(self, gates: Sequence[Gate], *, extra: bool = True) -> tuple[Scorer, ...]:
        """Open the scorers of some gates, and the series' extra ones.

        Raises:
            MissingExtra, MissingModel, BadInput: something that is needed is not here, or wrong.
        """
        from gen_emerge.crew import load_scorers
        from gen_emerge.equip import resolved
        from gen_emerge.needs import measuring, preflight

        config = measuring(self.config, gates, extra=extra)
        preflight(config, self.root)
        return load_scorers(resolved(config, self.root), self.references, gates=gates)

    def use(self, signal: str) -> str:
        """Who gives a signal, as in the series file."""
        return self.config.scorers.of(signal).use if signal in GATES else signal


def of_profile(profile: str) -> Whose:
    """The scorers of a profile as it comes.

    Raises:
        BadInput: there is no such profile.
    """
    if profile not in PROFILES:
        raise BadInput(f'--profile "{profile}" is not known.', hint=nearest(profile, PROFILES))
    config = parse({"name": "measuring", "profile": profile, "generator": {"use": "painter"}})
    return Whose(config=config, root=Path.cwd(), references=references())


def of_series(app: App, series: str) -> Whose:
    """The scorers of a series, with the reference prompts it began with.

    Raises:
        NotFound, BadConfig: there is no such series, or its file is wrong.
    """
    from gen_emerge.cli.series_folder import DATABASE, known_series
    from gen_emerge.crew import known_names, load_banks, reference_prompts
    from gen_emerge.store import Store
    from gen_emerge.studio_folder import series_file

    root, archive = known_series(app, series)
    config = load(series_file(root, series), known=known_names())
    if (archive / series / DATABASE).is_file():
        with Store.open(archive / series, readonly=True) as store:
            prompts = tuple(store.facts["reference_prompts"])
    else:
        prompts = tuple(reference_prompts(load_banks(config, root)[0], config.seed))
    return Whose(config=config, root=root, references=prompts)


def chosen(app: App, profile: str | None, series: str | None) -> Whose:
    """What `--profile` and `--series` mean together.

    Raises:
        BadInput: both are given.
    """
    if profile is not None and series is not None:
        raise BadInput("Either --profile or --series, not both.", hint="A series has a profile of its own.")
    return of_profile(profile or "embedded") if series is None else of_series(app, series)


def references() -> tuple[str, ...]:
    """The 32 shipped reference prompts."""
    text = (files("gen_emerge.cli") / "reference_prompts.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line)


def score_pictures(paths: Sequence[Path], prompt: str | None, whose: Whose) -> dict[str, Any]:
    """The object `gen-emerge score` prints.

    Raises:
        BadInput: a file is no picture; nothing is measured then.
    """
    check_pictures(paths)
    wanted: tuple[Gate, ...] = ("quality", "style") if prompt is None else ("quality", "prompt", "style")
    scorers = whose.scorers(wanted)
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
                        "scorer": whose.use(signal.scorer),
                        "version": signal.scorer_version,
                    }
        for path, signals in zip(part, found, strict=True):
            extra = [name for name in signals if name not in _OF_GATES]
            rows.append({"path": str(path), "signals": {name: signals[name] for name in (*wanted, *extra)}})
    return {"images": rows}


def distances(paths: Sequence[Path], whose: Whose) -> dict[str, Any]:
    """The object `gen-emerge distance` prints: 1 - cosine in the novelty gate's own space, 0 to 2."""
    check_pictures(paths)
    scorer = whose.scorers(("novelty",), extra=False)[0]
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
