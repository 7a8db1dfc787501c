"""Real processes that import, are killed and import again: nothing is lost or comes twice, nothing else changes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures_elsewhere import fill, many
from PIL import Image
from survive_tools import House, Running

from gen_emerge.store import Store, holder

COUNT = 18
"""Pictures: five cycles of four slots, the last one filled up."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return many(tmp_path / "pictures", COUNT)


def queued(house: House) -> int:
    """Pictures queued, looked at beside a running process."""
    path = house.folder("night") / "series.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return int(connection.execute("SELECT count(*) FROM inputs WHERE kind = 'import'").fetchone()[0])


def imported(house: House) -> list[tuple[int, str]]:
    with house.store("night") as store:
        return [(c.cycle, c.genome.generator_version) for c in store.candidates() if c.genome.imported]


def at_work(house: House, running: Running) -> bool:
    """Whether a process has begun with its cycles, and is not only starting."""
    owner = holder(house.folder("night"))
    return owner is not None and owner.pid == running.pid


def kill_when(house: House, running: Running, happened: Callable[[], bool]) -> None:
    house.until(running, happened)
    assert running.kill(), f"it ended by itself: {running.out.read_text()}{running.err.read_text()}"


@pytest.mark.slow
def test_kills_amid_queueing_and_amid_the_cycles_change_nothing(
    build: Callable[[Path], House], tmp_path: Path, pictures: Path
) -> None:
    calm, killed = build(tmp_path / "calm"), build(tmp_path / "killed")
    for house in (calm, killed):
        house.series("night")
        house.call("run", "night")
    said = calm.call("import", "night", pictures)
    assert (said["imported"], said["cycles_run"], said["cycle"]) == (COUNT, 7, 21)
    assert [cycle for cycle, _ in imported(calm)] == [17] * 4 + [18] * 4 + [19] * 4 + [20] * 4 + [21] * 2
    wanted = calm.call("run", "night", "--cycles", "24")
    slow = {"TROUBLED_SLEEP": "0.3"}
    for count in (1, 7, 13):  # amid the files and rows of the queue
        kill_when(killed, killed.start("import", "night", pictures), lambda count=count: queued(killed) >= count)
        assert count <= queued(killed) < COUNT and killed.committed("night") == 14
        assert killed.call("verify", "night")["ok"]
    running = killed.start("import", "night", pictures, env=slow)  # between the queue and the first cycle
    kill_when(killed, running, lambda: queued(killed) == COUNT)
    assert killed.committed("night") == 14
    for cycle in (15, 17):  # amid the cycles, the ones that hold imports among them
        running = killed.start("import", "night", pictures, env=slow)
        kill_when(killed, running, lambda cycle=cycle: killed.committed("night") >= cycle)
        assert killed.call("verify", "night")["ok"]
    patient = {"TROUBLED_SLEEP": "2"}  # cycle 21 has slots of its own, so it takes longer than anybody looks away
    running = killed.start("run", "night", "--cycles", "24", env=patient)
    kill_when(killed, running, lambda: killed.committed("night") >= 19)
    stopped = killed.start("import", "night", pictures, env=patient)
    killed.until(stopped, lambda: at_work(killed, stopped) and killed.committed("night") >= 20)
    assert not stopped.ended(), "it was too quick"
    os.kill(stopped.pid, signal.SIGINT)
    assert (stopped.wait(), killed.committed("night")) == (130, 20)
    last = killed.call("import", "night", pictures)
    assert last["imported"] == 0 and last["counts"]["already"] >= 16 and last["cycle"] == 21
    status = killed.call("run", "night", "--cycles", "24")
    assert status["digest"] == wanted["digest"]
    assert killed.history("night") == calm.history("night")
    assert queued(killed) == COUNT == len(imported(killed)) == len(set(imported(killed)))
    for house in (calm, killed):
        house.healthy("night")


@pytest.mark.slow
def test_beside_a_running_series_they_are_queued_and_it_takes_them_up(
    build: Callable[[Path], House], tmp_path: Path
) -> None:
    house = build(tmp_path / "one")
    pictures = fill(tmp_path / "pictures")
    house.series("night", loop={"cycles": 40})
    running = house.start("run", "night", env={"TROUBLED_SLEEP": "0.15"})
    house.until(running, lambda: house.committed("night") >= 5)
    said = house.call("import", "night", pictures)
    assert not running.ended(), "it was too quick"
    assert (said["counts"], said["cycles_run"]) == ({"queued": 8, "already": 1, "unreadable": 1}, 0)
    assert f"process {running.pid}" in said["why_queued"]
    assert said["queued_until"] is not None and running.wait() == 0
    taken = imported(house)
    assert len(taken) == 8 and max(cycle for cycle, _ in taken) == said["queued_until"]
    house.healthy("night")
    # The same inputs and no process beside it: the same series.
    other = build(tmp_path / "other")
    other.series("night", loop={"cycles": 40})
    other.call("run", "night", "--cycles", "3")
    shutil.copytree(house.folder("night") / "imports", other.folder("night") / "imports")
    with house.store("night") as theirs, Store.open(other.folder("night")) as ours:
        for item in theirs.inputs_of("import"):
            ours.add_input("import", item.payload, first_cycle=item.first_cycle)
    status = other.call("run", "night")
    assert status["digest"] == house.call("status", "night")["digest"]
    assert other.history("night") == house.history("night")


def test_a_full_disk_stops_an_import_and_loses_nothing(house: House, tmp_path: Path, pictures: Path) -> None:
    house.series("night")
    house.call("run", "night")
    noise = np.random.default_rng(1).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    Image.fromarray(noise).save(pictures / "106-large.png")  # after 100 .. 105, before the others
    limit = {"STAND_IN_FILE_LIMIT": str(1200 * 1024)}
    error: dict[str, Any] = house.call("import", "night", pictures, code=5, env=limit)["error"]
    assert error["code"] == "disk-full" and "is full" in error["message"]
    assert 0 < queued(house) < COUNT and house.committed("night") == 14
    assert not list((house.folder("night") / "imports").rglob("*.draft"))
    assert house.call("verify", "night")["ok"]
    said = house.call("import", "night", pictures)
    assert said["imported"] + 6 == COUNT + 1 == queued(house) == len(imported(house))
    house.healthy("night")
