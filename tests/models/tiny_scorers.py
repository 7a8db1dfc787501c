"""Small checkpoints with random weights, in the real formats of the libraries that read them. Seeded; written to disk.

They prove loading, shapes, arithmetic and error paths. They prove nothing about the quality of any score.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def nima_file(path: Path, *, seed: int = 1, alpha: float = 0.125, pads: str = "all", dense: str = "dense_1") -> Path:
    """A Keras `save_weights` file of MobileNet with ten bins (`alpha` 1.0 is the published width: 13 MB).

    `pads`: "all" names a padding layer before every depthwise convolution (Keras 2.1), "strided" only before those of
    stride 2 (later versions), "none" no padding layers at all (earlier ones).
    """
    import h5py

    rng = np.random.default_rng(seed)
    weights: dict[str, dict[str, np.ndarray]] = {}
    names = ["input_1", *(["conv1_pad"] if pads != "none" else []), "conv1", "conv1_bn", "conv1_relu"]

    def normalised(name: str, width: int) -> None:
        weights[name] = {
            "gamma": rng.uniform(0.7, 1.2, width),
            "beta": rng.normal(0.1, 0.3, width),
            "moving_mean": rng.normal(0, 0.2, width),
            "moving_variance": rng.uniform(0.05, 1.0, width),
        }

    before = int(32 * alpha)
    weights["conv1"] = {"kernel": rng.normal(0, 0.3, (3, 3, 3, before))}
    normalised("conv1_bn", before)
    for block, (stride, width) in enumerate(zip(STRIDES, WIDTHS, strict=True), start=1):
        after = int(width * alpha)
        if pads == "all" or (pads == "strided" and stride == 2):
            names.append(f"conv_pad_{block}")
        for kind, shape, key, channels in (
            ("dw", (3, 3, before, 1), "depthwise_kernel", before),
            ("pw", (1, 1, before, after), "kernel", after),
        ):
            scale = (2.0 / (np.prod(shape[:3]) if kind == "pw" else 9)) ** 0.5
            weights[f"conv_{kind}_{block}"] = {key: rng.normal(0, scale, shape)}
            normalised(f"conv_{kind}_{block}_bn", channels)
            names += [f"conv_{kind}_{block}", f"conv_{kind}_{block}_bn", f"conv_{kind}_{block}_relu"]
        before = after
    weights[dense] = {"kernel": rng.normal(0, 0.1, (before, 10)), "bias": rng.normal(0, 0.5, 10)}
    names += ["global_average_pooling2d_1", "dropout_1", dense]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in names]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.1.4"
        for name in names:
            group = file.create_group(name)
            arrays = weights.get(name, {})
            group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
            for key, array in arrays.items():
                group.create_dataset(f"{name}/{key}:0", data=array.astype(np.float32))
    return path


def pictures(count: int = 6, *, seed: int = 7) -> list[np.ndarray]:
    """Read-only pictures of several sizes: smooth, noisy, plain; wide, tall, square, smaller than any model's view."""
    rng = np.random.default_rng(seed)
    sizes = [(96, 128), (200, 64), (224, 224), (300, 300), (40, 50), (128, 128), (250, 333), (31, 17)]
    made: list[np.ndarray] = []
    for place in range(count):
        height, width = sizes[place % len(sizes)]
        coarse = rng.integers(0, 256, (4, 5, 3)).astype(np.float64)
        down, across = np.linspace(0, 3, height), np.linspace(0, 4, width)
        rows, columns = np.floor(down).astype(int).clip(0, 2), np.floor(across).astype(int).clip(0, 3)
        fall, run = (down - rows)[:, None, None], (across - columns)[None, :, None]
        smooth = (
            coarse[rows][:, columns] * (1 - fall) * (1 - run)
            + coarse[rows + 1][:, columns] * fall * (1 - run)
            + coarse[rows][:, columns + 1] * (1 - fall) * run
            + coarse[rows + 1][:, columns + 1] * fall * run
        )
        noise = rng.normal(0, 8 * (place % 3), smooth.shape)
        picture = np.clip(smooth + noise, 0, 255).astype(np.uint8)
        picture.setflags(write=False)
        made.append(picture)
    return made
