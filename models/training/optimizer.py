# SPDX-License-Identifier: LGPL-2.1-or-later
"""AdamW with Task-Balanced Gradient Normalization (paper 4.4, eq. 9-11), and plain AdamW, in one class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Group:
    """Parameters that share a factor on the learning rate and a weight decay."""

    parameters: list[nn.Parameter]
    scale: float = 1.0
    decay: float = 0.0


class BalancedAdamW:
    """g = ω_k ∇L/‖∇L‖;  m = (1-β1) m + (β1/s_k) g;  n = (1-β2) n + (β2/s_k) g²;  θ -= α m̂/(√n̂ + ε).

    β as in the paper: the weight of the new term. `balanced=False` is AdamW of the raw gradient. Parameters that a task does not
    reach have g = 0 there: their moments decay and they still move, as the formula says.
    """

    def __init__(
        self, groups: list[Group], beta1: float = 0.1, beta2: float = 0.01, eps: float = 1e-8, balanced: bool = True
    ) -> None:
        self.groups = [g for g in groups if g.parameters]
        self.beta1, self.beta2, self.eps, self.balanced = beta1, beta2, eps, balanced
        self.step_count = 0
        self.m = [[torch.zeros_like(p) for p in g.parameters] for g in self.groups]
        self.n = [[torch.zeros_like(p) for p in g.parameters] for g in self.groups]

    def zero_grad(self) -> None:
        for group in self.groups:
            for p in group.parameters:
                p.grad = None

    def gradients(self) -> list[Tensor]:
        return [p.grad for g in self.groups for p in g.parameters if p.grad is not None]

    @torch.no_grad()
    def step(self, lr: float, omega: float = 1.0, share: float = 1.0) -> float:
        """One update for a task of weight `omega` sampled with probability `share`; returns ‖∇L‖.

        A gradient that is not finite changes nothing.
        """
        norm = float(torch.stack([g.norm() for g in self.gradients()]).norm())
        if not norm < float("inf"):
            return norm
        self.step_count += 1
        factor = omega / max(norm, 1e-12) if self.balanced else 1.0
        share = share if self.balanced else 1.0
        b1, b2 = self.beta1, self.beta2
        c1, c2 = 1 - (1 - b1) ** self.step_count, 1 - (1 - b2) ** self.step_count
        for group, ms, ns in zip(self.groups, self.m, self.n):
            torch._foreach_mul_(ms, 1 - b1)
            torch._foreach_mul_(ns, 1 - b2)
            have = [i for i, p in enumerate(group.parameters) if p.grad is not None]
            if have:
                g = torch._foreach_mul([group.parameters[i].grad for i in have], factor)
                torch._foreach_add_([ms[i] for i in have], g, alpha=b1 / share)
                torch._foreach_addcmul_([ns[i] for i in have], g, g, b2 / share)
            root = torch._foreach_div(ns, c2)
            torch._foreach_sqrt_(root)
            torch._foreach_add_(root, self.eps)
            if group.decay:
                torch._foreach_mul_(group.parameters, 1 - lr * group.scale * group.decay)
            torch._foreach_addcdiv_(group.parameters, ms, root, -lr * group.scale / c1)
        return norm

    def state_dict(self) -> dict:
        return {"step": self.step_count, "m": self.m, "n": self.n}

    def load_state_dict(self, state: dict) -> None:
        self.step_count = state["step"]
        for mine, theirs in ((self.m, state["m"]), (self.n, state["n"])):
            for a, b in zip(mine, theirs):
                for x, y in zip(a, b):
                    x.copy_(y)


class Average:
    """Exponential moving average of a module's floating state, with a warm-up."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.state = {k: v.detach().clone() for k, v in self._state(module).items()}

    @staticmethod
    def _state(module: nn.Module) -> dict[str, Tensor]:
        return {k: v for k, v in module.named_parameters() if v.requires_grad}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        live = self._state(module)
        mine = [self.state[k] for k in live]
        torch._foreach_mul_(mine, decay)
        torch._foreach_add_(mine, [v.detach() for v in live.values()], alpha=1 - decay)

    def copy_to(self, module: nn.Module) -> None:
        module.load_state_dict(self.state, strict=False)
