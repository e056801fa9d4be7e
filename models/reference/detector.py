# SPDX-License-Identifier: LGPL-2.1-or-later
"""Queries and class evidence of PicoDet (2111.00902): a detector that others trained says where objects are (paper 5.3: off-the-shelf
encoders), in place of query selection and of an SSD's predictors.

Its best cells become the queries: their boxes stay (no layer of the region decoder refines them), what its predictors read there is the
content, and what they say of each class is the evidence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import Query
from .pixel_encoder import Shapes, tokens
from .picodet import STRIDES, WIDTH, Head, centres, distances
from .query_selection import choose, rows

FLOOR = -16.0  # the least logit


def joint_logit(a: Tensor, b: Tensor) -> Tensor:
    """logit(√(sigmoid(a) · sigmoid(b))), FLOOR at least."""
    p = (0.5 * (F.logsigmoid(a) + F.logsigmoid(b))).clamp(max=-1e-7)
    return (p - torch.log(-torch.expm1(p))).clamp(min=FLOOR)


class Detector(nn.Module):
    """P_1..P_4 [B, WIDTH, H_l, W_l] → queries."""

    def __init__(self, query: Query, d: int, classes: int) -> None:
        super().__init__()
        self.query = query
        self.heads = nn.ModuleList(Head(classes) for _ in STRIDES)
        self.output = nn.ModuleList(nn.Linear(WIDTH, d) for _ in STRIDES)
        self.norm = nn.LayerNorm(d)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.offset = nn.Parameter(torch.tensor(4.0))

    def cells(self, shapes: Shapes) -> tuple[Tensor, Tensor]:
        """Of all tokens: the middle [T, 2] and the stride [T, 2], in widths and heights of the input."""
        size = torch.tensor([shapes[0][1], shapes[0][0]]) * float(STRIDES[0])
        centre = torch.cat([centres(h, w, stride) for (h, w), stride in zip(shapes, STRIDES)])
        strides = torch.cat([torch.full((h * w, 2), float(stride)) for (h, w), stride in zip(shapes, STRIDES)])
        return centre / size, strides / size

    def boxes(self, sides: Tensor, index: Tensor, shapes: Shapes) -> Tensor:
        """sides [B, T, 32], index [B, K] → (cx, cy, w, h) [B, K, 4], not cut at the input's edges."""
        centre, stride = (x[index] for x in self.cells(shapes))
        far = distances(rows(sides, index))
        before, after = far[..., :2] * stride, far[..., 2:] * stride
        return torch.cat((centre + (after - before) / 2, before + after), -1)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """→ outputs [B, T, d], scores [B, T], index [B, N], box_0 [B, N, 4], content [B, N, d], r [B, N, K]."""
        shapes: Shapes = [(m.shape[2], m.shape[3]) for m in maps]
        y, classes, sides, there = zip(*(head(m) for head, m in zip(self.heads, maps)))
        outputs = torch.cat([o(tokens([m])) for o, m in zip(self.output, y)], 1)
        c, s, t = tokens(list(classes)), tokens(list(sides)), tokens(list(there))
        scores = joint_logit(c.amax(-1, keepdim=True), t).squeeze(-1)
        index = choose(scores, self.query, lambda index: self.boxes(s, index, shapes))
        content = self.norm(rows(outputs, index))
        return outputs, scores, index, self.boxes(s, index, shapes), content, self.speaks(joint_logit(rows(c, index), rows(t, index)))

    def speaks(self, e: Tensor) -> Tensor:
        """r [B, N, K]: how much speaks for each known class."""
        return (self.scale * e + self.offset).relu()
