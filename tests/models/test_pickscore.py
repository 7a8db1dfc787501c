"""PickScore through transformers' CLIPModel: a folder on disk to a number."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from gen_emerge.errors import BadInput, MissingModel  # noqa: E402
from gen_emerge.scorers.rewards.pickscore import load_pickscore  # noqa: E402
from tests.models import tiny_extras as tiny  # noqa: E402

PROMPTS = ["a red house", "", "мост 🌉", "word " * 1000, "the sea"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.pickscore_folder(tmp_path_factory.mktemp("pickscore"))


@pytest.fixture(scope="module")
def scorer(folder):
    return load_pickscore({"model": str(folder)}, device="cpu")


def values(scorer, images, prompts):
    return [reading.signals[0].value for reading in scorer.score(images, prompts)]


def test_it_is_what_the_library_gives_as_logits(scorer, folder):
    images, prompts = tiny.pictures(5), PROMPTS
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.CLIPProcessor.from_pretrained(folder)
    inputs = processor(
        images=[np.array(image) for image in images],
        text=prompts,
        padding=True,
        truncation=True,
        max_length=77,
        return_tensors="pt",
    )
    with torch.no_grad():
        wanted = model(**inputs).logits_per_image.diagonal().numpy()
    assert values(scorer, images, prompts) == pytest.approx(list(wanted), abs=1e-4)
    assert np.ptp(wanted) > 0.01


def test_alone_and_in_a_batch_it_is_the_same(scorer):
    images = tiny.pictures(5)
    together = values(scorer, images, PROMPTS)
    alone = [values(scorer, [one], [prompt])[0] for one, prompt in zip(images, PROMPTS, strict=True)]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 5


def test_the_prompt_counts(scorer):
    image = tiny.pictures(1)[0]
    assert values(scorer, [image], ["a red house"]) != values(scorer, [image], ["the sea"])


def test_a_folder_that_is_missing_pickled_or_another_model_is_refused(folder, tmp_path):
    with pytest.raises(MissingModel, match="models pull pickscore"):
        load_pickscore({"model": str(tmp_path / "none")}, device="cpu")
    pickled = tmp_path / "pickled"
    shutil.copytree(folder, pickled)
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(MissingModel, match="pickled weights are not opened"):
        load_pickscore({"model": str(pickled)}, device="cpu")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "config.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be opened as PickScore"):
        load_pickscore({"model": str(broken)}, device="cpu")


def test_missing_keys_are_named_and_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    short = tmp_path / "short"
    shutil.copytree(folder, short)
    table = load_file(short / "model.safetensors")
    del table["visual_projection.weight"]
    save_file(table, short / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks 1 keys of the model: visual_projection\.weight"):
        load_pickscore({"model": str(short)}, device="cpu")
