# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sine positions of pixels and boxes (DETR; DINO, 2203.03605), and the small MLP that every box head is."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers `.layers.0`, `.layers.1` ... with ReLU between, none after the last."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


def sine(angle: Tensor, width: int) -> Tensor:
    """[..., C] coordinates in radians → [..., C · width]; feature k of a coordinate: even k sine, odd k cosine."""
    k = torch.arange(width, device=angle.device)
    period = 10000.0 ** (2 * torch.div(k, 2, rounding_mode="floor") / width)
    a = angle[..., None] / period
    return torch.stack((a[..., 0::2].sin(), a[..., 1::2].cos()), -1).flatten(-3)


def pixel_centres(height: int, width: int) -> Tensor:
    """[H · W, 2] normalised (x, y) of pixel centres, row-major."""
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    return torch.stack((x[None].expand(height, width), y[:, None].expand(height, width)), -1).flatten(0, 1)


def sine_pixels(height: int, width: int, channels: int, edges: bool = False) -> Tensor:
    """sine2d: [H · W, channels], the y half first. `edges`: of each pixel's lower right end instead of its centre, as DETR and its kin count
    them."""
    at = pixel_centres(height, width)
    if edges:
        at = at + 0.5 / torch.tensor([width, height])
    return sine(at.flip(-1) * 2 * math.pi, channels // 2)


def sine_boxes(boxes: Tensor, d: int) -> Tensor:
    """[..., 4] (cx, cy, w, h) → [..., 2d] in DINO's order cy, cx, w, h."""
    return sine(boxes[..., [1, 0, 2, 3]] * 2 * math.pi, d // 2)


def inverse_sigmoid(x: Tensor) -> Tensor:
    x = x.clamp(1e-5, 1 - 1e-5)
    return (x / (1 - x)).log()
