"""Takes the HDF5 file of a Keras MobileNet with a ten-bin head; gives the same network in torch.

A. G. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications" (2017),
table 1, at any width: the channel counts are read from the file. An HDF5 file is data, nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput
from gen_emerge.models.libraries import library

if TYPE_CHECKING:
    import torch

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Stride of the 13 depthwise convolutions; the first, full convolution has stride 2."""
BINS = 10
EPSILON = 1e-3
"""Keras' default for batch normalisation; torch's is 1e-5."""
Padding = Literal["after", "around"]
Layers = Mapping[str, Mapping[str, NDArray[np.float32]]]

_LARGEST = 1 << 24


def read_layers(path: Path) -> tuple[Layers, Padding]:
    """Read the weights that Keras' `save_weights` or `save` wrote.

    Returns:
        Layer name -> weight name without its suffix ("kernel", "gamma", ...) -> array; and where convolutions of
        stride 2 are padded. Keras 2.1 padded by one pixel all around, with a layer `conv_pad_N` before every depthwise
        convolution; every other version pads after the picture only, and has such layers, if any, at stride 2 alone.

    Raises:
        BadInput: it is no HDF5 file, cut short, or not such a network's.
    """
    h5py: Any = library("h5py", what='The scorer "nima"')
    try:
        with h5py.File(path, "r") as file:
            root: Any = file.get("model_weights", file)  # `save` puts them one level deeper
            names = [_text(name) for name in root.attrs["layer_names"]]
            layers = {name: _arrays(root[name], h5py) for name in names if name in root}
    except BadInput:
        raise
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError and ValueError for damaged files
        raise BadInput(
            f"{path} cannot be read as Keras weights (HDF5): {str(error).splitlines()[0] if str(error) else error!r}.",
            hint="It is damaged or another kind of file. Fetch it again: gen-emerge models pull nima",
        ) from None
    return {name: arrays for name, arrays in layers.items() if arrays}, ("around" if "conv_pad_1" in names else "after")


def build(layers: Layers, padding: Padding, *, what: str) -> torch.nn.Module:
    """The network with batch normalisation folded into the convolutions, in float32, ready to score.

    Args:
        layers: see `read_layers`.
        padding: see `read_layers`.
        what: how to name the weights in an error.

    Returns:
        (n, 3, 224, 224) float32 in [-1, 1] -> (n, 10) float32 shares that sum to 1.

    Raises:
        BadInput: a layer is missing or has another shape than its neighbours need.
    """
    import torch
    from torch import nn

    steps: list[nn.Module] = []
    channels = 3
    plan = [("conv1", "conv1_bn", 2, False)]
    for block, stride in enumerate(STRIDES, start=1):
        plan.append((f"conv_dw_{block}", f"conv_dw_{block}_bn", stride, True))
        plan.append((f"conv_pw_{block}", f"conv_pw_{block}_bn", 1, False))
    for name, norm, stride, depthwise in plan:
        weight, bias = folded(layers, name, norm, channels, depthwise=depthwise, what=what)
        side = weight.shape[2]
        groups = channels if depthwise else 1
        channels = weight.shape[0]
        if stride == 2:
            # Padding "same" of an even side by stride 2 adds one row and one column, at the end.
            steps.append(nn.ZeroPad2d((1, 1, 1, 1) if padding == "around" else (0, 1, 0, 1)))
        convolution = nn.Conv2d(
            groups if depthwise else weight.shape[1], channels, side, stride, 0 if stride == 2 else side // 2,
            groups=groups,
        )  # fmt: skip
        with torch.no_grad():
            convolution.weight.copy_(torch.from_numpy(weight))
            assert convolution.bias is not None
            convolution.bias.copy_(torch.from_numpy(bias))
        steps += [convolution, nn.ReLU6()]
    kernel, bias = _head(layers, channels, what)
    last = nn.Linear(channels, BINS)
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(kernel.T.copy()))
        last.bias.copy_(torch.from_numpy(bias))
    network = nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last, nn.Softmax(dim=1))
    return network.eval().requires_grad_(False)


def folded(
    layers: Layers, name: str, norm: str, channels: int, *, depthwise: bool, what: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A convolution and the batch normalisation after it as one convolution, in torch's layout.

    Returns:
        weight (out, in / groups, h, w) and bias (out,).
    """
    kernel_name = "depthwise_kernel" if depthwise else "kernel"
    kernel = _weight(layers, name, kernel_name, what)
    side = 1 if name.startswith("conv_pw") else 3
    wanted = (side, side, channels, 1) if depthwise else (side, side, channels, -1)
    if kernel.ndim != 4 or any(want not in (-1, have) for want, have in zip(wanted, kernel.shape, strict=True)):
        raise _no_fit(what, f"{name}/{kernel_name} has the shape {kernel.shape}, wanted {wanted}")
    turned = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
    width = turned.shape[0]
    parts = [_weight(layers, norm, part, what) for part in ("gamma", "beta", "moving_mean", "moving_variance")]
    for array in parts:
        if array.shape != (width,):
            raise _no_fit(what, f"{norm} has the shape {array.shape}, wanted {(width,)}")
    gamma, beta, mean, variance = (array.astype(np.float64) for array in parts)
    factor = gamma / np.sqrt(variance + EPSILON)
    weight = (turned.astype(np.float64) * factor[:, None, None, None]).astype(np.float32)
    return weight, (beta - mean * factor).astype(np.float32)


def _head(layers: Layers, channels: int, what: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The dense layer; Keras numbers it differently from run to run, so it is found by its shape."""
    for name, arrays in layers.items():
        kernel = arrays.get("kernel")
        if name.startswith("dense") and kernel is not None and kernel.shape == (channels, BINS):
            bias = _weight(layers, name, "bias", what)
            if bias.shape == (BINS,):
                return kernel, bias
    raise _no_fit(what, f"there is no dense layer ({channels}, {BINS}) with its bias")


def _weight(layers: Layers, layer: str, name: str, what: str) -> NDArray[np.float32]:
    found = layers.get(layer, {}).get(name)
    if found is None:
        raise _no_fit(what, f"{layer}/{name} is missing")
    return found


def _no_fit(what: str, why: str) -> BadInput:
    return BadInput(
        f"{what} is not a Keras MobileNet with {BINS} bins: {why}.",
        hint="Name the aesthetic or technical weights of idealo/image-quality-assessment, MobileNet.",
    )


def _arrays(group: Any, h5py: Any) -> dict[str, NDArray[np.float32]]:
    found: dict[str, NDArray[np.float32]] = {}
    for raw in group.attrs.get("weight_names", []):
        path = _text(raw)
        array = group[path]
        if not isinstance(array, h5py.Dataset) or array.is_virtual or array.external or array.size > _LARGEST:
            raise BadInput(f"{group.name}/{path} is no plain array of weights.", hint="Fetch the file again.")
        found[path.rpartition("/")[2].partition(":")[0]] = np.asarray(array[()], dtype=np.float32)
    return found


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
