# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fits what independent sentences need (NETWORK.md, "calibration") and says how far they can be trusted.

    python -m models.training.calibrate --model models/nano --data DIR [--frames DIR] [--write] [--out FILE.json]

Mean and covariance come from a random sample of train (`--images`, seen as the plugin sees images), of unit image `<SPE>`s
and of the unit vectors of regions that score at least the model's threshold for some class. Scale and offset are fitted by
logistic loss on dev, on PROMPTS for every class that an image annotates wholly, and reported on val. A region is of a class
when it overlaps an object of it by an IoU of SAME, and left out where by NEAR. A model with class evidence gets what sightings
weigh (`seen`), fitted after these on the same claims.
`--write` puts the tensors into model.safetensors and the numbers into config.json. `--frames` holds a folder of images for
each clip of clips.json (models/training/README.md says how to make them): false alarms are counted there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.reference.calibration import Calibration, Numbers, Sighting, Spread, probability
from models.reference.captions import label_scores, label_vectors
from models.reference.classification import nearness
from models.reference.config import Config
from models.reference.model import UniPerceiver, load
from models.reference.preprocess import input_size, place, shares
from models.reference.tokenizer import WordPiece

from .dataset import POSITIVE, Record, iou_matrix
from .setup import categories, records
from .vocabulary import pad

PROMPTS = ("a photo of a {}", "there is a {} in the picture", "a {}")
ALARM = 0.8  # the probability from which a sentence counts as said to be true
SAME, NEAR = 0.5, 0.3
FLOOR = 0.03  # of a sighting's score: chosen on dev among 0.003, 0.01, 0.03 and 0.1
FOLDS = 4  # of classes: each is left out of a fit once
CLIPS = Path(__file__).with_name("clips.json")


@dataclass
class Seen:
    """An image's `<SPE>` [D], and its regions above the threshold: vectors [R, D] and boxes [R, 4] (corners, in pixels). Where
    sentences were asked for, the best score of any region for each [S], and those of these regions [R, S]."""

    spe: Tensor
    regions: Tensor
    boxes: np.ndarray
    best: Tensor
    scores: Tensor


@dataclass
class Claims:
    """Sentences about images or regions whose truth is known: z, the best region's score, how near the sentence is to one of the
    model's own labels (0 to 1), truth, and the class each speaks of."""

    z: np.ndarray
    score: np.ndarray
    part: np.ndarray
    truth: np.ndarray
    labels: np.ndarray

    def of(self, mine: np.ndarray) -> Claims:
        return Claims(*(getattr(self, k)[mine] for k in ("z", "score", "part", "truth", "labels")))


# ---- what the model sees


@torch.no_grad()
def look(directory: Path, paths: list[Path], texts: Tensor) -> list[Seen]:
    """One worker's images, in a process of one thread; texts [S, D]."""
    torch.set_num_threads(1)
    model = load(directory)
    labels = label_vectors(model, WordPiece(directory / "vocab.txt"))
    model = model.to(memory_format=torch.channels_last)
    out = []
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        size = (pixels.shape[1], pixels.shape[0])
        network = input_size(model.config.input, *size)
        x = place(pixels, network, model.config.input)
        across, down = shares(model.config.input, size, network)
        r = model.regions(x.contiguous(memory_format=torch.channels_last))
        spe, decoded, _ = model.image(r)
        scores = label_scores(model, r, decoded, labels).max(-1)[0]
        some = scores >= model.config.threshold
        box = r.boxes[-1][0, some].numpy() * np.array([size[0] / across, size[1] / down] * 2, np.float32)
        corners = np.concatenate((box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2), 1)
        of_texts = label_scores(model, r, decoded, texts, labels)
        out.append(Seen(spe[0].clone(), decoded[0, some].clone(), corners, of_texts.amax(0), of_texts[some]))
    return out


def look_all(directory: Path, paths: list[Path], workers: int, texts: Tensor) -> list[Seen]:
    parts = [(directory, paths[i::workers], texts) for i in range(workers)]
    if workers == 1:
        return look(*parts[0])
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        found = pool.starmap(look, parts)
    return [found[i % workers][i // workers] for i in range(len(paths))]


@torch.no_grad()
def sentences(model: UniPerceiver, tokenizer: WordPiece, texts: list[str]) -> Tensor:
    rows = [tokenizer.encode(t) for t in texts]
    return torch.cat([model.encode_text(*pad(rows[i : i + 64])) for i in range(0, len(rows), 64)])


# ---- fitting


def spread(vectors: Tensor) -> Spread:
    """Mean and covariance of what is made unit vectors here."""
    x = F.normalize(vectors.double(), dim=-1)
    out = Spread(x.shape[1])
    out.mean.copy_(x.mean(0))
    out.covariance.copy_((x - x.mean(0)).T @ (x - x.mean(0)) / len(x))
    return out


def least(features: np.ndarray, base: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Weights [F] of least logistic loss of `base` + features [N, F] · weights: Newton's method, damped, on a convex problem."""
    x, y = np.asarray(features, np.float64), np.asarray(truth, np.float64)
    w = np.zeros(x.shape[1])

    def loss(w: np.ndarray) -> float:
        s = base + x @ w
        return float((np.logaddexp(0, s) - y * s).mean() + 1e-9 * (w * w).sum())

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(base + x @ w, -500, 500)))
        gradient = x.T @ (p - y) / len(y) + 2e-9 * w
        hessian = (x.T * (p * (1 - p))) @ x / len(y) + 1e-9 * np.eye(len(w))
        step, rate = np.linalg.solve(hessian, gradient), 1.0
        while rate > 1e-6 and loss(w - rate * step) > loss(w):
            rate /= 2
        w = w - rate * step
        if np.abs(rate * step).max() < 1e-10:
            break
    return w


def fit(claims: Claims, with_sightings: bool = False) -> Numbers:
    """Scale > 0 and offset, the scale held at 1e-3 where the truth falls with z; then what sightings weigh: beside them z is worth
    nothing (fitted along, its weight is 0)."""
    z, truth = claims.z.astype(np.float64), claims.truth
    scale, offset = least(np.stack((z, np.ones_like(z)), 1), np.zeros_like(z), truth)
    if scale < 1e-3:
        rate = np.clip(truth.mean(), 1e-6, 1 - 1e-6)
        scale, offset = 1e-3, np.log(rate / (1 - rate))
    if not with_sightings:
        return Numbers(float(scale), float(offset))
    part, seen = claims.part.astype(np.float64), np.log(claims.score.astype(np.float64) + FLOOR)
    base = (1 - part) * (scale * z + offset)
    weight, at_one = least(np.stack((part * seen, part), 1), base, truth)
    return Numbers(float(scale), float(offset), Sighting(max(0.0, float(weight)), float(at_one), FLOOR))


# ---- truth

Claim = tuple[np.ndarray, np.ndarray, bool, int]  # of an image or a region and a class: z and scores [prompts], truth, class


def image_claims(
    seen: list[Seen], rows: list[Record], spread: Spread, texts: Tensor, parts: np.ndarray, classes: int
) -> Claims:  # fmt: skip
    """Every prompt of every class that an image annotates wholly; texts [classes · prompts, D], parts [classes · prompts]: how near
    each is to one of the model's labels. "Difficult" objects and crowds make it true."""
    z = spread.standardised(torch.stack([s.spe for s in seen]), texts).numpy().reshape(len(seen), classes, -1)
    out: list[Claim] = []
    for i, r in enumerate(rows):
        there, best = set(r.labels.tolist()), seen[i].best.numpy().reshape(classes, -1)
        out += [(z[i, c], best[c], c in there, c) for c in sorted(r.exhaustive)]
    return joined(out, parts.reshape(classes, -1))


def region_claims(
    seen: list[Seen], rows: list[Record], spread: Spread, texts: Tensor, parts: np.ndarray, classes: int
) -> Claims:  # fmt: skip
    """The same of every region; left out where it overlaps an object too little, or only what an image marks as "difficult"
    or as a crowd."""
    out: list[Claim] = []
    for s, r in zip(seen, rows):
        if not len(s.boxes) or not r.exhaustive:
            continue
        z = spread.standardised(s.regions, texts).numpy().reshape(len(s.boxes), classes, -1)
        scores = s.scores.numpy().reshape(len(s.boxes), classes, -1)
        overlap = iou_matrix(s.boxes, r.boxes) if len(r.boxes) else np.zeros((len(s.boxes), 0))
        for c in sorted(r.exhaustive):
            sure = (overlap[:, (r.labels == c) & (r.kinds == POSITIVE)] >= SAME).any(1)
            unsure = (overlap[:, r.labels == c] >= NEAR).any(1) & ~sure
            out += [(z[k, c], scores[k, c], bool(sure[k]), c) for k in np.flatnonzero(~unsure)]
    return joined(out, parts.reshape(classes, -1))


def joined(rows: list[Claim], parts: np.ndarray) -> Claims:
    """parts [classes, prompts]."""

    def many(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(values) if values else np.zeros(0)

    labels = np.array([r[3] for r in rows], np.int64)
    truth = np.array([r[2] for r in rows], bool)
    prompts = parts.shape[1]
    return Claims(
        many([r[0] for r in rows]), many([r[1] for r in rows]), parts[labels].reshape(-1), np.repeat(truth, prompts),
        np.repeat(labels, prompts),
    )  # fmt: skip


# ---- figures


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    """The share of pairs of a true and an untrue claim that are in order; ties count half."""
    _values, index, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[index]
    true, untrue = int(truth.sum()), int((~truth).sum())
    if not true or not untrue:
        return float("nan")
    return float((rank[truth].sum() - true * (true + 1) / 2) / (true * untrue))


def calibration_error(p: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Mean over bins of equal count of |mean probability − share of true ones|."""
    order = np.argsort(p, kind="stable")
    return float(np.mean([abs(p[b].mean() - truth[b].mean()) for b in np.array_split(order, bins) if len(b)]))


def quality(p: np.ndarray, claims: Claims) -> dict[str, Any]:
    base = float(claims.truth.mean())
    alarms = p >= ALARM
    return {
        "claims": len(p),
        "true": 100 * base,
        "Brier": float(((p - claims.truth) ** 2).mean()),
        "Brier of the base rate": base * (1 - base),
        "calibration error": calibration_error(p, claims.truth),
        "AUC": auc(p, claims.truth),
        f"said at {ALARM}": int(alarms.sum()),
        f"of them true at {ALARM}": 100 * float(claims.truth[alarms].mean()) if alarms.any() else None,
    }


def probabilities(claims: Claims, numbers: Numbers) -> np.ndarray:
    return probability(*(torch.from_numpy(x).double() for x in (claims.z, claims.score, claims.part)), numbers).numpy()


def left_out(dev: Claims, val: Claims, with_sightings: bool) -> dict[str, Any]:
    """On val, each class by a fit on dev that did not see it."""
    p = np.zeros(len(val.z))
    for k in range(FOLDS):
        others, mine = dev.labels % FOLDS != k, val.labels % FOLDS == k
        p[mine] = probabilities(val.of(mine), fit(dev.of(others), with_sightings))
    return quality(p, val)


def clip_names() -> dict[str, dict[str, Any]]:
    return json.loads(CLIPS.read_text(encoding="utf-8"))


def frames_of(folder: Path, clip: str) -> list[Path]:
    found = sorted(p for p in (folder / clip).glob("*") if p.suffix in (".jpg", ".png"))
    if not found:
        raise FileNotFoundError(f"{folder / clip} holds no frames (.jpg, .png): see models/training/README.md")
    return found


def false_alarms(
    model: UniPerceiver, tokenizer: WordPiece, image: Spread, numbers: Numbers, directory: Path, frames: Path, workers: int,
) -> dict[str, Any]:
    """For each clip: the share of frames and untrue sentences above ALARM, and which sentences that were."""
    out: dict[str, Any] = {}
    for clip, known in clip_names().items():
        texts = sentences(model, tokenizer, known["false"])
        seen = look_all(directory, frames_of(frames, clip), workers, texts)
        z = image.standardised(torch.stack([s.spe for s in seen]), texts)
        best = torch.stack([s.best for s in seen])
        said = probability(z, best, nearness(model, texts, label_vectors(model, tokenizer)), numbers) >= ALARM
        out[clip] = {
            "frames": len(seen),
            "false alarms": 100 * float(said.float().mean()),
            "sentences": {t: int(n) for t, n in zip(known["false"], said.sum(0)) if n},
        }
    return out


# ---- writing


def to_config(numbers: Numbers) -> dict[str, Any]:
    out: dict[str, Any] = {"scale": round(numbers.scale, 6), "offset": round(numbers.offset, 6)}
    if numbers.seen is not None:
        out["seen"] = {k: round(v, 6) for k, v in vars(numbers.seen).items()}
    return out


def write(directory: Path, calibration: Calibration, numbers: dict[str, Numbers]) -> None:
    """Tensors into model.safetensors, numbers into config.json; both files are written whole beside the old ones, then take
    their places."""
    from safetensors.torch import load_file, save_file

    from .export import half, to_json

    state = load_file(directory / "model.safetensors")
    state.update(half({f"calibration.{k}": v for k, v in calibration.state_dict().items()}))
    raw = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    raw["format_version"] = max(2, raw["format_version"])
    raw["calibration"] = {k: to_config(of) for k, of in numbers.items()}
    tensors, config = directory / "model.safetensors.new", directory / "config.json.new"
    save_file(state, tensors)
    tensors.chmod(0o644)  # safetensors writes 0600
    config.write_text(to_json(raw) + "\n", encoding="utf-8")
    tensors.replace(directory / "model.safetensors")
    config.replace(directory / "config.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2000, help="of train, at random; 0: mean and covariance stay")
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    names, _, _ = categories(o.data)
    config = Config.load(o.model)
    if names != config.labels:
        raise SystemExit(f"the labels of {o.model} are not the categories of {o.data}")
    model, tokenizer = load(o.model), WordPiece(o.model / "vocab.txt")
    texts = sentences(model, tokenizer, [p.format(n) for n in names for p in PROMPTS])
    parts = nearness(model, texts, label_vectors(model, tokenizer))
    rows = {k: records(o.data, k) for k in ("dev", "val")}
    seen = {k: look_all(o.model, [o.data / r.name for r in of], o.workers, texts) for k, of in rows.items()}
    calibration = Calibration(config.decoder.width)
    result: dict[str, Any] = {}
    if o.images:
        train = [o.data / r.name for r in random.Random(0).sample(records(o.data, "train"), o.images)]
        looked = look_all(o.model, train, o.workers, texts[:1])
        calibration.image = spread(torch.stack([s.spe for s in looked]))
        calibration.regions = spread(torch.cat([s.regions for s in looked]))
        result = {"images of train": len(train), "regions of train": sum(len(s.boxes) for s in looked)}
    else:
        calibration.load_state_dict(model.calibration.state_dict())
    numbers: dict[str, Numbers] = {}
    for kind, claims in (("image", image_claims), ("regions", region_claims)):
        of = getattr(calibration, kind)
        dev, val = (claims(seen[k], rows[k], of, texts, parts.numpy(), len(names)) for k in ("dev", "val"))
        numbers[kind] = fit(dev, model.config.has_evidence)
        result[kind] = {
            **to_config(numbers[kind]),
            "val": quality(probabilities(val, numbers[kind]), val),
            "val, classes left out of the fit": left_out(dev, val, model.config.has_evidence),
        }
    if o.frames:
        result["clips"] = false_alarms(model, tokenizer, calibration.image, numbers["image"], o.model, o.frames, o.workers)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if o.out:
        o.out.write_text(text + "\n", encoding="utf-8")
    if o.write:
        write(o.model, calibration, numbers)


if __name__ == "__main__":
    main()
