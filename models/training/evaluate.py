# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures of a model directory: box and mask AP, captions, retrieval, classification, on val, dev, or any file of the same format.

    python -m models.training.evaluate --model models/nano --data DIR [--part val] [--limit N] [--greedy] [--out FILE.json]
                                       [--said CAPTIONS.json]

Captions are grounded (models/reference/captions.py), or greedy, of every image that has captions or annotates some class
wholly (chair.py).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor
from torch.nn import functional as F

from models.reference.captions import (
    GroundedCaptioner,
    Ranking,
    combine,
    label_scores,
    label_vectors,
)
from models.reference.classification import class_logits, nearness
from models.reference.general_decoder import Cache
from models.reference.grounding import Grounding
from models.reference.mask_head import mask_logits
from models.reference.model import UniPerceiver, load
from models.reference.preprocess import input_size, place, shares
from models.reference.suppression import SAME_LABEL as SUPPRESSION
from models.reference.suppression import CROSS_LABEL, cut, kept
from models.reference.tokenizer import WordPiece

from .card import record as write_figures
from .chair import load_grounding, truth
from .cider import plain
from .dataset import CROWD, POSITIVE, Record, bitmap
from .setup import categories, records
from .vocabulary import pad

VOC = [1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19, 20, 21, 44, 62, 63, 64, 67, 72]  # COCO ids of the 20 VOC classes
TOP = 100  # query-class pairs of an image


@dataclass
class Output:
    """What the network says of one image."""

    record: Record
    boxes: np.ndarray  # [K, 4] x, y, w, h in pixels
    scores: np.ndarray
    labels: np.ndarray
    masks: list[Any]  # compressed RLE
    spe: Tensor  # [D]
    caption: str
    best: Tensor | None = None  # of all regions, the score for each class [C], where classification is asked for


def rivalled(scores: Tensor, own: Tensor, rivalry: float) -> Tensor:
    """Scores [N, C] of all pairs: of the model's own labels (`own` [C]) a region has one, and those that lie behind its best fall further."""
    if rivalry == 0 or not own.any():
        return scores
    best = scores[:, own].amax(1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
    return torch.where(own, scores * (scores / best) ** rivalry, scores)


def suppressed(output: Output, classes: int, cross: float = 1.0) -> Output:
    """By the plugin's default within a class and, for what it shows, between classes (`cross`): average precision takes a region's
    second-best class too. Pairs are best first already; classes are the model's own labels."""
    rows = kept(output.boxes, output.labels, np.arange(classes), SUPPRESSION, cross)
    masks = [output.masks[i] for i in rows] if output.masks else []
    return replace(output, boxes=output.boxes[rows], scores=output.scores[rows], labels=output.labels[rows], masks=masks)


def class_vectors(model: UniPerceiver, tokenizer: WordPiece, names: list[str]) -> Tensor:
    return model.encode_text(*pad([tokenizer.encode(n) for n in names]))


def of_picture(logits: Tensor, across: float, down: float) -> Tensor:
    """Mask logits [K, h, w] of the picture alone, without the border; at the same resolution."""
    if across == 1 and down == 1:
        return logits
    h, w = logits.shape[1:]
    size = max(1, round(down * h)), max(1, round(across * w))
    y = (torch.arange(size[0]) + 0.5) * (2 * down / size[0]) - 1
    x = (torch.arange(size[1]) + 0.5) * (2 * across / size[1]) - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    return F.grid_sample(logits[None], grid[None], padding_mode="border", align_corners=False)[0]


def masks_of(logits: Tensor, boxes: np.ndarray, width: int, height: int) -> list[Any]:
    """Mask logits at stride 4 [K, h, w], boxes [K, 4] (x, y, w, h) in pixels → RLE at the image's size, cut to the box as the engine does."""
    big = F.interpolate(logits[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0] > 0
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    across = (x >= boxes[:, :1]) & (x < boxes[:, :1] + boxes[:, 2:3])
    down = (y >= boxes[:, 1:2]) & (y < boxes[:, 1:2] + boxes[:, 3:])
    inside = big.numpy() & down[:, :, None] & across[:, None, :]
    return [coco_mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in inside]


@torch.no_grad()
def run(
    model: UniPerceiver, tokenizer: WordPiece, data: Path, rows: list[Record], names: list[str], captions: bool,
    with_masks: bool = True, weight: float | None = None, large: bool = False, captioner: GroundedCaptioner | None = None,
) -> list[Output]:  # fmt: skip
    """`captioner`: of grounded captions; without it they are greedy."""
    classes = class_vectors(model, tokenizer, names)
    own = None if names == model.config.labels else label_vectors(model, tokenizer)
    known = torch.tensor([name in model.config.labels for name in names])
    task = model.config.tasks["detection"]
    weight = task["foreground_weight"] if weight is None else weight
    out = []
    for record in rows:
        pixels = np.asarray(Image.open(data / record.name).convert("RGB"))
        image = (record.width, record.height)
        size = input_size(model.config.input, *image, large)
        across, down = shares(model.config.input, image, size)
        r = model.regions(place(pixels, size, model.config.input).contiguous(memory_format=torch.channels_last))
        spe, decoded, cache = model.image(r)
        logits = model.label_logits(r, decoded, classes)[0]
        plain = combine(logits, r.foreground[0], weight)
        scores = rivalled(plain, known, task.get("rivalry", 0.0))
        score, pair = scores.flatten().topk(TOP)
        query, label = torch.div(pair, len(names), rounding_mode="floor"), pair % len(names)
        box = r.boxes[-1][0, query].numpy() * np.array([record.width / across, record.height / down] * 2, np.float32)
        box[:, :2] -= box[:, 2:] / 2
        box = cut(box, record.width, record.height)
        masks: list[Any] = []
        if with_masks and any(m is not None for m in record.masks):
            z = mask_logits(r.mask_embed[:, query], r.mask_features, r.boxes[-1][:, query])[0]
            masks = masks_of(of_picture(z, across, down), box, record.width, record.height)
        text = ""
        if captions and (record.captions or record.exhaustive):
            if captioner is None:
                text = caption(model, tokenizer, cache)
            else:
                scores = label_scores(model, r, decoded, classes if own is None else own)
                text = tokenizer.decode(captioner(spe[0], scores, cache)[0].ids)
        out.append(Output(record, box, score.numpy(), label.numpy(), masks, spe[0].clone(), text, plain.amax(0)))
    return out


def caption(model: UniPerceiver, tokenizer: WordPiece, cache: Cache) -> str:
    return tokenizer.decode(model.greedy(cache, tokenizer.cls, tokenizer.sep, model.config.max_tokens)[0])


# ---- average precision


def truth_mask(record: Record, index: int) -> Any:
    segmentation = record.masks[index]
    if isinstance(segmentation, dict):
        return coco_mask.encode(np.asfortranarray(bitmap(segmentation, record.width, record.height) > 0).astype(np.uint8))
    return coco_mask.merge(coco_mask.frPyObjects(segmentation, record.height, record.width))


def average_precision(
    outputs: list[Output], ids: list[int], kind: str, sources: set[str] | None = None
) -> dict[int, tuple[float, float, int]]:
    """Category id → (AP, AP50, objects). An image counts for a class only where it annotates every instance of it.

    Each class is evaluated on the images that are exhaustive for it; "difficult" objects and crowds are ignored regions. For masks
    an image counts for a class when all its objects of the class have one.
    """
    images: list[dict[str, Any]] = []
    truths: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for o in outputs:
        r = o.record
        if sources and r.source not in sources:
            continue
        allowed = set(r.exhaustive)
        if kind == "segm":
            if not o.masks:
                continue
            allowed -= {int(k) for i, k in enumerate(r.labels) if r.masks[i] is None and r.kinds[i] == POSITIVE}
        if not allowed:
            continue
        images.append({"id": r.id, "width": r.width, "height": r.height})
        for i, label in enumerate(r.labels.tolist()):
            if label not in allowed:
                continue
            x0, y0, x1, y1 = r.boxes[i].tolist()
            row = {
                "id": len(truths) + 1,
                "image_id": r.id,
                "category_id": ids[label],
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": int(r.kinds[i] == CROWD),
                "ignore": int(r.kinds[i] != POSITIVE),
            }
            if kind == "segm":
                if r.masks[i] is None:
                    continue
                row["segmentation"] = truth_mask(r, i)
            truths.append(row)
        for i, label in enumerate(o.labels.tolist()):
            if label in allowed:
                row = {
                    "image_id": r.id,
                    "category_id": ids[label],
                    "bbox": [float(v) for v in o.boxes[i]],
                    "score": float(o.scores[i]),
                }
                if kind == "segm":
                    row["segmentation"] = o.masks[i]
                found.append(row)
    used = sorted({t["category_id"] for t in truths})
    found = [f for f in found if f["category_id"] in set(used)]
    if not truths or not found:
        return {}
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": images, "annotations": truths, "categories": [{"id": c, "name": str(c)} for c in used]}
        coco.createIndex()
        if kind == "bbox":
            for row in found:
                row["area"] = row["bbox"][2] * row["bbox"][3]
        result = coco.loadRes(found)
        evaluation = COCOeval(coco, result, kind)
        prepare = evaluation._prepare

        def honour_ignore() -> None:  # COCOeval overwrites `ignore` with `iscrowd`
            prepare()
            for rows in evaluation._gts.values():
                for g in rows:
                    g["ignore"] = g["ignore"] or truths[g["id"] - 1]["ignore_given"]

        for t in truths:
            t["ignore_given"] = t["ignore"]
        evaluation._prepare = honour_ignore
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # IoU, recall, class
    count = defaultdict(int)
    for t in truths:
        count[t["category_id"]] += not t["ignore_given"]
    out = {}
    for k, c in enumerate(evaluation.params.catIds):
        p = precision[:, :, k]
        if count[c]:
            out[c] = (float(p.mean()) * 100, float(p[0].mean()) * 100, count[c])
    return out


def best_threshold(outputs: list[Output]) -> tuple[float, float]:
    """The score of best F1 at IoU 0.5 over all classes, and that F1."""
    from .dataset import iou_matrix

    scores: list[float] = []
    hits: list[int] = []
    total = 0
    for o in outputs:
        r = o.record
        corners = np.concatenate((o.boxes[:, :2], o.boxes[:, :2] + o.boxes[:, 2:]), 1)
        for label in r.exhaustive:
            mine = np.flatnonzero(o.labels == label)
            truth = np.flatnonzero(r.labels == label)
            total += int((r.kinds[truth] == POSITIVE).sum())
            overlap = iou_matrix(corners[mine], r.boxes[truth]) if len(truth) else np.zeros((len(mine), 0))
            taken: set[int] = set()
            for row, i in enumerate(mine):
                order = [j for j in np.argsort(-overlap[row]) if overlap[row, j] >= 0.5 and j not in taken]
                if order and r.kinds[truth[order[0]]] != POSITIVE:
                    continue
                if order:
                    taken.add(order[0])
                scores.append(float(o.scores[i]))
                hits.append(int(bool(order)))
    order = np.argsort(-np.array(scores))
    true = np.cumsum(np.array(hits)[order])
    f1 = 2 * true / (np.arange(1, len(order) + 1) + max(total, 1))
    best = int(f1.argmax())
    return float(np.array(scores)[order][best]), float(f1[best])


# ---- captions, retrieval, classification


def corpus_scores(truth: dict[int, list[str]], said: dict[int, list[str]]) -> dict[str, float]:
    """CIDEr-D and BLEU-4 of one caption an image, through `plain`."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider

    if not said:
        return {}
    with contextlib.redirect_stdout(io.StringIO()):
        bleu = Bleu(4).compute_score(truth, said)[0][3]
        cider = Cider().compute_score(truth, said)[0]
    return {"CIDEr-D": 100 * float(cider), "BLEU-4": 100 * float(bleu), "images": len(said)}


def caption_scores(outputs: list[Output]) -> dict[str, float]:
    """Of the images that have captions and were given one."""
    rows = [o for o in outputs if o.caption and o.record.captions]
    return corpus_scores(
        {o.record.id: [plain(c) for c in o.record.captions] for o in rows}, {o.record.id: [plain(o.caption)] for o in rows}
    )


def recalls(image: Tensor, text: Tensor, owner: Tensor) -> dict[str, float]:
    """image [I, D], text [T, D] of norm 1, owner [T]: the image of each text → recall among all texts, and among all images."""
    similarity = image @ text.T
    out: dict[str, float] = {"images": len(image), "texts": len(text)}
    for k in (1, 5):
        top = owner[similarity.topk(k, dim=1)[1]]
        out[f"image→text R@{k}"] = 100 * float((top == torch.arange(len(image))[:, None]).any(1).float().mean())
        top = similarity.T.topk(k, dim=1)[1]
        out[f"text→image R@{k}"] = 100 * float((top == owner[:, None]).any(1).float().mean())
    return out


@torch.no_grad()
def retrieval_scores(model: UniPerceiver, tokenizer: WordPiece, outputs: list[Output]) -> dict[str, float]:
    """Recall of the first caption of each image among all first captions, and back; image to text over all captions."""
    have = [o for o in outputs if o.record.captions]
    if not have:
        return {}
    image = F.normalize(torch.stack([o.spe for o in have]), dim=-1)
    rows = [(i, c) for i, o in enumerate(have) for c in o.record.captions]
    owner = torch.tensor([i for i, _ in rows])
    texts = [model.encode_text(*pad([tokenizer.encode(c, 64) for _, c in rows[k : k + 64]])) for k in range(0, len(rows), 64)]
    return recalls(image, F.normalize(torch.cat(texts), dim=-1), owner)


@torch.no_grad()
def classification_accuracy(outputs: list[Output], classes: Tensor, near: Tensor, task: dict[str, Any]) -> dict[str, float]:
    """The best class of an image is one that it shows; over images with an object and an exhaustive list. `near` [C]: how near each
    class is to one of the model's own labels; `task`: `tasks.classification` of its config."""
    right = count = 0
    for o in outputs:
        shown = set(o.record.labels[o.record.kinds == POSITIVE].tolist())
        if not shown or not o.record.exhaustive:
            continue
        allowed = sorted(o.record.exhaustive)
        best = allowed[int(class_logits(task, o.spe, classes, o.best, near)[allowed].argmax())]
        right += best in shown
        count += 1
    return {"accuracy": 100 * right / max(count, 1), "images": count}


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def figures(
    model: UniPerceiver, tokenizer: WordPiece, outputs: list[Output], names: list[str], ids: list[int], grounding: Grounding
) -> dict[str, Any]:
    out: dict[str, Any] = {"images": len(outputs)}
    distinct = [suppressed(o, len(names)) for o in outputs]
    for kind, rows, name in (
        ("bbox", outputs, "bbox"),
        ("segm", outputs, "segm"),
        ("bbox", distinct, f"bbox, suppression {SUPPRESSION}"),
        ("segm", distinct, f"segm, suppression {SUPPRESSION}"),
    ):
        table = average_precision(rows, ids, kind)
        if not table:
            continue
        out[name] = {
            "AP": mean([v[0] for v in table.values()]),
            "AP50": mean([v[1] for v in table.values()]),
            "VOC AP50": mean([table[c][1] for c in VOC if c in table]),
            "person AP50": table.get(1, (0, float("nan"), 0))[1],
            "car AP50": table.get(3, (0, float("nan"), 0))[1],
            "per class AP50": {names[ids.index(c)]: [round(v[1], 1), v[2]] for c, v in table.items()},
        }
    for source in sorted({o.record.source for o in outputs}):
        table = average_precision(outputs, ids, "bbox", {source})
        if table:
            out[f"bbox {source}"] = {"AP": mean([v[0] for v in table.values()]), "AP50": mean([v[1] for v in table.values()])}
    out["threshold"], out["F1"] = best_threshold([suppressed(o, len(names), CROSS_LABEL) for o in outputs])
    out["captions"] = caption_scores(outputs)
    out["captions"].update(truth([(o.record, o.caption) for o in outputs if o.caption], grounding))
    out["retrieval"] = retrieval_scores(model, tokenizer, outputs)
    with torch.no_grad():
        classes = class_vectors(model, tokenizer, names)
        near = nearness(model, classes, label_vectors(model, tokenizer))
        task = model.config.tasks["classification"]
        out["classification"] = classification_accuracy(outputs, classes, near, task)
    return out


def run_part(
    directory: Path, data: Path, rows: list[Record], names: list[str], captions: bool, weight: float | None,
    large: bool, greedy: bool,
) -> list[Output]:
    """One worker's images, in a process of one thread."""
    torch.set_num_threads(1)
    model, tokenizer = load(directory), WordPiece(directory / "vocab.txt")
    captioner = None if greedy else GroundedCaptioner(model, load_grounding(directory), Ranking.of(model.config))
    model = model.to(memory_format=torch.channels_last)
    return run(model, tokenizer, data, rows, names, captions, weight=weight, large=large, captioner=captioner)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val", choices=("val", "dev"))
    parser.add_argument("--limit", type=int, default=0, help="only so many images")
    parser.add_argument("--foreground-weight", type=float)
    parser.add_argument("--regions-only", action="store_true", help="no captions")
    parser.add_argument("--greedy", action="store_true", help="captions as they come, not grounded")
    parser.add_argument("--large", action="store_true", help="the model's large input sizes, for what is far off")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--write", action="store_true", help="put the detection figures into the model's figures.json and card")
    parser.add_argument("--said", type=Path, help="where to write the captions, as chair.py reads them")
    o = parser.parse_args()
    names, _, ids = categories(o.data)
    rows = records(o.data, o.part)
    if o.limit:
        rows = rows[:: max(1, len(rows) // o.limit)]
    if o.write and (o.limit or o.part != "val" or o.foreground_weight is not None):
        raise SystemExit("--write is for the figures of the card: all of val, with the model's own foreground weight")
    captions = not o.regions_only
    parts = [
        (o.model, o.data, rows[i :: o.workers], names, captions, o.foreground_weight, o.large, o.greedy) for i in range(o.workers)
    ]
    with multiprocessing.get_context("spawn").Pool(o.workers) as pool:
        outputs = [x for part in pool.starmap(run_part, parts) for x in part]
    model, tokenizer = load(o.model), WordPiece(o.model / "vocab.txt")
    result = figures(model, tokenizer, outputs, names, ids, load_grounding(o.model))
    print(json.dumps(result, indent=1, ensure_ascii=False))
    for output in [x for x in outputs if x.caption][:12]:
        print(f"{output.record.name}: {output.caption}")
    if o.out:
        o.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if o.write:
        write_figures(o.model, result, o.part, SUPPRESSION, o.large)
    if o.said:
        said = [{"image_id": x.record.id, "caption": x.caption} for x in outputs if x.caption]
        o.said.write_text(json.dumps(said, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
