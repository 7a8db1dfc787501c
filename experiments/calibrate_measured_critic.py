"""Set the measured critic's thresholds: quantiles of what is measured on pictures of the embedded painter.

    python experiments/calibrate_measured_critic.py [--pictures 400] [--seed N] [--roles ROLE ...] [--write]

The table below says which signal answers which question and at which quantiles: "yes" from the first, "no" from the
second, unsure between. Without --write it only prints how often each question is answered, and how duels end.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gen_emerge.chance import draw
from gen_emerge.critics.looks import look
from gen_emerge.generators.painter.generator import Painter
from gen_emerge.scorers.measures import measure
from gen_emerge.types import Exhibit, Genome

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "gen_emerge" / "critics" / "measured.toml"
SEED = 20261120


@dataclass(frozen=True)
class Plan:
    question: str
    signal: str
    yes: float  # quantile from which the answer is yes (above `no`: high values say yes)
    no: float
    weakness: str
    lesser: str
    fixed: bool = False  # yes and no are values of the signal: the question's words set them


PLANS = (
    Plan(
        "subject", "prompt", 0.50, 0.15,
        "It shows little of what the prompt names.",
        "What the prompt names could be plainer.",
    ),
    Plan(
        "balance", "offset", 0.50, 0.85,
        "It leans to the {heavier}: nothing holds the weight there in balance.",
        "Its weight lies a little towards the {heavier}.",
    ),
    Plan(
        "focus", "pull", 0.60, 0.25,
        "No place draws the eye first: the {busiest} is hardly livelier than the rest.",
        "The liveliest place, the {busiest}, could draw the eye more.",
    ),
    Plan(
        "palette", "clash", 0.60, 0.88,
        "Its hues are spread all around the circle and compete.",
        "Its hues could be closer to one another.",
    ),
    Plan(
        "contrast", "contrast", 0.50, 0.20,
        "Light and dark lie so close that shapes sink into the ground.",
        "Light and dark could be further apart.",
    ),
    Plan(
        "fine-structure", "edge_density", 0.40, 0.15,
        "Close up there is little more to see than from afar, least in the {emptiest}.",
        "The {emptiest} has little to discover close up.",
    ),
    Plan(
        "empty", "emptiness", 0.50, 0.25,
        "Much of it is without structure, the {emptiest} above all.",
        "The {emptiest} is the emptiest place.",
        fixed=True,
    ),
    Plan(
        "specks", "specks", 0.90, 0.60,
        "Single specks all over its surface look accidental.",
        "Its surface is a little speckled.",
    ),
    Plan(
        "finished", "quality", 0.40, 0.15,
        "It looks unfinished or damaged.",
        "It could look more finished.",
    ),
    Plan(
        "glaring-stripes", "stripes", 0.50, 0.25,
        "Dense stripes of one width glare.",
        "Fine lines of one width repeat.",
        fixed=True,
    ),
)  # fmt: skip
WORDS = (
    ("lightness", 0.33, 0.67, "dark", "light", "mid-toned"),
    ("warmth", 0.33, 0.67, "cool", "warm", ""),
    ("saturation", 0.33, 0.67, "muted", "vivid", ""),
    ("edge_density", 0.33, 0.67, "calm", "busy", "moderately busy"),
    ("symmetry", None, None, "its halves counter each other", "nearly mirror-symmetric", ""),
    ("contrast", 0.33, 0.67, "soft contrasts", "strong contrasts", ""),
)


def pictures(count: int, size: int, seed: int):
    """Independent draws: every slot uniform, parameters uniform, as a fresh draw of the loop makes them."""
    bank = tomllib.loads((ROOT / "prompts" / "painter-1.toml").read_text())
    painter = Painter()
    for i in range(count):
        rng = draw(seed, 0, i, "calibrate-critic")
        slots = {name: str(words[int(rng.integers(len(words)))]) for name, words in bank["slots"].items()}
        parameters = {name: float(rng.uniform(low, high)) for name, (low, high) in painter.parameters.items()}
        genome = Genome(
            slots=slots, prompt=bank["template"].format_map(slots), seed=int(rng.integers(2**32)),
            generator=painter.name, generator_version=painter.version, parameters=parameters, width=size, height=size,
        )  # fmt: skip
        yield genome, np.asarray(painter.render([genome])[0])


def scored(images, prompts, roles) -> tuple[list[dict[str, float]], dict[str, str]]:
    """Quality and prompt signals of the embedded scorers; as in `score`, 32 prompts of the bank are the references."""
    from gen_emerge.scorers.embedded import load

    rng = draw(SEED, 0, 0, "calibrate-critic-references")
    references = [prompts[int(i)] for i in rng.choice(len(prompts), 32, replace=False)]
    scorers = load(roles, references)
    found: list[dict[str, float]] = []
    for start in range(0, len(images), 16):
        part = slice(start, start + 16)
        readings = [scorer.score(images[part], prompts[part]) for scorer in scorers]
        found += [
            {s.scorer: s.value for reading in row for s in reading.signals} for row in zip(*readings, strict=True)
        ]
    return found, {name: version for scorer in scorers for name, version in scorer.versions.items() if name in roles}


def write(values: dict[str, np.ndarray], provenance: dict[str, object]) -> str:
    lines = [
        "# How the measured critic answers. Written by experiments/calibrate_measured_critic.py; change it there.",
        "# Each threshold is the stated quantile of its signal over the reference; between yes and no it is unsure.",
        "schema = 1",
        'id = "measured-1"',
        "",
        "[provenance]",
        *(f"{key} = {json.dumps(value)}" for key, value in provenance.items()),
    ]
    for plan in PLANS:
        lines += ["", "[[rules]]", f'question = "{plan.question}"']
        if plan.fixed:
            when = f'signal = "{plan.signal}", yes = {plan.yes}, no = {plan.no}'
        else:
            when = f'signal = "{plan.signal}", yes_quantile = {plan.yes}, no_quantile = {plan.no}'
        if plan.signal in values and not plan.fixed:
            yes, no = np.quantile(values[plan.signal], [plan.yes, plan.no])
            when += f", yes = {yes:.5g}, no = {no:.5g}"
        lines += [
            f"when = [{{ {when} }}]",
            f"weakness = {json.dumps(plan.weakness)}",
            f"lesser = {json.dumps(plan.lesser)}",
        ]
    for signal, low, high, below, above, between in WORDS:
        # Symmetry is (1 + r) / 2 of a correlation r: its words need r below -0.4 or above 0.8, whatever is usual.
        at_low, at_high = (0.3, 0.9) if low is None else np.quantile(values[signal], [low, high])
        lines += ["", "[[words]]", f'signal = "{signal}"', f"low = {at_low:.5g}", f"high = {at_high:.5g}"]
        lines += [f'below = "{below}"', f'above = "{above}"', f'between = "{between}"']
    return "\n".join(lines) + "\n"


def report(images, signals, prompts) -> None:
    from gen_emerge.critics import load, load_bank

    bank = load_bank(ROOT / "prompts" / "questions" / "general-1.toml")
    critic = load("measured")
    exhibits = []
    for i, (image, values, prompt) in enumerate(zip(images, signals, prompts, strict=True)):
        exhibit = Exhibit(candidate=i, prompt=prompt, pixels=image, signals=values)
        critique = critic.review(exhibit, brief="", bank=bank)
        exhibits.append(Exhibit(candidate=i, prompt=prompt, pixels=None, signals=values, critique=critique))
    for question in bank.questions:
        given = [e.critique.answers[question.id] for e in exhibits]
        print(f"{question.id:16s}", {a: round(given.count(a) / len(given), 2) for a in ("yes", "no", "unsure")})
    decided = [sum(a in ("yes", "no") for a in e.critique.answers.values()) for e in exhibits]
    print("decided per picture: median", np.median(decided), "least", min(decided))
    rng = np.random.default_rng(1)
    ends = {"left": 0, "right": 0, "tie": 0}
    for _ in range(1000):
        a, b = rng.choice(len(exhibits), 2, replace=False)
        ends[critic.duel(exhibits[a], exhibits[b], brief="", bank=bank).outcome] += 1
    print("duels:", ends)
    for e in exhibits[:6]:
        print("-", e.prompt, "\n ", e.critique.summary, "\n ", e.critique.weaknesses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=SEED, help="another one gives pictures the thresholds never saw")
    parser.add_argument("--roles", nargs="*", default=["quality", "prompt"], help="embedded networks to ask")
    parser.add_argument("--write", action="store_true", help="replace gen_emerge/critics/measured.toml")
    arguments = parser.parse_args()
    drawn = list(pictures(arguments.pictures, arguments.size, arguments.seed))
    images, prompts = [image for _, image in drawn], [genome.prompt for genome, _ in drawn]
    judged, versions = scored(images, prompts, arguments.roles) if arguments.roles else ([{} for _ in images], {})
    signals = [{**measure(i), **s} for i, s in zip(images, judged, strict=True)]
    seen = [{**s, **look(image).values} for image, s in zip(images, signals, strict=True)]
    values = {name: np.array([s[name] for s in seen]) for name in seen[0]}
    if arguments.write:
        provenance = {
            "script": "experiments/calibrate_measured_critic.py",
            "date": "2026-11-20",
            "reference": f"{len(images)} independent draws of the embedded painter at {arguments.size} px",
            "generator_version": Painter.version,
            "seed": arguments.seed,
            "signals": sorted(values),
            "scorers": [f"{name}: {version}" for name, version in sorted(versions.items())],
        }
        staged = TARGET.with_suffix(".new")
        staged.write_text(write(values, provenance))
        staged.replace(TARGET)
    report(images, signals, prompts)


if __name__ == "__main__":
    main()
