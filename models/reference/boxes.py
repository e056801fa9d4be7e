# SPDX-License-Identifier: LGPL-2.1-or-later
"""Overlaps of boxes in (cx, cy, w, h)."""

from __future__ import annotations

import torch
from torch import Tensor


def corners(b: Tensor) -> Tensor:
    """cx, cy, w, h → x0, y0, x1, y1."""
    half = b[..., 2:] / 2
    return torch.cat((b[..., :2] - half, b[..., :2] + half), -1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Broadcast over corners [..., 4]: intersection, area of a, area of b, area of the hull."""
    wh = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0)
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    return wh.prod(-1), area_a, area_b, hull.prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Element by element, broadcast."""
    inter, x, y, _ = overlap(corners(a), corners(b))
    return inter / (x + y - inter).clamp(min=1e-9)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """[B, P, 4], [B, Q, 4] → [B, P, Q]."""
    return iou(a[:, :, None], b[:, None])
