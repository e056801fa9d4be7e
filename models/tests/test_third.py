# SPDX-License-Identifier: LGPL-2.1-or-later
"""The third generation: PicoDet's boxes as queries, its classes as evidence, both as PicoDet itself has them."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from torch import nn

from models.reference.detector import FLOOR, joint_logit
from models.reference.evidence import share
from models.reference.model import UniPerceiver
from models.reference.picodet import PicoDet
from models.training.dataset import Encoded
from models.training.losses import Heads, region_losses, total
from models.training.tasks import Trainee, frozen_image
from models.training.train import Run, fix_detector, freeze_half, take_decoder

from .small import second_generation, small_config, small_model, third_generation
from .test_training import batch_of


def third(seed: int = 0) -> UniPerceiver:
    torch.manual_seed(seed)
    return UniPerceiver(small_config(**third_generation()), 20).eval()


def trainee(seed: int = 0) -> Trainee:
    model = third(seed)
    return Trainee(model, Heads(64, 80, 0, model.config.tasks))


class Queries(unittest.TestCase):
    def test_they_are_picodets_best_boxes(self) -> None:
        model, alone = third(), PicoDet().eval()
        for name in ("backbone", "pyramid"):
            getattr(alone, name).load_state_dict(getattr(model, name).state_dict())
        alone.heads.load_state_dict(model.detector.heads.state_dict())
        image = torch.randn(2, 3, 96, 160)
        with torch.no_grad():
            found, r = alone(image), model.regions(image, with_global=False)
        best = found.scores.amax(2)
        torch.testing.assert_close(r.scores.sigmoid(), best)
        torch.testing.assert_close(r.selection, best.gather(1, r.index))
        index = r.index[..., None]
        centre = r.box_0[..., :2] * torch.tensor([160.0, 96.0])
        half = r.box_0[..., 2:] * torch.tensor([80.0, 48.0])
        boxes = found.boxes.gather(1, index.expand(-1, -1, 4))
        torch.testing.assert_close(torch.cat((centre - half, centre + half), -1), boxes, atol=1e-3, rtol=1e-5)
        scores = found.scores.gather(1, index.expand(-1, -1, 80))
        spoken = (torch.logit(scores) * model.detector.scale + model.detector.offset).relu()
        torch.testing.assert_close(r.speaks[-1], spoken, atol=1e-4, rtol=1e-4)

    def test_region_decoders_keep_the_boxes(self) -> None:
        model = third()
        self.assertEqual([k for k in model.state_dict() if k.startswith("region_decoder.box")], [])
        r = model.regions(torch.randn(1, 3, 64, 64), with_global=False)
        self.assertEqual(len(r.boxes), model.config.region_layers)
        self.assertTrue(all(torch.equal(boxes, r.box_0) for boxes in r.boxes))

    def test_cosines_give_way_to_what_is_trusted(self) -> None:
        model, known = third(), torch.eye(80, 32)
        labels = torch.stack((known[1], known[2] + 0.5 * known[3], -known[:32].sum(0)))  # one's own, near one, near none
        r = model.regions(torch.randn(1, 3, 64, 64))
        decoded = model.image(r)[1]
        before = model.label_logits(r, decoded, labels, known)
        model.config.tasks["detection"]["trust"] = 0.5
        after = model.label_logits(r, decoded, labels, known)
        cosine = nn.functional.normalize(decoded, dim=-1) @ nn.functional.normalize(labels, dim=-1).T
        part = share(labels, known, model.config.near).amax(-1)
        self.assertEqual((float(part[0]), float(part[2])), (1.0, 0.0))
        self.assertTrue(0.1 < part[1] < 0.9)
        torch.testing.assert_close(after, before - 0.5 * part * cosine / model.config.tasks["detection"]["temperature"])
        self.assertTrue(torch.equal(after[..., 2], before[..., 2]))

    def test_joint_logits(self) -> None:
        a, b = torch.tensor([0.0, 3.0, -2.0]), torch.tensor([0.0, 1.0, 4.0])
        torch.testing.assert_close(joint_logit(a, b), torch.logit((a.sigmoid() * b.sigmoid()).sqrt()))
        far = joint_logit(torch.tensor([-1e4, 90.0]), torch.tensor([0.0, 90.0]))
        self.assertEqual(float(far[0]), FLOOR)
        self.assertTrue(15 < far[1] < 17)

    def test_a_detector_comes_whole(self) -> None:
        for changes, said in (
            ({"backbone": {"kind": "mobilenet_v2"}}, "backbone.kind is 'mobilenet_v2'"),
            ({"pixel_encoder": {"kind": "lite", "layers": 1}}, "pixel_encoder.kind is 'lite'"),
            ({"levels": 3}, "levels 4"),
            ({"format_version": 1, "global": {"pools": 1}}, "detector needs format_version 2"),
        ):
            with self.assertRaisesRegex(ValueError, said):
                small_config(**{**third_generation(), **changes})


class Training(unittest.TestCase):
    def test_the_detector_stays_and_what_it_counts_is_learnt(self) -> None:
        t = trainee().train()
        fix_detector(t.model)
        freeze_half(t, False)
        batch = batch_of([[0.3, 0.3, 0.3, 0.3], [0.6, 0.6, 0.5, 0.5]], [1, 0])
        r = t.model.regions(torch.randn(1, 3, 64, 64), with_global=False)
        losses = region_losses(t.model, t.heads, r, batch)
        self.assertFalse([k for k in losses if k.startswith("dense")])
        total(losses).backward()
        for part in (t.model.input_proj, t.model.detector.output, t.model.detector.norm):
            self.assertTrue(all(p.grad is not None for p in part.parameters()))
        self.assertGreater(abs(float(t.model.detector.offset.grad)), 0)
        for part in (t.model.backbone, t.model.pyramid, t.model.detector.heads):
            self.assertTrue(all(p.grad is None for p in part.parameters()))

    def test_stored_regions_say_what_the_network_says(self) -> None:
        t = trainee()
        with torch.no_grad():
            r = t.model.regions(torch.randn(1, 3, 64, 64))
            spe, decoded, _ = t.model.image(r)
            kept = Encoded(r.last_map, r.semantics[-1], r.boxes[-1], r.pooled, r.selection, r.speaks[-1])
            again = frozen_image(t.model, kept)
        torch.testing.assert_close(again[0], spe)
        torch.testing.assert_close(again[1], decoded)

    def test_a_decoder_that_reads_the_same_terms_is_taken_whole(self) -> None:
        """The second generation's: its proposals have evidence, its global tokens the same encoder; the encoder itself is built anew."""
        other, t = small_model(1, **second_generation()), trainee()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.json").write_text(json.dumps(other.config.raw), encoding="utf-8")
            state = {k: v.contiguous() for k, v in other.state_dict().items()}
            save_file(state, Path(folder) / "model.safetensors")
            before = {k: v.clone() for k, v in t.model.state_dict().items()}
            take_decoder(t, Path(folder))
        after = t.model.state_dict()
        for name in ("decoder.spe", "proposals.proj.weight", "proposals.evidence.weight", "global.proj.weight"):
            torch.testing.assert_close(after[name], state[name])
        for name in ("global.backbone.stem.weight", "region_decoder.norm.weight", "detector.norm.weight"):
            torch.testing.assert_close(after[name], before[name])

    def test_denoising_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.json").write_text(json.dumps(third().config.raw), encoding="utf-8")
            with self.assertRaisesRegex(SystemExit, "--denoising trains queries"):
                Run(SimpleNamespace(model=Path(folder), denoising=4))  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
