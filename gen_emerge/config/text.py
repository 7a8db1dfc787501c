"""Takes a config; gives the text of its series file: every key active, one a line, a comment above where it helps.

Reading the text gives an equal config. No comment line begins with a key's name, so the file can be edited by tools.
"""

from __future__ import annotations

from typing import Any, cast

from gen_emerge.config.tables import SeriesConfig, as_table
from gen_emerge.config.toml import toml_key, toml_value

_TITLE = (
    "A series: one long run of images, and the map they fill.",
    "Start or continue it:  gen-emerge run {name}",
    "Fixed once there are cycles: seed, profile, archive, batch, best_of, warmup_cycles, pipeline_depth.",
    "Anything else may be changed at any time; it takes effect at the next cycle.",
)
_COMMENTS: dict[str, tuple[str, ...]] = {
    "seed": ("All chance comes from this number: the same file gives the same series.",),
    "profile": ('"embedded" needs no downloads, no GPU and no keys; "diffusion" needs a GPU and an extra.',),
    "brief": (
        "What the images are for, in a sentence or two: it is shown to people when they judge.",
        "The painter and the measured critic do not read it.",
    ),
    "loop.batch": ("How many genomes a cycle draws.",),
    "loop.best_of": ("How many takes of each are rendered, with seeds of their own; [selector] says which goes on.",),
    "loop.warmup_cycles": ("The first cycles only measure: thresholds and the map's ranges come from them.",),
    "loop.pipeline_depth": ("By how many cycles proposals run ahead of verdicts (more hides a slow critic).",),
    "loop.max_attempts": ("After so many unfinished starts of one cycle its genomes are tried one by one.",),
    "loop.cycles": ("Where the series ends; raise it later to go on.",),
    "loop.checkin_every": ("A round of questions for you after so many cycles; 0 for never.",),
    "loop.on_checkin": ('"continue" goes on beside an open round, "wait" stops until it is answered.',),
    "loop.checkin_screens": ('How a round compares elites: in "pairs", or four to a screen, to be ranked ("rank4").',),
    "image.width": ("Pixels; at most 8192 a side and 33 megapixels.",),
    "prompts.bank": ("The words prompts are made of; a path inside the studio folder.",),
    "generator.use": ("Who paints.",),
    "generator.model": (
        "A checkpoint: a folder in the diffusers layout, or owner/name on the hub. Empty: nothing can be rendered yet.",
        "What others use, with each one's licence: gen-emerge models list",
    ),
    "generator.revision": ("The commit of the hub's repository, 40 hex digits; not for folders.",),
    "generator.steps": ("What the checkpoint was made for: 4 with guidance 0 for a distilled one, else 25 with 7.",),
    "generator.scheduler": ('"auto" is the checkpoint\'s own; else the name of a scheduler of diffusers.',),
    "generator.dtype": ('"auto", "float32", "float16" or "bfloat16".',),
    "generator.device": ('"auto", "cuda", "cuda:1", "mps" or "cpu".',),
    "generator.loras": ('Such as ["file.safetensors@0.8"]: a file and its weight.',),
    "scorers.quality.weights": ("Empty: what `gen-emerge models pull --series` fetched. A path stands for itself.",),
    "scorers.prompt.model": ("An architecture of open_clip.",),
    "scorers.novelty.type": ("A kind of DreamSim; the heavier ones run code from the hub and must be allowed to.",),
    "scorers.extra.use": ("Measured beside the gates, for diagnosis and selection; never a gate.",),
    "scorers.quality.use": ("Who measures each of the four gates' signals.",),
    "archive.kind": ('"grid", or "cvt" with cells = 400 in place of dims.',),
    "archive.axes": (
        "Measured signals that span the map: warmth, edge_density, lightness, contrast, colourfulness, saturation,",
        "entropy, symmetry, detail, hue_spread, quality, prompt, style.",
    ),
    "archive.dims": ("How many cells along each axis.",),
    "gates.quality.lower": (
        'A gate passes what lies between its bounds: "auto" learns a bound from the warm-up, a number stays as it',
        'is, "off" takes it away. Near a bound, within the review band ("auto" or its breadth), a human is asked.',
    ),
    "gates.novelty.duplicate": ("Nearer than this to any accepted image is a repetition, whatever its cell.",),
    "gates.style.lower": (
        "0: one style recognised without doubt; 1: none rather than another. Only the extremes of both are cut off.",
    ),
    "calibration.false_accept": (
        "What your answers may do to the gates: gen-emerge calibrate NAME --preview. Costs, relative to each other:",
        "a bad image let in, a good one turned away, one question to you.",
    ),
    "calibration.half_life": ("After so many later answers one counts half.",),
    "calibration.auto": ("Thresholds move by themselves when a round is answered, by `cap` sds of a signal at most.",),
    "calibration.most_review": ("They stay where they are when a larger share of past images would wait for you.",),
    "alarms.drift": (
        "What is watched; an alarm is said once, and once more when it ends: gen-emerge status NAME. drift: signals of",
        "the gates, detectors; agreement: your verdicts and the machine's; clipping: images beyond the axes.",
    ),
    "alarms.rounds": ("An alarm may open a round of questions for you.",),
    "alarms.explore_on_narrowing": (
        "While a series narrows, this share of the genomes begins from no earlier picture, the rest as ever; 0 to 0.5.",
    ),
    "alarms.review_queue": (
        "So many images waiting for your word open a round about five; 0 for never. Of 400 images some 55 wait.",
    ),
    "compass.tilt": (
        "This share of the words drawn for fresh prompts and mutations follows what you like, 0 to 0.5, the others are",
        "drawn as ever; 0 tilts nothing. What you like: gen-emerge compass NAME",
    ),
    "axes.learn": (
        'The axes of the map: "off" keeps those of [archive]; "triplets" learns others from your answers to "which is',
        'more like this one?" (gen-emerge rounds NAME --open triplets); "distance" from what the scorer finds alike.',
    ),
    "axes.refit_every": (
        "So many cycles lie between two fits, 20 or more. They count only where they foretell better than chance.",
    ),
    "reward.use": (
        "A head trained on your answers (gen-emerge train reward NAME) settles the duels it is sure about: once you",
        "apply one, and only where it foretells answers it has not seen better than every signal does.",
    ),
    "reward.sure": ("How sure it must be, 0.6 to 0.999; else the critic is asked.",),
    "filters.rules": ('Your own hard filters, such as { signal = "lightness", below = 0.05, name = "too-dark" }.',),
    "detectors.use": ('Look for defects before the gates, such as ["seams"]; an image that has one is rejected.',),
    "selector.use": (
        'With best_of above 1: "signal" chooses by one signal, "pareto" weighs several, "personal" is the head\'s.',
    ),
    "selector.signals": ("Any that a scorer of this series gives, the extra ones included.",),
    "critic.concurrency": ("Calls at a time, where it answers over a network.",),
    "critic.use": ("Who answers the yes / no questions and judges duels.",),
    "critic.bank": ("Its questions; a path inside the studio folder.",),
}


def write_series(config: SeriesConfig) -> str:
    """Write the file `gen-emerge new` makes."""
    lines = [f"# {line.format(name=config.name)}" for line in _TITLE] + [""]
    _write_table(as_table(config), "", lines)
    return "\n".join(lines) + "\n"


def _write_table(table: dict[str, Any], path: str, lines: list[str]) -> None:
    inner: dict[str, dict[str, Any]] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            inner[key] = cast(dict[str, Any], value)
            continue
        lines.extend(f"# {comment}" for comment in _COMMENTS.get(f"{path}{key}", ()))
        lines.append(f"{toml_key(key)} = {toml_value(value)}")
    for key, rows in inner.items():
        here = f"{path}{toml_key(key)}"
        if not rows or any(not isinstance(value, dict) for value in rows.values()):
            lines.extend(["", f"[{here}]"])
        _write_table(rows, f"{here}.", lines)
