# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swin equals what others published, with equal random weights: torchvision's, timm's and Hugging Face's own code makes the names and the
outputs. Only torchvision comes with the tests; a source that is not installed is skipped, and says so."""

from __future__ import annotations

import importlib.util
import unittest
from typing import Any

import torch
from torch import Tensor, nn

from models.importers.swin import swin
from models.reference.swin import PUBLISHED, Swin, SwinSizes, parts_of

SMALL = SwinSizes(8, (2, 2, 4, 2), (1, 2, 4, 8), 3)
PICTURES = ((1, 224, 224), (3, 96, 160), (1, 140, 268))  # batch, height, width; the last needs padding in windows and in merges


def needs(package: str) -> Any:
    return unittest.skipUnless(importlib.util.find_spec(package), f"{package} is not installed (pip install {package})")


def at_random(model: nn.Module, seed: int = 1) -> nn.Module:
    """Every parameter away from where it starts, so that nothing may be left out."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.empty(p.shape).uniform_(-1, 1, generator=generator)
        if "norm" in name.split(".")[-2] and name.endswith("weight"):
            p.data = 1 + 0.2 * noise
        elif p.dim() > 1 and "bias_table" not in name:
            p.data = noise * (3 / p[0].numel()) ** 0.5
        else:
            p.data = noise if "bias_table" in name else 0.2 * noise
    return model.eval()


def ours(source: dict[str, Tensor], sizes: SwinSizes, unread: tuple[str, ...] = ("head.",)) -> Swin:
    """From a state dict, every name of both sides accounted for."""
    state, used = swin(source, sizes)
    model = Swin(sizes).eval()
    model.load_state_dict({k.removeprefix("backbone."): v for k, v in state.items()}, strict=True)
    left = [name for name in source if name not in used and not name.startswith(unread)]
    assert not left, left
    return model


class Equal(unittest.TestCase):
    def equal(self, mine: Tensor, theirs: Tensor, what: str) -> None:
        """To 1e-5 of the map's own size."""
        error = float((mine - theirs).abs().max() / theirs.abs().max().clamp_min(1))
        self.assertLess(error, 1e-5, what)

    def of_torchvision(self, name: str, pictures: tuple[tuple[int, int, int], ...]) -> None:
        import torchvision

        theirs = at_random(getattr(torchvision.models, name)(weights=None))
        model = ours(dict(theirs.state_dict()), PUBLISHED[name])
        for batch, height, width in pictures:
            x = torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(height))
            with torch.no_grad():
                mine, y = model.stage_maps(x), x
                for i, feature in enumerate(theirs.features):
                    y = feature(y)
                    if i % 2:
                        self.equal(mine[i // 2], y, f"{name} {height}×{width} stage {i // 2 + 1}")
                self.equal(model.norms[3](mine[3]), theirs.norm(y), f"{name} C5")

    @needs("torchvision")
    def test_swin_t_of_torchvision(self) -> None:
        self.of_torchvision("swin_t", PICTURES)

    @needs("torchvision")
    def test_swin_s_of_torchvision(self) -> None:
        self.of_torchvision("swin_s", PICTURES[2:])

    @needs("torchvision")
    def test_swin_b_of_torchvision(self) -> None:
        self.of_torchvision("swin_b", PICTURES[2:])

    @needs("timm")
    def test_windows_of_12_of_timm(self) -> None:
        import timm

        for name, sizes, side in (
            ("swin_large_patch4_window12_384", "swin_l", 384),
            ("swin_base_patch4_window12_384", "swin_b", 384),
            ("swin_tiny_patch4_window7_224", "swin_t", 224),
        ):
            theirs = at_random(timm.create_model(name, pretrained=False, num_classes=0))
            published = PUBLISHED[sizes]
            model = ours(dict(theirs.state_dict()), SwinSizes(published.width, published.depths, published.heads, 12 if side == 384 else 7))
            x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(side))
            with torch.no_grad():
                mine, y = model.stage_maps(x), theirs.patch_embed(x)
                for i, layer in enumerate(theirs.layers):
                    y = layer(y)
                    self.equal(mine[i], y, f"{name} stage {i + 1}")

    @needs("transformers")
    def test_swin_of_transformers(self) -> None:
        from transformers import SwinConfig, SwinModel

        sizes = SwinSizes(24, (2, 2, 4, 2), (3, 6, 12, 24), 7)
        config = SwinConfig(image_size=224, embed_dim=24, depths=[2, 2, 4, 2], num_heads=[3, 6, 12, 24], window_size=7)
        theirs = at_random(SwinModel(config, add_pooling_layer=False))
        model = ours(dict(theirs.state_dict()), sizes)
        x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            self.equal(model(x)[3].flatten(2).transpose(1, 2), theirs(x).last_hidden_state, "last hidden state")


class Itself(unittest.TestCase):
    def test_a_window_over_the_whole_map_is_not_shifted(self) -> None:
        self.assertEqual(parts_of(7, 7, 0).tolist(), [0] * 7)
        self.assertEqual(parts_of(6, 3, 1).tolist(), [0, 0, 0, 1, 1, 2])

    def test_items_of_a_batch_do_not_meet(self) -> None:
        model = at_random(Swin(SMALL))
        x = torch.randn(3, 3, 44, 36)
        with torch.no_grad():
            for whole, alone in zip(model(x), model(x[1:2])):
                torch.testing.assert_close(whole[1:2], alone, atol=1e-5, rtol=1e-5)

    def test_channels(self) -> None:
        maps = Swin(SMALL)(torch.zeros(1, 3, 64, 96))
        self.assertEqual([tuple(m.shape[1:]) for m in maps], [(8, 16, 24), (16, 8, 12), (32, 4, 6), (64, 2, 3)])


if __name__ == "__main__":
    unittest.main()
