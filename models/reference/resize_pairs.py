# SPDX-License-Identifier: LGPL-2.1-or-later
"""Expected network inputs for the C conversion, from Pillow's BILINEAR reduction, written once and committed.

    python -m models.reference.resize_pairs tests/core/data/resize.json

Sources are numbers from a small generator that the C test repeats; expected values are 8-bit RGB in hexadecimal. YUV planes are scaled apart,
in float, an odd frame's chroma over half of its last sample, then the colour matrix.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from .config import Input
from .preprocess import place

RGB = [((37, 23), (32, 32)), ((100, 75), (32, 32)), ((16, 16), (32, 32)), ((17, 33), (64, 32)), ((301, 199), (32, 32)), ((1, 1), (32, 32)),
       ((64, 2), (32, 64))]
YUV = [((64, 48), (32, 32), False, (0.299, 0.114)), ((37, 23), (32, 32), True, (0.2126, 0.0722)), ((17, 33), (64, 32), False, (0.2126, 0.0722))]

LETTERBOX = [((37, 23), (32, 32)), ((23, 37), (64, 32)), ((100, 3), (32, 32)), ((64, 48), (64, 64))]
PADDED = Input(sizes=[], mean=[0.0] * 3, std=[1.0] * 3, resize="letterbox", pad=[0.2, 0.4, 0.6])


def numbers(count: int, seed: int) -> np.ndarray:
    """Smooth enough that clamping is rare, rough enough that a wrong tap shows: a random walk of a linear congruential generator."""
    state, value, out = seed, 128, np.zeros(count, np.uint8)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        value = min(max(value + (state >> 24) % 65 - 32, 0), 255)
        out[i] = value
    return out


def plane(values: np.ndarray, size: tuple[int, int], extent: tuple[float, float]) -> np.ndarray:
    image = Image.fromarray(values.astype(np.float32), "F")
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=(0, 0, *extent)), np.float64)


def yuv(size, out, full, weights, seed) -> np.ndarray:
    (w, h), (kr, kb) = size, weights
    hw, hh = (w + 1) // 2, (h + 1) // 2
    data = numbers(w * h + 2 * hw * hh, seed)
    y = plane(data[: w * h].reshape(h, w), out, (w, h))
    u = plane(data[w * h: w * h + hw * hh].reshape(hh, hw), out, (w / 2, h / 2)) - 128
    v = plane(data[w * h + hw * hh:].reshape(hh, hw), out, (w / 2, h / 2)) - 128
    if not full:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.rint(np.stack([r, g, b], -1)), 0, 255).astype(np.uint8)


def main() -> None:
    rows = []
    for i, (size, out) in enumerate(RGB):
        source = numbers(size[0] * size[1] * 3, i + 1).reshape(size[1], size[0], 3)
        scaled = np.asarray(Image.fromarray(source).resize(out, Image.Resampling.BILINEAR))
        rows.append({"kind": "rgb", "seed": i + 1, "source": size, "size": out, "rgb": scaled.tobytes().hex()})
    for i, (size, out, full, weights) in enumerate(YUV):
        rows.append({"kind": "yuv", "seed": 100 + i, "source": size, "size": out, "full": full, "kr": weights[0], "kb": weights[1],
                     "rgb": yuv(size, out, full, weights, 100 + i).tobytes().hex()})
    for i, (size, out) in enumerate(LETTERBOX):
        source = numbers(size[0] * size[1] * 3, 200 + i).reshape(size[1], size[0], 3)
        levels = (255 * place(source, out, PADDED)[0].permute(1, 2, 0)).round().byte().numpy()
        rows.append({"kind": "letterbox", "seed": 200 + i, "source": size, "size": out, "rgb": levels.tobytes().hex()})
    Path(sys.argv[1]).write_text("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
