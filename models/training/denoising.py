# SPDX-License-Identifier: LGPL-2.1-or-later
"""Denoising queries: noised boxes of annotated objects that the region decoder has to restore (DN-DETR, 2203.01305), and ones
with more noise, which it has to call background (contrastive denoising of DINO, 2203.03605). They need no matching and exist
in training only.

Departure: a query's content is what query selection reads of the memory at the noised box, as in a query that was selected,
not an embedding of a noised label: the decoder's work is then the one that it does in use, and nothing is learnt that is not
exported.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.reference.boxes import corners
from models.reference.pixel_encoder import Shapes

from .dataset import Batch

NOISE = 0.6  # a coordinate of a positive moves by less than so many half sides of its box, of a negative by once to twice as many
GROUPS = 5  # at most, of an image with few objects


def noised_boxes(boxes: Tensor, noise: float, least: float) -> Tensor:
    """Boxes (cx, cy, w, h) whose corners moved by `least` to `least` + `noise` half sides, within the image."""
    size = boxes[..., 2:].repeat_interleave(2, -1)[..., [0, 2, 1, 3]] / 2
    sign = torch.randint(0, 2, boxes.shape) * 2 - 1
    x = (corners(boxes) + sign * (least + noise * torch.rand(boxes.shape)) * size).clamp(0, 1)
    low, high = torch.minimum(x[..., :2], x[..., 2:]), torch.maximum(x[..., :2], x[..., 2:])
    return torch.cat(((low + high) / 2, (high - low).clamp(min=1e-3)), -1)


def nearest(boxes: Tensor, shapes: Shapes, cells: float) -> Tensor:
    """The token [B, K] at a box's middle, of the level on which its size is nearest to `cells`, that of an anchor."""
    size = torch.tensor([(w, h) for h, w in shapes], dtype=boxes.dtype)  # [L, 2]
    side = (boxes[..., None, 2:] * size).prod(-1).sqrt()
    level = (side / cells).clamp(min=1e-6).log().abs().argmin(-1)
    grid = size.long()[level]
    at = torch.minimum((boxes[..., :2] * grid).long(), grid - 1)
    start = torch.tensor([0] + [h * w for h, w in shapes[:-1]]).cumsum(0)
    return start[level] + at[..., 1] * grid[..., 0] + at[..., 0]


@dataclass
class Noised:
    """K queries an image; an object stands in several groups, in each as a positive and as a negative."""

    boxes: Tensor  # [B, K, 4]
    owner: Tensor  # [B, K]: the object whose box it was
    group: Tensor  # [B, K], -1 is padding
    positive: Tensor  # [B, K] bool
    share: Tensor  # [B, K]: all groups of an image together count once; 0 is padding
    cells: float  # size of an anchor in cells of its level

    @staticmethod
    def draw(batch: Batch, count: int, cells: float) -> Noised:
        """Up to `count` queries an image: as many whole groups as fit, or one of some of its objects."""
        present = batch.weights > 0
        n, room = present.sum(1, keepdim=True), count // 2
        some = n.clamp(min=1)
        groups = torch.div(room, some, rounding_mode="floor").clamp(1, GROUPS) * (n > 0)  # [B, 1]
        slots = torch.arange(min(room, int((n * groups).max())))[None]
        group = torch.where(slots < n * groups, torch.div(slots, some, rounding_mode="floor"), -1)
        order = (torch.rand(present.shape) - present.float()).argsort(1)  # at random, padding last
        owner = order.gather(1, slots % some)
        truth = batch.boxes.gather(1, owner[..., None].expand(-1, -1, 4))
        boxes = torch.cat((noised_boxes(truth, NOISE, 0.0), noised_boxes(truth, NOISE, NOISE)), 1)
        there = group >= 0
        share = there / groups.clamp(min=1)
        owner, group, share = (torch.cat((x, x), 1) for x in (owner, group, share))
        return Noised(boxes, owner, group, torch.cat((there, torch.zeros_like(there)), 1), share, cells)

    def __call__(self, outputs: Tensor, shapes: Shapes, before: int) -> tuple[Tensor, Tensor, Tensor]:
        """→ contents [B, K, d], boxes [B, K, 4], and the mask [B, 1, N + K, N + K] of `before` = N queries and these: the former
        see each other alone, one of these its group and the former."""
        index = nearest(self.boxes, shapes, self.cells)
        content = outputs.gather(1, index[..., None].expand(-1, -1, outputs.shape[-1]))
        b, k = self.group.shape
        hidden = torch.zeros(b, before + k, before + k, dtype=torch.bool)
        hidden[:, :before, before:] = True
        hidden[:, before:, before:] = self.group[:, :, None] != self.group[:, None]
        return content, self.boxes, torch.zeros(hidden.shape).masked_fill(hidden, float("-inf"))[:, None]

    @property
    def match(self) -> Tensor:
        """[P, 3]: image, query, object of the positives."""
        b, q = self.positive.nonzero(as_tuple=True)
        return torch.stack((b, q, self.owner[b, q]), 1)
