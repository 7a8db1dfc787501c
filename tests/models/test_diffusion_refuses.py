"""What the diffusion generator refuses before anything is rendered, and what it says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch
from diffusion_tools import genome, open_generator
from tiny_pipelines import lora

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.generators.diffusion import Diffusion
from gen_emerge.generators.diffusion.licences import licence_notice

pytestmark = pytest.mark.models

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def copy(tiny: Any, tmp_path: Path) -> Path:
    """A Stable Diffusion of this test's own, to be damaged."""
    return Path(shutil.copytree(tiny("sd"), tmp_path / "checkpoint"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "x", "guidence": 3}, 'Did you mean "guidance"?'),
        ({"model": "x", "step": 3}, 'Did you mean "steps"?'),
        ({"model": "x", "steps": "4"}, "steps = '4': wanted a whole number"),
        ({"model": "x", "steps": True}, "wanted a whole number"),
        ({"model": "x", "guidance": [3, 1]}, "wanted a number from 0"),
        ({"model": "x", "guidance": "high"}, "wanted a number from 0"),
        ({"model": "x", "offload": "disk"}, 'wanted "auto", "none"'),
        ({"model": "x", "slicing": 1}, "wanted true or false"),
        ({"model": "x", "compile": "yes"}, "wanted true or false"),
        ({"model": "x", "batch": 0}, "wanted a whole number"),
        ({"model": "x", "loras": "a.safetensors"}, "wanted a list"),
        ({"model": "x", "loras": ["a.safetensors@strong"]}, "wanted a file and its weight"),
        ({"model": 3}, "wanted a text"),
        ({"model": ""}, "no checkpoint is named"),
        ({}, "no checkpoint is named"),
    ],
)
def test_a_wrong_option_is_named_with_what_was_wanted(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as raised:
        Diffusion(options)
    assert said in str(raised.value)


def test_a_hub_id_without_a_pinned_commit_is_refused() -> None:
    for revision in ("", "main", COMMIT[:-1]):
        with pytest.raises(BadInput, match="Pin a commit"):
            Diffusion({"model": "someone/something", "revision": revision})


def test_a_checkpoint_that_is_not_here_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"someone/something.*models pull") as raised:
        Diffusion({"model": "someone/something", "revision": COMMIT})
    assert raised.value.exit_code == 2
    with pytest.raises(MissingModel, match="no folder"):
        Diffusion({"model": str(tmp_path / "nowhere")})


def test_a_pinned_commit_in_the_hub_s_cache_is_found(tiny: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--someone--something"
    shutil.copytree(tiny("sd"), home / "snapshots" / COMMIT)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    found = Diffusion({"model": "someone/something", "revision": COMMIT, "steps": 1, "device": "cpu"})
    assert found.version == Diffusion({"model": str(tiny("sd")), "steps": 1, "device": "cpu"}).version


def test_a_folder_of_pickled_weights_is_refused_and_not_opened(copy: Path) -> None:
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    torch.save({}, copy / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(BadInput, match=r"unet holds only pickled weights"):
        open_generator(copy)


def test_a_folder_that_brings_code_is_refused(copy: Path) -> None:
    (copy / "unet" / "model.py").write_text("raise SystemExit")
    with pytest.raises(BadInput, match="code of its own"):
        open_generator(copy)
    (copy / "unet" / "model.py").unlink()
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "_class_name": ["pipeline", "Mine"]}))
    with pytest.raises(BadInput, match="code of its own"):
        open_generator(copy)


def test_what_is_no_pipeline_is_refused(copy: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, copy / "unet"):
        with pytest.raises(BadInput, match=r"model_index\.json"):
            open_generator(folder)
    (copy / "model_index.json").write_text('{"_class_name": "NoSuchPipeline"}')
    with pytest.raises(BadInput, match="NoSuchPipeline"):
        open_generator(copy)


def test_a_part_that_is_missing_is_named(copy: Path) -> None:
    shutil.rmtree(copy / "vae")
    with pytest.raises(MissingModel, match="vae"):
        open_generator(copy)


def test_weights_that_are_missing_are_named_and_never_random(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_out.weight"], weights["conv_out.bias"]
    save_file(weights, file)
    with pytest.raises(BadInput, match=r"unet lacks 2 weights.*conv_out\.bias, conv_out\.weight"):
        open_generator(copy)


def test_weights_cut_short_are_refused(copy: Path) -> None:
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(BadInput, match="cannot be loaded"):
        open_generator(copy)


def test_a_scheduler_that_does_not_fit_is_refused_and_the_nearest_named(tiny: Any) -> None:
    with pytest.raises(BadInput, match=r'Did you mean "EulerDiscreteScheduler"'):
        open_generator(tiny("sd"), scheduler="EulerDiscreteSheduler")
    with pytest.raises(BadInput, match="does not fit FluxPipeline"):
        open_generator(tiny("flux"), scheduler="DDIMScheduler")


def test_a_lora_that_cannot_act_is_refused(tiny: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(MissingModel, match="There is no LoRA"):
        open_generator(tiny("sd"), loras=[str(tmp_path / "none.safetensors")])
    pickled = tmp_path / "lora.bin"
    pickled.write_bytes(b"x")
    with pytest.raises(BadInput, match="no safetensors"):
        open_generator(tiny("sd"), loras=[str(pickled)])
    strange = tmp_path / "strange.safetensors"
    save_file({"something.weight": torch.zeros(2)}, strange)
    with pytest.raises(BadInput, match="LoRA"):
        open_generator(tiny("sd"), loras=[str(strange)])
    other = tmp_path / "other.safetensors"  # of another kind of checkpoint: nothing in it is for a UNet
    save_file({f"transformer.blocks.0.attn.to_q.lora_{half}.weight": torch.zeros(4, 4) for half in "AB"}, other)
    with pytest.raises(BadInput, match="fits nothing in StableDiffusionPipeline"):
        open_generator(tiny("sd"), loras=[str(other)])
    cut = lora(tiny("sd"), tmp_path / "cut.safetensors")
    cut.write_bytes(cut.read_bytes()[:200])
    with pytest.raises(BadInput, match="LoRA"):
        open_generator(tiny("sd"), loras=[str(cut)])


def test_a_picture_that_cannot_be_begun_from_is_refused(tiny: Any) -> None:
    plain = open_generator(tiny("sd"))
    with pytest.raises(BadInput, match="cannot"):
        plain.render([genome(plain, start="ab" * 32, parameters={"strength": 0.5})])
    with pytest.raises(BadInput, match="strength"):
        plain.render([genome(plain, start="ab" * 32)])
    with pytest.raises(BadInput, match="only one"):
        plain.render([genome(plain, start="ab" * 32, parameters={"strength": 0.5}, noise=((1, 1.0),))])


def test_a_licence_that_limits_commercial_use_is_said(copy: Path) -> None:
    assert open_generator(copy).notices == ()
    named = copy.rename(copy.parent / "sdxl-turbo")
    (notice,) = open_generator(named).notices
    assert "stabilityai/sdxl-turbo" in notice and "commercial" in notice
    assert licence_notice("stabilityai/sd-turbo", named.parent) is not None
    assert licence_notice("segmind/Segmind-Vega", named.parent) is None
    assert licence_notice("x", Path("hub/models--black-forest-labs--FLUX.1-dev/snapshots/0123")) is not None
