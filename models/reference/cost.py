# SPDX-License-Identifier: LGPL-2.1-or-later
"""Multiply-accumulates of the image side, counted from the operations that run: matrix products, convolutions, sampling."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .model import UniPerceiver

aten = torch.ops.aten


class CountMacs(TorchDispatchMode):
    """Adds up the cost of every matrix product, convolution and bilinear sample (4 MACs a channel) inside the context."""

    def __init__(self) -> None:
        super().__init__()
        self.macs: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        kind = func.overloadpacket
        if kind == aten.mm:
            self.macs["linear"] += args[0].numel() * args[1].shape[1]
        elif kind == aten.addmm:
            self.macs["linear"] += args[1].numel() * args[2].shape[1]
        elif kind == aten.bmm:
            self.macs["attention"] += args[0].numel() * args[1].shape[2]
        elif kind == aten.convolution:
            self.macs["convolution"] += out.numel() * args[1][0].numel()
        elif kind == aten.grid_sampler_2d:
            self.macs["sampling"] += 4 * out.numel()
        return out


@torch.no_grad()
def image_macs(model: UniPerceiver, width: int, height: int) -> Counter[str]:
    """Image side at an input size: backbone to decoded regions, masks of all queries included."""
    from .mask_head import mask_logits

    with CountMacs() as counted:
        regions = model.regions(torch.zeros(1, 3, height, width))
        model.image(regions)
        mask_logits(regions.mask_embed, regions.mask_features, regions.boxes[-1])
    # folding experts happens once, when a model is loaded
    decoder = model.config.decoder
    fold = decoder.layers * 2 * decoder.experts * (decoder.width * decoder.ffn)
    fold += decoder.layers * decoder.experts * (decoder.width + decoder.ffn)
    counted.macs["linear"] -= fold
    return counted.macs
