# SPDX-License-Identifier: LGPL-2.1-or-later
"""What captions from memory score: the consensus of the nearest training images (Devlin et al., 1505.04467).

    python -m models.training.baseline --data DIR [--part val] [--own-backbone]

An image's neighbours are the captioned training images whose ImageNet features (EfficientNet-Lite0's last map, averaged) have the
highest cosine; of all their captions the one that is most like the others (CIDEr-D) is said. The bar for the captions of a model.
With `--own-backbone` the features are the model's, which says what its training left of ImageNet in the map that captions read.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference.config import Config
from models.reference.model import load
from models.reference.preprocess import normalise, stretch

from .cider import CiderD, plain
from .dataset import Record
from .distillation import ImageNet
from .evaluate import corpus_scores
from .setup import efficientnet_state, records


@torch.no_grad()
def features(backbone: nn.Module, rows: list[Record], data: Path, config: Config) -> Tensor:
    """[images, 320], normalised; every image at 224×224."""
    out = []
    for i in range(0, len(rows), 16):
        part = rows[i : i + 16]
        pixels = np.stack([stretch(np.asarray(Image.open(data / r.name).convert("RGB")), 224, 224) for r in part])
        out.append(backbone(normalise(pixels, config.input))[-1].mean((2, 3)))
    return F.normalize(torch.cat(out), dim=-1)


def consensus(captions: list[str], cider: CiderD) -> str:
    """The caption of highest mean CIDEr-D against the others."""
    scores = [cider.score(c, captions[:i] + captions[i + 1 :]) for i, c in enumerate(captions)]
    return captions[int(np.argmax(scores))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/nano"), help="directory of config.json")
    parser.add_argument("--part", default="val", choices=("val", "dev"))
    parser.add_argument("--neighbours", type=int, default=15)
    parser.add_argument("--own-backbone", action="store_true", help="the model's backbone in place of ImageNet's")
    o = parser.parse_args()
    config = Config.load(o.model)
    backbone: nn.Module = load(o.model).backbone if o.own_backbone else ImageNet(efficientnet_state()).backbone
    backbone = backbone.to(memory_format=torch.channels_last).eval()
    known = [r for r in records(o.data, "train") if r.captions]
    asked = [r for r in records(o.data, o.part) if r.captions]
    near = (features(backbone, asked, o.data, config) @ features(backbone, known, o.data, config).T).topk(o.neighbours, dim=1)[1]
    cider = CiderD([[plain(c) for c in r.captions] for r in known])
    said = {
        r.id: [consensus([plain(c) for i in row for c in known[i].captions], cider)] for r, row in zip(asked, near.tolist())
    }
    truth = {r.id: [plain(c) for c in r.captions] for r in asked}
    print(json.dumps({"images": len(asked), "neighbours": o.neighbours, **corpus_scores(truth, said)}, indent=1))


if __name__ == "__main__":
    main()
