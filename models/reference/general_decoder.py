# SPDX-License-Identifier: LGPL-2.1-or-later
"""General decoder g, shared by all modalities and tasks (paper 4.3): image tokens, text, or text that reads an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conditional_moe import ConditionalLinear
from .config import Decoder
from .region_decoder import SelfAttention

Cache = list[tuple[Tensor, Tensor]]  # keys and values [B, M, T, D/M] of every layer


class FeedForward(nn.Module):
    def __init__(self, config: Decoder) -> None:
        super().__init__()
        a = len(next(iter(config.attributes.values())))
        self.linear1 = ConditionalLinear(config.width, config.ffn, config.experts, config.top_k, a)
        self.linear2 = ConditionalLinear(config.ffn, config.width, config.experts, config.top_k, a)

    def forward(self, x: Tensor, attribute: Tensor) -> Tensor:
        return self.linear2(F.gelu(self.linear1(x, attribute)), attribute)


class DecoderLayer(nn.Module):
    """Pre-norm: x + attn(norm1(x)), then x + ffn(norm2(x)); post-norm norms after each sum instead."""

    def __init__(self, config: Decoder) -> None:
        super().__init__()
        self.post = config.norm == "post"
        self.norm1 = nn.LayerNorm(config.width)
        self.attn = SelfAttention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width)
        self.ffn = FeedForward(config)
        self.drop = nn.Dropout(0.0)  # of each branch's output; training sets its rate

    def forward(
        self, x: Tensor, attribute: Tensor, mask: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y = x if self.post else self.norm1(x)
        q, k, v = (self.attn.split(part) for part in F.linear(y, self.attn.in_proj_weight, self.attn.in_proj_bias).chunk(3, -1))
        kv = (k, v)
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        x = x + self.drop(self.attn.attend(q, k, v, mask))
        if self.post:
            x = self.norm1(x)
            return self.norm2(x + self.drop(self.ffn(x, attribute))), kv
        return x + self.drop(self.ffn(self.norm2(x), attribute)), kv


class GeneralDecoder(nn.Module):
    def __init__(self, config: Decoder) -> None:
        super().__init__()
        self.attributes = {k: torch.tensor(v, dtype=torch.float32) for k, v in config.attributes.items()}
        self.spe = nn.Parameter(torch.randn(config.width) * 0.02)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor, attribute: str, mask: Tensor | None = None, past: Cache | None = None) -> tuple[Tensor, Cache]:
        """x [B, T, D] → outputs [B, T, D] and each layer's keys and values of these tokens."""
        cache: Cache = []
        for i, layer in enumerate(self.layers):
            x, kv = layer(x, self.attributes[attribute], mask, past[i] if past else None)
            cache.append(kv)
        return self.norm(x), cache


def causal_mask(text: int, image: int = 0) -> Tensor:
    """[text, image + text]: token t sees every image key and text keys ≤ t."""
    mask = torch.full((text, text), float("-inf")).triu(1)
    return torch.cat((torch.zeros(text, image), mask), 1)


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """[B, 1, 1, size] of 0 and -inf: keys past a row's length are not seen."""
    pad = torch.arange(size)[None] >= lengths[:, None]
    return torch.zeros(pad.shape).masked_fill(pad, float("-inf"))[:, None, None]
