"""Who does the work of one series, and the numbers it is done by. The loop knows nobody but through these sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gen_emerge.calibration.alarms import ALARMS, Alarms
from gen_emerge.calibration.costs import LEARNING, Learning
from gen_emerge.calibration.first import GateSetting
from gen_emerge.filters import Rule
from gen_emerge.preference.axes import NO_AXES, Learn
from gen_emerge.preference.takes import BY_PROMPT, Selector
from gen_emerge.protocols import Critic, Detector, Emitter, Generator, Scorer
from gen_emerge.types import Genome, PromptBank, QuestionBank


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """The numbers of the loop: see `[loop]` and `[archive]` of a series file."""

    seed: int
    batch: int
    warmup_cycles: int
    pipeline_depth: int
    max_attempts: int
    checkin_every: int
    wait_at_checkin: bool
    width: int
    height: int
    archive_kind: str
    axes: tuple[str, ...]
    dims: tuple[int, ...]
    cells: int
    best_of: int = 1
    checkin_screens: Literal["pairs", "rank4"] = "pairs"

    @property
    def slots(self) -> int:
        """Candidates a cycle: every genome has `best_of` takes, each in a slot of its own, side by side."""
        return self.batch * self.best_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSetting:
    """See `[reward]` of a series file: whether a head that is in force settles duels, and how sure it must be."""

    use: bool = True
    sure: float = 0.8


REWARD_SETTING = RewardSetting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who does the work of one series. `crew.py` chooses them; the loop only knows their sockets.

    Args:
        rhythm: the numbers of the loop.
        brief: what the series is for.
        generator: genome -> pixels.
        measures: pixel statistics, before any model.
        scorers: the models: quality, prompt, novelty (the embedding) and style between them.
        limits: signal -> natural (low, high).
        rules: the user's hard filters.
        gates: what the series file says of each gate.
        prompts: the vocabulary.
        emitters: by name, `fresh` among them.
        critic: asked about gate survivors.
        questions: the bank it answers.
        probe: renders and scores genomes one by one in a process of its own; gives the ones that killed it, and how.
        concurrency: calls to the critic at a time.
        detectors: look for defects, between the hard filters and the gates.
        selector: chooses among the takes of one genome, where `rhythm.best_of` is above 1.
        imports: gives the pictures of imported genomes, or None where there can be none.
        learning: how judgements move thresholds.
        alarms: what is watched, and what an alarm may do.
        axes: whether the map's axes are learned, and when.
        tilt: share of the drawn words, 0 to 0.5, that follows the compass.
        reward: what a head trained on people's answers may settle.
    """

    rhythm: Rhythm
    brief: str
    generator: Generator
    measures: Scorer
    scorers: tuple[Scorer, ...]
    limits: Mapping[str, tuple[float, float]]
    rules: tuple[Rule, ...]
    gates: Mapping[str, GateSetting]
    prompts: PromptBank
    emitters: Mapping[str, Emitter]
    critic: Critic
    questions: QuestionBank
    probe: Callable[[Sequence[Genome]], Mapping[str, str]]
    concurrency: int = 8
    detectors: tuple[Detector, ...] = ()
    selector: Selector = BY_PROMPT
    imports: Generator | None = None
    learning: Learning = LEARNING
    alarms: Alarms = ALARMS
    axes: Learn = NO_AXES
    tilt: float = 0.0
    reward: RewardSetting = REWARD_SETTING

    @property
    def versions(self) -> dict[str, str]:
        """What made pictures and numbers: "generator", and every signal's and detector's name -> version."""
        scored = {
            name: version for scorer in (self.measures, *self.scorers) for name, version in scorer.versions.items()
        }
        found = {detector.name: detector.version for detector in self.detectors}
        return {"generator": f"{self.generator.name} {self.generator.version}", **scored, **found}
