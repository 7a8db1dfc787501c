"""Takes a library's name; gives the library, untyped, or says how to install it."""

from __future__ import annotations

import importlib
from typing import Any

from gen_emerge.errors import MissingExtra

EXTRA = 'pip install "gen-emerge[models]"'
"""What installs every library of the `diffusion` profile."""


def library(name: str, *, what: str) -> Any:
    """Import an optional library.

    Args:
        name: as imported, such as "open_clip".
        what: who needs it, such as 'The scorer "clip"'.

    Raises:
        MissingExtra: it is not installed, or cannot be imported here.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        root = name.partition(".")[0]
        missing = getattr(error, "name", None) or root
        told = f"{missing} is not installed" if isinstance(error, ModuleNotFoundError) else f"{root} says: {error}"
        raise MissingExtra(f"{what} needs {root}, and {told}.", hint=f"Install the extra: {EXTRA}") from None
