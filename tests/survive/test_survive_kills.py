"""`kill -9` at 25 instants of one run, drawn by chance: nothing is lost, and the result is the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from survive_tools import House, Running, networks_are_there

KILLS = 25
CYCLES = 40
COLD = 5
"""Of the 25, how many strike the installed command with all its imports; the others a fork that has the libraries."""
START_UP = 6
"""How many strike blindly, so many milliseconds after the start, whatever the process is doing."""


@pytest.mark.slow
def test_25_kills_of_one_run_with_the_real_painter_change_nothing(
    build: Callable[[Path], House], tmp_path: Path
) -> None:
    assert networks_are_there()
    real = {"STAND_IN_SCORERS": ""}
    calm, killed = build(tmp_path / "calm"), build(tmp_path / "killed")
    for house in (calm, killed):
        house.series("night", **painted(checkin_every=10))
    wanted = calm.call("run", "night", env=real)
    assert (wanted["state"], wanted["cycle"], wanted["candidates"]) == ("done", CYCLES, CYCLES * 8)
    assert wanted["cells_filled"] >= 20 and wanted["rejected"]["gates"]  # a real series: a map, and gates that fire
    kills = killed_often(killed, "night", seed=20261120, env=real)
    status = killed.call("run", "night", env=real)
    assert (status["state"], status["digest"]) == ("done", wanted["digest"])
    everything_is_there(killed, calm)
    assert len({cycle for cycle, _ in kills}) >= 12, "the kills lie together"
    assert killed.call("run", "night", env=real)["digest"] == wanted["digest"]


@pytest.mark.slow
def test_kills_among_the_takes_of_a_genome_change_nothing(build: Callable[[Path], House], tmp_path: Path) -> None:
    calm, killed = build(tmp_path / "calm"), build(tmp_path / "killed")
    tables: dict[str, Any] = {"selector": {"signals": ["quality"]}, "detectors": {"use": ["seams"]}}
    for house in (calm, killed):
        house.series("night", loop={"best_of": 3, "checkin_every": 4}, image={"width": 64, "height": 64}, **tables)
    wanted = calm.call("run", "night")
    assert wanted["candidates"] == 14 * 4 * 3 and wanted["rejected"]["filters"]["selector"] > 14 * 4
    for goal, pause in ((0, 0.3), (1, 0.02), (4, 0.0), (7, 0.05), (11, 0.01)):
        running = killed.start("run", "night", env={"STAND_IN_PAUSE": "0.05"})
        wait_for_progress(killed, running, "night", goal)
        time.sleep(pause)
        assert running.kill(), f"it ended by itself: {running.err.read_text()}"
    status = killed.call("run", "night")
    assert (status["state"], status["digest"]) == ("done", wanted["digest"])
    assert killed.history("night") == calm.history("night") and facts(killed) == facts(calm)
    killed.healthy("night")


@pytest.mark.slow
def test_a_cycle_that_is_killed_again_and_again_is_not_taken_for_poison(
    house: House, reference: dict[str, Any]
) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "5")
    for start in range(1, 10):
        running = house.start("run", "night", env={"TROUBLED_SLEEP": "2"})
        house.until(running, lambda start=start: starts(house, 6) >= start)
        assert running.kill()
        assert (house.committed("night"), starts(house, 6)) == (5, start)
    # Its tenth start: it was suspected three times, and is now probed to the end.
    assert house.call("run", "night")["digest"] == reference["digest"]
    assert starts(house, 6) == 10
    assert house.quarantined("night") == {}
    assert house.history("night") == reference["history"]
    house.healthy("night")


def starts(house: House, cycle: int) -> int:
    with house.store("night") as store:
        return store.starts(cycle)


def painted(*, checkin_every: int) -> dict[str, Any]:
    return {
        "loop": {"batch": 8, "warmup_cycles": 4, "cycles": CYCLES, "checkin_every": checkin_every},
        "image": {"width": 64, "height": 64},
        "generator": {"use": "painter"},
        "archive": {"dims": [10, 10]},
    }


def killed_often(house: House, name: str, *, seed: int, env: dict[str, str]) -> list[tuple[int, str]]:
    """Run until 25 kills have struck; (cycle committed then, what it struck)."""
    rng = np.random.default_rng(seed)
    # Instants over the whole run, then a piece of a cycle more; the first ones and a few others during start-up.
    goals = [int((strike + rng.random()) * (CYCLES - 2) / KILLS) for strike in range(KILLS)]
    # A quick machine must not be done before the last kill: each strikes before the next one's instant at the latest.
    ceiling = [max(goal + 1, int((strike + 1) * (CYCLES - 2) / KILLS)) for strike, goal in enumerate(goals)]
    blind = {0, 1, *(int(k) for k in rng.choice(np.arange(2, KILLS), START_UP - 2, replace=False))}
    cold = {0, *(int(k) for k in rng.choice(np.arange(1, KILLS), COLD - 1, replace=False))}
    kills: list[tuple[int, str]] = []
    while len(kills) < KILLS:
        strike = len(kills)
        running = house.start("run", name, env=env, cold=strike in cold)
        if strike not in blind:
            wait_for_progress(house, running, name, goals[strike])
        linger(
            house, name, float(rng.uniform(0.0, 1.5 if strike in cold and strike in blind else 0.5)), ceiling[strike]
        )
        assert running.kill(), f"it ended by itself: {running.err.read_text()}"
        kills.append((house.committed(name), "start-up" if strike in blind else "work"))
    assert house.committed(name) < CYCLES
    return kills


def linger(house: House, name: str, seconds: float, ceiling: int) -> None:
    """So long, or until `ceiling` cycles are committed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and house.committed(name) < ceiling:
        time.sleep(0.01)


def wait_for_progress(house: House, running: Running, name: str, goal: int) -> None:
    """Until the process holds the series and `goal` cycles are committed: at once when they were before."""
    lock = house.folder(name) / ".lock"
    house.until(running, lambda: house.committed(name) >= goal and lock.exists() and holds(lock, running.pid))


def holds(lock: Path, pid: int) -> bool:
    return f'"pid": {pid},' in lock.read_text(encoding="utf-8")


def everything_is_there(killed: House, calm: House) -> None:
    killed.healthy("night")
    assert killed.quarantined("night") == {}
    history = killed.history("night")
    assert history == calm.history("night")
    assert not any(status == "failed" for *_, status, _ in history)
    with killed.store("night") as store:
        paths = [path for _, image in store.images() for path in (image.path, image.thumbnail)]
        assert len(paths) == len(set(paths)) == 2 * len(history)
        assert sum(store.starts(cycle) for cycle in range(1, CYCLES + 1)) > CYCLES
    on_disk = {p.relative_to(killed.folder("night")).as_posix() for p in killed.folder("night").glob("images/*/*")}
    assert on_disk == set(paths)
    assert killed.contents("night")["files"].keys() == {str(killed.folder("night") / path) for path in paths}
    assert facts(killed) == facts(calm)


def facts(house: House) -> dict[str, Any]:
    """Every table that a cycle derives, without its clocks: a stronger likeness than the digest."""
    rows = house.contents("night")["rows"]
    outside = ("series", "attempts", "inputs", "cycles", "alembic_version", "sqlite_sequence")
    return {table: sorted(map(repr, found)) for table, found in rows.items() if table not in outside}
