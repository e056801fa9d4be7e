# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mask features at stride 4 and the mask embedding of a query (Mask DINO, 2206.02777): q_mask = e · F_mask."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .config import Mask
from .position import MLP


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

    def features(self, c2: Tensor, stride8: Tensor) -> Tensor:
        """C2 [B, c2, H/4, W/4], memory at stride 8 [B, d, H/8, W/8] → F_mask [B, d_mask, H/4, W/4]."""
        f = self.lateral(c2)
        if self.lateral_norm is not None:
            f = self.lateral_norm(f)
        top = stride8 if self.memory is None else self.memory(stride8)
        f = f + F.interpolate(top, scale_factor=2, mode="bilinear", align_corners=False)
        return self.project(self.norm(self.conv(f)).relu())


def mask_logits(embed: Tensor, features: Tensor) -> Tensor:
    """embed [B, N, d_mask], features [B, d_mask, H, W] → q_mask [B, N, H, W]."""
    return (embed @ features.flatten(2)).unflatten(2, features.shape[2:])
