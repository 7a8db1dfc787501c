"""Defect detectors: seams on synthetic positives and negatives, an object detector from a local folder, plug-ins."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from gen_emerge.banks import load_prompts  # noqa: E402
from gen_emerge.chance import draw  # noqa: E402
from gen_emerge.emitters.operators import Fresh  # noqa: E402
from gen_emerge.errors import BadInput, MissingModel  # noqa: E402
from gen_emerge.generators.painter.generator import Painter  # noqa: E402
from gen_emerge.scorers import defects  # noqa: E402
from gen_emerge.scorers.defects.seams import Seams  # noqa: E402
from gen_emerge.types import Genome, Sources  # noqa: E402

SIDE = 192


@pytest.fixture(scope="module")
def painted(repository):
    """Forty pictures of all schools: frames, tiles, stripes and grain, but no seam."""
    bank, painter, genomes = load_prompts(repository / "prompts" / "painter-1.toml"), Painter(), []
    for number in range(40):
        sketch = Fresh().propose(Sources(bank=bank, parameters=painter.parameters), draw(9, 1, number, "seams"))
        genomes.append(
            Genome(
                slots=sketch.slots,
                prompt=bank.prompt(sketch.slots),
                seed=sketch.seed,
                generator=painter.name,
                generator_version=painter.version,
                parameters=sketch.parameters,
                width=SIDE,
                height=SIDE,
            )
        )
    return [np.asarray(array) for array in painter.render(genomes)]


def stepped(image, at, levels, *, axis=1):
    shifted = image.astype(np.int16)
    index = [slice(None)] * 3
    index[axis] = slice(at, None)
    shifted[tuple(index)] += levels
    return np.clip(shifted, 0, 255).astype(np.uint8)


def at_column(found, at):
    return [one for one in found if abs((one.box[0] + one.box[2]) / 2 * SIDE - at) <= 1.5 and one.box[3] == 1.0]


def test_no_seam_is_seen_in_pictures_that_have_none(painted):
    assert [len(found) for found in Seams({}).find(painted)] == [0] * len(painted)


def test_plain_noise_and_gradients_have_no_seam():
    rng = np.random.default_rng(0)
    across = np.linspace(0, 255, 96)[None, :, None].repeat(96, 0).repeat(3, 2).astype(np.uint8)
    others = [np.full((96, 96, 3), 77, np.uint8), rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)]
    assert [len(found) for found in Seams({}).find([across, across.transpose(1, 0, 2), *others])] == [0] * 4


@pytest.mark.parametrize(("levels", "least"), [(16, 0.5), (32, 0.75)])
def test_a_step_from_edge_to_edge_is_found_where_it_is(painted, levels, least):
    """Measured on 150 of these pictures: 31% found at 8 levels, 67% at 16, 89% at 32; none where there is none."""
    rng = np.random.default_rng(1)
    hits = 0
    for image in painted:
        at = int(rng.integers(20, SIDE - 20))
        hits += bool(at_column(Seams({}).find([stepped(image, at, levels * rng.choice([-1, 1]))])[0], at))
    assert hits / len(painted) >= least


def test_two_pictures_pasted_together_are_found(painted):
    pasted = [
        np.concatenate([one[:, : SIDE // 2], other[:, SIDE // 2 :]], axis=1)
        for one, other in itertools.pairwise(painted)
    ]
    found = Seams({}).find(pasted)
    assert np.mean([bool(at_column(one, SIDE // 2)) for one in found]) >= 0.75


def test_a_horizontal_seam_is_found_and_says_so(painted):
    image = stepped(painted[0] // 2, 100, 60, axis=0)
    (found,) = Seams({}).find([image])
    assert [one.kind for one in found] == ["seam"]
    assert abs((found[0].box[1] + found[0].box[3]) / 2 * SIDE - 100) <= 1.5 and found[0].box[0::2] == (0.0, 1.0)
    assert found[0].reason.startswith("A horizontal seam at 52%") and "levels" in found[0].reason


def test_an_edge_that_ends_before_the_border_was_drawn():
    image = np.full((SIDE, SIDE, 3), 40, np.uint8)
    image[20:-20, 60:] = 200
    assert Seams({}).find([image])[0] == ()
    image[:, 60:] = 200
    assert at_column(Seams({}).find([image])[0], 60)


def test_tiles_of_one_size_are_called_periodic():
    rng = np.random.default_rng(2)
    image = rng.normal(128, 4, (SIDE, SIDE, 3))
    for place in range(4):
        image[:, place * 48 : (place + 1) * 48] += (12, -10, 14, -8)[place]
    found = Seams({}).find([np.clip(image, 0, 255).astype(np.uint8)])[0]
    assert len(found) == 3 and all("one of 3 every 48 pixels" in one.reason for one in found)


def test_borders_are_looked_at_only_in_pictures_meant_to_be_tiled():
    across = np.linspace(40, 200, SIDE)[None, :, None].repeat(SIDE, 0).repeat(3, 2).astype(np.uint8)
    wave = (128 + 60 * np.sin(np.arange(SIDE) / SIDE * 2 * np.pi)).astype(np.uint8)
    around = wave[None, :, None].repeat(SIDE, 0).repeat(3, 2)
    assert Seams({}).find([across])[0] == ()
    (found,) = Seams({"wraps": True}).find([across])
    assert len(found) == 1 and "Tiled, the borders make a vertical seam" in found[0].reason
    assert Seams({"wraps": True}).find([around])[0] == ()


def test_alone_and_in_a_batch_the_same_and_nothing_is_changed(painted):
    images = [stepped(image, 80, 40) for image in painted[:5]]
    before = [image.copy() for image in images]
    together = Seams({}).find(images)
    assert together == [Seams({}).find([image])[0] for image in images]
    assert all(np.array_equal(image, old) for image, old in zip(images, before, strict=True))
    assert Seams({}).find([]) == [] and Seams({}).find([np.zeros((5, 300, 3), np.uint8)]) == [()]


# ---- an object detector from a folder ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny YOLOS with two labels, random weights, as `save_pretrained` writes it."""
    torch.manual_seed(0)
    config = transformers.YolosConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=[64, 64],
        patch_size=16,
        num_detection_tokens=8,
        id2label={0: "good hand", 1: "bad hand"},
        label2id={"good hand": 0, "bad hand": 1},
        use_mid_position_embeddings=False,
    )
    folder = tmp_path_factory.mktemp("detector")
    model = transformers.YolosForObjectDetection(config)
    with torch.no_grad():
        model.vit.embeddings.detection_tokens.normal_()  # its eight queries begin all alike
    model.save_pretrained(folder)
    transformers.YolosImageProcessor(size={"height": 64, "width": 64}, do_pad=False).save_pretrained(folder)
    return folder


def given(folder, **more):
    return {"regions": {"model": str(folder), "labels": {"bad hand": "hand"}, "threshold": 0.2, **more}}


def test_a_local_detector_gives_the_regions_that_the_library_gives(folder, painted):
    from PIL import Image

    (detector,) = defects.load(["regions"], given(folder), device="cpu")
    image = painted[0][:100]
    (found,) = detector.find([image])
    model = transformers.AutoModelForObjectDetection.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    with torch.no_grad():
        output = model(**processor(images=Image.fromarray(image), return_tensors="pt"))
    (wanted,) = processor.post_process_object_detection(output, threshold=0.2, target_sizes=[image.shape[:2]])
    boxes = sorted(box for label, box in zip(wanted["labels"].tolist(), wanted["boxes"].tolist(), strict=True) if label)
    assert boxes and len(found) == len(boxes)
    (other,) = defects.load(["regions"], given(folder, labels={"good hand": "fine"}), device="cpu")
    assert len(other.find([image])[0]) == len(wanted["boxes"]) - len(boxes)
    scaled = sorted(tuple(np.array(one.box) * (SIDE, 100, SIDE, 100)) for one in found)
    assert np.allclose(scaled, np.clip(boxes, 0, (SIDE, 100, SIDE, 100)), atol=1e-3)
    assert {one.kind for one in found} == {"hand"} and 'sees "bad hand"' in found[0].reason


def test_a_detector_that_is_missing_broken_or_misread_is_refused(folder, tmp_path):
    with pytest.raises(MissingModel):
        defects.load(["regions"], given(tmp_path / "none"), device="cpu")
    with pytest.raises(BadInput, match=r'no label "bad hnad".*"bad hand"'):
        defects.load(["regions"], given(folder, labels={"bad hnad": "hand"}), device="cpu")
    for labels, said in (({"bad hand": 3}, "= 3: wanted a text"), ({"bad hand": " "}, "= ' ': wanted a text")):
        with pytest.raises(BadInput, match=rf'detectors\.regions\.labels\."bad hand" {said}'):
            defects.load(["regions"], given(folder, labels=labels), device="cpu")
    for threshold in (-0.1, 1.5, 2):
        with pytest.raises(
            BadInput, match=rf"detectors\.regions\.threshold = {threshold}: wanted a number from 0 to 1"
        ):
            defects.load(["regions"], given(folder, threshold=threshold), device="cpu")
    with pytest.raises(BadInput, match="needs labels"):
        defects.load(["regions"], given(folder, labels={}), device="cpu")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(BadInput, match="cannot be opened"):
        defects.load(["regions"], given(broken), device="cpu")
    with pytest.raises(BadInput, match=r'no detector "seam".*"seams"'):
        defects.load(["seam"], {}, device="cpu")
    with pytest.raises(BadInput, match='no option "least"'):
        defects.load(["seams"], {"seams": {"least": 1}}, device="cpu")


def test_another_package_adds_a_detector_through_its_entry_point(tmp_path, monkeypatch, painted):
    info = tmp_path / "added-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gen_emerge.detectors]\nblack = added_detector:Black\n")
    (tmp_path / "added_detector.py").write_text(
        "from gen_emerge.scorers.defects import Defect\n"
        "class Black:\n"
        "    name, version = 'black', 'black-1'\n"
        "    def __init__(self, options, *, device): pass\n"
        "    def find(self, images):\n"
        "        box = (0.0, 0.0, 1.0, 1.0)\n"
        "        black = (Defect(kind='black', box=box, reason='All black.'),)\n"
        "        return [() if one.any() else black for one in images]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    (detector,) = defects.load(["black"], {}, device="cpu")
    found = detector.find([painted[0], np.zeros((8, 8, 3), np.uint8)])
    assert [len(one) for one in found] == [0, 1]
