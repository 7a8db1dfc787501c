"""HPS v2 through open_clip: a state dict on disk to a cosine."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

from gen_emerge.errors import BadInput  # noqa: E402
from gen_emerge.scorers.rewards.hps import load_hps  # noqa: E402
from tests.models import tiny_extras as tiny  # noqa: E402

MODEL = "tiny-extras-hps"
PROMPTS = ["a red house", "", "мост 🌉", "word " * 1000, "a red house"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny.open_clip_tower(tmp_path_factory.mktemp("hps"), MODEL, embed=32)


@pytest.fixture(scope="module")
def scorer(weights):
    return load_hps({"weights": str(weights), "model": MODEL}, device="cpu")


def values(scorer, images, prompts):
    return [reading.signals[0].value for reading in scorer.score(images, prompts)]


def test_it_is_the_cosine_that_open_clip_gives(scorer, weights):
    images, prompts = tiny.pictures(5), PROMPTS
    model, _, _ = open_clip.create_model_and_transforms(MODEL, pretrained=str(weights))
    model.eval()
    view = open_clip.image_transform(32, is_train=False, resize_mode="longest")
    from PIL import Image

    with torch.no_grad():
        seen = model.encode_image(torch.stack([view(Image.fromarray(one)) for one in images]))
        said = model.encode_text(open_clip.get_tokenizer(MODEL)(prompts))
        wanted = torch.nn.functional.cosine_similarity(seen, said).numpy()
    assert values(scorer, images, prompts) == pytest.approx(list(wanted), abs=1e-5)
    assert np.ptp(wanted) > 0.01


def test_alone_and_in_a_batch_it_is_the_same(scorer):
    images = tiny.pictures(5)
    together = values(scorer, images, PROMPTS)
    alone = [values(scorer, [one], [prompt])[0] for one, prompt in zip(images, PROMPTS, strict=True)]
    assert together == pytest.approx(alone, abs=1e-5)
    assert values(scorer, images, PROMPTS) == together
    assert list(scorer.score([], [])) == []


def test_the_prompt_counts(scorer):
    image = tiny.pictures(1)[0]
    assert values(scorer, [image], ["a red house"]) != values(scorer, [image], ["the sea"])


def test_a_picture_20000_pixels_wide_is_measured(scorer):
    assert np.isfinite(values(scorer, [np.zeros((16, 20_000, 3), np.uint8)], ["wide"])).all()


def test_the_original_container_is_unwrapped_when_its_hash_is_pinned(scorer, weights, tmp_path):
    from safetensors.torch import load_file

    path = tmp_path / "HPS_v2_tiny.pt"
    torch.save({"state_dict": load_file(weights)}, path)
    with pytest.raises(BadInput, match="not pinned"):
        load_hps({"weights": str(path), "model": MODEL}, device="cpu")
    again = load_hps({"weights": str(path), "model": MODEL, "sha256": tiny.sha256(path)}, device="cpu")
    images = tiny.pictures(2)
    assert values(again, images, PROMPTS[:2]) == values(scorer, images, PROMPTS[:2])
    assert again.versions != scorer.versions and tiny.sha256(path)[:12] in again.versions["hps"]


def test_a_checkpoint_with_a_key_missing_is_refused(weights, tmp_path):
    from safetensors.torch import load_file, save_file

    table = load_file(weights)
    del table["text_projection"]
    save_file(table, tmp_path / "short.safetensors")
    (tmp_path / f"{MODEL}.json").write_text((weights.parent / f"{MODEL}.json").read_text())
    with pytest.raises(BadInput, match=r"missing: text_projection"):
        load_hps({"weights": str(tmp_path / "short.safetensors"), "model": MODEL}, device="cpu")


def test_an_unknown_model_and_a_config_that_is_none_are_refused(weights, tmp_path):
    with pytest.raises(BadInput, match=r"knows no model \"ViT-H-14x\".*ViT-H-14"):
        load_hps({"weights": str(weights), "model": "ViT-H-14x"}, device="cpu")
    (tmp_path / "odd.json").write_text("[1]")
    other = tmp_path / "w.safetensors"
    other.write_bytes(weights.read_bytes())
    with pytest.raises(BadInput, match="no open_clip model config"):
        load_hps({"weights": str(other), "model": "odd"}, device="cpu")
