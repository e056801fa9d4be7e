# SPDX-License-Identifier: LGPL-2.1-or-later
"""What regions look like, for trackers. No part of the network reads it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 4  # a half is read at 4 × 4 points, each at the middle of its cell


def looks(c2: Tensor, boxes: Tensor) -> Tensor:
    """Colours and textures of each box's upper and lower half, of length 1: [B, c, H, W], [B, N, 4] (cx, cy, w, h) → [B, N, 2c]."""
    across = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    halves = []
    for top in (-0.5, 0):
        down = top + (torch.arange(SIDE) + 0.5) / (2 * SIDE)
        cell = torch.stack((across.repeat(SIDE), down.repeat_interleave(SIDE)), -1)  # [SIDE², 2], in sides of a box
        points = boxes[:, :, None, :2] + cell * boxes[:, :, None, 2:]
        seen = F.grid_sample(c2, 2 * points - 1, align_corners=False)  # [B, c, N, SIDE²], 0 outside
        halves.append(F.normalize(seen.sum(-1).transpose(1, 2), dim=-1))
    return F.normalize(torch.cat(halves, -1), dim=-1)
