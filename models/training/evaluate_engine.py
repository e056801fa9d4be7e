# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same figures from the C engine, through upi-annotate, beside those of the reference.

    python -m models.training.evaluate_engine --annotate build/tools/upi-annotate --model models/nano --data DIR [--part val] [--jpeg]

Both see equal pixels: the images are decoded once and handed to upi-annotate as PNG. With `--jpeg` upi-annotate decodes the
files itself, which shows what another JPEG decoder does to the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from models.reference.grounding import Grounding

from .chair import load_grounding, truth
from .dataset import Record
from .evaluate import VOC, Output, average_precision, caption_scores, mean, recalls
from .setup import categories, records


def annotate(o: argparse.Namespace, rows: list[Record], folder: Path) -> list[Output]:
    """What upi-annotate says of `rows`."""
    names, _, ids = categories(o.data)
    root = o.data
    images: list[dict[str, Any]] = []
    for r in rows:
        name = r.name
        if not o.jpeg:
            name, root = f"{r.id}.png", folder
            Image.open(o.data / r.name).convert("RGB").save(folder / name, compress_level=1)
        images.append({"id": r.id, "file_name": name, "width": r.width, "height": r.height})
    coco = {"images": images, "annotations": [], "categories": [{"id": i, "name": n} for i, n in zip(ids, names)]}
    (folder / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    texts = [c.replace("\n", " ") for r in rows for c in r.captions]
    (folder / "texts.txt").write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    command = [
        str(o.annotate), "--quiet", "--model", str(o.model), "--coco", str(folder / "coco.json"), "--root", str(root),
        "--threshold", "0", "--iou-threshold", str(o.iou_threshold), "--device", o.device, "--output", str(folder / "objects.json"),
        "--captions", str(folder / "captions.json"), "--embed", str(folder / "embeddings.jsonl"), "--texts", str(folder / "texts.txt"),
        "--beam-size", str(o.beam_size), "--length-penalty", str(o.length_penalty),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    index = {c: i for i, c in enumerate(ids)}
    objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in json.loads((folder / "objects.json").read_text(encoding="utf-8")):
        objects[row["image_id"]].append(row)
    captions = {c["image_id"]: c["caption"] for c in json.loads((folder / "captions.json").read_text(encoding="utf-8"))}
    lines = [json.loads(x) for x in (folder / "embeddings.jsonl").read_text(encoding="utf-8").splitlines()]
    spe = {x["image_id"]: torch.tensor(x["embedding"]) for x in lines if "image_id" in x}
    o.texts = [torch.tensor(x["embedding"]) for x in lines if "text" in x]
    out = []
    for r in rows:
        found = sorted(objects[r.id], key=lambda x: -x["score"])
        masks = [x.get("segmentation") for x in found] if any(m is not None for m in r.masks) else []
        out.append(
            Output(
                r, np.array([x["bbox"] for x in found], np.float32).reshape(-1, 4), np.array([x["score"] for x in found]),
                np.array([index[x["category_id"]] for x in found], np.int64), masks, spe[r.id], captions.get(r.id, ""),
            )
        )  # fmt: skip
    return out


def figures(outputs: list[Output], names: list[str], ids: list[int], texts: list[torch.Tensor], grounding: Grounding) -> dict[str, Any]:
    result: dict[str, Any] = {"images": len(outputs)}
    for kind in ("bbox", "segm"):
        table = average_precision(outputs, ids, kind)
        if table:
            result[kind] = {
                "AP": mean([v[0] for v in table.values()]),
                "AP50": mean([v[1] for v in table.values()]),
                "VOC AP50": mean([table[c][1] for c in VOC if c in table]),
                "person AP50": table.get(1, (0, float("nan"), 0))[1],
                "car AP50": table.get(3, (0, float("nan"), 0))[1],
                "per class AP50": {names[ids.index(c)]: [round(v[1], 1), v[2]] for c, v in table.items()},
            }
    result["captions"] = caption_scores(outputs)
    said = [(x.record, x.caption) for x in outputs if x.caption and (x.record.captions or x.record.exhaustive)]
    result["captions"].update(truth(said, grounding))
    have = [x for x in outputs if x.record.captions]
    if have and texts:
        owner = torch.tensor([i for i, x in enumerate(have) for _ in x.record.captions])
        result["retrieval"] = recalls(torch.stack([x.spe for x in have]), F.normalize(torch.stack(texts), dim=-1), owner)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotate", type=Path, default=Path("build/tools/upi-annotate"))
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", default="val", choices=("val", "dev"))
    parser.add_argument("--limit", type=int, default=0, help="only so many images")
    parser.add_argument("--iou-threshold", type=float, default=1.0, help="1: nothing is suppressed, as in evaluate.py")
    parser.add_argument("--beam-size", type=int, default=1, help="of captions; 1: greedy, as in evaluate.py")
    parser.add_argument("--length-penalty", type=float, default=1.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jpeg", action="store_true", help="upi-annotate decodes the JPEG files itself")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    rows = records(o.data, o.part)
    if o.limit:
        rows = rows[:: max(1, len(rows) // o.limit)]
    with tempfile.TemporaryDirectory() as folder:
        outputs = annotate(o, rows, Path(folder))
    names, _, ids = categories(o.data)
    text = json.dumps(figures(outputs, names, ids, o.texts, load_grounding(o.model)), indent=1, ensure_ascii=False)
    print(text)
    if o.out:
        o.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
