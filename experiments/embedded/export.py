"""Trained networks to ONNX files in the package: batch norms folded, large weights stored as float16, cards as JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from experiments.embedded.nets import Quality, Stages, Trunk
from gen_emerge.generators.painter import SLOTS
from gen_emerge.scorers.embedded.views import CROP_SIDE, TRUNK_SIDE

FOLDER = Path(__file__).parents[2] / "gen_emerge" / "scorers" / "embedded"
SMALLEST_HALVED = 2048


class Shares(nn.Module):
    """The quality network with shares instead of their logarithms."""

    def __init__(self, net: Quality) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).exp()


def fuse(stages: Stages) -> None:
    """Fold every batch norm into the convolution before it, in place."""
    for stage in stages.stages:
        for index, part in enumerate(stage):
            stage[index] = nn.Sequential(fuse_conv_bn_eval(part[0], part[1]), nn.ReLU())


def write(net: nn.Module, example: Tensor, outputs: list[str], path: Path) -> None:
    """Export with a free batch size, then store the large weights as float16."""
    program = torch.onnx.export(
        net,
        (example,),
        dynamo=True,
        input_names=["planes"],
        output_names=outputs,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    model = halve(program.model_proto)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store every large float32 weight as float16 and cast it back when the network is opened."""
    graph = model.graph
    kept, casts = [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            kept.append(weight)
            continue
        stored = f"{weight.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:], graph.value_info[:], model.metadata_props[:]
    for node in nodes:
        del node.metadata_props[:]
        node.doc_string = ""
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return model


def export_trunk(trained: Trunk, aliases: Mapping[str, str], facts: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Write trunk.onnx, words.npy and trunk.json (temperature 1; see `set_temperature`)."""
    net = copy.deepcopy(trained).eval()
    fuse(net.stages)
    net.where = nn.Sequential(fuse_conv_bn_eval(net.where[0], net.where[1]), nn.ReLU())
    net.fields = nn.AvgPool2d(2)
    example = torch.zeros(2, 3, TRUNK_SIDE, TRUNK_SIDE)
    write(net, example, ["prompt", "distance", "style"], folder / "trunk.onnx")
    np.save(folder / "words.npy", net.words.detach().numpy().astype(np.float32))
    card = {
        "slots": {slot: list(words) for slot, words in SLOTS.items()},
        "schools": list(SLOTS["school"]),
        "aliases": dict(aliases),
        "temperature": 1.0,
        "trained": dict(facts),
    }
    write_card(folder / "trunk.json", card)


def export_quality(trained: Quality, facts: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Write quality.onnx and quality.json."""
    net = copy.deepcopy(trained).eval()
    fuse(net.stages)
    write(Shares(net), torch.zeros(2, 6, 3, CROP_SIDE, CROP_SIDE), ["shares"], folder / "quality.onnx")
    write_card(folder / "quality.json", {"trained": dict(facts)})


def set_temperature(temperature: float, folder: Path = FOLDER) -> None:
    """Store the temperature fitted on held-out pictures (before the card's hash is used anywhere)."""
    card = json.loads((folder / "trunk.json").read_text(encoding="utf-8"))
    card["temperature"] = round(temperature, 4)
    write_card(folder / "trunk.json", card)


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
