"""Takes what the user said of folders (or nothing); gives the studio folder, its archive and its series files.

A studio folder holds `experiments/` and `prompts/`; the repository's root is one. Nothing here reads a series or a
store; only `make_studio_folder`, `new_series_file` and `archive_folder` write.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.resources
import os
import re
import tempfile
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from gen_emerge.errors import NO_ROOM, BadInput, DiskFull, GenEmergeError, NotFound, nearest, system_limit

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_PARTS = ("experiments", "prompts")
_ARCHIVE_README = """# archive

One movable folder a series: `NAME/series.db`, `NAME/images/`, `NAME/models/`. Copy or move a folder whole (with
`gen-emerge` stopped) and it goes on working; `gen-emerge verify NAME` says whether anything is missing.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `make_studio_folder` did; paths are relative to the folder, with forward slashes."""

    folder: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]


def is_studio_folder(folder: Path) -> bool:
    """Whether a folder holds `experiments/` and `prompts/`."""
    return all((folder / part).is_dir() for part in _PARTS)


def find_root(root: Path | None = None, *, start: Path | None = None) -> Path:
    """The studio folder: the one that was named, else the nearest parent that is one.

    Args:
        root: what the user named (`--root`), or None.
        start: where to begin looking; None for the working directory.

    Raises:
        NotFound: there is none.
    """
    hint = "Make one: gen-emerge init DIR"
    if root is not None:
        if not is_studio_folder(root):
            problem = "holds no experiments/ and prompts/" if root.is_dir() else "is no folder"
            raise NotFound(f"{root} is no studio folder: it {problem}.", hint=hint)
        return root.resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if is_studio_folder(folder):
            return folder
    raise NotFound(
        f"{here} is in no studio folder: neither it nor a parent holds experiments/ and prompts/.",
        hint=f"{hint}, or name one: gen-emerge --root DIR ...",
    )


def archive_folder(root: Path, archive: Path | None = None, *, writable: bool = False) -> Path:
    """The folder that holds one folder a series. Only who means to write makes it.

    Args:
        root: the studio folder.
        archive: what the user named (`--archive`), or None for ROOT/archive.
        writable: make it when it is missing, and make sure that files can be written there.

    Raises:
        BadInput: it cannot be made, is no folder, or cannot be written to.
        DiskFull: there is no room.
    """
    folder = (archive or root / "archive").absolute()
    try:
        if writable:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        elif folder.exists() and not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    except OSError as error:
        raise _cannot_write("The archive", folder, error) from error
    return folder


def _cannot_write(
    what: str, path: Path, error: OSError, hint: str = "Make it writable, or name another with --archive DIR."
) -> GenEmergeError:
    if limit := system_limit(error):
        return limit
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in NO_ROOM:
        return DiskFull(
            f"{what} {path} has no room left ({reason}).", hint="Free some space and run the command again."
        )
    return BadInput(f"{what} {path} cannot be written to ({reason}).", hint=hint)


def series_names(root: Path) -> list[str]:
    """Names of all series files of a studio folder, sorted."""
    return sorted(path.stem for path in (root / "experiments" / "series").glob("*.toml") if path.is_file())


def series_file(root: Path, name: str) -> Path:
    """The file of one series.

    Raises:
        NotFound: there is none; the nearest name is given.
    """
    path = root / "experiments" / "series" / f"{name}.toml"
    if _NAME.fullmatch(name) and path.is_file():
        return path
    there = series_names(root)
    if name in there:  # and yet not a name
        raise BadInput(
            f'The file name "{name}.toml" cannot name a series: wanted lower-case letters, digits and hyphens, 64 at '
            "most, beginning with a letter or digit.",
            hint=f"Rename {path}, and the name inside it; or move it away.",
        )
    hint = nearest(name, there) if there else "Make one: gen-emerge new NAME"
    raise NotFound(f'There is no series "{name}" in {root}.', hint=hint)


def new_series_file(root: Path, name: str, text: str) -> Path:
    """Write the file of a new series; an existing one is never overwritten.

    Raises:
        BadInput: it is there already, or cannot be written.
    """
    path = root / "experiments" / "series" / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(
            f'There is already a series "{name}": {path}.',
            hint=f"Choose another name, or continue it: gen-emerge run {name}",
        ) from None
    except OSError as error:
        hint = "Make experiments/series writable, or name another studio folder with --root DIR."
        raise _cannot_write("The series file", path, error, hint) from error
    return path


def rewrite_series_file(path: Path, text: str) -> None:
    """Put other words into a series file: all of them or none, links followed.

    Raises:
        BadInput: it cannot be written; it is as it was.
        DiskFull: there is no room, likewise.
    """
    target = path.resolve()
    draft = target.with_name(f".{target.name}.draft")
    hint = "Make it writable and try again; nothing was changed."
    try:
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(target.stat().st_mode)
        draft.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _cannot_write("The series file", path, error, hint) from error


def packaged_files() -> Traversable:
    """The prompts and series that every studio folder starts with.

    They lie in the package when it was installed from a wheel, and at the repository's root in a checkout.
    """
    package = importlib.resources.files("gen_emerge")
    shipped = package / "studio_files"
    if (shipped / "prompts").is_dir():
        return shipped
    checkout = Path(str(package)).parent
    if is_studio_folder(checkout):
        return checkout
    raise NotFound(
        "The package came without its prompts and series.", hint="Install it again: pip install --force gen-emerge"
    )


def make_studio_folder(folder: Path, *, archive: Path | None = None) -> Made:
    """Make a folder a studio folder. What is there already is kept as it is.

    Raises:
        BadInput: the folder cannot be made or written to.
    """
    source = packaged_files()
    made: list[str] = []
    kept: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in (("prompts",), ("experiments", "series")):
            (folder / Path(*part)).mkdir(parents=True, exist_ok=True)
            _copy(source.joinpath(*part), folder, Path(*part), made, kept)
    except OSError as error:
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise BadInput(
                f"{folder} cannot become a studio folder: a file is in its way, wanted a folder.",
                hint="Name a folder, such as: gen-emerge init studio",
            ) from error
        hint = "Make it writable, or name another: gen-emerge init DIR"
        raise _cannot_write("The folder", folder, error, hint) from error
    images = archive_folder(folder, archive, writable=True)
    readme = images / "README.md"
    if images == (folder / "archive").absolute() and not readme.exists():
        readme.write_text(_ARCHIVE_README, encoding="utf-8")
        made.append("archive/README.md")
    return Made(folder=folder.resolve(), made=tuple(made), kept=tuple(kept))


def _copy(source: Traversable, folder: Path, relative: Path, made: list[str], kept: list[str]) -> None:
    for item in sorted(source.iterdir(), key=lambda entry: entry.name):
        target = folder / relative / item.name
        if item.is_dir():
            target.mkdir(exist_ok=True)
            _copy(item, folder, relative / item.name, made, kept)
        elif not item.name.startswith("."):
            if target.exists():
                kept.append((relative / item.name).as_posix())
            else:
                target.write_bytes(item.read_bytes())
                made.append((relative / item.name).as_posix())
