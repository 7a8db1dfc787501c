"""`kill -9` amid conversations with a slow critic: the result is the same, and no reply is paid for twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from survive_tools import House
from test_survive_kills import facts

KILLS = 10
CYCLES = 24
SLOW = "0.4"
"""Seconds: a conversation is many times longer than a cycle's rendering, so that those of several cycles overlap."""


def critic(house: House, seconds: str) -> dict[str, str]:
    return {"STAND_IN_CRITIC": seconds, "STAND_IN_CRITIC_LOG": str(house.root / "asked.log")}


def asked(house: House) -> list[str]:
    """Every call the critic has taken, in order, answered or not."""
    path = house.root / "asked.log"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def heard(house: House) -> list[tuple[str, str, int, str]]:
    """What came of the calls, as stored: kind, question, first cycle, payload. Looked at beside a running process."""
    path = house.folder("night") / "series.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        wanted = "SELECT kind, payload, first_cycle FROM inputs WHERE kind IN ('critic', 'critic-down')"
        return sorted((k, question(json.loads(p)), cycle, p) for k, p, cycle in connection.execute(wanted))


def question(payload: Mapping[str, Any]) -> str:
    if payload["ask"] == "review":
        return f"review {payload['candidate']}"
    return f"duel {payload['left']} {payload['right']}"


@pytest.mark.slow
def test_kills_amid_a_slow_critics_conversations_change_nothing(build: Callable[[Path], House], tmp_path: Path) -> None:
    calm, killed = build(tmp_path / "calm"), build(tmp_path / "killed")
    for house in (calm, killed):
        house.series("night", loop={"cycles": CYCLES, "pipeline_depth": 3})
    wanted = calm.call("run", "night", env=critic(calm, "0.001"))
    assert (wanted["state"], wanted["cycle"]) == ("done", CYCLES) and wanted["pending"]
    assert any(line.startswith("duel") for line in asked(calm))

    rng = np.random.default_rng(20261120)
    struck = [
        strike(killed, goal=int(4 + number * (CYCLES - 8) / KILLS), calls=int(rng.integers(1, 7)))
        for number in range(KILLS)
    ]
    assert sum(calls > 0 for calls, _ in struck) >= KILLS - 2, struck
    assert max(cycles for _, cycles in struck) >= 2, f"no two conversations were cut off at once: {struck}"

    status = killed.call("run", "night", env=critic(killed, "0.001"))
    assert (status["state"], status["digest"]) == ("done", wanted["digest"])
    assert heard(killed) == heard(calm)
    assert killed.history("night") == calm.history("night")
    assert facts(killed) == facts(calm)
    killed.healthy("night")


def strike(house: House, *, goal: int, calls: int) -> tuple[int, int]:
    """Kill the run after so many calls, and once more when it asks again; calls cut off, and cycles they were for."""
    before = asked(house)
    running = house.start("run", "night", env=critic(house, SLOW))
    house.until(running, lambda: house.committed("night") >= goal and len(asked(house)) >= len(before) + calls)
    assert running.kill(), f"it ended by itself: {running.err.read_text()}"
    paid, known = {q for kind, q, *_ in heard(house) if kind == "critic"}, asked(house)
    cut_off = [line for line in known[len(before) :] if line not in paid]
    again = house.start("run", "night", env=critic(house, SLOW))
    house.until(again, lambda: len(asked(house)) > len(known))
    assert again.kill()
    assert not set(asked(house)[len(known) :]) & paid, "a reply that was paid for is asked for again"
    return len(cut_off), len({cycle_of(line) for line in cut_off if line.startswith("review")})


def cycle_of(line: str) -> int:
    """The cycle of a reviewed candidate: four a cycle."""
    return (int(line.split()[1]) - 1) // 4 + 1
