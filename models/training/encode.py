# SPDX-License-Identifier: LGPL-2.1-or-later
"""The region part's outputs for every training image, computed once: the general decoder then learns all tasks from them.

    python -m models.training.encode --checkpoint checkpoints/regions/last.pt --data DIR --out .cache/encoded

Each image is seen in a few augmented views (`--views`), each of an input size near its own ratio. A worker W writes, for each view V and
size, memory-mapped arrays (`W-V-WxH-c5.npy` ...) and what is known of the images (`W-V-WxH.pkl`).
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing as mp

from models.reference.config import Config, Input
from models.reference.preprocess import border_colour, normalise, ordinary_sizes

from .dataset import Augment, Batch, Encoded, Record, collate
from .export import average_weights
from .fast import install, supported
from .images import ImageStore
from .setup import build, records
from .tasks import Trainee, Words

FIELDS = ("c5", "semantics", "boxes", "pooled", "selection", "speaks")  # speaks: only of a network with class evidence
ROADS = ("manaus", "atl_traffic", "roads")  # sources whose images show roads
SQUASHED = ("flickr8k_more",)  # sources whose images lost their ratio: two in three were wider than high, 4:3 or 3:2
STEP = 255.0  # the pooled masks' probabilities are stored in bytes


def choose_size(record: Record, config: Input, rng: random.Random) -> tuple[int, int]:
    """An input size, likelier the nearer its ratio is to the image's; of an image that has lost its ratio, to that of a photograph."""
    sizes = ordinary_sizes(config)
    if record.source in SQUASHED:
        weight = [1.0 if w < h else 0.6 if w == h else 1.0 if w > 1.5 * h else 1.6 for w, h in sizes]
        w, h = rng.choices(sizes, weight)[0]
        return w, h
    weight = [math.exp(-(((math.log(record.width / record.height) - math.log(config.aspect(s))) / 0.3) ** 2)) + 1e-9 for s in sizes]
    w, h = rng.choices(sizes, weight)[0]
    return w, h


def add_trained(parser: argparse.ArgumentParser) -> None:
    """The options that `trained` reads."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="or a model directory")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/nano"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/images"))


def trained(o: argparse.Namespace) -> tuple[Trainee, Words]:
    """The average weights of a checkpoint, or a model directory's, on one thread."""
    torch.set_num_threads(1)
    trainee, words = build(Config.load(o.model), o.data, 1, o.cache.with_name("words.pt"))
    average_weights(trainee, o.checkpoint)
    if supported():
        install(trainee, o.cache.parent)
    return trainee, words


@torch.no_grad()
def encode(rank: int, workers: int, o: argparse.Namespace) -> None:
    trainee, _ = trained(o)
    config = trainee.model.config
    model = trainee.model.to(memory_format=torch.channels_last)
    train = [r for r in records(o.data, "train") if not o.sources or r.source in o.sources]
    store = ImageStore(o.data, sorted({r.name for r in train}), o.cache)
    rng = random.Random(o.seed * 100 + rank)
    augment = Augment(rng, o.strength, border_colour(config.input))
    every = max(1, len(train) // workers // o.limit) if o.limit else 1
    mine = train[rank::workers][::every]
    groups: list[tuple[int, int, int, list[Record]]] = []  # view, width, height, images
    for view in range(o.views):
        by_size: dict[tuple[int, int], list[Record]] = {}
        for record in mine:
            by_size.setdefault(choose_size(record, config.input, rng), []).append(record)
        groups += [(view, w, h, rows) for (w, h), rows in by_size.items()]
    done, began, count = 0, time.time(), o.views * len(mine)
    for view, w, h, rows in groups:
        stem = o.out / f"{rank}-{view}-{w}x{h}"
        n, d = config.query.count, config.d
        shapes = {
            "c5": (*config.global_shape(w, h), config.global_channels), "semantics": (n, d), "boxes": (n, 4), "pooled": (n, 784),
            "selection": (n,), "speaks": (n, len(config.labels)),
        }  # fmt: skip
        types = {
            "c5": np.float16, "semantics": np.float16, "boxes": np.float32, "pooled": np.uint8, "selection": np.float32, "speaks": np.float16,
        }  # fmt: skip
        arrays = {
            k: np.lib.format.open_memmap(f"{stem}-{k}.npy", "w+", types[k], (len(rows), *shapes[k]))
            for k in FIELDS
            if k != "speaks" or config.has_evidence
        }
        known: list[dict[str, Any]] = []
        for i in range(0, len(rows), 8):
            part = rows[i : i + 8]
            samples = [
                augment(r, store[r.name], (w, h), False, r.source in SQUASHED, r.source in ROADS and rng.random() < o.empty) for r in part
            ]
            r = model.regions(normalise(np.stack([s["pixels"] for s in samples]), config.input))
            at = slice(i, i + len(part))
            arrays["c5"][at] = r.last_map.float().permute(0, 2, 3, 1).numpy()
            arrays["semantics"][at] = r.semantics[-1].numpy()
            arrays["boxes"][at] = r.boxes[-1].numpy()
            arrays["selection"][at] = r.selection.numpy()
            if r.speaks:
                arrays["speaks"][at] = r.speaks[-1].numpy()
            arrays["pooled"][at] = (r.pooled.sigmoid() * STEP).round().to(torch.uint8).numpy()
            known += [{**s, "pixels": np.zeros(0, np.uint8), "record": slim(s["record"])} for s in samples]
            done += len(part)
            if rank == 0 and i % 400 == 0:
                speed = done / (time.time() - began)
                print(f"{done * workers} of {count * workers} images, {(count - done) / speed:.0f} s left", flush=True)
        with open(f"{stem}.pkl", "wb") as file:
            pickle.dump(known, file)


def slim(record: Record) -> Record:
    """Without the masks, which are the bulk of it."""
    return Record(**{**vars(record), "masks": []})


class Stored:
    """What folders of encode.py hold: groups of views of one size."""

    def __init__(self, folders: list[Path]) -> None:
        self.groups: list[dict[str, np.ndarray]] = []
        self.known: list[list[dict[str, Any]]] = []
        self.sizes: list[tuple[int, int]] = []
        self.stems: list[str] = []
        for folder in folders:
            if not any(folder.glob("*.pkl")):
                raise FileNotFoundError(f"{folder} holds no stored images: run models.training.encode first")
        for path in [p for folder in folders for p in sorted(folder.glob("*.pkl"))]:
            with open(path, "rb") as file:
                self.known.append(pickle.load(file))
            stem = str(path.with_suffix(""))
            self.stems.append(stem)
            self.groups.append({k: np.load(f"{stem}-{k}.npy", mmap_mode="r") for k in FIELDS if Path(f"{stem}-{k}.npy").exists()})
            w, h = path.stem.split("-")[-1].split("x")
            self.sizes.append((int(w), int(h)))

    def told(self) -> list[list[list[str]]]:
        """What told.py gave the views of each group."""
        for stem in self.stems:
            if not Path(f"{stem}-told.json").exists():
                raise FileNotFoundError(f"{stem}-told.json is not there: run models.training.told --encoded {Path(stem).parent} first")
        return [json.loads(Path(f"{stem}-told.json").read_text(encoding="utf-8")) for stem in self.stems]

    def load(self, g: int, picks: np.ndarray, known: list[dict[str, Any]] | None = None) -> Batch:
        """Those views of a group, of which `known` is known, or what was stored."""
        arrays = {k: torch.from_numpy(v[picks]).float() for k, v in self.groups[g].items()}
        known = self.known[g] if known is None else known
        batch = collate([known[i] for i in picks], self.sizes[g])
        pooled = torch.logit(arrays["pooled"] / STEP, eps=1e-3)
        batch.encoded = Encoded(arrays["c5"].permute(0, 3, 1, 2), arrays["semantics"], arrays["boxes"], pooled, arrays["selection"], arrays.get("speaks"))
        return batch


def with_told(view: dict[str, Any], captions: list[str]) -> dict[str, Any]:
    return {**view, "record": replace(view["record"], captions=view["record"].captions + captions)}


class EncodedSampler:
    """Batches of stored images of one size, drawn by `weigh`: records → weights, 0 where an image does not serve."""

    def __init__(self, stored: Stored, weigh: Any, seed: int, told: float = 0.0, beside: bool = True) -> None:
        """`told`: views have what told.py gave them beside their own captions, and count so much where they have none of their own;
        0: they have not. Without `beside` those with captions of their own have these alone."""
        self.stored, self.known = stored, stored.known
        own = [np.array([bool(view["record"].captions) for view in group]) for group in self.known]
        if told:
            self.known = [
                [with_told(v, c) if beside or not mine else v for v, c, mine in zip(*of)] for of in zip(self.known, stored.told(), own)
            ]
        weights = weigh([view["record"] for group in self.known for view in group])
        parts = np.split(weights, np.cumsum([len(g) for g in self.known])[:-1])
        if told:
            parts = [part * np.where(mine, 1.0, told) for part, mine in zip(parts, own)]
        self.tables = [np.cumsum(p / max(p.sum(), 1e-12)) for p in parts]
        share = np.array([p.sum() for p in parts])
        self.share = np.cumsum(share / share.sum())
        self.start = seed
        self.seed(0)

    def seed(self, step: int) -> None:
        self.numpy = np.random.default_rng([self.start, step])

    def batch(self, count: int) -> Batch:
        g = int(np.searchsorted(self.share, self.numpy.random()).clip(0, len(self.known) - 1))
        picks = np.searchsorted(self.tables[g], self.numpy.random(count)).clip(0, len(self.known[g]) - 1)
        return self.stored.load(g, picks, self.known[g])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_trained(parser)
    parser.add_argument("--out", type=Path, default=Path(".cache/encoded"))
    parser.add_argument("--strength", type=float, default=0.4, help="of augmentation")
    parser.add_argument("--views", type=int, default=2, help="of every image")
    parser.add_argument("--sources", nargs="+", help="only images of these; default all")
    parser.add_argument("--empty", type=float, default=0.0, help="share of the images of roads of which a part is seen where nothing is")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0, help="only so many images a worker")
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    if not 0 <= o.empty <= 1:
        parser.error(f"--empty {o.empty}: expected a share, 0 to 1")
    known = {r.source for r in records(o.data, "train")} if o.sources else set()
    if unknown := set(o.sources or []) - known:
        parser.error(f"--sources {' '.join(sorted(unknown))}: {o.data} has {' '.join(sorted(known))}")
    o.out.mkdir(parents=True, exist_ok=True)
    for old in [*o.out.glob("*.npy"), *o.out.glob("*.pkl"), *o.out.glob("*-told.json")]:
        old.unlink()
    mp.spawn(encode, (o.workers, o), o.workers)


if __name__ == "__main__":
    main()
