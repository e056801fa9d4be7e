# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fits what independent sentences need (NETWORK.md, "calibration") and says how far they can be trusted.

    python -m models.training.calibrate --model models/nano --data DIR [--frames DIR] [--write] [--out FILE.json]

Mean and covariance come from a random sample of train (`--images`, seen as the plugin sees images), of unit image `<SPE>`s
and of the unit vectors of regions that score at least the model's threshold for some class. Scale and offset are fitted by
logistic loss on dev, on PROMPTS for every class that an image annotates wholly, and reported on val. A region is of a class
when it overlaps an object of it by an IoU of SAME, and left out where by NEAR.
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

from models.reference.calibration import Calibration, Spread, probability
from models.reference.captions import label_scores, label_vectors
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
FOLDS = 4  # of classes: each is left out of a fit once
CLIPS = Path(__file__).with_name("clips.json")


@dataclass
class Seen:
    """An image's `<SPE>` [D], and its regions above the threshold: vectors [R, D] and boxes [R, 4] (corners, in pixels)."""

    spe: Tensor
    regions: Tensor
    boxes: np.ndarray


@dataclass
class Claims:
    """Sentences about images or regions whose truth is known: z, truth, and the class each speaks of."""

    z: np.ndarray
    truth: np.ndarray
    labels: np.ndarray

    def of(self, mine: np.ndarray) -> Claims:
        return Claims(self.z[mine], self.truth[mine], self.labels[mine])


# ---- what the model sees


@torch.no_grad()
def look(directory: Path, paths: list[Path]) -> list[Seen]:
    """One worker's images, in a process of one thread."""
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
        out.append(Seen(spe[0].clone(), decoded[0, some].clone(), corners))
    return out


def look_all(directory: Path, paths: list[Path], workers: int) -> list[Seen]:
    parts = [(directory, paths[i::workers]) for i in range(workers)]
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


def fit(z: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Scale > 0 and offset of least logistic loss: Newton's method, damped, on a convex problem of two unknowns; the scale
    is held at 1e-3 where the truth falls with z."""
    x, y = np.asarray(z, np.float64), np.asarray(truth, np.float64)
    w = np.array([1.0, 0.0])

    def loss(w: np.ndarray) -> float:
        s = w[0] * x + w[1]
        return float(np.logaddexp(0, s).mean() - (y * s).mean() + 1e-9 * w[0] ** 2)

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(w[0] * x + w[1], -500, 500)))
        gradient = np.array([((p - y) * x).mean() + 2e-9 * w[0], (p - y).mean()])
        q = p * (1 - p)
        hessian = np.array([[(q * x * x).mean() + 2e-9, (q * x).mean()], [(q * x).mean(), q.mean() + 1e-12]])
        step, rate = np.linalg.solve(hessian, gradient), 1.0
        while rate > 1e-6 and loss(w - rate * step) > loss(w):
            rate /= 2
        w = w - rate * step
        if np.abs(rate * step).max() < 1e-10:
            break
    if w[0] < 1e-3:
        rate = np.clip(y.mean(), 1e-6, 1 - 1e-6)
        return 1e-3, float(np.log(rate / (1 - rate)))
    return float(w[0]), float(w[1])


# ---- truth


def image_claims(seen: list[Seen], rows: list[Record], spread: Spread, texts: Tensor, classes: int) -> Claims:
    """Every prompt of every class that an image annotates wholly; texts [classes · prompts, D]. "Difficult" objects and
    crowds make it true."""
    z = spread.standardised(torch.stack([s.spe for s in seen]), texts).numpy().reshape(len(seen), classes, -1)
    out: list[tuple[np.ndarray, bool, int]] = []
    for i, r in enumerate(rows):
        there = set(r.labels.tolist())
        out += [(z[i, c], c in there, c) for c in sorted(r.exhaustive)]
    return joined(out, z.shape[2])


def region_claims(seen: list[Seen], rows: list[Record], spread: Spread, texts: Tensor, classes: int) -> Claims:
    """The same of every region; left out where it overlaps an object too little, or only what an image marks as "difficult"
    or as a crowd."""
    out: list[tuple[np.ndarray, bool, int]] = []
    for s, r in zip(seen, rows):
        if not len(s.boxes) or not r.exhaustive:
            continue
        z = spread.standardised(s.regions, texts).numpy().reshape(len(s.boxes), classes, -1)
        overlap = iou_matrix(s.boxes, r.boxes) if len(r.boxes) else np.zeros((len(s.boxes), 0))
        for c in sorted(r.exhaustive):
            sure = (overlap[:, (r.labels == c) & (r.kinds == POSITIVE)] >= SAME).any(1)
            unsure = (overlap[:, r.labels == c] >= NEAR).any(1) & ~sure
            out += [(z[k, c], bool(sure[k]), c) for k in np.flatnonzero(~unsure)]
    return joined(out, len(texts) // classes)


def joined(rows: list[tuple[np.ndarray, bool, int]], prompts: int) -> Claims:
    z = np.concatenate([r[0] for r in rows]) if rows else np.zeros(0)
    truth = np.repeat(np.array([r[1] for r in rows], bool), prompts)
    return Claims(z, truth, np.repeat(np.array([r[2] for r in rows], np.int64), prompts))


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


def probabilities(claims: Claims, scale: float, offset: float) -> np.ndarray:
    return probability(torch.from_numpy(claims.z).double(), scale, offset).numpy()


def left_out(dev: Claims, val: Claims) -> dict[str, Any]:
    """On val, each class by a fit on dev that did not see it."""
    p = np.zeros(len(val.z))
    for k in range(FOLDS):
        others, mine = dev.labels % FOLDS != k, val.labels % FOLDS == k
        p[mine] = probabilities(val.of(mine), *fit(dev.z[others], dev.truth[others]))
    return quality(p, val)


def clip_names() -> dict[str, dict[str, Any]]:
    return json.loads(CLIPS.read_text(encoding="utf-8"))


def frames_of(folder: Path, clip: str) -> list[Path]:
    found = sorted(p for p in (folder / clip).glob("*") if p.suffix in (".jpg", ".png"))
    if not found:
        raise FileNotFoundError(f"{folder / clip} holds no frames (.jpg, .png): see models/training/README.md")
    return found


def false_alarms(
    model: UniPerceiver, tokenizer: WordPiece, image: Spread, numbers: tuple[float, float], directory: Path, frames: Path,
    workers: int,
) -> dict[str, Any]:
    """For each clip: the share of frames and untrue sentences above ALARM, and which sentences that were."""
    out: dict[str, Any] = {}
    for clip, known in clip_names().items():
        seen = look_all(directory, frames_of(frames, clip), workers)
        z = image.standardised(torch.stack([s.spe for s in seen]), sentences(model, tokenizer, known["false"]))
        said = probability(z, *numbers) >= ALARM
        out[clip] = {
            "frames": len(seen),
            "false alarms": 100 * float(said.float().mean()),
            "sentences": {t: int(n) for t, n in zip(known["false"], said.sum(0)) if n},
        }
    return out


# ---- writing


def write(directory: Path, calibration: Calibration, numbers: dict[str, tuple[float, float]]) -> None:
    """Tensors into model.safetensors, numbers into config.json; both files are written whole beside the old ones, then take
    their places."""
    from safetensors.torch import load_file, save_file

    from .export import half, to_json

    state = load_file(directory / "model.safetensors")
    state.update(half({f"calibration.{k}": v for k, v in calibration.state_dict().items()}))
    raw = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    raw["format_version"] = max(2, raw["format_version"])
    raw["calibration"] = {k: {"scale": round(a, 6), "offset": round(c, 6)} for k, (a, c) in numbers.items()}
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
    parser.add_argument("--images", type=int, default=2000, help="of train, at random")
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
    train = random.Random(0).sample(records(o.data, "train"), o.images)
    parts = {"train": train, "dev": records(o.data, "dev"), "val": records(o.data, "val")}
    seen = {k: look_all(o.model, [o.data / r.name for r in rows], o.workers) for k, rows in parts.items()}
    calibration = Calibration(config.decoder.width)
    calibration.image = spread(torch.stack([s.spe for s in seen["train"]]))
    calibration.regions = spread(torch.cat([s.regions for s in seen["train"]]))
    result: dict[str, Any] = {"images of train": len(train), "regions of train": sum(len(s.boxes) for s in seen["train"])}
    numbers: dict[str, tuple[float, float]] = {}
    for kind, claims in (("image", image_claims), ("regions", region_claims)):
        of = getattr(calibration, kind)
        dev, val = (claims(seen[part], parts[part], of, texts, len(names)) for part in ("dev", "val"))
        numbers[kind] = fit(dev.z, dev.truth)
        result[kind] = {
            "scale": numbers[kind][0],
            "offset": numbers[kind][1],
            "val": quality(probabilities(val, *numbers[kind]), val),
            "val, classes left out of the fit": left_out(dev, val),
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
