"""Takes a library's name; gives the library, untyped, or says how to install it where gen-emerge is installed."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from gen_emerge.errors import MissingExtra

EXTRA = "gen-emerge[models]"
"""The extra with every library of the `diffusion` profile."""
_HOME = Path(__file__).resolve().parents[2]
"""The folder that holds the package: a clone, or where packages are installed."""


def how_to_install() -> str:
    """A sentence that says what installs every library of the `diffusion` profile, as gen-emerge itself was installed.

    A clone has environments of its own, which `make` fills from the lock file. Elsewhere it is the installer that put
    gen-emerge where it is: an environment of uv's has no pip.
    """
    if (_HOME / ".ci" / "setup").is_file():
        if Path(sys.prefix).resolve().is_relative_to(_HOME):
            return f"Install the extra: make -C {_HOME} setup-models, then call {_HOME}/.venv-models/bin/gen-emerge"
        return f'Install the extra: {_installer()} -e "{_HOME}[models]"'
    return f'Install the extra: {_installer()} "{EXTRA}"'


def _installer() -> str:
    try:
        by_uv = (distribution("gen-emerge").read_text("INSTALLER") or "").strip() == "uv"
    except PackageNotFoundError:
        by_uv = False
    return "uv pip install" if by_uv else "pip install"


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
        raise MissingExtra(f"{what} needs {root}, and {told}.", hint=how_to_install()) from None
