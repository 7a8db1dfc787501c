"""Takes plain tables (as TOML reads them); gives frozen, strictly checked ones, every default filled in.

One class a table of the series file; unknown keys are refused. It must never read a file.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gen_emerge.types import GATES, Gate

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
DEFAULT_BRIEF = (
    "Abstract prints for the wall of a quiet room: each one finished, with a clear subject of form and colour, "
    "and no two of them alike."
)
DEFAULT_PROMPTS = "prompts/painter-1.toml"
DEFAULT_QUESTIONS = "prompts/questions/general-1.toml"
MAX_PIXELS = 33_000_000
MAX_SLOTS = 1_024
MAX_CELLS = 1_000_000
MAX_CENTROIDS = 100_000
LIVE_PIPELINE_DEPTH = 6
"""`pipeline_depth` by default where a critic answers over a network: duels and checklists hide behind six cycles."""

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


PERSONAL = "personal"
"""The signal of a head trained on this series' own judgements."""
DISTANCES = ("lpips", "dists", "clpips")
"""Extra signals of which less is better: how far a picture is from a target."""


PROFILES: Mapping[str, Mapping[str, str]] = {
    "embedded": {
        "generator": "painter",
        "quality": "embedded",
        "prompt": "embedded",
        "novelty": "embedded",
        "style": "embedded",
        "critic": "measured",
    },
    "diffusion": {
        "generator": "diffusion",
        "quality": "nima",
        "prompt": "clip",
        "novelty": "dreamsim",
        "style": "clip-zero-shot",
        "critic": "measured",  # until a critic that looks at pictures is part of the program
    },
}
"""What each profile chooses where a series file does not say `use` itself."""

PROFILE_OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "diffusion": {
        "generator": {
            "model": "",
            "revision": "",
            "steps": 4,
            "guidance": 0.0,
            "scheduler": "auto",
            "dtype": "auto",
            "device": "auto",
            "loras": [],
        },
        "quality": {"weights": ""},
        "prompt": {"model": "ViT-B-32", "weights": ""},
        "novelty": {"type": "open_clip_vitb32", "weights": ""},
    },
}
"""Options a profile fills in beside its own choice of `use`. An empty text stands for "not given"."""


def _number(value: Any, wanted: str, *, words: tuple[str, ...], least: float = -math.inf) -> Any:
    if isinstance(value, str) and value in words:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(wanted) from None
        if math.isfinite(number) and number >= least:
            return number
    raise ValueError(wanted)


def _inside(path: str) -> str:
    """A bank's path: relative, and nowhere out of the studio folder."""
    if len(path) > 1000 or any(len(part.encode("utf-8", "replace")) > 255 for part in path.split("/")):
        raise ValueError("a path of at most 1000 letters, 255 between slashes")
    if not path.isprintable():
        raise ValueError("a path of printable letters")
    outside = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or path.startswith("\\")
    if outside or posixpath.normpath(path.replace("\\", "/")).split("/")[0] == "..":
        raise ValueError('a path inside the studio folder, such as "prompts/painter-1.toml"')
    return path


def _bound(value: Any) -> Any:
    return _number(value, 'a number, "auto" or "off"', words=("auto", "off"))


def _distance(value: Any) -> Any:
    return _number(value, 'a number from 0, "auto" or "off"', words=("auto", "off"), least=0.0)


def _width(value: Any) -> Any:
    return _number(value, 'a width from 0, or "auto"', words=("auto",), least=0.0)


def _schema(value: Any) -> Any:
    if type(value) is not int or value != 1:
        raise ValueError("1, the schema this version reads")
    return value


Bound = Annotated[float | Literal["auto", "off"], BeforeValidator(_bound)]
Duplicate = Annotated[float | Literal["auto", "off"], BeforeValidator(_distance)]
Review = Annotated[float | Literal["auto"], BeforeValidator(_width)]
BankPath = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Words = Annotated[tuple[str, ...], Field(strict=False)]
Counts = Annotated[tuple[int, ...], Field(strict=False)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class LoopConfig(_Table):
    """`[loop]`: the rhythm of a series."""

    batch: int = Field(default=8, ge=1, le=256)
    best_of: int = Field(default=1, ge=1, le=64)
    warmup_cycles: int = Field(default=4, ge=1, le=1000)
    pipeline_depth: int = Field(default=1, ge=0, le=16)
    max_attempts: int = Field(default=3, ge=1, le=100)
    cycles: int = Field(default=50, ge=1, le=10_000_000)
    checkin_every: int = Field(default=25, ge=0, le=10_000_000)
    on_checkin: Literal["continue", "wait"] = "continue"

    @model_validator(mode="after")
    def _fits_in_memory(self) -> LoopConfig:
        if self.batch * self.best_of > MAX_SLOTS:
            made = f"{self.batch} x {self.best_of}"
            raise ValueError(f"batch x best_of of at most {MAX_SLOTS:,}, the images held in memory at once, not {made}")
        return self


class ImageConfig(_Table):
    """`[image]`: pixels."""

    width: int = Field(default=512, ge=32, le=8192)
    height: int = Field(default=512, ge=32, le=8192)

    @model_validator(mode="after")
    def _not_too_large(self) -> ImageConfig:
        if self.width * self.height > MAX_PIXELS:
            raise ValueError(f"at most {MAX_PIXELS:,} pixels an image, not {self.width} x {self.height}")
        return self


class PromptsConfig(_Table):
    """`[prompts]`: the vocabulary, relative to the studio folder."""

    bank: BankPath = DEFAULT_PROMPTS


class UseConfig(_Table):
    """A table that chooses an implementation by `use`; all its other keys are that implementation's `options`."""

    use: str
    options: dict[str, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        own = set(cls.model_fields) - {"options"}
        given = cast(dict[str, Any], table)
        rest = {key: value for key, value in given.items() if key not in own}
        return {**{key: value for key, value in given.items() if key in own}, "options": rest}

    @field_validator("options")
    @classmethod
    def _plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key, value in options.items():
            if not _is_plain(value):
                raise ValueError(f"plain texts, finite numbers, true / false, arrays and tables, not {key} = {value!r}")
        return options


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(_is_plain(item) for item in cast(list[Any], value))
    if isinstance(value, dict):
        return all(_is_plain(item) for item in cast(dict[str, Any], value).values())
    return isinstance(value, str | int)


class PlugInsConfig(_Table):
    """A table of which `use` names any number of implementations; the table `NAME` in it holds the options of one."""

    use: Words = ()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict[str, dict[str, Any]])

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        given = cast(dict[str, Any], table)
        return {
            **({"use": given["use"]} if "use" in given else {}),
            "options": {key: value for key, value in given.items() if key != "use"},
        }

    @model_validator(mode="after")
    def _named_once(self) -> PlugInsConfig:
        if len(set(self.use)) != len(self.use):
            raise ValueError(f"names that differ in use, not {list(self.use)}")
        for name, options in self.options.items():
            if not _is_plain(options):
                raise ValueError(f"plain texts, finite numbers, true / false, arrays and tables under {name}")
        return self


class ExtraConfig(PlugInsConfig):
    """`[scorers.extra]`: measured beside the gates' signals, for diagnosis and selection; never a gate."""


class DetectorsConfig(PlugInsConfig):
    """`[detectors]`: look for defects between the hard filters and the gates; an image that has one is rejected."""


class SelectorConfig(_Table):
    """`[selector]`: with `best_of` above 1, which take of a genome goes on to the gates."""

    use: Literal["signal", "pareto", "personal"] = "signal"
    signals: Words = ("prompt",)

    @model_validator(mode="before")
    @classmethod
    def _personal_reads_one(cls, table: Any) -> Any:
        """The personal head's signal is its own: it need not be named."""
        if isinstance(table, dict) and cast(dict[str, Any], table).get("use") == "personal":
            return {"signals": [PERSONAL], **cast(dict[str, Any], table)}
        return table

    @model_validator(mode="after")
    def _as_many_as_it_reads(self) -> SelectorConfig:
        signals = list(self.signals)
        if len(set(signals)) != len(signals):
            raise ValueError(f"signals that differ, not {signals}")
        if self.use == "signal" and len(signals) != 1:
            raise ValueError(f'one signal for use = "signal", not {signals}; "pareto" weighs several')
        if self.use == "pareto" and len(signals) < 2:
            raise ValueError(f'two signals or more for use = "pareto", not {signals}')
        if self.use == "personal" and signals != [PERSONAL]:
            raise ValueError(f'no signals for use = "personal", which reads its own, not {signals}')
        return self


class ScorersConfig(_Table):
    """`[scorers.*]`: who measures each gate's signal, and what is measured beside them."""

    quality: UseConfig
    prompt: UseConfig
    novelty: UseConfig
    style: UseConfig
    extra: ExtraConfig = ExtraConfig()

    def of(self, gate: Gate) -> UseConfig:
        """The scorer of one gate."""
        return cast(UseConfig, getattr(self, gate))


class ArchiveConfig(_Table):
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


class GateConfig(_Table):
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


class GatesConfig(_Table):
    """`[gates.*]`, one table a gate."""

    quality: GateConfig = GateConfig()
    prompt: GateConfig = GateConfig()
    novelty: NoveltyGateConfig = NoveltyGateConfig()
    style: StyleGateConfig = StyleGateConfig()

    def of(self, gate: Gate) -> GateConfig:
        """The table of one gate."""
        return cast(GateConfig, getattr(self, gate))


class RuleConfig(_Table):
    """One hard filter of the user's own: rejects an image whose `signal` is `below` or `above` a number."""

    signal: str
    below: float | None = None
    above: float | None = None
    name: str = Field(default="", max_length=64)

    @field_validator("below", "above", mode="before")
    @classmethod
    def _finite(cls, value: Any) -> Any:
        return None if value is None else _number(value, "a number that is finite", words=())

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


class FiltersConfig(_Table):
    """`[filters]`: rules beside the built-in hard filters."""

    rules: Annotated[tuple[RuleConfig, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _named_apart(self) -> FiltersConfig:
        labels = [rule.label for rule in self.rules]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f'rules with names that differ; "{twice[0]}" comes twice (give one of them a name)')
        return self


class CriticConfig(UseConfig):
    """`[critic]`: who answers the question bank and judges duels. `concurrency`: calls to it at a time."""

    concurrency: int = Field(default=8, ge=1, le=256)
    bank: BankPath = DEFAULT_QUESTIONS


class SeriesConfig(_Table):
    """One series file, complete."""

    schema_: Annotated[Literal[1], BeforeValidator(_schema)] = Field(default=1, alias="schema")
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
            filled[part] = _with_use(given.get(part, {}), profile, part)
        scorers = given.get("scorers", {})
        if isinstance(scorers, dict):
            roles = cast(dict[str, Any], scorers)
            filled["scorers"] = {**roles, **{gate: _with_use(roles.get(gate, {}), profile, gate) for gate in GATES}}
        loop, critic = given.get("loop", {}), filled["critic"]
        if isinstance(loop, dict) and isinstance(critic, dict) and critic.get("use") != "measured":
            filled["loop"] = {"pipeline_depth": LIVE_PIPELINE_DEPTH, **cast(dict[str, Any], loop)}
        return filled

    @field_validator("brief")
    @classmethod
    def _is_text(cls, brief: str) -> str:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in brief):
            raise ValueError("text in UTF-8")
        return brief


def _with_use(table: Any, profile: str, part: str) -> Any:
    if not isinstance(table, dict):
        return table
    given = cast(dict[str, Any], table)
    own = PROFILES.get(profile, PROFILES["embedded"])[part]
    if given.get("use", own) != own:
        return given
    return {"use": own, **PROFILE_OPTIONS.get(profile, {}).get(part, {}), **given}


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
