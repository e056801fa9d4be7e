# SPDX-License-Identifier: LGPL-2.1-or-later
"""Published encoders under our names: ResNet-50 (torchvision, timm, detectron2), EfficientNet-Lite0 (timm), BERT and RoBERTa.

Each takes a state dict and returns ours with the names it used; batch norms are folded on the way.
"""

from __future__ import annotations

from torch import Tensor

from models.reference.backbone import STAGES, fold

State = dict[str, Tensor]


class Folder:
    """Collects folded convolutions and remembers which names of the source it read."""

    def __init__(self, source: State, eps: float) -> None:
        self.source, self.eps = source, eps
        self.out: State = {}
        self.used: set[str] = set()

    def conv(self, ours: str, weight: str, norm: str) -> None:
        """What the source lacks stays missing."""
        names = {k: f"{norm}.{k}" for k in ("weight", "bias", "running_mean", "running_var")}
        if not {f"{weight}.weight", *names.values()} <= self.source.keys():
            return
        self.used.update((f"{weight}.weight", *names.values()))
        parts = {k: self.source[name] for k, name in names.items()}
        self.out[f"{ours}.weight"], self.out[f"{ours}.bias"] = fold(self.source[f"{weight}.weight"], parts, self.eps)


def resnet50(source: State) -> tuple[State, set[str]]:
    """torchvision and timm names: conv1, bn1, layer1.0.conv1, layer1.0.bn1, layer1.0.downsample.0 ..."""
    f = Folder(source, 1e-5)
    f.conv("backbone.stem", "conv1", "bn1")
    for layer, repeats in enumerate((3, 4, 6, 3), 1):
        for j in range(repeats):
            at = f"layer{layer}.{j}"
            for k in (1, 2, 3):
                f.conv(f"backbone.{at}.conv{k}", f"{at}.conv{k}", f"{at}.bn{k}")
            if j == 0:
                f.conv(f"backbone.{at}.downsample", f"{at}.downsample.0", f"{at}.downsample.1")
    return f.out, f.used


def resnet50_detectron2(source: State) -> tuple[State, set[str]]:
    """detectron2 names: backbone.stem.conv1, backbone.res2.0.conv1.norm, ... (stride in the 3×3)."""
    f = Folder(source, 1e-5)
    f.conv("backbone.stem", "backbone.stem.conv1", "backbone.stem.conv1.norm")
    for layer, repeats in enumerate((3, 4, 6, 3), 1):
        for j in range(repeats):
            theirs, ours = f"backbone.res{layer + 1}.{j}", f"backbone.layer{layer}.{j}"
            for k in (1, 2, 3):
                f.conv(f"{ours}.conv{k}", f"{theirs}.conv{k}", f"{theirs}.conv{k}.norm")
            if j == 0:
                f.conv(f"{ours}.downsample", f"{theirs}.shortcut", f"{theirs}.shortcut.norm")
    return f.out, f.used


def efficientnet_lite0(source: State) -> tuple[State, set[str]]:
    """timm names: conv_stem, bn1, blocks.{stage}.{j}.conv_pw, ... (`tf_efficientnet_lite0`, eps 1e-3)."""
    f = Folder(source, 1e-3)
    f.conv("backbone.stem", "conv_stem", "bn1")
    i = 0
    for stage, (repeats, *_, expansion, _) in enumerate(STAGES):
        for j in range(repeats):
            theirs, ours = f"blocks.{stage}.{j}", f"backbone.blocks.{i}"
            if expansion == 1:
                f.conv(f"{ours}.depthwise", f"{theirs}.conv_dw", f"{theirs}.bn1")
                f.conv(f"{ours}.project", f"{theirs}.conv_pw", f"{theirs}.bn2")
            else:
                f.conv(f"{ours}.expand", f"{theirs}.conv_pw", f"{theirs}.bn1")
                f.conv(f"{ours}.depthwise", f"{theirs}.conv_dw", f"{theirs}.bn2")
                f.conv(f"{ours}.project", f"{theirs}.conv_pwl", f"{theirs}.bn3")
            i += 1
    return f.out, f.used


def text(source: State) -> tuple[State, set[str]]:
    """Hugging Face names of BertModel or RobertaModel, bare or behind `bert.` / `roberta.`."""
    prefix = next((p for p in ("bert.", "roberta.") if any(k.startswith(p) for k in source)), "")
    out: State = {}
    used: set[str] = set()
    for name, value in source.items():
        ours = name[len(prefix) :] if name.startswith(prefix) else ""
        # TensorFlow conversions call a norm's weight and bias gamma and beta
        ours = ours.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if ours.startswith(("embeddings.", "encoder.")) and not ours.endswith("position_ids"):
            out[f"text.{ours}"] = value
            used.add(name)
    if not out:
        raise ValueError("the checkpoint has neither embeddings.* nor encoder.*")
    return out, used
