"""What is known of checkpoints' licences that a series should say at its start. Takes a model's name; gives a sentence.

Only licences that forbid commercial use are listed. A name that is not here is not thereby free: read its card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

NON_COMMERCIAL: Mapping[str, str] = {
    "stabilityai/sd-turbo": "Stability AI's community / non-commercial research licence",
    "stabilityai/sdxl-turbo": "Stability AI's community / non-commercial research licence",
    "stabilityai/stable-diffusion-3-medium-diffusers": "Stability AI's community licence (free below a yearly revenue)",
    "stabilityai/stable-diffusion-3.5-medium": "Stability AI's community licence (free below a yearly revenue)",
    "stabilityai/stable-diffusion-3.5-large": "Stability AI's community licence (free below a yearly revenue)",
    "stabilityai/stable-diffusion-3.5-large-turbo": "Stability AI's community licence (free below a yearly revenue)",
    "black-forest-labs/FLUX.1-dev": "the FLUX.1 [dev] non-commercial licence",
    "black-forest-labs/FLUX.1-Krea-dev": "the FLUX.1 [dev] non-commercial licence",
    "black-forest-labs/FLUX.2-dev": "the FLUX non-commercial licence",
    "segmind/tiny-sd": "CreativeML OpenRAIL-M, whose use is restricted",
}
"""Checkpoint -> its licence, where that limits commercial use (as of 2025; the card in the repository decides)."""


def licence_notice(model: str, folder: Path) -> str | None:
    """What to say of a checkpoint's licence, None when nothing is known against commercial use.

    Args:
        model: as the series names it: a hub id or a folder.
        folder: where the files are; a folder of the checkpoint's own name, or one whose model_index.json names where
            it came from, is recognised too.
    """
    names = {known.lower(): known for known in NON_COMMERCIAL}
    ends = {known.rpartition("/")[2].lower(): known for known in NON_COMMERCIAL}
    found = names.get(model.lower()) or ends.get(folder.name.lower()) or names.get(_origin(folder).lower())
    if found is None:
        return None
    return f"{found} is under {NON_COMMERCIAL[found]}: its pictures may not be free for commercial use. Read its card."


def _origin(folder: Path) -> str:
    try:
        return str(json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("_name_or_path", ""))
    except (OSError, ValueError, AttributeError):
        return ""
