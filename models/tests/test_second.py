# SPDX-License-Identifier: LGPL-2.1-or-later
"""Training the second generation: class evidence in losses and stored images, starts that come from two models, bfloat16 blocks."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.reference.backbone import MobileNetV2
from models.reference.model import UniPerceiver
from models.training import fast
from models.training.blend import blend, started_from
from models.training.dataset import Encoded
from models.training.losses import Heads, region_losses, total
from models.training.setup import records
from models.training.stages import of_decoder
from models.training.tasks import Trainee, frozen_image
from models.training.train import detector_weights, fix_predictors, freeze_half, give_back, groups, take_decoder

from .small import second_generation, small_config
from .test_training import batch_of


def second(seed: int = 0) -> UniPerceiver:
    torch.manual_seed(seed)
    return UniPerceiver(small_config(**second_generation()), 20)


def trainee(seed: int = 0) -> Trainee:
    model = second(seed)
    return Trainee(model, Heads(64, 80, 0, model.config.tasks))


class Evidence(unittest.TestCase):
    def test_losses_reach_the_predictors_and_not_a_frozen_backbone(self) -> None:
        t = trainee().train()
        t.model.backbone.freeze(99)
        freeze_half(t, False)
        batch = batch_of([[0.3, 0.3, 0.3, 0.3], [0.6, 0.6, 0.5, 0.5]], [1, 0])
        r = t.model.regions(torch.randn(1, 3, 64, 64), with_global=False)
        self.assertEqual(len(r.speaks), len(r.boxes))
        total(region_losses(t.model, t.heads, r, batch)).backward()
        self.assertGreater(float(t.model.evidence.expand[0].weight.grad.abs().sum()), 0)
        self.assertGreater(abs(float(t.model.evidence.offset.grad)), 0)
        self.assertTrue(all(p.grad is None for p in t.model.backbone.parameters()))

    def test_stored_regions_say_what_the_network_says(self) -> None:
        """The general decoder sees the same proposals from stored outputs as from an image."""
        t = trainee().eval()
        with torch.no_grad():
            image = torch.randn(1, 3, 64, 64)
            r = t.model.regions(image)
            spe, decoded, _ = t.model.image(r)
        kept = Encoded(r.last_map, r.semantics[-1], r.boxes[-1], r.pooled, r.selection, r.speaks[-1])
        with torch.no_grad():
            again = frozen_image(t.model, kept)
        torch.testing.assert_close(again[0], spe)
        torch.testing.assert_close(again[1], decoded)


class Detector(unittest.TestCase):
    def test_part_of_the_way_back(self) -> None:
        """Trunk and predictors alone; how much the evidence counts is the region part's, which has learnt it."""
        model, other = second(), second(1)
        own, detector = {k: v.clone() for k, v in model.state_dict().items()}, detector_weights(other)
        self.assertNotIn("evidence.offset", detector)
        give_back(model, detector, 0.25)
        for name, v in model.state_dict().items():
            there = name in detector
            torch.testing.assert_close(v, 0.75 * own[name] + 0.25 * detector[name] if there else own[name])
            self.assertEqual(there, name.startswith(("backbone.", "evidence.")) and v.dim() > 0)
        give_back(model, detector, 1.0)
        torch.testing.assert_close(model.backbone.stem.weight, other.backbone.stem.weight)

    def test_predictors_that_stay(self) -> None:
        t = trainee()
        rates = {id(p): g.scale for g in groups(t, 0.5, 0.2) for p in g.parameters}
        self.assertEqual(rates[id(t.model.evidence.expand[0].weight)], 0.2)
        self.assertEqual(rates[id(t.model.backbone.stem.weight)], 0.5)
        fix_predictors(t.model)
        left = [n for n, p in t.model.evidence.named_parameters() if p.requires_grad]
        self.assertEqual(left, ["scale", "offset"])
        rates = {id(p): g.scale for g in groups(t, 0.5, 0) for p in g.parameters}
        self.assertEqual(rates[id(t.model.evidence.scale)], 0.1)
        self.assertNotIn(id(t.model.evidence.expand[0].weight), rates)


class Blend(unittest.TestCase):
    def test_only_the_decoder_lies_between(self) -> None:
        before, after = trainee(1).state_dict(), trainee(2).state_dict()
        state = blend(before, after, 0.25)
        for name, v in state.items():
            between = of_decoder(name) and v.is_floating_point()
            torch.testing.assert_close(v, 0.75 * before[name] + 0.25 * after[name] if between else after[name])
        self.assertTrue(of_decoder("model.decoder.spe") and of_decoder("heads.bias"))
        self.assertFalse(of_decoder("model.backbone.stem.weight"))
        with self.assertRaisesRegex(ValueError, "decoder.spe is not in both"):
            blend({k: v for k, v in before.items() if k != "model.decoder.spe"}, after, 0.25)


    def test_a_model_directory_is_a_start_with_its_heads(self) -> None:
        state = trainee(1).state_dict()
        with tempfile.TemporaryDirectory() as name:
            for file, prefix in (("model", "model."), ("heads", "heads.")):
                part = {k.removeprefix(prefix): v.contiguous() for k, v in state.items() if k.startswith(prefix)}
                save_file({k: v.half() if v.is_floating_point() else v for k, v in part.items()}, f"{name}/{file}.safetensors")
            given = started_from(Path(name), Path(name) / "heads.safetensors")
            self.assertEqual(given.keys(), {k for k in state if k.startswith(("model.", "heads."))})
            self.assertFalse(any(k.startswith("heads.") for k in started_from(Path(name), None)))
        torch.testing.assert_close(given["heads.bias"], state["heads.bias"], rtol=1e-3, atol=1e-3)
        blend(given, state, 0.5)


class Start(unittest.TestCase):
    def test_the_general_decoder_comes_from_another_generation(self) -> None:
        """All but what reads regions and the global map; a network of other sizes is refused by name."""
        torch.manual_seed(5)
        old = UniPerceiver(small_config(), 20)
        with tempfile.TemporaryDirectory() as folder:
            state = {k: v.half() if v.is_floating_point() else v for k, v in old.state_dict().items() if not k.startswith("text.")}
            save_file({k: v.contiguous() for k, v in state.items()}, Path(folder) / "model.safetensors")
            raw = json.loads(json.dumps(old.config.raw))
            raw["tasks"]["captioning"]["temperature"] = 0.031
            (Path(folder) / "config.json").write_text(json.dumps(raw), encoding="utf-8")
            t = trainee()
            before = {k: v.clone() for k, v in t.model.state_dict().items()}
            take_decoder(t, Path(folder))
            after = t.model.state_dict()
            for name in ("decoder.spe", "text_proj.weight", "caption.vocabulary", "global.pool.0.q.weight"):
                torch.testing.assert_close(after[name], state[name].float())
            for name in ("global.proj.weight", "proposals.proj.weight", "backbone.stem.weight", "region_decoder.norm.weight"):
                torch.testing.assert_close(after[name], before[name])
            self.assertAlmostEqual(float(t.heads.temperature("captioning")), 0.031, places=6)
            save_file({**{k: v.contiguous() for k, v in state.items()}, "decoder.spe": torch.zeros(7)}, Path(folder) / "model.safetensors")
            with self.assertRaisesRegex(SystemExit, "decoder.spe does not fit"):
                take_decoder(t, Path(folder))


class Fast(unittest.TestCase):
    def test_bfloat16_blocks_equal_the_reference_on_odd_maps_too(self) -> None:
        """Whatever this processor has: the functions compute the same, only not everywhere faster."""
        if not fast.KERNELS:
            fast.KERNELS.append(fast.compile_kernels(Path(tempfile.mkdtemp())))
        torch.manual_seed(0)
        model = MobileNetV2().eval().to(memory_format=torch.channels_last)
        x = torch.randn(1, 3, 112, 96).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            truth = model(x)
            for block in model.blocks:
                block.expanded, block.rest = fast.expanded.__get__(block), fast.rest.__get__(block)
            model.last.forward = fast.conv1x1.__get__(model.last)
            model.stem.forward = fast.same.__get__(model.stem)
            for a, b in zip(model(x), truth):
                self.assertLess(float((a.float() - b).square().mean() / b.square().mean()), 1e-2)


class Street(unittest.TestCase):
    def test_records_hold_street_when_it_is_there(self) -> None:
        data = Path(__file__).parents[3] / "shared" / "data"
        if not (data / "street.json").exists():
            self.skipTest("the street images are not here")
        self.assertIn("roads", {r.source for r in records(data, "train")})


if __name__ == "__main__":
    unittest.main()
