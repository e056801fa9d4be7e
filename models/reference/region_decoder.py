# SPDX-License-Identifier: LGPL-2.1-or-later
"""Region decoder: queries attend to each other and, deformably, to the memory; every layer refines its box (DINO, Mask DINO)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .pixel_encoder import DeformableAttention, Shapes
from .position import MLP, inverse_sigmoid, sine_boxes


class SelfAttention(nn.Module):
    """Multi-head attention with PyTorch's tensor names; q and k may carry a position that v does not."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * d, d))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * d))
        self.out_proj = nn.Linear(d, d)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def split(self, x: Tensor) -> Tensor:
        """[B, T, d] → [B, M, T, d/M]."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        """q, k, v [B, M, T, d/M], mask added to the logits → [B, T, d]."""
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2).contiguous()  # contiguous: 4× on a CPU
        if mask is not None:
            logits = logits + mask
        out = (logits.softmax(-1) @ v).transpose(1, 2)
        return self.out_proj(out.reshape(*out.shape[:2], -1))

    def forward(self, x: Tensor, pos: Tensor, mask: Tensor | None = None) -> Tensor:
        d = x.shape[-1]
        w, b = self.in_proj_weight, self.in_proj_bias
        qk = nn.functional.linear(x + pos, w[: 2 * d], b[: 2 * d])
        v = nn.functional.linear(x, w[2 * d :], b[2 * d :])
        return self.attend(self.split(qk[..., :d]), self.split(qk[..., d:]), self.split(v), mask)


class RegionLayer(nn.Module):
    def __init__(self, d: int, heads: int, levels: int, points: int, ffn: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(d, heads)
        self.norm1 = nn.LayerNorm(d)
        self.cross_attn = DeformableAttention(d, heads, levels, points)
        self.norm2 = nn.LayerNorm(d)
        self.linear1 = nn.Linear(d, ffn)
        self.linear2 = nn.Linear(ffn, d)
        self.norm3 = nn.LayerNorm(d)

    def forward(
        self, x: Tensor, pos: Tensor, box: Tensor, memory: Tensor, shapes: Shapes, mask: Tensor | None = None
    ) -> Tensor:
        x = self.norm1(x + self.self_attn(x, pos, mask))
        x = self.norm2(x + self.cross_attn(x + pos, box, memory, shapes))
        return self.norm3(x + self.linear2(self.linear1(x).relu()))


class RegionDecoder(nn.Module):
    """content [B, N, d], box_0 [B, N, 4] → q_sem and q_box of every layer, the last of which are the result. Without `refines` the boxes stay
    what they are: a detector's that was trained on far more."""

    def __init__(
        self, layers: int, d: int, heads: int, levels: int, points: int, ffn: int, mask_dino: bool = False, refines: bool = True
    ) -> None:
        super().__init__()
        self.d, self.mask_dino = d, mask_dino
        self.ref_point_head = MLP(2 * d, d, d)
        self.layers = nn.ModuleList(RegionLayer(d, heads, levels, points, ffn) for _ in range(layers))
        self.box = nn.ModuleList(MLP(d, d, d, 4) for _ in range(layers if refines else 0))
        self.norm = nn.LayerNorm(d)
        self.foreground = nn.Linear(d, 1)
        nn.init.constant_(self.foreground.bias, -3.0)
        for head in self.box:
            nn.init.zeros_(head.layers[-1].weight)
            nn.init.zeros_(head.layers[-1].bias)

    def forward(
        self, x: Tensor, box: Tensor, memory: Tensor, shapes: Shapes, mask: Tensor | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """`mask` [B, 1, N, N], added to the logits of self-attention: training has queries that others must not see."""
        semantics, boxes = [], []
        for i, layer in enumerate(self.layers):
            box = box.detach()
            x = layer(x, self.ref_point_head(sine_boxes(box, self.d)), box, memory, shapes, mask)
            if not self.box:
                semantics.append(self.norm(x))
                boxes.append(box)
                continue
            head = self.box[i]
            before, box = box, (head(x) + inverse_sigmoid(box)).sigmoid()
            if self.mask_dino:  # results have a norm more than what the next layer reads: boxes one, heads two
                x_norm = self.norm(x)
                semantics.append(self.norm(x_norm))
                boxes.append((head(x_norm) + inverse_sigmoid(before)).sigmoid())
            else:
                semantics.append(self.norm(x))
                boxes.append(box)
        return semantics, boxes
