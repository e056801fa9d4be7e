# SPDX-License-Identifier: LGPL-2.1-or-later
"""Detections of a model on golden.py's pictures: the objects that C must find, with the same labels and boxes.

    python -m models.reference.golden_detections --model models/nano --out tests/golden/nano-detections.json

{"images": [{"width", "height", "objects": [{"token", "label", "score", "box": [cx, cy, w, h]}]}]}: of each picture the best COUNT regions with
their best label of the model's own list; token is the region's anchor (index into the memory), which names it whatever the order.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from .golden import picture, sizes
from .model import UniPerceiver, load
from .preprocess import normalise
from .tokenizer import WordPiece

COUNT = 20


@torch.no_grad()
def detections(model: UniPerceiver, width: int, height: int, classes: torch.Tensor) -> dict[str, Any]:
    r = model.regions(normalise(picture(width, height), model.config.input))
    logits = model.label_logits(r, model.image(r)[1], classes)[0]  # [N, C]
    score, label = logits.max(1)
    objects = []
    for n in score.argsort(descending=True)[:COUNT].tolist():
        objects.append(
            {
                "token": int(r.index[0, n]),
                "label": model.config.labels[int(label[n])],
                "score": round(float(score[n].sigmoid()), 6),
                "box": [round(v, 6) for v in r.boxes[-1][0, n].tolist()],
            }
        )
    return {"width": width, "height": height, "objects": objects}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    o = parser.parse_args()
    model, tokenizer = load(o.model), WordPiece(o.model / "vocab.txt")
    rows = []
    for label in model.config.labels:
        ids = torch.tensor([tokenizer.encode(label)])
        rows.append(model.encode_text(ids, torch.tensor([ids.shape[1]]))[0])
    images = [detections(model, w, h, torch.stack(rows)) for w, h in sizes(model)]
    o.out.parent.mkdir(parents=True, exist_ok=True)
    o.out.write_text(json.dumps({"images": images}, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
