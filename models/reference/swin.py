# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swin Transformer (2103.14030): the backbone of the paper's `base` and `large` (5.2). Maps of any size, as detectors use it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class SwinSizes:
    """`backbone` of a config of kind `swin`. Channels of C2..C5 are width · 1, 2, 4, 8."""

    width: int
    depths: tuple[int, ...]  # blocks of each stage
    heads: tuple[int, ...]  # of each stage
    window: int

    @property
    def channels(self) -> tuple[int, int, int, int]:
        return self.width, 2 * self.width, 4 * self.width, 8 * self.width


# The authors' sizes. Windows are 7 at 224 pixels; of B and L there are checkpoints of windows of 12 (384 pixels; the paper's).
PUBLISHED = {
    "swin_t": SwinSizes(96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "swin_s": SwinSizes(96, (2, 2, 18, 2), (3, 6, 12, 24), 7),
    "swin_b": SwinSizes(128, (2, 2, 18, 2), (4, 8, 16, 32), 7),
    "swin_l": SwinSizes(192, (2, 2, 18, 2), (6, 12, 24, 48), 7),
}


def relative_index(window: int) -> Tensor:
    """Row of the bias table for each pair of cells of a window, [w², w²]: (Δy + w - 1)·(2w - 1) + Δx + w - 1, query minus key."""
    y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    cells = torch.stack((y.flatten(), x.flatten()))
    away = cells[:, :, None] - cells[:, None, :] + window - 1
    return away[0] * (2 * window - 1) + away[1]


def parts_of(size: int, window: int, shift: int) -> Tensor:
    """Of a rolled side of whole windows: what lies together in the picture has one number."""
    at = torch.arange(size)
    return (at >= size - window).long() + (at >= size - shift).long() if shift else torch.zeros_like(at)


class WindowAttention(nn.Module):
    """Attention inside windows of w × w cells that start at -shift; cells beyond the map are zeros (after the norm), and are seen."""

    def __init__(self, width: int, heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.heads, self.window, self.shifted = heads, window, shifted
        self.qkv = nn.Linear(width, 3 * width)
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.proj = nn.Linear(width, width)
        nn.init.trunc_normal_(self.bias, std=0.02)
        self.register_buffer("index", relative_index(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        w = self.window
        x = F.pad(x, (0, 0, 0, -width % w, 0, -height % w))
        rows, columns = x.shape[1:3]
        # one window holds all of that side: nothing to shift
        down, right = (w // 2 if self.shifted and size > w else 0 for size in (rows, columns))
        x = torch.roll(x, (-down, -right), (1, 2))

        def windows(x: Tensor) -> Tensor:  # [B,H,W,C] → [B·windows, w², C]
            x = x.view(-1, rows // w, w, columns // w, w, x.shape[-1])
            return x.transpose(2, 3).reshape(-1, w * w, x.shape[-1])

        q, k, v = self.qkv(windows(x)).view(-1, w * w, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.bias[self.index].permute(2, 0, 1)[None]  # [1,M,w²,w²]
        if down or right:
            part = 3 * parts_of(rows, w, down)[:, None] + parts_of(columns, w, right)
            part = windows(part[None, :, :, None].to(x.device))  # [windows, w², 1]
            apart = torch.zeros(part.shape[0], 1, w * w, w * w, device=x.device)
            bias = bias + apart.masked_fill((part != part.transpose(1, 2))[:, None], -100).repeat(batch, 1, 1, 1)
        x = ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias).softmax(-1) @ v
        x = self.proj(x.transpose(1, 2).reshape(-1, w * w, channels))
        x = x.view(batch, rows // w, columns // w, w, w, channels).transpose(2, 3).reshape(batch, rows, columns, channels)
        return torch.roll(x, (down, right), (1, 2))[:, :height, :width].contiguous()


class SwinBlock(nn.Module):
    def __init__(self, width: int, heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window, shifted)
        self.norm2 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class PatchMerging(nn.Module):
    """2 × 2 cells become one of twice the width: [top left, top right, bottom left, bottom right] (published code has the middle two the other
    way round: the importer turns them). An odd side ends in zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        x = torch.cat((x[:, 0::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 0::2], x[:, 1::2, 1::2]), -1)
        return self.reduction(self.norm(x))


class SwinStage(nn.Module):
    def __init__(self, width: int, depth: int, heads: int, window: int, first: bool) -> None:
        super().__init__()
        self.merge = None if first else PatchMerging(width // 2)
        self.blocks = nn.ModuleList(SwinBlock(width, heads, window, j % 2 == 1) for j in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        if self.merge is not None:
            x = self.merge(x)
        for block in self.blocks:
            x = block(x)
        return x


class Swin(nn.Module):
    """Returns C2..C5, each behind a norm of its own."""

    def __init__(self, sizes: SwinSizes) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, sizes.width, 4, 4)
        self.patch_norm = nn.LayerNorm(sizes.width)
        self.stages = nn.ModuleList()
        for i, (width, depth, heads) in enumerate(zip(sizes.channels, sizes.depths, sizes.heads)):
            self.stages.append(SwinStage(width, depth, heads, sizes.window, i == 0))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in sizes.channels)

    def stage_maps(self, image: Tensor) -> list[Tensor]:
        """What each stage ends in, [B, H, W, C]: before its norm."""
        x = self.patch_norm(self.patch(image).permute(0, 2, 3, 1))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, image: Tensor) -> list[Tensor]:
        return [norm(x).permute(0, 3, 1, 2) for norm, x in zip(self.norms, self.stage_maps(image))]
