# SPDX-License-Identifier: LGPL-2.1-or-later
"""Importers against the authors' own code: its names, its random weights, its outputs. test_swin.py has Swin's."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

from models.importers.__main__ import convert, main, opened, write
from models.reference.config import Config

from .small import small_config, small_model
from .test_swin import at_random, needs

CLASSIFIER = ("classifier.", "conv_head.", "bn2.", "fc.")
RESNET = {"backbone": {"kind": "resnet50"}}
SWIN = {"kind": "swin", "width": 8, "depths": [1, 1, 1, 1], "heads": [1, 2, 4, 8], "window": 4}


def moved(model: nn.Module) -> nn.Module:
    """With batch norms that change something."""
    for name, value in model.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            value.normal_(0, 0.1)
    return model.eval()


class Equal(unittest.TestCase):
    def backbone(self, theirs: nn.Module, **changes: object) -> None:
        model, missing, unread = convert(small_config(**changes), None, dict(theirs.state_dict()), None)
        self.assertEqual([n for n in missing if n.startswith("backbone.")], [])
        self.assertEqual([n for n in unread if not n.startswith(CLASSIFIER) and "num_batches" not in n], [])
        x = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = theirs(x)
            for mine, feature in zip(model.backbone(x), expected[-4:]):
                error = float((mine - feature).abs().max() / feature.abs().max())
                self.assertLess(error, 1e-4)

    @needs("timm")
    def test_resnet50_of_timm(self) -> None:
        import timm

        self.backbone(moved(timm.create_model("resnet50", pretrained=False, features_only=True)), **RESNET)

    @needs("timm")
    def test_efficientnet_lite0_of_timm(self) -> None:
        import timm

        self.backbone(moved(timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True)))

    @needs("transformers")
    def test_text_of_transformers(self) -> None:
        import transformers

        sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 50}
        ids = torch.tensor([[5, 7, 9, 11, 13]])
        for kind, config, network in (
            ("bert", transformers.BertConfig, transformers.BertModel),
            ("roberta", transformers.RobertaConfig, transformers.RobertaModel),
        ):
            eps = 1e-12 if kind == "bert" else 1e-5
            own = config(**sizes, max_position_embeddings=48, type_vocab_size=2, layer_norm_eps=eps)
            theirs = at_random(network(own, add_pooling_layer=False))
            text = {**small_config().raw["text"], "kind": kind, "layer_norm_eps": eps, "type_vocabulary": 2}
            model, missing, unread = convert(small_config(text=text), None, None, dict(theirs.state_dict()))
            self.assertEqual(([n for n in missing if n.startswith("text.")], unread), ([], []), kind)
            with torch.no_grad():
                torch.testing.assert_close(model.text(ids), theirs(ids).last_hidden_state, atol=1e-5, rtol=1e-4)


class Command(unittest.TestCase):
    def run_with(self, *arguments: str) -> str:
        out = io.StringIO()
        with patch("sys.argv", ["importers", *arguments]), redirect_stdout(out):
            main()
        return out.getvalue()

    def test_parts_come_one_by_one(self) -> None:
        from models.importers.swin import of_authors
        from models.reference.swin import Swin

        with tempfile.TemporaryDirectory() as name:
            folder, config = Path(name), small_config(format_version=2, backbone=SWIN)
            (folder / "config.json").write_text(json.dumps(config.raw), encoding="utf-8")
            assert config.backbone.swin is not None
            own = at_random(Swin(config.backbone.swin)).state_dict()
            names = of_authors(config.backbone.swin)
            state = {f"{theirs[0]}{s}": own[f"{k}{s}"] for k, theirs in names.items() for s in ("", ".weight", ".bias") if f"{k}{s}" in own}
            torch.save({"model": state}, folder / "swin.pth")
            out = self.run_with("backbone", str(folder / "swin.pth"), str(folder / "model"), "--config", name)
            self.assertIn("0 names of the checkpoint unread", out)
            from models.reference.model import UniPerceiver

            words = {k[5:]: v for k, v in UniPerceiver(config, 1).state_dict().items() if k.startswith("text.")}
            torch.save(words, folder / "text.pth")
            out = self.run_with("text", str(folder / "text.pth"), str(folder / "model"))
            self.assertNotIn("backbone.stages", out)  # kept, not at random
            with self.assertRaisesRegex(SystemExit, "(?s)is \\[.*expected.*is the config the right one"):
                wrong = {k: v[:1] for k, v in words.items()}
                torch.save(wrong, folder / "wrong.pth")
                self.run_with("text", str(folder / "wrong.pth"), str(folder / "model"))

    def test_the_engine_opens_what_was_written(self) -> None:
        """Or says why not; $UPI_DUMP is a real one."""
        real = os.environ.get("UPI_DUMP")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.assertIn("--dump names one", opened(folder, None) if shutil.which("upi-dump") is None else "--dump names one")
            for code, says in ((0, "opened by the engine: 3 operations"), (1, "the engine does not open it: no tensors")):
                dump = folder / "dump"
                dump.write_text(f"#!/bin/sh\necho first\necho 3 operations\necho no tensors >&2\nexit {code}\n", encoding="utf-8")
                dump.chmod(0o700)
                try:
                    self.assertEqual(opened(folder, dump), says)
                except SystemExit as e:
                    self.assertIn(says, str(e))
            if real:
                model = small_model()
                write(model, folder, None)
                (folder / "vocab.txt").write_text("".join(f"{w}\n" for w in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")), encoding="utf-8")
                self.assertIn("opened by the engine", opened(folder, Path(real)))

    def test_help_says_what_fits(self) -> None:
        with self.assertRaises(SystemExit):
            self.assertIn("KIND", self.run_with("--help"))
        with self.assertRaises(SystemExit):
            self.run_with("text", "none.pth", "/nowhere/at/all")

    def test_every_base_config_is_read(self) -> None:
        for path in sorted((Path(__file__).parents[1]).glob("base*/config.json")):
            self.assertGreater(Config.load(path).channels[3], 0, path)


if __name__ == "__main__":
    unittest.main()
