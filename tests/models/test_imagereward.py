"""ImageReward through its own package: a pickled checkpoint to numbers. ViT-L is built in, so it is slow."""

from __future__ import annotations

import gc
import json
import sys
import warnings

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("timm")

from gen_emerge.errors import BadInput, MissingModel  # noqa: E402
from gen_emerge.scorers.rewards import imagereward  # noqa: E402
from tests.models import tiny_extras as tiny  # noqa: E402

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "house", "the", "sea", "word"]
MED = {
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 128,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 64,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": len(WORDS) + 2,
    "encoder_width": 768,
    "add_cross_attention": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imagereward")
    (folder / "med_config.json").write_text(json.dumps(MED))
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    transformers.BertTokenizer(vocab={word: place for place, word in enumerate(WORDS)}).save_pretrained(folder / "bert")
    yield folder
    for path in folder.glob("*.pt"):
        path.unlink()
    gc.collect()


def options(folder, weights, **more):
    given = {"weights": str(weights), "tokenizer": str(folder / "bert"), **more}
    if weights.suffix == ".pt":
        given["sha256"] = tiny.sha256(weights)
    return given


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_checkpoint_on_disk_to_the_numbers_that_the_package_gives(folder):
    torch.manual_seed(5)
    model = imagereward._build(folder / "med_config.json", folder / "bert", torch.device("cpu")).eval()
    with torch.no_grad():
        for layer in model.mlp.layers:  # as they begin, the five layers in a row let next to nothing through
            if hasattr(layer, "weight"):
                layer.weight.normal_(std=layer.in_features**-0.5)
    weights = folder / "ImageReward.pt"
    torch.save({**model.state_dict(), "a.key.the.package.passes.over": torch.zeros(1)}, weights)
    from PIL import Image

    images, prompts = tiny.pictures(3), ["a red house", "", "word " * 1000]
    wanted = [model.score(prompt, Image.fromarray(one)) for one, prompt in zip(images, prompts, strict=True)]
    short = dict(model.state_dict())
    del short["blip.text_encoder.encoder.layer.1.crossattention.self.query.weight"], short["mlp.layers.7.bias"]
    with pytest.raises(BadInput, match=r"2 missing: .*crossattention\.self\.query\.weight, mlp\.layers\.7\.bias"):
        imagereward._fill(model, short, what="x")
    del model, short
    gc.collect()

    scorer = imagereward.load_imagereward(options(folder, weights), device="cpu")
    found = [reading.signals[0].value for reading in scorer.score(images, prompts)]
    assert found == pytest.approx(wanted, abs=1e-4)
    assert np.ptp(wanted) > 1e-3
    assert tiny.sha256(weights)[:12] in scorer.versions["imagereward"]


def test_importing_the_package_leaves_the_other_libraries_as_they_were():
    import transformers.modeling_utils as modeling

    before = [set(vars(modeling)), list(warnings.filters), transformers.logging.get_verbosity()]
    lent = {"clip", "fairscale", "fairscale.nn", "ImageReward.ReFL"}
    there = lent & set(sys.modules)
    package, _, med = imagereward._imported()
    assert package.ImageReward and med.BertModel
    assert lent & set(sys.modules) == there
    assert set(vars(modeling)) == before[0]
    assert list(warnings.filters) == before[1]
    assert transformers.logging.get_verbosity() == before[2]


def test_what_is_missing_is_named_before_anything_is_built(folder, tmp_path):
    with pytest.raises(MissingModel, match=r"none\.pt.*models pull imagereward"):
        imagereward.load_imagereward({"weights": "none.pt", "tokenizer": str(folder / "bert")}, device="cpu")
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    with pytest.raises(MissingModel, match=r"med_config\.json"):
        imagereward.load_imagereward(options(folder, weights), device="cpu")
    with pytest.raises(BadInput, match="needs tokenizer"):
        imagereward.load_imagereward({"weights": str(weights)}, device="cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no BERT tokenizer"):
        imagereward._tokenizer(tmp_path / "empty", words=30_524)
    with pytest.raises(BadInput, match=r"13 words, wanted 30524"):
        imagereward._tokenizer(folder / "bert", words=30_524)
