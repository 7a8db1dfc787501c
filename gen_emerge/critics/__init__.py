"""Critics: image, brief and question bank -> yes/no answers, a summary, weaknesses, duels. Never a score.

`load` gives a critic by the name in `[critic] use`. Nothing heavy is imported until a critic is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import cast

from gen_emerge.critics.banks import load_bank
from gen_emerge.errors import BadInput, nearest
from gen_emerge.protocols import Critic

__all__ = ["CRITICS", "load", "load_bank"]

CRITICS: Mapping[str, tuple[str, str]] = {"measured": ("gen_emerge.critics.measured", "MeasuredCritic")}
"""`use` -> (module, class)."""


def load(use: str, *, ignore: Collection[str] = ()) -> Critic:
    """The critic of a name.

    Args:
        use: as in `[critic] use`.
        ignore: signals the `measured` critic leaves out: those its thresholds were not set for.

    Raises:
        BadInput: no critic has that name; the nearest is named.
    """
    if use not in CRITICS:
        raise BadInput(f'No critic is called "{use}".', hint=nearest(use, CRITICS))
    module, name = CRITICS[use]
    return cast(Critic, getattr(import_module(module), name)(ignore))
