"""A disk that is full stops a series cleanly; with room again it goes on to the same result."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from survive_tools import House


@contextmanager
def mounted(folder: Path, size: str) -> Generator[Path, None, None]:
    """A small file system in place of a folder."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a small file system needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(house: House) -> Iterator[Path]:
    """A file system of one megabyte under the archive."""
    with mounted(house.archive, "1m") as folder:
        yield folder


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_stops_the_series_and_loses_nothing(
    house: House, small_disk: Path, reference: dict[str, Any]
) -> None:
    house.series("night")
    stops: list[int] = []
    for kilobytes in (400, 700, 1000, 1300, 1600, 1900, 2300, 2700, 3200, 4000, 8000):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(small_disk)], check=True)
        running = house.start("run", "night")
        code = running.wait()
        if code == 0:
            break
        assert code == 5, running.err.read_text() + running.out.read_text()
        error = running.said["error"]
        assert error["code"] == "disk-full" and "is full" in error["message"] and "run" in error["hint"]
        stops.append(house.committed("night"))
        if len(stops) > 1:
            assert house.call("status", "night")["state"] == "paused"  # noted where there is no room for a note
        if stops[-1]:
            committed(house, stops[-1], reference)
    assert len(stops) >= 4 and stops[0] == 0 < stops[-1]  # before the first cycle, and between later ones
    assert stops == sorted(stops)
    assert running.said["digest"] == reference["digest"]
    assert house.history("night") == reference["history"]
    assert house.quarantined("night") == {}
    house.healthy("night")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_a_picture_that_finds_no_room_stops_the_series_too(house: House, reference: dict[str, Any]) -> None:
    house.series("night")
    images = house.folder("night") / "images"
    images.mkdir(parents=True)
    with mounted(images, "200k"):
        error = house.call("run", "night", code=5)["error"]
        assert error["code"] == "disk-full" and str(house.folder("night")) in error["message"]
        assert 0 < house.committed("night") < 14
        committed(house, house.committed("night"), reference)
        assert list(images.rglob("*.draft")) == []
        subprocess.run(["mount", "-o", "remount,size=8m", str(images)], check=True)
        assert house.call("run", "night")["digest"] == reference["digest"]
        house.healthy("night")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_the_memory_map_of_vectors_takes_its_room_before_it_is_written(small_disk: Path) -> None:
    # A page of a map that finds no room ends the process with SIGBUS, which nobody can catch.
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from gen_emerge.errors import DiskFull
        from gen_emerge.novelty import NoveltyIndex
        (Path(sys.argv[1]) / "ballast").write_bytes(bytes(600_000))
        try:
            index = NoveltyIndex(Path(sys.argv[1]) / "novelty.f16", 256)
            for candidate in range(1024):
                index.add(candidate, np.ones(256, dtype=np.float32))
        except DiskFull as full:
            print(full.exit_code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(small_disk)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


@pytest.mark.parametrize("kilobytes", [60, 300])
def test_a_file_that_may_not_grow_counts_as_a_full_disk(
    house: House, reference: dict[str, Any], kilobytes: int
) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "3")
    error = house.call("run", "night", code=5, env={"STAND_IN_FILE_LIMIT": str(kilobytes * 1024)})["error"]
    assert error["code"] == "disk-full"
    assert house.call("status", "night")["state"] == "paused"
    committed(house, house.committed("night"), reference)
    status = house.call("run", "night")
    assert (status["state"], status["digest"]) == ("done", reference["digest"])
    house.healthy("night")


def committed(house: House, cycle: int, reference: dict[str, Any]) -> None:
    """What was committed is there, and is what it would have been."""
    with house.store("night") as store:
        found = [(c.cycle, c.slot, c.genome.hash) for c in store.candidates()]
        assert all((house.folder("night") / image.path).is_file() for _, image in store.images())
    assert found == [row[:3] for row in reference["history"] if row[0] <= cycle]
    verified = house.call("verify", "night")
    assert (verified["ok"], verified["problems"]) == (True, [])
