"""Which models a series needs, where they are looked for, and what is said of those that are not here."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gen_emerge.config import KNOWN, load, parse
from gen_emerge.crew import limits_of
from gen_emerge.equip import resolved
from gen_emerge.errors import BadConfig, MissingExtra, MissingModel
from gen_emerge.models import home, libraries
from gen_emerge.models.catalogue import catalogue
from gen_emerge.models.home import Kept, Record
from gen_emerge.needs import fetchable, needs, preflight

GATE_MODELS = ["nima-aesthetic", "clip-vit-b-32", "dreamsim-open_clip_vitb32"]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("GEN_EMERGE_MODELS", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


@pytest.fixture
def put(models: Path) -> Callable[[str], Path]:
    """Leave a model of the catalogue as if it had been fetched."""

    def putting(name: str) -> Path:
        entry, folder = catalogue()[name], models / name
        folder.mkdir(parents=True)
        file = entry.weights or "weights.bin"
        (folder / file).write_bytes(b"x")
        home.write_record(name, Record(folder=folder, files=(Kept(path=file, sha256="ab" * 32, size=1),)))
        return folder / entry.weights if entry.weights else folder

    return putting


def series(**tables: Any) -> Any:
    return parse({"name": "night", "profile": "diffusion", **tables})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "checkpoint").mkdir()
    return tmp_path / "checkpoint"


def test_a_detector_s_folder_is_one_of_the_models_a_series_needs(tmp_path: Path) -> None:
    table: dict[str, Any] = {"use": ["seams", "regions"], "regions": {"model": "hands", "labels": {"bad hand": "hand"}}}
    config = parse({"name": "night", "detectors": table})
    (found,) = needs(config, tmp_path)
    assert (found.key, found.use, found.name, found.path) == ("detectors.regions.model", "regions", "hands", None)
    assert resolved(config, tmp_path).detectors == config.detectors
    (tmp_path / "hands").mkdir()
    assert needs(config, tmp_path)[0].path == tmp_path / "hands"
    assert resolved(config, tmp_path).detectors.options["regions"]["model"] == str(tmp_path / "hands")
    assert config.detectors.options["regions"]["model"] == "hands"
    with pytest.raises(BadConfig, match=r"detectors\.regions\.model is not given"):
        needs(parse({"name": "a", "detectors": {"use": ["regions"]}}), tmp_path)
    preflight(parse({"name": "a", "detectors": {"use": ["seams"]}}), tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
@pytest.mark.models
def test_a_detector_s_folder_that_is_missing_stops_a_series_before_it_begins(tmp_path: Path) -> None:
    table: dict[str, Any] = {"use": ["regions"], "regions": {"model": "hands", "labels": {"bad hand": "hand"}}}
    with pytest.raises(MissingModel, match=r"detectors\.regions\.model: hands \(regions\)"):
        preflight(parse({"name": "night", "detectors": table}), tmp_path)


def test_the_configuration_of_a_scorer_s_network_is_looked_for_in_the_studio_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "w.safetensors").write_bytes(b"x")
    options = {"weights": "w.safetensors", "med_config": "mine.json", "tokenizer": "bert"}
    config = parse({"name": "a", "scorers": {"extra": {"use": ["imagereward"], "imagereward": options}}})
    assert [need.path for need in needs(config, tmp_path)][-1] == tmp_path / "mine.json"
    assert resolved(config, tmp_path).scorers.extra.options["imagereward"]["med_config"] == str(tmp_path / "mine.json")


def test_the_embedded_profile_needs_nothing(tmp_path: Path) -> None:
    config = parse({"name": "a"})
    assert needs(config, tmp_path) == [] and resolved(config, tmp_path) == config
    preflight(config, tmp_path)


def test_an_empty_checkpoint_is_refused_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"generator\.model is empty.*gen-emerge models list"):
        needs(series(), tmp_path)


def test_a_series_needs_its_checkpoint_and_three_models_for_four_gates(tmp_path: Path, checkpoint: Path) -> None:
    found = needs(series(generator={"model": str(checkpoint)}), tmp_path)
    assert [need.name for need in found] == [str(checkpoint), *GATE_MODELS]
    assert [need.path for need in found] == [checkpoint, None, None, None]
    assert [model.name for model in fetchable(series(generator={"model": str(checkpoint)}), tmp_path)] == GATE_MODELS


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
@pytest.mark.models
def test_everything_that_is_missing_is_named_with_the_command_that_fetches_it(
    tmp_path: Path, put: Callable[[str], Path]
) -> None:
    config = series(generator={"model": "owner/name", "revision": "a" * 40})
    put("nima-aesthetic")
    with pytest.raises(MissingModel) as missing:
        preflight(config, tmp_path)
    said = missing.value
    assert "3 models are not on this disk" in said.message and "nima" not in said.message
    for part in ("owner/name", "clip-vit-b-32", "605 MB", "licence: MIT", "dreamsim-open_clip_vitb32"):
        assert part in said.message
    assert said.hint == "gen-emerge models pull --series night" and said.exit_code == 2


def test_a_series_that_lacks_the_models_extra_says_so_before_it_is_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gen_emerge import standing

    def needs(name: str) -> object:
        return standing.status(repository, tmp_path, name).get("needs")

    for there, said in ((None, "the models extra"), (object(), None)):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name, there=there: there)
        assert (needs("diffusion-6gb"), needs("first-light")) == (said, None)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_without_the_extra_its_command_is_given(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detectors: dict[str, Any] = {"use": ["regions"], "regions": {"model": "x", "labels": {"a": "b"}}}
    monkeypatch.setattr(libraries, "_HOME", tmp_path)  # no clone
    with pytest.raises(MissingExtra, match=r'detector "regions" needs torch.*gen-emerge\[models\]'):
        preflight(parse({"name": "a", "detectors": detectors}), tmp_path)
    with pytest.raises(MissingExtra, match=r"gen-emerge\[models\]"):
        preflight(series(generator={"model": str(checkpoint)}), tmp_path)
    mixed = parse({"name": "a", "scorers": {"quality": {"use": "nima"}}})
    with pytest.raises(MissingExtra, match='scorer "nima"'):
        preflight(mixed, tmp_path)


@pytest.mark.parametrize(
    ("clone", "prefix", "installer", "command"),
    [
        (False, "env", "pip", 'pip install "gen-emerge[models]"'),
        (False, "env", "uv", 'uv pip install "gen-emerge[models]"'),
        (False, "env", None, 'pip install "gen-emerge[models]"'),
        (True, "home/.venv", "uv", "make -C {home} setup-models, then call {home}/.venv-models/bin/gen-emerge"),
        (True, "home/.venv-models", "uv", "make -C {home} setup-models, then call {home}/.venv-models/bin/gen-emerge"),
        (True, "env", "pip", 'pip install -e "{home}[models]"'),
        (True, "env", "uv", 'uv pip install -e "{home}[models]"'),
    ],
)
def test_the_command_fits_how_gen_emerge_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clone: bool, prefix: str, installer: str | None, command: str
) -> None:
    home = tmp_path / "home"
    (home / ".ci").mkdir(parents=True)
    if clone:
        (home / ".ci" / "setup").touch()

    def distribution(name: str) -> Any:
        if installer is None:
            raise PackageNotFoundError(name)
        return SimpleNamespace(read_text=lambda file: f"{installer}\n" if file == "INSTALLER" else None)

    monkeypatch.setattr(libraries, "_HOME", home)
    monkeypatch.setattr(libraries, "distribution", distribution)
    monkeypatch.setattr("sys.prefix", str(tmp_path / prefix))
    wanted = f"Install the extra: {command.format(home=home)}"
    assert libraries.how_to_install() == wanted
    with pytest.raises(MissingExtra) as told:
        libraries.library("a_library_nobody_has", what="Somebody")
    assert told.value.hint == wanted


def test_this_tree_is_a_clone(repository: Path) -> None:
    assert (repository / ".ci" / "setup").is_file() and repository == libraries._HOME


@pytest.mark.parametrize("size", [6, 8, 12, 24])
def test_a_ready_series_asks_of_its_checkpoint_what_the_catalogue_says_it_was_made_for(
    repository: Path, size: int
) -> None:
    """Steps and guidance, as its makers recommend them; `docs/models.md` is written from the catalogue."""
    options = load(repository / "experiments" / "series" / f"diffusion-{size}gb.toml").generator.options
    said = catalogue()[options["model"]].what
    steps, guidance = re.search(r"; ([0-9]+) steps, guidance ([0-9.]+),", said).groups()
    assert (options["steps"], options["guidance"]) == (int(steps), float(guidance))
    assert said in (repository / "docs" / "models.md").read_text()


def test_fetched_models_are_filled_in_and_what_says_nothing_is_left_out(
    tmp_path: Path, checkpoint: Path, put: Callable[[str], Path]
) -> None:
    paths = {name: str(put(name)) for name in GATE_MODELS}
    config = resolved(series(generator={"model": "checkpoint"}), tmp_path)
    assert config.generator.options["model"] == str(checkpoint) and "revision" not in config.generator.options
    assert config.scorers.quality.options == {"weights": paths["nima-aesthetic"]}
    assert config.scorers.prompt.options == {"model": "ViT-B-32", "weights": paths["clip-vit-b-32"]}
    assert config.scorers.style.options == {}  # looks through the prompt gate's tower
    assert config.scorers.novelty.options == {
        "type": "open_clip_vitb32",
        "weights": paths["dreamsim-open_clip_vitb32"],
        "sha256": {"weights.bin": "ab" * 32},
    }


def test_a_path_is_looked_for_in_the_studio_folder(tmp_path: Path, checkpoint: Path) -> None:
    for name in ("mine.safetensors", "tower.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    config = series(
        generator={"model": "checkpoint", "loras": ["mine.safetensors@0.8", "gone.safetensors"]},
        scorers={"prompt": {"weights": "tower.safetensors", "model": "tiny"}, "quality": {"weights": "gone.hdf5"}},
    )
    found = {need.key: need.path for need in needs(config, tmp_path)}
    assert found["scorers.prompt.weights"] == tmp_path / "tower.safetensors"
    assert found["scorers.quality.weights"] is None
    filled = resolved(config, tmp_path)
    assert filled.generator.options["loras"] == [f"{tmp_path / 'mine.safetensors'}@0.8", "gone.safetensors"]
    assert filled.scorers.prompt.options["weights"] == str(tmp_path / "tower.safetensors")
    assert filled.scorers.quality.options["weights"] == "gone.hdf5"


def test_style_may_have_a_tower_of_its_own(tmp_path: Path, checkpoint: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    config = series(
        generator={"model": "checkpoint"},
        scorers={"prompt": {"weights": "a.safetensors"}, "style": {"weights": "b.safetensors", "model": "tiny"}},
    )
    style = resolved(config, tmp_path).scorers.style.options
    assert style == {"weights": str(tmp_path / "b.safetensors"), "model": "tiny"}


def test_a_pickled_extra_gets_the_hash_that_was_written_down(
    tmp_path: Path, checkpoint: Path, put: Callable[[str], Path]
) -> None:
    head, tower = put("laion-v2"), put("clip-vit-l-14-openai")
    config = series(generator={"model": "checkpoint"}, scorers={"extra": {"use": ["laion_v2", "psnr"]}})
    assert {"laion-v2", "clip-vit-l-14-openai"} <= {need.name for need in needs(config, tmp_path)}
    assert resolved(config, tmp_path).scorers.extra.options == {
        "laion_v2": {"weights": str(head), "sha256": "ab" * 32, "clip": str(tower), "model": "ViT-L-14-quickgelu"}
    }


def test_an_extra_looks_through_the_prompt_gates_tower_where_it_is_the_one_it_needs(
    tmp_path: Path, checkpoint: Path, put: Callable[[str], Path]
) -> None:
    put("laion-v2"), put("clip-vit-l-14-openai")
    prompt = {"model": "ViT-L-14-quickgelu", "weights": "clip-vit-l-14-openai"}
    tables = {"prompt": prompt, "extra": {"use": ["laion_v2"]}}
    extra = resolved(series(generator={"model": "checkpoint"}, scorers=tables), tmp_path).scorers.extra
    assert "clip" not in extra.options["laion_v2"] and "model" not in extra.options["laion_v2"]


def test_a_mixed_series_needs_only_what_is_not_embedded(tmp_path: Path) -> None:
    config = parse({"name": "a", "scorers": {"style": {"use": "clip-zero-shot"}}})
    assert [need.name for need in needs(config, tmp_path)] == ["clip-vit-b-32"]


def test_the_extras_a_series_may_name_are_the_ones_there_are() -> None:
    from gen_emerge.scorers.extras import NAMES

    assert KNOWN.extras == set(NAMES)


def test_signals_have_their_natural_limits(checkpoint: Path) -> None:
    limits = limits_of(series())
    assert limits["quality"] == (1.0, 10.0) and limits["prompt"] == (-2.0, 2.0) and limits["style"] == (0.0, 1.0)
    assert "quality" not in limits_of(parse({"name": "a"}))


def test_the_page_about_models_holds_the_catalogue_as_it_is(repository: Path) -> None:
    from gen_emerge.cli.docs import with_table

    text = (repository / "docs" / "models.md").read_text(encoding="utf-8")
    assert with_table(text) == text, "run: python -m gen_emerge.cli.docs"
    assert all(entry.bias in text and entry.licence in text for entry in catalogue().values())
