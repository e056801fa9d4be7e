# SPDX-License-Identifier: LGPL-2.1-or-later
"""PicoDet-S: PaddlePaddle's files without PaddlePaddle, its parameters under our names, and what PaddlePaddle itself makes of the real ones."""

from __future__ import annotations

import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.importers.paddle_params import parameters
from models.importers.picodet import EPSILON, in_order, picodet
from models.reference.picodet import STRIDES, PicoDet
from models.training.setup import package_file

from .test_mobilenet import field, varint


def variable(name: str, kind: int = 7, persistable: int = 1) -> bytes:
    return field(1, name.encode()) + field(2, field(1, kind)) + field(3, persistable)


def stored(value: np.ndarray, kind: int = 5, packed: bool = False) -> bytes:
    dims = field(2, b"".join(varint(n) for n in value.shape)) if packed else b"".join(field(2, n) for n in value.shape)
    description = field(1, kind) + dims
    return struct.pack("<IQIi", 0, 0, 0, len(description)) + description + value.astype("<f4").tobytes()


def write(folder: Path, values: dict[str, np.ndarray], kind: int = 5, packed: bool = False) -> Path:
    program = folder / "model.pdmodel"
    others = [variable("feed", kind=9), variable("a", persistable=0)]  # no parameters
    program.write_bytes(field(1, b"".join(field(3, v) for v in [*others, *(variable(n) for n in reversed(list(values)))])))
    program.with_suffix(".pdiparams").write_bytes(b"".join(stored(values[n], kind, packed) for n in sorted(values)))
    return program


def random_parameters(seed: int = 0) -> dict[str, np.ndarray]:
    """As many as PicoDet-S has, numbered as PaddleDetection numbers them: two numbers are left out, and some values are nobody's."""
    rng = np.random.default_rng(seed)
    model, out, norm = PicoDet(), {"auto_1_": rng.random(8)}, 0
    own = dict(model.named_parameters())
    for i, (name, normed) in enumerate(in_order(model)):
        weight = own[f"{name}.weight"]
        theirs = f"conv2d_{i + (2 if i > 81 else 0)}"
        out[f"{theirs}.w_0"] = rng.normal(size=tuple(weight.shape)) / np.sqrt(weight[0].numel())
        if not normed:
            out[f"{theirs}.b_0"] = rng.normal(size=weight.shape[0])
            continue
        for key in ("w_0", "b_0", "w_1", "w_2"):
            out[f"batch_norm2d_{norm}.{key}"] = rng.uniform(0.5, 1.5, weight.shape[0])
        norm += 1
    return {k: v.astype(np.float32) for k, v in out.items()}


class Files(unittest.TestCase):
    def test_parameters_come_back(self) -> None:
        rng = np.random.default_rng(1)
        values = {"b": rng.random((3, 200)), "a.w_0": rng.random(5), "c": rng.random((1, 1))}
        for packed in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                read = parameters(write(Path(folder), values, packed=packed))
            self.assertEqual(set(read), set(values))
            for k, v in read.items():
                np.testing.assert_array_equal(v, values[k].astype(np.float32))

    def test_what_is_wrong_is_named(self) -> None:
        values = {"a": np.ones(3), "b": np.ones((2, 2))}
        with tempfile.TemporaryDirectory() as folder:
            program = write(Path(folder), values)
            path = program.with_suffix(".pdiparams")
            whole = path.read_bytes()
            for data, message in ((whole[:-1], "cut off in b"), (whole + b"x", "1 bytes behind"), (whole[:10], "pdiparams")):
                path.write_bytes(data)
                with self.assertRaisesRegex(ValueError, message):
                    parameters(program)
            path.write_bytes(whole)
            program.write_bytes(program.read_bytes()[:-1])
            with self.assertRaisesRegex(ValueError, r"model\.pdmodel: the file is cut off"):
                parameters(program)
            with self.assertRaisesRegex(ValueError, "a is of type 4, expected float32"):
                parameters(write(Path(folder), values, kind=4))
            program.write_bytes(b"")
            path.write_bytes(b"")
            with self.assertRaisesRegex(ValueError, "no parameters"):
                parameters(program)


class Importer(unittest.TestCase):
    def test_every_parameter_is_taken(self) -> None:
        values = random_parameters()
        state = picodet(values)
        self.assertEqual(set(state), set(PicoDet().state_dict()))
        torch.testing.assert_close(state["heads.3.classes.bias"], torch.from_numpy(values["conv2d_96.b_0"]))
        # the last convolution with a batch norm, whose norm is the last
        x, w = torch.randn(1, 1, 2, 2), torch.from_numpy(values["conv2d_99.w_0"])
        g, b, mean, variance = (torch.from_numpy(values[f"batch_norm2d_81.{k}"]) for k in ("w_0", "b_0", "w_1", "w_2"))
        expected = F.batch_norm(F.conv2d(x, w), mean, variance, g, b, False, 0, EPSILON)
        torch.testing.assert_close(F.conv2d(x, state["heads.3.there.1.weight"], state["heads.3.there.1.bias"]), expected)

    def test_another_network_is_refused(self) -> None:
        values = random_parameters()
        with self.assertRaisesRegex(ValueError, "conv2d_0, our backbone.stem.weight, is .*, expected"):
            picodet({**values, "conv2d_0.w_0": np.ones((24, 3, 3, 3), np.float32)})
        with self.assertRaisesRegex(ValueError, "99 convolutions and 82 batch norms, expected the 98 and 82"):
            picodet({**values, "conv2d_500.w_0": np.ones((1, 1, 1, 1), np.float32)})

    def test_cells_and_boxes(self) -> None:
        """Distances that are surely 0 or BINS − 1 strides, of the cell in the middle of the finest map."""
        torch.manual_seed(0)
        model = PicoDet(3).eval()
        for head in model.heads:
            nn.init.zeros_(head.sides.weight)
            head.sides.bias.data.fill_(-50).view(4, -1)[[0, 1, 2, 3], [0, 7, 7, 0]] = 50
        with torch.no_grad():
            found = model(torch.randn(2, 3, 96, 160))
        cells = [-(-96 // s) * -(-160 // s) for s in STRIDES]
        self.assertEqual((found.scores.shape, found.boxes.shape), ((2, sum(cells), 3), (2, sum(cells), 4)))
        torch.testing.assert_close(found.boxes[0, 6 * 20 + 10], torch.tensor([84.0, 52 - 56, 84 + 56, 52]))

    def test_the_real_one_as_paddle_has_it(self) -> None:
        try:
            program = package_file("paddlelabel_ml", "model", "PicoDet", "ckpt", "model.pdmodel")
        except FileNotFoundError:
            self.skipTest("PyPI's paddlelabel-ml is not installed")
        model = PicoDet().eval()
        model.load_state_dict(picodet(program))
        y, x = np.mgrid[:416, :416].astype(np.float32)
        picture = np.stack([np.sin(x / 37 + c) * 0.75 + np.cos(y / (23 + 5 * c)) * 0.75 for c in range(3)])
        with torch.no_grad():
            found = model(torch.from_numpy(picture[None].astype(np.float32)))
        # the best scores of some classes by PaddlePaddle 3.3, from the same parameters
        for label, score in ((0, 0.25235042), (9, 0.095375195), (11, 0.08845144), (14, 0.0823059), (15, 0.094835594)):
            self.assertAlmostEqual(float(found.scores[0, :, label].max()), score, delta=1e-4)


if __name__ == "__main__":
    unittest.main()
