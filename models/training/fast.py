# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faster training steps on a CPU that has bfloat16 products (AMX, AVX-512 BF16): float32 weights and sums, bfloat16 products.

`install(model)` gives the modules of one trainee other forward functions that compute the same up to bfloat16's rounding; the reference
itself stays plain. Only training uses this: evaluation and export run the reference in float32.
"""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference import evidence, query_selection
from models.reference.backbone import Block, SameConv, same_pad
from models.reference.picodet import Conv
from models.reference.pixel_encoder import DeformableAttention, Shapes
from models.reference.region_decoder import SelfAttention

NARROW = 16  # products with fewer outputs stay in float32: box and score heads


def compile_kernels(folder: Path) -> ctypes.CDLL:
    """kernels.c and attention.c for this machine."""
    sources, library = [Path(__file__).with_name(n) for n in ("kernels.c", "attention.c")], folder / "training-kernels.so"
    if not library.exists() or library.stat().st_mtime < max(s.stat().st_mtime for s in sources):
        folder.mkdir(parents=True, exist_ok=True)
        partial = library.with_suffix(f".{id(library)}")
        command = ["gcc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", str(partial), *map(str, sources)]
        subprocess.run(command, check=True)
        partial.replace(library)
    return ctypes.CDLL(str(library))


KERNELS: list[ctypes.CDLL] = []
plain_linear = F.linear


def argument(value: Any) -> Any:
    """A tensor as a pointer, None as NULL, a number as int unless it has a type."""
    if value is None or isinstance(value, Tensor):
        return ctypes.c_void_p(None if value is None else value.data_ptr())
    return value if isinstance(value, ctypes.c_int64) else ctypes.c_int(value)


def call(name: str, *values: Any) -> None:
    getattr(KERNELS[0], name)(*map(argument, values))


def relu6_backward(g: Tensor, y: Tensor) -> Tensor:
    """bfloat16, both of one memory layout."""
    out = torch.empty_like(g)
    call("relu6_backward", g, y, out, ctypes.c_int64(g.numel()))
    return out


class Product(torch.autograd.Function):
    """x [..., K] · w [N, K] + b in bfloat16, with ReLU6 when asked; the result has x's dtype."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor | None, relu6: bool) -> Tensor:
        half, weight = x.reshape(-1, x.shape[-1]).bfloat16(), w.detach().bfloat16()
        y = plain_linear(half, weight, None if b is None else b.detach().bfloat16())
        if relu6:
            y.clamp_(0, 6)
        ctx.save_for_backward(half, weight, y if relu6 else None)
        ctx.has_bias, ctx.shape, ctx.dtype = b is not None, x.shape, x.dtype
        return y.view(*x.shape[:-1], -1).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, w, y = ctx.saved_tensors
        g = g.reshape(-1, g.shape[-1]).bfloat16()
        if y is not None:
            g = relu6_backward(g.contiguous(), y)
        dx = (g @ w).view(ctx.shape).to(ctx.dtype) if ctx.needs_input_grad[0] else None
        dw = (g.t() @ x).float() if ctx.needs_input_grad[1] else None
        db = g.sum(0, dtype=torch.float32) if ctx.has_bias and ctx.needs_input_grad[2] else None
        return dx, dw, db, None


class Depthwise(torch.autograd.Function):
    """x bfloat16 channels-last [B, C, H, W], w [C, 1, k, k], then ReLU6."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, stride: int) -> Tensor:
        n, c, h, width = x.shape
        k = w.shape[-1]
        pad = k // 2 if stride == 1 else (k - 2) // 2  # TensorFlow's SAME: more behind than before
        oh, ow = h // stride, width // stride
        taps = w.detach().reshape(c, k * k).t().contiguous()
        y = torch.empty(n, c, oh, ow, dtype=x.dtype, memory_format=torch.channels_last)
        call("depthwise_forward", x, taps, b.detach(), y, n, h, width, c, oh, ow, k, stride, pad)
        ctx.save_for_backward(x, taps, y)
        ctx.sizes = (n, h, width, c, oh, ow, k, stride, pad)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, taps, y = ctx.saved_tensors
        n, h, width, c, oh, ow, k, *_ = ctx.sizes
        g = relu6_backward(g.contiguous(memory_format=torch.channels_last), y)
        dx = torch.empty_like(x)
        call("depthwise_input", g, taps, dx, *ctx.sizes)
        dw, db = torch.empty(k * k, c), torch.empty(c)
        call("depthwise_weight", x, g, dw, db, *ctx.sizes)
        return dx, dw.t().reshape(c, 1, k, k), db, None


class ChannelsLastGroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, groups: int, eps: float) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        n, c, h, w = x.shape
        y, mean, rstd = torch.native_group_norm(x, gamma, beta, n, c, h * w, groups, eps)
        ctx.save_for_backward(x, gamma, mean, rstd)
        ctx.groups = groups
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, mean, rstd = ctx.saved_tensors
        n, c, h, w = x.shape
        g = g.contiguous(memory_format=torch.channels_last)
        dx, dgamma, dbeta = torch.empty_like(x), torch.empty(c), torch.empty(c)
        call("group_norm_backward", x, g, gamma, mean.contiguous(), rstd.contiguous(), dx, dgamma, dbeta, torch.empty(4, c), n,
             ctypes.c_int64(h * w), c, ctx.groups)  # fmt: skip
        return dx, dgamma, dbeta, None, None


class Sample(torch.autograd.Function):
    """value [B, T, M, 16], at [B, Q, M, L, K, 2] in 0..1, weights [B, Q, M, L, K] → [B, Q, M, 16]."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, at: Tensor, weights: Tensor, shapes: Tensor) -> Tensor:
        value, at, weights = value.contiguous(), at.contiguous(), weights.contiguous()
        b, q, m, levels, points = weights.shape
        out = torch.empty(b, q, m, 16)
        ctx.sizes = (b, value.shape[1], q, m, levels, points)
        call("deformable_forward", value, at, weights, out, shapes, *ctx.sizes)
        ctx.save_for_backward(value, at, weights, shapes)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        value, at, weights, shapes = ctx.saved_tensors
        dvalue, dat, dweights = torch.zeros_like(value), torch.empty_like(at), torch.empty_like(weights)
        call("deformable_backward", g.contiguous(), value, at, weights, dvalue, dat, dweights, shapes, *ctx.sizes)
        return dvalue, dat, dweights, None


HEAD = 32  # width of the heads that attention.c serves


class Attention(torch.autograd.Function):
    """q [B, M, T, 32], k and v [B, M, S, 32], mask None or [B or 1, T, S] → [B, T, M, 32]."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
        b, m, t, _ = q.shape
        ctx.sizes = (b, m, t, k.shape[2])
        strides = [torch.tensor(x.stride()[:3]) for x in (q, k, v)]
        steps = None if mask is None else torch.tensor([mask.stride(0) if len(mask) > 1 else 0, mask.stride(1)])
        out, lse = torch.empty(b, t, m, HEAD), torch.empty(b, m, t)
        ctx.inputs = [x for pair in zip((q, k, v, mask), (*strides, steps)) for x in pair]
        call("attention_forward", *ctx.inputs, out, lse, *ctx.sizes)
        ctx.save_for_backward(out, lse)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        out, lse = ctx.saved_tensors
        b, m, t, s = ctx.sizes
        dq, dk, dv = torch.empty(b, m, t, HEAD), torch.empty(b, m, s, HEAD), torch.empty(b, m, s, HEAD)
        call("attention_backward", g.contiguous(), out, lse, *ctx.inputs, dq, dk, dv, *ctx.sizes)
        return dq, dk, dv, None


def attend(self: SelfAttention, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    b, _, t, _ = q.shape
    if mask is not None:  # [T, S] or [B, 1, 1 or T, S]
        mask = (mask[None] if mask.dim() == 2 else mask[:, 0]).expand(-1, t, -1)
    return self.out_proj(Attention.apply(q, k, v, mask).view(b, t, -1))


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """[B, P, 4], [B, Q, 4] → [B, P, Q]."""
    out = torch.empty(a.shape[0], a.shape[1], b.shape[1])
    call("pairwise_iou", a.contiguous(), b.contiguous(), out, torch.empty(5, b.shape[1]), *out.shape)
    return out


def duplicates(boxes: Tensor, limit: float) -> Tensor:
    """What `query_selection.duplicates` computes."""
    return (pairwise_iou(boxes, boxes) > limit).tril(-1).any(-1)


def unknown(boxes: Tensor, ignored: Tensor, labels: Tensor, crowd: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """What `matching.unknown` computes, from the ignored boxes [B, I, 4], their labels and whether they are crowds [B, I]."""
    n, p = boxes.shape[:2]
    of_any, of_class = torch.zeros(n, p, dtype=torch.bool), torch.zeros(n, p, classes, dtype=torch.bool)
    call("unknown", boxes.contiguous(), ignored.contiguous(), labels.contiguous(), crowd.contiguous(), of_any, of_class,
         torch.empty(5, p), n, p, labels.shape[1], classes)  # fmt: skip
    return of_any, of_class


def deformable(self: DeformableAttention, query: Tensor, reference: Tensor, value: Tensor, shapes: Shapes) -> Tensor:
    b, q, d = query.shape
    at, weights = self.places(query, reference, shapes)
    v = self.value_proj(value).view(b, -1, self.heads, d // self.heads)
    sizes = torch.tensor(shapes, dtype=torch.int32)
    return self.output_proj(Sample.apply(v, at, weights, sizes).view(b, q, d))


def pointwise(conv: nn.Conv2d, x: Tensor, relu6: bool = False) -> Tensor:
    """A 1×1 convolution is a product over the channel."""
    y = Product.apply(x.permute(0, 2, 3, 1), conv.weight.flatten(1), conv.bias, relu6)
    return y.permute(0, 3, 1, 2)


def expanded(self: Block, x: Tensor) -> Tensor:
    return x if self.expand is None else pointwise(self.expand, x, True)


def rest(self: Block, x: Tensor, y: Tensor) -> Tensor:
    stride = self.depthwise.stride[0]
    if stride > 1 and (y.shape[2] % 2 or y.shape[3] % 2):  # the kernel pads as even sizes need it
        y = F.relu6(same(self.depthwise, y))
    else:
        y = Depthwise.apply(y, self.depthwise.weight, self.depthwise.bias, stride)
    y = pointwise(self.project, y)
    return x + y if self.residual else y


def same(self: SameConv, x: Tensor) -> Tensor:
    x, pad = same_pad(x.bfloat16(), self.kernel_size[0], self.stride[0])
    y = F.conv2d(x, self.weight.bfloat16(), self.bias.bfloat16(), self.stride, pad, 1, self.groups)
    return y.contiguous(memory_format=torch.channels_last)


def conv1x1(self: nn.Conv2d, x: Tensor) -> Tensor:
    return pointwise(self, x).float()


def conv3x3(self: nn.Conv2d, x: Tensor) -> Tensor:
    x = x.bfloat16().contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, self.weight.bfloat16(), self.bias.bfloat16(), self.stride, self.padding).float()


def group_norm(self: nn.GroupNorm, x: Tensor) -> Tensor:
    return ChannelsLastGroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)


def linear(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    if w.shape[0] < NARROW:
        return plain_linear(x.float(), w, b)
    return Product.apply(x.float(), w, b, False)


def supported() -> bool:
    """Whether this processor has instructions for bfloat16 products: without them they are slower than float32's."""
    return processor_has("amx_bf16") or processor_has("avx512_bf16")


def processor_has(flag: str) -> bool:
    try:
        return flag in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return False


def has_attention() -> bool:
    """Whether the compiler found the processor's matrix instructions."""
    return processor_has("amx_bf16") and hasattr(KERNELS[0], "attention_forward")


def install(model: nn.Module, cache: Path) -> None:
    """Replaces the slow forward functions of `model`, and of this process torch.nn.functional.linear,
    query_selection.duplicates and evidence.pairwise_iou."""
    if not KERNELS:
        KERNELS.append(compile_kernels(cache))
    F.linear = linear
    query_selection.duplicates, evidence.pairwise_iou = duplicates, pairwise_iou
    inside: set[nn.Module] = set()
    for m in model.modules():
        if isinstance(m, Block):
            m.expanded, m.rest = MethodType(expanded, m), MethodType(rest, m)
            inside.update(m.modules())
    for m in model.modules():
        if m in inside or isinstance(m, Conv):  # the detector stays as it is
            continue
        if isinstance(m, SameConv):
            m.forward = MethodType(same, m)
        elif isinstance(m, nn.Conv2d) and m.groups == 1:
            m.forward = MethodType(conv1x1 if m.kernel_size == (1, 1) else conv3x3, m)
        elif isinstance(m, SelfAttention) and m.out_proj.in_features == HEAD * m.heads and has_attention():
            m.attend = MethodType(attend, m)
        elif isinstance(m, nn.GroupNorm):
            m.forward = MethodType(group_norm, m)
        elif isinstance(m, DeformableAttention) and m.value_proj.out_features == 16 * m.heads:
            m.forward = MethodType(deformable, m)
