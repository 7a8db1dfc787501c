"""DreamSim: from a complete cache folder to a place in its space, through the unmodified package."""

from __future__ import annotations

import json
import shutil
import socket
import warnings

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("dreamsim")

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_scorers import dreamsim_folder, pictures, pins

from gen_emerge.errors import BadInput, MissingModel, ScorerFailed
from gen_emerge.scorers.dreamsim import LOOK, DreamSim
from gen_emerge.scorers.dreamsim_files import KINDS
from gen_emerge.scorers.views import Views

pytestmark = pytest.mark.models
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return dreamsim_folder(tmp_path_factory.mktemp("dreamsim") / "clip")


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    """Small and quick: the type whose backbone comes from torch.hub code, here code that makes a tiny one."""
    return dreamsim_folder(tmp_path_factory.mktemp("dreamsim") / "dino", "dino_vitb16")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def opened(folder, kind="open_clip_vitb32", **options):
    options.setdefault("pins", pins(folder))
    return DreamSim(folder, kind, device=CPU, views=Views(), **options)


@pytest.fixture(scope="module")
def scorer(folder):
    return opened(folder)


def package(folder, kind):
    """The model and its preprocessing as the package's documentation opens them."""
    from dreamsim import dreamsim

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dreamsim(
            cache_dir=str(folder),
            dreamsim_type=kind.removesuffix("_patch"),
            use_patch_model=kind.endswith("_patch"),
            device="cpu",
        )


def vectors(scorer, images):
    return np.stack([reading.embedding.vector for reading in scorer.score(images, [""] * len(images))])


def test_the_distance_is_the_packages_own(scorer, folder):
    model, preprocess = package(folder, "open_clip_vitb32")
    images = pictures(4)
    found = vectors(scorer, images)
    with torch.inference_mode():
        for a, b in ((0, 1), (1, 2), (0, 3)):
            wanted = model(preprocess(Image.fromarray(images[a])), preprocess(Image.fromarray(images[b])))
            assert 1 - float(found[a] @ found[b]) == pytest.approx(float(wanted), abs=2e-6)
            assert float(wanted) > 0.01


def test_the_view_is_the_packages_own_and_shared(scorer):
    assert scorer._prepare.look == LOOK
    assert "squash-bicubic-224x224" in scorer.space


def test_a_vector_has_length_one_and_the_space_names_type_and_files(scorer, folder, tmp_path):
    found = vectors(scorer, pictures(3))
    assert found.shape == (3, 512) and np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)
    assert scorer.versions == {"novelty": scorer.space} and ":open_clip_vitb32:" in scorer.space
    other = dreamsim_folder(tmp_path / "other", seed=8)
    assert opened(other).space != scorer.space


def test_alone_and_in_a_batch_the_vector_is_the_same(scorer):
    images = pictures(5)
    together = vectors(scorer, images)
    alone = np.concatenate([vectors(scorer, [image]) for image in images])
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize("kind", ["clip_vitb32", "synclr_vitb16", "dino_vitb16", "dino_vitb16_patch"])
def test_other_types_open_and_measure_as_the_package_does(tmp_path, kind):
    folder = dreamsim_folder(tmp_path / kind, kind)
    scorer = opened(folder, kind, allow_hub_code=kind.startswith("dino"))
    images = pictures(2)
    found = vectors(scorer, images)
    model, preprocess = package(folder, kind)
    with torch.inference_mode():
        wanted = model(*(preprocess(Image.fromarray(image)) for image in images))
    assert 1 - float(found[0] @ found[1]) == pytest.approx(float(wanted), abs=2e-6)


@pytest.mark.slow
def test_the_ensemble_opens_and_measures(tmp_path):
    folder = dreamsim_folder(tmp_path / "ensemble", "ensemble")
    found = vectors(opened(folder, "ensemble", allow_hub_code=True), pictures(2))
    assert found.shape == (2, 48 + 512 + 512)


def test_the_table_of_types_is_the_packages():
    from dreamsim.config import dreamsim_args

    assert set(KINDS) == set(dreamsim_args["model_config"])


def test_nothing_is_printed_and_the_hubs_folder_is_as_before(dino, capsys):
    before = torch.hub.get_dir()
    opened(dino, "dino_vitb16", allow_hub_code=True)
    assert capsys.readouterr() == ("", "") and torch.hub.get_dir() == before


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lost",
    [
        "open_clip_vitb32_pretrain.pth.tar",
        "open_clip_vitb32_single_lora/adapter_config.json",
        "open_clip_vitb32_single_lora/adapter_model.safetensors",
    ],
)
def test_a_missing_file_is_named_before_the_package_tries_to_download(tmp_path, folder, lost):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / lost).unlink()
    with pytest.raises(MissingModel) as error:
        opened(copy)
    assert lost in str(error.value) and "models pull" in str(error.value)


def test_an_empty_folder_names_everything_that_is_missing(tmp_path):
    with pytest.raises(MissingModel, match=r"open_clip_vitb32_pretrain.*adapter_config"):
        opened(tmp_path, pins={})


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.code])
def test_hub_code_is_not_run_unless_it_is_allowed(tmp_path, kind):
    with pytest.raises(BadInput, match=r"executes code.*allow_hub_code"):
        opened(tmp_path, kind, pins={})


def test_hub_code_that_changes_changes_the_space(tmp_path, dino):
    copy = tmp_path / "copy"
    shutil.copytree(dino, copy)
    before = opened(copy, "dino_vitb16", allow_hub_code=True).space
    # Python's own files of what it ran do not count.
    assert opened(copy, "dino_vitb16", allow_hub_code=True).space == before
    code = copy / "facebookresearch_dino_main" / "hubconf.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert opened(copy, "dino_vitb16", allow_hub_code=True).space != before


def test_an_unknown_type_names_the_nearest(tmp_path):
    with pytest.raises(BadInput, match=r"open_clip_vitb32"):
        opened(tmp_path, "openclip_vitb32", pins={})


def test_a_pickled_backbone_needs_its_hash(folder):
    with pytest.raises(BadInput, match=r'not pinned.*"open_clip_vitb32_pretrain.pth.tar" = "..."'):
        opened(folder, pins={})
    with pytest.raises(BadInput, match="not the pinned file"):
        opened(folder, pins={"open_clip_vitb32_pretrain.pth.tar": "0" * 64})


def test_an_attack_in_place_of_the_backbone_is_refused_and_not_run(tmp_path, folder):
    import pickle
    from pathlib import Path

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    trace = tmp_path / "was-run"

    class Attack:
        def __reduce__(self):
            return Path.touch, (trace,)

    (copy / "open_clip_vitb32_pretrain.pth.tar").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(BadInput, match="not the pinned file"):
        opened(copy, pins=pins(folder))
    with pytest.raises(BadInput, match="cannot be opened"):
        opened(copy, pins=pins(copy))
    assert not trace.exists()


def test_a_cut_backbone_is_refused(tmp_path, folder):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = copy / "open_clip_vitb32_pretrain.pth.tar"
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(BadInput, match="cannot be opened"):
        opened(copy, pins=pins(copy))


def test_an_adapter_that_lacks_a_part_is_refused(tmp_path, dino):
    copy = tmp_path / "copy"
    shutil.copytree(dino, copy)
    path = copy / "dino_vitb16_single_lora" / "adapter_model.safetensors"
    tensors = load_file(str(path))
    (gone, *_) = [name for name in tensors if "blocks.7." in name]
    del tensors[gone]
    save_file(tensors, path)
    with pytest.raises(BadInput, match=r"1 missing: .*blocks\.7\."):
        opened(copy, "dino_vitb16", allow_hub_code=True)


def test_an_adapter_of_another_width_is_refused(tmp_path, dino):
    copy = tmp_path / "copy"
    shutil.copytree(dino, copy)
    about = copy / "dino_vitb16_single_lora" / "adapter_config.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "r": 3}))
    with pytest.raises(BadInput, match="cannot be opened"):
        opened(copy, "dino_vitb16", allow_hub_code=True)


def test_nan_is_an_error_that_names_the_picture(tmp_path, dino):
    copy = tmp_path / "copy"
    shutil.copytree(dino, copy)
    path = copy / "dino_vitb16_single_lora" / "adapter_model.safetensors"
    save_file({name: tensor * float("nan") for name, tensor in load_file(str(path)).items()}, path)
    with pytest.raises(ScorerFailed, match=r"picture 1 \(128 x 96\), 2 \(64 x 200\) of 2"):
        opened(copy, "dino_vitb16", allow_hub_code=True).score(pictures(2), ["", ""])
