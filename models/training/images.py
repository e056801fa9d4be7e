# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decoded training images: decoded once into one flat uint8 file that stays in the page cache, read back as views."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import numpy as np
from PIL import Image


def decode(data: Path, names: list[str], cache: Path) -> None:
    """Adds to `cache`.bin (RGB rows, image after image) and `cache`.json (name → offset, height, width) what they lack of `names`. One
    process at a time; a stop between two files leaves those that were there."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with open(cache.with_suffix(".bin"), "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        table = read_table(cache)
        offset = max((start + h * w * 3 for start, h, w in table.values()), default=0)
        file.truncate(offset)
        for name in names:
            if name not in table:
                pixels = np.asarray(Image.open(data / name).convert("RGB"))
                table[name] = [offset, pixels.shape[0], pixels.shape[1]]
                file.write(pixels.tobytes())
                offset += pixels.nbytes
        file.flush()
        whole = cache.with_suffix(".json.new")
        whole.write_text(json.dumps(table), encoding="utf-8")
        whole.replace(cache.with_suffix(".json"))


def read_table(cache: Path) -> dict[str, list[int]]:
    path = cache.with_suffix(".json")
    table: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return table


class ImageStore:
    """`store[name]` is a [H, W, 3] uint8 view."""

    def __init__(self, data: Path, names: list[str], cache: Path) -> None:
        self.table = read_table(cache)
        if any(n not in self.table for n in names):
            decode(data, names, cache)
            self.table = read_table(cache)
        self.pixels = np.memmap(cache.with_suffix(".bin"), np.uint8, "r")

    def __getitem__(self, name: str) -> np.ndarray:
        offset, h, w = self.table[name]
        return self.pixels[offset : offset + h * w * 3].reshape(h, w, 3)
