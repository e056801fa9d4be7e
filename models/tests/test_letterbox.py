# SPDX-License-Identifier: LGPL-2.1-or-later
"""Letterboxed inputs: sizes in whole numbers (tests/core/model/test-config.c has the same rows), the border, windows of
training that keep an aspect, and what of an input is the picture's."""

from __future__ import annotations

import random
import unittest

import numpy as np
import torch

from models.reference.config import Config, Input
from models.reference.preprocess import (
    input_size,
    normalise,
    picture_size,
    place,
    shares,
    stretch,
)
from models.training.dataset import Augment
from models.training.evaluate import of_picture

from .small import small_config


def letterbox(**more: object) -> Input:
    return Input(sizes=[[96, 64]], mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.5], resize="letterbox", **more)  # type: ignore[arg-type]


class Sizes(unittest.TestCase):
    def test_of_an_input(self) -> None:
        for image, size, picture in (
            ((96, 64), (96, 64), (96, 64)),
            ((1920, 1080), (64, 64), (64, 36)),
            ((1080, 1920), (64, 64), (36, 64)),
            ((3, 5), (64, 96), (58, 96)),
            ((5000, 1), (64, 64), (64, 1)),
            ((8, 5), (96, 64), (96, 60)),
            ((13, 8), (52, 32), (52, 32)),
            ((16, 3), (32, 32), (32, 6)),
            ((64, 5), (32, 32), (32, 3)),
        ):
            self.assertEqual(picture_size(letterbox(), image, size), picture)

    def test_by_the_short_side(self) -> None:
        config = letterbox(short=800, long=1333)
        for image, size, picture in (
            ((640, 480), (1088, 800), (1067, 800)),
            ((480, 640), (800, 1088), (800, 1067)),
            ((1920, 1080), (1344, 768), (1333, 750)),
            ((800, 800), (800, 800), (800, 800)),
            ((427, 640), (800, 1216), (800, 1199)),
        ):
            self.assertEqual(input_size(config, *image), size)
            self.assertEqual(picture_size(config, image, size), picture)
        self.assertEqual(picture_size(config, (640, 480), (64, 64)), (64, 48))

    def test_a_config_says_so(self) -> None:
        raw = small_config().raw
        raw = {**raw, "format_version": 2, "input": {**raw["input"], "resize": "letterbox", "short": 64, "long": 96}}
        self.assertEqual(input_size(Config.from_json(raw).input, 30, 20), (96, 64))
        with self.assertRaisesRegex(ValueError, "letterbox needs format_version 2"):
            Config.from_json({**raw, "format_version": 1})


class Places(unittest.TestCase):
    def test_the_picture_lies_at_the_top_left(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (10, 40, 3), np.uint8)
        for config, border in ((letterbox(), (0, 0, 0)), (letterbox(pad=[0.6, 0.75, 0.1]), (1, 1, -1))):
            x = place(pixels, (96, 64), config)
            torch.testing.assert_close(x[:, :, :24], normalise(stretch(pixels, 96, 24), config))
            torch.testing.assert_close(x[0, :, 24:], torch.tensor(border).float()[:, None, None].expand(3, 40, 96))
        self.assertEqual(shares(letterbox(), (40, 10), (96, 64)), (1, 0.375))

    def test_masks_lose_the_border(self) -> None:
        logits = torch.arange(8.0)[None, None, :].expand(1, 4, 8)
        self.assertIs(of_picture(logits, 1, 1), logits)
        torch.testing.assert_close(of_picture(logits, 0.5, 1)[0, 0], torch.arange(4.0))
        self.assertEqual(tuple(of_picture(logits, 1, 0.5).shape), (1, 2, 8))

    def test_training_keeps_the_aspect(self) -> None:
        for seed in range(30):
            augment = Augment(random.Random(seed), letterbox=(1, 2, 3))
            x0, _y0, ww, wh = augment.true_window(100, 80, 128 / 96)
            self.assertAlmostEqual(ww / wh, 128 / 96, places=6)
            self.assertTrue(x0 <= 0 or x0 + ww <= 100 + 1e-6)


if __name__ == "__main__":
    unittest.main()
