"""Thresholds from judgements through the door: shown, asked for, in force from a cycle on, whatever is killed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from survive_tools import House

from gen_emerge import recalibration
from gen_emerge.calibration.rollover import as_plain
from gen_emerge.errors import BadInput
from gen_emerge.store import Store

LOOP = {"cycles": 30, "warmup_cycles": 3}


def answer(house: House, *, rounds: int = 6) -> int:
    """Keep the warm images: what the gates measure says little of it."""
    count = 0
    with Store.open(house.folder("night")) as store:
        warmth = {n: s["warmth"].value for n, s in store.signals(None).items() if "warmth" in s}
    middle = float(np.median(list(warmth.values())))
    paths = {image.path: number for number, image in images(house)}
    for number in range(rounds):
        found = house.call("rounds", "night", "--open", "keep" if number % 2 else "review")["questions"]
        lines = [
            {"question": q["id"], "answer": "keep" if warmth[paths[q["images"]["only"]]] > middle else "discard"}
            for q in found
        ]
        house.call("judge", "night", "--answers", written(house, lines), "--rater", "anna")
        count += len(lines)
    return count


def images(house: House) -> list[Any]:
    with house.store("night") as store:
        return list(store.images())


def written(house: House, lines: list[dict[str, Any]]) -> Path:
    path = house.root / "answers.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def judged(build: Callable[[Path], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    """A series of twelve cycles whose images were judged: to be copied and calibrated."""
    house = build(tmp_path_factory.mktemp("judged") / "studio")
    house.series("night", loop=LOOP)
    house.call("run", "night", "--cycles", "12")
    answer(house)
    return house


def told(house: House, *arguments: str | Path) -> str:
    shown = house.start(*arguments, json_=False)
    assert shown.wait() == 0
    return shown.out.read_text(encoding="utf-8")


def refused(house: House, *arguments: str | Path) -> str:
    error = house.call("calibrate", *arguments, code=2)["error"]
    return f"{error['message']} {error['hint'] or ''}".strip()


def versions(house: House) -> list[tuple[int, int | None, str]]:
    with house.store("night") as store:
        return [(c.version, c.parent, c.reason) for c in store.calibrations()]


def test_a_preview_shows_curves_and_changes_and_touches_nothing(night: House) -> None:
    before = night.contents("night")
    picture = night.root / "curves.png"
    said = night.call("calibrate", "night", "--png", picture)
    assert night.contents("night") == before
    assert (said["did"], said["in_force"], said["running"]) == ("previewed", 1, False)
    assert said["probabilities"] == {"reject_below": 0.5, "accept_from": pytest.approx(5 / 6)}
    quality = said["gates"]["quality"]
    side = quality["sides"]["lower"]
    assert quality["moved"] and side["answers"] >= 5 and sum(side["streams"].values()) >= side["answers"]
    curve = side["curve"]
    assert curve["good"] == sorted(curve["good"])
    assert all(a <= b <= c for a, b, c in zip(curve["low"], curve["good"], curve["high"], strict=True))
    assert sum(sum(row.values()) for row in said["verdicts"].values()) == said["pictures"]
    assert all(Path(flip["path"]).is_file() and flip["was"] != flip["is"] for flip in quality["flips"])
    with Image.open(picture) as drawn:
        assert drawn.width == 1200 and len(drawn.convert("RGB").getcolors(100_000) or []) > 20
    shown = night.start("calibrate", "night", json_=False)
    assert shown.wait() == 0
    text = shown.out.read_text(encoding="utf-8")
    summary, _, details = text.partition("Details")
    assert "signal" in details and "chance that you would keep it" in details and "measured by" in details
    for gate in ("quality", "prompt", "novelty", "style"):
        assert re.search(rf"^  {gate} +(Not enough said yet|Of 48 past images|It stays)", summary, re.MULTILINE)
    assert "waiting for you" in summary and re.search(r"candidate \d+ ", details)
    assert ".png" not in text and not re.search(r"[0-9a-f]{16}", text)
    only = night.call("calibrate", "night", "--gate", "style")
    assert list(only["gates"]) == ["style"]
    # What would wait is told of all gates, whichever were asked about.
    assert only["review"]["was"] == said["review"]["was"] and only["past_images"] == said["past_images"]
    assert night.contents("night") == before


def test_what_would_leave_most_images_to_a_human_wants_to_be_said_so(night: House) -> None:
    said = night.call("calibrate", "night")
    assert said["too_many"] and said["review"]["is"] > max(0.25, said["review"]["was"])
    before = night.contents("night")
    refusal = refused(night, "night", "--apply")
    assert (
        f"{said['review']['is']:.0%} of 48 past images would wait for you, and {said['review']['was']:.0%}" in refusal
    )
    assert "most_review = 25%" in refusal and "--anyway" in refusal and night.contents("night") == before
    assert "--anyway belongs to --apply" in refused(night, "night", "--anyway")
    assert night.call("calibrate", "night", "--apply", "--anyway")["version"] == 2


def test_what_waits_for_its_cycle_is_taken_back(night: House) -> None:
    asked = night.call("calibrate", "night", "--apply", "--anyway")
    assert asked["run"] == "gen-emerge run night" and asked["from_cycle"] == 13
    refusal = refused(night, "night", "--apply")
    assert "gen-emerge run night. Or take the change back: gen-emerge calibrate night --rollback 1" in refusal
    back = night.call("calibrate", "night", "--rollback", "1")
    assert (back["did"], back["version"], back["to"]) == ("cancelled", 1, 1) and len(back["taken_back"]) == 1
    assert "in force already" in refused(night, "night", "--rollback", "1")
    night.call("run", "night", "--cycles", "14")
    assert [version for version, _, _ in versions(night)] == [1]
    night.healthy("night")


def test_the_command_that_lets_it_count_runs_beyond_the_end_of_the_file(night: House) -> None:
    night.call("run", "night")
    asked = night.call("calibrate", "night", "--apply", "--anyway")
    assert asked["run"] == "gen-emerge run night --cycles 31"
    words = night.call("compass", "night", "--never", "stormy")
    assert words["run"] == "gen-emerge run night --cycles 31"
    night.call(*asked["run"].split()[1:])
    assert [version for version, _, _ in versions(night)] == [1, 2]


def test_what_was_applied_counts_after_a_kill_and_goes_back(night: House) -> None:
    said = night.call("calibrate", "night", "--apply", "--gate", "quality", "--anyway")
    assert (said["version"], said["from_cycle"]) == (2, 13)
    assert "waits for cycle 13" in refused(night, "night", "--apply")
    running = night.start("run", "night", "--cycles", "30")
    night.until(running, lambda: night.committed("night") >= 14)
    running.kill()
    night.call("run", "night", "--cycles", "30")
    assert [version for version, _, _ in versions(night)] == [1, 2]
    with night.store("night") as store:
        first, second = store.calibrations()
        bounds = said["gates"]["quality"]["bounds"]["is"]
        assert second.bounds["quality"].lower == bounds["lower"] != first.bounds["quality"].lower
        assert {g: second.bounds[g] for g in ("prompt", "novelty", "style")} == {
            g: first.bounds[g] for g in ("prompt", "novelty", "style")
        }
    back = night.call("calibrate", "night", "--rollback", "1")
    assert (back["version"], back["to"], back["from_cycle"]) == (3, 1, 31)
    night.call("run", "night", "--cycles", "31")
    with night.store("night") as store:
        assert store.calibrations()[2].bounds == store.calibrations()[0].bounds
    assert versions(night)[2] == (3, 2, "back to version 1")
    night.healthy("night")


def test_kills_change_nothing_of_what_comes(judged: House, build: Callable[[Path], House], tmp_path: Path) -> None:
    told = []
    for name, kills in (("a", 0), ("b", 3)):
        house = build(tmp_path / name)
        shutil.copytree(judged.folder("night"), house.folder("night"))
        house.series("night", loop=LOOP)
        house.call("calibrate", "night", "--apply", "--anyway")
        for at in range(kills):
            running = house.start("run", "night", "--cycles", "20")
            house.until(running, lambda house=house, at=at: house.committed("night") >= 12 + 2 * at)
            running.kill()
        house.call("run", "night", "--cycles", "20")
        told.append((house.history("night"), versions(house)))
    assert told[0] == told[1]


def test_a_running_series_takes_it_up_by_itself(night: House) -> None:
    running = night.start("run", "night", "--cycles", "60")
    night.until(running, lambda: night.committed("night") >= 14)
    said = night.call("calibrate", "night", "--apply", "--gate", "quality", "--anyway")
    assert said["running"] and running.wait() == 0
    with night.store("night") as store:
        changed = [cycle for cycle, event in store.events() if event.payload.get("version") == 2]
    assert changed == [said["from_cycle"]]


def test_approved_images_set_the_bounds_they_pass(night: House) -> None:
    liked = night.root / "approved"
    liked.mkdir()
    for number, image in images(night)[:14]:
        shutil.copy(night.folder("night") / image.path, liked / f"{number}.png")
    (liked / "broken.png").write_bytes(b"no picture")
    sheets = night.call("export", "night", night.root / "chosen", "--top", "4", "--contact-sheet")
    shutil.copy(sheets["contact_sheet"], liked / "all-of-them.png")
    before = night.contents("night")
    for preview in ((), ("--preview",)):
        shown = night.call("calibrate", "night", "--from-folder", liked, *preview)
        assert shown["did"] == "previewed" and shown["pictures"] == 14 and shown["gates"]["quality"]["moved"]
    assert night.contents("night") == before
    text = told(night, "calibrate", "night", "--from-folder", liked)
    assert "quality   From " in text and "1 of the 14 lies below" in text and "Only 14 images" in text
    assert "--apply would refuse this without --anyway" in text
    said = night.call("calibrate", "night", "--from-folder", liked, "--apply", "--anyway")
    assert (said["pictures"], said["version"], said["from_cycle"]) == (14, 2, 13)
    assert {gate: each["bounds"] for gate, each in said["gates"].items()} == {
        gate: each["bounds"] for gate, each in shown["gates"].items()
    }
    assert [Path(left["path"]).name for left in said["left_out"]] == ["all-of-them.png", "broken.png"]
    night.call("run", "night", "--cycles", "13")
    with night.store("night") as store:
        first, second = store.calibrations()
        assert second.reason == "14 approved images"
        assert as_plain(second.bounds["style"]) == said["gates"]["style"]["bounds"]["is"]
        assert second.bounds["quality"].lower == said["evidence"]["quality"]["lower"]
        assert second.bounds["prompt"].lower == said["evidence"]["prompt"]["lower"]  # our PNGs carry their prompts
        assert second.bounds["novelty"] == first.bounds["novelty"]


def test_of_two_changes_at_one_moment_one_is_applied_and_the_other_is_told(
    night: House, distribution: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in distribution:
        monkeypatch.syspath_prepend(folder)
    weigh, said = recalibration.weigh, []

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        if not said:
            said.append(night.call("calibrate", "night", "--apply", "--gate", "style", "--anyway"))
        return weigh(*arguments, **options)

    monkeypatch.setattr(recalibration, "weigh", meanwhile)
    with pytest.raises(BadInput, match=r"waits for cycle 13: style by \d+ answers"):
        recalibration.apply(night.root, night.archive, "night", ["quality"], anyway=True)
    with night.store("night") as store:
        (asked,) = store.inputs_of("calibration")
    assert list(asked.payload["evidence"]) == ["style"] and said[0]["from_cycle"] == asked.first_cycle


@pytest.mark.parametrize(
    ("meanwhile", "promised"), [("nothing", (1, None)), ("its last cycle begins", (2, 4)), ("it ends", (2, 4))]
)
def test_a_folder_comes_in_as_the_version_that_was_promised(
    house: House, distribution: list[Path], monkeypatch: pytest.MonkeyPatch, meanwhile: str, promised: tuple[int, int]
) -> None:
    """While the pictures are measured, the warm-up may end."""
    for folder in distribution:
        monkeypatch.syspath_prepend(folder)
    house.series("night", loop=LOOP)
    house.call("run", "night", "--cycles", "2")

    def approve(opened: Any, _: Path) -> Any:
        if meanwhile == "its last cycle begins":
            opened.store.begin(3, 0.0)
        elif meanwhile == "it ends":
            house.call("run", "night", "--cycles", "3")
        entry = {"images": 20, "version": opened.in_force("quality"), "lower": 0.2, "upper": 0.9, "review": 0.1}
        return {"quality": entry}, 20, []

    monkeypatch.setattr(recalibration, "approve", approve)
    said = recalibration.from_folder(house.root, house.archive, "night", house.root, use=True, anyway=True)
    assert (said["version"], said["from_cycle"]) == promised
    house.call("run", "night", "--cycles", "5")
    with house.store("night") as store:
        found = {c.version: c for c in store.calibrations()}
        (asked,) = store.inputs_of("calibration")
    assert asked.payload["parent"] == (1 if meanwhile == "it ends" else None)
    assert len(found) == promised[0] and "20 approved images" in found[promised[0]].reason
    assert found[promised[0]].bounds["quality"].lower == 0.2


def test_refusals(night: House) -> None:
    assert 'Did you mean "quality"?' in refused(night, "night", "--gate", "qualty")
    assert "There are 1." in refused(night, "night", "--rollback", "4")
    assert "in force already. There are no others yet." in refused(night, "night", "--rollback", "1")
    assert "different things" in refused(night, "night", "--rollback", "1", "--apply")
    assert "different things" in refused(night, "night", "--rollback", "1", "--preview")
    assert "different things" in refused(night, "night", "--preview", "--apply")
    assert "different things" in refused(night, "night", "--rollback", "1", "--from-folder", night.root)
    assert "--gate belongs to --preview" in refused(night, "night", "--rollback", "1", "--gate", "style")
    assert "--png belongs to --preview" in refused(night, "night", "--apply", "--png", "x.png")
    few = night.root / "few"
    few.mkdir()
    shutil.copy(night.folder("night") / images(night)[0][1].path, few / "one.png")
    assert "gen-emerge export night approved" in (said := refused(night, "night", "--from-folder", few))
    assert "holds 1 pictures" in said
    night.series("young")
    assert "has not been run yet" in refused(night, "young")
    night.call("run", "young", "--cycles", "2")
    assert "no thresholds yet" in refused(night, "young", "--apply")
