# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mask DINO's importer against names and shapes that were taken from its published source (mask_dino_r50.txt: ResNet-50, four
levels from stride 8 on, `maskdino_R50_bs16_50ep_3s_dowsample1_2048.yaml`), and its outputs against that source's formulas
(mask_dino_twin.py)."""

from __future__ import annotations

import unittest
from pathlib import Path

import torch
from torch import Tensor

from models.importers.__main__ import convert
from models.reference.config import Config
from models.reference.mask_head import mask_logits
from models.reference.model import UniPerceiver
from models.reference.position import sine_pixels
from models.reference.preprocess import place

from .mask_dino_twin import MaskDino, positions, resnet50_names
from .small import small_config
from .test_swin import at_random

FIXTURE = Path(__file__).with_name("mask_dino_r50.txt")
BASE = Path(__file__).parents[1] / "base" / "config.json"
CLASSES = ("class_embed.bias", "class_embed.weight", "label_enc.weight")
LEFT = ["criterion.empty_weight", *(f"sem_seg_head.predictor.{k}" for k in CLASSES)]
HEADS = [f"{head}.{kind}" for head in ("query.score", "region_decoder.foreground") for kind in ("bias", "weight")]
OWN = ("proposals.", "global.", "decoder.", "text", "caption.")  # of the network, and of no region checkpoint

SMALL = {
    "format_version": 2,
    "region_parts": "mask_dino",
    "backbone": {"kind": "swin", "width": 32, "depths": [1, 1, 1, 1], "heads": [1, 2, 4, 8], "window": 4},
    "levels": 4,
    "pixel_encoder": {"kind": "full", "layers": 2},
    "query": {"count": 10, "anchor": "scale", "content": "pixel"},
    "region_decoder": {"layers": 3},
    "mask": {"channels": 64, "groups": 32, "lateral_norm": True},
}


def published() -> dict[str, tuple[int, ...]]:
    out = {}
    for line in FIXTURE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, shape = line.split()
            out[name] = tuple(int(n) for n in shape.split("×"))
    return out


def region_config() -> Config:
    """models/base, its other parts small: those no checkpoint of regions has."""
    raw = Config.load(BASE).raw
    small = small_config().raw
    return Config.from_json({**raw, "decoder": small["decoder"], "text": small["text"]})


class Names(unittest.TestCase):
    def test_all_that_was_published_is_read_but_class_heads(self) -> None:
        source = {name: torch.zeros(shape) for name, shape in published().items()}
        model, missing, unread = convert(region_config(), source, None, None)
        self.assertEqual(unread, LEFT)
        self.assertEqual([n for n in missing if not n.startswith(OWN)], HEADS)
        self.assertEqual(float(model.region_decoder.box[8].layers[2].weight.abs().max()), 0.0)

    def test_twin_has_the_published_names(self) -> None:
        twin = MaskDino([256, 512, 1024, 2048], 256, 2048, (6, 9), 4, 8, 4, 300, 80)
        own = {name: tuple(value.shape) for name, value in twin.state_dict().items()} | resnet50_names()
        self.assertEqual(own, published())

    def test_missing_left_over_and_misshapen_are_listed_at_once(self) -> None:
        source = {name: torch.zeros(shape) for name, shape in published().items()}
        encoder = "sem_seg_head.pixel_decoder"
        del source[f"{encoder}.adapter_1.weight"], source["backbone.res3.1.conv2.norm.running_var"]
        source[f"{encoder}.transformer.level_embed"] = torch.zeros(5, 256)  # of Swin-L, which has a level more
        source[f"{encoder}.layer_1.norm.bias"] = torch.zeros(64)
        source["sem_seg_head.predictor.query_feat.weight"] = torch.zeros(300, 256)
        with self.assertRaises(ValueError) as caught:
            convert(region_config(), source, None, None)
        said = str(caught.exception)
        for expected in (
            "misshapen:\n",
            "level_embed is [5, 256], expected [4, 256]\n",
            "mask.norm.bias is [64], expected [256]\n",
            "missing, these would be at random:\n",
            "    mask.lateral.weight\n",
            "    backbone.layer2.1.conv2.weight\n",
            "of the checkpoint unread:\n",
            f"    {LEFT[1]}\n",
            "is the config the right one?",
        ):
            self.assertIn(expected, said)

    def test_another_kind_is_named(self) -> None:
        with self.assertRaisesRegex(ValueError, "it starts with a.b: is it of another KIND"):
            convert(region_config(), {"a.b": torch.zeros(1)}, None, None)


class Outputs(unittest.TestCase):
    """Equal weights, equal outputs, for queries that the test chooses: their class heads have no counterpart here."""

    def pair(self) -> tuple[UniPerceiver, MaskDino]:
        config = small_config(**SMALL)
        swin = config.backbone.swin
        assert swin is not None
        twin = at_random(MaskDino(list(swin.channels), config.d, 64, (2, 3), 4, config.heads, config.points, 10, 7), 3)
        torch.manual_seed(4)
        model = UniPerceiver(config, 1).eval()
        at_random(model.backbone, 4)
        given = dict(twin.state_dict()) | swin_names(model)
        converted, missing, unread = convert(config, given, None, None)
        self.assertEqual([n for n in missing if not n.startswith(OWN)], HEADS)
        self.assertEqual(unread, LEFT)
        return converted, twin

    def compare(self, image: Tensor) -> None:
        model, twin = self.pair()
        with torch.no_grad():
            maps = model.backbone(image)
            tokens = sum(-(-maps[1].shape[2] // 2**i) * -(-maps[1].shape[3] // 2**i) for i in range(4))
            inside = torch.tensor([t for t in range(3, tokens - 1, max(tokens // 11, 1))][:10])[None]
            theirs = twin(maps, inside)
            model.query.best = lambda scores, count: inside.expand(len(scores), -1)
            mine = model.regions(image)
        found = {
            "memory": mine.memory,
            "features": mine.mask_features,
            "anchors": mine.box_0,
            "content": mine.semantics[-1],
            "boxes": mine.boxes[-1],
            "masks": mask_logits(mine.mask_embed, mine.mask_features),
        }
        for name, value in found.items():
            error = float((value - theirs[name]).abs().max() / theirs[name].abs().max())
            self.assertLess(error, 1e-4, name)

    def test_equal(self) -> None:
        self.compare(torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(1)))

    def test_equal_with_a_padded_border(self) -> None:
        """A letterboxed picture: the border's cells are cells like others there too."""
        config = small_config(**SMALL, input={**small_config().raw["input"], "resize": "letterbox"})
        pixels = torch.randint(0, 255, (48, 120, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2)).numpy()
        image = place(pixels, (160, 96), config.input)
        self.assertEqual(float(image[:, :, 70:].abs().max()), 0.0)
        self.compare(image)

    def test_positions(self) -> None:
        for height, width in ((13, 19), (25, 38), (1, 1)):
            mine = sine_pixels(height, width, 64, True)
            torch.testing.assert_close(mine, positions(height, width, 64), atol=2e-5, rtol=0)
            self.assertGreater(float((mine - sine_pixels(height, width, 64)).abs().max()), 0.01)

    def test_tokens_at_an_end_are_not_chosen(self) -> None:
        model, _ = self.pair()
        torch.nn.init.zeros_(model.query.score.weight)  # all alike: the first ones are the best
        image = torch.randn(1, 3, 64, 1024)  # 1/128 from an end: less than 0.01
        with torch.no_grad():
            index = model.regions(image).index[0]
        self.assertTrue(all(0 < int(i) % 128 < 127 for i in index), index)


def swin_names(model: UniPerceiver) -> dict[str, Tensor]:
    """The backbone under a detector's names."""
    from models.importers.swin import of_detector, row_by_row

    sizes = model.config.backbone.swin
    assert sizes is not None
    out = {}
    for ours, theirs in of_detector(sizes, "backbone.").items():
        for suffix in ("", ".weight", ".bias"):
            value = model.backbone.state_dict().get(f"{ours}{suffix}")
            if value is not None:
                out[f"{theirs[0]}{suffix}"] = row_by_row(value) if ".merge." in ours else value
    return out


if __name__ == "__main__":
    unittest.main()
