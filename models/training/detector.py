# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a free detector sees on the images that ours is judged on: PicoDet-S (models/reference/picodet.py), trained by others on COCO.

    python -m models.training.detector --data DIR --size 416x416 --size 320x320

Its classes are COCO's 80 in COCO's order, as the data's are; suppressed as the plugin does.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.importers.picodet import picodet
from models.reference.picodet import PicoDet

from .dataset import Record
from .evaluate import TOP, VOC, Output, average_precision, mean, suppressed
from .setup import categories, picodet_file, records

CANDIDATES = 1000  # of an image before duplicates are suppressed: every cell near an object answers for it
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(path: Path, width: int, height: int) -> Tensor:
    image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    x = (np.asarray(image, np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return torch.from_numpy(x).permute(2, 0, 1)[None]


def products(model: nn.Module, width: int, height: int) -> float:
    """Multiplications of its convolutions for a picture."""
    total = 0

    def count(module: nn.Module, _given: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal total
        total += out.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        model(torch.zeros(1, 3, height, width))
    for hook in hooks:
        hook.remove()
    return total


@torch.no_grad()
def look(model: PicoDet, data: Path, record: Record, width: int, height: int) -> Output:
    found = model(pixels(data / record.name, width, height))
    classes = found.scores.shape[2]
    score, pair = found.scores[0].flatten().topk(CANDIDATES)
    cell, label = torch.div(pair, classes, rounding_mode="floor"), pair % classes
    box = found.boxes[0, cell].numpy() * np.array([record.width / width, record.height / height] * 2, np.float32)
    box = box.clip(0, np.array([record.width, record.height] * 2, np.float32))
    box[:, 2:] -= box[:, :2]
    out = suppressed(Output(record, box, score.numpy(), label.numpy(), [], torch.zeros(0), ""), classes)
    return replace(out, boxes=out.boxes[:TOP], scores=out.scores[:TOP], labels=out.labels[:TOP])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val", choices=("val", "dev"))
    parser.add_argument("--size", action="append", help="WxH, multiples of 32; may be given again (default 416x416)")
    parser.add_argument("--model", type=Path, help="NAME.pdmodel, NAME.pdiparams beside it (default: that of PyPI's paddlelabel-ml)")
    o = parser.parse_args()
    torch.set_num_threads(1)
    model = PicoDet().eval()
    model.load_state_dict(picodet(o.model or picodet_file()))
    _, _, ids = categories(o.data)
    rows = records(o.data, o.part)
    for size in o.size or ["416x416"]:
        width, height = map(int, size.split("x"))
        table = average_precision([look(model, o.data, r, width, height) for r in rows], ids, "bbox")
        figures = {
            "AP": mean([v[0] for v in table.values()]), "AP50": mean([v[1] for v in table.values()]),
            "VOC AP50": mean([table[c][1] for c in VOC if c in table]), "person AP50": table[1][1], "car AP50": table[3][1],
        }  # fmt: skip
        print(f"{o.part} {size}, {products(model, width, height) / 1e9:.2f} GMAC: ", end="")
        print(", ".join(f"{k} {v:.1f}" for k, v in figures.items()), flush=True)


if __name__ == "__main__":
    main()
