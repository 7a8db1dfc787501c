"""Takes a measured number; gives it as people read it: four significant digits, and no powers of ten for what is small.

For sentences and tables; whoever compares numbers has those of `--json`, which are exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

ALMOST = 5e-5
"""What is nearer to 0 has no digit among the first four decimals."""

OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "fresh": "every word drawn by chance",
        "mutate": "a word or two changed",
        "crossover": "words of two elites",
        "wildcards": "a pattern of the bank, its gaps filled by chance",
        "vary": "its parameters moved a little",
        "reseed": "the same words, another seed",
        "slerp": "noise between those of two elites",
        "perturb": "its noise turned a little",
        "image": "painted over from its picture",
    }
)
"""What each emitter did."""


def spoken(number: float, digits: int = 4) -> str:
    """A number in words or digits.

    Example:
        >>> [spoken(number) for number in (0.0, 6.9e-7, 6.902e-05, 0.00412345, 41.23456)]
        ['0', 'almost 0', '0.0001', '0.004123', '41.23']
    """
    if not math.isfinite(number) or number == 0 or abs(number) >= 2 * ALMOST:
        return f"{number:.{digits}g}"
    return "almost 0" if abs(number) < ALMOST else f"{number:.4f}"
