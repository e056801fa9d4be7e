"""The other half of the last stage: the text side of detection alone, on decoded regions computed once.

After `captions_last.py` text has experts of its own; with the text projection they can follow the regions of a later checkpoint without
touching what images or captions compute. It may run beside `captions_last.py`, from a copy of its first checkpoint; `--into` then joins
the two.

    python -m models.training.names_last --checkpoint checkpoints/first.pt --into checkpoints/final.pt --data DIR --out checkpoints/both.pt
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.reference.config import Config

from .boxes import iou
from .dataset import Sampler, repeat_factors
from .export import average_weights
from .images import ImageStore
from .losses import quality_focal
from .matching import hungarian, unknown
from .optimizer import Average, BalancedAdamW, Group
from .setup import SOURCES, build, records
from .tasks import Trainee, class_vectors, image_input

TEXT_SLOT = 1


@torch.no_grad()
def decoded_regions(trainee: Trainee, sampler: Sampler, images: int, seconds: float) -> list[dict[str, Tensor]]:
    """Batches of decoded regions with their targets and weights [B, N, C], and image `<SPE>` with the classes shown."""
    sizes = ((256, 160), (288, 224), (320, 192), (224, 224), (192, 288))
    began, rows = time.time(), []
    while len(rows) * 8 < images and time.time() - began < seconds:
        batch = sampler.batch(sizes[len(rows) % len(sizes)], 8, 0.7, False)
        model = trainee.model
        r = model.regions(image_input(model, batch))
        spe, decoded, _ = model.image(r)
        logits = trainee.heads.region(r.semantics[-1])
        b, q, g = hungarian(r.boxes[-1], logits, batch).unbind(1)
        label = batch.labels[b, g]
        target, weight = torch.zeros_like(logits), 1.0 - unknown(r.boxes[-1], batch, logits.shape[-1])[1].float()
        target[b, q, label] = iou(r.boxes[-1][b, q], batch.boxes[b, g]).clamp(0, 1)
        weight[b, q, label] = batch.weights[b, g]
        area = batch.boxes[..., 2:].prod(-1).sqrt() * batch.weights
        shown = torch.zeros(len(spe), logits.shape[-1]).scatter_add(1, batch.labels, area)
        rows.append(
            {"regions": decoded, "target": target, "weight": weight, "objects": batch.weights.sum(), "spe": spe, "shown": shown}
        )
    return rows


def loss_of(trainee: Trainee, batch: dict[str, Tensor], words: Any) -> Tensor:
    classes = class_vectors(trainee, words)
    z = trainee.model.detection_logits(batch["regions"], classes, trainee.heads.temperature("detection"), trainee.heads.bias)
    detection = quality_focal(z, batch["target"], batch["weight"]) / batch["objects"].clamp(min=1)
    cosine = F.normalize(batch["spe"], dim=-1) @ F.normalize(classes, dim=-1).T
    share = batch["shown"] / batch["shown"].sum(-1, keepdim=True).clamp(min=1e-6)
    image = -(share * (cosine / trainee.heads.temperature("classification")).log_softmax(-1)).sum(-1).mean()
    return detection + 0.03 * image


def joined(captions: dict[str, Any], names: dict[str, Any]) -> dict[str, Tensor]:
    """The captions' weights with the text side of `names`."""
    out = {**captions["trainee"], **captions["average"]}
    for key, value in {**names["trainee"], **names["average"]}.items():
        part = key.split(".")
        if part[1] in ("text_proj", "text_norm", "bias") or part[-1] in ("detection", "classification"):
            out[key] = value
        elif ".experts." in key:
            out[key] = out[key].clone()
            out[key][TEXT_SLOT] = value[TEXT_SLOT]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/nano"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/images"))
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--collect", type=float, default=75)
    parser.add_argument("--seconds", type=float, default=60, help="of training")
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--into", type=Path, help="checkpoint of captions_last.py to join the result with")
    parser.add_argument("--out", type=Path, required=True)
    o = parser.parse_args()
    torch.set_num_threads(1)
    trainee, words = build(Config.load(o.model), o.data, 1, o.cache.with_name("words.pt"))
    average_weights(trainee, o.checkpoint)
    train = records(o.data, "train")
    sampler = Sampler(train, repeat_factors(train, SOURCES), ImageStore(o.data, [r.name for r in train], o.cache), 9)
    rows = decoded_regions(trainee, sampler, o.images, o.collect)
    print(f"{len(rows) * 8} images", flush=True)
    model, heads = trainee.model, trainee.heads
    trainee.requires_grad_(False)
    experts = [
        p for layer in model.decoder.layers for m in (layer.ffn.linear1, layer.ffn.linear2) for p in m.experts.parameters()
    ]
    own = [*model.text_proj.parameters(), *model.text_norm.parameters(), heads.bias, *experts]
    own += [heads.log_temperature["detection"], heads.log_temperature["classification"]]
    for p in own:
        p.requires_grad_(True)
    optimizer, average, rng = BalancedAdamW([Group(own)]), Average(trainee, 0.97), random.Random(1)
    held, rows = rows[:8], rows[8:]
    began, step, recent = time.time(), 0, []
    while (progress := (time.time() - began) / o.seconds) < 1:
        optimizer.zero_grad()
        loss = loss_of(trainee, rng.choice(rows), words)
        loss.backward()
        for p in experts:
            if p.grad is not None:
                p.grad[torch.arange(len(p)) != TEXT_SLOT] = 0
        optimizer.step(o.lr * min(1.0, (step + 1) / 20) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))))
        average.update(trainee)
        recent.append(float(loss))
        if step % 40 == 0:
            with torch.no_grad():
                unseen = sum(float(loss_of(trainee, b, words)) for b in held) / len(held)
            print(f"step {step} {sum(recent) / len(recent):.3f}, unseen {unseen:.3f}", flush=True)
            recent = []
        step += 1
    state: dict[str, Any] = {"trainee": trainee.state_dict(), "average": average.state}
    if o.into:
        state = {"trainee": joined(torch.load(o.into, map_location="cpu"), state), "average": {}}
    torch.save(state, o.out)


if __name__ == "__main__":
    main()
