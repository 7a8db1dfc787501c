"""Takes many pictures and one step of a network; gives all results, in portions that the device's memory can hold.

Out of memory first sends idle networks off the device, then halves the portion, and goes on from where it
was; the size that works is remembered and said once. A portion of one that does not fit is that picture's failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.scorers.residents import Resident, out_of_memory, relieve, tidy

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
CPU_PORTION = 8
"""Pictures at once on the CPU: more is no faster there, and takes more memory."""
BYTES_AT_ONCE = 256 << 20
"""Memory allowed for one picture's way through a network of ViT-H size in float32, generously."""


class Batches:
    """The portions in which one network is run.

    Args:
        device: where it runs.
        size: pictures at once; "auto" takes what the device's whole memory allows (not what is free just now: portions
            act on the last bits of a number, and those shall be the same tomorrow).
        network: a torch module: moved to the device, and away from it while idle if another needs the room. None for
            one that its owner keeps there.

    Raises:
        BadInput: a size below 1.
    """

    def __init__(self, device: torch.device, size: int | str = "auto", *, network: Any = None) -> None:
        if size != "auto" and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            raise BadInput(f"batch = {size!r}: wanted a number from 1 on.", hint='Write batch = "auto".')
        settle(device)
        self._resident = Resident(network, device)
        self.device = device
        self.size = _portion(device) if isinstance(size, str) else size
        """Pictures at once; smaller after the device ran out of memory."""
        self.notices: list[str] = []
        """What should be told, once."""

    def run(self, many: Sequence[T], step: Callable[[Sequence[T]], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Run `step` over all of them, in order.

        Args:
            many: (n,) inputs, n >= 1.
            step: (m,) inputs -> (m, d) float32, m <= `size`. May be called again for the same inputs.

        Returns:
            (n, d) float32.

        Raises:
            Exception: what `step` raised; out of memory only for a portion of one.
        """
        import torch

        parts: list[NDArray[np.float32]] = []
        start = 0
        while start < len(many):
            self._resident.enter()
            portion = many[start : start + self.size]
            try:
                with torch.inference_mode():
                    parts.append(step(portion))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                told = error.with_traceback(None)  # which would keep the tensors of the step alive
            else:
                start += len(portion)
                continue
            if relieve(self._resident):
                continue
            if len(portion) == 1:
                raise told
            self._halve(len(portion))
        return np.concatenate(parts)

    def _halve(self, tried: int) -> None:
        self.size = max(1, tried // 2)
        self.notices[:] = [f"{self.device} ran out of memory: {self.size} pictures at once from now on."]
        tidy(self.device)


def settle(device: torch.device) -> None:
    """Make CUDA count in full float32, the same way every time: an image alone and in a batch measures the same.

    For the whole process and for good: a thread that renders meanwhile must not see the settings change.
    """
    if device.type == "cuda":
        import torch

        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


def _portion(device: torch.device) -> int:
    if device.type != "cuda":
        return CPU_PORTION
    import torch

    total = torch.cuda.get_device_properties(device).total_memory
    return int(min(64, max(1, 2 ** int(np.log2(max(1.0, total / 4 / BYTES_AT_ONCE))))))
