"""What the four gates share: one decode and one resize a picture, one CLIP pass; memory that runs out; loading."""

from __future__ import annotations

import gc

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")

import torch
from PIL import Image
from tiny_scorers import clip_files, gate_tables, pictures

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.scorers import loading
from gen_emerge.scorers.batches import Batches
from gen_emerge.scorers.preparation import Preparation
from gen_emerge.scorers.residents import Resident
from gen_emerge.scorers.views import ByPicture, Look, Views

pytestmark = pytest.mark.models
CPU = torch.device("cpu")


def fixed(array):
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def noise(height, width, seed=0):
    return fixed(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


# ---- views -------------------------------------------------------------------------------------------------------

SHORTEST = Look(height=224, width=224, fit="shortest", resample="bicubic")
SQUASH = Look(height=224, width=224, fit="squash", resample="bicubic")


@pytest.mark.parametrize(
    "size", [(512, 512), (300, 416), (416, 300), (64, 1023), (1023, 64), (9, 7), (1, 1), (223, 225), (40, 20_000 // 5)]
)
def test_a_view_is_byte_for_byte_what_torchvision_makes(size):
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    image = noise(*size)
    shortest = Compose([Resize(224, interpolation=InterpolationMode.BICUBIC), CenterCrop(224)])
    assert np.array_equal(Views().see(image, SHORTEST), np.asarray(shortest(Image.fromarray(image))))
    squash = Resize((224, 224), interpolation=InterpolationMode.BICUBIC)
    assert np.array_equal(Views().see(image, SQUASH), np.asarray(squash(Image.fromarray(image))))


def test_a_strip_20000_pixels_wide_is_seen_in_its_middle_without_much_memory(monkeypatch):
    scaled, plain = [], Image.Image.resize

    def resize(self, size, *rest):
        scaled.append(size)
        return plain(self, size, *rest)

    monkeypatch.setattr(Image.Image, "resize", resize)
    strip = np.zeros((30, 20_000, 3), np.uint8)
    strip[:, 9_800:10_200] = 200
    for image in (fixed(strip), fixed(strip.transpose(1, 0, 2))):
        view = Views().see(image, SHORTEST)
        assert view.shape == (224, 224, 3) and (view == 200).all()
        assert Views().see(image, SQUASH).shape == (224, 224, 3)
    assert max(max(size) for size in scaled) <= 100 * 224


def test_a_picture_is_decoded_once_and_resized_once_a_size():
    views, image = Views(), noise(300, 200)
    first = views.see(image, SHORTEST)
    assert views.see(image, SHORTEST) is first and not first.flags.writeable
    views.see(image, SQUASH)
    views.see(image, Look(height=224, width=224, fit="squash", resample="nearest"))
    assert (views.decodes, views.resizes) == (1, 3)


def test_a_square_picture_is_resized_once_for_both_fits():
    views, image = Views(), noise(300, 300)
    assert views.see(image, SHORTEST) is views.see(image, SQUASH)
    assert (views.decodes, views.resizes) == (1, 1)


def test_nothing_is_remembered_of_an_array_that_may_still_change():
    views = Views()
    image = np.array(noise(80, 80))
    before = views.see(image, SQUASH)
    image[:] = 0
    assert not np.array_equal(views.see(image, SQUASH), before) and not views.see(image, SQUASH).any()
    window = image[:60]
    window.setflags(write=False)
    views.see(window, SQUASH)
    image[:] = 255
    assert (views.see(window, SQUASH) == 255).all(), "a read-only window of an array that others may write"


def test_what_is_remembered_goes_with_the_array():
    kept: ByPicture[int] = ByPicture()
    images = [noise(8, 8, seed) for seed in range(5)]
    for place, image in enumerate(images):
        kept.put(image, "key", place, size=10)
    assert [kept.get(image, "key") for image in images] == list(range(5)) and len(kept) == 5
    del images[1:], image
    gc.collect()
    assert len(kept) == 1 and kept.get(images[0], "key") == 0


def test_what_was_used_longest_ago_is_forgotten_first():
    kept: ByPicture[str] = ByPicture(limit=30)
    one, two, three, four = (noise(8, 8, seed) for seed in range(4))
    for image in (one, two, three):
        kept.put(image, "key", "x", size=10)
    kept.get(one, "key")
    kept.put(four, "key", "x", size=10)
    assert kept.get(two, "key") is None
    assert [kept.get(image, "key") for image in (one, three, four)] == ["x"] * 3
    kept.put(four, "key", "y", size=10)
    assert len(kept) == 3 and kept.put(two, "key", "z", size=31) == "z" and kept.get(two, "key") is None


def test_a_library_that_prepares_in_its_own_way_is_asked_for_every_picture():
    from torchvision.transforms import Compose, Resize, ToTensor

    own = Compose([Resize((224, 224)), ToTensor()])  # bilinear, not what is believed
    views = Views()
    prepare = Preparation(views, own, look=SQUASH, mean=(0, 0, 0), std=(1, 1, 1))
    image = noise(90, 120)
    assert prepare.look is None and prepare.tag == "own-view"
    assert np.array_equal(prepare(image), own(Image.fromarray(image)).numpy()) and views.resizes == 0


# ---- memory ------------------------------------------------------------------------------------------------------


def test_out_of_memory_halves_the_portion_is_told_once_and_loses_nothing():
    batches = Batches(CPU, 8)
    sizes: list[int] = []

    def step(portion):
        sizes.append(len(portion))
        if len(portion) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return np.asarray(portion, np.float32)[:, None]

    assert np.array_equal(batches.run(range(20), step)[:, 0], np.arange(20))
    assert sizes[:3] == [8, 4, 2] and batches.size == 2
    assert len(batches.notices) == 1 and "2 pictures at once" in batches.notices[0]
    sizes.clear()
    batches.run(range(4), step)
    assert sizes == [2, 2] and len(batches.notices) == 1


def test_memory_that_runs_out_at_the_hundredth_batch_is_survived():
    batches, calls = Batches(CPU, 4), []

    def step(portion):
        calls.append(len(portion))
        if len(calls) > 99 and len(portion) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return np.asarray(portion, np.float32)[:, None]

    assert np.array_equal(batches.run(range(440), step)[:, 0], np.arange(440)) and batches.size == 1


def test_a_picture_that_does_not_fit_alone_is_an_error_and_so_is_anything_else():
    def never(portion):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Batches(CPU, 4).run(range(4), never)

    def broken(portion):
        raise RuntimeError("shapes do not match")

    batches = Batches(CPU, 4)
    with pytest.raises(RuntimeError, match="shapes"):
        batches.run(range(4), broken)
    assert batches.size == 4


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "many"])
def test_a_batch_that_is_no_number_is_refused(size):
    with pytest.raises(BadInput, match="batch"):
        Batches(CPU, size)


class Network:
    """Says where it is, and refuses to go to a full device."""

    def __init__(self, room=None):
        self.room, self.place = room, "cpu"

    def to(self, device):
        if torch.device(device).type != "cpu" and self.room is not None:
            if self.room[0] == 0 and self.place == "cpu":
                raise torch.OutOfMemoryError("out of memory")
            self.room[0] -= self.place == "cpu"
        elif self.room is not None:
            self.room[0] += self.place != "cpu"
        self.place = torch.device(device).type
        return self


def test_under_pressure_the_network_used_longest_ago_waits_in_main_memory():
    device = torch.device("cuda", 5)  # only a name here: no network of torch is moved
    room = [2]
    first, second, third = (Network(room) for _ in range(3))
    one, two = Resident(first, device), Resident(second, device)
    one.enter()
    three = Resident(third, device)
    assert [net.place for net in (first, second, third)] == ["cuda", "cpu", "cuda"] and two.away
    two.enter()
    assert [net.place for net in (first, second, third)] == ["cpu", "cuda", "cuda"]
    three.enter()
    assert not three.away and room == [0]


def test_a_network_that_does_not_fit_alone_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        Resident(Network([0]), torch.device("cuda", 6))


def test_idle_networks_leave_before_the_portion_is_halved():
    device = torch.device("mps", 7)
    idle, busy = Network(), Network()
    keep = Resident(idle, device)
    batches = Batches(device, 4, network=busy)
    tried: list[tuple[int, str]] = []

    def step(portion):
        tried.append((len(portion), idle.place))
        if idle.place != "cpu":
            raise RuntimeError("MPS backend out of memory")
        return np.asarray(portion, np.float32)[:, None]

    batches.run(range(4), step)
    assert tried == [(4, "mps"), (4, "cpu")] and batches.size == 4 and not batches.notices and keep.away


# ---- loading -----------------------------------------------------------------------------------------------------


def split_tables(tables):
    return {gate: (table["use"], {k: v for k, v in table.items() if k != "use"}) for gate, table in tables.items()}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return split_tables(gate_tables(tmp_path_factory.mktemp("gates")))


def count_forwards(monkeypatch):
    """How many images go through CLIP's picture half, counted inside open_clip."""
    import open_clip

    seen = []
    plain = open_clip.CLIP.encode_image

    def counted(self, image, *rest, **options):
        seen.append(len(image))
        return plain(self, image, *rest, **options)

    monkeypatch.setattr(open_clip.CLIP, "encode_image", counted)
    return seen


def test_four_gates_share_one_decode_and_one_clip_pass_a_picture(tables, monkeypatch):
    passes = count_forwards(monkeypatch)
    scorers = loading.load(tables, ["a", "b"], device="cpu")
    assert [next(iter(scorer.roles)) for scorer in scorers] == ["quality", "prompt", "novelty", "style"]
    images = [noise(128, 128, seed) for seed in range(8)]
    decoded = []
    plain = Image.fromarray
    monkeypatch.setattr("gen_emerge.scorers.views.Image.fromarray", lambda a: decoded.append(id(a)) or plain(a))
    for scorer in scorers:
        scorer.score(images, ["a red tree"] * 8)
    assert sum(passes) == 8
    assert sorted(decoded) == sorted(id(image) for image in images)
    for scorer in scorers:
        scorer.score(images[:3], ["another"] * 3)
    assert sum(passes) == 8 and len(decoded) == 8


def test_laions_head_reads_the_same_pass(tables, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    save_file({"weight": torch.randn(1, 32), "bias": torch.zeros(1)}, tmp_path / "head.safetensors")
    passes = count_forwards(monkeypatch)
    images = [noise(64, 64, seed) for seed in range(3)]
    scorers = loading.load(
        tables,
        [],
        extra=["laion_v1"],
        extra_options={"laion_v1": {"weights": str(tmp_path / "head.safetensors")}},
        device="cpu",
    )
    passes.clear()  # a head looks at one grey picture to see that it fits
    for scorer in scorers:
        scorer.score(images, [""] * 3)
    assert sum(passes) == 3
    assert not scorers[-1].roles and set(scorers[-1].versions) == {"laion_v1"}


def test_a_style_table_of_its_own_weights_has_a_tower_of_its_own(tables, tmp_path, monkeypatch):
    other = clip_files(tmp_path / "other", seed=8)
    passes = count_forwards(monkeypatch)
    scorers = loading.load({**tables, "style": ("clip-zero-shot", {"weights": str(other)})}, [], device="cpu")
    same = loading.load({**tables, "style": ("clip-zero-shot", tables["prompt"][1])}, [], device="cpu")
    images = [noise(64, 64, seed) for seed in range(2)]
    for scorer in scorers:
        scorer.score(images, ["", ""])
    assert sum(passes) == 4
    passes.clear()
    for scorer in same:
        scorer.score(images, ["", ""])
    assert sum(passes) == 2


def test_a_probe_shares_the_tower_of_the_prompt(tables, tmp_path, monkeypatch):
    from gen_emerge.scorers.clip.checkpoint import find
    from gen_emerge.scorers.clip.tower import Tower
    from gen_emerge.scorers.training_style import train

    for kind, shade in (("dark", 40), ("light", 200)):
        (tmp_path / kind).mkdir()
        for number in range(6):
            Image.fromarray(np.full((20 + number, 20, 3), shade, np.uint8)).save(tmp_path / kind / f"{number}.png")
    tower = Tower(find("scorers.prompt", tables["prompt"][1]), device=CPU, views=Views())
    train(tmp_path, tower, tmp_path / "probe.safetensors")
    passes = count_forwards(monkeypatch)
    chosen = {"prompt": tables["prompt"], "style": ("probe", {"weights": str(tmp_path / "probe.safetensors")})}
    scorers = loading.load(chosen, [], device="cpu")
    images = [noise(64, 64, seed) for seed in range(3)]
    for scorer in scorers:
        scorer.score(images, [""] * 3)
    assert sum(passes) == 3
    assert "clip-probe" in scorers[1].versions["style"]


@pytest.mark.parametrize(
    ("gate", "use", "options", "said"),
    [
        ("quality", "nima", {"weigths": "x"}, 'Did you mean "weights"'),
        ("quality", "nima", {}, "scorers.quality.weights is not set"),
        ("quality", "nima", {"weights": 3}, "wanted a text"),
        ("quality", "niima", {}, 'Did you mean "nima"'),
        ("prompt", "clip", {"model": "ViT-B-32"}, "would be random"),
        ("style", "clip-zero-shot", {}, "[scorers.prompt] is not CLIP"),
        ("novelty", "dreamsim", {"allow_hub_code": "yes"}, "true or false"),
        ("novelty", "dreamsim", {"weights": ""}, "scorers.novelty.weights is not set"),
        ("quality", "nima", {"weights": "x", "batch": True}, "wanted a whole number"),
    ],
)
def test_a_wrong_table_says_which_key_and_what_is_near(gate, use, options, said):
    with pytest.raises(BadInput) as error:
        loading.load({gate: (use, options)}, [], device="cpu")
    assert said in str(error.value)


def test_files_that_are_not_there_are_missing_models(tmp_path):
    for gate, use in (("quality", "nima"), ("novelty", "dreamsim"), ("style", "probe")):
        with pytest.raises(MissingModel, match=r"models pull"):
            loading.load({gate: (use, {"weights": str(tmp_path / "none")})}, [], device="cpu")


def test_a_batch_of_a_table_goes_before_the_others(tables):
    use, options = tables["quality"]
    (scorer,) = loading.load({"quality": (use, {**options, "batch": 3})}, [], device="cpu", batch=5)
    assert scorer._batches.size == 3
    (scorer,) = loading.load({"quality": (use, {**options, "batch": "auto"})}, [], device="cpu", batch=5)
    assert scorer._batches.size == 5


def test_pictures_of_every_size_measure_the_same_in_any_portion(tables):
    images = [*pictures(8), noise(1, 1), noise(2, 900), fixed(np.zeros((50, 20_000, 3), np.uint8))]
    prompts = [f"picture {place}" for place in range(len(images))]
    whole = [scorer.score(images, prompts) for scorer in loading.load(tables, ["a"], device="cpu", batch=11)]
    parts = [scorer.score(images, prompts) for scorer in loading.load(tables, ["a"], device="cpu", batch=2)]
    for one, other in zip(whole, parts, strict=True):
        for left, right in zip(one, other, strict=True):
            assert [s.value for s in left.signals] == pytest.approx([s.value for s in right.signals], abs=1e-5)
            if left.embedding:
                assert np.abs(left.embedding.vector - right.embedding.vector).max() < 1e-5
