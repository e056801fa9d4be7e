# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who answers for which object: one-to-many task-aligned for the dense head, one-to-one Hungarian for the region decoder."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from . import fast
from .boxes import corners, giou, iou, pairwise_cover, pairwise_iou
from .dataset import Batch

PRIOR = 3.0  # cost of a query's selection score


@torch.no_grad()
def task_aligned(
    boxes: Tensor,
    probability: Tensor,
    centres: Tensor,
    cell: Tensor,
    batch: Batch,
    top: int = 10,
    alpha: float = 0.5,
    beta: float = 4.0,
) -> tuple[Tensor, Tensor]:
    """TOOD (2108.07755): each object takes the `top` tokens of highest s^α · IoU^β whose centre lies inside it (or within a cell of
    its centre). boxes [B, T, 4], probability [B, T, C], centres and cell sizes [T, 2].

    → quality [B, T] (0: background) and the object [B, T] of each token.
    """  # fmt: skip
    b, g = batch.labels.shape
    t = boxes.shape[1]
    overlap = pairwise_iou(batch.boxes, boxes)  # [B, G, T]
    score = probability.gather(2, batch.labels[:, None].expand(b, t, g)).transpose(1, 2)
    gt = corners(batch.boxes)[:, :, None]
    inside = ((centres > gt[..., :2]) & (centres < gt[..., 2:])).all(-1)
    near = ((centres - batch.boxes[:, :, None, :2]).abs() < cell).all(-1)
    metric = score.clamp(min=1e-4) ** alpha * overlap**beta * (inside | near) * (batch.weights > 0)[..., None]
    best, index = metric.topk(min(top, t), -1)
    chosen = torch.zeros_like(metric).scatter(2, index, (best > 1e-7).float())
    metric = metric * chosen
    # a token wanted by several objects goes to the one it overlaps most
    owner = (overlap * chosen).argmax(1)  # [B, T]
    mine = torch.zeros_like(metric).scatter(1, owner[:, None], 1.0) * chosen
    metric = metric * mine
    peak = metric.amax(-1, keepdim=True).clamp(min=1e-9)
    quality = metric / peak * (overlap * mine).amax(-1, keepdim=True)
    return quality.amax(1), owner


@torch.no_grad()
def hungarian(boxes: Tensor, logits: Tensor, batch: Batch, prior: Tensor | None = None) -> Tensor:
    """boxes [B, N, 4], class logits [B, N, C] → matched queries [K, 3]: image, query, object (DETR's costs 2, 5, 2).

    The dense head selects several nearly equal queries an object. `prior` [B, N], the probability with which a query was selected,
    lets the best of them win each time: which of equals is to answer can then be learnt.
    """
    b, g = batch.labels.shape
    n = boxes.shape[1]
    z = logits.gather(2, batch.labels[:, None].expand(b, n, g))  # [B, N, G]
    p = z.sigmoid()
    softplus = torch.nn.functional.softplus
    cost = 2 * (0.25 * (1 - p) ** 2 * softplus(-z) - 0.75 * p**2 * softplus(z))
    cost = cost + 5 * (boxes[:, :, None] - batch.boxes[:, None]).abs().sum(-1)
    cost = cost - 2 * giou(boxes[:, :, None], batch.boxes[:, None])
    if prior is not None:
        cost = cost - PRIOR * prior[..., None]
    table = cost.nan_to_num(1e4, 1e4, 1e4).numpy()
    rows = []
    for i, present in enumerate((batch.weights > 0).numpy()):
        objects = np.flatnonzero(present)
        if len(objects):
            query, which = linear_sum_assignment(table[i][:, objects])
            rows.append(np.stack((np.full(len(query), i), query, objects[which]), 1))
    return torch.from_numpy(np.concatenate(rows) if rows else np.zeros((0, 3), np.int64)).long()


@torch.no_grad()
def unknown(boxes: Tensor, batch: Batch, classes: int) -> tuple[Tensor, Tensor]:
    """Where nothing may be learnt: [B, P] for the foreground, [B, P, C] for a class: candidates over boxes whose class is unknown."""
    if fast.KERNELS:
        return fast.unknown(boxes, batch.ignored, batch.ignored_labels, batch.ignored_crowd, classes)
    hit = torch.where(
        batch.ignored_crowd[:, None], pairwise_cover(boxes, batch.ignored) > 0.6, pairwise_iou(boxes, batch.ignored) > 0.4
    )
    hit = hit & (batch.ignored_labels >= 0)[:, None]  # [B, P, I]
    of_class = torch.zeros(*boxes.shape[:2], classes)
    of_class.scatter_add_(2, batch.ignored_labels.clamp(min=0)[:, None].expand_as(hit).contiguous(), hit.float())
    return hit.any(-1), of_class > 0


__all__ = ["hungarian", "iou", "task_aligned", "unknown"]
