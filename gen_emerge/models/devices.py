"""Takes the words of a series file ("auto", "cuda:1", "float16"); gives torch's devices, dtypes and free memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gen_emerge.errors import BadInput
from gen_emerge.models.libraries import library

if TYPE_CHECKING:
    import torch

DEVICE = r"auto|cpu|mps|cuda(:[0-9]{1,3})?"
"""What a device is called in a series file; whether this machine has it is asked later."""
DTYPES = ("float32", "float16", "bfloat16")
_WANTED = 'wanted "auto", "cuda", "cuda:1", "mps" or "cpu"'


def choose_device(word: str = "auto") -> torch.device:
    """The device that is meant.

    Args:
        word: "auto" (CUDA, else Apple's MPS, else the CPU), or a device by its name.

    Raises:
        BadInput: no such device, or this machine has none.
    """
    torch: Any = library("torch", what="Choosing a device")
    if word == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(DEVICE, word):
        raise BadInput(f'device = "{word}": {_WANTED}.', hint='Write device = "auto".')
    device = torch.device(word)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            there = f"{count} CUDA device{'' if count == 1 else 's'}"
            raise BadInput(f'device = "{word}": this machine has {there}.', hint='Write device = "auto".')
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise BadInput('device = "mps": this machine has none.', hint='Write device = "auto".')
    return device


def choose_dtype(word: str, device: torch.device) -> torch.dtype:
    """The number format that is meant.

    Args:
        word: "auto" (bfloat16 where a CUDA device is made for it, else float16 on CUDA and MPS, float32 on the CPU),
            or one of `DTYPES`.
        device: where it will be used.

    Raises:
        BadInput: there is no such format.
    """
    torch: Any = library("torch", what="Choosing a number format")
    if word in DTYPES:
        return getattr(torch, word)
    if word != "auto":
        raise BadInput(
            f'dtype = "{word}": wanted "auto", "float32", "float16" or "bfloat16".', hint='Write dtype = "auto".'
        )
    if device.type == "cpu":
        return torch.float32
    # bfloat16 has float32's range: half-precision VAEs overflow to NaN, and this one does not.
    modern = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
    return torch.bfloat16 if modern else torch.float16


def free_bytes(device: torch.device) -> int | None:
    """Bytes that are free on a device; of the machine's memory for the CPU. None where nobody says."""
    torch: Any = library("torch", what="Asking for free memory")
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())
    return _free_machine_bytes()


def _free_machine_bytes() -> int | None:
    from pathlib import Path

    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+([0-9]+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
