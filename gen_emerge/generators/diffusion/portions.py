"""How many pictures at once: a first guess from the device's memory, halved whenever it proves too many.

Takes a batch and a function that paints; gives the pictures in order. What was learned is kept for all batches to come.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gen_emerge.errors import GeneratorFailed

if TYPE_CHECKING:
    import torch

_T = TypeVar("_T")
_R = TypeVar("_R")

MOST = 16
BYTES_PER_PIXEL = 1536
"""For each byte of the number format: 1024 x 1024 in half precision then take 3 GiB while they are decoded."""
_WORDS = ("out of memory", "can't allocate memory", "alloc_failed")


def first_guess(device: torch.device, *, weights: int, pixels: int, item_bytes: int) -> int:
    """Pictures at once, from what is there and never from what happens to be free: 1 .. `MOST`.

    What is free differs from one start to the next, and pictures differ a little with the size of their batch.

    Args:
        device: where they are painted; of a machine's own memory half is left to everything else.
        weights: bytes of the model on it.
        pixels: of one picture.
        item_bytes: bytes of one number.
    """
    total = memory(device)
    if total is None and not hasattr(os, "sysconf"):  # Windows does not say
        return 1
    if total is None:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return max(1, min(MOST, (total - weights) // (pixels * BYTES_PER_PIXEL * item_bytes)))


def memory(device: torch.device) -> int | None:
    """Bytes a CUDA device has in all; None where pictures share the machine's memory."""
    import torch

    if device.type != "cuda":
        return None
    return int(torch.cuda.get_device_properties(device).total_memory)


class Portions:
    """The size of portions of one generator.

    Args:
        size: to begin with.
        device: whose spare memory is given back after a failure.
        tell: called with a sentence, once, when a size was learned.
    """

    def __init__(self, size: int, device: torch.device, tell: Callable[[str], None]) -> None:
        self.size = size
        self.learned: int | None = None
        self._device = device
        self._tell = tell

    def learn(self, size: int) -> None:
        """Take over a size that was learned before."""
        self.size, self.learned = min(self.size, size), size

    def run(self, items: Sequence[_T], paint: Callable[[Sequence[_T]], Sequence[_R]]) -> list[_R]:
        """Paint all items, in order, in portions that fit.

        Raises:
            GeneratorFailed: one item alone is too much.
        """
        done: list[_R] = []
        while len(done) < len(items):
            portion = items[len(done) : len(done) + self.size]
            painted = self._try(portion, paint)
            if painted is None:
                self._halve(len(portion))
            else:
                done.extend(painted)
        return done

    def _try(self, portion: Sequence[_T], paint: Callable[[Sequence[_T]], Sequence[_R]]) -> Sequence[_R] | None:
        try:
            return paint(portion)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler: there the error still holds every tensor of the failed call.
        self._give_back()
        return None

    def _halve(self, failed: int) -> None:
        if failed == 1:
            raise GeneratorFailed(
                f"{self._device} has too little memory for one picture.",
                hint='Make the pictures smaller, or write offload = "model" or "sequential" under [generator].',
            )
        if self.learned is None:
            self._tell(f"Out of memory with {failed} pictures at once: {failed // 2} from here on.")
        self.size = self.learned = failed // 2

    def _give_back(self) -> None:
        import torch

        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        elif self._device.type == "mps":
            torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was not enough; libraries have several ways to say so."""
    import torch

    known: Any = torch.OutOfMemoryError
    if isinstance(error, known | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)
