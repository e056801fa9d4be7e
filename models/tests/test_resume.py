# SPDX-License-Identifier: LGPL-2.1-or-later
"""A training run that is killed goes on as if it had not been: real trainer, a few generated images."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .small import FIRST

ROOT = Path(__file__).parents[2]
TRAINER = """
import os, signal, sys
from models.training import stages, train
kill_at = sys.argv[1]
for task in stages.STAGES["regions"].values():
    task.count = 2
train.SMALL = train.MIDDLE = train.FULL = (((64, 64), 1),)
if kill_at != "-":
    step = train.Run.update
    def update(self, plan, batch):
        if plan.step == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, plan, batch)
    train.Run.update = update
sys.argv = ["train", *sys.argv[2:]]
train.main()
"""


def generate(data: Path) -> None:
    """Squares of one class on noise, no teacher, two captions."""
    rng = np.random.default_rng(0)
    for split, first in (("train", 1), ("extra", 100)):
        images, annotations, captions = [], [], []
        for i in range(first, first + 6):
            name = f"images/{i}.png"
            (data / "images").mkdir(exist_ok=True)
            pixels = rng.integers(0, 80, (64, 80, 3)).astype(np.uint8)
            pixels[20:50, 30:60] = 200
            Image.fromarray(pixels).save(data / name)
            images.append({"id": i, "file_name": name, "width": 80, "height": 64, "source": "voc", "exhaustive": [1]})
            annotations.append({"id": i, "image_id": i, "category_id": 1, "bbox": [30, 20, 30, 30]})
            captions.append({"image_id": i, "caption": "a bright square"})
        raw = {"images": images, "annotations": annotations, "captions": captions, "categories": [{"id": 1, "name": "square"}]}
        (data / f"{split}.json").write_text(json.dumps(raw), encoding="utf-8")
    (data / "teacher.json").write_text(json.dumps({"train": {}, "extra": {}}), encoding="utf-8")
    for name in ("text.txt", "text_extra.txt"):
        (data / name).write_text("a bright square on noise\n", encoding="utf-8")


class Resume(unittest.TestCase):
    def run_trainer(self, folder: Path, out: str, kill_at: str, *more: str) -> int:
        command = [
            sys.executable, "-c", TRAINER, kill_at, "--data", str(folder), "--out", str(folder / out), "--cache", str(folder / "cache"),
            "--model", str(FIRST), "--stage", "regions", "--steps", "4", "--workers", "1", "--save-seconds", "0", *more,
        ]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL).returncode

    def test_killed_and_resumed_equals_uninterrupted(self) -> None:
        self.compare()

    def test_so_it_does_with_denoising_queries(self) -> None:
        self.compare("--denoising", "6")

    def compare(self, *more: str) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            generate(folder)
            self.assertEqual(self.run_trainer(folder, "whole", "-", *more), 0)
            self.assertEqual(self.run_trainer(folder, "killed", "2", *more), -signal.SIGKILL)
            self.assertEqual(torch.load(folder / "killed" / "last.pt")["step"], 2)
            self.assertEqual(self.run_trainer(folder, "killed", "-", "--resume", *more), 0)
            whole, resumed = (torch.load(folder / out / "last.pt") for out in ("whole", "killed"))
            self.assertEqual((whole["step"], resumed["step"], whole["updates"]), (4, 4, resumed["updates"]))
            for part in ("trainee", "average"):
                for key, value in whole[part].items():
                    torch.testing.assert_close(resumed[part][key], value, atol=0, rtol=0, msg=key)


if __name__ == "__main__":
    unittest.main()
