# SPDX-License-Identifier: LGPL-2.1-or-later
"""Text encoder of the BERT family (paper 4.2), with Hugging Face tensor names; RoBERTa differs in its position offset."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import Text


class Embeddings(nn.Module):
    def __init__(self, config: Text) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocabulary, config.width)
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.token_type_embeddings = nn.Embedding(config.type_vocabulary, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.offset = 2 if config.kind == "roberta" else 0

    def forward(self, ids: Tensor, start: int = 0) -> Tensor:
        """ids [B, T] → LN(word + position + type 0); `start` is the position of the first token."""
        at = torch.arange(start, start + ids.shape[1]) + self.offset
        x = self.word_embeddings(ids) + self.position_embeddings(at) + self.token_type_embeddings.weight[0]
        return self.LayerNorm(x)


class Layer(nn.Module):
    """BERT layer, post-norm, exact GELU."""

    def __init__(self, config: Text) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention = nn.Module()
        attention = nn.Module()
        for name in ("query", "key", "value"):
            attention.add_module(name, nn.Linear(config.width, config.width))
        self.attention.add_module("self", attention)
        self.attention.output = self._output(config.width, config)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(config.width, config.ffn)
        self.output = self._output(config.ffn, config)

    @staticmethod
    def _output(inputs: int, config: Text) -> nn.Module:
        part = nn.Module()
        part.dense = nn.Linear(inputs, config.width)
        part.LayerNorm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        return part

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        b, t, width = x.shape
        at = self.attention.self
        q, k, v = (getattr(at, n)(x).view(b, t, self.heads, -1).transpose(1, 2) for n in ("query", "key", "value"))
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if mask is not None:
            logits = logits + mask
        y = (logits.softmax(-1) @ v).transpose(1, 2).reshape(b, t, width)
        out = self.attention.output
        x = out.LayerNorm(x + out.dense(y))
        return self.output.LayerNorm(x + self.output.dense(F.gelu(self.intermediate.dense(x))))


class TextEncoder(nn.Module):
    """Token ids [B, T] → [B, T, width]. Tensor names are BertModel's, without the pooler."""

    def __init__(self, config: Text) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask` [B, 1, 1, T] is added to the attention logits."""
        x = self.embeddings(ids)
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x
