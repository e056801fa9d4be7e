# SPDX-License-Identifier: LGPL-2.1-or-later
"""General region proposals and global tokens: equations 2 and 3 of the paper (4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .position import sine_boxes, sine_pixels

GRID = 28  # masks are pooled to 28 × 28 (paper 4.1)


class Proposals(nn.Module):
    """q_proposal = norm(proj(q_sem + B(q_box) + M(q_mask) + E(r)))  (eq. 2, and class evidence where the network has it)."""

    def __init__(self, d: int, width: int, classes: int = 0) -> None:
        super().__init__()
        self.d = d
        self.box = nn.Linear(2 * d, d)
        self.mask = nn.Linear(GRID * GRID, d)
        self.proj = nn.Linear(d, width)
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.mask.weight, std=0.01)
        self.evidence = nn.Linear(classes, d, bias=False) if classes else None

    @staticmethod
    def pooled_masks(embed: Tensor, features: Tensor) -> Tensor:
        """Pooling commutes with the mask product: [B, N, d_mask], [B, d_mask, H, W] → logits [B, N, 784]."""
        return embed @ F.adaptive_avg_pool2d(features, GRID).flatten(2)

    def forward(self, q_sem: Tensor, q_box: Tensor, pooled: Tensor, evidence: Tensor | None = None) -> Tensor:
        x = q_sem + self.box(sine_boxes(q_box, self.d)) + self.mask(pooled.sigmoid())
        if self.evidence is not None:
            x = x + self.evidence(evidence)
        return self.norm(self.proj(x))


class AttentionPool(nn.Module):
    """CLIP's attention pooling: the mean is the query, mean and tokens are keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, D] → [B, 1, D]."""
        b, t, width = tokens.shape
        s = torch.cat((tokens.mean(1, keepdim=True), tokens), 1)
        q = self.q(s[:, :1]).view(b, 1, self.heads, -1).transpose(1, 2)
        k = self.k(s).view(b, t + 1, self.heads, -1).transpose(1, 2)
        v = self.v(s).view(b, t + 1, self.heads, -1).transpose(1, 2)
        weights = ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, 1, width))


class GlobalTokens(nn.Module):
    """q_global = Concat(AttnPool_i(F_L), Flatten(F_L))  (eq. 3), F_L the last map of the backbone, or of a second, small one that sees
    the picture averaged 2×2."""

    def __init__(self, c5: int, width: int, pools: int, heads: int, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.proj = nn.Linear(c5, width)
        self.norm = nn.LayerNorm(width)
        self.pool = nn.ModuleList(AttentionPool(width, heads) for _ in range(pools))

    def last_map(self, image: Tensor, c5: Tensor) -> Tensor:
        """The map that `forward` reads: [B, c5, H/64, W/64] rounded up where there is a second backbone."""
        return c5 if self.backbone is None else self.backbone(F.avg_pool2d(image, 2))[-1]

    def forward(self, c5: Tensor) -> tuple[Tensor, Tensor]:
        """→ pools [B, M', D], g_flat [B, T_5, D]."""
        h, w = c5.shape[2:]
        x = self.proj(c5.flatten(2).transpose(1, 2))
        flat = self.norm(x + sine_pixels(h, w, x.shape[-1]))
        pools = [pool(flat) for pool in self.pool]
        return torch.cat(pools, 1) if pools else flat[:, :0], flat
