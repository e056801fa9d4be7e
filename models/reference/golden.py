# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden values: every part of the network on two synthetic images, for the C engine to be held against.

    python -m models.reference.golden --model models/nano --out tests/golden/nano.json [--full /tmp/golden.safetensors]

The JSON holds samples of each tensor (format below); `--full` writes the tensors whole. A part's samples are those of the network
run end to end from the image, so that C may check a part on its own input (`--full`) or the chain.

Image (uint8 RGB, W × H, formula in integers): with c = 0, 1, 2
    v = (x·(3 + c) + y·(5 - c)) mod 256                                      a gradient
    if ((x - W/3)² + (y - H/2)² < (H/4)²)            v = 200 - 60·c           a disc
    if (2W/3 ≤ x < 2W/3 + W/6 and H/4 ≤ y < 3H/4)     v = 30 + 80·c            a bar
    v = (v + ((x·7919 + y·104729 + c·1299709) mod 31)) mod 256               noise
all divisions of the sizes rounding down.

{"format": 1, "model": name, "images": [{"width", "height", "parts": [part...], "caption_ids": [...], "caption": text,
                                         "grounded": [candidate...]}],
 "texts": [{"text", "ids", "parts": [...]}], "labels": [...]}
part: {"name", "shape", "norm": L2 over all, "stride", "values": [float32...]}; values are elements 0, stride, 2·stride ... of the
row-major tensor, stride = max(1, ceil(elements / 256)). Index tensors have "integer": true.
candidate, best first, where the config has `caption.grounding`: {"ids", "text", "likelihood", "support", "cosine" (null: not
 encoded), "score", "words": [{"start", "end" (tokens), "regions": [{"query", "label", "score"}...]}]}.
An image also has "classes": [p...], how probably it is the one of TEXTS that the image shows, and of a calibrated model
"independent": {"image": [p...], "regions": [[p...]...]}: how probably each is true of the image, and of its REGIONS likeliest
regions, the best first.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .calibration import Numbers, probability
from .captions import Caption, GroundedCaptioner, Ranking, combine, label_scores, label_vectors
from .classification import class_logits, nearness
from .grounding import Grounding
from .looks import looks
from .model import UniPerceiver, load
from .preprocess import normalise
from .tokenizer import WordPiece

OTHER_SIZE = (320, 448)  # of the second picture; the first has the model's first
MARGIN = 2e-5  # of a drawn word: rounding, which differs by machine, must not make another of it
TEXTS = ("person", "car", "traffic light", "a man riding a red bicycle", "potted plant", "Crêpe-eating tourist!")
SAMPLES = 256
REGIONS = 10


def sizes(model: UniPerceiver) -> list[tuple[int, int]]:
    """Width and height of each generated picture."""
    width, height = model.config.input.sizes[0]
    return [(width, height), OTHER_SIZE]


def picture(width: int, height: int) -> np.ndarray:
    """The generated image [H, W, 3] uint8."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    out = np.empty((height, width, 3), np.uint8)
    disc = (x - width // 3) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2
    left = 2 * width // 3
    bar = (x >= left) & (x < left + width // 6) & (y >= height // 4) & (y < 3 * height // 4)
    for c in range(3):
        v = (x * (3 + c) + y * (5 - c)) % 256
        v = np.where(disc, 200 - 60 * c, v)
        v = np.where(bar, 30 + 80 * c, v)
        out[..., c] = (v + (x * 7919 + y * 104729 + c * 1299709) % 31) % 256
    return out


@torch.no_grad()
def image_parts(
    model: UniPerceiver, width: int, height: int, classes: Tensor, known: Tensor | None = None
) -> tuple[dict[str, Tensor], Any]:
    """Every tensor of the image side, batch axis dropped, and the cache."""
    config = model.config
    x = normalise(picture(width, height), config.input)
    r = model.regions(x)
    sequence = model.image_sequence(r.last_map, r.semantics[-1], r.boxes[-1], r.pooled, r.speaks[-1] if r.speaks else None)
    out, cache = model.decoder(sequence, "image")
    n, pools, cells = r.index.shape[1], config.pools, r.last_map.shape[2] * r.last_map.shape[3]
    parts = {"input": x}
    parts.update({f"C{2 + i}": m for i, m in enumerate(r.maps)})
    parts.update({f"F_{1 + i}": m for i, m in enumerate(r.projected)})
    parts.update({"memory": r.memory, "scores": r.scores, "index": r.index, "content": r.content, "box_0": r.box_0})
    for i, (q, b) in enumerate(zip(r.semantics, r.boxes)):
        parts[f"q_sem_{1 + i}"], parts[f"q_box_{1 + i}"] = q, b
    parts.update(
        {
            "foreground": r.foreground,
            "mask_features": r.mask_features,
            "mask_embed": r.mask_embed,
            "pooled_masks": r.pooled,
            "looks": looks(r.maps[0], r.boxes[-1]),
            "pools": sequence[:, 1 : 1 + pools],
            "g_flat": sequence[:, 1 + pools : 1 + pools + cells],
            "q_proposal": sequence[:, -n:],
            "decoded": out,
            "image_spe": out[:, 0],
        }
    )
    for i, (k, v) in enumerate(cache):  # [M, T, D/M]
        parts[f"key_{i}"], parts[f"value_{i}"] = k, v
    if config.global_backbone is not None:
        parts["global_map"] = r.last_map
    if r.speaks:
        parts["evidence"] = r.speaks[-1]
    if r.pool_embed is not None:
        parts["pool_embed"] = r.pool_embed
    parts["detection_logits"] = model.label_logits(r, out[:, -n:], classes, known)
    return {k: v[0] for k, v in parts.items()}, cache


def part(name: str, value: Tensor) -> dict[str, Any]:
    flat = value.detach().contiguous().flatten()
    stride = max(1, math.ceil(len(flat) / SAMPLES))
    row: dict[str, Any] = {"name": name, "shape": list(value.shape), "norm": float(flat.double().norm()), "stride": stride}
    if value.is_floating_point():
        row["values"] = [float(f"{v:.7g}") for v in flat[::stride].tolist()]
    else:
        row["integer"] = True
        row["values"] = flat[::stride].tolist()
    return row


def candidate(caption: Caption, tokenizer: WordPiece) -> dict[str, Any]:
    def short(value: float) -> float:
        return float(f"{value:.7g}")

    words = [
        {"start": w.start, "end": w.end, "regions": [
            {"query": q, "label": c, "score": short(s)} for q, c, s in zip(w.regions, w.labels, w.scores)
        ]}
        for w in caption.words
    ]  # fmt: skip
    return {
        "ids": caption.ids,
        "text": tokenizer.decode(caption.ids),
        "likelihood": short(caption.likelihood),
        "support": short(caption.support),
        "cosine": None if caption.cosine is None else short(caption.cosine),
        "score": short(caption.score),
        "words": words,
    }


def grounded(model: UniPerceiver, tokenizer: WordPiece, width: int, height: int) -> list[dict[str, Any]]:
    """Grounded captions of the generated image; none where the config has no table, or a word is drawn so near another that the
    engine may well take that one."""
    config = model.config
    table = config.raw["caption"].get("grounding")
    if table is None:
        return []
    with torch.no_grad():
        seen = model.regions(normalise(picture(width, height), config.input))
        spe, decoded, cache = model.image(seen)
        scores = label_scores(model, seen, decoded, label_vectors(model, tokenizer))
    captioner = GroundedCaptioner(model, Grounding(table, config.labels, tokenizer), Ranking.of(config))
    captions = captioner(spe[0], scores, cache)
    if min(c.margin for c in captions) < MARGIN:
        return []
    return [candidate(c, tokenizer) for c in captions]


def judged(model: UniPerceiver, parts: dict[str, Tensor], texts: Tensor, known: Tensor) -> dict[str, Any]:
    """What classification says of an image and TEXTS."""
    weight = model.config.tasks["detection"]["foreground_weight"]
    scores = combine(parts["detection_logits"], parts["foreground"], weight)
    near = nearness(model, texts, known)

    def short(values: Tensor) -> list[float]:
        return [float(f"{p:.7g}") for p in values]

    def of(name: str, x: Tensor, score: Tensor) -> Tensor:
        z = getattr(model.calibration, name).standardised(x, texts)
        return probability(z, score, near, Numbers.read(model.config.raw["calibration"][name]))

    task = model.config.tasks["classification"]
    out: dict[str, Any] = {"classes": short(class_logits(task, parts["image_spe"], texts, scores.amax(0), near).softmax(0))}
    if "calibration" in model.config.raw:
        regions = of("regions", parts["decoded"][-len(parts["index"]) :], scores).sort(0, descending=True)[0][:REGIONS].T
        image = of("image", parts["image_spe"][None], scores.amax(0))[0]
        out["independent"] = {"image": short(image), "regions": [short(row) for row in regions]}
    return out


@torch.no_grad()
def golden(model: UniPerceiver, tokenizer: WordPiece) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """→ the JSON and all tensors whole, named `WxH/part` or `text I/part`."""
    whole: dict[str, Tensor] = {}
    texts, spe = [], []
    for i, text in enumerate(TEXTS):
        ids = torch.tensor([tokenizer.encode(text)])
        features = model.text(ids)
        spe.append(model.encoded_text(features, torch.tensor([ids.shape[1]]))[0])
        cosines = model.causal(ids)[0]
        parts = {"text_encoder": features[0], "text_spe": spe[-1], "language_cosines": cosines}
        whole.update({f"text {i}/{k}": v for k, v in parts.items()})
        texts.append({"text": text, "ids": ids[0].tolist(), "parts": [part(k, v) for k, v in parts.items()]})
    classes = torch.stack(spe)
    known = torch.empty(0)
    if model.config.has_evidence:
        known = torch.cat([model.encode_text(torch.tensor([i]), torch.tensor([len(i)])) for i in map(tokenizer.encode, model.config.labels)])
    images = []
    for width, height in sizes(model):
        parts, cache = image_parts(model, width, height, classes, known)
        ids = model.greedy(cache, tokenizer.cls, tokenizer.sep, model.config.max_tokens)[0]
        teacher = torch.tensor([[tokenizer.cls, *ids]])
        parts["caption_cosines"] = model.causal(teacher, cache)[0]
        parts["retrieval"] = F.normalize(parts["image_spe"], dim=-1) @ F.normalize(classes, dim=-1).T
        whole.update({f"{width}x{height}/{k}": v for k, v in parts.items()})
        images.append(
            {
                "width": width,
                "height": height,
                "parts": [part(k, v) for k, v in parts.items()],
                "caption_ids": ids,
                "caption": tokenizer.decode(ids),
                "grounded": grounded(model, tokenizer, width, height),
            }
        )
        images[-1].update(judged(model, parts, classes, known))
    if not any(i["grounded"] for i in images) and "grounding" in model.config.raw["caption"]:
        raise ValueError("in every picture a word of the grounded captions is drawn too near another: take another OTHER_SIZE")
    return {"format": 1, "model": model.config.name, "images": images, "texts": texts}, whole


def write(directory: Path, out: Path, full: Path | None = None) -> None:
    model, tokenizer = load(directory), WordPiece(directory / "vocab.txt")
    rows, whole = golden(model, tokenizer)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    if full is not None:
        from safetensors.torch import save_file

        save_file({k: v.contiguous().clone() for k, v in whole.items()}, full)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--full", type=Path)
    o = parser.parse_args()
    write(o.model, o.out, o.full)


if __name__ == "__main__":
    main()
