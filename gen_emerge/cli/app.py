"""Takes the global options; gives commands their folders and their one way to print. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
FAR = 2**31
"""An upper end that nobody comes near to."""
F = TypeVar("F", bound=Callable[..., Any])


class GivenPath(click.Path):
    """A path as typed: not empty, in letters and of a length that files can have."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check what was typed."""
        text = os.fspath(value)
        if not text:
            self.fail("an empty path: wanted the name of a file or folder", param, ctx)
        try:
            os.lstat(text)
        except ValueError as error:
            self.fail(f"{text!r}: {error}", param, ctx)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                self.fail(f'"{text[:60]}..." is too long for a path ({len(text)} letters)', param, ctx)
        return super().convert(value, param, ctx)


class OneOf(click.Choice[str]):
    """One of a few words; for another the nearest is named."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check what was typed."""
        from gen_emerge.errors import nearest

        if value not in self.choices:
            near = nearest(str(value), self.choices)
            wanted = ", ".join(f'"{choice}"' for choice in self.choices)
            self.fail(" ".join([f'"{value}", wanted one of {wanted}.', near if near.startswith("Did") else ""]).strip())
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """A whole number between two ends, in words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Check what was typed."""
        number: int = click.INT.convert(value, param, ctx)
        if self.min is not None and number < self.min:
            self.fail(f"{number}: wanted a whole number {self._describe_range()}.", param, ctx)
        if self.max is not None and number > self.max:
            far = self.max >= FAR
            wanted = f"a whole number, {self.max} at most" if far else f"a whole number {self._describe_range()}"
            self.fail(f"{number}: wanted {wanted}.", param, ctx)
        return number

    def _describe_range(self) -> str:
        """As the help has it; an end that nobody comes near to is left out."""
        far = self.max is None or self.max >= FAR
        return f"from {self.min} up" if far else f"from {self.min} to {self.max}"


PATH = GivenPath(path_type=Path)
"""The type of every argument and option that names a file or folder."""


@dataclass(slots=True)
class App:
    """What stands before the command: `gen-emerge --root DIR --archive DIR --json COMMAND`."""

    root: Path | None = None
    archive: Path | None = None
    json: bool = False
    debug: bool = False

    def folders(self, *, writable: bool = False) -> tuple[Path, Path]:
        """The studio folder and the archive.

        Args:
            writable: make the archive when it is missing, and refuse one that cannot be written to.
        """
        from gen_emerge.studio_folder import archive_folder, find_root

        root = find_root(self.root)
        return root, archive_folder(root, self.archive, writable=writable)

    def optional_root(self) -> None:
        """For commands that need no studio folder: one that was named must still be one."""
        if self.root is not None:
            from gen_emerge.studio_folder import find_root

            find_root(self.root)

    def give(self, result: dict[str, Any], human: Callable[[], str] | str) -> None:
        """Print a result: one JSON object, or text for people."""
        if self.json:
            click.echo(json.dumps(result, allow_nan=False))
        else:
            text = human if isinstance(human, str) else human()
            click.echo(text)

    def note(self, text: str) -> None:
        """Say something on the side: stderr, so that stdout stays the result."""
        with contextlib.suppress(OSError):
            click.echo(text, err=True)


def plain_text(value: str, what: str, *, longest: int, printable: bool = False, lines: bool = False) -> str:
    """What was typed, when it is text in UTF-8 and short enough.

    Args:
        value: as typed.
        what: how to name it, such as "--rater".
        longest: letters.
        printable: also refuse line breaks and other signs that steer a terminal.
        lines: refuse such signs, but for line breaks and tabs.

    Raises:
        BadInput: it is not.
    """
    from gen_emerge.errors import BadInput

    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadInput(f"{what} is not text in UTF-8.", hint="Type it again in a terminal that uses UTF-8.")
    if (printable and not value.isprintable()) or (lines and _steers(value)):
        raise BadInput(f"{what} holds signs that cannot be printed: {value!r}.", hint="Leave them out.")
    if len(value) > longest:
        raise BadInput(f"{what} has {len(value):,} letters: wanted at most {longest:,}.", hint="Make it shorter.")
    return value


def _steers(value: str) -> bool:
    from gen_emerge.config.toml import STEERING

    return STEERING.search(value) is not None


def _after(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(App).json = True


def json_option(command: F) -> F:
    """Let `--json` stand after the command too."""
    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_after,
        help="Print one JSON object on stdout; logs go to stderr.",
    )
    return option(command)


def colours() -> bool | None:
    """False where none are wanted (NO_COLOR, see https://no-color.org, or a dumb terminal); None: as the stream is."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def unicode_stdout() -> bool:
    """Whether stdout takes bars and dots beyond ASCII."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") in ("utf8", "utf8sig")
