"""Takes networks and the device they run on; under memory pressure the one used longest ago waits in main memory.

Models are loaded once and stay where they run. Only when a device runs out does a network leave it, and it comes back
when it is used again: slower than having room, and the same numbers.
"""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_clock = itertools.count()
# Of the whole process, because the device's memory is: scorers do not know of one another.
_all: weakref.WeakSet[Resident] = weakref.WeakSet()


class Resident:
    """One network on one device.

    Args:
        network: a torch module, moved to the device now; None for one that never moves.
        device: where it runs. On the CPU nothing ever leaves: there is nowhere to go.
    """

    def __init__(self, network: Any, device: torch.device) -> None:
        self.network = network
        self.device = device
        self.away = network is not None
        self.used = next(_clock)
        if network is not None:
            _all.add(self)
        self.enter()

    def enter(self) -> Any:
        """The network, on its device, now the most recently used. Others leave if it does not fit."""
        self.used = next(_clock)
        while self.away:
            try:
                self.network.to(self.device)
                self.away = False
            except RuntimeError as error:
                if not out_of_memory(error) or not relieve(self):
                    raise
        return self.network

    def leave(self) -> None:
        """Wait in main memory."""
        self.network.to("cpu")
        self.away = True


def relieve(keep: Resident) -> bool:
    """Send the network that was used longest ago off the device of another; False when that other is alone there."""
    if keep.device.type == "cpu":
        return False
    others = [one for one in _all if one is not keep and one.device == keep.device and not one.away]
    if not others:
        return False
    min(others, key=lambda one: one.used).leave()
    tidy(keep.device)
    return True


def tidy(device: torch.device) -> None:
    """Give freed memory back to the device."""
    gc.collect()
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in told or "can't allocate memory" in told)
