# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a picture to the network's input: stretched with an antialiased triangle filter, then normalised."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .config import Input


def ordinary_sizes(config: Input) -> list[list[int]]:
    """Without those of more than 1.5 times the first one's pixels, which are for what is far off."""
    return [s for s in config.sizes if 2 * s[0] * s[1] <= 3 * config.sizes[0][0] * config.sizes[0][1]]


def nearest_size(config: Input, width: int, height: int, large: bool = False) -> tuple[int, int]:
    """The ordinary input size whose aspect ratio is nearest, the first of equals; of the others only where `large` asks for them, and the image
    is wide as they are."""
    ratio = np.log(width / height)
    ordinary = ordinary_sizes(config)
    among = [s for s in config.sizes if s not in ordinary] if large and width > height else []
    best = min(among or ordinary, key=lambda s: abs(np.log(s[0] / s[1]) - ratio))
    return best[0], best[1]


def stretch(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """[H, W, 3] uint8 → [height, width, 3] uint8, Pillow's BILINEAR (triangle filter, support scaled with the reduction)."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def normalise(pixels: np.ndarray, config: Input) -> Tensor:
    """[H, W, 3] or [B, H, W, 3] uint8 → [B, 3, H, W] in channels-last memory."""
    x = torch.from_numpy(np.array(pixels)).float() / 255
    x = (x - torch.tensor(config.mean)) / torch.tensor(config.std)
    if x.dim() == 3:
        x = x[None]
    return x.permute(0, 3, 1, 2)
