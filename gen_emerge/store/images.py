"""Image files of a series. Takes pixels and genomes, gives `Image`s; touches only `images/` in a series folder.

A picture is a PNG that carries its recipe and a WebP thumbnail, at `images/ab/<genome hash>.png` and `.webp` (ab: the
first two digits). Files are written under another name, synced and renamed, and hold no clock: a cycle that is rendered
again after a kill writes the same bytes over the same names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from PIL import Image as Pillow

from gen_emerge import __version__
from gen_emerge.errors import NO_ROOM, BadInput, Damaged, DiskFull, GenEmergeError, NotFound, system_limit
from gen_emerge.store.database import sync_folder
from gen_emerge.store.png import encode_png
from gen_emerge.types import Genome, Image, Pixels
from gen_emerge.types.genomes import STRENGTH

_T = TypeVar("_T")

THUMBNAIL = 160
"""Longest side of a thumbnail at least, pixels (smaller pictures stay as they are); twice that at most."""

CHUNK = "gen-emerge"
"""Keyword of the PNG chunk with the whole genome as JSON."""

SYNCED_AT_ONCE = 16
"""Threads that sync: they do nothing but wait for the disk."""

OPEN_AT_ONCE = 32
"""Pictures written at a time, two open files each: some systems allow a process no more than 256."""

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
_FOLDER = "images"
_OURS = re.compile(r"([0-9a-f]{64})\.(png|webp)")
_DRAFT = ".draft"


def pixels_hash(pixels: Pixels) -> str:
    """SHA-256 of "WxH:" and the 8-bit RGB bytes of (h, w, 3) uint8 pixels."""
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def paths_of(genome: str) -> tuple[str, str]:
    """The PNG's and the thumbnail's path relative to the series folder, for a genome's hash."""
    return f"{_FOLDER}/{genome[:2]}/{genome}.png", f"{_FOLDER}/{genome[:2]}/{genome}.webp"


def parameters_text(genome: Genome) -> str:
    """The recipe as other tools read it (key `parameters`)."""
    known = genome.parameters
    model_hash = hashlib.sha256(f"{genome.generator} {genome.generator_version}".encode()).hexdigest()[:10]
    fields = {
        "Steps": _of_version(genome, "([0-9]+)-steps") or f"{known.get('steps', 1):g}",
        "Sampler": genome.generator,
        "CFG scale": _of_version(genome, "guidance-([0-9.]+)")
        or f"{known.get('guidance_scale', known.get('guidance', 1)):g}",
        "Seed": str(genome.seed),
        "Size": f"{genome.width}x{genome.height}",
        "Model hash": model_hash,
        "Model": f"{genome.generator} {genome.generator_version}",
        "Version": f"gen-emerge {__version__}",
    }
    if genome.start:
        fields["Denoising strength"] = f"{known.get(STRENGTH, 1):g}"
    line = ", ".join(f"{name}: {_quoted(value)}" for name, value in fields.items())
    return f"{genome.prompt}\nNegative prompt: {genome.negative}\n{line}"


def _of_version(genome: Genome, word: str) -> str:
    """A constant of a whole series, such as "25-steps", that its generator writes into the version; else ""."""
    found = re.search(f"(?:^|:){word}(?::|$)", genome.generator_version)
    return found[1] if found else ""


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:\n"]', value) else value


def recipe_text(genome: Genome, series: str) -> str:
    """The whole genome as JSON (ASCII, slots and parameters in their own order)."""
    lineage = {"parents": list(genome.parents), "operator": genome.operator}
    whole = {"schema": 1, "series": series, "hash": genome.hash, "genome": {**genome.recipe(), **lineage}}
    return json.dumps(whole, separators=(",", ":"), allow_nan=False)


def encode(genome: Genome, pixels: Pixels, *, series: str, embed: bool = True) -> tuple[bytes, bytes]:
    """PNG and WebP thumbnail of one picture: (h, w, 3) uint8 -> their bytes.

    Args:
        genome: the recipe to carry.
        pixels: (h, w, 3) uint8 sRGB.
        series: the series' name, carried too.
        embed: False leaves the recipe out.
    """
    texts = {"parameters": parameters_text(genome), CHUNK: recipe_text(genome, series)} if embed else {}
    if genome.imported:
        texts.pop("parameters", None)  # other tools would read that we had painted it
    small = Pillow.fromarray(np.ascontiguousarray(pixels))
    # Means of whole blocks: one pass over the pixels, where any other size takes two.
    factor = max(pixels.shape[:2]) // THUMBNAIL
    if factor > 1:
        small = small.reduce(factor)
    thumbnail = BytesIO()
    small.save(thumbnail, "WEBP", quality=80, method=0)
    return encode_png(pixels, texts), thumbnail.getvalue()


class PictureWriter:
    """Writes the pictures of one series: whole batches, durable when `write` returns.

    A batch is encoded by a few threads and synced by many: files that are synced at the same time share the file
    system's journal, so that sixteen of them take little longer than one.

    Args:
        folder: the series' folder.
        series: the series' name, which the recipes carry.
        embed: False leaves the recipes out of the PNGs.
        encoders: threads that encode.
    """

    def __init__(self, folder: Path, *, series: str, embed: bool = True, encoders: int = 2) -> None:
        self._folder = folder
        self._series = series
        self._embed = embed
        self._encoding = ThreadPoolExecutor(encoders, thread_name_prefix="encode")
        self._syncing = ThreadPoolExecutor(SYNCED_AT_ONCE, thread_name_prefix="sync")

    def write(self, items: Sequence[tuple[Genome, Pixels]]) -> list[Image]:
        """Write pictures, each as a PNG named by its genome's hash and a thumbnail beside it.

        Args:
            items: genome and (h, w, 3) uint8 sRGB pixels each.

        Returns:
            What was written, in order.

        Raises:
            DiskFull: no draft is left behind.
            BadInput: the folder cannot be written.
        """
        parts = [items[start : start + OPEN_AT_ONCE] for start in range(0, len(items), OPEN_AT_ONCE)]
        return [image for part in parts for image in self._write_some(part)]

    def _write_some(self, items: Sequence[tuple[Genome, Pixels]]) -> list[Image]:
        drafts: dict[Path, int] = {}
        try:
            folders = self._make_folders({genome.hash[:2] for genome, _ in items})
            written = _all([self._encoding.submit(self._draft, genome, pixels, drafts) for genome, pixels in items])
            _all([self._syncing.submit(os.fsync, descriptor) for descriptor in drafts.values()])
            _close(drafts)  # not every system renames an open file
            # The PNG last: where it stands, its thumbnail does.
            for image in written:
                for name in (image.thumbnail, image.path):
                    _draft_of(self._folder / name).replace(self._folder / name)
            _all([self._syncing.submit(sync_folder, inner) for inner in folders])
        except BaseException as error:
            _close(drafts)
            _remove(drafts)
            if isinstance(error, OSError):
                raise write_error(error, self._folder) from error
            raise
        return written

    def close(self) -> None:
        """Let the threads go."""
        self._encoding.shutdown()
        self._syncing.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_folders(self, prefixes: Collection[str]) -> list[Path]:
        root, fresh = self._folder / _FOLDER, False
        for prefix in prefixes:
            if not (root / prefix).is_dir():
                (root / prefix).mkdir(parents=True, exist_ok=True)
                fresh = True
        if fresh:
            sync_folder(root)
        return [root / prefix for prefix in sorted(prefixes)]

    def _draft(self, genome: Genome, pixels: Pixels, drafts: dict[Path, int]) -> Image:
        """Encode one picture and write both its files under their drafts' names, not yet synced and still open."""
        png, thumbnail = encode(genome, pixels, series=self._series, embed=self._embed)
        path, small = paths_of(genome.hash)
        for name, content in ((small, thumbnail), (path, png)):
            draft = _draft_of(self._folder / name)
            drafts[draft] = descriptor = os.open(draft, _NEW_FILE, 0o666)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
        return Image(
            pixels=pixels_hash(pixels),
            file=hashlib.sha256(png).hexdigest(),
            path=path,
            thumbnail=small,
            width=int(pixels.shape[1]),
            height=int(pixels.shape[0]),
            size=len(png),
        )


def write(folder: Path, genome: Genome, pixels: Pixels, *, series: str, embed: bool = True) -> Image:
    """Write one picture and its thumbnail, durable before it returns; see `PictureWriter`."""
    with PictureWriter(folder, series=series, embed=embed, encoders=1) as writer:
        return writer.write([(genome, pixels)])[0]


def _all(futures: Sequence[Future[_T]]) -> list[_T]:
    """The results, once every one has ended: nothing is still being written when an error is met."""
    wait(futures)
    return [future.result() for future in futures]


def _draft_of(path: Path) -> Path:
    return path.with_name(path.name + _DRAFT)


def _close(drafts: dict[Path, int]) -> None:
    for draft, descriptor in drafts.items():
        if descriptor >= 0:
            drafts[draft] = -1  # first: a number that was given back may soon be another file's
            os.close(descriptor)


def _remove(drafts: Iterable[Path]) -> None:
    for draft in drafts:
        with suppress(OSError):
            draft.unlink()


def write_error(error: OSError, folder: Path) -> GenEmergeError:
    """What to tell of a file in a series' folder that could not be written."""
    if limit := system_limit(error):
        return limit
    if error.errno in NO_ROOM:
        return DiskFull(
            f"The disk of {folder} is full.", hint="Free some space and run again: nothing committed is lost."
        )
    return BadInput(f"{error.filename or folder} cannot be written: {error.strerror}.", hint="Make it writable.")


def read_recipe(path: Path) -> Genome:
    """The genome a PNG was made from: identical, hash included.

    Raises:
        NotFound: there is no such file.
        BadInput: it is no image, or carries no recipe of ours, or a changed one.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    try:
        with Pillow.open(path) as picture:
            picture.load()
            text: Any = picture.info.get(CHUNK)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        if limit := system_limit(error):
            raise limit from error
        raise BadInput(f"{path} is no readable image: {error}.") from error
    if not isinstance(text, str):
        raise BadInput(f'{path} carries no recipe (no "{CHUNK}" chunk).', hint="Use a PNG that gen-emerge wrote.")
    try:
        whole = json.loads(text)
        values: dict[str, Any] = {**whole["genome"], "parents": tuple(whole["genome"]["parents"])}
        genome = Genome(**values)
        if genome.hash != whole["hash"]:
            raise ValueError("its hash does not fit")
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"The recipe in {path} cannot be read: {error}.") from error
    return genome


def walk(folder: Path) -> Iterator[tuple[Path, str | None]]:
    """Every file under `images/`, and the genome hash in its name (None for drafts and files that are not ours)."""
    root = folder / _FOLDER
    for base, inner, names in os.walk(root):
        inner.sort()
        for name in sorted(names):
            match = _OURS.fullmatch(name)
            yield Path(base) / name, match[1] if match and Path(base).name == match[1][:2] else None


def is_thumbnail(path: Path) -> bool:
    """Whether a file is the small picture of a larger one that lies beside it, in this series or another."""
    match = _OURS.fullmatch(path.name)
    return match is not None and match[2] == "webp" and path.with_suffix(".png").is_file()


def is_draft(path: Path) -> bool:
    """Whether a file was being written when its process ended."""
    return path.name.endswith(_DRAFT) and _OURS.fullmatch(path.name.removesuffix(_DRAFT)) is not None


def sweep(folder: Path, known: Collection[str]) -> int:
    """Delete files that were written but never committed: drafts, and pictures of genomes that are not known.

    Only for the process that holds the series. Files with names that are not ours stay (`verify` names them).

    Args:
        folder: the series' folder.
        known: genome hashes in the store, and those of proposals in flight.

    Returns:
        How many files were deleted.
    """
    known = known if isinstance(known, set | frozenset) else set(known)
    deleted = 0
    for path, genome in walk(folder):
        if is_draft(path) or (genome is not None and genome not in known):
            with suppress(FileNotFoundError):
                path.unlink()
                deleted += 1
    return deleted


def read_stored(folder: Path, image: Image) -> Pixels:
    """A candidate's picture: (h, w, 3) uint8, read-only.

    Raises:
        Damaged: the file is missing, is no picture, or holds other pixels than were judged.
    """
    pixels = read_pixels(folder / image.path)
    if pixels_hash(pixels) != image.pixels:
        hint = "`gen-emerge verify` names every such file."
        raise Damaged(f"{folder / image.path} holds other pixels than when it was judged.", hint=hint)
    return pixels


def read_pixels(path: Path) -> Pixels:
    """The stored picture: (h, w, 3) uint8, read-only.

    Raises:
        Damaged: the file is missing or is no picture.
    """
    try:
        with Pillow.open(path) as picture:
            pixels = np.array(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        if limit := system_limit(error):
            raise limit from error
        raise Damaged(f"{path} cannot be read: {error}.", hint="`gen-emerge verify` names every such file.") from error
    pixels.setflags(write=False)
    return pixels
