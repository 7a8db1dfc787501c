"""What a person changes between two runs: settings count from the next boundary; banks and fixed keys are refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from survive_tools import House

CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "a gate's bound": {"gates__quality": {"lower": 0.4}},
    "the size": {"image": {"width": 40, "height": 64}},
    "check-ins": {"loop": {"checkin_every": 5}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_takes_effect_at_the_next_boundary_however_often_it_is_killed(house: House, change: str) -> None:
    digests: dict[str, str] = {}
    for name in ("calm", "killed"):
        house.series(name)
        if name == "calm":
            house.call("run", name, "--cycles", "7")
        else:
            # Killed with a cycle rendered ahead, which the change makes worthless.
            running = house.start("run", name, "--cycles", "9", env={"STAND_IN_PAUSE": "0.4"})
            house.until(running, lambda name=name: house.committed(name) >= 7)
            assert running.kill()
            assert house.committed(name) == 7
            assert len(list(house.folder(name).glob("images/*/*.png"))) > 4 * 7
        house.series(name, **CHANGES[change])
        if name == "killed":
            for wait in (7, 8):
                running = house.start("run", name, env={"TROUBLED_SLEEP": "0.15"})
                house.until(running, lambda name=name, wait=wait: noted(house, name) and house.committed(name) >= wait)
                assert running.kill()
        digests[name] = house.call("run", name)["digest"]
        told = [(cycle, message) for cycle, kind, message in house.events(name) if kind == "config"]
        assert told == [(8, "The series file changed; it is in force from this cycle.")]
        house.healthy(name)
    assert digests["killed"] == digests["calm"]
    assert house.history("killed") == house.history("calm")
    in_force(house, change)


def noted(house: House, name: str) -> bool:
    with house.store(name) as store:
        return len(store.inputs_of("config")) == 2


def in_force(house: House, change: str) -> None:
    with house.store("calm") as store:
        if change == "a gate's bound":
            first, second = store.calibrations()
            assert (first.version, second.version, second.parent) == (1, 2, 1)
            assert second.bounds["quality"].lower == 0.4
            assert second.bounds["prompt"] == first.bounds["prompt"]
            ids = {c.id: c.cycle for c in store.candidates()}
            applied = {
                (ids[candidate] >= 8, verdict.calibration)
                for candidate, verdicts in store.verdicts().items()
                for verdict in verdicts
                if verdict.gate == "quality"
            }
            assert applied == {(False, 1), (True, 2)}
        elif change == "the size":
            sizes = {(c.cycle >= 8, c.image.width, c.image.height) for c in store.candidates() if c.image}
            assert sizes == {(False, 48, 40), (True, 40, 64)}
        else:
            assert [asked.cycle for asked in store.rounds()] == [10]


def test_a_change_taken_back_before_anything_ran_is_no_change(house: House, reference: dict[str, Any]) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "7")
    house.series("night", loop={"cycles": 3}, image={"width": 64})
    house.call("run", "night", "--cycles", "7")  # nothing to do
    house.series("night")
    status = house.call("run", "night")
    assert (status["state"], status["digest"]) == ("done", reference["digest"])
    with house.store("night") as store:
        assert [calibration.version for calibration in store.calibrations()] == [1]
    house.healthy("night")


def test_the_first_cycle_does_not_say_that_the_file_changed(reference: dict[str, Any]) -> None:
    assert [e for e in reference["house"].events("calm") if e[1] == "config"] == []


@pytest.mark.parametrize(
    ("key", "old", "new", "tables"),
    [
        ("loop.batch", "4", "5", {"loop": {"batch": 5}}),
        ("loop.warmup_cycles", "3", "4", {"loop": {"warmup_cycles": 4}}),
        ("loop.pipeline_depth", "1", "0", {"loop": {"pipeline_depth": 0}}),
        ("archive.dims", "[4, 4]", "[4, 5]", {"archive": {"dims": [4, 5]}}),
        (
            "archive.axes",
            '["warmth", "edge_density"]',
            '["warmth", "contrast"]',
            {"archive": {"axes": ["warmth", "contrast"]}},
        ),
    ],
)
def test_a_fixed_key_is_refused_with_both_values(
    house: House, key: str, old: str, new: str, tables: dict[str, Any], reference: dict[str, Any]
) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "1")
    before = house.contents("night")
    house.series("night", **tables)
    error = house.call("run", "night", code=2)["error"]
    assert error["code"] == "fixed-key-changed"
    assert error["message"].startswith(f"{key} was {old} when the series began and is {new} now")
    assert house.contents("night") == before


def test_a_seed_is_refused_and_the_old_one_goes_on(house: House, reference: dict[str, Any]) -> None:
    path = house.series("night")
    house.call("run", "night", "--cycles", "2")
    before = house.contents("night")
    path.write_text(path.read_text().replace("seed = 11", "seed = 12"))
    error = house.call("run", "night", code=2)["error"]
    assert error["code"] == "fixed-key-changed" and "seed was 11" in error["message"] and "is 12" in error["message"]
    assert house.contents("night") == before
    path.write_text(path.read_text().replace("seed = 12", "seed = 11"))
    assert house.call("run", "night")["digest"] == reference["digest"]


@pytest.mark.parametrize(
    ("bank", "edit"),
    [
        ("prompts/painter-1.toml", ('"serene"', '"placid"')),
        ("prompts/questions/general-1.toml", ("Do the colours suit", "Do colours suit")),
    ],
)
def test_a_bank_edited_after_use_is_refused(
    house: House, bank: str, edit: tuple[str, str], reference: dict[str, Any]
) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "4")
    before = house.contents("night")
    path = house.root / bank
    whole = path.read_text(encoding="utf-8")
    assert edit[0] in whole
    path.write_text(whole.replace(*edit), encoding="utf-8")
    error = house.call("run", "night", code=2)["error"]
    assert error["code"] == "bad-input"
    assert re.match(rf"{bank} was edited after this series used it", error["message"])
    assert "another name" in error["hint"]
    assert house.contents("night") == before
    # Under another name it is a change of settings like any other, with the old bank restored.
    path.write_text(whole, encoding="utf-8")
    assert house.call("run", "night")["digest"] == reference["digest"]


def test_another_bank_takes_effect_at_the_next_boundary(house: House) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "6")
    # A word that the next genomes, proposed before the change, are waiting with.
    with house.store("night") as store:
        waiting = [p.genome.slots["mood"] for proposals in store.pending_proposals(6).values() for p in proposals]
    gone = waiting[0]
    words = (house.root / "prompts" / "painter-1.toml").read_text(encoding="utf-8")
    assert f'"{gone}"' in words
    changed = words.replace(f'"{gone}"', '"placid"').replace('id = "painter-1"', 'id = "painter-9"')
    (house.root / "prompts" / "painter-9.toml").write_text(changed, encoding="utf-8")
    house.series("night", prompts={"bank": "prompts/painter-9.toml"})
    assert house.call("run", "night")["state"] == "done"
    with house.store("night") as store:
        moods = {(c.cycle > 6, c.genome.slots["mood"]) for c in store.candidates()}
    assert (True, gone) not in moods and (False, "placid") not in moods
    house.healthy("night")


def test_settings_are_stored_whole(house: House) -> None:
    house.series("night")
    house.call("run", "night", "--cycles", "1")
    with house.store("night") as store:
        (noted,) = store.inputs_of("config")
    assert noted.first_cycle == 1
    assert json.loads(json.dumps(dict(noted.payload)))["settings"]["image"] == {"width": 48, "height": 40}
