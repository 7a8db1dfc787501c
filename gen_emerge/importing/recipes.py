"""Takes the texts a picture's file carries; gives the prompt it was made from, as A1111, ComfyUI or InvokeAI wrote it.

What cannot be read gives no recipe: a picture without a prompt is a picture all the same. Nothing is evaluated. Every
text is gone through once, however it is written: a pattern that begins anew at every letter would take minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

OURS = "gen-emerge"
"""The keyword under which our own PNGs carry their genome, and the name of the tool."""
LONGEST = 20_000
"""Letters of a prompt that are taken; more is cut off, and said."""
_DEEPEST = 32
"""How many links of a ComfyUI graph are followed to a number."""
_LARGEST = 500
"""How many of its nodes are looked at for a text."""
_TEXTS = ("text", "text_g", "text_l", "t5xxl", "clip_l", "prompt", "value", "string")
_SETTINGS = re.compile(r"\s*Steps: *[0-9]+\s*,")
_KEY = re.compile(r"[A-Za-z][\w \-/]*")
_VALUE = re.compile(r'[ \t]*("(?:[^"\\]|\\.)*+"|[^,\n]*)')
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a file says of how its picture was made.

    Args:
        tool: "gen-emerge", "a1111", "comfyui" or "invokeai": whose manner of writing it is.
        prompt: "" when there was none.
        negative: "" when there was none.
        seed: None when it is not said, or is no whole number from 0.
        settings: what else is said, as text: steps, sampler, model, size ...
        cut: a prompt was longer than `LONGEST`.
    """

    tool: str
    prompt: str
    negative: str = ""
    seed: int | None = None
    settings: Mapping[str, str]
    cut: bool = False


def recipe_of(texts: Mapping[str, str]) -> Recipe | None:
    """The first recipe that can be read.

    Args:
        texts: keyword -> text, as PNG's chunks; an EXIF comment under "parameters".
    """
    readers = (
        (OURS, _ours),  # before the text for other tools that stands beside it
        ("invokeai_metadata", _invoke),
        ("sd-metadata", _invoke_old),
        ("parameters", _a1111),
        ("prompt", _comfy),
    )
    for keyword, reader in readers:
        if keyword in texts:
            try:
                found = reader(texts[keyword])
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
                continue
            if found is not None:
                return found
    return None


def _made(tool: str, prompt: Any, negative: Any, seed: Any, settings: Mapping[str, Any]) -> Recipe | None:
    texts = [_plain(part) for part in (prompt, negative)]
    if not texts[0] and not texts[1] and _seed(seed) is None:
        return None
    return Recipe(
        tool=tool,
        prompt=texts[0][:LONGEST],
        negative=texts[1][:LONGEST],
        seed=_seed(seed),
        settings={_plain(str(key)): _plain(str(value)[:1000]) for key, value in settings.items() if value is not None},
        cut=max(map(len, texts)) > LONGEST,
    )


def _plain(value: Any) -> str:
    """Text in UTF-8: half a letter of UTF-16, which JSON can hold, cannot be stored."""
    return value.encode("utf-8", "replace").decode("utf-8").strip() if isinstance(value, str) else ""


def _seed(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value.strip()):
        return int(value)
    return value if isinstance(value, int) and 0 <= value < 2**64 else None


def _ours(text: str) -> Recipe | None:
    """The whole genome, as `store.images.recipe_text` writes it."""
    table = _table(json.loads(text))
    genome = _table(table.get("genome"))
    settings = {key: genome.get(key) for key in ("generator", "generator_version", "width", "height")}
    named = {"series": table.get("series") or None, "genome": table.get("hash")}
    return _made(OURS, genome.get("prompt"), genome.get("negative"), genome.get("seed"), {**settings, **named})


def _a1111(text: str) -> Recipe | None:
    """Prompt, a line that begins with "Negative prompt:", and a last line of settings."""
    if text.lstrip().startswith("{"):
        return None  # some tools put JSON under this keyword
    head, tail = _parted(text)
    prompt, _, negative = head.partition("Negative prompt:")
    settings = _pairs(tail)
    return _made("a1111", prompt, negative, settings.pop("Seed", None), settings)


def _parted(text: str) -> tuple[str, str]:
    """What stands before the last line of settings, and that line with all that follows it."""
    end = len(text)
    while end >= 0:
        begin = text.rfind("\n", 0, end) + 1
        if _SETTINGS.match(text, begin, end):
            return text[:begin], text[begin:]
        end = begin - 1
    return text, ""


def _pairs(line: str) -> dict[str, str]:
    """`Key: value, Key: "a, value", ...`; what is no pair is passed over."""
    found, place = dict[str, str](), 0
    while (colon := line.find(":", place)) >= 0:
        begin = max(place, line.rfind(",", place, colon) + 1, line.rfind("\n", place, colon) + 1)
        key, place = line[begin:colon].strip(), colon + 1
        value = _VALUE.match(line, place)
        if _KEY.fullmatch(key) and value is not None:
            found[key], place = value[1].strip().strip('"'), value.end()
    return found


def _invoke(text: str) -> Recipe | None:
    table = _table(json.loads(text))
    model: Any = table.get("model")
    named = _table(model).get("name") or _table(model).get("model_name") if isinstance(model, dict) else model
    settings = {key: table.get(key) for key in ("steps", "cfg_scale", "scheduler", "width", "height")}
    return _made(
        "invokeai",
        table.get("positive_prompt"),
        table.get("negative_prompt"),
        table.get("seed"),
        {**settings, "model": named},
    )


def _invoke_old(text: str) -> Recipe | None:
    """Before version 3: the negative prompt stands in brackets inside the prompt."""
    table = _table(json.loads(text))
    image = _table(table.get("image"))
    prompt: Any = image.get("prompt")
    if isinstance(prompt, list) and prompt:
        prompt = _table(cast(list[Any], prompt)[0]).get("prompt")
    whole = prompt if isinstance(prompt, str) else ""
    *before, last = (parts := _BRACKETS.split(whole))[::2]
    settings = {key: image.get(key) for key in ("steps", "cfg_scale", "sampler", "width", "height")}
    wanted, negative = "".join([*(part.rstrip() for part in before), last]), ", ".join(parts[1::2])
    return _made("invokeai", wanted, negative, image.get("seed"), {**settings, "model": table.get("model_weights")})


def _comfy(text: str) -> Recipe | None:
    """A graph of nodes: from the sampler along its links to the texts that were encoded."""
    graph = _table(json.loads(text))
    samplers = [_table(node) for node in graph.values() if {"positive", "negative"} <= set(_inputs(node))]
    with_seed = [node for node in samplers if {"seed", "noise_seed"} & set(_inputs(node))]
    sampler = (with_seed or samplers or [{}])[0]
    inputs = _inputs(sampler)
    prompt, negative = (_text_behind(graph, inputs.get(key), set()) for key in ("positive", "negative"))
    if not sampler:
        prompt = max((text for node in graph.values() for text in _own_texts(node)), key=len, default="")
    seed = _value_behind(graph, inputs.get("seed", inputs.get("noise_seed")), _DEEPEST)
    named = {key: inputs.get(key) for key in ("steps", "cfg", "sampler_name", "scheduler", "denoise")}
    return _made(
        "comfyui", prompt, negative, seed, {k: v for k, v in named.items() if isinstance(v, str | int | float)}
    )


def _inputs(node: Any) -> dict[str, Any]:
    return _table(_table(node).get("inputs"))


def _own_texts(node: Any) -> list[str]:
    inputs = _inputs(node)
    return [value for key in _TEXTS if isinstance(value := inputs.get(key), str)]


def _text_behind(graph: dict[str, Any], link: Any, seen: set[str]) -> str:
    """The text of the node a link leads to, or of the first one behind it; every node is looked at once."""
    if not isinstance(link, list) or not link:
        return ""
    name = str(cast(list[Any], link)[0])
    if name in seen or len(seen) > _LARGEST:
        return ""
    seen.add(name)
    inputs = _inputs(graph.get(name))
    for key in (*_TEXTS, *inputs):
        value = inputs.get(key)
        if isinstance(value, str) and key in _TEXTS and value.strip():
            return value
        if found := _text_behind(graph, value, seen):
            return found
    return ""


def _value_behind(graph: dict[str, Any], value: Any, left: int) -> Any:
    if left <= 0 or not isinstance(value, list) or not value:
        return value
    inputs = _inputs(graph.get(str(cast(list[Any], value)[0])))
    key = next((key for key in ("seed", "noise_seed", "value") if key in inputs), "")
    return _value_behind(graph, inputs.get(key), left - 1)


def _table(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
