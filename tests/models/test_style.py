"""Style: zero-shot schools, a classifier of transformers, and the probe that is trained on a folder of pictures."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")
pytest.importorskip("transformers")

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_scorers import classifier_folder, clip_files, pictures

from gen_emerge.errors import BadInput, MissingModel, ScorerFailed
from gen_emerge.scorers.classifier import classifier
from gen_emerge.scorers.clip.checkpoint import find
from gen_emerge.scorers.clip.probe import probe
from gen_emerge.scorers.clip.tower import Tower
from gen_emerge.scorers.clip.zero_shot import SCHOOLS, SENTENCES, zero_shot
from gen_emerge.scorers.regression import calibrate, log_loss, regress, split
from gen_emerge.scorers.style import StyleScorer, normalised_entropy
from gen_emerge.scorers.training_style import train
from gen_emerge.scorers.views import Views

pytestmark = pytest.mark.models
CPU = torch.device("cpu")
WHERE = "scorers.style"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return clip_files(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def tower(weights):
    return Tower(find(WHERE, {"weights": str(weights)}), device=CPU, views=Views())


def styles(scorer, images):
    return [reading.signals[0].value for reading in scorer.score(images, [""] * len(images))]


# ---- entropy -----------------------------------------------------------------------------------------------------


def test_the_entropy_is_0_for_one_school_and_1_for_none():
    shares = np.asarray([[1.0, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0], [0.7, 0.1, 0.1, 0.1]])
    one, none, half, most = normalised_entropy(shares)
    assert (one, none) == (0.0, 1.0) and half == pytest.approx(0.5)
    assert most == pytest.approx(-(0.7 * math.log(0.7) + 0.3 * math.log(0.1)) / math.log(4))


def test_huge_logits_are_no_trouble():
    scorer = StyleScorer(["a", "b"], lambda images: np.asarray([[1e5, -1e5]]), version="v")
    assert styles(scorer, pictures(1)) == [0.0]


# ---- zero-shot ---------------------------------------------------------------------------------------------------


def test_there_are_27_schools_in_order():
    assert len(set(SCHOOLS)) == 27 and sorted(SCHOOLS) == list(SCHOOLS) and len(set(SENTENCES)) > 3


def test_shares_are_the_softmax_over_the_averaged_sentences(tower):
    images = pictures(3)
    scorer = zero_shot(tower)
    means = [tower.text_features([s.format(school) for s in SENTENCES]).mean(axis=0) for school in SCHOOLS]
    schools = np.stack([mean / np.linalg.norm(mean) for mean in means])
    raised = np.exp(tower.logit_scale * (tower.image_features(images) @ schools.T).astype(np.float64))
    shares = raised / raised.sum(axis=1, keepdims=True)
    assert np.abs(scorer.shares(images) - shares).max() < 1e-5
    assert styles(scorer, images) == pytest.approx(normalised_entropy(shares), abs=1e-5)


def test_a_temperature_makes_the_shares_even_or_sharp_and_is_in_the_version(tower):
    images = pictures(4)
    even, plain, sharp = (zero_shot(tower, temperature=t) for t in (10.0, None, 0.003))
    for low, middle, high in zip(*(styles(scorer, images) for scorer in (sharp, plain, even)), strict=True):
        assert low < middle < high and high > 0.99
    assert len({scorer.versions["style"] for scorer in (even, plain, sharp)}) == 3
    assert zero_shot(tower, temperature=1 / tower.logit_scale).versions == plain.versions
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(BadInput, match="above 0"):
            zero_shot(tower, temperature=wrong)


# ---- classifier --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return classifier_folder(tmp_path_factory.mktemp("classifier"))


def opened(folder, **options):
    return classifier(WHERE, {"model": str(folder), **options}, device=CPU, views=Views())


def test_a_classifiers_shares_are_those_of_transformers_own_pipeline(folder):
    from transformers import pipeline

    images = pictures(4)
    scorer = opened(folder)
    told = pipeline("image-classification", model=str(folder), device="cpu", top_k=None)
    for image, shares in zip(images, scorer.shares(images), strict=True):
        wanted = {entry["label"]: entry["score"] for entry in told(Image.fromarray(image))}
        assert dict(zip(scorer.classes, shares, strict=True)) == pytest.approx(wanted, abs=1e-5)
    assert np.ptp(styles(scorer, images)) > 1e-3


def test_a_temperature_of_a_classifier_acts_and_is_in_the_version(folder):
    plain, warm = opened(folder), opened(folder, temperature=50.0)
    assert all(a < b for a, b in zip(styles(plain, pictures(3)), styles(warm, pictures(3)), strict=True))
    assert plain.versions != warm.versions
    with pytest.raises(BadInput, match="above 0"):
        opened(folder, temperature=0.0)


def test_pictures_of_every_size_can_be_classified(folder):
    images = [np.full((height, width, 3), 90, np.uint8) for height, width in ((1, 1), (3, 3), (2, 900), (20, 20_000))]
    assert all(0 <= value <= 1 for value in styles(opened(folder), images))


def test_a_hub_id_needs_a_pinned_revision_and_the_hubs_cache():
    for revision in ("", "main", "abc123"):
        with pytest.raises(BadInput, match="does not pin it"):
            opened("someone/some-model", revision=revision)
    with pytest.raises(MissingModel, match="models pull"):
        opened("someone/some-model", revision="a" * 40)
    with pytest.raises(MissingModel, match="no folder"):
        opened("/nowhere/at/all/of/it")
    with pytest.raises(BadInput, match=r"model is not set"):
        classifier(WHERE, {}, device=CPU, views=Views())


def test_a_folder_with_pickled_weights_only_is_refused(tmp_path, folder):
    copy = shutil.copytree(folder, tmp_path / "copy")
    torch.save(load_file(str(copy / "model.safetensors")), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="no safetensors"):
        opened(copy)


def test_a_head_that_would_be_random_is_refused(tmp_path, folder):
    copy = shutil.copytree(folder, tmp_path / "copy")
    tensors = load_file(str(copy / "model.safetensors"))
    save_file({k: v for k, v in tensors.items() if "classifier" not in k}, copy / "model.safetensors")
    with pytest.raises(BadInput, match=r"classifier\.bias, classifier\.weight; 2 in all"):
        opened(copy)


def test_a_cut_classifier_and_one_without_a_config_are_refused(tmp_path, folder):
    copy = shutil.copytree(folder, tmp_path / "cut")
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadInput, match="cannot be opened"):
        opened(copy)
    copy = shutil.copytree(folder, tmp_path / "bare")
    (copy / "config.json").unlink()
    with pytest.raises(BadInput, match="cannot be opened"):
        opened(copy)


def test_code_that_comes_with_a_classifier_is_not_run(tmp_path, folder):
    copy = shutil.copytree(folder, tmp_path / "copy")
    trace = tmp_path / "was-run"
    (copy / "own.py").write_text(
        f"from pathlib import Path\nPath({str(trace)!r}).touch()\nclass M: pass\nclass C: pass\n"
    )
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModelForImageClassification": "own.M"}}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="cannot be opened"):
        opened(copy)
    assert not trace.exists()


def test_one_class_tells_nothing_apart(tmp_path):
    with pytest.raises(BadInput, match="1 class"):
        opened(classifier_folder(tmp_path / "one", classes=1))


def test_a_classifier_that_gives_nan_names_the_picture(tmp_path, folder):
    copy = shutil.copytree(folder, tmp_path / "copy")
    tensors = load_file(str(copy / "model.safetensors"))
    tensors["classifier.bias"][0] = math.nan
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(ScorerFailed, match=r"picture 1 \(128 x 96\) of 1"):
        styles(opened(copy), pictures(1))


# ---- regression --------------------------------------------------------------------------------------------------


def cloud(count=240, width=6, classes=3, seed=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    return rng.normal(0, 1, (count, width)) + 1.2 * np.eye(classes, width)[labels], labels


def test_the_regression_finds_the_least_loss():
    vectors, labels = cloud()
    weight, bias = regress(vectors, labels, 3, 0.01)

    def loss(weight, bias):
        each = 1.0 / (3 * np.bincount(labels)[labels])
        logits = vectors @ weight.T + bias
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -(each * logs[np.arange(len(labels)), labels]).sum() + 0.01 * (weight**2).sum()

    for place in np.ndindex(weight.shape):
        step = np.zeros(weight.shape)
        step[place] = 1e-4
        slope = (loss(weight + step, bias) - loss(weight - step, bias)) / 2e-4
        assert abs(slope) < 1e-4, "level in every direction: a convex loss has one such place"


def test_the_temperature_makes_overconfident_shares_honest():
    vectors, labels = cloud()
    weight, bias = regress(vectors, labels, 3, 0.01)
    logits = vectors @ weight.T + bias
    right = calibrate(logits, labels)
    assert calibrate(logits * 7, labels) == pytest.approx(right * 7, rel=1e-3)
    for other in (right * 0.8, right * 1.25):
        assert log_loss(logits / other, labels) > log_loss(logits / right, labels)


def test_every_class_is_held_out_in_its_share_and_no_picture_twice():
    labels = np.asarray([0] * 50 + [1] * 5 + [2] * 20)
    kept, held = split(labels, 0.2, 4)
    assert sorted([*kept, *held]) == list(range(75))
    assert list(np.bincount(labels[held])) == [10, 1, 4]
    assert np.array_equal(split(labels, 0.2, 4)[1], held) and not np.array_equal(split(labels, 0.2, 5)[1], held)


# ---- probe -------------------------------------------------------------------------------------------------------


def school(rng, kind):
    """A picture that is plainly of one of three kinds."""
    down, across = np.mgrid[0:72, 0:72] / 72
    waves = {"stripes": np.sin(across * 40), "rings": np.sin(np.hypot(down - 0.5, across - 0.5) * 60)}
    base = waves.get(kind, down * 2 - 1)
    tint = {"stripes": (0.9, 0.4, 0.2), "rings": (0.2, 0.5, 0.9)}.get(kind, (0.3, 0.8, 0.4))
    shade = (base * 0.4 + 0.5)[..., None] * np.asarray(tint) + rng.normal(0, 0.05, (72, 72, 3))
    return Image.fromarray((np.clip(shade, 0, 1) * 255).astype(np.uint8))


@pytest.fixture(scope="module")
def sorted_pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("schools")
    rng = np.random.default_rng(6)
    for kind, count in (("rings", 20), ("slopes", 15), ("stripes", 20)):
        (root / kind).mkdir()
        for number in range(count):
            school(rng, kind).save(root / kind / f"{number:02}.png")
    (root / "rings" / "notes.txt").write_text("not a picture")
    (root / "rings" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    school(rng, "rings").convert("RGBA").save(root / "rings" / "clear.png")
    school(rng, "stripes").convert("L").save(root / "stripes" / "grey.jpg")
    (root / ".hidden").mkdir()
    return root


@pytest.fixture(scope="module")
def trained(sorted_pictures, tower, tmp_path_factory):
    into = tmp_path_factory.mktemp("probe") / "deep" / "schools.safetensors"
    said: list[str] = []
    return into, train(sorted_pictures, tower, into, seed=2, tell=said.append), said


def test_training_tells_schools_apart_that_it_has_not_seen(trained):
    _, outcome, said = trained
    assert outcome.classes == ("rings", "slopes", "stripes") and outcome.pictures == (21, 15, 21)
    assert outcome.held_out == 11 and outcome.skipped == ("rings/broken.png",)
    assert outcome.accuracy > 0.8 > outcome.majority and outcome.log_loss < math.log(3) * 0.7
    assert len(said) == 3


def test_a_trained_probe_is_a_style_scorer_on_the_same_tower(trained, tower):
    into, outcome, _ = trained
    scorer = probe(tower, into)
    rng = np.random.default_rng(99)
    images = [np.asarray(school(rng, kind)) for kind in outcome.classes for _ in range(5)]
    shares = scorer.shares(images)
    assert (shares.argmax(axis=1) == np.repeat([0, 1, 2], 5)).mean() > 0.8
    assert styles(scorer, images) == normalised_entropy(shares)
    card = json.loads(into.with_suffix(".json").read_text())
    assert card["accuracy"] == outcome.accuracy and card["model"] == tower.version and card["seed"] == 2
    tensors = load_file(str(into))
    logits = tower.image_features(images[:1]) @ tensors["weight"].numpy().T + tensors["bias"].numpy()
    raised = np.exp(logits / outcome.temperature)
    assert np.abs(raised / raised.sum() - shares[0]).max() < 1e-5


def test_what_is_held_out_was_not_trained_on(trained, sorted_pictures, tower):
    into, outcome, _ = trained
    readable = [p for p in sorted(sorted_pictures.glob("*/*")) if p.suffix in (".png", ".jpg") and p.stem != "broken"]
    vectors = tower.image_features([np.asarray(Image.open(p).convert("RGB")) for p in readable]).astype(np.float64)
    labels = np.asarray([outcome.classes.index(p.parent.name) for p in readable])
    kept, held = split(labels, 0.2, 2)
    weight, bias = regress(vectors[kept], labels[kept], 3, outcome.strength)
    assert np.abs(load_file(str(into))["weight"].numpy() - weight).max() < 1e-2
    assert ((vectors[held] @ weight.T + bias).argmax(axis=1) == labels[held]).mean() == outcome.accuracy


def test_training_again_gives_the_same_probe(trained, sorted_pictures, tower, tmp_path):
    into, outcome, _ = trained
    again = train(sorted_pictures, tower, tmp_path / "again.safetensors", seed=2)
    assert again.accuracy == outcome.accuracy
    assert (tmp_path / "again.safetensors").read_bytes() == into.read_bytes()
    assert not list(tmp_path.glob("*.draft"))


def test_labels_without_meaning_are_reported_as_worth_nothing(tower, tmp_path):
    rng = np.random.default_rng(8)
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        for number in range(30):
            school(rng, "rings").save(tmp_path / kind / f"{number}.png")
    outcome = train(tmp_path, tower, tmp_path / "p.safetensors")
    assert outcome.accuracy < 0.85 and outcome.log_loss > 0.5, "of 12 unseen pictures, no better than chance allows"


def test_too_few_classes_or_pictures_are_refused(tower, tmp_path, sorted_pictures):
    into = tmp_path / "p.safetensors"
    with pytest.raises(BadInput, match="no folder"):
        train(tmp_path / "none", tower, into)
    data = tmp_path / "data"
    shutil.copytree(sorted_pictures / "rings", data / "rings")
    with pytest.raises(BadInput, match=r"has 1 sub-folder with pictures, wanted 2"):
        train(data, tower, into)
    (data / "few").mkdir()
    for number in range(4):
        shutil.copy(data / "rings" / f"0{number}.png", data / "few")
    with pytest.raises(BadInput, match=r"few holds 4 pictures, wanted 5"):
        train(data, tower, into)
    (data / "few" / "broken.png").write_bytes(b"nothing")
    with pytest.raises(BadInput, match=r"few holds 4 pictures \(1 more cannot be read\)"):
        train(data, tower, into)
    assert not into.exists()


def test_a_probe_of_another_model_is_refused(trained, tmp_path):
    other = Tower(find(WHERE, {"weights": str(clip_files(tmp_path, seed=9))}), device=CPU, views=Views())
    with pytest.raises(BadInput, match="was trained on"):
        probe(other, trained[0])


def test_a_probe_without_a_card_or_with_other_weights_is_refused(trained, tower, tmp_path):
    copy = tmp_path / "p.safetensors"
    shutil.copy(trained[0], copy)
    with pytest.raises(MissingModel, match="train style"):
        probe(tower, copy)
    copy.with_suffix(".json").write_text("{}")
    with pytest.raises(BadInput, match="not the card of a style probe"):
        probe(tower, copy)
    shutil.copy(trained[0].with_suffix(".json"), copy.with_suffix(".json"))
    save_file({"weight": torch.zeros(2, 32), "bias": torch.zeros(3)}, copy)
    with pytest.raises(BadInput, match=r"wanted weight \(3, 32\) and bias \(3,\)"):
        probe(tower, copy)
