# SPDX-License-Identifier: LGPL-2.1-or-later
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
from safetensors.torch import load_file

from models.reference.config import Config
from models.reference.grounding import Grounding
from models.reference.model import UniPerceiver
from models.reference.preprocess import border_colour

from . import tasks
from .cider import CiderD, plain
from .dataset import Batch, Record, Sampler, repeat_factors
from .distillation import SHARED, ImageNet
from .distributed import average_gradients, rank, workers
from .encode import EncodedSampler, Stored
from .export import average_state
from .fast import install, supported
from .images import ImageStore
from .mask_teacher import teach
from .optimizer import Average, BalancedAdamW, Group
from .setup import SOURCES, build, efficientnet_state, records
from .stages import DECODER, JUDGED, REGIONS, STAGES, STORED, TOLD, WITH_MASKS, of_decoder
from .tasks import Trainee
from .vocabulary import CaptionVocabulary

# progress from which these input sizes are drawn, with their weights
SMALL = (((288, 288), 3), ((256, 256), 1))
MIDDLE = (((320, 320), 3), ((288, 288), 1))
# the last three for what is far off, at a sixth of the steps
FULL = (((352, 352), 10), ((416, 288), 1), ((640, 384), 0.5), ((512, 384), 0.5))
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
    sizes: tuple[float, float]
    balanced: bool
    frozen: int
    backbone_rate: float
    evidence_rate: float
    detector_share: float
    start: Path | None
    fresh_decoder: bool
    decoder: Path | None
    heads: Path | None
    encoded: list[Path]
    told: float
    average: float
    stage: str
    mosaics: float
    tokens: float
    dropout: float
    denoising: int
    taught: list[Path]
    remember: bool
    save_seconds: float


class Run:
    def __init__(self, options: Options) -> None:
        self.o = options
        config = Config.load(options.model)
        if options.denoising and config.detector is not None:
            raise SystemExit(f"{options.model}: --denoising trains queries that a network with a detector does not choose itself")
        if options.denoising and config.query.content != "pixel":
            raise SystemExit(f"{options.model}: --denoising needs query.content \"pixel\", its config.json has \"{config.query.content}\"")
        self.trainee, self.words = build(config, options.data, options.seed, options.cache.with_name("words.pt"))
        detector = detector_weights(self.trainee.model) if options.detector_share else {}
        if options.start is not None:
            continue_from(self.trainee, options.start, options.fresh_decoder or options.decoder is not None)
        give_back(self.trainee.model, detector, options.detector_share)
        if options.decoder is not None:
            take_decoder(self.trainee, options.decoder)
        if options.heads is not None:
            self.trainee.heads.load_state_dict({k: v.float() for k, v in load_file(options.heads).items()})
        # the model's own candidates, whatever the texts at hand would make of the vocabulary
        self.words.vocabulary = CaptionVocabulary(self.words.tokenizer, self.trainee.model.caption.token_ids)
        if config.detector is not None:
            fix_detector(self.trainee.model)
        else:
            self.trainee.model.backbone.freeze(options.frozen)
        if options.evidence_rate == 0:
            fix_predictors(self.trainee.model)
        self.trainee.train()
        self.trainee.dropout, self.trainee.denoising = options.dropout, options.denoising
        self.trainee.model.to(memory_format=torch.channels_last)
        second = getattr(self.trainee.model, "global").backbone
        if second is not None:
            second.requires_grad_(False)  # ImageNet's, as it is
        if options.remember and options.stage == "regions" and second is None:
            self.trainee.imagenet = ImageNet(efficientnet_state())
            if not self.trainee.imagenet.shares_c2(self.trainee.model.backbone):
                raise SystemExit(
                    f"{options.start or options.model}: its backbone is not ImageNet's EfficientNet-Lite0 up to C2, which "
                    "remembering ImageNet needs; start from weights that were trained with these blocks frozen, or give --forget"
                )
        if supported():
            install(self.trainee, options.cache.parent)
            if self.trainee.imagenet is not None:
                install(self.trainee.imagenet.backbone, options.cache.parent)
        if options.stage != "joint":
            freeze_half(self.trainee, options.stage in STORED)
        self.optimizer = BalancedAdamW(groups(self.trainee, options.backbone_rate, options.evidence_rate), balanced=options.balanced)
        self.average = Average(self.trainee, options.average)
        seed = options.seed * 1000 + rank()
        if options.stage in STORED:
            stored = Stored(options.encoded)
            self.regions = EncodedSampler(stored, region_weights, seed)
            self.captions = EncodedSampler(stored, caption_weights, seed + 7)
            self.told = self.judged = self.captions
            if options.told:
                self.told = EncodedSampler(stored, caption_weights, seed + 9, options.told)
                self.judged = EncodedSampler(stored, caption_weights, seed + 11, options.told, beside=False)
            if options.stage == "refine":
                captioned = [s["record"] for group in self.told.known for s in group if s["record"].captions]
                self.words.cider = CiderD([[plain(c) for c in r.captions] for r in captioned])
                table = config.raw["caption"].get("grounding")
                if table is not None:
                    self.words.grounding = Grounding(table, config.labels, self.words.tokenizer)
        else:
            train = records(options.data, "train")
            if options.taught:
                print(f"{teach(train, options.taught)} masks of a teacher", flush=True)
            store = ImageStore(options.data, sorted({r.name for r in train}), options.cache)
            border = border_colour(config.input)
            self.regions = Sampler(train, region_weights(train), store, seed, border)
            captioned = [r for r in train if r.captions]
            self.captions = Sampler(captioned, caption_weights(captioned), store, seed + 7, border)
        self.seed = seed
        self.step, self.spent = 0, 0.0
        self.stopping = False

    # ---- one iteration

    def plan(self, step: int, progress: float) -> Plan:
        if self.o.minutes <= 0:
            progress = step / self.o.steps
        rng = random.Random(self.o.seed * 1_000_003 + step)
        kinds = STAGES[self.o.stage]
        task = rng.choices(list(kinds), [t.share for t in kinds.values()])[0]
        table = CAPTION
        if task in REGIONS:
            table = SMALL if progress < self.o.sizes[0] else MIDDLE if progress < self.o.sizes[1] else FULL
        elif progress > self.o.sizes[1]:
            table = MIDDLE
        size = rng.choices([s for s, _ in table], [w for _, w in table])[0]
        return Plan(step, task, size, progress)

    def mosaics(self, progress: float) -> float:
        """The share of mosaics: none near the end, where images look as they will in use."""
        return self.o.mosaics if progress < 0.8 else 0.0

    def count(self, task: str) -> int:
        """Images, or lines of text, of one worker's step."""
        return STAGES[self.o.stage][task].count // workers()

    def load(self, plan: Plan) -> Batch | None:
        if plan.task == "language":
            return None
        count = self.count(plan.task)
        if self.o.stage in STORED:
            of = {**dict.fromkeys(REGIONS, self.regions), **dict.fromkeys(TOLD, self.told), **dict.fromkeys(JUDGED, self.judged)}
            sampler = of.get(plan.task, self.captions)
            sampler.seed(plan.step)
            return sampler.batch(count)
        if plan.task in REGIONS:
            self.regions.seed(plan.step)
            strength = 1.0 if plan.progress < 0.85 else 0.6
            return self.regions.batch(plan.size, count, strength, plan.task in WITH_MASKS, self.mosaics(plan.progress))
        self.captions.seed(plan.step)
        return self.captions.batch(plan.size, count, 0.4, False)

    def loss(self, plan: Plan, batch: Batch | None) -> tuple[torch.Tensor, dict[str, float]]:
        if plan.task == "language":
            return tasks.language(self.trainee, self.count("language"), self.words)
        assert batch is not None
        return getattr(tasks, plan.task)(self.trainee, batch, self.words)

    def rate(self, progress: float) -> float:
        warm = min(1.0, (self.optimizer.step_count + 1) / 150)
        return self.o.lr * warm * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * min(progress, 1.0))))

    def update(self, plan: Plan, batch: Batch | None) -> dict[str, float]:
        # all that is random depends on the step and the rank alone: nothing of it has to be stored for resuming
        torch.manual_seed(self.seed * 1_000_003 + plan.step)
        self.words.rng = random.Random(self.seed * 1_000_003 + plan.step)
        self.trainee.seen_tokens = self.o.tokens if plan.progress < 0.75 else 1.0  # at the end, images as they are in use
        self.optimizer.zero_grad()
        loss, parts = self.loss(plan, batch)
        loss.backward()
        average_gradients([p for g in self.optimizer.groups for p in g.parameters])
        task = STAGES[self.o.stage][plan.task]
        parts["norm"] = self.optimizer.step(self.rate(plan.progress), task.omega, task.share)
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
            images += self.count(plan.task) * workers() if plan.task != "language" else 0
            for k, v in parts.items():
                means.setdefault(k if k != "norm" else f"norm_{plan.task}", []).append(v)
            now = time.time()
            if rank() == 0 and now - shown > 20:
                self.report(progress, images / (now - shown), began, means)
                shown, images, means = now, 0, {}
            if rank() == 0 and now - saved > self.o.save_seconds:
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
        }
        path = self.o.out / "last.pt"
        torch.save(state, path.with_suffix(".tmp"))
        os.replace(path.with_suffix(".tmp"), path)

    def restore(self, path: Path) -> None:
        state = torch.load(path, map_location="cpu", weights_only=False)
        self.trainee.load_state_dict(state["trainee"], strict=False)
        for k, v in state["average"].items():
            if k in self.average.state:
                self.average.state[k].copy_(v)
        self.average.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.spent = state["step"], state["spent"]


def region_weights(train: list[Record]) -> np.ndarray:
    return repeat_factors(train, SOURCES)


def caption_weights(train: list[Record]) -> np.ndarray:
    return np.array([min(len(r.captions), 5) / 5 * (2.0 if r.source.startswith("coco") else 1.0) for r in train])


def continue_from(trainee: Trainee, path: Path, regions: bool) -> None:
    """Takes the weights of an exported model (a directory) or the average weights of a checkpoint; what they lack keeps its start.
    `regions`: those of the region part alone."""
    state = average_state(path)
    if regions:
        state = {k: v for k, v in state.items() if k.split(".")[1] not in DECODER and not k.startswith("heads.log")}
    trainee.load_state_dict(state, strict=False)


def detector_weights(model: UniPerceiver) -> dict[str, Tensor]:
    """Of a network as it is built: the trunk and the class predictors of the detector that they come from."""
    return {k: v.clone() for k, v in model.state_dict().items() if k.startswith(("backbone.", "evidence.")) and v.dim() > 0}


def give_back(model: UniPerceiver, detector: dict[str, Tensor], share: float) -> None:
    """Takes trunk and class predictors that part of the way back to the detector's (2109.01903): training on few images of a class takes from
    what the detector knew of it, and what most images show comes back in a short training of the rest."""
    state = model.state_dict()
    model.load_state_dict({k: torch.lerp(state[k], v, share) for k, v in detector.items()}, strict=False)


def fix_predictors(model: UniPerceiver) -> None:
    """Class evidence stays what it is; how much it counts is learnt."""
    for name, p in model.named_parameters():
        if name.startswith("evidence.") and p.dim() > 0:
            p.requires_grad_(False)


def fix_detector(model: UniPerceiver) -> None:
    """A detector that was trained on far more images stays what it is."""
    for part in (model.backbone, model.pyramid, model.detector.heads):
        part.requires_grad_(False)


def take_decoder(trainee: Trainee, directory: Path) -> None:
    """Takes what the general decoder is from a model whose region part is another. What reads the region part's proposals is taken too where
    they have the same terms, what reads the map of global tokens where its encoder is the same; else it starts at random."""
    given_config, own_config = Config.load(directory), trainee.model.config
    reads = ["global.backbone."]
    if given_config.has_evidence != own_config.has_evidence or given_config.d != own_config.d:
        reads.append("proposals.")
    if given_config.global_backbone is None or given_config.global_backbone != own_config.global_backbone:
        reads.append("global.proj.")
    state = load_file(directory / "model.safetensors")
    given = {k: v.float() if v.is_floating_point() else v for k, v in state.items() if k.split(".")[0] in DECODER and not k.startswith(tuple(reads))}
    own = trainee.model.state_dict()
    wrong = [k for k, v in given.items() if k not in own or own[k].shape != v.shape]
    if wrong:
        raise SystemExit(f"{directory}: {wrong[0]} does not fit this network, and {len(wrong) - 1} others")
    trainee.model.load_state_dict(given, strict=False)
    with torch.no_grad():
        for task, value in given_config.tasks.items():
            trainee.heads.log_temperature[task].fill_(float(np.log(value["temperature"])))


def freeze_half(trainee: Trainee, decoder: bool) -> None:
    """Takes the gradient from one half of the network: what the general decoder is and reads, or the region part."""
    for name, p in trainee.named_parameters():
        if of_decoder(name) != decoder:
            p.requires_grad_(False)


def groups(trainee: Trainee, backbone: float, predictors: float = 0.1) -> list[Group]:
    """The backbone and class evidence at their shares of the rate; matrices decay, but those of the evidence, vectors do not."""
    predictors = predictors or 0.1  # of scale and offset, where the rest is fixed
    out = {(scale, decay): Group([], scale, decay) for scale in (predictors, backbone, 1.0) for decay in (0.0, 0.05)}
    for name, p in trainee.named_parameters():
        if p.requires_grad:
            evidence = name.startswith("model.evidence.")
            scale = backbone if name.startswith("model.backbone.") else predictors if evidence else 1.0
            out[scale, 0.05 if p.dim() > 1 and not evidence else 0.0].parameters.append(p)
    return [g for g in out.values() if g.parameters]


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
    parser.add_argument("--sizes", type=float, nargs=2, default=(0.6, 0.85), help="progress of the middle and full sizes")
    parser.add_argument("--plain", dest="balanced", action="store_false", help="AdamW without gradient normalization")
    parser.add_argument("--frozen", type=int, default=6, help="backbone blocks that stay fixed, with the stem; 99: the whole backbone")
    parser.add_argument("--backbone-rate", type=float, default=0.25, help="the backbone's share of --lr")
    parser.add_argument("--evidence-rate", type=float, default=0.1, help="class evidence's share of --lr; 0: its predictors stay fixed")
    parser.add_argument(
        "--detector-share", type=float, default=0.0,
        help="how far backbone and class evidence of --start go back to the detector that they come from, before anything is trained",
    )  # fmt: skip
    parser.add_argument("--start", type=Path, help="exported model (directory) or checkpoint whose weights the run starts from")
    parser.add_argument("--fresh-decoder", action="store_true", help="take only the region part from --start")
    parser.add_argument(
        "--decoder", type=Path, help="exported model (directory) of another generation that gives general decoder, text side and caption head"
    )
    parser.add_argument("--heads", type=Path, help="what export.py --heads wrote: what only training needs, and --start, a model, lacks")
    parser.add_argument(
        "--encoded", type=Path, nargs="+", default=[Path(".cache/encoded")], help="folders of what encode.py wrote, for the stages decoder and refine"
    )
    parser.add_argument(
        "--told", type=float, default=0.0, help="what views count in captioning that told.py gave captions; 0: they take no part in it"
    )
    parser.add_argument("--average", type=float, default=0.999, help="decay of the moving average of weights")
    parser.add_argument(
        "--stage", choices=tuple(STAGES), default="joint",
        help="regions: the region part alone; decoder, refine: all tasks on its stored outputs; joint: everything at once",
    )  # fmt: skip
    parser.add_argument("--mosaics", type=float, default=0.4, help="share of samples that join four images, before the last fifth")
    parser.add_argument(
        "--tokens", type=float, default=0.5,
        help="share of an image's tokens that captions, retrieval and classification see before the last quarter",
    )  # fmt: skip
    parser.add_argument("--dropout", type=float, default=0.1, help="of captioning: of the decoder's branches and of the words read")
    parser.add_argument(
        "--denoising", type=int, default=0, metavar="N",
        help="up to so many denoising queries an image in the stage regions, half of them negatives; 0: none",
    )  # fmt: skip
    parser.add_argument("--taught", type=Path, nargs="*", default=[], help="files of mask_teacher.py, for the stage regions")
    parser.add_argument("--save-seconds", type=float, default=300, help="between checkpoints")
    parser.add_argument(
        "--forget", dest="remember", action="store_false", help="let the region tasks alone shape the backbone's last map"
    )
    options = Options(**vars(parser.parse_args()))
    if options.remember and options.stage == "regions" and options.frozen < SHARED:
        parser.error(f"--frozen {options.frozen}: remembering ImageNet needs {SHARED} frozen blocks or more, or give --forget")
    if not 0 <= options.detector_share <= 1:
        parser.error(f"--detector-share {options.detector_share}: expected 0 (stay) to 1 (all the way back)")
    if options.denoising and options.stage != "regions":
        parser.error(f"--denoising {options.denoising}: the stage {options.stage} has none, only regions has")
    if options.told < 0 or (options.told and options.stage not in STORED):
        parser.error(f"--told {options.told}: expected 0 or more, and more than 0 only in the stages {' and '.join(STORED)}")
    if options.denoising < 0 or options.denoising == 1:
        parser.error(f"--denoising {options.denoising}: needs 2 or more (a positive and a negative), or 0 for none")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "rendezvous").unlink(missing_ok=True)
    if options.workers == 1:
        work(0, options)
    else:
        mp.spawn(work, (options,), options.workers)


if __name__ == "__main__":
    main()
