"""The tables of a series file that choose who does a part of the work, by `use`; their other keys are its options."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from gen_emerge.config.toml import shown
from gen_emerge.config.values import BankPath, Table, Words, is_plain
from gen_emerge.types import Gate

DEFAULT_QUESTIONS = "prompts/questions/general-1.toml"
PERSONAL = "personal"
"""The signal of a head trained on this series' own judgements."""
DISTANCES = ("lpips", "dists", "clpips")
"""Extra signals of which less is better: how far a picture is from a target."""


class UseConfig(Table):
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
            if not is_plain(value):
                raise ValueError(
                    f"plain texts, finite numbers, true / false, arrays and tables, not {key} = {shown(value)}"
                )
        return options


class PlugInsConfig(Table):
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
            if not is_plain(options):
                raise ValueError(f"plain texts, finite numbers, true / false, arrays and tables under {name}")
        return self


class ExtraConfig(PlugInsConfig):
    """`[scorers.extra]`: measured beside the gates' signals, for diagnosis and selection; never a gate."""


class DetectorsConfig(PlugInsConfig):
    """`[detectors]`: look for defects between the hard filters and the gates; an image that has one is rejected."""


class SelectorConfig(Table):
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


class ScorersConfig(Table):
    """`[scorers.*]`: who measures each gate's signal, and what is measured beside them."""

    quality: UseConfig
    prompt: UseConfig
    novelty: UseConfig
    style: UseConfig
    extra: ExtraConfig = ExtraConfig()

    def of(self, gate: Gate) -> UseConfig:
        """The scorer of one gate."""
        return cast(UseConfig, getattr(self, gate))


class CriticConfig(UseConfig):
    """`[critic]`: who answers the question bank and judges duels. `concurrency`: calls to it at a time."""

    concurrency: int = Field(default=8, ge=1, le=256)
    bank: BankPath = DEFAULT_QUESTIONS
