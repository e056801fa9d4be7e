# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps what ImageNet taught the backbone while it learns to detect.

Captions, retrieval and classification read the backbone's last map, and detection alone spoils it: captions of the nearest training
images by that map scored CIDEr-D 39 with the ImageNet weights, 26 after six hours of region training. So a linear map of it has to say
what the ImageNet backbone says of every cell (Learning without Forgetting, 1606.09282, of features in place of answers).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference.backbone import EfficientNetLite0, load_efficientnet_lite0

SHARED = EfficientNetLite0.outputs[0] + 1  # blocks up to C2: frozen in the model that trains, and so the same in both


class ImageNet:
    """The backbone as it was; no module, so that no state dict, optimizer or average knows of it."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.backbone = EfficientNetLite0()
        load_efficientnet_lite0(self.backbone, state)
        self.backbone.requires_grad_(False).to(memory_format=torch.channels_last)

    def shares_c2(self, backbone: nn.Module) -> bool:
        """Whether `backbone` is of this kind and has these weights up to C2, but for a rounding to float16."""
        if not isinstance(backbone, EfficientNetLite0):
            return False
        state = backbone.state_dict()
        parts = ("stem.", *(f"blocks.{i}." for i in range(SHARED)))
        mine = {k: v for k, v in self.backbone.state_dict().items() if k.startswith(parts)}
        return all(torch.allclose(state[k], v, rtol=1e-3, atol=1e-6) for k, v in mine.items())

    @torch.no_grad()
    def cells(self, c2: Tensor) -> Tensor:
        """C2 [B, 24, H/4, W/4] → the last map [B, H/32, W/32, 320], every cell normalised."""
        x = c2
        for block in self.backbone.blocks[SHARED:]:
            x = block(x)
        return normalised(x)


def normalised(c5: Tensor) -> Tensor:
    """[B, C, H, W] → [B, H, W, C], mean 0 and variance 1 in every cell."""
    return F.layer_norm(c5.permute(0, 2, 3, 1).float(), c5.shape[1:2])


def distillation_loss(head: nn.Linear, c5: Tensor, cells: Tensor) -> Tensor:
    """The part of the variance of `cells` that `head` does not find in c5 [B, C, H/32, W/32]."""
    return F.mse_loss(head(normalised(c5)), cells)
