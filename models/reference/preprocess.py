# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a picture to the network's input: scaled with an antialiased triangle filter, then normalised.

`stretch`: over all of the input. `letterbox`: as large as its aspect lets it be, from the top left, a border beside and below it. Sizes are
made of whole numbers, halves rounded up, as the engine makes them (core/model/letterbox.c).
"""

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
    """The ordinary input size whose aspect ratio (or what it is for) is nearest, the first of equals; of the others only where `large` asks for them, and the image
    is wide as they are."""
    ratio = np.log(width / height)
    ordinary = ordinary_sizes(config)
    among = [s for s in config.sizes if s not in ordinary] if large and width > height else []
    best = min(among or ordinary, key=lambda s: abs(np.log(config.aspect(s)) - ratio))
    return best[0], best[1]


def scaled(a: int, b: int, c: int) -> int:
    """a · b / c to the nearest whole number, halves up; at least 1."""
    return max((2 * a * b + c) // (2 * c), 1)


def by_short_side(config: Input, width: int, height: int) -> tuple[int, int]:
    """The short side as the config has it, unless the long one were beyond its bound then."""
    least, most = min(width, height), max(width, height)
    if most * config.short > config.long * least:
        small, large = scaled(least, config.long, most), config.long
    else:
        small, large = config.short, scaled(most, config.short, least)
    return (small, large) if width < height else (large, small)


def input_size(config: Input, width: int, height: int, large: bool = False) -> tuple[int, int]:
    """Of the network's input for an image of that size."""
    if not config.short:
        return nearest_size(config, width, height, large)
    across, down = (-(-n // config.multiple) * config.multiple for n in by_short_side(config, width, height))
    return across, down


def picture_size(config: Input, image: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of an image's picture in an input of that size."""
    (w, h), (width, height) = image, size
    if config.resize == "stretch":
        return size
    if config.short and input_size(config, w, h) == size:
        return by_short_side(config, w, h)
    if width * h <= height * w:  # an input of another size: as large as it fits
        return width, min(scaled(h, width, w), height)
    return min(scaled(w, height, h), width), height


def place(pixels: np.ndarray, size: tuple[int, int], config: Input) -> Tensor:
    """[H, W, 3] uint8 → the network's input [1, 3, height, width], normalised."""
    width, height = size
    across, down = picture_size(config, (pixels.shape[1], pixels.shape[0]), size)
    picture = normalise(stretch(pixels, across, down), config)
    if (across, down) == size:
        return picture
    border = [0.0] * 3 if config.pad is None else [(p - m) / s for p, m, s in zip(config.pad, config.mean, config.std)]
    out = torch.tensor(border).expand(1, height, width, 3).clone().permute(0, 3, 1, 2)
    out[:, :, :down, :across] = picture
    return out


def border_colour(config: Input) -> tuple[int, int, int] | None:
    """Of a letterboxed input's border, 0..255 (as near as that comes); None where pictures are stretched."""
    if config.resize == "stretch":
        return None
    r, g, b = (round(255 * v) for v in (config.mean if config.pad is None else config.pad))
    return r, g, b


def shares(config: Input, image: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """The picture's part of the input's width and height: what a box of the input is divided by to be one of the image."""
    across, down = picture_size(config, image, size)
    return across / size[0], down / size[1]


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
