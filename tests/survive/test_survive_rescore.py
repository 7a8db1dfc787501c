"""`rescore` as people call it: beside a running series, killed amid a trial, on damaged files; a switch, and back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from survive_tools import House

MODELS = {"STAND_IN_MODELS": "1"}
A = ("--scorer", "quality", "--with", "use=nima", "--with", "weights=models/a.json")


@pytest.fixture(scope="session")
def begun(build: Callable[[Path], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    """A series of eight cycles, the warm-up of three among them; tests copy it."""
    house = build(tmp_path_factory.mktemp("begun") / "studio")
    house.environment = {**house.environment, **MODELS}
    house.series("night")
    house.call("run", "night", "--cycles", "8")
    return house


@pytest.fixture
def night(begun: House, house: House) -> House:
    """That series in a studio of this test's own, and other scorers' weights in `models/`."""
    import shutil

    house.environment = begun.environment
    shutil.copytree(begun.folder("night"), house.folder("night"))
    house.series("night")
    (house.root / "models").mkdir()
    weights(house, "a", power=3.0, scale=10.0)
    weights(house, "b", power=0.5, scale=2.0)
    weights(house, "space", width=9)
    return house


def weights(house: House, name: str, **about: Any) -> Path:
    path = house.root / "models" / f"{name}.json"
    path.write_text(json.dumps(about), encoding="utf-8")
    return path


def file(house: House) -> Path:
    return house.root / "experiments" / "series" / "night.toml"


def edit(house: House, text: str) -> None:
    file(house).write_text(file(house).read_text(encoding="utf-8") + text, encoding="utf-8")


def untouched(house: House) -> tuple[Any, ...]:
    """Everything but trials."""
    found = house.contents("night")
    found["rows"]["inputs"] = [row for row in found["rows"]["inputs"] if row[1] != "tried"]
    return found, file(house).read_bytes()


def tried(house: House) -> list[dict[str, Any]]:
    with house.store("night") as store:
        return [dict(item.payload) for item in store.inputs_of("tried")]


def log(house: House) -> tuple[Path, dict[str, str]]:
    path = house.root / "measured.txt"
    path.unlink(missing_ok=True)
    return path, {"STAND_IN_LOG": str(path)}


def refused(house: House, *words: str, code: int = 2) -> str:
    """What is said; nothing whatever was changed."""
    before = house.contents("night") if (house.folder("night") / "series.db").exists() else None
    text = file(house).read_bytes() if file(house).exists() else b""
    error = house.call("rescore", "night", *words, code=code)["error"]
    assert (house.contents("night") if before else None) == before
    assert (file(house).read_bytes() if file(house).exists() else b"") == text
    return f"{error['message']} {error['hint']}"


# ---- a trial -----------------------------------------------------------------------------------------------------


def test_a_trial_says_whose_verdicts_would_change_and_changes_nothing(night: House, begun: House) -> None:
    before, digest = untouched(night), night.call("status", "night")["digest"]
    said = night.call("rescore", "night", *A)
    assert (said["series"], said["scorer"], said["did"]) == ("night", "quality", "tried")
    assert said["table"] == {"use": "nima", "weights": "models/a.json"}
    assert said["pictures"] == said["measured"] == len([row for row in night.history("night") if row[3]])
    side = said["changed"]["quality"]
    assert list(said["changed"]) == ["quality"]
    assert (side["was"], side["is"][:6]) == ("fake-1", "other-")
    assert side["agreement"]["spearman"] == 1.0  # a power keeps the order: only the band moves
    assert side["bounds"]["is"]["lower"] != side["bounds"]["was"]["lower"]
    assert sum(sum(row.values()) for row in side["verdicts"].values()) == side["compared"] == said["pictures"]
    assert sum(sum(row.values()) for row in said["overall"].values()) == said["pictures"]
    for flip in side["flips"]:
        assert Path(flip["path"]).is_file() and flip["was"]["verdict"] != flip["is"]["verdict"]
    assert untouched(night) == before
    assert night.call("status", "night")["digest"] == digest
    again = night.call("rescore", "night", *A)
    assert (again["measured"], again["known"]) == (0, said["pictures"])
    assert again["changed"] == said["changed"]
    night.healthy("night")


def test_people_read_the_same(night: House) -> None:
    running = night.start("rescore", "night", *A, json_=False)
    assert running.wait() == 0
    text = running.out.read_text()
    assert "quality by use = nima, weights = models/a.json" in text
    assert "the same rule on the same" in text and "turned away" in text and "Spearman +1.00" in text
    assert "gen-emerge rescore night --scorer quality --switch" in text
    assert "measured 32 of 32" in running.err.read_text()


def test_the_newest_alone_and_those_that_thresholds_come_from(night: House) -> None:
    said = night.call("rescore", "night", *A, "--last", "4")
    numbers = {int(n) for payload in tried(night) for n in payload["readings"]}
    passed_filters = {(c - 1) // 4 + 1 for c in numbers}
    assert passed_filters == {1, 2, 3, 8}
    assert said["pictures"] == len(numbers)
    whole = night.call("rescore", "night", *A)
    assert whole["known"] == len(numbers)
    assert whole["changed"]["quality"]["bounds"] == said["changed"]["quality"]["bounds"]


def test_the_newest_alone_are_held_against_everybody_who_was_accepted(night: House) -> None:
    said = night.call("rescore", "night", "--scorer", "novelty", "--with", "use=dreamsim", *SPACE, "--last", "4")
    numbers = {int(n) for payload in tried(night) for n in payload["readings"]}
    with night.store("night") as store:
        accepted = {c.id for c in store.candidates(current=True) if c.status == "passed"}
        recorded = {c: v.outcome for c, each in store.verdicts().items() for v in each if v.gate == "novelty"}
    assert accepted <= numbers
    side = said["changed"]["novelty"]
    on_record = [recorded[number] for number in numbers if number in recorded]
    assert {was: sum(row.values()) for was, row in side["verdicts"].items()} == {
        outcome: on_record.count(outcome) for outcome in ("pass", "review", "fail")
    }


def test_a_trial_that_was_killed_goes_on_where_it_was(night: House) -> None:
    path, env = log(night)
    before = untouched(night)
    running = night.start("rescore", "night", *A, env={**env, "STAND_IN_BREATH": "0.3"})
    night.until(running, lambda: len(tried(night)) >= 2)
    assert running.kill()
    kept = {n for payload in tried(night) for n in payload["readings"]}
    assert 16 <= len(kept) < 32
    path.unlink()
    said = night.call("rescore", "night", *A, env=env)
    assert (said["known"], said["measured"]) == (len(kept), 32 - len(kept))
    assert len(path.read_text().splitlines()) == 32 - len(kept)
    assert untouched(night) == before


def test_two_processes_at_once_store_every_number_once(night: House) -> None:
    env = {"STAND_IN_BREATH": "0.1"}
    both = [night.start("rescore", "night", *A, env=env) for _ in range(2)]
    assert [running.wait() for running in both] == [0, 0]
    numbers = [n for payload in tried(night) for n in payload["readings"]]
    assert len(numbers) == len(set(numbers)) == 32
    assert both[0].said["changed"] == both[1].said["changed"]


def test_beside_a_running_series_nothing_changes_for_it(night: House, reference: dict[str, Any]) -> None:
    running = night.start("run", "night", env={"TROUBLED_SLEEP": "0.3"})
    night.until(running, lambda: night.committed("night") >= 9)
    assert not running.ended()
    said = night.call("rescore", "night", *A)
    assert said["measured"] >= 32
    again = night.call("rescore", "night", "--scorer", "novelty", *("--with", "use=dreamsim"), *SPACE)
    assert again["changed"]["novelty"]["verdicts"] is not None
    assert running.wait() == 0
    assert running.said["digest"] == reference["digest"]
    night.healthy("night")


def test_a_switch_beside_a_running_series_counts_when_it_is_started_again(
    night: House, reference: dict[str, Any]
) -> None:
    night.call("rescore", "night", *A)
    running = night.start("run", "night", env={"TROUBLED_SLEEP": "1.5"})
    night.until(running, lambda: night.committed("night") >= 9)
    assert night.call("rescore", "night", "--scorer", "quality", "--switch")["running"]
    assert running.wait() == 0
    assert running.said["digest"] == reference["digest"]
    night.call("run", "night", "--cycles", "15")
    with night.store("night") as store:
        assert [c.version for c in store.calibrations()] == [1, 2]
    night.healthy("night")


SPACE = ("--with", "weights=models/space.json")


def test_a_damaged_picture_is_said_and_left_out(night: House) -> None:
    with night.store("night") as store:
        images = dict(store.images())
    torn = night.folder("night") / images[5].path
    torn.write_bytes(torn.read_bytes()[:100])
    said = night.call("rescore", "night", *A)
    assert [(left["candidate"], left["path"]) for left in said["left_out"]] == [(5, str(torn))]
    assert said["measured"] == said["pictures"] - 1
    assert said["changed"]["quality"]["not_compared"] == 1


@pytest.mark.parametrize("trouble", ["raises", "nan"])
def test_pictures_that_the_scorer_cannot_measure_are_said_and_left_out(night: House, trouble: str) -> None:
    weights(night, "a", power=3.0, **{trouble: 5})
    said = night.call("rescore", "night", *A)
    word = "no number for this picture" if trouble == "raises" else "quality is nan"
    assert 0 < len(said["left_out"]) < 20
    assert all(word in left["reason"] for left in said["left_out"])
    assert said["measured"] == said["pictures"] - len(said["left_out"])
    assert night.call("rescore", "night", *A)["left_out"] == said["left_out"]
    night.call("rescore", "night", "--scorer", "quality", "--switch")
    assert night.call("run", "night", "--cycles", "10")["cycle"] == 10
    with night.store("night") as store:
        evidence = store.calibrations()[-1].evidence["quality"]
    assert evidence == said["changed"]["quality"]["evidence"]


def test_a_full_disk_stops_a_trial_and_what_was_measured_stays(night: House) -> None:
    before = untouched(night)
    words = ("--scorer", "novelty", "--with", "use=dreamsim", *SPACE)
    error = night.call("rescore", "night", *words, code=5, env={"STAND_IN_FILE_LIMIT": str(40 * 1024)})["error"]
    assert error["code"] == "disk-full"
    assert untouched(night) == before
    kept = sum(len(payload["readings"]) for payload in tried(night))
    assert 0 < kept < 32
    said = night.call("rescore", "night", *words)
    assert (said["known"], said["measured"]) == (kept, 32 - kept)
    night.healthy("night")


def test_in_the_warm_up_there_are_ranks_and_no_verdicts(night: House) -> None:
    night.series("dawn")
    night.call("run", "dawn", "--cycles", "2")
    said = night.call("rescore", "dawn", *A)
    side = said["changed"]["quality"]
    assert (side["bounds"], side["verdicts"], said["overall"]) == (None, None, None)
    assert side["agreement"]["images"] == 8
    switched = night.call("rescore", "dawn", "--scorer", "quality", "--switch")
    assert switched["calibration"] is None
    path, env = log(night)
    night.call("run", "dawn", "--cycles", "5", env=env)
    with night.store("dawn") as store:
        (calibration,) = store.calibrations()
        numbers = store.numbers("quality", side["is"])
        early = {image.pixels for number, image in store.images() if number <= 8}
    assert calibration.evidence["quality"]["version"] == side["is"]
    assert set(numbers) >= set(range(1, 9))
    assert not early & {line.split()[1] for line in path.read_text().splitlines() if line.startswith("other-")}
    night.healthy("dawn")


# ---- a switch, and back ------------------------------------------------------------------------------------------


COMMENTED = """
# Who measures.
[scorers.quality]   # the first gate
# Weights came from a friend.
use = "embedded"    # as it comes

[scorers.style]
use = "embedded"

[gates.style]
upper = "auto"  # both ends
"""


def test_a_switch_is_a_change_of_the_series_file_and_back_is_another(night: House) -> None:
    edit(night, COMMENTED)
    # An input of its own: the file has changed its form, nothing else.
    night.call("rescore", "night", *A)
    shown = night.call("rescore", "night", *A)["changed"]["quality"]
    with night.store("night") as store:
        verdicts = store.verdicts()
    before = file(night).read_text()
    switched = night.call("rescore", "night", "--scorer", "quality", "--switch")
    assert (switched["from_cycle"], switched["running"]) == (9, False)
    assert switched["calibration"] == {"version": 2, "parent": 1}
    assert switched["changed"]["quality"]["bounds"] == shown["bounds"]
    text = file(night).read_text()
    assert text == before.replace(
        'use = "embedded"    # as it comes\n\n[scorers.style]',
        'use = "nima"  # as it comes\nweights = "models/a.json"\n\n[scorers.style]',
    )

    path, env = log(night)
    night.call("run", "night", "--cycles", "11", env=env)
    with night.store("night") as store:
        first, second = store.calibrations()
        after = store.verdicts()
        past = {image.pixels for number, image in store.images() if number <= 32}
    measured = path.read_text().splitlines()
    assert not past & {line.split()[1] for line in measured if line.startswith("other-")}, "nothing is measured twice"
    assert second.bounds["quality"].lower == shown["bounds"]["is"]["lower"]
    assert {gate: second.bounds[gate] for gate in ("prompt", "novelty", "style")} == {
        gate: first.bounds[gate] for gate in ("prompt", "novelty", "style")
    }
    assert {c: after[c] for c in verdicts} == verdicts, "past verdicts stay"
    assert any(kind == "scorer" and cycle == 9 for cycle, kind, _ in night.events("night"))

    back = night.call("rescore", "night", "--scorer", "quality", "--back")
    assert (back["did"], back["calibration"]) == ("back", {"version": 3, "parent": 2})
    assert file(night).read_text() == before.replace('"embedded"    # as', '"embedded"  # as')
    path.unlink()
    night.call("run", "night", env=env)
    with night.store("night") as store:
        third = store.calibrations()[2]
        known = {image.pixels for number, image in store.images() if number <= 44}
    assert third.bounds["quality"] == first.bounds["quality"]
    assert not known & {line.split()[-1] for line in path.read_text().splitlines()}
    status = night.call("status", "night")
    assert status["state"] == "done"
    night.healthy("night")
    # And to the one in between again: it is the one before.
    assert night.call("rescore", "night", "--scorer", "quality", "--back")["table"]["use"] == "nima"


def test_a_switch_installs_the_scorer_that_was_tried_last(night: House) -> None:
    """Of a, b and a again the last is a, though nothing of it was left to be measured; and the switch says so."""
    b = (*A[:4], "--with", "weights=models/b.json")
    for words, measured in ((A, 32), (b, 32), (A, 0)):
        assert night.call("rescore", "night", *words)["measured"] == measured
    running = night.start("rescore", "night", "--scorer", "quality", "--switch", json_=False)
    assert running.wait() == 0
    assert "[scorers.quality] is use = nima, weights = models/a.json now" in running.out.read_text()
    assert tomllib.loads(file(night).read_text())["scorers"]["quality"]["weights"] == "models/a.json"
    # One that is named is taken, whatever was tried last.
    assert night.call("rescore", "night", *b, "--switch")["table"]["weights"] == "models/b.json"


def test_a_switch_leaves_every_other_line_as_it_ends(night: House) -> None:
    mixed = file(night).read_bytes().replace(b"\n", b"\r\n", 3) + b'\r\n[scorers.quality]\nuse = "embedded"\r\n# end\n'
    file(night).write_bytes(mixed)
    night.call("rescore", "night", *A)
    night.call("rescore", "night", "--scorer", "quality", "--switch")
    new = b'use = "nima"\r\nweights = "models/a.json"\r\n'
    assert file(night).read_bytes() == mixed.replace(b'use = "embedded"\r\n', new)


def test_kills_after_a_switch_and_after_a_way_back_change_nothing(night: House, begun: House) -> None:
    import shutil

    digests: list[str] = []
    for disturbed in (False, True):
        if disturbed:
            shutil.rmtree(night.folder("night"))
            shutil.copytree(begun.folder("night"), night.folder("night"))
            night.series("night")
        night.call("rescore", "night", *A)
        night.call("rescore", "night", "--scorer", "quality", "--switch")
        for goal, action in ((11, "--back"), (14, "")):
            if disturbed:
                for committed in range(night.committed("night"), goal, 2):
                    slow = {"TROUBLED_SLEEP": "0.1"}
                    running = night.start("run", "night", "--cycles", str(goal), env=slow)
                    night.until(running, lambda committed=committed: night.committed("night") >= committed)
                    running.kill()
            digests.append(night.call("run", "night", "--cycles", str(goal))["digest"])
            if action:
                night.call("rescore", "night", "--scorer", "quality", action)
        night.healthy("night")
    assert digests[:2] == digests[2:]


def test_a_switch_before_it_is_in_force_is_taken_back(night: House, reference: dict[str, Any]) -> None:
    night.call("rescore", "night", *A)
    night.call("rescore", "night", "--scorer", "quality", "--switch")
    assert tomllib.loads(file(night).read_text())["scorers"]["quality"]["use"] == "nima"
    said = night.call("rescore", "night", "--scorer", "quality", "--back")
    assert said["calibration"] == {"version": 1, "parent": None} and said["changed"] == {}
    assert tomllib.loads(file(night).read_text())["scorers"]["quality"] == {"use": "embedded"}
    assert night.call("run", "night")["digest"] == reference["digest"]


def test_novelty_needs_a_vector_of_every_accepted_picture(night: House) -> None:
    words = ("--scorer", "novelty", "--with", "use=dreamsim", *SPACE)
    assert "pictures that thresholds come from" in refused(night, *words, "--switch")
    night.call("rescore", "night", *words, "--last", "1")
    night.call("run", "night", "--cycles", "9")
    said = refused(night, "--scorer", "novelty", "--switch")
    assert "accepted pictures have no vector" in said
    hint = "gen-emerge rescore night --scorer novelty --with use=dreamsim --with weights=models/space.json"
    assert said.endswith(f"Measure them: {hint}")
    with night.store("night") as store:
        accepted = [c for c in store.candidates(current=True) if c.status == "passed" and c.id > 32]
    assert accepted[0].image is not None
    lost = night.folder("night") / accepted[0].image.path
    whole = lost.read_bytes()
    lost.write_bytes(b"")
    night.call("rescore", "night", *words)
    said = refused(night, "--scorer", "novelty", "--switch")
    assert f"candidate {accepted[0].id}: its file is missing" in said and "gen-emerge verify night" in said
    lost.write_bytes(whole)
    assert night.call("rescore", "night", *words)["measured"] == 1
    night.call("rescore", "night", "--scorer", "novelty", "--switch")
    path, env = log(night)
    digest = night.call("run", "night", "--cycles", "11", env=env)["digest"]
    with night.store("night") as store:
        past = {image.pixels for number, image in store.images() if number <= 36}
        (space,) = [s for s in store.spaces() if s.startswith("other-")]
        ids, _ = store.embeddings(None, space)
    assert not past & {line.split()[1] for line in path.read_text().splitlines() if line.startswith("other-")}
    assert accepted[0].id in ids
    assert night.call("status", "night")["digest"] == digest
    night.healthy("night")

    # The way back: those accepted since have no vector in the old space, and the refusal names what measures them.
    said = refused(night, "--scorer", "novelty", "--back")
    assert said.endswith("Measure them: gen-emerge rescore night --scorer novelty --with use=embedded")
    assert night.call("rescore", "night", "--scorer", "novelty", "--with", "use=embedded")["known"] == 36
    night.call("rescore", "night", "--scorer", "novelty", "--back")
    night.call("run", "night")
    night.healthy("night")


def test_style_goes_with_the_network_it_looks_through(night: House) -> None:
    edit(
        night,
        '\n[scorers.prompt]\nuse = "clip"\nweights = "models/a.json"\n[scorers.style]\nuse = "clip-zero-shot"\n',
    )
    night.call("rescore", "night", "--scorer", "style", "--with", "use=probe", "--with", "weights=models/space.json")
    said = night.call("rescore", "night", "--scorer", "prompt", "--with", "weights=models/b.json")
    tables = {payload["gate"]: payload["table"] for payload in tried(night)}
    assert tables == {"prompt": said["table"], "style": {"use": "clip-zero-shot"}}
    # What was tried last for style is its own scorer, through the other network.
    assert "--scorer style --with use=clip-zero-shot" in refused(night, "--scorer", "style", "--switch")
    assert said["table"] == {"use": "clip", "weights": "models/b.json"}
    assert list(said["changed"]) == ["prompt", "style"]
    assert {payload["gate"] for payload in tried(night)} == {"prompt", "style"}
    night.call("rescore", "night", "--scorer", "prompt", "--switch")
    night.call("run", "night", "--cycles", "9")
    with night.store("night") as store:
        evidence = store.calibrations()[-1].evidence
    assert {g: evidence[g]["version"] for g in said["changed"]} == {g: s["is"] for g, s in said["changed"].items()}


HEAD = """
[scorers.prompt]
use = "clip"
model = "tiny"
weights = "models/a.json"
[scorers.extra]
use = ["laion_v2"]
[scorers.extra.laion_v2]
weights = "models/space.json"
clip = "models/a.json"
"""


def test_an_extra_head_goes_on_with_the_network_it_looks_through(night: House) -> None:
    edit(night, HEAD)
    words = ("--scorer", "prompt", "--with", "weights=models/b.json")
    night.call("rescore", "night", *words)
    said = refused(night, "--scorer", "prompt", "--switch")
    assert "laion_v2 looks through the network of [scorers.prompt]" in said
    assert 'models/a.json" and model = "tiny" in [scorers.extra.laion_v2]' in said
    edit(night, 'model = "tiny"\n')
    assert night.call("rescore", "night", "--scorer", "prompt", "--switch")["table"]["weights"] == "models/b.json"


def test_what_the_series_file_says_already_is_tried_without_any_words(night: House) -> None:
    edit(night, '\n[scorers.quality]\nuse = "nima"\nweights = "models/a.json"\n')
    said = night.call("rescore", "night", "--scorer", "quality")
    assert said["table"]["weights"] == "models/a.json" and said["measured"] == 32
    text = file(night).read_bytes()
    assert night.call("rescore", "night", "--scorer", "quality", "--switch")["from_cycle"] == 9
    assert file(night).read_bytes() == text
    night.call("run", "night", "--cycles", "9")
    assert "nothing to try" in refused(night, "--scorer", "quality")
    assert "already" in refused(night, "--scorer", "quality", "--switch")


# ---- refusals ----------------------------------------------------------------------------------------------------


def test_words_that_mean_nothing(night: House) -> None:
    assert 'Did you mean "quality"?' in refused(night, "--scorer", "qualty", *A[2:])
    assert 'scorers.quality.use = "nimo" is not known. Did you mean "nima"?' in refused(
        night, "--scorer", "quality", "--with", "use=nimo"
    )
    assert "measures prompt, not quality" in refused(night, "--scorer", "quality", "--with", "use=clip")
    assert "wanted KEY=VALUE" in refused(night, "--scorer", "quality", "--with", "nima")
    assert "comes twice" in refused(night, *A, "--with", "use=clip")
    assert "unknown key scorers.quality.weights" in refused(night, "--scorer", "quality", "--with", "weights=x")
    assert "nothing to try" in refused(night, "--scorer", "quality")
    assert "not on this disk" in refused(night, *A[:4], "--with", "weights=models/none.json")
    assert "--last belongs to a trial" in refused(night, *A, "--switch", "--last", "3")
    assert "--last belongs to a trial, not to --back" in refused(night, *A[:2], "--back", "--last", "3")
    assert "--with names another" in refused(night, *A, "--back")
    for both in (("--switch", "--back"), ("--back", "--switch")):
        assert "--switch and --back are two ways" in refused(night, *A[:2], *both)
    assert "there is none to go back to" in refused(night, "--scorer", "quality", "--back")
    assert "already" in refused(night, "--scorer", "quality", "--switch")


def test_what_is_wrong_with_an_option_is_said_of_the_option(night: House) -> None:
    """Nobody is sent to the series file, which does not name the scorer that is tried."""
    correct = "Correct that --with; nothing was changed."
    quality = ("--scorer", "quality", "--with", "use=nima", "--with")
    assert refused(night, "--scorer", "quality", "--with", "use=3").endswith(f"wanted a text in quotes. {correct}")
    assert refused(night, *quality, "weights=3").endswith(
        f"scorers.quality.weights = 3: wanted a text in quotes. {correct}"
    )
    said = refused(night, *quality[:4])
    assert "not on this disk" in said and said.endswith("gen-emerge models pull nima-aesthetic")
    weights(night, "strict", refuses='Write model = "ViT-B-32-quickgelu".')
    strict = refused(night, *quality, "weights=models/strict.json")
    assert strict.endswith("Give --with model=ViT-B-32-quickgelu.")
    # The same in the series file is corrected there.
    edit(night, '\n[scorers.quality]\nuse = "nima"\nweights = 3\n')
    assert refused(night, "--scorer", "quality").endswith("Correct the series file; nothing was changed.")


def test_a_series_without_pictures(night: House) -> None:
    night.series("empty")
    error = night.call("rescore", "empty", *A, code=2)["error"]
    assert "not been run yet" in error["message"] and error["hint"] == "gen-emerge run empty"
    night.series("dark", generator={"raises": 1})
    night.call("run", "dark", "--cycles", "1")
    error = night.call("rescore", "dark", *A, code=2)["error"]
    assert "no picture that came as far as the gates" in error["message"]
    assert 'Did you mean "night"?' in night.call("rescore", "nigth", *A, code=2)["error"]["hint"]


def test_what_was_not_tried_is_not_switched_to(night: House) -> None:
    said = refused(night, *A, "--switch")
    assert "0 of the 12 pictures that thresholds come from are measured" in said
    assert said.endswith(f"gen-emerge rescore night --scorer quality {' '.join(A[2:])}")
    night.call("rescore", "night", *A)
    weights(night, "a", power=4.0)  # another file under the same name
    assert "0 of the 12 pictures" in refused(night, "--scorer", "quality", "--switch")


def test_the_version_before_must_still_be_here(night: House) -> None:
    night.call("rescore", "night", *A)
    night.call("rescore", "night", "--scorer", "quality", "--switch")
    night.call("run", "night", "--cycles", "9")
    b = (*A[:4], "--with", "weights=models/b.json")
    night.call("rescore", "night", *b)
    night.call("rescore", "night", "--scorer", "quality", "--switch")
    night.call("run", "night", "--cycles", "10")
    weights(night, "a", power=7.0)
    assert "that version is no longer here" in refused(night, "--scorer", "quality", "--back")


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ("[gates.quality]\nlower = 0.0\n", "[gates.quality] says lower = 0: a number of the scorer in force"),
        ("[gates.quality]\nlower = 0.25\n", "[gates.quality] says lower = 0.25: a number of the scorer in force"),
        ('[filters]\nrules = [{ signal = "quality", below = 0.01, name = "poor" }]\n', "The rule poor of [filters]"),
    ],
)
def test_numbers_of_the_old_scorer_meet_no_new_ones(night: House, tables: str, words: str) -> None:
    edit(night, f"\n{tables}")
    shown = night.call("rescore", "night", *A)["changed"]["quality"]
    if "gates" in tables:
        assert 0 < shown["fixed"]["lower"] < 10
    assert words in refused(night, "--scorer", "quality", "--switch")


@pytest.mark.parametrize("cycles", ["2", "5"])
def test_an_axis_of_the_map_keeps_its_scorer(night: House, cycles: str) -> None:
    night.series("axis", archive={"axes": ["warmth", "quality"]})
    night.call("run", "axis", "--cycles", cycles)
    night.call("rescore", "axis", *A)
    error = night.call("rescore", "axis", "--scorer", "quality", "--switch", code=2)["error"]
    assert "quality is an axis of the map" in error["message"]


def test_a_file_that_cannot_be_written_stays_as_it_is(night: House) -> None:
    night.call("rescore", "night", *A)
    (file(night).parent / ".night.toml.draft").mkdir()  # where its new form would be written
    assert "cannot be written to" in refused(night, "--scorer", "quality", "--switch")
    (file(night).parent / ".night.toml.draft").rmdir()
    edit(night, '\n[scorers]\nquality = { use = "embedded" }\n')
    said = refused(night, "--scorer", "quality", "--switch")
    assert "cannot be changed line by line" in said
    assert 'Write it by hand: [scorers.quality] use = "nima"; weights = "models/a.json"' in said
