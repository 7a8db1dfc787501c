"""Two series at once, two that differ in name only, and one that is run piece by piece."""

from __future__ import annotations

from typing import Any

from survive_tools import House


def test_two_series_at_once_do_not_know_of_each_other(house: House, reference: dict[str, Any]) -> None:
    house.series("left")
    other = house.series("right", loop={"cycles": 12})
    other.write_text(other.read_text().replace("seed = 11", "seed = 12"))
    one = house.start("run", "left", env={"TROUBLED_SLEEP": "0.05"})
    two = house.start("run", "right", env={"TROUBLED_SLEEP": "0.05"})
    house.until(one, lambda: house.committed("left") >= 3 and house.committed("right") >= 3)
    assert not one.ended() and not two.ended()  # truly at once
    assert (one.wait(), two.wait()) == (0, 0)
    # "left" differs from the reference in its name only.
    assert one.said["digest"] == reference["digest"]
    assert house.history("left") == reference["history"]
    alone = house.series("alone", loop={"cycles": 12})
    alone.write_text(alone.read_text().replace("seed = 11", "seed = 12"))
    assert two.said["digest"] == house.call("run", "alone")["digest"] != reference["digest"]
    for name in ("left", "right"):
        house.healthy(name)


def test_piece_by_piece_is_the_same_as_at_once(house: House, reference: dict[str, Any]) -> None:
    house.series("night")
    # Ends within the warm-up, at its end, just after it, and later; a smaller total changes nothing.
    for cycles in ("1", "3", "4", "9", "5", "9"):
        status = house.call("run", "night", "--cycles", cycles)
        assert status["state"] == "done"
        assert status["cycle"] == max(int(cycles), status["cycle"])
    assert status["cycle"] == 9
    status = house.call("run", "night")
    assert (status["cycle"], status["digest"]) == (14, reference["digest"])
    assert house.history("night") == reference["history"]
    before = house.contents("night")
    assert house.call("run", "night")["digest"] == reference["digest"]
    assert house.contents("night") == before
    house.healthy("night")
