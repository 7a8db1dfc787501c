"""What is known of checkpoints' licences that a series should say at its start. Takes a model's name; gives a sentence.

Only licences that limit commercial use are listed. A name that is not here is not thereby free: read its card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gen_emerge.models.catalogue import catalogue

LIMITED: Mapping[str, str] = {
    "stabilityai/stable-diffusion-3-medium-diffusers": "Stability AI's community licence (free below a yearly revenue)",
    "stabilityai/stable-diffusion-3.5-medium": "Stability AI's community licence (free below a yearly revenue)",
    "stabilityai/stable-diffusion-3.5-large": "Stability AI's community licence (free below a yearly revenue)",
    "stabilityai/stable-diffusion-3.5-large-turbo": "Stability AI's community licence (free below a yearly revenue)",
    "black-forest-labs/FLUX.1-dev": "the FLUX.1 [dev] non-commercial licence",
    "black-forest-labs/FLUX.1-Krea-dev": "the FLUX.1 [dev] non-commercial licence",
    "black-forest-labs/FLUX.2-dev": "the FLUX non-commercial licence",
}
"""Hub id -> licence, beside those of the catalogue that forbid commercial use; the card in the repository decides."""
_IN_CACHE = re.compile(r"models--([^-].*?)--(.+)")


def licence_notice(model: str, folder: Path) -> str | None:
    """What to say of a checkpoint's licence, None when nothing is known against commercial use.

    Args:
        model: as the series names it: a hub id or a folder.
        folder: where the files are. A folder of the checkpoint's own name, one in the hub's cache, and one whose
            model_index.json says where it came from are recognised too.
    """
    limited = {entry.hub: entry.licence for entry in catalogue().values() if entry.hub and entry.commercial == "no"}
    limited |= LIMITED
    by_name = {hub.lower(): hub for hub in limited} | {hub.rpartition("/")[2].lower(): hub for hub in limited}
    found = next((by_name[name.lower()] for name in (model, *_names(folder)) if name.lower() in by_name), None)
    if found is None:
        return None
    return f"{found} is under {limited[found]}: its pictures may not be free for commercial use. Read its card."


def _names(folder: Path) -> Iterator[str]:
    for part in folder.parts:
        if cached := _IN_CACHE.fullmatch(part):
            yield f"{cached[1]}/{cached[2]}"
    yield folder.name
    try:
        yield str(json.loads((folder / "model_index.json").read_text(encoding="utf-8")).get("_name_or_path", ""))
    except (OSError, ValueError, AttributeError):
        return
