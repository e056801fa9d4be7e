# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains what masks are made with on a finished model: of `mask.own`, which masks that are shown have alone, all else stays, bit
by bit; `--whole` trains all of `mask.*`, and what is pooled of masks for the general decoder stays as near to what it was as it can.

    python -m models.training.masks --model models/nano --data DIR --out checkpoints/masks

Images with annotated masks serve, and those that a teacher (mask_teacher.py) cut out for boxes without. What the frozen network
makes of them in augmented views is computed once and kept in a file (about 1.3 MB a view); a step of training is then cheap.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference.mask_head import MaskHead, Own, mask_logits
from models.reference.model import UniPerceiver, load
from models.reference.preprocess import border_colour
from models.reference.proposals import GRID

from .boxes import pairwise_iou
from .dataset import POSITIVE, Batch, Record, Sampler
from .export import half, to_json
from .fast import install, supported
from .images import ImageStore
from .losses import dice
from .mask_teacher import teach
from .setup import records
from .tasks import image_input

# Input sizes of the views with their weights: small people are learnt at the large sizes.
SIZES = (((352, 352), 60), ((416, 288), 14), ((288, 416), 4), ((544, 352), 8), ((640, 384), 6), ((512, 384), 8))
COUNT = 6  # images that the network sees at once
ANSWERS = 4  # queries of an object that are kept: those whose boxes overlap it most,
FITS = 0.5  # from this IoU on
GROWN = 1.15  # a mask is cut to its box: nothing is asked of what lies farther out
OBJECTS = 10  # of an image in a step
PERSON, PERSONS = 0, 1.5  # class, and what an object of it counts
OTHERS = 16  # queries of a view, whatever they answer, whose pooled masks stay with `--whole`
STAY = 4.0  # what that counts


@dataclass
class Seen:
    """An object with a mask, and the queries that answer for it, best first."""

    mask: Tensor  # [H/4, W/4] uint8
    label: int
    semantics: Tensor  # q_sem [A, d]
    boxes: Tensor  # q_box [A, 4]


@dataclass
class View:
    c2: Tensor  # [c2, H/4, W/4] float16
    stride8: Tensor  # the memory at stride 8 [d, H/8, W/8] float16
    pooled: Tensor  # F_mask as it was, pooled [d_mask, 784] float16
    others: Tensor  # q_sem [OTHERS, d]
    objects: list[Seen]


Views = dict[tuple[int, int], list[View]]  # by input size


def worth(record: Record) -> float:
    """How often an image is drawn. Sources of one object an image show it whole and alone, which is soon learnt."""
    if record.source in ("ccp", "davis"):
        return 0.35
    return math.sqrt(sum(m is not None for m in record.masks))


def with_masks(rows: list[Record]) -> list[Record]:
    return [r for r in rows if any(m is not None and k == POSITIVE for m, k in zip(r.masks, r.kinds))]


@torch.no_grad()
def views_of(model: UniPerceiver, batch: Batch) -> list[View]:
    """What the network says where a mask is known; an image without such an object that it found is left out."""
    r = model.regions(image_input(model, batch), with_global=False)
    overlap = pairwise_iou(batch.boxes, r.boxes[-1])  # [B, G, N]
    (h, w), d = r.shapes[0], r.memory.shape[2]
    stride8 = r.memory[:, : h * w].transpose(1, 2).reshape(-1, d, h, w)
    pooled = F.adaptive_avg_pool2d(r.mask_features, GRID).flatten(2)
    every = torch.linspace(0, r.boxes[-1].shape[1] - 1, OTHERS).long()
    out: dict[int, View] = {}
    for k, (i, g) in enumerate(batch.mask_of.tolist()):
        fit, best = overlap[i, g].topk(ANSWERS)
        best = best[fit >= FITS]
        if not len(best):
            continue
        if i not in out:
            others = r.semantics[-1][i, every].float()
            out[i] = View(r.maps[0][i].half(), stride8[i].half(), pooled[i].half(), others, [])
        view = out[i]
        mask = (batch.masks[k] * 255).round().to(torch.uint8)
        q_sem, q_box = r.semantics[-1][i, best].float(), r.boxes[-1][i, best].float()
        view.objects.append(Seen(mask, int(batch.labels[i, g]), q_sem, q_box))
    return list(out.values())


def collect(model: UniPerceiver, sampler: Sampler, count: int, seed: int) -> Views:
    rng = random.Random(seed)
    out: Views = {}
    kept, step, shown = 0, 0, time.time()
    while kept < count:
        size = rng.choices([s for s, _ in SIZES], [w for _, w in SIZES])[0]
        sampler.seed(step)
        new = views_of(model, sampler.batch(size, COUNT, rng.choice((1.0, 1.0, 0.4)), True, 0.25))
        out.setdefault(size, []).extend(new)
        kept, step = kept + len(new), step + 1
        if time.time() - shown > 30:
            print(f"{kept} of {count} views", flush=True)
            shown = time.time()
    return out


def near(boxes: Tensor, height: int, width: int) -> Tensor:
    """Cells in or beside each box: [K, 4] → [K, H, W] of 0 and 1."""
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    across = (x - boxes[:, :1]).abs() < boxes[:, 2:3] * GROWN / 2 + 0.5 / width
    down = (y - boxes[:, 1:2]).abs() < boxes[:, 3:] * GROWN / 2 + 0.5 / height
    return (down[:, :, None] & across[:, None, :]).float()


def object_loss(logits: Tensor, masks: Tensor, inside: Tensor) -> Tensor:
    """BCE + dice of what lies inside, [K, H, W] each → [K]: a small object counts as much as a large one."""
    z, m, k = logits.flatten(1), masks.flatten(1), inside.flatten(1)
    bce = (F.binary_cross_entropy_with_logits(z, m, reduction="none") * k).sum(1) / k.sum(1).clamp(min=1)
    return bce + dice(z.sigmoid() * k, m * k)


def step_loss(head: MaskHead, before: nn.Module | None, views: list[View], rng: random.Random) -> Tensor:
    """Of views of one size. `before`: what masks were pooled with until now, where all of the head is trained."""
    losses, weights = [], []
    with torch.set_grad_enabled(before is not None):
        c2, stride8 = (torch.stack([getattr(v, k) for v in views]).float() for k in ("c2", "stride8"))
        features = head.features(c2, stride8)
    for view, of_view in zip(views, features):
        chosen = view.objects if len(view.objects) <= OBJECTS else rng.sample(view.objects, OBJECTS)
        which = [min(int(rng.expovariate(1.0)), len(o.boxes) - 1) for o in chosen]
        boxes = torch.stack([o.boxes[i] for o, i in zip(chosen, which)])
        embed = head.own(torch.stack([o.semantics[i] for o, i in zip(chosen, which)]))
        logits = mask_logits(embed[None], of_view[None], boxes[None])[0]
        masks = torch.stack([o.mask for o in chosen]).float() / 255
        losses.append(object_loss(logits, masks, near(boxes, *logits.shape[1:])))
        weights.append(torch.tensor([PERSONS if o.label == PERSON else 1.0 for o in chosen]))
    loss, weight = torch.cat(losses), torch.cat(weights)
    out = (loss * weight).sum() / weight.sum()
    return out if before is None else out + STAY * moved(head, before, views, features)


def moved(head: MaskHead, before: nn.Module, views: list[View], features: Tensor) -> Tensor:
    """How far what is pooled of masks is from what it was, as a part of its variance."""
    others = torch.stack([v.others for v in views])
    with torch.no_grad():
        was = before(others) @ torch.stack([v.pooled for v in views]).float()
    now = head.embed(others) @ F.adaptive_avg_pool2d(features, GRID).flatten(2)
    return ((now - was) ** 2).mean() / was.var()


def start(model: UniPerceiver) -> MaskHead:
    """The head there is; where masks have no embedding of their own yet, with one that makes the same masks."""
    head = copy.deepcopy(model.mask)
    if head.own is None:
        head.own = Own(model.config.d, model.config.mask.channels)
        head.own.embed.load_state_dict(head.embed.state_dict())
        for p in head.own.places.layers[-1].parameters():
            nn.init.zeros_(p)
    return head


def train(head: MaskHead, views: Views, steps: int, lr: float, seed: int, whole: bool) -> MaskHead:
    """→ the average of its weights."""
    head.requires_grad_(whole)
    head.own.requires_grad_(True)
    trained = [p for p in head.parameters() if p.requires_grad]
    before = copy.deepcopy(head.embed).requires_grad_(False) if whole else None
    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=0.01)
    average = copy.deepcopy(head).requires_grad_(False)
    sizes, counts = list(views), [len(v) for v in views.values()]
    recent: list[float] = []
    for step in range(steps):
        rng = random.Random(seed * 1_000_003 + step)
        size = rng.choices(sizes, counts)[0]
        # as many cells a step, whatever the size
        count = min(len(views[size]), max(3, round(8 * 288 * 288 / (size[0] * size[1]))))
        loss = step_loss(head, before, rng.sample(views[size], count), rng)
        rate = lr * min(1.0, (step + 1) / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        decay = min(0.995, (step + 1) / (step + 21))
        for a, p in zip(average.parameters(), head.parameters()):
            a.lerp_(p.detach(), 1 - decay)
        recent.append(float(loss.detach()))
        if (step + 1) % 250 == 0 or step + 1 == steps:
            now, loss_now = time.strftime("%H:%M:%S"), np.mean(recent[-250:])
            print(f"{now} step {step + 1} of {steps} | loss {loss_now:.4f}", flush=True)
    return average


def write(directory: Path, head: MaskHead, out: Path, whole: bool) -> None:
    """The model of `directory` with these masks: every other tensor and setting as it is there."""
    state = load_file(directory / "model.safetensors")
    changed = {f"mask.{k}": v for k, v in head.state_dict().items() if whole or k.startswith("own.")}
    state.update(half(changed))
    raw = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    raw["mask"]["own"] = True
    if out.resolve() != directory.resolve():
        shutil.copytree(directory, out, dirs_exist_ok=True)
    save_file(state, out / "model.safetensors")
    (out / "model.safetensors").chmod(0o644)  # safetensors writes 0600
    (out / "config.json").write_text(to_json(raw) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/nano"), help="directory of the model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where to write the model; may be the same. Without it views are stored and no more")
    parser.add_argument("--cache", type=Path, default=Path(".cache/masks"), help="decoded images, made when absent")
    parser.add_argument("--stored", type=Path, nargs="+", default=[Path(".cache/masks.pt")], help="files of its views, made when absent")
    parser.add_argument("--taught", type=Path, nargs="*", default=[], help="files of mask_teacher.py")
    parser.add_argument("--views", type=int, default=3000, help="augmented images in a file")
    parser.add_argument("--whole", action="store_true", help="all of mask.*")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--lr", type=float, default=1.2e-3)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    model = load(o.model).requires_grad_(False).to(memory_format=torch.channels_last)
    absent = [path for path in o.stored if not path.exists()]
    if absent:
        if supported():
            install(model, o.cache.parent)
        rows = records(o.data, "train")
        if o.taught:
            print(f"{teach(rows, o.taught)} masks of a teacher", flush=True)
        rows = with_masks(rows)
        store = ImageStore(o.data, sorted({r.name for r in rows}), o.cache)
        worths = np.array([worth(r) for r in rows])
        for path in absent:
            seed = o.seed + 1000 * o.stored.index(path)
            sampler = Sampler(rows, worths, store, seed, border_colour(model.config.input))
            torch.save(collect(model, sampler, o.views, seed), path)
    if o.out is None:
        return
    views: Views = {}
    for path in o.stored:
        for size, more in torch.load(path, weights_only=False).items():
            views.setdefault(size, []).extend(more)
    write(o.model, train(start(model), views, o.steps, o.lr, o.seed, o.whole), o.out, o.whole)


if __name__ == "__main__":
    main()
