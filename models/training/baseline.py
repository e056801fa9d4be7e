"""What captions from memory score: the consensus of the nearest training images (Devlin et al., 1505.04467).

    python -m models.training.baseline --data DIR [--part val]

An image's neighbours are the captioned training images whose ImageNet features (EfficientNet-Lite0's last map, averaged) have the
highest cosine; of all their captions the one that is most like the others (CIDEr-D) is said. The bar for the captions of a model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.reference.backbone import EfficientNetLite0, load_efficientnet_lite0
from models.reference.config import Config
from models.reference.preprocess import normalise, stretch

from .cider import CiderD, plain
from .dataset import Record
from .evaluate import corpus_scores
from .setup import efficientnet_state, records


@torch.no_grad()
def features(rows: list[Record], data: Path, config: Config) -> Tensor:
    """[images, 320], normalised; every image at 224×224."""
    backbone = EfficientNetLite0().to(memory_format=torch.channels_last).eval()
    load_efficientnet_lite0(backbone, efficientnet_state())
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
    o = parser.parse_args()
    config = Config.load(o.model)
    known = [r for r in records(o.data, "train") if r.captions]
    asked = [r for r in records(o.data, o.part) if r.captions]
    near = (features(asked, o.data, config) @ features(known, o.data, config).T).topk(o.neighbours, dim=1)[1]
    cider = CiderD([[plain(c) for c in r.captions] for r in known])
    said = {
        r.id: [consensus([plain(c) for i in row for c in known[i].captions], cider)] for r, row in zip(asked, near.tolist())
    }
    truth = {r.id: [plain(c) for c in r.captions] for r in asked}
    print(json.dumps({"images": len(asked), "neighbours": o.neighbours, **corpus_scores(truth, said)}, indent=1))


if __name__ == "__main__":
    main()
