# SPDX-License-Identifier: LGPL-2.1-or-later
"""The faster forward and backward passes of training equal the reference's, up to bfloat16's rounding where they use it."""

from __future__ import annotations

import functools
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.reference import evidence, query_selection
from models.reference.backbone import EfficientNetLite0
from models.reference.boxes import pairwise_iou
from models.reference.pixel_encoder import DeformableAttention
from models.reference.region_decoder import SelfAttention
from models.training import fast
from models.training.dataset import Batch
from models.training.matching import unknown

PLAIN_DUPLICATES = query_selection.duplicates


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected).square().sum() / expected.square().sum())


class Fast(unittest.TestCase):
    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        fast.KERNELS[:] = [fast.compile_kernels(Path(cls.folder.name))]
        torch.manual_seed(0)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()
        fast.KERNELS.clear()
        F.linear = fast.plain_linear
        query_selection.duplicates, evidence.pairwise_iou = PLAIN_DUPLICATES, pairwise_iou

    def test_depthwise(self) -> None:
        for k, stride in ((3, 1), (3, 2), (5, 1), (5, 2)):
            x = torch.randn(2, 48, 10, 14).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_()
            w, b = torch.randn(48, 1, k, k).requires_grad_(), torch.randn(48).requires_grad_()
            y = fast.Depthwise.apply(x, w, b, stride)
            g = torch.randn(y.shape)
            y.backward(g.bfloat16())
            found = [y.detach(), x.grad, w.grad, b.grad]
            plain = x.detach().float().requires_grad_()
            w.grad = b.grad = None
            before, after = (k // 2, k // 2) if stride == 1 else ((k - 2) // 2, (k - 1) // 2)
            z = F.conv2d(F.pad(plain, (before, after, before, after)), w, b, stride, 0, 1, 48).clamp(0, 6)
            z.backward(g)
            for a, e in zip(found, (z.detach(), plain.grad, w.grad, b.grad)):
                self.assertLess(error(a, e), 1e-2, (k, stride))

    def test_group_norm(self) -> None:
        norm = nn.GroupNorm(32, 128)
        norm.weight.data.normal_()
        x, g = torch.randn(2, 128, 7, 9).requires_grad_(), torch.randn(2, 128, 7, 9)
        norm(x).backward(g)
        expected = [x.grad, norm.weight.grad, norm.bias.grad]
        x.grad = norm.weight.grad = norm.bias.grad = None
        fast.group_norm(norm, x).backward(g)
        for a, e in zip((x.grad, norm.weight.grad, norm.bias.grad), expected):
            self.assertLess(error(a, e), 1e-10)

    def test_deformable_attention(self) -> None:
        shapes = [(8, 12), (4, 6), (2, 3)]
        for coordinates in (2, 4):
            attention = DeformableAttention(128, 8, 3, 4)
            attention.sampling_offsets.weight.data.normal_(std=0.2)
            attention.attention_weights.weight.data.normal_(std=0.1)
            x, v = torch.randn(2, 20, 128).requires_grad_(), torch.randn(2, 126, 128).requires_grad_()
            reference, g = torch.rand(2, 20, coordinates), torch.randn(2, 20, 128)
            results = []
            for run in (attention.forward, functools.partial(fast.deformable, attention)):
                for p in (x, v, *attention.parameters()):
                    p.grad = None
                y = run(x, reference, v, shapes)
                y.backward(g)
                results.append([y.detach(), x.grad, v.grad, *[p.grad for p in attention.parameters()]])
            for e, a in zip(*results):
                if float(e.square().sum()) > 0:
                    self.assertLess(error(a, e), 1e-10)

    def test_attention(self) -> None:
        if not fast.has_attention():
            self.skipTest("this processor or compiler has no matrix instructions for bfloat16 (AMX)")
        attention = SelfAttention(64, 2)
        for b, t, s in ((2, 5, 5), (1, 40, 70), (3, 33, 32), (2, 64, 96)):
            hidden = torch.rand(b, 1, t, s) < 0.3
            hidden[..., 0] = False
            masks = (None, torch.zeros(b, 1, t, s).masked_fill(hidden, float("-inf")),
                     torch.zeros(b, 1, 1, s).masked_fill(hidden[:, :, :1], float("-inf")),
                     torch.zeros(t, s).masked_fill(hidden[0, 0], float("-inf")))  # fmt: skip
            for mask in masks:
                x = torch.randn(b, t, 3, 2, 32).permute(2, 0, 3, 1, 4)  # q as it comes: a view with strides
                q, k, v = (y.detach().requires_grad_() for y in (x[0], torch.randn(b, 2, s, 32), torch.randn(b, 2, s, 32)))
                g = torch.randn(b, t, 64)
                results = []
                for attend in (attention.attend, lambda *a: fast.attend(attention, *a)):
                    q.grad = k.grad = v.grad = None
                    y = attend(q, k, v, mask)
                    y.backward(g)
                    results.append([y.detach(), q.grad, k.grad, v.grad])
                for e, a in zip(*results):
                    self.assertLess(error(a, e), 1e-4, (b, t, s))

    def test_product(self) -> None:
        x, w, b = torch.randn(3, 5, 40).requires_grad_(), torch.randn(24, 40).requires_grad_(), torch.randn(24).requires_grad_()
        g = torch.randn(3, 5, 24)
        fast.linear(x, w, b).backward(g)
        found = [x.grad, w.grad, b.grad]
        x.grad = w.grad = b.grad = None
        fast.plain_linear(x, w, b).backward(g)
        for a, e in zip(found, (x.grad, w.grad, b.grad)):
            self.assertLess(error(a, e), 1e-4)

    def test_overlaps_of_boxes(self) -> None:
        boxes, ignored = torch.rand(2, 50, 4), torch.rand(2, 9, 4)
        labels, crowd = torch.randint(-1, 5, (2, 9)), torch.rand(2, 9) < 0.4
        torch.testing.assert_close(fast.pairwise_iou(boxes, ignored), pairwise_iou(boxes, ignored))
        self.assertTrue(torch.equal(fast.duplicates(boxes, 0.3), PLAIN_DUPLICATES(boxes, 0.3)))
        nothing = torch.zeros(2, 1)
        batch = Batch(
            np.zeros((2, 0), np.uint8), torch.zeros(2, 1, 4), nothing.long(), nothing, ignored, labels, crowd,
            torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, 16, 16), [],
        )  # fmt: skip
        found = unknown(boxes, batch, 5)
        kernels, fast.KERNELS[:] = fast.KERNELS[:], []
        expected = unknown(boxes, batch, 5)
        fast.KERNELS[:] = kernels
        for f, e in zip(found, expected):
            self.assertTrue(bool(e.any()) and not bool(e.all()))
            self.assertTrue(torch.equal(f, e))

    def test_whole_backbone(self) -> None:
        backbone = EfficientNetLite0()
        for p in backbone.parameters():
            p.data = torch.randn_like(p) * (2 / (p[0].numel() if p.dim() > 1 else 100)) ** 0.5
        x = torch.randn(1, 3, 64, 96).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            expected = backbone(x)
            fast.install(backbone, Path(self.folder.name))
            found = backbone(x)
        for a, e in zip(found, expected):
            self.assertLess(error(a, e), 0.03)


if __name__ == "__main__":
    unittest.main()
