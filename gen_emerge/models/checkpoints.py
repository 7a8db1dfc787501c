"""Takes paths of weights on disk; gives their digests and tensors. It must never run what a checkpoint holds.

Only safetensors is read freely. A pickled checkpoint is a program: it is opened only when its SHA-256 is the one that
was pinned, and even then with torch's `weights_only` unpickler, which makes tensors and plain containers only.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.libraries import library

if TYPE_CHECKING:
    import torch

_CHUNK = 1 << 20
_NAMED = 5
_digests: dict[tuple[str, int, int], str] = {}


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files.

    A folder's is over the names and contents of all files in it, in order of their names; hidden ones (`.git`,
    `.DS_Store`) do not count. Links are followed. A file's is remembered until its size or time of change differs.

    Args:
        path: a file or folder.

    Returns:
        64 hex digits.

    Raises:
        MissingModel: there is nothing at that path, or the folder is empty.
    """
    if path.is_dir():
        members = sorted(_members(path), key=lambda member: member.relative_to(path).as_posix())
        if not members:
            raise MissingModel(f"{path} is an empty folder, wanted a model's files.", hint="Fetch or name another.")
        total = hashlib.sha256()
        for member in members:
            total.update(f"{member.relative_to(path).as_posix()}\0{_file_digest(member)}\n".encode())
        return total.hexdigest()
    return _file_digest(path)


def _members(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _file_digest(path: Path) -> str:
    _must_be_there(path)
    facts = path.stat()
    key = (str(path.resolve()), facts.st_size, facts.st_mtime_ns)
    if key not in _digests:
        _digests[key] = hash_file(path, hashlib.sha256())
    return _digests[key]


def hash_file(path: Path, into: hashlib._Hash) -> str:  # pyright: ignore[reportPrivateUsage]
    """Feed a whole file to a hash; gives its hex digits."""
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            into.update(block)
    return into.hexdigest()


def git_blob(path: Path) -> str:
    """Git's id of a file's contents: SHA-1 of "blob", its size, a zero byte and the bytes; 40 hex digits.

    Raises:
        MissingModel: there is no such file.
    """
    _must_be_there(path)
    return hash_file(path, hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False))


def load_weights(path: Path, *, pinned: str | None = None) -> dict[str, torch.Tensor]:
    """Read a checkpoint into tensors on the CPU. Nothing in it is executed.

    Args:
        path: `.safetensors`, or a checkpoint pickled by torch.
        pinned: the SHA-256 that a pickled file must have; None refuses every pickled file.

    Returns:
        Name -> tensor. A pickled `{"state_dict": {...}}` is unwrapped.

    Raises:
        MissingModel: there is no such file.
        BadInput: it is pickled and not the pinned file; or truncated, corrupted, or no checkpoint.
    """
    _must_be_there(path)
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    _refuse_unpinned(path, pinned)
    torch: Any = library("torch", what="Reading weights")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old pickles name classes that torch has since moved
            loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each have errors of their own for a damaged file
        raise BadInput(
            f"{path} cannot be read as weights: {_first_line(error)}.",
            hint="It is damaged, or holds more than tensors. Fetch it again, or convert it to safetensors.",
        ) from None
    return _tensors(loaded, path)


def _load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    safetensors: Any = library("safetensors.torch", what="Reading weights")
    try:
        return dict(safetensors.load_file(str(path), device="cpu"))
    except Exception as error:  # its own error type, and OSError for files cut short
        raise BadInput(
            f"{path} is no whole safetensors file: {_first_line(error)}.",
            hint="It is cut short or damaged. Fetch it again: gen-emerge models verify names what else is.",
        ) from None


def _refuse_unpinned(path: Path, pinned: str | None) -> None:
    if pinned is None:
        raise BadInput(
            f"{path} is a pickled checkpoint, which can run any program when it is opened; its hash is not pinned.",
            hint="Convert it to safetensors; or, if you trust where it comes from, pin its SHA-256 "
            '(sha256 = "..." beside weights in the series file).',
        )
    found = digest(path)
    if found != pinned.strip().lower():
        raise BadInput(
            f"{path} is not the pinned file: its SHA-256 is {found}, wanted {pinned.strip().lower()}.",
            hint="Fetch it again; if you changed it on purpose, pin the new hash.",
        )


def _tensors(loaded: object, path: Path) -> dict[str, torch.Tensor]:
    import torch

    table: Any = loaded
    if isinstance(table, Mapping) and isinstance(cast(Any, table).get("state_dict"), Mapping):
        table = cast(Any, table)["state_dict"]
    if not isinstance(table, Mapping) or not table:
        raise BadInput(
            f"{path} holds {type(loaded).__name__}, wanted a table of tensors.", hint="Name a checkpoint's weights."
        )
    entries = cast(Mapping[Any, Any], table)
    strange = [str(name) for name, value in entries.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise BadInput(
            f"{path} holds {_some(strange)} that {'is' if len(strange) == 1 else 'are'} no tensor.",
            hint="Name a checkpoint's weights.",
        )
    return {str(name): value for name, value in entries.items()}


def fit(
    module: torch.nn.Module, weights: Mapping[str, torch.Tensor], *, what: str, ignore: Collection[str] = ()
) -> None:
    """Put weights into a module, all of them: nothing stays random, nothing is left over.

    Args:
        module: changed in place, only when everything fits.
        weights: name -> tensor.
        what: how to name the weights in an error, such as the file's path.
        ignore: names that may be missing or left over.

    Raises:
        BadInput: names are missing, left over, or have another shape; the first five of each, and how many.
    """
    own = module.state_dict()
    missing = sorted(set(own) - set(weights) - set(ignore))
    extra = sorted(set(weights) - set(own) - set(ignore))
    shapes = [
        f"{name} {tuple(weights[name].shape)} where {tuple(own[name].shape)} is wanted"
        for name in sorted(set(own) & set(weights))
        if weights[name].shape != own[name].shape
    ]
    found = {"missing": missing, "not known": extra, "of another shape": shapes}
    troubles = [f"{len(names)} {trouble}: {_some(names)}" for trouble, names in found.items() if names]
    if troubles:
        raise BadInput(
            f"{what} does not fit {type(module).__name__}: {'; '.join(troubles)}.",
            hint="These are another model's weights, or a part of the file is missing. Name the right file.",
        )
    module.load_state_dict({name: value for name, value in weights.items() if name in own}, strict=False)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def _must_be_there(path: Path) -> None:
    if path.is_dir():
        raise BadInput(f"{path} is a folder, wanted a file.", hint="Name the file in it.")
    if not path.is_file():
        raise MissingModel(f"There is no file {path}.", hint="See what is missing: gen-emerge models list")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
