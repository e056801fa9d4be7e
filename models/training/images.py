# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decoded training images: decoded once into one flat uint8 file that stays in the page cache, read back as views."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image


def decode(data: Path, names: list[str], cache: Path) -> None:
    """Writes `cache`.bin (RGB rows, image after image) and `cache`.json (name → offset, height, width)."""
    table: dict[str, list[int]] = {}
    offset = 0
    cache.parent.mkdir(parents=True, exist_ok=True)
    with open(cache.with_suffix(".bin"), "wb") as file:
        for name in names:
            pixels = np.asarray(Image.open(data / name).convert("RGB"))
            table[name] = [offset, pixels.shape[0], pixels.shape[1]]
            file.write(pixels.tobytes())
            offset += pixels.nbytes
    cache.with_suffix(".json").write_text(json.dumps(table), encoding="utf-8")


class ImageStore:
    """`store[name]` is a [H, W, 3] uint8 view."""

    def __init__(self, data: Path, names: list[str], cache: Path) -> None:
        if not cache.with_suffix(".json").exists():
            decode(data, names, cache)
        self.table: dict[str, list[int]] = json.loads(cache.with_suffix(".json").read_text(encoding="utf-8"))
        missing = [n for n in names if n not in self.table]
        if missing:
            raise ValueError(f"{cache} lacks {len(missing)} images, such as {missing[0]}: delete it")
        self.pixels = np.memmap(cache.with_suffix(".bin"), np.uint8, "r")

    def __getitem__(self, name: str) -> np.ndarray:
        offset, h, w = self.table[name]
        return self.pixels[offset : offset + h * w * 3].reshape(h, w, 3)
