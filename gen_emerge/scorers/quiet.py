"""Keeps libraries from writing on our standard output and error while they load; errors still come through."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Generator


@contextlib.contextmanager
def quiet(*loggers: str) -> Generator[None]:
    """No printing, and from the named loggers nothing below an error.

    Only for loading, which happens on one thread before the first image: the streams are the process's.
    """
    before = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
