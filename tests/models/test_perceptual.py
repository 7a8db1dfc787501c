"""LPIPS, DISTS, PSNR and SSIM through their own libraries, and the registry of extra scorers."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch")
lpips = pytest.importorskip("lpips")
torchmetrics = pytest.importorskip("torchmetrics")
pytest.importorskip("open_clip")

from gen_emerge.errors import BadInput, MissingModel, NotFound, ScorerFailed  # noqa: E402
from gen_emerge.scorers import extras  # noqa: E402
from gen_emerge.scorers.perceptual import Psnr, Ssim  # noqa: E402
from gen_emerge.scorers.perceptual_networks import Dists, load_lpips  # noqa: E402
from tests.models import tiny_extras as tiny  # noqa: E402


@pytest.fixture(scope="module")
def trunks(tmp_path_factory):
    """Trunks as torchvision publishes them, the classifier included for one of them, random weights."""
    folder = tmp_path_factory.mktemp("trunks")
    return {net: tiny.trunk(folder / f"{net}.pth", net) for net in ("squeeze", "alex", "vgg")}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(8)
    base = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    noisy = np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)
    made = [base, noisy, 255 - base, rng.integers(0, 256, base.shape, dtype=np.uint8)]
    for one in made:
        one.setflags(write=False)
    return made


@pytest.fixture(scope="module")
def measures(trunks):
    found = {net: load_lpips(given(trunks[net], net=net), device="cpu") for net in ("squeeze", "alex", "vgg")}
    return {**found, "dists": Dists(given(trunks["vgg"]), device="cpu"), "psnr": Psnr({}, device="cpu")} | {
        "ssim": Ssim({}, device="cpu")
    }


def given(path, **more):
    return {"weights": str(path), "sha256": tiny.sha256(path), **more}


def planes(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("net", ["squeeze", "alex", "vgg"])
def test_lpips_is_what_its_package_gives_with_that_trunk(measures, trunks, images, net):
    with pytest.warns(UserWarning):
        reference = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    table = torch.load(trunks[net], weights_only=True)
    with torch.no_grad():
        for name, value in reference.net.state_dict().items():
            value.copy_(table["features." + name.partition(".")[2]])
        wanted = reference(planes(images[0]), planes(images[1]), normalize=True).item()
    assert measures[net].distance(images[0], images[1]) == pytest.approx(wanted, rel=1e-5)
    assert wanted > 1e-4


@pytest.mark.parametrize("name", ["squeeze", "alex", "vgg", "dists"])
def test_a_distance_is_a_distance(measures, images, name):
    found = measures[name].matrix(images)
    assert found.shape == (4, 4) and found.dtype == np.float32
    assert np.array_equal(found, found.T)
    assert np.abs(np.diagonal(found)).max() < 1e-6
    assert (found[~np.eye(4, dtype=bool)] > 1e-6).all()
    assert measures[name].alike == "small"
    assert found[0, 2] == pytest.approx(measures[name].distance(images[0], images[2]), abs=1e-6)


def test_dists_is_what_torchmetrics_gives_with_that_trunk(measures, trunks, images):
    from torchmetrics.functional.image import dists

    class Empty:
        def __init__(self, **_):
            import torchvision

            self.features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])

    before, dists.vgg16 = dists.vgg16, Empty
    try:
        reference = dists.DISTSNetwork()
    finally:
        dists.vgg16 = before
    table = torch.load(trunks["vgg"], weights_only=True)
    with torch.no_grad():
        for name, value in reference.named_parameters():
            if name.startswith("stage"):
                value.copy_(table["features." + name.partition(".")[2]])
        wanted = reference(planes(images[0]), planes(images[1])).item()
    assert measures["dists"].distance(images[0], images[1]) == pytest.approx(wanted, abs=1e-6)


def test_dists_lends_torchvisions_function_back(measures):
    import torchvision
    from torchmetrics.functional.image import dists

    assert measures["dists"].version and dists.vgg16 is torchvision.models.vgg16


def test_dists_looks_at_a_shorter_side_of_256_pixels(measures):
    rng = np.random.default_rng(1)
    small = np.kron(rng.integers(0, 256, (16, 16, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    other = np.roll(small, 40, axis=1)
    large = [np.kron(one, np.ones((2, 2, 1), np.uint8)) for one in (small, other)]
    assert measures["dists"].distance(*large) == pytest.approx(measures["dists"].distance(small, other), abs=1e-5)
    assert "side-256" in measures["dists"].version and "full-size" in measures["alex"].version


def test_psnr_and_ssim_against_their_formulas(measures, images):
    a, b = (images[0].astype(np.float64), images[1].astype(np.float64))
    assert measures["psnr"].distance(images[0], images[1]) == pytest.approx(
        10 * np.log10(255**2 / ((a - b) ** 2).mean()), abs=1e-3
    )
    assert measures["psnr"].distance(images[0], images[0]) == np.inf
    # Two plain pictures: only the luminance term is left, (2 m n + c) / (m^2 + n^2 + c) with c = (0.01 * 255)^2.
    plain = [np.full((40, 40, 3), value, np.uint8) for value in (100, 150)]
    c = (0.01 * 255) ** 2
    wanted = (2 * 100 * 150 + c) / (100**2 + 150**2 + c)
    assert measures["ssim"].distance(*plain) == pytest.approx(wanted, abs=1e-4)
    assert measures["ssim"].distance(images[0], images[0]) == pytest.approx(1.0, abs=1e-6)
    assert measures["psnr"].alike == measures["ssim"].alike == "large"


@pytest.mark.parametrize("name", ["alex", "dists", "psnr", "ssim"])
def test_pictures_of_other_sizes_are_refused(measures, images, name):
    with pytest.raises(BadInput, match=r"one size; these are 64 x 40 and 64 x 64"):
        measures[name].distance(images[0], images[1][:40])


def test_pictures_that_are_too_small_are_refused(measures):
    with pytest.raises(BadInput, match=">= 32 pixels"):
        measures["alex"].distance(*[np.zeros((16, 64, 3), np.uint8)] * 2)
    with pytest.raises(BadInput, match=">= 11 pixels"):
        measures["ssim"].distance(*[np.zeros((8, 64, 3), np.uint8)] * 2)


def test_no_trunk_is_ever_random_unless_it_is_asked_for(images):
    with pytest.raises(BadInput, match=r"lpips needs weights.*alexnet-owt-7be5be79"):
        load_lpips({}, device="cpu")
    with pytest.raises(BadInput, match=r"dists needs weights.*vgg16-397923af"):
        Dists({}, device="cpu")
    asked = load_lpips({"random_trunk": True, "net": "squeeze"}, device="cpu")
    assert "random-trunk" in asked.version
    again = load_lpips({"random_trunk": True, "net": "squeeze"}, device="cpu")
    assert again.distance(*images[:2]) == asked.distance(*images[:2]) and again.version == asked.version


def test_wrong_trunks_are_refused_and_named(trunks, tmp_path):
    with pytest.raises(BadInput, match="does not fit"):
        load_lpips(given(trunks["vgg"]), device="cpu")
    with pytest.raises(BadInput, match="not pinned"):
        load_lpips({"weights": str(trunks["alex"])}, device="cpu")
    with pytest.raises(MissingModel):
        load_lpips({"weights": str(tmp_path / "none.pth")}, device="cpu")
    with pytest.raises(BadInput, match=r'no net "alexx".*"alex"'):
        load_lpips(given(trunks["alex"], net="alexx"), device="cpu")
    short = tmp_path / "short.pth"
    table = torch.load(trunks["alex"], weights_only=True)
    torch.save({key: value for key, value in table.items() if key != "features.3.bias"}, short)
    with pytest.raises(BadInput, match=r"missing: slice2\.3\.bias"):
        load_lpips(given(short), device="cpu")


def test_weights_that_are_not_numbers_are_said(trunks, images, tmp_path):
    table = torch.load(trunks["squeeze"], weights_only=True)
    table["features.0.bias"][0] = float("nan")
    torch.save(table, tmp_path / "nan.pth")
    broken = load_lpips(given(tmp_path / "nan.pth", net="squeeze"), device="cpu")
    with pytest.raises(ScorerFailed, match="lpips of images 1 and 1 is NaN"):
        broken.distance(*images[:2])


# ---- the registry ------------------------------------------------------------------------------------------------


def test_an_unknown_extra_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(BadInput, match=r'"pickscor".*"pickscore"'):
        extras.load(["pickscor"], {}, tower=None, device="cpu")
    with pytest.raises(BadInput, match='Options are given for "hps"'):
        extras.load([], {"hps": {}}, tower=None, device="cpu")
    with pytest.raises(BadInput, match=r'no distance "lpip".*"lpips"'):
        extras.load_distance("lpip", {}, device="cpu")
    with pytest.raises(BadInput, match="needs target"):
        extras.load(["ssim"], {}, tower=None, device="cpu")
    with pytest.raises(NotFound, match=r"none\.png"):
        extras.load(["ssim"], {"ssim": {"target": "none.png"}}, tower=None, device="cpu")


def test_extras_are_opened_in_order_and_fill_no_role(trunks, images, tmp_path):
    from PIL import Image

    Image.fromarray(images[0]).save(tmp_path / "target.png")
    target = {"target": str(tmp_path / "target.png")}
    clip = tiny.open_clip_tower(tmp_path, "tiny-extras-registry")
    head = tiny.laion_v1(tmp_path / "v1.pth")
    options = {
        "ssim": target,
        "lpips": {**target, **given(trunks["squeeze"], net="squeeze")},
        "laion": {**given(head), "clip": str(clip), "model": "tiny-extras-registry"},
        "hps": {"weights": str(clip), "model": "tiny-extras-registry"},
    }
    scorers = extras.load(["ssim", "lpips", "laion", "hps"], options, tower=None, device="cpu")
    assert [name for scorer in scorers for name in scorer.versions] == ["ssim", "lpips", "laion_v1", "hps"]
    for scorer in scorers:
        readings = scorer.score(images, ["a"] * 4)
        values = [reading.signals[0].value for reading in readings]
        assert scorer.roles == frozenset() and len(set(values)) == 4 and np.isfinite(values).all()
        assert [r.signals[0].scorer_version for r in readings] == [next(iter(scorer.versions.values()))] * 4
        alone = [scorer.score([one], ["a"])[0].signals[0].value for one in images]
        assert values == pytest.approx(alone, abs=1e-5)
    assert scorers[0].score(images[:1], [""])[0].signals[0].value == pytest.approx(1.0)


def test_two_extras_for_one_signal_are_refused(tmp_path):
    clip = tiny.open_clip_tower(tmp_path, "tiny-extras-twice")
    own = {**given(tiny.laion_v1(tmp_path / "v1.pth")), "clip": str(clip), "model": "tiny-extras-twice"}
    with pytest.raises(BadInput, match='Two extra scorers give the signal "laion_v1"'):
        extras.load(["laion", "laion_v1"], {"laion": own, "laion_v1": own}, tower=None, device="cpu")
