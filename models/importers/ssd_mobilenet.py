# SPDX-License-Identifier: LGPL-2.1-or-later
"""The COCO-trained MobileNetV2 of TensorFlow's object detection zoo (`ssd_mobilenet_v2_coco_2018_03_29`, Apache-2.0) under our names:
the trunk with its batch norms folded, and the class predictors that its detector put on C4, C5 and the map after, factored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.reference.backbone import MOBILENET_STAGES, MobileNetV2, fold
from models.reference.config import Config
from models.reference.evidence import Extra

from .encoders import State
from .graph_def import constants

PREFIX = "FeatureExtractor/MobilenetV2/"
PREDICTORS = ("BoxPredictor_0", "BoxPredictor_1", "BoxPredictor_2")  # on C4, on C5, on the map after


def read(path: Path) -> State:
    """The float32 constants of a frozen graph."""
    return {k: torch.from_numpy(np.array(v)) for k, v in constants(path).items()}


@dataclass
class ClassPredictor:
    """A 3×3 convolution to a logit for each anchor and class, class 0 the background."""

    weight: Tensor  # [anchors, classes, channels, 3, 3]
    bias: Tensor  # [anchors, classes]


class Graph:
    """The constants of a graph (a file, or read already), with a note of which were used; an error names what is missing or misshapen."""

    def __init__(self, source: Path | State) -> None:
        self.path = source if isinstance(source, Path) else Path("the graph")
        self.values = read(source) if isinstance(source, Path) else source
        self.used: set[str] = set()

    def take(self, name: str) -> Tensor:
        if name not in self.values:
            raise ValueError(f"{self.path}: no constant {name}, expected ssd_mobilenet_v2_coco of TensorFlow's object detection zoo")
        self.used.add(name)
        return self.values[name]

    def conv(self, name: str) -> tuple[Tensor, Tensor]:
        """A convolution with its batch norm folded: [out, in, k, k] and [out]."""
        at = PREFIX + name + "/"
        depthwise = at + "depthwise_weights" in self.values
        # HWIO, or HWI1 of a depthwise one
        w = self.take(at + ("depthwise_weights" if depthwise else "weights")).permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        norm = {
            ours: self.take(f"{at}BatchNorm/{theirs}")
            for ours, theirs in (
                ("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance"),
            )
        }  # fmt: skip
        weight, bias = fold(w, norm, float(self.take(f"{at}BatchNorm/batchnorm/add/y")))
        return weight.contiguous(), bias

    def predictor(self, name: str, classes: int = 91) -> ClassPredictor:
        w, b = (self.take(f"{name}/ClassPredictor/{x}") for x in ("weights", "biases"))
        if w.shape[3] % classes:
            raise ValueError(f"{self.path}: {name} has {w.shape[3]} outputs, expected a multiple of {classes} classes")
        return ClassPredictor(
            w.permute(3, 2, 0, 1).reshape(-1, classes, w.shape[2], *w.shape[:2]).contiguous(), b.view(-1, classes)
        )


def mobilenet_v2(source: Path | State) -> tuple[State, set[str]]:
    """The trunk as `backbone.*`, and the names of the constants that were read."""
    graph = Graph(source)
    out: State = {}

    def put(ours: str, name: str) -> None:
        out[f"backbone.{ours}.weight"], out[f"backbone.{ours}.bias"] = graph.conv(name)

    put("stem", "Conv")
    index = 0
    for repeats, _, _, expansion, _ in MOBILENET_STAGES:
        for _ in range(repeats):
            name = f"expanded_conv_{index}" if index else "expanded_conv"
            for part in ("expand", "depthwise", "project")[0 if expansion > 1 else 1 :]:
                put(f"blocks.{index}.{part}", f"{name}/{part}")
            index += 1
    put("last", "Conv_1")
    return out, graph.used


class Factors:
    """A 3×3 class predictor W as expand · reduce · squeeze: 1×1 to u channels, 3×3 to r, 1×1 to the logits.

    The r outputs are the principal components of its logits over the cells of some pictures, each cell weighed by how much it is taken for an
    object; the u inputs are those of the map's channels, by their second moments, that matter most to these r (Tucker-2 in the metric of
    what the predictor really sees). At a quarter of the cost, 0.98 of the logits' variance stays.
    """

    def __init__(self, predictor: ClassPredictor, ids: list[int]) -> None:
        self.weight = predictor.weight[:, ids].flatten(0, 1)  # [A · K, C, 3, 3]
        self.bias = predictor.bias[:, ids].flatten()
        outputs, channels = self.weight.shape[:2]
        self.total = torch.zeros((), dtype=torch.float64)
        self.sum = torch.zeros(outputs, dtype=torch.float64)
        self.outer = torch.zeros(outputs, outputs, dtype=torch.float64)
        self.inputs = torch.zeros(channels, channels, dtype=torch.float64)

    def see(self, x: Tensor) -> None:
        """A map [1, C, H, W]."""
        z = F.conv2d(x, self.weight, self.bias, 1, 1)[0].flatten(1).T  # [cells, A · K]
        weight = z.sigmoid().amax(1, keepdim=True) + 0.02
        self.total += weight.sum()
        self.sum += (weight * z).sum(0)
        self.outer += (weight * z).T @ z
        cells = x[0].flatten(1)
        self.inputs += cells @ cells.T / cells.shape[1]

    def solve(self, u: int, r: int) -> dict[str, Tensor]:
        mean = self.sum / self.total
        _, vectors = torch.linalg.eigh(self.outer / self.total - mean[:, None] * mean[None])
        v = vectors.flip(1)[:, :r]  # [A · K, r]
        reduced = torch.einsum("or,ocyx->ryxc", v, self.weight.double())  # [r, 3, 3, C]
        values, axes = torch.linalg.eigh(self.inputs)
        values = values.clamp(min=float(values.max()) * 1e-9)
        metric, back = axes * values.sqrt(), (axes * values.rsqrt()).T
        m = reduced.flatten(0, 2) @ metric
        _, _, right = torch.linalg.svd(m, full_matrices=False)
        squeeze = right[:u] @ back  # [u, C]
        kernel = (m @ right[:u].T).view(r, 3, 3, u).permute(0, 3, 1, 2)
        size = squeeze.norm(dim=1).mean()  # rows of norm near 1, so that float16 and training are at ease
        return {
            "squeeze.weight": (squeeze / size)[:, :, None, None].float().contiguous(),
            "reduce.weight": (kernel * size).float().contiguous(),
            "reduce.bias": (v.T @ (self.bias.double() - mean)).float(),
            "expand.weight": v[:, :, None, None].float().contiguous(),
            "expand.bias": mean.float(),
        }


@torch.no_grad()
def evidence(path: Path, config: Config, ids: list[int], pictures: Iterable[Tensor]) -> State:
    """`evidence.*` of reference/evidence.py. `ids`: the graph's class (0 is the background) of each of the config's labels."""
    assert config.evidence is not None
    graph = Graph(path)
    out: State = {}
    layers = {"squeeze": "layer_19_1_Conv2d_2_1x1_256", "depthwise": "layer_19_2_Conv2d_2_3x3_s2_512_depthwise", "expand": "layer_19_2_Conv2d_2_3x3_s2_512"}
    for ours, name in layers.items():
        out[f"evidence.extra.{ours}.weight"], out[f"evidence.extra.{ours}.bias"] = graph.conv(name)
    factors = [Factors(graph.predictor(name), ids) for name in PREDICTORS]
    trunk = MobileNetV2()
    trunk.load_state_dict({k.removeprefix("backbone."): v for k, v in mobilenet_v2(path)[0].items()})
    extra = Extra(1280, *config.evidence.extra)
    extra.load_state_dict({k.removeprefix("evidence.extra."): v for k, v in out.items()})
    for image in pictures:
        maps = trunk(image)
        for part, x in zip(factors, (maps[2], maps[3], extra(maps[3]))):
            part.see(x)
    for i, part in enumerate(factors):
        for name, value in part.solve(config.evidence.channels[i], config.evidence.rank[i]).items():
            kind, rest = name.split(".")
            out[f"evidence.{kind}.{i}.{rest}"] = value
    return out
