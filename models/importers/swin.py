# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swin under our names, from its published names: torchvision's, timm's, Hugging Face's, and its authors' own, which detectors such as
Mask DINO keep (behind `backbone.`).

Two things differ beside names. Published code concatenates the cells of a merged patch as top left, bottom left, top right, bottom right,
ours row by row: norm and reduction of a merge are turned. And classifiers have one norm at the end, detectors one behind every stage:
a classifier's serves C5, the others start as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.reference.swin import SwinSizes

State = dict[str, Tensor]
Names = dict[str, tuple[str, ...]]  # ours, behind `backbone.` → theirs, to be put one below the other; without `.weight` and `.bias`


def of_torchvision(sizes: SwinSizes) -> Names:
    names: Names = {"patch": ("features.0.0",), "patch_norm": ("features.0.2",), "norms.3": ("norm",)}
    for i, depth in enumerate(sizes.depths):
        if i > 0:
            names[f"stages.{i}.merge.norm"] = (f"features.{2 * i}.norm",)
            names[f"stages.{i}.merge.reduction"] = (f"features.{2 * i}.reduction",)
        for j in range(depth):
            ours, theirs = f"stages.{i}.blocks.{j}", f"features.{2 * i + 1}.{j}"
            names |= {f"{ours}.{k}": (f"{theirs}.{k}",) for k in ("norm1", "norm2", "attn.qkv", "attn.proj")}
            names |= {f"{ours}.linear1": (f"{theirs}.mlp.0",), f"{ours}.linear2": (f"{theirs}.mlp.3",)}
            names[f"{ours}.attn.bias"] = (f"{theirs}.attn.relative_position_bias_table",)
    return names


def of_authors(sizes: SwinSizes, prefix: str = "", own_downsample: bool = False) -> Names:
    """timm has the authors' names too, but for where a merge stands (`own_downsample`): at the begin of the stage that it leads to."""
    names: Names = {"patch": (f"{prefix}patch_embed.proj",), "patch_norm": (f"{prefix}patch_embed.norm",), "norms.3": (f"{prefix}norm",)}
    for i, depth in enumerate(sizes.depths):
        if i > 0:
            at = f"{prefix}layers.{i if own_downsample else i - 1}.downsample"
            names |= {f"stages.{i}.merge.{k}": (f"{at}.{k}",) for k in ("norm", "reduction")}
        for j in range(depth):
            ours, theirs = f"stages.{i}.blocks.{j}", f"{prefix}layers.{i}.blocks.{j}"
            names |= {f"{ours}.{k}": (f"{theirs}.{k}",) for k in ("norm1", "norm2", "attn.qkv", "attn.proj")}
            names |= {f"{ours}.linear1": (f"{theirs}.mlp.fc1",), f"{ours}.linear2": (f"{theirs}.mlp.fc2",)}
            names[f"{ours}.attn.bias"] = (f"{theirs}.attn.relative_position_bias_table",)
    return names


def of_detector(sizes: SwinSizes, prefix: str) -> Names:
    names = of_authors(sizes, prefix)
    return names | {f"norms.{i}": (f"{prefix}norm{i}",) for i in range(4)}


# Within a block: what published checkpoints hold, and what transformers 5 calls it once loaded
PARTS = (
    *(f"attention.self.{k}" for k in ("query", "key", "value")),
    "attention.output.dense",
    "attention.self",
    "intermediate.dense",
    "output.dense",
)
PARTS_5 = (*(f"attention.{k}_proj" for k in "qkvo"), "attention.relative_position_bias", "mlp.fc1", "mlp.fc2")


def of_transformers(sizes: SwinSizes, prefix: str, parts: tuple[str, ...]) -> Names:
    *qkv, proj, attention, linear1, linear2 = parts
    names: Names = {
        "patch": (f"{prefix}embeddings.patch_embeddings.projection",),
        "patch_norm": (f"{prefix}embeddings.norm",),
        "norms.3": (f"{prefix}layernorm",),
    }
    for i, depth in enumerate(sizes.depths):
        if i > 0:
            at = f"{prefix}encoder.layers.{i - 1}.downsample"
            names |= {f"stages.{i}.merge.{k}": (f"{at}.{k}",) for k in ("norm", "reduction")}
        for j in range(depth):
            ours, theirs = f"stages.{i}.blocks.{j}", f"{prefix}encoder.layers.{i}.blocks.{j}"
            names[f"{ours}.attn.qkv"] = tuple(f"{theirs}.{k}" for k in qkv)
            names[f"{ours}.attn.bias"] = (f"{theirs}.{attention}.relative_position_bias_table",)
            names |= {
                f"{ours}.norm1": (f"{theirs}.layernorm_before",),
                f"{ours}.norm2": (f"{theirs}.layernorm_after",),
                f"{ours}.attn.proj": (f"{theirs}.{proj}",),
                f"{ours}.linear1": (f"{theirs}.{linear1}",),
                f"{ours}.linear2": (f"{theirs}.{linear2}",),
            }
    return names


def table(source: State, sizes: SwinSizes) -> Names:
    """Whose names these are, by the one of the first convolution."""
    parts = PARTS_5 if any(name.endswith(".attention.q_proj.weight") for name in source) else PARTS
    kinds: dict[str, Callable[[], Names]] = {
        "features.0.0.weight": lambda: of_torchvision(sizes),
        "swin.embeddings.patch_embeddings.projection.weight": lambda: of_transformers(sizes, "swin.", parts),
        "embeddings.patch_embeddings.projection.weight": lambda: of_transformers(sizes, "", parts),
        "backbone.patch_embed.proj.weight": lambda: of_detector(sizes, "backbone."),
        "patch_embed.proj.weight": lambda: of_authors(sizes, "", "layers.3.downsample.norm.weight" in source),
    }
    for name, names in kinds.items():
        if name in source:
            return names()
    raise ValueError(f"no Swin: expected one of {', '.join(kinds)}; the checkpoint starts with {', '.join(sorted(source)[:3])}")


def row_by_row(x: Tensor) -> Tensor:
    """The last axis, four cells' channels: published order → ours."""
    return x.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :].flatten(-2)


def swin(source: State, sizes: SwinSizes) -> tuple[State, set[str]]:
    """→ our tensors and the names read. A name that the checkpoint lacks stays out."""
    out: State = {}
    used: set[str] = set()
    for ours, theirs in table(source, sizes).items():
        for suffix in ("",) if ours.endswith(".attn.bias") else (".weight", ".bias"):
            names = [name + suffix for name in theirs]
            if not all(name in source for name in names):
                continue
            value = torch.cat([source[name] for name in names]) if len(names) > 1 else source[names[0]]
            out[f"backbone.{ours}{suffix}"] = row_by_row(value) if ".merge." in ours else value
            used.update(names)
    derived = ("relative_position_index", "attn_mask", "num_batches_tracked")
    used.update(name for name in source if name.endswith(derived))  # what follows from sizes
    for i in range(4):  # a stage that its source has no norm behind: one that starts as it is
        for suffix, value in (("weight", 1.0), ("bias", 0.0)):
            out.setdefault(f"backbone.norms.{i}.{suffix}", torch.full((sizes.channels[i],), value))
    return out, used
