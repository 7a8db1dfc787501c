"""Takes two pictures of one size; gives how far apart (or how alike) they are. The base of comparisons; PSNR, SSIM.

PSNR and SSIM say how faithfully a *target* is reproduced, pixel by pixel; between two works of art they say nothing.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gen_emerge.errors import BadInput, NotFound, ScorerFailed
from gen_emerge.models.devices import choose_device
from gen_emerge.models.libraries import library
from gen_emerge.scorers.single import SingleSignal, check_options
from gen_emerge.types import Pixels


class Distance(Protocol):
    """Compares two pictures of one size."""

    @property
    def name(self) -> str:
        """As in the series file."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever a number could."""
        ...

    @property
    def alike(self) -> Literal["small", "large"]:
        """Whether a small number (a distance) or a large one (PSNR, SSIM) says that two pictures are alike."""
        ...

    def distance(self, a: Pixels, b: Pixels) -> float:
        """The raw number for two pictures (h, w, 3) uint8 of one size."""
        ...

    def matrix(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """All pairs of (n,) pictures of one size: (n, n) float32, symmetric."""
        ...


class Pairwise(ABC):
    """What all comparisons share: sizes and finiteness are checked, pictures become tensors.

    Args:
        name: as in the series file.
        version: changes whenever a number could.
        device: where to run ("auto", "cpu", ...).
        least: the shortest side it can look at, pixels.
        side: a longer short side is reduced to this many pixels first (averaging); 0 never.
    """

    alike: Literal["small", "large"] = "small"
    _precision: type[np.floating[Any]] = np.float32

    def __init__(self, name: str, version: str, *, device: str, least: int, side: int = 0) -> None:
        self.name = name
        self.version = f"{version}:{f'side-{side}' if side else 'full-size'}"
        self.device = choose_device(device)
        self._least = least
        self.side = side

    def distance(self, a: Pixels, b: Pixels) -> float:
        """Compare two pictures.

        Args:
            a: (h, w, 3) uint8.
            b: (h, w, 3) uint8, of the same size.

        Raises:
            BadInput: the sizes differ, or a side is too short.
            ScorerFailed: the number is NaN.
        """
        return float(self.matrix([a, b])[0, 1])

    def matrix(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Compare all pairs.

        Args:
            images: (n,) arrays (h, w, 3) uint8 of one size.

        Returns:
            (n, n) float32, symmetric; the diagonal is what a picture has to itself.

        Raises:
            BadInput: the sizes differ, or a side is too short.
            ScorerFailed: a number is NaN; names the pair.
        """
        if not images:
            return np.empty((0, 0), np.float32)
        self._check(images)
        found = self._all_pairs(images)
        strange = np.argwhere(np.isnan(found))
        if len(strange):
            one, other = (int(place) + 1 for place in strange[0])
            raise ScorerFailed(f"{self.name} of images {one} and {other} is NaN, wanted a number.")
        return found

    @abstractmethod
    def _between(self, a: Any, b: Any) -> float:
        """The raw number for two tensors (1, 3, h, w) in [0, 1]."""

    def _all_pairs(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        torch: Any = library("torch", what=self.name)
        found = np.empty((len(images), len(images)), np.float32)
        with torch.inference_mode():
            for row, a in enumerate(images):
                for column in range(row, len(images)):
                    value = self._between(self._tensor(a), self._tensor(images[column]))
                    found[row, column] = found[column, row] = value
        return found

    def _check(self, images: Sequence[Pixels]) -> None:
        sizes = {image.shape for image in images}
        if len(sizes) > 1:
            one, other = sorted(sizes)[:2]
            raise BadInput(
                f"{self.name} compares pictures of one size; these are {_size(one)} and {_size(other)}.",
                hint="Render them at one size, or resize one of them yourself: how, decides the number.",
            )
        shape = next(iter(sizes))
        if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < self._least:
            raise BadInput(f"{self.name} was given {shape}, wanted (h, w, 3) with both sides >= {self._least} pixels.")

    def _tensor(self, image: Pixels) -> Any:
        torch: Any = library("torch", what=self.name)
        short = min(image.shape[:2])
        if self.side and short > self.side:
            height, width = (max(1, round(length * self.side / short)) for length in image.shape[:2])
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
        planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=self._precision) / self._precision(255)
        return torch.from_numpy(planes)[None].to(self.device)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


class Psnr(Pairwise):
    """Peak signal-to-noise ratio, dB, over 0..255; 8-bit pictures: 20 bad, 40 good, infinite for equal ones."""

    alike: Literal["small", "large"] = "large"

    def __init__(self, options: Mapping[str, Any], *, device: str) -> None:
        check_options("scorers.extra.psnr", options, {})
        torchmetrics: Any = library("torchmetrics.functional.image", what="psnr")
        self._measure = torchmetrics.peak_signal_noise_ratio
        super().__init__("psnr", f"psnr-1:torchmetrics-{_torchmetrics()}", device=device, least=1)

    def _between(self, a: Any, b: Any) -> float:
        return float(self._measure(a, b, data_range=1.0))


class Ssim(Pairwise):
    """Structural similarity, -1..1 (Wang et al. 2004): Gaussian window of 11 pixels, sigma 1.5, mean over RGB."""

    alike: Literal["small", "large"] = "large"
    # Variances are differences of nearly equal numbers: in float32 a picture is not quite like itself.
    _precision = np.float64

    def __init__(self, options: Mapping[str, Any], *, device: str) -> None:
        check_options("scorers.extra.ssim", options, {})
        torchmetrics: Any = library("torchmetrics.functional.image", what="ssim")
        self._measure = torchmetrics.structural_similarity_index_measure
        # A little arithmetic, in a precision that not every device has.
        super().__init__("ssim", f"ssim-1:torchmetrics-{_torchmetrics()}", device="cpu", least=11)

    def _between(self, a: Any, b: Any) -> float:
        return float(self._measure(a, b, data_range=1.0, sigma=1.5, gaussian_kernel=True))


def _torchmetrics() -> str:
    return str(library("torchmetrics", what="psnr").__version__)


def to_target(measure: Distance, target: str, *, device: str) -> SingleSignal:
    """A scorer of one signal: how each image compares with one target picture.

    Args:
        measure: compares.
        target: a picture's file; the images must have its size.
        device: as for the comparison.

    Raises:
        NotFound: there is no such file.
        BadInput: it is no picture.
    """
    path = Path(target)
    if not path.is_file():
        raise NotFound(f"There is no picture {path}; {measure.name} compares with it.", hint="Correct target.")
    try:
        with Image.open(path) as opened:
            wanted = np.asarray(opened.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path} is no picture: {error}.", hint="Name a PNG or JPEG as target.") from None

    def compare(images: Sequence[Pixels], prompts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([measure.distance(image, wanted) for image in images], np.float32)

    pixels = hashlib.sha256(f"{wanted.shape}".encode() + wanted.tobytes()).hexdigest()[:12]
    version = f"{measure.version}:target-{pixels}"
    return SingleSignal(measure.name, version, compare, device=choose_device(device))
