"""Room 4, the scorers of the `embedded` profile: small networks trained on the painter's own pictures, in ONNX Runtime.

They demonstrate the machinery; they are not calibrated to people. What they were trained on, what they reach on
held-out pictures and what they cannot judge is in `docs/embedded-scorers.md`. Importing this package is light:
ONNX Runtime is imported by `load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gen_emerge.errors import BadInput, nearest

if TYPE_CHECKING:
    from gen_emerge.protocols import Scorer

__all__ = ["ROLES", "load"]

ROLES: tuple[str, ...] = ("quality", "prompt", "novelty", "style")
"""The roles this package can fill. The first has a network of its own, the other three share a trunk."""


def load(roles: Iterable[str], references: Sequence[str], *, threads: int = 1) -> list[Scorer]:
    """Open the networks that fill the wanted roles.

    Args:
        roles: any of `ROLES`; repeats do not matter.
        references: (r,) prompts whose mean cosine the prompt signal subtracts; () subtracts nothing.
        threads: threads inside one network; with 1 the numbers are the same on every run.

    Returns:
        One scorer for those of prompt, novelty and style that are wanted, and one for quality if it is wanted.

    Raises:
        BadInput: a role that no embedded scorer fills.
    """
    wanted = set(roles)
    for role in sorted(wanted - set(ROLES)):
        raise BadInput(f'No embedded scorer fills the role "{role}".', hint=nearest(role, ROLES))
    scorers: list[Scorer] = []
    if shared := wanted - {"quality"}:
        from gen_emerge.scorers.embedded.trunk import TrunkScorer

        scorers.append(TrunkScorer(frozenset(shared), references, threads=threads))
    if "quality" in wanted:
        from gen_emerge.scorers.embedded.quality import QualityScorer

        scorers.append(QualityScorer(threads=threads))
    return scorers
