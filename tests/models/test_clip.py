"""CLIP: from an open_clip checkpoint on disk to the prompt signals, through the unmodified library."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_scorers import CLIP_CONFIG, clip_files, pictures

from gen_emerge.errors import BadInput, MissingModel, ScorerFailed
from gen_emerge.scorers.clip.checkpoint import find
from gen_emerge.scorers.clip.prompt import PromptScorer
from gen_emerge.scorers.clip.tower import Tower
from gen_emerge.scorers.clip.windows import cuts
from gen_emerge.scorers.views import Views

pytestmark = pytest.mark.models
CPU = torch.device("cpu")
WHERE = "scorers.prompt"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return clip_files(tmp_path_factory.mktemp("clip"))


def tower_of(weights, **options):
    return Tower(find(WHERE, {"weights": str(weights), **options}), device=CPU, views=Views())


@pytest.fixture(scope="module")
def tower(weights):
    return tower_of(weights)


@pytest.fixture(scope="module")
def reference(weights):
    """The same checkpoint as open_clip's own documentation opens it."""
    open_clip.add_model_config(weights.with_suffix(".json"))
    model, _, preprocess = open_clip.create_model_and_transforms("tiny-clip", pretrained=str(weights))
    return model.eval(), preprocess, open_clip.get_tokenizer("tiny-clip")


def values(reading):
    return {signal.scorer: signal.value for signal in reading.signals}


def unit(vectors):
    return vectors / vectors.norm(dim=-1, keepdim=True)


def test_the_cosine_is_the_one_open_clip_gives(tower, reference):
    model, preprocess, tokenizer = reference
    images, prompts = pictures(4), ["a red tree", "fog over water", "", "x"]
    with torch.inference_mode():
        seen = unit(model.encode_image(torch.stack([preprocess(Image.fromarray(image)) for image in images])))
        said = unit(model.encode_text(tokenizer(prompts)))
    wanted = (seen * said).sum(dim=-1).numpy()
    found = [values(one)["prompt_cosine"] for one in PromptScorer(tower, ()).score(images, prompts)]
    assert np.abs(np.asarray(found) - wanted).max() < 1e-5
    assert np.ptp(found) > 0.01


def test_the_signal_is_the_cosine_less_its_mean_over_the_references(tower):
    references = ["a castle", "two herons", "rust"]
    images = pictures(3)
    found = PromptScorer(tower, references).score(images, ["a red tree"] * 3)
    each = [[values(r)["prompt_cosine"] for r in PromptScorer(tower, ()).score(images, [t] * 3)] for t in references]
    for place, reading in enumerate(found):
        mean = sum(column[place] for column in each) / len(references)
        assert values(reading)["prompt"] == pytest.approx(values(reading)["prompt_cosine"] - mean, abs=1e-6)
        assert abs(mean) > 1e-4
    bare = values(PromptScorer(tower, ()).score(images[:1], ["a red tree"])[0])
    assert bare["prompt"] == bare["prompt_cosine"]


def test_the_prompt_version_holds_the_references_and_the_cosine_does_not(tower):
    one, other = PromptScorer(tower, ["a"]).versions, PromptScorer(tower, ["b"]).versions
    assert one["prompt"] != other["prompt"] and one["prompt_cosine"] == other["prompt_cosine"]
    assert open_clip.__version__ in one["prompt"] and tower.digest[:12] in one["prompt"]
    assert "shortest-bicubic-64x64" in one["prompt"]


def test_a_long_prompt_is_read_in_parts_to_its_end_and_that_is_noted(weights, reference):
    model, _, tokenizer = reference
    tower = tower_of(weights)
    words = " ".join(f"word{number}" for number in range(120))
    assert not tower.notices
    one, other = tower.text_features([words + " crimson", words + " azure"])
    assert np.abs(one - other).max() > 1e-4, "what comes after the window is read too"
    assert len(tower.notices) == 1 and "in several parts" in tower.notices[0]
    # By hand: every token is in exactly one part, and the vector is the mean of the parts' unit vectors.
    rows = tower._windows.rows(words + " crimson")
    inner = [token for row in rows for token in row if token not in (0, tokenizer.sot_token_id, tokenizer.eot_token_id)]
    assert inner == tokenizer.encode(words + " crimson") and len(rows) > 2
    with torch.inference_mode():
        parts = unit(model.encode_text(torch.from_numpy(rows)))
    assert np.abs(unit(parts.mean(dim=0)).numpy() - one).max() < 1e-5
    lengths = [(row != 0).sum() for row in rows]
    assert max(lengths) - min(lengths) <= 12, "no part is a stump"


def test_a_prompt_that_just_fits_is_one_part_as_open_clip_reads_it(tower):
    for text in ("", "a", " ".join(["red"] * 75)):
        rows = tower._windows.rows(text)
        assert np.array_equal(rows, tower._windows._tokenizer([text]).numpy())
    assert len(tower._windows.rows(" ".join(["red"] * 76))) == 2


def test_a_mark_of_the_tokenizer_inside_a_prompt_does_not_end_it(tower):
    one, other = tower.text_features(["a <end_of_text> crimson tree", "a <end_of_text> azure sea"])
    assert np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize("text", ["a", "tree " * 1000, "🐙🌊✨", "مرحبا بالعالم", "שלום", "\u202eabc", "\x00", "\n"])
def test_every_prompt_has_a_unit_vector(tower, text):
    (vector,) = tower.text_features([text])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("count", "room"), [(0, 5), (5, 5), (6, 5), (11, 5), (300, 75)])
def test_cuts_cover_everything_in_as_few_parts_as_can_be(count, room):
    parts = cuts(count, room, [True] * count)
    assert [at for first, last in parts for at in range(first, last)] == list(range(count))
    assert len(parts) == max(1, -(-count // room)) and all(last - first <= room for first, last in parts)


def test_cuts_fall_between_words_where_they_can():
    ends = [at % 4 == 3 for at in range(30)]
    assert all(last == 30 or ends[last - 1] for _, last in cuts(30, 10, ends))
    assert all(last - first <= 10 for first, last in cuts(30, 10, [False] * 30))


def test_texts_alone_and_together_and_again_are_the_same(weights):
    tower = tower_of(weights)
    texts = ["a", "a red tree", "tree " * 200]
    together = tower.text_features(texts)
    alone = np.stack([tower_of(weights).text_features([text])[0] for text in texts])
    assert np.abs(together - alone).max() < 1e-5
    assert np.array_equal(tower.text_features(texts[::-1]), together[::-1])


# ---- what is refused ---------------------------------------------------------------------------------------------


def test_no_weights_are_refused_because_they_would_be_random():
    with pytest.raises(BadInput, match="would be random"):
        find(WHERE, {"model": "ViT-B-32"})


def test_weights_that_are_neither_file_nor_tag_are_missing_and_the_nearest_tag_is_named():
    with pytest.raises(MissingModel, match="laion2b_s34b_b79k"):
        find(WHERE, {"model": "ViT-B-32", "weights": "laion2b_s34b_b79"})


def test_a_tag_whose_weights_are_not_here_is_missing_and_nothing_is_fetched():
    with pytest.raises(MissingModel, match=r"laion/CLIP-ViT-B-32-laion2B-s34B-b79K.*models pull"):
        find(WHERE, {"model": "ViT-B-32", "weights": "laion2b_s34b_b79k"})


def test_a_tag_in_the_hubs_cache_is_found_with_its_own_preprocessing(tmp_path, monkeypatch):
    folder = tmp_path / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("c" * 40)
    (folder / "snapshots" / ("c" * 40)).mkdir(parents=True)
    kept = folder / "snapshots" / ("c" * 40) / "open_clip_model.safetensors"
    kept.write_bytes(b"weights")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = find(WHERE, {"model": "ViT-B-32", "weights": "laion2b_s34b_b79k"})
    assert found.weights == kept and found.config["preprocess_cfg"]["interpolation"] == "bicubic"


def test_weights_trained_with_another_activation_are_refused():
    with pytest.raises(BadInput, match="ViT-B-32-quickgelu"):
        find(WHERE, {"model": "ViT-B-32", "weights": "openai"})


def test_an_unknown_model_names_the_nearest(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    with pytest.raises(BadInput, match=r"ViT-B-32"):
        find(WHERE, {"model": "ViT-B32", "weights": str(path)})


def test_missing_weights_are_named(tmp_path, weights):
    path = clip_files(tmp_path)
    tensors = load_file(str(weights))
    del tensors["visual.transformer.resblocks.1.mlp.c_fc.weight"]
    save_file(tensors, path)
    with pytest.raises(BadInput, match=r"visual\.transformer\.resblocks\.1\.mlp\.c_fc\.weight"):
        tower_of(path)


def test_a_cut_file_is_refused(tmp_path):
    path = clip_files(tmp_path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BadInput, match="is not tiny-clip"):
        tower_of(path)


def test_weights_of_another_architecture_are_refused(tmp_path, weights):
    shutil.copy(weights, tmp_path / "w.safetensors")
    wide = {**CLIP_CONFIG, "embed_dim": 48}
    (tmp_path / "w.json").write_text(json.dumps(wide))
    with pytest.raises(BadInput, match="size mismatch"):
        tower_of(tmp_path / "w.safetensors")


def test_a_configuration_that_is_none_is_refused(tmp_path, weights):
    shutil.copy(weights, tmp_path / "w.safetensors")
    for text, said in (("{", "no JSON"), ('{"a": 1}', "no open_clip model configuration")):
        (tmp_path / "w.json").write_text(text)
        with pytest.raises(BadInput, match=said):
            tower_of(tmp_path / "w.safetensors")


def test_a_given_configuration_goes_before_the_one_beside_the_weights(tmp_path, weights):
    shutil.copy(weights, tmp_path / "w.safetensors")
    (tmp_path / "w.json").write_text("{")
    found = tower_of(tmp_path / "w.safetensors", config=str(weights.with_suffix(".json")))
    assert found.width == 32


def test_a_pickled_checkpoint_needs_its_hash_and_runs_nothing(tmp_path, weights):
    import pickle
    from pathlib import Path

    from gen_emerge.models.checkpoints import digest

    trace = tmp_path / "was-run"

    class Attack:
        def __reduce__(self):
            return Path.touch, (trace,)

    path = tmp_path / "w.pt"
    (tmp_path / "w.json").write_text(json.dumps(CLIP_CONFIG))
    path.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(BadInput, match="not pinned"):
        tower_of(path)
    with pytest.raises(BadInput, match="not the pinned file"):
        tower_of(path, sha256="0" * 64)
    with pytest.raises(BadInput, match="is not"):
        tower_of(path, sha256=digest(path))
    assert not trace.exists()
    torch.save({"state_dict": load_file(str(weights))}, path)
    pinned = tower_of(path, sha256=digest(path))
    assert np.array_equal(pinned.text_features(["a"]), tower_of(weights).text_features(["a"]))


def test_vectors_that_are_not_finite_fail_and_name_the_picture(tmp_path, weights):
    path = clip_files(tmp_path)
    tensors = load_file(str(weights))
    tensors["visual.ln_post.weight"][0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(ScorerFailed, match=r"picture 1 \(128 x 96\), 2 \(64 x 200\) of 2"):
        PromptScorer(tower_of(path), ()).score(pictures(2), ["", ""])


def test_a_text_half_that_gives_nan_is_refused_when_it_is_opened(tmp_path, weights):
    path = clip_files(tmp_path)
    tensors = load_file(str(weights))
    tensors["text_projection"][0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(BadInput, match="gives NaN"):
        tower_of(path)


def test_one_picture_that_is_not_finite_leaves_the_others_as_they_are(weights, monkeypatch):
    tower = tower_of(weights)
    images = pictures(3)
    plain = tower_of(weights).image_features(images)
    look = tower._look
    poison = images[1]

    def sometimes(portion):
        found = look(portion).copy()
        found[[image is poison for image in portion]] = np.nan
        return found

    monkeypatch.setattr(tower, "_look", sometimes)
    with pytest.raises(ScorerFailed, match=r"picture 2 \(64 x 200\) of 3"):
        tower.image_features(images)
    assert np.array_equal(tower.image_features([images[0], images[2]]), plain[[0, 2]])
    assert tower.image_passes == 3, "the good ones were kept from the batch that failed"
