# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a model directory as the plugin reads it, from a checkpoint's average weights, and the golden file beside it.

python -m models.training.export --checkpoint checkpoints/last.pt --data DIR --out models/nano [--golden tests/golden/nano.json]
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.reference.config import Config
from models.reference.model import UniPerceiver

from .losses import Heads
from .setup import build, categories, minilm
from .tasks import Trainee


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """float16 for what is floating; a value that float16 cannot hold is an error."""
    out = {}
    for name, value in state.items():
        if value.is_floating_point():
            if not value.abs().max() < 65504:
                raise ValueError(f"{name} has a value of {float(value.abs().max())}, float16 holds up to 65504")
            value = value.to(torch.float16)
        out[name] = value.contiguous()
    return out


def filled(config: Config, heads: Heads | None, labels: list[str], threshold: float | None) -> dict[str, Any]:
    """The config with the learned temperatures and bias."""
    raw = dict(config.raw)
    raw["tasks"] = {k: dict(v) for k, v in config.tasks.items()}
    if heads is not None:
        for task, values in raw["tasks"].items():
            values["temperature"] = round(float(heads.temperature(task)), 6)
        raw["tasks"]["detection"]["bias"] = round(float(heads.bias), 6)
    raw["labels"] = labels
    raw["threshold"] = config.threshold if threshold is None else threshold
    return raw


def to_json(value: Any, indent: int = 0) -> str:
    """JSON with an object a line deep, short things on one line; of a list of objects each has a line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent < 110:
        return flat
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = ",\n".join(" " * (indent + 2) + json.dumps(v, ensure_ascii=False) for v in value)
        return "[\n" + rows + "\n" + " " * indent + "]"
    if not isinstance(value, dict):
        return flat
    inner = ",\n".join(" " * (indent + 2) + json.dumps(k) + ": " + to_json(v, indent + 2) for k, v in value.items())
    return "{\n" + inner + "\n" + " " * indent + "}"


def write(model: UniPerceiver, raw: dict[str, Any], vocab: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    state = model.state_dict()
    image = {k: v for k, v in state.items() if not k.startswith("text.")}
    text = {k: v for k, v in state.items() if k.startswith("text.")}
    save_file(half(image), out / "model.safetensors")
    save_file(half(text), out / "text_encoder.safetensors")
    for name in ("model.safetensors", "text_encoder.safetensors"):
        (out / name).chmod(0o644)  # safetensors writes 0600
    (out / "config.json").write_text(to_json(raw) + "\n", encoding="utf-8")
    if vocab.resolve() != (out / "vocab.txt").resolve():
        shutil.copyfile(vocab, out / "vocab.txt")


def carry_calibration(model: UniPerceiver, directory: Path) -> None:
    """The tensors of independent sentences as `directory` has them: training knows nothing of them, and `calibrate` must
    follow."""
    if not hasattr(model, "calibration"):
        return
    state = load_file(directory / "model.safetensors")
    prefix = "calibration."
    model.calibration.load_state_dict({k.removeprefix(prefix): v.float() for k, v in state.items() if k.startswith(prefix)})
    print("calibration is that of the weights before: run models.training.calibrate --write")


def average_state(trained: Path) -> dict[str, Tensor]:
    """A checkpoint's average weights, and what is not averaged; or the weights of a model directory, which has no heads of training."""
    if trained.is_dir():
        given = load_file(trained / "model.safetensors")
        return {f"model.{k}": v.float() if v.is_floating_point() else v for k, v in given.items()}
    kept = torch.load(trained, map_location="cpu")
    return {**kept["trainee"], **kept["average"]}


def average_weights(trainee: Trainee, checkpoint: Path) -> Trainee:
    """Puts them into a trainee."""
    trainee.load_state_dict(average_state(checkpoint), strict=False)
    return trainee.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, help="without it, the weights training starts from")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("models/nano"), help="directory of the config to start from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/images"), help="as in training")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--foreground-weight", type=float)
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--heads", type=Path, help="also write what only training needs (train.py --heads)")
    o = parser.parse_args()
    config = Config.load(o.model)
    if o.foreground_weight is not None:
        config.tasks["detection"]["foreground_weight"] = o.foreground_weight
    trainee, _ = build(config, o.data, 1, o.cache.with_name("words.pt"))
    if o.checkpoint:
        average_weights(trainee, o.checkpoint)
    carry_calibration(trainee.model, o.model)
    labels, _, _ = categories(o.data)
    write(trainee.model, filled(config, trainee.heads, labels, o.threshold), minilm("vocab.txt"), o.out)
    if o.heads:
        save_file(half(trainee.heads.state_dict()), o.heads)
    if o.golden:
        from models.reference import golden

        golden.write(o.out, o.golden)


if __name__ == "__main__":
    main()
