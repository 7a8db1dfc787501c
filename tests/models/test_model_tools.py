"""Commands that use models outside a series: score, distance, doctor --models, train; each in a process of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

LIBRARIES = ("torch", "open_clip", "dreamsim", "h5py", "lpips")
if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
    pytest.skip(f"needs {', '.join(missing)}", allow_module_level=True)

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(900)]

SERIES = """
name = "night"
profile = "diffusion"
[scorers.quality]
weights = "models/nima.hdf5"
[scorers.prompt]
model = "tiny-clip"
weights = "models/tiny-clip.safetensors"
[scorers.novelty]
type = "dino_vitb16"
weights = "models/dreamsim"
allow_hub_code = true
sha256 = {pins}
"""


@pytest.fixture(scope="module")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tiny_scorers

    folder = tmp_path_factory.mktemp("tools") / "models"
    folder.mkdir()
    tiny_scorers.nima_file(folder / "nima.hdf5")
    tiny_scorers.clip_files(folder)
    tiny_scorers.dreamsim_folder(folder / "dreamsim", "dino_vitb16")
    for number, picture in enumerate(tiny_scorers.pictures(4)):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def night(studio: Path, small_models: Path) -> Path:
    import tiny_scorers

    (studio / "models").symlink_to(small_models)
    pins = tiny_scorers.pins(small_models / "dreamsim")
    inline = "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in pins.items()) + "}"
    (studio / "experiments" / "series" / "night.toml").write_text(SERIES.format(pins=inline), encoding="utf-8")
    return studio


def put(home: Path, name: str, *files: Path, rename: str = "") -> None:
    """Leave files as if they had been fetched."""
    from gen_emerge.models.home import Kept, Record, write_record

    folder = home / name
    folder.mkdir(parents=True)
    kept: list[Kept] = []
    for file in files:
        target = folder / (rename + file.suffix if rename else file.name)
        shutil.copy(file, target)
        hashed = hashlib.sha256(target.read_bytes()).hexdigest()
        kept.append(Kept(path=target.name, sha256=hashed, size=target.stat().st_size))
    write_record(name, Record(folder=folder, files=tuple(kept)))


def test_score_measures_with_the_scorers_of_a_series(cli: Callable[..., Any], night: Path, small_models: Path) -> None:
    pictures = [str(small_models / f"{number}.png") for number in (0, 1)]
    asked = ("score", *pictures, "--series", "night", "--prompt", "a calm sea")
    first, second = cli(*asked, root=night, as_json=True).json["images"]
    assert set(first["signals"]) == {"quality", "prompt", "style"}
    assert [first["signals"][name]["scorer"] for name in ("quality", "prompt", "style")] == [
        "nima",
        "clip",
        "clip-zero-shot",
    ]
    assert 1 <= first["signals"]["quality"]["value"] <= 10 and 0 <= first["signals"]["style"]["value"] <= 1
    assert first["signals"]["quality"]["value"] != second["signals"]["quality"]["value"]
    # Style alone looks through the same tower as with a prompt.
    alone = cli("score", pictures[0], "--series", "night", root=night, as_json=True).json["images"][0]["signals"]
    assert alone["style"] == first["signals"]["style"] and "prompt" not in alone


def test_distance_measures_in_the_space_of_a_series(cli: Callable[..., Any], night: Path, small_models: Path) -> None:
    pictures = [str(small_models / f"{number}.png") for number in (0, 1, 0)]
    matrix = np.array(cli("distance", *pictures, "--series", "night", root=night, as_json=True).json["matrix"])
    assert matrix[0, 2] < 1e-5 < matrix[0, 1] and np.allclose(matrix, matrix.T)
    both = cli("distance", *pictures, "--series", "night", "--profile", "diffusion", root=night, as_json=True, code=2)
    assert "not both" in both.json["error"]["message"]


def test_a_profiles_missing_models_are_named(cli: Callable[..., Any], night: Path, small_models: Path) -> None:
    env = {"GEN_EMERGE_MODELS": str(night / "none")}
    said = cli("score", str(small_models / "0.png"), "--profile", "diffusion", as_json=True, code=2, env=env).json[
        "error"
    ]
    assert said["code"] == "missing-model"
    assert (
        "nima-aesthetic" in said["message"] and "clip-vit-b-32" in said["message"] and "dreamsim" not in said["message"]
    )


def test_doctor_opens_every_fetched_model_and_says_which_does_not_work(
    cli: Callable[..., Any], small_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN_EMERGE_MODELS", str(tmp_path))
    assert cli("doctor", "--models", as_json=True).json == {"ok": True, "models": []}
    shutil.copy(small_models / "nima.hdf5", tmp_path / "weights_mobilenet_aesthetic_0.07.hdf5")
    put(tmp_path, "nima-aesthetic", tmp_path / "weights_mobilenet_aesthetic_0.07.hdf5")
    tower = (small_models / "tiny-clip.safetensors", small_models / "tiny-clip.json")
    put(tmp_path, "clip-vit-b-32", *tower, rename="open_clip_model")
    found = cli("doctor", "--models", as_json=True).json
    assert found["ok"] and [row["name"] for row in found["models"]] == ["nima-aesthetic", "clip-vit-b-32"]
    quality, prompt = (row["values"] for row in found["models"])
    assert 1 <= quality["quality"] <= 10 and -2 <= prompt["prompt"] <= 2
    weights = tmp_path / "clip-vit-b-32" / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    said = cli("doctor", "--models", code=1)
    assert "NO  clip-vit-b-32" in said.out and "ok  nima-aesthetic" in said.out


def test_a_probe_is_trained_on_sorted_pictures_and_serves_a_series(
    cli: Callable[..., Any], night: Path, small_models: Path
) -> None:
    rng = np.random.default_rng(4)
    for name, level in (("dark", 40), ("light", 210)):
        (night / "schools" / name).mkdir(parents=True)
        for number in range(8):
            noise = rng.integers(-30, 30, (48, 48, 3)) + level
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(night / "schools" / name / f"{number}.png")
    arguments = ("train", "style", str(night / "schools"), "--into", str(night / "probe.safetensors"))
    result = cli(*arguments, "--series", "night", root=night, as_json=True).json
    assert result["classes"] == ["dark", "light"] and result["pictures"] == [8, 8] and 0 <= result["accuracy"] <= 1
    file = night / "experiments" / "series" / "night.toml"
    file.write_text(file.read_text() + '[scorers.style]\nuse = "probe"\nweights = "probe.safetensors"\n')
    score = ("score", str(night / "schools" / "dark" / "0.png"), "--series", "night")
    signals = cli(*score, root=night, as_json=True).json["images"][0]["signals"]
    assert signals["style"]["scorer"] == "probe" and 0 <= signals["style"]["value"] <= 1
    empty = cli("train", "style", str(night / "prompts"), "--into", "x.safetensors", as_json=True, code=2, cwd=night)
    assert "sub-folder" in empty.json["error"]["message"]


def test_a_distance_is_fitted_to_ranked_folders(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    import torchvision

    torch.manual_seed(0)
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    home, rng = tmp_path / "home", np.random.default_rng(2)
    (tmp_path / "alexnet.pth").rename(tmp_path / "alexnet-owt-7be5be79.pth")
    monkeypatch.setenv("GEN_EMERGE_MODELS", str(home))
    put(home, "lpips-alex", tmp_path / "alexnet-owt-7be5be79.pth")
    for number in range(8):
        folder = tmp_path / "sets" / str(number)
        folder.mkdir(parents=True)
        target = rng.integers(0, 256, (64, 64, 3))
        Image.fromarray(target.astype(np.uint8)).save(folder / "target.png")
        for place in range(4):
            noisy = target + rng.normal(0, 10 + 30 * place, target.shape)
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{place}.png")
        (folder / "ranks.json").write_text(json.dumps({f"{place}.png": place + 1 for place in range(4)}))
    arguments = ("train", "clpips", str(tmp_path / "sets"), "--into", str(tmp_path / "mine"))
    result = cli(*arguments, as_json=True).json
    assert Path(result["fitted"]).is_file() and result["sets"] == 8
    assert set(result["held_out"]) >= {"spearman", "icc_2k", "spearman_interval"}
    from gen_emerge.models.home import pin_of
    from gen_emerge.scorers.extras import load_distance

    trunk = home / "lpips-alex" / "alexnet-owt-7be5be79.pth"
    options = {"fitted": result["fitted"], "weights": str(trunk), "sha256": pin_of(trunk)}
    black = np.zeros((64, 64, 3), np.uint8)
    assert load_distance("clpips", options, device="cpu").distance(black, black) == pytest.approx(0.0, abs=1e-6)
    (tmp_path / "sets" / "0" / "ranks.json").write_text('{"../x.png": 1, "0.png": 2}')
    said = cli(*arguments, as_json=True, code=2).json["error"]
    assert "ranks.json" in said["message"]
