# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the region part keeps for the other tasks: ImageNet's last map, and stored views of every image."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from models.reference.backbone import (
    EfficientNetLite0,
    ResNet50,
    load_efficientnet_lite0,
)
from models.training.distillation import SHARED, ImageNet, distillation_loss, normalised
from models.training.encode import EncodedSampler, Stored
from models.training.setup import efficientnet_state

from .small import FIRST
from .test_resume import ROOT, generate


class Remember(unittest.TestCase):
    def test_nothing_is_lost_until_a_block_after_c2_changes(self) -> None:
        """From C2 on the copy computes what the whole ImageNet backbone does; the loss is the share of it that is gone."""
        torch.manual_seed(0)
        state = efficientnet_state()
        backbone, imagenet = EfficientNetLite0(), ImageNet(state)
        load_efficientnet_lite0(backbone, state)
        backbone.freeze(SHARED)
        head = nn.Linear(320, 320)
        nn.init.eye_(head.weight)
        nn.init.zeros_(head.bias)
        image = torch.randn(2, 3, 96, 64)
        maps = backbone(image)
        cells = imagenet.cells(maps[0])
        torch.testing.assert_close(cells, normalised(maps[-1]))
        self.assertLess(float(distillation_loss(head, maps[-1], cells)), 1e-9)
        with torch.no_grad():
            backbone.blocks[9].project.weight *= -1
        maps = backbone(image)
        torch.testing.assert_close(imagenet.cells(maps[0]), cells)
        loss = distillation_loss(head, maps[-1], cells)
        self.assertGreater(float(loss), 0.05)
        loss.backward()
        self.assertGreater(float(backbone.blocks[9].project.weight.grad.abs().sum()), 0)
        self.assertTrue(all(p.grad is None for p in imagenet.backbone.parameters()))

    def test_a_backbone_with_another_c2_is_told_apart(self) -> None:
        state = efficientnet_state()
        backbone, imagenet = EfficientNetLite0(), ImageNet(state)
        load_efficientnet_lite0(backbone, state)
        backbone.half().float()  # as an exported model has it
        self.assertTrue(imagenet.shares_c2(backbone))
        with torch.no_grad():
            backbone.blocks[SHARED].project.weight *= 2  # not shared
        self.assertTrue(imagenet.shares_c2(backbone))
        with torch.no_grad():
            backbone.blocks[SHARED - 1].project.weight *= 1.01
        self.assertFalse(imagenet.shares_c2(backbone))
        self.assertFalse(imagenet.shares_c2(ResNet50()))

    def test_a_start_with_another_c2_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            generate(folder)
            start = folder / "start.pt"
            torch.save({"trainee": {"model.backbone.stem.bias": torch.ones(32)}, "average": {}}, start)
            command = ["--data", folder, "--out", folder / "out", "--cache", folder / "cache", "--stage", "regions", "--start", start]
            command += ["--model", FIRST]
            done = subprocess.run(
                [sys.executable, "-m", "models.training.train", *map(str, command), "--workers", "1"],
                cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{start}: its backbone is not ImageNet's EfficientNet-Lite0 up to C2", done.stderr)
        self.assertIn("give --forget", done.stderr)

    def test_too_few_frozen_blocks_are_refused(self) -> None:
        command = [sys.executable, "-m", "models.training.train", "--data", "none", "--stage", "regions", "--frozen", str(SHARED - 1)]
        done = subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"--frozen {SHARED - 1}: remembering ImageNet needs {SHARED} frozen blocks or more, or give --forget", done.stderr)


class Memory(unittest.TestCase):
    def test_captions_of_the_nearest_images_fit_with_either_backbone(self) -> None:
        """Squares and stripes: an unseen one gets the words of its kind."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            generate(folder)
            stripes = np.zeros((64, 80, 3), np.uint8)
            stripes[::8] = stripes[1::8] = 255
            for split in ("train", "extra"):
                raw = json.loads((folder / f"{split}.json").read_text())
                for words in raw["captions"]:
                    words["caption"] = "a bright square on noise"  # four words or more, for CIDEr-D's longest n-grams
                for image, words in zip(raw["images"][::2], raw["captions"][::2]):
                    shifted = np.roll(stripes, image["id"], 0)
                    Image.fromarray(shifted).save(folder / image["file_name"])
                    words["caption"] = "thin stripes side by side"
                (folder / f"{split}.json").write_text(json.dumps(raw))
            (folder / "val.json").write_text((folder / "extra.json").read_text())
            for more in ([], ["--own-backbone"]):
                command = ["--data", name, "--neighbours", "3", *more]
                done = subprocess.run(
                    [sys.executable, "-m", "models.training.baseline", *command], cwd=ROOT, check=True, stdout=subprocess.PIPE
                )
                said = json.loads(done.stdout)
                self.assertEqual((said["images"], said["neighbours"]), (6, 3))
                self.assertAlmostEqual(said["CIDEr-D"], 1000, delta=0.1)  # every caption is right


class Views(unittest.TestCase):
    def test_every_image_is_stored_as_often_as_asked(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder, out = Path(name), Path(name) / "encoded"
            generate(folder)
            torch.save({"trainee": {}, "average": {}}, folder / "last.pt")
            command = ["--checkpoint", folder / "last.pt", "--data", folder, "--cache", folder / "cache", "--out", out, "--views", "3"]
            command += ["--model", FIRST]
            out.mkdir()
            stale = out / "0-0-96x64-told.json"  # of views that were there before
            stale.write_text("[]")
            subprocess.run(
                [sys.executable, "-m", "models.training.encode", *map(str, command)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
            sampler = EncodedSampler(Stored([out]), lambda rows: np.ones(len(rows)), 1)
            count = Counter(s["record"].id for group in sampler.known for s in group)
            trained = [i["id"] for part in ("train", "extra") for i in json.loads((folder / f"{part}.json").read_text())["images"]]
            self.assertLessEqual(set(count), set(trained))
            self.assertGreater(len(count), len(trained) - 3)  # but for dev
            self.assertEqual(set(count.values()), {3})
            batch = sampler.batch(2)
            self.assertFalse(stale.exists())
        assert batch.encoded is not None
        self.assertEqual(batch.encoded.c5.shape[:2], (2, 320))


if __name__ == "__main__":
    unittest.main()
