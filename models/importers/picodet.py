# SPDX-License-Identifier: LGPL-2.1-or-later
"""The COCO-trained PicoDet-S of PaddleDetection (Apache-2.0), as PaddlePaddle exports it, under the names of models/reference/picodet.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.reference.backbone import fold
from models.reference.picodet import Conv, Head, Merge, PicoDet, Separable

from .encoders import State
from .paddle_params import parameters

EPSILON = 1e-5  # of batch norms, as the program has it


def in_order(model: PicoDet) -> Iterator[tuple[str, bool]]:
    """Our convolutions in the order in which PaddleDetection makes its own, which numbers them, and whether a batch norm follows."""

    def of(name: str, part: nn.Module) -> Iterator[tuple[str, bool]]:
        if isinstance(part, nn.Conv2d):
            yield name, isinstance(part, Conv)
        elif isinstance(part, Separable):
            for step in ("depthwise", "squeeze", "excite", "pointwise"):
                if getattr(part, step, None) is not None:
                    yield from of(f"{name}.{step}", getattr(part, step))
        elif isinstance(part, Merge):
            yield from of(f"{name}.first", part.first)
            yield from of(f"{name}.second", part.second)
        elif isinstance(part, nn.ModuleList):
            for i, child in enumerate(part):
                yield from of(f"{name}.{i}", child)
        else:
            raise TypeError(f"{name} is a {type(part).__name__}")

    yield from of("backbone.stem", model.backbone.stem)
    yield from of("backbone.blocks", model.backbone.blocks)
    for name in ("lateral", "beyond_before", "beyond_after", "down"):
        yield from of(f"pyramid.{name}", getattr(model.pyramid, name))
    for i, (stride, up) in enumerate(zip(model.pyramid.stride, model.pyramid.up)):
        yield from of(f"pyramid.stride.{i}", stride)
        yield from of(f"pyramid.up.{i}", up)
    heads: list[Head] = list(model.heads)
    for i, head in enumerate(heads):
        for name in ("layers", "gate", "mix"):
            yield from of(f"heads.{i}.{name}", getattr(head, name))
    for i, head in enumerate(heads):
        for name in ("classes", "sides"):
            yield from of(f"heads.{i}.{name}", getattr(head, name))
        yield f"heads.{i}.there.0", True
        yield f"heads.{i}.there.1", True


def numbered(names: list[str], kind: str) -> list[str]:
    """Layers of a kind that have parameters, by their numbers: "conv2d_7" of "conv2d_7.w_0"."""
    found = {m.group(1) for n in names if (m := re.fullmatch(rf"({kind}_\d+)\.[wb]_\d", n))}
    return sorted(found, key=lambda n: int(n.rsplit("_", 1)[1]))


def picodet(source: Path | dict[str, np.ndarray], classes: int = 80) -> State:
    """A program (NAME.pdmodel, with NAME.pdiparams beside it), or what is read of it → the state of PicoDet."""
    where = source if isinstance(source, Path) else Path("the parameters")
    values = parameters(source) if isinstance(source, Path) else source
    model = PicoDet(classes)
    ours, own = list(in_order(model)), model.state_dict()
    convolutions, norms = numbered(list(values), "conv2d"), numbered(list(values), "batch_norm2d")
    wanted = sum(normed for _, normed in ours)
    if (len(convolutions), len(norms)) != (len(ours), wanted):
        counts = f"{len(convolutions)} convolutions and {len(norms)} batch norms"
        raise ValueError(f"{where}: {counts}, expected the {len(ours)} and {wanted} of PicoDet-S")
    out: State = {}
    norm = iter(norms)
    for (name, normed), theirs in zip(ours, convolutions):
        weight = torch.from_numpy(np.array(values[f"{theirs}.w_0"]))
        if weight.shape != own[f"{name}.weight"].shape:
            shapes = f"{list(weight.shape)}, expected {list(own[f'{name}.weight'].shape)}"
            raise ValueError(f"{where}: {theirs}, our {name}.weight, is {shapes}")
        if normed:
            at = next(norm)
            keys = (("weight", "w_0"), ("bias", "b_0"), ("running_mean", "w_1"), ("running_var", "w_2"))
            weight, bias = fold(weight, {k: torch.from_numpy(np.array(values[f"{at}.{v}"])) for k, v in keys}, EPSILON)
        else:
            bias = torch.from_numpy(np.array(values[f"{theirs}.b_0"]))
        out[f"{name}.weight"], out[f"{name}.bias"] = weight.contiguous(), bias
    return out
