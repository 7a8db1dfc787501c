"""Genomes that raise, spoil their picture or end their process: each fails alone, and the series goes on."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from survive_tools import STAND_INS, House

sys.path.insert(0, str(STAND_INS))
from troubled import number

EVERY = 9


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ("raises", "ValueError: no picture for {genome:.12}"),
        ("size", "GeneratorFailed: troubled gave an array of shape (39, 48, 3), (40, 48, 3) was asked for."),
        ("few", "GeneratorFailed: troubled gave 0 images for 1 genomes."),
        ("ints", "GeneratorFailed: troubled gave int64; uint8 or floats in [0, 1] are wanted."),
    ],
)
def test_a_genome_that_cannot_be_rendered_fails_alone(house: House, tmp_path: Path, trouble: str, cause: str) -> None:
    log = tmp_path / "rendered"
    house.series("night", generator={trouble: EVERY})
    status = house.call("run", "night", env={"TROUBLED_LOG": str(log)})
    assert (status["state"], status["cycle"], status["candidates"]) == ("done", 14, 56)
    history = house.history("night")
    struck = [row for row in history if number(row[2]) % EVERY == 0]
    assert 3 <= len(struck) <= 12  # some in the warm-up, some after it
    assert min(row[0] for row in struck) <= 3 < max(row[0] for row in struck)
    for _, _, genome, pixels, state, told in struck:
        assert (state, pixels, told) == ("failed", None, cause.format(genome=genome))
    assert all(row[4] != "failed" and row[3] for row in history if row not in struck)
    assert status["failed"] == len(struck)
    # With its batch once, alone `max_attempts` times; in a later cycle never again.
    rendered = Counter(log.read_text().split())
    assert {rendered[row[2]] for row in struck} == {4}
    assert len({row[2] for row in history}) == len(history)
    # Its neighbours, whom it cost their batch: once more.
    assert {rendered[row[2]] for row in history if row not in struck} <= {1, 2}
    failed = [message for _, kind, message in house.events("night") if kind == "failed"]
    assert len(failed) == len(struck)
    assert house.quarantined("night") == {}
    house.healthy("night")


def test_a_picture_that_is_not_a_number_is_kept_and_rejected(house: House) -> None:
    house.series("night", generator={"nan": EVERY})
    status = house.call("run", "night")
    assert (status["state"], status["cycle"]) == ("done", 14)
    history = house.history("night")
    struck = [row for row in history if number(row[2]) % EVERY == 0]
    assert 3 <= len(struck) <= 12
    assert all((state, told) == ("rejected", "nan") and pixels for _, _, _, pixels, state, told in struck)
    assert status["rejected"]["filters"]["nan"] == len(struck)
    assert status["failed"] == 0
    with house.store("night") as store:
        assert all((house.folder("night") / image.path).is_file() for _, image in store.images())
        assert len(list(store.images())) == 56
    house.healthy("night")


def test_a_whole_warm_up_that_fails_is_followed_by_another_one(house: House) -> None:
    house.series("night", generator={"raises": 1}, loop={"cycles": 5})
    status = house.call("run", "night")
    assert (status["state"], status["failed"], status["accepted"]) == ("done", 20, 0)
    house.series("night", generator={"raises": 0}, loop={"cycles": 9})
    status = house.call("run", "night")
    assert status["state"] == "done" and status["cells_filled"] > 0
    house.healthy("night")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "ending"),
    [("kills", "killed its process (signal 9)"), ("exits", "ended its process (exit code 7)")],
)
def test_a_genome_that_ends_its_process_is_found_and_quarantined(
    house: House, reference: dict[str, Any], tmp_path: Path, trouble: str, ending: str
) -> None:
    cycle, slot, poison = next(row[:3] for row in reference["history"] if row[0] == 7 and row[4] == "passed")
    log = tmp_path / "rendered"
    deaths = {"quiet": 0, "noisy": 0}
    digests: dict[str, str] = {}
    for name, extra in (("quiet", 0), ("noisy", 3)):
        house.series(name, generator={trouble: poison})
        log.unlink(missing_ok=True)
        for start in range(12):
            running = house.start("run", name, env={"TROUBLED_LOG": str(log), "TROUBLED_SLEEP": "0.02"})
            if start < extra:
                # Killed before the poison is reached: such deaths must not be taken for it.
                house.until(running, lambda name=name, start=start: house.committed(name) >= 1 + start)
                assert running.kill()
                continue
            code = running.wait()
            if code == 0:
                digests[name] = running.said["digest"]
                break
            assert code == (-9 if trouble == "kills" else 7), running.err.read_text()
            deaths[name] += 1
        assert house.quarantined(name) == {poison: ending}
        history = house.history(name)
        failed = [row for row in history if row[4] == "failed"]
        assert [(row[0], row[1], row[2]) for row in failed] == [(cycle, slot, poison)]
        assert failed[0][5] == f"quarantined: {ending}"
        assert len(history) == 56
        assert [message for _, kind, message in house.events(name) if kind == "quarantine"]
        house.healthy(name)
    assert deaths["quiet"] == 3  # max_attempts, then it is looked for
    assert digests["noisy"] == digests["quiet"] != reference["digest"]
    assert house.history("noisy") == house.history("quiet")


def test_a_generator_that_asks_the_interpreter_to_leave_fails_its_genome(
    house: House, reference: dict[str, Any]
) -> None:
    poison = next(row[2] for row in reference["history"] if row[:2] == (5, 1))
    house.series("night", generator={"leaves": poison})
    status = house.call("run", "night")
    assert (status["state"], status["cycle"], status["failed"]) == ("done", 14, 1)
    (failed,) = [row for row in house.history("night") if row[4] == "failed"]
    assert failed[:3] == (5, 1, poison) and failed[5].startswith("SystemExit")
    house.healthy("night")
