"""Takes the table `[generator]` of a series file; gives checked, frozen options. Reads no file but a LoRA's name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from gen_emerge.errors import BadInput, nearest
from gen_emerge.models.devices import DEVICE, DTYPES

Offload = Literal["auto", "none", "model", "sequential"]
Switch = bool | Literal["auto"]
STRONGEST = 10.0
"""Of a LoRA's weights, either way: far beyond what still gives a picture, and what is typed by mistake is beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """A LoRA: a safetensors file, and how strongly it acts (1 as it was trained)."""

    file: Path
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a series says of its generator; the defaults are those of a distilled checkpoint.

    Args:
        model: a folder in diffusers' layout, or owner/name on the hub.
        revision: the commit of the hub's repository, 40 hex digits.
        steps: denoising steps, >= 1.
        guidance: (low, high) classifier-free guidance; equal ends make it a constant of the series.
        scheduler: "auto" for the checkpoint's own, or a class name of diffusers that fits the pipeline.
        dtype: "auto", "float32", "float16" or "bfloat16".
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        loras: LoRAs, all at work together.
        offload: what waits in main memory: nothing, whole models, or every layer ("sequential", slow).
        slicing: decode one picture at a time.
        tiling: decode a picture in overlapping tiles.
        compile: let torch compile the denoiser: minutes at the start, then faster.
        batch: pictures at once, None to choose by the device's memory.
    """

    model: str
    revision: str = ""
    steps: int = 4
    guidance: tuple[float, float] = (0.0, 0.0)
    scheduler: str = "auto"
    dtype: str = "auto"
    device: str = "auto"
    loras: tuple[Lora, ...] = ()
    offload: Offload = "auto"
    slicing: Switch = "auto"
    tiling: Switch = "auto"
    compile: bool = False
    batch: int | None = None


def read_options(table: Mapping[str, Any]) -> Options:
    """Check the options of `[generator]`.

    Raises:
        BadInput: a key is not known (the nearest is named), a value has the wrong type, or no model is named.
    """
    known = [field.name for field in fields(Options)]
    for key in table:
        if key not in known:
            raise BadInput(f"unknown key generator.{key}.", hint=nearest(key, known))
    values = {key: _CHECKS[key](key, value) for key, value in table.items()}
    if not values.get("model"):
        raise BadInput(
            "generator.model is empty: no checkpoint is named.",
            hint='Write model = "owner/name" with its revision, or a folder; gen-emerge models list names some.',
        )
    return Options(**values)


def _wrong(key: str, value: Any, wanted: str) -> BadInput:
    return BadInput(f"generator.{key} = {value!r}: wanted {wanted}.", hint=f"Correct {key} under [generator].")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(key, value, "a text")
    return value


def _count(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
        raise _wrong(key, value, "a whole number, 1 to 1000")
    return value


def _batch(key: str, value: Any) -> int | None:
    return None if value == "auto" else _count(key, value)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 100:
        return float(value)
    return None


def _guidance(key: str, value: Any) -> tuple[float, float]:
    ends = cast(list[Any], value) if isinstance(value, list | tuple) else [value, value]
    low, high = (_number(ends[0]), _number(ends[1])) if len(ends) == 2 else (None, None)
    if low is None or high is None or low > high:
        raise _wrong(key, value, "a number from 0 to 100, or [low, high] to make it part of the genome")
    return low, high


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _switch(key: str, value: Any) -> Switch:
    return "auto" if value == "auto" else _flag(key, value)


def _offload(key: str, value: Any) -> Offload:
    if value not in ("auto", "none", "model", "sequential"):
        raise _wrong(key, value, '"auto", "none", "model" or "sequential"')
    return value


def _device(key: str, value: Any) -> str:
    if not re.fullmatch(DEVICE, _text(key, value)):
        raise _wrong(key, value, '"auto", "cuda", "cuda:1", "mps" or "cpu"')
    return value


def _dtype(key: str, value: Any) -> str:
    if _text(key, value) not in ("auto", *DTYPES):
        raise _wrong(key, value, '"auto", "float32", "float16" or "bfloat16"')
    return value


def _loras(key: str, value: Any) -> tuple[Lora, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(key, value, 'a list such as ["file.safetensors@0.8"]')
    return tuple(_lora(key, item) for item in cast(list[Any], value))


def _lora(key: str, item: Any) -> Lora:
    name, at, number = _text(key, item).rpartition("@")
    if not at:
        name, number = number, "1"
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not name or not -STRONGEST <= weight <= STRONGEST:
        wanted = f'a file and its weight from -{STRONGEST:g} to {STRONGEST:g}, such as "file.safetensors@0.8"'
        raise _wrong(key, item, wanted)
    return Lora(file=Path(name).expanduser(), weight=weight)


_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "model": _text,
    "revision": _text,
    "steps": _count,
    "guidance": _guidance,
    "scheduler": _text,
    "dtype": _dtype,
    "device": _device,
    "loras": _loras,
    "offload": _offload,
    "slicing": _switch,
    "tiling": _switch,
    "compile": _flag,
    "batch": _batch,
}
