# SPDX-License-Identifier: LGPL-2.1-or-later
"""PicoDet-S (2111.00902), a detector of 1.2 million parameters: LCNet's trunk, a pyramid of four maps, a head a map; batch norms folded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# LCNet (2109.15099) at 0.75: (kernel, channels, stride, squeeze and excite) of each block, in the order of stages
STEM = 16
BLOCKS = (
    (3, 24, 1, False),
    (3, 48, 2, False), (3, 48, 1, False),
    (3, 96, 2, False), (3, 96, 1, False),
    (3, 192, 2, False), (5, 192, 1, False), (5, 192, 1, False), (5, 192, 1, False), (5, 192, 1, False), (5, 192, 1, False),
    (5, 384, 2, True), (5, 384, 1, True),
)  # fmt: skip
ENDS = (2, 4, 10, 12)  # the last blocks of strides 4, 8, 16 and 32
WIDTH = 96  # of the pyramid's maps
STRIDES = (8, 16, 32, 64)
BINS = 8  # of a side's distance, in strides (generalised focal loss, 2006.04388)


class Conv(nn.Conv2d):
    """A convolution of any stride that keeps the size, and a hard swish."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return F.hardswish(super().forward(x))


class Separable(nn.Module):
    """Depthwise k×k, then 1×1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = Conv(inputs, inputs, kernel, stride, inputs)
        self.pointwise = Conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class Block(Separable):
    """With the channels between weighed by what is in all of the picture (squeeze and excite, 1709.01507)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, excite: bool) -> None:
        super().__init__(inputs, outputs, kernel, stride)
        self.squeeze = nn.Conv2d(inputs, inputs // 4, 1) if excite else None
        self.excite = nn.Conv2d(inputs // 4, inputs, 1) if excite else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        if self.squeeze is not None and self.excite is not None:
            x = x * F.hardsigmoid(self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()))
        return self.pointwise(x)


class LCNet(nn.Module):
    """Pictures [B, 3, H, W] → C2 (48 channels), C3 (96), C4 (192), C5 (384)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, STEM, 3, 2)
        self.blocks = nn.ModuleList()
        channels = STEM
        for kernel, outputs, stride, excite in BLOCKS:
            self.blocks.append(Block(channels, outputs, kernel, stride, excite))
            channels = outputs

    def forward(self, x: Tensor) -> list[Tensor]:
        x, maps = self.stem(x), []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in ENDS:
                maps.append(x)
        return maps


class Merge(nn.Module):
    """Two maps, joined by their channels, back to one map's."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Separable(2 * WIDTH, 2 * WIDTH, 5)
        self.second = Separable(2 * WIDTH, WIDTH, 5)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.second(self.first(torch.cat((a, b), 1)))


class Pyramid(nn.Module):
    """C3, C4, C5 → four maps of WIDTH channels, at STRIDES: from the coarse to the fine and back."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral = nn.ModuleList([Conv(c, WIDTH) for c in (96, 192, 384)])
        self.beyond_before = Separable(WIDTH, WIDTH, 5, 2)
        self.beyond_after = Separable(WIDTH, WIDTH, 5, 2)
        self.down = nn.ModuleList([Merge(), Merge()])
        self.stride = nn.ModuleList([Separable(WIDTH, WIDTH, 5, 2) for _ in range(2)])
        self.up = nn.ModuleList([Merge(), Merge()])

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> list[Tensor]:
        p3, p4, p5 = (lateral(c) for lateral, c in zip(self.lateral, (c3, c4, c5)))
        q4 = self.down[0](F.interpolate(p5, size=p4.shape[2:]), p4)
        q3 = self.down[1](F.interpolate(q4, size=p3.shape[2:]), p3)
        r4 = self.up[0](self.stride[0](q3), q4)
        r5 = self.up[1](self.stride[1](r4), p5)
        return [q3, r4, r5, self.beyond_before(p5) + self.beyond_after(r5)]


class Head(nn.Module):
    """A map → what its predictors read [B, WIDTH, H, W], logits of classes [B, K, H, W], logits of distances [B, 4·BINS, H, W], of whether
    an object is there [B, 1, H, W]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Separable(WIDTH, WIDTH, 5), Separable(WIDTH, WIDTH, 5)])
        self.gate = nn.Conv2d(WIDTH, WIDTH, 1)
        self.mix = Conv(WIDTH, WIDTH)
        self.classes = nn.Conv2d(WIDTH, classes, 1)
        self.sides = nn.Conv2d(WIDTH, 4 * BINS, 1)
        self.there = nn.ModuleList([Conv(WIDTH, 1, 5), nn.Conv2d(1, 1, 1)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        for layer in self.layers:
            x = layer(x)
        y = self.mix(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())
        return y, self.classes(y), self.sides(y), self.there[1](self.there[0](x))


def distances(sides: Tensor) -> Tensor:
    """Logits [..., 4·BINS] → how far the left, top, right and bottom side is from the cell's middle, in strides [..., 4]."""
    return sides.unflatten(-1, (4, BINS)).softmax(-1) @ torch.arange(BINS, dtype=sides.dtype)


def centres(height: int, width: int, stride: int) -> Tensor:
    """Middles (x, y) of a map's cells in pixels of the input [H · W, 2]."""
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * stride for n in (height, width)), indexing="ij")
    return torch.stack((x, y), -1).view(-1, 2)


@dataclass
class Found:
    """Of every cell of every map."""

    scores: Tensor  # [B, cells, K]
    boxes: Tensor  # [B, cells, 4]: x0, y0, x1, y1 in pixels of the input


class PicoDet(nn.Module):
    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        self.backbone = LCNet()
        self.pyramid = Pyramid()
        self.heads = nn.ModuleList([Head(classes) for _ in STRIDES])

    def forward(self, x: Tensor) -> Found:
        """Pictures normalised as ImageNet's are, sides that are multiples of 32."""
        _, c3, c4, c5 = self.backbone(x)
        scores, boxes = [], []
        for stride, head, level in zip(STRIDES, self.heads, self.pyramid(c3, c4, c5)):
            _, classes, sides, there = head(level)
            scores.append((classes.sigmoid() * there.sigmoid()).sqrt().flatten(2).transpose(1, 2))
            far = distances(sides.flatten(2).transpose(1, 2)) * stride
            centre = centres(*level.shape[2:], stride)
            boxes.append(torch.cat((centre - far[..., :2], centre + far[..., 2:]), -1))
        return Found(torch.cat(scores, 1), torch.cat(boxes, 1))
