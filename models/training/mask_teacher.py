# SPDX-License-Identifier: LGPL-2.1-or-later
"""Masks for boxes that have none, by a public network that cuts out what a box holds: MobileSAM (2306.14289, Apache-2.0).

    python -m models.training.mask_teacher --data DIR --out .cache/teacher_masks.jsonl

A line of the file is an image: `{"name", "size": [height, width], "objects": [[index, counts, score], …]}`, `index` being the box's
place in the image's record, `counts` the runs of its mask, column by column (as the data has them), and `score` what the
teacher thinks its overlap with the truth is. A run that is repeated goes on behind the images that the file has.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from .dataset import POSITIVE, Record, bitmap
from .setup import package_file, records

SIDE = 768  # of the square that an image is seen in; 1024 takes twice as long for a hundredth of overlap
STRIDE = 16  # of the teacher's map
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
OBJECTS = 24  # of an image, the largest ones
SMALLEST = 12.0  # pixels of a box's shorter side, below which its mask is not worth learning
SURE = 0.8  # a score from which a mask is learnt,
BEYOND, INSIDE, SPANS = 0.05, 0.95, 0.85  # if so much of it lies in the box and so much around it, and it spans so much of each side
# How often an image of a source is taken: photographs and cameras as they are met later.
SOURCES = {
    "voc": 1.0, "people": 0.8, "roads": 0.5, "kisa_cctv": 0.8, "clinic_cctv": 0.6, "manaus": 0.5, "openimages": 0.5, "flickr8k": 0.5,
}  # fmt: skip


class Teacher:
    """MobileSAM asked by boxes. Its encoder was made for squares; a picture's empty part is left out here, with the same positions."""

    def __init__(self) -> None:
        from ISAT.segment_any.mobile_sam.build_sam import sam_model_registry

        path = package_file("ISAT", "checkpoints", "mobile_sam.pt")
        sam = sam_model_registry["vit_t"](checkpoint=str(path)).eval().requires_grad_(False)
        self.encoder, self.prompts, self.decoder = sam.image_encoder, sam.prompt_encoder, sam.mask_decoder
        self.encoder.to(memory_format=torch.channels_last)
        self.strides = {m: 1024 // m.input_resolution[0] for m in self.encoder.modules() if hasattr(m, "input_resolution")}
        self.prompts.input_image_size = (SIDE, SIDE)
        self.prompts.image_embedding_size = (SIDE // STRIDE, SIDE // STRIDE)
        self.places: Tensor = self.prompts.get_dense_pe()

    def encode(self, x: Tensor) -> Tensor:
        """[1, 3, H, W] → [1, 256, H/16, W/16]."""
        height, width = x.shape[2:]
        for module, stride in self.strides.items():
            module.input_resolution = (height // stride, width // stride)
        layers: list[nn.Module] = list(self.encoder.layers)
        with torch.autocast("cpu", torch.bfloat16):
            y = self.encoder.patch_embed(x)
            for layer in layers:
                y = layer(y)
            y = y.view(1, height // STRIDE, width // STRIDE, -1).permute(0, 3, 1, 2)
            return self.encoder.neck(y).float()

    @torch.no_grad()
    def __call__(self, pixels: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """An image [h, w, 3] and boxes [K, 4] in its pixels → masks [K, h, w] bool, scores [K]."""
        h, w = pixels.shape[:2]
        scale = SIDE / max(h, w)
        nh, nw = round(h * scale), round(w * scale)
        image = np.asarray(Image.fromarray(pixels).resize((nw, nh), Image.Resampling.BILINEAR), np.float32)
        x = torch.zeros(1, 3, -(-nh // 32) * 32, -(-nw // 32) * 32)
        x[0, :, :nh, :nw] = torch.from_numpy((image - np.array(MEAN, np.float32)) / np.array(STD, np.float32)).permute(2, 0, 1)
        features = self.encode(x.contiguous(memory_format=torch.channels_last))
        fh, fw = features.shape[2:]
        asked = torch.from_numpy(boxes).float() * torch.tensor([nw / w, nh / h] * 2)
        sparse, dense = self.prompts(points=None, boxes=asked[:, None], masks=None)
        low, score = self.decoder(
            image_embeddings=features, image_pe=self.places[:, :, :fh, :fw], sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense[:, :, :fh, :fw], multimask_output=False,
        )[:2]  # fmt: skip
        logits = F.interpolate(low, scale_factor=4.0, mode="bilinear", align_corners=False)[:, :, :nh, :nw]
        logits = F.interpolate(logits, (h, w), mode="bilinear", align_corners=False)[:, 0]
        return (logits > 0).numpy(), score[:, 0].numpy()


def runs(mask: np.ndarray) -> list[int]:
    """[H, W] bool → lengths of runs, column by column, the first of what is not in the mask."""
    flat = mask.T.reshape(-1)
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate(([0], ends, [len(flat)]))).tolist()
    return [0, *lengths] if flat[0] else lengths


def given(box: np.ndarray, counts: list[int], size: list[int]) -> bool:
    """Whether a mask lies where its box says: what was cut out is not the ground behind the object, nor a part of it."""
    height, width = size
    mask = bitmap({"counts": counts, "size": size}, width, height) > 0
    x0, y0, x1, y1 = box
    spare_x, spare_y = max(1.0, BEYOND * (x1 - x0)), max(1.0, BEYOND * (y1 - y0))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    area = int(mask.sum())
    if area == 0:
        return False
    left, top = max(0, math.floor(x0 - spare_x)), max(0, math.floor(y0 - spare_y))
    inside = int(mask[top : math.ceil(y1 + spare_y), left : math.ceil(x1 + spare_x)].sum())
    spans = (columns[-1] + 1 - columns[0]) / (x1 - x0), (rows[-1] + 1 - rows[0]) / (y1 - y0)
    return inside >= INSIDE * area and min(spans) >= SPANS


def teach(rows: list[Record], paths: list[Path], sure: float = SURE) -> int:
    """Puts the masks of files into records where they have none → how many."""
    by_name = {r.name: r for r in rows}
    count = 0
    for line in (x for p in paths for x in p.read_text(encoding="utf-8").splitlines()):
        image = json.loads(line)
        record = by_name.get(image["name"])
        if record is None:
            continue
        for i, counts, score in image["objects"]:
            if score >= sure and record.masks[i] is None and given(record.boxes[i], counts, image["size"]):
                record.masks[i] = {"counts": counts, "size": image["size"]}
                count += 1
    return count


def asked_for(record: Record) -> list[int]:
    """Boxes without a mask that are surely there: what is annotated, or what all teachers of boxes agree on."""
    sides = (record.boxes[:, 2:] - record.boxes[:, :2]).min(-1, initial=1e9)
    fit = [
        i for i, (m, kind, weight) in enumerate(zip(record.masks, record.kinds, record.weights))
        if m is None and kind == POSITIVE and weight >= 0.9 and sides[i] >= SMALLEST
    ]  # fmt: skip
    return sorted(fit, key=lambda i: -float(np.prod(record.boxes[i, 2:] - record.boxes[i, :2])))[:OBJECTS]


def order(rows: list[Record], seed: int) -> list[Record]:
    """Drawn without putting back, by source: whenever a run is stopped, what there is has the same shares."""
    rng = random.Random(seed)
    keyed = [(rng.expovariate(SOURCES[r.source]), r) for r in rows if r.source in SOURCES and asked_for(r)]
    return [r for _, r in sorted(keyed, key=lambda k: k[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="file of lines, gone on with when it is there")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--shard", type=int, nargs=2, default=(0, 1), metavar=("K", "OF"), help="every OFth image, from the Kth on")
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    torch.set_num_threads(1)
    teacher = Teacher()
    rows = order(records(o.data, "train"), o.seed)[: o.images][o.shard[0] :: o.shard[1]]
    done = {json.loads(x)["name"] for x in o.out.read_text(encoding="utf-8").splitlines()} if o.out.exists() else set()
    shown = time.time()
    with open(o.out, "a", encoding="utf-8") as file:
        for k, record in enumerate(rows):
            if record.name in done:
                continue
            which = asked_for(record)
            masks, scores = teacher(np.asarray(Image.open(o.data / record.name).convert("RGB")), record.boxes[which])
            objects = [[i, runs(m), round(float(s), 3)] for i, m, s in zip(which, masks, scores)]
            file.write(json.dumps({"name": record.name, "size": list(masks.shape[1:]), "objects": objects}) + "\n")
            file.flush()
            if time.time() - shown > 60:
                print(f"{k + 1} of {len(rows)} images", flush=True)
                shown = time.time()


if __name__ == "__main__":
    main()
