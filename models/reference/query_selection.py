# SPDX-License-Identifier: LGPL-2.1-or-later
"""Query selection: the N pixels with the best foreground score become anchors and contents (two-stage of DINO, paper 4.1), on demand
distinct ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .boxes import corners, overlap
from .config import Query
from .pixel_encoder import Shapes
from .position import MLP, inverse_sigmoid, pixel_centres

MARGIN = 0.01  # of the sides: pixels nearer to an end are no queries in Mask DINO
NEVER = -1e4  # added to the score of what must not be chosen; within a half float


def anchors(shapes: Shapes, kind: str, cells: float, mask_dino: bool = False) -> Tensor:
    """[T, 4]: `cells` a box of so many cells of its level (at most 0.95 of the image); `scale` 0.05 · 2^l (DINO). Mask DINO's decoder counts
    levels from the coarsest on: 0.05 · 2^(L - 1 - l)."""
    out = []
    for level, (h, w) in enumerate(shapes):
        if kind == "cells":
            size = torch.tensor([min(cells / w, 0.95), min(cells / h, 0.95)])
        else:
            size = torch.full((2,), 0.05 * 2 ** (len(shapes) - 1 - level if mask_dino else level))
        out.append(torch.cat((pixel_centres(h, w), size.expand(h * w, 2)), -1))
    return torch.cat(out)


class QuerySelection(nn.Module):
    """memory [B, T, d] → outputs, scores, indices, box_0, contents."""

    def __init__(self, config: Query, d: int, mask_dino: bool = False) -> None:
        super().__init__()
        self.config, self.mask_dino = config, mask_dino
        self.output = nn.Linear(d, d)
        self.norm = nn.LayerNorm(d)
        self.score = nn.Linear(d, 1)
        self.box = MLP(d, d, d, 4)
        if config.content == "learned":
            self.content = nn.Parameter(torch.randn(config.count, d))
        nn.init.constant_(self.score.bias, -4.0)
        nn.init.zeros_(self.box.layers[-1].weight)
        nn.init.zeros_(self.box.layers[-1].bias)

    def outputs(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """o [B, T, d] and the foreground logits [B, T]."""
        o = self.norm(self.output(memory))
        return o, self.score(o).squeeze(-1)

    def anchors(self, shapes: Shapes) -> Tensor:
        return anchors(shapes, self.config.anchor, self.config.anchor_cells, self.mask_dino)

    def boxes(self, o: Tensor, anchor: Tensor) -> Tensor:
        return (self.box(o) + inverse_sigmoid(anchor)).sigmoid()

    def best(self, scores: Tensor, count: int) -> Tensor:
        return best(scores, count)

    def forward(self, memory: Tensor, shapes: Shapes) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """→ o [B, T, d], scores [B, T], indices [B, N], box_0 [B, N, 4], content [B, N, d]."""
        o, scores = self.outputs(memory)
        choice = scores
        if self.mask_dino:
            at = self.anchors(shapes)
            choice = scores + NEVER * ~((at > MARGIN) & (at < 1 - MARGIN)).all(-1)
        index = choose(choice, self.config, lambda index: self.at(index, o, shapes)[0], self.best)
        box, picked = self.at(index, o, shapes)
        content = picked if self.config.content == "pixel" else self.content[None].expand_as(picked)
        return o, scores, index, box, content

    def at(self, index: Tensor, o: Tensor, shapes: Shapes) -> tuple[Tensor, Tensor]:
        """Boxes [B, K, 4] and outputs [B, K, d] of the pixels `index` [B, K]."""
        anchor = self.anchors(shapes)[index]
        picked = rows(o, index)
        return self.boxes(picked, anchor), picked


def best(scores: Tensor, count: int) -> Tensor:
    """[B, count] indices, best first, ties to the lower index."""
    return torch.sort(scores.detach(), dim=1, descending=True, stable=True)[1][:, :count]


def rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows `index` [B, K] of x [B, T, C]."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


def choose(
    scores: Tensor, query: Query, boxes: Callable[[Tensor], Tensor], among: Callable[[Tensor, int], Tensor] = best
) -> Tensor:
    """Scores [B, T] → the tokens [B, N] that become queries: the best, on demand distinct ones of some more. `boxes`: of tokens [B, K]."""
    count = min(query.count, scores.shape[1])
    index = among(scores, min(max(count, query.candidates), scores.shape[1]))
    if query.candidates:
        with torch.no_grad():
            order = distinct(boxes(index), query.distinct)
        index = index.gather(1, order[:, :count])
    return index


def duplicates(boxes: Tensor, limit: float) -> Tensor:
    """Candidates [B, M, 4], best first → [B, M]: whether a better one overlaps them by more than `limit` (IoU)."""
    inter, a, b, _ = overlap(corners(boxes)[:, :, None], corners(boxes)[:, None])
    return (inter > limit * (a + b - inter)).tril(-1).any(-1)


def distinct(boxes: Tensor, limit: float) -> Tensor:
    """Candidates [B, M, 4], best first → their order [B, M]: first those that no better one overlaps by more than `limit` (IoU), then
    the others. Equal queries are hard to tell apart for whoever must answer just once (DDQ, 2303.12776)."""
    return torch.sort(duplicates(boxes, limit).byte(), dim=1, stable=True)[1]
