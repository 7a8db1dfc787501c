"""Takes words and numbers as they come from prompts and genomes; gives only known ones, or an error naming the nearest.

Pure Python: importing this file costs nothing. The words here are the painter's whole vocabulary.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from gen_emerge.generators.painter.palettes import PALETTES

SLOTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "school": ("marbled", "strokes", "attractor", "glass", "tiles", "moire", "circles", "branches"),
        "palette": tuple(PALETTES),
        "composition": ("centred", "off-centre", "diagonal", "banded", "scattered", "framed", "horizon"),
        "scale": ("fine", "medium", "bold", "monumental"),
        "texture": ("smooth", "paper", "canvas", "brushed", "etched", "grain"),
        "mood": ("serene", "stormy", "luminous", "sombre", "dreamy", "electric", "melancholic", "joyful"),
    }
)
"""The known words of each slot, in a fixed order."""

PARAMETERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "density": (0.0, 1.0),
        "warp": (0.0, 1.0),
        "contrast": (0.0, 1.0),
        "relief": (0.0, 1.0),
        "rotation": (-0.5, 0.5),
        "focus_x": (0.0, 1.0),
        "focus_y": (0.0, 1.0),
        "hue_shift": (-40.0, 40.0),
    }
)
"""The continuous part of a genome: name -> (low, high). `rotation` in turns, `hue_shift` in degrees of OKLCH hue,
`focus_*` as a share of the middle half of the picture, the others from least to most."""

DEFAULTS: Mapping[str, str] = MappingProxyType({"school": "marbled", "palette": "sand"})
"""The slots that need a word; the others have a neutral setting that no word names."""

SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "marble": "marbled", "suminagashi": "marbled", "swirl": "marbled", "swirls": "marbled", "fluid": "marbled",
        "brushstrokes": "strokes", "flow": "strokes", "impressionist": "strokes", "painterly": "strokes",
        "chaos": "attractor", "veil": "attractor", "silk": "attractor", "smoke": "attractor", "veils": "attractor",
        "stained": "glass", "mosaic": "glass", "voronoi": "glass", "window": "glass", "crystal": "glass",
        "truchet": "tiles", "tiling": "tiles", "bauhaus": "tiles", "geometric": "tiles", "azulejo": "tiles",
        "interference": "moire", "ripples": "moire", "op-art": "moire", "opart": "moire", "moiré": "moire",
        "bubbles": "circles", "discs": "circles", "dots": "circles", "packing": "circles", "planets": "circles",
        "tree": "branches", "trees": "branches", "growth": "branches", "blossom": "branches",
        "fire": "ember", "flame": "ember", "ocean": "lagoon", "sea": "lagoon", "water": "lagoon", "ice": "arctic",
        "snow": "arctic", "night": "midnight", "leaf": "forest", "woods": "forest", "desert": "terracotta",
        "beach": "sand", "grey": "slate", "gray": "slate", "monochrome": "sumi", "pink": "rose", "purple": "plum",
        "violet": "orchid", "yellow": "saffron", "blue": "indigo", "green": "moss", "red": "wine", "orange": "coral",
        "center": "centred", "centered": "centred", "middle": "centred", "asymmetric": "off-centre",
        "offcentre": "off-centre", "offcenter": "off-centre", "off-center": "off-centre", "oblique": "diagonal",
        "stripes": "banded", "bands": "banded", "sparse": "scattered", "islands": "scattered", "border": "framed",
        "frame": "framed", "landscape": "horizon", "small": "fine", "tiny": "fine", "delicate": "fine",
        "large": "bold", "big": "bold", "huge": "monumental", "giant": "monumental", "clean": "smooth",
        "flat": "smooth", "linen": "canvas", "woven": "canvas", "oil": "brushed", "engraved": "etched",
        "etching": "etched", "hatched": "etched", "sandy": "grain", "grainy": "grain", "calm": "serene",
        "quiet": "serene", "peaceful": "serene", "storm": "stormy", "dramatic": "stormy", "turbulent": "stormy",
        "bright": "luminous", "radiant": "luminous", "dark": "sombre", "somber": "sombre", "gloomy": "sombre",
        "soft": "dreamy", "misty": "dreamy", "hazy": "dreamy", "neon": "electric", "vivid": "electric",
        "sad": "melancholic", "wistful": "melancholic", "happy": "joyful", "playful": "joyful", "cheerful": "joyful",
    }
)  # fmt: skip
"""Other words for known ones."""

_FILLERS = frozenset(
    re.findall(
        r"\S+",
        "a an and as at by for from in into is it of on or out print picture image painting artwork art the to with "
        "mood palette texture scale composition school colours colors colour color style work surface light tones "
        "its it's very all over set made studio ",
    )
)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    """Return the known word closest in spelling; always one of them."""
    return max(known, key=lambda other: difflib.SequenceMatcher(None, word.lower(), other).ratio())


def check_slots(slots: Mapping[str, str]) -> dict[str, str]:
    """Return the slots with the needed defaults filled in.

    Raises:
        ValueError: If a slot or a word is unknown; the message names the nearest known one.
    """
    chosen = dict(DEFAULTS)
    for slot, word in slots.items():
        if slot not in SLOTS:
            raise ValueError(f"unknown slot {slot!r}; did you mean {_nearest(slot, tuple(SLOTS))!r}?")
        if word not in SLOTS[slot]:
            nearest = _nearest(word, SLOTS[slot])
            raise ValueError(f"unknown word {word!r} for slot {slot!r}; did you mean {nearest!r}?")
        chosen[slot] = word
    return chosen


def check_parameters(parameters: Mapping[str, float]) -> dict[str, float]:
    """Return every parameter, the missing ones at the middle of their range.

    Raises:
        ValueError: If a name is unknown (the nearest known one is named), or a value is outside its range.
    """
    values = {name: 0.5 * (low + high) for name, (low, high) in PARAMETERS.items()}
    for name, value in parameters.items():
        if name not in PARAMETERS:
            raise ValueError(f"unknown parameter {name!r}; did you mean {_nearest(name, tuple(PARAMETERS))!r}?")
        low, high = PARAMETERS[name]
        if not low - 1e-9 <= value <= high + 1e-9:
            raise ValueError(f"parameter {name!r} is {value!r}; it must lie in [{low}, {high}]")
        values[name] = float(value)
    return values


def understand(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Find the known words in a free text.

    Args:
        text: A prompt, e.g. "a stormy marbled print in ember tones".

    Returns:
        The words found (slot -> word) and the words not understood, in order, without repeats. Exact words win over
        synonyms, synonyms over close spellings, and the first over later ones.
    """
    slot_of = {word: slot for slot, words in SLOTS.items() for word in words}
    found: dict[str, tuple[int, str]] = {}
    strange: dict[str, None] = {}
    for token in re.findall(r"[^\W\d_]+(?:[-'][^\W\d_]+)*", text.lower()):
        rank, word = _known(token, slot_of)
        if word:
            slot = slot_of[word]
            if slot not in found or rank < found[slot][0]:
                found[slot] = (rank, word)
        elif token not in _FILLERS:
            strange[token] = None
    return {slot: word for slot, (_, word) in found.items()}, tuple(strange)


def _known(token: str, slot_of: Mapping[str, str]) -> tuple[int, str]:
    """Return how a token was recognised (0 exact, 1 synonym, 2 close in spelling) and the known word, or ""."""
    if token in slot_of:
        return 0, token
    if token in SYNONYMS:
        return 1, SYNONYMS[token]
    if token in _FILLERS or len(token) < 4:
        return 3, ""
    close = difflib.get_close_matches(token, (*slot_of, *SYNONYMS), n=1, cutoff=0.8)
    return (2, SYNONYMS.get(close[0], close[0])) if close else (3, "")
