# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts a published checkpoint's part into a model directory; what no checkpoint gave yet is random, and is listed.

    python3 -m models.importers backbone swin_base_patch4_window12_384.pth models/mine --config models/base-swin
    python3 -m models.importers text pytorch_model.bin models/mine --vocab roberta-base

KIND      what is read            checkpoints whose names are known
region    backbone, pixel         Mask DINO (detectron2 names), with ResNet-50 or Swin
          encoder, region decoder
backbone  the backbone alone      Swin of torchvision, timm, Hugging Face or its authors; ResNet-50 of torchvision or timm;
                                  EfficientNet-Lite0 of timm; MobileNetV2 of TensorFlow's ssd_mobilenet_v2_coco (the frozen graph)
text      the text encoder        BERT or RoBERTa of Hugging Face

CHECKPOINT is .pth or .bin (PyTorch), .safetensors or .pb (GraphDef). Which of them the config must fit, and what still has to be trained:
models/importers/README.md. The first import into DIR needs --config; later ones keep what is there. In the end the engine opens DIR
(upi-dump), unless there is no upi-dump.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import torch

from models.reference.config import Config
from models.reference.model import UniPerceiver
from models.training.export import half, to_json

from . import ssd_mobilenet
from .encoders import State, efficientnet_lite0, resnet50, text
from .mask_dino import mask_dino
from .swin import swin


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


def misshapen(model: UniPerceiver, state: State) -> list[str]:
    """Tensors of `state` that the network has not, or has in another shape."""
    own = model.state_dict()
    wrong = [f"{name} is not in this network" for name in state if name not in own]
    return wrong + [
        f"{name} is {list(value.shape)}, expected {list(own[name].shape)}"
        for name, value in state.items()
        if name in own and own[name].shape != value.shape
    ]


def put(model: UniPerceiver, state: State, missing: list[str] | None = None, unread: list[str] | None = None) -> None:
    """Copies tensors whose name and shape exist; anything else is an error, which lists all there is to say."""
    wrong = misshapen(model, state)
    if wrong:
        lists = (("misshapen", wrong), ("missing, these would be at random", missing), ("of the checkpoint unread", unread))
        said = "\n".join(f"  {what}:" + "".join(f"\n    {name}" for name in names) for what, names in lists if names)
        raise ValueError(f"does not fit the config:\n{said}\nis the config the right one? (models/importers/README.md)")
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
        swin_sizes = config.backbone.swin
        state, used = swin(backbone, swin_sizes) if swin_sizes else backbones[config.backbone.kind](backbone)
        given.update(state)
        unread += sorted(set(backbone) - used)
    if words is not None:
        state, used = text(words)
        given.update(state)
        unread += sorted(set(words) - used)
    if not given:
        names = ", ".join(sorted(unread)[:3])
        raise ValueError(f"has nothing of the names that this kind reads; it starts with {names}: is it of another KIND?")
    missing = sorted(set(model.state_dict()) - set(given))
    put(model, given, missing, unread)
    return model.eval(), missing, unread


def opened(directory: Path, dump: Path | None) -> str:
    """What the engine says of the directory."""
    program = str(dump) if dump else shutil.which("upi-dump")
    if program is None:
        return "not opened by the engine: no upi-dump in PATH (--dump names one)"
    result = subprocess.run([program, directory], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{directory} was written, but the engine does not open it: {result.stderr.strip()}")
    return f"opened by the engine: {result.stdout.strip().splitlines()[-1]}"


def before(directory: Path) -> State:
    """The weights of the imports before this one."""
    state: State = {}
    for name in ("model.safetensors", "text_encoder.safetensors"):
        if (directory / name).exists():
            state |= {k: v.float() if v.is_floating_point() else v for k, v in read(directory / name).items()}
    return state


def write(model: UniPerceiver, directory: Path, vocabulary: Path | None) -> None:
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    state = half(dict(model.state_dict()))
    save_file({k: v for k, v in state.items() if not k.startswith("text.")}, directory / "model.safetensors")
    save_file({k: v for k, v in state.items() if k.startswith("text.")}, directory / "text_encoder.safetensors")
    (directory / "config.json").write_text(to_json(model.config.raw) + "\n", encoding="utf-8")
    for name in ("vocab.txt", "vocab.json", "merges.txt"):
        if vocabulary and (vocabulary / name).exists():
            shutil.copyfile(vocabulary / name, directory / name)


def main() -> None:
    parser = argparse.ArgumentParser(
        "python3 -m models.importers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("region", "backbone", "text"), metavar="KIND", help="region, backbone or text")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="the file to read")
    parser.add_argument("directory", type=Path, metavar="DIR", help="the model directory, made if it is not there")
    parser.add_argument("--config", type=Path, help="config.json, or a directory with one (default: DIR's own)")
    parser.add_argument("--vocab", type=Path, help="directory of the tokenizer's files: vocab.txt, or vocab.json and merges.txt")
    parser.add_argument("--dump", type=Path, help="the upi-dump to open DIR with (default: the one in PATH)")
    o = parser.parse_args()
    if o.config is None and not (o.directory / "config.json").exists():
        parser.error(f"{o.directory} has no config.json yet: --config says which network it is to be")
    config = Config.load(o.config or o.directory)
    source = read(o.checkpoint)
    try:
        model, missing, unread = convert(config, *(source if o.kind == k else None for k in ("region", "backbone", "text")))
        kept = {k: v for k, v in before(o.directory).items() if k in missing}
        put(model, kept)
    except ValueError as e:
        raise SystemExit(f"{o.checkpoint}: {e}") from e
    write(model, o.directory, o.vocab)
    missing = [name for name in missing if name not in kept]
    if o.kind == "region" and not config.mask_dino:
        print('config.json has no "region_parts": "mask_dino": its outputs are near those of the published code, not the same')
    print(f"{len(missing)} tensors at random: {' '.join(missing)}")
    print(f"{len(unread)} names of the checkpoint unread: {' '.join(unread)}")
    print(opened(o.directory, o.dump))


if __name__ == "__main__":
    main()
