"""Counted randomness: every draw comes from a generator keyed by what it is for, never from a remembered state.

Takes the series seed, cycle, slot, purpose and attempt; gives a NumPy generator (Philox, a counter-based generator:
Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The clock decides nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np


def draw(seed: int, cycle: int, slot: int, purpose: str, attempt: int = 0) -> np.random.Generator:
    """A generator of one draw, independent of all others.

    Args:
        seed: the series seed.
        cycle: from 1 (0 for what is drawn when the series is created).
        slot: 0 .. batch - 1 (0 where there is none).
        purpose: a word, such as "emitter" or "mutate".
        attempt: counts redraws and exceptions inside the cycle, never restarts.
    """
    text = f"{seed}/{cycle}/{slot}/{purpose}/{attempt}"
    key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))
