# SPDX-License-Identifier: LGPL-2.1-or-later
"""Class evidence: what the detector that the backbone comes from would say of a box (paper 5.3: off-the-shelf encoders).

A backbone trained to detect was trained together with class predictors: 3×3 convolutions on its maps, with logits for every cell, anchor
shape and class (SSD, 1512.02325). They know classes of which a small training set has a handful of examples. Here they come factored (1×1,
3×3, 1×1), and a query asks the anchors that its box overlaps most, as that detector's
training matched them:

    e_k(q) = max { z_a,k : IoU(anchor_a, q_box) ≥ ratio · max_a' IoU(anchor_a', q_box) }          r = relu(scale · e + offset)

r counts for a class only where something speaks for it. A label takes the evidence of the nearest known class (`share`), so that labels
stay any words, and a proposal carries r to the general decoder as a fourth term of eq. 2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbone import SameConv
from .boxes import pairwise_iou
from .config import EvidenceSizes
from .position import pixel_centres

FLOOR = -16.0  # the logit of a class that no anchor speaks for
MANY = 24  # anchors a query asks at most while training


def looks_at(pixels: int) -> list[tuple[int, float, int]]:
    """Where the cells of C4, C5 and the map after look along a side of `pixels`: (a, b, n), the i-th of n at pixel a·i + b.

    SAME padding of a stride of 2 puts all of an even size's padding behind it: its cells look half a cell further on than those of an odd one.
    """
    a, b, n = 1, 0.5, pixels
    maps = []
    for _ in range(6):
        b, a, n = b + (a if n % 2 == 0 else 0), 2 * a, -(-n // 2)
        maps.append((a, b, n))
    return maps[3:]


class Extra(nn.Module):
    """SSD's next map: 1×1, depthwise 3×3 of stride 2, 1×1, each with ReLU6."""

    def __init__(self, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, middle, 1)
        self.depthwise = SameConv(middle, middle, 3, 2, groups=middle)
        self.expand = nn.Conv2d(middle, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.expand(F.relu6(self.depthwise(F.relu6(self.squeeze(x))))))


class Evidence(nn.Module):
    def __init__(self, sizes: EvidenceSizes, channels: tuple[int, int, int, int], classes: int) -> None:
        super().__init__()
        self.sizes, self.classes = sizes, classes
        middle, last = sizes.extra
        self.extra = Extra(channels[3], middle, last)
        inputs = (channels[2], channels[3], last)
        self.squeeze = nn.ModuleList(nn.Conv2d(c, u, 1, bias=False) for c, u in zip(inputs, sizes.channels))
        self.reduce = nn.ModuleList(nn.Conv2d(u, r, 3, padding=1) for u, r in zip(sizes.channels, sizes.rank))
        self.expand = nn.ModuleList(nn.Conv2d(r, len(a) * classes, 1) for r, a in zip(sizes.rank, sizes.anchors))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.offset = nn.Parameter(torch.tensor(4.0))

    def forward(self, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor]:
        """C4, C5 [B, C, H, W] → logits [B, A, K] of every anchor, and the anchors [A, 4] (cx, cy, w, h in 0..1)."""
        logits, anchors = [], []
        height, width = 16 * c4.shape[2], 16 * c4.shape[3]
        for i, (x, shapes) in enumerate(zip((c4, c5, self.extra(c5)), self.sizes.anchors)):
            z = self.expand[i](self.reduce[i](self.squeeze[i](x)))
            b, _, h, w = z.shape
            logits.append(z.permute(0, 2, 3, 1).reshape(b, h * w * len(shapes), self.classes))
            size = torch.tensor(
                [[s * math.sqrt(r) * self.sizes.pixels / width, s / math.sqrt(r) * self.sizes.pixels / height] for s, r in shapes]
            )
            centre = (self.aligned(i, h, w, height, width) if self.sizes.aligned else pixel_centres(h, w))[:, None]
            centre = centre.expand(-1, len(shapes), -1)
            anchors.append(torch.cat((centre, size[None].expand(h * w, -1, -1)), -1).flatten(0, 1))
        return torch.cat(logits, 1), torch.cat(anchors)

    def aligned(self, i: int, h: int, w: int, height: int, width: int) -> Tensor:
        """Centres [h · w, 2] of map i's anchors: where the cells look, less what lay between that and the middle of their part of the picture at
        the size that the predictors were trained with, in the mean of its cells."""
        side = round(self.sizes.pixels)
        a, b, n = looks_at(side)[i]
        learnt = a * (n - 1) / 2 + b - side / 2
        rows, columns = looks_at(height)[i], looks_at(width)[i]
        y = (rows[0] * torch.arange(h, dtype=torch.float64) + rows[1] - learnt) / height
        x = (columns[0] * torch.arange(w, dtype=torch.float64) + columns[1] - learnt) / width
        return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1).float()

    def at(self, boxes: Tensor, logits: Tensor, anchors: Tensor) -> Tensor:
        """Boxes [B, N, 4], logits [B, A, K], anchors [A, 4] → e [B, N, K]; no gradient goes to the boxes."""
        with torch.no_grad():
            iou = pairwise_iou(boxes, anchors.expand(len(boxes), -1, -1))  # [B, N, A]
            asked = (iou >= self.sizes.ratio * iou.amax(-1, keepdim=True)) & (iou > 0)
            most = MANY if self.training else max(1, int(asked.sum(-1).max()))
            best, index = (iou * asked).topk(min(most, iou.shape[-1]), -1)
        z = logits.gather(1, index.flatten(1)[..., None].expand(-1, -1, self.classes)).view(*index.shape, -1)
        return z.masked_fill((best <= 0)[..., None], FLOOR).amax(2).clamp(min=FLOOR)

    def speaks(self, e: Tensor) -> Tensor:
        """r [B, N, K]: how much speaks for each known class."""
        return (self.scale * e + self.offset).relu()


def share(labels: Tensor, known: Tensor, near: float) -> Tensor:
    """Labels [C, D] and known classes [K, D] as the general decoder sees them → [C, K]: what a label takes of each class's evidence.
    All of its own, a part of the nearest's that falls to nothing at a cosine of `near`."""
    cosine = F.normalize(labels, dim=-1) @ F.normalize(known, dim=-1).T
    best, index = cosine.max(-1, keepdim=True)
    return torch.zeros_like(cosine).scatter(-1, index, ((best - near) / (1 - near)).clamp(0, 1))
