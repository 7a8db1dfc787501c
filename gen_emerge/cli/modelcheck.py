"""Opens every model that was fetched, measures one picture with it, and gives the number: `gen-emerge doctor --models`.

The picture is painted by the embedded painter, the same on every machine. What comes out is compared with nothing: it
shows that the published weights load, fit and measure, which no test without them can show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.models import home
from gen_emerge.models.catalogue import Model, catalogue
from gen_emerge.types import Gate, Pixels

PROMPT = "a serene marbled print in ember colours"
SIDE = 512
HUB_CODE = ("dreamsim-dino_vitb16", "dreamsim-ensemble")
_EXTRAS: dict[str, dict[str, Any]] = {
    "laion-v1-vit-b-32": {"laion_v1": {}},
    "laion-v1-vit-l-14": {
        "laion_v1": {"weights": "laion-v1-vit-l-14", "clip": "clip-vit-l-14-openai", "model": "ViT-L-14-quickgelu"}
    },
    "laion-v2": {"laion_v2": {}},
    "imagereward": {"imagereward": {}},
    "hps-v2.1": {"hps": {}},
    "pickscore": {"pickscore": {}},
}
_TOWERS = {
    "clip-vit-b-32": "ViT-B-32",
    "clip-vit-b-32-openai": "ViT-B-32-quickgelu",
    "clip-vit-l-14-openai": "ViT-L-14-quickgelu",
}
_DISTANCES = {"lpips-alex": ("lpips", {"net": "alex"}), "lpips-vgg": ("dists", {})}


def check_models() -> list[dict[str, Any]]:
    """A row for every model that is here: its name, whether it works, what it measured, seconds, or the error."""
    present = [entry for entry in catalogue().values() if home.where(entry) is not None]
    if not present:
        return []
    picture = _painted()
    return [_tried(entry, picture) for entry in present]


def _painted() -> Pixels:
    from gen_emerge.cli.painting import paint_prompt

    return paint_prompt(PROMPT, 1, SIDE, SIDE).pixels


def _tried(entry: Model, picture: Pixels) -> dict[str, Any]:
    row: dict[str, Any] = {"name": entry.name, "role": entry.role, "ok": True, "values": {}, "seconds": None}
    work = _work_of(entry)
    if isinstance(work, str):
        return {**row, "note": work}
    started = time.perf_counter()
    try:
        values = work(picture)
    except Exception as error:  # whatever a library raises is the answer
        return {**row, "ok": False, "error": f"{type(error).__name__}: {error}"}
    finite = all(np.isfinite(value) for value in values.values())
    trouble = {} if finite and values else {"error": "a value is not finite" if values else "nothing was measured"}
    return {**row, "ok": not trouble, "values": values, "seconds": round(time.perf_counter() - started, 1), **trouble}


def _work_of(entry: Model) -> Callable[[Pixels], dict[str, float]] | str:
    """What to do with a model, or why nothing is done."""
    if entry.name in HUB_CODE:
        return "executes code from the hub: try it in a series, with allow_hub_code = true"
    if entry.role == "generator":
        return lambda _: _rendered(entry)
    if entry.name in _TOWERS:
        return lambda picture: _gate("prompt", {"use": "clip", "model": _TOWERS[entry.name]}, entry, picture)
    if entry.role == "quality":
        return lambda picture: _gate("quality", {"use": "nima"}, entry, picture)
    if entry.role == "novelty":
        kind = entry.name.removeprefix("dreamsim-")
        return lambda picture: _gate("novelty", {"use": "dreamsim", "type": kind}, entry, picture)
    if entry.name in _EXTRAS:
        return lambda picture: _extra(_EXTRAS[entry.name], picture)
    if entry.name in _DISTANCES:
        return lambda picture: _distance(*_DISTANCES[entry.name], entry, picture)
    return "a part of another model"


def _gate(gate: Gate, table: dict[str, Any], entry: Model, picture: Pixels) -> dict[str, float]:
    """The gate's signals; for novelty, the distance to the picture turned over."""
    from gen_emerge.cli.measuring import Whose, references
    from gen_emerge.config import parse

    scorers = {gate: {**table, "weights": entry.name}}
    whose = Whose(config=parse({"name": "doctor", "scorers": scorers}), root=Path.cwd(), references=references())
    (scorer,) = whose.scorers((gate,))
    if gate != "novelty":
        (reading,) = scorer.score([picture], [PROMPT])
        return {signal.scorer: signal.value for signal in reading.signals}
    first, second = scorer.score([picture, np.ascontiguousarray(picture[::-1])], ["", ""])
    assert first.embedding is not None and second.embedding is not None
    return {"distance_to_itself_turned_over": float(1.0 - first.embedding.vector @ second.embedding.vector)}


def _extra(tables: dict[str, Any], picture: Pixels) -> dict[str, float]:
    from gen_emerge.cli.measuring import Whose
    from gen_emerge.config import parse

    config = parse({"name": "doctor", "scorers": {"extra": {"use": list(tables), **tables}}})
    scorers = Whose(config=config, root=Path.cwd(), references=()).scorers(())
    readings = [scorer.score([picture], [PROMPT])[0] for scorer in scorers]
    return {signal.scorer: signal.value for reading in readings for signal in reading.signals}


def _distance(name: str, options: dict[str, Any], entry: Model, picture: Pixels) -> dict[str, float]:
    from gen_emerge.scorers.extras import load_distance

    path = home.where(entry)
    given = {**options, "weights": str(path), "sha256": home.pin_of(path) if path else None}
    opened = load_distance(name, given, device="auto")
    return {"distance_to_itself_turned_over": float(opened.distance(picture, np.ascontiguousarray(picture[::-1])))}


def _rendered(entry: Model) -> dict[str, float]:
    """One picture of 512 pixels in four steps: its mean and spread of brightness, 0 to 255."""
    from gen_emerge.config import parse
    from gen_emerge.crew import load_generator
    from gen_emerge.equip import resolved
    from gen_emerge.types import Genome

    config = parse({"name": "doctor", "profile": "diffusion", "generator": {"model": entry.name}})
    generator = load_generator(resolved(config, Path.cwd()))
    genome = Genome(
        slots={},
        prompt=PROMPT,
        seed=1,
        generator=generator.name,
        generator_version=generator.version,
        parameters={name: low for name, (low, _) in generator.parameters.items()},
        width=SIDE,
        height=SIDE,
    )
    from gen_emerge.engines.local import to_pixels

    pixels, _ = to_pixels(generator.render([genome])[0])
    return {"mean": float(pixels.mean()), "spread": float(pixels.std())}


def check_text(rows: list[dict[str, Any]]) -> str:
    """The rows for people."""
    if not rows:
        return "No model is here yet: gen-emerge models pull NAME, or --series SERIES."
    longest = max(len(row["name"]) for row in rows)
    lines: list[str] = []
    for row in rows:
        values = ", ".join(f"{name} {value:.4f}" for name, value in row["values"].items())
        told = row.get("error") or row.get("note") or f"{values}  ({row['seconds']:.1f} s)"
        sign = "NO" if not row["ok"] else "-" if row.get("note") else "ok"
        lines.append(f"  {sign:<4}{row['name']:<{longest}}  {told}")
    return "\n".join(lines)
