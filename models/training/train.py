"""The training loop: unmixed sampling of tasks, Task-Balanced Gradient Normalization, EMA, progressive resolution, resumable.

python -m models.training.train --data DIR --minutes 100 --workers 2
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from models.reference.config import Config

from . import tasks
from .dataset import Batch, Sampler, repeat_factors
from .distributed import average_gradients, rank, workers
from .images import ImageStore
from .optimizer import Average, BalancedAdamW, Group
from .setup import SOURCES, build, records
from .tasks import Trainee

# progress from which these input sizes are drawn, with their weights
SMALL = (((256, 160), 3), ((224, 192), 3), ((192, 192), 1), ((160, 224), 1))
MIDDLE = (((320, 192), 3), ((288, 224), 3), ((224, 224), 1), ((192, 288), 1))
FULL = (((384, 224), 4), ((320, 256), 3), ((288, 288), 1), ((224, 384), 1))
CAPTION = (((224, 224), 2), ((256, 160), 1), ((256, 192), 1))


@dataclass
class Plan:
    """One iteration, the same on every rank."""

    step: int
    task: str
    size: tuple[int, int]
    progress: float


@dataclass
class Options:
    data: Path
    model: Path
    out: Path
    cache: Path
    minutes: float
    steps: int
    lr: float
    seed: int
    workers: int
    resume: bool
    joint: float
    sizes: tuple[float, float]
    balanced: bool
    frozen: int


def shares(progress: float, joint: float) -> dict[str, float]:
    """s_k: the probability of each task."""
    if progress < joint:
        return {"detection": 1.0}
    return {
        "detection": 0.4,
        "region_classes": 0.1,
        "captioning": 0.3,
        "retrieval": 0.08,
        "classification": 0.05,
        "language": 0.07,
    }


REGIONS = ("detection", "region_classes", "classification")  # tasks that draw from the images with boxes
# The gradient of detection is spread over the whole network, little of it in the general decoder; those of the other tasks lie in the
# decoder alone. Equal weights would leave the decoder to them: these make the shares there alike.
OMEGA = {
    "detection": 1.0,
    "region_classes": 0.05,
    "captioning": 0.05,
    "retrieval": 0.02,
    "classification": 0.02,
    "language": 0.02,
}
PER_STEP = {"detection": 8, "region_classes": 12, "captioning": 12, "retrieval": 32, "classification": 16, "language": 64}


class Run:
    def __init__(self, options: Options) -> None:
        self.o = options
        config = Config.load(options.model)
        self.trainee, self.words = build(config, options.data, options.seed, options.cache.with_name("words.pt"))
        self.trainee.model.backbone.freeze(options.frozen)
        self.trainee.train()
        self.trainee.model.to(memory_format=torch.channels_last)
        self.optimizer = BalancedAdamW(groups(self.trainee), balanced=options.balanced)
        self.average = Average(self.trainee, 0.99)
        train = records(options.data, "train")
        store = ImageStore(options.data, sorted({r.name for r in train}), options.cache)
        seed = options.seed * 1000 + rank()
        self.regions = Sampler(train, repeat_factors(train, SOURCES), store, seed)
        captioned = [r for r in train if r.captions]
        self.captions = Sampler(
            captioned, np.array([2.0 if r.source.startswith("coco") else 1.0 for r in captioned]), store, seed + 7
        )
        self.words.rng = random.Random(seed + 11)
        torch.manual_seed(seed)
        self.step, self.spent = 0, 0.0
        self.stopping = False

    # ---- one iteration

    def plan(self, step: int, progress: float) -> Plan:
        rng = random.Random(self.o.seed * 1_000_003 + step)
        share = shares(progress, self.o.joint)
        task = rng.choices(list(share), list(share.values()))[0]
        table = CAPTION
        if task in REGIONS:
            table = SMALL if progress < self.o.sizes[0] else MIDDLE if progress < self.o.sizes[1] else FULL
        elif progress > self.o.sizes[1]:
            table = MIDDLE
        size = rng.choices([s for s, _ in table], [w for _, w in table])[0]
        return Plan(step, task, size, progress)

    def load(self, plan: Plan) -> Batch | None:
        if plan.task == "language":
            return None
        count = PER_STEP[plan.task] // workers()
        if plan.task in REGIONS:
            return self.regions.batch(plan.size, count, 1.0 if plan.progress < 0.85 else 0.6, plan.task == "detection")
        return self.captions.batch(plan.size, count, 0.4, False)

    def loss(self, plan: Plan, batch: Batch | None) -> tuple[torch.Tensor, dict[str, float]]:
        if plan.task == "language":
            return tasks.language(self.trainee, PER_STEP["language"] // workers(), self.words)
        assert batch is not None
        return getattr(tasks, plan.task)(self.trainee, batch, self.words)

    def rate(self, progress: float) -> float:
        warm = min(1.0, (self.optimizer.step_count + 1) / 150)
        return self.o.lr * warm * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * min(progress, 1.0))))

    def update(self, plan: Plan, batch: Batch | None) -> dict[str, float]:
        self.optimizer.zero_grad()
        loss, parts = self.loss(plan, batch)
        loss.backward()
        average_gradients([p for g in self.optimizer.groups for p in g.parameters])
        share = shares(plan.progress, self.o.joint)[plan.task]
        parts["norm"] = self.optimizer.step(self.rate(plan.progress), OMEGA[plan.task], share)
        self.average.update(self.trainee)
        return parts

    # ---- all iterations

    def progress(self, began: float) -> float:
        """By wall clock or by steps; rank 0 decides for all. Above 1: stop."""
        if self.o.minutes > 0:
            value = (self.spent + time.time() - began) / (60 * self.o.minutes)
        else:
            value = self.step / self.o.steps
        if self.stopping:
            value = 2.0
        if workers() > 1:
            shared = torch.tensor([value], dtype=torch.float64)
            dist.broadcast(shared, 0)
            value = float(shared)
        return value

    def train(self) -> None:
        loader = ThreadPoolExecutor(1)
        began = saved = shown = time.time()
        queue: list[tuple[Plan, Future[Batch | None]]] = []
        means: dict[str, list[float]] = {}
        images = 0
        while True:
            progress = self.progress(began)
            if progress >= 1:
                break
            while len(queue) < 2:
                plan = self.plan(self.step + len(queue), progress)
                queue.append((plan, loader.submit(self.load, plan)))
            plan, future = queue.pop(0)
            batch = future.result()
            parts = self.update(plan, batch)
            self.step += 1
            images += PER_STEP[plan.task] if plan.task != "language" else 0
            for k, v in parts.items():
                means.setdefault(k if k != "norm" else f"norm_{plan.task}", []).append(v)
            now = time.time()
            if rank() == 0 and now - shown > 20:
                self.report(progress, images / (now - shown), began, means)
                shown, images, means = now, 0, {}
            if rank() == 0 and now - saved > 300:
                self.save(self.spent + now - began)
                saved = now
        loader.shutdown(wait=False)
        if rank() == 0:
            self.save(self.spent + time.time() - began)

    def report(self, progress: float, speed: float, began: float, means: dict[str, list[float]]) -> None:
        spent = self.spent + time.time() - began
        left = spent / max(progress, 1e-6) - spent
        row = {k: sum(v) / len(v) for k, v in sorted(means.items())}
        text = " ".join(f"{k} {v:.3f}" for k, v in row.items())
        print(
            f"{time.strftime('%H:%M:%S')} step {self.step} {progress:.3f} {speed:.1f} img/s {left / 60:.0f} min left | {text}",
            flush=True,
        )
        with open(self.o.out / "log.csv", "a", encoding="utf-8") as file:
            file.writelines(f"{self.step},{spent:.0f},{progress:.4f},{speed:.2f},{k},{v:.5f}\n" for k, v in row.items())

    # ---- checkpoints

    def save(self, spent: float) -> None:
        state: dict[str, Any] = {
            "step": self.step,
            "spent": spent,
            "trainee": {k: v for k, v in self.trainee.state_dict().items() if not k.startswith("model.text.")},
            "average": self.average.state,
            "updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "samplers": [self.regions.state(), self.captions.state()],
            "words": self.words.rng.getstate(),
            "torch": torch.get_rng_state(),
        }
        path = self.o.out / "last.pt"
        torch.save(state, path.with_suffix(".tmp"))
        os.replace(path.with_suffix(".tmp"), path)

    def restore(self, path: Path) -> None:
        state = torch.load(path, map_location="cpu")
        self.trainee.load_state_dict(state["trainee"], strict=False)
        for k, v in state["average"].items():
            if k in self.average.state:
                self.average.state[k].copy_(v)
        self.average.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.spent = state["step"], state["spent"]
        if rank() == 0:
            for sampler, s in zip((self.regions, self.captions), state["samplers"]):
                sampler.restore(s)
            self.words.rng.setstate(state["words"])
            torch.set_rng_state(state["torch"])
        else:
            for sampler in (self.regions, self.captions):
                sampler.numpy = np.random.default_rng(self.step * 100 + rank())


def groups(trainee: Trainee) -> list[Group]:
    """The backbone at a quarter of the rate; matrices decay, vectors do not."""
    out = {(scale, decay): Group([], scale, decay) for scale in (0.25, 1.0) for decay in (0.0, 0.05)}
    for name, p in trainee.named_parameters():
        if p.requires_grad:
            scale = 0.25 if name.startswith("model.backbone.") else 1.0
            out[scale, 0.05 if p.dim() > 1 else 0.0].parameters.append(p)
    return list(out.values())


def work(index: int, options: Options) -> None:
    torch.set_num_threads(1)
    if options.workers > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{options.out.resolve()}/rendezvous", rank=index, world_size=options.workers
        )
    run = Run(options)
    signal.signal(signal.SIGTERM, lambda *_: setattr(run, "stopping", True))
    if options.resume and (options.out / "last.pt").exists():
        run.restore(options.out / "last.pt")
    run.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of train.json, extra.json, images/")
    parser.add_argument("--model", type=Path, default=Path("models/nano"), help="directory of config.json")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="last.pt, log.csv")
    parser.add_argument("--cache", type=Path, default=Path(".cache/images"), help="decoded images, made when absent")
    parser.add_argument("--minutes", type=float, default=0, help="wall-clock length of the whole run")
    parser.add_argument("--steps", type=int, default=10000, help="length of the run where --minutes is 0")
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--joint", type=float, default=0.35, help="progress from which all tasks train")
    parser.add_argument("--sizes", type=float, nargs=2, default=(0.6, 0.85), help="progress of the middle and full sizes")
    parser.add_argument("--plain", dest="balanced", action="store_false", help="AdamW without gradient normalization")
    parser.add_argument("--frozen", type=int, default=6, help="backbone blocks that stay fixed, with the stem")
    options = Options(**vars(parser.parse_args()))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "rendezvous").unlink(missing_ok=True)
    if options.workers == 1:
        work(0, options)
    else:
        mp.spawn(work, (options,), options.workers)


if __name__ == "__main__":
    main()
