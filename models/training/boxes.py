# SPDX-License-Identifier: LGPL-2.1-or-later
"""Overlaps of boxes in (cx, cy, w, h) that only losses need, beside those of the reference."""

from __future__ import annotations

from torch import Tensor

from models.reference import boxes as reference
from models.reference.boxes import corners, iou, overlap

from . import fast


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """[B, P, 4], [B, Q, 4] → [B, P, Q], without a gradient."""
    return fast.pairwise_iou(a, b) if fast.KERNELS else reference.pairwise_iou(a, b)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU, element by element, broadcast."""
    inter, x, y, hull = overlap(corners(a), corners(b))
    union = (x + y - inter).clamp(min=1e-9)
    return inter / union - (hull - union) / hull.clamp(min=1e-9)


def pairwise_cover(a: Tensor, b: Tensor) -> Tensor:
    """How much of a lies in b: [B, P, 4], [B, Q, 4] → [B, P, Q]."""
    inter, x, _, _ = overlap(corners(a)[:, :, None], corners(b)[:, None])
    return inter / x.clamp(min=1e-9)


__all__ = ["corners", "giou", "iou", "overlap", "pairwise_cover", "pairwise_iou"]
