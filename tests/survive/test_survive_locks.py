"""One process a series, a database that is locked, and clocks that are wrong."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from typing import Any

from survive_tools import House


def test_a_second_process_is_told_who_holds_the_series_and_a_kill_frees_it(house: House) -> None:
    house.series("night")
    first = house.start("run", "night", env={"TROUBLED_SLEEP": "1.0"})
    house.until(first, lambda: house.committed("night") >= 2)
    assert not first.ended()
    second = house.start("run", "night")
    assert second.wait() == 3
    error = second.said["error"]
    assert error["code"] == "held"
    assert re.search(rf'"night" is held by process {first.pid} on \S+ since 20', error["message"])
    assert house.call("status", "night")["state"] == "running"
    assert not first.ended()
    assert first.kill()
    committed = house.committed("night")
    began = time.monotonic()
    third = house.start("run", "night", "--cycles", str(committed + 1))
    house.until(third, lambda: house.committed("night") > committed)
    assert third.wait() == 0
    assert house.committed("night") == committed + 1
    assert time.monotonic() - began < 30
    assert house.call("run", "night")["state"] == "done"


def test_a_database_locked_for_three_seconds_is_waited_for(house: House, reference: dict[str, Any]) -> None:
    house.series("night")
    running = house.start("run", "night", env={"TROUBLED_SLEEP": "0.02"})
    house.until(running, lambda: house.committed("night") >= 3)
    other = sqlite3.connect(
        house.folder("night") / "series.db", isolation_level=None, check_same_thread=False, timeout=30
    )
    other.execute("BEGIN IMMEDIATE")
    held = house.committed("night")
    assert held < 13 and not running.ended()
    release = threading.Timer(3.0, lambda: other.execute("ROLLBACK"))
    release.start()
    time.sleep(2.5)
    assert house.committed("night") == held
    release.join()
    other.close()
    assert running.wait() == 0
    assert running.said["digest"] == reference["digest"]
    house.healthy("night")


def test_a_clock_that_is_wrong_and_runs_backwards_decides_nothing(house: House, reference: dict[str, Any]) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "4")
    # Five years back, between two runs; and every look at the clock finds it ten minutes earlier.
    house.call("run", "night", "--cycles", "9", env={"STAND_IN_CLOCK": "-157680000,600"})
    status = house.call("run", "night", env={"STAND_IN_CLOCK": "-31536000,3600"})
    with house.store("night") as store:
        told = [cycle.committed_at for cycle in store.cycles()]
    assert told[4] < told[3] - 150_000_000 and told[8] < told[4]  # the clock was what the test says
    assert (status["state"], status["digest"]) == ("done", reference["digest"])
    assert house.history("night") == reference["history"]
    house.healthy("night")


def test_what_display_says_may_be_lost(house: House, reference: dict[str, Any]) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "6")
    (house.folder("night") / "run.json").write_text('{"state": "do', encoding="utf-8")
    (house.folder("night") / ".lock").write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": 0, "beat": 0}))
    for file in (house.folder("night") / "cache").iterdir():
        file.write_bytes(b"torn")
    assert house.call("status", "night")["state"] == "stopped"
    assert house.call("run", "night")["digest"] == reference["digest"]
    house.healthy("night")
