"""NIMA: from a Keras file on disk to a number, and that the port does Keras' arithmetic."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("h5py")

import h5py
import torch
from PIL import Image
from tiny_scorers import STRIDES, nima_file, pictures

from gen_emerge.errors import BadInput, MissingModel, ScorerFailed
from gen_emerge.scorers import nima as nima_module
from gen_emerge.scorers.mobilenet import read_layers
from gen_emerge.scorers.nima import Nima
from gen_emerge.scorers.views import Views

pytestmark = pytest.mark.models
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return nima_file(tmp_path_factory.mktemp("nima") / "weights_mobilenet.hdf5")


def opened(path):
    return Nima(path, device=CPU, views=Views())


def numpy_shares(layers, image, *, padding):
    """The same network again in plain float64 numpy: padding, stride and normalisation written out as Keras does them.

    `padding`: "same" is TensorFlow's rule for any size and stride; "around" is Keras 2.1's one pixel on every side.
    """

    def around(x, side, stride):
        if padding == "around" and side == 3:
            return np.pad(x, ((1, 1), (1, 1), (0, 0)))
        spare = [max((-(-n // stride) - 1) * stride + side - n, 0) for n in x.shape[:2]]
        return np.pad(x, (*((n // 2, n - n // 2) for n in spare), (0, 0)))

    def convolve(x, kernel, stride, *, depthwise):
        side = kernel.shape[0]
        x = around(x, side, stride)
        high, wide = ((n - side) // stride + 1 for n in x.shape[:2])
        total = 0.0
        for down in range(side):
            for across in range(side):
                tap = x[down : down + high * stride : stride, across : across + wide * stride : stride]
                tap = tap[:high, :wide]
                total = total + (tap * kernel[down, across, :, 0] if depthwise else tap @ kernel[down, across])
        return total

    def finish(x, name):
        norm = {key: value.astype(np.float64) for key, value in layers[name].items()}
        x = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 0.001) * norm["gamma"] + norm["beta"]
        return np.clip(x, 0.0, 6.0)

    kernels = {n: next(iter(a.values())).astype(np.float64) for n, a in layers.items() if n.startswith("conv")}
    view = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.NEAREST)).astype(np.float64)
    x = finish(convolve(view / 127.5 - 1.0, kernels["conv1"], 2, depthwise=False), "conv1_bn")
    for block, stride in enumerate(STRIDES, start=1):
        x = finish(convolve(x, kernels_dw(layers, block), stride, depthwise=True), f"conv_dw_{block}_bn")
        x = finish(convolve(x, kernels[f"conv_pw_{block}"], 1, depthwise=False), f"conv_pw_{block}_bn")
    logits = x.mean(axis=(0, 1)) @ layers["dense_1"]["kernel"].astype(np.float64) + layers["dense_1"]["bias"]
    raised = np.exp(logits - logits.max())
    return raised / raised.sum()


def kernels_dw(layers, block):
    return layers[f"conv_dw_{block}"]["depthwise_kernel"].astype(np.float64)


@pytest.mark.parametrize(("pads", "padding"), [("all", "around"), ("strided", "same"), ("none", "same")])
def test_the_port_does_the_arithmetic_of_the_keras_version_that_wrote_the_file(tmp_path, pads, padding):
    path = nima_file(tmp_path / "w.hdf5", pads=pads, seed=4)
    layers, _ = read_layers(path)
    found = opened(path).shares(pictures(2))
    for image, shares in zip(pictures(2), found, strict=True):
        assert np.abs(numpy_shares(layers, image, padding=padding) - shares).max() < 1e-5
    # The two paddings are told apart by this test, not alike by chance.
    other = "same" if padding == "around" else "around"
    assert np.abs(numpy_shares(layers, pictures(1)[0], padding=other) - found[0]).max() > 1e-4


def test_quality_is_the_mean_rating_and_spread_its_deviation(weights):
    scorer = opened(weights)
    images = pictures()
    shares = scorer.shares(images).astype(np.float64)
    assert shares.shape == (6, 10) and np.allclose(shares.sum(axis=1), 1.0, atol=1e-6)
    for row, reading in zip(shares, scorer.score(images, [""] * 6), strict=True):
        found = {signal.scorer: signal.value for signal in reading.signals}
        mean = sum(rating * share for rating, share in enumerate(row, start=1))
        assert found["quality"] == pytest.approx(mean) and 1 <= found["quality"] <= 10
        assert found["quality_spread"] ** 2 == pytest.approx(
            sum(share * (rating - mean) ** 2 for rating, share in enumerate(row, start=1))
        )
    assert len({reading.signals[0].value for reading in scorer.score(images, [""] * 6)}) == 6


def test_the_published_width_and_the_file_of_a_whole_model_are_read(tmp_path, weights):
    wide = opened(nima_file(tmp_path / "wide.hdf5", alpha=1.0))
    assert wide.shares(pictures(1)).shape == (1, 10)
    with h5py.File(tmp_path / "whole.hdf5", "w") as target, h5py.File(weights) as source:
        target.copy(source, "model_weights")
        target["model_weights"].attrs.update(source.attrs)
    assert np.array_equal(
        opened(tmp_path / "whole.hdf5").shares(pictures(2)), opened(weights).shares(pictures(2))
    )  # fmt: skip


def test_the_version_names_the_weights_and_what_was_prepared_how(tmp_path, weights):
    scorer = opened(weights)
    other = opened(nima_file(tmp_path / "other.hdf5", seed=2))
    assert scorer.versions["quality"] != other.versions["quality"]
    assert "squash-nearest-224x224" in scorer.versions["quality"]
    assert any("none of the published" in notice for notice in scorer.notices)


def test_the_published_files_are_known_by_their_blob_id(weights, monkeypatch):
    monkeypatch.setattr(nima_module, "BLOBS", {nima_module.git_blob(weights): "technical"})
    scorer = opened(weights)
    assert ":technical:" in scorer.versions["quality"] and "technical quality" in scorer.notices[0]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(path):
    path.write_text("<html>404</html>")


def without_a_layer(path):
    with h5py.File(path, "a") as file:
        del file["conv_pw_7"]


def without_a_weight(path):
    with h5py.File(path, "a") as file:
        del file["conv1_bn"]["conv1_bn"]["moving_mean:0"]


def other_shape(path):
    with h5py.File(path, "a") as file:
        del file["conv_dw_3"]["conv_dw_3"]["depthwise_kernel:0"]
        file["conv_dw_3"]["conv_dw_3"]["depthwise_kernel:0"] = np.zeros((3, 3, 5, 1), np.float32)


def other_head(path):
    with h5py.File(path, "a") as file:
        file["dense_1"]["dense_1"]["kernel:0"][...]
        del file["dense_1"]["dense_1"]["kernel:0"]
        file["dense_1"]["dense_1"]["kernel:0"] = np.zeros((128, 1000), np.float32)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "cannot be read"),
        (text, "cannot be read"),
        (without_a_layer, "conv_pw_7/kernel is missing"),
        (without_a_weight, "cannot be read"),
        (other_shape, "(3, 3, 5, 1)"),
        (other_head, "no dense layer (128, 10)"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path, weights, damage, said):
    path = tmp_path / "w.hdf5"
    shutil.copy(weights, path)
    damage(path)
    with pytest.raises(BadInput) as error:
        opened(path)
    assert said in str(error.value) and str(path) in str(error.value)


def test_a_file_that_is_not_there_is_a_missing_model(tmp_path):
    with pytest.raises(MissingModel):
        opened(tmp_path / "none.hdf5")


def test_weights_that_are_not_finite_fail_and_name_the_picture(tmp_path, weights):
    path = tmp_path / "w.hdf5"
    shutil.copy(weights, path)
    with h5py.File(path, "a") as file:
        file["dense_1"]["dense_1"]["bias:0"][3] = np.nan
    with pytest.raises(ScorerFailed, match=r"picture 1 \(128 x 96\), 2 \(64 x 200\) of 2"):
        opened(path).score(pictures(2), ["", ""])
