# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reference: cost, folding, caching, shapes, base kinds, export round trip."""

from __future__ import annotations

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional as F

from models.reference.backbone import fold
from models.reference.conditional_moe import ConditionalLinear
from models.reference.config import Config, Input
from models.reference.cost import image_macs
from models.reference.golden import part, picture
from models.reference.looks import looks
from models.reference.mask_head import mask_logits
from models.reference.model import UniPerceiver, load
from models.reference.pixel_encoder import DeformableAttention
from models.reference.position import pixel_centres, sine_boxes
from models.reference.preprocess import nearest_size
from models.reference.query_selection import distinct
from models.training.export import filled, write

from .small import NANO, small_config, small_model


class Cost(unittest.TestCase):
    def test_nano_stays_within_its_budget(self) -> None:
        model = UniPerceiver(Config.load(NANO), 8).eval()
        macs = image_macs(model, *model.config.input.sizes[0])
        self.assertLessEqual(sum(macs.values()), 1.6e9, macs)
        self.assertGreater(sum(macs.values()), 0.8e9, macs)


class Parts(unittest.TestCase):
    def test_folded_experts_equal_the_gated_sum(self) -> None:
        layer = ConditionalLinear(6, 5, 4, 2, 3)
        torch.nn.init.normal_(layer.experts.bias)
        x, attribute = torch.randn(2, 3, 6), torch.tensor([1.0, 0.0, 1.0])
        torch.testing.assert_close(layer(x, attribute), layer.unfolded(x, attribute))
        gates = layer.gates(attribute)
        self.assertEqual(int((gates > 0).sum()), 2)
        self.assertAlmostEqual(float(gates.sum()), 1.0, places=6)

    def test_batch_norm_folds_into_the_convolution(self) -> None:
        conv, norm = torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4, eps=1e-3).eval()
        for value in (norm.running_mean, norm.weight.data, norm.bias.data):
            value.normal_()
        norm.running_var.uniform_(0.5, 2)
        x = torch.randn(1, 3, 8, 8)
        weight, bias = fold(conv.weight, dict(norm.state_dict()), norm.eps)
        torch.testing.assert_close(F.conv2d(x, weight, bias), norm(conv(x)), atol=1e-5, rtol=1e-5)

    def test_deformable_attention_without_offsets_reads_its_own_pixel(self) -> None:
        attention = DeformableAttention(8, 2, 1, 1)
        torch.nn.init.zeros_(attention.sampling_offsets.bias)
        value = torch.randn(1, 12, 8)
        out = attention(torch.randn(1, 12, 8), pixel_centres(3, 4)[None], value, [(3, 4)])
        torch.testing.assert_close(out, attention.output_proj(attention.value_proj(value)), atol=1e-5, rtol=1e-5)

    def test_pooling_commutes_with_the_mask_product(self) -> None:
        embed, features = torch.randn(1, 3, 5), torch.randn(1, 5, 56, 96)
        pooled = embed @ F.adaptive_avg_pool2d(features, 28).flatten(2)
        torch.testing.assert_close(
            pooled, F.adaptive_avg_pool2d(mask_logits(embed, features), 28).flatten(2), atol=1e-4, rtol=1e-4
        )

    def test_looks_know_what_is_above_and_below(self) -> None:
        c2 = torch.zeros(1, 3, 24, 16)
        c2[:, 0, :12] = 2.0  # one colour above, another one below
        c2[:, 1, 12:] = 5.0
        boxes = torch.tensor([[[0.5, 0.5, 0.25, 0.5], [0.5, 0.25, 0.25, 0.375], [2.0, 0.5, 0.5, 0.5]]])  # the last one is outside
        expected = torch.tensor([[1.0, 0, 0, 0, 1, 0], [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
        torch.testing.assert_close(looks(c2, boxes)[0], F.normalize(expected, dim=-1))

    def test_box_sine_puts_cy_first(self) -> None:
        s = sine_boxes(torch.tensor([[0.25, 0.5, 0.1, 0.1]]), 8)
        self.assertAlmostEqual(float(s[0, 0]), 0.0, places=5)  # sin(2π · 0.5)
        self.assertAlmostEqual(float(s[0, 4]), 1.0, places=5)  # sin(2π · 0.25)


    def test_large_inputs_are_for_whoever_asks(self) -> None:
        several = [[384, 224], [320, 256], [288, 288], [224, 384], [640, 384], [480, 288], [512, 384]]
        sizes = replace(Config.load(NANO).input, sizes=several, aspects=[])
        for width, height, ordinary, large in (
            (1920, 1080, (384, 224), (640, 384)),
            (1500, 1000, (384, 224), (640, 384)),
            (640, 480, (320, 256), (512, 384)),
            (500, 500, (288, 288), (288, 288)),
            (480, 640, (224, 384), (224, 384)),
        ):
            self.assertEqual(nearest_size(sizes, width, height), ordinary)
            self.assertEqual(nearest_size(sizes, width, height, True), large)


    def test_a_size_may_be_for_pictures_of_another_aspect(self) -> None:
        sizes = Input([[288, 288], [384, 224], [224, 384], [640, 384]], [0.5] * 3, [0.5] * 3, aspects=[1.2, 2.0, 0.35, 1.7])
        square, wide, upright = (288, 288), (384, 224), (224, 384)
        for width, height, size in ((640, 480, square), (640, 427, square), (480, 640, square), (1920, 1080, wide), (1080, 1920, upright)):
            self.assertEqual(nearest_size(sizes, width, height), size)
        self.assertEqual(nearest_size(sizes, 1920, 1080, True), (640, 384))


class Whole(unittest.TestCase):
    def test_duplicates_come_last(self) -> None:
        def box(x: float) -> list[float]:
            return [x, 0.5, 0.4, 0.4]

        boxes = torch.tensor([[box(0.5), box(0.6), box(0.8), box(0.8)], [box(0.1), box(0.5), box(0.9), box(0.9)]])
        self.assertEqual(distinct(boxes, 0.5).tolist(), [[0, 2, 1, 3], [0, 1, 2, 3]])  # overlaps of 0.6, 0.14 and 0.33, 1

    def test_incremental_text_equals_teacher_forcing(self) -> None:
        model = small_model()
        with torch.no_grad():
            _, _, cache = model.image(model.regions(torch.randn(1, 3, 64, 96)))
            ids = torch.tensor([[1, 12, 13, 14]])
            whole = model.causal(ids, cache)
            past, steps = cache, []
            for t in range(ids.shape[1]):
                x, new = model.decoder(model.causal_inputs(ids[:, t : t + 1], t), "text_causal", None, past)
                past = [(torch.cat((a, c), 2), torch.cat((p, q), 2)) for (a, p), (c, q) in zip(past, new)]
                steps.append(model.vocabulary_cosines(x))
        torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=1e-4)

    def test_padding_does_not_change_a_text(self) -> None:
        model = small_model()
        short = torch.tensor([[1, 5, 2]])
        padded = torch.tensor([[1, 5, 2, 0, 0], [1, 6, 7, 8, 2]])
        with torch.no_grad():
            alone = model.encode_text(short, torch.tensor([3]))
            together = model.encode_text(padded, torch.tensor([3, 5]))
        torch.testing.assert_close(alone[0], together[0], atol=1e-5, rtol=1e-4)

    def test_base_kinds_run(self) -> None:
        changes = {
            "backbone": {"kind": "resnet50"},
            "levels": 4,
            "pixel_encoder": {"kind": "full", "layers": 1},
            "query": {"count": 10, "anchor": "scale", "content": "learned"},
            "mask": {"channels": 64, "groups": 32, "lateral_norm": True},
        }
        model = small_model(**changes)
        with torch.no_grad():
            spe, regions, _ = model.image(model.regions(torch.randn(1, 3, 64, 64)))
        self.assertEqual((spe.shape, regions.shape), ((1, 32), (1, 10, 32)))

    def test_export_round_trip(self) -> None:
        model = small_model()
        with tempfile.TemporaryDirectory() as folder:
            vocab = Path(folder) / "words.txt"
            vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n", encoding="utf-8")
            write(model, filled(small_config(), None, ["a"], 0.25), vocab, Path(folder) / "model")
            again = load(Path(folder) / "model")
        self.assertEqual((again.config.labels, again.config.threshold), (["a"], 0.25))
        for name, value in model.state_dict().items():
            expected = value.half().float() if value.is_floating_point() else value
            torch.testing.assert_close(again.state_dict()[name], expected, msg=name)

    def test_golden_part_samples_at_a_fixed_stride(self) -> None:
        row = part("x", torch.arange(1000.0).view(10, 100))
        self.assertEqual((row["shape"], row["stride"], row["values"][:3]), ([10, 100], 4, [0.0, 4.0, 8.0]))
        self.assertEqual(picture(384, 224)[0, 0].tolist(), [0, 1299709 % 31, 2 * 1299709 % 31])


if __name__ == "__main__":
    unittest.main()
