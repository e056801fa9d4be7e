# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mask features at stride 4 and the mask embedding of a query (Mask DINO, 2206.02777): q_mask = e · F_mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import Mask
from .position import MLP

PLACES = 6  # numbers of an embedding that knows boxes, for 1, x, x², y, y² and xy, behind those for the features
BEYOND = 2.0  # half sides of the box: a cell farther from its middle counts as that far


class Own(nn.Module):
    """The embedding of masks that are shown: what is pooled of masks is made with another."""

    def __init__(self, d: int, m: int) -> None:
        super().__init__()
        self.embed = MLP(d, d, d, m)
        self.places = MLP(d, d, d, PLACES)

    def forward(self, q_sem: Tensor) -> Tensor:
        """[B, N, d] → [B, N, d_mask + PLACES]."""
        return torch.cat((self.embed(q_sem), self.places(q_sem)), -1)


class MaskHead(nn.Module):
    def __init__(self, config: Mask, c2: int, d: int) -> None:
        super().__init__()
        m = config.channels
        self.lateral = nn.Conv2d(c2, m, 1)
        self.lateral_norm = nn.GroupNorm(config.groups, m) if config.lateral_norm else None
        self.memory = nn.Conv2d(d, m, 1) if m != d else None
        self.conv = nn.Conv2d(m, m, 3, padding=1)
        self.norm = nn.GroupNorm(config.groups, m)
        self.project = nn.Conv2d(m, m, 1)
        self.embed = MLP(d, d, d, m)
        self.own = Own(d, m) if config.own else None

    def features(self, c2: Tensor, stride8: Tensor) -> Tensor:
        """C2 [B, c2, H/4, W/4], memory at stride 8 [B, d, H/8, W/8] → F_mask [B, d_mask, H/4, W/4]."""
        f = self.lateral(c2)
        if self.lateral_norm is not None:
            f = self.lateral_norm(f)
        top = stride8 if self.memory is None else self.memory(stride8)
        f = f + F.interpolate(top, scale_factor=2, mode="bilinear", align_corners=False)
        return self.project(self.norm(self.conv(f)).relu())


def in_half_sides(centre: Tensor, side: Tensor, cells: int) -> Tensor:
    """Centres and sides of boxes [B, N] along an axis → where its cells lie [B, N, cells]: -1 and 1 are the sides."""
    at = (torch.arange(cells) + 0.5) / cells
    return ((at - centre[..., None]) * 2 / side[..., None].clamp(min=1e-3)).clamp(-BEYOND, BEYOND)


def mask_logits(embed: Tensor, features: Tensor, boxes: Tensor | None = None) -> Tensor:
    """embed [B, N, d_mask], features [B, d_mask, H, W] → q_mask [B, N, H, W]. `boxes` [B, N, 4] of the queries:
    needed where the embedding has PLACES more numbers."""
    m, (h, w) = features.shape[1], features.shape[2:]
    logits = (embed[..., :m] @ features.flatten(2)).unflatten(2, (h, w))
    if embed.shape[-1] == m:
        return logits
    assert boxes is not None
    x, y = in_half_sides(boxes[..., 0], boxes[..., 2], w), in_half_sides(boxes[..., 1], boxes[..., 3], h)
    one, by_x, by_xx, by_y, by_yy, by_xy = embed[..., m:, None].unbind(-2)
    across, down = one + by_x * x + by_xx * x * x, by_y * y + by_yy * y * y
    return logits + across[..., None, :] + down[..., None] + (by_xy * y)[..., None] * x[..., None, :]
