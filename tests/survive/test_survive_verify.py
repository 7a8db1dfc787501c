"""What was damaged behind the program's back is named: images by their path, history by its place."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from survive_tools import House


@pytest.fixture
def damaged(reference: dict[str, Any], house: House) -> House:
    """A copy of the reference run, to be damaged."""
    shutil.copytree(reference["house"].folder("calm"), house.folder("calm"))
    house.series("calm")
    return house


def problems(house: House) -> list[tuple[str, str]]:
    found = house.call("verify", "calm", code=1)
    assert found["ok"] is False
    return [(problem["kind"], problem["path"]) for problem in found["problems"]]


def images(house: House) -> list[tuple[int, str, str]]:
    with house.store("calm") as store:
        return [(candidate, image.path, image.thumbnail) for candidate, image in store.images()]


def tamper(house: House, statement: str, *values: Any) -> int:
    """Change rows behind the triggers' backs; how many."""
    with closing(sqlite3.connect(house.folder("calm") / "series.db")) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        changed = connection.execute(statement, values).rowcount
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
        return changed


def test_damaged_files_are_named(damaged: House) -> None:
    (_, flipped, _), (_, gone, _), (_, _, small), *_ = images(damaged)
    folder = damaged.folder("calm")
    content = bytearray((folder / flipped).read_bytes())
    content[len(content) // 2] ^= 0x01
    (folder / flipped).write_bytes(content)
    (folder / gone).unlink()
    (folder / small).unlink()
    (folder / "images" / "00").mkdir(exist_ok=True)
    strays = [f"images/00/{'00' * 32}.png", "images/holiday.jpg"]
    for stray in strays:
        (folder / stray).write_bytes(b"stray")
    expected = [("hash", flipped), ("missing", gone), ("missing", small), *(("orphan", stray) for stray in strays)]
    assert sorted(problems(damaged)) == sorted(expected)


LAST_LOST = "(SELECT max(id) FROM placements WHERE outcome = 'lost')"
ABOUT_LAST_LOST = f"SELECT candidate, cycle FROM placements WHERE id = {LAST_LOST}"
TAMPERED = {
    "a placement in another cell": (
        f"UPDATE placements SET cell = (cell + 1) % 16 WHERE id = {LAST_LOST}",
        "candidate {candidate}: ",
        ABOUT_LAST_LOST,
    ),
    "a lost challenge said to be won": (
        f"UPDATE placements SET outcome = 'won' WHERE id = {LAST_LOST}",
        "candidate {candidate}: no duel says won",
        ABOUT_LAST_LOST,
    ),
    "a holder made a newcomer twice": (
        f"UPDATE placements SET outcome = 'new', incumbent = NULL WHERE id = {LAST_LOST}",
        "candidate {candidate} is recorded as 'new'",
        ABOUT_LAST_LOST,
    ),
    "an axis measured otherwise": (
        "UPDATE signals SET value = value * 0.5 + 0.001 WHERE candidate = (SELECT max(candidate) FROM placements) "
        "AND scorer = (SELECT id FROM scorers WHERE name = 'warmth')",
        "candidate {candidate}: its descriptor is not what was measured",
        "SELECT max(candidate), max(cycle) FROM placements",
    ),
    "a gate's verdict turned round": (
        "UPDATE verdicts SET outcome = 'pass' WHERE (candidate, cycle, position) = ("
        "SELECT v.candidate, v.cycle, v.position FROM verdicts v JOIN rules r ON r.id = v.rule "
        "WHERE v.outcome = 'fail' AND r.gate = 'quality' ORDER BY v.candidate LIMIT 1)",
        "candidate {candidate}: quality says pass",
        "SELECT v.candidate, v.cycle FROM verdicts v JOIN rules r ON r.id = v.rule "
        "WHERE v.outcome = 'fail' AND r.gate = 'quality' ORDER BY v.candidate LIMIT 1",
    ),
    "a quality measured otherwise": (
        "UPDATE signals SET value = 1.0 - value WHERE candidate = (SELECT max(candidate) FROM placements) "
        "AND scorer = (SELECT id FROM scorers WHERE name = 'quality')",
        "candidate {candidate}: ",
        "SELECT max(candidate), max(cycle) FROM placements",
    ),
    "a rejected candidate let in": (
        "UPDATE candidates SET status = 'passed', cause = '' WHERE id = "
        "(SELECT max(id) FROM candidates WHERE status = 'rejected')",
        "candidate {candidate}: ",
        "SELECT max(id), max(cycle) FROM candidates WHERE status = 'rejected'",
    ),
    "a cycle cut out": (
        "UPDATE cycles SET cycle = 99 WHERE cycle = 14",
        "",
        "SELECT 0, 14",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_history_that_was_tampered_with_is_named(damaged: House, what: str) -> None:
    statement, says, about = TAMPERED[what]
    with closing(sqlite3.connect(damaged.folder("calm") / "series.db")) as connection:
        candidate, _ = connection.execute(about).fetchone()
    assert candidate is not None
    assert tamper(damaged, statement) == 1
    found = problems(damaged)
    assert {kind for kind, _ in found} <= {"replay", "orphan"}
    replayed = [path for kind, path in found if kind == "replay"]
    assert replayed
    if says:
        assert any(says.format(candidate=candidate) in path for path in replayed), replayed


def test_a_running_series_has_no_orphans_and_a_stopped_one_counts_what_it_left(house: House) -> None:
    house.series("night", loop={"pipeline_depth": 3, "cycles": 1000})  # far from its end, however long `verify` takes
    running = house.start("run", "night", env={"STAND_IN_PAUSE": "0.3"})
    house.until(running, lambda: house.committed("night") >= 4)
    beside = house.call("verify", "night")
    assert beside["ok"] and not running.ended()
    assert running.kill()
    left = house.call("verify", "night")
    on_disk = len(list(house.folder("night").glob("images/*/*")))  # a draft that was being written counts too
    assert left["ok"] and left["uncommitted"] == on_disk - 2 * 4 * house.committed("night") > 0
    house.call("run", "night", "--cycles", str(house.committed("night") + 3))
    house.healthy("night")


def test_a_missing_image_does_not_stop_the_series(damaged: House, reference: dict[str, Any]) -> None:
    _, path, _ = images(damaged)[0]
    (damaged.folder("calm") / path).unlink()
    status = damaged.call("run", "calm", "--cycles", "16")
    assert (status["state"], status["cycle"]) == ("done", 16)
    assert problems(damaged) == [("missing", path)]
