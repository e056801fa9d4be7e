# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which detections are the same thing (NETWORK.md, "task heads"): greedy non-maximum suppression within a label, and between two of
the model's own labels, of which a thing has one."""

from __future__ import annotations

import numpy as np

SAME_LABEL, CROSS_LABEL = 0.6, 0.8  # the plugin's defaults


def cut(boxes: np.ndarray, width: float, height: float) -> np.ndarray:
    """[K, 4] of x, y, w, h in a picture of that size, cut at its border."""
    low = np.clip(boxes[:, :2], 0, (width, height))
    return np.concatenate((low, np.clip(boxes[:, :2] + boxes[:, 2:], 0, (width, height)) - low), 1).astype(boxes.dtype)


def overlaps(boxes: np.ndarray) -> np.ndarray:
    """[K, 4] of x, y, w, h → IoU [K, K]."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    common = (np.minimum(high[:, None], high) - np.maximum(low[:, None], low)).clip(0).prod(-1)
    area = boxes[:, 2:].prod(-1)
    every = area[:, None] + area - common
    return np.divide(common, every, out=np.zeros_like(common), where=every > 0)


def kept(boxes: np.ndarray, labels: np.ndarray, own: np.ndarray, same: float = SAME_LABEL, cross: float = CROSS_LABEL) -> list[int]:
    """Of boxes [K, 4], best first, with their labels [K], those that stay. own [labels]: which of the model's own labels each label
    is, -1 for none."""
    mine = own[labels]
    apart = (mine[:, None] >= 0) & (mine >= 0) & (mine[:, None] != mine)
    limit = np.where(labels[:, None] == labels, same, np.where(apart, cross, 1.0))
    hides = (limit < 1) & (overlaps(boxes) > limit)
    out: list[int] = []
    for i in range(len(boxes)):
        if not hides[i, out].any():
            out.append(i)
    return out
