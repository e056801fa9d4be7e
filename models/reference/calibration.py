# SPDX-License-Identifier: LGPL-2.1-or-later
"""Independent sentences: whether one is true of an image or a region, without others to compare it with (NETWORK.md,
"calibration")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Spread(nn.Module):
    """Mean and covariance of unit vectors: of images, or of regions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("covariance", torch.eye(width) / width)

    def standardised(self, x: Tensor, y: Tensor) -> Tensor:
        """Images or regions [N, D], sentences [S, D], of any norm → z [N, S] = (x·y − ē·y) / sqrt(yᵀ C y)."""
        x, y = F.normalize(x, dim=-1), F.normalize(y, dim=-1)
        deviation = ((y @ self.covariance) * y).sum(-1).clamp(min=1e-12).sqrt()
        return (x - self.mean) @ y.T / deviation


class Calibration(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.image, self.regions = Spread(width), Spread(width)


def probability(z: Tensor, scale: float, offset: float) -> Tensor:
    return (scale * z + offset).sigmoid()
