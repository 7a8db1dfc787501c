"""How many pictures at once: a first guess from the device's memory, halved whenever it proves too many.

Takes a function that makes a whole batch in portions; gives what it made. What was learned is kept for all batches to
come.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from gen_emerge.errors import GeneratorFailed

if TYPE_CHECKING:
    import torch

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
    """The size of one generator's portions.

    Args:
        device: whose spare memory is given back after a failure.
        tell: called with a sentence, once, when a size was learned.

    Attributes:
        learned: what fitted after memory ran out, in this run or, set from outside, in an earlier one; else None.
    """

    def __init__(self, device: torch.device, tell: Callable[[str], None]) -> None:
        self.learned: int | None = None
        self._device = device
        self._tell = tell

    def run(self, attempt: Callable[[int], _R], *, guess: int, most: int) -> _R:
        """Make a whole batch; from its beginning again, in smaller portions, while memory is not enough.

        From the beginning, because pictures differ a little with the size of their portion: so a batch is of one size
        throughout, the size that is learned, and whoever makes it again with that size makes the same pictures.

        Args:
            attempt: makes the whole batch in portions of the size it is given.
            guess: the size before anything was learned.
            most: the batch's largest portion if there were no limit.

        Raises:
            GeneratorFailed: one picture alone is too much.
        """
        while True:
            size = min(guess, self.learned or guess)
            made = self._try(attempt, size)
            if made is not None:
                return made
            self._halve(min(size, most))

    def _try(self, attempt: Callable[[int], _R], size: int) -> _R | None:
        try:
            return attempt(size)
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
        self.learned = failed // 2

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
