"""Where fetched models lie, what was written down about them, and whether they are still what they were.

`HOME/NAME/` holds a model's files, `HOME/NAME.lock.json` what was fetched: every file's SHA-256 and size, where it came
from, and the commit of a hub's repository. A hub's files stay in the hub's own cache. HOME is `GEN_EMERGE_MODELS`, or
`gen-emerge/models` in the user's cache folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.catalogue import Model
from gen_emerge.models.checkpoints import digest, git_blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One fetched file: path relative to its folder, SHA-256 (hex), bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was written down when a model was fetched.

    Args:
        folder: where its files lie.
        files: all of them.
        revision: the hub repository's commit, "" elsewhere.
        trusted: "pinned" when the hash was known before, "first use" when it was taken from what came.
    """

    folder: Path
    files: tuple[Kept, ...]
    revision: str = ""
    trusted: str = "first use"


def home() -> Path:
    """The folder of all fetched models; it need not exist yet."""
    given = os.environ.get("GEN_EMERGE_MODELS")
    if given:
        return Path(given).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "gen-emerge" / "models"


def folder_of(name: str) -> Path:
    """Where a model's own files lie; for one from the hub, only its record is here."""
    return home() / name


def offline() -> bool:
    """Whether nothing may be fetched: `GEN_EMERGE_OFFLINE` or `HF_HUB_OFFLINE` is set."""
    return any(
        os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off")
        for name in ("GEN_EMERGE_OFFLINE", "HF_HUB_OFFLINE")
    )


def record_of(name: str) -> Record | None:
    """What was written down about a model, None when it was never fetched.

    Raises:
        BadInput: the record cannot be read.
    """
    path = _record_path(name)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            folder=Path(table["folder"]) if table["folder"] else folder_of(name),
            files=tuple(Kept(**item) for item in table["files"]),
            revision=table["revision"],
            trusted=table["trusted"],
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} cannot be read: {error}.", hint=f"Delete it and fetch again: gen-emerge models pull {name}"
        ) from None


def write_record(name: str, record: Record) -> None:
    """Write down what was fetched, whole or not at all."""
    path = _record_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = record.folder == folder_of(name)
    table = {**asdict(record), "folder": "" if own else str(record.folder)}
    draft = path.with_name(path.name + ".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(table, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def recorded() -> list[str]:
    """Names of all models that were fetched."""
    ending = ".lock.json"
    paths = sorted(home().rglob(f"*{ending}")) if home().is_dir() else []
    return [path.relative_to(home()).as_posix().removesuffix(ending) for path in paths]


def _record_path(name: str) -> Path:
    return home() / f"{name}.lock.json"


def where(model: Model) -> Path | None:
    """What a scorer or generator is given: the weights' file or the folder; None when it is not all there."""
    record = record_of(model.name)
    if record is None or not all((record.folder / kept.path).is_file() for kept in record.files):
        return None
    return record.folder / model.weights if model.weights else record.folder


def pin_of(path: Path) -> str | None:
    """The SHA-256 written down for a fetched file, None when it was not fetched by name."""
    target = path.absolute()
    for name in recorded():
        record = record_of(name)
        for kept in record.files if record else ():
            if record is not None and (record.folder / kept.path).absolute() == target:
                return kept.sha256
    return None


def problems(model: Model) -> list[str]:
    """Hash every file of a fetched model again; a sentence for each that is gone or changed.

    Raises:
        MissingModel: it was never fetched.
    """
    record = record_of(model.name)
    if record is None:
        raise MissingModel(f"{model.name} is not here.", hint=f"gen-emerge models pull {model.name}")
    return list(_problems(model, record))


def _problems(model: Model, record: Record) -> Iterator[str]:
    originals = {original.path: original for original in model.files if not original.unpack}
    for kept in record.files:
        path = record.folder / kept.path
        if not path.is_file():
            yield f"{path} is gone"
        elif path.stat().st_size != kept.size:
            yield f"{path} has {path.stat().st_size:,} bytes, {kept.size:,} were fetched"
        elif (found := digest(path)) != kept.sha256:
            yield f"{path} was changed: its SHA-256 is {found}, {kept.sha256} was fetched"
        elif (original := originals.get(kept.path)) and original.git_blob and git_blob(path) != original.git_blob:
            yield f"{path} is not the published file"
