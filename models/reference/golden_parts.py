# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole tensors of every part of a tiny network, so that C can feed each part the reference's input and name the one that is wrong.

    build/tests/core/network/test-golden --write tiny tiny               # a model with random weights (tests/tiny-config.h)
    python -m models.reference.golden_parts --model tiny --size 64x64 --out tests/golden/tiny.safetensors

Names are golden.py's, behind no prefix: maps [C, H, W], tokens [T, C], the batch axis dropped; of the region decoder the last layer alone.
Texts are made-up token ids; `caption_ids` is what the caption's cosines were asked with (teacher forcing).
Of a calibrated network also `sentences` [S, D], SENTENCES made-up ones, and how probably each is true of the image,
`independent_image` [1, S], and of its regions, `independent_regions` [N, S]; with SCORES for a region's scores and PARTS for how
near they are to the model's labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .calibration import Numbers, probability
from .golden import image_parts
from .model import UniPerceiver, load

UNUSED = ("pooled_masks", "detection_logits")
SENTENCES = 5
SCORES, PARTS = torch.tensor([0.9, 0.05, 0.3, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.5, 1.0, 0.25])


def independent(model: UniPerceiver, image: Tensor, regions: Tensor) -> dict[str, Tensor]:
    ids = (torch.arange(6) * 37 + torch.arange(SENTENCES)[:, None] * 11 + 2) % model.config.text.vocabulary
    out = {"sentences": model.encode_text(ids, torch.full((SENTENCES,), ids.shape[1]))}
    for name, x in (("image", image), ("regions", regions)):
        numbers = Numbers.read(model.config.raw["calibration"][name])
        z = getattr(model.calibration, name).standardised(x, out["sentences"])
        out[f"independent_{name}"] = probability(z, SCORES, PARTS, numbers)
    return out


@torch.no_grad()
def parts(model: UniPerceiver, width: int, height: int) -> dict[str, Tensor]:
    config = model.config
    vocabulary = config.text.vocabulary
    ids = (torch.arange(7) * 37 + 2) % vocabulary
    features = model.text(ids[None])
    spe = model.encoded_text(features, torch.tensor([len(ids)]))
    known = spe.expand(len(config.labels), -1) if config.has_evidence else None  # class scores are not among the parts
    out, cache = image_parts(model, width, height, spe, known)
    last = config.region_layers
    for i in range(1, last):
        del out[f"q_sem_{i}"], out[f"q_box_{i}"]
    out["q_sem"], out["q_box"] = out.pop(f"q_sem_{last}"), out.pop(f"q_box_{last}")
    caption = (torch.arange(5) * 29 + 2) % vocabulary
    out["text_ids"], out["text_encoder"], out["text_spe"] = ids.int(), features[0], spe[0]
    out["caption_ids"], out["caption_cosines"] = caption.int(), model.causal(caption[None], cache)[0]
    if "calibration" in config.raw:
        out.update(independent(model, out["image_spe"][None], out["decoded"][-config.query.count :]))
    return {k: v for k, v in out.items() if k not in UNUSED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--size", required=True, help="WxH")
    parser.add_argument("--out", type=Path, required=True)
    o = parser.parse_args()
    width, height = map(int, o.size.split("x"))
    whole = parts(load(o.model), width, height)
    whole = {k: (v if v.is_floating_point() else v.int()).contiguous().clone() for k, v in whole.items()}
    o.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(whole, o.out)


if __name__ == "__main__":
    main()
