# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pixel encoder: multi-scale deformable self-attention (Deformable DETR, 2010.04159), full or as Lite DETR (2303.07335)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .position import pixel_centres, sine_pixels

Shapes = list[tuple[int, int]]  # (H_l, W_l), finest first


class DeformableAttention(nn.Module):
    """MSDA: each query samples K points of L levels for each of M heads."""

    def __init__(self, d: int, heads: int, levels: int, points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.value_proj = nn.Linear(d, d)
        self.sampling_offsets = nn.Linear(d, heads * levels * points * 2)
        self.attention_weights = nn.Linear(d, heads * levels * points)
        self.output_proj = nn.Linear(d, d)
        self.reset()

    def reset(self) -> None:
        """Heads start on a ring of directions, points at growing distance (Deformable DETR, A.2)."""
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        theta = torch.arange(self.heads) * (2 * math.pi / self.heads)
        ring = torch.stack((theta.cos(), theta.sin()), -1)
        ring = ring / ring.abs().amax(-1, keepdim=True)
        steps = torch.arange(1, self.points + 1)[None, None, :, None]
        bias = ring[:, None, None] * steps.expand(1, self.levels, self.points, 1)
        self.sampling_offsets.bias.data.copy_(bias.flatten())
        for linear in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def places(self, query: Tensor, reference: Tensor, shapes: Shapes) -> tuple[Tensor, Tensor]:
        """Where to sample [B, Q, M, L, K, 2] in 0..1 (x, y), and the weight of each sample [B, Q, M, L, K]."""
        b, q, _ = query.shape
        m, levels, k = self.heads, self.levels, self.points
        offsets = self.sampling_offsets(query).view(b, q, m, levels, k, 2)
        weights = self.attention_weights(query).view(b, q, m, levels * k).softmax(-1).view(b, q, m, levels, k)
        size = torch.tensor([(w, h) for h, w in shapes], dtype=query.dtype)  # [L, 2]
        ref = reference[:, :, None, None, None, :]
        if reference.shape[-1] == 2:
            return ref + offsets / size[:, None], weights
        return ref[..., :2] + offsets / k * ref[..., 2:] * 0.5, weights

    def forward(self, query: Tensor, reference: Tensor, value: Tensor, shapes: Shapes) -> Tensor:
        """query [B, Q, d], reference [B or 1, Q, 2 or 4], value [B, T, d] → [B, Q, d]."""
        b, q, d = query.shape
        m, levels, k = self.heads, self.levels, self.points
        at, weights = self.places(query, reference, shapes)
        grid = (2 * at - 1).permute(3, 0, 2, 1, 4, 5).reshape(levels, b * m, q, k, 2)
        v = self.value_proj(value).view(b, -1, m, d // m).permute(0, 2, 3, 1).reshape(b * m, d // m, -1)
        w = weights.permute(3, 0, 2, 1, 4).reshape(levels, b * m, 1, q, k)
        out: Tensor | None = None
        for level, part in enumerate(v.split([h * w for h, w in shapes], -1)):
            part = part.reshape(b * m, d // m, *shapes[level])
            sampled = F.grid_sample(part, grid[level], "bilinear", "zeros", align_corners=False)
            sampled = (sampled * w[level]).sum(-1)  # [B·M, d/M, Q]
            out = sampled if out is None else out + sampled
        assert out is not None
        return self.output_proj(out.view(b, d, q).transpose(1, 2))


class EncoderLayer(nn.Module):
    """Post-norm layer of Deformable DETR."""

    def __init__(self, d: int, heads: int, levels: int, points: int, ffn: int) -> None:
        super().__init__()
        self.attn = DeformableAttention(d, heads, levels, points)
        self.norm1 = nn.LayerNorm(d)
        self.linear1 = nn.Linear(d, ffn)
        self.linear2 = nn.Linear(ffn, d)
        self.norm2 = nn.LayerNorm(d)

    def forward(self, x: Tensor, pos: Tensor, reference: Tensor, value: Tensor, shapes: Shapes) -> Tensor:
        x = self.norm1(x + self.attn(x + pos, reference, value, shapes))
        return self.norm2(x + self.linear2(self.linear1(x).relu()))


class TopDown(nn.Module):
    """Stride 8 of the Lite DETR kind: GN(t + pointwise(relu(depthwise(t)))), t = F_1 + up2(stride 16)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(d, d, 3, padding=1, groups=d)
        self.pointwise = nn.Conv2d(d, d, 1)
        self.norm = nn.GroupNorm(32, d)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        t = fine + F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        return self.norm(t + self.pointwise(self.depthwise(t).relu()))


def tokens(maps: list[Tensor]) -> Tensor:
    """Maps [B, d, H_l, W_l] → [B, T, d], finest first."""
    return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], 1)


class PixelEncoder(nn.Module):
    """F_1..F_L → memory [B, T, d]."""

    def __init__(self, kind: str, layers: int, d: int, heads: int, levels: int, points: int, ffn: int, edges: bool = False) -> None:
        super().__init__()
        self.kind, self.edges = kind, edges  # edges: where sine positions are taken
        self.layers = nn.ModuleList(EncoderLayer(d, heads, levels, points, ffn) for _ in range(layers))
        if kind == "lite":
            self.topdown = TopDown(d)

    def forward(self, maps: list[Tensor], level_embed: Tensor) -> Tensor:
        b, d = maps[0].shape[:2]
        shapes: Shapes = [(m.shape[2], m.shape[3]) for m in maps]
        first = 1 if self.kind == "lite" else 0
        pos = torch.cat([sine_pixels(h, w, d, self.edges) + level_embed[first + i] for i, (h, w) in enumerate(shapes[first:])])
        reference = torch.cat([pixel_centres(h, w) for h, w in shapes[first:]])[None]
        fine = tokens(maps[:first]) if first else maps[0].new_zeros(b, 0, d)
        x = tokens(maps[first:])
        for layer in self.layers:
            x = layer(x, pos, reference, torch.cat((fine, x), 1), shapes)
        if not first:
            return x
        h, w = shapes[1]
        coarse = x[:, : h * w].transpose(1, 2).reshape(b, d, h, w)
        return torch.cat((tokens([self.topdown(maps[0], coarse)]), x), 1)
