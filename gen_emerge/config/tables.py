"""Takes plain tables (as TOML reads them); gives frozen, strictly checked ones, every default filled in.

One class a table of the series file; unknown keys are refused. It must never read a file.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from gen_emerge.config.implementations import CriticConfig, DetectorsConfig, ScorersConfig, SelectorConfig, UseConfig
from gen_emerge.config.profiles import LIVE_PIPELINE_DEPTH, with_use
from gen_emerge.config.toml import STEERING, toml_value
from gen_emerge.config.values import BankPath, Bound, Counts, Duplicate, Real, Review, Schema, Table, Words, number
from gen_emerge.types import GATES, Gate

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
DEFAULT_BRIEF = (
    "Abstract prints for the wall of a quiet room: each one finished, with a clear subject of form and colour, "
    "and no two of them alike."
)
DEFAULT_PROMPTS = "prompts/painter-1.toml"
MAX_PIXELS = 33_000_000
MAX_SLOTS = 1_024
MAX_CELLS = 1_000_000
MAX_CENTROIDS = 100_000
MEASURES = (
    "warmth",
    "edge_density",
    "lightness",
    "contrast",
    "colourfulness",
    "saturation",
    "entropy",
    "symmetry",
    "detail",
    "hue_spread",
)
"""Signals that are measured from the pixels alone: what axes and rules may name, beside quality, prompt and style."""


class LoopConfig(Table):
    """`[loop]`: the rhythm of a series."""

    batch: int = Field(default=8, ge=1, le=256)
    best_of: int = Field(default=1, ge=1, le=64)
    warmup_cycles: int = Field(default=4, ge=1, le=1000)
    pipeline_depth: int = Field(default=1, ge=0, le=16)
    max_attempts: int = Field(default=3, ge=1, le=100)
    cycles: int = Field(default=50, ge=1, le=10_000_000)
    checkin_every: int = Field(default=25, ge=0, le=10_000_000)
    on_checkin: Literal["continue", "wait"] = "continue"
    checkin_screens: Literal["pairs", "rank4"] = "pairs"

    @model_validator(mode="after")
    def _fits_in_memory(self) -> LoopConfig:
        if self.batch * self.best_of > MAX_SLOTS:
            made = f"{self.batch} x {self.best_of}"
            raise ValueError(f"batch x best_of of at most {MAX_SLOTS:,}, the images held in memory at once, not {made}")
        return self


class ImageConfig(Table):
    """`[image]`: pixels."""

    width: int = Field(default=512, ge=32, le=8192)
    height: int = Field(default=512, ge=32, le=8192)

    @model_validator(mode="after")
    def _not_too_large(self) -> ImageConfig:
        if self.width * self.height > MAX_PIXELS:
            raise ValueError(f"at most {MAX_PIXELS:,} pixels an image, not {self.width} x {self.height}")
        return self


class PromptsConfig(Table):
    """`[prompts]`: the vocabulary, relative to the studio folder."""

    bank: BankPath = DEFAULT_PROMPTS


class ArchiveConfig(Table):
    """`[archive]`: the map. `cells` is how many it has, for both kinds; `dims` is empty for "cvt"."""

    kind: Literal["grid", "cvt"] = "grid"
    cells: int = Field(default=400, ge=1, le=MAX_CENTROIDS)
    axes: Words = ("warmth", "edge_density")
    dims: Counts = (20, 20)

    @model_validator(mode="after")
    def _geometry(self) -> ArchiveConfig:
        if not 1 <= len(self.axes) <= 10:
            raise ValueError(f"1 to 10 axes, not {len(self.axes)}")
        if len(set(self.axes)) != len(self.axes):
            raise ValueError(f"axes that differ, not {list(self.axes)}")
        if self.kind == "cvt":
            if "dims" in self.model_fields_set:
                raise ValueError('no dims for kind = "cvt"; it has cells, such as cells = 400, in their place')
            object.__setattr__(self, "dims", ())
            return self
        dims = list(self.dims)
        if any(cells < 1 for cells in dims):
            raise ValueError(f"at least one cell along every axis: dims = {dims} is a grid with zero cells")
        if len(dims) != len(self.axes):
            raise ValueError(f"one number in dims for each of {len(self.axes)} axes, not dims = {dims}")
        cells = math.prod(dims)
        if cells > MAX_CELLS:
            raise ValueError(f"at most {MAX_CELLS:,} cells; dims = {dims} makes {cells:,}")
        if "cells" in self.model_fields_set and self.cells != cells:
            raise ValueError(f'no cells for kind = "grid" (dims = {dims} makes {cells}); they belong to kind = "cvt"')
        object.__setattr__(self, "cells", cells)
        return self


class GateConfig(Table):
    """`[gates.*]`: "auto" is set from the warm-up, a number stays, "off" does not gate. `review`: the band's width."""

    lower: Bound = "auto"
    upper: Bound = "off"
    review: Review = "auto"

    @model_validator(mode="after")
    def _ordered(self) -> GateConfig:
        if isinstance(self.lower, float) and isinstance(self.upper, float) and self.lower >= self.upper:
            raise ValueError(f"lower below upper, not lower = {self.lower:g} and upper = {self.upper:g}")
        return self


class NoveltyGateConfig(GateConfig):
    """`[gates.novelty]`: `duplicate` is the smaller bound that holds against every accepted image."""

    duplicate: Duplicate = "auto"


class StyleGateConfig(GateConfig):
    """`[gates.style]`: both ends cut extremes."""

    upper: Bound = "auto"


class GatesConfig(Table):
    """`[gates.*]`, one table a gate."""

    quality: GateConfig = GateConfig()
    prompt: GateConfig = GateConfig()
    novelty: NoveltyGateConfig = NoveltyGateConfig()
    style: StyleGateConfig = StyleGateConfig()

    def of(self, gate: Gate) -> GateConfig:
        """The table of one gate."""
        return cast(GateConfig, getattr(self, gate))


class CalibrationConfig(Table):
    """`[calibration]`: what mistakes cost, relative to each other, and whether thresholds may move by themselves."""

    false_accept: Real = Field(default=3.0, ge=1e-6, le=1e6)
    false_reject: Real = Field(default=1.0, ge=1e-6, le=1e6)
    review: Real = Field(default=0.5, ge=1e-6, le=1e6)
    half_life: Real = Field(default=200.0, ge=1, le=1e9)
    auto: bool = False
    cap: Real = Field(default=0.25, ge=1e-6, le=10)
    most_review: Real = Field(default=0.25, ge=0, le=1)


class AlarmsConfig(Table):
    """`[alarms]`: what is watched for slow changes, and what an alarm may do by itself."""

    drift: bool = True
    review_rate: bool = True
    agreement: bool = True
    taste: bool = True
    narrowing: bool = True
    clipping: bool = True
    rounds: bool = True
    explore_on_narrowing: Real = Field(default=0.3, ge=0, le=0.5)
    review_queue: int = Field(default=100, ge=0, le=10_000_000)


class CompassConfig(Table):
    """`[compass]`: by how much what your answers say of words may tilt the draws; 0 for not at all."""

    tilt: Real = Field(default=0.0, ge=0, le=0.5)


class AxesConfig(Table):
    """`[axes]`: whether the map's axes are learned from what is alike, and how often they are fitted anew."""

    learn: Literal["off", "triplets", "distance"] = "off"
    refit_every: int = Field(default=100, ge=20, le=10_000_000)


class RewardConfig(Table):
    """`[reward]`: whether a head trained on your answers may settle duels, and how sure it must be."""

    use: bool = True
    sure: Real = Field(default=0.8, ge=0.6, le=0.999)


class RuleConfig(Table):
    """One hard filter of the user's own: rejects an image whose `signal` is `below` or `above` a number."""

    signal: str
    below: float | None = None
    above: float | None = None
    name: str = Field(default="", max_length=64)

    @field_validator("below", "above", mode="before")
    @classmethod
    def _finite(cls, value: Any) -> Any:
        return None if value is None else number(value, "a number that is finite", words=())

    @field_validator("name")
    @classmethod
    def _can_be_shown(cls, name: str) -> str:
        if not name.strip() or not name.isprintable() or "/" in name or "\\" in name:
            raise ValueError("1 to 64 printable letters without slashes")
        return name

    @model_validator(mode="after")
    def _one_side(self) -> RuleConfig:
        if (self.below is None) == (self.above is None):
            raise ValueError('either below or above, such as { signal = "lightness", below = 0.05 }')
        return self

    @property
    def label(self) -> str:
        """Its name, or one made from what it does."""
        return self.name or f"{self.signal}-{'below' if self.above is None else 'above'}"


class FiltersConfig(Table):
    """`[filters]`: rules beside the built-in hard filters."""

    rules: Annotated[tuple[RuleConfig, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _named_apart(self) -> FiltersConfig:
        labels = [rule.label for rule in self.rules]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f'rules with names that differ; "{twice[0]}" comes twice (give one of them a name)')
        return self


class SeriesConfig(Table):
    """One series file, complete."""

    schema_: Schema = Field(default=1, alias="schema")
    name: str = Field(pattern=NAME_PATTERN)
    seed: int = Field(default=7, ge=0, le=2**63 - 1)
    profile: Literal["embedded", "diffusion"] = "embedded"
    brief: str = Field(default=DEFAULT_BRIEF, min_length=1, max_length=4000)
    loop: LoopConfig = LoopConfig()
    image: ImageConfig = ImageConfig()
    prompts: PromptsConfig = PromptsConfig()
    generator: UseConfig
    scorers: ScorersConfig
    archive: ArchiveConfig = ArchiveConfig()
    gates: GatesConfig = GatesConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    compass: CompassConfig = CompassConfig()
    axes: AxesConfig = AxesConfig()
    reward: RewardConfig = RewardConfig()
    filters: FiltersConfig = FiltersConfig()
    detectors: DetectorsConfig = DetectorsConfig()
    selector: SelectorConfig = SelectorConfig()
    critic: CriticConfig

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, table: Any) -> Any:
        """Let the profile choose every `use` that is not given, and its own choices' options."""
        if not isinstance(table, dict):
            return table
        given = cast(dict[str, Any], table)
        profile = str(given.get("profile", "embedded"))
        filled = dict(given)
        for part in ("generator", "critic"):
            filled[part] = with_use(given.get(part, {}), profile, part)
        scorers = given.get("scorers", {})
        if isinstance(scorers, dict):
            roles = cast(dict[str, Any], scorers)
            filled["scorers"] = {**roles, **{gate: with_use(roles.get(gate, {}), profile, gate) for gate in GATES}}
        loop, critic = given.get("loop", {}), filled["critic"]
        if isinstance(loop, dict) and isinstance(critic, dict) and critic.get("use") != "measured":
            filled["loop"] = {"pipeline_depth": LIVE_PIPELINE_DEPTH, **cast(dict[str, Any], loop)}
        return filled

    @field_validator("brief")
    @classmethod
    def _is_text(cls, brief: str) -> str:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in brief):
            raise ValueError("text in UTF-8")
        if strange := STEERING.search(brief):
            raise ValueError(f"a text; it holds signs that cannot be printed: {toml_value(strange[0])}")
        return brief


def as_table(config: SeriesConfig) -> dict[str, Any]:
    """The config as plain JSON values, nested as in the file; `parse` gives it back."""
    table = config.model_dump(mode="json", by_alias=True)
    for part in (table["generator"], table["critic"], table["detectors"], *table["scorers"].values()):
        part.update(part.pop("options"))
    if config.profile == "embedded" and table["scorers"]["extra"] == {"use": []}:
        del table["scorers"]["extra"]  # so that a series of before there were any is still the same
    for rule in table["filters"]["rules"]:
        for key in ("below", "above"):
            if rule[key] is None:
                del rule[key]
        if not rule["name"]:
            del rule["name"]
    del table["archive"]["cells" if config.archive.kind == "grid" else "dims"]
    return table
