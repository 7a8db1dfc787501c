"""Takes a model of the catalogue, or a repository of the hub; leaves its files here and a record of what they are."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from gen_emerge.errors import BadInput, DiskFull, MissingModel
from gen_emerge.models import home
from gen_emerge.models.catalogue import Model, Original
from gen_emerge.models.checkpoints import hash_file
from gen_emerge.models.fetch import Tell, Unreachable, alone, fetch
from gen_emerge.models.home import Kept, Record
from gen_emerge.models.libraries import library

PICKLED = ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5", "*.onnx*"]
"""What is left out of a hub's repository where nothing in particular is asked for."""
Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here, and how many there are (None when nobody says)."""


def pull(model: Model, *, progress: Progress | None = None, pause: float = 1.0) -> Path:
    """Fetch a model that is not here yet; what is here already is not fetched again.

    Args:
        model: of the catalogue.
        progress: told of every file.
        pause: seconds before a second attempt.

    Returns:
        What a scorer or generator is given: the weights' file or the folder.

    Raises:
        MissingModel: nothing may be fetched (offline).
        Unreachable: its place does not answer.
        BadInput: what came is something else.
        DiskFull, HeldByAnother: see `fetch`.
    """
    there = home.where(model)
    if there is not None:
        return there
    if home.offline():
        raise MissingModel(
            f"{model.name} is not here, and nothing may be fetched: GEN_EMERGE_OFFLINE or HF_HUB_OFFLINE is set.",
            hint="Unset it, or copy the models' folder of another machine: gen-emerge models where",
        )
    with alone(home.folder_of(model.name)):
        record = _pull_hub(model) if model.hub else _pull_files(model, progress, pause)
        home.write_record(model.name, record)
    found = home.where(model)
    if found is None or (model.weights and not found.is_file()):
        raise BadInput(
            f"{model.source} no longer holds {model.weights or 'its files'}.",
            hint="Fetch the weights elsewhere and name their path in the series file.",
        )
    return found


def _pull_files(model: Model, progress: Progress | None, pause: float) -> Record:
    folder = home.folder_of(model.name)
    kept: list[Kept] = []
    for original in model.files:
        target = folder / original.path
        if not target.is_file():
            fetch(original, target, tell=_named(progress, original), pause=pause)
        if original.unpack:
            kept += [_kept(folder, path) for path in _unpack(target, folder)]
            target.unlink()
        else:
            kept.append(_kept(folder, target))
    pinned = all(original.pinned for original in model.files)
    return Record(folder=folder, files=tuple(kept), trusted="pinned" if pinned else "first use")


def _named(progress: Progress | None, original: Original) -> Tell | None:
    return None if progress is None else lambda here, total: progress(original.path, here, total)


def _kept(folder: Path, path: Path) -> Kept:
    return Kept(
        path=path.relative_to(folder).as_posix(), sha256=hash_file(path, hashlib.sha256()), size=path.stat().st_size
    )


def _unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip into the folder it lies in. Names that lead out of it are refused, and links are not made."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            for member in members:
                parts = PurePosixPath(member.filename.replace("\\", "/")).parts
                if not parts or PurePosixPath(*parts).is_absolute() or ".." in parts or ":" in parts[0]:
                    raise BadInput(f"{archive} holds a file that leads out of its folder: {member.filename!r}.")
            need, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
            if need > free:
                raise DiskFull(
                    f"{folder} has room for {free:,} bytes, unpacking needs {need:,}.",
                    hint="Free some space and run the command again: nothing is fetched twice.",
                )
            return [Path(opened.extract(member, folder)) for member in members]
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        archive.unlink(missing_ok=True)
        raise BadInput(
            f"{archive.name} is no whole zip archive: {error}.", hint="It is not kept. Run the command again."
        ) from None


def _pull_hub(model: Model) -> Record:
    folder = snapshot(model.hub, model.revision or None, model.patterns)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Record(
        folder=folder,
        files=tuple(_kept(folder, path) for path in files),
        revision=folder.name,
        trusted="pinned" if model.revision else "first use",
    )


def cached(repository: str, revision: str, patterns: Sequence[str] = ()) -> Path | None:
    """The folder of a hub's repository at a commit in the hub's own cache, None when it is not all there.

    Args:
        repository: owner/name.
        revision: a commit.
        patterns: which files were wanted; () for all but pickled ones. The client counts a snapshot as whole only
            when it is asked for the same files as were fetched.
    """
    if importlib.util.find_spec("huggingface_hub") is None or not revision:
        return None
    hub: Any = library("huggingface_hub", what="Looking into the hub's cache")
    for wanted in ({"allow_patterns": list(patterns)} if patterns else {"ignore_patterns": PICKLED}, {}):
        try:
            return Path(hub.snapshot_download(repository, revision=revision, local_files_only=True, **wanted))
        except (OSError, ValueError):  # its LocalEntryNotFoundError is both
            continue
    return None


def snapshot(repository: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Fetch files of a hub's repository into the hub's own cache, by its own client.

    Args:
        repository: owner/name.
        revision: a commit, or None for the newest.
        patterns: which files, as in a shell; () for all but pickled ones.

    Returns:
        The snapshot's folder; its name is the commit.

    Raises:
        Unreachable: the hub does not answer, or has no such repository.
        BadInput: nothing in it is wanted.
    """
    hub: Any = library("huggingface_hub", what="Fetching from the hub")
    try:
        folder = Path(
            hub.snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(patterns) or None,
                ignore_patterns=None
                if patterns
                else ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.onnx*"],
            )
        )
    except Exception as error:  # its own errors, its HTTP client's, and OSError
        if isinstance(error, OSError) and error.errno == 28:
            raise
        lines = str(error).strip().splitlines()
        raise Unreachable(
            f"{repository} could not be fetched from the hub: {type(error).__name__}: {lines[0] if lines else ''}",
            hint="Run the command again: it goes on where it stopped. A gated repository wants its licence accepted "
            "on its page, and HF_TOKEN set.",
        ) from None
    if not any(path.is_file() for path in folder.rglob("*")):
        raise BadInput(f"{repository} holds none of {', '.join(patterns)}.", hint="See its page for what it holds.")
    return folder
