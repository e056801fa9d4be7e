# SPDX-License-Identifier: LGPL-2.1-or-later
"""Independent sentences: whether one is true of an image or a region, without others to compare it with (NETWORK.md,
"calibration")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Sighting:
    """What it says of one of the model's own labels that a region scores this for it, in log-odds."""

    weight: float
    offset: float
    floor: float

    def __call__(self, score: Tensor) -> Tensor:
        return self.offset + self.weight * (score + self.floor).log()


@dataclass(frozen=True)
class Numbers:
    """`calibration.image` or `calibration.regions` of a config."""

    scale: float
    offset: float
    seen: Sighting | None = None

    @staticmethod
    def read(raw: dict[str, Any]) -> Numbers:
        return Numbers(raw["scale"], raw["offset"], Sighting(**raw["seen"]) if "seen" in raw else None)


def probability(z: Tensor, score: Tensor, part: Tensor, numbers: Numbers) -> Tensor:
    """z, score (the best region's for the sentence) and part (how near it is to one of the model's own labels) of any shapes that
    broadcast. Sentences that none of the labels is near are judged by z alone."""
    alone = numbers.scale * z + numbers.offset
    if numbers.seen is None:
        return alone.sigmoid()
    return ((1 - part) * alone + part * numbers.seen(score)).sigmoid()
