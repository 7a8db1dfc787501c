"""What a profile chooses where a series file is silent: which implementation does each part, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

LIVE_PIPELINE_DEPTH = 6
"""`pipeline_depth` by default where a critic answers over a network: duels and checklists hide behind six cycles."""

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


def with_use(table: Any, profile: str, part: str) -> Any:
    """A part's table, with the profile's own `use` and its options where no other is chosen."""
    if not isinstance(table, dict):
        return table
    given = cast(dict[str, Any], table)
    own = PROFILES.get(profile, PROFILES["embedded"])[part]
    if given.get("use", own) != own:
        return given
    return {"use": own, **PROFILE_OPTIONS.get(profile, {}).get(part, {}), **given}
