"""Takes and detectors through the doors: a series file to what status, inspect, the report and the doctor say."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gen_emerge import crew as crews
from gen_emerge import inspection
from gen_emerge.audit import verify
from gen_emerge.cli import main as door
from gen_emerge.config import as_table, fixed, load, parse
from gen_emerge.errors import BadConfig, BadInput, FixedKeyChanged, MissingExtra
from gen_emerge.fakes import FakeGenerator, FakeScorer
from gen_emerge.fates import SELECTOR
from gen_emerge.generators.diffusion.options import read_options
from gen_emerge.models import libraries
from gen_emerge.propose import Proposer
from gen_emerge.reports.page import render_html
from gen_emerge.roles import Crew
from gen_emerge.series import Studio
from gen_emerge.state import State
from gen_emerge.store import Store
from gen_emerge.store.images import read_pixels
from gen_emerge.types import Genome

LOOP = {"batch": 4, "warmup_cycles": 2, "cycles": 6, "best_of": 3, "checkin_every": 2}
SMALL = {"width": 64, "height": 64}


@pytest.fixture
def house(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr(crews, "load_generator", lambda config: FakeGenerator())
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    return Studio(studio)


@pytest.fixture
def night(house: Studio) -> Studio:
    house.new("night", image=SMALL, loop=LOOP, selector={"signals": ["quality"]}, archive={"dims": [4, 4]})
    house.run("night")
    return house


def edit(house: Studio, **lines: str) -> None:
    """Change keys of the series file, line by line, as a user's editor would."""
    path = house.root / "experiments" / "series" / "night.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in lines.items():
        text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.M)
        assert found == 1
    path.write_text(text, encoding="utf-8")


def settings_changes(house: Studio) -> list[int]:
    with Store.open(house.archive / "night", readonly=True) as store:
        return [cycle for cycle, event in store.events() if event.kind == "config"]


def use(**table: Any) -> Any:
    return parse({"name": "night", **table}, known=crews.known_names())


# ---- takes -------------------------------------------------------------------------------------------------------


def test_a_series_of_takes_is_counted_told_and_verified(night: Studio) -> None:
    status = night.status("night")
    assert status["candidates"] == 6 * 4 * 3
    assert status["rejected"]["filters"] == {"selector": 6 * 4 * 2}
    assert verify(night.root, night.archive, "night")["problems"] == []
    assert len(list((night.archive / "night" / "images").rglob("*.png"))) == 72
    said = night.inspect("night")["selector"]
    assert (said["use"], said["signals"], said["best_of"], said["efficiency"]) == ("signal", ["quality"], 3, None)
    _, data = inspection.survey(night.root, night.archive, "night")
    steps = {step.step: step.count for step in data.funnel}
    assert (steps["rendered"], steps["after the hard filters"]) == (72, 72)
    assert steps["chosen, one of 3 takes"] == 24
    assert SELECTOR not in {row.name for row in data.firing}
    assert {len(h.values) for h in data.histograms if h.name == "quality"} == {24}
    page = render_html(data)
    assert "Of 3 takes of each genome the selector (quality) let one go on." in page
    assert "not enough answers yet" in page
    assert "48 takes were passed over" in page
    assert not re.search(r"largest step down[^.]*chosen", page)
    assert status["images_per_minute"] > 0


def test_a_series_of_one_take_says_nothing_of_a_selector(house: Studio) -> None:
    house.new("night", image=SMALL, loop={**LOOP, "best_of": 1})
    house.run("night", cycles=3)
    assert house.inspect("night")["selector"] is None
    _, data = inspection.survey(house.root, house.archive, "night")
    assert not any("selector" in step.step for step in data.funnel) and data.selector == ""


def test_the_number_of_takes_is_fixed_and_the_selector_is_not(night: Studio) -> None:
    edit(night, best_of="2")
    with pytest.raises(FixedKeyChanged, match=r"loop\.best_of was 3 .* is 2 now.*Write loop\.best_of = 3 again"):
        night.run("night", cycles=8)
    edit(night, best_of="3", signals='["style"]')
    night.run("night", cycles=7)
    assert settings_changes(night) == [7]
    assert night.inspect("night")["selector"]["since"] == 7
    edit(night, concurrency="3")
    night.run("night", cycles=8)
    assert settings_changes(night) == [7], "how many calls at a time decides nothing"


def test_a_series_of_before_there_were_takes_goes_on_as_it_was(house: Studio) -> None:
    house.new("night", image=SMALL, loop={**LOOP, "best_of": 1})
    house.run("night", cycles=3)
    path = house.archive / "night" / "series.db"
    with sqlite3.connect(path) as connection:
        (facts,) = connection.execute("SELECT facts FROM series").fetchone()
        old = json.loads(facts)
        assert old.pop("takes") == 1 and old["fixed"].pop("loop.best_of") == 1
        (trigger,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'series' AND sql LIKE '%UPDATE%'"
        ).fetchone()
        connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE series SET facts = ?", (json.dumps(old),))
    house.run("night", cycles=5)
    assert settings_changes(house) == [] and house.status("night")["cycle"] == 5


def test_what_a_series_is_recognised_by_is_what_it_was(repository: Path) -> None:
    """The settings that a series of an earlier version stored: new tables are left out while they say nothing."""
    from gen_emerge.crew import load_banks
    from gen_emerge.opening import _settings  # pyright: ignore[reportPrivateUsage]

    config = load(repository / "experiments" / "series" / "first-light.toml")
    stored = _settings(config, *load_banks(config, repository))["settings"]
    assert {"selector", "detectors"}.isdisjoint(stored)
    assert "best_of" not in stored["loop"] and "concurrency" not in stored["critic"]
    assert {"selector", "detectors"} <= set(as_table(config)) and fixed(config)["loop.best_of"] == 1
    changed = config.model_copy(update={"detectors": use(detectors={"use": ["seams"]}).detectors})
    assert "detectors" in _settings(changed, *load_banks(config, repository))["settings"]


def test_a_requested_round_sets_two_takes_side_by_side_and_the_answer_is_counted(
    night: Studio, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def call(*arguments: object) -> Any:
        capsys.readouterr()
        assert door.main(["--root", str(night.root), "--json", *map(str, arguments)]) == 0
        return json.loads(capsys.readouterr().out)

    before = call("inspect", "night")["selector"]["pairs"]
    asked = call("rounds", "night", "--open", "pairs")
    with Store.open(night.archive / "night", readonly=True) as store:
        passed_over = {c.image.path for c in store.candidates() if c.cause == SELECTOR and c.image}
    pairs = [q for q in asked["questions"] if passed_over & set(q["images"].values())]
    assert len(pairs) == 1 and pairs[0]["ask"] == "quality"
    assert [q["id"] for q in asked["questions"] if q.get("takes")] == [pairs[0]["id"]]
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"question": pairs[0]["id"], "answer": "left"}) + "\n")
    call("judge", "night", "--answers", answers, "--rater", "anna")
    assert call("inspect", "night")["selector"]["pairs"] == before + 1


def test_a_selector_nothing_measures_for_is_refused_before_anything_is_made(house: Studio) -> None:
    house.new("night", image=SMALL, loop=LOOP)
    edit(house, signals='["quality_spread"]')  # known, but of another scorer than this series has
    with pytest.raises(BadConfig, match=r'nothing here measures "quality_spread".*"quality"'):
        house.run("night")
    assert not (house.archive / "night").exists()


def test_the_crew_is_given_what_the_file_says(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "load_scorers", lambda config, references: (FakeScorer(),))
    config = use(
        loop={"best_of": 4},
        critic={"concurrency": 3},
        detectors={"use": ["seams"], "seams": {"least_share": 0.9}},
        selector={"use": "pareto", "signals": ["quality", "prompt"]},
    )
    crew = crews.assemble(config, root=repository, references=[])
    assert (crew.concurrency, crew.rhythm.best_of, crew.rhythm.slots) == (3, 4, 32)
    assert (crew.selector.rule, crew.selector.signals) == ("pareto", ("quality", "prompt"))
    assert crew.versions["seams"] == "seams-1:share-0.9:wraps-False"
    plain = crews.assemble(use(), root=repository, references=[])
    assert (plain.concurrency, plain.rhythm.slots, plain.detectors) == (8, 8, ()) and "seams" not in plain.versions


# ---- detectors ---------------------------------------------------------------------------------------------------


def package(folder: Path, name: str, code: str) -> None:
    """Another distribution, installed in a folder, with one detector."""
    info = folder / f"added_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: added-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[gen_emerge.detectors]\n{name} = added_{name}:Found\n")
    (folder / f"added_{name}.py").write_text(code)


CODE = """
from gen_emerge.types import Defect
class Found:
    name, version = "{name}", "{name}-1"
    def __init__(self, options, *, device): self.least = options.get("least", 0)
    def find(self, images):
        box = (0.0, 0.0, 1.0, 1.0)
        dull = (Defect(kind="dull", box=box, reason="Little of it is red."),)
        return [dull if image[..., 0].mean() < self.least else () for image in images]
"""


def test_another_package_s_detector_is_used_counted_and_can_be_set(
    house: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "dullness", CODE.format(name="dullness"))
    monkeypatch.syspath_prepend(str(tmp_path))
    detectors = {"use": ["dullness"], "dullness": {"least": 100}}
    house.new("night", image=SMALL, loop={**LOOP, "best_of": 1}, detectors=detectors)
    status = house.run("night")
    assert 0 < status["rejected"]["filters"]["dullness"] < 24
    _, data = inspection.survey(house.root, house.archive, "night")
    assert "after the hard filters and detectors" in {step.step for step in data.funnel}
    assert ("filter", "dullness") in {(row.kind, row.name) for row in data.firing}
    path = house.root / "experiments" / "series" / "night.toml"
    path.write_text(path.read_text().replace("least = 100", "least = 90"), encoding="utf-8")
    house.run("night", cycles=7)
    assert settings_changes(house) == [7]
    with pytest.raises(BadConfig, match=r'"dulness" is not known.*"dullness"'):
        use(detectors={"use": ["dulness"]})


@pytest.mark.parametrize("name", ["quality", "black", "selector", "lightness", "generator"])
def test_a_detector_may_not_bear_a_name_that_is_counted_already(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package(tmp_path, name, CODE.format(name=name))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match=f'A detector cannot be called "{name}"'):
        crews.assemble(use(detectors={"use": [name]}), root=repository, references=[])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("least_share = 2", "detectors.seams.least_share = 2: wanted a number from 0.01 to 1."),
        ("least_share = 0", "detectors.seams.least_share = 0: wanted a number from 0.01 to 1."),
        ("least_share = -0.5", "detectors.seams.least_share = -0.5: wanted a number from 0.01 to 1."),
        ("least_share = true", "detectors.seams.least_share = True: wanted a number from 0.01 to 1."),
        ('least_share = "most"', "detectors.seams.least_share = 'most': wanted a number from 0.01 to 1."),
        ("wraps = 1", "detectors.seams.wraps = 1: wanted true or false."),
        ("share = 0.5", 'detectors.seams has no option "share".'),
    ],
)
def test_a_detector_s_option_out_of_its_range_ends_before_anything_is_made(
    house: Studio, capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    house.new("night", image=SMALL, loop=LOOP)
    path = house.root / "experiments" / "series" / "night.toml"
    text, found = re.subn(r"(\[detectors\]\n#.*\n)use = \[\]", rf'\1use = ["seams"]\nseams.{options}', path.read_text())
    path.write_text(text)
    assert found == 1
    capsys.readouterr()
    assert door.main(["--json", "--root", str(house.root), "run", "night"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"] == said and error["hint"]
    assert not (house.archive / "night").exists()


def test_detectors_beside_the_embedded_profile_turn_away_what_they_find(studio: Path) -> None:
    """The real painter and the shipped networks: every picture with a seam in it is counted there, and no other."""
    real = Studio(studio)
    table = {"use": ["seams"], "seams": {"least_share": 0.5, "wraps": True}}
    path = real.new("night", profile="embedded", image={"width": 64, "height": 64}, loop=LOOP, detectors=table)
    config = load(path, known=crews.known_names())
    assert (config.profile, config.detectors.options) == ("embedded", {"seams": table["seams"]})
    assert parse(as_table(config), known=crews.known_names()) == config
    status = real.run("night")
    (seams,) = crews.load_detectors(config)
    with Store.open(real.archive / "night", readonly=True) as store:
        made = {c.id: (c, read_pixels(real.archive / "night" / c.image.path)) for c in store.candidates(current=True)}
        counted = {
            number: signals["seams"].value for number, signals in store.signals(None).items() if "seams" in signals
        }
        told = {number: [v for v in each if v.gate == "seams"] for number, each in store.verdicts().items()}
    found = {number: len(seams.find([pixels])[0]) for number, (_, pixels) in made.items()}
    turned_away = {number for number, (candidate, _) in made.items() if candidate.cause == "seams"}
    assert counted and counted == {number: found[number] for number in counted}
    assert turned_away == {number for number in counted if found[number]}
    assert 0 < len(turned_away) < len(counted)
    assert status["rejected"]["filters"]["seams"] == len(turned_away)
    assert all("seam at" in told[number][0].reason or "Tiled" in told[number][0].reason for number in turned_away)
    assert verify(real.root, real.archive, "night")["problems"] == []


def test_a_detector_s_options_at_the_ends_of_their_ranges_are_taken() -> None:
    for share in (0.01, 1, 1.0):
        (seams,) = crews.load_detectors(use(detectors={"use": ["seams"], "seams": {"least_share": share}}))
        assert seams.version == f"seams-1:share-{float(share)}:wraps-False"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "gpu"}, 'generator.device = \'gpu\': wanted "auto", "cuda"'),
        ({"device": "cuda:x"}, "generator.device = 'cuda:x': wanted"),
        ({"dtype": "float8"}, 'generator.dtype = \'float8\': wanted "auto", "float32"'),
        (
            {"loras": ["a.safetensors@80"]},
            "generator.loras = 'a.safetensors@80': wanted a file and its weight from -10",
        ),
        ({"loras": ["a.safetensors@nan"]}, "generator.loras = 'a.safetensors@nan': wanted a file and its weight"),
        ({"steps": 0}, "generator.steps = 0: wanted a whole number, 1 to 1000"),
        ({"guidance": -1}, "generator.guidance = -1: wanted a number from 0 to 100"),
        ({"batch": 0}, "generator.batch = 0: wanted a whole number"),
    ],
)
def test_a_generator_s_option_out_of_its_range_is_refused_by_its_path(options: dict[str, Any], said: str) -> None:
    assert read_options({"model": "x", "device": "cuda:1", "dtype": "bfloat16", "loras": ["a.safetensors@-10"]})
    with pytest.raises(BadInput) as told:
        read_options({"model": "x", **options})
    assert told.value.message.startswith(said) and told.value.hint.startswith("Correct ")


def test_a_detector_that_calls_itself_otherwise_or_lacks_a_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "faces", CODE.format(name="hands"))
    package(tmp_path, "feet", "import a_library_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match='"faces" calls itself "hands"'):
        crews.load_detectors(use(detectors={"use": ["faces"]}))
    with pytest.raises(MissingExtra, match=r"added-feet cannot be imported.*pip install a_library_nobody_has"):
        crews.load_detectors(use(detectors={"use": ["feet"]}))


def test_the_doctor_knows_the_detectors(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gen_emerge.cli import checkup

    package(tmp_path, "feet", "import a_library_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("gen_emerge.scorers.defects.find_spec", lambda name: None)
    found = checkup.checkup(None, None)["detectors"]
    assert found["seams"] == "" and libraries.how_to_install() in found["regions"]
    assert "pip install a_library_nobody_has" in found["feet"]


def test_a_detector_that_kills_its_process_is_met_in_the_probe(
    studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "deadly", "import os\n" + CODE.format(name="deadly").replace("box = (", "os._exit(7); box = ("))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).resolve().parent.parent}")
    config = use(image={"width": 32, "height": 32}, detectors={"use": ["deadly"]})
    crew = crews.assemble(config, root=studio, references=["a print"])
    (genome,) = proposed(crew, 1)
    assert crew.probe([genome]) == {genome.hash: "ended its process (exit code 7)"}


def proposed(crew: Crew, many: int) -> list[Genome]:
    """The genomes of a first cycle."""
    proposer = Proposer(
        seed=1,
        batch=many,
        warmup_cycles=1,
        size=(32, 32),
        generator=crew.generator,
        bank=crew.prompts,
        emitters=crew.emitters,
        genomes=lambda hashes: {},
    )
    return [proposal.genome for proposal in proposer.propose(1, State(), waiting=())]


def test_whatever_is_printed_in_the_probe_a_death_is_put_on_the_genome_that_died(
    studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two words of the protocol itself, by the language and past it, from whoever looks at the first picture."""
    chatty = 'import os, sys; print("done", flush=True); os.write(1, b"done\\n"); os._exit(7); box = ('
    package(tmp_path, "chatty", CODE.format(name="chatty").replace("box = (", chatty))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).resolve().parent.parent}")
    config = use(image={"width": 32, "height": 32}, detectors={"use": ["chatty"]})
    crew = crews.assemble(config, root=studio, references=["a print"])
    genomes = proposed(crew, 3)
    # All three end their process, each in its turn: none is skipped for what another one printed.
    assert set(crew.probe(genomes)) == {genome.hash for genome in genomes}
