# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data parallelism over torch.distributed (gloo on CPUs): every rank runs the same task, gradients are averaged."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def workers() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """One all-reduce of all gradients that exist; they exist on the same parameters of every rank, since the task is the same."""
    if workers() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in grads])
    dist.all_reduce(flat)
    flat /= workers()
    for g, part in zip(grads, flat.split([g.numel() for g in grads])):
        g.copy_(part.view_as(g))


class Gather(torch.autograd.Function):
    """Rows of all ranks, with the gradient brought home: the sum over ranks of what each made of this rank's rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(workers())]
        dist.all_gather(parts, x.contiguous())
        ctx.rows = len(x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.contiguous()
        dist.all_reduce(grad)
        return grad[rank() * ctx.rows : (rank() + 1) * ctx.rows]


def gather(x: Tensor) -> Tensor:
    """[B, D] of this rank → [B · workers, D]; every rank must hold as many rows."""
    return x if workers() == 1 else Gather.apply(x)
