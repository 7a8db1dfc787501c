"""Takes pictures; shows them inside the terminal where it can, in a viewer where there is one, or names the file.

Protocols: iTerm2's inline images (OSC 1337, https://iterm2.com/documentation-images.html) and kitty's graphics
protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/).
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Protocol = Literal["iterm", "kitty"]
_CHUNK = 4096
_ITERM = {"iTerm.app", "WezTerm", "mintty"}
_KITTY = {"ghostty", "kitty"}


def protocol(environment: Mapping[str, str], *, terminal: bool) -> Protocol | None:
    """How this terminal shows pictures, or None.

    Args:
        environment: the process's environment.
        terminal: stdout is a terminal.
    """
    program = environment.get("TERM_PROGRAM", "")
    if not terminal or environment.get("TMUX") or environment.get("TERM", "").startswith("screen"):
        return None
    if environment.get("KITTY_WINDOW_ID") or "kitty" in environment.get("TERM", "") or program in _KITTY:
        return "kitty"
    if program in _ITERM or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return None


def side_by_side(pictures: Sequence[Path], *, height: int = 512) -> Picture:
    """One picture of one or two, the same height, a gap between: left is left.

    Args:
        pictures: one or two files.
        height: pixels.
    """
    from PIL import Image

    shown: list[Picture] = []
    for path in pictures:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        shown.append(picture.resize((max(1, round(picture.width * height / picture.height)), height)))
    gap = height // 32
    sheet = Image.new("RGB", (sum(p.width for p in shown) + gap * (len(shown) - 1), height), "white")
    left = 0
    for picture in shown:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def png_bytes(picture: Picture) -> bytes:
    """The bytes of a PNG."""
    file = BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()


def sequence(content: bytes, how: Protocol, *, columns: int) -> str:
    """The escape sequence that shows a PNG `columns` characters wide."""
    text = base64.b64encode(content).decode("ascii")
    if how == "iterm":
        return f"\x1b]1337;File=inline=1;size={len(content)};width={columns};preserveAspectRatio=1:{text}\a\n"
    chunks = [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]
    parts: list[str] = []
    for index, chunk in enumerate(chunks):
        more = int(index < len(chunks) - 1)
        control = f"a=T,f=100,c={columns},q=2,m={more}" if index == 0 else f"m={more}"
        parts.append(f"\x1b_G{control};{chunk}\x1b\\")
    return "".join(parts) + "\n"


def viewer(environment: Mapping[str, str]) -> list[str] | None:
    """The command that opens a picture in a window, or None where there is no window."""
    if sys.platform == "darwin":
        return ["open"]
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        found = shutil.which("xdg-open")
        return [found] if found else None
    return None


def only_named(environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether nothing here shows a picture, so that its file can only be named; the arguments are those of above."""
    return protocol(environment, terminal=terminal) is None and (not terminal or viewer(environment) is None)


def show(picture: Picture, place: Path, *, columns: int = 80) -> str:
    """Show a picture the best way there is.

    Args:
        picture: what to show.
        place: the file it is written to where the terminal cannot show it.
        columns: its breadth in characters.

    Returns:
        What to print: the escape sequence, or a line with the file's path.
    """
    content = png_bytes(picture)
    how = protocol(os.environ, terminal=sys.stdout.isatty())
    if how is not None:
        return sequence(content, how, columns=columns)
    place.parent.mkdir(parents=True, exist_ok=True)
    # A viewer that follows the file never sees half a picture.
    draft = place.with_name(f".{place.name}.part")
    draft.write_bytes(content)
    draft.replace(place)
    opener = viewer(os.environ) if sys.stdout.isatty() else None
    if opener is not None:
        subprocess.Popen(
            [*opener, str(place)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        return f"(opened {place})\n"
    return f"picture: {place}\n"
