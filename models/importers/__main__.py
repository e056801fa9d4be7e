# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a model directory from published checkpoints; what no checkpoint holds starts at random and is listed.

    python -m models.importers --config models/base --region mask_dino.pth --text roberta.pth --vocab DIR --out models/mine

Sources: --region (Mask DINO R50, detectron2 names), --backbone (torchvision or timm ResNet-50, timm EfficientNet-Lite0, the frozen graph
of TensorFlow's ssd_mobilenet_v2_coco), --text (Hugging Face BERT or RoBERTa). Files: .pth / .bin (PyTorch), .safetensors, .pb (GraphDef).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from models.reference.config import Config
from models.reference.model import UniPerceiver
from models.training.export import half, to_json

from . import ssd_mobilenet
from .encoders import State, efficientnet_lite0, resnet50, text
from .mask_dino import mask_dino


def read(path: Path) -> State:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if path.suffix == ".pb":
        return ssd_mobilenet.read(path)
    state = torch.load(path, map_location="cpu")
    for key in ("model", "state_dict"):
        state = state.get(key, state)
    return {k: torch.as_tensor(v) for k, v in state.items()}


def put(model: UniPerceiver, state: State) -> None:
    """Copies tensors whose name and shape exist; anything else is an error."""
    own = model.state_dict()
    for name, value in state.items():
        if name not in own:
            raise ValueError(f"{name} is not in this network: is the config the right one?")
        if own[name].shape != value.shape:
            raise ValueError(f"{name} is {list(value.shape)}, expected {list(own[name].shape)}")
    model.load_state_dict(state, strict=False)


def convert(
    config: Config, region: State | None, backbone: State | None, words: State | None
) -> tuple[UniPerceiver, list[str], list[str]]:
    """→ the model, its tensors that no checkpoint had, names in the checkpoints that nothing took."""
    torch.manual_seed(0)
    model = UniPerceiver(config, 1)
    given: State = {}
    unread: list[str] = []
    backbones = {"resnet50": resnet50, "efficientnet_lite0": efficientnet_lite0, "mobilenet_v2": ssd_mobilenet.mobilenet_v2}
    if region is not None:
        state, used = mask_dino(region, config)
        given.update(state)
        unread += sorted(set(region) - used)
    if backbone is not None:
        state, used = backbones[config.backbone.kind](backbone)
        given.update(state)
        unread += sorted(set(backbone) - used)
    if words is not None:
        state, used = text(words)
        given.update(state)
        unread += sorted(set(words) - used)
    put(model, given)
    return model.eval(), sorted(set(model.state_dict()) - set(given)), unread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="config.json, or a directory with one")
    parser.add_argument("--region", type=Path)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--vocab", type=Path, help="directory of the tokenizer's files: vocab.txt, or vocab.json and merges.txt")
    parser.add_argument("--out", type=Path, required=True)
    o = parser.parse_args()
    config = Config.load(o.config)
    model, missing, unread = convert(config, *(read(p) if p else None for p in (o.region, o.backbone, o.text)))
    from safetensors.torch import save_file

    o.out.mkdir(parents=True, exist_ok=True)
    state = half(dict(model.state_dict()))
    save_file({k: v for k, v in state.items() if not k.startswith("text.")}, o.out / "model.safetensors")
    save_file({k: v for k, v in state.items() if k.startswith("text.")}, o.out / "text_encoder.safetensors")
    (o.out / "config.json").write_text(to_json(config.raw) + "\n", encoding="utf-8")
    for name in ("vocab.txt", "vocab.json", "merges.txt"):
        if o.vocab and (o.vocab / name).exists():
            shutil.copyfile(o.vocab / name, o.out / name)
    print(f"{len(missing)} tensors at random: {' '.join(missing)}")
    print(f"{len(unread)} names of the checkpoints unread: {' '.join(unread)}")


if __name__ == "__main__":
    main()
