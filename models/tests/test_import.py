# SPDX-License-Identifier: LGPL-2.1-or-later
"""Importing: state dicts with the published names and shapes fill the network; what is missing or left over is listed."""

from __future__ import annotations

import unittest

import torch
from torch import Tensor

from models.importers import mask_dino
from models.importers.__main__ import convert
from models.reference.backbone import STAGES
from models.reference.config import Config
from models.reference.model import UniPerceiver

from .small import small_config

BASE = {
    "backbone": {"kind": "resnet50"},
    "levels": 4,
    "pixel_encoder": {"kind": "full", "layers": 2},
    "query": {"count": 10, "anchor": "scale", "content": "learned"},
    "mask": {"channels": 64, "groups": 32, "lateral_norm": True},
}


def norm(prefix: str, channels: int) -> dict[str, Tensor]:
    parts = {"weight": torch.rand(channels), "bias": torch.rand(channels)}
    parts.update({"running_mean": torch.rand(channels), "running_var": torch.rand(channels) + 0.5})
    return {f"{prefix}.{k}": v for k, v in parts.items()}


def published_mask_dino(config: Config) -> dict[str, Tensor]:
    """Mask DINO's names with our network's shapes."""
    own = UniPerceiver(config, 1).state_dict()
    state: dict[str, Tensor] = {}
    for ours, theirs in mask_dino.names(config).items():
        if ours in own:
            state[theirs] = torch.randn(own[ours].shape)
            continue
        for kind in ("weight", "bias"):
            biasless = theirs.endswith(("adapter_1", "layer_1")) and kind == "bias"
            if not biasless:
                state[f"{theirs}.{kind}"] = torch.randn(own[f"{ours}.{kind}"].shape)
    for name, value in own.items():
        if name.startswith("backbone.") and name.endswith(".weight"):
            at = name[: -len(".weight")].replace("stem", "stem.conv1").replace("downsample", "shortcut")
            for layer in range(1, 5):
                at = at.replace(f"layer{layer}", f"res{layer + 1}")
            state[f"{at}.weight"] = value
            state.update(norm(f"{at}.norm", len(value)))
    return state


class Import(unittest.TestCase):
    def test_mask_dino_fills_the_region_part(self) -> None:
        config = small_config(**BASE)
        source = published_mask_dino(config)
        source["sem_seg_head.predictor.class_embed.weight"] = torch.zeros(80, 64)
        model, missing, unread = convert(config, source, None, None)
        self.assertEqual(unread, ["sem_seg_head.predictor.class_embed.weight"])
        own = ("proposals.", "global.", "decoder.", "text", "caption.")
        region = [n for n in missing if not n.startswith(own)]
        heads = [f"{h}.{k}" for h in ("query.score", "region_decoder.foreground") for k in ("bias", "weight")]
        self.assertEqual(region, heads)
        theirs = source["sem_seg_head.predictor.decoder.layers.0.norm2.weight"]
        torch.testing.assert_close(model.region_decoder.layers[0].norm1.weight.data, theirs)

    def test_efficientnet_of_timm(self) -> None:
        source = {"conv_stem.weight": torch.randn(32, 3, 3, 3), **norm("bn1", 32)}
        channels = 32
        for s, (repeats, kernel, _, expansion, out) in enumerate(STAGES):
            for j in range(repeats):
                at, hidden = f"blocks.{s}.{j}", channels * expansion
                source[f"{at}.conv_dw.weight"] = torch.randn(hidden, 1, kernel, kernel)
                if expansion == 1:
                    source[f"{at}.conv_pw.weight"] = torch.randn(out, hidden, 1, 1)
                    widths = (hidden, out)
                else:
                    source[f"{at}.conv_pw.weight"] = torch.randn(hidden, channels, 1, 1)
                    source[f"{at}.conv_pwl.weight"] = torch.randn(out, hidden, 1, 1)
                    widths = (hidden, hidden, out)
                for k, width in enumerate(widths, 1):
                    source.update(norm(f"{at}.bn{k}", width))
                channels = out
        _, missing, unread = convert(small_config(), None, source, None)
        self.assertEqual((unread, [n for n in missing if n.startswith("backbone.")]), ([], []))

    def test_resnet_equals_torchvision(self) -> None:
        import torchvision

        theirs = torchvision.models.resnet50(weights=None).eval()
        for name, value in theirs.state_dict().items():
            if "running" in name:
                value.uniform_(0.5, 1.0)
        model, missing, unread = convert(small_config(**BASE), None, dict(theirs.state_dict()), None)
        self.assertEqual([n for n in missing if n.startswith("backbone.")], [])
        self.assertTrue(all(n.startswith("fc.") or "num_batches" in n for n in unread), unread)
        x = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            expected = torch.nn.Sequential(*list(theirs.children())[:8])(x)
            torch.testing.assert_close(model.backbone(x)[-1], expected, atol=1e-3, rtol=1e-3)

    def test_text_behind_a_prefix(self) -> None:
        config = small_config()
        own = {k: v for k, v in UniPerceiver(config, 1).state_dict().items() if k.startswith("text.")}
        source = {"bert." + k[len("text.") :]: torch.randn_like(v) for k, v in own.items()}
        source["bert.pooler.dense.weight"] = torch.zeros(1)
        _, missing, unread = convert(config, None, None, source)
        self.assertEqual(([n for n in missing if n.startswith("text.")], unread), ([], ["bert.pooler.dense.weight"]))

    def test_a_wrong_shape_is_named(self) -> None:
        with self.assertRaisesRegex(ValueError, r"text\.embeddings\.word_embeddings\.weight is \[7, 24\], expected \[50, 24\]"):
            convert(small_config(), None, None, {"embeddings.word_embeddings.weight": torch.zeros(7, 24)})


if __name__ == "__main__":
    unittest.main()
