# SPDX-License-Identifier: LGPL-2.1-or-later
"""Losses of the region tasks: dense one-to-many, every region-decoder layer one-to-one, the general decoder's classes, masks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference.mask_head import mask_logits
from models.reference.model import Regions, UniPerceiver

from .boxes import giou, iou
from .dataset import Batch
from .denoising import Noised
from .matching import hungarian, task_aligned, unknown


class Heads(nn.Module):
    """What only training needs: class heads that read regions directly, a map from the backbone's last map of `c5` channels to
    ImageNet's (0: the network has a second backbone that keeps it), and the tasks' learned temperatures and bias."""

    def __init__(self, d: int, classes: int, c5: int, tasks: dict[str, dict[str, float]]) -> None:
        super().__init__()
        self.dense = nn.Linear(d, classes)
        self.region = nn.Linear(d, classes)
        for head in (self.dense, self.region):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.constant_(head.bias, -4.0)
        self.remember = nn.Linear(c5, c5) if c5 else None
        if self.remember is not None:
            nn.init.eye_(self.remember.weight)
            nn.init.zeros_(self.remember.bias)
        self.log_temperature = nn.ParameterDict(
            {k: nn.Parameter(torch.tensor(math.log(v["temperature"]))) for k, v in tasks.items()}
        )
        self.bias = nn.Parameter(torch.tensor(float(tasks["detection"]["bias"])))

    def temperature(self, task: str) -> Tensor:
        return self.log_temperature[task].exp()


def quality_focal(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """|t - p|² · BCE (Generalized Focal Loss, 2006.04388), summed."""
    loss = (target - logits.sigmoid()) ** 2 * F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss if weight is None else loss * weight).sum()


def box_loss(boxes: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """5 · L1 + 2 · (1 - GIoU), summed over rows by weight."""
    return (weight * (5 * (boxes - target).abs().sum(-1) + 2 * (1 - giou(boxes, target)))).sum()


def dice(p: Tensor, m: Tensor) -> Tensor:
    """[K, P], [K, P] → [K]."""
    return 1 - (2 * (p * m).sum(-1) + 1) / ((p * p).sum(-1) + (m * m).sum(-1) + 1)


def dense_losses(model: UniPerceiver, heads: Heads, r: Regions, batch: Batch) -> dict[str, Tensor]:
    """The head that selects queries, supervised at every token."""
    o, scores = r.outputs, r.scores
    query = model.config.query
    anchor = model.query.anchors(r.shapes)
    boxes = model.query.boxes(o, anchor)
    logits = heads.dense(o)
    cell = anchor[:, 2:] / query.anchor_cells
    quality, owner = task_aligned(boxes.detach(), logits.detach().sigmoid(), anchor[:, :2], cell, batch)
    weight = batch.weights.gather(1, owner)
    positive = quality > 0
    total = (quality * weight).sum().clamp(min=1.0)
    unsure, unsure_class = unknown(boxes.detach(), batch, logits.shape[-1])
    foreground = quality_focal(scores, quality, torch.where(positive, weight, 1.0 - unsure.float()))
    label = batch.labels.gather(1, owner)
    target = torch.zeros_like(logits).scatter(2, label[..., None], quality[..., None])
    of_class = torch.where(target > 0, weight[..., None], 1.0 - unsure_class.float())
    classes = quality_focal(logits, target, of_class)
    at = positive.nonzero(as_tuple=True)
    truth = batch.boxes[at[0], owner[at]]
    box = box_loss(boxes[at], truth, (quality * weight)[at])
    return {"dense_fg": foreground / total, "dense_class": classes / total, "dense_box": box / total}


ALIKE = 10.0  # neighbours closer in colour than this (of 255, over the three channels) belong to one object
SHIFTS = ((0, 2), (2, 0), (2, 2), (2, -2))  # (down, across): half of the eight neighbours, two cells away
PAIRED = 16  # objects of a batch whose neighbours are compared


def neighbours(x: Tensor, shift: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Views of x [..., H, W] that pair each cell with the one at `shift`."""
    down, across = shift
    h, w = x.shape[-2:]
    left, right = max(0, -across), max(0, across)
    return x[..., : h - down, left : w - right], x[..., down:, right : w - left]


def pairwise_loss(logits: Tensor, inside: Tensor, colour: Tensor) -> Tensor:
    """Neighbours alike in colour get one label: -log(p p' + (1-p)(1-p')) (pairwise term of BoxInst, 2012.02310).

    logits [K, H, W], inside [K, H, W] bool (the box), colour [K, 3, H, W] in 0..255; summed over cells, mean over objects.
    """
    on, off = F.logsigmoid(logits), F.logsigmoid(-logits)
    total = logits.new_zeros(len(logits))
    count = logits.new_zeros(len(logits))
    for shift in SHIFTS:
        a, b = neighbours(colour, shift)
        first, second = neighbours(inside, shift)
        edge = ((a - b).square().sum(1) < ALIKE**2) & (first | second)
        (on_a, on_b), (off_a, off_b) = neighbours(on, shift), neighbours(off, shift)
        cost = -torch.logaddexp(on_a + on_b, off_a + off_b)
        total = total + (cost * edge).sum((1, 2))
        count = count + edge.sum((1, 2))
    return (total / count.clamp(min=1)).mean()


def mask_losses(r: Regions, match: Tensor, batch: Batch) -> dict[str, Tensor]:
    """BCE + dice where a mask is known; everywhere else the mask must span its box (projection term of BoxInst, 2012.02310) and
    follow its colours (`pairwise_loss`)."""
    h, w = r.mask_features.shape[2:]
    zero = r.mask_embed.sum() * 0
    embeds = [r.mask_embed] if r.pool_embed is None else [r.mask_embed, r.pool_embed]  # what is pooled is a mask too
    b, q, g = match.unbind(1)
    keep = batch.weights[b, g] > 0.5
    b, q, g = b[keep], q[keep], g[keep]
    if not len(b):
        return {"mask": zero, "span": zero, "pair": zero}
    boxes = r.boxes[-1].detach()
    logits = torch.cat(
        [
            mask_logits(e[i, q[b == i]][None], r.mask_features[i : i + 1], boxes[i, q[b == i]][None])[0]
            for e in embeds
            for i in b.unique().tolist()
        ]
    )  # `match` is ordered by image, so is `b`
    b, g = b.repeat(len(embeds)), g.repeat(len(embeds))
    table = torch.full(batch.labels.shape, -1)
    if len(batch.mask_of):
        table[batch.mask_of[:, 0], batch.mask_of[:, 1]] = torch.arange(len(batch.mask_of))
    which = table[b, g]
    known = which >= 0
    out = {"mask": zero, "span": zero, "pair": zero}
    if known.any():
        z, m = logits[known].flatten(1), batch.masks[which[known]].flatten(1)
        bce = F.binary_cross_entropy_with_logits(z, m, reduction="none").mean(-1)
        out["mask"] = (4 * bce + 4 * dice(z.sigmoid(), m)).sum() / known.sum()
    if (~known).any():
        box = batch.boxes[b, g][~known]
        x, y = (torch.arange(w) + 0.5) / w, (torch.arange(h) + 0.5) / h
        across = ((x[None] - box[:, :1]).abs() < box[:, 2:3] / 2).float()
        down = ((y[None] - box[:, 1:2]).abs() < box[:, 3:] / 2).float()
        p = logits[~known].sigmoid()
        out["span"] = (dice(p.amax(1), across) + dice(p.amax(2), down)).sum() / (~known).sum()
        some = torch.randperm(len(box))[:PAIRED]
        pixels = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2)
        colour = F.avg_pool2d(pixels[b[~known][some]].float(), 4)
        inside = (down[some, :, None] * across[some, None, :]) > 0
        out["pair"] = pairwise_loss(logits[~known][some], inside, colour)
    return out


def matched_class_loss(logits: Tensor, boxes: Tensor, match: Tensor, batch: Batch) -> Tensor:
    """Quality focal over query-class pairs [B, N, C]: a matched pair aims at its IoU, unknown ones are left out; summed."""
    b, q, g = match.unbind(1)
    target = torch.zeros_like(logits)
    target[b, q, batch.labels[b, g]] = iou(boxes[b, q].detach(), batch.boxes[b, g]).clamp(0, 1)
    weight = 1.0 - unknown(boxes.detach(), batch, logits.shape[-1])[1].float()
    weight[b, q, batch.labels[b, g]] = batch.weights[b, g]
    return quality_focal(logits, target, weight)


def answer_losses(
    foreground: Tensor, logits: Tensor, boxes: Tensor, match: Tensor, batch: Batch, share: Tensor | None = None
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Queries' foreground [B, N], class logits [B, N, C] and boxes [B, N, 4] against the objects that `match` gives them, summed;
    and target and weight of the logits. `share` [B, N]: what a query counts."""
    b, q, g = match.unbind(1)
    weight, truth, label = batch.weights[b, g], batch.boxes[b, g], batch.labels[b, g]
    quality = iou(boxes[b, q].detach(), truth).clamp(0, 1)
    fg_target = torch.zeros_like(foreground)
    fg_target[b, q] = quality
    unsure, unsure_class = unknown(boxes.detach(), batch, logits.shape[-1])
    fg_weight = 1.0 - unsure.float()
    fg_weight[b, q] = weight
    target = torch.zeros_like(logits)
    target[b, q, label] = quality
    class_weight = 1.0 - unsure_class.float()
    class_weight[b, q, label] = weight
    if share is not None:
        fg_weight, class_weight, weight = fg_weight * share, class_weight * share[..., None], weight * share[b, q]
    out = {
        "fg": quality_focal(foreground, fg_target, fg_weight),
        "class": quality_focal(logits, target, class_weight),
        "box": box_loss(boxes[b, q], truth, weight),
    }
    return out, target, class_weight


def denoising_losses(model: UniPerceiver, heads: Heads, r: Regions, noised: Noised, batch: Batch) -> dict[str, Tensor]:
    """Every layer's answers to denoising queries: each knows its object, none is matched."""
    objects = batch.weights.sum().clamp(min=1.0)
    out = {}
    for i, answers in enumerate(r.more or []):
        logits = heads.region(answers.semantics)
        if answers.speaks is not None:
            logits = logits + answers.speaks
        foreground = model.region_decoder.foreground(answers.semantics).squeeze(-1)
        sums, _, _ = answer_losses(foreground, logits, answers.boxes, noised.match, batch, noised.share)
        out.update({f"noised_{k}{i}": v / objects for k, v in sums.items()})
    return out


def region_losses(
    model: UniPerceiver, heads: Heads, r: Regions, batch: Batch, decoded: Tensor | None = None, classes: Tensor | None = None
) -> dict[str, Tensor]:
    """decoded [B, N, D]: regions after the general decoder, classes [C, D]; both None while the region part trains alone."""
    out = {} if model.config.detector else dense_losses(model, heads, r, batch)  # the detector was trained by others
    objects = batch.weights.sum().clamp(min=1.0)
    layers = len(r.boxes)
    prior = r.selection.detach()
    for i, (q_sem, boxes) in enumerate(zip(r.semantics, r.boxes)):
        logits = heads.region(q_sem)
        if r.speaks is not None:
            logits = logits + r.speaks[i]
        foreground = model.region_decoder.foreground(q_sem).squeeze(-1)
        match = hungarian(boxes.detach(), logits.detach(), batch, prior)
        sums, target, class_weight = answer_losses(foreground, logits, boxes, match, batch)
        scale = 1.0 / objects
        out.update({f"{k}{i}": v * scale for k, v in sums.items()})
        if i == layers - 1 and decoded is not None and classes is not None:
            z = model.detection_logits(decoded, classes, heads.temperature("detection"), heads.bias)
            if r.speaks is not None:  # the labels are the known classes
                z = z + r.speaks[-1]
            out["detect"] = quality_focal(z, target, class_weight) * scale
        if i == layers - 1:
            out.update(mask_losses(r, match, batch))
    return out


# Boxes pull the shared maps 1.7 times as hard as classes where all count alike, and are the better half of the result already (AP is two
# thirds of AP50).
WEIGHTS = {
    "detect": 2.0, "class": 2.0, "dense_class": 2.0, "fg": 1.5, "dense_fg": 1.5, "box": 1.0, "dense_box": 1.0,
    "noised_class": 2.0, "noised_fg": 1.5, "noised_box": 1.0,
    "mask": 2.0, "span": 0.5, "pair": 0.5, "remember": 12.0,
}  # fmt: skip


def total(losses: dict[str, Tensor]) -> Tensor:
    """Weighted; the losses of a region layer end in its number."""
    return torch.stack([WEIGHTS[k.rstrip("0123456789")] * v for k, v in losses.items()]).sum()
