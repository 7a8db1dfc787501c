"""Image files: recipes travel with them, rewriting changes nothing, and disagreements with the history are named."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from store_records import genome, record

from gen_emerge.errors import BadInput, Damaged, DiskFull, NotFound
from gen_emerge.store import Problem, Store, hold, images, pixels_hash, read_recipe, sweep, uncommitted, verify_files
from gen_emerge.store.png import encode_png
from gen_emerge.types import CycleRecord, Genome, Pixels


def pixels(seed: int, height: int = 48, width: int = 64) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def files(folder: Path) -> dict[str, bytes]:
    found = (folder / "images").rglob("*")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found if p.is_file()}


@pytest.mark.parametrize(("height", "width"), [(48, 64), (1, 1), (3, 1000), (512, 512)])
def test_a_png_gives_its_pixels_back(tmp_path: Path, height: int, width: int) -> None:
    given = pixels(1, height, width)
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(given, {}))
    with Pillow.open(path) as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture), given)


def test_identity_is_of_size_and_bytes() -> None:
    given = pixels(1)
    assert pixels_hash(given) == hashlib.sha256(b"64x48:" + given.tobytes()).hexdigest()
    assert pixels_hash(given) != pixels_hash(given.reshape(64, 48, 3))
    assert pixels_hash(given[:, ::-1]) == pixels_hash(np.ascontiguousarray(given[:, ::-1]))


def test_a_recipe_travels_with_its_picture(tmp_path: Path) -> None:
    for slot in (0, 1):
        given = genome(1, slot)
        written = images.write(tmp_path, given, pixels(slot), series="night")
        found = read_recipe(tmp_path / written.path)
        assert found == given
        assert found.hash == given.hash
        assert list(found.slots) == list(given.slots)
        assert (found.parents, found.operator) == (given.parents, given.operator)


@pytest.mark.parametrize(
    ("prompt", "negative"), [("a river", "blur"), ("caf\xe9, ink", ""), ("水墨\nNegative prompt: x", "n: 🌊")]
)
def test_other_tools_find_their_parameters(tmp_path: Path, prompt: str, negative: str) -> None:
    given = Genome(
        slots={},
        prompt=prompt,
        negative=negative,
        seed=5,
        generator="painter",
        generator_version="1, b",
        parameters={"steps": 4.0, "guidance_scale": 7.5},
        width=64,
        height=48,
    )
    written = images.write(tmp_path, given, pixels(1), series="night")
    with Pillow.open(tmp_path / written.path) as picture:
        picture.load()
        text = picture.info["parameters"]
    body, last = text.rsplit("\n", 1)
    assert body == f"{prompt}\nNegative prompt: {negative}"
    assert last.startswith("Steps: 4, Sampler: painter, CFG scale: 7.5, Seed: 5, Size: 64x48, Model hash: ")
    assert ', Model: "painter 1, b", Version: gen-emerge ' in last
    assert read_recipe(tmp_path / written.path) == given


def test_what_is_stored_describes_the_files(tmp_path: Path) -> None:
    given = genome(1, 0)
    written = images.write(tmp_path, given, pixels(3, 300, 600), series="night")  # 600 // 160: blocks of 3 x 3
    content = (tmp_path / written.path).read_bytes()
    assert written.path == f"images/{given.hash[:2]}/{given.hash}.png"
    assert written.thumbnail == f"images/{given.hash[:2]}/{given.hash}.webp"
    assert written.file == hashlib.sha256(content).hexdigest()
    assert written.size == len(content)
    assert (written.width, written.height) == (600, 300)
    with Pillow.open(tmp_path / written.thumbnail) as small:
        assert (small.format, small.size) == ("WEBP", (200, 100))
    assert len(files(tmp_path)) == 2


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    items = [(genome(1, slot), pixels(slot, 200, 256)) for slot in range(6)]
    with images.PictureWriter(tmp_path, series="night") as writer:
        first = writer.write(items)
    before = files(tmp_path)
    with images.PictureWriter(tmp_path, series="night", encoders=1) as writer:
        assert writer.write(items) == first
    assert files(tmp_path) == before
    assert len(before) == 12
    assert [image.path for image in first] == [images.paths_of(g.hash)[0] for g, _ in items]


def test_a_full_disk_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):  # a folder finds room: the draft is what finds none
            raise OSError(errno.ENOSPC, "No space left on device")

    images.write(tmp_path, genome(1, 0), pixels(0), series="night")
    before = files(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        images.write(tmp_path, genome(1, 1), pixels(1), series="night")
    assert files(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_picture_that_may_not_grow_counts_as_a_full_disk(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(DiskFull):
            images.write(tmp_path, genome(1, 1), pixels(1, 256, 256), series="night")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(tmp_path) == {}


def test_a_picture_has_its_name_only_when_it_is_whole_and_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, seen, sync = genome(1, 0), list[dict[str, int]](), os.fsync

    def look(handle: int) -> None:
        seen.append({name: len(content) for name, content in files(tmp_path).items()})
        sync(handle)

    monkeypatch.setattr(os, "fsync", look)
    written = images.write(tmp_path, given, pixels(0), series="night")
    small, large = written.thumbnail, written.path
    whole = {name: len(content) for name, content in files(tmp_path).items()}
    assert whole.keys() == {small, large}
    # Both are synced under other names, in full, before they have their own; the folder is synced after that.
    drafts = {f"{name}.draft": size for name, size in whole.items()}
    assert [found for found in seen if found] == [drafts, drafts, whole]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(BadInput, match="cannot be written"):
        images.write(tmp_path, genome(1, 1), pixels(1), series="night")


def test_files_without_a_recipe_are_refused(tmp_path: Path) -> None:
    written = images.write(tmp_path, genome(1, 1), pixels(1), series="night", embed=False)
    with pytest.raises(BadInput, match="carries no recipe"):
        read_recipe(tmp_path / written.path)
    text = images.recipe_text(genome(1, 1), "night")
    for broken in (text.replace('"seed":101', '"seed":102'), text[:-5], "[]", text.replace('"parents"', '"parent"')):
        (tmp_path / "b.png").write_bytes(encode_png(pixels(1), {images.CHUNK: broken}))
        with pytest.raises(BadInput, match="cannot be read"):
            read_recipe(tmp_path / "b.png")
    whole = (tmp_path / written.path).read_bytes()
    for content in (b"", b"no image", whole[:2000]):
        (tmp_path / "c.png").write_bytes(content)
        with pytest.raises(BadInput):
            read_recipe(tmp_path / "c.png")
    with pytest.raises(NotFound):
        read_recipe(tmp_path / "nowhere.png")


def test_a_damaged_picture_gives_an_error_of_ours_whatever_was_damaged(tmp_path: Path) -> None:
    path = tmp_path / images.write(tmp_path, genome(1, 1), pixels(1, 24, 32), series="night").path
    assert np.array_equal(images.read_pixels(path), pixels(1, 24, 32))
    whole, chance = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(whole[: int(chance.integers(1, len(whole)))] if chance.random() < 0.3 else whole)
        for place in chance.integers(0, len(broken), 3):
            broken[place] = int(chance.integers(256))
        path.write_bytes(broken)
        with suppress(BadInput):
            read_recipe(path)
        with suppress(Damaged):
            images.read_pixels(path)


def with_files(folder: Path, given: CycleRecord) -> CycleRecord:
    """A record whose images are really there."""
    candidates: list[Any] = []
    for c in given.candidates:
        made = images.write(folder, c.genome, pixels(c.id), series="night") if c.image else None
        candidates.append(dataclasses.replace(c, image=made))
    return dataclasses.replace(given, candidates=tuple(candidates))


@pytest.fixture
def painted(store: Store) -> Iterator[Store]:
    store.begin(1, 0.0)
    store.commit(with_files(store.folder, record(1)))
    yield store


def path_of(store: Store, candidate: int) -> str:
    image = store.candidates([candidate])[0].image
    assert image is not None
    return image.path


def test_a_whole_series_verifies(painted: Store) -> None:
    assert verify_files(painted) == []
    assert uncommitted(painted) == 0


def test_missing_changed_and_unknown_files_are_named(painted: Store) -> None:
    folder, stray = painted.folder, genome(50, 0).hash
    gone, changed = path_of(painted, 1), path_of(painted, 2)
    thumbnail = path_of(painted, 3).replace(".png", ".webp")
    (folder / gone).unlink()
    (folder / thumbnail).unlink()
    content = bytearray((folder / changed).read_bytes())
    content[-30] ^= 1
    (folder / changed).write_bytes(content)
    images.write(folder, genome(50, 0), pixels(9), series="night")
    (folder / "images" / "holiday.jpg").write_bytes(b"x")
    assert sorted(verify_files(painted), key=lambda p: (p.kind, p.path)) == sorted(
        [
            Problem(kind="missing", path=gone),
            Problem(kind="missing", path=thumbnail),
            Problem(kind="hash", path=changed),
            Problem(kind="orphan", path="images/holiday.jpg"),
            Problem(kind="orphan", path=images.paths_of(stray)[0]),
            Problem(kind="orphan", path=images.paths_of(stray)[1]),
        ],
        key=lambda p: (p.kind, p.path),
    )


def test_files_of_a_cycle_under_way_are_counted_and_no_problem(painted: Store) -> None:
    images.write(painted.folder, genome(2, 0), pixels(9), series="night")
    assert {p.kind for p in verify_files(painted)} == {"orphan"}
    with hold(painted.folder):
        assert verify_files(painted) == []
        assert uncommitted(painted) == 2
    painted.begin(2, 0.0)
    draft = painted.folder / (images.paths_of(genome(2, 1).hash)[0] + ".draft")
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"half")
    assert verify_files(painted) == []
    assert uncommitted(painted) == 3


def test_a_sweep_deletes_what_was_never_committed(painted: Store) -> None:
    folder = painted.folder
    kept = files(folder)
    images.write(folder, genome(50, 0), pixels(9), series="night")
    (folder / (images.paths_of(genome(1, 0).hash)[0] + ".draft")).write_bytes(b"half")
    (folder / "images" / "holiday.jpg").write_bytes(b"not ours")
    known = {Path(image.path).stem for _, image in painted.images()}
    assert sweep(folder, known) == 3
    assert files(folder) == {**kept, "images/holiday.jpg": b"not ours"}
    assert sweep(folder, known) == 0
