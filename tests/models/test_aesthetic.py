"""LAION's heads, from a pickled file as the originals are to a number, on a shared tower and on one of their own."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

from gen_emerge.errors import BadInput, MissingModel, ScorerFailed  # noqa: E402
from gen_emerge.scorers.aesthetic import load_aesthetic  # noqa: E402
from tests.models import tiny_extras as tiny  # noqa: E402


class FixedTower:
    """A tower that gives the embeddings it was told: enough to hold the head's arithmetic to the formula."""

    model_name = "ViT-L-14"
    digest = "ab" * 32

    def __init__(self, width: int) -> None:
        self.width = width
        self.passes = 0

    def image_features(self, images):
        self.passes += len(images)
        rows = np.stack([np.resize(image.astype(np.float32), self.width) for image in images]) + 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("laion")


@pytest.fixture(scope="module")
def heads(folder):
    return tiny.laion_v1(folder / "v1.pth"), tiny.laion_v2(folder / "v2.pth")


def opened(path, name, tower, **options):
    return load_aesthetic(
        name, {"weights": str(path), "sha256": tiny.sha256(path), **options}, tower=tower, device="cpu"
    )


def values(scorer, images):
    return [reading.signals[0].value for reading in scorer.score(images, [""] * len(images))]


def test_v1_is_the_linear_formula_on_the_unit_embedding(heads):
    tower, images = FixedTower(512), tiny.pictures(3)
    table = torch.load(heads[0], weights_only=True)
    wanted = tower.image_features(images) @ table["weight"][0].numpy() + table["bias"].item()
    scorer = opened(heads[0], "laion_v1", tower)
    assert values(scorer, images) == pytest.approx(list(wanted), abs=1e-5)
    assert scorer.roles == frozenset() and list(scorer.versions) == ["laion_v1"]


def test_v2_is_five_linear_maps_without_anything_between_them(heads):
    tower, images = FixedTower(768), tiny.pictures(3)
    table = {key: value.double().numpy() for key, value in torch.load(heads[1], weights_only=True).items()}
    wanted = tower.image_features(images).astype(np.float64)
    for layer in (0, 2, 4, 6, 7):
        wanted = wanted @ table[f"layers.{layer}.weight"].T + table[f"layers.{layer}.bias"]
    scorer = opened(heads[1], "laion_v2", tower)
    assert values(scorer, images) == pytest.approx(list(wanted[:, 0]), abs=1e-5)
    assert np.ptp(wanted) > 1e-4


def test_the_head_is_recognised_by_its_keys(heads):
    assert opened(heads[0], "laion", FixedTower(512)).name == "laion_v1"
    assert opened(heads[1], "laion", FixedTower(768)).name == "laion_v2"
    with pytest.raises(BadInput, match=r"holds the head laion_v2, wanted laion_v1"):
        opened(heads[1], "laion_v1", FixedTower(768))


def test_a_head_on_a_tower_of_another_width_is_refused_when_it_is_opened(heads):
    with pytest.raises(BadInput, match=r"width 512; ViT-L-14 gives 768.*ViT-B-32"):
        opened(heads[0], "laion_v1", FixedTower(768))


def test_the_shared_tower_looks_once_at_each_image(heads):
    tower = FixedTower(512)
    scorer = opened(heads[0], "laion_v1", tower)
    before = tower.passes
    scorer.score(tiny.pictures(5), [""] * 5)
    assert tower.passes - before == 5


def test_without_a_shared_tower_it_opens_its_own(heads, tmp_path):
    clip = tiny.open_clip_tower(tmp_path, "tiny-extras-aesthetic")
    scorer = opened(heads[0], "laion", None, model="tiny-extras-aesthetic", clip=str(clip))
    images = tiny.pictures(4)
    together = values(scorer, images)
    alone = [values(scorer, [image])[0] for image in images]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 4
    assert tiny.sha256(clip)[:12] in scorer.versions["laion_v1"]


def test_a_pickled_head_is_opened_only_when_its_hash_is_pinned(heads):
    with pytest.raises(BadInput, match="not pinned"):
        load_aesthetic("laion", {"weights": str(heads[0])}, tower=FixedTower(512), device="cpu")


def test_missing_files_keys_and_options_are_named(heads, folder):
    with pytest.raises(MissingModel, match=r"nowhere\.pth"):
        load_aesthetic("laion", {"weights": str(folder / "nowhere.pth")}, tower=None, device="cpu")
    with pytest.raises(BadInput, match="needs weights"):
        load_aesthetic("laion", {}, tower=None, device="cpu")
    with pytest.raises(BadInput, match=r'no option "weigths".*"weights"'):
        load_aesthetic("laion", {"weigths": "x"}, tower=None, device="cpu")
    short = folder / "short.pth"
    table = torch.load(heads[1], weights_only=True)
    torch.save({key: value for key, value in table.items() if key != "layers.4.bias"}, short)
    with pytest.raises(BadInput, match=r"missing: 4\.bias"):
        opened(short, "laion_v2", FixedTower(768))


def test_an_embedding_that_is_not_finite_names_its_image(heads):
    class Broken(FixedTower):
        def image_features(self, images):
            found = super().image_features(images)
            found[[len(image) == 64 for image in images]] = np.nan
            return found

    scorer = opened(heads[0], "laion_v1", Broken(512))
    with pytest.raises(ScorerFailed, match="laion_v1 is nan for image 2 of 3"):
        scorer.score(tiny.pictures(3), [""] * 3)
    assert len(values(scorer, tiny.pictures(1))) == 1


def test_the_batch_is_halved_when_memory_runs_out_and_stays_so(heads):
    class Small(FixedTower):
        def image_features(self, images):
            if len(images) > 2:
                raise torch.OutOfMemoryError("simulated")
            return super().image_features(images)

    scorer = opened(heads[0], "laion_v1", Small(512), batch=8)
    assert len(values(scorer, tiny.pictures(5))) == 5
    assert scorer.batches.size == 2
