# SPDX-License-Identifier: LGPL-2.1-or-later
"""The training images: annotations and teacher boxes joined by the rules of the data, sampled by rarity, augmented, batched."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .images import ImageStore

POSITIVE, IGNORED, CROWD = 0, 1, 2


@dataclass
class Record:
    """An image with what is known of it; boxes in pixels x0, y0, x1, y1."""

    id: int
    name: str
    width: int
    height: int
    source: str
    exhaustive: set[int]
    boxes: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray  # POSITIVE, IGNORED (its class is not known there), CROWD
    weights: np.ndarray
    masks: list[Any]
    captions: list[str] = field(default_factory=list)


@dataclass
class Encoded:
    """What the region part makes of images: all that the general decoder reads of them."""

    c5: Tensor  # [B, channels, H', W'], the map that the global tokens are made of
    semantics: Tensor  # q_sem [B, N, d]
    boxes: Tensor  # q_box [B, N, 4]
    pooled: Tensor  # mask logits pooled to 28×28 [B, N, 784]
    selection: Tensor  # probability with which a query was selected [B, N]
    speaks: Tensor | None = None  # how much speaks for each class [B, N, K], where the network has class evidence


@dataclass
class Batch:
    pixels: np.ndarray  # [B, H, W, 3] uint8; empty where `encoded` stands for them
    boxes: Tensor  # [B, G, 4] cx, cy, w, h in 0..1
    labels: Tensor  # [B, G]
    weights: Tensor  # [B, G], 0 is padding
    ignored: Tensor  # [B, I, 4]
    ignored_labels: Tensor  # [B, I], -1 is padding
    ignored_crowd: Tensor  # [B, I] bool: overlap is measured over the candidate's own area
    mask_of: Tensor  # [K, 2]: image, box
    masks: Tensor  # [K, H/4, W/4] float
    captions: list[list[str]]
    encoded: Encoded | None = None


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[A, 4], [B, 4] corners → [A, B]."""
    lt, rb = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.prod(np.clip(rb - lt, 0, None), -1)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], -1), np.prod(b[:, 2:] - b[:, :2], -1)
    return inter / np.maximum(area_a[:, None] + area_b[None] - inter, 1e-9)


def load_records(data: Path, split: str, classes: dict[int, int], teacher: bool = True, sure: float = 0.35) -> list[Record]:
    """Joins `split`.json with the teacher: its boxes count for classes that an image does not annotate, as positives from `sure`
    up (weighted by score), and below as unknown."""
    raw = json.loads((data / f"{split}.json").read_text(encoding="utf-8"))
    opinions = json.loads((data / "teacher.json").read_text(encoding="utf-8"))[split] if teacher else {}
    by_image: dict[int, list[dict[str, Any]]] = {}
    for a in raw["annotations"]:
        by_image.setdefault(a["image_id"], []).append(a)
    captions: dict[int, list[str]] = {}
    for c in raw.get("captions", []):
        captions.setdefault(c["image_id"], []).append(c["caption"])
    records = []
    for image in raw["images"]:
        exhaustive = {classes[c] for c in image["exhaustive"] if c in classes}
        rows: list[tuple[list[float], int, int, float, Any]] = []
        for a in by_image.get(image["id"], []):
            x, y, w, h = a["bbox"]
            if a["category_id"] not in classes or w < 1 or h < 1:
                continue
            kind = CROWD if a.get("iscrowd") else IGNORED if a.get("ignore") else POSITIVE
            segmentation = a.get("segmentation") if kind == POSITIVE else None
            rows.append(([x, y, x + w, y + h], classes[a["category_id"]], kind, 1.0, segmentation or None))
        known = [(r[0], r[1]) for r in rows]
        for c, x, y, w, h, score in opinions.get(str(image["id"]), []):
            label = classes.get(c)
            if label is None or label in exhaustive or w < 1 or h < 1:
                continue
            box = [x, y, x + w, y + h]
            same = np.array([b for b, k in known if k == label], dtype=np.float64).reshape(-1, 4)
            if len(same) and iou_matrix(np.array([box]), same).max() > 0.5:
                continue
            kind = POSITIVE if score >= sure else IGNORED
            rows.append((box, label, kind, float(np.clip(score * 1.5, 0.3, 1.0)), None))
        records.append(
            Record(
                image["id"], image["file_name"], image["width"], image["height"], image["source"], exhaustive,
                np.array([r[0] for r in rows], dtype=np.float32).reshape(-1, 4),
                np.array([r[1] for r in rows], dtype=np.int64), np.array([r[2] for r in rows], dtype=np.int64),
                np.array([r[3] for r in rows], dtype=np.float32), [r[4] for r in rows], captions.get(image["id"], []),
            )
        )  # fmt: skip
    return records


def repeat_factors(records: list[Record], sources: dict[str, float], limit: float = 5.0) -> np.ndarray:
    """LVIS repeat factors by the rarest class of an image, times a factor of its source."""
    count: Counter[int] = Counter()
    for r in records:
        count.update(set(r.labels[r.kinds == POSITIVE].tolist()))
    out = np.empty(len(records))
    for i, r in enumerate(records):
        present = set(r.labels[r.kinds == POSITIVE].tolist())
        rarity = max((np.sqrt(0.04 * len(records) / count[c]) for c in present), default=0.5)
        out[i] = np.clip(rarity, 0.7, limit) * sources.get(r.source, 1.0)
    return out


def bitmap(segmentation: Any, width: int, height: int) -> np.ndarray:
    """Uncompressed column-major RLE → [H, W] uint8 of 0 and 255."""
    counts = np.asarray(segmentation["counts"])
    values = (np.arange(len(counts)) % 2 * 255).astype(np.uint8)
    h, w = segmentation["size"]
    return np.repeat(values, counts).reshape(w, h).T


class Augment:
    """A random window of an image, stretched to the input size; flips and colours. `letterbox`: windows of the input's own aspect, which keep that of
    what is in them, and the border's colour (0..255) around an image; whole ones often lie at the top left, as such a network sees them."""

    def __init__(self, rng: random.Random, strength: float = 1.0, letterbox: tuple[int, int, int] | None = None) -> None:
        self.rng, self.strength, self.letterbox = rng, strength, letterbox

    def window(self, record: Record, ratio: float, squashed: bool) -> tuple[float, float, float, float]:
        """x0, y0, w, h in pixels. It may reach outside of the image (zoom out); its ratio is near the input's, or the image's if it is
        `squashed`: stretching it to the input's is then as good as any."""
        rng, w, h = self.rng, record.width, record.height
        if self.letterbox is not None:
            return self.true_window(w, h, ratio)
        stretch = np.exp(rng.uniform(-0.2, 0.2))
        full = 1.0 if squashed else (w / h) / ratio  # > 1: the image is wider than the input
        scale = 1.0
        kind = rng.random()
        if kind < 0.55 * self.strength:
            scale = rng.uniform(0.45, 1.0)
        elif kind < 0.75 * self.strength:
            scale = rng.uniform(1.0, 1.8)
        ww, wh = w * scale, h * scale
        # between the whole image squashed (power 1 of the ratio) and the right ratio cut out of it
        keep = rng.uniform(0.3, 1.0)
        if full > 1:
            ww *= (1 / full) ** keep * stretch
        else:
            wh *= full**keep * stretch
        x0 = rng.uniform(min(0.0, w - ww), max(0.0, w - ww))
        y0 = rng.uniform(min(0.0, h - wh), max(0.0, h - wh))
        return x0, y0, ww, wh

    def empty_window(self, record: Record, ratio: float) -> tuple[float, float, float, float] | None:
        """A window, from a quarter to three quarters of the image and as low as that allows, that none of its boxes reaches into."""
        rng, w, h = self.rng, record.width, record.height
        for _ in range(40):
            scale = rng.uniform(0.25, 0.75)
            ww, wh = scale * min(w, h * ratio), scale * min(h, w / ratio)
            x0, y0 = rng.uniform(0, w - ww), rng.uniform(0.5, 1) * (h - wh)
            b = record.boxes
            if not ((b[:, 0] < x0 + ww) & (b[:, 2] > x0) & (b[:, 1] < y0 + wh) & (b[:, 3] > y0)).any():
                return x0, y0, ww, wh
        return None

    def true_window(self, w: int, h: int, ratio: float) -> tuple[float, float, float, float]:
        rng, scale = self.rng, 1.0
        kind = rng.random()
        if kind < 0.55 * self.strength:
            scale = rng.uniform(0.45, 1.0)
        elif kind < 0.75 * self.strength:
            scale = rng.uniform(1.0, 1.8)
        ww, wh = scale * max(w, h * ratio), scale * max(h, w / ratio)  # 1: all of the image, a border on one side
        if scale >= 1 and rng.random() < 0.5:
            return 0.0, 0.0, ww, wh
        x0 = rng.uniform(min(0.0, w - ww), max(0.0, w - ww))
        y0 = rng.uniform(min(0.0, h - wh), max(0.0, h - wh))
        return x0, y0, ww, wh

    def colour(self, pixels: np.ndarray) -> np.ndarray:
        """Brightness, contrast, saturation, in one affine map of the channels."""
        rng, s = self.rng, self.strength
        if rng.random() > 0.7:
            return pixels
        bright, contrast = rng.uniform(-25, 25) * s, 1 + rng.uniform(-0.3, 0.3) * s
        saturation = 1 + rng.uniform(-0.5, 0.4) * s
        x = pixels.astype(np.float32)
        grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
        x = (grey[..., None] + (x - grey[..., None]) * saturation - 128) * contrast + 128 + bright
        return np.clip(x, 0, 255).astype(np.uint8)

    def mask(self, segmentation: Any, window: tuple[float, ...], record: Record, size: tuple[int, int]) -> np.ndarray:
        """The mask at stride 4 of the input, soft."""
        x0, y0, ww, wh = window
        w, h = size[0] // 2, size[1] // 2
        if isinstance(segmentation, dict):
            image = Image.fromarray(bitmap(segmentation, record.width, record.height))
            image = image.transform((w, h), Image.Transform.EXTENT, (x0, y0, x0 + ww, y0 + wh), Image.Resampling.BILINEAR)
        else:
            image = Image.new("L", (w, h))
            draw = ImageDraw.Draw(image)
            for polygon in segmentation:
                p = np.asarray(polygon, np.float32).reshape(-1, 2)
                p = (p - (x0, y0)) * (w / ww, h / wh)
                if len(p) >= 3:
                    draw.polygon([tuple(q) for q in p.tolist()], fill=255)
        m = np.asarray(image, np.float32) / 255
        return m.reshape(h // 2, 2, w // 2, 2).mean((1, 3))

    def __call__(
        self, record: Record, pixels: np.ndarray, size: tuple[int, int], masks: bool = True, squashed: bool = False, empty: bool = False
    ) -> dict[str, Any]:
        """`empty`: where there is room for it, a window on none of the record's boxes."""
        width, height = size
        window = (self.empty_window(record, width / height) if empty else None) or self.window(record, width / height, squashed)
        x0, y0, ww, wh = window
        source = Image.fromarray(pixels)
        inside = x0 >= 0 and y0 >= 0 and x0 + ww <= record.width and y0 + wh <= record.height
        if inside:
            image = source.resize(size, Image.Resampling.BILINEAR, (x0, y0, x0 + ww, y0 + wh), reducing_gap=2.0)
            out = np.asarray(image)
        else:  # the part that exists, pasted on grey
            sx, sy = width / ww, height / wh
            left, top = max(x0, 0.0), max(y0, 0.0)
            right, bottom = min(x0 + ww, record.width), min(y0 + wh, record.height)
            px, py = round((left - x0) * sx), round((top - y0) * sy)
            pw, ph = max(1, round((right - left) * sx)), max(1, round((bottom - top) * sy))
            pw, ph = min(pw, width - px), min(ph, height - py)
            part = source.resize((pw, ph), Image.Resampling.BILINEAR, (left, top, right, bottom), reducing_gap=2.0)
            out = np.full((height, width, 3), self.letterbox or 114, np.uint8)
            out[py : py + ph, px : px + pw] = np.asarray(part)
        out = self.colour(out)
        boxes = (record.boxes - np.array([x0, y0, x0, y0], np.float32)) / np.array([ww, wh, ww, wh], np.float32)
        clipped = boxes.clip(0, 1)
        area = np.prod(boxes[:, 2:] - boxes[:, :2], -1)
        visible = np.prod(clipped[:, 2:] - clipped[:, :2], -1) / np.maximum(area, 1e-9)
        side = (clipped[:, 2:] - clipped[:, :2]) * np.array([width, height], np.float32)
        kinds = record.kinds.copy()
        kinds[(kinds == POSITIVE) & ((visible < 0.35) | (side.min(-1, initial=1e9) < 4))] = IGNORED
        seen = (visible > 0.1) & (side.min(-1, initial=1e9) > 1.5)
        found = [
            (i, self.mask(record.masks[i], window, record, size))
            for i in np.flatnonzero(seen & (kinds == POSITIVE))
            if masks and record.masks[i] is not None
        ]
        if self.rng.random() < 0.5:
            out = out[:, ::-1]
            clipped = clipped.copy()
            clipped[:, [0, 2]] = 1 - clipped[:, [2, 0]]
            found = [(i, m[:, ::-1]) for i, m in found]
        return {"pixels": out, "boxes": clipped, "kinds": kinds, "seen": seen, "masks": found, "record": record}


def mosaic(augment: Augment, records: list[Record], store: ImageStore, size: tuple[int, int], masks: bool) -> dict[str, Any]:
    """Four images in the quarters of one frame: many objects for the price of one image (YOLOv4, 2004.10934)."""
    w, h = size
    x, y = (round(n * augment.rng.uniform(0.35, 0.65) / 16) * 16 for n in size)
    pixels = np.empty((h, w, 3), np.uint8)
    boxes, kinds, seen, found, labels, weights = [], [], [], [], [], []
    quarters = ((0, 0, x, y), (x, 0, w, y), (0, y, x, h), (x, y, w, h))
    start = 0
    for record, (x0, y0, x1, y1) in zip(records, quarters):
        part = augment(record, store[record.name], (x1 - x0, y1 - y0), masks)
        pixels[y0:y1, x0:x1] = part["pixels"]
        scale, origin = np.array([x1 - x0, y1 - y0] * 2, np.float32), np.array([x0, y0] * 2, np.float32)
        boxes.append((part["boxes"] * scale + origin) / np.array([w, h] * 2, np.float32))
        kinds.append(part["kinds"])
        seen.append(part["seen"])
        labels.append(record.labels)
        weights.append(record.weights)
        for i, m in part["masks"]:
            whole = np.zeros((h // 4, w // 4), np.float32)
            whole[y0 // 4 : y1 // 4, x0 // 4 : x1 // 4] = m
            found.append((start + i, whole))
        start += len(record.labels)
    joined = replace(records[0], labels=np.concatenate(labels), weights=np.concatenate(weights), captions=[])
    return {
        "pixels": pixels, "boxes": np.concatenate(boxes), "kinds": np.concatenate(kinds), "seen": np.concatenate(seen),
        "masks": found, "record": joined,
    }  # fmt: skip


def collate(samples: list[dict[str, Any]], size: tuple[int, int], most: int = 60) -> Batch:
    b = len(samples)
    positives = [np.flatnonzero(s["seen"] & (s["kinds"] == POSITIVE))[:most] for s in samples]
    others = [np.flatnonzero(s["seen"] & (s["kinds"] != POSITIVE))[:most] for s in samples]
    g, n = max(1, max(map(len, positives))), max(1, max(map(len, others)))
    boxes, labels, weights = torch.zeros(b, g, 4), torch.zeros(b, g, dtype=torch.long), torch.zeros(b, g)
    ignored, ignored_labels = torch.zeros(b, n, 4), torch.full((b, n), -1)
    crowd = torch.zeros(b, n, dtype=torch.bool)
    mask_of, masks = [], []
    for i, s in enumerate(samples):
        r: Record = s["record"]
        x = s["boxes"]
        centre = torch.from_numpy(np.concatenate(((x[:, :2] + x[:, 2:]) / 2, x[:, 2:] - x[:, :2]), 1))
        p, o = positives[i], others[i]
        boxes[i, : len(p)], labels[i, : len(p)] = centre[p], torch.from_numpy(r.labels[p])
        weights[i, : len(p)] = torch.from_numpy(r.weights[p])
        ignored[i, : len(o)], ignored_labels[i, : len(o)] = centre[o], torch.from_numpy(r.labels[o])
        crowd[i, : len(o)] = torch.from_numpy(s["kinds"][o] == CROWD)
        at = {k: j for j, k in enumerate(p.tolist())}
        for k, m in s["masks"]:
            if k in at:
                mask_of.append([i, at[k]])
                masks.append(torch.from_numpy(np.ascontiguousarray(m)))
    return Batch(
        np.stack([s["pixels"] for s in samples]), boxes, labels, weights, ignored, ignored_labels, crowd,
        torch.tensor(mask_of, dtype=torch.long).reshape(-1, 2),
        torch.stack(masks) if masks else torch.zeros(0, size[1] // 4, size[0] // 4),
        [s["record"].captions for s in samples],
    )  # fmt: skip


class Sampler:
    """Batches of one input size: images whose ratio suits it, drawn by weight."""

    def __init__(self, records: list[Record], weights: np.ndarray, store: ImageStore, seed: int,
                 letterbox: tuple[int, int, int] | None = None) -> None:  # fmt: skip
        self.records, self.store, self.letterbox = records, store, letterbox
        self.weights = weights
        self.log_ratio = np.array([np.log(r.width / r.height) for r in records])
        self.start = seed
        self.seed(0)
        self.tables: dict[float, np.ndarray] = {}

    def batch(self, size: tuple[int, int], count: int, strength: float = 1.0, masks: bool = True, mosaics: float = 0.0) -> Batch:
        """`mosaics`: the share of samples that join four images."""
        ratio = size[0] / size[1]
        if ratio not in self.tables:
            far = np.abs(self.log_ratio - np.log(ratio))
            p = self.weights * np.exp(-((far / 0.45) ** 2))
            self.tables[ratio] = np.cumsum(p / p.sum())
        augment = Augment(self.rng, strength, self.letterbox)
        samples = []
        for joined in self.numpy.random(count) < mosaics:
            picks = np.searchsorted(self.tables[ratio], self.numpy.random(4 if joined else 1)).clip(0, len(self.records) - 1)
            chosen = [self.records[i] for i in picks]
            if joined:
                samples.append(mosaic(augment, chosen, self.store, size, masks))
            else:
                samples.append(augment(chosen[0], self.store[chosen[0].name], size, masks))
        return collate(samples, size)

    def seed(self, step: int) -> None:
        """What is drawn next depends on the step alone, so that a resumed run draws as one that was never stopped."""
        self.rng = random.Random(self.start * 1_000_003 + step)
        self.numpy = np.random.default_rng([self.start, step])
