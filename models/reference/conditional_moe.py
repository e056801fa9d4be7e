# SPDX-License-Identifier: LGPL-2.1-or-later
"""Conditional mixture of experts with attribute-level routing (Uni-Perceiver-MoE, 2206.04674)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConditionalLinear(nn.Module):
    """A linear map for each expert; the gate sees a token's attributes, never its content.

    For one attribute row the gated sum of experts is one dense matrix, which is what runs.
    """

    def __init__(self, inputs: int, outputs: int, experts: int, top_k: int, attributes: int) -> None:
        super().__init__()
        self.top_k = top_k
        self.experts = nn.Module()
        self.experts.weight = nn.Parameter(torch.empty(experts, outputs, inputs))
        self.experts.bias = nn.Parameter(torch.zeros(experts, outputs))
        self.gate = nn.Module()
        self.gate.weight = nn.Parameter(torch.randn(experts, attributes) * 0.5)
        for e in range(experts):
            nn.init.xavier_uniform_(self.experts.weight.data[e])
        # a sum of k independent experts at softmax weights has less variance than one expert
        self.experts.weight.data.mul_(min(top_k, experts) ** 0.5)

    def gates(self, attribute: Tensor) -> Tensor:
        """Attribute row [A] → [E]: softmax over the k largest, zero elsewhere."""
        z = self.gate.weight @ attribute
        values, index = z.topk(min(self.top_k, len(z)))
        return torch.zeros_like(z).scatter(0, index, values.softmax(0))

    def fold(self, attribute: Tensor) -> tuple[Tensor, Tensor]:
        """The dense weight [out, in] and bias [out] of an attribute row."""
        g = self.gates(attribute)
        weight = (g @ self.experts.weight.flatten(1)).view_as(self.experts.weight[0])
        return weight, g @ self.experts.bias

    def forward(self, x: Tensor, attribute: Tensor) -> Tensor:
        return F.linear(x, *self.fold(attribute))

    def unfolded(self, x: Tensor, attribute: Tensor) -> Tensor:
        """The definition, expert by expert: for the test that folding changes nothing."""
        g = self.gates(attribute)
        return sum(g[e] * F.linear(x, self.experts.weight[e], self.experts.bias[e]) for e in range(len(g)))
