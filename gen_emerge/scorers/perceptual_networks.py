"""Takes two pictures; gives LPIPS or DISTS: distances in the features of a network trained on photographs.

LPIPS (Zhang et al. 2018, arXiv:1801.03924) weighs squared differences of unit-normalised features, layer by layer; its
weights come with the package `lpips`. DISTS (Ding et al. 2020, arXiv:2004.07728) compares means and covariances of
feature maps, so that two samples of one texture are near; its weights come with `torchmetrics`. Both need the trunk's
ImageNet weights as torchvision publishes them, from a local file: neither may fetch anything, and neither ever runs
with a random trunk unless a test asks for it.
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, nearest
from gen_emerge.models.checkpoints import digest, fit, load_weights
from gen_emerge.models.libraries import library
from gen_emerge.scorers.perceptual import Pairwise
from gen_emerge.scorers.single import check_options, require
from gen_emerge.types import Pixels

TRUNKS = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth", "vgg": "vgg16-397923af.pth"}
"""Trunk -> torchvision's file. The last part of its name is the beginning of its SHA-256."""
LPIPS_OPTIONS = {"net": str, "weights": str, "sha256": str, "random_trunk": bool, "side": int}
DISTS_OPTIONS = {"weights": str, "sha256": str, "random_trunk": bool, "side": int}
_building = threading.Lock()


class Lpips(Pairwise):
    """LPIPS, >= 0; 0 for equal pictures.

    Args:
        model: the package's module, trunk and linear layers filled.
        name: as in the series file.
        version: changes whenever a number could, but for the trunk's part.
        trunk: the trunk's digest, as `open_lpips` gives it; the last part of the whole version.
        device: where to run.
        side: see `Pairwise`.
    """

    def __init__(self, model: Any, name: str, version: str, *, trunk: str, device: str, side: int = 0) -> None:
        super().__init__(name, version, device=device, least=32, side=side)
        self.trunk = trunk
        self.version = f"{self.version}:{trunk}"
        self._model = model.to(self.device).eval()

    def features(self, image: Pixels) -> list[Any]:
        """The trunk's unit-normalised features: a tensor (1, channels, h, w) a layer. No gradients."""
        torch: Any = library("torch", what=self.name)
        lpips: Any = library("lpips", what=self.name)
        self._check([image])
        with torch.no_grad():
            seen = self._model.net.forward(self._model.scaling_layer(2 * self._tensor(image) - 1))
            return [lpips.normalize_tensor(layer) for layer in seen]

    def differences(self, a: list[Any], b: list[Any]) -> NDArray[np.float32]:
        """The squared differences of two pictures' features, averaged over the picture: (all channels,) float32.

        LPIPS is linear in them: their product with the layers' weights, one after another, is the distance.
        """
        torch: Any = library("torch", what=self.name)
        return torch.cat([((x - y) ** 2).mean((2, 3))[0] for x, y in zip(a, b, strict=True)]).cpu().numpy()

    @property
    def channels(self) -> tuple[int, ...]:
        """(layers,) channels of each linear layer."""
        return tuple(int(lin.model[-1].weight.shape[1]) for lin in self._model.lins)

    @property
    def weights(self) -> NDArray[np.float32]:
        """The linear layers' weights in that order: (all channels,) float32, >= 0."""
        return np.concatenate([lin.model[-1].weight.detach().cpu().numpy().reshape(-1) for lin in self._model.lins])

    def _all_pairs(self, images: Sequence[Pixels]) -> NDArray[np.float32]:
        # Each picture goes through the trunk once, not once a pair.
        seen = [self.features(image) for image in images]
        found = np.zeros((len(images), len(images)), np.float32)
        torch: Any = library("torch", what=self.name)
        with torch.inference_mode():
            for row, a in enumerate(seen):
                for column in range(row, len(seen)):
                    parts = [
                        lin((x - y) ** 2).mean() for lin, x, y in zip(self._model.lins, a, seen[column], strict=True)
                    ]
                    found[row, column] = found[column, row] = float(sum(parts))
        return found

    def _between(self, a: Any, b: Any) -> float:
        return float(self._model(a, b, normalize=True))


class Dists(Pairwise):
    """DISTS, about 0..1; 0 for equal pictures. Looks at a shorter side of at most 256 pixels, as its authors do."""

    def __init__(self, options: Mapping[str, Any], *, device: str) -> None:
        check_options("scorers.extra.dists", options, DISTS_OPTIONS)
        model, told = _dists_network(options)
        torchmetrics: Any = library("torchmetrics", what="dists")
        version = f"dists-1:torchmetrics-{torchmetrics.__version__}:{told}"
        super().__init__("dists", version, device=device, least=32, side=int(options.get("side", 256)))
        self._model = model.to(self.device).eval()

    def _between(self, a: Any, b: Any) -> float:
        return float(self._model(a, b))


def load_lpips(options: Mapping[str, Any], *, device: str) -> Lpips:
    """LPIPS with the weights its package ships.

    Args:
        options: net ("alex", "squeeze" or "vgg"), weights (the trunk's file as torchvision publishes it), sha256 (pins
            another pickled file than that one), side, random_trunk (for tests alone: such a distance means nothing).
        device: where to run.

    Raises:
        BadInput: an option is wrong, or the trunk's weights do not fit.
        MissingModel: the file is not there.
    """
    check_options("scorers.extra.lpips", options, LPIPS_OPTIONS)
    net = str(options.get("net", "alex"))
    model, told = open_lpips(net, options)
    version = f"lpips-1:{lpips_version()}:{net}"
    return Lpips(model, "lpips", version, trunk=told, device=device, side=int(options.get("side", 0)))


def lpips_version() -> str:
    """The installed package's version (it does not say itself)."""
    from importlib.metadata import version

    return version("lpips")


def open_lpips(net: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The package's module with its own linear layers and a trunk from a file; and the trunk's digest, 12 hex."""
    lpips: Any = library("lpips", what="lpips")
    torch: Any = library("torch", what="lpips")
    if net not in TRUNKS:
        raise BadInput(f'lpips has no net "{net}".', hint=nearest(net, TRUNKS))
    weights = _trunk("lpips", net, options)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torchvision\.models")  # its old spelling
        torch.manual_seed(0)
        model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    if weights is not None:
        own = model.net.state_dict()
        _fit_trunk(model.net, {name: name.partition(".")[2] for name in own}, weights[0])
        return model, weights[1]
    return model, f"random-trunk-{_tensors_digest(model.net)}"


def _dists_network(options: Mapping[str, Any]) -> tuple[Any, str]:
    module: Any = library("torchmetrics.functional.image.dists", what="dists")
    torch: Any = library("torch", what="dists")
    vgg: Any = library("torchvision.models.vgg", what="dists")
    weights = _trunk("dists", "vgg", options)

    def empty_trunk(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(features=vgg.make_layers(vgg.cfgs["D"], batch_norm=False))

    # The class always asks torchvision for published weights, which would be fetched; it gets layers without any, and
    # only while this one is made.
    with _building, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        published, module.vgg16 = module.vgg16, empty_trunk
        try:
            network = module.DISTSNetwork()
        finally:
            module.vgg16 = published
    if weights is not None:
        own = [name for name in network.state_dict() if name.endswith((".weight", ".bias"))]
        _fit_trunk(network, {name: name.partition(".")[2] for name in own}, weights[0])
        return network, weights[1]
    return network, f"random-trunk-{_tensors_digest(network)}"


def _trunk(name: str, net: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], str] | None:
    """The trunk's tensors by their name in torchvision's `features`, and the file's digest; None for a random one."""
    if options.get("random_trunk"):
        return None
    path = Path(require(name, options, "weights", what=f"the trunk's file, torchvision's {TRUNKS[net]}"))
    pinned: str | None = options.get("sha256")
    published = TRUNKS[net].rpartition("-")[2].removesuffix(".pth")
    if pinned is None and path.is_file() and digest(path).startswith(published):
        pinned = digest(path)
    table = load_weights(path, pinned=pinned)
    trunk = {key.removeprefix("features."): value for key, value in table.items() if key.startswith("features.")}
    if not trunk:
        raise BadInput(f"{path} holds no features.*, wanted torchvision's {TRUNKS[net]}.", hint="Name that file.")
    return trunk, digest(path)[:12]


def _fit_trunk(module: Any, names: Mapping[str, str], trunk: Mapping[str, Any]) -> None:
    """Fill the trunk; what else the module has stays. Names: the module's -> torchvision's."""
    known = {theirs: ours for ours, theirs in names.items()}
    kept = {name: value for name, value in module.state_dict().items() if name not in names}
    table = {known.get(theirs, f"features.{theirs}"): value for theirs, value in trunk.items()}
    fit(module, {**kept, **table}, what="The trunk's file")


def _tensors_digest(module: Any) -> str:
    total = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        total.update(name.encode() + value.cpu().numpy().tobytes())
    return total.hexdigest()[:12]
